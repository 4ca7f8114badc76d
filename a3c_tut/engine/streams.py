"""Random numbers: a stream per worker, of which number `i` depends on the seed and `i` alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from a3c_tut.engine.buffers import Local

Seed = int | Sequence[int]

#: Numbers drawn ahead per worker: enough that refilling costs little, few enough for the cache.
_UNIFORMS_AHEAD = 32768


def uniforms_ahead(longest_rollout: int) -> int:
    """Return how many random numbers a worker has at hand.

    Parameters
    ----------
    longest_rollout : int from 1

    Examples
    --------
    >>> uniforms_ahead(5), uniforms_ahead(10_000)
    (32768, 40000)
    """
    return max(_UNIFORMS_AHEAD, 4 * longest_rollout)


def worker_seeds(seed: Seed, num_workers: int) -> list[np.random.SeedSequence]:
    """Return the seed of each worker's random stream; a worker never draws one itself.

    Parameters
    ----------
    seed : int from 0, or one per worker
        One number gives every worker a stream of its own. A list gives worker `w` the stream of
        `seed[w]`: equal entries make workers that see the same random numbers.
    num_workers : int

    Raises
    ------
    ValueError
        When the seed is no whole number from 0, or the list has another length.

    Examples
    --------
    >>> [s.spawn_key for s in worker_seeds(7, 3)]
    [(0,), (1,), (2,)]
    >>> [s.entropy for s in worker_seeds((7, 7), 2)]
    [7, 7]
    """
    if isinstance(seed, (int, np.integer)) and not isinstance(seed, bool) and seed >= 0:
        return np.random.SeedSequence(int(seed)).spawn(num_workers)
    given = list(seed) if isinstance(seed, (list, tuple, np.ndarray)) else None
    fits = given is not None and len(given) == num_workers
    if (
        given is None
        or not fits
        or not all(
            isinstance(s, (int, np.integer)) and not isinstance(s, bool) and s >= 0 for s in given
        )
    ):
        raise ValueError(
            f"seed is {seed!r}; allowed: a whole number from 0, or one per worker ({num_workers})"
        )
    return [np.random.SeedSequence(int(s)) for s in given]


def network_seed(seed: Seed, num_workers: int) -> np.random.SeedSequence:
    """Return the seed that a network's first parameters are drawn with.

    The workers have the seed's first children, a random schedule the next one, a network the last.

    Parameters
    ----------
    seed : int from 0, or one per worker
    num_workers : int

    Examples
    --------
    >>> network_seed(7, 3).spawn_key
    (4,)
    """
    return np.random.SeedSequence(seed).spawn(num_workers + 2)[-1]


class UniformStream:
    """A worker's random numbers: number `i` depends on nothing but the seed and `i`.

    Examples
    --------
    >>> seed = np.random.SeedSequence(0)
    >>> whole = UniformStream(seed).take(5)
    >>> bool((UniformStream(seed, used=3).take(2) == whole[3:]).all())
    True
    """

    def __init__(self, seed: np.random.SeedSequence, used: int = 0):
        bits = np.random.PCG64(seed)
        bits.advance(used)
        self._generator = np.random.Generator(bits)

    def take(self, count: int) -> NDArray[np.float64]:
        """Return the next `count` numbers from [0, 1)."""
        return self._generator.random(count)


def refill(local: Local, index: int, stream: UniformStream) -> None:
    """Move a worker's unused numbers to the front of its buffer and fill up the rest.

    Parameters
    ----------
    local : Local
    index : int, the worker's place in it
    stream : UniformStream, its own

    Examples
    --------
    Two of three numbers are used; the third is the next:

    >>> stream = UniformStream(np.random.SeedSequence(0))
    >>> from a3c_tut.engine.buffers import make_local
    >>> local = make_local([0], np.zeros((48, 4)), np.zeros(48), num_uniforms=3)
    >>> refill(local, 0, stream)
    >>> third = local.uniforms[0, 2]
    >>> local.cursor[0] = 2
    >>> refill(local, 0, stream)
    >>> bool(local.uniforms[0, 0] == third), int(local.cursor[0])
    (True, 0)
    """
    buffer, cursor = local.uniforms[index], int(local.cursor[index])
    left = buffer.size - cursor
    buffer[:left] = buffer[cursor:].copy()
    buffer[left:] = stream.take(cursor)
    local.cursor[index] = 0
