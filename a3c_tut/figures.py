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
from numpy.typing import ArrayLike

from a3c_tut.exact import greedy_path, optimal_values
from a3c_tut.experiments import Outcome, mean_interval, moving_average
from a3c_tut.results import TrainingResult
from a3c_tut.worlds import TableWorld

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
_OUTCOME_HATCHES = ("", "//", "..", "xx", "\\\\", "++", "--")
_CURVES = ((BLACK, "o"), (GREEN, "s"), (PURPLE, "^"), (ORANGE, "D"), (SKY, "v"))

#: Inches. Narrow, so that 9-point letters can still be read where a telephone shrinks the picture.
WIDTH = 4.8
#: The exact reference is solved within the time limit while it takes at most so many additions.
_MOST_BACKUPS = 50_000_000
_SMALL = 9


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


def reference_returns(world: TableWorld) -> dict[str, float]:
    """Return the returns worth comparing with, in the world's units.

    The optimum is solved for exactly, without a discount, within the time limit of an episode; in a
    world so large that this would take long, without the limit, and where that has no solution it
    is left out. On a cliff-world there is also the safe detour: up to the wall, along it, down to
    the goal.

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> reference_returns(cliff_world())
    {'optimum': -13.0, 'safe detour': -17.0}
    """
    returns = {}
    in_time = world.max_episode_steps * world.next_state.size <= _MOST_BACKUPS
    try:
        horizon = world.max_episode_steps if in_time else None
        returns["optimum"] = float(world.start @ optimal_values(world, gamma=1.0, horizon=horizon))
    except ValueError:  # an endless loop pays
        pass
    if world.grid_shape is not None and "C" in world.marks.values():
        rows, columns = world.grid_shape
        detour = np.repeat([0, 1, 2], [rows - 1, columns - 1, rows - 1])  # up, right, down
        state, total = int(world.start.argmax()), 0.0
        for action in detour:
            total += float(world.reward[state, action, 0])
            state = int(world.next_state[state, action, 0])
        returns["safe detour"] = total
    return returns


def plot_returns(
    result: TrainingResult, window: int = 50, references: Mapping[str, float] | None = None
) -> Figure:
    """Draw Figure 1: A3C episode returns aggregated across asynchronous workers.

    Every episode of every worker is a faint mark; the strong line is the mean over the last
    `window` episodes of all workers together.

    Parameters
    ----------
    result : TrainingResult
    window : int from 1
        Episodes in the moving average.
    references : mapping of name to return, optional
        Dashed lines. Default: `reference_returns` of the run's world.

    Returns
    -------
    Figure

    Examples
    --------
    >>> from a3c_tut import cliff_world, train
    >>> figure = plot_returns(train(cliff_world(), total_steps=2_000))
    >>> figure.axes[0].get_xlabel()
    'environment steps of all workers together'
    """
    figure = new_figure(WIDTH, 4.2)
    draw_returns(figure.subplots(), result, window, references)
    return figure


def draw_returns(
    axes: Axes,
    result: TrainingResult,
    window: int = 50,
    references: Mapping[str, float] | None = None,
) -> None:
    """Draw Figure 1 into given axes; see `plot_returns`.

    Parameters
    ----------
    axes : Axes
    result, window, references : as in `plot_returns`

    Examples
    --------
    A line of marks for each of three workers, the mean, and two dashed lines:

    >>> from a3c_tut import cliff_world, train
    >>> axes = new_figure(WIDTH, 4.2).subplots()
    >>> draw_returns(axes, train(cliff_world(), total_steps=6_000), window=20)
    >>> len(axes.lines), axes.get_ylabel()
    (6, 'return of the episode (sum of its rewards)')
    """
    episodes = result.episodes
    if references is None:
        references = reference_returns(result.world)
    for worker in range(result.config.num_workers):
        own = episodes[episodes["worker"] == worker]
        axes.plot(
            own["step"], own["total_return"], WORKER_MARKERS[worker % len(WORKER_MARKERS)],
            color=WORKER_COLORS[worker % len(WORKER_COLORS)], markersize=3.0, alpha=0.3,
            markeredgewidth=0.0, label=f"worker {worker}, {len(own):,} episodes",
        )  # fmt: skip
    means = moving_average(episodes["total_return"], window)
    if means.size:
        axes.plot(episodes["step"][window - 1 :], means, color=BLACK, linewidth=1.8,
                  label=f"mean of {window} episodes, all workers")  # fmt: skip
    _draw_references(axes, references, vertical=False)
    _scale_returns(axes, np.concatenate([episodes["total_return"], [*references.values()]]))
    axes.set_xlim(0, max(result.total_steps, 1))
    axes.xaxis.set_major_formatter(_number)
    axes.set_xlabel("environment steps of all workers together")
    axes.set_ylabel("return of the episode (sum of its rewards)")
    # Marks fade in the plot; in the legend they are there to be recognised.
    legend = axes.legend(fontsize=_SMALL, loc="lower right", framealpha=0.95)
    for handle in legend.legend_handles:
        if handle is not None:
            handle.set_alpha(1.0)


def _scale_returns(axes: Axes, returns: np.ndarray[Any, Any]) -> None:
    """Spread returns that are all negative and span decades over a logarithmic scale."""
    if returns.size == 0 or returns.max() >= 0 or returns.min() > 20 * returns.max():
        return
    from matplotlib.ticker import FixedLocator, NullLocator

    axes.set_yscale("function", functions=(lambda y: -np.log(np.maximum(-y, 1e-9)),
                                           lambda u: -np.exp(-u)))  # fmt: skip
    low, high = float(returns.min()), float(returns.max())
    ticks = [-m * 10.0**k for k in range(7) for m in (1, 2, 5)]
    axes.yaxis.set_major_locator(FixedLocator([t for t in ticks if low * 1.1 <= t <= high * 0.8]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(_number)
    axes.set_ylim(low * 1.15, high * 0.85)


def plot_policy(result: TrainingResult) -> Figure:
    """Draw Figure 2: the global policy's probabilities after training.

    Above the heatmap, states × actions. Below, for worlds on a grid, the same numbers where they
    belong: an arrow per action as long as the action is probable, and the greedy path.

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
    if result.world.grid_shape is None or result.world.num_actions != 4:
        figure = new_figure(WIDTH, 4.2)
        draw_heatmap(figure.subplots(), result)
        return figure
    rows, columns = result.world.grid_shape
    grid = min(WIDTH * rows / columns, WIDTH) + 0.8  # inches, with the words around it
    figure = new_figure(WIDTH, 3.0 + grid)
    above, below = figure.subplots(2, 1, height_ratios=(3.0, grid))
    draw_heatmap(above, result)
    draw_policy_map(below, result)
    return figure


def draw_heatmap(axes: Axes, result: TrainingResult) -> None:
    """Draw π(a|s), a row per state and a column per action, into given axes.

    Parameters
    ----------
    axes : Axes
    result : TrainingResult

    Examples
    --------
    >>> from a3c_tut import cliff_world, train
    >>> axes = new_figure(4.0, 6.0).subplots()
    >>> draw_heatmap(axes, train(cliff_world(), total_steps=2_000))
    >>> axes.images[0].get_array().shape
    (48, 4)
    """
    from matplotlib.ticker import MaxNLocator

    world, policy = result.world, result.policy
    image = axes.imshow(policy, aspect="auto", cmap="viridis", vmin=0.0, vmax=1.0,
                        interpolation="nearest")  # fmt: skip
    axes.set_xticks(range(world.num_actions), world.action_names)
    axes.set_xlabel("action")
    axes.set_ylabel("state")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    if world.grid_shape is not None:
        rows, columns = world.grid_shape
        axes.set_yticks([row * columns for row in range(rows)])
        axes.set_ylabel(f"state, {columns} a row")
        for row in range(1, rows):
            axes.axhline(row * columns - 0.5, color="white", linewidth=0.8)
    bar = axes.figure.colorbar(image, ax=axes, fraction=0.05, pad=0.03)
    bar.set_label("probability")


def draw_policy_map(axes: Axes, result: TrainingResult) -> None:
    """Draw the policy on the grid into given axes; the arrows of a state grow with π(a|s).

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
    from matplotlib.patches import Rectangle

    world, policy = result.world, result.policy
    assert world.grid_shape is not None
    rows, columns = world.grid_shape
    for state, mark in world.marks.items():
        row, column = divmod(state, columns)
        color = {"C": "#F4C7AB", "S": "#CFE8F7", "G": "#BFE5D6"}.get(mark, "#EEEEEE")
        axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, color=color, zorder=0))
        if mark != "C":
            axes.text(column - 0.43, row - 0.43, mark, fontsize=9, va="top", ha="left",
                      fontweight="bold")  # fmt: skip
    cliff = [divmod(state, columns) for state, mark in world.marks.items() if mark == "C"]
    if cliff:
        axes.text(float(np.mean([c for _, c in cliff])), float(np.mean([r for r, _ in cliff])),
                  "cliff", ha="center", va="center", fontsize=10, style="italic")  # fmt: skip
    walked = [s for s in range(world.num_states) if world.marks.get(s) not in ("C", "G")]
    for a, (along, down) in enumerate(((0, -1), (1, 0), (0, 1), (-1, 0))):
        x = np.array([s % columns for s in walked], dtype=float)
        y = np.array([s // columns for s in walked], dtype=float)
        length = 0.46 * policy[walked, a]
        axes.quiver(x, y, along * length, down * length, angles="xy", scale_units="xy", scale=1,
                    width=0.004, headwidth=4, headlength=4, minlength=0.2, color=BLACK,
                    zorder=3)  # fmt: skip
    path = _path_through(result)
    if path:
        x, y = np.array([s % columns for s in path]), np.array([s // columns for s in path])
        axes.plot(
            x,
            y,
            color=ORANGE,
            linewidth=7,
            alpha=0.55,
            solid_capstyle="round",
            zorder=2,
            label=f"most probable actions from the start: {len(path) - 1} steps",
        )
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False,
                    fontsize=_SMALL)  # fmt: skip
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_aspect("equal")
    axes.set_xticks(range(columns))
    axes.set_yticks(range(rows), [str(row * columns) for row in range(rows)])
    axes.set_xlabel("column")
    axes.set_ylabel("first state of the row")
    axes.set_xticks(np.arange(-0.5, columns), minor=True)
    axes.set_yticks(np.arange(-0.5, rows), minor=True)
    axes.grid(which="minor", color="#BBBBBB", linewidth=0.6)
    axes.tick_params(which="minor", length=0)


def _path_through(result: TrainingResult) -> list[int]:
    """Return the greedy path where there is one: fixed start, no chance, an end."""
    world = result.world
    if np.count_nonzero(world.start) > 1 or world.num_outcomes > 1:
        return []
    path = greedy_path(world, result.policy)
    return path.states if path.terminated else []


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
    for kind, color, hatch in zip(kinds, _OUTCOME_COLORS, _OUTCOME_HATCHES, strict=False):
        count = np.array([(returns == kind).sum() for returns in greedy])
        label = _number(kind) if np.isfinite(kind) else "never arrives"
        left.barh(rows, count, left=done, color=color, hatch=hatch, edgecolor="white",
                  label=label)  # fmt: skip
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

    Examples
    --------
    >>> figure = plot_curves([1, 2], {"exact": [0, 1], "measured": [(0, -1, 1), (1, 0, 2)]},
    ...                      xlabel="n", ylabel="return")
    >>> [line.get_label() for line in figure.axes[0].get_lines()]
    ['exact', 'measured']
    """
    figure = new_figure(WIDTH, 3.8)
    axes = figure.subplots()
    places = np.array(x, dtype=float)
    zero = logarithmic and places.size > 0 and places[0] == 0.0
    if zero:
        places[0] = places[1] / (places[2] / places[1] if len(places) > 2 else 10.0)
    marked = len(places) <= 15
    for (name, curve), (color, marker) in zip(curves.items(), _CURVES, strict=False):
        table = np.asarray(curve, dtype=float)
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
            labels = [_number(value) for value in np.asarray(x, dtype=float)]
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
    for number, (name, (color, marker)) in enumerate(zip(series, _CURVES, strict=False)):
        held = [(place, row[name]) for place, row in enumerate(rows.values()) if name in row]
        y = np.array([place for place, _ in held]) + 0.2 * (number - (len(series) - 1) / 2)
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
    figure = new_figure(WIDTH, 3.0)
    axes = figure.subplots()
    width = 0.8 / len(results)
    for number, (label, result) in enumerate(results.items()):
        stale = np.minimum(result.updates["staleness"], most)
        share = np.bincount(stale, minlength=most + 1) / len(stale)
        axes.bar(np.arange(most + 1) + (number - (len(results) - 1) / 2) * width, share, width,
                 color=(BLUE, ORANGE, GREEN)[number % 3], hatch=("", "//", "..")[number % 3],
                 edgecolor="white", label=label)  # fmt: skip
    axes.set_xticks(range(most + 1), [*map(str, range(most)), f"{most}+"])
    axes.set_ylim(0.0, 1.0)
    axes.set_xlabel("staleness: pushes since the worker's last sync")
    axes.set_ylabel("share of the updates")
    axes.legend(frameon=False)
    return figure
