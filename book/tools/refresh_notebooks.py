"""Run the book's notebooks and store their outputs.

    python book/tools/refresh_notebooks.py [NOTEBOOK ...]      (default: all)

Running twice gives the same bytes: no versions, no state of widgets is kept, and of timings only
how long a page says that it takes to run, which is written anew where it is off by a factor of two.
"""

import os
import re
import sys
import time
from pathlib import Path

import nbclient
import nbformat
from a3c_tut.files import print_what_can_be

ROOT = Path(__file__).resolve().parents[2]
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def execute(notebook, folder):
    """Run all cells of `notebook` in `folder`, as a reader would who opens it there."""
    client = nbclient.NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
    )
    # Claims are written to the record, not compared with it; in this kernel, not in later ones.
    return client.execute(env=os.environ | {"A3C_REFRESH": "1", "A3C_QUIET": "1"})


#: The first code cell of every notebook: on Colab, say, the package is not there.
INSTALL = """\
import importlib.util

if importlib.util.find_spec("a3c_tut") is None:
    %pip install --quiet "a3c_tut[notebooks]"\
"""


def bring_package(notebook):
    """See to it that the first code cell installs the package where it is missing."""
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    if code and code[0] != INSTALL:
        cell = nbformat.v4.new_code_cell(INSTALL, metadata={"tags": ["remove-cell"]})
        at = next(i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code")
        notebook.cells.insert(at, cell)


def clean(notebook):
    """Keep only the metadata that the book uses."""
    bring_package(notebook)
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    )
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        kept = ("mystnb", "tags", "editable", "jupyter")
        cell.metadata = nbformat.from_dict({k: v for k, v in cell.metadata.items() if k in kept})
    return notebook


#: What a page says of its own run time, and what it may say: seconds, and how they are called.
SAID = re.compile(r"about ([^,.]+?) to run")
TIMES = {n: f"{n} seconds" for n in (5, 10, 15, 20, 30, 45)} | {
    60: "a minute", 120: "2 minutes", 300: "5 minutes", 600: "10 minutes",
}  # fmt: skip


def tell_time(notebook, seconds):
    """Write into a page how long it ran, unless what it says is right within a factor of two."""
    for cell in notebook.cells:
        said = SAID.search(cell.source) if cell.cell_type == "markdown" else None
        if said is None:
            continue
        told = next((n for n, name in TIMES.items() if name == said[1]), 0)
        if not told / 2 <= max(seconds, min(TIMES)) <= 2 * told:
            best = min(TIMES, key=lambda n: abs(n - seconds))
            cell.source = cell.source.replace(said[0], f"about {TIMES[best]} to run")
    return notebook


def wrong_solutions(notebook):
    """Return what the checks said to solutions that are not right."""
    return [
        text
        for cell in notebook.cells
        if cell.cell_type == "code" and 'check("' in cell.source and ", solution)" in cell.source
        for text in ["".join(output.get("text", "") for output in cell.outputs)]
        if not text.startswith("Right")
    ]


def refresh(path):
    """Run one notebook and write it back; not one whose exercises' solutions are wrong."""
    notebook, began = clean(nbformat.read(path, as_version=4)), time.monotonic()
    notebook = tell_time(clean(execute(notebook, path.parent)), time.monotonic() - began)
    if wrong := wrong_solutions(notebook):
        sys.exit(f"{path.name}: a solution is wrong: {' '.join(wrong)}")
    nbformat.write(notebook, path)


if __name__ == "__main__":
    print_what_can_be()
    chosen = [Path(name).resolve() for name in sys.argv[1:]]
    for notebook_path in chosen or sorted((ROOT / "book").glob("*.ipynb")):
        print(notebook_path.name, flush=True)
        refresh(notebook_path)
