"""Settings files, and what overrides them."""

from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.settings import SettingsError, load_settings, override

MINIMAL = "tables: {root: t, checkpoints: c}\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "dev.yml"
    path.write_text(text)
    return path


def test_defaults_are_the_low_published_limits(tmp_path):
    """A file that only says where the tables are gets the careful values."""
    settings = load_settings(written(tmp_path, MINIMAL))
    assert settings.target == "dev"
    assert (settings.limits.call_bytes, settings.limits.batch_bytes) == (32_000, 500_000)
    assert settings.destination.url == "https://cdp.customer.io"
    assert settings.destination.strict


def test_the_region_chooses_the_host_unless_it_is_given(tmp_path):
    """EU data must not pass through the US host."""
    europe = load_settings(written(tmp_path, MINIMAL + "destination: {region: eu}\n"))
    assert europe.destination.url == "https://cdp-eu.customer.io"
    given = MINIMAL + "destination: {region: eu, base_url: 'http://127.0.0.1:1/'}\n"
    assert load_settings(written(tmp_path, given)).destination.url == "http://127.0.0.1:1"


def test_the_environment_wins(tmp_path, monkeypatch):
    """Also inside a group that the file sets."""
    monkeypatch.setenv("PIPELINE__DESTINATION__BASE_URL", "http://127.0.0.1:2")
    monkeypatch.setenv("PIPELINE__RETRY__WAIT_MAX", "PT9S")
    text = MINIMAL + "destination: {base_url: 'http://127.0.0.1:1', total_timeout: PT3S}\n"
    settings = load_settings(written(tmp_path, text))
    assert settings.destination.url == "http://127.0.0.1:2"
    assert settings.destination.total_timeout == timedelta(seconds=3)
    assert settings.retry.wait_max == timedelta(seconds=9)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (MINIMAL + "destination: {region: mars}\n", "destination.region: Input should be 'us'"),
        (MINIMAL + "delivery: {lanez: 8}\n", "delivery.lanez: Extra inputs"),
        ("tables: {checkpoints: c}\n", "tables: Value error, give either root"),
        ("target: [", "not readable as YAML"),
        ("- a\n", "expected a mapping of settings, found list"),
    ],
)
def test_refusals_name_file_field_and_reason(tmp_path, text, words):
    """A person can mend the file from the message alone."""
    with pytest.raises(SettingsError) as refused:
        load_settings(written(tmp_path, text))
    assert "dev.yml" in str(refused.value)
    assert words in str(refused.value)


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    """Not a traceback."""
    with pytest.raises(SettingsError, match="no such settings file"):
        load_settings(tmp_path / "prod.yml")


@pytest.mark.parametrize("path", sorted(Path(__file__).parents[2].glob("conf/*.yml")), ids=str)
def test_the_targets_that_come_with_the_project_are_valid(path):
    """Each file in conf/ loads."""
    assert load_settings(path).target == path.stem


def test_overrides_are_what_the_environment_would_say(tmp_path, monkeypatch):
    """A deploy sets what the file cannot know; a word that is none must not be lost in silence."""
    for name, value in override("delivery.lanes=3,tables.schema_name=a.b").items():
        monkeypatch.setenv(name, value)
    settings = load_settings(written(tmp_path, "tables: {schema_name: x.y, checkpoints: c}\n"))
    assert (settings.delivery.lanes, settings.tables.schema_name) == (3, "a.b")
    with pytest.raises(SettingsError, match="expected NAME=VALUE"):
        override("delivery.lanes=3,4")


@pytest.mark.parametrize("url", ["http://cdp.customer.io", "https://me:s3cret@cdp.customer.io"])
def test_an_address_that_gives_secrets_away_is_refused_without_repeating_it(tmp_path, url):
    """The key would cross a network in the clear, or a password be printed."""
    text = MINIMAL + f"destination: {{base_url: '{url}'}}\n"
    with pytest.raises(SettingsError, match=r"destination\.base_url") as caught:
        load_settings(written(tmp_path, text))
    assert "s3cret" not in str(caught.value)
