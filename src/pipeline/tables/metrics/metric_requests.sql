-- Requests to the API, a feed (null where one request carried several), job, minute and status
-- (null where no answer came): count, calls, bytes, latency, and how full the batches were.
SELECT feed, job, date_trunc('MINUTE', recorded_at) AS minute, status, reason,
       count(*) AS requests, sum(calls) AS calls, sum(bytes) AS bytes,
       percentile_approx(duration_ms, 0.5) AS p50_ms,
       percentile_approx(duration_ms, 0.95) AS p95_ms,
       percentile_approx(duration_ms, 0.99) AS p99_ms,
       avg(bytes) / 500000 AS fill
FROM {outcomes}
WHERE kind = 'request' AND recorded_at >= current_timestamp() - INTERVAL {days} DAYS
GROUP BY feed, job, date_trunc('MINUTE', recorded_at), status, reason
