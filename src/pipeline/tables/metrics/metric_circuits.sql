-- The circuit breaker, a feed, job and minute: its last state, how many tasks found it open, and
-- how often it changed.
SELECT feed, job, date_trunc('MINUTE', recorded_at) AS minute,
       max_by(circuit, recorded_at) AS state, count_if(circuit = 'open') AS opened,
       count_if(circuit <> before) AS changes, sum(unsent) AS unsent
FROM (SELECT feed, job, recorded_at, circuit, unsent,
             lag(circuit) OVER (PARTITION BY feed, job ORDER BY recorded_at) AS before
      FROM {outcomes}
      WHERE kind = 'task' AND recorded_at >= current_timestamp() - INTERVAL {days} DAYS)
GROUP BY feed, job, date_trunc('MINUTE', recorded_at)
