"""The parent's side of workers in processes: the shared block, the logs, undoing a dead push."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from a3c_tut.engine import checkpoint
from a3c_tut.engine.atomics import read, store_word
from a3c_tut.engine.buffers import STEPS, UPDATES
from a3c_tut.engine.crew import Job
from a3c_tut.engine.log import (
    EPISODE_DTYPE,
    EPISODE_ROW,
    UPDATE_DTYPE,
    UPDATE_ROW,
    drain,
    joined,
    published,
)
from a3c_tut.engine.protocol import GO, LOCK, PAUSE, STOP
from a3c_tut.engine.shared import SharedBlock, block_layout, undo
from a3c_tut.engine.worker import Seat


class TableTeam:
    """What the parent of table workers holds. Close it, whatever happens.

    Parameters
    ----------
    job : Job
    stop_at : int
        The push that brings the shared step counter here is the last.

    Examples
    --------
    A worker for once in the parent's own process, and without a lock:

    >>> from a3c_tut import A3CConfig, cliff_world
    >>> config = A3CConfig(num_workers=1, rollout_length=5, update_mode="hogwild")
    >>> team = TableTeam(Job.fresh(cliff_world(), config), stop_at=100)
    >>> worker = team.seat.worker(0, None)
    >>> team.go()
    >>> worker.signal(GO), worker.signal(STOP)
    (1, 0)
    >>> why = worker.advance(3)
    >>> team.steps, team.num_updates
    (15, 3)

    What it logged, and what a later run needs:

    >>> team.drain()
    >>> team.logged()[1]["step"].tolist()
    [5, 10, 15]
    >>> sorted(team.state({0: worker.state()}))[:4]
    ['V', 'counters', 'episode_return', 'last_update']

    It stands still, stops, and dies, not in a push:

    >>> team.pause(True)
    >>> worker.signal(PAUSE)
    1
    >>> team.stop()
    >>> worker.signal(STOP), team.bury(0, None)
    (1, False)
    >>> del worker; team.close()
    """

    def __init__(self, job: Job, stop_at: int):
        config = job.config
        self.num_workers = config.num_workers
        self._block = SharedBlock(block_layout(job.world, config))
        shared, statistics = self._block.shared(), self._block.statistics()
        shared.theta[:], shared.V[:] = job.theta, job.V
        if job.state is not None:
            checkpoint.restore_shared(job.state, shared, statistics)
        self._first_update = int(shared.counters[UPDATES])
        self._episodes: list[NDArray[Any]] = []
        self._updates: list[NDArray[Any]] = []
        self._dead: set[int] = set()
        self.seat = Seat(job, stop_at, self._block.name)

    @property
    def steps(self) -> int:
        """Environment steps pushed so far, by all workers."""
        return int(self._block.array("counters")[STEPS])

    @property
    def num_updates(self) -> int:
        """Pushes so far, by all workers."""
        return int(self._block.array("counters")[UPDATES])

    def go(self) -> None:
        """Let the workers begin."""
        store_word(self._block.array("words"), GO, 1)

    def stop(self) -> None:
        """Tell the workers to stop, after the push under way."""
        store_word(self._block.array("words"), STOP, 1)

    def pause(self, paused: bool) -> None:
        """Tell the workers to stand still after a whole push, or to go on."""
        store_word(self._block.array("words"), PAUSE, int(paused))

    def drain(self) -> None:
        """Take the rows that the workers have logged."""
        for worker in range(self.num_workers):
            if worker not in self._dead:
                self._take(*drain(self._block.log(worker)))

    def _take(self, episodes: NDArray[Any], updates: NDArray[Any]) -> None:
        self._episodes.append(episodes)
        self._updates.append(updates)

    def bury(self, worker: int, lock: Any) -> bool:
        """Undo the push that a worker died in, if it did, and free the lock for the others.

        Parameters
        ----------
        worker : int
        lock : multiprocessing lock, or None where the compiled one is used

        Returns
        -------
        bool
            Whether it died holding the lock.
        """
        words = self._block.array("words")
        owned = read(words, LOCK) == worker + 1
        if lock is not None and not owned and not lock.acquire(timeout=1.0):
            owned = read(words, LOCK) == 0  # it died between taking the lock and signing for it
        elif lock is not None and not owned:
            lock.release()
        if owned:
            undo(self._block.journal(worker), self._block.shared(), self._block.statistics())
        self._take(*drain(self._block.log(worker)))
        # What was undone may have been logged, and taken out already.
        whole = self.num_updates
        self._episodes = [rows[rows["update"] < whole] for rows in self._episodes]
        self._updates = [rows[rows["update"] < whole] for rows in self._updates]
        self._dead.add(worker)
        if owned:
            store_word(words, LOCK, 0)
            if lock is not None:
                lock.release()
        return owned

    def logged(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return all episodes and updates so far, in push order.

        Raises
        ------
        AssertionError
            When the updates are not numbered without gap: then a log row was lost.
        """
        episodes = _in_order(EPISODE_ROW, self._episodes)
        updates = _in_order(UPDATE_ROW, self._updates)
        if not np.array_equal(updates["update"], np.arange(self._first_update, self.num_updates)):
            raise AssertionError(
                f"{len(updates)} logged updates do not match "
                f"{self.num_updates - self._first_update} counted ones"
            )
        self._episodes, self._updates = [episodes], [updates]
        return published(EPISODE_DTYPE, episodes), published(UPDATE_DTYPE, updates)

    def state(self, own: Mapping[int, checkpoint.State]) -> checkpoint.State:
        """Join the shared memory and the workers' own, as they sent it, to one state."""
        state = checkpoint.snapshot_shared(self._block.shared(), self._block.statistics())
        for name in own[0]:
            state[name] = np.concatenate([own[worker][name] for worker in range(self.num_workers)])
        return state

    def close(self) -> None:
        """Give the shared memory back."""
        self._block.close()
        self._block.unlink()


def _in_order(dtype: np.dtype[Any], pieces: list[NDArray[Any]]) -> NDArray[Any]:
    """Join rows of several logs in the order of their updates."""
    rows = joined(dtype, pieces)
    return rows[np.argsort(rows["update"], kind="stable")]
