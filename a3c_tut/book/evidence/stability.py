"""What "Stability Considerations" measures (Section 2.3): C04 to C09 and C19."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import fsum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from a3c_tut import A3CConfig, RandomSchedule, TableWorld, cliff_world, train
from a3c_tut.book.claims import Interval
from a3c_tut.book.evidence.common import THIRTY_SEEDS, Floats, bca_ratio, interval
from a3c_tut.book.evidence.controls import watch
from a3c_tut.book.evidence.records import process_schedule
from a3c_tut.book.evidence.step_ranges import STEP_RANGE, wider, working
from a3c_tut.book.evidence.tuning import measured, steps_needed
from a3c_tut.engine.buffers import COUNTERS
from a3c_tut.exact import expected_rollout_gradient
from a3c_tut.experiments import each_seed
from a3c_tut.gen_a3c_figures import (
    Walker,
    accumulate_gradients,
    collect_rollout,
    compute_n_step_advantages,
)

#: The updates after which gradients are looked at: while learning, and when that is over.
WHILE_LEARNING, AFTER_LEARNING = (100, 200, 400, 800), (3200, 6400, 12800)


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
        stands = dict(zip(COUNTERS, state["local_counters"][worker].tolist(), strict=True))
        begin = world.start
        if stands["episode_steps"] > 0:
            begin = np.eye(world.num_states)[stands["state"]]
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
    seeds: Sequence[int] = THIRTY_SEEDS, total_steps: int = 3_000, **arms: Mapping[str, Any]
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

    def one(arm: Mapping[str, Any], seed: int) -> float:
        asked = {"config": A3CConfig(), **arm}
        return variety(watch(cliff_world(), seed=seed, total_steps=total_steps, **asked).visits)

    return {name: np.array(each_seed(partial(one, arm), seeds)) for name, arm in arms.items()}


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


def c04(
    real: NDArray[np.int64] | None = None, seeds: Sequence[int] = THIRTY_SEEDS
) -> dict[str, Interval]:
    """Does asynchrony increase gradient noise? (Section 2.3).

    Parameters
    ----------
    real : (U,) ints
        The schedule of real processes. Default: the recorded one of three.
    seeds : sequence of int

    Examples
    --------
    Age adds something to the noise, be it little:

    >>> found = c04(np.arange(60) % 3, seeds=[0, 1])
    >>> list(found), found["learning"].low > 0.0
    (['learning', 'late', 'real processes'], True)
    """

    real = process_schedule().schedule if real is None else real

    def added(moments: Sequence[int], schedule: NDArray[np.int64] | None = None) -> Interval:
        return interval(each_seed(lambda s: added_noise(drift(s, moments, schedule)), seeds))

    return {
        "learning": added(WHILE_LEARNING),
        "late": added(AFTER_LEARNING),
        "real processes": added(late_pushes(real).tolist(), real),
    }


#: One worker ten times slower than the two others.
TEN_TIMES_SLOWER = RandomSchedule((1.0, 1.0, 0.1))
#: The arms of C05: what `watch` is asked for.
#:
#: :meta hide-value:
EXPLORERS: dict[str, dict[str, Any]] = {
    "one worker": {"config": A3CConfig(num_workers=1)},
    "three, synchronous": {"fresh": True},
    "three, in turn": {},
    "three, at random": {"schedule": RandomSchedule()},
    "three, one slow": {"schedule": TEN_TIMES_SLOWER},
}


def c05(tried: Mapping[str, Floats] | None = None) -> dict[str, Interval]:
    """Does asynchrony improve exploration? (Section 2.3).

    Parameters
    ----------
    tried : mapping
        Default: `exploration` of the arms of `EXPLORERS`.

    Examples
    --------
    >>> tried = {"one worker": np.array([50.0, 50.0]),
    ...          "three, synchronous": np.array([100.0, 100.0]),
    ...          "three, in turn": np.array([110.0, 110.0])}
    >>> {name: found.text(1) for name, found in c05(tried).items()}
    {'asynchronous': '1.1', 'several': '2.0'}
    """
    tried = exploration(THIRTY_SEEDS, 3_000, **EXPLORERS) if tried is None else tried
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
    "shared annealing": ({"lr_anneal": "global"}, {"schedule": TEN_TIMES_SLOWER}),
    "own annealing": ({"lr_anneal": "per_worker"}, {"schedule": TEN_TIMES_SLOWER}),
    "own statistics": (_OWN, {}),
    "none of the three": ({**_LONG, **_FREE}, {"rates": APART}),
    "small n alone": (_FREE, {"rates": APART}),
    "clipping alone": (_LONG, {"rates": APART}),
}


def stability(
    names: Sequence[str], seeds: Sequence[int] = THIRTY_SEEDS
) -> dict[str, NDArray[np.bool_]]:
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


def c06(works: Mapping[str, NDArray[np.bool_]] | None = None) -> dict[str, Interval]:
    """Do smaller rollouts maintain stability? (Section 2.3).

    Parameters
    ----------
    works : mapping
        Default: `stability` of "default", "n = 50", and both without clipping.

    Examples
    --------
    Long rollouts that fail at the four largest of eight step sizes:

    >>> works = {name: np.ones((2, 8), dtype=bool)
    ...          for name in ("default", "n = 50", "no clipping", "n = 50, no clipping")}
    >>> works["n = 50"][:, LARGE] = False
    >>> {name: found.mean for name, found in c06(works).items()}
    {'all steps': 0.5, 'large steps': 1.0, 'large steps unclipped': 0.0}
    """
    if works is None:
        works = stability(("default", "n = 50", "no clipping", "n = 50, no clipping"))
    large = {name: table[:, LARGE] for name, table in works.items()}
    return {
        "all steps": wider(works["default"], works["n = 50"]),
        "large steps": wider(large["default"], large["n = 50"]),
        "large steps unclipped": wider(large["no clipping"], large["n = 50, no clipping"]),
    }


def c07(works: Mapping[str, NDArray[np.bool_]] | None = None) -> dict[str, Interval]:
    """Does clipping maintain stability? (Section 2.3).

    Parameters
    ----------
    works : mapping
        Default: `stability` of "default", "SGD", and both without clipping.

    Examples
    --------
    >>> works = {name: np.ones((2, 8), dtype=bool)
    ...          for name in ("default", "no clipping", "SGD", "SGD, no clipping")}
    >>> works["SGD, no clipping"][:, 6:] = False
    >>> {name: found.mean for name, found in c07(works).items()}
    {'with RMSprop': 0.0, 'with SGD': 0.25}
    """
    if works is None:
        works = stability(("default", "no clipping", "SGD", "SGD, no clipping"))
    return {
        "with RMSprop": wider(works["default"], works["no clipping"]),
        "with SGD": wider(works["SGD"], works["SGD, no clipping"]),
    }


def c08(works: Mapping[str, NDArray[np.bool_]] | None = None) -> dict[str, Interval]:
    """Do synchronized learning rates maintain stability? (Section 2.3).

    Parameters
    ----------
    works : mapping
        Default: `stability` of "default", "rates apart", "shared annealing" and "own
        annealing".

    Examples
    --------
    >>> works = {name: np.ones((2, 8), dtype=bool)
    ...          for name in ("default", "rates apart", "shared annealing", "own annealing")}
    >>> works["rates apart"][:, 7] = False
    >>> {name: found.mean for name, found in c08(works).items()}
    {'rates apart': 0.125, 'annealing apart': 0.0}
    """
    if works is None:
        works = stability(("default", "rates apart", "shared annealing", "own annealing"))
    return {
        "rates apart": wider(works["default"], works["rates apart"]),
        "annealing apart": wider(works["shared annealing"], works["own annealing"]),
    }


#: The best of the step sizes for each optimizer, by the mean steps to −20 on the seeds below.
FASTEST = {"default": 0.2, "own statistics": 0.2, "SGD": 0.4}
#: The seeds on which they were found.
FASTEST_SEEDS = range(100, 130)


def steps_at(name: str, step_size: float, seeds: Sequence[int] = THIRTY_SEEDS) -> Floats:
    """Return the steps until 50 episodes return −20 on average, seed by seed; at most 60,000.

    Parameters
    ----------
    name : str
        One of the `VARIANTS`.
    step_size : float
    seeds : sequence of int

    Examples
    --------
    >>> bool(steps_at("default", 0.2, [0])[0] < 10_000)
    True
    """
    config = A3CConfig(**{**VARIANTS[name][0], "actor_lr": step_size, "critic_lr": step_size})
    return measured(steps_needed, cliff_world(), config, seeds, total_steps=60_000)


def fastest(name: str) -> float:
    """Return the step size of `STEP_RANGE` that is fastest on `FASTEST_SEEDS`; see `FASTEST`.

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
    >>> with patch(f"{__name__}.steps_at", steps):
    ...     fastest("default")
    0.2
    """
    return float(min(STEP_RANGE, key=lambda size: steps_at(name, size, FASTEST_SEEDS).mean()))


def c09(
    works: Mapping[str, NDArray[np.bool_]] | None = None, steps: Mapping[str, Floats] | None = None
) -> dict[str, Interval]:
    """Is RMSprop with shared statistics better than with own ones, or than SGD? (Section 2.3).

    Parameters
    ----------
    works : mapping
        Default: `stability` of "default", "own statistics" and "SGD".
    steps : mapping
        Default: `steps_at` of the same at their `FASTEST` step sizes.

    Examples
    --------
    >>> works = {name: np.ones((2, 8), dtype=bool) for name in ("default", "own statistics", "SGD")}
    >>> steps = {"default": np.array([4e3, 5e3, 6e3]), "own statistics": np.array([4e3, 6e3, 5e3]),
    ...          "SGD": np.array([8e3, 9e3, 13e3])}
    >>> found = c09(works, steps)
    >>> found["over SGD"].mean, found["steps of own statistics"].mean, found["steps of SGD"].mean
    (0.0, 1.0, 2.0)
    """
    works = stability(list(FASTEST)) if works is None else works
    steps = {name: steps_at(name, FASTEST[name]) for name in FASTEST} if steps is None else steps
    return {
        "over own statistics": wider(works["default"], works["own statistics"]),
        "over SGD": wider(works["default"], works["SGD"]),
        "steps of own statistics": bca_ratio(steps["own statistics"], steps["default"]),
        "steps of SGD": bca_ratio(steps["SGD"], steps["default"]),
    }


def c19(works: Mapping[str, NDArray[np.bool_]] | None = None) -> dict[str, Interval]:
    """Do small n, clipping and one rate maintain stability together? (Section 2.3).

    Parameters
    ----------
    works : mapping
        Default: `stability` of "default", "none of the three", "small n alone",
        "clipping alone" and "n = 50, no clipping".

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
    works = stability(("default", *alone.values())) if works is None else works
    return {name: wider(works["default"], works[other]) for name, other in alone.items()}
