"""The rules that each demo notebook keeps, so that people find the same shape in all of them."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

DEMO = Path(__file__).parents[2] / "notebooks" / "demo"
PATHS = sorted(DEMO.glob("*.ipynb"))
TOPICS = (
    "setup_and_configuration",
    "authentication_and_utilities",
    "people_management",
    "events_and_tracking",
    "objects_and_relationships",
    "device_management",
    "batch_operations",
    "semantic_events_ecommerce",
    "semantic_events_email_mobile_video",
    "page_and_screen",
    "aliasing",
    "privacy_and_suppression",
    "streaming_with_change_feeds",
    "retry_queue_and_circuit_breaker",
    "monitoring_and_data_quality",
    "batch_backfill_at_scale",
)
LINES_MAX = 15
NOT_PUBLIC = ("pipeline.streams", "pipeline.delivery", "pipeline.tables", "pipeline.source")


def test_there_is_a_notebook_for_each_topic():
    """An area of the API would have no notebook, or two would share a number."""
    assert [path.stem for path in PATHS] == [f"{n:02d}_{name}" for n, name in enumerate(TOPICS)]


@pytest.fixture(params=PATHS, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def code(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def headings(notebook):
    lines = [
        line
        for cell in notebook.cells
        if cell.cell_type == "markdown"
        for line in cell.source.splitlines()
    ]
    return [line for line in lines if line.startswith("#")]


def test_it_is_valid_and_has_no_outputs(notebook):
    """A stored output would be noise in a review, and might hold what nobody should see."""
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in cells)


def test_it_has_one_title_a_break_it_section_and_a_clean_up(notebook):
    """A reader would not see what happens when something fails, or things would be left behind."""
    found = headings(notebook)
    assert [line for line in found if line.startswith("# ")] == found[:1]
    assert "## Break it" in found
    assert found[-1] == "## Clean up"
    assert "play.close()" in code(notebook)[-1].splitlines()


def test_it_leaves_nothing_beside_its_playground(notebook):
    """A folder of its own would stay when the playground goes, with people's data in it."""
    assert not re.search(r"\b(tempfile|mkdtemp)\b|Path\(|open\(", "\n".join(code(notebook)))


def test_it_asks_the_playground_for_secrets(notebook):
    """A notebook would hold a key, or find none where it is in a secret scope."""
    source = "\n".join(code(notebook))
    assert not re.search(r"\benviron\b|\bgetenv\b|\bdbutils\b|sandbox-write-key", source)
    assert "play" in source
    for tree in (ast.parse(one) for one in code(notebook)):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "SyncCustomerIO":
                assert ast.unparse(node.args[0]) == "play.write_key"


def test_no_cell_ends_with_a_bare_command(notebook):
    """A reader would wonder what the 0 below a command's output is."""
    for source in code(notebook):
        last = ast.parse(source).body[-1]
        bare = isinstance(last, ast.Expr) and ast.unparse(last.value).startswith("run(")
        assert not bare


def test_imports_stand_in_the_first_code_cell_alone(notebook):
    """A reader would find out half way that a package is missing."""
    first, *others = [ast.parse(source) for source in code(notebook)]
    assert all(isinstance(node, ast.Import | ast.ImportFrom) for node in first.body)
    nested = [node for tree in others for node in ast.walk(tree)]
    assert not [node for node in nested if isinstance(node, ast.Import | ast.ImportFrom)]


def test_cells_are_short_and_each_has_its_words(notebook):
    """A cell would hold more than one idea, or nobody would say why it is there."""
    assert max(len(source.splitlines()) for source in code(notebook)) <= LINES_MAX
    kinds = [cell.cell_type for cell in notebook.cells]
    assert kinds[0] == "markdown"
    assert kinds.count("markdown") >= kinds.count("code") * 0.5


def test_it_asserts_what_it_claims(notebook):
    """It would run to its end whatever the pipeline did."""
    asserts = [
        node
        for source in code(notebook)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Assert)
    ]
    assert len(asserts) >= 3


def test_it_holds_no_code_of_the_package_and_uses_its_public_modules(notebook):
    """A notebook would show what only works inside this repository."""
    for source in code(notebook):
        for node in ast.walk(ast.parse(source)):
            assert not isinstance(node, ast.ClassDef)
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").startswith(NOT_PUBLIC)
            if isinstance(node, ast.Attribute):
                assert not node.attr.startswith("_")
