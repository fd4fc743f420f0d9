-- Seconds from the commit in the source to accepted, a feed and the minute of acceptance.
SELECT feed, date_trunc('MINUTE', recorded_at) AS minute, count(*) AS messages,
       percentile_approx(seconds, 0.5) AS p50_s, percentile_approx(seconds, 0.95) AS p95_s,
       percentile_approx(seconds, 0.99) AS p99_s, max(seconds) AS max_s
FROM (SELECT feed, recorded_at,
             (unix_micros(recorded_at) - unix_micros(committed_at)) / 1e6 AS seconds,
             explode(sequence(1, coalesce(packed, 1))) AS message
      FROM {outcomes}
      WHERE kind = 'accepted' AND committed_at IS NOT NULL
        AND recorded_at >= current_timestamp() - INTERVAL {days} DAYS)
GROUP BY feed, date_trunc('MINUTE', recorded_at)
