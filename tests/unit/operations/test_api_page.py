"""The page of the API is what the models say."""

from pathlib import Path

from pipeline.core.api.calls import Closed
from pipeline.core.api.catalogue import ENDPOINTS, endpoints, events
from pipeline.core.api.vocabularies import EVENTS, VOCABULARIES
from pipeline.operations.api_page import main, page

REPOSITORY = Path(__file__).parents[3]


def test_the_page_is_current() -> None:
    """Whoever changes a model writes the page anew: python -m pipeline.operations.api_page."""
    assert (REPOSITORY / "docs" / "api.md").read_text(encoding="utf-8") == page()


def test_every_model_of_a_call_is_in_the_catalogue() -> None:
    """No call or event that has a name is forgotten in the lists."""

    def descend(model: type[Closed]) -> set[type[Closed]]:
        return {model}.union(*(descend(child) for child in model.__subclasses__()))

    named = {
        model
        for model in descend(Closed)
        if model.__module__.startswith("pipeline.core.api")
        and ("event" not in model.model_fields or model.model_fields["event"].default in EVENTS)
        and {"type", "batch"} & set(model.model_fields)
    }
    assert named | set(ENDPOINTS) == {*ENDPOINTS, *VOCABULARIES}
    assert len(EVENTS) == len(VOCABULARIES) == len(events())


def test_every_entry_says_how_it_is_sent_and_where_it_is_described() -> None:
    """Name, method and page are there for all."""
    for entry in (*endpoints(), *events()):
        assert entry.method
        assert entry.about
        assert f"`{entry.name}`" in page()


def test_the_command_writes_the_page(tmp_path, monkeypatch) -> None:
    """It goes into the docs of the working directory."""
    monkeypatch.chdir(tmp_path)
    assert main() == 0
    assert (tmp_path / "docs" / "api.md").read_text(encoding="utf-8") == page()
