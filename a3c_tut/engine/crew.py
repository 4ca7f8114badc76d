"""All workers of a run in one process: what the emulated runner drives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from a3c_tut.config import A3CConfig
from a3c_tut.control import OUTSIDE
from a3c_tut.engine import checkpoint, network_turn, outside, torch_turn
from a3c_tut.engine.buffers import (
    STEPS,
    UPDATES,
    Local,
    Run,
    Settings,
    make_local,
    make_scratch,
    make_settings,
    make_shared,
    make_statistics,
    world_arrays,
)
from a3c_tut.engine.log import (
    EPISODE_DTYPE,
    EPISODE_ROW,
    LOG_ROWS,
    UPDATE_DTYPE,
    UPDATE_ROW,
    drain,
    make_log,
    published,
)
from a3c_tut.engine.motion import control_arrays, numbers_for
from a3c_tut.engine.protocol import DIVERGED, NEEDS_UNIFORMS
from a3c_tut.engine.streams import (
    Seed,
    UniformStream,
    network_seed,
    refill,
    uniforms_ahead,
    worker_seeds,
)
from a3c_tut.engine.turn import take_turns
from a3c_tut.networks import Task, initial_parameters
from a3c_tut.torch_modules import TorchModel
from a3c_tut.worlds import TableWorld


@dataclass(frozen=True)
class Job:
    """What a run is asked for.

    Attributes
    ----------
    world : TableWorld or Task
    config, total_steps, seed : as in `train`
    theta, V : (S, A) and (S,)
        Initial tables; V in learning units. A network's parameters are a table of one row, beside
        which V is not used.
    state : mapping of arrays, optional
        Of an earlier run: go on from there.

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> Job.fresh(cliff_world(), A3CConfig(), total_steps=100).theta.shape
    (48, 4)
    """

    world: TableWorld | Task
    config: A3CConfig
    total_steps: int
    seed: Seed
    theta: NDArray[np.float64]
    V: NDArray[np.float64]
    state: Mapping[str, NDArray[Any]] | None = None

    @classmethod
    def fresh(
        cls, world: TableWorld | Task, config: A3CConfig, total_steps: int = 1_000, seed: Seed = 0
    ) -> Job:
        """Return a job that begins with tables of zeros, or with a network drawn at random.

        Parameters
        ----------
        world : TableWorld or Task
        config : A3CConfig
        total_steps : int from 1
        seed : int from 0, or one per worker
        """
        theta = np.zeros((world.num_states, world.num_actions))
        if isinstance(world, Task):
            own = network_seed(seed, config.num_workers)
            theta[0] = initial_parameters(world.model, world.world, own)
        return cls(world, config, total_steps, seed, theta, np.zeros(world.num_states))


def world_of(job: Job) -> tuple[Any, Settings, Any, int]:
    """Return what a turn reads of a job, room for it, and how many numbers a walker is.

    Parameters
    ----------
    job : Job

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> world, settings, scratch, walker_size = world_of(Job.fresh(cliff_world(), A3CConfig()))
    >>> scratch.rollout.actions.shape, walker_size
    ((3,), 0)
    """
    config, world = job.config, job.world
    if isinstance(world, TableWorld):
        return (
            world_arrays(world, config),
            make_settings(config, job.total_steps),
            make_scratch(config, world),
            0,
        )
    at_start, per_step = numbers_for(world.world)
    return (
        control_arrays(world.world, config),
        make_settings(config, job.total_steps, at_start, per_step),
        network_turn.make_network_scratch(config, world),
        world.world.walker_size,
    )


def outsides_of(job: Job, workers: Sequence[int]) -> dict[int, outside.Outside]:
    """Make the environments of some workers of a job, where they step in Python.

    Parameters
    ----------
    job : Job
    workers : sequence of ids

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> outsides_of(Job.fresh(cliff_world(), A3CConfig()), [0, 1])
    {}
    """
    if not isinstance(job.world, Task) or job.world.world.motion != OUTSIDE:
        return {}
    seeds = worker_seeds(job.seed, job.config.num_workers)
    return {worker: outside.Outside(job.world.world, seeds[worker]) for worker in workers}


def interpreted_parts(job: Job, outsides: dict[int, outside.Outside]) -> SimpleNamespace | None:
    """Return the functions of a turn, some of them interpreted; None where all are compiled.

    Parameters
    ----------
    job : Job
    outsides : from `outsides_of`

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> interpreted_parts(Job.fresh(cliff_world(), A3CConfig()), {}) is None
    True
    """
    if isinstance(job.world, Task) and isinstance(job.world.model, TorchModel):
        return torch_turn.parts_of_a_turn(torch_turn.TorchNetwork(job.world.model), outsides)
    return outside.parts_of_a_turn(outsides) if outsides else None


def local_of(job: Job, workers: Sequence[int], walker_size: int) -> Local:
    """Make the memory of some workers of a job.

    Parameters
    ----------
    job : Job
    workers : sequence of ids
    walker_size : int, from `world_of`

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> local_of(Job.fresh(cliff_world(), A3CConfig()), [2], 0).theta.shape
    (1, 48, 4)
    """
    numbers = uniforms_ahead(job.config.longest_rollout)
    return make_local(workers, job.theta, job.V, numbers, walker_size)


def memory_needed(world: TableWorld | Task, config: A3CConfig) -> int:
    """Return about how many bytes a run needs, in one process or in several.

    Parameters
    ----------
    world : TableWorld or Task
    config : A3CConfig

    Examples
    --------
    A worker's random numbers are most of it, where the world is small:

    >>> from a3c_tut import cliff_world
    >>> one, two = (memory_needed(cliff_world(), A3CConfig(num_workers=n)) for n in (1, 2))
    >>> 300_000 < two - one < 3_000_000
    True
    """
    table = 8 * world.num_states * (world.num_actions + 1)
    places = 8 * world.num_states
    if isinstance(world, TableWorld):
        rollout = 8 * config.longest_rollout * (4 * world.num_actions + 8)
    else:
        where = world.layout
        step = int(where.sizes[0]) + 2 * where.num_hidden + 5 * where.num_outputs + 8
        rollout = 8 * (config.longest_rollout * step + 4 * where.num_parameters)
    numbers = 8 * uniforms_ahead(config.longest_rollout)
    log = sum(dtype.itemsize * LOG_ROWS for dtype in (EPISODE_ROW, UPDATE_ROW))
    shared = table + 2 * places + statistics_owners(config) * (table + places)
    return shared + config.num_workers * (table + 2 * places + 2 * rollout + numbers + log)


class TableCrew:
    """All workers of a run in one process, taking turns in a given order.

    Parameters
    ----------
    job : Job
    loop, extra : optional
        A `turn.variant`, and what its hooks work on.

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> crew = TableCrew(Job.fresh(cliff_world(), A3CConfig(rollout_length=5)))
    >>> diverged, episodes, updates = crew.take_turns(np.array([0, 2, 0]), stop_at=100)
    >>> updates["worker"].tolist(), updates["staleness"].tolist()
    ([0, 2, 0], [0, 1, 1])
    >>> crew.steps, crew.num_updates, crew.state()["counters"].tolist()[:2]
    (15, 3, [15, 3])
    """

    def __init__(self, job: Job, loop: Callable[..., Any] | None = None, extra: Any = ()):
        config = job.config
        self._outsides = outsides_of(job, range(config.num_workers))
        self._loop, self._extra = loop or self._own_loop(job), extra
        world, settings, scratch, walker_size = world_of(job)
        self.run = Run(
            world,
            settings,
            make_shared(job.theta, job.V),
            make_statistics(statistics_owners(config), *job.theta.shape),
            local_of(job, range(config.num_workers), walker_size),
            scratch,
            make_log(),
        )
        if job.state is not None:
            checkpoint.restore_shared(job.state, self.run.shared, self.run.statistics)
            checkpoint.restore_local(job.state, self.run.shared, self.run.statistics, self.run.me)
        seeds = worker_seeds(job.seed, config.num_workers)
        used = self.run.me.uniforms_used.tolist()
        self._streams = [UniformStream(*each) for each in zip(seeds, used, strict=True)]

    def _own_loop(self, job: Job) -> Callable[..., Any]:
        if not isinstance(job.world, Task):
            return take_turns
        parts = interpreted_parts(job, self._outsides)
        if parts is None:
            return network_turn.take_turns
        return outside.interpreted(network_turn.take_turns, prepare=parts.prepare)

    @property
    def steps(self) -> int:
        """Environment steps pushed so far, by all workers."""
        return int(self.run.shared.counters[STEPS])

    @property
    def num_updates(self) -> int:
        """Pushes so far, by all workers."""
        return int(self.run.shared.counters[UPDATES])

    def refill(self) -> None:
        """Draw random numbers for the workers that have used some.

        Examples
        --------
        >>> from a3c_tut import cliff_world
        >>> crew = TableCrew(Job.fresh(cliff_world(), A3CConfig()))
        >>> crew.refill()
        >>> crew.run.me.cursor.tolist()
        [0, 0, 0]
        """
        for index, stream in enumerate(self._streams):
            if self.run.me.cursor[index] > 0:
                refill(self.run.me, index, stream)

    def take_turns(
        self, schedule: NDArray[np.int64], stop_at: int
    ) -> tuple[bool, NDArray[Any], NDArray[Any]]:
        """Take whole turns in this order, until it, the steps or the room for the log is used up.

        Parameters
        ----------
        schedule : (U,) ints, whose turn it is
        stop_at : int, the push that brings the shared step counter here is the last

        Returns
        -------
        diverged : bool
            Whether the last of these turns wrote a parameter that is not finite.
        episodes, updates : structured arrays
            The rows that these turns logged.
        """
        turn, why = self._loop(self.run, schedule, 0, stop_at, self._extra)
        while why == NEEDS_UNIFORMS:
            index = int(schedule[turn])
            refill(self.run.me, index, self._streams[index])
            turn, why = self._loop(self.run, schedule, turn, stop_at, self._extra)
        episodes, updates = drain(self.run.log)
        return (
            why == DIVERGED, published(EPISODE_DTYPE, episodes), published(UPDATE_DTYPE, updates)
        )  # fmt: skip

    def close(self) -> None:
        """Close the workers' environments, where they have any.

        Examples
        --------
        >>> from a3c_tut import cliff_world
        >>> TableCrew(Job.fresh(cliff_world(), A3CConfig())).close()
        """
        for each in self._outsides.values():
            each.close()

    def state(self) -> dict[str, NDArray[Any]]:
        """Return all that a later run needs to go on as if this one had never stopped."""
        return {
            **checkpoint.snapshot_shared(self.run.shared, self.run.statistics),
            **checkpoint.snapshot_local(self.run.me, None),
        }


def make_run(
    world: TableWorld | Task, config: A3CConfig, total_steps: int = 1_000, seed: Seed = 0
) -> Run:
    """Make what the functions of a turn take, random numbers drawn: for turns taken by hand.

    Parameters
    ----------
    world : TableWorld or Task
    config : A3CConfig
    total_steps : int from 1
    seed : int from 0, or one per worker

    Returns
    -------
    Run
        All its tables are 0; a network's parameters are drawn.

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> run = make_run(cliff_world(), A3CConfig(num_workers=2))
    >>> take_turns(run, np.array([0, 1, 0]), 0, 1_000, ())
    (3, 0)
    """
    crew = TableCrew(Job.fresh(world, config, total_steps, seed))
    crew.refill()
    return crew.run


def statistics_owners(config: A3CConfig) -> int:
    """Return how many copies of the optimizer's statistics a run has.

    Examples
    --------
    >>> [statistics_owners(A3CConfig(optimizer=o, shared_statistics=s))
    ...  for o, s in (("sgd", True), ("rmsprop", True), ("rmsprop", False))]
    [0, 1, 3]
    """
    if config.optimizer == "sgd":
        return 0
    return 1 if config.shared_statistics else config.num_workers
