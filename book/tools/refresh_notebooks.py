"""Run the book's notebooks and store their outputs.

    python book/tools/refresh_notebooks.py [NOTEBOOK ...]      (default: all)

Running twice gives the same bytes: no timings, no versions, no state of widgets is kept.
"""

import os
import sys
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


def clean(notebook):
    """Keep only the metadata that the book uses."""
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    )
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        kept = ("mystnb", "tags", "editable", "jupyter")
        cell.metadata = nbformat.from_dict({k: v for k, v in cell.metadata.items() if k in kept})
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
    notebook = clean(execute(clean(nbformat.read(path, as_version=4)), path.parent))
    if wrong := wrong_solutions(notebook):
        sys.exit(f"{path.name}: a solution is wrong: {' '.join(wrong)}")
    nbformat.write(notebook, path)


if __name__ == "__main__":
    print_what_can_be()
    chosen = [Path(name).resolve() for name in sys.argv[1:]]
    for notebook_path in chosen or sorted((ROOT / "book").glob("*.ipynb")):
        print(notebook_path.name, flush=True)
        refresh(notebook_path)
