"""What the live element in which readers draw a world needs of Python.

The page makes its worlds itself, with a twin of `grid_world`, and trains in them as in `book.live`;
here are the maps to begin with, the defaults, and what stands there for readers without scripts.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from a3c_tut import A3CConfig, grid_world, train
from a3c_tut.book.live import Fallback
from a3c_tut.exact import greedy_path
from a3c_tut.figures import plot_policy_map, reference_returns

#: The largest map: on a telephone its cells are as small as a finger can tell apart.
MOST_ROWS, MOST_COLUMNS = 10, 12


class Drawn(NamedTuple):
    """A map to begin with.

    Attributes
    ----------
    name : str
    lines : tuple of str
        As `grid_world` reads them.

    Examples
    --------
    >>> DRAWN[0].name, len(DRAWN[0].lines)
    ('a narrow gap', 6)
    """

    name: str
    lines: tuple[str, ...]


#: The maps that the element offers; the first is shown first.
DRAWN = (
    Drawn(
        "a narrow gap",
        (
            ".........",
            ".###.###.",
            ".#.....#.",
            ".#.CCC.#.",
            "S...C...G",
            "CCC...CCC",
        ),
    ),
    Drawn("the cliff-world", ("............",) * 3 + ("SCCCCCCCCCCG",)),
    Drawn(
        "two rooms",
        (
            "S...#....",
            "....#....",
            ".........",
            "....#....",
            "....#...G",
        ),
    ),
    Drawn("an empty floor", (".........",) * 4 + ("S.......G",)),
)


def drawing_data(total_steps: int = 60_000, seed: int = 0) -> dict[str, Any]:
    """Return all that the element is told, for JSON.

    Parameters
    ----------
    total_steps : int from 1
        What the controls stand at in the beginning.
    seed : int

    Examples
    --------
    >>> data = drawing_data()
    >>> data["total_steps"], data["maps"][1]["lines"][3]
    (60000, 'SCCCCCCCCCCG')
    """
    return {
        "maps": [drawn._asdict() for drawn in DRAWN],
        "most_rows": MOST_ROWS,
        "most_columns": MOST_COLUMNS,
        "config": A3CConfig().as_dict(),
        "total_steps": total_steps,
        "seed": seed,
    }


def fallback(total_steps: int = 60_000, seed: int = 0) -> Fallback:
    """Return the picture and the sentence that stand in the element's place without scripts.

    Parameters
    ----------
    total_steps, seed : as the element begins

    Examples
    --------
    >>> fallback().sentence.split(":")[0]
    'With JavaScript, you can draw a world here, walk through it and let the workers learn it'
    """
    world = grid_world(DRAWN[0].lines)
    result = train(world, total_steps=total_steps, seed=seed)
    path = greedy_path(world, result.policy)
    best, way = (f"{value:g}".replace("-", "−") for value in (
        reference_returns(world)["optimum"], path.total_return))  # fmt: skip
    steps = f"{len(path.states) - 1} steps" if path.terminated else "no way to the goal"
    rows, columns = len(DRAWN[0].lines), len(DRAWN[0].lines[0])
    return Fallback(
        plot_policy_map(result),
        f"A map of {rows} rows and {columns} columns with walls and two cliffs between start and "
        f"goal, after {result.config.num_workers} workers have learned on it for "
        f"{result.steps:,} steps: the more probable actions have the stronger colour, and a line "
        f"follows them, {steps}.",
        "With JavaScript, you can draw a world here, walk through it and let the workers learn it: "
        f"shown is the map to begin with, where the way that was learned returns {way} and the "
        f"best possible is {best}.",
    )
