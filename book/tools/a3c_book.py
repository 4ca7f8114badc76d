"""What this book needs beyond Jupyter Book, as a small Sphinx extension.

Experiments
    Figures 1 and 2 are the only figures that take a number as a *figure*. Any figure whose
    name starts with ``exp-`` (a cell's ``mystnb.figure.name``, a ``{glue:figure}``, a
    ``{figure}``) is numbered and captioned "Experiment N" instead, and ``{numref}`` says so.

Numbers
    "95 %" and "n = 5" are never parted at the end of a line.

Repository
    Buttons that need the repository's address appear when ``repository.url`` is set.

Size
    sphinx-mathjax-offline copies 24 MB into the site, of which pages can reach a fifth.
"""

import re
import shutil
from pathlib import Path

from docutils import nodes
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform

EXPERIMENT_PREFIX = "exp-"

# What the site's MathJax can load: fonts, TeX extensions, and the reader's own choices in
# its context menu (speech for screen readers, the collapsible explorer).
MATHJAX_KEEP = {"tex-chtml.js", "a11y", "input", "output", "sre", "ui"}


class experiment(nodes.figure):  # noqa: N801 - docutils names node classes like tags
    """A figure that is numbered "Experiment N"."""


class RetypeExperiments(SphinxTransform):
    """Turn figures named ``exp-…`` into experiments, before labels are collected."""

    default_priority = 500

    def apply(self, **kwargs):
        """Change the class in place: everything else about the figure stays."""
        for figure in self.document.findall(nodes.figure):
            if any(name.startswith(EXPERIMENT_PREFIX) for name in figure["names"]):
                figure.__class__ = experiment
                figure.tagname = "experiment"


def visit_experiment(translator, node):
    """Render as a figure, with a class for the style sheet."""
    node["classes"].append("a3c-experiment")
    translator.visit_figure(node)


def depart_experiment(translator, node):
    """Render as a figure."""
    translator.depart_figure(node)


# The spaces of "95 %" and of "n = 5"; the number may stand in a node of its own.
PARTED = re.compile(
    r"(?:(?<=\d)|^) (?=%)|(?<=\b[nNTαβγε]) (?=[=≈] )|(?<=\b[nNTαβγε] [=≈]) (?=[−\d]|$)"
)
# Code, examples and formulas: a reader copies them, and a program reads them.
AS_WRITTEN = (nodes.FixedTextElement, nodes.literal, nodes.math)


def keep_together(text):
    """Return a text with those spaces made unbreakable."""
    return PARTED.sub("\N{NO-BREAK SPACE}", text)


class KeepTogether(SphinxPostTransform):
    """Do so in all that is prose."""

    default_priority = 900  # after numbers have been pasted in

    def run(self, **kwargs):
        """Look at every text but code and formulas."""
        for text in list(self.document.findall(nodes.Text)):
            if not isinstance(text.parent, AS_WRITTEN) and (kept := keep_together(text)) != text:
                text.parent.replace(text, nodes.Text(kept))


def set_theme_options(app, config):
    """Complete what Jupyter Book made of _config.yml.

    (Options given under ``sphinx.config`` there would replace all of them.)
    """
    options = config.html_theme_options
    options.update(
        search_bar_text="Search this book",
        navbar_persistent=[],
        show_toc_level=2,
        use_fullscreen_button=False,
        pygments_light_style="a11y-high-contrast-light",
        pygments_dark_style="a11y-high-contrast-dark",
    )
    if options.get("repository_url"):
        options.update(use_repository_button=True, use_issues_button=True)
    else:  # nothing may point at a repository whose address is not known
        for key in ("repository_url", "launch_buttons"):
            options.pop(key, None)


def trim_mathjax(app, exception):
    """Drop the parts of MathJax that no page of this site can ask for."""
    mathjax = Path(app.outdir, "_static", "mathjax")
    if exception is None and mathjax.is_dir():
        for part in mathjax.iterdir():
            if part.name not in MATHJAX_KEEP:
                shutil.rmtree(part) if part.is_dir() else part.unlink()


def setup(app):
    """Register everything with Sphinx."""
    figure_visitors = (visit_experiment, depart_experiment)
    app.add_enumerable_node(
        experiment, "experiment", html=figure_visitors, latex=figure_visitors, text=figure_visitors
    )
    app.add_transform(RetypeExperiments)
    app.add_post_transform(KeepTogether)
    app.connect("config-inited", set_theme_options)
    app.connect("build-finished", trim_mathjax, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
