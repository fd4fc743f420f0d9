-- One row a feed, for one glance: what was read and accepted last, of the last quarter of an hour
-- and the last day, what waits, what died, how old the accepted were, and for how long the source
-- still keeps what was not read (as somebody who watches saw last).
SELECT f.feed, b.source_version, b.read_at, b.committed_at, m.accepted_at,
       coalesce(m.accepted_15m, 0) AS accepted_15m, coalesce(m.accepted_24h, 0) AS accepted_24h,
       coalesce(m.dead_24h, 0) AS dead_24h, coalesce(q.waiting, 0) AS waiting,
       q.oldest_seconds, a.p95_s AS freshness_p95_s,
       r.retention_left_seconds
FROM (SELECT DISTINCT feed FROM {books}) f
LEFT JOIN (SELECT feed, max(source_version) AS source_version, max(booked_at) AS read_at,
                  max(committed_at) AS committed_at
           FROM {books} GROUP BY feed) b ON b.feed = f.feed
LEFT JOIN (SELECT feed, max(CASE WHEN kind = 'accepted' THEN minute END) AS accepted_at,
                  sum(CASE WHEN kind = 'accepted'
                       AND minute >= current_timestamp() - INTERVAL 15 MINUTES
                      THEN messages END) AS accepted_15m,
                  sum(CASE WHEN kind = 'accepted' THEN messages END) AS accepted_24h,
                  sum(CASE WHEN kind = 'dead' THEN messages END) AS dead_24h
           FROM {metric_messages}
           WHERE minute >= current_timestamp() - INTERVAL 24 HOURS GROUP BY feed) m
  ON m.feed = f.feed
LEFT JOIN (SELECT feed, sum(waiting) AS waiting, max(oldest_seconds) AS oldest_seconds
           FROM {metric_queue} GROUP BY feed) q ON q.feed = f.feed
LEFT JOIN (SELECT feed, max_by(p95_s, minute) AS p95_s FROM {metric_freshness} GROUP BY feed) a
  ON a.feed = f.feed
LEFT JOIN (SELECT feed, max_by(value, minute) AS retention_left_seconds
           FROM {metric_figures} WHERE metric = 'retention_left_seconds' GROUP BY feed) r
  ON r.feed = f.feed
