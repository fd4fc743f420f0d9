"""Sealing refuses by size what the models refuse by size."""

import json

import numpy as np
import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.core.api.check import check_line
from pipeline.core.api.limits import Limits
from pipeline.core.draft import NO_ID
from pipeline.core.seal import SealPolicy, seal
from pipeline.core.sealed import Verdict

LIMIT = 300
POLICY = SealPolicy(feed="f", envelope=b"{}", hashing_key=bytes(32), call_bytes=LIMIT)
REST = '"type":"track","userId":"1","event":"e","timestamp":"2026-01-01T00:00:00.000Z","properties"'
NEAR = LIMIT - len(f'{NO_ID}{REST}:{{"text":""}}}}')
"""Bytes of text that make a call exactly as long as it may be."""


@settings(deadline=None)
@given(texts=st.lists(st.text(st.characters(codec="utf-8"), max_size=2 * NEAR), max_size=20))
@example(texts=["x" * NEAR, "x" * (NEAR + 1), "\u00e9" * (NEAR // 2 + 1), "\U0001f426" * NEAR])
def test_sealing_and_models_agree_on_what_is_too_large(texts) -> None:
    """The hot path would send what the models refuse for its size, or refuse what they take."""
    bodies = [f"{NO_ID}{REST}:{json.dumps({'text': t}, ensure_ascii=False)}}}," for t in texts]
    count = len(texts)
    nothing = pa.nulls(count, pa.string())
    drafts = pa.table(
        {
            "digest": pa.array([bytes(16)] * count, pa.binary()),
            "source_version": pa.array([1] * count, pa.int64()),
            "committed_at": pa.nulls(count, pa.timestamp("us", tz="UTC")),
            "call_number": pa.array([0] * count, pa.int32()),
            "entity": pa.array(["person:1"] * count, pa.string()),
            "call_type": pa.array(["track"] * count, pa.string()),
            "event": pa.array(["e"] * count, pa.string()),
            "body": pa.array(bodies, pa.string()),
            **dict.fromkeys(("kind", "stage", "reason", "detail"), nothing),
        }
    )
    sealed = seal(drafts, POLICY)
    for place in range(count):
        body = sealed.bodies[place].as_py()[:-1]
        problems = check_line(body, Limits(call_bytes=LIMIT))
        assert {problem.stage for problem in problems} <= {"size"}
        assert (sealed.verdict[place] == Verdict.DEAD) == bool(problems)


def drafts_of(bodies, events, envelopes):
    """Drafts with an envelope of their own, where one is given."""
    count = len(bodies)
    nothing = pa.nulls(count, pa.string())
    return pa.table(
        {
            "digest": pa.array([bytes(16)] * count, pa.binary()),
            "source_version": pa.array([1] * count, pa.int64()),
            "committed_at": pa.nulls(count, pa.timestamp("us", tz="UTC")),
            "call_number": pa.array([0] * count, pa.int32()),
            "entity": pa.array(["person:1"] * count, pa.string()),
            "call_type": pa.array(["track"] * count, pa.string()),
            "event": pa.array(events, pa.string()),
            "body": pa.array(bodies, pa.string()),
            **dict.fromkeys(("kind", "stage", "reason", "detail"), nothing),
            "envelope": pa.array(envelopes, pa.string()),
        }
    )


def test_a_call_keeps_its_own_envelope_and_is_measured_with_it():
    """A device's token would go with another call, or the API would drop what grew too large."""
    body = f'{NO_ID}{REST}:{{"text":"{"x" * (NEAR - 20)}"}}}},'
    own, large = '{"context":{"a":1}}', json.dumps({"context": {"a": "y" * 40}})
    events = ["Device Deleted", "e", "e", "e"]
    sealed = seal(drafts_of([body] * 4, events, [own, None, own, large]), POLICY)
    assert [sealed.envelope_at(place) for place in range(4)] == [
        own.encode(),
        POLICY.envelope,
        own.encode(),
        large.encode(),
    ]
    dead = [Verdict(one) == Verdict.DEAD for one in sealed.verdict.tolist()]
    assert dead == [False, False, False, True]
    assert sealed.alone_at(np.arange(4)).tolist() == [True, False, False, False]
    assert sealed.call_at(0)["context"] == {"a": 1}
    assert "context" not in sealed.call_at(1)
