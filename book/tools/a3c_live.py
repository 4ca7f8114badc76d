"""Live elements for pages, as a small Sphinx extension.

    ```{a3c-live}
    :worlds: cliff corridor
    :config: num_workers=4, entropy_coef=0.05
    ```

puts the live lab into a page, ``{a3c-stepper}`` the asynchrony stepper, ``{a3c-pushes}`` the
workers of the first page, ``{a3c-balance}`` cart-pole and pendulum, and ``{a3c-draw}`` a world that
readers draw. Scripts and style sheets are loaded by the pages that hold one of them, and by no
other.
"""

import ast
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

logger = logging.getLogger(__name__)

SCRIPTS = (
    "random", "portable", "kernels", "log", "buffers", "turn", "networks", "motion", "network",
    "network_turn", "training", "worker", "worlds", "draw", "live", "stepper", "pushes", "balance",
    "drawing", "start",
)  # fmt: skip
RECORDED = "book/static/live/recorded_run.json"
MARK = 'data-a3c="'  # what every live element has in its HTML


class live_element(nodes.General, nodes.Element):  # noqa: N801 - docutils names node classes like tags
    """A live element: its HTML is made when the page is written."""


def settings(text):
    """Read ``num_workers=4, entropy_coef=0.05`` as a dictionary of literal values."""
    call = ast.parse(f"f({text})", mode="eval").body
    return {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}


class LiveDirective(SphinxDirective):
    """``{a3c-live}``: the live lab."""

    kind = "live"
    option_spec = {  # noqa: RUF012 - docutils wants it so
        "worlds": lambda text: text.replace(",", " ").split(),
        "config": settings,
        "steps": directives.positive_int,
        "seed": directives.nonnegative_int,
        "seeds": directives.positive_int,
    }

    def run(self):
        """Make the node; everything that can be wrong is noticed here."""
        from a3c_tut.book.live import live_data
        from a3c_tut.config import A3CConfig

        recorded = Path(self.env.srcdir, RECORDED)
        self.env.note_dependency(str(recorded))
        options = self.options
        asked = {
            "config": options.get("config", {}),
            "total_steps": options.get("steps", 60_000),
            "seed": options.get("seed", 0),
        }
        worlds = options.get("worlds", ["cliff", "sparse-grid", "corridor"])
        if self.kind != "live":
            worlds = worlds[:1]
        try:
            data = live_data(
                worlds,
                A3CConfig(**asked["config"]),
                asked["total_steps"],
                asked["seed"],
                options.get("seeds", 30),
                None if self.kind == "pushes" else recorded_run(recorded),
            )
        except (ValueError, TypeError) as error:
            raise self.error(f"{self.name}: {error}") from error
        node = live_element(kind=self.kind, data=data, asked=asked, world=worlds[0])
        self.set_source_info(node)
        return [node]


class StepperDirective(LiveDirective):
    """``{a3c-stepper}``: the asynchrony stepper."""

    kind = "stepper"


class PushesDirective(LiveDirective):
    """``{a3c-pushes}``: the workers of the first page."""

    kind = "pushes"


class BalanceDirective(SphinxDirective):
    """``{a3c-balance}``: cart-pole and pendulum, learning live."""

    option_spec = {  # noqa: RUF012 - docutils wants it so
        "worlds": lambda text: text.replace(",", " ").split(),
        "config": settings,
        "seed": directives.nonnegative_int,
    }

    def run(self):
        """Make the node; everything that can be wrong is noticed here."""
        from a3c_tut.book.balance import WORLD_KEYS, balance_data

        worlds = self.options.get("worlds", WORLD_KEYS)
        asked = {"seed": self.options.get("seed", 0), **self.options.get("config", {})}
        try:
            data = balance_data(worlds, **asked)
        except (ValueError, TypeError) as error:
            raise self.error(f"{self.name}: {error}") from error
        node = live_element(kind="balance", data=data, asked=asked, world=worlds[0])
        self.set_source_info(node)
        return [node]


class DrawDirective(SphinxDirective):
    """``{a3c-draw}``: a world that the reader draws."""

    option_spec = {  # noqa: RUF012 - docutils wants it so
        "steps": directives.positive_int,
        "seed": directives.nonnegative_int,
    }

    def run(self):
        """Make the node."""
        from a3c_tut.book.drawing import drawing_data

        asked = {
            "total_steps": self.options.get("steps", 60_000),
            "seed": self.options.get("seed", 0),
        }
        node = live_element(kind="draw", data=drawing_data(**asked), asked=asked, world="drawn")
        self.set_source_info(node)
        return [node]


def recorded_run(path, _cache={}):  # noqa: B006 - read once per build
    """The recorded run as the pages hold it, or None where there is none."""
    if path not in _cache:
        if not path.exists():
            return None
        from a3c_tut.book.live import load_recorded

        _cache[path] = load_recorded(path) | {"path": RECORDED}
    return _cache[path]


def visit_html(translator, node):
    """Write the element, and beside the scripts the picture that stands in for it."""
    from a3c_tut.book.live import live_html
    from sphinx.util.osutil import relative_uri

    name, standin = picture(translator.builder, node)
    page = translator.builder.get_target_uri(translator.builder.current_docname)
    address = relative_uri(page, f"_images/{name}")
    translator.body.append(
        live_html(node["kind"], node["data"], address, standin.alt, standin.sentence)
    )
    raise nodes.SkipNode


def picture(builder, node, _cache={}):  # noqa: B006 - drawn once per build
    """The name of the picture and what stands in for the element; drawn when it is missing."""
    from hashlib import sha256

    from a3c_tut.figures import save_figure

    asked = node["asked"]
    key = sha256(repr((node["kind"], node["world"], sorted(asked.items()))).encode()).hexdigest()
    name = f"a3c-{node['kind']}-{key[:10]}.png"
    if name not in _cache:
        _cache[name] = stand_in(node["kind"], node["world"], asked)
    target = Path(builder.outdir, "_images", name)
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target, "wb") as file:
            save_figure(_cache[name].figure, file, "png")
    return name, _cache[name]


def stand_in(kind, world, asked):
    """What stands in for an element, drawn."""
    if kind == "balance":
        from a3c_tut.book.balance import fallback

        return fallback(world, **asked)
    if kind == "draw":
        from a3c_tut.book.drawing import fallback

        return fallback(**asked)
    from a3c_tut.book.live import fallback
    from a3c_tut.config import A3CConfig

    config = A3CConfig(**asked["config"])
    return fallback(kind, world, config, asked["total_steps"], asked["seed"])


def visit_other(translator, node):
    """Formats without scripts get the sentence."""
    translator.body.append("(A live element: see the book in a browser.)")
    raise nodes.SkipNode


def add_scripts(app, pagename, templatename, context, doctree):
    """Load scripts and style sheet where the page holds a live element."""
    if MARK in context.get("body", ""):
        app.add_css_file("live/live.css")
        app.add_css_file("live/balance.css")
        app.add_css_file("live/drawing.css")
        for name in SCRIPTS:
            app.add_js_file(f"live/{name}.js", defer="defer")


def setup(app):
    """Register everything with Sphinx."""
    other = (visit_other, None)
    app.add_node(live_element, html=(visit_html, None), latex=other, text=other)
    app.add_directive("a3c-live", LiveDirective)
    app.add_directive("a3c-stepper", StepperDirective)
    app.add_directive("a3c-pushes", PushesDirective)
    app.add_directive("a3c-balance", BalanceDirective)
    app.add_directive("a3c-draw", DrawDirective)
    app.connect("html-page-context", add_scripts)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
