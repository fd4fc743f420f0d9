-- Data quality: how complete the mapped columns are, a feed, column and look (once an hour): rows
-- that were inserted or updated, in how many of them the column has a value, and that as a share.
SELECT feed, field, date_trunc('MINUTE', recorded_at) AS minute,
       sum(CASE WHEN metric = 'rows' THEN value END) AS rows,
       sum(CASE WHEN metric = 'filled' THEN value END) AS filled,
       sum(CASE WHEN metric = 'filled' THEN value END)
         / nullif(sum(CASE WHEN metric = 'rows' THEN value END), 0) AS share
FROM {figures}
WHERE metric IN ('rows', 'filled') AND recorded_at >= current_timestamp() - INTERVAL {days} DAYS
GROUP BY feed, field, date_trunc('MINUTE', recorded_at)
