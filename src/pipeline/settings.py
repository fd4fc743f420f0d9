"""Read `conf/<target>.yml` into one frozen, validated object.

Any value can be overridden by the environment: `PIPELINE__DESTINATION__BASE_URL`, with two
underscores between levels. Secrets are not settings: see `pipeline.keys`.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from pipeline.core.address import refusal
from pipeline.core.api.limits import Limits
from pipeline.core.rate import RatePolicy
from pipeline.core.retry import RetryPolicy
from pipeline.core.wire import BASE_URLS

ENV_PREFIX = "PIPELINE__"


class SettingsError(Exception):
    """The settings cannot be used; the message names file, field and reason."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Destination(_Part):
    """Where calls go, and how a request is made."""

    region: Literal["us", "eu"] = "us"
    base_url: str | None = None
    """Overrides the region's own: for the sandbox, or a gateway. Without the path `/v1`."""
    strict: bool = True
    """`X-Strict-Mode: 1`: without it a wrong key looks like a success."""
    connect_timeout: timedelta = timedelta(seconds=5)
    total_timeout: timedelta = timedelta(seconds=30)
    gzip: bool = False

    @field_validator("base_url")
    @classmethod
    def _safe(cls, value: str | None) -> str | None:
        if value is not None and (why := refusal(value)) is not None:
            raise ValueError(why)
        return value

    @property
    def url(self) -> str:
        """The base URL in use."""
        return (self.base_url or BASE_URLS[self.region]).rstrip("/")


class QuickAttempts(_Part):
    """The few attempts inside a slice, before a message goes to the retry queue."""

    attempts: int = Field(default=3, ge=1)
    wait_initial: timedelta = timedelta(milliseconds=200)
    wait_max: timedelta = timedelta(seconds=5)
    """Also the longest Retry-After that is waited for inside a slice."""


class Breaker(_Part):
    """When a task gives up on the destination, and how the driver probes it."""

    failures: int = Field(default=5, ge=1)
    """Requests that fail one after the other before the circuit opens."""
    probe_initial: timedelta = timedelta(seconds=1)
    probe_max: timedelta = timedelta(minutes=1)


class Holds(_Part):
    """When a feed waits rather than go on."""

    dead_share: float = Field(default=0.2, gt=0, le=1)
    """Of a slice's messages that cannot be mapped or validated, or that the destination
    refuses: more than this is a wrong mapping, not bad rows."""
    dead_count: int = Field(default=50, ge=1)
    """Fewer than this never hold."""
    queue_entities: int = Field(default=200_000, ge=1)
    """People and objects with something in the retry queue: with more of them feeds hold, until
    drain has brought it down to four fifths."""
    outlast: timedelta = timedelta(minutes=10)
    """With `--available-now`: how long a hold may last before the job exits with status 3."""


class Delivery(_Part):
    """How slices are cut and sent."""

    site: Literal["tasks", "driver"] = "tasks"
    """Send in Spark tasks, or in the process of foreachBatch where tasks have no network."""
    tasks: int = Field(default=2, ge=1)
    """Partitions of a slice: with site tasks, as many as there are cores."""
    lanes: int = Field(default=32, ge=1)
    """Requests in flight at once, a task, at most: enough to hide 100 ms that an answer takes."""
    slice_rows: int = Field(default=1_000_000, ge=1)
    """Changes of a slice at most, but that an entity is never cut in two."""
    slice_bytes: int = Field(default=400_000_000, ge=1)
    """A slice of small rows has `slice_rows` of them; of larger ones as many as come to this, by
    those before them. Its tasks together need up to seven times as much memory."""
    backfill_rows: int = Field(default=100_000, ge=1)
    """Rows of a first load that are sent between two looks for newer changes, which go first."""
    packed_from: int = Field(default=16, ge=0)
    """So many accepted messages of one request that differ in id and entity alone share a row of
    outcomes; fewer, or all with 0, have a row each. The view `message_outcomes` tells no
    difference."""
    slice_deadline: timedelta = timedelta(seconds=60)
    """T: a slice sends nothing later than this after its barrier was read."""
    clock_tolerance: timedelta = timedelta(seconds=2)
    quick: QuickAttempts = QuickAttempts()
    breaker: Breaker = Breaker()
    holds: Holds = Holds()


class Lease(_Part):
    """How jobs keep out of each other's way."""

    poll: timedelta = timedelta(seconds=5)
    """How often a holder looks for a challenge."""
    answer_within: timedelta = timedelta(seconds=20)
    """How long a challenger waits for the holder to answer."""


class Tables(_Part):
    """Where the pipeline's own tables and its checkpoints are."""

    root: str | None = None
    """A folder of Delta tables (local)."""
    schema_name: str | None = None
    """Unity Catalog schema, `catalog.schema` (Databricks)."""
    checkpoints: str
    """A folder, or a volume, for the streams' checkpoints."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.root is None) == (self.schema_name is None):
            raise ValueError("give either root (a folder) or schema_name (catalog.schema)")
        return self


class Sources(_Part):
    """Where the feeds and their source tables are."""

    feeds: str = "conf/feeds"
    """Folder of the feed files; relative to the working directory."""
    root: str | None = None
    """What relative source tables are below: a folder, or a `catalog.schema`."""
    max_files_per_trigger: int = Field(default=1000, ge=1)


class Triggers(_Part):
    """How often the streams look."""

    deliver: timedelta = timedelta(seconds=1)
    drain: timedelta = timedelta(seconds=2)
    drain_rows: int = Field(default=1_000_000, ge=1)
    """Messages of one slice of drain at most, but that an entity is never cut in two;
    `delivery.slice_bytes` holds for it, too."""


class Keys(_Part):
    """Where the API key and the pipeline's two keys come from (never the keys themselves)."""

    source: Literal["environment", "file", "scope"] = "environment"
    """environment: PIPELINE_API_KEY, PIPELINE_ENCRYPTION_KEY, PIPELINE_HASHING_KEY;
    file: a local file of mode 600 that `pipeline key init` makes; scope: Databricks secrets."""
    file: str | None = None
    scope: str | None = None
    reload: timedelta = timedelta(seconds=30)
    """How often a running job looks for new keys, at most."""


class Webhook(_Part):
    """An address that takes alerts."""

    kind: Literal["slack", "generic"] = "generic"
    url: SecretStr

    @field_validator("url")
    @classmethod
    def _safe(cls, value: SecretStr) -> SecretStr:
        if (why := refusal(value.get_secret_value())) is not None:
            raise ValueError(why)
        return value


class Observe(_Part):
    """What is written down about the streams, and who is told when something is wrong."""

    progress_every: timedelta = timedelta(seconds=30)
    """Reports of the streams are written together, one commit in so long."""
    watch_every: timedelta = timedelta(minutes=1)
    """How often drain looks at the figures, and deliver at drain; nought: never."""
    webhooks: tuple[Webhook, ...] = ()
    """Who is told when an alert fires, and when it recovers. Addresses are secrets: give them by
    the environment, `PIPELINE__OBSERVE__WEBHOOKS='[{"kind": "slack", "url": "..."}]'`."""
    otlp_endpoint: str | None = None
    """Push drain's figures as OpenTelemetry metrics to this address (`http://host:4318/v1/metrics`);
    needs the extra `otel`."""
    prometheus_port: int | None = Field(default=None, ge=1, le=65_535)
    """Let them be scraped on this port of the loopback address; needs the extra `otel`."""
    runbook: str = "docs/runbook.md"
    """Where the runbook can be read: alerts link to their section of it."""


class Client(_Part):
    """The typed client, for people and scripts beside the jobs."""

    spool: str | None = None
    """Folder that keeps calls, encrypted, while the API can't be reached; none: they wait in
    memory, and who leaves before they are delivered is told so."""
    linger: timedelta = timedelta(seconds=1)
    """How long a call waits for others to share its request."""
    round_calls: int = Field(default=10_000, ge=1)
    """Calls that are sent together at most."""
    waiting_calls: int = Field(default=50_000, ge=1)
    """Calls that wait in memory at most."""


class Audit(_Part):
    """The audit log."""

    heads: str | None = None
    """Folder for the heads of its hash chains; default: beside the checkpoints. Best where those
    who can write the table cannot write: that is what makes a cut-off end show."""


class Retention(_Part):
    """How long rows stay, by table; null: for ever. What is still needed stays in any case."""

    ledger: timedelta | None = timedelta(days=400)
    """Books and outcomes of versions that are closed: every message has ended, so long ago."""
    dead: timedelta | None = None
    """Dead letters that nobody replayed or discarded keep their version open, but for this."""
    requests: timedelta | None = timedelta(days=90)
    """The request log, and the rows of tasks."""
    commands: timedelta | None = timedelta(days=400)
    stream_progress: timedelta | None = timedelta(days=30)
    alerts: timedelta | None = timedelta(days=400)
    figures: timedelta | None = timedelta(days=70)
    """Eight weeks of them make the expected ranges."""


class Maintenance(_Part):
    """What `pipeline maintain` keeps, and what it removes."""

    retention: Retention = Retention()
    vacuum_after: timedelta = timedelta(days=7)
    """Files that are out of use for so long are removed: with them, what was erased is gone."""


class Settings(BaseSettings):
    """All settings of one target."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=ENV_PREFIX, env_nested_delimiter="__"
    )

    target: str
    """Name of the target: the file's stem."""
    destination: Destination = Destination()
    limits: Limits = Limits()
    rate: RatePolicy = RatePolicy()
    delivery: Delivery = Delivery()
    retry: RetryPolicy = RetryPolicy()
    lease: Lease = Lease()
    triggers: Triggers = Triggers()
    sources: Sources = Sources()
    tables: Tables
    keys: Keys = Keys()
    audit: Audit = Audit()
    observe: Observe = Observe()
    maintenance: Maintenance = Maintenance()
    client: Client = Client()

    @property
    def audit_heads(self) -> str:
        """Where the heads of the audit log are."""
        return self.audit.heads or f"{self.tables.checkpoints.rstrip('/')}/audit_heads"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  not needed
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  not read
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  not read
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file."""
        return env_settings, init_settings


def override(text: str) -> dict[str, str]:
    """`delivery.lanes=4,limits.call_bytes=32000` as the environment's variables that say so.

    Raises:
        SettingsError: a part is no NAME=VALUE.
    """
    found = {}
    for part in text.split(","):
        name, equals, value = part.strip().partition("=")
        if not equals or not name.replace("_", "").replace(".", "").isalnum():
            raise SettingsError(
                f"--set {part.strip()}: expected NAME=VALUE, such as delivery.lanes=4"
            )
        found[ENV_PREFIX + name.upper().replace(".", "__")] = value
    return found


def load_settings(path: Path) -> Settings:
    """Read and check a settings file.

    Raises:
        SettingsError: the file is missing, is no YAML mapping, or a field is wrong.
    """
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SettingsError(f"{path}: there is no such settings file") from error
    except (yaml.YAMLError, ValueError) as error:
        raise SettingsError(f"{path}: not readable as YAML: {error}") from error
    except RecursionError:
        raise SettingsError(f"{path}: is nested too deeply") from None
    if isinstance(content, dict) and not all(isinstance(name, str) for name in content):
        raise SettingsError(f"{path}: expected names of settings, found one that is no text")
    if not isinstance(content, dict):
        raise SettingsError(
            f"{path}: expected a mapping of settings, found {type(content).__name__}"
        )
    try:
        return Settings(**{"target": path.stem, **content})
    except ValidationError as error:
        problems = "\n".join(
            f"{path}: {'.'.join(map(str, p['loc'])) or 'file'}: {p['msg']}{_found(p['input'])}"
            for p in error.errors()
        )
        raise SettingsError(problems) from error


def _found(value: Any) -> str:
    """What stands in the file, but for addresses, which may hold a secret, and long values."""
    text = repr(value)
    return "" if "://" in text or len(text) > 80 else f" (found {text})"  # noqa: PLR2004  a line
