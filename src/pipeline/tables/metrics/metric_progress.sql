-- Streaming queries, a query and minute: micro-batches with rows, and how long their triggers
-- took. What Spark did not report is null, never 0. Scanned are rows each time that they are read;
-- how many changes came is in metric_changes.
SELECT query, date_trunc('MINUTE', recorded_at) AS minute, count(*) AS batches,
       sum(input_rows) AS scanned_rows, percentile_approx(duration_ms, 0.5) AS p50_ms,
       max(duration_ms) AS max_ms, max(batch_id) AS batch_id, max(recorded_at) AS newest
FROM {stream_progress}
WHERE recorded_at >= current_timestamp() - INTERVAL {days} DAYS
GROUP BY query, date_trunc('MINUTE', recorded_at)
