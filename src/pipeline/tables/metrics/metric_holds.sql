-- Holds, one row each: whose, why, when it began and ended (null while it lasts), and for how many
-- seconds it held.
SELECT feed, job, reason, min(began_at) AS began_at,
       max(CASE WHEN entry = 'ended' THEN recorded_at END) AS ended_at,
       (unix_micros(coalesce(max(CASE WHEN entry = 'ended' THEN recorded_at END),
                             current_timestamp())) - unix_micros(min(began_at))) / 1e6 AS seconds,
       max(messages) AS messages
FROM {holds}
WHERE recorded_at >= current_timestamp() - INTERVAL {days} DAYS
GROUP BY hold_id, feed, job, reason
