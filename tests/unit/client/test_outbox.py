"""What waits is delivered, reported, kept or spooled, and never lost."""

import asyncio
import json

import pytest

from pipeline.client.spool import listed
from pipeline.core.wire import Answer, NoAnswer

from .conftest import OK, drain, message

DOWN = NoAnswer(reason="connect")


def refuse(event):
    """400 for every request with a call of that event."""

    def answer(request):
        bad = f'"event":"{event}"'.encode() in request.body
        return Answer(status=400, retry_after=None, text="no such") if bad else OK

    return answer


async def test_all_is_accepted_and_counted(box, destination):
    """The result would not say what happened."""
    for place in range(100):
        box.take_in(message(str(place % 7), f"{place}"))
    await drain(box)
    result = box.report()
    assert (result.accepted, result.refused, result.waiting, result.ok) == (100, 0, 0, True)
    assert len(destination.calls) == 100
    assert repr(box.report()) == "0 accepted (0 requests)"


async def test_a_refused_call_costs_only_itself(box, destination):
    """One bad call would take its batch with it, or vanish unseen."""
    destination.answer = refuse("bad")
    for place in range(20):
        box.take_in(message("1", "bad" if place == 7 else "good"))
    await drain(box)
    result = box.report()
    assert (result.accepted, result.refused, result.waiting) == (19, 1, 0)
    (refusal,) = result.refusals
    assert (refusal.event, refusal.reason) == ("bad", "http_400")
    assert "refused: track 'bad'" in repr(result)


async def test_an_answer_that_names_a_refused_call_is_believed(box, destination):
    """The destination would have refused a call, and the result would say that all is well."""
    errors = json.dumps({"errors": [{"batch_index": 1, "reason": "invalid"}]})
    destination.answer = lambda _: Answer(status=207, retry_after=None, text=errors)
    for event in "abc":
        box.take_in(message("1", event))
    await drain(box)
    result = box.report()
    assert (result.accepted, result.refused, result.waiting) == (2, 1, 0)
    assert [refusal.event for refusal in result.refusals] == ["b"]


async def test_without_a_spool_calls_wait_in_order(box, destination):
    """An outage would lose calls or change their order."""
    destination.answer = lambda _: DOWN
    for place in range(5):
        box.take_in(message("1", str(place)))
    await drain(box)
    result = box.report()
    assert (result.accepted, result.waiting, result.ill) == (0, 5, "connect")
    assert "can't be reached" in repr(result)
    box.take_in(message("1", "5"))
    destination.answer = lambda _: OK
    await drain(box)
    assert box.ill is None
    assert [call["event"] for call in destination.calls] == list("012345")


async def test_while_it_is_ill_only_a_probe_is_sent(box, destination):
    """A destination that fails would get every call again and again."""
    tried = []
    destination.answer = lambda request: (tried.append(request), DOWN)[1]
    box.take_in(message())
    await drain(box)
    tried.clear()
    await drain(box)
    assert destination.probes == 1
    assert [request.body for request in tried] == [b'{"batch":[]}']


async def test_a_long_retry_after_is_honoured(box, destination):
    """A destination that asks to be left alone would be asked again."""
    destination.answer = lambda _: Answer(status=429, retry_after="3600", text="")
    box.take_in(message())
    await drain(box)
    await drain(box)
    assert destination.probes == 0
    assert box.report().waiting == 1


async def test_a_wrong_key_keeps_everything(box, destination):
    """A key that is corrected would find its calls gone."""
    destination.answer = lambda _: Answer(status=401, retry_after=None, text="")
    for place in range(3):
        box.take_in(message(str(place)))
    await drain(box)
    result = box.report()
    assert (result.waiting, result.ill) == (3, "http_401")
    assert "is it the write key" in repr(result)


async def test_a_cancelled_round_keeps_what_was_not_accepted(box, destination):
    """Stopping a cell in a notebook would lose its calls, or send accepted ones again."""
    for place in range(3):
        box.take_in(message("1", str(place), context={"ip": f"192.0.2.{place}"}))
    reached = asyncio.Event()
    post = destination.post

    async def slow(request):
        if destination.requests:
            reached.set()
            await asyncio.sleep(60)
        return await post(request)

    destination.post = slow
    step = asyncio.create_task(box.step())
    await reached.wait()
    step.cancel()
    with pytest.raises(asyncio.CancelledError):
        await step
    destination.post = post
    await drain(box)
    assert [call["event"] for call in destination.calls] == list("012")
    assert box.report().accepted == 3


async def test_an_outage_fills_the_spool_which_goes_first(spooling, destination, spool):
    """Later calls would overtake those in the spool."""
    destination.answer = lambda _: DOWN
    for place in range(3):
        spooling.take_in(message("1", str(place)))
    await drain(spooling)
    spooling.take_in(message("1", "3"))
    await drain(spooling)
    result = spooling.report()
    assert (result.waiting, result.spooled, result.ok) == (0, 4, False)
    spooling.take_in(message("1", "4"))
    destination.answer = lambda _: OK
    await drain(spooling)
    assert [call["event"] for call in destination.calls] == list("01234")
    assert spooling.report().spooled == spool.calls == 0


async def test_what_is_refused_stays_in_the_spool(spooling, destination, spool):
    """A refused call of a spool would be gone, with nobody there who still has it."""
    destination.answer = lambda _: DOWN
    for event in ("a", "bad", "c"):
        spooling.take_in(message("1", event))
    await drain(spooling)
    destination.answer = refuse("bad")
    await drain(spooling)
    assert (spooling.report().refused, spool.calls) == (1, 0)
    (file,) = listed(spool.folder)
    assert (file.state, file.calls) == ("refused", 1)


async def test_a_file_that_was_changed_is_set_aside(spooling, destination, spool):
    """One damaged file would stop everything behind it, or be sent as it is."""
    destination.answer = lambda _: DOWN
    for event in ("a", "b"):
        spooling.take_in(message("1", event))
        await drain(spooling)
    first = listed(spool.folder)[0].path
    content = first.read_bytes()
    first.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    destination.answer = lambda _: OK
    await drain(spooling)
    assert [call["event"] for call in destination.calls] == ["b"]
    assert [refusal.reason for refusal in spooling.report().refusals] == ["damaged"]
    assert [file.state for file in listed(spool.folder)] == ["damaged"]


async def test_a_spool_that_cannot_be_written_loses_nothing(spooling, destination, monkeypatch):
    """A full disk would cost the calls that wait."""

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(spooling.spool), "add", full)
    destination.answer = lambda _: DOWN
    spooling.take_in(message())
    await drain(spooling)
    assert spooling.report().waiting == 1


async def test_the_rate_falls_with_trouble_and_comes_back(box, destination):
    """An overloaded destination would get the same load again."""
    top = box.options.top_rate
    destination.answer = lambda _: DOWN
    box.take_in(message())
    await drain(box)
    low = box._rate
    assert low is not None
    assert low < top
    destination.answer = lambda _: OK
    await drain(box)
    assert box._rate > low


async def test_a_call_of_the_spool_is_what_it_was(spooling, destination):
    """A repeat would differ from the call, or carry another id."""
    destination.answer = lambda _: DOWN
    sent = message("1", "\u00fc", context={"ip": "192.0.2.1"}, properties={"a": [1, None]})
    spooling.take_in(sent)
    await drain(spooling)
    destination.answer = lambda _: OK
    await drain(spooling)
    body = json.loads(destination.requests[0].body)
    assert body == {"batch": [json.loads(sent.body)], "context": {"ip": "192.0.2.1"}}
