"""The parent's side of workers in processes: the shared block, the logs, undoing a dead push."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from a3c_tut import tables
from a3c_tut.atomics import read, store_word
from a3c_tut.config import A3CConfig
from a3c_tut.shared import SharedBlock, block_layout, undo
from a3c_tut.signals import GO, LOCK, PAUSE, STOP
from a3c_tut.worker import Seed, TableJob
from a3c_tut.worlds import TableWorld


class TableTeam:
    """What the parent of table workers holds. Close it, whatever happens.

    Parameters
    ----------
    world, config, total_steps, seed : what was asked for
    stop_at : int
        The push that brings the shared step counter here is the last.
    theta, V : (S, A) and (S,)
        Initial tables, in learning units.
    state : mapping of arrays, optional
        Of an earlier run: go on from there.

    Examples
    --------
    A worker for once in the parent's own process, and without a lock:

    >>> from a3c_tut import cliff_world
    >>> config = A3CConfig(num_workers=1, update_mode="hogwild")
    >>> team = TableTeam(cliff_world(), config, 100, 100, 0, np.zeros((48, 4)), np.zeros(48))
    >>> worker = team.job.worker(0, None)
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

    def __init__(
        self,
        world: TableWorld,
        config: A3CConfig,
        total_steps: int,
        stop_at: int,
        seed: Seed,
        theta: NDArray[np.float64],
        V: NDArray[np.float64],
        state: Mapping[str, NDArray[Any]] | None = None,
    ):
        self.num_workers = config.num_workers
        self._own_statistics = config.optimizer == "rmsprop" and not config.shared_statistics
        self._block = SharedBlock(block_layout(world, config))
        shared, statistics = self._block.shared(), self._block.statistics()
        shared.theta[:], shared.V[:] = theta, V
        states = None
        if state is not None:
            tables.restore_shared(state, shared, statistics)
            states = [
                tables.state_of_worker(state, worker, self._own_statistics)
                for worker in range(config.num_workers)
            ]
        self._first_update = int(shared.counters[tables.UPDATES])
        self._rows: list[tuple[NDArray[Any], ...]] = []
        self._dead: set[int] = set()
        self.job = TableJob(
            world, config, total_steps, stop_at, seed, theta, V, states, self._block.name
        )

    @property
    def steps(self) -> int:
        """Environment steps pushed so far, by all workers."""
        return int(self._block.array("counters")[tables.STEPS])

    @property
    def num_updates(self) -> int:
        """Pushes so far, by all workers."""
        return int(self._block.array("counters")[tables.UPDATES])

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
                self._rows.append(tables.drain(self._block.log(worker)))

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
        whole = self.num_updates
        episodes, updates, of_episodes, of_updates = tables.drain(self._block.log(worker))
        kept, kept_updates = of_episodes < whole, of_updates < whole
        # What was undone may have been taken out already.
        if owned:
            self._rows = [_before(rows, whole) for rows in self._rows]
        self._rows.append((
            episodes[kept], updates[kept_updates], of_episodes[kept], of_updates[kept_updates]
        ))  # fmt: skip
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
        rows = [np.concatenate(column) for column in zip(*self._rows, strict=True)]
        episodes, updates, of_episodes, of_updates = rows
        order = np.argsort(of_updates, kind="stable")
        expected = np.arange(self._first_update, self.num_updates)
        if not np.array_equal(of_updates[order], expected):
            raise AssertionError(
                f"{len(of_updates)} logged updates do not match {len(expected)} counted ones"
            )
        self._rows = [(
            episodes[np.argsort(of_episodes, kind="stable")], updates[order],
            np.sort(of_episodes, kind="stable"), of_updates[order],
        )]  # fmt: skip
        return self._rows[0][0], self._rows[0][1]

    def state(self, own: Mapping[int, Mapping[str, NDArray[Any]]]) -> tables.State:
        """Join the shared memory and the workers' own, as they sent it, to one state."""
        state = tables.snapshot_shared(self._block.shared(), self._block.statistics())
        for name in own[0]:
            state[name] = np.concatenate([own[worker][name] for worker in range(self.num_workers)])
        return state

    def close(self) -> None:
        """Give the shared memory back."""
        self._block.close()
        self._block.unlink()


def _before(rows: tuple[NDArray[Any], ...], update: int) -> tuple[NDArray[Any], ...]:
    episodes, updates, of_episodes, of_updates = rows
    kept, kept_updates = of_episodes < update, of_updates < update
    return episodes[kept], updates[kept_updates], of_episodes[kept], of_updates[kept_updates]
