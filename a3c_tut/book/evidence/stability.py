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
from a3c_tut.book.evidence.common import (
    Floats,
    interval,
    median_ratio,
    percentile_ratio,
    settling_seeds,
)
from a3c_tut.book.evidence.controls import watch
from a3c_tut.book.evidence.kept import kept, kept_runs
from a3c_tut.book.evidence.records import process_schedule
from a3c_tut.book.evidence.step_ranges import FACTORS, LARGE, stepped, wider, working
from a3c_tut.book.evidence.tuning import measured, steps_needed
from a3c_tut.engine.buffers import COUNTERS
from a3c_tut.exact import expected_rollout_gradient
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


def late_pushes(schedule: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pushes of a schedule before which others had pushed since the worker's last one.

    Parameters
    ----------
    schedule : (U,) ints

    Returns
    -------
    first, later : ints each
        Numbers of pushes, counted from 0: those that were a worker's very first, and the others.

    Examples
    --------
    Worker 1 begins late, and worker 0 comes back late:

    >>> [pushes.tolist() for pushes in late_pushes(np.array([0, 0, 1, 1, 0]))]
    [[2], [4]]
    """
    changes = 1 + np.flatnonzero(np.diff(schedule) != 0)
    beginnings = np.unique(schedule, return_index=True)[1]
    is_first = np.isin(changes, beginnings)
    return changes[is_first], changes[~is_first]


def drawn_pushes(seed: int, schedule: NDArray[np.int64], count: int = 5) -> NDArray[np.int64]:
    """Return some of the later `late_pushes` of a schedule, drawn at random.

    Parameters
    ----------
    seed : int from 0
    schedule : (U,) ints
    count : int

    Examples
    --------
    >>> drawn_pushes(seed=0, schedule=np.array([0, 1, 0, 1, 0]), count=2).tolist()
    [3, 4]
    """
    _, later = late_pushes(schedule)
    return np.sort(np.random.default_rng(seed).choice(later, count, replace=False))


def noise(
    name: str, moments: Sequence[int] | None, schedule: NDArray[np.int64] | None = None,
    seeds: Sequence[int] = settling_seeds(400),
) -> Floats:  # fmt: skip
    """Return what age and chance sum up to over the moments of each seed's run; kept.

    Parameters
    ----------
    name : str
        Under which it is kept.
    moments : sequence of int, or None
        The updates before which to look; None: the seed's own `drawn_pushes`.
    schedule : (U,) ints, optional
    seeds : sequence of int

    Returns
    -------
    (seeds, 2) floats
        Sum of `Drift.age`, and sum of `Drift.chance`.

    Examples
    --------
    >>> from unittest.mock import patch
    >>> def at_once(page, name, one, seeds, asked):
    ...     return np.array([one(seed) for seed in seeds])
    >>> with patch(f"{__name__}.kept", at_once):
    ...     noise("learning", [50, 100], seeds=[0, 1]).shape
    (2, 2)
    """

    def one(seed: int) -> list[float]:
        chosen = moments
        if chosen is None:
            assert schedule is not None
            chosen = drawn_pushes(seed, schedule).tolist()
        found = drift(seed, chosen, schedule)
        # fsum: `sum` rounds otherwise from Python 3.12 on.
        return [fsum(d.age for d in found), fsum(d.chance for d in found)]

    asked = {"what": drift, "world": cliff_world(), "config": A3CConfig(), "moments": moments,
             "schedule": schedule}  # fmt: skip
    return kept("stability", f"noise: {name}", one, seeds, asked)


def added_noise(summed: Floats) -> Interval:
    """Return what age adds to the noise of some gradients, in percent of the chance part.

    Parameters
    ----------
    summed : (seeds, 2) floats
        As `noise` returns it.

    Examples
    --------
    >>> added_noise(np.array([[0.0, 3.0], [1.0, 1.0]])).mean
    25.0
    """
    found = percentile_ratio(summed[:, 0], summed[:, 1])
    return Interval(100.0 * found.mean, 100.0 * found.low, 100.0 * found.high)


def c04(summed: Mapping[str, Floats] | None = None) -> dict[str, Interval]:
    """Does asynchrony increase gradient noise? (Section 2.3).

    Parameters
    ----------
    summed : mapping
        Default: `noise` while learning, late in a run, and at late pushes of real processes.

    Examples
    --------
    >>> summed = {"learning": np.array([[0.0, 3.0], [1.0, 1.0]])}
    >>> {name: found.mean for name, found in c04(summed).items()}
    {'learning': 25.0}
    """
    if summed is None:
        summed = {
            "learning": noise("learning", WHILE_LEARNING),
            "late": noise("late", AFTER_LEARNING),
            "real processes": noise("real processes", None, process_schedule().schedule),
        }
    return {name: added_noise(one) for name, one in summed.items()}


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
    arms: Mapping[str, Mapping[str, Any]], seeds: Sequence[int] = settling_seeds(1_000),
    total_steps: int = 3_000,
) -> dict[str, Floats]:  # fmt: skip
    """Return, for each arm and seed, the effective number of state–action pairs tried; kept.

    Parameters
    ----------
    arms : mapping of a name to arguments of `watch`
    seeds : sequence of int
    total_steps : int, environment steps of all workers of a run

    Returns
    -------
    dict
        For each arm (seeds,) floats; see `variety`.

    Examples
    --------
    >>> from unittest.mock import patch
    >>> def at_once(page, name, one, seeds, asked):
    ...     return np.array([one(seed) for seed in seeds])
    >>> with patch(f"{__name__}.kept", at_once):
    ...     alone = {"config": A3CConfig(num_workers=1)}
    ...     tried = exploration({"alone": alone, "three": {}}, [0, 1], 300)
    >>> {arm: numbers.shape for arm, numbers in tried.items()}
    {'alone': (2,), 'three': (2,)}
    >>> bool(1.0 <= tried["three"].min() <= tried["three"].max() <= 48 * 4)
    True
    """

    def one(given: Mapping[str, Any], seed: int) -> float:
        return variety(watch(cliff_world(), seed=seed, total_steps=total_steps, **given).visits)

    found = {}
    for name, arm in arms.items():
        given = {"config": A3CConfig(), **arm}
        asked = {"what": variety, "world": cliff_world(), "total_steps": total_steps, **given}
        found[name] = kept("stability", f"tried: {name}", partial(one, given), seeds, asked)
    return found


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
    tried = exploration(EXPLORERS) if tried is None else tried
    return {
        "asynchronous": interval(tried["three, in turn"] / tried["three, synchronous"]),
        "several": interval(tried["three, synchronous"] / tried["one worker"]),
    }


#: Rates of three workers that are far apart; their mean is 1.
APART = (0.1, 1.0, 1.9)
#: Steps in which rollouts of fifty make at least as many pushes as those of three in 60,000. They
#: make more in a run that has learned, since a rollout ends with its episode.
A_MILLION = 1_000_000
_LONG, _FREE = {"rollout_length": 50}, {"max_grad_norm": None}
_SGD, _OWN = {"optimizer": "sgd"}, {"shared_statistics": False}

#: What the arms of C06 to C09 and C19 ask for: settings, then further arguments of `working`.
#:
#: :meta hide-value:
VARIANTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "default": ({}, {}),
    "n = 1": ({"rollout_length": 1}, {}),
    "n = 50": (_LONG, {}),
    "n = 50, looking 3 ahead": ({**_LONG, "window": 3}, {}),
    "no clipping": (_FREE, {}),
    "SGD": (_SGD, {}),
    "SGD, no clipping": ({**_SGD, **_FREE}, {}),
    "rates apart": ({}, {"rates": APART}),
    "shared annealing": ({"lr_anneal": "global"}, {"schedule": TEN_TIMES_SLOWER}),
    "own annealing": ({"lr_anneal": "per_worker"}, {"schedule": TEN_TIMES_SLOWER}),
    "own statistics": (_OWN, {}),
    "small n alone": (_FREE, {"rates": APART}),
}
#: What takes `A_MILLION` steps: only at the larger step sizes, on fewer seeds.
#:
#: :meta hide-value:
LONGER: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "n = 50, a million steps": (_LONG, {}),
    "n = 50, no clipping, a million steps": ({**_LONG, **_FREE}, {}),
    "default, a million steps": ({}, {}),
    "no clipping, a million steps": (_FREE, {}),
    "clipping alone": (_LONG, {"rates": APART}),
    "none of the three": ({**_LONG, **_FREE}, {"rates": APART}),
}


def stability(names: Sequence[str]) -> dict[str, NDArray[np.bool_]]:
    """Return `working` for some of the `VARIANTS` and of those that take `LONGER` (Section 2.3).

    Parameters
    ----------
    names : sequence of str

    Returns
    -------
    dict
        For each name (seeds, factors) bools; for the longer ones (fewer seeds, larger factors).

    Examples
    --------
    With a made-up answer in place of the runs:

    >>> from unittest.mock import patch
    >>> with patch(f"{__name__}.working", lambda page, name, config, **asked: sorted(asked)):
    ...     print(stability(["default", "clipping alone"]))
    {'default': [], 'clipping alone': ['factors', 'rates', 'seeds', 'total_steps']}
    """
    found = {}
    for name in names:
        settings, asked = {**VARIANTS, **LONGER}[name]
        if name in LONGER:
            asked = {**asked, "total_steps": A_MILLION, "factors": FACTORS[LARGE],
                     "seeds": settling_seeds(120)}  # fmt: skip
        found[name] = working("stability", name, A3CConfig(**settings), **asked)
    return found


def _wider_at_large_steps(this: NDArray[np.bool_], than: NDArray[np.bool_]) -> Interval:
    """Compare at the larger step sizes, on the seeds that both have."""
    large = [table if table.shape[1] == LARGE.sum() else table[:, LARGE] for table in (this, than)]
    count = min(len(table) for table in large)
    return wider(large[0][:count], large[1][:count])


def c06(works: Mapping[str, NDArray[np.bool_]] | None = None) -> dict[str, Interval]:
    """Do smaller rollouts maintain stability? (Section 2.3).

    Parameters
    ----------
    works : mapping
        Default: `stability` of "default", "n = 50", and both without clipping; with n = 50 also in
        a million steps.

    Examples
    --------
    Long rollouts that fail in 60,000 steps, and in a million where nothing is clipped:

    >>> works = {name: np.ones((2, 15), dtype=bool) for name in ("default", "no clipping")}
    >>> works |= {"n = 50": np.zeros((2, 15), dtype=bool)}
    >>> works |= {"n = 50, a million steps": np.ones((2, 9), dtype=bool)}
    >>> works |= {"n = 50, no clipping, a million steps": np.zeros((2, 9), dtype=bool)}
    >>> {name: found.mean for name, found in c06(works).items()}
    {'all steps': 15.0, 'large steps': 0.0, 'large steps unclipped': 9.0}
    """
    if works is None:
        works = stability(("default", "no clipping", "n = 50", "n = 50, a million steps",
                           "n = 50, no clipping, a million steps"))  # fmt: skip
    free = works["no clipping"], works["n = 50, no clipping, a million steps"]
    return {
        "all steps": wider(works["default"], works["n = 50"]),
        "large steps": _wider_at_large_steps(works["default"], works["n = 50, a million steps"]),
        "large steps unclipped": _wider_at_large_steps(*free),
    }


def c07(works: Mapping[str, NDArray[np.bool_]] | None = None) -> dict[str, Interval]:
    """Does clipping maintain stability? (Section 2.3).

    Parameters
    ----------
    works : mapping
        Default: `stability` of "default", "SGD", and both without clipping.

    Examples
    --------
    >>> works = {name: np.ones((2, 15), dtype=bool)
    ...          for name in ("default", "no clipping", "SGD", "SGD, no clipping")}
    >>> works["SGD, no clipping"][:, 11:] = False
    >>> {name: found.mean for name, found in c07(works).items()}
    {'with RMSprop': 0.0, 'with SGD': 4.0, 'with SGD over all steps': 4.0}
    """
    if works is None:
        works = stability(("default", "no clipping", "SGD", "SGD, no clipping"))
    return {
        "with RMSprop": wider(works["default"], works["no clipping"], LARGE),
        "with SGD": wider(works["SGD"], works["SGD, no clipping"], LARGE),
        "with SGD over all steps": wider(works["SGD"], works["SGD, no clipping"]),
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
    >>> works = {name: np.ones((2, 15), dtype=bool)
    ...          for name in ("default", "rates apart", "shared annealing", "own annealing")}
    >>> works["rates apart"][:, 14] = False
    >>> {name: found.mean for name, found in c08(works).items()}
    {'rates apart': 1.0, 'annealing apart': 0.0}
    """
    if works is None:
        works = stability(("default", "rates apart", "shared annealing", "own annealing"))
    return {
        "rates apart": wider(works["default"], works["rates apart"], LARGE),
        "annealing apart": wider(works["shared annealing"], works["own annealing"], LARGE),
    }


#: The best of the factors for each optimizer, by the median steps to −20 on the seeds below.
FASTEST = {"default": 4.0, "own statistics": 4.0, "SGD": 64.0}
#: The seeds on which they were found.
FASTEST_SEEDS = range(100, 130)


def steps_at(name: str, factor: float, seeds: Sequence[int] = settling_seeds(4_000)) -> Floats:
    """Return the steps until 50 episodes return −20 on average, at most 60,000; kept.

    Parameters
    ----------
    name : str
        One of the `VARIANTS`.
    factor : float
        Of both step sizes.
    seeds : sequence of int

    Examples
    --------
    >>> from unittest.mock import patch
    >>> def asked(page, name, measure, world, config, seeds, total_steps):
    ...     return name, config.actor_lr, len(seeds)
    >>> with patch(f"{__name__}.kept_runs", asked):
    ...     steps_at("default", 2.0)
    ('steps: default, 2', (0.1, 0.1, 0.1), 4000)
    """
    config = stepped(A3CConfig(**VARIANTS[name][0]), factor)
    where = f"steps: {name}, {factor:g}"
    return kept_runs("stability", where, steps_needed, cliff_world(), config, seeds, 60_000)


def fastest(name: str) -> float:
    """Return the factor that is fastest on `FASTEST_SEEDS` by the median; see `FASTEST`.

    Parameters
    ----------
    name : str
        One of the `VARIANTS`.

    Examples
    --------
    With made-up times in place of 450 runs:

    >>> from unittest.mock import patch
    >>> def steps(measure, world, config, seeds, total_steps):
    ...     return [abs(config.actor_lr[0] - 0.11)]
    >>> with patch(f"{__name__}.measured", steps):
    ...     fastest("default")
    2.0
    """

    def median_steps(factor: float) -> float:
        config = stepped(A3CConfig(**VARIANTS[name][0]), factor)
        steps = measured(steps_needed, cliff_world(), config, FASTEST_SEEDS, total_steps=60_000)
        return float(np.median(steps))

    return float(min(FACTORS, key=median_steps))


def c09(
    works: Mapping[str, NDArray[np.bool_]] | None = None, steps: Mapping[str, Floats] | None = None
) -> dict[str, Interval]:
    """Is RMSprop with shared statistics better than with own ones, or than SGD? (Section 2.3).

    Parameters
    ----------
    works : mapping
        Default: `stability` of "default", "own statistics" and "SGD".
    steps : mapping
        Default: `steps_at` of the same at their `FASTEST` factors.

    Examples
    --------
    >>> names = "default", "own statistics", "SGD"
    >>> works = {name: np.ones((2, 15), dtype=bool) for name in names}
    >>> steps = {"default": np.array([4e3, 5e3, 6e3]), "own statistics": np.array([4e3, 6e3, 5e3]),
    ...          "SGD": np.array([8e3, 10e3, 13e3])}
    >>> found = c09(works, steps)
    >>> found["over SGD"].mean, found["steps of own statistics"].mean, found["steps of SGD"].mean
    (0.0, 1.0, 2.0)
    """
    works = stability(list(FASTEST)) if works is None else works
    steps = {name: steps_at(name, FASTEST[name]) for name in FASTEST} if steps is None else steps
    return {
        "over own statistics": wider(works["default"], works["own statistics"], LARGE),
        "over SGD": wider(works["default"], works["SGD"]),
        "steps of own statistics": median_ratio(steps["own statistics"], steps["default"]),
        "steps of SGD": median_ratio(steps["SGD"], steps["default"]),
    }


def c19(works: Mapping[str, NDArray[np.bool_]] | None = None) -> dict[str, Interval]:
    """Do small n, clipping and one rate maintain stability together? (Section 2.3).

    Parameters
    ----------
    works : mapping
        Default: `stability` of "default", "none of the three", "small n alone",
        "clipping alone" and "n = 50, no clipping, a million steps".

    Examples
    --------
    >>> works = {name: np.ones((2, 15), dtype=bool) for name in ("default", "small n alone")}
    >>> works |= {name: np.ones((2, 9), dtype=bool)
    ...           for name in ("clipping alone", "n = 50, no clipping, a million steps")}
    >>> works["none of the three"] = np.zeros((2, 9), dtype=bool)
    >>> found = c19(works)
    >>> found["over none"].mean, found["over one rate alone"].mean
    (9.0, 0.0)
    """
    alone = {"over none": "none of the three", "over small n alone": "small n alone",
             "over clipping alone": "clipping alone",
             "over one rate alone": "n = 50, no clipping, a million steps"}  # fmt: skip
    works = stability(("default", *alone.values())) if works is None else works
    few = {key: table[: len(works["none of the three"])] for key, table in works.items()}
    return {
        name: _wider_at_large_steps(few["default"], few[other]) for name, other in alone.items()
    }
