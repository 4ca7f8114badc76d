"""All of a run, taken out of its memory and put back: for saving, and for going on later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from a3c_tut.engine.buffers import (
    COUNTERS,
    ROWS_PUSHED,
    Local,
    Shared,
    Statistics,
)

State = dict[str, NDArray[Any]]

#: Those that follow from what a later run does first, and are saved as 0.
_NOT_KEPT = [COUNTERS.index("rows_seen"), COUNTERS.index("cursor")]


def snapshot_shared(shared: Shared, statistics: Statistics) -> State:
    """Copy the shared tables, counters and statistics.

    The ring of touched rows is left out: `restore_local` asks for a full refresh instead.

    Examples
    --------
    >>> from a3c_tut.engine.buffers import make_shared, make_statistics
    >>> shared = make_shared(np.zeros((48, 4)), np.zeros(48))
    >>> saved = snapshot_shared(shared, make_statistics(1, 48, 4))
    >>> sorted(saved)
    ['V', 'counters', 'last_update', 'square_V', 'square_theta', 'statistics_updates', 'theta']
    """
    return {
        "theta": shared.theta.copy(),
        "V": shared.V.copy(),
        "counters": shared.counters.copy(),
        **_statistics_state(statistics),
    }


def snapshot_local(local: Local, statistics: Statistics | None) -> State:
    """Copy some workers' own memory, with their own statistics if they have any.

    The random numbers drawn ahead are left out: they follow from how many were used.

    Parameters
    ----------
    local : Local
    statistics : Statistics, or None where they are shared

    Examples
    --------
    >>> from a3c_tut.engine.buffers import make_local
    >>> me = make_local([0, 1], np.zeros((48, 4)), np.zeros(48), num_uniforms=100)
    >>> sorted(snapshot_local(me, None))
    ['episode_return', 'local_V', 'local_counters', 'local_theta']
    """
    counters = np.stack([getattr(local, name) for name in COUNTERS], axis=1)
    counters[:, _NOT_KEPT] = 0
    return {
        "local_theta": local.theta.copy(),
        "local_V": local.V.copy(),
        "local_counters": counters,
        "episode_return": local.episode_return.copy(),
        **({"walker": local.walker.copy()} if local.walker.size else {}),
        **({} if statistics is None else _statistics_state(statistics)),
    }


def _statistics_state(statistics: Statistics) -> State:
    return {
        "square_theta": statistics.square_theta.copy(),
        "square_V": statistics.square_V.copy(),
        "last_update": statistics.last_update.copy(),
        "statistics_updates": statistics.updates.copy(),
    }


def state_of_worker(state: Mapping[str, NDArray[Any]], worker: int, own: bool) -> State:
    """Return one worker's part of a whole state; with its own statistics if it has `own` ones.

    Parameters
    ----------
    state : mapping of arrays
        All of a run, as in `TrainingResult.state`.
    worker : int
    own : bool

    Examples
    --------
    >>> from a3c_tut.engine.buffers import make_local
    >>> me = make_local([0, 1, 2], np.zeros((48, 4)), np.zeros(48), num_uniforms=100)
    >>> one = state_of_worker(snapshot_local(me, None), worker=2, own=False)
    >>> one["local_theta"].shape, int(one["local_counters"][0, COUNTERS.index("worker")])
    ((1, 48, 4), 2)
    """
    names = ["local_theta", "local_V", "local_counters", "episode_return"]
    names += ["walker"] if "walker" in state else []
    if own:
        names += ["square_theta", "square_V", "last_update", "statistics_updates"]
    return {name: state[name][worker : worker + 1] for name in names}


def restore_shared(
    state: Mapping[str, NDArray[Any]], shared: Shared, statistics: Statistics
) -> None:
    """Put a snapshot of the shared memory back into memory of the same shape.

    Parameters
    ----------
    state : mapping of arrays, from `snapshot_shared`
    shared, statistics : Shared and Statistics, to write to

    Examples
    --------
    >>> from a3c_tut.engine.buffers import make_local, make_shared, make_statistics
    >>> shared, statistics = make_shared(np.zeros((3, 2)), np.zeros(3)), make_statistics(1, 3, 2)
    >>> saved = snapshot_shared(shared, statistics)
    >>> shared.theta[0] = 9.0
    >>> restore_shared(saved, shared, statistics)
    >>> shared.theta[0].tolist()
    [0.0, 0.0]
    """
    shared.theta[:], shared.V[:], shared.counters[:] = (
        state["theta"], state["V"], state["counters"]
    )  # fmt: skip
    _restore_statistics(state, statistics)


def restore_local(
    state: Mapping[str, NDArray[Any]], shared: Shared, statistics: Statistics, local: Local
) -> None:
    """Put a snapshot of some workers' own memory back; `shared` has been restored before.

    Parameters
    ----------
    state : mapping of arrays, from `snapshot_local`
    shared : Shared
    statistics : Statistics, written to if the state holds the workers' own
    local : Local, to write to

    Examples
    --------
    The next sync copies the whole table, and the random numbers have to be drawn anew:

    >>> from a3c_tut.engine.buffers import make_local, make_shared, make_statistics
    >>> shared, statistics = make_shared(np.zeros((3, 2)), np.zeros(3)), make_statistics(1, 3, 2)
    >>> me = make_local([0], np.zeros((3, 2)), np.zeros(3), num_uniforms=11)
    >>> restore_local(snapshot_local(me, None), shared, statistics, me)
    >>> bool(me.rows_seen[0] < -len(shared.touched)), int(me.cursor[0])
    (True, 11)
    """
    local.theta[:], local.V[:] = state["local_theta"], state["local_V"]
    for name, column in zip(COUNTERS, state["local_counters"].T, strict=True):
        getattr(local, name)[:] = column
    local.cursor[:] = local.uniforms.shape[1]
    local.rows_seen[:] = shared.counters[ROWS_PUSHED] - shared.touched.shape[0] - 1
    local.episode_return[:] = state["episode_return"]
    if local.walker.size:
        local.walker[:] = state["walker"]
    if "square_theta" in state:
        _restore_statistics(state, statistics)


def _restore_statistics(state: Mapping[str, NDArray[Any]], statistics: Statistics) -> None:
    if statistics.updates.size:
        statistics.square_theta[:] = state["square_theta"]
        statistics.square_V[:] = state["square_V"]
        statistics.last_update[:] = state["last_update"]
        statistics.updates[:] = state["statistics_updates"]
