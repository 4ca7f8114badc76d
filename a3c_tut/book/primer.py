"""The pictures of the primer: a world's cells with a number in each, and numbers per action."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from a3c_tut.figures import BLUE, ORANGE, VERMILION, WIDTH, new_figure
from a3c_tut.worlds import TableWorld

_COLORS = (BLUE, ORANGE, VERMILION)


def plot_cells(
    world: TableWorld, numbers: Mapping[int, float] | ArrayLike, walk: Sequence[int] = ()
) -> Any:
    """Draw a world of cells from above, with numbers in them and a walk through them.

    Parameters
    ----------
    world : TableWorld
        With a `grid_shape`.
    numbers : mapping of a state to its number, or (S,) numbers
        Written into the cells as whole numbers, and shown as shades; not where a cliff is.
    walk : sequence of states, optional
        Joined by a line.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        For a world that is no grid.

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> figure = plot_cells(cliff_world(), {36: -17, 24: -16}, walk=[36, 24])
    >>> [text.get_text() for text in figure.axes[0].texts][:3]
    ['−17', '−16', 'S']
    """
    if world.grid_shape is None:
        raise ValueError(f"{world!r} has no grid_shape; allowed: a world that is a grid")
    rows, columns = world.grid_shape
    given = dict(numbers if isinstance(numbers, Mapping) else enumerate(np.asarray(numbers)))
    cliff = [state for state, mark in world.marks.items() if mark == "C"]
    given = {state: number for state, number in given.items() if state not in cliff}
    shades = np.full(world.num_states, np.nan)
    shades[list(given)] = list(given.values())
    figure = new_figure(WIDTH, WIDTH * rows / columns + 0.1)
    axes = figure.subplots()
    axes.imshow(shades.reshape(rows, columns), cmap="Blues_r", alpha=0.55)
    for state in cliff:
        axes.fill_between([state % columns - 0.5, state % columns + 0.5], state // columns - 0.5,
                          state // columns + 0.5, color="0.8")  # fmt: skip
    axes.set_xticks(np.arange(columns + 1) - 0.5, [""] * (columns + 1))
    axes.set_yticks(np.arange(rows + 1) - 0.5, [""] * (rows + 1))
    axes.tick_params(length=0)
    axes.grid(color="0.7", linewidth=0.6)
    if walk:
        axes.plot([s % columns for s in walk], [s // columns for s in walk], color=ORANGE,
                  linewidth=7, alpha=0.45, solid_capstyle="round")  # fmt: skip
    for state, number in given.items():
        axes.text(state % columns, state // columns, f"{number:.0f}".replace("-", "−"),
                  ha="center", va="center", fontsize=9)  # fmt: skip
    for state, mark in world.marks.items():
        axes.text(state % columns - 0.45, state // columns - 0.42, mark, ha="left", va="top",
                  fontsize=7, fontweight="bold")  # fmt: skip
    return figure


def plot_actions(world: TableWorld, series: Mapping[str, ArrayLike], ylabel: str) -> Any:
    """Draw a bar per action, and beside it another one for each further series.

    Parameters
    ----------
    world : TableWorld
    series : mapping of a name to (A,) numbers
    ylabel : str

    Returns
    -------
    Figure

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> figure = plot_actions(cliff_world(), {"Q": [1, 2, 3, 4]}, "points")
    >>> [label.get_text() for label in figure.axes[0].get_xticklabels()]
    ['up', 'right', 'down', 'left']
    """
    figure = new_figure(WIDTH, 1.6)
    axes = figure.subplots()
    width = 0.8 / len(series)
    for k, ((name, numbers), color) in enumerate(zip(series.items(), _COLORS, strict=False)):
        places = np.arange(world.num_actions) + (k - (len(series) - 1) / 2) * width
        axes.bar(places, np.asarray(numbers, dtype=float), width * 0.9, color=color, label=name)
    axes.axhline(0.0, color="0.3", linewidth=0.8)
    axes.set_xticks(range(world.num_actions), world.action_names)
    axes.set_ylabel(ylabel)
    axes.legend(fontsize=9, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure
