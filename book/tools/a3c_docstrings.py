"""Lets the API pages show docstrings as they are written, as a small Sphinx extension.

The docstrings follow NumPy's sections, but their text is Markdown, as Gymnasium's is: `code` in
single backticks, tables with bars, `##` headings. Sphinx expects reStructuredText; here the one is
turned into the other, line by line.
"""

import re

CODE = re.compile(r"(?<![`:\w])`([^`]+)`(?![`_])")
SPLIT_CELLS = re.compile(r"(?<!\\)\|")
HEADING = re.compile(r"#{2,}\s+(.*)")


def inline(text):
    """Turn `code` into ``code``, and protect bars, which would be substitutions."""
    parts = re.split(r"(``[^`]+``)", CODE.sub(r"``\1``", text))
    return "".join(
        part if part.startswith("``") else re.sub(r"(?<!\\)\|", r"\\|", part) for part in parts
    )


def is_underline(line):
    """Whether a line is the underline of a section, such as "Parameters"."""
    return re.fullmatch(r"\s*-{3,}\s*", line) is not None


def table(rows, indent):
    """Turn the lines of a Markdown table into a list table."""
    made = ["", f"{indent}.. list-table::", f"{indent}   :header-rows: 1", ""]
    for row in rows:
        cells = [cell.strip() for cell in SPLIT_CELLS.split(row.strip().strip("|"))]
        if all(re.fullmatch(r":?-+:?", cell) for cell in cells):
            continue
        for number, cell in enumerate(cells):
            made.append(f"{indent}   {'  ' if number else '* '}- {inline(cell)}")
    return [*made, ""]


def to_rst(lines):
    """Turn the lines of a docstring into reStructuredText; examples stay as they are."""
    made, rows, in_example = [], [], False
    for line in [*lines, ""]:
        text = line.strip()
        if rows and not text.startswith("|"):
            made += table(rows, rows[0][: len(rows[0]) - len(rows[0].lstrip())])
            rows = []
        in_example = bool(text) and (in_example or text.startswith(">>>"))
        if in_example or is_underline(line):
            made.append(line)
        elif text.startswith("|") and text.endswith("|") and text.count("|") > 2:
            rows.append(line)
        elif heading := HEADING.fullmatch(text):
            made += ["", f".. rubric:: {heading.group(1)}", ""]
        else:
            made.append(inline(line))
    return made


def process(app, what, name, obj, options, lines):
    """Turn a docstring before napoleon reads it."""
    lines[:] = to_rst(lines)
    if what in ("attribute", "data", "property"):
        # An escaped line break, that is nothing: napoleon takes what stands before the first
        # line's colon for the type.
        lines.insert(0, "\\")


def skip(app, what, name, obj, skipped, options):
    """Leave out what has nothing to say: the fields of named tuples are in the docstring."""
    return True if (getattr(obj, "__doc__", "") or "").startswith("Alias for field") else None


def setup(app):
    """Register with Sphinx, before napoleon."""
    app.connect("autodoc-process-docstring", process, priority=400)
    app.connect("autodoc-skip-member", skip)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
