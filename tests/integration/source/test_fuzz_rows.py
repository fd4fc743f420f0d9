"""Rows of every type that Delta has, made up at random: each becomes a message, or a dead letter.

`FUZZ=100000` makes twenty thousand rows.
"""

# ruff: noqa: DTZ001  some columns have no zone

import json
import os
import random
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from pipeline.core.api.check import check_line
from pipeline.core.seal import SealPolicy, seal
from pipeline.core.sealed import Verdict
from pipeline.source.count import count_changes
from pipeline.source.draft import drafts
from pipeline.source.isolate import split
from pipeline.source.net import net
from pipeline.source.parts import template_of

ROWS = int(os.environ.get("FUZZ", "2500")) // 5
DDL = (
    "part int, id binary, text binary, flag boolean, tiny tinyint, short smallint, whole int,"
    " long bigint, half float, real double, money decimal(38,18), day date, at timestamp,"
    " local timestamp_ntz, raw binary, tags array<binary>,"
    " counts map<int, string>, place struct<a: struct<b: array<struct<c: double, d: binary>>>>"
)
TEXTS = ("id", "text")
"""Columns that are made of bytes, since Python has no text with half a surrogate."""
FEEDS = {
    "identify": "row_key: []\nentity: {person: id}\ninsert: {type: identify, traits: {text: text,"
    " flag: flag, tiny: tiny, short: short, whole: whole, long: long, half: half, real: real,"
    " money: money, day: day, at: at, local: local, raw: raw, counts: counts, place: place}}",
    "track": "row_key: [id, part]\nentity: {person: text}\nevent_time: at\norder_by: [money, day]\n"
    "changes_only: true\nsend_nulls: true\ninsert: {type: track, event_expression: id, properties:"
    " {place: place, tags: 'transform(tags, x -> cast(x as string))', real: real, at: at,"
    " number: try_cast(text as int),"
    " bad: \"if(id = 'p7' and part = 3 and tiny = 7, cast(text as int) / tiny, 0)\"}}\n"
    "delete: delete_person",
}
CANARY = "canary.finch@birds.example"
ODD = (
    b"", b" ", b"\x00", b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xff\xfe", b"\xc3", b"\xf4\x90\x80\x80",
    b"\xe2\x80\xa8", "\u3000".encode(), "\ufeff".encode(), "\U0001f426".encode() * 40, b'"\\\n\r\t',
    b"'; DROP TABLE x; --", b"${jndi:ldap://x}", b"{}", b"null", b"NaN", b"1", b"-7", b"9" * 400,
    b"x" * 151, b"y" * 1001, b"\r\nX-Evil: 1", CANARY.encode(),
)  # fmt: skip
NUMBERS = (0.0, -0.0, 1e-320, 1.5, 1e308, float("nan"), float("inf"), float("-inf"))
MOMENTS = (
    datetime(1, 1, 1), datetime(1582, 10, 10), datetime(1969, 12, 31, 23, 59, 59, 999999),
    datetime(2026, 3, 29, 2, 30), datetime(9999, 12, 31, 23, 59, 59, 999999),
)  # fmt: skip


class Maker:
    """Values by type, often odd, always the same ones."""

    def __init__(self, seed: int) -> None:
        self.choose = random.Random(seed)

    def maybe(self, value: Any) -> Any:
        return None if self.choose.random() < 0.1 else value

    def text(self) -> bytes:
        if self.choose.random() < 0.6:
            return f"p{self.choose.randrange(200)}".encode()
        if self.choose.random() < 0.2:
            return self.choose.randbytes(self.choose.randrange(12))
        return self.choose.choice(ODD)

    def number(self) -> float:
        choose = self.choose
        return choose.choice(NUMBERS) if choose.random() < 0.2 else choose.uniform(-1e6, 1e6)

    def whole(self, bits: int) -> int:
        top = 2 ** (bits - 1)
        return self.choose.choice((-top, -1, 0, 1, 7, top - 1))

    def moment(self) -> datetime:
        if self.choose.random() < 0.3:
            return self.choose.choice(MOMENTS)
        return datetime(2000, 1, 1) + timedelta(microseconds=self.choose.randrange(10**15))

    def row(self) -> tuple[Any, ...]:
        maybe, choose, some = self.maybe, self.choose, range(self.choose.randrange(3))
        money = Decimal(choose.randrange(-(10**37), 10**37)).scaleb(-18)
        real = float(choose.choice((1, 2.5, 1e30))) if choose.random() < 0.8 else self.number()
        return (
            choose.randrange(4),
            maybe(self.text()),
            maybe(self.text()),
            maybe(choose.random() < 0.5),
            *(maybe(self.whole(bits)) for bits in (8, 16, 32, 64)),
            maybe(real),
            maybe(self.number()),
            maybe(money),
            maybe(choose.choice((date(1, 1, 1), date(2026, 2, 28), date(9999, 12, 31)))),
            maybe(self.moment().replace(tzinfo=UTC)),
            maybe(self.moment()),
            maybe(choose.randbytes(choose.randrange(20))),
            maybe([maybe(self.text()) for _ in some]),
            maybe({self.whole(32): maybe("x" * choose.randrange(3)) for _ in some}),
            maybe((maybe((maybe([maybe((self.number(), self.text())) for _ in some]),)),)),
        )


@pytest.fixture(scope="module")
def table(spark, tmp_path_factory):
    """A table with a commit each of inserts, updates and deletes, and one text of ten megabytes."""
    from .conftest import Source

    made = Source(
        spark,
        tmp_path_factory.mktemp("fuzz") / "table",
        DDL.replace("id binary, text binary", "id string, text string"),
    )
    maker = Maker(1)
    rows = [maker.row() for _ in range(ROWS)]
    rows[0] = (0, b"large", b"z" * 10_000_000, *rows[0][3:])
    rows[1] = (3, b"p7", b"no number", True, 7, *rows[1][5:])  # raises: found, and dead
    frame = spark.createDataFrame(rows, DDL)
    for name in TEXTS:
        # As a file that another engine wrote may have it: a cast, but no check of the bytes.
        frame = frame.withColumn(name, frame[name].cast("string"))
    frame.coalesce(2).write.format("delta").mode("append").save(made.path)
    made.sql("UPDATE {t} SET whole = 5, tiny = 0 WHERE part = 1")
    made.sql("DELETE FROM {t} WHERE part = 2")
    return made


def call(sealed, place) -> Any:
    """A call as JSON has it, however much of what is no UTF-8 one character stands for."""
    body = sealed.bodies[place].as_py()
    if body is None:
        return None
    text = re.sub("\ufffd+", "\ufffd", body.decode())
    return json.loads(text[:-1], parse_float=lambda one: float(np.float32(one)))


@pytest.mark.parametrize("name", FEEDS)
def test_any_row_becomes_messages_and_none_is_lost(table, name, capfd) -> None:
    """A value would stop the stream, lose its row, be sent as no JSON, or stand in an error."""
    feed = table.feed_of(f"name: {name}\n{FEEDS[name]}\n")
    checked = table.check(feed)
    changes = table.changes()
    counted = count_changes(changes, feed).messages
    netted = net(changes, feed).cache()
    isolated = split(netted, checked, max_isolated=ROWS * 3)
    mapped = drafts(netted, checked, partitions=2, isolated=isolated).toArrow()
    policy = SealPolicy(feed=name, envelope=b"{}", hashing_key=bytes(32), call_bytes=32_000)
    sealed = seal(mapped, policy)
    if template := template_of(checked):
        values = drafts(netted, checked, partitions=2, isolated=isolated, in_parts=True).toArrow()
        assembled = seal(values, replace(policy, template=template))
        assert [call(assembled, n) for n in range(counted)] == [
            call(sealed, n) for n in range(counted)
        ]
    assert len(sealed) == counted
    assert len({one.tobytes() for one in sealed.ids}) == counted
    seen = {Verdict(one) for one in sealed.verdict.tolist()}
    assert {Verdict.PENDING, Verdict.DEAD} <= seen
    for place in (sealed.verdict == Verdict.PENDING).nonzero()[0].tolist():
        problems = check_line(sealed.bodies[place].as_py()[:-1])
        assert not problems, (place, problems)
    assert not [one for one in sealed.words.values() if CANARY in str(one)]
    assert CANARY not in "".join(capfd.readouterr())
    if name == "track":
        assert "map" in {stage for stage, _, _ in sealed.words.values()}
    netted.unpersist()
