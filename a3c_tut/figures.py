"""The book's pictures of a run: Figure 1, Figure 2 and their parts (Section 5).

Every function returns a Matplotlib figure of its own, made without pyplot, so that nothing is left
open and a notebook shows it once. Colours are those of Okabe and Ito, which colour-blind readers
can tell apart; worker and action are told by shape or place as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from a3c_tut.checks import array_of_numbers, finite, number, of_kind, several, whole
from a3c_tut.control import ControlWorld
from a3c_tut.exact import greedy_path, optimal_values, safe_detour
from a3c_tut.experiments import Outcome, mean_interval, recent_means
from a3c_tut.results import TrainingResult
from a3c_tut.worlds import TableWorld, cliff_runs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from PIL.Image import Image

BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
WORKER_COLORS = (ORANGE, SKY, GREEN, PURPLE, YELLOW, VERMILION)
WORKER_MARKERS = ("o", "s", "^", "D", "v", "P")
_OUTCOME_COLORS = (BLUE, SKY, ORANGE, PURPLE, YELLOW, VERMILION, GREEN)
_CURVES = ((BLACK, "o"), (GREEN, "s"), (PURPLE, "^"), (ORANGE, "D"), (SKY, "v"))

#: Inches. Narrow, so that 9-point letters can still be read where a telephone shrinks the picture.
WIDTH = 4.8
#: Figures 1 and 2 are narrower still: on a telephone their letters are 11 pixels high.
NARROW = 3.9
#: The exact reference is solved within the time limit while it takes at most so many additions.
_MOST_BACKUPS = 50_000_000
_SMALL = 9
_GREY = "#C6C6C6"
#: The colours of cells with a meaning, by their marks.
_CELLS = {"C": "#F4C7AB", "G": "#BFE5D6", "#": "#5F6368"}


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure, in inches, on white: it stays readable on a dark page.

    Parameters
    ----------
    width, height : float, inches

    Examples
    --------
    >>> new_figure(4, 3).get_size_inches().tolist()
    [4.0, 3.0]
    """
    for name, inches in (("width", width), ("height", height)):
        number(name, inches, "inches, from 0.1 to 1,000", lambda x: 0.1 <= x <= 1000)
    from matplotlib.figure import Figure

    # The inline backend teaches IPython to show figures when pyplot is imported; this one is made
    # without, so it shows itself.
    class _Shown(Figure):
        def _repr_png_(self) -> bytes:
            buffer = BytesIO()
            save_figure(self, buffer, "png")
            return buffer.getvalue()

        def __repr__(self) -> str:
            return f"<Figure with {len(self.axes)} panels>"

    return _Shown(figsize=(width, height), layout="constrained", facecolor="white")


def save_figure(figure: Figure, target: Any, kind: str) -> None:
    """Write a figure as "png" or "svg", the same bytes each time.

    Parameters
    ----------
    figure : Figure
    target : path or binary file
    kind : "png" or "svg"

    Examples
    --------
    >>> from io import BytesIO
    >>> first, second = BytesIO(), BytesIO()
    >>> for file in (first, second):
    ...     save_figure(new_figure(1, 1), file, "svg")
    >>> first.getvalue() == second.getvalue()
    True
    """
    import matplotlib

    # Without these, dates, versions and random ids differ from one writing to the next.
    metadata = {"Date": None} if kind == "svg" else {"Software": None}
    with matplotlib.rc_context({"svg.hashsalt": "a3c_tut"}):
        if kind == "svg":
            figure.savefig(target, format=kind, metadata=metadata)
            return
        with BytesIO() as buffer:
            figure.savefig(buffer, format=kind, dpi=180, metadata=metadata)
            _with_palette(buffer).save(target, kind, optimize=True)


def _with_palette(png: BytesIO) -> Image:
    """Return a picture with 256 colours of its own: enough for a plot, at a third of the bytes."""
    from PIL import Image

    with Image.open(png) as picture:
        return picture.convert("RGB").quantize(
            256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE
        )


def reference_returns(world: TableWorld | ControlWorld) -> dict[str, float]:
    """Return the returns worth comparing with, in the world's units.

    The optimum is solved for exactly, without a discount, within the time limit of an episode; in a
    world so large that this would take long, without the limit, and where that has no solution it
    is left out, as in a world that is no table. On a cliff-world there is also the safe detour: up
    to the edge, along it, down to the goal.

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> reference_returns(cliff_world())
    {'optimum': -13.0, 'safe detour': -17.0}
    """
    returns: dict[str, float] = {}
    if isinstance(world, ControlWorld):
        return returns
    in_time = world.max_episode_steps * world.next_state.size <= _MOST_BACKUPS
    try:
        horizon = world.max_episode_steps if in_time else None
        returns["optimum"] = float(world.start @ optimal_values(world, gamma=1.0, horizon=horizon))
    except ValueError:  # an endless loop pays
        pass
    detour = safe_detour(world)
    if detour is not None:
        returns["safe detour"] = detour
    return returns


def plot_returns(
    result: TrainingResult,
    window: int = 50,
    references: Mapping[str, float] | None = None,
    others: Sequence[TrainingResult] = (),
) -> Figure:
    """Draw Figure 1: A3C episode returns aggregated across asynchronous workers.

    Time is logarithmic, so that the learning at the beginning has as much room as the rest. Every
    episode of every worker is a faint mark, a thin line is a worker's own mean, and the strong line
    is the mean over the last `window` episodes of all workers together, or over all of them while
    there are fewer.

    Parameters
    ----------
    result : TrainingResult
    window : int from 1
        Episodes in the moving average; a worker's own takes its share of them.
    references : mapping of name to return, optional
        Dashed lines. Default: `reference_returns` of the run's world.
    others : sequence of TrainingResult, optional
        Runs with other seeds: a band holds the middle 90 % of their strong lines.

    Returns
    -------
    Figure

    Examples
    --------
    >>> from a3c_tut import cliff_world, train
    >>> figure = plot_returns(train(cliff_world(), total_steps=2_000))
    >>> figure.axes[0].get_xlabel(), figure.axes[0].get_xscale()
    ('environment steps of all workers together', 'log')
    """
    of_kind("result", result, "TrainingResult")
    whole("window", window, 1)
    several("others", others, "TrainingResult")
    if references is not None:
        of_kind("references", references, "Mapping")
    figure = new_figure(NARROW, 4.2)
    draw_returns(figure.subplots(), result, window, references, others)
    return figure


def draw_returns(
    axes: Axes,
    result: TrainingResult,
    window: int = 50,
    references: Mapping[str, float] | None = None,
    others: Sequence[TrainingResult] = (),
) -> None:
    """Draw Figure 1 into given axes; see `plot_returns`.

    Parameters
    ----------
    axes : Axes
    result, window, references, others : as in `plot_returns`

    Examples
    --------
    Marks and a line for each of three workers, the mean of all, and two dashed lines:

    >>> from a3c_tut import cliff_world, train
    >>> axes = new_figure(WIDTH, 4.2).subplots()
    >>> draw_returns(axes, train(cliff_world(), total_steps=6_000), window=20)
    >>> len(axes.lines), axes.get_ylabel()
    (9, 'return of the episode (sum of its rewards)')
    """
    episodes, workers = result.episodes, range(result.config.num_workers)
    if references is None:
        references = reference_returns(result.world)
    for worker, (steps, returns, _) in zip(workers, own_episodes(result, window), strict=True):
        axes.plot(
            steps, returns, WORKER_MARKERS[worker % len(WORKER_MARKERS)],
            color=WORKER_COLORS[worker % len(WORKER_COLORS)], markersize=3.0, alpha=0.3,
            markeredgewidth=0.0, label=f"worker {worker}, {len(steps):,} episodes",
        )  # fmt: skip
    for worker, (steps, _, means) in zip(workers, own_episodes(result, window), strict=True):
        axes.plot(steps, means, color=WORKER_COLORS[worker % len(WORKER_COLORS)], linewidth=1.3,
                  label=f"worker {worker}, its mean")  # fmt: skip
    axes.plot(episodes["step"], recent_means(episodes["total_return"], window), color=BLACK,
              linewidth=1.6, label=f"mean of the last {window} episodes")  # fmt: skip
    if others:
        _draw_band(axes, others, window)
    axes.set_xscale("log")
    axes.set_xlim(first_moment(result), max(result.total_steps, 2))
    _tick_decades(axes)
    _scale_returns(axes, np.concatenate([episodes["total_return"], [*references.values()]]))
    _name_references(axes, references)
    name_workers(axes, result)
    axes.set_xlabel("environment steps of all workers together")
    axes.set_ylabel("return of the episode (sum of its rewards)")
    shown = [axes.lines[2 * len(workers)], *axes.collections]
    axes.legend(handles=shown, fontsize=_SMALL, loc="lower center", bbox_to_anchor=(0.5, 1.0),
                frameon=False, handlelength=1.6)  # fmt: skip


def own_episodes(
    result: TrainingResult, window: int
) -> list[tuple[NDArray[Any], NDArray[Any], NDArray[np.float64]]]:
    """Return for each worker the steps of its episodes, their returns, and their recent means.

    Parameters
    ----------
    result : TrainingResult
    window : int from 1
        Episodes of all workers; a worker's mean takes its share of them, so that both look back
        over the same stretch of time.

    Examples
    --------
    >>> from a3c_tut import cliff_world, train
    >>> result = train(cliff_world(), total_steps=6_000)
    >>> sum(len(steps) for steps, _, _ in own_episodes(result, 50)) == len(result.episodes)
    True
    """
    share = max(1, round(window / result.config.num_workers))
    found = []
    for worker in range(result.config.num_workers):
        own = result.episodes[result.episodes["worker"] == worker]
        found.append((own["step"], own["total_return"], recent_means(own["total_return"], share)))
    return found


def first_moment(result: TrainingResult) -> float:
    """Return where the logarithmic axis of Figure 1 begins: a round number with room for names.

    Examples
    --------
    >>> from a3c_tut import cliff_world, train
    >>> result = train(cliff_world())
    >>> int(result.episodes["step"].min()), first_moment(result)
    (596, 100.0)
    """
    episodes = result.episodes["step"]
    first = float(episodes.min()) if len(episodes) else float(max(result.total_steps, 4))
    round_ones = [m * 10.0**k for k in range(-1, 9) for m in (1, 2, 5)]
    return max(number for number in round_ones if number <= max(first / 4, 0.1))


def _draw_band(axes: Axes, others: Sequence[TrainingResult], window: int) -> None:
    """Shade where the middle 90 % of other runs are, from where each of them has an episode."""
    lines = [(run.episodes["step"], recent_means(run.episodes["total_return"], window))
             for run in others if len(run.episodes)]  # fmt: skip
    if not lines:
        return
    begin = max(float(steps[0]) for steps, _ in lines)
    end = max(float(run.total_steps) for run in others)
    moments = np.geomspace(begin, max(end, begin), 120)
    at = [means[np.searchsorted(steps, moments, side="right") - 1] for steps, means in lines]
    low, high = np.quantile(at, [0.05, 0.95], axis=0)
    axes.fill_between(moments, low, high, color="#777777", alpha=0.3, linewidth=0,
                      label=f"nine in ten of {len(lines)} other seeds")  # fmt: skip


def _tick_decades(axes: Axes) -> None:
    from matplotlib.ticker import NullFormatter

    axes.xaxis.set_major_formatter(_number)
    axes.xaxis.set_minor_formatter(NullFormatter())


def _name_references(axes: Axes, references: Mapping[str, float]) -> None:
    """Draw the lines worth comparing with, each with its name on it at the left."""
    _draw_references(axes, references, vertical=False)
    highest = max(references.values(), default=0.0)
    for name, value in references.items():
        axes.annotate(
            f"{name} {_number(value)}", (0.015, value), (0, 2 if value == highest else -2),
            xycoords=("axes fraction", "data"), textcoords="offset points", fontsize=_SMALL,
            va="bottom" if value == highest else "top",
        )  # fmt: skip


def name_workers(axes: Axes, result: TrainingResult) -> None:
    """Write each worker's name left of its first episode, one above the other; again: move them.

    Parameters
    ----------
    axes : Axes, drawn by `draw_returns`
    result : TrainingResult

    Examples
    --------
    >>> from a3c_tut import cliff_world, train
    >>> axes = new_figure(WIDTH, 4.2).subplots()
    >>> draw_returns(axes, train(cliff_world(), total_steps=6_000))
    >>> sorted(text.get_text() for text in axes.texts)[2:]
    ['worker 0', 'worker 1', 'worker 2']
    """
    from matplotlib.text import Annotation

    there = {text.get_text(): text for text in axes.texts if isinstance(text, Annotation)}
    scale = axes.yaxis.get_transform().transform
    low, high = scale(np.array(axes.get_ylim(), dtype=float))
    own = enumerate(own_episodes(result, 1))
    begun = [(worker, steps[0], returns[0]) for worker, (steps, returns, _) in own if len(steps)]
    height, gap = -1.0, 0.055
    for worker, step, first in sorted(begun, key=lambda row: float(row[2])):
        share = float((scale(np.array([first], dtype=float))[0] - low) / (high - low))
        height = max(height + gap, share, 0.03)
        name = f"worker {worker}"
        if name in there:
            there[name].xy = (step, first)
            there[name].set_position((0.015, height))
            continue
        color = WORKER_COLORS[worker % len(WORKER_COLORS)]
        axes.annotate(
            name, (step, first), (0.015, height), textcoords="axes fraction", va="center",
            fontsize=_SMALL,
            arrowprops={"arrowstyle": "-", "color": color, "lw": 1.3, "shrinkA": 1, "shrinkB": 1},
        )  # fmt: skip


def _scale_returns(axes: Axes, returns: np.ndarray[Any, Any]) -> None:
    """Spread returns that are all negative and span decades over a logarithmic scale."""
    if returns.size == 0 or returns.max() >= 0 or returns.min() > 20 * returns.max():
        axes.margins(y=0.1)
        axes.yaxis.set_major_formatter(_number)
        return
    from matplotlib.ticker import FixedLocator, NullLocator

    axes.set_yscale("function", functions=(lambda y: -np.log(np.maximum(-y, 1e-9)),
                                           lambda u: -np.exp(-u)))  # fmt: skip
    low, high = float(returns.min()), float(returns.max())
    ticks = [-m * 10.0**k for k in range(7) for m in (1, 2, 5)]
    axes.yaxis.set_major_locator(FixedLocator([t for t in ticks if low * 1.1 <= t <= high * 0.8]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(_number)
    axes.set_ylim(low * 1.15, high * 0.75)


def plot_policy(result: TrainingResult) -> Figure:
    """Draw Figure 2: the global policy's probabilities after training.

    For worlds on a grid, above, the map: every cell is cut into four triangles, one per action, the
    more probable the stronger its colour, and a line follows the most probable actions. Below, the
    same numbers as a heatmap, actions × states. States that no push has touched are grey: there the
    policy is what it was at the beginning.

    Parameters
    ----------
    result : TrainingResult

    Returns
    -------
    Figure

    Examples
    --------
    >>> from a3c_tut import cliff_world, train
    >>> # and a colour bar
    >>> len(plot_policy(train(cliff_world(), total_steps=2_000)).axes)
    3
    """
    of_kind("result", result, "TrainingResult")
    if not has_map(result.world):
        figure = new_figure(NARROW, 4.2)
        draw_heatmap(figure.subplots(), result)
        return figure
    rows, columns = result.world.grid_shape or (1, 1)
    grid = min(NARROW * rows / columns, NARROW) + 0.8  # inches, with the words around it
    figure = new_figure(NARROW, 1.9 + grid)
    above, below = figure.subplots(2, 1, height_ratios=(grid, 0.75))
    draw_policy_map(above, result)
    draw_heatmap(below, result)
    return figure


def plot_policy_map(result: TrainingResult) -> Figure:
    """Draw the map of Figure 2 alone.

    Parameters
    ----------
    result : TrainingResult
        On a world on a grid whose actions are up, right, down and left.

    Returns
    -------
    Figure

    Examples
    --------
    >>> from a3c_tut import cliff_world, train
    >>> len(plot_policy_map(train(cliff_world(), total_steps=2_000)).axes)
    1
    """
    of_kind("result", result, "TrainingResult")
    rows, columns = result.world.grid_shape or (1, 1)
    figure = new_figure(NARROW, min(NARROW * rows / columns, NARROW) + 0.8)
    draw_policy_map(figure.subplots(), result)
    return figure


def has_map(world: TableWorld) -> bool:
    """Return whether a world's policy can be drawn as a map: a grid and four actions.

    Examples
    --------
    >>> from a3c_tut import cliff_world, corridor_world
    >>> has_map(cliff_world()), has_map(corridor_world(6))
    (True, False)
    """
    return world.grid_shape is not None and world.num_actions == 4


def never_pushed(result: TrainingResult) -> NDArray[np.bool_]:
    """Return, (S,), whether a state's logits and value still are those of the beginning.

    Examples
    --------
    Nobody ever stands in the cliff or acts in the goal:

    >>> from a3c_tut import cliff_world, train
    >>> np.flatnonzero(never_pushed(train(cliff_world()))).tolist() == list(range(37, 48))
    True
    """
    theta = result.initial.get("theta", np.zeros_like(result.theta))
    values = result.initial.get("values", np.zeros_like(result.values))
    same: NDArray[np.bool_] = (result.theta == theta).all(axis=1) & (result.values == values)
    return same


def seen_policy(result: TrainingResult) -> Any:
    """Return π(a|s), (S, A), masked where no push has touched a state: drawn grey.

    Examples
    --------
    >>> from a3c_tut import cliff_world, train
    >>> seen_policy(train(cliff_world())).mask.any(axis=1).sum()
    np.int64(11)
    """
    hidden = np.repeat(never_pushed(result)[:, None], result.world.num_actions, axis=1)
    return np.ma.masked_array(result.policy, hidden)


def _shades() -> Any:
    """Return the colours of probabilities: white for 0, dark blue for 1, grey for no data."""
    from matplotlib.colors import LinearSegmentedColormap

    shades = LinearSegmentedColormap.from_list(
        "probability", ["#FFFFFF", "#A9D3EC", "#3C8DC0", "#08306B"]
    )
    return shades.with_extremes(bad=_GREY)


def draw_heatmap(axes: Axes, result: TrainingResult) -> None:
    """Draw π(a|s), a row per action and a column per state, into given axes.

    Parameters
    ----------
    axes : Axes
    result : TrainingResult

    Examples
    --------
    >>> from a3c_tut import cliff_world, train
    >>> axes = new_figure(6.0, 2.0).subplots()
    >>> draw_heatmap(axes, train(cliff_world(), total_steps=2_000))
    >>> axes.images[0].get_array().shape
    (4, 48)
    """
    from matplotlib.ticker import MaxNLocator

    world = result.world
    image = axes.imshow(seen_policy(result).T, aspect="auto", cmap=_shades(), vmin=0.0, vmax=1.0,
                        interpolation="nearest")  # fmt: skip
    axes.set_yticks(range(world.num_actions), world.action_names)
    axes.set_xlabel("state")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if world.grid_shape is not None:
        rows, columns = world.grid_shape
        axes.set_xticks([row * columns for row in range(rows)])
        for row in range(1, rows):
            axes.axvline(row * columns - 0.5, color=BLACK, linewidth=0.8)
    bar = axes.figure.colorbar(image, ax=axes, location="bottom", aspect=45, pad=0.05)
    bar.set_label("probability of the action\n(grey: no worker acted there)")


def draw_policy_map(axes: Axes, result: TrainingResult) -> None:
    """Draw the policy on the grid into given axes: four triangles a cell, strong where likely.

    Parameters
    ----------
    axes : Axes
    result : TrainingResult
        On a world on a grid whose actions are up, right, down and left.

    Examples
    --------
    Row 0 is at the top, as in the world:

    >>> from a3c_tut import cliff_world, train
    >>> axes = new_figure(WIDTH, 2.4).subplots()
    >>> draw_policy_map(axes, train(cliff_world(), total_steps=2_000))
    >>> bottom, top = axes.get_ylim()
    >>> bool(bottom > top)
    True
    """
    from matplotlib.collections import PolyCollection

    world = result.world
    assert world.grid_shape is not None
    rows, columns = world.grid_shape
    cells = map_cells(world)
    center = np.array([(state % columns, state // columns) for state in cells], dtype=float)
    corners = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)])
    wedges = [
        [place, place + corners[action], place + corners[(action + 1) % 4]]
        for place in center for action in range(4)
    ]  # fmt: skip
    axes.add_collection(
        PolyCollection(wedges, array=seen_policy(result)[cells].ravel(), cmap=_shades(),
                       clim=(0.0, 1.0), edgecolors="#FFFFFF", linewidths=0.4, zorder=1)
    )  # fmt: skip
    lines: dict[str, Any] = {"color": "#777777", "linewidth": 0.6, "zorder": 2}
    axes.vlines(np.arange(0.5, columns - 1), -0.5, rows - 0.5, **lines)
    axes.hlines(np.arange(0.5, rows - 1), -0.5, columns - 0.5, **lines)
    _draw_marks(axes, world)
    path = _path_through(result)
    if path:
        from matplotlib.patheffects import withStroke

        axes.plot(
            [s % columns for s in path], [s // columns for s in path], color=ORANGE, linewidth=3,
            solid_capstyle="round", solid_joinstyle="round", zorder=4, label=path_words(path),
            path_effects=[withStroke(linewidth=5, foreground="white")],
        )  # fmt: skip
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False,
                    fontsize=_SMALL)  # fmt: skip
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_aspect("equal")
    axes.set_xticks(range(columns))
    axes.set_yticks(range(rows), [str(row * columns) for row in range(rows)])
    axes.set_xlabel("column")
    axes.set_ylabel("first state\nof the row")


def map_cells(world: TableWorld) -> list[int]:
    """Return the states that a map cuts into triangles: all but the cliff, the goals and walls.

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> map_cells(cliff_world()) == list(range(37))
    True
    """
    return [s for s in range(world.num_states) if world.marks.get(s) not in ("C", "G", "#")]


def path_words(path: Sequence[int]) -> str:
    """Return what the map says about its line.

    Examples
    --------
    >>> path_words([36, 24, 25])
    'most probable actions: 2 steps'
    """
    return f"most probable actions: {len(path) - 1} steps"


def _draw_marks(axes: Axes, world: TableWorld) -> None:
    """Colour the cells that have a meaning, and write it on them, over everything else."""
    from matplotlib.patches import Rectangle

    assert world.grid_shape is not None
    columns = world.grid_shape[1]
    for state, mark in world.marks.items():
        row, column = divmod(state, columns)
        if mark in _CELLS:
            axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, color=_CELLS[mark], zorder=0))
        if mark not in ("C", "#"):
            axes.text(column, row, mark, fontsize=9, va="center", ha="center", fontweight="bold",
                      bbox={"boxstyle": "round,pad=0.15", "facecolor": "white",
                            "edgecolor": "none"}, zorder=5)  # fmt: skip
    word: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 10, "style": "italic"}
    for run in cliff_runs(world):
        row, first = divmod(run[0], columns)
        if len(run) > 2:
            axes.text(first + (len(run) - 1) / 2, row, "cliff", **word)
        else:
            for column in range(first, first + len(run)):
                axes.text(column, row, "C", **word)


def _path_through(result: TrainingResult) -> list[int]:
    """Return the greedy path where there is one: fixed start, no chance, an end."""
    world = result.world
    if np.count_nonzero(world.start) > 1 or world.num_outcomes > 1:
        return []
    path = greedy_path(world, result.policy)
    return path.states if path.terminated else []


def _some(name: str, given: Mapping[str, Any]) -> None:
    """Check what is to be drawn: a mapping of something."""
    of_kind(name, given, "Mapping")
    if not given:
        raise ValueError(f"{name} is empty; allowed: a mapping of at least one name")


def plot_outcomes(
    outcomes: Mapping[str, Sequence[Outcome]], references: Mapping[str, float]
) -> Figure:
    """Draw where many runs ended, a row per variant (Section 5).

    Left, how many of the seeds' greedy policies have which return; right, the mean return of the
    last episodes, with its 95 % interval over the seeds.

    Parameters
    ----------
    outcomes : mapping of a variant's name to its outcomes, one per seed
    references : mapping of name to return
        Dashed lines in the right panel, such as `reference_returns` of the world. Their returns
        have a colour in the left one even where no seed has them, so that pictures compare.

    Returns
    -------
    Figure

    Examples
    --------
    >>> from a3c_tut.experiments import Outcome
    >>> ended = {"default": [Outcome(-17.0, -17.2), Outcome(-15.0, -15.4)]}
    >>> [len(axes.containers) for axes in plot_outcomes(ended, {"optimum": -13.0}).axes]
    [3, 1]
    """
    figure = new_figure(WIDTH, 1.8 + 0.36 * len(outcomes))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1.3, 1))
    names, rows = list(outcomes), np.arange(len(outcomes))
    greedy = [np.array([run.greedy for run in outcomes[name]]) for name in names]
    done = np.zeros(len(names))
    kinds = sorted({*np.concatenate(greedy).tolist(), *references.values()}, reverse=True)
    for kind, color in zip(kinds, _OUTCOME_COLORS, strict=False):
        count = np.array([(returns == kind).sum() for returns in greedy])
        label = _number(kind) if np.isfinite(kind) else "never arrives"
        left.barh(rows, count, left=done, color=color, edgecolor="white", label=label)
        for row in rows[count > 1]:  # of a single seed the bar is too short for its number
            left.text(done[row] + count[row] / 2, row, str(count[row]), ha="center", va="center",
                      fontsize=_SMALL, color=BLACK,
                      bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})  # fmt: skip
        done += count
    left.set_yticks(rows, [fill(name, 14) for name in names])
    left.invert_yaxis()
    left.set_xlabel("seeds whose most\nprobable path returns")
    left.legend(ncols=2, fontsize=_SMALL, loc="lower center", bbox_to_anchor=(0.5, 1.0),
                frameon=False, handlelength=1.6, columnspacing=1.2)  # fmt: skip
    means = np.array([mean_interval([run.final for run in outcomes[name]]) for name in names])
    spread = np.abs(means[:, 1:] - means[:, :1]).T
    right.errorbar(means[:, 0], rows, xerr=spread, fmt="o", color=BLACK, capsize=3, markersize=4)
    _draw_references(right, references, vertical=True)
    right.set_xlabel("mean return of the\nlast 100 episodes")
    right.xaxis.set_major_formatter(_number)
    right.legend(fontsize=_SMALL, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    return figure


def plot_curves(
    x: ArrayLike,
    curves: Mapping[str, ArrayLike],
    *,
    xlabel: str = "environment steps of all workers together",
    ylabel: str = "return",
    references: Mapping[str, float] | None = None,
    logarithmic: bool = False,
) -> Figure:
    """Draw one or more curves over the same x, each exact or with an interval (Sections 4 and 5).

    Parameters
    ----------
    x : (P,) floats
    curves : mapping of a name to a curve
        (P,) numbers, or (P, 3): mean, lower and upper end of an interval, as `mean_interval`
        returns them.
    xlabel, ylabel : str
        Words and units.
    references : mapping of name to y, optional
        Dashed lines.
    logarithmic : bool
        Whether x is drawn on a logarithmic scale; then a 0 in `x` stands apart, left of the rest.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        When there is no curve, or x and a curve are not equally long.

    Examples
    --------
    >>> figure = plot_curves([1, 2], {"exact": [0, 1], "measured": [(0, -1, 1), (1, 0, 2)]},
    ...                      xlabel="n", ylabel="return")
    >>> [line.get_label() for line in figure.axes[0].get_lines()]
    ['exact', 'measured']
    """
    _some("curves", curves)
    if references is not None:
        of_kind("references", references, "Mapping")
    figure = new_figure(WIDTH, 3.8)
    axes = figure.subplots()
    given = finite("x", x)
    places = given.copy()
    if places.ndim != 1:
        raise ValueError(f"x has shape {places.shape}; allowed: as many numbers as a curve has")
    tables = {name: array_of_numbers(name, curve) for name, curve in curves.items()}
    for name, table in tables.items():
        if len(table) != len(places):
            raise ValueError(f"x holds {len(places)} numbers; allowed: as many as {name!r} has")
    zero = logarithmic and places.size > 0 and places[0] == 0.0
    if zero:
        places[0] = places[1] / (places[2] / places[1] if len(places) > 2 else 10.0)
    marked = len(places) <= 15
    for (name, table), (color, marker) in zip(tables.items(), _CURVES, strict=False):
        mean = table if table.ndim == 1 else table[:, 0]
        axes.plot(places, mean, color=color, marker=marker if marked else None, markersize=4,
                  linewidth=1.6, label=name)  # fmt: skip
        if table.ndim == 2:
            axes.fill_between(places, table[:, 1], table[:, 2], color=color, alpha=0.2,
                              linewidth=0)  # fmt: skip
    _draw_references(axes, references or {}, vertical=False)
    if logarithmic:
        from matplotlib.ticker import NullLocator

        axes.set_xscale("log")
        if marked:
            labels = [_number(value) for value in given]
            if sum(map(len, labels)) > 34:  # they would touch each other
                labels[-2::-2] = [""] * len(labels[-2::-2])
            axes.set_xticks(places, labels)
            axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.xaxis.set_major_formatter(_number)
    axes.yaxis.set_major_formatter(_number)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    _legend_above(axes)
    return figure


def plot_intervals(
    rows: Mapping[str, Mapping[str, ArrayLike]],
    *,
    xlabel: str,
    references: Mapping[str, float] | None = None,
    logarithmic: bool = False,
) -> Figure:
    """Draw intervals side by side: a row per thing compared, in it a mark per series (Section 3).

    For what has names instead of an order; where there is an order, `plot_curves` joins the dots.

    Parameters
    ----------
    rows : mapping of a row's name to a mapping of a series' name to (3,)
        Mean, lower and upper end of an interval, as `mean_interval` returns them.
    xlabel : str
        Words and units.
    references : mapping of name to x, optional
        Dashed lines.
    logarithmic : bool
        Whether x is drawn on a logarithmic scale, as ratios are best compared.

    Returns
    -------
    Figure

    Examples
    --------
    >>> figure = plot_intervals({"eight over one": {"grid": (0.8, 0.7, 0.9)}}, xlabel="ratio")
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
    ['eight over one']
    """
    series = list(dict.fromkeys(name for row in rows.values() for name in row))
    figure = new_figure(WIDTH, 1.3 + len(rows) * (0.25 + 0.2 * len(series)))
    axes = figure.subplots()
    for nth, (name, (color, marker)) in enumerate(zip(series, _CURVES, strict=False)):
        held = [(place, row[name]) for place, row in enumerate(rows.values()) if name in row]
        y = np.array([place for place, _ in held]) + 0.2 * (nth - (len(series) - 1) / 2)
        table = np.asarray([interval for _, interval in held], dtype=float)
        axes.errorbar(table[:, 0], y, xerr=np.abs(table[:, 1:] - table[:, :1]).T, fmt=marker,
                      color=color, capsize=3, markersize=5, label=name)  # fmt: skip
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    if logarithmic:
        from matplotlib.ticker import LogLocator, NullLocator

        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(_number)
    _draw_references(axes, references or {}, vertical=True)
    axes.set_xlabel(xlabel)
    _legend_above(axes)
    return figure


def _legend_above(axes: Axes) -> None:
    """Put the legend above the axes, in as many columns as its longest name leaves room for."""
    names = axes.get_legend_handles_labels()[1]
    room = 56 // (max(map(len, names), default=0) + 7)
    axes.legend(fontsize=_SMALL, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False,
                ncols=max(1, min(room, len(names))))  # fmt: skip


def _draw_references(axes: Axes, references: Mapping[str, float], vertical: bool) -> None:
    draw = axes.axvline if vertical else axes.axhline
    for (name, value), color, dash in zip(
        references.items(), (BLUE, VERMILION, GREEN), ("--", ":", "-."), strict=False
    ):
        draw(value, color=color, linestyle=dash, linewidth=1.5,
             label=f"{name} ({_number(value)})")  # fmt: skip


def _number(value: float, _position: float = 0) -> str:
    """Write a number at an axis: with a comma in thousands, and a minus that is one."""
    return (f"{value:,.0f}" if abs(value) >= 1000 else f"{value:g}").replace("-", "−")


def plot_schedule(result: TrainingResult, first: int | None = None, count: int = 80) -> Figure:
    """Draw a stretch of the schedule: a lane per worker, a mark per push (Section 2.2).

    Parameters
    ----------
    result : TrainingResult
    first, count : int
        Which pushes to show. Default: the stretch in which the workers take turns most often; on a
        busy machine they may rarely run at once.

    Returns
    -------
    Figure

    Examples
    --------
    >>> from a3c_tut import cliff_world, train
    >>> plot_schedule(train(cliff_world(), total_steps=2_000)).axes[0].get_ylabel()
    'worker'
    """
    of_kind("result", result, "TrainingResult")
    if first is not None:
        whole("first", first, 0, also="None or ")
    whole("count", count, 1, most=10_000)
    figure = new_figure(WIDTH, 0.7 + 0.45 * result.config.num_workers)
    axes = figure.subplots()
    if first is None:
        changes = np.cumsum(np.diff(result.schedule, prepend=result.schedule[:1]) != 0)
        first = int(np.argmax(changes[count:] - changes[:-count])) if len(changes) > count else 0
    shown = result.schedule[first : first + count]
    order = np.arange(first, first + len(shown))
    axes.plot(order, shown, color="#BBBBBB", linewidth=0.8, zorder=1)
    for worker in range(result.config.num_workers):
        own = order[shown == worker]
        axes.plot(
            own,
            np.full(len(own), worker),
            WORKER_MARKERS[worker % len(WORKER_MARKERS)],
            color=WORKER_COLORS[worker % len(WORKER_COLORS)],
            markersize=5,
            zorder=2,
        )
    axes.set_yticks(range(result.config.num_workers))
    axes.set_ylim(result.config.num_workers - 0.5, -0.5)
    axes.locator_params(axis="x", nbins=5)
    axes.xaxis.set_major_formatter(_number)
    axes.set_xlabel("push, in the order in which they came")
    axes.set_ylabel("worker")
    return figure


def plot_staleness(results: Mapping[str, TrainingResult], most: int = 12) -> Figure:
    """Draw how stale the pushes of some runs were: the share of each staleness (Section 2.2).

    Parameters
    ----------
    results : mapping of label to TrainingResult
    most : int
        Everything staler is gathered in the last bar.

    Returns
    -------
    Figure

    Examples
    --------
    >>> from a3c_tut import cliff_world, train
    >>> figure = plot_staleness({"round robin": train(cliff_world(), total_steps=900)})
    >>> # three in turn: always two others
    >>> float(figure.axes[0].patches[2].get_height()) > 0.9
    True
    """
    _some("results", results)
    several("results", tuple(results.values()), "TrainingResult")
    whole("most", most, 1, most=1_000)
    figure = new_figure(WIDTH, 3.0)
    axes = figure.subplots()
    width = 0.8 / len(results)
    for nth, (label, result) in enumerate(results.items()):
        stale = np.minimum(result.updates["staleness"], most)
        share = np.bincount(stale, minlength=most + 1) / len(stale)
        axes.bar(np.arange(most + 1) + (nth - (len(results) - 1) / 2) * width, share, width,
                 color=(BLUE, ORANGE, SKY)[nth % 3], edgecolor="white", label=label)  # fmt: skip
    axes.set_xticks(range(most + 1), [*map(str, range(most)), f"{most}+"])
    axes.set_ylim(0.0, 1.0)
    axes.set_xlabel("staleness: pushes since the worker's last sync")
    axes.set_ylabel("share of the updates")
    axes.legend(frameon=False)
    return figure
