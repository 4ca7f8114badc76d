"""The process runner: a worker, a process; started, watched and stopped from here (Section 2.2).

It knows nothing of tables or networks. The rules it keeps: nobody begins before all are up; a
worker that dies is noticed at once, in whatever state; nothing is left behind, neither a process
nor shared memory, however the run ends.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import multiprocessing.process
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from a3c_tut.engine.atomics import COMPILED
from a3c_tut.engine.protocol import (
    DIVERGED,
    FINISHED,
    GO,
    LOCK_BUSY,
    LOG_FULL,
    PAUSE,
    PAUSED,
    STOP,
)
from a3c_tut.errors import WorkerError

START_METHODS = ("spawn", "forkserver", "fork")

#: With this code a worker ends that is asked to start workers while it imports the script.
_IMPORTING = 78

#: Seconds between two looks at the logs. A log holds some milliseconds of the fastest worker.
_POLL = 0.005
#: Seconds that a worker which was told to stop has to do so before it is ended.
_PATIENCE = 2.0
#: Updates per compiled call: long enough to be cheap, short enough to answer.
_UPDATES_PER_CALL = 4096
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
_STARTING = threading.Lock()


class Team(Protocol):
    """What the runner needs of the parent's side.

    Examples
    --------
    >>> from a3c_tut import A3CConfig, cliff_world
    >>> from a3c_tut.engine.crew import Job
    >>> from a3c_tut.engine.team import TableTeam
    >>> team: Team = TableTeam(Job.fresh(cliff_world(), A3CConfig()), stop_at=100)
    >>> team.go(); team.pause(True); team.pause(False); team.drain(); team.stop()
    >>> # worker 0 died, not in a push
    >>> team.steps, team.num_updates, team.bury(0, None)
    (0, 0, False)
    >>> team.close()
    """

    seat: Any
    num_workers: int

    @property
    def steps(self) -> int:
        """Environment steps pushed so far."""

    @property
    def num_updates(self) -> int:
        """Pushes so far."""

    def go(self) -> None:
        """Let the workers begin."""

    def stop(self) -> None:
        """Tell the workers to stop."""

    def pause(self, paused: bool) -> None:
        """Tell the workers to stand still after a whole push, or to go on."""

    def drain(self) -> None:
        """Take the rows that the workers have logged."""

    def bury(self, worker: int, lock: Any) -> bool:
        """Undo what a dead worker left half done; return whether it died in its push.

        `lock` is the lock that the workers take, or None where the compiled one is used.
        """


@dataclass
class Outcome:
    """How a run in processes ended.

    Attributes
    ----------
    diverged : bool
        Whether a parameter is not finite.
    states : dict
        What each worker that came to the end held then.
    tallies : dict
        What each of them counted; see `engine.worker.advance`.

    Examples
    --------
    >>> Outcome().diverged
    False
    """

    diverged: bool = False
    states: dict[int, Any] = field(default_factory=dict)
    tallies: dict[int, Any] = field(default_factory=dict)


@dataclass
class Pause:
    """When to stand still on the way, and what to do then.

    Attributes
    ----------
    every : int from 1, environment steps of all workers
    look : function of the workers' states, by worker
        The run ends there if it returns something true.

    Examples
    --------
    >>> seen = []
    >>> pause = Pause(every=10_000, look=lambda states: seen.append(sorted(states)))
    >>> pause.look({1: {}, 0: {}})
    >>> seen
    [[0, 1]]
    """

    every: int
    look: Callable[[dict[int, Any]], object]


def check_place(start_method: str) -> None:
    """Make sure that workers can be started from here, or say why not and what to do instead.

    A script that starts workers while a worker imports it ends that worker quietly; the process
    that waits for it says what is wrong, once.

    Parameters
    ----------
    start_method : "spawn", "forkserver" or "fork"

    Raises
    ------
    RuntimeError
        In a daemonic process, and where the program is in no file that a worker could import.

    Examples
    --------
    >>> from unittest.mock import patch
    >>> with patch.object(multiprocessing.process.current_process(), "_config", {"daemon": True}):
    ...     try:
    ...         check_place("spawn")
    ...     except RuntimeError as error:
    ...         print(str(error).split(",")[0])
    runner='processes' was asked for in a daemonic process
    """
    me = multiprocessing.process.current_process()
    if getattr(me, "_inheriting", False):
        raise SystemExit(_IMPORTING)
    if me.daemon:
        raise RuntimeError(
            "runner='processes' was asked for in a daemonic process, such as one of "
            "multiprocessing.Pool, which may not start others; allowed: runner='emulated', whose "
            "runs are of the same kind, or a pool of concurrent.futures"
        )
    main = sys.modules["__main__"]
    file = getattr(main, "__file__", None)
    if start_method == "fork" or file is None or getattr(main, "__spec__", None) is not None:
        return
    if not os.path.exists(file):
        raise RuntimeError(
            f"start_method is {start_method!r}, whose workers import your program, and {file!r} is "
            "no file (it was read from standard input, or is gone); allowed: a program in a file, "
            "a notebook, start_method='fork' where the system has it, or runner='emulated'"
        )


def warn_if_crowded(num_workers: int) -> None:
    """Say it once where there are more workers than cores.

    Parameters
    ----------
    num_workers : int

    Examples
    --------
    >>> with warnings.catch_warnings(record=True, action="always") as said:
    ...     warn_if_crowded(1)
    ...     warn_if_crowded(100_000)
    >>> [str(warning.message).split(" on ")[0] for warning in said]
    ['num_workers is 100000']
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if cores is not None and num_workers > cores:
        warnings.warn(
            f"num_workers is {num_workers} on {cores} cores: workers take turns on them",
            RuntimeWarning,
            stacklevel=5,  # the caller of `train`, behind what checks its names
        )


def run(
    team: Team,
    *,
    start_method: str,
    on_worker_failure: str,
    on_progress: Callable[[int], object],
    failures: list[WorkerError],
    pauses: Sequence[Pause] = (),
) -> Outcome:
    """Start the workers, let them run to the end, and clean up after them.

    Parameters
    ----------
    team : the parent's side of the workers
    start_method : "spawn", "forkserver" or "fork"
    on_worker_failure : "raise" or "continue"
        What to do when a worker raises or dies: stop, or let the others finish.
    on_progress : called with the steps pushed so far, every few milliseconds
    failures : list, to which the workers that failed are added
    pauses : sequence of Pause

    Returns
    -------
    Outcome

    Raises
    ------
    WorkerError
        With the worker's own traceback where it had time for one.

    Examples
    --------
    >>> from a3c_tut import A3CConfig, cliff_world
    >>> from a3c_tut.engine.crew import Job
    >>> from a3c_tut.engine.team import TableTeam
    >>> config = A3CConfig(num_workers=1, rollout_length=5)
    >>> team = TableTeam(Job.fresh(cliff_world(), config), stop_at=100)
    >>> ended = run(team, start_method="spawn", on_worker_failure="raise", failures=[],
    ...             on_progress=lambda steps: None)
    >>> ended.diverged, sorted(ended.states), team.steps
    (False, [0], 100)
    >>> team.close()
    """
    context: Any = multiprocessing.get_context(start_method)
    watch = _Watch(team, context, on_worker_failure, failures)
    try:
        watch.start()
        watch.until_ready()
        team.go()
        due = [team.steps + pause.every for pause in pauses]
        with _interrupts() as interrupted:
            while watch.running:
                watch.listen(_POLL)
                team.drain()
                on_progress(team.steps)
                if any(team.steps >= steps for steps in due):
                    states = watch.stand_still()
                    if states is not None and _look(pauses, due, team.steps, states):
                        team.stop()
                    team.pause(False)
                if interrupted:  # and yet we are here
                    raise KeyboardInterrupt
        team.drain()
        return watch.outcome
    finally:
        watch.end()


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Note every Ctrl-C: a library may swallow the exception, as NumPy does here and there."""
    heard: list[int] = []
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield heard
        return

    def note(number: int, frame: Any) -> None:
        heard.append(number)
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield heard
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _look(pauses: Sequence[Pause], due: list[int], steps: int, states: dict[int, Any]) -> bool:
    """Do what is due, say when it is due again, and return whether the run is to end."""
    ends = False
    for i, pause in enumerate(pauses):
        if steps >= due[i]:
            due[i] = steps + pause.every
            ends = bool(pause.look(states)) or ends
    return ends


class _Watch:
    """The processes of a run: who lives, who has said what."""

    def __init__(
        self, team: Team, context: Any, on_worker_failure: str, failures: list[WorkerError]
    ):
        self._team, self._context, self._failures = team, context, failures
        self._goes_on = on_worker_failure == "continue"
        self._lock = None if COMPILED else context.Lock()
        self._processes: dict[int, Any] = {}
        self._pipes: dict[int, Any] = {}
        self._ready: set[int] = set()
        self._paused: dict[int, Any] = {}
        self.running: set[int] = set()
        self.outcome = Outcome()

    def start(self) -> None:
        """Start one process per worker."""
        if COMPILED:
            # Compile here, once: the workers find the code on disk.
            self._team.seat.worker(0, None).advance(0)
        with _one_math_thread():
            for worker in range(self._team.num_workers):
                ours, theirs = self._context.Pipe()
                process = self._context.Process(
                    target=work,
                    args=(self._team.seat, worker, self._lock, theirs),
                    name=f"a3c worker {worker}",
                    daemon=True,
                )
                process.start()
                theirs.close()
                self._processes[worker], self._pipes[worker] = process, ours
                self.running.add(worker)

    def until_ready(self) -> None:
        """Wait until every worker has built its memory and loaded its code."""
        while len(self._ready) < len(self.running):
            self.listen(None)

    def listen(self, timeout: float | None) -> None:
        """Hear what workers say, and notice who has died."""
        ears: dict[Any, int] = {}
        for worker in self.running:
            ears[self._pipes[worker]] = worker
            ears[self._processes[worker].sentinel] = worker
        heard = multiprocessing.connection.wait(list(ears), timeout)
        for worker in sorted({ears[ear] for ear in heard}):
            self._hear(worker)

    def _hear(self, worker: int) -> None:
        pipe, process = self._pipes[worker], self._processes[worker]
        dead = not process.is_alive()  # before reading: what it said last is in the pipe then
        try:
            while worker in self.running and pipe.poll():
                self._take(worker, *pipe.recv())
        except (EOFError, ConnectionError):
            process.join(_PATIENCE)
            dead = True
        if dead and worker in self.running:
            process.join()
            code = process.exitcode
            reason = f"killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            if code == _IMPORTING:
                raise RuntimeError(
                    "runner='processes' was asked for by a worker, which had imported your script; "
                    "put the call under `if __name__ == '__main__':`"
                )
            if worker not in self._ready:
                reason += " before it was ready"
            self._fail(worker, reason)

    def _take(self, worker: int, kind: str, content: Any) -> None:
        if kind == "ready":
            self._ready.add(worker)
        elif kind == "paused":
            self._paused[worker] = content
        elif kind == "error":
            self._fail(worker, f"raised\n\n{content}\n")
        else:
            self.outcome.states[worker], self.outcome.tallies[worker] = content
            self.outcome.diverged |= kind == "diverged"
            self.running.discard(worker)

    def _fail(self, worker: int, reason: str) -> None:
        self.running.discard(worker)
        if "raised" in reason:
            self._processes[worker].join(_PATIENCE)
        inside = self._team.bury(worker, self._lock)
        error = WorkerError(worker, self._team.num_updates, reason, inside)
        self._failures.append(error)
        nobody = not self.running and not self.outcome.states
        if not self._goes_on or worker not in self._ready or nobody:
            raise error

    def stand_still(self) -> dict[int, Any] | None:
        """Bring every worker to rest after a whole push; return what they hold.

        None if a worker has come to the end of the run meanwhile.
        """
        self._paused.clear()
        self._team.pause(True)
        while self.running and len(self._paused.keys() & self.running) < len(self.running):
            self.listen(_POLL)
            self._team.drain()
        self._team.drain()
        return None if self.outcome.states else dict(self._paused)

    def end(self) -> None:
        """End what still runs, and leave nothing behind."""
        self._team.stop()
        deadline = time.monotonic() + _PATIENCE
        for worker, process in self._processes.items():
            pipe = self._pipes[worker]
            while process.is_alive() and time.monotonic() < deadline:
                # A worker may wait for somebody to read what it says.
                try:
                    if pipe.poll(0.01):
                        pipe.recv()
                except (EOFError, ConnectionError):
                    process.join(0.01)
            if process.is_alive():
                process.kill()
            process.join()
            process.close()
            pipe.close()


def work(seat: Any, worker: int, lock: Any, pipe: Any) -> None:
    """Be one worker process: report, wait for the start, advance until told to stop.

    Ctrl-C is left to the parent, and a worker whose parent is gone ends itself.

    Parameters
    ----------
    seat : what makes the worker, as `engine.worker.Seat` does
    worker : int
    lock : multiprocessing lock, or None where the compiled one is used
    pipe : connection to the parent
        "ready", then "done" or "diverged" with state and tally; "paused" with the state on the way;
        "error" with a traceback.

    Examples
    --------
    For once in the parent's own process, where Ctrl-C has to go on working:

    >>> from unittest.mock import patch
    >>> from a3c_tut import A3CConfig, cliff_world
    >>> from a3c_tut.engine.crew import Job
    >>> from a3c_tut.engine.team import TableTeam
    >>> config = A3CConfig(num_workers=1, rollout_length=5, update_mode="hogwild")
    >>> team = TableTeam(Job.fresh(cliff_world(), config), stop_at=100)
    >>> team.go()
    >>> ours, theirs = multiprocessing.Pipe()
    >>> with patch("signal.signal"):
    ...     work(team.seat, 0, None, theirs)
    >>> ours.recv()[0], ours.recv()[0], team.steps
    ('ready', 'done', 100)
    >>> ours.close(); theirs.close(); team.close()
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        own = seat.worker(worker, lock)
        own.advance(0)  # load the compiled code now
        pipe.send(("ready", None))
        while not own.signal(GO) and not own.signal(STOP):
            time.sleep(0.0002)
        why = own.advance(_UPDATES_PER_CALL)
        while why not in (FINISHED, DIVERGED):
            if why == LOCK_BUSY:
                time.sleep(0.0)  # somebody else needs the processor to give the lock back
            elif why == LOG_FULL:
                time.sleep(0.001)
            elif why == PAUSED:
                pipe.send(("paused", own.state()))
                while own.signal(PAUSE) and not own.signal(STOP):
                    time.sleep(0.0005)
            why = own.advance(_UPDATES_PER_CALL)
        pipe.send(("diverged" if why == DIVERGED else "done", (own.state(), own.tally)))
    except BaseException:
        pipe.send(("error", traceback.format_exc()))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _one_math_thread() -> Iterator[None]:
    """Let child processes use one thread each for their maths, unless the user said otherwise."""
    # One start at a time. Of runs that two threads started at once, one in some twenty lost a
    # process at its start (exit code 255); that the environment is why was not shown.
    with _STARTING:
        missing = [name for name in _THREAD_VARIABLES if name not in os.environ]
        os.environ.update(dict.fromkeys(missing, "1"))
        try:
            yield
        finally:
            for name in missing:
                os.environ.pop(name, None)
