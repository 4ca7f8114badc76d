"""What the Summary measures (Section 6): C15 to C18."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from a3c_tut import A3CConfig, TableWorld, TrainingResult, cliff_world, train
from a3c_tut.book.claims import Interval
from a3c_tut.book.evidence.common import (
    LEARNED,
    Floats,
    interval,
    percentile_ratio,
    restricted_ratio,
    scaled,
    settling_seeds,
)
from a3c_tut.book.evidence.controls import train_synchronously
from a3c_tut.book.evidence.kept import kept, kept_runs, one_run
from a3c_tut.book.evidence.records import throughput
from a3c_tut.book.evidence.tuning import (
    HORIZON,
    SPARSE_WORLDS,
    STEP_FACTORS,
    TOTAL_STEPS,
    TUNING_SEEDS,
    fastest,
    measured,
    steps_needed,
)
from a3c_tut.exact import (
    action_values,
    optimal_action_values,
    policy_values,
    state_occupancy,
)
from a3c_tut.experiments import final_return, outcome

#: The seeds of the speeds (C15, C17), of the paths (C17) and of the ranges (C18).
SPEED_SEEDS, PATH_SEEDS, RANGE_SEEDS = (settling_seeds(count) for count in (1_000, 500, 500))
#: The seeds of the policies that are read (C16).
POLICY_SEEDS = settling_seeds(3_500, first=200_000)
#: Numbers of workers, and the kinds of teams.
TEAMS = (1, 2, 4, 8, 16)
KINDS = ("different seeds", "equal seeds", "synchronous")
#: The rollout length of the record of real processes.
MEASURED_LENGTH = 5


class Variant(NamedTuple):
    """Settings whose speed is measured, with the step sizes tuned for them.

    Attributes
    ----------
    kind : one of the `KINDS`
    num_workers, rollout_length : int from 1
    optimizer : "rmsprop" or "sgd"

    Examples
    --------
    >>> Variant(num_workers=8).name
    'different seeds, 8 workers, n = 3, rmsprop'
    """

    kind: str = "different seeds"
    num_workers: int = 3
    rollout_length: int = 3
    optimizer: str = "rmsprop"

    @property
    def name(self) -> str:
        """What its measurements are kept under."""
        return (
            f"{self.kind}, {self.num_workers} workers, n = {self.rollout_length}, {self.optimizer}"
        )

    def config(self, factor: float) -> A3CConfig:
        """Return the configuration with so many times the default step sizes; SGD: 16 times that.

        Parameters
        ----------
        factor : float

        Examples
        --------
        >>> Variant(optimizer="sgd").config(2.0).actor_lr
        1.6
        """
        asked = A3CConfig(
            num_workers=self.num_workers, rollout_length=self.rollout_length,
            optimizer=self.optimizer,  # type: ignore[arg-type]
        )  # fmt: skip
        return scaled(asked, factor * (16.0 if self.optimizer == "sgd" else 1.0))

    def run(self, factor: float) -> Callable[[int], float]:
        """Return the function that measures the steps needed by the run of a seed.

        Parameters
        ----------
        factor : float

        Examples
        --------
        >>> Variant().run(2.0)(7) < 40_000
        True
        """
        learn = train_synchronously if self.kind == "synchronous" else train
        return one_run(
            steps_needed, cliff_world(), self.config(factor), TOTAL_STEPS,
            self.kind == "equal seeds", learn,
        )  # fmt: skip


@cache
def tuned_factor(variant: Variant) -> float:
    """Return which of the `STEP_FACTORS` is the fastest on the tuning seeds.

    Parameters
    ----------
    variant : Variant

    Examples
    --------
    >>> tuned_factor(Variant()) in STEP_FACTORS
    True
    """
    steps = kept(
        "summary", f"tuning: {variant.name}",
        lambda seed: [variant.run(factor)(seed) for factor in STEP_FACTORS],
        TUNING_SEEDS, {"variant": variant, "config": variant.config(1.0), "factors": STEP_FACTORS},
    )  # fmt: skip
    return STEP_FACTORS[fastest(list(steps.T))]


@cache
def speed(variant: Variant) -> Floats:
    """Return the steps needed by a variant whose step sizes are tuned.

    Parameters
    ----------
    variant : Variant

    Returns
    -------
    (1,000,) floats
        Environment steps of all workers, one number per seed; at most all the steps of the run.

    Examples
    --------
    >>> speed(Variant()).shape
    (1000,)
    """
    factor = tuned_factor(variant)
    asked = {"variant": variant, "config": variant.config(factor), "total_steps": TOTAL_STEPS}
    return kept("summary", f"steps: {variant.name}", variant.run(factor), SPEED_SEEDS, asked)


def slower(this: Variant, than: Variant) -> Interval:
    """Return how many times the steps of one variant another needs, restricted to the horizon.

    Parameters
    ----------
    this, than : Variant

    Examples
    --------
    >>> slower(Variant(), Variant())
    Interval(mean=1.0, low=1.0, high=1.0)
    """
    return restricted_ratio(speed(this), speed(than), HORIZON)


def restricted(steps: ArrayLike) -> Interval:
    """Return the mean steps, restricted to the horizon, with its interval.

    Parameters
    ----------
    steps : (M,) floats

    Examples
    --------
    >>> restricted([5_000.0, 5_000.0]), restricted([40_000.0, 40_000.0]).mean
    (Interval(mean=5000.0, low=5000.0, high=5000.0), 20000.0)
    """
    return interval(np.minimum(steps, HORIZON))


def c15() -> dict[str, Interval]:
    """Measure C15: what eight workers gain in samples, in ideal time, and two in measured time.

    Examples
    --------
    With a made-up team of eight that needs a third more samples than one worker:

    >>> from unittest.mock import patch
    >>> def steps(variant):
    ...     return np.full(2, 4_000.0 if variant.num_workers == 8 else 3_000.0)
    >>> with patch(f"{__name__}.speed", steps):
    ...     found = c15()
    >>> found["samples, one over eight"].mean, found["ideal time, one over eight"].mean
    (0.75, 6.0)
    """
    samples = slower(Variant(num_workers=1), Variant(num_workers=8))
    one, two = (Variant(num_workers=k, rollout_length=MEASURED_LENGTH) for k in (1, 2))
    pair, rates = slower(one, two), throughput()["steps_per_second"][str(MEASURED_LENGTH)]
    faster = percentile_ratio(rates["2"], rates["1"])
    return {
        "samples, one over eight": samples,
        "samples, equal over different seeds": slower(
            Variant("equal seeds", 8), Variant("different seeds", 8)
        ),
        "ideal time, one over eight": Interval(8 * samples.mean, 8 * samples.low, 8 * samples.high),
        # Both ends at their worst, both at their best: wider than 95 %.
        "measured time, one over two": Interval(
            pair.mean * faster.mean, pair.low * faster.low, pair.high * faster.high
        ),
    }


#: A state counts as visited when an episode spends at least this many (discounted) steps there.
VISITED = 0.1


class Reading(NamedTuple):
    """How a policy's probabilities agree with exact values; "elsewhere": rarely visited states.

    Attributes
    ----------
    optimal, optimal_elsewhere : float
        Share of states whose most probable action is optimal.
    own, own_elsewhere : float
        Share whose most probable action is best under the policy itself.
    rank, rank_elsewhere : float
        Mean rank correlation of probabilities and exact advantages of the policy itself.

    Examples
    --------
    >>> # always to the left
    >>> reading = read_policy(cliff_world(), np.eye(4)[np.full(48, 3)])
    >>> reading.optimal < 0.5
    True
    """

    optimal: float
    optimal_elsewhere: float
    own: float
    own_elsewhere: float
    rank: float
    rank_elsewhere: float


def rank_correlation(x: ArrayLike, y: ArrayLike) -> float:
    """Return Spearman's rank correlation; equal values share their mean rank; NaN for a constant.

    Parameters
    ----------
    x, y : (A,) floats
        Differences in `y` below 10⁻⁹ count as none.

    Examples
    --------
    >>> rank_correlation([0.1, 0.2, 0.7], [-3.0, 0.0, 1.0])
    1.0
    """
    from scipy.stats import rankdata

    middle = (np.size(x) + 1) / 2
    a = rankdata(x) - middle
    b = rankdata(np.round(np.asarray(y, dtype=float), 9)) - middle
    size = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / size if size else float("nan")


def read_policy(
    world: TableWorld, policy: ArrayLike, gamma: float = 0.99, visited: float = VISITED
) -> Reading:
    """Hold a policy's probabilities against exact values, state by state.

    Parameters
    ----------
    world : TableWorld
    policy : (S, A) floats
    gamma : float in [0, 1]
    visited : float
        The discounted steps of an episode from which on a state counts as visited.

    Returns
    -------
    Reading
        Without the cliff and the goal, where nobody acts.

    Examples
    --------
    >>> from a3c_tut.exact import optimal_policy
    >>> read_policy(cliff_world(), optimal_policy(cliff_world(), 0.99)).optimal
    1.0
    """
    pi = np.asarray(policy, dtype=float)
    best = optimal_action_values(world, gamma)
    values = policy_values(world, pi, gamma)
    advantage = action_values(world, values, gamma) - values[:, None]
    occupancy = state_occupancy(world, pi, gamma)
    inside = np.array([world.marks.get(s) not in ("C", "G") for s in range(world.num_states)])
    chosen, rows = pi.argmax(axis=1), np.arange(world.num_states)
    optimal = best[rows, chosen] >= best.max(axis=1) - 1e-9
    own = advantage[rows, chosen] >= advantage.max(axis=1) - 1e-9
    rank = np.array([rank_correlation(pi[s], advantage[s]) for s in rows])
    here = inside & (occupancy >= visited)
    there = inside & ~here
    shares = [float(np.mean(x[where])) for x in (optimal, own) for where in (here, there)]
    ranks = [
        float(np.nanmean(rank[where])) if np.isfinite(rank[where]).any() else float("nan")
        for where in (here, there)
    ]
    return Reading(*shares, *ranks)


def reading_of(result: TrainingResult) -> Reading:
    """Read the policy of a run; to six digits after the point, so that thousands can be kept.

    Parameters
    ----------
    result : TrainingResult

    Examples
    --------
    >>> reading_of(train(cliff_world(), total_steps=600)).optimal < 1.0
    True
    """
    reading = read_policy(result.world, result.policy, result.config.gamma)
    return Reading(*(round(share, 6) for share in reading))


@cache
def readings() -> tuple[Reading, ...]:
    """Read the policies of default runs on the cliff-world, 60,000 steps each.

    Examples
    --------
    >>> len(readings()), float(np.mean([reading.optimal for reading in readings()])) > 0.8
    (3500, True)
    """
    table = kept_runs(
        "summary", "readings", reading_of, cliff_world(), A3CConfig(), POLICY_SEEDS, 60_000
    )
    return tuple(Reading(*row) for row in table.tolist())


def c16() -> dict[str, Interval]:
    """Measure C16: agreement of probabilities with exact values, visited states and others.

    Examples
    --------
    >>> found = c16()
    >>> found["optimal where visited"].low > found["optimal elsewhere"].high
    True
    """
    table = np.array(readings())
    kept = dict(zip(Reading._fields, table.T, strict=True))
    return {
        "optimal where visited": interval(kept["optimal"]),
        "optimal elsewhere": interval(kept["optimal_elsewhere"]),
        "ranks where visited": interval(kept["rank"]),
        "ranks elsewhere": interval(kept["rank_elsewhere"]),
    }


#: The rollout lengths and the weights of the entropy that are tried.
LENGTHS, BETAS = (1, 2, 3, 5, 10, 20, 50), (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3)


def length_steps(rollout_length: int) -> Floats:
    """Return the steps needed with rollouts of this length, the step sizes tuned for it.

    Parameters
    ----------
    rollout_length : int from 1

    Returns
    -------
    (1,000,) floats
        Environment steps of all workers, one number per seed.

    Examples
    --------
    >>> length_steps(3).shape
    (1000,)
    """
    return speed(Variant(rollout_length=rollout_length))


@cache
def entropy_steps(beta: float) -> Floats:
    """Return the steps needed with this weight of the entropy, all else default.

    Parameters
    ----------
    beta : float from 0

    Returns
    -------
    (1,000,) floats
        Environment steps of all workers, one number per seed.

    Examples
    --------
    >>> # too much noise in acting
    >>> bool(entropy_steps(0.3).mean() > entropy_steps(0.01).mean())
    True
    """
    return kept_runs(
        "summary", f"steps: β = {beta:g}", steps_needed, cliff_world(),
        A3CConfig(entropy_coef=beta), SPEED_SEEDS, TOTAL_STEPS,
    )  # fmt: skip


def along_the_edge(result: TrainingResult) -> float:
    """Return 1 if the most probable actions take the shortest way, along the edge, else 0.

    Examples
    --------
    >>> along_the_edge(train(cliff_world(), total_steps=600))
    0.0
    """
    return float(outcome(result).greedy == -13.0)


@cache
def edge_runs(beta: float) -> Floats:
    """Return which of the default runs end on the edge, with this weight of the entropy.

    Parameters
    ----------
    beta : float from 0

    Returns
    -------
    (500,) floats
        1 where `along_the_edge`, after 60,000 steps.

    Examples
    --------
    >>> edge_runs(0.01).shape
    (500,)
    """
    return kept_runs(
        "summary", f"edge: β = {beta:g}", along_the_edge, cliff_world(),
        A3CConfig(entropy_coef=beta), PATH_SEEDS, 60_000,
    )  # fmt: skip


@cache
def gradient_noise(rollout_length: int, samples: int = 1_000, groups: int = 60) -> Floats:
    """Return the relative noise of the actor's gradient from so many samples, once per group.

    The policy is held fixed, at the uniform one, by a step size so small that nothing changes: the
    shared logits are then the sum of all gradients, divided by that step size. The critic holds the
    exact values of that policy, so that rollouts of all lengths estimate the same gradient. Noise
    is the root of the summed variances of 20 such sums, over the length of their mean over all
    groups. It does not depend on the scale of the gradient.

    Parameters
    ----------
    rollout_length : int from 1
    samples : int, environment steps
    groups : int from 1

    Returns
    -------
    (groups,) floats

    Examples
    --------
    Longer rollouts, more noise:

    >>> short, long = (gradient_noise(n, samples=200, groups=3) for n in (1, 50))
    >>> bool(long.min() > short.max())
    True
    """
    tiny, world = 1e-9, cliff_world()
    config = A3CConfig(
        num_workers=1, rollout_length=rollout_length, optimizer="sgd", actor_lr=tiny,
        critic_lr=0.0, max_grad_norm=None, entropy_coef=0.0,
    )  # fmt: skip
    uniform = np.full((world.num_states, world.num_actions), 1.0 / world.num_actions)
    sums = measured(
        lambda run: run.theta / tiny,
        world,
        config,
        settling_seeds(20 * groups),
        samples,
        initial_values=policy_values(world, uniform, config.gamma),
    )
    sums = sums.reshape(groups, 20, -1)
    signal = np.linalg.norm(sums.mean(axis=(0, 1)))
    return np.asarray(np.sqrt(sums.var(axis=1, ddof=1).sum(axis=1)) / signal)


def c17() -> dict[str, Interval]:
    """Measure C17: what too little and too much of each setting costs.

    Examples
    --------
    With made-up runs: steps grow with n, and nothing else matters.

    >>> from unittest.mock import patch
    >>> def steps(variant):
    ...     return np.full(2, 100.0 * variant.rollout_length)
    >>> with patch.multiple(__name__, speed=steps, entropy_steps=lambda beta: np.ones(2),
    ...                     gradient_noise=lambda n: np.ones(2)):
    ...     found = c17()
    >>> found["steps, n = 50 over n = 3"].text(1), found["steps, SGD over RMSprop"].mean
    ('16.7', 1.0)
    """
    default, usual = Variant(), entropy_steps(0.01)
    return {
        "noise, n = 50 over n = 1": percentile_ratio(gradient_noise(50), gradient_noise(1)),
        "steps, n = 1 over n = 3": slower(Variant(rollout_length=1), default),
        "steps, n = 50 over n = 3": slower(Variant(rollout_length=50), default),
        "steps, no entropy over 0.01": restricted_ratio(entropy_steps(0.0), usual, HORIZON),
        "steps, entropy 0.1 over 0.01": restricted_ratio(entropy_steps(0.1), usual, HORIZON),
        "steps, SGD over RMSprop": slower(Variant(optimizer="sgd"), default),
    }


#: What stability is measured with (C18): multiples of the default step sizes, and the worlds.
#:
#: :meta hide-value:
LARGE_FACTORS = (1.0, 2.0, 4.0, 8.0, 16.0)
RANGE_WORLDS = {"cliff": cliff_world(), **SPARSE_WORLDS}


def works(result: TrainingResult) -> float:
    """Return 1 if the last 100 episodes went well, else 0.

    Where falls are punished: a mean return of at least −20. Where nothing but the goal pays: at
    least 90 of them reached it.

    Examples
    --------
    >>> [works(train(cliff_world(), total_steps=steps)) for steps in (900, 20_000)]
    [0.0, 1.0]
    """
    if result.world.name == RANGE_WORLDS["cliff"].name:
        return float(final_return(result) >= LEARNED)
    return float(np.mean(~result.episodes["truncated"][-100:]) >= 0.9)


@cache
def large_steps(world: str, rollout_length: int) -> Floats:
    """Return at which of the `LARGE_FACTORS` a run works, seed by seed.

    Parameters
    ----------
    world : one of the `RANGE_WORLDS`
    rollout_length : int from 1

    Returns
    -------
    (500, 5) floats
        1 where it `works`, after 60,000 steps, else 0.

    Examples
    --------
    >>> large_steps("cliff", 3).shape
    (500, 5)
    """
    asked = A3CConfig(rollout_length=rollout_length)
    where = RANGE_WORLDS[world]
    runs = [one_run(works, where, scaled(asked, factor), 60_000) for factor in LARGE_FACTORS]
    return kept(
        "summary", f"large steps: {world}, n = {rollout_length}",
        lambda seed: [run(seed) for run in runs], RANGE_SEEDS,
        {"measure": works, "world": where, "config": asked, "factors": LARGE_FACTORS},
    )  # fmt: skip


def c18() -> dict[str, Interval]:
    """Measure C18: over how much more of the large step sizes longer rollouts work than n = 1.

    Examples
    --------
    With made-up runs, in which a doubling more is borne with each step of a rollout:

    >>> from unittest.mock import patch
    >>> def ranges(world, n):
    ...     return np.tile(np.arange(5) < n, (2, 1)).astype(float)
    >>> with patch(f"{__name__}.large_steps", ranges):
    ...     [found.mean for found in c18().values()]
    [0.4, 0.8, 0.4, 0.8, 0.4, 0.8]
    """
    return {
        f"{world}, n = {n} over n = 1": interval(
            large_steps(world, n).mean(axis=1) - large_steps(world, 1).mean(axis=1)
        )
        for world in RANGE_WORLDS
        for n in (3, 5)
    }
