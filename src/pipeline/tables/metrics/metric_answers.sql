-- What the API said when a request failed, scrubbed and capped, a feed and minute.
SELECT feed, job, date_trunc('MINUTE', recorded_at) AS minute, status, reason, answer,
       count(*) AS requests, max(recorded_at) AS newest
FROM {outcomes}
WHERE kind = 'request' AND reason IS NOT NULL
  AND recorded_at >= current_timestamp() - INTERVAL {days} DAYS
GROUP BY feed, job, date_trunc('MINUTE', recorded_at), status, reason, answer
