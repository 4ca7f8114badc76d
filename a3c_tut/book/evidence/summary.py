"""What the Summary measures (Section 6): C15 to C18."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from a3c_tut import A3CConfig, TableWorld, cliff_world, train
from a3c_tut.book.claims import Interval
from a3c_tut.book.evidence.common import (
    SIXTY_SEEDS,
    Floats,
    interval,
    percentile_ratio,
    settling_seeds,
)
from a3c_tut.book.evidence.controls import train_synchronously
from a3c_tut.book.evidence.records import throughput
from a3c_tut.book.evidence.tuning import (
    SPARSE_STEPS,
    SPARSE_WORLDS,
    STEP_CANDIDATES,
    TUNING_SEEDS,
    each_run,
    measured,
    sparse_tuned,
    steps_needed,
    successes,
    tuned,
)
from a3c_tut.exact import action_values, optimal_action_values, policy_values, state_occupancy

#: Numbers of workers, and the kinds of teams.
TEAMS = (1, 2, 4, 8, 16)
KINDS = ("different seeds", "equal seeds", "synchronous")


def team_steps(kind: str, config: A3CConfig, seeds: Sequence[int]) -> Floats:
    """Return the steps needed by a team of one of the `KINDS`, one number per seed.

    Parameters
    ----------
    kind : one of the `KINDS`
    config : A3CConfig
    seeds : sequence of int

    Returns
    -------
    (seeds,) floats
        Environment steps of all workers; see `steps_needed`.

    Examples
    --------
    >>> (team_steps("synchronous", A3CConfig(), [0, 1]) < 40_000).tolist()
    [True, True]
    """
    return measured(
        steps_needed, cliff_world(), config, seeds, equal_seeds=kind == "equal seeds",
        learn=train_synchronously if kind == "synchronous" else train,
    )  # fmt: skip


@cache
def team_tuned(kind: str, num_workers: int) -> A3CConfig:
    """Return the configuration whose step size needs fewest steps on the tuning seeds.

    Parameters
    ----------
    kind : one of the `KINDS`
    num_workers : int from 1

    Examples
    --------
    >>> team_tuned("different seeds", 1).actor_lr in STEP_CANDIDATES
    True
    """
    return tuned(
        A3CConfig(num_workers=num_workers),
        lambda config: float(team_steps(kind, config, TUNING_SEEDS).mean()),
    )


@cache
def team_runs(kind: str, num_workers: int) -> Floats:
    """Return the steps needed by a tuned team, one number per seed.

    Parameters
    ----------
    kind : one of the `KINDS`
    num_workers : int from 1

    Examples
    --------
    >>> steps = team_runs("different seeds", 1)
    >>> steps.shape, bool(steps.max() < 40_000)
    ((60,), True)
    """
    return team_steps(kind, team_tuned(kind, num_workers), SIXTY_SEEDS)


def c15() -> dict[str, Interval]:
    """Measure C15: what eight workers gain in samples, in ideal time, and two in measured time.

    Examples
    --------
    With a made-up team of eight that needs a third more samples than one worker:

    >>> from unittest.mock import patch
    >>> def steps(kind, num_workers):
    ...     return np.full(2, 4_000.0 if num_workers == 8 else 3_000.0)
    >>> with patch(f"{__name__}.team_runs", steps):
    ...     found = c15()
    >>> found["samples, one over eight"].mean, found["ideal time, one over eight"].mean
    (0.75, 6.0)
    """
    alone, team = team_runs("different seeds", 1), team_runs("different seeds", 8)
    rates = throughput()["steps_per_second"]["5"]
    samples = percentile_ratio(alone, team)
    pair = percentile_ratio(alone, team_runs("different seeds", 2))
    faster = percentile_ratio(rates["2"], rates["1"])
    return {
        "samples, one over eight": samples,
        "samples, equal over different seeds": percentile_ratio(team_runs("equal seeds", 8), team),
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


@cache
def readings() -> tuple[Reading, ...]:
    """Read the policies of default runs on the cliff-world, 60,000 steps each.

    Examples
    --------
    >>> len(readings()), float(np.mean([reading.optimal for reading in readings()])) > 0.8
    (60, True)
    """
    world = cliff_world()
    runs = each_run(
        lambda run: read_policy(world, run.policy), world, A3CConfig(), total_steps=60_000
    )
    return tuple(runs)


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
LENGTHS, BETAS = (1, 2, 5, 10, 20, 50), (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3)


@cache
def length_tuned(rollout_length: int, optimizer: str = "rmsprop") -> A3CConfig:
    """Return the configuration whose step size needs fewest steps on the tuning seeds.

    Parameters
    ----------
    rollout_length : int from 1
    optimizer : "rmsprop" or "sgd"

    Examples
    --------
    >>> length_tuned(5).actor_lr in STEP_CANDIDATES
    True
    """
    asked = A3CConfig(rollout_length=rollout_length, optimizer=optimizer)  # type: ignore[arg-type]
    sizes = (
        STEP_CANDIDATES if optimizer == "rmsprop" else tuple(3 * size for size in STEP_CANDIDATES)
    )
    return tuned(
        asked, lambda c: float(measured(steps_needed, cliff_world(), c, TUNING_SEEDS).mean()), sizes
    )


@cache
def length_steps(rollout_length: int, optimizer: str = "rmsprop") -> Floats:
    """Return the steps needed with rollouts of this length, the step size tuned for it.

    Parameters
    ----------
    rollout_length : int from 1
    optimizer : "rmsprop" or "sgd"

    Returns
    -------
    (60,) floats
        Environment steps of all workers, one number per seed.

    Examples
    --------
    >>> steps = length_steps(5)
    >>> steps.shape, bool(steps.max() < 40_000)
    ((60,), True)
    """
    return measured(steps_needed, cliff_world(), length_tuned(rollout_length, optimizer))


@cache
def entropy_steps(beta: float) -> Floats:
    """Return the steps needed with this weight of the entropy, all else default.

    Parameters
    ----------
    beta : float from 0

    Returns
    -------
    (60,) floats
        Environment steps of all workers, one number per seed.

    Examples
    --------
    >>> # too much noise in acting
    >>> bool(entropy_steps(0.3).mean() > entropy_steps(0.01).mean())
    True
    """
    return measured(steps_needed, cliff_world(), A3CConfig(entropy_coef=beta))


@cache
def gradient_noise(rollout_length: int, samples: int = 1_000, groups: int = 60) -> Floats:
    """Return the relative noise of the actor's gradient from so many samples, once per group.

    Policy and values are held fixed, at uniform and 0, by a step size so small that nothing
    changes: the shared logits are then the sum of all gradients, divided by that step size. Noise
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
    tiny = 1e-9
    config = A3CConfig(
        num_workers=1, rollout_length=rollout_length, optimizer="sgd", actor_lr=tiny,
        critic_lr=0.0, max_grad_norm=None, entropy_coef=0.0,
    )  # fmt: skip
    sums = measured(
        lambda run: run.theta / tiny,
        cliff_world(),
        config,
        settling_seeds(20 * groups, first=0),
        samples,
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
    >>> def steps(n, optimizer="rmsprop"):
    ...     return np.full(2, 1_000.0 * n)
    >>> with patch.multiple(__name__, length_steps=steps, entropy_steps=lambda beta: np.ones(2),
    ...                     gradient_noise=lambda n: np.ones(2)):
    ...     found = c17()
    >>> found["steps, n = 50 over n = 5"].mean, found["steps, SGD over RMSprop"].mean
    (10.0, 1.0)
    """
    middle = length_steps(5)
    return {
        "noise, n = 50 over n = 1": percentile_ratio(gradient_noise(50), gradient_noise(1)),
        "steps, n = 1 over n = 5": percentile_ratio(length_steps(1), middle),
        "steps, n = 50 over n = 5": percentile_ratio(length_steps(50), middle),
        "steps, no entropy over 0.01": percentile_ratio(entropy_steps(0.0), entropy_steps(0.01)),
        "steps, entropy 0.1 over 0.01": percentile_ratio(entropy_steps(0.1), entropy_steps(0.01)),
        "steps, SGD over RMSprop": percentile_ratio(length_steps(5, "sgd"), middle),
    }


@cache
def sparse_lengths(world: str, rollout_length: int) -> Floats:
    """Return the successes of three workers with rollouts of this length, the step size tuned.

    Parameters
    ----------
    world : one of the `SPARSE_WORLDS`
    rollout_length : int from 1

    Returns
    -------
    (60,) floats
        Episodes that reached the goal, one number per seed.

    Examples
    --------
    >>> bool(sparse_lengths("corridor", 5).mean() > 0.0)
    True
    """
    config = sparse_tuned(world, 3, rollout_length)
    return measured(successes, SPARSE_WORLDS[world], config, SIXTY_SEEDS, SPARSE_STEPS)


def c18() -> dict[str, Interval]:
    """Measure C18: n = 5 against n = 1 where rewards are dense, and where they are sparse.

    Examples
    --------
    With made-up runs, in which only sparse rewards ask for more than one step:

    >>> from unittest.mock import patch
    >>> def steps(n):
    ...     return np.full(2, 4_000.0)
    >>> def arrivals(world, n):
    ...     return np.full(2, 100.0 * n)
    >>> with patch.multiple(__name__, length_steps=steps, sparse_lengths=arrivals):
    ...     [found.mean for found in c18().values()]
    [1.0, 5.0, 5.0]
    """
    return {
        "cliff, steps n = 1 over n = 5": percentile_ratio(length_steps(1), length_steps(5)),
        "grid, successes n = 5 over n = 1": percentile_ratio(
            sparse_lengths("grid", 5), sparse_lengths("grid", 1)
        ),
        "corridor, successes n = 5 over n = 1": percentile_ratio(
            sparse_lengths("corridor", 5), sparse_lengths("corridor", 1)
        ),
    }
