"""A feed as it was."""

import subprocess

import pytest

from pipeline.core.feed import parse_feed
from pipeline.core.feed_model import FeedError
from pipeline.operations.feed_before import feed_before

TEXT = """\
source: people
start: snapshot
row_key: [id]
entity: {person: id}
insert: {type: track, event: Was Here}
"""


def git(folder, *words):
    who = ("-c", "user.name=n", "-c", "user.email=n@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(
        ["git", *who, *words],  # noqa: S607  the git of the machine
        cwd=folder,
        check=True,
        capture_output=True,
    )


@pytest.fixture
def now(tmp_path):
    """A feed whose file has changed since it was committed."""
    folder = tmp_path / "conf" / "feeds"
    folder.mkdir(parents=True)
    file = folder / "people.yml"
    file.write_text(TEXT)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    file.write_text(TEXT.replace("Was Here", "Is Here"))
    return parse_feed(file.read_text(), file=str(file))


@pytest.mark.parametrize("revision", ["HEAD", "HEAD~0"])
def test_a_revision_gives_the_file_of_then_under_the_same_name(now, revision):
    """A reviewer would have to fish the old file out, and could name it wrongly."""
    before = feed_before(now, revision)
    assert (before.name, before.insert[0].event) == ("people", "Was Here")
    assert now.insert[0].event == "Is Here"


def test_a_file_is_taken_as_it_is(now, tmp_path):
    """A file with a revision's name would never be read."""
    other = tmp_path / "people.yml"
    other.write_text(TEXT.replace("Was Here", "Was There"))
    assert feed_before(now, str(other)).insert[0].event == "Was There"


@pytest.mark.parametrize("against", ["no-such-revision", "--output=x", "gone.yml"])
def test_what_is_neither_is_refused_in_words(now, against):
    """Somebody would see a stack trace, or git would take a revision for an option."""
    with pytest.raises(FeedError, match=r"no (such )?file"):
        feed_before(now, against)
