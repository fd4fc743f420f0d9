"""Ill destinations and broken networks, over real sockets, at a size that fits every run."""

from pathlib import Path

import pytest

from chaos import outages
from chaos.toxics import TOXICS, weather
from chaos.toxiproxy import Unobtainable, running_toxiproxy


@pytest.mark.parametrize(
    ("illness", "messages", "seconds"),
    [
        (outages.one_in_ten, 400, 2.0),
        (outages.slow_for_ever, 150, 1.0),
        (outages.storm_of_429, 300, 2.0),
        (outages.lost_answers, 300, 1.0),
    ],
)
def test_an_ill_destination_costs_no_message(tmp_path, illness, messages, seconds):
    """A good message would become a dead letter, be lost, or overtake another of its person."""
    found = illness(tmp_path, messages, seconds)
    assert found.kept
    assert found.dead == frozenset()
    assert len(found.arrived.events) == messages


def test_a_wrong_key_holds_until_it_is_right(tmp_path):
    """Messages would be recorded as refused, or as accepted, under a key that nobody accepts."""
    found = outages.wrong_key(tmp_path, 300, 1.0)
    assert found.kept
    assert found.holds == {"http_401"}
    assert (len(found.dead), found.arrived.repeated) == (0, 0)


def test_one_refused_call_in_ten_thousand_costs_only_itself(tmp_path):
    """Siblings of a refused call would die with it, or finding it would take a request a call."""
    found = outages.one_bad_call(tmp_path, 10_000, 30.0)
    assert found.kept
    assert found.dead == {"e003333"}
    assert found.requests < 60


def test_a_third_refused_is_a_wrong_mapping(tmp_path):
    """The feed would bisect on for ever, or bury a third of its people as dead letters."""
    found = outages.every_third(tmp_path, 3_000, 30.0)
    assert found.holds == {"refused_share"}
    assert len(found.dead) <= 60
    assert found.requests < 400


@pytest.fixture(scope="module")
def toxiproxy():
    try:
        with running_toxiproxy() as proxy:
            yield proxy
    except Unobtainable as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("toxic", TOXICS)
def test_what_a_network_does_loses_nothing(tmp_path: Path, toxiproxy, toxic):
    """A message would be lost, come in the wrong order, or be repeated with other bytes."""
    found = weather(toxiproxy, toxic, tmp_path, messages=250, seconds=1.5)
    assert found.lost == 0
    assert (found.arrived.out_of_order, found.arrived.differing) == (0, 0)
    assert found.arrived.repeated <= found.bound
