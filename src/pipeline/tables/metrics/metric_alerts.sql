-- The newest word on each alert and feed, and since when it stands so.
SELECT alert, feed, newest.state AS state, newest.severity AS severity, newest.metric AS metric,
       newest.value AS value, newest.expected AS expected, newest.detail AS detail,
       newest.runbook AS runbook, newest.recorded_at AS since
FROM (SELECT alert, feed, max_by(struct(*), recorded_at) AS newest FROM {alerts}
      WHERE state IS NOT NULL GROUP BY alert, feed)
