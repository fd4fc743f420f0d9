-- What waits now, a feed and reason: how many messages, how many of them are due, since when the
-- oldest waits, and when its change was committed. Read from outcomes: also while drain is down.
SELECT feed, reason, count(*) AS waiting,
       count_if(next_attempt_at <= current_timestamp()) AS due,
       min(queued_at) AS oldest_queued_at, min(committed_at) AS oldest_committed_at,
       (unix_micros(current_timestamp()) - unix_micros(min(queued_at))) / 1e6 AS oldest_seconds,
       max(attempts) AS most_attempts
FROM (SELECT message_id, max_by(feed, number) AS feed, max_by(reason, number) AS reason,
             max_by(next_attempt_at, number) AS next_attempt_at, max(attempts) AS attempts,
             min(recorded_at) AS queued_at, min(committed_at) AS committed_at
      FROM (SELECT *, max(CASE WHEN kind <> 'queued' THEN number END)
                        OVER (PARTITION BY message_id) AS ended
            FROM (SELECT * FROM {message_outcomes} WHERE kind = 'queued'
                  UNION ALL
                  SELECT * FROM {message_outcomes}
                  WHERE kind IN ('accepted', 'dead', 'skipped', 'cancelled') AND number > 1))
      WHERE kind = 'queued' AND number > coalesce(ended, 0)
      GROUP BY message_id)
GROUP BY feed, reason
