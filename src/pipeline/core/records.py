"""The pipeline's own tables: every column with its type and what it means.

One place for Spark's DDL, Arrow's schema, the column comments and the table properties. A new
column or table needs nothing else: `pipeline tables migrate` adds what a table lacks, and the jobs
refuse one that lacks it. Where rows that are there change their meaning, `FORMAT_VERSION` rises,
and `tables/migrate.py` says what becomes of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa

FORMAT_VERSION: Final = 3
FORMAT_PROPERTY: Final = "pipeline.format"
"""Table property that holds the format version."""

ARROW: Final[Mapping[str, pa.DataType]] = {
    "string": pa.string(),
    "binary": pa.binary(),
    "bigint": pa.int64(),
    "int": pa.int32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: name, Spark type, meaning."""

    name: str
    type: str
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table: columns in order, partitioning with its reason in the comment."""

    name: str
    comment: str
    columns: tuple[Column, ...]
    partitioned_by: tuple[str, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)

    @property
    def ddl(self) -> str:
        """Spark's schema string."""
        return ", ".join(f"`{c.name}` {c.type}" for c in self.columns)

    @property
    def arrow(self) -> pa.Schema:
        """The same for Arrow."""
        return pa.schema([pa.field(c.name, ARROW[c.type]) for c in self.columns])


def _columns(*triples: tuple[str, str, str]) -> tuple[Column, ...]:
    return tuple(Column(name=n, type=t, comment=c) for n, t, c in triples)


_MESSAGE: Final = (
    ("message_id", "string", "Id of the message, shaped as a ULID; the same at every attempt"),
    ("feed", "string", "Feed that the message comes from"),
    ("source_version", "bigint", "Commit version of the source table"),
    ("call_number", "int", "Which of the calls that its change became, from 0"),
    ("call_type", "string", "identify, track, page, screen, group or alias"),
    ("event", "string", "Name of the event, for track calls"),
    ("entity_hash", "binary", "Keyed BLAKE2b of the person or object that the call is about"),
    ("number", "int", "Outcomes of a message are numbered upwards; the highest one holds"),
    ("attempts", "int", "Counted attempts to send it; what was the destination's fault is not"),
    ("position", "bigint", "Feed order within the commit that queued the message"),
)
_FAILURE: Final = (
    ("stage", "string", "Where it stopped: map, validate, size, destination, retry, command"),
    ("reason", "string", "Short code of the reason"),
    ("detail", "string", "Field or the server's words, scrubbed and capped"),
    ("next_attempt_at", "timestamp", "Queued: not before this; null waits behind its entity"),
    ("payload", "binary", "Sealed call, AES-256-GCM; only where the message was not accepted"),
    ("payload_key_id", "string", "Id of the key that the payload is encrypted with"),
)

OUTCOMES: Final = Table(
    name="outcomes",
    comment=(
        "What became of each message and of each request: appended by deliver and drain, the one "
        "atomic point of the pipeline. Partitioned by kind: a reader of the few that wait, died or "
        "failed never opens the files of the many that were accepted."
    ),
    columns=_columns(
        (
            "kind",
            "string",
            "accepted, queued, dead, skipped, cancelled: a message; request; task: a slice's part",
        ),
        *_MESSAGE,
        *_FAILURE,
        ("request_id", "string", "Request that decided; a request's own id"),
        ("command_id", "string", "Operator's command that this row carries out"),
        ("committed_at", "timestamp", "When the change was committed in the source"),
        ("recorded_at", "timestamp", "When the outcome was known"),
        ("job", "string", "deliver or drain"),
        ("slice", "bigint", "Lease epoch x 2^32 + counter: the append that this row came with"),
        ("endpoint", "string", "Request: path of the API"),
        ("status", "int", "Request: HTTP status; null when no answer came"),
        ("duration_ms", "double", "Request: milliseconds until the answer"),
        ("bytes", "bigint", "Request: size of its body"),
        ("calls", "int", "Request: calls in it. Task: messages given to it"),
        ("unsent", "int", "Task: messages left unsent, which have no row"),
        ("circuit", "string", "Task: state of the circuit breaker at its end"),
        ("answer", "string", "Request: the server's words when it failed, scrubbed and capped"),
        ("packed", "int", "So many accepted messages have this row in common; null: it is of one"),
        ("packed_ids", "binary", "Their ids, 26 bytes each, in sending order"),
        ("packed_entities", "binary", "Their entity hashes, 16 bytes each, in the same order"),
    ),
    partitioned_by=("kind",),
    properties={
        "delta.enableChangeDataFeed": "true",
        "delta.appendOnly": "false",
        "delta.autoOptimize.optimizeWrite": "false",
        "delta.autoOptimize.autoCompact": "false",
        "delta.enableDeletionVectors": "false",
        "delta.dataSkippingStatsColumns": ("source_version,number,recorded_at,slice"),
        "delta.checkpointInterval": "50",
    },
)
"""Partitioned by kind: of 12 slices of 20,000 messages with one in a thousand queued, the queued
ones are in 210 KB of files, and in 15,971 KB without partitions (`benchmarks/layout.py`). Not
clustered further: a slice's commit holds few source versions, so the statistics alone leave 4 of
48 files for the ids of one version, and a shuffle between sending and writing would cost more.
So no optimised writes, no compaction by an append (upkeep does it beside). A checkpoint of the log
takes as long as two slices' commits: one in fifty commits, not in ten. And no deletion vectors:
rows are changed only to erase, and what is erased must leave the files.
"""

RETRY_QUEUE: Final = Table(
    name="retry_queue",
    comment=(
        "Messages that wait: a fold of outcomes up to the position, the highest in its few rows of "
        "kind position. Written by drain alone, one commit a tick."
    ),
    columns=_columns(
        ("kind", "string", "message; position: how far outcomes were taken in; erased: a mark"),
        *_MESSAGE,
        *_FAILURE,
        ("queued_version", "bigint", "Commit of outcomes that queued it: first key of the order"),
        ("committed_at", "timestamp", "When the change was committed in the source"),
        ("queued_at", "timestamp", "When it was first queued"),
        ("outcomes_position", "bigint", "Position: last commit of outcomes that was taken in"),
        ("commands_position", "bigint", "Position: last commit of commands that was applied"),
        ("marked_at", "timestamp", "Erased: when the mark was set"),
    ),
    partitioned_by=("kind",),
    properties={
        "delta.enableDeletionVectors": "false",
        "delta.dataSkippingStatsColumns": ("message_id,next_attempt_at,queued_version,position"),
        "delta.checkpointInterval": "50",
    },
)
"""No deletion vectors: with them a tick that ends a hundred of 5,000 waiting messages writes 0.02
MB in place of 1.89 MB, but takes 10.4 s in place of 7.0 s, and the barrier that each slice reads
1.7 s in place of 0.4 s; of 200 waiting messages 6.0 s in place of 2.7 s, and 1.9 s in place of 0.3
s (`benchmarks/vectors.py`, on two busy cores: compare ratios). And what was erased would stay in
the files until upkeep purges them. With 100,000 that wait a tick rewrites 39 MB
(`benchmarks/layout.py`): a disk's second, which vectors would spare. Partitioned by kind, so that
positions and marks, of which each barrier needs all, are not read together with payloads.
"""

BOOKS: Final = Table(
    name="books",
    comment="Changes counted at read: one row a feed and version counts, appended by deliver.",
    columns=_columns(
        ("feed", "string", "Feed"),
        ("table_id", "string", "Delta's id of the source table"),
        ("source_version", "bigint", "Commit version of the source table"),
        ("origin", "string", "start, pinned (a snapshot was chosen), snapshot (its rows), commit"),
        ("changes", "bigint", "Net changes of that version"),
        ("deletes", "bigint", "Deletes among them"),
        ("messages", "bigint", "Messages that the changes become; each ends in the ledger"),
        ("committed_at", "timestamp", "When the version was committed"),
        ("booked_at", "timestamp", "When it was read"),
    ),
    properties={"delta.checkpointInterval": "70"},
)
"""A checkpoint of the log in seventy commits, not in fifty, as `outcomes` has: each of them has
about one commit a micro-batch, which would else wait for both. Neither partitioned nor clustered:
a week of eight feeds with a commit a minute each is one file of 143 KB, which a reader has whole;
by feed it would be 8 files of 1,045 KB in all, and each append would write 8 files instead of one
(`benchmarks/small_layout.py`, as for the tables below).
"""

COMMANDS: Final = Table(
    name="commands",
    comment="Wishes of operators and what became of them; applied by the table's writer.",
    columns=_columns(
        ("command_id", "string", "Id of the wish; its results carry the same"),
        ("entry", "string", "wish or result"),
        ("verb", "string", "retry, discard, replay, erase, unsuppress, re-encrypt, release"),
        ("feed", "string", "Feed that it is about, if one"),
        ("message_id", "string", "Message that it is about, if one"),
        ("entity_hash", "binary", "Person that it is about, if one"),
        ("source_version", "bigint", "Release: up to which version of the source"),
        ("argument", "string", "Further words of the wish, JSON, nothing personal"),
        ("payload", "binary", "Erase: the call that deletes, AES-256-GCM; gone when it is done"),
        ("payload_key_id", "string", "Id of the key that the payload is encrypted with"),
        ("status", "string", "Result: applied, refused"),
        ("detail", "string", "Result: what was done, or why not"),
        ("requested_by", "string", "Who asked"),
        ("recorded_at", "timestamp", "When"),
    ),
    properties={"delta.enableChangeDataFeed": "true"},
)
"""Neither partitioned nor clustered: 400 days of twenty wishes are one file of 655 KB; by verb they
would be six, and the question is always for what came after a position, which commits answer.
"""

LEASES: Final = Table(
    name="leases",
    comment="Who may write as which job: claims, challenges, answers and releases, appended.",
    columns=_columns(
        ("name", "string", "Lease: deliver/<feed> or drain"),
        ("entry", "string", "claim, challenge, answer, release"),
        ("epoch", "bigint", "Each claim takes the next one"),
        ("holder", "string", "Host, process and start of who wrote the row"),
        ("recorded_at", "timestamp", "When; for people, nothing is decided by it"),
    ),
    properties={
        "delta.enableChangeDataFeed": "true",
        "delta.logRetentionDuration": "interval 3650 days",
    },
)
"""Neither partitioned nor clustered: ten years of nine leases, claimed five times a day, are one
file of 697 KB; by name 8 files of 748 KB. A lease is judged from the change feed's order since the
beginning, so the log is kept for ten years.
"""

HOLDS: Final = Table(
    name="holds",
    comment=(
        "Holds of feeds and of drain, appended: what began, goes on, ended. The newest row of a "
        "job and feed, by number, is how it stands; the view current_holds has those that wait."
    ),
    columns=_columns(
        ("hold_id", "string", "One hold from its beginning to its end"),
        ("job", "string", "deliver or drain"),
        ("feed", "string", "Feed that holds; null for drain"),
        ("entry", "string", "began, goes_on, ended; left: its job stopped while it held"),
        ("number", "bigint", "Lease epoch x 2^32 + counter: the order of a job's rows"),
        ("reason", "string", "Short code: http_401, circuit_open, delete_guard, schema, ..."),
        ("detail", "string", "What it waits for and what to do, in words; nothing personal"),
        ("source_version", "bigint", "Source version that holds, where one does"),
        ("messages", "bigint", "Messages that wait: unsent ones, deletes, or those in the queue"),
        ("began_at", "timestamp", "When the hold began"),
        ("recorded_at", "timestamp", "When this row was written"),
    ),
)
"""Neither partitioned nor clustered: a year of ten holds a day is one file of 81 KB; by feed it
would be 8 files of 117 KB, and who asks for all that holds would open eight times as many.
"""

STREAM_PROGRESS: Final = Table(
    name="stream_progress",
    comment="One progress report of a streaming query.",
    columns=_columns(
        ("query", "string", "Name of the query"),
        ("run_id", "string", "Run of the query"),
        ("batch_id", "bigint", "Micro-batch"),
        ("input_rows", "bigint", "Rows that Spark scanned; what is scanned twice counts twice"),
        ("duration_ms", "bigint", "Milliseconds of the trigger"),
        ("progress", "string", "Spark's report, JSON"),
        ("recorded_at", "timestamp", "When"),
    ),
)
"""Neither partitioned nor clustered: thirty days of nine queries with a report each half minute are
one file of 2.1 MB; by query they would be 9 files of 10.4 MB, and each append would write 9.
"""

FIGURES: Final = Table(
    name="figures",
    comment=(
        "One figure of a feed at one look of who watches: what alerts are judged by, and the "
        "history that their expected ranges come from. An absent figure has no row."
    ),
    columns=_columns(
        ("feed", "string", "Feed"),
        ("metric", "string", "What was measured: waiting, p95_ms, retention_used, ..."),
        ("field", "string", "Column of the source, where it is about one"),
        ("value", "double", "What was found; its unit is in the metric's name"),
        ("recorded_at", "timestamp", "When"),
    ),
)
"""Neither partitioned nor clustered: a week of eight feeds with twelve figures a minute is one file
of 235 KB; by feed it would be 8 files of 1,499 KB, and each append would write 8.
"""

ALERTS: Final = Table(
    name="alerts",
    comment="Anomalies that were found.",
    columns=_columns(
        ("alert", "string", "Dotted name of the alert"),
        ("severity", "string", "info, warning, critical"),
        ("feed", "string", "Feed, if it is about one"),
        ("metric", "string", "What was measured"),
        ("value", "double", "What was found"),
        ("expected", "string", "What was expected"),
        ("detail", "string", "In words, nothing personal"),
        ("recorded_at", "timestamp", "When"),
        ("state", "string", "firing, or recovered; null for a finding that has no end"),
        ("runbook", "string", "Section of docs/runbook.md that says what to do"),
    ),
)
"""Neither partitioned nor clustered: 400 days of twenty rows are one file of 44 KB; by feed 8 files
of 63 KB.
"""

AUDIT_LOG: Final = Table(
    name="audit_log",
    comment="Who used a key, erased, replayed, changed settings: one hash chain a writer.",
    columns=_columns(
        ("writer", "string", "Whose chain"),
        ("sequence", "bigint", "Place in the chain, from 0"),
        ("action", "string", "Dotted name of what was done"),
        ("who", "string", "Databricks user or local account"),
        ("origin", "string", "From where: host and process"),
        ("detail", "string", "JSON: counts, fingerprints, nothing personal"),
        ("recorded_at", "timestamp", "When"),
        ("previous_hash", "string", "Hash of the entry before"),
        ("hash", "string", "Hash of this entry and the one before"),
    ),
    properties={"delta.appendOnly": "true"},
)
"""Append-only for Delta, too: who would change an entry must own the table, and the chain shows it.
Neither partitioned nor clustered: ten years of twenty entries a day are one file of 6.5 MB, read
whole to verify the chains; by writer they would be 3 files of as many bytes, all of them opened.
"""

TABLES: Final = (
    OUTCOMES,
    RETRY_QUEUE,
    BOOKS,
    COMMANDS,
    LEASES,
    HOLDS,
    STREAM_PROGRESS,
    ALERTS,
    AUDIT_LOG,
    FIGURES,
)
