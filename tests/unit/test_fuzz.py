"""What comes from outside, made up at random: it is read, or refused in words; nothing else.

A short run is part of the tests; `make fuzz` makes a hundred thousand inputs.
"""

import contextlib
import os
import random
import string
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.core.draft import NO_ID
from pipeline.core.erasure import EntityError, parse_entity
from pipeline.core.feed import Feed, FeedError, parse_feed
from pipeline.core.outcome import Accepted, Held, Rejected, Retryable
from pipeline.core.scrub import CAP, scrub
from pipeline.core.seal import SealPolicy, seal
from pipeline.core.sealed import Verdict
from pipeline.core.wire import RETRY_AFTER_MAX, Answer, classify
from pipeline.settings import Settings, SettingsError, load_settings

INPUTS = int(os.environ.get("FUZZ", "1600"))
EACH = INPUTS // 4
ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 23, tzinfo=UTC)
ODD = (
    "", " ", "\0", "\r\n", "\ufeff", "\ud800", "\u202e", "\U0001f426", "nan", "null", "~", "-",
    "*a", "&a [x]", "!!python/object/apply:os.system [id]", "<<: {a: b}", "{{", "}}", "[" * 300,
    "'", '"', "`", "--", "/*", ";", "select 1", "(select 1)", "exists(select 1 from x)",
    "rand()", "cast('now' as timestamp)", "1e999", "0x7f", "9" * 400, "-1", "true", "é" * 50,
    "snapshot", "delete_person", "erasure: delete", "consent: rand()", "PT1S", "P99999D",
    "http://example.com", "https://u:p@example.com", "\t", "# ", "|", ">", "? ", ": ", ",",
)  # fmt: skip


def mutated(choose: random.Random, text: str) -> str:
    """The text with a few pieces cut, doubled, swapped or replaced by something odd."""
    for _ in range(choose.randrange(1, 5)):
        start = choose.randrange(len(text) + 1)
        end = min(len(text), start + choose.choice((0, 1, 3, 10, 40)))
        odd = choose.choice((*ODD, choose.choice(string.printable), text[start:end] * 2))
        text = text[:start] + odd + text[end:]
    return text


def test_feed_files_are_read_or_refused() -> None:
    """A feed file would end the job with a traceback instead of a word about the file."""
    choose = random.Random(1)
    seeds = [file.read_text() for file in sorted((ROOT / "conf/feeds").glob("*.yml"))]
    read, refused = 0, []
    for _ in range(EACH):
        text = mutated(choose, choose.choice(seeds))
        try:
            assert isinstance(parse_feed(text, file="feeds/f.yml"), Feed)
            read += 1
        except FeedError as error:
            refused.append(str(error))
    assert all(words.startswith("feeds/f.yml: ") for words in refused)
    assert EACH / 100 < read < EACH


def test_settings_are_read_or_refused(tmp_path) -> None:
    """A slip in a settings file would be a traceback."""
    choose = random.Random(2)
    seed = (ROOT / "conf/local.yml").read_text()
    file = tmp_path / "fuzz.yml"
    read, refused = 0, []
    for _ in range(EACH):
        text = mutated(choose, seed)
        file.write_text(text, encoding="utf-8", errors="surrogatepass")
        try:
            assert isinstance(load_settings(file), Settings)
            read += 1
        except SettingsError as error:
            refused.append(str(error))
    assert all(words.startswith(str(file)) for words in refused)
    assert EACH / 100 < read < EACH


def test_any_answer_is_understood_and_scrubbed() -> None:
    """A server's words would stop a slice, or bring a person's address into a table."""
    choose = random.Random(3)
    seed = '{"meta": {"errors": [{"message": "\\"ann@example.com\\" is no age", "reason": 3}]}}'
    for _ in range(EACH):
        text = mutated(choose, seed).replace("\ud800", "?")
        after = choose.choice((None, *ODD, "120", "Mon, 23 Nov 2026 12:00:00 GMT"))
        answer = Answer(status=choose.randrange(100, 600), retry_after=after, text=text)
        found = classify(answer, NOW)
        assert isinstance(found, Accepted | Retryable | Rejected | Held)
        if isinstance(found, Retryable):
            assert timedelta() <= found.retry_after <= RETRY_AFTER_MAX
        assert len(scrub(text)) <= CAP
        assert "ann@example.com" not in scrub(text)
        with contextlib.suppress(EntityError):
            parse_entity(text)


@pytest.mark.parametrize("part", range(4))
def test_any_drafts_are_sealed_and_accounted_for(part) -> None:
    """A text in a row would break the sealing of the whole slice, or change its message."""
    choose = random.Random(40 + part)
    policy = SealPolicy(feed="f", envelope=b"{}", hashing_key=bytes(32), call_bytes=2_000)
    left = EACH // 4
    while left > 0:
        count = min(left, choose.randrange(1, 50))
        left -= count
        values = [
            "".join(choose.choice(ODD) for _ in range(choose.randrange(40))).replace("\ud800", "?")
            for _ in range(count)
        ]
        kinds = choose.choices((None, None, None, "dead", "skipped"), k=count)
        drafts = pa.table(
            {
                "digest": [choose.randbytes(16) for _ in range(count)],
                "source_version": choose.choices((0, 1, 2**47), k=count),
                "committed_at": pa.array([NOW] * count, pa.timestamp("us", tz="UTC")),
                "call_number": pa.array([0] * count, pa.int32()),
                "entity": pa.array([v or None for v in values], pa.string()),
                "call_type": ["track"] * count,
                "event": values,
                "body": [
                    None if kind == "skipped" else f'{NO_ID}"event":{value!r}}},'
                    for kind, value in zip(kinds, values, strict=True)
                ],
                "kind": pa.array(kinds, pa.string()),
                "stage": ["validate" if kind == "dead" else None for kind in kinds],
                "reason": [kind and "r" for kind in kinds],
                "detail": pa.array([None] * count, pa.string()),
            }
        )
        sealed = seal(drafts, policy)
        assert len(sealed) == count
        for place in range(count):
            body = sealed.bodies[place].as_py()
            if kinds[place] is None:
                big = body is not None and len(body) - 1 > policy.call_bytes
                assert sealed.verdict[place] == (Verdict.DEAD if big else Verdict.PENDING)
            if body is not None:
                before = drafts["body"][place].as_py().encode()
                id_ = sealed.ids[place].tobytes()
                assert body == before[:14] + id_ + before[40:]
