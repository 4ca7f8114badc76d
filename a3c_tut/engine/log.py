"""What workers write down: a row per update, a row per finished episode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from a3c_tut.engine.atomics import read

#: Rows that a log holds before it has to be drained: a few milliseconds' worth; a power of two.
LOG_ROWS = 16384

#: A row per finished episode. `step` is the shared step counter after the push that brought it.
EPISODE_DTYPE = np.dtype(
    [("worker", "i4"), ("total_return", "f8"), ("length", "i8"), ("step", "i8"),
     ("truncated", "?")], align=True)  # fmt: skip

#: A row per update, in push order. `step` is the shared step counter after it; `staleness` the
#: pushes since the worker's last sync; `grad_norm` is before clipping; `entropy` the mean over the
#: rollout, in nats; `learning_rate` the actor's, after annealing.
UPDATE_DTYPE = np.dtype(
    [("worker", "i4"), ("step", "i8"), ("staleness", "i8"), ("grad_norm", "f8"),
     ("entropy", "f8"), ("learning_rate", "f8")], align=True)  # fmt: skip


def _numbered(rows: np.dtype[Any]) -> np.dtype[Any]:
    """Return a type of rows that also say to which update they belong."""
    assert rows.names is not None
    fields = [(name, rows[name]) for name in rows.names]
    return np.dtype([*fields, ("update", "i8")], align=True)


#: The rows of a log. Their column `update` puts them in order, and is dropped in the end.
EPISODE_ROW, UPDATE_ROW = _numbered(EPISODE_DTYPE), _numbered(UPDATE_DTYPE)

#: Name, type and shape of the arrays of a `Log`.
#:
#: :meta hide-value:
LOG_LAYOUT: dict[str, tuple[Any, tuple[int, ...]]] = {
    "episodes": (EPISODE_ROW, (LOG_ROWS,)),
    "updates": (UPDATE_ROW, (LOG_ROWS,)),
    "filled": (np.int64, (2,)),
    "drained": (np.int64, (2,)),
}


class Log(NamedTuple):
    """Two rings of rows, written by one process and drained by one, perhaps another.

    Examples
    --------
    >>> log = make_log()
    >>> log.updates.shape == log.episodes.shape == (LOG_ROWS,)
    True
    >>> log.filled.tolist(), log.drained.tolist()
    ([0, 0], [0, 0])
    """

    episodes: NDArray[Any]  # of EPISODE_ROW
    updates: NDArray[Any]  # of UPDATE_ROW
    filled: NDArray[np.int64]  # (2,): episodes and updates ever written
    drained: NDArray[np.int64]  # (2,): episodes and updates ever taken out


def make_log() -> Log:
    """Make a log in this process's own memory; an update ends at most one episode.

    Examples
    --------
    >>> make_log().updates.dtype.names[:3]
    ('worker', 'step', 'staleness')
    """
    return Log(**{name: np.zeros(shape, dtype) for name, (dtype, shape) in LOG_LAYOUT.items()})


def drain(log: Log) -> tuple[NDArray[Any], NDArray[Any]]:
    """Take out the rows of a log that were written since the last call.

    Returns
    -------
    episodes, updates : structured arrays, of EPISODE_ROW and UPDATE_ROW

    Examples
    --------
    >>> from a3c_tut import A3CConfig, cliff_world
    >>> from a3c_tut.engine.crew import make_run
    >>> from a3c_tut.engine.turn import take_turns
    >>> run = make_run(cliff_world(), A3CConfig())
    >>> _ = take_turns(run, np.array([0, 1, 2]), 0, 1_000, ())
    >>> episodes, updates = drain(run.log)
    >>> updates["worker"].tolist(), updates["update"].tolist(), updates["staleness"].tolist()
    ([0, 1, 2], [0, 1, 2], [0, 1, 2])
    >>> len(drain(run.log)[1])
    0
    """
    filled = read(log.filled, 0), read(log.filled, 1)
    rings = log.episodes, log.updates
    taken = [_taken(*each) for each in zip(rings, log.drained.tolist(), filled, strict=True)]
    log.drained[:] = filled
    return taken[0], taken[1]


def _taken(ring: NDArray[Any], first: int, last: int) -> NDArray[Any]:
    """Copy the rows `first` to `last` out of a ring."""
    start, stop = first & (LOG_ROWS - 1), last & (LOG_ROWS - 1)
    if start < stop or first == last:
        return joined(ring.dtype, [ring[start:stop]])
    return joined(ring.dtype, [ring[start:], ring[:stop]])


#: Rows as bytes. Made beforehand: while NumPy makes such a type, it swallows a Ctrl-C.
_AS_BYTES = {
    row: np.dtype((np.void, row.itemsize))
    for row in (EPISODE_DTYPE, UPDATE_DTYPE, EPISODE_ROW, UPDATE_ROW)
}


def joined(dtype: np.dtype[Any], pieces: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Join arrays of one of the types above, as bytes: field by field takes ten times as long.

    Parameters
    ----------
    dtype : type of the rows
    pieces : sequence of (n,) arrays of that type; may be empty

    Examples
    --------
    >>> joined(EPISODE_DTYPE, [np.zeros(2, EPISODE_DTYPE), np.zeros(1, EPISODE_DTYPE)]).shape
    (3,)
    """
    plain = _AS_BYTES[dtype]
    return np.concatenate([np.zeros(0, plain), *(piece.view(plain) for piece in pieces)]).view(
        dtype
    )


def published(dtype: np.dtype[Any], rows: NDArray[Any]) -> NDArray[Any]:
    """Return rows of a log without their column `update`.

    Parameters
    ----------
    dtype : EPISODE_DTYPE or UPDATE_DTYPE
    rows : (n,) array of EPISODE_ROW or UPDATE_ROW

    Examples
    --------
    >>> published(EPISODE_DTYPE, np.zeros(2, EPISODE_ROW)).dtype.names[-1]
    'truncated'
    """
    assert dtype.names is not None
    kept = np.zeros(len(rows), dtype)  # what lies between the fields is saved, too
    for name in dtype.names:
        kept[name] = rows[name]
    return kept
