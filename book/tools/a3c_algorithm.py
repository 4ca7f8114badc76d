"""The algorithm box and the picture of A3C, as a small Sphinx extension.

``{a3c-algorithm}`` puts the numbered lines of `a3c_tut.book.algorithm` into a page, each with its
equation, its function, the test that proves it, and the line of the program that does it.
``{a3c-diagram}`` puts in the picture of `a3c_tut.book.diagram`.
"""

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective


class AlgorithmDirective(SphinxDirective):
    """``{a3c-algorithm}``: the box."""

    def run(self):
        """Make a numbered list; whatever a line cannot find stops the build."""
        from a3c_tut.book.algorithm import ALGORITHM, program_line

        box = nodes.enumerated_list(classes=["a3c-algorithm"], enumtype="arabic", suffix=".")
        for line in ALGORITHM:
            item = nodes.list_item(classes=[f"a3c-depth-{line.depth}"])
            says = nodes.container(classes=["a3c-says"])
            self.parse(line.says, says)
            self.parse(self.reasons(line), says)
            try:
                code = program_line(line)
            except LookupError as error:
                raise self.error(f"{self.name}: {error}") from error
            item += [says, nodes.literal_block(code, code, language="python")]
            box += item
        return [box]

    def reasons(self, line):
        """Return equation, function and test as a sentence of links."""
        name = f"a3c_tut.{line.module}.{line.function}"
        equation = f"Equation {{eq}}`{line.equation}` · " if line.equation else ""
        test = line.proof.split("::", 1)[1].replace("::", ".")
        file = line.proof.split("::")[0].removeprefix("tests/")
        return f"{equation}{{py:func}}`{line.function} <{name}>` · {file}: `{test}`"

    def parse(self, text, node):
        """Parse a line of Markdown into a node."""
        self.state.nested_parse(StringList([text], self.get_location()), self.content_offset, node)


class DiagramDirective(SphinxDirective):
    """``{a3c-diagram}``: the picture."""

    def run(self):
        """Put the SVG into the page."""
        from a3c_tut.book.diagram import architecture_svg

        return [nodes.raw("", f'<div class="a3c-figure">{architecture_svg()}</div>', format="html")]


def setup(app):
    """Register everything with Sphinx."""
    app.add_directive("a3c-algorithm", AlgorithmDirective)
    app.add_directive("a3c-diagram", DiagramDirective)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
