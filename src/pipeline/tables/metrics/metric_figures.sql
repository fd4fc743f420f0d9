-- Figures of a feed at each look of who watches, a feed, metric and minute: what alerts are judged
-- by; retention_used and retention_left_seconds are the source's remaining retention against the
-- backlog.
SELECT feed, metric, date_trunc('MINUTE', recorded_at) AS minute, max(value) AS value
FROM {figures}
WHERE field IS NULL AND recorded_at >= current_timestamp() - INTERVAL {days} DAYS
GROUP BY feed, metric, date_trunc('MINUTE', recorded_at)
