"""A pytest plugin: a feed's contract as tests, one for each check.

    pytest --pipeline-feed conf/feeds/households.yml --pipeline-conf conf/local.yml

For teams that write source tables and have pytest in their CI already; `pipeline feed check --ci`
does the same without it. Warnings of the contract are warnings of pytest's.
"""

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

LOCAL: Final = Path("conf/local.yml")


class ContractWarning(UserWarning):
    """What `deliver` would send although it looks like a mistake."""


class ContractError(Exception):
    """A check of a feed's contract found an error."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options, in a group of their own."""
    group = parser.getgroup("pipeline", "feeds of the Customer.io pipeline")
    group.addoption(
        "--pipeline-feed",
        action="append",
        default=[],
        metavar="FEED",
        help="hold this feed (its name, or its file) against its table; can be given again",
    )
    group.addoption(
        "--pipeline-conf", type=Path, default=LOCAL, metavar="FILE", help=f"settings ({LOCAL})"
    )
    group.addoption(
        "--pipeline-sample",
        type=int,
        default=0,
        metavar="N",
        help="look at so many rows at most (0: all)",
    )


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Where feeds are named and no tests are, the feeds alone are looked at."""
    named = config.args_source is pytest.Config.ArgsSource.ARGS
    return True if config.getoption("--pipeline-feed") and not named else None


def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """A test for each check of each feed that was named."""
    for feed in config.getoption("--pipeline-feed"):
        looked = Looked(feed, config.getoption("--pipeline-conf"), _sample(config))
        items.extend(_items(session, looked))


class Looked:
    """One feed, looked at once, when the first of its tests runs."""

    def __init__(self, feed: str, conf: Path, sample: int | None) -> None:
        self.feed, self.conf, self.sample = feed, conf, sample
        self._found: Sequence[Any] | None = None

    def findings(self) -> Sequence[Any]:
        """What is wrong with the feed and its rows."""
        if self._found is None:
            self._found = look(self.feed, self.conf, self.sample)
        return self._found


class CheckItem(pytest.Item):
    """One check of one feed."""

    looked: Looked
    check: str

    def runtest(self) -> None:
        """Fail with what is an error, warn of what looks wrong."""
        found = [one for one in self.looked.findings() if one.check == self.check]
        for one in found:
            if one.severity == "warning":
                warnings.warn(_line(one), ContractWarning, stacklevel=1)
        if errors := [_line(one) for one in found if one.severity == "error"]:
            raise ContractError("\n".join(errors))

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:  # noqa: ARG002  pytest's
        """What was found and no stack trace; a refusal of the feed or the settings likewise."""
        ours = excinfo.errisinstance((ContractError, *_refusals()))
        return str(excinfo.value) if ours else super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where: the feed, and what the check holds."""
        return Path(self.looked.feed), None, self.name


def look(feed: str, conf: Path, sample: int | None) -> Sequence[Any]:
    """The findings for one feed, as `pipeline feed check` has them."""
    from pipeline.cli.feed import one_feed  # noqa: PLC0415  Spark is slow to import
    from pipeline.operations.contract import contract  # noqa: PLC0415
    from pipeline.operations.selection import Choice  # noqa: PLC0415
    from pipeline.settings import load_settings  # noqa: PLC0415
    from pipeline.tables.session import active_session  # noqa: PLC0415

    settings = load_settings(conf)
    one = contract(active_session(), settings, one_feed(settings, feed), Choice(sample=sample))
    return one.findings


def _items(session: pytest.Session, looked: Looked) -> Iterator[CheckItem]:
    from pipeline.operations.contract import CHECKS  # noqa: PLC0415  Spark is slow to import

    for check, holds in CHECKS.items():
        item: CheckItem = CheckItem.from_parent(session, name=f"{looked.feed}: {holds}")
        item.looked, item.check = looked, check
        yield item


def _sample(config: pytest.Config) -> int | None:
    return config.getoption("--pipeline-sample") or None


def _line(found: Any) -> str:
    from pipeline.operations.contract_report import line  # noqa: PLC0415  Spark is slow to import

    return line(found)


def _refusals() -> tuple[type[Exception], ...]:
    from pipeline.core.feed_model import FeedError  # noqa: PLC0415
    from pipeline.settings import SettingsError  # noqa: PLC0415

    return FeedError, SettingsError
