"""What the book's claims C01 to C09 and C19 are measured with (Sections 1 and 2).

One function per claim. Each returns the measured effects, as intervals under the names that the
ledger asks for; what a plot needs comes from the function that the claim is made of. Seeds 1000 to
1029 settle a claim; seeds 100 to 129 are for looking around and for tuning.

*Stability* is measured the same way throughout: the share of a fixed range of step sizes at which a
run works. It needs no tuning, and it is what a user feels: how wrong the step size may be.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import fsum
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from a3c_tut import tables
from a3c_tut.claims import Interval
from a3c_tut.compiling import kernel
from a3c_tut.config import A3CConfig
from a3c_tut.errors import DivergenceError
from a3c_tut.exact import expected_rollout_gradient, policy_values
from a3c_tut.experiments import each_seed, final_return, mean_interval, steps_to_return
from a3c_tut.gen_a3c_figures import (
    Walker,
    accumulate_gradients,
    collect_rollout,
    compute_n_step_advantages,
)
from a3c_tut.kernels import softmax
from a3c_tut.results import TrainingResult
from a3c_tut.runners import emulated
from a3c_tut.schedules import Given, RandomSchedule, RoundRobin, Schedule
from a3c_tut.signals import DIVERGED, DONE, FINISHED, LOG_FULL, NEEDS_UNIFORMS
from a3c_tut.tables import CURSOR, LENGTH, LOG_ROWS, STEPS, TERMINATED, UPDATES
from a3c_tut.training import train
from a3c_tut.worker import TableCrew, refill
from a3c_tut.worlds import TableWorld, cliff_world

Floats = NDArray[np.float64]
Value = TypeVar("Value")

#: The seeds that settle a claim, and those for looking around and tuning.
SEEDS, TUNING_SEEDS = range(1000, 1030), range(100, 130)
#: The step sizes of actor and critic at which stability is measured: 0.0125, 0.025, …, 1.6.
STEP_SIZES = 0.0125 * 2.0 ** np.arange(8)
#: A run works when its last 100 episodes return at least this, on average.
WORKS = -20.0
#: One worker ten times slower than the two others.
ONE_SLOW = RandomSchedule((1.0, 1.0, 0.1))


def interval(values: ArrayLike) -> Interval:
    """Return mean and 95 % bootstrap interval over seeds.

    Examples
    --------
    >>> interval([2.0, 2.0])
    Interval(mean=2.0, low=2.0, high=2.0)
    """
    return Interval(*mean_interval(values))


# --- A crew that can be watched -----------------------------------------------------------------


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
    **asked: Any,
) -> NDArray[np.bool_]:
    """Return at which step sizes a run works, seed by seed (Section 2.3).

    Parameters
    ----------
    config : A3CConfig
        Its two step sizes are replaced by those of the range.
    seeds, step_sizes : sequences
    **asked
        Further arguments of `train`, or of `watch` where one of them is `rates`, `fresh` or
        `remember`.

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
                if asked.keys() & {"rates", "fresh", "remember"}:
                    run = watch(world, stepped, seed=seed, **asked).result
                else:
                    run = train(world, stepped, seed=seed, **asked)
                ended.append(final_return(run) >= WORKS)
            except DivergenceError:
                ended.append(False)
        return ended

    return np.array(each_seed(one, seeds))


def wider(this: NDArray[np.bool_], than: NDArray[np.bool_]) -> Interval:
    """Return by how much more of the range one variant works than another, paired by seed.

    Parameters
    ----------
    this, than : (seeds, step sizes) bools
        As `working` returns them, for the same seeds and step sizes.

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


# --- Chapter 1 ----------------------------------------------------------------------------------


def visited(num_workers: int, seed: int, rollouts: int = 1_200) -> Floats:
    """Return where a crew is, update by update, while its policy stands still (Section 1).

    The policy is that of a run after 3,000 steps, when the way is found and falls still happen.

    Parameters
    ----------
    num_workers : int from 1
        They take turns.
    seed : int from 0
    rollouts : int
        Of all workers together.

    Returns
    -------
    (rollouts, S) floats
        The share of each rollout's steps that was spent in each state.

    Examples
    --------
    >>> shares = visited(num_workers=3, seed=0, rollouts=60)
    >>> shares.shape, bool(np.allclose(shares.sum(axis=1), 1.0))
    ((60, 48), True)
    """
    world = cliff_world()
    theta = train(world, total_steps=3_000, seed=seed).theta
    config = A3CConfig(num_workers=num_workers)
    walkers = [Walker(world, config, worker, seed) for worker in range(num_workers)]
    shares = np.zeros((rollouts, world.num_states))
    for k in range(rollouts):
        states, actions, _ = collect_rollout(theta, walkers[k % num_workers])
        np.add.at(shares[k], states[: len(actions)], 1.0 / len(actions))
    return shares


def predictability(series: Floats, lags: int) -> Floats:
    """Return how much an update says about the one that comes so many later, from 1 on.

    The share of the variance of an entry that is explained by the place where the earlier one spent
    most of its time: a correlation ratio. Correlation as such would miss it: who walks on is never
    twice in the same place, and yet can be predicted.

    Parameters
    ----------
    series : (K, D) floats
    lags : int
        The largest distance.

    Returns
    -------
    (lags,) floats
        Between 0 and 1. Independent entries have a little more than 0.

    Examples
    --------
    >>> predictability(np.array([[1.0, 0.0], [0.0, 1.0]] * 50), 2).tolist()
    [1.0, 1.0]
    """
    places = series.argmax(axis=1)
    shares = []
    for lag in range(1, lags + 1):
        later, before = series[lag:], places[:-lag]
        explained = sum(
            (before == place).sum()
            * ((later[before == place].mean(axis=0) - later.mean(axis=0)) ** 2).sum()
            for place in np.unique(before)
        )
        shares.append(float(explained / ((later - later.mean(axis=0)) ** 2).sum()))
    return np.array(shares)


def scatter_of_means(series: Floats, stretch: int) -> float:
    """Return the variance of the mean over a stretch of entries, against that of one entry.

    1 / stretch where entries are independent; larger where neighbours are alike.

    Parameters
    ----------
    series : (K, D) floats
    stretch : int from 1

    Examples
    --------
    Neighbours that are equal, and neighbours that make up for each other:

    >>> scatter_of_means(np.array([[0.0], [0.0], [1.0], [1.0]]), 2)
    1.0
    >>> scatter_of_means(np.array([[0.0], [1.0], [0.0], [1.0]]), 2)
    0.0
    """
    whole = series[: len(series) // stretch * stretch].reshape(-1, stretch, series.shape[1])
    return float(whole.mean(axis=1).var(axis=0).sum() / series.var(axis=0).sum())


class Decorrelation(NamedTuple):
    """What one seed says about C01: one worker and three, in that order.

    Attributes
    ----------
    predictable : (2, 12) floats
        `predictability` of what the workers visit, 1 to 12 updates later.
    scatter : (2,) floats
        `scatter_of_means` over 120 updates.

    Examples
    --------
    >>> one = Decorrelation(np.array([[0.4] * 12, [0.1] * 12]), np.array([0.06, 0.02]))
    >>> # three workers: less predictable
    >>> float(one.predictable[0, 0] - one.predictable[1, 0]) > 0
    True
    """

    predictable: Floats
    scatter: Floats


def decorrelation(seeds: Sequence[int] = SEEDS) -> list[Decorrelation]:
    """Compare what one worker visits with what three do, at equal samples (Section 1).

    Examples
    --------
    >>> one, = decorrelation([1000])
    >>> bool(one.predictable[0, 0] > one.predictable[1, 0])
    True
    """

    def one(seed: int) -> Decorrelation:
        both = [visited(workers, seed) for workers in (1, 3)]
        return Decorrelation(
            np.array([predictability(series, 12) for series in both]),
            np.array([scatter_of_means(series, 120) for series in both]),
        )

    return each_seed(one, seeds)


def c01(measured: Sequence[Decorrelation]) -> dict[str, Interval]:
    """Do parallel workers decorrelate experience? (Section 1).

    Parameters
    ----------
    measured : sequence of Decorrelation, one per seed

    Examples
    --------
    >>> one = Decorrelation(np.array([[0.4] * 12, [0.1] * 12]), np.array([0.06, 0.02]))
    >>> {name: found.text(1) for name, found in c01([one, one]).items()}
    {'neighbours': '0.3', 'long run': '3.0'}
    """
    return {
        "neighbours": interval([m.predictable[0, 0] - m.predictable[1, 0] for m in measured]),
        "long run": interval([m.scatter[0] / m.scatter[1] for m in measured]),
    }


def c02(works: Mapping[str, NDArray[np.bool_]], final: ArrayLike) -> dict[str, Interval]:
    """Is learning stable without a replay buffer? (Section 1).

    Parameters
    ----------
    works : mapping
        `working` of "one worker", "three workers" and "one worker and a buffer".
    final : (seeds,) floats
        Final returns of the default configuration.

    Examples
    --------
    >>> half = np.array([[True, False]] * 2)
    >>> works = {"three workers": half, "one worker": half, "one worker and a buffer": ~half & half}
    >>> found = c02(works, final=[-17.0, -17.0])
    >>> found["learns"].mean, found["over one worker"].mean, found["over a buffer"].mean
    (-17.0, 0.0, 0.5)
    """
    return {
        "learns": interval(final),
        "over one worker": wider(works["three workers"], works["one worker"]),
        "over a buffer": wider(works["three workers"], works["one worker and a buffer"]),
    }


# --- Section 2.3 --------------------------------------------------------------------------------

#: The updates after which gradients are looked at: while learning, and when that is over.
EARLY, LATE = (100, 200, 400, 800), (3200, 6400, 12800)


class Drift(NamedTuple):
    """Of one gradient: how noisy it is by chance, and what its age adds.

    Attributes
    ----------
    chance : float
        The variance of a rollout's gradient at the shared parameters.
    age : float
        The squared distance between the expected gradient at the worker's copy and at the shared
        parameters.
    staleness : int
        Pushes since the worker's last sync.

    Examples
    --------
    A gradient of a copy that is two pushes old, whose age adds a hundredth to its noise:

    >>> one = Drift(chance=50.0, age=0.5, staleness=2)
    >>> one.age / one.chance
    0.01
    """

    chance: float
    age: float
    staleness: int


def drift(
    seed: int,
    moments: Sequence[int],
    schedule: RandomSchedule | NDArray[np.int64] | None = None,
    config: A3CConfig | None = None,
    draws: int = 40,
) -> list[Drift]:
    """Look at the gradient that is about to be pushed, at some moments of a run (Section 2.3).

    Parameters
    ----------
    seed : int from 0
    moments : sequence of int
        The updates before which to look.
    schedule : as in `train`
    config : A3CConfig, optional
    draws : int
        Rollouts from which the variance is estimated.

    Returns
    -------
    list of Drift, one per moment

    Examples
    --------
    Three workers in turn: whoever pushes has not seen the two pushes before its own.

    >>> [one.staleness for one in drift(seed=0, moments=[10, 20], draws=5)]
    [2, 2]
    """
    world, asked = cliff_world(), config or A3CConfig()
    whole = train(world, asked, seed=seed, schedule=schedule)
    found = []
    for moment in moments:
        moment = min(int(moment), len(whole.schedule) - 1)
        state = train(world, asked, seed=seed, schedule=whole.schedule[:moment]).state
        worker = int(whole.schedule[moment])
        counters = state["local_counters"][worker]
        begin = world.start
        if counters[tables.EPISODE_STEPS] > 0:
            begin = np.eye(world.num_states)[counters[tables.STATE]]
        fresh, stale = (
            np.concatenate([table.ravel() for table in _expected(world, asked, theta, V, begin)])
            for theta, V in ((state["theta"], state["V"]),
                             (state["local_theta"][worker], state["local_V"][worker]))
        )  # fmt: skip
        walker = Walker(world, asked, worker, 10_000 * moment + seed)
        chance = 0.0
        for _ in range(draws):
            walker.state, walker.episode_steps = int(begin.argmax()), 1
            s, a, r = collect_rollout(state["theta"], walker)
            A = compute_n_step_advantages(s, r, walker.terminated, state["V"], asked.gamma)
            drawn = accumulate_gradients(s, a, A, state["theta"], _beta(asked))
            one = np.concatenate([table.ravel() for table in drawn])
            chance += float(((one - fresh) ** 2).sum()) / draws
        staleness = int(whole.updates["staleness"][moment])
        found.append(Drift(chance, float(((stale - fresh) ** 2).sum()), staleness))
    return found


def _beta(config: A3CConfig) -> float:
    return float(config.per_worker("entropy_coef")[0])


def _expected(
    world: TableWorld, config: A3CConfig, theta: Floats, V: Floats, begin: Floats
) -> tuple[Floats, Floats]:
    """Return the expected gradient of a rollout from `begin`, in learning units."""
    scaled = replace(world, reward=world.reward * config.reward_scale)
    n = int(config.per_worker("rollout_length")[0])
    return expected_rollout_gradient(scaled, theta, V, n, config.gamma, _beta(config), start=begin)


def added_noise(drifts: Sequence[Drift]) -> float:
    """Return what age adds to the noise of some gradients, in percent of the chance part.

    Examples
    --------
    >>> added_noise([Drift(chance=3.0, age=0.0, staleness=0), Drift(1.0, 1.0, 2)])
    25.0
    """
    # fsum: `sum` rounds otherwise from Python 3.12 on.
    return 100.0 * fsum(d.age for d in drifts) / fsum(d.chance for d in drifts)


def variety(visits: NDArray[np.int64]) -> float:
    """Return the effective number of different actions tried: exp of the entropy of the visits.

    Examples
    --------
    >>> variety(np.array([[5, 5], [0, 0]]))
    2.0
    """
    share = visits[visits > 0] / visits.sum()
    return float(np.exp(-(share * np.log(share)).sum()).round(12))


def exploration(
    seeds: Sequence[int] = SEEDS, total_steps: int = 3_000, **arms: Mapping[str, Any]
) -> dict[str, Floats]:
    """Return, for each arm and seed, the effective number of state–action pairs tried.

    Parameters
    ----------
    seeds : sequence of int
    total_steps : int, environment steps of all workers of a run
    **arms : mapping each
        Arguments of `watch`, under the arm's name.

    Returns
    -------
    dict
        For each arm (seeds,) floats; see `variety`.

    Examples
    --------
    >>> tried = exploration([0, 1], 300, alone={"config": A3CConfig(num_workers=1)}, three={})
    >>> {arm: numbers.shape for arm, numbers in tried.items()}
    {'alone': (2,), 'three': (2,)}
    >>> bool(1.0 <= tried["three"].min() <= tried["three"].max() <= 48 * 4)
    True
    """
    world = cliff_world()

    def one(arm: Mapping[str, Any]) -> Floats:
        asked = {"config": A3CConfig(), **arm}
        return np.array(each_seed(
            lambda seed: variety(
                watch(world, seed=seed, total_steps=total_steps, **asked).visits
            ), seeds))  # fmt: skip

    return {name: one(arm) for name, arm in arms.items()}


def c03() -> dict[str, Interval]:
    """Do worker processes use more than one core? From the committed record (Section 1).

    Examples
    --------
    >>> found = c03()["speed-up"]
    >>> found.low < found.mean < found.high
    True
    """
    from a3c_tut.evidence_applications import ratio, throughput

    rates = throughput()["steps_per_second"]["5"]
    return {"speed-up": ratio(rates["2"], rates["1"])}


def late_pushes(schedule: NDArray[np.int64], count: int = 7) -> NDArray[np.int64]:
    """Return some pushes of a schedule before which others had pushed, evenly spaced.

    Parameters
    ----------
    schedule : (U,) ints
    count : int

    Returns
    -------
    (count,) ints
        The numbers of those pushes, counted from 0.

    Examples
    --------
    >>> late_pushes(np.array([0, 0, 1, 1, 0]), 2).tolist()
    [2, 4]
    """
    changes = 1 + np.flatnonzero(np.diff(schedule) != 0)
    return changes[np.linspace(0, len(changes) - 1, count).round().astype(int)]


def c04(real: NDArray[np.int64], seeds: Sequence[int] = SEEDS) -> dict[str, Interval]:
    """Does asynchrony increase gradient noise? (Section 2.3).

    Parameters
    ----------
    real : (U,) ints
        The recorded schedule of three processes.
    seeds : sequence of int

    Examples
    --------
    Age adds something to the noise, be it little:

    >>> found = c04(np.arange(60) % 3, seeds=[0, 1])
    >>> list(found), found["learning"].low > 0.0
    (['learning', 'late', 'real processes'], True)
    """

    def added(moments: Sequence[int], schedule: NDArray[np.int64] | None = None) -> Interval:
        return interval(each_seed(lambda s: added_noise(drift(s, moments, schedule)), seeds))

    return {
        "learning": added(EARLY),
        "late": added(LATE),
        "real processes": added(late_pushes(real).tolist(), real),
    }


#: The arms of C05: what `watch` is asked for.
#:
#: :meta hide-value:
EXPLORERS: dict[str, dict[str, Any]] = {
    "one worker": {"config": A3CConfig(num_workers=1)},
    "three, synchronous": {"fresh": True},
    "three, in turn": {},
    "three, at random": {"schedule": RandomSchedule()},
    "three, one slow": {"schedule": ONE_SLOW},
}


def c05(tried: Mapping[str, Floats]) -> dict[str, Interval]:
    """Does asynchrony improve exploration? (Section 2.3).

    Parameters
    ----------
    tried : mapping
        `exploration` of the arms of `EXPLORERS`.

    Examples
    --------
    >>> tried = {"one worker": np.array([50.0, 50.0]),
    ...          "three, synchronous": np.array([100.0, 100.0]),
    ...          "three, in turn": np.array([110.0, 110.0])}
    >>> {name: found.text(1) for name, found in c05(tried).items()}
    {'asynchronous': '1.1', 'several': '2.0'}
    """
    return {
        "asynchronous": interval(tried["three, in turn"] / tried["three, synchronous"]),
        "several": interval(tried["three, synchronous"] / tried["one worker"]),
    }


#: Rates of three workers that are far apart; their mean is 1.
APART = (0.1, 1.0, 1.9)
#: The step sizes above the default one.
LARGE = slice(4, None)
_LONG, _FREE = {"rollout_length": 50}, {"max_grad_norm": None}
_SGD, _OWN = {"optimizer": "sgd"}, {"shared_statistics": False}

#: What the arms of C06 to C09 and C19 ask for: settings, then further arguments of `working`.
#:
#: :meta hide-value:
VARIANTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "default": ({}, {}),
    "n = 1": ({"rollout_length": 1}, {}),
    "n = 50": (_LONG, {}),
    "n = 50, no clipping": ({**_LONG, **_FREE}, {}),
    "no clipping": (_FREE, {}),
    "SGD": (_SGD, {}),
    "SGD, no clipping": ({**_SGD, **_FREE}, {}),
    "rates apart": ({}, {"rates": APART}),
    "shared annealing": ({"lr_anneal": "global"}, {"schedule": ONE_SLOW}),
    "own annealing": ({"lr_anneal": "per_worker"}, {"schedule": ONE_SLOW}),
    "own statistics": (_OWN, {}),
    "none of the three": ({**_LONG, **_FREE}, {"rates": APART}),
    "small n alone": (_FREE, {"rates": APART}),
    "clipping alone": (_LONG, {"rates": APART}),
}


def stability(names: Sequence[str], seeds: Sequence[int] = SEEDS) -> dict[str, NDArray[np.bool_]]:
    """Return `working` for some of the `VARIANTS` (Section 2.3).

    Parameters
    ----------
    names : sequence of str
    seeds : sequence of int

    Returns
    -------
    dict
        For each name (seeds, step sizes) bools.

    Examples
    --------
    >>> stability(["default"], seeds=[0])["default"].shape
    (1, 8)
    """
    found = {}
    for name in names:
        settings, asked = VARIANTS[name]
        found[name] = working(A3CConfig(**settings), seeds=seeds, **asked)
    return found


def c06(works: Mapping[str, NDArray[np.bool_]]) -> dict[str, Interval]:
    """Do smaller rollouts maintain stability? (Section 2.3).

    Parameters
    ----------
    works : mapping
        `stability` of "default", "n = 50", and both without clipping.

    Examples
    --------
    Long rollouts that fail at the four largest of eight step sizes:

    >>> works = {name: np.ones((2, 8), dtype=bool)
    ...          for name in ("default", "n = 50", "no clipping", "n = 50, no clipping")}
    >>> works["n = 50"][:, LARGE] = False
    >>> {name: found.mean for name, found in c06(works).items()}
    {'all steps': 0.5, 'large steps': 1.0, 'large steps unclipped': 0.0}
    """
    large = {name: table[:, LARGE] for name, table in works.items()}
    return {
        "all steps": wider(works["default"], works["n = 50"]),
        "large steps": wider(large["default"], large["n = 50"]),
        "large steps unclipped": wider(large["no clipping"], large["n = 50, no clipping"]),
    }


def c07(works: Mapping[str, NDArray[np.bool_]]) -> dict[str, Interval]:
    """Does clipping maintain stability? (Section 2.3).

    Parameters
    ----------
    works : mapping
        `stability` of "default", "SGD", and both without clipping.

    Examples
    --------
    >>> works = {name: np.ones((2, 8), dtype=bool)
    ...          for name in ("default", "no clipping", "SGD", "SGD, no clipping")}
    >>> works["SGD, no clipping"][:, 6:] = False
    >>> {name: found.mean for name, found in c07(works).items()}
    {'with RMSprop': 0.0, 'with SGD': 0.25}
    """
    return {
        "with RMSprop": wider(works["default"], works["no clipping"]),
        "with SGD": wider(works["SGD"], works["SGD, no clipping"]),
    }


def c08(works: Mapping[str, NDArray[np.bool_]]) -> dict[str, Interval]:
    """Do synchronized learning rates maintain stability? (Section 2.3).

    Parameters
    ----------
    works : mapping
        `stability` of "default", "rates apart", "shared annealing" and "own annealing".

    Examples
    --------
    >>> works = {name: np.ones((2, 8), dtype=bool)
    ...          for name in ("default", "rates apart", "shared annealing", "own annealing")}
    >>> works["rates apart"][:, 7] = False
    >>> {name: found.mean for name, found in c08(works).items()}
    {'rates apart': 0.125, 'annealing apart': 0.0}
    """
    return {
        "rates apart": wider(works["default"], works["rates apart"]),
        "annealing apart": wider(works["shared annealing"], works["own annealing"]),
    }


#: The best of the step sizes for each optimizer, by the mean steps to −20 on the tuning seeds.
TUNED = {"default": 0.2, "own statistics": 0.2, "SGD": 0.4}


def mean_steps(name: str, step_size: float, seeds: Sequence[int] = SEEDS) -> Floats:
    """Return the steps until 50 episodes return −20 on average, seed by seed; at most 60,000.

    Parameters
    ----------
    name : str
        One of the `VARIANTS`.
    step_size : float
    seeds : sequence of int

    Examples
    --------
    >>> bool(mean_steps("default", 0.2, [0])[0] < 10_000)
    True
    """
    world, config = cliff_world(), A3CConfig(**VARIANTS[name][0])
    asked = replace(config, actor_lr=step_size, critic_lr=step_size)

    def one(seed: int) -> float:
        try:
            return min(60_000.0, steps_to_return(train(world, asked, seed=seed), -20.0))
        except DivergenceError:
            return 60_000.0

    return np.array(each_seed(one, seeds))


def tuned(name: str) -> float:
    """Return the step size of `STEP_SIZES` that is fastest on the tuning seeds; see `TUNED`.

    Parameters
    ----------
    name : str
        One of the `VARIANTS`.

    Examples
    --------
    With made-up times in place of 240 runs:

    >>> from unittest.mock import patch
    >>> def steps(name, size, seeds):
    ...     return np.array([abs(size - 0.3)])
    >>> with patch(f"{__name__}.mean_steps", steps):
    ...     tuned("default")
    0.2
    """
    return float(min(STEP_SIZES, key=lambda size: mean_steps(name, size, TUNING_SEEDS).mean()))


def c09(works: Mapping[str, NDArray[np.bool_]], steps: Mapping[str, Floats]) -> dict[str, Interval]:
    """Is RMSprop with shared statistics better than with own ones, or than SGD? (Section 2.3).

    Parameters
    ----------
    works : mapping
        `stability` of "default", "own statistics" and "SGD".
    steps : mapping
        `mean_steps` of the same at their `TUNED` step sizes.

    Examples
    --------
    >>> works = {name: np.ones((2, 8), dtype=bool) for name in ("default", "own statistics", "SGD")}
    >>> steps = {"default": np.array([4e3, 5e3, 6e3]), "own statistics": np.array([4e3, 6e3, 5e3]),
    ...          "SGD": np.array([8e3, 9e3, 13e3])}
    >>> found = c09(works, steps)
    >>> found["over SGD"].mean, found["steps of own statistics"].mean, found["steps of SGD"].mean
    (0.0, 1.0, 2.0)
    """
    return {
        "over own statistics": wider(works["default"], works["own statistics"]),
        "over SGD": wider(works["default"], works["SGD"]),
        "steps of own statistics": _ratio(steps["own statistics"], steps["default"]),
        "steps of SGD": _ratio(steps["SGD"], steps["default"]),
    }


def _ratio(over: Floats, under: Floats) -> Interval:
    """Return the ratio of two means, with an interval over pairs of seeds."""
    from scipy.stats import bootstrap

    found = bootstrap(
        (over, under), lambda a, b, axis: a.mean(axis=axis) / b.mean(axis=axis), paired=True,
        vectorized=True, method="BCa", n_resamples=9_999, rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    return Interval(float(over.mean() / under.mean()), float(found.low), float(found.high))


def c19(works: Mapping[str, NDArray[np.bool_]]) -> dict[str, Interval]:
    """Do small n, clipping and one rate maintain stability together? (Section 2.3).

    Parameters
    ----------
    works : mapping
        `stability` of "default", "none of the three", "small n alone", "clipping alone" and
        "n = 50, no clipping".

    Examples
    --------
    >>> works = {name: np.ones((2, 8), dtype=bool)
    ...          for name in ("default", "none of the three", "small n alone", "clipping alone",
    ...                       "n = 50, no clipping")}
    >>> works["none of the three"][:, LARGE] = False
    >>> found = c19(works)
    >>> found["over none"].mean, found["over one rate alone"].mean
    (0.5, 0.0)
    """
    alone = {"over none": "none of the three", "over small n alone": "small n alone",
             "over clipping alone": "clipping alone",
             "over one rate alone": "n = 50, no clipping"}  # fmt: skip
    return {name: wider(works["default"], works[other]) for name, other in alone.items()}


# --- A real schedule ----------------------------------------------------------------------------


def record_schedule(path: str | os.PathLike[str], num_workers: int = 3, seed: int = 0) -> None:
    """Run real processes, and keep their schedule, and what it belongs to, in a small file.

    Parameters
    ----------
    path : path of the file to write
    num_workers : int from 1
    seed : int from 0

    Raises
    ------
    OSError
        When the file cannot be written.

    Examples
    --------
    With a short emulated run in place of the real one:

    >>> import tempfile
    >>> from unittest.mock import patch
    >>> def short(world, config, seed, runner):
    ...     return train(world, config, seed=seed, total_steps=600)
    >>> with tempfile.TemporaryDirectory() as folder, patch(f"{__name__}.train", short):
    ...     record_schedule(Path(folder) / "small.npz", num_workers=2)
    ...     with np.load(Path(folder) / "small.npz") as file:
    ...         file["schedule"][:4].tolist()
    [0, 1, 0, 1]
    """
    import datetime
    import platform

    world, config = cliff_world(), A3CConfig(num_workers=num_workers)
    result = train(world, config, seed=seed, runner="processes")
    about = {
        "world": world.name, "config": config.as_dict(), "seed": seed,
        "total_steps": result.total_steps, "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1), "system": platform.system(),
        "python": platform.python_version(), "date": datetime.date.today().isoformat(),
    }  # fmt: skip
    with open(path, "wb") as file:
        np.savez_compressed(
            file, schedule=result.schedule.astype(np.int8),
            about=np.frombuffer(json.dumps(about).encode(), dtype=np.uint8),
            returns=result.episodes["total_return"],
        )  # fmt: skip


class Recorded(NamedTuple):
    """A schedule of real processes.

    Attributes
    ----------
    schedule : (U,) ints
    about : dict
        World, config, seed, total_steps; machine, load and date.
    returns : (E,) floats
        The episode returns that the processes logged, against which a replay is held.

    Examples
    --------
    >>> kept = Recorded(np.array([0, 2, 1]), {"world": "cliff-world"}, np.array([-17.0]))
    >>> kept.schedule.tolist(), kept.about["world"]
    ([0, 2, 1], 'cliff-world')
    """

    schedule: NDArray[np.int64]
    about: dict[str, Any]
    returns: Floats


def recorded_schedule(name: str = "schedule_3_processes.npz") -> Recorded:
    """Read a schedule that `record_schedule` wrote into the book's data.

    Parameters
    ----------
    name : str
        Of a file in `data`, or in `book/data`, of this folder or one above it.

    Raises
    ------
    FileNotFoundError
        When there is no such file.

    Examples
    --------
    >>> kept = recorded_schedule()
    >>> len(np.unique(kept.schedule)) == kept.about["config"]["num_workers"]
    True
    >>> recorded_schedule("no_such.npz")
    Traceback (most recent call last):
    ...
    FileNotFoundError: no_such.npz is in no data folder above this one
    """
    for here in (Path.cwd(), *Path.cwd().parents):
        for place in (here / "data" / name, here / "book" / "data" / name):
            if place.exists():
                with np.load(place) as file:
                    about = json.loads(bytes(file["about"]))
                    return Recorded(file["schedule"].astype(np.int64), about, file["returns"])
    raise FileNotFoundError(f"{name} is in no data folder above this one")


# --- Section 2.1 --------------------------------------------------------------------------------


def bias_and_spread(
    world: TableWorld, policy: ArrayLike, gamma: float, most: int, V: ArrayLike | None = None
) -> tuple[Floats, Floats]:
    """Return the exact bias and standard deviation of n-step returns from the start (Section 2.1).

    Both moments of the n-step return follow from those of the (n − 1)-step return, as values do.

    Parameters
    ----------
    world : TableWorld
    policy : (S, A) floats
    gamma : float
    most : int
        n runs from 1 to this.
    V : (S,) floats, optional
        The critic; default: 0 everywhere.

    Returns
    -------
    bias, spread : (most,) floats
        In the world's own units.

    Examples
    --------
    A critic that is right has no bias:

    >>> world, policy = cliff_world(), np.full((48, 4), 0.25)
    >>> bias, _ = bias_and_spread(world, policy, 0.9, 3, V=policy_values(world, policy, 0.9))
    >>> bool(np.abs(bias).max() < 1e-9)
    True
    """
    chances = np.asarray(policy, dtype=float)
    weight = chances[:, :, None] * world.probability
    onward = gamma * ~world.terminated
    first = np.zeros(world.num_states) if V is None else np.asarray(V, dtype=float)
    second, truth = first**2, world.start @ policy_values(world, chances, gamma)
    bias, spread = np.zeros(most), np.zeros(most)
    for n in range(most):
        mean, square = first[world.next_state], second[world.next_state]
        reward = world.reward
        second = (weight * (reward**2 + 2 * reward * onward * mean + onward**2 * square)).sum(
            axis=(1, 2)
        )
        first = (weight * (reward + onward * mean)).sum(axis=(1, 2))
        bias[n] = world.start @ first - truth
        spread[n] = np.sqrt(max(0.0, world.start @ second - (world.start @ first) ** 2))
    return bias, spread
