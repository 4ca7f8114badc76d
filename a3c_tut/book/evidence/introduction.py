"""What the Introduction measures (Section 1): C01, C02 and C03."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from a3c_tut import A3CConfig, cliff_world, train
from a3c_tut.book.claims import Interval
from a3c_tut.book.evidence.common import (
    Floats,
    interval,
    median_ratio,
    percentile_ratio,
    settling_seeds,
)
from a3c_tut.book.evidence.kept import kept, kept_runs
from a3c_tut.book.evidence.records import all_throughputs
from a3c_tut.book.evidence.step_ranges import LARGE, wider, working
from a3c_tut.experiments import final_return
from a3c_tut.gen_a3c_figures import Walker, collect_rollout


def visited(num_workers: int, seed: int, rollouts: int = 1_200) -> Floats:
    """Return where a crew is, update by update, while its policy stands still (Section 1).

    The policy is that of a run after 6,000 steps, when the way is found and falls still happen.

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
    theta = train(world, total_steps=6_000, seed=seed).theta
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


#: How many updates ahead the curves look, and over how many a mean is taken.
LAGS, STRETCH = 12, 120


def compared(seed: int) -> Decorrelation:
    """Compare what one worker visits with what three do, at equal samples (Section 1).

    Parameters
    ----------
    seed : int from 0

    Examples
    --------
    >>> one = compared(seed=1000)
    >>> bool(one.predictable[0, 0] > one.predictable[1, 0])
    True
    """
    both = [visited(workers, seed) for workers in (1, 3)]
    return Decorrelation(
        np.array([predictability(series, LAGS) for series in both]),
        np.array([scatter_of_means(series, STRETCH) for series in both]),
    )


def decorrelation(seeds: Sequence[int] = settling_seeds(400)) -> list[Decorrelation]:
    """Return `compared`, seed by seed; kept from run to run.

    Parameters
    ----------
    seeds : sequence of int

    Examples
    --------
    >>> from unittest.mock import patch
    >>> made_up = np.full((1, 2 * LAGS + 2), 0.5)
    >>> with patch(f"{__name__}.kept", return_value=made_up):
    ...     decorrelation([1000])[0].scatter.tolist()
    [0.5, 0.5]
    """

    def one(seed: int) -> Floats:
        found = compared(seed)
        return np.concatenate([found.predictable.ravel(), found.scatter])

    asked = {"what": compared, "world": cliff_world(), "config": A3CConfig(), "lags": LAGS,
             "stretch": STRETCH}  # fmt: skip
    table = kept("introduction", "decorrelation", one, seeds, asked)
    return [Decorrelation(row[:-2].reshape(2, LAGS), row[-2:]) for row in table]


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
        "long run": median_ratio(*np.transpose([m.scatter for m in measured])),
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
    >>> def made_up(page, name, config, remember=0):
    ...     return config.num_workers, remember
    >>> with patch(f"{__name__}.working", made_up):
    ...     list(ranges().values())
    [(1, 0), (3, 0), (1, 1000)]
    """
    alone = A3CConfig(num_workers=1)
    return {
        "one worker": working("introduction", "one worker", alone),
        "three workers": working("stability", "default", A3CConfig()),
        "one worker and a buffer": working("introduction", "buffer", alone, remember=1_000),
    }


def final_returns() -> Floats:
    """Return what the default configuration ends at, seed by seed (C02); kept from run to run.

    Examples
    --------
    >>> from unittest.mock import patch
    >>> with patch(f"{__name__}.kept_runs", lambda *given: given[5]):
    ...     len(final_returns())
    400
    """
    seeds = settling_seeds(400)
    return kept_runs(
        "introduction", "final return", final_return, cliff_world(), A3CConfig(), seeds, 60_000
    )


def c02(
    works: Mapping[str, NDArray[np.bool_]] | None = None, final: ArrayLike | None = None
) -> dict[str, Interval]:
    """Is learning stable without a replay buffer? (Section 1).

    Parameters
    ----------
    works : mapping
        Default: `ranges()`.
    final : (seeds,) floats
        Default: `final_returns()`.

    Examples
    --------
    Three workers that stand one doubling more than the others:

    >>> same = np.tile(np.arange(15) < 8, (2, 1))
    >>> works = {"three workers": np.tile(np.arange(15) < 9, (2, 1)), "one worker": same,
    ...          "one worker and a buffer": same}
    >>> found = c02(works, final=[-14.0, -14.0])
    >>> found["learns"].mean, found["over one worker"].mean, found["over a buffer"].mean
    (-14.0, 1.0, 1.0)
    """
    works = ranges() if works is None else works
    three = works["three workers"]
    return {
        "learns": interval(final_returns() if final is None else final),
        "over one worker": wider(three, works["one worker"], LARGE),
        "over a buffer": wider(three, works["one worker and a buffer"], LARGE),
    }


def c03() -> dict[str, Interval]:
    """Do worker processes use more than one core? From the committed records (Section 1).

    Examples
    --------
    >>> found = c03()
    >>> list(found), found["first record"].mean > found["third record"].mean
    (['first record', 'second record', 'third record', 'fourth record'], True)
    """
    rates = [record["steps_per_second"]["5"] for record in all_throughputs()]
    found = [percentile_ratio(one["2"], one["1"]) for one in rates]
    names = (f"{number} record" for number in ("first", "second", "third", "fourth"))
    return dict(zip(names, found, strict=True))
