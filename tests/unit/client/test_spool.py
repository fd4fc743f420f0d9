"""The spool's folder: private, encrypted, one process at a time."""

import stat
from dataclasses import replace

import pytest

from pipeline.client.spool import Spool, SpoolError, listed, requests
from pipeline.core.cipher import keyring

from .conftest import KEYS, message

BATCH = 500_000


def test_without_keys_it_is_refused(tmp_path):
    """Personal data would lie on a disk in the clear."""
    with pytest.raises(SpoolError, match="pipeline key init"):
        Spool(tmp_path, None)


def test_nothing_can_be_read_without_the_key(spool):
    """Who finds the folder would read people's data, or everyone on the machine could."""
    spool.add([message("ada@example.org", "Bought", properties={"sku": "secret"})], BATCH)
    (file,) = spool.folder.glob("*.spool")
    content = file.read_bytes()
    assert b"ada@" not in content
    assert b"secret" not in content
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(spool.folder.stat().st_mode) == 0o700


def test_a_second_process_is_refused(spool):
    """Two would send the same calls."""
    with pytest.raises(SpoolError, match="another process"), Spool(spool.folder, KEYS):
        pass


def test_a_missing_key_is_said_before_anything_is_sent(spool):
    """Calls would be queued behind a file that can't be read."""
    spool.add([message()], BATCH)
    spool.__exit__()
    other = keyring(b"o" * 32)
    with pytest.raises(SpoolError, match=KEYS.current), Spool(spool.folder, other):
        pass
    with Spool(spool.folder, keyring(b"o" * 32, b"k" * 32)) as opened:
        assert opened.calls == 1


def test_it_comes_back_in_order_and_goes_on_counting(spool):
    """After a restart new files would stand before old ones."""
    spool.add([message("1", "a")], BATCH)
    spool.add([message("1", "b")], BATCH)
    spool.__exit__()
    with Spool(spool.folder, KEYS) as again:
        again.add([message("1", "c")], BATCH)
        events = [again.read(file)[0].event for file in listed(again.folder)]
    assert events == ["a", "b", "c"]


def test_what_is_left_of_a_file_replaces_it(spool):
    """Accepted calls would be sent again."""
    messages = [message("1", event) for event in "abc"]
    spool.add(messages, BATCH)
    spool.settle(spool.oldest(), messages[1:])
    assert spool.calls == 2
    assert [one.event for one in spool.read(spool.oldest())] == ["b", "c"]
    spool.settle(spool.oldest(), [])
    assert spool.oldest() is None
    assert listed(spool.folder) == []


def test_a_file_under_another_name_is_not_taken(spool):
    """Somebody could bring calls into another order, or back."""
    spool.add([message("1", "a")], BATCH)
    spool.add([message("1", "b")], BATCH)
    first, second = listed(spool.folder)
    second.path.replace(first.path)
    assert spool.read(first) is None


def test_what_a_killed_process_left_half_written_counts_for_nothing(spool):
    """Half a file would stop the spool."""
    spool.add([message()], BATCH)
    spool.__exit__()
    part = spool.folder / "0000000000000002.part"
    part.write_bytes(b"half")
    with Spool(spool.folder, KEYS) as again:
        assert again.calls == 1
    assert not part.exists()


def test_a_strange_file_is_named(tmp_path):
    """A traceback would not say which file is wrong."""
    (tmp_path / "0000000000000001.spool").write_bytes(b"hello\n")
    with pytest.raises(SpoolError, match=r"0000000000000001\.spool: is no file of a spool"):
        listed(tmp_path)


def test_a_file_is_one_request():
    """A kill would repeat more than one request."""
    big = message("1", "e", properties={"text": "x" * 1000})
    alone = replace(message(), alone=True)
    other = message(context={"ip": "192.0.2.1"})
    found = list(requests([big] * 5 + [alone, alone, other], 3000))
    assert [len(request) for request in found] == [2, 2, 1, 1, 1, 1]
