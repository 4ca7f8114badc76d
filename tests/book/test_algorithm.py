"""The algorithm box says what the program does, and the picture of A3C can be read."""

import ast
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from a3c_tut.book import algorithm
from a3c_tut.book.algorithm import ALGORITHM, program_line
from a3c_tut.book.diagram import architecture_svg

ROOT = Path(__file__).resolve().parents[2]
SVG = "{http://www.w3.org/2000/svg}"


def names_in(path):
    """The names of all tests of a file, those of classes behind the class's name."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}::{x.name}" for x in node.body if isinstance(x, ast.FunctionDef)}
    return names


@pytest.mark.parametrize("line", ALGORITHM, ids=range(1, len(ALGORITHM) + 1))
class TestLines:
    def test_is_proved_by_a_test_that_exists(self, line):
        file, name = line.proof.split("::", 1)
        assert name.split("::")[-1].startswith("test_")
        assert name in names_in(ROOT / file)

    def test_is_a_statement_of_the_program(self, line):
        """Line by line in the module's text, whatever its indentation."""
        source = (ROOT / "a3c_tut" / (line.module.replace(".", "/") + ".py")).read_text("utf-8")
        lines = {text.split("  # ")[0].strip() for text in source.splitlines()}
        said = program_line(line)
        assert said.strip()
        assert {text.strip() for text in said.splitlines()} <= lines

    def test_a_program_that_does_something_else_is_noticed(self, line):
        with pytest.raises(LookupError, match="0 different statements"):
            program_line(line._replace(key="nothing of this kind"))


def test_three_lines_are_the_three_equations():
    labels = [line.equation for line in ALGORITHM if line.equation]
    assert list(dict.fromkeys(labels)) == [
        "eq-advantage",
        "eq-policy-gradient",
        "eq-value-gradient",
    ]


def test_the_push_is_where_the_page_says():
    """Section 2 speaks of lines 12 to 17."""
    lines = [program_line(line) for line in ALGORITHM]
    assert "acquire(" in lines[11]
    assert lines[16] == "release(lock)"
    assert len(lines) == 17
    text = (ROOT / "book" / "theory.md").read_text(encoding="utf-8")
    assert "Lines 13 to 16 are the push: between line 12 and line 17" in text


def test_what_is_looked_up_is_the_source_of_today(tmp_path, monkeypatch):
    """A renamed variable shows in the box at the next build."""
    changed = tmp_path / "kernels.py"
    source = (ROOT / "a3c_tut" / "engine" / "kernels.py").read_text(encoding="utf-8")
    changed.write_text(source.replace("gradient.V[row] += advantage", "gradient.V[row] += A"))

    class Spec:
        origin = str(changed)

    monkeypatch.setattr(algorithm, "find_spec", lambda name: Spec)
    algorithm._statements.cache_clear()
    try:
        line = ALGORITHM[9]._replace(key="gradient.V[row] +=")
        assert program_line(line) == "gradient.V[row] += A"
    finally:
        algorithm._statements.cache_clear()


class TestPicture:
    @pytest.fixture
    def svg(self):
        text = architecture_svg().replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
        return ElementTree.fromstring(text)

    def test_can_be_heard(self, svg):
        assert svg.get("role") == "img"
        named = svg.get("aria-labelledby").split()
        found = {part.get("id"): part.text for part in svg if part.get("id")}
        assert list(found) == named
        words = " ".join(found.values())
        for part in ("worker", "lock", "push", "sync", "shared memory", "theta", "schedule"):
            assert part in words

    def test_everything_is_inside(self, svg):
        width, height = map(float, svg.get("viewBox").split()[2:])
        for box in svg.iter(f"{SVG}rect"):
            x, y, w, h = (float(box.get(name)) for name in ("x", "y", "width", "height"))
            assert x >= 0
            assert y >= 0
            assert x + w <= width
            assert y + h <= height

    def test_colours_come_from_the_page(self, svg):
        """None is written into the picture: the style sheet has one set for each mode."""
        for part in svg.iter():
            assert not {"fill", "stroke", "style"} & set(part.attrib)

    def test_every_class_has_a_style(self, svg):
        style = (ROOT / "book" / "static" / "a3c.css").read_text(encoding="utf-8")
        used = {name for part in svg.iter() for name in part.get("class", "").split()}
        assert {name for name in used if not re.search(rf"\.{name}\b", style)} == set()
