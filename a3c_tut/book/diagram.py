"""The picture of A3C: workers, the lock, the shared tables, the schedule (Section 2).

Drawn as SVG that takes its colours from the page, so that it fits light and dark ones, and narrow
enough to be read on a telephone without being shrunk.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

#: The pushes that the picture shows, by worker.
_SCHEDULE = (0, 1, 2, 1, 0, 2, 2, 0, 1)
_WIDTH, _HEIGHT = 341, 478
_BOX, _GAP = 108, 8  # the width of a worker's box, and what is between two


def _text(x: float, y: float, words: str, kind: str = "", anchor: str = "middle") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}"{named}>{escape(words)}</text>'


def _box(x: float, y: float, width: float, height: float, kind: str, round_by: float = 6) -> str:
    return (f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{round_by:g}" '
            f'class="{kind}"/>')  # fmt: skip


def _arrow(x: float, y: float, to_y: float, kind: str) -> str:
    """Return an upright arrow: its line and its head."""
    head = 6 if to_y > y else -6
    neck = to_y - head
    return (
        f'<path class="{kind}" d="M{x:g} {y:g}V{neck:g}"/>'
        f'<path class="{kind} a3c-head" d="M{x - 4.5:g} {neck:g}h9l-4.5 {head:g}z"/>'
    )


def _table(x: float, y: float, columns: int, name: str, below: Sequence[str]) -> str:
    """Return a small table of five rows, its name above it and what it holds below."""
    width, height = 11.0 * columns, 45.0
    lines = "".join(f"M{x + 11 * i:g} {y:g}v{height:g}" for i in range(1, columns))
    lines += "".join(f"M{x:g} {y + 9 * i:g}h{width:g}" for i in range(1, 5))
    words = [
        _text(x + width / 2, y + height + 15 * (i + 1), w, "a3c-small")
        for i, w in enumerate(below)
    ]  # fmt: skip
    return "".join([
        _text(x + width / 2, y - 6, name, "a3c-strong"),
        _box(x, y, width, height, "a3c-cellbox", 1),
        f'<path class="a3c-thin" d="{lines}"/>',
        *words,
    ])  # fmt: skip


def _worker(number: int) -> str:
    left = number * (_BOX + _GAP) + 0.5
    middle = left + _BOX / 2
    steps = ("its own world", "its copy θ′, w′", "act n steps", "judge: A", "derive: ∇θ, ∇w")
    holds = " a3c-holds" if number == 1 else ""
    return "".join([
        _box(left, 2, _BOX, 134, f"a3c-box{holds}"),
        f'<path class="a3c-worker-{number} a3c-header" '
        f'd="M{left:g} 28V8q0-6 6-6h{_BOX - 12}q6 0 6 6V28z"/>',
        _text(middle, 20, f"worker {number}", "a3c-on-colour"),
        *(_text(middle, 47 + 19 * i, words) for i, words in enumerate(steps)),
        _arrow(middle - 20, 138, 182, f"a3c-arrow{holds}"),
        _arrow(middle + 20, 182, 138, f"a3c-arrow{holds}"),
        _text(middle - 25, 165, "push", "a3c-small", "end"),
        _text(middle + 25, 165, "sync", "a3c-small", "start"),
    ])  # fmt: skip


def architecture_svg() -> str:
    """Return the picture as SVG, with a title and a description for those who hear the page.

    Returns
    -------
    str
        For the middle of an HTML page; its style is in `book/static/a3c.css`.

    Examples
    --------
    >>> svg = architecture_svg()
    >>> svg[:37], svg.count("<title"), svg.count("<desc")
    ('<svg viewBox="0 0 341 478" role="img"', 1, 1)
    """
    described = (
        "Three boxes side by side, worker 0 to worker 2. Each holds the worker's own world, its "
        "own copy of the parameters, and what it does by itself: act n steps, judge them by "
        "their advantages, derive the gradients. Below them a bar, the lock: one push at a time. "
        "From each worker an arrow, push, leads down through the lock, and an arrow, sync, leads "
        "back up. Below the lock, shared memory with four things: theta, a table of logits, states "
        "by actions; w, the values of the states; m, the optimizer's mean squares; and the count "
        "of steps. At the bottom a row of numbers, the order in which the workers pushed: the "
        "schedule, from which replay computes the same run again, bit for bit."
    )
    squares = "".join(
        f'<g class="a3c-worker-{worker}">{_box(6 + 30 * i, 422, 24, 24, "a3c-square", 3)}'
        f"{_text(18 + 30 * i, 439, str(worker), 'a3c-on-colour')}</g>"
        for i, worker in enumerate(_SCHEDULE)
    )
    parts = [
        *(_worker(number) for number in range(3)),
        _box(0.5, 184, _WIDTH - 1, 30, "a3c-lock", 15),
        _text(_WIDTH / 2, 204, "one lock: one push at a time", "a3c-strong"),
        _arrow(_WIDTH / 2 - 20, 216, 244, "a3c-arrow a3c-holds"),
        _arrow(_WIDTH / 2 + 20, 244, 216, "a3c-arrow a3c-holds"),
        _box(0.5, 246, _WIDTH - 1, 136, "a3c-box"),
        _text(_WIDTH / 2, 264, "shared memory", "a3c-strong"),
        _table(22, 290, 4, "θ", ("logits, S × A",)),
        _table(118, 290, 1, "w", ("values, S",)),
        _table(181, 290, 5, "m", ("mean squares", "of RMSprop")),
        _text(294, 284, "steps", "a3c-strong"),
        _box(270, 290, 49, 26, "a3c-cellbox", 1),
        _text(294.5, 308, "60,000", "a3c-small"),
        _text(294.5, 350, "so far, of all", "a3c-small"),
        _text(0, 412, "the order of the pushes is the schedule:", "a3c-strong", "start"),
        squares,
        _text(280, 439, "…", "", "start"),
        _text(0, 470, "replay it, and get the same run to the last bit", "", "start"),
    ]
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" class="a3c-diagram" '
        'aria-labelledby="a3c-diagram-title a3c-diagram-words">'
        '<title id="a3c-diagram-title">How the parts of A3C work together</title>'
        f'<desc id="a3c-diagram-words">{escape(described)}</desc>{"".join(parts)}</svg>'
    )
