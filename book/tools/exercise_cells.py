"""Write the exercises into the notebooks, from their one source in `a3c_tut.book.exercises`.

    .venv/bin/python book/tools/exercise_cells.py NOTEBOOK ...

Where an exercise stands on its page is told by a cell with the tag `exercise-NAME`; this replaces
all cells with that tag. A new exercise needs one such cell, whatever is in it. Cells whose source
stays as it is keep their outputs; the others have none until the notebook is run.
"""

import argparse
from pathlib import Path

import nbformat
from a3c_tut.book.exercises import find
from a3c_tut.book.exercises.exercise import SilentBug, Step, source_of
from a3c_tut.files import print_what_can_be
from nbformat.v4 import new_code_cell, new_markdown_cell

PREFIX = "exercise-"


def exercise_in(cell):
    """Return the name of the exercise that a cell belongs to, or None."""
    tags = cell.metadata.get("tags", [])
    return next((tag.removeprefix(PREFIX) for tag in tags if tag.startswith(PREFIX)), None)


def folded(tag, what):
    """Return the metadata of a cell that is folded, on the page and in Jupyter."""
    prompts = {"code_prompt_show": f"Show the {what}", "code_prompt_hide": f"Hide the {what}"}
    return {"tags": [tag, "hide-cell"], "mystnb": prompts, "jupyter": {"source_hidden": True}}


def cells_of(name, number):
    """Return the cells of one exercise: task, symptom, stub, solution and test, without outputs."""
    exercise = find(name)
    bug = issubclass(exercise, SilentBug)
    tag, mine = PREFIX + name, f"my_{name}"
    kind = "Step" if issubclass(exercise, Step) else "Exercise"
    title = f"{kind} {number}: {'a silent bug, ' if bug else ''}{exercise.title}"
    compared = "What else looks like it, and how to tell: {doc}`debugging`."
    found = f"\n\nFound in {exercise.found_in}. {compared}" if bug else ""
    where = "To answer it, {ref}`open this page in Jupyter <open-in-jupyter>`."
    task = f":::{{admonition}} {title}\n:class: note\n{exercise.task()}{found}\n\n{where}\n:::"
    cells = [new_markdown_cell(task, metadata={"tags": [tag]})]
    if bug:
        shown = {
            "figure": {
                "name": f"exp-symptom-{name.replace('_', '-')}",
                "caption": exercise.caption,
            },
            "image": {"alt": exercise.alt},
        }
        source = f'from a3c_tut.book.exercises import plot_symptom\n\nplot_symptom("{name}")'
        cells.append(new_code_cell(source, metadata={"tags": [tag], "mystnb": shown}))
    source = (
        "from a3c_tut.book.exercises import check\n\n\n"
        f'{source_of(exercise.stub, mine)}\n\n\nprint(check("{name}", {mine}))'
    )
    if issubclass(exercise, Step):  # the page's own import; and the later steps call this one
        source = f'{source_of(exercise.stub, mine)}\n\n\n{name} = keep("{name}", {mine})'
    cells.append(new_code_cell(source, metadata={"tags": [tag]}))
    source = f'{source_of(exercise.solution, "solution")}\n\n\nprint(check("{name}", solution))'
    cells.append(new_code_cell(source, metadata=folded(tag, "solution")))
    if bug:
        source = f"{source_of(exercise.test, f'test_{name}')}\n\n\ntest_{name}(solution)"
        cells.append(new_code_cell(source, metadata=folded(tag, "test that catches it")))
    return cells


def with_exercises(notebook):
    """Put the exercises of a notebook's tagged cells in their places, numbered as they stand."""
    outputs = {
        cell.source: (cell.outputs, cell.execution_count)
        for cell in notebook.cells
        if cell.cell_type == "code"
    }
    cells, seen = [], []
    for cell in notebook.cells:
        name = exercise_in(cell)
        if name is None:
            cells.append(cell)
        elif name not in seen:
            seen.append(name)
            cells += cells_of(name, len(seen))
    for cell in cells:
        if cell.cell_type == "code" and cell.source in outputs:
            cell.outputs, cell.execution_count = outputs[cell.source]
    notebook.cells = cells
    return notebook


if __name__ == "__main__":
    print_what_can_be()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("notebooks", nargs="+", type=Path, metavar="NOTEBOOK")
    for path in parser.parse_args().notebooks:
        notebook = nbformat.read(path, as_version=4)
        mine = sorted({exercise_in(cell) for cell in notebook.cells} - {None})
        nbformat.write(with_exercises(notebook), path)
        print(f"{path}: {', '.join(mine) or 'no cell has a tag exercise-NAME'}")
