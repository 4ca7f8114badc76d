"""The page of notation lists every symbol that a formula of the book uses."""

import re
from pathlib import Path

import nbformat
import pytest

BOOK = Path(__file__).resolve().parents[1] / "book"
PAGES = sorted([*BOOK.glob("*.ipynb"), *BOOK.glob("*.md")])

#: Macros that set something, and mean nothing.
LAYOUT = {
    r"\begin", r"\end", r"\left", r"\right", r"\bigl", r"\bigr", r"\Bigl", r"\Bigr", r"\quad",
    r"\qquad", r"\frac", r"\tfrac", r"\mathbb", r"\dots", r"\cdot", r"\mid", r"\ge", r"\le",
    r"\approx", r"\leftarrow", r"\sqrt",
}  # fmt: skip
FORMULA = re.compile(r"\$\$(.*?)\$\$|(?<!\$)\$(?!\$)([^$\n]+?)\$", re.DOTALL)


def prose(path):
    """Return what is not code of a page."""
    if path.suffix == ".md":
        text = path.read_text(encoding="utf-8")
    else:
        cells = nbformat.read(path, as_version=4).cells
        text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return re.sub(r"`[^`\n]*`", "", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def symbols(text):
    """Return the letters and macros of all formulas in a text, words and layout left out."""
    found = set()
    for match in FORMULA.finditer(text):
        formula = re.sub(r"\\(text|mathrm|begin|end)\{[^}]*\}", "", match[1] or match[2])
        found |= set(re.findall(r"\\[a-zA-Z]+|[^\W\d_]", formula))
    return found - LAYOUT


LISTED = symbols((BOOK / "notation.md").read_text(encoding="utf-8").split("## Words")[0])


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_every_symbol_is_listed(path):
    assert symbols(prose(path)) - LISTED == set()


def test_no_symbol_stands_in_two_rows():
    """One meaning each: what begins a row begins no other."""
    page = (BOOK / "notation.md").read_text(encoding="utf-8")
    first = [row.split("|")[1].strip() for row in page.splitlines() if row.startswith("| $")]
    assert len(first) > 30
    assert len(set(first)) == len(first)


def test_unlisted_symbols_are_seen():
    text = r"With $\zeta_t = \text{odd}$ and $$\begin{aligned} q &= \frac12 \end{aligned}$$"
    assert symbols(text) == {r"\zeta", "t", "q"}
    assert {r"\zeta", "q"} - LISTED == {r"\zeta", "q"}
