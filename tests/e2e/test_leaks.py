"""Nothing leaks: what is put into rows, key and errors is looked for in all that a run leaves."""

import base64
import contextlib
import io
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
import structlog
from deltalake import DeltaTable

from pipeline import log
from pipeline.client import SyncCustomerIO
from pipeline.core.erasure import parse_entity
from pipeline.core.retry import RetryPolicy
from pipeline.operations import erase
from pipeline.operations.dashboard.read import read_dashboards
from pipeline.operations.dashboard.serve import once
from pipeline.operations.maintain import maintain
from pipeline.streams.run import OK, run_deliver, run_drain
from pipeline.streams.runtime import Runtime
from pipeline.watch.look import Watch

from .canaries import (
    CANARIES,
    EMAIL,
    FAILING,
    ID,
    KEY,
    NAME,
    PHONE,
    REFUSED,
    found_in,
    left_behind,
    parrot,
    watched_arguments,
)
from .conftest import ORDERS, PEOPLE, make_shop

GRANTED = {
    *("CREATE TABLE", "WRITE", "MERGE", "UPDATE", "DELETE"),
    *("OPTIMIZE", "VACUUM START", "VACUUM END"),
}
"""What the grants that `tests/unit/bundles/test_grants.py` knows allow with our own tables."""
DASHBOARDS = read_dashboards(Path(__file__).parents[2] / "bundles/dashboards")


@pytest.mark.parametrize("text", CANARIES)
def test_the_search_finds_what_is_there(text):
    """The test below would pass whatever leaked."""
    hidden = base64.b64encode(f"x{text}yz".encode())
    for content in (text.encode(), text.encode().hex().encode(), hidden, quote(text).encode()):
        assert found_in(b"..." + content + b"...") == {text}


def bird(number, **changed):
    row = {"person_id": f"{ID}-{number}", "email": EMAIL, "age": "30", "note": NAME}
    return row | changed


def order(number, note):
    return {"order_id": f"o{number}", "person_id": f"{ID}-{number}", "total": 1.0, "note": note}


@contextlib.contextmanager
def logged():
    """What is logged, as it is on Databricks; in a fixture, capfd would take it back."""
    before = structlog.get_config()
    with contextlib.redirect_stderr(io.StringIO()) as text:
        log.set_up()
        yield text
    structlog.configure(**before)


def test_nothing_of_a_person_or_a_key_is_left_behind(spark, tmp_path, monkeypatch, capfd):
    """A table, a log, a checkpoint, a page or an error would name somebody, or give the key."""
    monkeypatch.setattr(Runtime, "longest_slice", lambda _: 1.0)
    with (
        parrot() as destination,
        watched_arguments() as arguments,
        logged() as said,
    ):
        shop = make_shop(tmp_path, destination, monkeypatch)
        monkeypatch.setenv("PIPELINE_API_KEY", KEY)
        shop.insert(
            "people",
            PEOPLE,
            [
                bird(0),  # accepted
                bird(1),  # behind an order of theirs that waits
                bird(2, age=PHONE + NAME),  # cannot be mapped
                bird(3, note=NAME * 200),  # a value too long
                bird(4, note=f"{REFUSED} {NAME}"),  # refused, in its own words
            ],
        )
        shop.insert(
            "orders",
            ORDERS,
            [
                order(1, PHONE),
                order(2, NAME * 3000),  # a call too long
                order(5, f"{FAILING} {PHONE}"),  # waits
                order(6, f"{FAILING} {PHONE}"),  # waits, and is erased
            ],
        )
        later = RetryPolicy(wait_initial=timedelta(hours=1), wait_min=timedelta(hours=1))
        settings = shop.settings.model_copy(update={"retry": later})
        destination.server.ill = True
        assert run_deliver(spark, settings, available_now=True) == OK
        run_drain(spark, settings, available_now=True)
        request = erase.ask(spark, settings, shop.secrets, parse_entity(f"{ID}-6"), "delete")
        for _ in range(8):
            time.sleep(0.5)
            run_drain(spark, settings, available_now=True)
            if erase.progress(spark, settings, request) == erase.DONE:
                break
        assert erase.progress(spark, settings, request) == erase.DONE
        with contextlib.suppress(Exception), SyncCustomerIO(
            KEY, base_url=destination.base_url, spool=tmp_path / "spool",
            keys=shop.secrets.payload_keys,
        ) as cio:  # fmt: skip
            cio.track(f"{ID}-7", FAILING, {"note": NAME, "email": EMAIL})
            cio.track(f"{ID}-8", REFUSED, {"note": NAME, "email": EMAIL})
            said.write(repr(cio.flush()))
        assert maintain(spark, settings, wait=0).cared
        run_drain(spark, settings, available_now=True)  # and compact its own table
        Watch(spark=spark, settings=settings, role="drain").look()
        page = once(spark, settings, DASHBOARDS)
    told = capfd.readouterr()
    texts = {"log": said.getvalue(), "output": told.out, "errors": told.err, "page": page}
    assert "batch.done" in texts["log"]
    assert sum(NAME in body for body in destination.server.accepted) >= 1
    leaks = {place: found for place, text in texts.items() if (found := found_in(text.encode()))}
    assert arguments
    leaks |= {f"arguments {one[:80]!r}": f for one in arguments if (f := found_in(one))}
    looked_at: Counter[str] = Counter()
    for part in ("tables", "checkpoints", "spool"):
        for place, content in left_behind(tmp_path / part):
            looked_at[part] += 1
            if found := found_in(content):
                leaks[place] = found
    assert leaks == {}
    assert all(looked_at[part] for part in ("tables", "checkpoints", "spool"))
    kinds = {
        (row["stage"], row["kind"])
        for row in spark.read.format("delta").load(str(tmp_path / "tables/outcomes")).collect()
    }
    assert {
        ("map", "dead"), ("validate", "dead"), ("destination", "dead"), ("size", "dead"),
    } <= kinds  # fmt: skip
    assert {name: shop.delta(name).version() for name in ("people", "orders")} == {
        "people": 0,
        "orders": 0,
    }
    done = {
        row["operation"]
        for table in (tmp_path / "tables").iterdir()
        for row in DeltaTable(str(table)).history()
    }
    assert done <= GRANTED
