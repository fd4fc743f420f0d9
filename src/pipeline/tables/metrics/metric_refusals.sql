-- Data quality: messages that became dead letters, a feed, minute, stage (map, validate, size,
-- destination, retry), reason, and field or words where they are known.
SELECT feed, date_trunc('MINUTE', recorded_at) AS minute, stage, reason, detail, call_type, event,
       count(*) AS messages
FROM {outcomes}
WHERE kind = 'dead' AND recorded_at >= current_timestamp() - INTERVAL {days} DAYS
GROUP BY feed, date_trunc('MINUTE', recorded_at), stage, reason, detail, call_type, event
