"""Training that can be watched: every action counted, and controls that `train` does not offer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from a3c_tut import A3CConfig, DivergenceError, RandomSchedule, TableWorld, TrainingResult, tables
from a3c_tut.book.evidence.common import Floats
from a3c_tut.compiling import kernel
from a3c_tut.kernels import softmax
from a3c_tut.runners import emulated
from a3c_tut.schedules import Given, RoundRobin, Schedule
from a3c_tut.signals import DIVERGED, DONE, FINISHED, LOG_FULL, NEEDS_UNIFORMS
from a3c_tut.tables import CURSOR, LENGTH, LOG_ROWS, STEPS, TERMINATED, UPDATES
from a3c_tut.worker import Seed, TableCrew, refill


@kernel
def recall(me, index, memory, number, pick, scratch):  # type: ignore[no-untyped-def]
    """Put a rollout into the memory, and take out one at random for the gradient.

    Parameters
    ----------
    me : Local
    index : int, the worker's place in `me`; its policy is computed anew for the old states
    memory : Memory of B rollouts
    number : int, how many rollouts were put in before
    pick : float in [0, 1), which of those in the memory is taken out
    scratch : Scratch, with the new rollout; then with the old one

    Examples
    --------
    The second rollout goes in, and the first comes out:

    >>> from a3c_tut import cliff_world
    >>> from a3c_tut.worker import turn_arguments
    >>> world, settings, _, _, me, scratch, _ = turn_arguments(cliff_world(), A3CConfig())
    >>> integers, room = np.int64, np.zeros
    >>> memory = Memory(room((2, 6), integers), room((2, 5), integers), room((2, 5)),
    ...                 room((2, 2), integers))
    >>> tables.prepare(world, settings, me, 0, scratch)
    >>> recall(me, 0, memory, 0, 0.0, scratch)
    >>> first = scratch.rollout.actions.tolist()
    >>> tables.prepare(world, settings, me, 1, scratch)
    >>> recall(me, 1, memory, 1, 0.0, scratch)
    >>> scratch.rollout.actions.tolist() == first
    True
    """
    rollout, whole = scratch.rollout, scratch.turn.whole
    size = memory.whole.shape[0]
    slot, length = number % size, whole[LENGTH]
    memory.whole[slot, 0], memory.whole[slot, 1] = length, whole[TERMINATED]
    for t in range(length):
        memory.states[slot, t] = rollout.states[t]
        memory.actions[slot, t] = rollout.actions[t]
        memory.rewards[slot, t] = rollout.rewards[t]
    memory.states[slot, length] = rollout.states[length]
    slot = int(pick * min(number + 1, size))
    length = memory.whole[slot, 0]
    whole[LENGTH], whole[TERMINATED] = length, memory.whole[slot, 1]
    for t in range(length):
        rollout.states[t] = memory.states[slot, t]
        rollout.actions[t] = memory.actions[slot, t]
        rollout.rewards[t] = memory.rewards[slot, t]
        softmax(me.theta[index], rollout.states[t], rollout.policies, rollout.log_policies, t)
    rollout.states[length] = memory.states[slot, length]


@kernel
def take_watched_turns(  # type: ignore[no-untyped-def]
    world, settings, shared, statistics, me, scratch, log, schedule, first, stop_at, fresh, visits,
    memory, picks
):  # fmt: skip
    """Take turns as `tables.take_turns` does, with settings per worker, counting what was tried.

    With `fresh`, a worker copies the shared tables *before* it acts, so that no gradient is stale.
    With a memory, the gradient is that of an old rollout, drawn at random.

    Parameters
    ----------
    world, shared, statistics, me, scratch, log : as in `tables.take_turns`
    schedule, first, stop_at : likewise
    settings : tuple of N Settings
    fresh : bool
    visits : (S, A) ints, to which is added
    memory : Memory, of no rollouts where there is none
    picks : (U,) floats in [0, 1), one per entry of the schedule

    Returns
    -------
    next entry, why : int, int
        As `tables.take_turns`.

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> from a3c_tut.worker import turn_arguments
    >>> world, settings, *rest = turn_arguments(cliff_world(), A3CConfig())
    >>> integers, room = np.int64, np.zeros
    >>> nothing = Memory(room((0, 6), integers), room((0, 5), integers), room((0, 5)),
    ...                  room((0, 2), integers))
    >>> visits, order = np.zeros((48, 4), dtype=np.int64), np.array([0, 1, 2])
    >>> turn, why = take_watched_turns(
    ...     world, (settings,) * 3, *rest, order, 0, 1_000, False, visits, nothing, np.zeros(3))
    >>> turn, why == DONE, int(visits.sum())
    (3, True, 15)
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
        length, terminated = scratch.turn.whole[LENGTH], scratch.turn.whole[TERMINATED]
        last = scratch.rollout.states[length]
        if memory.whole.shape[0] > 0:
            recall(me, index, memory, shared.counters[UPDATES], picks[turn], scratch)
            tables.evaluate(mine, index, me.V[index], scratch)
        used = scratch.turn.whole[LENGTH]
        finite = tables.push(mine, shared, statistics, me, index, scratch, log)
        shared.counters[STEPS] += length - used
        scratch.turn.whole[LENGTH], scratch.turn.whole[TERMINATED] = length, terminated
        scratch.rollout.states[length] = last
        if not fresh:
            tables.sync(mine, shared, me, index)
        tables.walk_on(shared, me, index, scratch, log)
        turn += 1
        if not finite:
            why = DIVERGED
            break
    return turn, why


class Memory(NamedTuple):
    """The last B rollouts of all workers: a replay buffer.

    Examples
    --------
    Room for 100 rollouts of at most five steps:

    >>> integers = np.int64
    >>> memory = Memory(np.zeros((100, 6), integers), np.zeros((100, 5), integers),
    ...                 np.zeros((100, 5)), np.zeros((100, 2), integers))
    >>> [array.nbytes for array in memory]
    [4800, 4000, 4000, 1600]
    """

    states: NDArray[np.int64]  # (B, n + 1)
    actions: NDArray[np.int64]  # (B, n)
    rewards: Floats  # (B, n)
    whole: NDArray[np.int64]  # (B, 2): length, terminated


class _WatchedCrew(TableCrew):
    """A crew whose copies may be fresh, whose workers may have rates of their own, or a memory."""

    def __init__(
        self, world: TableWorld, config: A3CConfig, total_steps: int, seed: int, fresh: bool,
        rates: Sequence[float], remember: int,
    ):  # fmt: skip
        n = max(config.per_worker("rollout_length"))
        integers = np.int64
        self._memory = Memory(
            np.zeros((remember, n + 1), integers), np.zeros((remember, n), integers),
            np.zeros((remember, n)), np.zeros((remember, 2), integers),
        )  # fmt: skip
        self._picker = np.random.default_rng([seed, remember])
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
        picks = self._picker.random(len(schedule))
        while why == NEEDS_UNIFORMS:
            for index, stream in enumerate(self._streams):
                if self.local.counters[index, CURSOR] > 0:
                    refill(self.local, index, stream)
            turn, why = take_watched_turns(
                self._world, self._each, self.shared, self.statistics, self.local, self._scratch,
                self._log, schedule, turn, stop_at, self._fresh, self.visits,
                self._memory, picks,
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

    Examples
    --------
    Every step tries an action once:

    >>> from a3c_tut import cliff_world
    >>> run = watch(cliff_world(), A3CConfig(), seed=0, total_steps=600)
    >>> int(run.visits.sum()) == run.result.steps
    True
    """

    result: TrainingResult
    visits: NDArray[np.int64]


def run_crew(
    crew: TableCrew, order: Schedule, stop_at: int, world: TableWorld, config: A3CConfig,
    total_steps: int, seed: Seed,
) -> TrainingResult:  # fmt: skip
    """Let a crew take its turns to the end, as `train` does with its own.

    Parameters
    ----------
    crew : TableCrew, made of the five arguments at the end
    order : Schedule
    stop_at : int
        The shared step counter at which to stop.
    world, config, total_steps, seed : as in `train`

    Returns
    -------
    TrainingResult
        Which `replay` repeats only where the crew does nothing that `train` does not.

    Raises
    ------
    DivergenceError
        When a parameter is no longer finite.

    Examples
    --------
    >>> from a3c_tut import cliff_world, train
    >>> made = cliff_world(), A3CConfig(num_workers=1), 600, 3
    >>> crew = TableCrew(*made, np.zeros((48, 4)), np.zeros(48))
    >>> run = run_crew(crew, RoundRobin(1), 600, *made)
    >>> bool((run.theta == train(*made[:2], total_steps=600, seed=3).theta).all())
    True
    """
    with np.errstate(all="ignore"):
        diverged, episodes, updates = emulated.run(crew, order, stop_at, lambda steps: None)
    result = TrainingResult(
        world=world, config=config, seed=seed, total_steps=total_steps, runner="emulated",
        episodes=tables.joined(tables.EPISODE_DTYPE, episodes),
        updates=tables.joined(tables.UPDATE_DTYPE, updates), state=crew.state(), initial={},
    )  # fmt: skip
    if diverged:
        raise DivergenceError(result)
    return result


def watch(
    world: TableWorld,
    config: A3CConfig,
    *,
    seed: int,
    total_steps: int = 60_000,
    schedule: RandomSchedule | NDArray[np.int64] | None = None,
    fresh: bool = False,
    rates: Sequence[float] | None = None,
    remember: int = 0,
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
    remember : int from 0
        Learn from a rollout drawn at random from the last so many, as with a replay buffer, instead
        of from the newest one; without any correction for their age.

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

    >>> from a3c_tut import cliff_world, train
    >>> world = cliff_world()
    >>> seen = watch(world, A3CConfig(), seed=3, total_steps=3_000)
    >>> bool((seen.result.theta == train(world, total_steps=3_000, seed=3).theta).all())
    True
    """
    workers = config.num_workers
    crew = _WatchedCrew(
        world, config, total_steps, seed, fresh,
        rates if rates is not None else (1.0,) * workers, remember,
    )  # fmt: skip
    order: Schedule = RoundRobin(workers)
    stop_at = total_steps
    if isinstance(schedule, RandomSchedule):
        order = schedule.seeded(workers, np.random.SeedSequence(seed).spawn(workers + 1)[-1])
    elif schedule is not None:
        order, stop_at = Given(schedule), np.iinfo(np.int64).max
    return Watched(run_crew(crew, order, stop_at, world, config, total_steps, seed), crew.visits)
