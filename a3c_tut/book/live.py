"""What the live elements of the book's pages need of Python (Sections 2.2 and 5).

A page trains by itself: a small twin of `kernels` and `tables` in JavaScript, equal to Python on
the same world, configuration, seed and schedule. Here is what it cannot make itself: the worlds as
arrays, the defaults, the recorded schedule of a real run, and, for whoever reads without scripts, a
picture and a sentence.

    python -m a3c_tut.book.live book/static/live/recorded_run.json

records such a run anew.
"""

from __future__ import annotations

import argparse
import html
import json
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from a3c_tut import (
    A3CConfig,
    TableWorld,
    TrainingResult,
    cliff_world,
    train,
)
from a3c_tut.engine.buffers import world_arrays
from a3c_tut.exact import greedy_path
from a3c_tut.experiments import final_return
from a3c_tut.figures import (
    BLACK,
    WIDTH,
    WORKER_COLORS,
    new_figure,
    plot_policy_map,
    plot_returns,
    reference_returns,
)
from a3c_tut.files import print_what_can_be, written_whole
from a3c_tut.worlds import WORLDS

#: Pushes that the stepper shows at once.
PUSHES_SHOWN = 24
#: The live elements of tables: the lab, the asynchrony stepper, the workers of the first page.
KINDS = ("live", "stepper", "pushes")


def _frozen_lake() -> TableWorld:
    holes = dict.fromkeys((5, 7, 11, 12), "H")
    return replace(
        TableWorld.from_gymnasium("FrozenLake-v1"),
        name="FrozenLake",
        action_names=("left", "down", "right", "up"),
        grid_shape=(4, 4),
        marks={0: "S", 15: "G"} | holes,
    )


class _Choice(NamedTuple):
    make: Callable[[], TableWorld]
    python: str


_WORLDS = {
    **{key: _Choice(known.make, f"{known.make.__name__}()") for key, known in WORLDS.items()},
    "frozen-lake": _Choice(_frozen_lake, 'TableWorld.from_gymnasium("FrozenLake-v1")'),
}
#: The worlds that a live element can offer.
WORLD_KEYS = tuple(_WORLDS)


def world_data(world: TableWorld) -> dict[str, Any]:
    """Return a world as plain numbers and words, for JSON.

    Parameters
    ----------
    world : TableWorld

    Returns
    -------
    dict
        The arrays of `tables.world_arrays`, flattened, and what figures need.

    Examples
    --------
    >>> from a3c_tut import corridor_world
    >>> data = world_data(corridor_world(3))
    >>> data["num_states"], data["next_state"], data["references"]
    (3, [0, 1, 0, 2, 2, 2], {'optimum': 1.0})
    """
    arrays = world_arrays(world, A3CConfig())
    return {
        "name": world.name,
        "num_states": world.num_states,
        "num_actions": world.num_actions,
        "num_outcomes": world.num_outcomes,
        "next_state": arrays.next_state.ravel().tolist(),
        "cumulative": arrays.cumulative.ravel().tolist(),
        "reward": arrays.reward.ravel().tolist(),
        "terminated": arrays.terminated.ravel().astype(int).tolist(),
        "start_states": arrays.start_states.tolist(),
        "start_cumulative": arrays.start_cumulative.tolist(),
        "max_episode_steps": world.max_episode_steps,
        "action_names": list(world.action_names),
        "grid_shape": world.grid_shape,
        "marks": {str(state): mark for state, mark in world.marks.items()},
        "references": reference_returns(world),
    }


def recorded_data(result: TrainingResult, world_key: str = "cliff") -> dict[str, Any]:
    """Return what a page needs to replay a recorded run and to see that it comes out the same.

    Parameters
    ----------
    result : TrainingResult
        Of at most ten workers.
    world_key : str
        The name by which the page knows its world.

    Returns
    -------
    dict
        Configuration, seed, total_steps, the schedule as one digit per push, the final logits, and
        the place, `begin`, where most workers take turns most.

    Examples
    --------
    >>> result = train(cliff_world(), total_steps=500)
    >>> recorded_data(result)["schedule"][:6]
    '012012'
    """
    schedule = result.schedule
    shown = min(PUSHES_SHOWN, len(schedule))
    windows = np.lib.stride_tricks.sliding_window_view(schedule, shown)
    present = [(windows == worker).any(axis=1) for worker in range(result.config.num_workers)]
    changes = (np.diff(windows, axis=1) != 0).sum(axis=1)
    return {
        "world": world_key,
        "config": result.config.as_dict(),
        "seed": result.seed,
        "total_steps": result.total_steps,
        "schedule": "".join(map(str, schedule.tolist())),
        "begin": int((np.sum(present, axis=0) * PUSHES_SHOWN + changes).argmax()),
        "theta": result.theta.ravel().tolist(),
    }


def load_recorded(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read what `record` wrote.

    Parameters
    ----------
    path : path of a JSON file

    Returns
    -------
    dict
        As `recorded_data` returned it.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When it holds something else.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "run.json"
    ...     _ = path.write_text('{"schedule": "0120", "config": {"gamma": 0.99}, "theta": []}')
    ...     load_recorded(path)["config"]
    {'gamma': 0.99}
    """
    with open(path, encoding="utf-8") as file:
        data: dict[str, Any] = json.load(file)
    if not isinstance(data, dict) or not {"schedule", "config", "theta"} <= data.keys():
        raise ValueError(f"{os.fspath(path)!r} holds no recorded run; allowed: what `record` wrote")
    return data


def recorded_schedule(path: str | os.PathLike[str]) -> list[int]:
    """Return the worker ids of a recorded run, in push order, for `train(…, schedule=…)`.

    Parameters
    ----------
    path : path of a file that `record` wrote

    Returns
    -------
    list of int

    Examples
    --------
    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "run.json"
    ...     _ = path.write_text('{"schedule": "0120", "config": {}, "theta": []}')
    ...     recorded_schedule(path)
    [0, 1, 2, 0]
    """
    return [int(digit) for digit in load_recorded(path)["schedule"]]


def live_data(
    worlds: Sequence[str] = ("cliff", "sparse-grid", "corridor"),
    config: A3CConfig | None = None,
    total_steps: int = 60_000,
    seed: int = 0,
    seeds: int = 30,
    recorded: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return all that a live element is told, for JSON.

    Parameters
    ----------
    worlds : sequence of keys
        Some of `WORLD_KEYS`; the first is shown first.
    config : A3CConfig, optional
        What the controls stand at in the beginning; default: `A3CConfig()`.
    total_steps, seed : int
    seeds : int from 2
        How many the button "train many seeds" trains.
    recorded : mapping, optional
        What `load_recorded` returned, and its "path" for the call in Python that is shown.

    Returns
    -------
    dict

    Raises
    ------
    ValueError
        For a world that is not known.

    Examples
    --------
    >>> sorted(live_data(["corridor"]))
    ['defaults', 'recorded', 'seed', 'seeds', 'total_steps', 'worlds']
    """
    unknown = [key for key in worlds if key not in _WORLDS]
    if unknown or not worlds:
        raise ValueError(f"worlds is {list(worlds)!r}; allowed: some of {', '.join(WORLD_KEYS)}")
    described = []
    for key in worlds:
        python = _WORLDS[key].python
        described.append(
            {"key": key, "python": python, "import": python.split("(")[0].split(".")[0]}
            | world_data(_WORLDS[key].make())
        )
    return {
        "worlds": described,
        "defaults": (config or A3CConfig()).as_dict(),
        "total_steps": total_steps,
        "seed": seed,
        "seeds": seeds,
        "recorded": dict(recorded) if recorded is not None else None,
    }


def live_html(kind: str, data: Mapping[str, Any], picture: str, alt: str, sentence: str) -> str:
    """Return the HTML of a live element.

    A picture and a sentence, which scripts replace by the real thing. No handler stands in the
    markup, so that a strict Content-Security-Policy has nothing to refuse.

    Parameters
    ----------
    kind : "live", "stepper", "pushes", "balance" or "draw"
    data : what `live_data` returned
    picture : str, the address of the picture
    alt, sentence : str

    Returns
    -------
    str

    Raises
    ------
    ValueError
        For another kind.

    Examples
    --------
    >>> page = live_html("live", {"a": "</script>"}, "p.png", "Returns rise.", "Needs scripts.")
    >>> page.count("</script>"), page.count('data-a3c="live"')
    (1, 1)
    """
    # What the last two are told, and what stands in for them, is `book.balance`'s and `drawing`'s.
    kinds = (*KINDS, "balance", "draw")
    if kind not in kinds:
        raise ValueError(f"kind is {kind!r}; allowed: {', '.join(map(repr, kinds))}")
    content = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    return (
        f'<div class="a3c-live" data-a3c="{kind}">\n'
        f'<script type="application/json">{content}</script>\n'
        f'<figure><img src="{html.escape(picture)}" alt="{html.escape(alt)}">\n'
        f"<figcaption>{html.escape(sentence)}</figcaption></figure>\n"
        "</div>\n"
    )


class Fallback(NamedTuple):
    """What stands in an element's place where there are no scripts.

    Attributes
    ----------
    figure : Figure
    alt : str
    sentence : str

    Examples
    --------
    >>> from a3c_tut.figures import new_figure
    >>> instead = Fallback(new_figure(4, 3), "Returns rise.", "With JavaScript, it moves.")
    >>> instead.alt
    'Returns rise.'
    """

    figure: Any
    alt: str
    sentence: str


def fallback(kind: str, world: str = "cliff", config: A3CConfig | None = None,
             total_steps: int = 60_000, seed: int = 0) -> Fallback:  # fmt: skip
    """Return the picture and the sentence of a live element.

    Parameters
    ----------
    kind : one of `KINDS`
    world : one of `WORLD_KEYS`
    config, total_steps, seed : as the element begins

    Returns
    -------
    Fallback

    Examples
    --------
    >>> fallback("stepper").sentence.split(":")[0]
    'With JavaScript, this becomes the asynchrony stepper'
    """
    table = _WORLDS[world].make()
    config = config or A3CConfig()
    if kind == "live":
        result = train(table, config, total_steps=total_steps, seed=seed)
        rounded = f"{final_return(result):.1f}".replace("-", "−")
        workers = f"{config.num_workers} worker{'s' if config.num_workers > 1 else ''}"
        return Fallback(
            plot_returns(result),
            f"Returns of the {len(result.episodes):,} episodes of {workers} on {table.name} over "
            f"{result.steps:,} steps, one faint mark each, and their moving average, which ends "
            f"near {rounded}.",
            "With JavaScript, this becomes a live lab: move a slider and the page itself trains "
            f"again. Shown is the run it begins with, which ends at a mean return of {rounded}.",
        )
    if kind == "pushes":
        result = train(table, config, total_steps=total_steps, seed=seed, schedule="random")
        steps = len(greedy_path(table, result.policy).states) - 1
        return Fallback(
            plot_policy_map(result),
            f"The map of {table.name} after {config.num_workers} workers have learned on it for "
            f"{result.steps:,} steps: in each cell the more probable actions have the stronger "
            f"colour, and a line follows them from the start to the goal, in {steps} steps.",
            "With JavaScript, this moves: the workers push what they learn into the tables "
            f"that they share. Shown is what {len(result.updates):,} pushes come to.",
        )
    result = train(table, config, total_steps=2_000, seed=seed, schedule="random")
    staleness = result.updates["staleness"][:PUSHES_SHOWN]
    return Fallback(
        _lanes(result),
        f"A lane for each of {config.num_workers} workers, with {PUSHES_SHOWN} pushes in random "
        "order. A bar lasts from a worker's sync to its next push; the number in the square is the "
        f"staleness of the push, at most {staleness.max()} here.",
        "With JavaScript, this becomes the asynchrony stepper: go through the pushes one by one, "
        "and change their order.",
    )


def _lanes(result: TrainingResult) -> Any:
    figure = new_figure(WIDTH, 0.9 + 0.5 * result.config.num_workers)
    axes = figure.subplots()
    newest = dict.fromkeys(range(result.config.num_workers), 0.0)
    for i, (worker, staleness) in enumerate(
        zip(result.schedule[:PUSHES_SHOWN].tolist(), result.updates["staleness"], strict=False), 1
    ):
        color = WORKER_COLORS[worker % len(WORKER_COLORS)]
        axes.barh(worker, i - newest[worker], left=newest[worker], height=0.35, color=color,
                  alpha=0.5)  # fmt: skip
        axes.plot(i, worker, "s", color=color, markeredgecolor=BLACK, markersize=11)
        axes.text(i, worker, str(staleness), ha="center", va="center", fontsize=8)
        newest[worker] = float(i)
    axes.set_yticks(list(newest), [f"worker {w}" for w in newest])
    axes.set_ylim(len(newest) - 0.5, -0.5)
    axes.set_xlim(0, PUSHES_SHOWN + 0.5)
    axes.set_xlabel("pushes; the number is the staleness of the push")
    return figure


def record(path: str | os.PathLike[str], tries: int = 10) -> TrainingResult:
    """Run the default run in real processes and write down what they did, as JSON.

    Parameters
    ----------
    path : path
    tries : int from 1
        On a busy machine a worker is often done before the next one gets a turn: of so many runs
        the one is kept whose workers take turns most often.

    Returns
    -------
    TrainingResult

    Raises
    ------
    OSError
        When the file cannot be written.

    Examples
    --------
    With a short emulated run in place of the real one:

    >>> import tempfile, pathlib
    >>> from unittest.mock import patch
    >>> def short(world, config, runner):
    ...     return train(world, config, total_steps=600)
    >>> with tempfile.TemporaryDirectory() as folder, patch(f"{__name__}.train", short):
    ...     result = record(pathlib.Path(folder) / "run.json", tries=1)
    ...     recorded_schedule(pathlib.Path(folder) / "run.json") == result.schedule.tolist()
    True
    """
    runs = []
    for _ in range(tries):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # more workers than cores
            runs.append(train(cliff_world(), A3CConfig(), runner="processes"))
    best = max(runs, key=lambda run: int((np.diff(run.schedule) != 0).sum()))
    with written_whole(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        json.dump(recorded_data(best), file)
        file.write("\n")
    return best


def main() -> None:
    """Record a run from the command line.

    Examples
    --------
    With a short emulated run in place of ten real ones:

    >>> from unittest.mock import patch
    >>> result = train(cliff_world(), A3CConfig(rollout_length=5), total_steps=600)
    >>> command = patch("sys.argv", ["live", "run.json"])
    >>> with command, patch(f"{__name__}.record", return_value=result) as recorded:
    ...     main()
    120 pushes; the next is another worker's in 100.0% of them
    >>> recorded.call_args.args
    ('run.json', 10)
    """
    print_what_can_be()
    parser = argparse.ArgumentParser(description="Record a run of real processes for the book.")
    parser.add_argument("path")
    parser.add_argument("--tries", type=int, default=10)
    asked = parser.parse_args()
    result = record(asked.path, asked.tries)
    changes = float((np.diff(result.schedule) != 0).mean())
    print(f"{len(result.schedule):,} pushes; the next is another worker's in {changes:.1%} of them")


if __name__ == "__main__":
    main()
