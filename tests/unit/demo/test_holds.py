"""Holds, told from a job's log while it is written."""

from pathlib import Path

from pipeline.demo.holds import LogReader

BEGAN = '{"feed": "baskets", "reason": "circuit_open", "event": "hold.began"}\n'
ENDED = '{"feed": "baskets", "reason": "circuit_open", "event": "hold.ended"}\n'
DRAIN = '{"job": "drain", "reasons": ["http_401"], "event": "hold.began"}\n'


def test_a_hold_is_on_until_it_ended(tmp_path: Path) -> None:
    """Lines are read once, also when they come in pieces and among other words."""
    log = LogReader(tmp_path / "deliver.log")
    log.read()
    assert log.holds == {}

    with log.log.open("a") as file:
        file.write("Setting default log level\n{not json}\n[1]\n" + BEGAN + DRAIN[:20])
        file.flush()
        log.read()
        assert log.holds == {"baskets": "circuit_open"}
        assert log.said == "baskets: hold.began"

        file.write(DRAIN[20:] + ENDED)
        file.flush()
        log.read()
        assert log.holds == {"drain": "http_401"}
        assert log.said == "baskets: hold.ended"
