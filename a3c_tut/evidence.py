"""What the book's claims C01 to C09 and C19 are measured with (Sections 1 and 2).

One function per claim. Each returns the measured effects, as intervals under the names that the
ledger asks for; what a plot needs comes from the function that the claim is made of. Seeds 1000 to
1029 settle a claim; seeds 100 to 129 are for looking around and for tuning.

*Stability* is measured the same way throughout: the share of a fixed range of step sizes at which a
run works. It needs no tuning, and it is what a user feels: how wrong the step size may be.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from a3c_tut import tables
from a3c_tut.claims import Interval
from a3c_tut.config import A3CConfig
from a3c_tut.errors import DivergenceError
from a3c_tut.experiments import final_return, mean_interval
from a3c_tut.kernels import kernel
from a3c_tut.results import TrainingResult
from a3c_tut.runners import emulated
from a3c_tut.schedules import Given, RandomSchedule, RoundRobin, Schedule
from a3c_tut.tables import CURSOR, LOG_ROWS, STEPS
from a3c_tut.training import train
from a3c_tut.worker import DIVERGED, DONE, FINISHED, LOG_FULL, NEEDS_UNIFORMS, TableCrew, refill
from a3c_tut.worlds import TableWorld, cliff_world

Floats = NDArray[np.float64]
Value = TypeVar("Value")

#: The seeds that settle a claim, and those for looking around and tuning.
SEEDS, TUNING_SEEDS = range(1000, 1030), range(100, 130)
#: The step sizes of actor and critic at which stability is measured: a factor of 512.
STEP_SIZES = 0.0125 * 2.0 ** np.arange(10)
#: A run works when its last 100 episodes return at least this, on average.
WORKS = -20.0
#: One worker ten times slower than the two others.
ONE_SLOW = RandomSchedule((1.0, 1.0, 0.1))


def interval(values: ArrayLike) -> Interval:
    """Return mean and 95 % bootstrap interval over seeds.

    Examples
    --------
    >>> interval([2.0, 2.0]).text()
    '2.00 [2.00, 2.00]'
    """
    return Interval(*mean_interval(values))


def each_seed(function: Callable[[int], Value], seeds: Sequence[int] = SEEDS) -> list[Value]:
    """Call a function once per seed, on all cores; `run_seeds` for what is not one run.

    Examples
    --------
    >>> each_seed(lambda seed: seed + 1, [3, 4])
    [4, 5]
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(function, seeds))


# --- A crew that can be watched -----------------------------------------------------------------


@kernel
def take_watched_turns(  # type: ignore[no-untyped-def]
    world, settings, shared, statistics, me, scratch, log, schedule, first, stop_at, fresh, visits
):
    """Take turns as `tables.take_turns` does, with settings per worker, counting what was tried.

    With `fresh`, a worker copies the shared tables *before* it acts, so that no gradient is stale.
    """
    turn = first
    why = DONE
    while turn < schedule.shape[0]:
        index = schedule[turn]
        mine = settings[index]
        if shared.counters[STEPS] >= stop_at:
            why = FINISHED
            break
        if log.filled[1] - log.drained[1] >= LOG_ROWS:
            why = LOG_FULL
            break
        if me.counters[index, CURSOR] + 1 + 2 * mine.rollout_length[index] > me.uniforms.shape[1]:
            why = NEEDS_UNIFORMS
            break
        if fresh:
            tables.sync(mine, shared, me, index)
        tables.prepare(world, mine, me, index, scratch)
        for t in range(scratch.turn.whole[tables.LENGTH]):
            visits[scratch.rollout.states[t], scratch.rollout.actions[t]] += 1
        finite = tables.push(mine, shared, statistics, me, index, scratch, log)
        if not fresh:
            tables.sync(mine, shared, me, index)
        tables.walk_on(shared, me, index, scratch, log)
        turn += 1
        if not finite:
            why = DIVERGED
            break
    return turn, why


class _WatchedCrew(TableCrew):
    """A crew whose copies may be fresh, and whose workers may have rates of their own."""

    def __init__(
        self, world: TableWorld, config: A3CConfig, total_steps: int, seed: int, fresh: bool,
        rates: Sequence[float],
    ):  # fmt: skip
        zeros = np.zeros((world.num_states, world.num_actions))
        super().__init__(world, config, total_steps, seed, zeros, zeros[:, 0])
        self._each = tuple(
            self._settings._replace(
                actor_lr=config.actor_lr * rate, critic_lr=config.critic_lr * rate
            )
            for rate in rates
        )
        self._fresh = fresh
        self.visits = np.zeros(zeros.shape, dtype=np.int64)

    def take_turns(
        self, schedule: NDArray[np.int64], stop_at: int
    ) -> tuple[bool, NDArray[Any], NDArray[Any]]:
        """Take whole turns in this order."""
        turn, why = 0, NEEDS_UNIFORMS
        while why == NEEDS_UNIFORMS:
            for index, stream in enumerate(self._streams):
                if self.local.counters[index, CURSOR] > 0:
                    refill(self.local, index, stream)
            turn, why = take_watched_turns(
                self._world, self._each, self.shared, self.statistics, self.local, self._scratch,
                self._log, schedule, turn, stop_at, self._fresh, self.visits,
            )  # fmt: skip
        episodes, updates, *_ = tables.drain(self._log)
        return why == DIVERGED, episodes, updates


class Watched(NamedTuple):
    """A run, and what was tried in it.

    Attributes
    ----------
    result : TrainingResult
    visits : (S, A) ints
        How often each action was taken in each state.
    """

    result: TrainingResult
    visits: NDArray[np.int64]


def watch(
    world: TableWorld,
    config: A3CConfig,
    *,
    seed: int,
    total_steps: int = 60_000,
    schedule: RandomSchedule | NDArray[np.int64] | None = None,
    fresh: bool = False,
    rates: Sequence[float] | None = None,
) -> Watched:
    """Train as `train` does, and count every action; for controls that `train` does not offer.

    Parameters
    ----------
    world, config, seed, total_steps, schedule : as in `train`
    fresh : bool
        The synchronous control: a worker copies the shared tables right before it acts, so that
        every gradient is computed at the parameters to which it is applied.
    rates : one factor per worker, optional
        Multiplies the step sizes of that worker.

    Returns
    -------
    Watched

    Raises
    ------
    DivergenceError
        When a parameter is no longer finite.

    Examples
    --------
    Without the extras it is the very run of `train`:

    >>> world = cliff_world()
    >>> seen = watch(world, A3CConfig(), seed=3, total_steps=3_000)
    >>> bool((seen.result.theta == train(world, total_steps=3_000, seed=3).theta).all())
    True
    """
    workers = config.num_workers
    crew = _WatchedCrew(
        world, config, total_steps, seed, fresh, rates if rates is not None else (1.0,) * workers
    )
    order: Schedule = RoundRobin(workers)
    stop_at = total_steps
    if isinstance(schedule, RandomSchedule):
        order = schedule.seeded(workers, np.random.SeedSequence(seed).spawn(workers + 1)[-1])
    elif schedule is not None:
        order, stop_at = Given(schedule), np.iinfo(np.int64).max
    with np.errstate(all="ignore"):
        diverged, episodes, updates = emulated.run(crew, order, stop_at, lambda steps: None)
    result = TrainingResult(
        world=world, config=config, seed=seed, total_steps=total_steps, runner="emulated",
        episodes=tables.joined(tables.EPISODE_DTYPE, episodes),
        updates=tables.joined(tables.UPDATE_DTYPE, updates), state=crew.state(), initial={},
    )  # fmt: skip
    if diverged:
        raise DivergenceError(result)
    return Watched(result, crew.visits)


# --- Stability ----------------------------------------------------------------------------------


def working(
    config: A3CConfig,
    *,
    seeds: Sequence[int] = SEEDS,
    step_sizes: ArrayLike = STEP_SIZES,
    rates: Sequence[float] | None = None,
    **asked: Any,
) -> NDArray[np.bool_]:
    """Return at which step sizes a run works, seed by seed (Section 2.3).

    Parameters
    ----------
    config : A3CConfig
        Its two step sizes are replaced by those of the range.
    seeds, step_sizes : sequences
    rates : one factor per worker, optional
        As in `watch`.
    **asked
        Further arguments of `train`.

    Returns
    -------
    (seeds, step sizes) bools
        Whether the last 100 episodes returned at least `WORKS` on average. A run that diverges
        does not work.

    Examples
    --------
    >>> working(A3CConfig(), seeds=[0], step_sizes=[0.1, 100.0]).tolist()
    [[True, False]]
    """
    world = cliff_world()

    def one(seed: int) -> list[bool]:
        ended = []
        for step_size in np.asarray(step_sizes, dtype=float):
            stepped = replace(config, actor_lr=float(step_size), critic_lr=float(step_size))
            try:
                if rates is None:
                    run = train(world, stepped, seed=seed, **asked)
                else:
                    run = watch(world, stepped, seed=seed, rates=rates, **asked).result
                ended.append(final_return(run) >= WORKS)
            except DivergenceError:
                ended.append(False)
        return ended

    return np.array(each_seed(one, seeds))


def wider(this: NDArray[np.bool_], than: NDArray[np.bool_]) -> Interval:
    """Return by how much more of the range one variant works than another, paired by seed.

    Examples
    --------
    >>> wider(np.array([[True, True]]), np.array([[True, False]])).mean
    0.5
    """
    return interval(this.mean(axis=1) - than.mean(axis=1))


def curve(works: NDArray[np.bool_]) -> Floats:
    """Return, for each step size, the share of seeds that work, with its interval.

    Examples
    --------
    >>> curve(np.array([[True, False], [True, False]])).tolist()
    [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]
    """
    return np.array([mean_interval(column) for column in works.T.astype(float)])
