"""Workers on tables: their random streams, and all of them together in one process.

`TableCrew` is what the emulated runner drives: every worker's memory side by side, and one method
that takes turns in the order it is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from a3c_tut import tables
from a3c_tut.config import A3CConfig
from a3c_tut.worlds import TableWorld

Seed = int | Sequence[int]

#: Numbers drawn ahead per worker: enough that refilling costs little, few enough for the cache.
_UNIFORMS_AHEAD = 4096
#: Updates between two drains of the log; a millisecond or so, so that Ctrl-C is heard.
_LOG_ROWS = 4096


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


def refill(local: tables.Local, index: int, stream: UniformStream) -> None:
    """Move a worker's unused numbers to the front of its buffer and fill up the rest."""
    buffer, cursor = local.uniforms[index], int(local.counters[index, tables.CURSOR])
    left = buffer.size - cursor
    buffer[:left] = buffer[cursor:].copy()
    buffer[left:] = stream.take(cursor)
    local.counters[index, tables.CURSOR] = 0


class TableCrew:
    """All workers of a run in one process, taking turns in a given order.

    Parameters
    ----------
    world, config, total_steps, seed : what was asked for
    theta, V : (S, A) and (S,)
        Initial tables, in learning units.
    state : mapping of arrays, optional
        What `state()` returned: go on from there.
    """

    def __init__(
        self,
        world: TableWorld,
        config: A3CConfig,
        total_steps: int,
        seed: Seed,
        theta: NDArray[np.float64],
        V: NDArray[np.float64],
        state: Mapping[str, NDArray[Any]] | None = None,
    ):
        workers = range(config.num_workers)
        longest = max(config.per_worker("rollout_length"))
        self._world = tables.world_arrays(world, config)
        self._settings = tables.make_settings(config, total_steps)
        self._scratch = tables.make_scratch(config, world)
        self._log = tables.make_log(_LOG_ROWS)
        self.shared = tables.make_shared(theta, V)
        self.statistics = tables.make_statistics(
            statistics_owners(config), world.num_states, world.num_actions
        )
        self.local = tables.make_local(workers, theta, V, max(_UNIFORMS_AHEAD, 4 * longest))
        if state is not None:
            tables.restore(state, self.shared, self.statistics, self.local)
        self._streams = [
            UniformStream(seed_of_one, int(used))
            for seed_of_one, used in zip(
                worker_seeds(seed, config.num_workers),
                self.local.counters[:, tables.UNIFORMS_USED],
                strict=True,
            )
        ]

    @property
    def steps(self) -> int:
        """Environment steps pushed so far, by all workers."""
        return int(self.shared.counters[tables.STEPS])

    @property
    def num_updates(self) -> int:
        """Pushes so far, by all workers."""
        return int(self.shared.counters[tables.UPDATES])

    def take_turns(
        self, schedule: NDArray[np.int64], stop_at: int
    ) -> tuple[bool, NDArray[Any], NDArray[Any]]:
        """Take whole turns in this order, until it, the steps or the room for the log is used up.

        Returns
        -------
        diverged : bool
            Whether the last of these turns wrote a parameter that is not finite.
        episodes, updates : structured arrays
            The rows that these turns logged.
        """
        turn, why = 0, tables.NEEDS_UNIFORMS
        while why == tables.NEEDS_UNIFORMS:
            for index, stream in enumerate(self._streams):
                if self.local.counters[index, tables.CURSOR] > 0:
                    refill(self.local, index, stream)
            turn, why = tables.take_turns(
                self._world, self._settings, self.shared, self.statistics, self.local,
                self._scratch, self._log, schedule, turn, stop_at,
            )  # fmt: skip
        return (why == tables.DIVERGED, *tables.drain(self._log))

    def state(self) -> dict[str, NDArray[Any]]:
        """Return all that a later run needs to go on as if this one had never stopped."""
        return tables.snapshot(self.shared, self.statistics, self.local)


def statistics_owners(config: A3CConfig) -> int:
    """Return how many copies of the optimizer's statistics a run has.

    Examples
    --------
    >>> [statistics_owners(A3CConfig(optimizer=o, shared_statistics=s))
    ...  for o, s in (("sgd", True), ("rmsprop", True), ("rmsprop", False))]
    [0, 1, 3]
    """
    if config.optimizer == "sgd":
        return 0
    return 1 if config.shared_statistics else config.num_workers
