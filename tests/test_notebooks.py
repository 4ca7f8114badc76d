"""The notebooks as they are stored: complete and clean.

That their outputs still come out, nbval sees (`make test-notebooks`); how it looks at pictures
stands in book/conftest.py. `make notebooks` stores fresh outputs.
"""

import ast
import base64
import builtins
import io
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import matplotlib.pyplot as plt
import nbclient
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


def long_numbers(output):
    """Numbers of more than six significant digits: the last ones depend on the machine."""
    texts = [output.get("text", "")]
    texts += [value for kind, value in output.get("data", {}).items() if "image" not in kind]
    found = re.findall(r"(?<![\w.])\d*\.\d+", " ".join(map(str, texts)))
    return [number for number in found if len(number.replace(".", "").lstrip("0")) > 6]


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
        if numbers := [number for output in cell.outputs for number in long_numbers(output)]:
            found.append(f"{what} stores more than six digits of {', '.join(numbers)}")
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


def test_every_claim_has_its_row():
    """On the claims page: a row that unfolds, and rows of the forest plot that lead to it."""
    from a3c_tut.book.claims import Ledger

    cells = code_cells(read(ROOT / "book" / "claims.ipynb"))
    shown = {
        cell.source: cell.outputs[0].data
        for cell in cells
        if cell.outputs and "data" in cell.outputs[0]
    }
    rows = shown["Markdown(claim_rows(ledger))"]["text/markdown"]
    plot = shown["HTML(forest(ledger))"]["text/html"]
    claims = Ledger().claims.values()
    titles = re.findall(r"\{dropdown\} (C\d\d: .*?) <span", rows)
    assert titles == [f"{claim.id}: {claim.says}" for claim in claims]
    assert re.findall(r'href="#(sheet-c\d\d)"', plot) == re.findall(r'id="(sheet-c\d\d)"', rows)


# --- A notebook alone -----------------------------------------------------------------------------

#: What reads or writes a file by its path. Data come from the package.
READS = re.compile(
    r"""\b(open|Path|chdir|glob|listdir|loadtxt|genfromtxt|np\.load|fromfile)\(
      | __file__ | \bos\. | ["']\.\./ | ["'][\w/-]+\.(json|toml|npz|md|ipynb|csv|txt)["']""",
    re.VERBOSE,
)
ALLOWED_READS = re.compile(r"""in_data\(["'][\w.-]+["']\)""")


def relative_reads(source):
    """What in a cell's source looks like a file that is not the package's."""
    return [found.group() for found in READS.finditer(ALLOWED_READS.sub("data", source))]


@every_notebook
def test_a_notebook_needs_no_file_of_the_repository(path):
    """Downloaded alone, it runs wherever the package is installed."""
    sources = [cell.source for cell in code_cells(read(path))]
    assert {source: found for source in sources if (found := relative_reads(source))} == {}


def test_reads_of_files_are_seen():
    for source in (
        "open('x')", "Path('x').read_text()", "load('../data/x')", "load_record('record.json')",
        "np.load(name)", "os.getcwd()",
    ):  # fmt: skip
        assert relative_reads(source), source
    assert relative_reads('Markdown(in_data("record.md").read_text(encoding="utf-8"))') == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["claims", "index"])
def test_a_notebook_runs_in_an_empty_folder(name, tmp_path, monkeypatch):
    """Two quick ones, which read the ledger, the record and the minutes of other pages."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    alone = read(ROOT / "book" / f"{name}.ipynb")
    nbclient.NotebookClient(
        alone, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    assert list(tmp_path.iterdir()) == []


def test_data_travel_with_the_package():
    """Every file of the book's data is one that setuptools packs."""
    from a3c_tut.book.places import DATA

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["a3c_tut"]
    packed = {file for pattern in patterns for file in (ROOT / "a3c_tut").glob(pattern)}
    assert {file for file in DATA.rglob("*") if file.is_file()} <= packed


@every_notebook
def test_minutes_to_read_are_those_of_the_opening(path):
    from a3c_tut.book.reading import MINUTES

    opening = "\n".join(c.source for c in read(path).cells[:3] if c.cell_type == "markdown")
    said = re.search(r"(\d+) minutes to read", opening)
    if path.stem in MINUTES:
        assert int(said[1]) == MINUTES[path.stem]


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
        (planted(outputs=[shown({"text/plain": "0.10897001294262483"})]), "more than six digits"),
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
    assert problems_with(planted(outputs=[shown({"text/plain": "0.00123456, 1234567, 1.5"})])) == []


# --- Pictures, as nbval sees them ---------------------------------------------------------------

nbval_pictures = load_tool("conftest", ROOT / "book")


def drawn(values):
    """A plot as a notebook stores it."""
    figure, axes = plt.subplots(figsize=(4.8, 3.0))
    axes.plot(values, label="returns")
    axes.legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    plt.close(figure)
    return base64.b64encode(buffer.getvalue()).decode()


VALUES = np.sin(np.arange(200) / 9.0)


def test_a_picture_of_the_same_numbers_is_the_same():
    """Other arithmetic changes their last digits, and nobody sees it."""
    assert nbval_pictures.difference(drawn(VALUES), drawn(VALUES * (1.0 + 1e-9) + 1e-12)) is None


def test_a_moved_line_is_seen():
    """By half a percent of the axis; or a single point of two hundred."""
    assert "shades differ" in nbval_pictures.difference(drawn(VALUES), drawn(VALUES + 0.01))
    moved = VALUES.copy()
    moved[100] += 0.1
    assert "shades differ" in nbval_pictures.difference(drawn(VALUES), drawn(moved))


def test_claims_are_written_only_where_that_is_asked_for(tmp_path):
    """A kernel that is started later, by nbval say, compares with the record."""
    cell = nbformat.v4.new_code_cell("import os\nprint(os.environ['A3C_REFRESH'])")
    made = nbformat.v4.new_notebook(cells=[cell])
    assert load_tool("refresh_notebooks").execute(made, tmp_path).cells[0].outputs[0].text == "1\n"
    assert "A3C_REFRESH" not in os.environ


@pytest.mark.slow
def test_nbval_compares_pictures(tmp_path):
    """A stored picture that is another one makes nbval fail; the right one does not."""
    source = (
        "import numpy as np, matplotlib.pyplot as plt\n"
        "fig, axes = plt.subplots()\n_ = axes.plot(np.sin(np.arange(200) / 9.0) * {})"
    )
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source.format(1.0))])
    load_tool("refresh_notebooks").execute(made, tmp_path)
    shutil.copy(ROOT / "book" / "conftest.py", tmp_path)
    outcomes = {}
    for name, factor in (("same", 1.0), ("moved", 1.01)):
        made.cells[0].source = source.format(factor)
        nbformat.write(made, tmp_path / f"{name}.ipynb")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval",
                   "--nbval-current-env", f"{name}.ipynb"]  # fmt: skip
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        outcomes[name] = done.returncode
    assert outcomes == {"same": 0, "moved": 1}


@pytest.mark.parametrize(
    "said, took, then",
    [
        ("about 10 seconds to run", 12.0, "about 10 seconds to run"),
        ("about 10 seconds to run", 19.0, "about 10 seconds to run"),
        ("about 10 seconds to run", 23.0, "about 20 seconds to run"),
        ("about a minute to run", 14.0, "about 15 seconds to run"),
        ("about half an hour to run", 0.2, "about 5 seconds to run"),
        ("nothing to run", 100.0, "nothing to run"),
    ],
)
def test_what_a_page_says_of_its_run_time_is_measured(said, took, then):
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(f"**Time** 1, {said}.")])
    told = load_tool("refresh_notebooks").tell_time(made, took)
    assert told.cells[0].source == f"**Time** 1, {then}."
