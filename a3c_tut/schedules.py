"""Schedules: whose turn it is, in the order of the pushes (Section 2.2).

The emulated runner asks a schedule for its entries chunk by chunk, since how many a run needs is
known only when it ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Schedule(Protocol):
    """Entries `first` to `first + count` of an order of worker ids; fewer where it ends.

    Anything with such a method is a schedule; entries may not depend on how they are asked for.

    Examples
    --------
    Two turns each:

    >>> class TwoEach:
    ...     def entries(self, first, count):
    ...         return np.arange(first, first + count) // 2 % 3
    >>> in_pairs: Schedule = TwoEach()
    >>> in_pairs.entries(0, 8).tolist()
    [0, 0, 1, 1, 2, 2, 0, 0]
    """

    def entries(self, first: int, count: int) -> NDArray[np.int64]:
        """Return up to `count` entries from `first` on."""


@dataclass(frozen=True)
class RoundRobin:
    """0, 1, …, N − 1, 0, 1, …: the order of Listing 1.

    Attributes
    ----------
    num_workers : int from 1

    Examples
    --------
    >>> RoundRobin(3).entries(2, 5).tolist()
    [2, 0, 1, 2, 0]
    """

    num_workers: int

    def entries(self, first: int, count: int) -> NDArray[np.int64]:
        """Return `count` entries from `first` on."""
        return np.arange(first, first + count) % self.num_workers


@dataclass(frozen=True)
class Given:
    """A list of worker ids, such as the recorded schedule of a real run.

    Attributes
    ----------
    workers : (U,) ints

    Examples
    --------
    >>> Given(np.array([1, 0, 1])).entries(1, 5).tolist()
    [0, 1]
    """

    workers: NDArray[np.int64]

    def entries(self, first: int, count: int) -> NDArray[np.int64]:
        """Return up to `count` entries from `first` on."""
        return self.workers[first : first + count]


@dataclass(frozen=True)
class RandomSchedule:
    """Every push comes from a worker drawn at random: what a busy machine looks like.

    Parameters
    ----------
    weights : sequence of N floats above 0, optional
        How often each worker comes, relative to the others; default: all alike. A slow worker is
        one of small weight.

    Raises
    ------
    ValueError
        When a weight is not a finite number above 0.

    Examples
    --------
    Worker 2 is five times slower than the others:

    >>> slow = RandomSchedule((1.0, 1.0, 0.2)).seeded(3, np.random.SeedSequence(0))
    >>> np.bincount(slow.entries(0, 11_000)).round(-3).tolist()
    [5000, 5000, 1000]
    """

    weights: Sequence[float] | None = None

    def __post_init__(self) -> None:
        if self.weights is not None:
            try:
                weights = np.asarray(self.weights, dtype=float)
            except (TypeError, ValueError):
                weights = np.zeros(1)  # no numbers: refused below
            if weights.ndim != 1 or not (np.isfinite(weights) & (weights > 0)).all():
                raise ValueError(
                    f"weights of RandomSchedule is {self.weights!r}; allowed: numbers above 0, "
                    "one per worker"
                )
            object.__setattr__(self, "weights", tuple(float(w) for w in weights))

    def seeded(self, num_workers: int, seed: np.random.SeedSequence) -> SeededSchedule:
        """Return the schedule that this seed gives for so many workers.

        Parameters
        ----------
        num_workers : int from 1
        seed : SeedSequence

        Raises
        ------
        ValueError
            When there are weights, and not one per worker.
        """
        weights = self.weights if self.weights is not None else (1.0,) * num_workers
        if len(weights) != num_workers:
            raise ValueError(
                f"weights of RandomSchedule is {weights!r}; allowed: numbers above 0, one per "
                f"worker ({num_workers})"
            )
        cumulative = np.cumsum(weights)
        return SeededSchedule(cumulative / cumulative[-1], seed)


@dataclass(frozen=True)
class SeededSchedule:
    """A random schedule whose entry `i` depends on nothing but the seed and `i`.

    Attributes
    ----------
    cumulative : (N,) floats
        Running sums of the workers' shares; the last is 1.
    seed : SeedSequence

    Examples
    --------
    >>> schedule = SeededSchedule(np.array([0.5, 1.0]), np.random.SeedSequence(0))
    >>> whole = schedule.entries(0, 10)
    >>> bool((schedule.entries(4, 6) == whole[4:]).all())
    True
    """

    cumulative: NDArray[np.float64]
    seed: np.random.SeedSequence

    def entries(self, first: int, count: int) -> NDArray[np.int64]:
        """Return `count` entries from `first` on."""
        bits = np.random.PCG64(self.seed)
        bits.advance(first)
        uniforms = np.random.Generator(bits).random(count)
        last = len(self.cumulative) - 1
        return np.minimum(np.searchsorted(self.cumulative, uniforms, side="right"), last)


def check_given(schedule: ArrayLike, num_workers: int) -> Given:
    """Return a list of worker ids as a schedule, or say what is wrong with it.

    Parameters
    ----------
    schedule : (U,) ints
    num_workers : int from 1

    Returns
    -------
    Given

    Raises
    ------
    ValueError
        When it is no list of whole numbers, is empty, or holds a worker that does not exist.

    Examples
    --------
    >>> check_given([0, 3], num_workers=3)
    Traceback (most recent call last):
    ...
    ValueError: schedule[1] is 3; allowed: worker ids from 0 to 2
    """
    allowed = "'round_robin', 'random', a RandomSchedule or a list of worker ids"
    try:
        workers = np.asarray(schedule)
    except ValueError:
        raise ValueError(f"schedule is {schedule!r}; allowed: {allowed}") from None
    if workers.ndim != 1 or not np.issubdtype(workers.dtype, np.integer) or workers.size == 0:
        raise ValueError(
            f"schedule is an array of shape {workers.shape} and dtype {workers.dtype}; allowed: "
            f"{allowed}"
        )
    bad = np.flatnonzero((workers < 0) | (workers >= num_workers))
    if bad.size:
        raise ValueError(
            f"schedule[{bad[0]}] is {workers[bad[0]]}; allowed: worker ids from 0 to "
            f"{num_workers - 1}"
        )
    return Given(workers.astype(np.int64))
