"""A turn in two places: a worker that acts, and the server of the parameters that it pushes to.

For workers that share no memory. What travels in one call is a whole push and its answer: the
gradient goes to the server, which applies it, logs it and syncs the worker's copy; the copy's
new rows come back. The server keeps every worker's own memory as it was after its last push, so
that a whole state can be had from it between any two pushes, whoever has died meanwhile.

Nothing here knows how calls travel: `engine.runners.ray` lets them travel between machines.
"""

from __future__ import annotations

from time import perf_counter, process_time
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from a3c_tut.control import OUTSIDE
from a3c_tut.engine import checkpoint, network_turn, outside
from a3c_tut.engine.buffers import STEPS, UPDATES, Run, make_local, make_shared, make_statistics
from a3c_tut.engine.compiling import kernel
from a3c_tut.engine.crew import (
    Job,
    interpreted_parts,
    local_of,
    outsides_of,
    statistics_owners,
    world_of,
)
from a3c_tut.engine.kernels import Rollout
from a3c_tut.engine.log import (
    EPISODE_DTYPE,
    EPISODE_ROW,
    LOG_ROWS,
    UPDATE_DTYPE,
    UPDATE_ROW,
    drain,
    joined,
    make_log,
    published,
)
from a3c_tut.engine.streams import UniformStream, refill, worker_seeds
from a3c_tut.engine.turn import (
    Formed,
    Walk,
    between,
    finish_turn,
    numbers_needed,
    prepare,
    push,
    sync,
    variant,
)
from a3c_tut.networks import Task


@kernel
def first_half(run):  # type: ignore[no-untyped-def]
    """Act and form the gradient: the half of a turn that only the worker sees.

    Parameters
    ----------
    run : Run, in which `me` is this worker's memory alone

    Returns
    -------
    Walk, Formed

    Examples
    --------
    >>> from a3c_tut import A3CConfig, cliff_world
    >>> from a3c_tut.engine.crew import make_run
    >>> walk, formed = first_half(make_run(cliff_world(), A3CConfig(rollout_length=5)))
    >>> walk.length, formed.num_rows
    (5, 2)
    """
    return prepare(run, 0)


@kernel
def second_half(run, index, walk, formed):  # type: ignore[no-untyped-def]
    """Push what a worker brings, sync its copy, and note where it stands.

    Parameters
    ----------
    run : Run of the server, whose scratch holds the gradient
    index : int, the worker
    walk, formed : Walk and Formed, from `first_half`

    Returns
    -------
    bool
        Whether all is finite.

    Examples
    --------
    >>> from a3c_tut import A3CConfig, cliff_world
    >>> from a3c_tut.engine.crew import make_run
    >>> run = make_run(cliff_world(), A3CConfig(rollout_length=5))
    >>> walk, formed = first_half(run)
    >>> bool(second_half(run, 0, walk, formed)), run.shared.counters[[STEPS, UPDATES]].tolist()
    (True, [5, 1])
    """
    formed = between(run, index, walk, formed, 0, ())
    finite = push(run, index, walk, formed)
    sync(run, index)
    finish_turn(run, index, walk)
    return finite


@kernel
def move_on(run, walk):  # type: ignore[no-untyped-def]
    """Note in the worker's own memory that its push has been taken.

    Parameters
    ----------
    run : Run, in which `me` is this worker's memory alone
    walk : Walk, from `first_half`

    Examples
    --------
    >>> from a3c_tut import A3CConfig, cliff_world
    >>> from a3c_tut.engine.crew import make_run
    >>> run = make_run(cliff_world(), A3CConfig(rollout_length=5))
    >>> walk, formed = first_half(run)
    >>> move_on(run, walk)
    >>> int(run.me.own_steps[0])
    5
    """
    finish_turn(run, 0, walk)


_NETWORK = {
    "prepare": network_turn.prepare,
    "between": network_turn.between,
    "finish_turn": network_turn.finish_turn,
}
first_half_of_a_network = variant("first_half_of_a_network", first_half, **_NETWORK)
second_half_of_a_network = variant("second_half_of_a_network", second_half, **_NETWORK)
move_on_with_a_network = variant("move_on_with_a_network", move_on, **_NETWORK)


class Push(NamedTuple):
    """What a worker sends: all that the second half of its turn needs.

    Examples
    --------
    >>> from a3c_tut import A3CConfig, cliff_world
    >>> sent = RemoteWorker(Job.fresh(cliff_world(), A3CConfig(rollout_length=5)), 1).act()
    >>> sent.worker, sent.rows.shape, sent.theta.shape, sent.rollout
    (1, (2,), (2, 4), None)
    """

    worker: int
    walk: Walk  # its `cursor` counts from where the turn began
    formed: Formed
    rows: NDArray[np.int64]  # (R,)
    theta: NDArray[np.float64]  # (R, A)
    V: NDArray[np.float64]  # (R,)
    walker: NDArray[np.float64]  # (K,)
    rollout: tuple[NDArray[Any], ...] | None  # where the shared critic forms the gradient
    seconds: tuple[float, float]  # the rollout; the last round trip without the server's part


class Answer(NamedTuple):
    """What comes back: whether to go on, and the rows that are new in the worker's copy.

    Examples
    --------
    >>> from a3c_tut import A3CConfig, cliff_world
    >>> job = Job.fresh(cliff_world(), A3CConfig(rollout_length=5))
    >>> answer = ParameterServer(job, stop_at=100).push(RemoteWorker(job, 1).act())
    >>> answer.goes_on, answer.rows.shape, answer.theta.shape
    (True, (2,), (2, 4))
    """

    goes_on: bool  # False: the push was not taken, or was the last
    taken: bool
    rows: NDArray[np.int64]  # (R,); none before the copy is due for a sync
    theta: NDArray[np.float64]  # (R, A)
    V: NDArray[np.float64]  # (R,)
    seconds: float  # that the server worked on it


class RemoteWorker:
    """One worker whose parameters are elsewhere.

    Parameters
    ----------
    job : Job
    worker : int, its id

    Examples
    --------
    >>> from a3c_tut import A3CConfig, cliff_world
    >>> job = Job.fresh(cliff_world(), A3CConfig(rollout_length=5))
    >>> server, worker = ParameterServer(job, stop_at=100), RemoteWorker(job, 2)
    >>> for _ in range(3):
    ...     goes_on = worker.take(server.push(worker.act()))
    >>> server.steps, goes_on
    (15, True)
    >>> worker.close()
    """

    def __init__(self, job: Job, worker: int):
        config, network = job.config, isinstance(job.world, Task)
        world, settings, scratch, walker_size = world_of(job)
        shared = make_shared(job.theta, job.V)
        me = local_of(job, [worker], walker_size)
        if job.state is not None:
            mine = checkpoint.state_of_worker(job.state, worker, own=False)
            checkpoint.restore_local(mine, shared, make_statistics(0, *job.theta.shape), me)
        self._run = Run(
            world, settings, shared, make_statistics(0, *job.theta.shape), me, scratch, make_log()
        )
        seed = worker_seeds(job.seed, config.num_workers)[worker]
        self._stream = UniformStream(seed, int(me.uniforms_used[0]))
        self._first = first_half_of_a_network if network else first_half
        self._move_on = move_on_with_a_network if network else move_on
        self._outsides = outsides_of(job, [worker])
        parts = interpreted_parts(job, self._outsides)
        if parts is not None:
            self._first = outside.interpreted(first_half, prepare=parts.prepare)
        self._worker, self._global = worker, config.critic == "global"
        self._most = numbers_needed(
            config.per_worker("rollout_length")[worker],
            settings.numbers_at_start,
            settings.numbers_per_step,
        )
        self._walk, self._sent, self._under_way = _NOT_WALKED, 0.0, 0.0

    def act(self) -> Push:
        """Take the first half of a turn; return what the server needs for the second."""
        began = perf_counter()
        run: Any = self._run
        if run.me.cursor[0] + self._most > run.me.uniforms.shape[1]:
            refill(run.me, 0, self._stream)
        cursor = int(run.me.cursor[0])
        walk, formed = self._first(run)
        self._walk, gradient, rows = walk, run.scratch.gradient, formed.num_rows
        walker = run.scratch.walker.copy() if run.me.walker.size else np.zeros(0)
        rollout = run.scratch.rollout if self._global else None
        self._sent = perf_counter()
        plain = Walk(
            int(walk.length), bool(walk.terminated), bool(walk.truncated),
            int(walk.cursor) - cursor, float(walk.total_reward), int(walk.state),
        )  # fmt: skip
        return Push(
            self._worker, plain, Formed(int(rows), *map(float, formed[1:])),
            gradient.rows[:rows].copy(), gradient.theta[:rows].copy(), gradient.V[:rows].copy(),
            walker, None if rollout is None else _walked(rollout, walk.length),
            (self._sent - began, self._under_way),
        )  # fmt: skip

    def take(self, answer: Answer) -> bool:
        """Take in what the server answered; return whether to go on."""
        self._under_way = perf_counter() - self._sent - answer.seconds
        if answer.taken:
            self._move_on(self._run, self._walk)
            me = self._run.me
            me.theta[0, answer.rows], me.V[0, answer.rows] = answer.theta, answer.V
        return answer.goes_on

    def close(self) -> None:
        """Close its environment, if it has one."""
        for each in self._outsides.values():
            each.close()


_NOT_WALKED = Walk(0, False, False, 0, 0.0, 0)


def _walked(rollout: Rollout, length: int) -> tuple[NDArray[Any], ...]:
    """Return the part of a rollout that was walked, for whoever forms the gradient elsewhere."""
    return tuple(array[: length + 1].copy() for array in rollout)


class ParameterServer:
    """The owner of the shared parameters: one push after the other, each whole.

    Parameters
    ----------
    job : Job
    stop_at : int
        The push that brings the shared step counter here is the last.

    Examples
    --------
    >>> from a3c_tut import A3CConfig, cliff_world
    >>> job = Job.fresh(cliff_world(), A3CConfig(rollout_length=5))
    >>> server = ParameterServer(job, stop_at=10)
    >>> workers = [RemoteWorker(job, worker) for worker in range(3)]
    >>> [workers[w].take(server.push(workers[w].act())) for w in (2, 0, 1)]
    [True, False, False]
    >>> server.steps, server.num_updates, server.diverged  # the third came too late
    (10, 2, False)
    >>> episodes, updates = server.logged()
    >>> updates["worker"].tolist()
    [2, 0]
    >>> server.state()["counters"].tolist()[:2], server.traffic()["pushes"]
    ([10, 2], 2.0)
    >>> server.stop()
    >>> server.push(workers[1].act()).taken
    False
    """

    def __init__(self, job: Job, stop_at: int):
        config, network = job.config, isinstance(job.world, Task)
        world, settings, scratch, walker_size = world_of(job)
        # No worker acts here, so none has random numbers here.
        me = make_local(range(config.num_workers), job.theta, job.V, 0, walker_size)
        self._run = Run(
            world, settings, make_shared(job.theta, job.V),
            make_statistics(statistics_owners(config), *job.theta.shape), me, scratch, make_log(),
        )  # fmt: skip
        if job.state is not None:
            checkpoint.restore_shared(job.state, self._run.shared, self._run.statistics)
            checkpoint.restore_local(job.state, self._run.shared, self._run.statistics, me)
        self._second = second_half_of_a_network if network else second_half
        self._episodes: list[NDArray[Any]] = []
        self._updates: list[NDArray[Any]] = []
        self._stop_at, self._stopped, self.diverged = stop_at, False, False
        self._traffic = Traffic()

    @property
    def steps(self) -> int:
        """Environment steps pushed so far, by all workers."""
        return int(self._run.shared.counters[STEPS])

    @property
    def num_updates(self) -> int:
        """Pushes so far, by all workers."""
        return int(self._run.shared.counters[UPDATES])

    def push(self, sent: Push) -> Answer:
        """Apply a push, log it, and answer with what is new in the worker's copy."""
        began = perf_counter()
        if self._stopped or self.steps >= self._stop_at:
            return self._answer(False, False, np.zeros(0, np.int64), sent.worker, began)
        run: Any = self._run
        worker = sent.worker
        if run.log.filled[1] - run.log.drained[1] >= LOG_ROWS:
            self._drain()
        me, gradient, rows = run.me, run.scratch.gradient, len(sent.rows)
        gradient.rows[:rows], gradient.theta[:rows], gradient.V[:rows] = (
            sent.rows, sent.theta, sent.V
        )  # fmt: skip
        if sent.walker.size:
            run.scratch.walker[:] = sent.walker
        if sent.rollout is not None:
            for mine, theirs in zip(run.scratch.rollout, sent.rollout, strict=True):
                mine[: len(theirs)] = theirs
        me.cursor[worker] = 0
        seen, synced = int(me.rows_seen[worker]), int(me.synced_at[worker])
        finite = self._second(run, worker, sent.walk, sent.formed)
        self.diverged |= not finite
        self._stopped |= not finite
        new = self._new_rows(worker, seen) if me.synced_at[worker] != synced else _NO_ROWS
        goes_on = not self._stopped and self.steps < self._stop_at
        answer = self._answer(goes_on, True, new, worker, began)
        self._traffic.note(sent, answer)
        return answer

    def _new_rows(self, worker: int, seen: int) -> NDArray[np.int64]:
        """Return the rows of a worker's copy that its sync has written."""
        shared, pushed = self._run.shared, int(self._run.me.rows_seen[worker])
        ring, num_states = shared.touched.shape[0], shared.V.shape[0]
        if pushed - seen > ring:
            return np.arange(num_states)
        i = np.arange(seen, pushed)
        return np.unique(shared.touched[i & (ring - 1)] - i * num_states)

    def _answer(
        self, goes_on: bool, taken: bool, rows: NDArray[np.int64], worker: int, began: float
    ) -> Answer:
        me = self._run.me
        theta, V = me.theta[worker, rows], me.V[worker, rows]
        return Answer(goes_on, taken, rows, theta, V, perf_counter() - began)

    def stop(self) -> None:
        """Take no push from now on."""
        self._stopped = True

    def _drain(self) -> None:
        episodes, updates = drain(self._run.log)
        self._episodes.append(episodes)
        self._updates.append(updates)

    def logged(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the rows that were logged since the last call, and forget them."""
        self._drain()
        rows = joined(EPISODE_ROW, self._episodes), joined(UPDATE_ROW, self._updates)
        self._episodes, self._updates = [], []
        return published(EPISODE_DTYPE, rows[0]), published(UPDATE_DTYPE, rows[1])

    def state(self) -> checkpoint.State:
        """Return all that a later run needs to go on from here."""
        return {
            **checkpoint.snapshot_shared(self._run.shared, self._run.statistics),
            **checkpoint.snapshot_local(self._run.me, None),
        }

    def traffic(self) -> dict[str, float]:
        """Return what pushes have cost so far: see `Traffic.summary`."""
        return self._traffic.summary()


_NO_ROWS = np.zeros(0, dtype=np.int64)


class Traffic:
    """What the pushes to a server cost, as the server and its workers measured it.

    No clock of one machine is compared with another's: a worker times a round trip and takes off
    what the server says it worked; the shortest of these is the way there and back, and what a
    longer one took more was waiting.

    Examples
    --------
    >>> from a3c_tut import A3CConfig, cliff_world
    >>> job = Job.fresh(cliff_world(), A3CConfig(rollout_length=5))
    >>> server, worker = ParameterServer(job, stop_at=100), RemoteWorker(job, 0)
    >>> for _ in range(4):
    ...     _ = worker.take(server.push(worker.act()))
    >>> sorted(server.traffic())
    ['busy_share', 'bytes', 'pushes', 'queue_wait', 'rollout', 'seconds', 'service', 'way']
    >>> server.traffic()["pushes"], server.traffic()["queue_wait"] >= 0.0
    (4.0, True)
    >>> sent = worker.act()
    >>> traffic = Traffic()
    >>> traffic.note(sent, server.push(sent))
    >>> traffic.summary()["bytes"] > 0.0
    True
    """

    def __init__(self) -> None:
        self._pushes, self._worked, self._rollout, self._bytes = 0, 0.0, 0.0, 0
        self._ways, self._way, self._shortest = 0, 0.0, np.inf
        self._began = self._cpu = 0.0

    def note(self, sent: Push, answer: Answer) -> None:
        """Count a push.

        Parameters
        ----------
        sent, answer : Push and Answer
        """
        if self._pushes == 0:
            self._began, self._cpu = perf_counter() - answer.seconds, process_time()
        self._pushes += 1
        self._worked += answer.seconds
        rollout, under_way = sent.seconds
        self._rollout += rollout
        if under_way > 0.0:  # not before a worker's first push
            self._ways += 1
            self._way += under_way
            self._shortest = min(self._shortest, under_way)
        for part in (*sent, *(sent.rollout or ()), *answer):
            self._bytes += part.nbytes if isinstance(part, np.ndarray) else 0

    def summary(self) -> dict[str, float]:
        """Return pushes; means per push, in seconds: rollout, way, queue_wait, service; bytes.

        `busy_share` is the server's processor time per second of the run, at most 1: with all
        that it takes to unpack a call. `seconds` is the time between first and last look.
        """
        pushes, ways = max(self._pushes, 1), max(self._ways, 1)
        way = self._shortest if self._ways else 0.0
        seconds = perf_counter() - self._began if self._pushes else 0.0
        busy = (process_time() - self._cpu) / seconds if seconds > 0.0 else 0.0
        return {
            "pushes": float(self._pushes),
            "seconds": seconds,
            "rollout": self._rollout / pushes,
            "way": way,
            "queue_wait": max(0.0, self._way / ways - way),
            "service": self._worked / pushes,
            "busy_share": min(1.0, busy),
            "bytes": self._bytes / pushes,
        }


def rehearse(job: Job) -> None:
    """Load the compiled code of a job's turns, so that no push of the run waits for it.

    Parameters
    ----------
    job : Job

    Examples
    --------
    >>> from a3c_tut import A3CConfig, cliff_world
    >>> rehearse(Job.fresh(cliff_world(), A3CConfig()))
    """
    steps_in_python = isinstance(job.world, Task) and job.world.world.motion == OUTSIDE
    if not steps_in_python:
        worker = RemoteWorker(job, 0)
        worker.take(ParameterServer(job, 2**62).push(worker.act()))
