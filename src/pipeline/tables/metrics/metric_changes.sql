-- Changes read from the source, a feed and minute: net changes, deletes among them, the messages
-- that they become, and how many commits of the source they came with.
SELECT feed, date_trunc('MINUTE', booked_at) AS minute,
       sum(changes) AS changes, sum(deletes) AS deletes, sum(messages) AS messages,
       count(*) AS versions
FROM (SELECT feed, source_version, origin, min(booked_at) AS booked_at,
             min_by(changes, booked_at) AS changes, min_by(deletes, booked_at) AS deletes,
             min_by(messages, booked_at) AS messages
      FROM {books}
      WHERE origin IN ('snapshot', 'commit')
        AND booked_at >= current_timestamp() - INTERVAL {days} DAYS
      GROUP BY feed, source_version, origin)
GROUP BY feed, date_trunc('MINUTE', booked_at)
