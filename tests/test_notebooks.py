"""The notebooks as they are stored: complete, clean, and still true.

nbval (`make test-outputs`) compares text; it skips pictures, so they are compared here.
`make notebooks` stores fresh outputs.
"""

import ast
import base64
import builtins
import io
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
from PIL import Image
from test_site import PAGES, alt_problem, load_tool

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "book").glob("*.ipynb"))
# Not one test per notebook that would vanish with the notebooks: none is a failure.
every_notebook = pytest.mark.parametrize(
    "path", NOTEBOOKS or [ROOT / "book" / "missing.ipynb"], ids=lambda path: path.stem
)

# Cells whose output may differ from run to run. Each must assert what it shows.
MAY_DIFFER = "nbval-ignore-output"
MACHINE_PATH = re.compile(r"(?<![\w.])/(work|root|home|tmp|Users)/|[A-Z]:\\\\Users")


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def pictures(cell):
    """The PNGs among a cell's outputs, those for `glue` included."""
    data = [output.data for output in cell.outputs if "data" in output]
    return [value for item in data for kind, value in item.items() if kind.endswith("image/png")]


def problems_with(notebook):
    """Everything that is wrong with a stored notebook, as readable sentences."""
    found = []
    for number, cell in enumerate(code_cells(notebook), start=1):
        what = f"code cell {number} ({cell.source.splitlines()[0][:40]!r})"
        if cell.execution_count != number:
            found.append(f"{what} is stored as run [{cell.execution_count}]: run `make notebooks`")
        if any(output.output_type == "error" for output in cell.outputs):
            found.append(f"{what} stores an error")
        if "execution" in cell.metadata:
            found.append(f"{what} stores timings")
        if MAY_DIFFER in cell.metadata.get("tags", []) and "assert " not in cell.source:
            found.append(f"{what} is exempt from comparison, and asserts nothing")
        shown = [o.data for o in cell.outputs if "data" in o and "image/png" in o.data]
        shown += [o.data for o in cell.outputs if "data" in o and "image/svg+xml" in o.data]
        alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt")
        if shown and alt_problem(alt):
            found.append(f"{what} shows a picture whose mystnb.image.alt {alt_problem(alt)}")
        if len(shown) > 1:
            found.append(f"{what} shows {len(shown)} pictures under one alt text and caption")
        if any("widget" in kind for o in cell.outputs for kind in o.get("data", {})):
            found.append(f"{what} shows a widget, which is dead on the page")
    if "widgets" in notebook.metadata:
        found.append("it stores the state of widgets, for which pages ask other hosts")
    if match := MACHINE_PATH.search(nbformat.writes(notebook)):
        found.append(f"it contains a path of somebody's machine: {match.group()}")
    return found


@every_notebook
def test_notebook_is_clean(path):
    assert problems_with(read(path)) == []


@every_notebook
def test_notebook_is_in_the_book(path):
    assert f"book/{path.stem}.html" in PAGES


@every_notebook
def test_metadata_is_what_refreshing_leaves(path):
    """A notebook saved by an editor is cleaned before it is committed."""
    notebook = read(path)
    assert load_tool("refresh_notebooks").clean(read(path)) == notebook, "run `make notebooks`"


@every_notebook
def test_cells_are_short(path):
    """At least half of the cells that a reader sees have at most five lines."""
    seen = [
        sum(bool(line.strip()) for line in cell.source.splitlines())
        for cell in code_cells(read(path))
        if not {"remove-cell", "hide-cell"} & set(cell.metadata.get("tags", []))
    ]
    assert np.median(seen) <= 5
    assert max(seen) <= 20


def unexplained_names(notebook):
    """Names that visible cells use and no visible cell, up to there, has defined or imported."""
    known, missing = set(dir(builtins)), []
    for cell in code_cells(notebook):
        if "remove-cell" in cell.metadata.get("tags", []):
            continue
        nodes = list(ast.walk(ast.parse(cell.source)))
        names = [node for node in nodes if isinstance(node, ast.Name)]
        known |= {node.id for node in names if isinstance(node.ctx, ast.Store)}
        known |= {node.arg for node in nodes if isinstance(node, ast.arg)}
        known |= {node.asname or node.name for node in nodes if isinstance(node, ast.alias)}
        known |= {
            node.name
            for node in nodes
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.ExceptHandler)
        }
        missing += [node.id for node in names if node.id not in known]
    return missing


@every_notebook
def test_a_reader_can_follow_along(path):
    """Whoever types what they see gets no NameError: nothing that is shown needs what is hidden."""
    assert unexplained_names(read(path)) == []


def test_names_from_hidden_cells_are_seen():
    new = nbformat.v4.new_code_cell
    hidden = new("secret, shown = 1, 2", metadata={"tags": ["remove-cell"]})
    cells = [new("import numpy as np"), hidden, new("shown = np.ones(secret)\nprint(shown)")]
    assert unexplained_names(nbformat.v4.new_notebook(cells=cells)) == ["secret"]


def test_every_claim_has_its_heading():
    """On the claims page, where headings and sheets are cells of their own."""
    from a3c_tut.claims import Ledger

    cells = read(ROOT / "book" / "claims.ipynb").cells
    found = [cell.source for cell in cells if cell.source.startswith("### C")]
    claims = Ledger(ROOT / "book").claims.values()
    assert found == [f"### {claim.id}: {claim.says}" for claim in claims]
    sheets = [cell.source for cell in cells if "claim_sheet(ledger, " in cell.source]
    assert sheets == [f'Markdown(claim_sheet(ledger, "{claim.id}"))' for claim in claims]


def typed_section_numbers(text):
    """Numbers of sections and experiments that an author typed: the contents give them."""
    return re.findall(r"\{doc\}`[^`<]*\d[^`<]*<|\bExperiment \d+", text)


@pytest.mark.parametrize("page", PAGES)
def test_no_number_of_a_section_is_typed(page):
    """A chapter that comes in between would make it wrong, and no build would notice."""
    source = ROOT / page.replace(".html", ".ipynb")
    if source.exists():
        text = "\n".join(c.source for c in read(source).cells if c.cell_type == "markdown")
    else:
        text = source.with_suffix(".md").read_text(encoding="utf-8")
    assert typed_section_numbers(text) == []


def test_typed_section_numbers_are_seen():
    assert (
        len(typed_section_numbers("{doc}`Section 2.1 <objective>` and {doc}`2.2 <updates>`")) == 2
    )
    assert typed_section_numbers("As Experiment 4 shows.") == ["Experiment 4"]
    assert typed_section_numbers("{numref}`sec-objective`, {doc}`above <updates>`, Figure 1") == []


def different_pixels(stored, fresh):
    """How two PNGs (base64) differ, or None. Other processors may round a shade differently."""
    if stored == fresh:
        return None
    a, b = (
        np.asarray(Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB"))  # no palette
        for png in (stored, fresh)
    )
    if a.shape != b.shape:
        return f"sizes {a.shape} and {b.shape}"
    worst = np.abs(a.astype(int) - b.astype(int)).max()
    return None if worst <= 4 else f"shades differ by up to {worst} of 255"


@every_notebook
def test_pictures_come_out_as_stored(path):
    stored = read(path)
    fresh = load_tool("refresh_notebooks").execute(read(path), path.parent)
    differences = []
    for number, (old, new) in enumerate(zip(code_cells(stored), code_cells(fresh), strict=True), 1):
        if MAY_DIFFER in old.metadata.get("tags", []):
            continue
        if len(pictures(old)) != len(pictures(new)):
            differences.append(f"cell {number}: {len(pictures(old))} stored, {len(pictures(new))}")
            continue
        for a, b in zip(pictures(old), pictures(new), strict=True):
            if difference := different_pixels(a, b):
                differences.append(f"cell {number}: {difference}")
    assert differences == []


# --- That the checks above see what they look for ----------------------------------------------


def planted(source="1", outputs=(), count=1, **metadata):
    cell = nbformat.v4.new_code_cell(source, outputs=list(outputs), execution_count=count)
    cell.metadata.update(metadata)
    return nbformat.v4.new_notebook(cells=[cell])


def png(shade=0, size=(4, 4)):
    buffer = io.BytesIO()
    Image.new("L", size, shade).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def shown(data):
    return nbformat.v4.new_output("display_data", data=data)


GOOD_ALT = {"image": {"alt": "A curve that rises and then falls."}}


@pytest.mark.parametrize(
    "notebook, complaint",
    [
        (planted(count=None), "make notebooks"),
        (planted(count=2), "make notebooks"),
        (planted(outputs=[nbformat.v4.new_output("error", ename="E")]), "stores an error"),
        (planted(execution={"iopub.execute_input": "12:00"}), "timings"),
        (planted(tags=[MAY_DIFFER]), "asserts nothing"),
        (planted(outputs=[shown({"image/png": png()})]), "alt is missing"),
        (planted(outputs=[shown({"image/png": png()})] * 2, mystnb=GOOD_ALT), "2 pictures"),
        (planted(outputs=[shown({"application/vnd.jupyter.widget-view+json": {}})]), "widget"),
        (planted("open('/ho" + "me/me/x')"), "somebody's machine"),
    ],
)
def test_faults_are_seen(notebook, complaint):
    assert any(complaint in problem for problem in problems_with(notebook))


def test_a_good_notebook_has_no_problems():
    good = [shown({"image/png": png()})]
    assert problems_with(planted(outputs=good, mystnb=GOOD_ALT)) == []
    assert problems_with(planted("assert 1 < 2", tags=[MAY_DIFFER])) == []


def test_changed_pictures_are_seen():
    assert different_pixels(png(10), png(10)) is None
    assert different_pixels(png(10), png(12)) is None
    assert different_pixels(png(10), png(30))
    assert different_pixels(png(10), png(10, size=(5, 4)))
