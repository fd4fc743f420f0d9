-- Format 1: what `pipeline tables create` ran before there was a migration. {place} is the table's.
CREATE TABLE IF NOT EXISTS {outcomes} (
  `kind` string COMMENT 'accepted, queued, dead, skipped, cancelled: a message; request; task: a slice\'s part',
  `message_id` string COMMENT 'Id of the message, shaped as a ULID; the same at every attempt',
  `feed` string COMMENT 'Feed that the message comes from',
  `source_version` bigint COMMENT 'Commit version of the source table',
  `call_number` int COMMENT 'Which of the calls that its change became, from 0',
  `call_type` string COMMENT 'identify, track, page, screen, group or alias',
  `event` string COMMENT 'Name of the event, for track calls',
  `entity_hash` binary COMMENT 'Keyed BLAKE2b of the person or object that the call is about',
  `number` int COMMENT 'Outcomes of a message are numbered upwards; the highest one holds',
  `attempts` int COMMENT 'Counted attempts to send it; what was the destination\'s fault is not',
  `position` bigint COMMENT 'Feed order within the commit that queued the message',
  `stage` string COMMENT 'Where it stopped: map, validate, size, destination, retry, command',
  `reason` string COMMENT 'Short code of the reason',
  `detail` string COMMENT 'Field or the server\'s words, scrubbed and capped',
  `next_attempt_at` timestamp COMMENT 'Queued: not before this; null waits behind its entity',
  `payload` binary COMMENT 'Sealed call, AES-256-GCM; only where the message was not accepted',
  `payload_key_id` string COMMENT 'Id of the key that the payload is encrypted with',
  `request_id` string COMMENT 'Request that decided; a request\'s own id',
  `command_id` string COMMENT 'Operator\'s command that this row carries out',
  `committed_at` timestamp COMMENT 'When the change was committed in the source',
  `recorded_at` timestamp COMMENT 'When the outcome was known',
  `job` string COMMENT 'deliver or drain',
  `slice` bigint COMMENT 'Lease epoch x 2^32 + counter: the append that this row came with',
  `endpoint` string COMMENT 'Request: path of the API',
  `status` int COMMENT 'Request: HTTP status; null when no answer came',
  `duration_ms` double COMMENT 'Request: milliseconds until the answer',
  `bytes` bigint COMMENT 'Request: size of its body',
  `calls` int COMMENT 'Request: calls in it. Task: messages given to it',
  `unsent` int COMMENT 'Task: messages left unsent, which have no row',
  `circuit` string COMMENT 'Task: state of the circuit breaker at its end',
  `answer` string COMMENT 'Request: the server\'s words when it failed, scrubbed and capped'
) USING DELTA
PARTITIONED BY (kind)
COMMENT 'What became of each message and of each request: appended by deliver and drain, the one atomic point of the pipeline. Partitioned by kind: a reader of the few that wait, died or failed never opens the files of the many that were accepted.'
TBLPROPERTIES ('delta.appendOnly' = 'false', 'delta.autoOptimize.optimizeWrite' = 'false', 'delta.dataSkippingStatsColumns' = 'message_id,feed,source_version,number,next_attempt_at,recorded_at,job,slice', 'delta.enableChangeDataFeed' = 'true', 'pipeline.format' = '1');

CREATE TABLE IF NOT EXISTS {retry_queue} (
  `kind` string COMMENT 'message; position: how far outcomes were taken in; erased: a mark',
  `message_id` string COMMENT 'Id of the message, shaped as a ULID; the same at every attempt',
  `feed` string COMMENT 'Feed that the message comes from',
  `source_version` bigint COMMENT 'Commit version of the source table',
  `call_number` int COMMENT 'Which of the calls that its change became, from 0',
  `call_type` string COMMENT 'identify, track, page, screen, group or alias',
  `event` string COMMENT 'Name of the event, for track calls',
  `entity_hash` binary COMMENT 'Keyed BLAKE2b of the person or object that the call is about',
  `number` int COMMENT 'Outcomes of a message are numbered upwards; the highest one holds',
  `attempts` int COMMENT 'Counted attempts to send it; what was the destination\'s fault is not',
  `position` bigint COMMENT 'Feed order within the commit that queued the message',
  `stage` string COMMENT 'Where it stopped: map, validate, size, destination, retry, command',
  `reason` string COMMENT 'Short code of the reason',
  `detail` string COMMENT 'Field or the server\'s words, scrubbed and capped',
  `next_attempt_at` timestamp COMMENT 'Queued: not before this; null waits behind its entity',
  `payload` binary COMMENT 'Sealed call, AES-256-GCM; only where the message was not accepted',
  `payload_key_id` string COMMENT 'Id of the key that the payload is encrypted with',
  `queued_version` bigint COMMENT 'Commit of outcomes that queued it: first key of the order',
  `committed_at` timestamp COMMENT 'When the change was committed in the source',
  `queued_at` timestamp COMMENT 'When it was first queued',
  `outcomes_position` bigint COMMENT 'Position: last commit of outcomes that was taken in',
  `commands_position` bigint COMMENT 'Position: last commit of commands that was applied',
  `marked_at` timestamp COMMENT 'Erased: when the mark was set'
) USING DELTA
PARTITIONED BY (kind)
COMMENT 'Messages that wait: a fold of outcomes up to the position in its one row of kind position. Written by drain alone, one commit a tick.'
TBLPROPERTIES ('delta.dataSkippingStatsColumns' = 'message_id,next_attempt_at,queued_version,position', 'pipeline.format' = '1');

CREATE TABLE IF NOT EXISTS {books} (
  `feed` string COMMENT 'Feed',
  `table_id` string COMMENT 'Delta\'s id of the source table',
  `source_version` bigint COMMENT 'Commit version of the source table',
  `origin` string COMMENT 'start, pinned (a snapshot was chosen), snapshot (its rows), commit',
  `changes` bigint COMMENT 'Net changes of that version',
  `deletes` bigint COMMENT 'Deletes among them',
  `messages` bigint COMMENT 'Messages that the changes become; each ends in the ledger',
  `committed_at` timestamp COMMENT 'When the version was committed',
  `booked_at` timestamp COMMENT 'When it was read'
) USING DELTA
COMMENT 'Changes counted at read: one row a feed and version counts, appended by deliver.'
TBLPROPERTIES ('pipeline.format' = '1');

CREATE TABLE IF NOT EXISTS {commands} (
  `command_id` string COMMENT 'Id of the wish; its results carry the same',
  `entry` string COMMENT 'wish or result',
  `verb` string COMMENT 'retry, discard, replay, erase, re-encrypt, release',
  `feed` string COMMENT 'Feed that it is about, if one',
  `message_id` string COMMENT 'Message that it is about, if one',
  `entity_hash` binary COMMENT 'Person that it is about, if one',
  `source_version` bigint COMMENT 'Release: up to which version of the source',
  `argument` string COMMENT 'Further words of the wish, JSON, nothing personal',
  `status` string COMMENT 'Result: applied, refused',
  `detail` string COMMENT 'Result: what was done, or why not',
  `requested_by` string COMMENT 'Who asked',
  `recorded_at` timestamp COMMENT 'When'
) USING DELTA
COMMENT 'Wishes of operators and what became of them; applied by the table\'s writer.'
TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true', 'pipeline.format' = '1');

CREATE TABLE IF NOT EXISTS {leases} (
  `name` string COMMENT 'Lease: deliver/<feed> or drain',
  `entry` string COMMENT 'claim, challenge, answer, release',
  `epoch` bigint COMMENT 'Each claim takes the next one',
  `holder` string COMMENT 'Host, process and start of who wrote the row',
  `recorded_at` timestamp COMMENT 'When; for people, nothing is decided by it'
) USING DELTA
COMMENT 'Who may write as which job: claims, challenges, answers and releases, appended.'
TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true', 'pipeline.format' = '1');

CREATE TABLE IF NOT EXISTS {stream_progress} (
  `query` string COMMENT 'Name of the query',
  `run_id` string COMMENT 'Run of the query',
  `batch_id` bigint COMMENT 'Micro-batch',
  `input_rows` bigint COMMENT 'Rows read',
  `duration_ms` bigint COMMENT 'Milliseconds of the trigger',
  `progress` string COMMENT 'Spark\'s report, JSON',
  `recorded_at` timestamp COMMENT 'When'
) USING DELTA
COMMENT 'One progress report of a streaming query.'
TBLPROPERTIES ('pipeline.format' = '1');

CREATE TABLE IF NOT EXISTS {alerts} (
  `alert` string COMMENT 'Dotted name of the alert',
  `severity` string COMMENT 'info, warning, critical',
  `feed` string COMMENT 'Feed, if it is about one',
  `metric` string COMMENT 'What was measured',
  `value` double COMMENT 'What was found',
  `expected` string COMMENT 'What was expected',
  `detail` string COMMENT 'In words, nothing personal',
  `recorded_at` timestamp COMMENT 'When'
) USING DELTA
COMMENT 'Anomalies that were found.'
TBLPROPERTIES ('pipeline.format' = '1');

CREATE TABLE IF NOT EXISTS {audit_log} (
  `writer` string COMMENT 'Whose chain',
  `sequence` bigint COMMENT 'Place in the chain, from 0',
  `action` string COMMENT 'Dotted name of what was done',
  `who` string COMMENT 'Databricks user or local account',
  `detail` string COMMENT 'JSON: counts, fingerprints, nothing personal',
  `recorded_at` timestamp COMMENT 'When',
  `previous_hash` string COMMENT 'Hash of the entry before',
  `hash` string COMMENT 'Hash of this entry and the one before'
) USING DELTA
COMMENT 'Who used a key, erased, replayed, changed settings: one hash chain a writer.'
TBLPROPERTIES ('pipeline.format' = '1');

