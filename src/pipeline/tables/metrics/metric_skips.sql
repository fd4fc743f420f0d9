-- Data quality: changes that needed no call, a feed, minute and reason; unchanged are updates that
-- change nothing mapped.
SELECT feed, date_trunc('MINUTE', recorded_at) AS minute, reason, count(*) AS messages
FROM {outcomes}
WHERE kind = 'skipped' AND recorded_at >= current_timestamp() - INTERVAL {days} DAYS
GROUP BY feed, date_trunc('MINUTE', recorded_at), reason
