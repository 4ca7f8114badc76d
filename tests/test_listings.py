"""Kernels as the pages list them: the signature, then the whole body, and nothing else."""

import ast
import re
import textwrap
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
LISTING = re.compile(
    r"```\{literalinclude\} \.\./(?P<file>\S+)\n(?P<options>(?::.*\n)*?)```", re.MULTILINE
)


def options_of(text):
    return dict(re.findall(r"^:([\w-]+): *(.*)$", text, re.MULTILINE))


def kernel_listings():
    """Every listing of a whole kernel: page, name, source as shown, its highlighted lines."""
    for path in sorted((ROOT / "book").glob("*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        for found in LISTING.finditer("\n".join(c.source for c in cells)):
            options = options_of(found["options"])
            if found["file"] != "a3c_tut/engine/kernels.py":
                continue
            source = (ROOT / found["file"]).read_text(encoding="utf-8").splitlines()
            name = options["pyobject"]
            node = next(n for n in ast.parse("\n".join(source)).body
                        if getattr(n, "name", None) == name)  # fmt: skip
            whole = source[node.decorator_list[0].lineno - 1 : node.end_lineno]
            ranges = [part.strip().split("-") for part in options["lines"].split(",")]
            shown = [
                line
                for part in ranges
                for line in whole[int(part[0]) - 1 : int(part[-1]) if part[-1] else None]
            ]
            yield path.stem, name, shown, options.get("emphasize-lines"), node


LISTINGS = list(kernel_listings())


def test_pages_list_kernels():
    assert {name for _, name, *_ in LISTINGS} == {
        "collect_rollout", "compute_n_step_advantages", "accumulate_gradients",
    }  # fmt: skip
    assert len(LISTINGS) == 3, "each is listed once"


@pytest.mark.parametrize("page, name, shown, lines, node", LISTINGS, ids=lambda v: str(v)[:20])
def test_a_listing_is_the_kernel_without_its_docstring(page, name, shown, lines, node):
    seen = ast.parse(textwrap.dedent("\n".join(shown))).body[0]
    node.body, node.decorator_list = node.body[1:], []
    assert ast.dump(seen) == ast.dump(node)


def test_highlighted_lines_are_those_that_add():
    ((shown, lines),) = [(shown, lines) for _, _, shown, lines, _ in LISTINGS if lines]
    first, last = map(int, lines.split("-"))
    marked = "\n".join(shown[first - 1 : last])
    assert marked.lstrip().startswith("gradient.theta[row, b] -=")
    assert marked.endswith("gradient.V[row] += advantage")
