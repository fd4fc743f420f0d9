"""Fold arrivals into messages and people, many at a time."""

import sqlite3

from pipeline.sandbox.schema import IS_EVENT

# One upsert a row is three times faster here than to group first: ids are mostly new.
_FOLD_MESSAGES = """
INSERT INTO messages (message_id, arrivals, applied, first_seq)
SELECT message_id, 1, dropped IS NULL, seq FROM arrivals
WHERE seq > ? AND message_id IS NOT NULL
ON CONFLICT (message_id) DO UPDATE SET
  arrivals = arrivals + 1, applied = applied + excluded.applied
"""

# Deleting or suppressing a person, or lifting it, does not make the person exist.
_FOLD_PEOPLE = f"""
INSERT INTO people (user_id, events, last_seq)
SELECT user_id,
  {IS_EVENT},
  CASE WHEN type = 'track' AND event IN ('User Deleted', 'User Suppressed', 'User Unsuppressed')
    THEN 0 ELSE seq END
FROM arrivals
WHERE seq > ? AND dropped IS NULL AND user_id <> ''
ON CONFLICT (user_id) DO UPDATE SET
  events = events + excluded.events, last_seq = max(last_seq, excluded.last_seq)
"""


def fold(database: sqlite3.Connection, after: int) -> None:
    """Bring messages and people up to the last arrival, from those after *after*."""
    database.execute(_FOLD_MESSAGES, (after,))
    database.execute(_FOLD_PEOPLE, (after,))
