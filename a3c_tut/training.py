"""Train, and replay (Section 2.2: a run and its schedule).

> A run of A3C is a pure function of what was asked for (world, config, seed, total_steps) and of
> the schedule.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from a3c_tut.checks import affordable, finite, one_of, short, whole
from a3c_tut.config import A3CConfig
from a3c_tut.control import OUTSIDE, ControlWorld, control_world
from a3c_tut.engine.atomics import COMPILED
from a3c_tut.engine.checkpoint import State, state_of_worker
from a3c_tut.engine.crew import Job, TableCrew, memory_needed
from a3c_tut.engine.log import EPISODE_DTYPE, UPDATE_DTYPE, joined
from a3c_tut.engine.runners import emulated, processes
from a3c_tut.engine.runners import ray as cluster
from a3c_tut.engine.streams import Seed, network_seed, worker_seeds
from a3c_tut.engine.team import TableTeam
from a3c_tut.errors import DivergenceError, WorkerError
from a3c_tut.files import check_folder
from a3c_tut.names import with_known_names
from a3c_tut.networks import MLP, Task, network_config
from a3c_tut.results import WORLD_ARRAYS, NetworkResult, TrainingResult
from a3c_tut.schedules import Given, RandomSchedule, RoundRobin, Schedule, check_given
from a3c_tut.torch_modules import TorchModel, check_library, torch_model
from a3c_tut.worlds import TableWorld

Look = Callable[[TrainingResult], object]

_NEVER = 2**62  # steps that no run reaches, with room for one more push


@with_known_names
def train(
    world: TableWorld | ControlWorld | str | Callable[[], Any],
    config: A3CConfig | None = None,
    *,
    model: MLP | TorchModel | Callable[..., Any] | None = None,
    compiled: bool = True,
    total_steps: int = 60_000,
    seed: Seed = 0,
    runner: Literal["emulated", "processes", "ray"] = "emulated",
    ray_address: str | None = None,
    schedule: str | RandomSchedule | ArrayLike | None = None,
    initial_theta: ArrayLike | None = None,
    initial_values: ArrayLike | None = None,
    initial_parameters: ArrayLike | None = None,
    stop_after: int | None = None,
    resume_from: TrainingResult | str | os.PathLike[str] | None = None,
    progress: bool = False,
    callback: Callable[[TrainingResult], object] | None = None,
    callback_every: int = 10_000,
    start_method: Literal["spawn", "forkserver", "fork"] = "spawn",
    on_worker_failure: Literal["raise", "continue"] = "raise",
    checkpoint_path: str | os.PathLike[str] | None = None,
    checkpoint_every: int | None = None,
) -> TrainingResult:
    """Train N workers on a world, each pushing its gradients to the shared parameters.

    A `TableWorld` is learned by tables, a `ControlWorld` by a network (Section 3.3).

    Parameters
    ----------
    world : TableWorld, ControlWorld, Gymnasium environment, its id, or a function that returns one
        "CartPole-v1" and "Pendulum-v1" are compiled; all others step in Python, and their own
        steps are then most of the time. An id gives a network, for FrozenLake-v1 too: tables are
        learned from `TableWorld.from_gymnasium("FrozenLake-v1")`.
    config : A3CConfig, optional
        Default: `A3CConfig()` for tables, `network_config(world)` for networks. To change one
        setting of a network's, begin there: `network_config(world, num_workers=4)`.
    model : MLP, Convolutional or torch.nn.Module, optional
        The network, for a ControlWorld; default: `MLP()`. A PyTorch module (extra `torch`), or a
        function of nothing that makes one, takes observations (T, D) and returns the pair of logits
        (T, A) and values (T,); see `torch_modules`. What a function makes is drawn from the seed; a
        module starts as it is.
    compiled : bool
        False asks for Gymnasium's own steps where there are compiled ones.
    total_steps : int from 1
        Environment steps of all workers together, and the horizon of the annealing. The push that
        reaches it is the last; the overshoot is less than one rollout.
    seed : int from 0, or one per worker
    runner : "emulated", "processes" or "ray"
        All workers in this process, in the order of the schedule; or each in an operating-system
        process of its own, in whatever order they come, which is recorded; or each somewhere in a
        cluster of Ray's, likewise recorded (it needs `pip install 'a3c_tut[ray]'`).
    ray_address : str, optional
        Of a running cluster, such as "auto" on one of its machines. Default: the cluster that the
        program is connected to, or else one on this machine that ends with the run.
    schedule : optional
        "round_robin" (default), "random", a `RandomSchedule`, or a list of worker ids. A list ends
        the run when it is used up, and `total_steps` is then only the horizon of the annealing.
    initial_theta, initial_values : (S, A) and (S,), optional
        The tables all workers start from; default 0. Values are in the world's own units.
    initial_parameters : (P,), optional
        The network all workers start from; default: drawn from the seed.
    stop_after : int, optional
        Stop early, at so many steps; `total_steps` stays the horizon.
    resume_from : TrainingResult or path, optional
        Continue a run as if it had never stopped (an emulated one: bit for bit). World, config,
        seed and total_steps have to be the same.
    progress : bool
        Show a progress bar.
    callback : function of the result so far, optional
        Called about every `callback_every` environment steps, while every worker stands after a
        whole push. If it returns something true, the run ends there; it replays like any other.
        On a cluster the workers go on meanwhile; what they push is lost where the run ends there.
    callback_every : int from 1
    start_method : "spawn", "forkserver" or "fork"
        How worker processes are made. "spawn" works everywhere, notebooks included; in a script the
        call then belongs under `if __name__ == "__main__":`, because workers import the script.
    on_worker_failure : "raise" or "continue"
        When a worker raises or dies: stop with a `WorkerError`, or let the others finish;
        the result's `failures` then says so. A push that its worker died in is undone.
    checkpoint_path, checkpoint_every : path and int, both or none
        Save a run in processes or on a cluster on the way, about every so many environment steps,
        between two whole pushes; each checkpoint replaces the one before.

    Returns
    -------
    TrainingResult

    Raises
    ------
    ValueError
        For a setting out of range, before anything runs.
    DivergenceError
        When a parameter or a gradient norm is no longer finite; it carries the result so far.
    WorkerError
        When a worker process raises or dies.
    ServerError
        When the owner of the parameters of a run on a cluster dies, or does not answer.

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> result = train(cliff_world(), total_steps=2_000, seed=1)
    >>> again = train(cliff_world(), total_steps=2_000, seed=1)
    >>> bool((result.theta == again.theta).all())
    True

    Stop as soon as the last 50 episodes return −20 on average:

    >>> def good_enough(so_far):
    ...     return so_far.episodes["total_return"][-50:].mean() >= -20
    >>> train(cliff_world(), callback=good_enough, callback_every=1_000).steps < 60_000
    True

    In processes, in a file of its own::

        if __name__ == "__main__":
            result = train(cliff_world(), runner="processes")
            assert replay(result) == result
    """
    asked, config = _checked(_world(world, compiled), config, model, total_steps, seed, stop_after)
    whole("callback_every", callback_every, 1, most=_NEVER)
    _check_processes(
        config, runner, schedule, start_method, on_worker_failure, checkpoint_path, checkpoint_every
    )
    cluster.check_asked(config, runner, ray_address)
    start = _load(resume_from)
    if start is None:
        initial = _initial(
            Job.fresh(asked, config, seed=seed), initial_theta, initial_values, initial_parameters
        )
    else:
        _check_same(start, asked, config, total_steps, seed)
        initial = _begun(start, initial_theta, initial_values, initial_parameters)
    if runner == "emulated":
        turns, order = _schedule(schedule, config, seed, start)
    else:
        turns, order = None, "recorded"
    stop_at = min(
        _NEVER if order == "given" else total_steps, _NEVER if stop_after is None else stop_after
    )
    job = Job(
        asked, config, int(total_steps), _plain(seed), initial["theta"],
        initial["values"] * config.reward_scale, None if start is None else start.state,
    )  # fmt: skip
    run = _Run(job, runner, order, stop_at, initial, start)
    # Interpreted kernels would warn where a run diverges; it is reported in its own words.
    with (
        np.errstate(all="ignore"),
        _bar(progress, min(stop_at, total_steps), 0 if start is None else start.steps) as bar,
    ):
        if turns is not None:
            return run.emulated(turns, bar, callback, callback_every)
        looks = _looks(callback, callback_every, checkpoint_path, checkpoint_every)
        where = ray_address if runner == "ray" else start_method
        return run.apart(where, on_worker_failure, bar, looks)


def _looks(
    callback: Look | None,
    callback_every: int,
    checkpoint_path: str | os.PathLike[str] | None,
    checkpoint_every: int | None,
) -> list[tuple[int, Look]]:
    """Return what is to look at a run in processes, and how often."""
    looks = [] if callback is None else [(callback_every, callback)]
    if checkpoint_path is not None and checkpoint_every is not None:
        looks.append((checkpoint_every, lambda so_far: so_far.save(checkpoint_path)))
    return looks


def _initial(job: Job, theta: Any, values: Any, parameters: Any) -> dict[str, NDArray[Any]]:
    """Return what a run begins with: what was given, or the job's own."""
    given = {
        "initial_theta": theta, "initial_values": values, "initial_parameters": parameters
    }  # fmt: skip
    for name, value in given.items():
        if isinstance(value, TrainingResult):
            raise ValueError(
                f"{name} is a TrainingResult; allowed: its tables, initial_theta=result.theta, "
                "initial_values=result.values, or its network, "
                "initial_parameters=result.parameters"
            )
    network = isinstance(job.world, Task)
    wrong = ("initial_theta", "initial_values") if network else ("initial_parameters",)
    for name in wrong:
        if given[name] is not None:
            raise ValueError(
                f"{name} is given for {'a network' if network else 'tables'}; allowed: "
                f"{'initial_parameters' if network else 'initial_theta and initial_values'}"
            )
    shape = job.theta.shape
    if parameters is not None:
        theta = finite("initial_parameters", parameters, (shape[1],))[None]
    return {
        "theta": finite("initial_theta", job.theta if theta is None else theta, shape),
        "values": finite("initial_values", job.V if values is None else values, shape[:1]),
    }


def _begun(start: TrainingResult, *given: Any) -> dict[str, NDArray[Any]]:
    """Return what a run that goes on began with; nothing else may be given for that."""
    if any(each is not None for each in given):
        raise ValueError("initial parameters are given with resume_from; allowed: either")
    return dict(start.initial)


class _Run:
    """One call of `train`: what was asked for, and how results are made of what came out."""

    def __init__(
        self,
        job: Job,
        runner: str,
        order: str | RandomSchedule,
        stop_at: int,
        initial: dict[str, NDArray[Any]],
        start: TrainingResult | None,
    ):
        self._job, self._runner = job, runner
        self._order, self._stop_at, self._initial, self._start = order, stop_at, initial, start

    def emulated(
        self, order: Schedule, on_progress: Any, callback: Look | None, callback_every: int
    ) -> TrainingResult:
        """Run in this process."""
        episodes: list[NDArray[Any]] = []
        updates: list[NDArray[Any]] = []
        with closing(TableCrew(self._job)) as crew:
            while True:
                before = crew.steps
                until = self._stop_at if callback is None else before + callback_every
                diverged, new_episodes, new_updates = emulated.run(
                    crew, order, min(until, self._stop_at), on_progress
                )
                episodes += new_episodes
                updates += new_updates
                result = self._result(episodes, updates, crew.state(), diverged)
                used_up = crew.steps < min(until, self._stop_at)  # the schedule, that is
                if crew.steps >= self._stop_at or used_up or (callback and callback(result)):
                    return result

    def apart(self, where: Any, *how: Any) -> TrainingResult:
        """Run with real workers: on a cluster of this address, or in processes made that way."""
        return (self.on_cluster if self._runner == "ray" else self.in_processes)(where, *how)

    def in_processes(
        self,
        start_method: str,
        on_worker_failure: str,
        on_progress: Any,
        looks: Sequence[tuple[int, Look]],
    ) -> TrainingResult:
        """Run in worker processes."""
        num_workers = self._job.config.num_workers
        processes.check_place(start_method)
        _check_made_anywhere(self._job.world, start_method)
        processes.warn_if_crowded(num_workers)
        team = TableTeam(self._job, self._stop_at)
        failures: list[WorkerError] = []

        def result_now(states: Mapping[int, State], diverged: bool) -> TrainingResult:
            episodes, updates = team.logged()
            own = dict(states)
            if len(own) < num_workers:
                own |= self._recomputed(set(range(num_workers)) - set(own), updates)
            return self._result([episodes], [updates], team.state(own), diverged, failures)

        def pause(every: int, look: Look) -> processes.Pause:
            return processes.Pause(every, lambda states: look(result_now(states, False)))

        try:
            outcome = processes.run(
                team,
                start_method=start_method,
                on_worker_failure=on_worker_failure,
                on_progress=on_progress,
                failures=failures,
                pauses=[pause(*each) for each in looks],
            )
            return result_now(outcome.states, outcome.diverged)
        finally:
            team.close()

    def on_cluster(
        self,
        address: str | None,
        on_worker_failure: str,
        on_progress: Any,
        looks: Sequence[tuple[int, Look]],
    ) -> TrainingResult:
        """Run on the machines of a cluster."""
        failures: list[WorkerError] = []

        def result_of(sight: cluster.Sight) -> TrainingResult:
            return self._result(
                sight.episodes, sight.updates, sight.state, sight.diverged, failures, sight.traffic
            )

        def pause(every: int, look: Look) -> cluster.Pause:
            return cluster.Pause(every, lambda sight: look(result_of(sight)))

        return result_of(
            cluster.run(
                self._job,
                self._stop_at,
                address=address,
                on_worker_failure=on_worker_failure,
                on_progress=on_progress,
                failures=failures,
                pauses=[pause(*each) for each in looks],
            )
        )

    def _recomputed(self, workers: set[int], updates: NDArray[Any]) -> dict[int, State]:
        """Return the memory that workers had after their last push, from the schedule alone."""
        config = self._job.config
        before = () if self._start is None else self._start.schedule
        order = Given(np.concatenate([before, updates["worker"]]).astype(np.int64))
        with closing(TableCrew(self._job)) as crew:
            emulated.run(crew, order, _NEVER, lambda steps: None)
            state = crew.state()
        own = config.optimizer == "rmsprop" and not config.shared_statistics
        return {w: state_of_worker(state, w, own) for w in workers}

    def _result(
        self,
        episodes: list[NDArray[Any]],
        updates: list[NDArray[Any]],
        state: State,
        diverged: bool,
        failures: list[WorkerError] | None = None,
        traffic: Mapping[str, float] | None = None,
    ) -> TrainingResult:
        start = self._start
        before_episodes = [] if start is None else [start.episodes]
        before_updates = [] if start is None else [start.updates]
        kind, asked = _kind(self._job.world)
        result = kind(
            **asked,
            config=self._job.config,
            seed=self._job.seed,
            total_steps=self._job.total_steps,
            runner=self._runner,
            episodes=joined(EPISODE_DTYPE, [*before_episodes, *episodes]),
            updates=joined(UPDATE_DTYPE, [*before_updates, *updates]),
            state=state,
            initial=self._initial,
            order=self._order,
            failures=tuple(
                {"worker": e.worker, "update": e.update, "reason": e.reason,
                 "inside_lock": e.inside_lock} for e in failures or ()
            ),
            traffic=traffic or {},
        )  # fmt: skip
        if diverged:
            raise DivergenceError(result)
        return result


def replay(result: TrainingResult) -> TrainingResult:
    """Run a recorded run again, in one process: equal bit for bit.

    Parameters
    ----------
    result : TrainingResult
        Of any atomic run.

    Returns
    -------
    TrainingResult
        With the same parameters, statistics, episodes and updates.

    Raises
    ------
    ValueError
        For a Hogwild run: without a lock, its schedule does not say what happened. For a run with a
        PyTorch module where another version is installed, or another kind of machine.

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> result = train(cliff_world(), total_steps=2_000, schedule="random")
    >>> again = replay(result)
    >>> bool((again.theta == result.theta).all() and (again.updates == result.updates).all())
    True
    """
    if not isinstance(result, TrainingResult):
        raise ValueError(
            f"result is {result!r}; allowed: a TrainingResult, such as TrainingResult.load(path)"
        )
    if result.config.update_mode == "hogwild" and result.runner == "processes":
        raise ValueError(
            "update_mode is 'hogwild': pushes without a lock overlap, and a list of them does not "
            "say what happened; allowed: 'atomic'"
        )
    if isinstance(result, NetworkResult):
        if isinstance(result.network, TorchModel):
            check_library(result.network)
        given = {"model": result.network, "initial_parameters": result.initial["theta"][0]}
    else:
        given = {
            "initial_theta": result.initial["theta"], "initial_values": result.initial["values"]
        }  # fmt: skip
    return train(
        result.world,
        result.config,
        total_steps=result.total_steps,
        seed=result.seed,
        schedule=result.schedule,
        **given,
    )


def _kind(asked: TableWorld | Task) -> tuple[type[TrainingResult], dict[str, Any]]:
    """Return which kind of result a run has, and what it says of the world."""
    if isinstance(asked, Task):
        return NetworkResult, {"world": asked.world, "network": asked.model}
    return TrainingResult, {"world": asked}


def _checked(
    world: TableWorld | ControlWorld, config: A3CConfig | None, model: Any,
    total_steps: int, seed: Seed, stop_after: int | None,
) -> tuple[TableWorld | Task, A3CConfig]:  # fmt: skip
    if config is None:
        config = A3CConfig() if isinstance(world, TableWorld) else network_config(world)
    if not isinstance(config, A3CConfig):
        raise ValueError(f"config is {config!r}; allowed: an A3CConfig")
    whole("total_steps", total_steps, 1, most=_NEVER)
    worker_seeds(seed, config.num_workers)
    asked = _asked(world, config, model, seed)
    affordable(
        f"a run of num_workers={config.num_workers:,} with rollout_length="
        f"{config.rollout_length!r} on {asked.num_states * asked.num_actions:,} parameters",
        memory_needed(asked, config),
    )
    if stop_after is not None:
        whole("stop_after", stop_after, 1, most=_NEVER, also="None or ")
    return asked, config


def _world(world: Any, compiled: bool) -> TableWorld | ControlWorld:
    """Return a world; an id of Gymnasium's gives the compiled one if there is one and it may."""
    if not isinstance(compiled, bool):
        raise ValueError(f"compiled is {short(compiled)}; allowed: True or False")
    if isinstance(world, (TableWorld, ControlWorld)):
        return world
    made = isinstance(world, str) or callable(world) or hasattr(world, "reset")
    if made and world is not TableWorld:
        return control_world(world, compiled)
    raise ValueError(
        f"world is {short(world)}; allowed: a TableWorld, such as cliff_world() or "
        "TableWorld.from_gymnasium('FrozenLake-v1'), a ControlWorld, such as cart_pole(), the id "
        "of a Gymnasium environment, or a function that returns a new one"
    )


def _check_made_anywhere(asked: TableWorld | Task, start_method: str) -> None:
    """Check that another process can make the environment, and the network."""
    if start_method == "fork" or not isinstance(asked, Task):
        return
    for what, sent, allowed in (
        (f"world is made by {short(asked.world.make)}", asked.world.make, "an id, a function"),
        (f"model is {asked.model!r}", asked.model, "a class"),
    ):
        try:
            pickle.dumps(sent)
        except Exception as error:
            raise ValueError(
                f"{what}, which worker processes cannot be sent ({error}); allowed: {allowed} of a "
                "module, or start_method='fork'"
            ) from None


def _asked(
    world: TableWorld | ControlWorld, config: A3CConfig, model: Any, seed: Seed
) -> TableWorld | Task:
    """Return the table, or the network and its world, that a run is to learn."""
    if isinstance(world, TableWorld):
        if model is not None:
            raise ValueError(
                f"model is {model!r} with a TableWorld; allowed: None, or "
                "train(one_hot(world), model=...)"
            )
        return world
    model = MLP() if model is None else model
    if not isinstance(model, (MLP, TorchModel)):
        if not callable(model) or (isinstance(model, type) and issubclass(model, MLP)):
            raise ValueError(
                f"model is {short(model)}; allowed: an MLP, such as MLP(hidden=(32, 32)), or a "
                "Convolutional, both of a3c_tut.networks, or a torch.nn.Module"
            )
        model = torch_model(model, world, network_seed(seed, config.num_workers))
    if config.critic == "global":
        raise ValueError(
            "critic is 'global' with a network, whose critic shares its layers with the actor; "
            "allowed: 'local'"
        )
    for lr in config.per_worker("actor_lr"):
        if lr == 0:
            raise ValueError(
                "actor_lr is 0 with a network, where critic_lr / actor_lr weighs the critic; "
                "allowed: a number above 0"
            )
    return Task(world, model)


def _check_processes(
    config: A3CConfig,
    runner: str,
    schedule: object,
    start_method: str,
    on_worker_failure: str,
    checkpoint_path: str | os.PathLike[str] | None,
    checkpoint_every: int | None,
) -> None:
    """Check what only real processes know."""
    one_of("runner", runner, ("emulated", "processes", "ray"))
    one_of("start_method", start_method, processes.START_METHODS)
    one_of("on_worker_failure", on_worker_failure, ("raise", "continue"))
    if (checkpoint_path is None) != (checkpoint_every is None):
        raise ValueError(
            f"checkpoint_path is {checkpoint_path!r} and checkpoint_every is {checkpoint_every!r}; "
            "allowed: both or none"
        )
    if checkpoint_every is not None:
        whole("checkpoint_every", checkpoint_every, 1, most=_NEVER, also="None or ")
    if runner == "emulated":
        if checkpoint_path is not None:
            raise ValueError(
                "checkpoint_path is given with runner='emulated'; allowed: runner='processes', or "
                "stop_after, save and resume_from"
            )
        return
    if schedule is not None:
        raise ValueError(
            f"schedule is {schedule!r} with runner={runner!r}, which records its own; allowed: None"
        )
    if checkpoint_path is not None:
        check_folder(os.path.dirname(os.path.abspath(checkpoint_path)))
    if config.update_mode == "hogwild":
        if not COMPILED:
            raise ValueError(
                "update_mode is 'hogwild' without Numba, whose atomic operations it needs; "
                "allowed: 'atomic', or install numba"
            )
        if on_worker_failure == "continue":
            raise ValueError(
                "on_worker_failure is 'continue' with update_mode='hogwild', where what a dead "
                "worker left half done cannot be undone; allowed: 'raise'"
            )


def _plain(seed: Seed) -> Seed:
    return int(seed) if isinstance(seed, (int, np.integer)) else tuple(int(s) for s in seed)


def _schedule(
    schedule: str | RandomSchedule | ArrayLike | None,
    config: A3CConfig,
    seed: Seed,
    start: TrainingResult | None,
) -> tuple[Schedule, str | RandomSchedule]:
    """Return the schedule, and its name in the result; a run that goes on keeps its own."""
    if schedule is None and start is not None:
        if start.order == "given":
            raise ValueError(
                "schedule is None, but resume_from ran a given list; allowed: that list, whole"
            )
        schedule = "round_robin" if start.order == "recorded" else start.order
    if schedule is None or (isinstance(schedule, str) and schedule == "round_robin"):
        return RoundRobin(config.num_workers), "round_robin"
    if isinstance(schedule, str):
        if schedule != "random":
            raise ValueError(
                f"schedule is {schedule!r}; allowed: 'round_robin', 'random', a RandomSchedule or "
                "a list of worker ids"
            )
        schedule = RandomSchedule()
    if isinstance(schedule, RandomSchedule):
        # Child number N of the seed; children 0 .. N − 1 are the workers'.
        entropy = np.random.SeedSequence(seed)
        own = entropy.spawn(config.num_workers + 1)[-1]
        return schedule.seeded(config.num_workers, own), schedule
    given = check_given(schedule, config.num_workers)
    if start is not None and not np.array_equal(
        given.workers[: len(start.schedule)], start.schedule
    ):
        raise ValueError(
            "schedule does not begin with the schedule of resume_from; allowed: the whole list, "
            "of which the first part has been run"
        )
    return given, "given"


def _load(given: TrainingResult | str | os.PathLike[str] | None) -> TrainingResult | None:
    return (
        given
        if given is None or isinstance(given, TrainingResult)
        else (TrainingResult.load(given))
    )


def _check_same(
    start: TrainingResult,
    asked: TableWorld | Task,
    config: A3CConfig,
    total_steps: int,
    seed: Seed,
) -> None:
    """Say what differs between a run and the one it is to continue, or why none can."""
    if isinstance(asked, Task) and asked.world.motion == OUTSIDE:
        raise ValueError(
            f"resume_from is given for {asked.world.name!r}, whose environment keeps its own "
            "state; allowed: a new run that begins with what that one learned: "
            "initial_parameters=result.parameters"
        )
    if isinstance(asked, Task):
        same_world = isinstance(start, NetworkResult) and start.world == asked.world
        if isinstance(start, NetworkResult) and start.network != asked.model:
            raise ValueError(f"model is {asked.model!r}; allowed with this resume_from: "
                             f"{start.network!r}")  # fmt: skip
    else:
        same_world = (
            not isinstance(start, NetworkResult)
            and all(
                np.array_equal(getattr(start.world, name), getattr(asked, name))
                for name in WORLD_ARRAYS
            )
            and start.world.max_episode_steps == asked.max_episode_steps
        )
    if not same_world:
        raise ValueError("world differs from that of resume_from; allowed: the same world")
    now = {**config.as_dict(), "total_steps": total_steps, "seed": np.asarray(seed).tolist()}
    before = {**start.config.as_dict(), "total_steps": start.total_steps,
              "seed": np.asarray(start.seed).tolist()}  # fmt: skip
    for name, value in now.items():
        if value != before[name]:
            raise ValueError(
                f"{name} is {value!r}; allowed with this resume_from: {before[name]!r}, or a "
                "new run that begins with what that one learned: initial_theta=result.theta, "
                "initial_values=result.values"
            )


class _bar:  # noqa: N801
    """A progress bar over environment steps, or nothing."""

    def __init__(self, shown: bool, total: int, done: int):
        from tqdm.auto import tqdm

        self._bar = tqdm(total=total, initial=done, unit="step", unit_scale=True,
                         disable=not shown)  # fmt: skip

    def __enter__(self) -> Any:
        return lambda steps: self._bar.update(min(steps, self._bar.total) - self._bar.n)

    def __exit__(self, *_: object) -> None:
        self._bar.close()
