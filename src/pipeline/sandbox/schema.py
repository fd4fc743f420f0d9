"""The sandbox's SQLite tables."""

from typing import Final

from pipeline.sandbox.validation import RESERVED

PRAGMAS: Final = (
    # Bodies are large: fewer, larger pages write them faster.
    "PRAGMA page_size = 16384",
    "PRAGMA journal_mode = WAL",
    # What the sandbox holds may be lost with the machine, not with the process.
    "PRAGMA synchronous = OFF",
    "PRAGMA cache_size = -262144",
    "PRAGMA temp_store = MEMORY",
)

TABLES: Final = """
CREATE TABLE IF NOT EXISTS requests (
  request INTEGER PRIMARY KEY,
  received_at REAL NOT NULL,   -- seconds since 1970
  endpoint TEXT NOT NULL,
  answer TEXT NOT NULL,        -- the status, or reset or timeout where there was none
  strict INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  calls INTEGER NOT NULL,
  duration_ms REAL NOT NULL,
  errors TEXT,                 -- JSON array
  failure INTEGER,             -- number of the scheduled failure that befell it
  body BLOB
);
CREATE TABLE IF NOT EXISTS arrivals (
  seq INTEGER PRIMARY KEY,
  request INTEGER NOT NULL,
  message_id TEXT, type TEXT, user_id TEXT, anonymous_id TEXT, event TEXT, timestamp TEXT,
  offset INTEGER NOT NULL,     -- in the request's body
  bytes INTEGER NOT NULL,
  dropped TEXT,                -- reason; null when applied
  detail TEXT
);
CREATE TABLE IF NOT EXISTS messages (
  message_id TEXT PRIMARY KEY,
  arrivals INTEGER NOT NULL,
  applied INTEGER NOT NULL,
  first_seq INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS people (
  user_id TEXT PRIMARY KEY,
  attributes TEXT NOT NULL DEFAULT '{}',
  identified_timestamp TEXT,
  events INTEGER NOT NULL DEFAULT 0,
  last_seq INTEGER NOT NULL DEFAULT 0,     -- last call that makes the person exist
  deleted_seq INTEGER NOT NULL DEFAULT 0,
  suppressed INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS devices (
  user_id TEXT, token TEXT, attributes TEXT NOT NULL, PRIMARY KEY (user_id, token)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS objects (
  type_id TEXT, object_id TEXT, attributes TEXT NOT NULL, PRIMARY KEY (type_id, object_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS relationships (
  type_id TEXT, object_id TEXT, user_id TEXT, attributes TEXT NOT NULL,
  PRIMARY KEY (type_id, object_id, user_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS relationships_of_person ON relationships (user_id);
CREATE TABLE IF NOT EXISTS folded (seq INTEGER NOT NULL);  -- arrivals up to here are folded
"""

_RESERVED: Final = ", ".join(f"'{event}'" for event in sorted(RESERVED))
IS_EVENT: Final = f"(type IN ('page', 'screen') OR (type = 'track' AND event NOT IN ({_RESERVED})))"
"""Whether an arrival is an event of a person, rather than an operation."""

# Made at the first question that needs one: kept up from the start they would slow each call.
QUESTION_INDEXES: Final = """
CREATE INDEX IF NOT EXISTS arrivals_of_message ON arrivals (message_id);
CREATE INDEX IF NOT EXISTS arrivals_of_person ON arrivals (user_id);
CREATE INDEX IF NOT EXISTS arrivals_dropped ON arrivals (dropped) WHERE dropped IS NOT NULL;
"""

ALL: Final = (
    "requests", "arrivals", "messages", "people", "devices", "objects", "relationships", "folded",
)  # fmt: skip
