"""Training that can be watched, and controls that `train` does not offer.

Each is the engine's own loop of turns with other hooks (`engine.turn.variant`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from a3c_tut import A3CConfig, DivergenceError, RandomSchedule, TableWorld, TrainingResult
from a3c_tut.book.evidence.common import Floats
from a3c_tut.engine import turn
from a3c_tut.engine.buffers import UPDATES
from a3c_tut.engine.compiling import inlined
from a3c_tut.engine.crew import Job, TableCrew
from a3c_tut.engine.kernels import softmax
from a3c_tut.engine.log import EPISODE_DTYPE, UPDATE_DTYPE, joined
from a3c_tut.engine.runners import emulated
from a3c_tut.engine.streams import Seed
from a3c_tut.engine.turn import between, compute_gradient, sync
from a3c_tut.networks import Task
from a3c_tut.results import NetworkResult
from a3c_tut.schedules import Given, RoundRobin, Schedule


class Memory(NamedTuple):
    """The last B rollouts of all workers: a replay buffer.

    Examples
    --------
    Room for 100 rollouts of at most five steps:

    >>> [array.nbytes for array in make_memory(100, 5)]
    [4800, 4000, 4000, 1600]
    """

    states: NDArray[np.int64]  # (B, n + 1)
    actions: NDArray[np.int64]  # (B, n)
    rewards: Floats  # (B, n)
    ends: NDArray[np.int64]  # (B, 2): length, terminated


def make_memory(size: int, n: int) -> Memory:
    """Make room for so many rollouts of at most `n` steps.

    Parameters
    ----------
    size : int from 0
    n : int from 1

    Examples
    --------
    >>> make_memory(0, 5).rewards.shape
    (0, 5)
    """
    return Memory(
        np.zeros((size, n + 1), np.int64), np.zeros((size, n), np.int64), np.zeros((size, n)),
        np.zeros((size, 2), np.int64),
    )  # fmt: skip


class Watch(NamedTuple):
    """What the hooks below work on.

    Examples
    --------
    >>> Watch(np.zeros((48, 4), np.int64), make_memory(0, 5), np.zeros(0)).visits.shape
    (48, 4)
    """

    visits: NDArray[np.int64]  # (S, A): how often each action was taken in each state
    memory: Memory  # of no rollouts where there is none
    picks: Floats  # (P,) in [0, 1): which rollout of the memory is taken out, update by update


@inlined
def recall(run, index, walk, watch):  # type: ignore[no-untyped-def]
    """Put a rollout into the memory, and take out one at random for the gradient.

    Parameters
    ----------
    run : Run, whose scratch holds the new rollout; then the old one
    index : int, the worker's place in `me`; its policy is computed anew for the old states
    walk : Walk, the new rollout's
    watch : Watch

    Returns
    -------
    length, terminated : int, bool
        Of the old rollout.

    Examples
    --------
    The second rollout goes in, and the first comes out:

    >>> from a3c_tut import cliff_world
    >>> from a3c_tut.engine.crew import make_run
    >>> run = make_run(cliff_world(), A3CConfig())
    >>> watch = Watch(np.zeros((48, 4), np.int64), make_memory(2, 5), np.zeros(1))
    >>> walk, formed = turn.prepare(run, 0)
    >>> _ = recall(run, 0, walk, watch)
    >>> first = run.scratch.rollout.actions.tolist()
    >>> run.shared.counters[UPDATES] = 1
    >>> walk, formed = turn.prepare(run, 1)
    >>> _ = recall(run, 1, walk, watch)
    >>> run.scratch.rollout.actions.tolist() == first
    True
    """
    rollout, memory, number = run.scratch.rollout, watch.memory, run.shared.counters[UPDATES]
    size = memory.ends.shape[0]
    slot = number % size
    memory.ends[slot, 0], memory.ends[slot, 1] = walk.length, walk.terminated
    for t in range(walk.length):
        memory.states[slot, t] = rollout.states[t]
        memory.actions[slot, t] = rollout.actions[t]
        memory.rewards[slot, t] = rollout.rewards[t]
    memory.states[slot, walk.length] = rollout.states[walk.length]
    pick = watch.picks[number % watch.picks.shape[0]]
    slot = int(pick * min(number + 1, size))
    length = memory.ends[slot, 0]
    for t in range(length):
        rollout.states[t] = memory.states[slot, t]
        rollout.actions[t] = memory.actions[slot, t]
        rollout.rewards[t] = memory.rewards[slot, t]
        softmax(run.me.theta[index], rollout.states[t], rollout.policies, rollout.log_policies, t)
    rollout.states[length] = memory.states[slot, length]
    return length, memory.ends[slot, 1] != 0


@inlined
def count_and_recall(run, index, walk, formed, turn, watch):  # type: ignore[no-untyped-def]
    """Count what was tried; where there is a memory, form the gradient of an old rollout.

    A hook in the place of `turn.between`.

    Parameters
    ----------
    run, index, walk, formed, turn : as there
    watch : Watch, to whose visits is added

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> from a3c_tut.engine.crew import make_run
    >>> from a3c_tut.engine.turn import prepare
    >>> run = make_run(cliff_world(), A3CConfig())
    >>> watch = Watch(np.zeros((48, 4), np.int64), make_memory(0, 5), np.zeros(0))
    >>> same = count_and_recall(run, 0, *prepare(run, 0), 0, watch)
    >>> int(watch.visits.sum())
    3
    """
    rollout = run.scratch.rollout
    for t in range(walk.length):
        watch.visits[rollout.states[t], rollout.actions[t]] += 1
    if watch.memory.ends.shape[0] == 0:
        return between(run, index, walk, formed, turn, watch)
    length, terminated = recall(run, index, walk, watch)
    V = run.shared.V if run.settings.global_critic else run.me.V[index]
    return compute_gradient(run, index, length, terminated, V)


@inlined
def sync_first(run, index, extra):  # type: ignore[no-untyped-def]
    """Refresh a worker's copy right before it acts, so that no gradient is stale.

    A hook in the place of `turn.before`.

    Parameters
    ----------
    run, index, extra : as there

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> from a3c_tut.engine.crew import make_run
    >>> run = make_run(cliff_world(), A3CConfig())
    >>> run.shared.counters[UPDATES] = 7
    >>> sync_first(run, 0, ())
    >>> int(run.me.synced_at[0])
    7
    """
    sync(run, index)


@inlined
def sync_all_at_once(run, index, extra):  # type: ignore[no-untyped-def]
    """Refresh all copies when the last worker has pushed: a barrier.

    A hook in the place of `turn.after`.

    Parameters
    ----------
    run, index, extra : as there

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> from a3c_tut.engine.crew import make_run
    >>> run = make_run(cliff_world(), A3CConfig(num_workers=2))
    >>> run.shared.counters[UPDATES] = 7
    >>> sync_all_at_once(run, 0, ()); run.me.synced_at.tolist()
    [0, 0]
    >>> sync_all_at_once(run, 1, ()); run.me.synced_at.tolist()
    [7, 7]
    """
    if index == run.settings.num_workers - 1:
        for worker in range(run.settings.num_workers):
            sync(run, worker)


take_watched_turns = turn.variant("take_watched_turns", between=count_and_recall)
take_fresh_turns = turn.variant(
    "take_fresh_turns", before=sync_first, between=count_and_recall, after=turn.before
)
take_synchronous_turns = turn.variant("take_synchronous_turns", after=sync_all_at_once)


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


def watch(
    world: TableWorld,
    config: A3CConfig,
    *,
    seed: int,
    total_steps: int = 60_000,
    schedule: RandomSchedule | NDArray[np.int64] | None = None,
    fresh: bool = False,
    remember: int = 0,
) -> Watched:
    """Train as `train` does, and count every action; for controls that `train` does not offer.

    Parameters
    ----------
    world, config, seed, total_steps, schedule : as in `train`
    fresh : bool
        The synchronous control: a worker copies the shared tables right before it acts, so that
        every gradient is computed at the parameters to which it is applied.
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
    job = Job.fresh(world, config, total_steps, seed)
    extra = Watch(
        np.zeros(job.theta.shape, dtype=np.int64),
        make_memory(remember, config.longest_rollout),
        np.random.default_rng([seed, remember]).random(1 << 16),
    )
    crew = TableCrew(job, take_fresh_turns if fresh else take_watched_turns, extra)
    order: Schedule = RoundRobin(config.num_workers)
    stop_at = total_steps
    if isinstance(schedule, RandomSchedule):
        children = np.random.SeedSequence(seed).spawn(config.num_workers + 1)
        order = schedule.seeded(config.num_workers, children[-1])
    elif schedule is not None:
        order, stop_at = Given(schedule), np.iinfo(np.int64).max
    return Watched(trained(job, crew, order, stop_at), extra.visits)


def train_synchronously(
    world: TableWorld, config: A3CConfig, *, total_steps: int, seed: Seed
) -> TrainingResult:
    """Train with a barrier after each round: the synchronous control.

    Each worker computes one gradient from the same parameters; all of them are pushed, one after
    the other; then all workers refresh their copies. Number and order of the pushes are those of an
    asynchronous run with the round-robin schedule.

    Parameters
    ----------
    world, config, total_steps, seed : as in `train`

    Returns
    -------
    TrainingResult

    Raises
    ------
    DivergenceError
        When a parameter is no longer finite.

    Examples
    --------
    With one worker there is nobody to wait for:

    >>> from a3c_tut import cliff_world, train
    >>> alone = A3CConfig(num_workers=1)
    >>> run = train_synchronously(cliff_world(), alone, total_steps=600, seed=0)
    >>> bool((run.theta == train(cliff_world(), alone, total_steps=600).theta).all())
    True
    """
    return train_variant(
        world, config, total_steps=total_steps, seed=seed, loop=take_synchronous_turns
    )


def train_variant(
    world: TableWorld, config: A3CConfig, *, total_steps: int, seed: Seed,
    loop: Callable[..., Any], extra: Any = (),
) -> TrainingResult:  # fmt: skip
    """Train with another loop of turns, workers in turn.

    Parameters
    ----------
    world, config, total_steps, seed : as in `train`
    loop : a `turn.variant`
    extra : what its hooks work on

    Returns
    -------
    TrainingResult

    Raises
    ------
    DivergenceError
        When a parameter is no longer finite.

    Examples
    --------
    The engine's own loop is what `train` takes:

    >>> from a3c_tut import cliff_world, train
    >>> asked = {"total_steps": 600, "seed": 0}
    >>> run = train_variant(cliff_world(), A3CConfig(), **asked, loop=turn.take_turns)
    >>> bool((run.theta == train(cliff_world(), **asked).theta).all())
    True
    """
    job = Job.fresh(world, config, total_steps, seed)
    crew = TableCrew(job, loop, extra)
    return trained(job, crew, RoundRobin(config.num_workers), total_steps)


def trained(job: Job, crew: TableCrew, order: Schedule, stop_at: int) -> TrainingResult:
    """Drive a crew to the end of its run, and make a result of it.

    Parameters
    ----------
    job : Job
    crew : TableCrew, of this job, with a loop of its own
    order : Schedule
    stop_at : int, the push that brings the shared step counter here is the last

    Returns
    -------
    TrainingResult
        A NetworkResult where the job is a network's.

    Raises
    ------
    DivergenceError
        When a parameter is no longer finite.

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> job = Job.fresh(cliff_world(), A3CConfig(num_workers=2), total_steps=600)
    >>> trained(job, TableCrew(job), RoundRobin(2), 600).schedule[:4].tolist()
    [0, 1, 0, 1]
    """
    with np.errstate(all="ignore"):
        diverged, episodes, updates = emulated.run(crew, order, stop_at, lambda steps: None)
    asked: dict[str, Any] = {
        "config": job.config, "seed": job.seed, "total_steps": job.total_steps,
        "runner": "emulated", "episodes": joined(EPISODE_DTYPE, episodes),
        "updates": joined(UPDATE_DTYPE, updates), "state": crew.state(), "initial": {},
    }  # fmt: skip
    result = (
        NetworkResult(world=job.world.world, network=job.world.model, **asked)
        if isinstance(job.world, Task)
        else TrainingResult(world=job.world, **asked)
    )
    if diverged:
        raise DivergenceError(result)
    return result
