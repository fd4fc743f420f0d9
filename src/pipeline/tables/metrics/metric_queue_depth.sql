-- How many messages waited at the end of a minute, a feed; only minutes in which that changed.
SELECT feed, minute, sum(came) AS came, sum(went) AS went,
       sum(sum(came - went)) OVER (PARTITION BY feed ORDER BY minute) AS depth
FROM (SELECT feed, date_trunc('MINUTE', recorded_at) AS minute,
             CASE WHEN kind = 'queued' AND before IS DISTINCT FROM 'queued' THEN 1 ELSE 0 END
               AS came,
             CASE WHEN kind <> 'queued' AND before = 'queued' THEN 1 ELSE 0 END AS went
      FROM (SELECT feed, recorded_at, kind,
                   lag(kind) OVER (PARTITION BY message_id ORDER BY number) AS before
            FROM (SELECT feed, message_id, number, kind, recorded_at FROM {message_outcomes}
                  WHERE kind = 'queued'
                  UNION ALL
                  SELECT feed, message_id, number, kind, recorded_at FROM {message_outcomes}
                  WHERE kind IN ('accepted', 'dead', 'skipped', 'cancelled') AND number > 1)))
GROUP BY feed, minute
