"""How far a first load is."""

import pytest

from pipeline.tables.first_load import Progress, progress_file, read_progress


def test_parts_that_follow_each_other_share_a_range():
    """The filter over outcomes would grow by a term a part, of which there may be thousands."""
    one = Progress(version=3, parts=4, after=3)
    one.finish(10, 12)
    one.finish(13, 15)
    one.finish(20, 22)
    assert (one.done, one.ranges) == (3, [[10, 15], [20, 22]])


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 3}', '{"version": 3, "more": 1}'])
def test_a_file_that_says_nothing_is_no_progress(tmp_path, text):
    """A torn file would end the load, or let it skip parts."""
    file = progress_file(str(tmp_path), "people")
    assert read_progress(file) is None
    file.parent.mkdir()
    file.write_text(text)
    assert read_progress(file, 3) is None


def test_what_was_written_is_read_for_its_own_snapshot_alone(tmp_path):
    """A load of another snapshot would take over parts that it never sent."""
    file = progress_file(str(tmp_path), "people")
    one = Progress(version=3, parts=4, after=5)
    one.finish(1, 2)
    one.write(file)
    assert read_progress(file, 3) == one
    assert read_progress(file) == one
    assert read_progress(file, 4) is None
