"""What the measurements of several pages share: the seeds, and how an effect is stated.

Everything is stated as an `Interval`, mean and 95 % bootstrap interval over seeds. Two ways of
drawing stand side by side for a ratio, because each is fixed by the protocols that name it.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from a3c_tut.book.claims import Interval
from a3c_tut.experiments import mean_interval

Floats = NDArray[np.float64]

#: The seeds that settle the claims of Sections 1 and 2.
THIRTY_SEEDS = range(1000, 1030)
#: The seeds that settle the claims of Sections 3 and 6.
SIXTY_SEEDS = range(60)
#: A mean return, over 50 or 100 episodes, that counts as having learned the cliff-world.
LEARNED = -20.0


def interval(values: ArrayLike) -> Interval:
    """Return mean and 95 % bootstrap interval over seeds.

    Examples
    --------
    >>> interval([2.0, 2.0])
    Interval(mean=2.0, low=2.0, high=2.0)
    """
    return Interval(*mean_interval(values))


def curve(measurements: Iterable[ArrayLike]) -> Floats:
    """Return mean and interval of each of several measurements, for a plot.

    Parameters
    ----------
    measurements : P of them, each (M,), one number per seed

    Returns
    -------
    (P, 3) floats
        Mean, low and high.

    Examples
    --------
    >>> curve(np.full(3, 2.0 * n) for n in (1, 2)).tolist()
    [[2.0, 2.0, 2.0], [4.0, 4.0, 4.0]]
    """
    return np.array([mean_interval(one) for one in measurements])


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
    a, b = np.asarray(above, dtype=float), np.asarray(below, dtype=float)
    drawn = np.random.default_rng(0).integers(len(a), size=(9_999, len(a)))
    ratios = a[drawn].mean(axis=1) / b[drawn].mean(axis=1)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return Interval(float(a.mean() / b.mean()), float(low), float(high))


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
