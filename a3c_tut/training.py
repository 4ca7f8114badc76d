"""Train, replay, and what comes out of it (Section 2.2: a run and its schedule).

> A run of A3C is a pure function of what was asked for (world, config, seed, total_steps) and of
> the schedule.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from a3c_tut.config import A3CConfig, whole
from a3c_tut.errors import DivergenceError
from a3c_tut.files import written_whole
from a3c_tut.kernels import make_rollout, softmax
from a3c_tut.runners import emulated
from a3c_tut.schedules import RandomSchedule, RoundRobin, Schedule, check_given
from a3c_tut.tables import EPISODE_DTYPE, STEPS, UPDATE_DTYPE
from a3c_tut.worker import Seed, TableCrew, worker_seeds
from a3c_tut.worlds import TableWorld

#: Raised when the meaning of a saved file changes.
FILE_VERSION = 1
_WORLD_ARRAYS = ("next_state", "probability", "reward", "terminated", "start")
_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """What was asked for, what came out, and all that is needed to repeat it or to go on.

    Attributes
    ----------
    world, config, seed, total_steps : what was asked for
    runner : str
        Who ran it.
    episodes : structured array
        A row per finished episode: worker, total_return (in the world's units), length, step (the
        shared step counter after the push that brought it), truncated.
    updates : structured array
        A row per update, in push order: worker, step, staleness (pushes since the worker's last
        sync), grad_norm (before clipping), entropy (mean over the rollout, nats), learning_rate
        (the actor's, after annealing).
    state : mapping of arrays
        Shared tables, optimizer statistics, every worker's own memory, at the end of the run.
    initial : mapping of arrays
        The tables that all workers started from, "theta" and "values", in the world's units.

    Examples
    --------
    >>> from a3c_tut import cliff_world, train
    >>> result = train(cliff_world(), total_steps=1_000)
    >>> result.theta.shape, result.values.shape, result.schedule[:4].tolist()
    ((48, 4), (48,), [0, 1, 2, 0])
    """

    world: TableWorld
    config: A3CConfig
    seed: Seed
    total_steps: int
    runner: str
    episodes: NDArray[Any]
    updates: NDArray[Any]
    state: Mapping[str, NDArray[Any]] = field(repr=False)
    initial: Mapping[str, NDArray[Any]] = field(repr=False)

    @property
    def theta(self) -> NDArray[np.float64]:
        """The shared logits θ, (S, A)."""
        return self.state["theta"]

    @property
    def policy(self) -> NDArray[np.float64]:
        """The shared policy π(a|s), (S, A)."""
        return softmax_table(self.theta)

    @property
    def values(self) -> NDArray[np.float64]:
        """The shared state values, (S,), in the world's own units."""
        return self.state["V"] / self.config.reward_scale

    @property
    def schedule(self) -> NDArray[np.int64]:
        """The worker ids in push order, (U,): all the nondeterminism there was."""
        return self.updates["worker"].astype(np.int64)

    @property
    def steps(self) -> int:
        """Environment steps pushed, by all workers."""
        return int(self.state["counters"][STEPS])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the result to one file, all of it or nothing.

        Raises
        ------
        OSError
            When the folder cannot be written.

        Examples
        --------
        >>> import tempfile, pathlib
        >>> from a3c_tut import cliff_world, train
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder) / "run.npz"
        ...     train(cliff_world(), total_steps=500).save(path)
        ...     TrainingResult.load(path).steps >= 500
        True
        """
        world = self.world
        about = {
            "format": "a3c_tut.TrainingResult",
            "version": FILE_VERSION,
            "config": self.config.as_dict(),
            "seed": self.seed if isinstance(self.seed, int) else list(self.seed),
            "total_steps": self.total_steps,
            "runner": self.runner,
            "world": {
                "max_episode_steps": world.max_episode_steps,
                "name": world.name,
                "action_names": world.action_names,
                "grid_shape": world.grid_shape,
                "marks": sorted(world.marks.items()),
            },
        }
        arrays = {
            "about": np.frombuffer(json.dumps(about).encode(), dtype=np.uint8),
            "episodes": self.episodes,
            "updates": self.updates,
            **{f"world.{name}": getattr(world, name) for name in _WORLD_ARRAYS},
            **{f"state.{name}": array for name, array in self.state.items()},
            **{f"initial.{name}": array for name, array in self.initial.items()},
        }
        with written_whole(path) as temporary, open(temporary, "wb") as file:
            np.savez_compressed(file, **arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> TrainingResult:
        """Read a result that `save` wrote; nothing in the file is executed.

        Raises
        ------
        FileNotFoundError
            When there is no such file.
        ValueError
            When the file is damaged, is something else, or comes from a newer version.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            about = json.loads(bytes(arrays["about"]))
            if about["format"] != "a3c_tut.TrainingResult":
                raise KeyError("format")
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile, AttributeError, TypeError) as e:
            raise ValueError(f"{os.fspath(path)!r} is damaged or no saved TrainingResult") from e
        if about["version"] > FILE_VERSION:
            raise ValueError(
                f"{os.fspath(path)!r} has file version {about['version']}; allowed: up to "
                f"{FILE_VERSION}; update a3c_tut"
            )
        try:
            return cls._from_file(about, arrays)
        except (ValueError, KeyError, TypeError) as e:
            raise ValueError(f"{os.fspath(path)!r} is damaged: {e}") from e

    @classmethod
    def _from_file(cls, about: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> TrainingResult:
        grid = about["world"]["grid_shape"]
        seed = about["seed"]
        return cls(
            world=TableWorld(
                **{name: arrays[f"world.{name}"] for name in _WORLD_ARRAYS},
                max_episode_steps=about["world"]["max_episode_steps"],
                name=about["world"]["name"],
                action_names=tuple(about["world"]["action_names"]),
                grid_shape=None if grid is None else (grid[0], grid[1]),
                marks=dict(about["world"]["marks"]),
            ),
            config=A3CConfig(**about["config"]),
            seed=seed if isinstance(seed, int) else tuple(seed),
            total_steps=about["total_steps"],
            runner=about["runner"],
            episodes=arrays["episodes"],
            updates=arrays["updates"],
            state=_named(arrays, "state."),
            initial=_named(arrays, "initial."),
        )


def _named(arrays: dict[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


def train(
    world: TableWorld,
    config: A3CConfig | None = None,
    *,
    total_steps: int = 60_000,
    seed: Seed = 0,
    runner: Literal["emulated"] = "emulated",
    schedule: str | RandomSchedule | ArrayLike | None = None,
    initial_theta: ArrayLike | None = None,
    initial_values: ArrayLike | None = None,
    stop_after: int | None = None,
    resume_from: TrainingResult | str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> TrainingResult:
    """Train N workers on a world, each pushing its gradients to the shared tables.

    Parameters
    ----------
    world : TableWorld
    config : A3CConfig, optional
        Default: `A3CConfig()`.
    total_steps : int from 1
        Environment steps of all workers together, and the horizon of the annealing. The push that
        reaches it is the last; the overshoot is less than one rollout.
    seed : int from 0, or one per worker
    runner : "emulated"
        All workers in this process, in the order of the schedule.
    schedule : optional
        "round_robin" (default), "random", a `RandomSchedule`, or a list of worker ids. A list ends
        the run when it is used up, and `total_steps` is then only the horizon of the annealing.
    initial_theta, initial_values : (S, A) and (S,), optional
        The tables all workers start from; default 0. Values are in the world's own units.
    stop_after : int, optional
        Stop early, at so many steps; `total_steps` stays the horizon.
    resume_from : TrainingResult or path, optional
        Continue an emulated run as if it had never stopped. World, config, seed and total_steps
        have to be the same.
    progress : bool
        Show a progress bar.

    Returns
    -------
    TrainingResult

    Raises
    ------
    ValueError
        For a setting out of range, before anything runs.
    DivergenceError
        When a parameter or a gradient norm is no longer finite; it carries the result so far.

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> result = train(cliff_world(), total_steps=2_000, seed=1)
    >>> again = train(cliff_world(), total_steps=2_000, seed=1)
    >>> bool((result.theta == again.theta).all())
    True
    """
    config = _checked(world, config, total_steps, seed, runner, stop_after)
    start = _load(resume_from)
    if start is None:
        initial = {
            "theta": _table("initial_theta", initial_theta, (world.num_states, world.num_actions)),
            "values": _table("initial_values", initial_values, (world.num_states,)),
        }
    else:
        _check_same(start, world, config, total_steps, seed)
        if initial_theta is not None or initial_values is not None:
            raise ValueError("initial tables are given with resume_from; allowed: one of the two")
        initial = dict(start.initial)
    order, has_end = _schedule(schedule, config, seed, start)
    stop_at = _NEVER if has_end else total_steps
    if stop_after is not None:
        stop_at = min(stop_at, stop_after)

    crew = TableCrew(
        world, config, total_steps, seed, initial["theta"],
        initial["values"] * config.reward_scale,
        None if start is None else start.state,
    )  # fmt: skip
    # Interpreted kernels would warn where a run diverges; it is reported in its own words.
    with (
        np.errstate(all="ignore"),
        _bar(progress, min(stop_at, total_steps), crew.steps) as on_progress,
    ):
        diverged, episodes, updates = emulated.run(crew, order, stop_at, on_progress)
    result = TrainingResult(
        world=world,
        config=config,
        seed=int(seed) if isinstance(seed, (int, np.integer)) else tuple(int(s) for s in seed),
        total_steps=int(total_steps),
        runner=runner,
        episodes=_joined(EPISODE_DTYPE, None if start is None else start.episodes, episodes),
        updates=_joined(UPDATE_DTYPE, None if start is None else start.updates, updates),
        state=crew.state(),
        initial=initial,
    )
    if diverged:
        raise DivergenceError(result)
    return result


def replay(result: TrainingResult) -> TrainingResult:
    """Run a recorded run again, in one process: equal bit for bit.

    Parameters
    ----------
    result : TrainingResult
        Of any atomic run.

    Returns
    -------
    TrainingResult
        With the same parameters, statistics, episodes and updates.

    Raises
    ------
    ValueError
        For a Hogwild run: without a lock, its schedule does not say what happened.

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> result = train(cliff_world(), total_steps=2_000, schedule="random")
    >>> again = replay(result)
    >>> bool((again.theta == result.theta).all() and (again.updates == result.updates).all())
    True
    """
    if result.config.update_mode == "hogwild" and result.runner != "emulated":
        raise ValueError(
            "update_mode is 'hogwild': pushes without a lock overlap, and a list of them does not "
            "say what happened; allowed: 'atomic'"
        )
    return train(
        result.world,
        result.config,
        total_steps=result.total_steps,
        seed=result.seed,
        schedule=result.schedule,
        initial_theta=result.initial["theta"],
        initial_values=result.initial["values"],
    )


def softmax_table(theta: ArrayLike) -> NDArray[np.float64]:
    """Return π(a|s) for a table of logits.

    Parameters
    ----------
    theta : (S, A)

    Returns
    -------
    (S, A)
        Rows sum to 1.

    Examples
    --------
    >>> softmax_table([[0.0, 0.0]]).tolist()
    [[0.5, 0.5]]
    """
    logits = np.ascontiguousarray(theta, dtype=np.float64)
    rows = make_rollout(len(logits), logits.shape[1])
    for state in range(len(logits)):
        softmax(logits, state, rows.policies, rows.log_policies, state)
    return rows.policies


def _checked(
    world: TableWorld, config: A3CConfig | None, total_steps: int, seed: Seed, runner: str,
    stop_after: int | None,
) -> A3CConfig:  # fmt: skip
    if not isinstance(world, TableWorld):
        raise ValueError(
            f"world is {world!r}; allowed: a TableWorld, such as cliff_world() or "
            "TableWorld.from_gymnasium('FrozenLake-v1')"
        )
    config = A3CConfig() if config is None else config
    if not isinstance(config, A3CConfig):
        raise ValueError(f"config is {config!r}; allowed: an A3CConfig")
    whole("total_steps", total_steps, 1)
    worker_seeds(seed, config.num_workers)
    if runner not in ("emulated",):
        raise ValueError(f"runner is {runner!r}; allowed: 'emulated'")
    if stop_after is not None:
        whole("stop_after", stop_after, 1, also="None or ")
    return config


def _table(name: str, given: ArrayLike | None, shape: tuple[int, ...]) -> NDArray[np.float64]:
    table = np.zeros(shape) if given is None else np.array(given, dtype=np.float64)
    if table.shape != shape or not np.isfinite(table).all():
        raise ValueError(
            f"{name} is an array of shape {table.shape}; allowed: finite numbers of shape {shape}"
        )
    return table


def _schedule(
    schedule: str | RandomSchedule | ArrayLike | None,
    config: A3CConfig,
    seed: Seed,
    start: TrainingResult | None,
) -> tuple[Schedule, bool]:
    """Return the schedule, and whether it ends by itself."""
    if schedule is None or (isinstance(schedule, str) and schedule == "round_robin"):
        return RoundRobin(config.num_workers), False
    if isinstance(schedule, str):
        if schedule != "random":
            raise ValueError(
                f"schedule is {schedule!r}; allowed: 'round_robin', 'random', a RandomSchedule or "
                "a list of worker ids"
            )
        schedule = RandomSchedule()
    if isinstance(schedule, RandomSchedule):
        # Child number N of the seed; children 0 .. N − 1 are the workers'.
        entropy = np.random.SeedSequence(seed)
        return schedule.seeded(config.num_workers, entropy.spawn(config.num_workers + 1)[-1]), False
    given = check_given(schedule, config.num_workers)
    if start is not None and not np.array_equal(
        given.workers[: len(start.schedule)], start.schedule
    ):
        raise ValueError(
            "schedule does not begin with the schedule of resume_from; allowed: the whole list, "
            "of which the first part has been run"
        )
    return given, True


def _load(given: TrainingResult | str | os.PathLike[str] | None) -> TrainingResult | None:
    return (
        given
        if given is None or isinstance(given, TrainingResult)
        else (TrainingResult.load(given))
    )


def _check_same(
    start: TrainingResult, world: TableWorld, config: A3CConfig, total_steps: int, seed: Seed
) -> None:
    """Say what differs between a run and the one it shall continue."""
    same_world = (
        all(
            np.array_equal(getattr(start.world, name), getattr(world, name))
            for name in _WORLD_ARRAYS
        )
        and start.world.max_episode_steps == world.max_episode_steps
    )
    if not same_world:
        raise ValueError("world differs from that of resume_from; allowed: the same world")
    asked = {**config.as_dict(), "total_steps": total_steps, "seed": np.asarray(seed).tolist()}
    before = {**start.config.as_dict(), "total_steps": start.total_steps,
              "seed": np.asarray(start.seed).tolist()}  # fmt: skip
    for name, value in asked.items():
        if value != before[name]:
            raise ValueError(
                f"{name} is {value!r}; allowed with this resume_from: {before[name]!r}"
            )


def _joined(
    dtype: np.dtype[Any], before: NDArray[Any] | None, pieces: list[NDArray[Any]]
) -> NDArray[Any]:
    first = np.zeros(0, dtype) if before is None else before
    return np.concatenate([first, *pieces])


class _bar:  # noqa: N801
    """A progress bar over environment steps, or nothing."""

    def __init__(self, shown: bool, total: int, done: int):
        from tqdm.auto import tqdm

        self._bar = tqdm(total=total, initial=done, unit="step", unit_scale=True,
                         disable=not shown)  # fmt: skip

    def __enter__(self) -> Any:
        return lambda steps: self._bar.update(min(steps, self._bar.total) - self._bar.n)

    def __exit__(self, *_: object) -> None:
        self._bar.close()
