"""The Ray runner: workers on any machine of a cluster, one server for what they share.

It knows nothing of tables or networks. The rules it keeps: nobody begins before all are up; who
dies is noticed, worker or server; no actor outlives the run, and a cluster is stopped only by
whoever started it. Ray itself is imported when a run asks for it, never before.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from a3c_tut.checks import short
from a3c_tut.config import A3CConfig
from a3c_tut.engine.buffers import UPDATES
from a3c_tut.engine.crew import Job
from a3c_tut.engine.server import Answer, ParameterServer, Push, RemoteWorker, rehearse
from a3c_tut.errors import ServerError, WorkerError

#: Seconds between two looks at the server: each is a call among its pushes.
_POLL = 0.2
#: Seconds after which a server that does not answer is taken for dead.
PATIENCE = 30.0
#: Seconds that a cluster has to bring up server and workers.
_START = 300.0
#: From this share of its time on, a server is what the workers wait for.
_BUSY = 0.8


@dataclass
class Sight:
    """What the server holds between two pushes.

    Examples
    --------
    >>> Sight([], [], {}, False).diverged
    False
    """

    episodes: list[NDArray[Any]]  # all of the run so far
    updates: list[NDArray[Any]]
    state: dict[str, NDArray[Any]]
    diverged: bool
    traffic: dict[str, float] = field(default_factory=dict)


@dataclass
class Pause:
    """When to look at a run on the way; the workers go on meanwhile.

    Attributes
    ----------
    every : int from 1, environment steps of all workers
    look : function of what the server holds
        The run ends with that if it returns something true.

    Examples
    --------
    >>> Pause(every=10_000, look=lambda sight: sight.diverged).look(Sight([], [], {}, False))
    False
    """

    every: int
    look: Callable[[Sight], object]


class ServerActor:
    """The parameter server, to be called from other machines.

    Parameters
    ----------
    job, stop_at : as `ParameterServer` takes them

    Examples
    --------
    >>> from a3c_tut import A3CConfig, cliff_world
    >>> job = Job.fresh(cliff_world(), A3CConfig(rollout_length=5))
    >>> server, worker = ServerActor(job, 100), RemoteWorker(job, 0)
    >>> server.ready(); server.push(worker.act()).goes_on, server.steps()
    (True, 5)
    >>> server.stop()
    >>> server.push(worker.act()).goes_on, len(server.sight()[1])
    (False, 1)
    """

    def __init__(self, job: Job, stop_at: int):
        rehearse(job)
        self._server = ParameterServer(job, stop_at)

    def ready(self) -> None:
        """Answer as soon as it is up."""

    def push(self, sent: Push) -> Answer:
        """Take a push: see `ParameterServer.push`."""
        return self._server.push(sent)

    def stop(self) -> None:
        """Take no push from now on."""
        self._server.stop()

    def steps(self) -> int:
        """Return the environment steps pushed so far."""
        return self._server.steps

    def sight(self) -> tuple[Any, ...]:
        """Return what was logged since the last call, all of the run's state, and the traffic."""
        server = self._server
        return *server.logged(), server.state(), server.diverged, server.traffic()


class WorkerActor:
    """A worker, somewhere in the cluster.

    Parameters
    ----------
    job, worker : as `RemoteWorker` takes them

    Examples
    --------
    >>> from a3c_tut import A3CConfig, cliff_world
    >>> job = Job.fresh(cliff_world(), A3CConfig(rollout_length=5))
    >>> server, worker = ServerActor(job, 20), WorkerActor(job, 1)
    >>> worker.ready(); worker.work(server.push)
    >>> server.steps()
    20
    """

    def __init__(self, job: Job, worker: int):
        rehearse(job)
        self._worker = RemoteWorker(job, worker)

    def ready(self) -> None:
        """Answer as soon as it is up."""

    def work(self, push: Callable[[Push], Answer] | Any) -> None:
        """Take turns until the server says that the run is over.

        Parameters
        ----------
        push : function that takes a push and returns its answer, or an actor with such a method
        """
        try:
            call = push if callable(push) else _calls(push)
            while self._worker.take(call(self._worker.act())):
                pass
        finally:
            self._worker.close()


def _calls(server: Any) -> Callable[[Push], Answer]:
    ray = imported()
    return lambda sent: ray.get(server.push.remote(sent))


def imported() -> Any:
    """Import Ray, or say how to get it.

    Raises
    ------
    ImportError
        Where it is not installed.

    Examples
    --------
    >>> from unittest.mock import patch
    >>> with patch.dict("sys.modules", {"ray": None}):
    ...     try:
    ...         imported()
    ...     except ImportError as error:
    ...         print(error)
    runner='ray' needs Ray, which is not installed; allowed: pip install 'a3c_tut[ray]'
    """
    try:
        import ray
        import ray.exceptions
        import ray.util.scheduling_strategies
    except ImportError:
        raise ImportError(
            "runner='ray' needs Ray, which is not installed; allowed: pip install 'a3c_tut[ray]'"
        ) from None
    return ray


def check_asked(config: A3CConfig, runner: str, address: str | None) -> None:
    """Check what only a cluster knows.

    Parameters
    ----------
    config : A3CConfig
    runner, address : as `train` takes them

    Raises
    ------
    ValueError
        For what a run on a cluster cannot be asked for, and an address without one.
    ImportError
        Where Ray is not installed.

    Examples
    --------
    >>> check_asked(A3CConfig(), "processes", None)
    >>> check_asked(A3CConfig(), "processes", "auto")
    Traceback (most recent call last):
    ...
    ValueError: ray_address is 'auto' with runner='processes'; allowed: None, or runner='ray'
    """
    if runner != "ray":
        if address is not None:
            raise ValueError(
                f"ray_address is {short(address)} with runner={runner!r}; allowed: None, or "
                "runner='ray'"
            )
        return
    if address is not None and not isinstance(address, str):
        raise ValueError(
            f"ray_address is {short(address)}; allowed: None, or an address such as 'auto'"
        )
    if config.update_mode == "hogwild":
        raise ValueError(
            "update_mode is 'hogwild' with runner='ray', whose server takes one push after the "
            "other; allowed: 'atomic'"
        )
    imported()


@contextmanager
def _cluster(ray: Any, address: str | None, num_workers: int) -> Iterator[None]:
    """Be connected to a cluster: to the one there is, or one that ends with the run."""
    if ray.is_initialized() and address is None:
        yield
        return
    if ray.is_initialized():
        raise RuntimeError(
            f"ray_address is {address!r}, and this program is connected to a cluster already; "
            "allowed: None, which takes that one, or ray.shutdown() before"
        )
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    if address is None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        cores = max(num_workers, os.cpu_count() or 1)
        ray.init(address="local", num_cpus=cores, include_dashboard=False, **quiet)
    else:
        ray.init(address=address, **quiet)
    try:
        yield
    finally:
        ray.shutdown()  # of a cluster that was there before, it only lets go


def run(
    job: Job,
    stop_at: int,
    *,
    address: str | None,
    on_worker_failure: str,
    on_progress: Callable[[int], object],
    failures: list[WorkerError],
    pauses: Sequence[Pause] = (),
) -> Sight:
    """Bring up server and workers, let them run to the end, and leave none of them behind.

    Parameters
    ----------
    job : Job
    stop_at : int, environment steps; the push that reaches it is the last
    address : str or None
        Of a cluster; None: the one this program is connected to, or else a new one here.
    on_worker_failure : "raise" or "continue"
    on_progress : called with the steps pushed so far, some times a second
    failures : list, to which the workers that failed are added
    pauses : sequence of Pause

    Returns
    -------
    Sight
        Of the end.

    Raises
    ------
    WorkerError
        When a worker raises, or dies with its node.
    ServerError
        When the server is gone, or has not answered for `PATIENCE` seconds.
    RuntimeError
        When the cluster does not bring up what was asked for.

    Examples
    --------
    Without Ray there is no run:

    >>> from unittest.mock import patch
    >>> from a3c_tut import A3CConfig, cliff_world
    >>> job = Job.fresh(cliff_world(), A3CConfig())
    >>> with patch.dict("sys.modules", {"ray": None}):
    ...     try:
    ...         run(job, 100, address=None, on_worker_failure="raise", failures=[],
    ...             on_progress=print)
    ...     except ImportError as error:
    ...         print(str(error)[:22])
    runner='ray' needs Ray
    """
    ray = imported()
    with _cluster(ray, address, job.config.num_workers):
        watch = _Watch(ray, job, stop_at, on_worker_failure, failures)
        try:
            watch.start()
            due = [watch.steps + pause.every for pause in pauses]
            while watch.running:
                watch.listen(_POLL)
                on_progress(watch.steps)
                late = [i for i, steps in enumerate(due) if watch.steps >= steps]
                if late and watch.running:
                    sight = watch.sight()
                    for i in late:
                        due[i] = watch.steps + pauses[i].every
                    said = [pauses[i].look(sight) for i in late]  # all of them look
                    if any(said):
                        return sight
            ended = watch.sight()
        finally:
            watch.end()
    if ended.traffic["busy_share"] > _BUSY:
        warnings.warn(
            f"the parameter server was busy for {ended.traffic['busy_share']:.0%} of the time, and "
            "workers waited for it; longer rollouts or fewer workers give it fewer pushes",
            RuntimeWarning,
            stacklevel=5,  # the caller of `train`, behind what checks its names
        )
    return ended


class _Watch:
    """The actors of a run: who lives, and what the server has said."""

    def __init__(
        self, ray: Any, job: Job, stop_at: int, on_failure: str, failures: list[WorkerError]
    ):
        self._ray, self._job, self._stop_at = ray, job, stop_at
        self._goes_on, self._failures = on_failure == "continue", failures
        self._server: Any = None
        self._workers: dict[int, Any] = {}
        self._came_to_the_end = 0
        self._episodes: list[NDArray[Any]] = []
        self._updates: list[NDArray[Any]] = []
        self.running: dict[Any, int] = {}  # who works on what
        self.steps = 0

    def start(self) -> None:
        """Bring all up, and let them begin together."""
        ray, job = self._ray, self._job
        rehearse(job)  # compile here, once: on this machine the others find the code on disk
        num_workers = job.config.num_workers
        cores = ray.cluster_resources().get("CPU", 0.0)
        if num_workers > cores:
            warnings.warn(
                f"num_workers is {num_workers} on a cluster with {cores:.0f} cores: workers take "
                "turns on them",
                RuntimeWarning,
                stacklevel=6,
            )
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=True
        )
        sent = ray.put(job)
        # Where the program is: another node that is lost takes workers with it, not what they
        # learned.
        self._server = (
            ray.remote(ServerActor)
            .options(num_cpus=0, scheduling_strategy=here)
            .remote(sent, self._stop_at)
        )
        place = ray.remote(WorkerActor).options(
            num_cpus=1 if num_workers <= cores else 0, scheduling_strategy="SPREAD"
        )
        self._workers = {worker: place.remote(sent, worker) for worker in range(num_workers)}
        waiting: dict[Any, int | None] = {self._server.ready.remote(): None}
        waiting |= {actor.ready.remote(): worker for worker, actor in self._workers.items()}
        self._until_ready(waiting)
        self.steps = self._ask("steps")
        for worker, actor in self._workers.items():
            self.running[actor.work.remote(self._server)] = worker

    def _until_ready(self, waiting: dict[Any, int | None]) -> None:
        until = time.monotonic() + _START
        while waiting:
            up, _ = self._ray.wait(list(waiting), timeout=max(0.0, until - time.monotonic()))
            if not up:
                raise RuntimeError(
                    f"the cluster brought up all but {len(waiting)} of server and workers in "
                    f"{_START:.0f} s; allowed: fewer workers, or a cluster with free cores"
                )
            who = waiting.pop(up[0])
            try:
                self._ray.get(up[0])
            except self._ray.exceptions.RayError as error:
                if who is None:
                    raise ServerError(0, _said(error)) from None
                failed = WorkerError(who, 0, f"{_said(error)} before it was ready")
                self._failures.append(failed)
                raise failed from None

    def _ask(self, what: str) -> Any:
        """Call the server; a server that does not answer is gone."""
        try:
            return self._ray.get(getattr(self._server, what).remote(), timeout=PATIENCE)
        except self._ray.exceptions.GetTimeoutError:
            raise ServerError(self.steps, f"has not answered for {PATIENCE:.0f} s") from None
        except self._ray.exceptions.RayActorError as error:
            raise ServerError(self.steps, _said(error)) from None

    def listen(self, timeout: float) -> None:
        """Hear who has ended, and how far the run is."""
        ended, _ = self._ray.wait(list(self.running), timeout=timeout)
        self.steps = self._ask("steps")
        for ref in ended:
            worker = self.running.pop(ref)
            try:
                self._ray.get(ref)
                self._came_to_the_end += 1
            except self._ray.exceptions.RayError as error:
                failed = self._failed(worker, _said(error))
                nobody = not self.running and not self._came_to_the_end
                if not self._goes_on or nobody:
                    raise failed from None

    def _failed(self, worker: int, reason: str) -> WorkerError:
        error = WorkerError(worker, int(self.sight().state["counters"][UPDATES]), reason)
        self._failures.append(error)
        return error

    def sight(self) -> Sight:
        """Return what the server holds now."""
        episodes, updates, state, diverged, traffic = self._ask("sight")
        self._episodes.append(episodes)
        self._updates.append(updates)
        return Sight(list(self._episodes), list(self._updates), state, diverged, traffic)

    def end(self) -> None:
        """End all actors, whatever they do."""
        for actor in (*self._workers.values(), self._server):
            if actor is not None:
                self._ray.kill(actor)


def _said(error: BaseException) -> str:
    """Return what an error of Ray's says of a worker, as the end of a sentence."""
    if isinstance(error, imported().exceptions.RayTaskError):
        return f"raised\n\n{error}\n"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"died ({lines[0] if lines else type(error).__name__})"
