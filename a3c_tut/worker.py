"""Workers on tables: their random streams, all of them in one process, one in a process of its own.

`TableCrew` is what the emulated runner drives: every worker's memory side by side, and one method
that takes turns in the order it is told. `TableWorker` is what a worker process drives: one
worker's memory, the shared block, and one method that takes its turns among the others'.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from a3c_tut import tables
from a3c_tut.atomics import SPINS, acquire, exchange, load, read, release
from a3c_tut.compiling import kernel
from a3c_tut.config import A3CConfig
from a3c_tut.kernels import WorldArrays
from a3c_tut.shared import SharedBlock, arm, block_layout, check_sharing, disarm
from a3c_tut.signals import (
    DIVERGED,
    DONE,
    FINISHED,
    LOCK,
    LOCK_BUSY,
    LOG_FULL,
    NEEDS_UNIFORMS,
    PAUSE,
    PAUSED,
    STOP,
)
from a3c_tut.worlds import TableWorld

Seed = int | Sequence[int]

#: Numbers drawn ahead per worker: enough that refilling costs little, few enough for the cache.
_UNIFORMS_AHEAD = 32768


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
    >>> local = tables.make_local([0], np.zeros((48, 4)), np.zeros(48), num_uniforms=3)
    >>> refill(local, 0, stream)
    >>> third = local.uniforms[0, 2]
    >>> local.counters[0, tables.CURSOR] = 2
    >>> refill(local, 0, stream)
    >>> bool(local.uniforms[0, 0] == third), int(local.counters[0, tables.CURSOR])
    (True, 0)
    """
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

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> crew = TableCrew(cliff_world(), A3CConfig(), 100, 0, np.zeros((48, 4)), np.zeros(48))
    >>> diverged, episodes, updates = crew.take_turns(np.array([0, 2, 0]), stop_at=100)
    >>> updates["worker"].tolist(), updates["staleness"].tolist()
    ([0, 2, 0], [0, 1, 1])
    >>> crew.steps, crew.num_updates, crew.state()["counters"].tolist()[:2]
    (15, 3, [15, 3])
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
        self._log = tables.make_log()
        self.shared = tables.make_shared(theta, V)
        self.statistics = tables.make_statistics(
            statistics_owners(config), world.num_states, world.num_actions
        )
        self.local = tables.make_local(workers, theta, V, max(_UNIFORMS_AHEAD, 4 * longest))
        if state is not None:
            tables.restore_shared(state, self.shared, self.statistics)
            tables.restore_local(state, self.shared, self.statistics, self.local)
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

        Parameters
        ----------
        schedule : (U,) ints, whose turn it is
        stop_at : int, the push that brings the shared step counter here is the last

        Returns
        -------
        diverged : bool
            Whether the last of these turns wrote a parameter that is not finite.
        episodes, updates : structured arrays
            The rows that these turns logged.
        """
        turn, why = 0, NEEDS_UNIFORMS
        while why == NEEDS_UNIFORMS:
            for index, stream in enumerate(self._streams):
                if self.local.counters[index, tables.CURSOR] > 0:
                    refill(self.local, index, stream)
            turn, why = tables.take_turns(
                self._world, self._settings, self.shared, self.statistics, self.local,
                self._scratch, self._log, schedule, turn, stop_at,
            )  # fmt: skip
        episodes, updates, *_ = tables.drain(self._log)
        return why == DIVERGED, episodes, updates

    def state(self) -> dict[str, NDArray[Any]]:
        """Return all that a later run needs to go on as if this one had never stopped."""
        return {
            **tables.snapshot_shared(self.shared, self.statistics),
            **tables.snapshot_local(self.local, None),
        }


def turn_arguments(
    world: TableWorld, config: A3CConfig, total_steps: int = 1_000, seed: Seed = 0
) -> tuple[
    WorldArrays,
    tables.Settings,
    tables.Shared,
    tables.Statistics,
    tables.Local,
    tables.Scratch,
    tables.Log,
]:
    """Make what the functions of a turn take, random numbers drawn: for turns taken by hand.

    Parameters
    ----------
    world : TableWorld
    config : A3CConfig
    total_steps : int from 1
    seed : int from 0, or one per worker

    Returns
    -------
    world, settings, shared, statistics, me, scratch, log
        What `tables.take_turns` takes before the schedule. All tables are 0.

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> made = turn_arguments(cliff_world(), A3CConfig(num_workers=2))
    >>> tables.take_turns(*made, np.array([0, 1, 0]), 0, 1_000)
    (3, 0)
    """
    zeros = np.zeros((world.num_states, world.num_actions))
    crew = TableCrew(world, config, total_steps, seed, zeros, zeros[:, 0])
    for index, stream in enumerate(crew._streams):
        refill(crew.local, index, stream)
    return (
        crew._world, crew._settings, crew.shared, crew.statistics, crew.local, crew._scratch,
        crew._log,
    )  # fmt: skip


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


# What a worker counts: locks taken, looks at a lock that was taken, returns for want of it.
LOCKS, LOOKS, BUSY = 0, 1, 2


@kernel
def advance(  # type: ignore[no-untyped-def]
    world, settings, shared, statistics, me, scratch, log, lock, words, journal,
    shared_statistics, tally, max_updates, stop_at
):  # fmt: skip
    """Take one worker's turns among others: rollout → gradient → lock → push → sync → unlock.

    The one place where kernels and lock meet. Comes back after a whole push, or with a rollout in
    hand that the next call goes on with.

    Parameters
    ----------
    world, settings, shared, statistics, me, scratch, log : as in `tables.take_turns`
        `me` is this worker's memory alone.
    lock : as in `atomics.acquire`
    words : (NUM_WORDS,) ints, by which the parent talks; see `signals`
    journal : Journal of the worker
    shared_statistics : Statistics in shared memory; empty where each worker has its own
    tally : (3,) ints, what is counted: LOCKS, LOOKS, BUSY
    max_updates : int
    stop_at : int, the push that brings the shared step counter here is the last

    Returns
    -------
    int
        DONE (so many updates), FINISHED (steps used up, or told to stop), PAUSED, DIVERGED,
        NEEDS_UNIFORMS, LOG_FULL, LOCK_BUSY.

    Examples
    --------
    Seven turns without a lock; a worker that is told to stop comes back at once:

    >>> from a3c_tut import cliff_world
    >>> config = A3CConfig(num_workers=1, update_mode="hogwild")
    >>> made = turn_arguments(cliff_world(), config)
    >>> block = SharedBlock(block_layout(cliff_world(), config))
    >>> words, tally = np.zeros(32, dtype=np.int64), np.zeros(3, dtype=np.int64)
    >>> rest = (words, words, block.journal(0), made[3], tally, 7, 1_000)
    >>> advance(*made, *rest) == DONE, made[2].counters[:2].tolist()
    (True, [35, 7])
    >>> words[STOP] = 1
    >>> advance(*made, *rest) == FINISHED
    True
    >>> del rest; block.close(); block.unlink()
    """
    worker = me.counters[0, tables.WORKER]
    turn = scratch.turn.whole
    done = 0
    while done < max_updates:
        if turn[tables.WAITS] == 0:
            if load(words, STOP) != 0:
                return FINISHED
            if load(words, PAUSE) != 0:
                return PAUSED
            if log.filled[1] - load(log.drained, 1) >= tables.LOG_ROWS:
                return LOG_FULL
            most = 1 + 2 * settings.rollout_length[worker]
            if me.counters[0, tables.CURSOR] + most > me.uniforms.shape[1]:
                return NEEDS_UNIFORMS
            tables.prepare(world, settings, me, 0, scratch)
            tables.fetch_ahead(settings, shared, statistics, 0, scratch)
            turn[tables.WAITS] = 1
        if not settings.hogwild:
            taken, looks = acquire(lock, worker, SPINS)
            tally[LOOKS] += looks
            if not taken:
                tally[BUSY] += 1
                return LOCK_BUSY
            tally[LOCKS] += 1
        turn[tables.WAITS] = 0
        if load(words, STOP) != 0 or load(shared.counters, tables.STEPS) >= stop_at:
            if not settings.hogwild:
                release(lock)
            return FINISHED  # a rollout in flight at the end is thrown away
        if settings.global_critic:
            tables.evaluate(settings, worker, shared.V, scratch)
        if not settings.hogwild:
            arm(journal, shared, shared_statistics, scratch.gradient, turn[tables.NUM_ROWS])
        finite = tables.push(settings, shared, statistics, me, 0, scratch, log)
        tables.sync(settings, shared, me, 0)
        tables.walk_on(shared, me, 0, scratch, log)
        if not finite:
            exchange(words, STOP, 1)  # nobody pushes after a push that diverged
        if not settings.hogwild:
            disarm(journal)
            release(lock)
        done += 1
        if not finite:
            return DIVERGED
    return DONE


class TableWorker:
    """One worker on tables, in a process of its own (Section 2.2).

    Parameters
    ----------
    job : TableJob
    worker : int
        Its id.
    lock : multiprocessing lock, or None where the compiled one is used

    Raises
    ------
    AssertionError
        When something that must be shared is not, or the other way round.

    Examples
    --------
    For once in the parent's own process, and without a lock:

    >>> from a3c_tut import cliff_world
    >>> from a3c_tut.team import TableTeam
    >>> config = A3CConfig(num_workers=2, update_mode="hogwild")
    >>> team = TableTeam(cliff_world(), config, 100, 100, 0, np.zeros((48, 4)), np.zeros(48))
    >>> worker = TableWorker(team.job, 1, None)
    >>> worker.advance(3) == DONE, worker.signal(STOP), team.steps
    (True, 0, 15)
    >>> int(worker.state()["local_counters"][0, tables.OWN_STEPS])
    15
    >>> del worker; team.close()
    """

    def __init__(self, job: TableJob, worker: int, lock: Any):
        config, world = job.config, job.world
        self._block = SharedBlock(block_layout(world, config), job.block_name)
        self._shared = self._block.shared()
        self._shared_statistics = self._block.statistics()
        self._statistics = self._shared_statistics
        if not config.shared_statistics:
            owners = 1 if config.optimizer == "rmsprop" else 0
            self._statistics = tables.make_statistics(owners, world.num_states, world.num_actions)
        longest = max(config.per_worker("rollout_length"))
        self._local = tables.make_local(
            [worker], job.theta, job.V, max(_UNIFORMS_AHEAD, 4 * longest)
        )
        if job.states is not None:
            tables.restore_local(job.states[worker], self._shared, self._statistics, self._local)
        used = int(self._local.counters[0, tables.UNIFORMS_USED])
        self._stream = UniformStream(worker_seeds(job.seed, config.num_workers)[worker], used)
        self._world = tables.world_arrays(world, config)
        self._settings = tables.make_settings(config, job.total_steps)
        self._scratch = tables.make_scratch(config, world)
        self._log = self._block.log(worker)
        self._words = self._block.array("words")
        self._lock = self._words if lock is None else OwnedLock(lock, self._words)
        self._journal = self._block.journal(worker)
        self.tally = np.zeros(3, dtype=np.int64)
        self._stop_at = job.stop_at
        check_sharing(
            self._block,
            shared=[*self._shared, *self._shared_statistics, *self._log, *self._journal],
            local=[
                *self._local,
                *(() if config.shared_statistics else self._statistics),
                *self._scratch.rollout,
                *self._scratch.gradient,
                *self._scratch.turn,
            ],
        )

    def advance(self, max_updates: int) -> int:
        """Take up to so many turns; return why it came back (see the compiled `advance`)."""
        last = int(self._log.filled[1]) + max_updates
        why = NEEDS_UNIFORMS
        while why == NEEDS_UNIFORMS:
            why = advance(
                self._world, self._settings, self._shared, self._statistics, self._local,
                self._scratch, self._log, self._lock, self._words, self._journal,
                self._shared_statistics, self.tally, last - self._log.filled[1], self._stop_at,
            )  # fmt: skip
            # Only between two turns, so that no rollout in hand counts on them.
            if why == NEEDS_UNIFORMS:
                refill(self._local, 0, self._stream)
        return int(why)

    def signal(self, word: int) -> int:
        """Return one of the words by which the parent talks: GO, PAUSE or STOP."""
        return read(self._words, word)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the worker's own memory: what a later run needs to go on from here."""
        return tables.snapshot_local(
            self._local, None if self._statistics is self._shared_statistics else self._statistics
        )


@dataclass(frozen=True)
class TableJob:
    """All that a worker process is told at its start.

    Attributes
    ----------
    world, config, total_steps, stop_at, seed, theta, V : as in `team.TableTeam`
    states : one mapping of arrays per worker, or None
        To go on from; see `tables.state_of_worker`.
    block_name : str
        Of the shared memory.

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> from a3c_tut.team import TableTeam
    >>> config = A3CConfig(num_workers=2)
    >>> team = TableTeam(cliff_world(), config, 100, 100, 0, np.zeros((48, 4)), np.zeros(48))
    >>> worker = team.job.worker(1, None)
    >>> int(worker.state()["local_counters"][0, tables.WORKER])
    1
    >>> del worker; team.close()
    """

    world: TableWorld
    config: A3CConfig
    total_steps: int
    stop_at: int
    seed: Seed
    theta: NDArray[np.float64]
    V: NDArray[np.float64]
    states: Sequence[Mapping[str, NDArray[Any]]] | None
    block_name: str

    def worker(self, worker: int, lock: Any) -> TableWorker:
        """Make the worker of this id, in its own process.

        Parameters
        ----------
        worker : int
        lock : multiprocessing lock, or None where the compiled one is used
        """
        return TableWorker(self, worker, lock)


class OwnedLock:
    """Multiprocessing's lock, with its owner written where the parent sees it.

    Parameters
    ----------
    lock : a lock with `acquire(timeout=…)` and `release()`
    words : (NUM_WORDS,) ints in shared memory

    Examples
    --------
    >>> import threading
    >>> lock = OwnedLock(threading.Lock(), np.zeros(32, dtype=np.int64))
    >>> lock.acquire(timeout=0.01), lock.acquire(timeout=0.01)
    (True, False)
    >>> lock.release()
    """

    def __init__(self, lock: Any, words: NDArray[np.int64]):
        self._lock = lock
        self.owner = words[LOCK : LOCK + 1]
        self.release = lock.release

    def acquire(self, timeout: float) -> bool:
        """Take the lock, waiting at most `timeout` seconds; return whether it was taken."""
        return bool(self._lock.acquire(timeout=timeout))
