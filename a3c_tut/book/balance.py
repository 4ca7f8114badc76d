"""What the live element with cart-pole and pendulum needs of Python (Section 3.3).

The page trains by itself, as in `book.live`; here are worlds, networks and settings as JSON, and
the picture and the sentence for readers without scripts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from a3c_tut import train
from a3c_tut.book.live import Fallback, world_data
from a3c_tut.config import A3CConfig
from a3c_tut.control import COMPILED, TABLE
from a3c_tut.engine.crew import Job
from a3c_tut.engine.motion import control_arrays, move, numbers_for, observe, reset
from a3c_tut.engine.network import act, forward, make_network_rollout
from a3c_tut.experiments import final_return, moving_average
from a3c_tut.figures import (
    BLACK,
    BLUE,
    ORANGE,
    WIDTH,
    WORKER_COLORS,
    WORKER_MARKERS,
    new_figure,
)
from a3c_tut.networks import MLP, Convolutional, Task, network_config
from a3c_tut.results import TrainingResult


class _Scene(NamedTuple):
    title: str
    total_steps: int
    low: float  # of the returns drawn
    high: float
    threshold: float | None  # Gymnasium's: a mean return that counts as solved
    caption: str


_SCENES = {
    "CartPole-v1": _Scene(
        "CartPole", 150_000, 0.0, 515.0, 475.0,
        "Each worker’s copy of the network, as it is at the moment, plays an episode at real "
        "speed; faint poles show where it just was. An episode ends when the pole leans more than "
        "12°, when the cart leaves the rail, or after 500 steps.",
    ),
    "Pendulum-v1": _Scene(
        "Pendulum", 500_000, -2_000.0, 0.0, None,
        "Each worker’s copy of the network, as it is at the moment, plays an episode at real "
        "speed; faint rods show where it just was. The arrow is the motor, too weak to lift the "
        "pendulum at once. An episode lasts 200 steps; the number is its return so far.",
    ),
}  # fmt: skip
#: The worlds that the element can offer.
WORLD_KEYS = tuple(_SCENES)
#: Episodes in the moving average of the fallback's curve, as in the page.
WINDOW = 50


def task_data(task: Task) -> dict[str, Any]:
    """Return a world and its network as plain numbers and words, for JSON.

    Parameters
    ----------
    task : Task

    Examples
    --------
    >>> from a3c_tut.control import pendulum
    >>> data = task_data(Task(pendulum(), MLP()))
    >>> data["model"], data["world"]["action_range"]
    ({'hidden': [32, 32], 'shared': True, 'filters': 0}, 2.0)
    """
    world, model = task.world, task.model
    assert isinstance(model, MLP)  # a page has no PyTorch
    names = (
        "name", "motion", "observation_size", "action_size", "continuous", "max_episode_steps",
        "walker_size", "action_range", "image_shape",
    )  # fmt: skip
    data = {name: getattr(world, name) for name in names}
    if world.motion == TABLE:
        data["table"] = world_data(world.table)
    filters = model.filters if isinstance(model, Convolutional) else 0
    shape = {"hidden": list(model.hidden), "shared": model.shared, "filters": filters}
    return {"world": data, "model": shape}


def balance_data(
    worlds: Sequence[str] = WORLD_KEYS, seed: int = 0, **changes: Any
) -> dict[str, Any]:
    """Return all that the element is told, for JSON.

    Parameters
    ----------
    worlds : sequence of ids
        Some of `WORLD_KEYS`; the first is shown first.
    seed : int
    **changes
        Settings that differ from those of `network_config`.

    Raises
    ------
    ValueError
        For a world that is not known, or a setting out of range.

    Examples
    --------
    >>> data = balance_data(["CartPole-v1"])
    >>> data["worlds"][0]["python"]
    'train("CartPole-v1", seed=SEED, total_steps=150_000)'
    >>> balance_data(["CartPole-v1"], num_workers=4)["worlds"][0]["config"]["num_workers"]
    4
    """
    unknown = [key for key in worlds if key not in _SCENES]
    if unknown or not worlds:
        raise ValueError(f"worlds is {list(worlds)!r}; allowed: some of {', '.join(WORLD_KEYS)}")
    described = []
    for key in worlds:
        world, scene = COMPILED[key](), _SCENES[key]
        own = "".join(f", {name}={value!r}" for name, value in changes.items())
        maker = COMPILED[key].__name__
        config = f"network_config({maker}(){own}), " if changes else ""
        described.append(
            {
                **scene._asdict(),
                "task": task_data(Task(world, MLP())),
                "config": network_config(world, **changes).as_dict(),
                "python": f'train("{key}", {config}seed=SEED, total_steps={scene.total_steps:_})',
            }
        )
    return {"worlds": described, "seed": seed}


def play(task: Task, parameters: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Return where the walker is at each step of one episode, under a network that does not learn.

    Parameters
    ----------
    task : Task, whose world is compiled
    parameters : (P,)
    seed : int, of the episode

    Returns
    -------
    (steps + 1, K) floats

    Examples
    --------
    An untrained network does not hold the pole for long:

    >>> from a3c_tut.control import cart_pole
    >>> task = Task(cart_pole(), MLP())
    >>> walked = play(task, np.zeros(task.num_actions), seed=0)
    >>> walked.shape[1], len(walked) < 100
    (4, True)
    """
    where, world = task.layout, control_arrays(task.world, A3CConfig())
    at_start, per_step = (int(count) for count in numbers_for(task.world))
    random = np.random.default_rng(seed)
    uniforms = random.random(at_start + per_step * world.max_episode_steps)
    rollout, walker = make_network_rollout(1, where), np.zeros(task.world.walker_size)
    cursor = reset(world, walker, uniforms, 0)
    walked = [walker.copy()]
    ended = False
    while not ended and len(walked) <= world.max_episode_steps:
        observe(world, walker, rollout.observations[0])
        forward(parameters, where, rollout, 0)
        cursor = act(
            parameters, where, world.continuous, world.action_range, rollout, 0, uniforms, cursor
        )
        ended = move(world, walker, int(rollout.actions[0]), rollout.force, 0.0)[1]
        walked.append(walker.copy())
    return np.array(walked)


def fallback(
    key: str = "CartPole-v1", seed: int = 0, total_steps: int | None = None, **changes: Any
) -> Fallback:
    """Return the picture and the sentence that stand in the element's place without scripts.

    Parameters
    ----------
    key : one of `WORLD_KEYS`
    seed, changes : as in `balance_data`
    total_steps : int, optional
        Default: as many as the element trains.

    Examples
    --------
    >>> standin = fallback("CartPole-v1", total_steps=3_000)
    >>> standin.sentence.split(":")[0]
    'With JavaScript, CartPole learns here, in the page'
    """
    scene, world = _SCENES[key], COMPILED[key]()
    config = network_config(world, **changes)
    task, total = Task(world, MLP()), total_steps or scene.total_steps
    untrained = Job.fresh(task, config, seed=seed).theta[0]
    result = train(key, config, total_steps=total, seed=seed)
    films = [play(task, theta, seed) for theta in (untrained, result.state["theta"][0])]
    figure = new_figure(WIDTH, 4.6)
    before, after, returns = figure.subplots(3, 1, height_ratios=(1, 1, 3.2))
    limit = world.max_episode_steps
    _film(before, films[0], limit, f"before training: an episode of {len(films[0]) - 1} steps")
    _film(after, films[1], limit, f"after training: an episode of {len(films[1]) - 1} steps")
    _curve(returns, result, scene)
    mean = f"{final_return(result, WINDOW):,.0f}".replace("-", "−")
    lasted = f"{len(films[0]) - 1} and {len(films[1]) - 1} steps"
    return Fallback(
        figure,
        f"Two strips and a curve. The strips show the angle of {scene.title} every few steps of an "
        f"episode, before training and after it; the episodes last {lasted}. The curve shows the "
        f"returns of {len(result.episodes):,} episodes over {total:,} steps, whose mean ends near "
        f"{mean}.",
        f"With JavaScript, {scene.title} learns here, in the page: workers balance while the curve "
        f"of their returns rises. Shown is the run that it begins with, whose last {WINDOW} "
        f"episodes returned {mean} on average.",
    )


def _curve(axes: Any, result: TrainingResult, scene: _Scene) -> None:
    """Draw the returns as the page does: every episode faint, their mean strong."""
    episodes = result.episodes
    for worker in range(result.config.num_workers):
        own = episodes[episodes["worker"] == worker]
        axes.plot(
            own["step"], own["total_return"], WORKER_MARKERS[worker % len(WORKER_MARKERS)],
            color=WORKER_COLORS[worker % len(WORKER_COLORS)], markersize=3.0, alpha=0.3,
            markeredgewidth=0.0,
        )  # fmt: skip
    means = moving_average(episodes["total_return"], WINDOW)
    at = episodes["step"][WINDOW - 1 :]
    axes.plot(at, means, color=BLACK, linewidth=1.8, label=f"mean of {WINDOW} episodes")
    if scene.threshold is not None:
        axes.axhline(
            scene.threshold, color=BLUE, linestyle="--", label=f"solved: {scene.threshold:g}"
        )
    axes.set_xlim(0, result.total_steps)
    axes.set_ylim(scene.low, scene.high)
    axes.set_xticks(np.linspace(0, result.total_steps, 6))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("environment steps of all workers together")
    axes.set_ylabel("return")
    axes.legend(fontsize=9, loc="lower right")


def _film(axes: Any, walked: NDArray[np.float64], limit: int, title: str) -> None:
    """Draw the angle every few steps, a rod each, along the time."""
    apart = max(1, limit // 50)
    steps = np.unique([*range(0, len(walked), apart), len(walked) - 1])
    angle, length = walked[steps, 2 if walked.shape[1] == 4 else 0], 2.2 * apart
    for step, leaning in zip(steps, angle, strict=True):
        tip = step + length * np.sin(leaning), np.cos(leaning)
        axes.plot((step, tip[0]), (0, tip[1]), color=ORANGE, linewidth=2.2, solid_capstyle="round")
        axes.plot(step, 0, "o", color=BLACK, markersize=2.5)
    axes.set_xlim(-limit / 50, limit * 1.04)
    axes.set_ylim(-1.15 if np.cos(angle).min() < 0 else -0.15, 1.15)
    axes.set_yticks([])
    axes.set_title(title, fontsize=9, loc="left")
    axes.tick_params(labelsize=8)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
