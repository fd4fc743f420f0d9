-- The retry queue as drain knows it now, a feed and reason: how many wait, how many of them are
-- due, since when the oldest waits, and when its change was committed.
SELECT feed, reason, count(*) AS waiting,
       count_if(next_attempt_at <= current_timestamp()) AS due,
       min(queued_at) AS oldest_queued_at, min(committed_at) AS oldest_committed_at,
       (unix_micros(current_timestamp()) - unix_micros(min(queued_at))) / 1e6 AS oldest_seconds,
       max(attempts) AS most_attempts
FROM {retry_queue} WHERE kind = 'message'
GROUP BY feed, reason
