"""Many seeds: what the book's claims are measured with (Section 5).

The kernels run without the interpreter lock, so threads use every core, and what they return does
not depend on how many there are.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from a3c_tut.config import A3CConfig
from a3c_tut.training import TrainingResult, train
from a3c_tut.worlds import TableWorld

Measure = TypeVar("Measure")


def run_seeds(
    world: TableWorld,
    config: A3CConfig | None = None,
    *,
    seeds: Sequence[int],
    measure: Callable[[TrainingResult], Measure],
    max_threads: int | None = None,
    progress: bool = False,
    **asked: Any,
) -> list[Measure]:
    """Train once per seed, on all cores, and keep one measurement of each run.

    Parameters
    ----------
    world, config : as in `train`
    seeds : sequence of int
    measure : function of a TrainingResult
        What to keep of a run; the run itself is dropped.
    max_threads : int, optional
        Default: the number of cores.
    progress : bool
        Show a progress bar.
    **asked
        Further arguments of `train`, such as `total_steps`.

    Returns
    -------
    list
        One measurement per seed, in the order of the seeds.

    Raises
    ------
    ValueError
        For a setting out of range, before the first run.

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> run_seeds(cliff_world(), seeds=[3, 4], total_steps=600, measure=lambda run: run.seed)
    [3, 4]
    """
    from tqdm.auto import tqdm

    def one(seed: int) -> Measure:
        return measure(train(world, config, seed=seed, **asked))

    with ThreadPoolExecutor(max_threads or os.cpu_count()) as pool:
        runs = pool.map(one, seeds)
        return list(tqdm(runs, total=len(seeds), unit="run", disable=not progress))


def moving_average(values: ArrayLike, window: int) -> NDArray[np.float64]:
    """Return the means of all stretches of `window` neighbours.

    Parameters
    ----------
    values : (M,)
    window : int from 1

    Returns
    -------
    (M − window + 1,), empty where M < window

    Examples
    --------
    >>> moving_average([1.0, 2.0, 6.0], 2).tolist()
    [1.5, 4.0]
    """
    series = np.asarray(values, dtype=float)
    if len(series) < window:
        return np.zeros(0)
    return np.lib.stride_tricks.sliding_window_view(series, window).mean(axis=1)


def final_return(result: TrainingResult, episodes: int = 100) -> float:
    """Return the mean return of the last episodes of all workers, in the world's units.

    Examples
    --------
    >>> from a3c_tut import cliff_world, train
    >>> final_return(train(cliff_world(), total_steps=60_000)) > -19
    True
    """
    return float(result.episodes["total_return"][-episodes:].mean())


def steps_to_return(result: TrainingResult, target: float, window: int = 50) -> float:
    """Return the environment steps until the mean return over `window` episodes reaches `target`.

    Steps of all workers together; infinity where it never does.

    Examples
    --------
    >>> from a3c_tut import cliff_world, train
    >>> steps_to_return(train(cliff_world(), total_steps=60_000), target=0.0)
    inf
    """
    means = moving_average(result.episodes["total_return"], window)
    reached = np.flatnonzero(means >= target)
    return float(result.episodes["step"][reached[0] + window - 1]) if reached.size else np.inf


def mean_interval(values: ArrayLike, confidence: float = 0.95) -> tuple[float, float, float]:
    """Return the mean of independent measurements and its bootstrap (BCa) confidence interval.

    Parameters
    ----------
    values : (M,), one measurement per seed
    confidence : float in (0, 1)

    Returns
    -------
    mean, low, high : float

    Examples
    --------
    >>> mean, low, high = mean_interval(np.arange(30.0))
    >>> low < mean < high
    True
    """
    from scipy.stats import bootstrap

    sample = np.asarray(values, dtype=float)
    if np.ptp(sample) == 0.0:
        return float(sample[0]), float(sample[0]), float(sample[0])
    interval = bootstrap(
        (sample,), np.mean, confidence_level=confidence, n_resamples=9_999,
        rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    return float(sample.mean()), float(interval.low), float(interval.high)
