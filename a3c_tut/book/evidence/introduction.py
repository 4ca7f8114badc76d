"""What the Introduction measures (Section 1): C01, C02 and C03."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from a3c_tut import A3CConfig, cliff_world, train
from a3c_tut.book.claims import Interval
from a3c_tut.book.evidence.common import THIRTY_SEEDS, Floats, interval, percentile_ratio
from a3c_tut.book.evidence.records import throughput
from a3c_tut.book.evidence.step_ranges import wider, working
from a3c_tut.experiments import each_seed, final_return, run_seeds
from a3c_tut.gen_a3c_figures import Walker, collect_rollout


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


def decorrelation(seeds: Sequence[int] = THIRTY_SEEDS) -> list[Decorrelation]:
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


def c01(measured: Sequence[Decorrelation] | None = None) -> dict[str, Interval]:
    """Do parallel workers decorrelate experience? (Section 1).

    Parameters
    ----------
    measured : sequence of Decorrelation, one per seed
        Default: `decorrelation()`.

    Examples
    --------
    >>> one = Decorrelation(np.array([[0.4] * 12, [0.1] * 12]), np.array([0.06, 0.02]))
    >>> {name: found.text(1) for name, found in c01([one, one]).items()}
    {'neighbours': '0.3', 'long run': '3.0'}
    """
    measured = decorrelation() if measured is None else measured
    return {
        "neighbours": interval([m.predictable[0, 0] - m.predictable[1, 0] for m in measured]),
        "long run": interval([m.scatter[0] / m.scatter[1] for m in measured]),
    }


def ranges() -> dict[str, NDArray[np.bool_]]:
    """Return at which step sizes one worker works, three, and one with a buffer (Section 1).

    Returns
    -------
    dict
        `working` of "one worker", "three workers" and "one worker and a buffer".

    Examples
    --------
    With a made-up answer in place of the runs:

    >>> from unittest.mock import patch
    >>> def made_up(config, remember=0):
    ...     return config.num_workers, remember
    >>> with patch(f"{__name__}.working", made_up):
    ...     list(ranges().values())
    [(1, 0), (3, 0), (1, 1000)]
    """
    alone = A3CConfig(num_workers=1)
    return {
        "one worker": working(alone),
        "three workers": working(A3CConfig()),
        "one worker and a buffer": working(alone, remember=1_000),
    }


def c02(
    works: Mapping[str, NDArray[np.bool_]] | None = None, final: ArrayLike | None = None
) -> dict[str, Interval]:
    """Is learning stable without a replay buffer? (Section 1).

    Parameters
    ----------
    works : mapping
        Default: `ranges()`.
    final : (seeds,) floats
        Final returns of the default configuration. Default: they are measured.

    Examples
    --------
    >>> half = np.array([[True, False]] * 2)
    >>> works = {"three workers": half, "one worker": half, "one worker and a buffer": ~half & half}
    >>> found = c02(works, final=[-17.0, -17.0])
    >>> found["learns"].mean, found["over one worker"].mean, found["over a buffer"].mean
    (-17.0, 0.0, 0.5)
    """
    works = ranges() if works is None else works
    if final is None:
        final = run_seeds(cliff_world(), seeds=THIRTY_SEEDS, measure=final_return)
    return {
        "learns": interval(final),
        "over one worker": wider(works["three workers"], works["one worker"]),
        "over a buffer": wider(works["three workers"], works["one worker and a buffer"]),
    }


def c03() -> dict[str, Interval]:
    """Do worker processes use more than one core? From the committed record (Section 1).

    Examples
    --------
    >>> found = c03()["speed-up"]
    >>> found.low < found.mean < found.high
    True
    """
    rates = throughput()["steps_per_second"]["5"]
    return {"speed-up": percentile_ratio(rates["2"], rates["1"])}
