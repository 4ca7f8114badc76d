"""How long every module and every function of the package is, in lines of code.

    python tests/code_size.py [FOLDER]        (default: a3c_tut)

Docstrings, comments and empty lines are not counted: they are what makes code short to read.
"""

import ast
import io
import sys
import tokenize
from pathlib import Path
from typing import NamedTuple

from a3c_tut.files import print_what_can_be

ROOT = Path(__file__).resolve().parents[1]
LONGEST_MODULE, LONGEST_FUNCTION = 500, 60
_FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
_NO_CODE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
            tokenize.ENDMARKER}  # fmt: skip


class Size(NamedTuple):
    """A module or a function, and how many lines of code it has, decorators included."""

    name: str
    lines: int
    longest: int


def code_lines(source, tree):
    """Return the numbers of the lines on which there is code."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    lines = {
        line
        for token in tokens
        if token.type not in _NO_CODE
        for line in range(token.start[0], token.end[0] + 1)
    }
    for node in ast.walk(tree):
        if (
            isinstance(node, _FUNCTION | ast.ClassDef | ast.Module)
            and ast.get_docstring(node, clean=False) is not None
        ):
            lines -= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return lines


def functions(body, name):
    """Yield all functions with their full names, those in classes and in functions too."""
    for node in body:
        inner = name
        if isinstance(node, _FUNCTION | ast.ClassDef):
            inner = f"{name}.{node.name}"
        if isinstance(node, _FUNCTION):
            yield inner, node
        yield from functions(ast.iter_child_nodes(node), inner)


def sizes_of(source, name):
    """Return the size of a module and of each of its functions."""
    tree = ast.parse(source)
    lines = code_lines(source, tree)
    found = [Size(name, len(lines), LONGEST_MODULE)]
    for function, node in functions(tree.body, name):
        first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
        own = lines.intersection(range(first, node.end_lineno + 1))
        found.append(Size(function, len(own), LONGEST_FUNCTION))
    return found


def sizes(folder):
    """Return the sizes of all modules and functions below a folder."""
    return [
        size
        for path in sorted(folder.rglob("*.py"))
        for size in sizes_of(
            path.read_text(encoding="utf-8"),
            ".".join(path.relative_to(folder.parent).with_suffix("").parts),
        )
    ]


def too_long(found):
    """Return those that are longer than they may be."""
    return [size for size in found if size.lines > size.longest]


def main(folder):
    """Print the modules, then the ten longest functions."""
    found = sizes(Path(folder).resolve())
    modules = [size for size in found if size.longest == LONGEST_MODULE]
    others = sorted((size for size in found if size not in modules), key=lambda s: -s.lines)
    for size in [*modules, *others[:10]]:
        print(f"{size.lines:6,}  {size.name}")
    print(f"{sum(size.lines for size in modules):6,}  in {len(modules)} modules")


if __name__ == "__main__":
    print_what_can_be()
    main(sys.argv[1] if len(sys.argv) > 1 else ROOT / "a3c_tut")
