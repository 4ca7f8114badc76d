"""The block of memory that all worker processes share, and what must not be in it (Section 2.2).

Shared: parameters, optimizer statistics (if they are), step and update counters, the lock, and per
worker a log (all logs together, in the order of the update numbers, are the schedule) and a journal
of its push under way. Local: everything else, above all a worker's copy of the parameters.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from multiprocessing.shared_memory import SharedMemory
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from a3c_tut.checks import readable
from a3c_tut.config import A3CConfig
from a3c_tut.engine.atomics import exchange
from a3c_tut.engine.buffers import Shared, Statistics, most_rows, ring_size
from a3c_tut.engine.compiling import kernel
from a3c_tut.engine.log import LOG_LAYOUT, Log
from a3c_tut.engine.protocol import NUM_WORDS
from a3c_tut.networks import Task
from a3c_tut.worlds import TableWorld

_SHM = "/dev/shm"  # where Linux keeps shared memory
_LINE = 64  # bytes of a cache line: what different workers write should not share one

Layout = dict[str, tuple[Any, tuple[int, ...]]]


class Journal(NamedTuple):
    """What a push is about to overwrite, so that it can be undone if its worker dies in it.

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> block = SharedBlock(block_layout(cliff_world(), A3CConfig(rollout_length=5)))
    >>> block.journal(0).theta.shape  # a push changes at most five rows
    (5, 4)
    >>> block.close(); block.unlink()
    """

    armed: NDArray[np.int64]  # (1,): 0, or the number of rows + 1
    rows: NDArray[np.int64]  # (n,)
    theta: NDArray[np.float64]  # (n, A)
    V: NDArray[np.float64]  # (n,)
    square_theta: NDArray[np.float64]  # (n, A)
    square_V: NDArray[np.float64]  # (n,)
    last_update: NDArray[np.int64]  # (n,)
    counters: NDArray[np.int64]  # (3,)
    statistics_updates: NDArray[np.int64]  # (1,)


def block_layout(world: TableWorld | Task, config: A3CConfig) -> Layout:
    """Return name, type and shape of every shared array.

    Parameters
    ----------
    world : TableWorld or Task
    config : A3CConfig

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> block_layout(cliff_world(), A3CConfig())["theta"][1]
    (48, 4)
    """
    states, actions = world.num_states, world.num_actions
    owners = 1 if config.optimizer == "rmsprop" and config.shared_statistics else 0
    ring = ring_size(states)
    n = most_rows(config, states)
    layout: Layout = {
        "words": (np.int64, (NUM_WORDS,)),
        "theta": (np.float64, (states, actions)),
        "V": (np.float64, (states,)),
        "counters": (np.int64, (3,)),
        "touched": (np.int64, (ring,)),
        "square_theta": (np.float64, (owners, states, actions)),
        "square_V": (np.float64, (owners, states)),
        "last_update": (np.int64, (owners, states)),
        "statistics_updates": (np.int64, (owners,)),
    }
    journal: Layout = {
        "armed": (np.int64, (1,)),
        "rows": (np.int64, (n,)),
        "theta": (np.float64, (n, actions)),
        "V": (np.float64, (n,)),
        "square_theta": (np.float64, (n, actions)),
        "square_V": (np.float64, (n,)),
        "last_update": (np.int64, (n,)),
        "counters": (np.int64, (3,)),
        "statistics_updates": (np.int64, (1,)),
    }
    for worker in range(config.num_workers):
        for name, (dtype, shape) in journal.items():
            layout[f"journal{worker}.{name}"] = (dtype, shape)
        for name, (dtype, shape) in LOG_LAYOUT.items():
            layout[f"log{worker}.{name}"] = (dtype, shape)
    return layout


@kernel
def arm(journal, shared, statistics, gradient, num_rows):  # type: ignore[no-untyped-def]
    """Note what a push is about to overwrite; from here on it can be undone.

    Parameters
    ----------
    journal : Journal of the worker
    shared, statistics : Shared and Statistics
    gradient : Gradient
    num_rows : int, how many of its rows the push will change

    Examples
    --------
    A worker dies with a push half done; the journal knows what was there before:

    >>> from a3c_tut import cliff_world
    >>> from a3c_tut.engine.kernels import make_gradient
    >>> block = SharedBlock(block_layout(cliff_world(), A3CConfig()))
    >>> shared, statistics, journal = block.shared(), block.statistics(), block.journal(0)
    >>> gradient = make_gradient(5, 48, 4)
    >>> gradient.rows[0] = 36
    >>> arm(journal, shared, statistics, gradient, 1)
    >>> shared.theta[36] = 9.0
    >>> undo(journal, shared, statistics), shared.theta[36].tolist()
    (True, [0.0, 0.0, 0.0, 0.0])
    >>> del shared, statistics, journal
    >>> block.close(); block.unlink()
    """
    has_statistics = statistics.updates.shape[0] > 0
    for row in range(num_rows):
        state = gradient.rows[row]
        journal.rows[row] = state
        journal.V[row] = shared.V[state]
        for b in range(shared.theta.shape[1]):
            journal.theta[row, b] = shared.theta[state, b]
        if has_statistics:
            journal.last_update[row] = statistics.last_update[0, state]
            journal.square_V[row] = statistics.square_V[0, state]
            for b in range(shared.theta.shape[1]):
                journal.square_theta[row, b] = statistics.square_theta[0, state, b]
    for i in range(3):
        journal.counters[i] = shared.counters[i]
    if has_statistics:
        journal.statistics_updates[0] = statistics.updates[0]
    exchange(journal.armed, 0, num_rows + 1)


@kernel
def disarm(journal):  # type: ignore[no-untyped-def]
    """Say that the push is whole; from here on it stands.

    Parameters
    ----------
    journal : Journal of the worker

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> block = SharedBlock(block_layout(cliff_world(), A3CConfig()))
    >>> # what `arm` does, here for a push of no rows
    >>> block.journal(0).armed[:] = 1
    >>> disarm(block.journal(0))
    >>> undo(block.journal(0), block.shared(), block.statistics())
    False
    >>> block.close(); block.unlink()
    """
    exchange(journal.armed, 0, 0)


def undo(journal: Journal, shared: Shared, statistics: Statistics) -> bool:
    """Undo the push whose worker died in it; return whether there was one.

    Parameters
    ----------
    journal : Journal of the worker
    shared, statistics : Shared and Statistics

    Examples
    --------
    Here nobody was pushing. See `arm` for a push that is undone, and `tests/test_shared.py`, where
    one is cut off after each of its stores.

    >>> from a3c_tut import cliff_world
    >>> block = SharedBlock(block_layout(cliff_world(), A3CConfig()))
    >>> undo(block.journal(1), block.shared(), block.statistics())
    False
    >>> block.close(); block.unlink()
    """
    num_rows = int(journal.armed[0]) - 1
    if num_rows < 0:
        return False
    rows = journal.rows[:num_rows]
    shared.theta[rows], shared.V[rows] = journal.theta[:num_rows], journal.V[:num_rows]
    shared.counters[:] = journal.counters
    if statistics.updates.size:
        statistics.square_theta[0, rows] = journal.square_theta[:num_rows]
        statistics.square_V[0, rows] = journal.square_V[:num_rows]
        statistics.last_update[0, rows] = journal.last_update[:num_rows]
        statistics.updates[0] = journal.statistics_updates[0]
    journal.armed[0] = 0
    return True


def _reserved(size: int) -> SharedMemory:
    """Make a block of shared memory that is really there, not only promised.

    Linux gives out more than there is and kills whoever writes to the rest. Containers have 64 MB.
    """
    try:
        memory = SharedMemory(create=True, size=size)
    except OSError as error:
        raise OSError(
            error.errno,
            f"no shared memory can be made here ({error.strerror}); allowed: a system, or a "
            f"container, with a {_SHM} that can be written, or runner='emulated'",
        ) from None
    handle = getattr(memory, "_fd", -1)
    if not os.path.isdir(_SHM) or not hasattr(os, "posix_fallocate") or handle < 0:
        return memory
    there = os.statvfs(_SHM)
    free = there.f_bavail * there.f_frsize
    if free > 4 * size:
        return memory  # reserving takes a quarter of a second for 100 MB
    try:
        os.posix_fallocate(handle, 0, size)
    except OSError as error:
        memory.close()
        memory.unlink()
        raise MemoryError(
            f"the workers need {readable(size)} of shared memory, and {_SHM} has {readable(free)} "
            f"({error.strerror}); allowed: more of it (docker run --shm-size=…), a smaller world, "
            "fewer workers, or runner='emulated'"
        ) from None
    return memory


class SharedBlock:
    """One piece of shared memory with named arrays in it.

    Parameters
    ----------
    layout : mapping of name to (type, shape)
    name : str, optional
        Of a block that exists; default: make a new one, filled with zeros.

    Raises
    ------
    FileNotFoundError
        When there is no block of that name.

    Examples
    --------
    >>> layout = {"counters": (np.int64, (3,))}
    >>> block = SharedBlock(layout)
    >>> other = SharedBlock(layout, block.name)
    >>> block.array("counters")[1] = 7
    >>> int(other.array("counters")[1])
    7
    >>> block.holds(block.array("counters")), block.holds(np.zeros(3))
    (True, False)
    >>> other.close(); block.close(); block.unlink()

    With the layout of a run, its parts have names of their own:

    >>> from a3c_tut import cliff_world
    >>> block = SharedBlock(block_layout(cliff_world(), A3CConfig()))
    >>> block.shared().theta.shape, block.statistics().square_theta.shape
    ((48, 4), (1, 48, 4))
    >>> block.log(2).filled.tolist(), block.journal(2).armed.tolist()
    ([0, 0], [0])
    >>> block.close(); block.unlink()
    """

    def __init__(self, layout: Layout, name: str | None = None):
        self._places: dict[str, tuple[int, Any, tuple[int, ...]]] = {}
        size = 0
        for key, (dtype, shape) in layout.items():
            self._places[key] = (size, dtype, shape)
            nbytes = int(np.dtype(dtype).itemsize * np.prod(shape))
            size += -(-nbytes // _LINE) * _LINE
        self._memory = _reserved(size) if name is None else SharedMemory(name=name)
        self.name = self._memory.name

    def array(self, name: str) -> NDArray[Any]:
        """Return one of the arrays, as its name in the layout says; drop it before `close`."""
        offset, dtype, shape = self._places[name]
        return np.ndarray(shape, dtype, buffer=self._memory.buf, offset=offset)

    def shared(self) -> Shared:
        """Return the parameters and counters."""
        return Shared(*(self.array(name) for name in Shared._fields))

    def statistics(self) -> Statistics:
        """Return the optimizer's statistics; empty where they are not shared."""
        return Statistics(
            self.array("square_theta"),
            self.array("square_V"),
            self.array("last_update"),
            self.array("statistics_updates"),
        )

    def journal(self, worker: int) -> Journal:
        """Return a worker's journal of its push under way."""
        return Journal(*(self.array(f"journal{worker}.{name}") for name in Journal._fields))

    def log(self, worker: int) -> Log:
        """Return a worker's log."""
        return Log(*(self.array(f"log{worker}.{name}") for name in Log._fields))

    def holds(self, array: NDArray[Any]) -> bool:
        """Return whether an array lies in this block."""
        whole: NDArray[np.uint8] = np.ndarray(
            (self._memory.size,), np.uint8, buffer=self._memory.buf
        )
        return bool(np.may_share_memory(whole, array)) if array.size else True

    def close(self) -> None:
        """Let go of the memory in this process."""
        self._memory.close()

    def unlink(self) -> None:
        """Give the memory back to the system, for all processes."""
        self._memory.unlink()


def check_sharing(
    block: SharedBlock,
    shared: Sequence[NDArray[Any]],
    local: Sequence[NDArray[Any]],
) -> None:
    """Make sure that what must be shared is shared, and what must be local is not.

    Parameters
    ----------
    block : SharedBlock
    shared, local : sequences of arrays

    Raises
    ------
    AssertionError
        When one is not where it belongs.

    Examples
    --------
    >>> block = SharedBlock({"theta": (np.float64, (3,))})
    >>> check_sharing(block, shared=[], local=[block.array("theta")])
    Traceback (most recent call last):
    ...
    AssertionError: an array that must be local lies in the shared block
    >>> block.close(); block.unlink()
    """
    for array in shared:
        if not block.holds(array):
            raise AssertionError("an array that must be shared does not lie in the shared block")
    for array in local:
        if array.size and block.holds(array):
            raise AssertionError("an array that must be local lies in the shared block")
