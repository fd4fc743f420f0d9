-- Outcomes of messages, a feed, minute, kind (accepted, queued, dead, skipped, cancelled), call
-- type and event; retried are those that were not the message's first outcome.
SELECT feed, date_trunc('MINUTE', recorded_at) AS minute, kind, job, call_type, event,
       sum(coalesce(packed, 1)) AS messages,
       sum(CASE WHEN number > 1 THEN coalesce(packed, 1) ELSE 0 END) AS retried
FROM {outcomes}
WHERE kind IN ('accepted', 'queued', 'dead', 'skipped', 'cancelled')
  AND recorded_at >= current_timestamp() - INTERVAL {days} DAYS
GROUP BY feed, date_trunc('MINUTE', recorded_at), kind, job, call_type, event
