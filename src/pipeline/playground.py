"""Where notebooks try everything: a sandbox Customer.io, real data, tables, keys and settings.

    play = Playground()
    with play.client() as cio:
        cio.identify("42", {"plan": "gold"})
    print(play.sandbox.person("42"))
    run(f"pipeline status --conf {play.conf}")
    play.close()

The same code runs on one machine and on Databricks: nothing leaves the machine that runs it.
"""

import contextlib
import io
import json
import os
import shlex
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Self

import yaml
from pydantic import SecretStr

from pipeline.cli import main
from pipeline.client import Options, SyncCustomerIO
from pipeline.core.rate import RatePolicy
from pipeline.core.records import TABLES
from pipeline.demo.load import load
from pipeline.demo.retail import Retail, shape
from pipeline.sandbox.client import SandboxClient
from pipeline.sandbox.config import Limits
from pipeline.sandbox.running import running_sandbox
from pipeline.settings import (
    Breaker,
    Client,
    Delivery,
    Destination,
    QuickAttempts,
    load_settings,
)

SCOPE: Final = "customerio"
"""The Databricks secret scope that `secret` reads."""
ROOT: Final = "PLAYGROUND_ROOT"
"""Environment variable: where Delta tables go, such as a volume or `dbfs:/tmp/...`."""
LOUD: Final = ("warning", "error", "critical")


def on_databricks() -> bool:
    """Whether this is a Databricks runtime."""
    return "DATABRICKS_RUNTIME_VERSION" in os.environ


def secret(name: str) -> SecretStr | None:
    """A secret by its name, such as `write_key`; nothing where it is not set.

    From `dbutils.secrets`, scope `customerio`, on Databricks; elsewhere from the environment,
    `CUSTOMERIO_WRITE_KEY`.
    """
    if not on_databricks():
        value = os.environ.get(f"{SCOPE}_{name}".upper(), "")
        return SecretStr(value) if value else None
    from databricks.sdk.runtime import dbutils  # noqa: PLC0415  there on Databricks only

    with contextlib.suppress(Exception):  # no such scope, or no such secret: dbutils has no class
        return SecretStr(dbutils.secrets.get(SCOPE, name))
    return None


def repository() -> Path:
    """The clone that this notebook is in, whether it runs from its own folder or from the top.

    Raises:
        FileNotFoundError: it is in none.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "bundles").is_dir() and (folder / "notebooks").is_dir():
            return folder
    raise FileNotFoundError(f"{here}: not in a clone of this project; run the notebook inside one")


class Playground:
    """A sandbox that listens, and a folder with all that the pipeline needs to send to it.

    Args:
        limits: What the sandbox takes: sizes and rate; the published ones, unless you say.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._stack = ExitStack()
        self.folder = Path(
            self._stack.enter_context(
                tempfile.TemporaryDirectory(prefix="playground-", ignore_cleanup_errors=True)
            )
        )
        self.write_key = secret("write_key") or SecretStr("sandbox-write-key")
        self._running = self._stack.enter_context(
            running_sandbox(write_key=self.write_key.get_secret_value(), limits=limits or Limits())
        )
        self.root = f"{os.environ.get(ROOT, self._default_root()).rstrip('/')}/{self.folder.name}"
        self.feeds = self.folder / "feeds"
        self.feeds.mkdir()
        self.conf = self.folder / "playground.yml"
        self.conf.write_text(yaml.safe_dump(self._settings(), sort_keys=False), encoding="utf-8")

    def __repr__(self) -> str:
        """Where everything is."""
        return f"Playground(sandbox at {self.base_url}, tables in {self.root})"

    def __enter__(self) -> Self:
        """Nothing more: it works from the start."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    @property
    def base_url(self) -> str:
        """Where the sandbox listens."""
        return self._running.base_url

    @property
    def sandbox(self) -> SandboxClient:
        """Ask the sandbox what it holds, or let it fail."""
        return self._running.client

    @property
    def spark(self) -> Any:
        """The Spark session: the runtime's own on Databricks, an embedded one elsewhere."""
        from pipeline.tables.session import active_session  # noqa: PLC0415  Spark is slow

        return active_session()

    def table(self, name: str) -> Any:
        """One of the pipeline's tables or views, such as `ledger`, as a DataFrame of Spark."""
        from pipeline.tables.layout import layout  # noqa: PLC0415  Spark is slow
        from pipeline.tables.views import make_session_views  # noqa: PLC0415

        where = layout(load_settings(self.conf))
        for one in TABLES:
            if one.name == name:
                return where.place(one).read(self.spark)
        make_session_views(self.spark, where, with_metrics=True)
        return self.spark.table(name)

    def client(self, write_key: str | None = None, **others: Any) -> SyncCustomerIO:
        """A client that sends to the sandbox; it gives up soon, so that failures can be watched."""
        key = SecretStr(write_key) if write_key is not None else self.write_key
        return SyncCustomerIO(key, base_url=self.base_url, **{"options": impatient(), **others})

    def close(self) -> None:
        """Stop the sandbox, and remove the folder; can be called again."""
        self._stack.close()
        if self.root.startswith("dbfs:"):
            from databricks.sdk.runtime import dbutils  # noqa: PLC0415  there on Databricks only

            dbutils.fs.rm(self.root, True)

    def _default_root(self) -> str:
        return "dbfs:/tmp" if on_databricks() else str(self.folder.parent)

    def _settings(self) -> dict[str, Any]:
        """Those of `conf/local.yml` in kind: short waits, since outages here last seconds."""
        return {
            "destination": {
                "base_url": self.base_url,
                "connect_timeout": "PT2S",
                "total_timeout": "PT5S",
            },
            "delivery": {
                # The sandbox listens on the driver's loopback: tasks elsewhere have no way to it.
                "site": "driver" if on_databricks() else "tasks",
                "slice_deadline": "PT30S",
                "breaker": {"probe_initial": "PT0.5S", "probe_max": "PT2S"},
                "holds": {"outlast": "PT6S", "dead_count": 20},
            },
            "retry": {"wait_initial": "PT1S", "wait_max": "PT2S", "wait_min": "PT0.5S"},
            "lease": {"poll": "PT1S", "answer_within": "PT4S"},
            "sources": {"feeds": str(self.feeds), "root": f"{self.root}/sources"},
            "tables": {"root": f"{self.root}/tables", "checkpoints": f"{self.root}/checkpoints"},
            "keys": {"source": "file", "file": str(self.folder / "keys.json")},
        }


def impatient() -> Options:
    """A client's options that let a failure show within seconds."""
    return Options(
        destination=Destination.model_validate({"connect_timeout": 2, "total_timeout": 5}),
        delivery=Delivery(
            quick=QuickAttempts.model_validate({"wait_initial": 0.05, "wait_max": 0.5}),
            breaker=Breaker.model_validate({"probe_initial": 0.2, "probe_max": 1}),
        ),
        rate=RatePolicy(),
        client=Client.model_validate({"linger": 0.2}),
    )


def retail(rows: int | None = 2_000) -> Retail:
    """A real retailer's year as source tables: households, baskets, coupons, campaigns.

    Raises:
        DataMissingError: the package with the data is not installed.
    """
    return shape(load(), rows)


def run(line: str, stdin: str = "") -> int:
    """Run a command such as `pipeline status`, in this process; its exit status.

    What it prints is printed; of its log only what is a warning or worse.
    """
    words = shlex.split(line)
    if words[:1] != ["pipeline"]:
        raise ValueError(f"{line}: expected a line that begins with `pipeline`")
    log = io.StringIO()
    status = 0
    # A notebook's own thread has an event loop, in which a command could not run another.
    thread = ThreadPoolExecutor(max_workers=1)
    with contextlib.redirect_stderr(log), _stdin(stdin), _wide(), thread:
        try:
            thread.submit(main, words[1:]).result()
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
    for said in log.getvalue().splitlines():
        if told := _told(said):
            sys.stdout.write(f"{told}\n")
    return status


def _told(said: str) -> str | None:
    """A line of the log, or of what a refusal says."""
    try:
        event = json.loads(said)
    except ValueError:
        return said or None
    if event.pop("level", "") not in LOUD:
        return None
    name = event.pop("event")
    event.pop("timestamp", None)
    return " ".join([f"[log] {name}", *(f"{key}={value}" for key, value in event.items())])


@contextlib.contextmanager
def _stdin(text: str) -> Iterator[None]:
    before, sys.stdin = sys.stdin, io.StringIO(text)
    try:
        yield
    finally:
        sys.stdin = before


@contextlib.contextmanager
def _wide() -> Iterator[None]:
    """Tables as wide as a notebook's page: rich can't measure that."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "110"
    try:
        yield
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before
