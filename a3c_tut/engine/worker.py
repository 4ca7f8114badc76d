"""A worker in a process of its own: its memory, its seat in the shared block, its turns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from a3c_tut.engine import checkpoint, network_turn, outside, protocol, turn
from a3c_tut.engine.atomics import SPINS, acquire, exchange, load, read, release, store_word
from a3c_tut.engine.buffers import STEPS, Run, Statistics, make_statistics
from a3c_tut.engine.compiling import inlined, kernel
from a3c_tut.engine.crew import Job, interpreted_parts, local_of, outsides_of, world_of
from a3c_tut.engine.log import LOG_ROWS
from a3c_tut.engine.shared import (
    Journal,
    SharedBlock,
    arm,
    block_layout,
    check_sharing,
    disarm,
)
from a3c_tut.engine.streams import UniformStream, refill, worker_seeds
from a3c_tut.networks import Task

# What a worker counts: locks taken, looks at a lock that was taken, returns for want of it.
LOCKS, LOOKS, BUSY = 0, 1, 2


class Neighbours(NamedTuple):
    """By what a worker in a process gets along with the others.

    Examples
    --------
    >>> from a3c_tut import A3CConfig, cliff_world
    >>> block = SharedBlock(block_layout(cliff_world(), A3CConfig(num_workers=1)))
    >>> neighbours = neighbours_in(block)
    >>> neighbours.tally.tolist()
    [0, 0, 0]
    >>> del neighbours; block.close(); block.unlink()
    """

    lock: Any  # (n,) ints, as `atomics.acquire` takes it; an `OwnedLock` where nothing is compiled
    words: NDArray[np.int64]  # (NUM_WORDS,), by which the parent talks; see `protocol`
    journal: Journal  # the worker's own
    statistics: Statistics  # in shared memory; empty where each worker has its own
    tally: NDArray[np.int64]  # (3,): LOCKS, LOOKS, BUSY


def neighbours_in(block: SharedBlock, worker: int = 0, lock: Any = None) -> Neighbours:
    """Return what a worker needs beside its run, in a block of shared memory.

    Parameters
    ----------
    block : SharedBlock
    worker : int, its id
    lock : multiprocessing lock, or None where the compiled one is used

    Examples
    --------
    >>> from a3c_tut import A3CConfig, cliff_world
    >>> block = SharedBlock(block_layout(cliff_world(), A3CConfig(num_workers=2)))
    >>> neighbours = neighbours_in(block, worker=1)
    >>> int(neighbours.journal.armed[0])
    0
    >>> del neighbours; block.close(); block.unlink()
    """
    words = block.array("words")
    return Neighbours(
        words if lock is None else OwnedLock(lock, words), words, block.journal(worker),
        block.statistics(), np.zeros(3, dtype=np.int64),
    )  # fmt: skip


class Held(NamedTuple):
    """A rollout in hand, for which the lock has not been had yet.

    Examples
    --------
    >>> NOTHING_HELD.waits
    False
    """

    waits: bool  # whether there is one
    walk: turn.Walk
    formed: turn.Formed


#: At the beginning, and after every whole push.
NOTHING_HELD = Held(False, turn.Walk(0, False, False, 0, 0.0, 0), turn.NOT_FORMED)


@kernel
def advance(run, neighbours, held, max_updates, stop_at):  # type: ignore[no-untyped-def]
    """Take one worker's turns among others: rollout → gradient → lock → push → sync → unlock.

    The one place where kernels and lock meet. Comes back after a whole push, or with a rollout in
    hand that the next call goes on with.

    Parameters
    ----------
    run : Run, in which `me` is this worker's memory alone
    neighbours : Neighbours
    held : Held, as the last call returned it
    max_updates : int
    stop_at : int, the push that brings the shared step counter here is the last

    Returns
    -------
    why, held : int, Held
        DONE (so many updates), FINISHED (steps used up, or told to stop), PAUSED, DIVERGED,
        NEEDS_UNIFORMS, LOG_FULL, LOCK_BUSY.

    Examples
    --------
    Seven turns without a lock; a worker that is told to stop comes back at once:

    >>> from a3c_tut import A3CConfig, cliff_world
    >>> from a3c_tut.engine.crew import make_run
    >>> config = A3CConfig(num_workers=1, rollout_length=5, update_mode="hogwild")
    >>> run = make_run(cliff_world(), config)
    >>> block = SharedBlock(block_layout(cliff_world(), config))
    >>> neighbours = neighbours_in(block)
    >>> why, held = advance(run, neighbours, NOTHING_HELD, 7, 1_000)
    >>> why == protocol.DONE, run.shared.counters[:2].tolist()
    (True, [35, 7])
    >>> neighbours.words[protocol.STOP] = 1
    >>> why, held = advance(run, neighbours, NOTHING_HELD, 7, 1_000)
    >>> why == protocol.FINISHED
    True
    >>> del neighbours; block.close(); block.unlink()
    """
    locked = not run.settings.hogwild
    lock, words, tally = neighbours.lock, neighbours.words, neighbours.tally
    waits, walk, formed = held.waits, held.walk, held.formed
    worker = run.me.worker[0]
    done = 0
    while done < max_updates:
        if not waits:
            why = reason_to_rest(run, words)
            if why != protocol.DONE:
                return why, Held(False, walk, formed)
            walk, formed = turn.prepare(run, 0)
            turn.fetch_ahead(run, 0, walk.length)
        if locked:
            taken, looks = acquire(lock, worker, SPINS)
            tally[LOOKS] += looks
            if not taken:
                tally[BUSY] += 1
                return protocol.LOCK_BUSY, Held(True, walk, formed)
            tally[LOCKS] += 1
        waits = False
        if load(words, protocol.STOP) != 0 or load(run.shared.counters, STEPS) >= stop_at:
            if locked:
                release(lock)
            return protocol.FINISHED, Held(
                False, walk, formed
            )  # a rollout in flight is thrown away
        formed = turn.between(run, 0, walk, formed, done, ())
        if locked:
            arm(neighbours.journal, run.shared, neighbours.statistics, run.scratch.gradient,
                formed.num_rows)  # fmt: skip
        finite = turn.push(run, 0, walk, formed)
        turn.sync(run, 0)
        turn.finish_turn(run, 0, walk)
        if not finite:
            exchange(words, protocol.STOP, 1)  # nobody pushes after a push that diverged
        if locked:
            disarm(neighbours.journal)
            release(lock)
        done += 1
        if not finite:
            return protocol.DIVERGED, Held(False, walk, formed)
    return protocol.DONE, Held(False, walk, formed)


@inlined
def reason_to_rest(run, words):  # type: ignore[no-untyped-def]
    """Return why a worker should not begin another turn now; DONE where nothing keeps it.

    Parameters
    ----------
    run : Run, in which `me` is this worker's memory alone
    words : (NUM_WORDS,) ints, by which the parent talks

    Examples
    --------
    >>> from a3c_tut import A3CConfig, cliff_world
    >>> from a3c_tut.engine.crew import make_run
    >>> run, words = make_run(cliff_world(), A3CConfig()), np.zeros(32, dtype=np.int64)
    >>> reason_to_rest(run, words) == protocol.DONE
    True
    >>> words[protocol.PAUSE] = 1
    >>> reason_to_rest(run, words) == protocol.PAUSED
    True
    """
    if load(words, protocol.STOP) != 0:
        return protocol.FINISHED
    if load(words, protocol.PAUSE) != 0:
        return protocol.PAUSED
    if run.log.filled[1] - load(run.log.drained, 1) >= LOG_ROWS:
        return protocol.LOG_FULL
    settings = run.settings
    most = turn.numbers_needed(
        settings.rollout_length[run.me.worker[0]],
        settings.numbers_at_start,
        settings.numbers_per_step,
    )
    if run.me.cursor[0] + most > run.me.uniforms.shape[1]:
        return protocol.NEEDS_UNIFORMS
    return protocol.DONE


#: `advance` with a network.
advance_network = turn.variant("advance_network", advance, turn=network_turn)


class TableWorker:
    """One worker on tables, in a process of its own (Section 2.2).

    Parameters
    ----------
    seat : Seat
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

    >>> from a3c_tut import A3CConfig, cliff_world
    >>> from a3c_tut.engine.team import TableTeam
    >>> config = A3CConfig(num_workers=2, rollout_length=5, update_mode="hogwild")
    >>> team = TableTeam(Job.fresh(cliff_world(), config), stop_at=100)
    >>> worker = team.seat.worker(1, None)
    >>> worker.advance(3) == protocol.DONE, worker.signal(protocol.STOP), team.steps
    (True, 0, 15)
    >>> len(worker.state()["local_counters"])
    1
    >>> del worker; team.close()
    """

    def __init__(self, seat: Seat, worker: int, lock: Any):
        job = seat.job
        config = job.config
        own = config.optimizer == "rmsprop" and not config.shared_statistics
        self._block = SharedBlock(block_layout(job.world, config), seat.block_name)
        self._neighbours = neighbours_in(self._block, worker, lock)
        self.tally = self._neighbours.tally
        shared, statistics = self._block.shared(), self._neighbours.statistics
        if own:
            statistics = make_statistics(1, *job.theta.shape)
        world, settings, scratch, walker_size = world_of(job)
        me = local_of(job, [worker], walker_size)
        if job.state is not None:
            mine = checkpoint.state_of_worker(job.state, worker, own)
            checkpoint.restore_local(mine, shared, statistics, me)
        seed = worker_seeds(job.seed, config.num_workers)[worker]
        self._stream = UniformStream(seed, int(me.uniforms_used[0]))
        self._own_statistics = statistics if own else None
        self._run = Run(world, settings, shared, statistics, me, scratch, self._block.log(worker))
        self._advance = advance_network if isinstance(job.world, Task) else advance
        self._outsides = outsides_of(job, [worker])
        parts = interpreted_parts(job, self._outsides)
        if parts is not None:
            self._advance = outside.interpreted(advance, turn=parts, load=read, exchange=store_word)
        self._held, self._stop_at = NOTHING_HELD, seat.stop_at
        check_sharing(
            self._block,
            shared=[*shared, *self._neighbours.statistics, *self._run.log,
                    *self._neighbours.journal],
            local=[*me, *(statistics if own else ()), *self._run.scratch.rollout,
                   *self._run.scratch.gradient],
        )  # fmt: skip

    def advance(self, max_updates: int) -> int:
        """Take up to so many turns; return why it came back (see the compiled `advance`)."""
        filled = self._run.log.filled
        last = int(filled[1]) + max_updates
        why = protocol.NEEDS_UNIFORMS
        while why == protocol.NEEDS_UNIFORMS:
            why, self._held = self._advance(
                self._run, self._neighbours, self._held, last - int(filled[1]), self._stop_at
            )
            # Only between two turns, so that no rollout in hand counts on them.
            if why == protocol.NEEDS_UNIFORMS:
                refill(self._run.me, 0, self._stream)
        return int(why)

    def signal(self, word: int) -> int:
        """Return one of the words by which the parent talks: GO, PAUSE or STOP."""
        return read(self._neighbours.words, word)

    def state(self) -> checkpoint.State:
        """Return the worker's own memory: what a later run needs to go on from here."""
        return checkpoint.snapshot_local(self._run.me, self._own_statistics)


@dataclass(frozen=True)
class Seat:
    """All that a worker process is told at its start.

    Attributes
    ----------
    job : Job
    stop_at : int
        The push that brings the shared step counter here is the last.
    block_name : str
        Of the shared memory.

    Examples
    --------
    >>> from a3c_tut import A3CConfig, cliff_world
    >>> from a3c_tut.engine.team import TableTeam
    >>> team = TableTeam(Job.fresh(cliff_world(), A3CConfig(num_workers=2)), stop_at=100)
    >>> worker = team.seat.worker(1, None)
    >>> worker.signal(protocol.STOP)
    0
    >>> del worker; team.close()
    """

    job: Job
    stop_at: int
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
        self.owner = words[protocol.LOCK : protocol.LOCK + 1]
        self.release = lock.release

    def acquire(self, timeout: float) -> bool:
        """Take the lock, waiting at most `timeout` seconds; return whether it was taken."""
        return bool(self._lock.acquire(timeout=timeout))
