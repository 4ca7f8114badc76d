"""What the measurements of several pages share: the seeds, and how an effect is stated.

Everything is stated as an `Interval`: an effect and its 95 % bootstrap interval over seeds. Means
are for what has light tails. Where a few runs take very long, or are cut off, a mean says little,
and its interval less: `median_interval`, `median_ratio` and `restricted_ratio` are made for that.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from dataclasses import astuple, replace
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from a3c_tut import A3CConfig
from a3c_tut.book.claims import Interval
from a3c_tut.experiments import mean_interval

Floats = NDArray[np.float64]

#: By how much all seeds that settle claims are shifted: what `make resettle` sets, in a process of
#: its own, through the environment's `A3C_SEED_OFFSET`.
SEED_OFFSET = int(os.environ.get("A3C_SEED_OFFSET", "0"))


def settling_seeds(count: int, first: int = 100_000) -> range:
    """Return the seeds that settle a claim; all measurements take theirs from here.

    Parameters
    ----------
    count : int from 1
        See `seeds_needed`.
    first : int from 0, below 1,000,000
        Where they begin; from there on they are one after the other.

    Examples
    --------
    >>> seeds = settling_seeds(400)
    >>> len(seeds), seeds[0] - SEED_OFFSET
    (400, 100000)
    """
    return range(first + SEED_OFFSET, first + SEED_OFFSET + count)


#: The first seeds that settled claims of Sections 1 and 2.
THIRTY_SEEDS = settling_seeds(30, first=1000)
#: The first seeds that settled claims of Sections 3 and 6.
SIXTY_SEEDS = settling_seeds(60, first=0)
#: A mean return, over 50 or 100 episodes, that counts as having learned the cliff-world.
LEARNED = -20.0


def seeds_needed(
    pilot: ArrayLike, smallest_effect: float, power: float = 0.9, confidence: float = 0.95
) -> int:
    """Return how many seeds tell a mean that is so far from a threshold apart from it.

    With s the standard deviation of the pilot and d the smallest effect, these are
    ((z(1/2 + confidence/2) + z(power)) · s / d)² seeds, rounded up, where z(p) is the p-quantile of
    the normal distribution. A mean that is d from the threshold, or more, then has its whole
    interval on one side with that probability. With d the smallest effect that matters, both "there
    is such an effect", where it is twice that large, and "there is any", where it is just that
    large, are found. "No difference that matters" has to stay away from two thresholds at once:
    power 0.95 for each gives 0.9 for both.

    Parameters
    ----------
    pilot : (M,) floats
        A few measurements, or differences of paired ones, on other seeds than those that settle.
    smallest_effect : float above 0
        In the pilot's units.
    power, confidence : float in (0, 1)

    Raises
    ------
    ValueError
        When the effect is not above 0.

    Examples
    --------
    An effect of half a standard deviation, of a third, of a tenth:

    >>> [seeds_needed([-1.0, 0.0, 1.0], effect) for effect in (1 / 2, 1 / 3, 1 / 10)]
    [43, 95, 1051]
    """
    if not smallest_effect > 0.0:
        raise ValueError(f"smallest_effect is {smallest_effect}; allowed: a number above 0")
    z = NormalDist().inv_cdf(0.5 + confidence / 2) + NormalDist().inv_cdf(power)
    spread = float(np.std(np.asarray(pilot, dtype=float), ddof=1))
    return max(2, math.ceil((z * spread / smallest_effect) ** 2))


def scaled(config: A3CConfig, factor: float) -> A3CConfig:
    """Return the configuration with both step sizes multiplied.

    Parameters
    ----------
    config : A3CConfig
        With one step size for all workers.
    factor : float from 0

    Examples
    --------
    >>> scaled(A3CConfig(), 2.0)
    A3CConfig(actor_lr=0.1, critic_lr=0.06)
    """
    (actor, *_), (critic, *_) = config.per_worker("actor_lr"), config.per_worker("critic_lr")
    return replace(config, actor_lr=factor * actor, critic_lr=factor * critic)


def interval(values: ArrayLike) -> Interval:
    """Return mean and 95 % bootstrap interval over seeds.

    Examples
    --------
    >>> interval([2.0, 2.0])
    Interval(mean=2.0, low=2.0, high=2.0)
    """
    return Interval(*mean_interval(values))


def curve(
    measurements: Iterable[ArrayLike], stated: Callable[[ArrayLike], Interval] = interval
) -> Floats:
    """Return effect and interval of each of several measurements, for a plot.

    Parameters
    ----------
    measurements : P of them, each (M,), one number per seed
    stated : function of a measurement
        `interval`, or `median_interval` for heavy tails.

    Returns
    -------
    (P, 3) floats
        Mean (or median), low and high.

    Examples
    --------
    >>> curve(np.full(3, 2.0 * n) for n in (1, 2)).tolist()
    [[2.0, 2.0, 2.0], [4.0, 4.0, 4.0]]
    """
    return np.array([astuple(stated(one)) for one in measurements])


def percentile_interval(statistic: Callable[..., Floats], *samples: ArrayLike) -> Interval:
    """Return a statistic of one or more samples over the same seeds, with its percentile interval.

    Seeds are drawn with replacement, 9,999 times, always the same draws; of all samples the same
    seeds, so that what they have in common cancels.

    Parameters
    ----------
    statistic : function of as many arrays as there are samples
        It works along the last axis.
    *samples : (M,) each, one measurement per seed

    Raises
    ------
    ValueError
        When the samples are not of the same length.

    Examples
    --------
    >>> percentile_interval(lambda a: np.max(a, axis=-1), [1.0, 2.0, 3.0])
    Interval(mean=3.0, low=1.0, high=3.0)
    """
    arrays = [np.asarray(one, dtype=float) for one in samples]
    size = len(arrays[0])
    if any(one.shape != (size,) for one in arrays):
        raise ValueError(f"samples of {[one.shape for one in arrays]}; allowed: one length for all")
    rng = np.random.default_rng(0)
    drawn = (rng.integers(size, size=(1_111, size)) for _ in range(9))  # in parts, for the memory
    found = np.concatenate([statistic(*(one[rows] for one in arrays)) for rows in drawn])
    low, high = np.quantile(found, [0.025, 0.975])
    return Interval(float(statistic(*arrays)), float(low), float(high))


def percentile_ratio(above: ArrayLike, below: ArrayLike) -> Interval:
    """Return the ratio of two means over the same seeds, with its 95 % percentile interval.

    Seeds are drawn in pairs, so that what both have in common cancels.

    Parameters
    ----------
    above, below : (M,), one measurement per seed

    Examples
    --------
    >>> percentile_ratio([2.0, 4.0, 6.0], [1.0, 2.0, 3.0])
    Interval(mean=2.0, low=2.0, high=2.0)
    """
    return percentile_interval(lambda a, b: a.mean(axis=-1) / b.mean(axis=-1), above, below)


def median_interval(values: ArrayLike) -> Interval:
    """Return the median over seeds, with its 95 % percentile interval.

    Of the differences of paired measurements: by how much one is larger in half of the seeds.

    Parameters
    ----------
    values : (M,), one measurement per seed
        Fewer than half of them may be infinite: runs that never got there.

    Examples
    --------
    One run in fifty that takes for ever does not matter:

    >>> median_interval([5.0] * 49 + [np.inf])
    Interval(mean=5.0, low=5.0, high=5.0)
    """
    return percentile_interval(_median, values)


def median_ratio(above: ArrayLike, below: ArrayLike) -> Interval:
    """Return the ratio of two medians over the same seeds, with its 95 % percentile interval.

    Parameters
    ----------
    above, below : (M,), one measurement per seed

    Examples
    --------
    >>> median_ratio([2.0, 4.0, 6.0e9], [1.0, 2.0, 3.0]).mean
    2.0
    """
    return percentile_interval(lambda a, b: _median(a) / _median(b), above, below)


def _median(values: Floats) -> Floats:
    return np.asarray(np.median(values, axis=-1))


def restricted_ratio(above: ArrayLike, below: ArrayLike, at: float) -> Interval:
    """Return the ratio of two means restricted to a horizon, with its 95 % percentile interval.

    Each measurement counts up to the horizon and no further: the mean time spent on the way up to
    there. The protocol fixes the horizon, well below where runs are cut off.

    Parameters
    ----------
    above, below : (M,), one measurement per seed
    at : float
        The horizon.

    Examples
    --------
    >>> restricted_ratio([2.0, 4.0, np.inf], [1.0, 2.0, 3.0], at=6.0).mean
    2.0
    """
    return percentile_ratio(np.minimum(above, at), np.minimum(below, at))


def bca_ratio(above: ArrayLike, below: ArrayLike) -> Interval:
    """Return the same ratio with a bias-corrected and accelerated (BCa) bootstrap interval.

    Parameters
    ----------
    above, below : (M,), one measurement per seed

    Examples
    --------
    >>> found = bca_ratio([2.0, 4.0, 7.0], [1.0, 2.0, 3.0])
    >>> found.mean, found.low < found.mean < found.high
    (2.16667, True)
    """
    from scipy.stats import bootstrap

    a, b = np.asarray(above, dtype=float), np.asarray(below, dtype=float)
    found = bootstrap(
        (a, b), lambda x, y, axis: x.mean(axis=axis) / y.mean(axis=axis), paired=True,
        vectorized=True, method="BCa", n_resamples=9_999, rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    return Interval(float(a.mean() / b.mean()), float(found.low), float(found.high))
