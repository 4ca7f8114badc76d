"""What "CPU-friendly training" measures (Section 3.1): C10."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from a3c_tut import A3CConfig, cliff_world
from a3c_tut.book.claims import Interval
from a3c_tut.book.evidence.common import interval, percentile_ratio
from a3c_tut.book.evidence.records import throughput
from a3c_tut.engine.crew import Job, TableCrew


class BytesNeeded(NamedTuple):
    """Bytes, summed over arrays.

    Attributes
    ----------
    buffer : int
        A replay buffer.
    workers : int
        What asynchronous workers hold in its place.

    Examples
    --------
    >>> needed = pixel_memory()
    >>> needed.buffer > 10 * needed.workers
    True
    """

    buffer: int
    workers: int


def table_memory(num_workers: int = 16, transitions: int = 1_000_000) -> BytesNeeded:
    """Return the memory of a replay buffer for a table, and of this package's workers.

    A transition is two states (4 bytes each), an action (1), a reward (8) and a flag (1). A worker
    holds its copy of the tables, its rollout, its random numbers drawn ahead, and its log.

    Parameters
    ----------
    num_workers : int from 1
    transitions : int, the size of the buffer

    Returns
    -------
    BytesNeeded
        In bytes.

    Examples
    --------
    >>> table_memory().buffer
    18000000
    """
    config, world = A3CConfig(num_workers=num_workers), cliff_world()
    run = TableCrew(Job.fresh(world, config)).run
    own = sum(array.nbytes for array in run.me)
    own += num_workers * sum(array.nbytes for part in run.scratch for array in part)
    return BytesNeeded(transitions * 18, own + num_workers * sum(array.nbytes for array in run.log))


def pixel_memory(
    num_workers: int = 16, rollout_length: int = 5, transitions: int = 1_000_000
) -> BytesNeeded:
    """Return the same for the networks and frames of Mnih et al. (2016).

    The buffer holds each 84 × 84 frame once, in bytes, with an action (1), a reward (4) and a flag
    (1). A worker holds a rollout of stacks of four frames, and a copy of the network (two
    convolutions, 256 hidden units, 18 actions and a value) and of its gradient, in 32-bit numbers.

    Parameters
    ----------
    num_workers, rollout_length : int from 1
    transitions : int, the size of the buffer

    Returns
    -------
    BytesNeeded
        In bytes.

    Examples
    --------
    >>> pixel_memory().buffer
    7062000000
    """
    weights = (4 * 8 * 8 + 1) * 16 + (16 * 4 * 4 + 1) * 32 + (32 * 9 * 9 + 1) * 256 + 257 * 19
    rollout = (rollout_length + 1) * 4 * 84 * 84 + rollout_length * 5
    return BytesNeeded(transitions * (84 * 84 + 6), num_workers * (2 * 4 * weights + rollout))


def speed_ratios(
    record: Mapping[str, Any], above: str = "2", below: str = "1"
) -> dict[int, Interval]:
    """Return by how much one way of running is faster than another, by rollout length.

    Parameters
    ----------
    record : mapping, as `throughput` returns it
    above, below : "1", "2" or "side by side"

    Returns
    -------
    dict
        Empty if the record has no such measurements.

    Examples
    --------
    >>> record = {"steps_per_second": {"5": {"1": [4.0, 4.0], "2": [6.0, 6.0]}}}
    >>> speed_ratios(record)[5].mean, speed_ratios(record, "2", "side by side")
    (1.5, {})
    """
    return {
        int(length): percentile_ratio(rates[above], rates[below])
        for length, rates in record["steps_per_second"].items()
        if above in rates and below in rates
    }


def c10() -> dict[str, Interval]:
    """Measure C10: what two processes are worth, and what no replay buffer saves.

    The speed is left out while the record has no two unrelated runs to compare with.

    Examples
    --------
    A buffer of frames takes nearly eighty times the memory of sixteen workers:

    >>> round(c10()["buffer against workers, pixels"].mean)
    79
    """
    table, pixels = table_memory(), pixel_memory()
    effects: dict[str, Interval] = {}
    if over_unrelated := speed_ratios(throughput(), "2", "side by side"):
        effects["two workers over two unrelated runs"] = over_unrelated[5]
    return effects | {
        "buffer against workers, pixels": interval([pixels.buffer / pixels.workers]),
        "buffer against workers, table": interval([table.buffer / table.workers]),
    }
