-- Business: orders of the versions in the books and what they are worth, a feed and look (once an
-- hour): as the source has them, whatever their currency, before what dies or is cancelled.
SELECT feed, date_trunc('MINUTE', recorded_at) AS minute,
       sum(CASE WHEN metric = 'orders_read' THEN value END) AS orders,
       sum(CASE WHEN metric = 'orders_worth' THEN value END) AS worth
FROM {figures}
WHERE metric IN ('orders_read', 'orders_worth')
  AND recorded_at >= current_timestamp() - INTERVAL {days} DAYS
GROUP BY feed, date_trunc('MINUTE', recorded_at)
