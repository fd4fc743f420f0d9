"""The sandbox's validation and the pipeline's models, written apart, held together."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.api.check import check
from pipeline.sandbox.validation import CALL_TYPES, find_errors

DEVICE = {"device": {"token": "t"}}
BASES = [
    {"type": "identify", "userId": "u"},
    {"type": "track", "userId": "u", "event": "e"},
    {"type": "track", "userId": "u", "event": "User Deleted"},
    {"type": "track", "userId": "u", "event": "Device Created or Updated", "context": DEVICE},
    {"type": "track", "userId": "u", "event": "Relationship Deleted"},
    {"type": "track", "anonymousId": "a", "event": "Object Deleted"},
    {"type": "page", "userId": "u", "name": "home"},
    {"type": "screen", "anonymousId": "a"},
    {"type": "group", "groupId": "g"},
    {"type": "alias", "userId": "u", "previousId": "p"},
]
ODD = st.none() | st.integers() | st.lists(st.integers(), max_size=1)
ID = st.sampled_from(["", " ", "u", "a" * 150, "a" * 151, "\u00fc" * 75, "\u00fc" * 76]) | ODD
TIME = ODD | st.sampled_from(
    [
        "",
        "2024-05-01",
        "2024-05-01T10:00:00",
        "2024-05-01T10:00Z",
        "2024-05-01T10:00:00Z",
        "2024-05-01t10:00:00.123456789z",
        "2024-05-01 10:00:00+02:00",
        "2024-05-01T10:00:00+0200",
        "2024-05-01T10:00:00,5Z",
        "2024-05-01T24:00:00Z",
        "2024-05-01T23:59:60Z",
        "2024-02-30T10:00:00Z",
        "0000-01-01T00:00:00Z",
        "20240501T100000Z",
        "1714557600",
    ]
)
OBJECT = st.sampled_from([{}, {"objectId": "o"}, {"objectId": ""}, DEVICE]) | ODD
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(CALL_TYPES),
        "messageId": ID,
        "userId": ID,
        "anonymousId": ID,
        "groupId": ID,
        "event": st.sampled_from(["", "e", "User Suppressed", "Object Deleted"]) | ODD,
        "timestamp": TIME,
        "traits": OBJECT,
        "properties": OBJECT,
        "context": OBJECT,
    },
)


@given(base=st.sampled_from(BASES), changes=CHANGES)
def test_what_the_models_pass_the_sandbox_passes(base, changes):
    """The pipeline sends nothing that the sandbox's reading of the specification refuses."""
    call = {**base, **changes}
    if not isinstance(check(call), tuple):
        assert find_errors("batch", call) == ()
