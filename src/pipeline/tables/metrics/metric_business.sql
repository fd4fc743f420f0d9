-- Business: what Customer.io accepted, a feed and minute: people identified (distinct in the
-- minute), events tracked, orders completed, people and objects deleted.
SELECT feed, date_trunc('MINUTE', recorded_at) AS minute,
       count(DISTINCT CASE WHEN call_type = 'identify' THEN entity_hash END) AS people,
       count_if(call_type = 'identify') AS identified,
       count_if(call_type = 'track' AND NOT deletion) AS events,
       count_if(event = 'Order Completed') AS orders,
       count_if(deletion) AS deletions
FROM (SELECT *, coalesce(event IN ('User Deleted', 'Object Deleted'), false) AS deletion
      FROM {message_outcomes}
      WHERE kind = 'accepted' AND recorded_at >= current_timestamp() - INTERVAL {days} DAYS)
GROUP BY feed, date_trunc('MINUTE', recorded_at)
