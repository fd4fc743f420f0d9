"""MkDocs calls this: it adds to docs/ the README, the notebooks and the reference, and the menu."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from nbconvert import MarkdownExporter

ROOT: Final = Path(__file__).parents[1]
STORED: Final = ROOT / "notebooks" / "demo"
EXECUTED: Final = ROOT / "build" / "notebooks"
MENU: Final[Mapping[str, str]] = {
    "index.md": "Start",
    "concepts.md": "Concepts",
    "upstream.md": "Upstream",
    "feeds.md": "Feeds",
    "operate.md": "Operate",
    "runbook.md": "Runbook",
    "deploy.md": "Deploy",
    "promises.md": "Promises and tests",
    "speed.md": "Speed",
    "api.md": "API table",
    "client.md": "Client",
    "sandbox.md": "Sandbox",
}
"""Pages by their file, in this order; what is not there is left out, what is more comes after."""
REFERENCE: Final = (
    "pipeline.client",
    "pipeline.playground",
    "pipeline.settings",
    "pipeline.core.feed_model",
    "pipeline.core.api.calls",
    "pipeline.core.api.context",
    "pipeline.core.api.reserved",
    "pipeline.core.api.ecommerce",
    "pipeline.core.api.email",
    "pipeline.core.api.mobile",
    "pipeline.core.api.video",
    "pipeline.core.api.live_chat",
    "pipeline.core.api.ab_testing",
    "pipeline.sandbox.client",
    "pipeline.sandbox.config",
    "pipeline.sandbox.failure",
)
NOT_RUN: Final = "!!! note\n    Shown without outputs: `make notebooks` makes them.\n\n"
ANSI: Final = re.compile(r"\x1b\[[0-9;]*m")
SPEED: Final = "pictures/speed.svg"
"""Drawn by the benchmark, which takes half an hour: a site can be built before it."""
PICTURE: Final = re.compile(rf"!\[[^\]]*\]\({re.escape(SPEED)}\)")
LINK: Final = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)#\s]+)(#[^)]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what is not written in docs/, then the menu over all of it."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8").replace("](docs/", "](")
    added: dict[str, str | bytes] = {"index.md": readme}
    for path in sorted(STORED.glob("*.ipynb")):
        added |= dict(notebook(path))
    for module in REFERENCE:
        added[f"reference/{module}.md"] = f"# {module}\n\n::: {module}\n"
    for uri, content in added.items():
        files.append(File.generated(config, uri, content=content))
    config.nav = menu([file.src_uri for file in files.documentation_pages()])
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Links to files outside docs/ become their names; one that leads nowhere stops the build."""
    if page.file.src_uri == "speed.md" and not (ROOT / "docs" / SPEED).exists():
        markdown = PICTURE.sub("The picture is made by `make bench`.", markdown)
    return LINK.sub(lambda found: outside(found, page.file.src_uri), markdown)


def outside(found: re.Match[str], uri: str) -> str:
    """A link as the site can show it."""
    text, target = found[1], found[2]
    if "://" in target or target.startswith("mailto:"):
        return found[0]
    base = ROOT if uri == "index.md" else (ROOT / "docs" / uri).parent
    place = (base / target).resolve()
    if uri == "index.md" and not place.exists():
        place = (ROOT / "docs" / target).resolve()
    if place.is_relative_to(ROOT / "docs") or uri.startswith("reference/"):
        return found[0]
    if not place.exists():
        raise PluginError(f"{uri}: links to {target}, which is not there")
    name = str(place.relative_to(ROOT))
    return f"`{name}`" if text.strip("`") == name else f"{text} (`{name}`)"


def notebook(path: Path) -> Iterator[tuple[str, str | bytes]]:
    """A notebook's page and its pictures; with outputs where it was run as it is now."""
    stored = nbformat.read(path, as_version=4)
    run = EXECUTED / path.name
    executed = nbformat.read(run, as_version=4) if run.exists() else None
    current = executed is not None and sources(executed) == sources(stored)
    exporter = MarkdownExporter()
    body, resources = exporter.from_notebook_node(
        executed if current else stored, resources={"unique_key": path.stem}
    )
    text = ANSI.sub("", body)
    yield f"notebooks/{path.stem}.md", text if current else with_note(text)
    for name, content in resources.get("outputs", {}).items():
        yield f"notebooks/{name}", content


def sources(notebook: Any) -> list[str]:
    """What a notebook's cells say."""
    return [cell.source for cell in notebook.cells]


def with_note(text: str) -> str:
    """A page with a word on why it has no outputs, below its title."""
    title, _, rest = text.lstrip().partition("\n")
    return f"{title}\n\n{NOT_RUN}{rest}"


def menu(uris: list[str]) -> list[Any]:
    """The site's menu."""
    top = [uri for uri in uris if "/" not in uri]
    first = [{title: uri} for uri, title in MENU.items() if uri in top]
    more = [{title_of(uri): uri} for uri in sorted(top) if uri not in MENU]
    notebooks = sorted(uri for uri in uris if uri.startswith("notebooks/"))
    reference = [uri for uri in uris if uri.startswith("reference/")]
    others = sorted(set(uris) - set(top) - set(notebooks) - set(reference))
    return [
        {"Guide": [*first, *more, *others]},
        {"Notebooks": [{title_of(uri): uri} for uri in notebooks]},
        {"Reference": [{Path(uri).stem: uri} for uri in reference]},
    ]


def title_of(uri: str) -> str:
    """A page's title in the menu, from the name of its file."""
    return Path(uri).stem.replace("_", " ").replace("-", " ").capitalize()
