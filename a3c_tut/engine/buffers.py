"""The memory of a run on tables: what all workers share, and what is one worker's own.

Section 2.1 tells the shared parameters (θ, w) from a worker's copy (θ', w'). Here they are arrays
in named tuples, which compiled and interpreted code read alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from a3c_tut.config import A3CConfig
from a3c_tut.engine.kernels import (
    Gradient,
    Rollout,
    WorldArrays,
    make_gradient,
    make_rollout,
)
from a3c_tut.engine.log import Log
from a3c_tut.worlds import TableWorld

#: Shared counters, in one array because atomic operations need a place in one.
STEPS, UPDATES, ROWS_PUSHED = 0, 1, 2

#: A worker's counters, in the order in which they stand side by side in a saved state.
COUNTERS = (
    "worker", "state", "episode_steps", "own_steps", "pushes_since_sync", "synced_at", "rows_seen",
    "cursor", "uniforms_used",
)  # fmt: skip


class Settings(NamedTuple):
    """The numbers of an `A3CConfig`, in the form that compiled code takes.

    Examples
    --------
    >>> settings = make_settings(A3CConfig(num_workers=2, rollout_length=(5, 20)), 1_000)
    >>> settings.rollout_length.tolist(), settings.window  # 0: no fixed n
    ([5, 20], 0)
    """

    rollout_length: NDArray[np.int64]  # (N,)
    entropy_coef: NDArray[np.float64]  # (N,)
    gamma: float
    gae_lambda: float
    window: int
    global_critic: bool
    actor_lr: NDArray[np.float64]  # (N,)
    critic_lr: NDArray[np.float64]  # (N,)
    max_grad_norm: float
    rmsprop: bool
    rmsprop_decay: float
    rmsprop_epsilon: float
    anneal_global: bool
    anneal_per_worker: bool
    anneal_shares: NDArray[np.float64]  # (K,): the corners of a schedule given as pairs, or none
    anneal_factors: NDArray[np.float64]  # (K,)
    sync_every: int
    hogwild: bool
    num_workers: int
    total_steps: int
    numbers_at_start: int  # random numbers that the start of an episode may use
    numbers_per_step: int  # and a step


class Shared(NamedTuple):
    """What every worker sees: the parameters, the counters, the rows pushed lately.

    Examples
    --------
    >>> shared = make_shared(np.zeros((48, 4)), np.zeros(48))
    >>> # 64: the next power of two
    >>> shared.counters.tolist(), shared.touched.shape
    ([0, 0, 0], (64,))
    """

    theta: NDArray[np.float64]  # (S, A)
    V: NDArray[np.float64]  # (S,)
    counters: NDArray[np.int64]  # STEPS, UPDATES, ROWS_PUSHED
    touched: NDArray[np.int64]  # ring of the rows pushed; row i of state s is noted as i · S + s


class Statistics(NamedTuple):
    """RMSprop's memory: one owner if it is shared, one owner per worker if not (Section 2.3).

    Examples
    --------
    >>> make_statistics(owners=3, num_states=48, num_actions=4).square_theta.shape
    (3, 48, 4)
    """

    square_theta: NDArray[np.float64]  # (owners, S, A)
    square_V: NDArray[np.float64]  # (owners, S)
    last_update: NDArray[np.int64]  # (owners, S)
    updates: NDArray[np.int64]  # (owners,)


class Local(NamedTuple):
    """What is one worker's own; the first axis is the worker.

    Examples
    --------
    >>> me = make_local([0, 1], np.zeros((48, 4)), np.zeros(48), num_uniforms=100)
    >>> me.theta.shape, me.worker.tolist()
    ((2, 48, 4), [0, 1])
    """

    theta: NDArray[np.float64]  # (N, S, A): θ' of Section 2.1
    V: NDArray[np.float64]  # (N, S): w' of Section 2.1
    worker: NDArray[np.int64]  # (N,), like all below but the last: the worker's id
    state: NDArray[np.int64]  # where its walker stands
    episode_steps: NDArray[np.int64]  # of the episode under way; 0: one begins
    own_steps: NDArray[np.int64]  # that it has pushed so far
    pushes_since_sync: NDArray[np.int64]
    synced_at: NDArray[np.int64]  # the number of shared updates when its copy was refreshed
    rows_seen: NDArray[np.int64]  # how many of the rows pushed its copy knows
    cursor: NDArray[np.int64]  # the first of its uniforms that is not used
    uniforms_used: NDArray[np.int64]  # of its random stream, since the beginning
    episode_return: NDArray[np.float64]  # of the episode under way, in the world's units
    uniforms: NDArray[np.float64]  # (N, B): the next numbers of its random stream
    walker: NDArray[np.float64]  # (N, K): where its walker is, in a world that is no table


class Scratch(NamedTuple):
    """Room for one turn.

    Examples
    --------
    >>> from a3c_tut.worlds import cliff_world
    >>> scratch = make_scratch(A3CConfig(rollout_length=20), cliff_world())
    >>> scratch.rollout.actions.shape, scratch.gradient.theta.shape
    ((20,), (20, 4))
    """

    rollout: Rollout
    gradient: Gradient


class Run(NamedTuple):
    """All that a turn reads and writes.

    Examples
    --------
    >>> from a3c_tut.engine.crew import make_run
    >>> from a3c_tut.worlds import cliff_world
    >>> run = make_run(cliff_world(), A3CConfig())
    >>> run.shared.theta.shape, run.me.theta.shape
    ((48, 4), (3, 48, 4))
    """

    world: WorldArrays
    settings: Settings
    shared: Shared
    statistics: Statistics
    me: Local
    scratch: Scratch
    log: Log


def world_arrays(world: TableWorld, config: A3CConfig) -> WorldArrays:
    """Turn a world into what the kernels read.

    Parameters
    ----------
    world : TableWorld
    config : A3CConfig
        For its reward scale and its time limit, if it has one.

    Examples
    --------
    >>> from a3c_tut.worlds import cliff_world
    >>> world_arrays(cliff_world(), A3CConfig()).start_states.tolist()
    [36]
    """
    start_states = np.flatnonzero(world.start)
    return WorldArrays(
        next_state=world.next_state,
        cumulative=_cumulative(world.probability),
        reward=world.reward,
        terminated=world.terminated,
        start_states=start_states.astype(np.int64),
        start_cumulative=_cumulative(world.start[start_states]),
        max_episode_steps=int(config.max_episode_steps or world.max_episode_steps),
        reward_scale=float(config.reward_scale),
    )


def _cumulative(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return running sums that are exactly 1 from the last possible outcome on.

    Rounding may leave them a little below, and a number from [0, 1) could then pick an outcome of
    probability 0.
    """
    sums = np.cumsum(probability, axis=-1)
    still_to_come = np.cumsum(probability[..., ::-1], axis=-1)[..., ::-1] - probability
    sums[still_to_come == 0.0] = 1.0
    return sums


def make_settings(
    config: A3CConfig, total_steps: int, numbers_at_start: int = 1, numbers_per_step: int = 2
) -> Settings:
    """Turn a configuration into what the kernels read.

    Parameters
    ----------
    config : A3CConfig
    total_steps : int, environment steps of the whole run: what annealing is measured by
    numbers_at_start, numbers_per_step : int
        Random numbers that a start and a step may use; in a table one, and two: action and outcome.

    Examples
    --------
    >>> settings = make_settings(A3CConfig(max_grad_norm=None, lr_anneal="global"), 1_000)
    >>> settings.max_grad_norm, settings.anneal_global, settings.anneal_per_worker
    (inf, True, False)
    """
    limit = config.max_grad_norm
    points = np.array(
        config.lr_anneal if isinstance(config.lr_anneal, tuple) else (), dtype=np.float64
    ).reshape(-1, 2)
    return Settings(
        rollout_length=np.array(config.per_worker("rollout_length"), dtype=np.int64),
        entropy_coef=np.array(config.per_worker("entropy_coef"), dtype=np.float64),
        gamma=float(config.gamma),
        gae_lambda=float(config.gae_lambda),
        window=int(config.window or 0),
        global_critic=config.critic == "global",
        actor_lr=np.array(config.per_worker("actor_lr"), dtype=np.float64),
        critic_lr=np.array(config.per_worker("critic_lr"), dtype=np.float64),
        max_grad_norm=float("inf") if limit is None else float(limit),
        rmsprop=config.optimizer == "rmsprop",
        rmsprop_decay=float(config.rmsprop_decay),
        rmsprop_epsilon=float(config.rmsprop_epsilon),
        anneal_global=config.lr_anneal == "global",
        anneal_per_worker=config.lr_anneal == "per_worker",
        anneal_shares=points[:, 0].copy(),
        anneal_factors=points[:, 1].copy(),
        sync_every=int(config.sync_every),
        hogwild=config.update_mode == "hogwild",
        num_workers=int(config.num_workers),
        total_steps=int(total_steps),
        numbers_at_start=int(numbers_at_start),
        numbers_per_step=int(numbers_per_step),
    )


def make_scratch(config: A3CConfig, world: TableWorld) -> Scratch:
    """Make room for the longest rollout of any worker of this configuration, on this world.

    Parameters
    ----------
    config : A3CConfig
    world : TableWorld

    Examples
    --------
    >>> from a3c_tut.worlds import cliff_world
    >>> config = A3CConfig(num_workers=2, rollout_length=(5, 20))
    >>> make_scratch(config, cliff_world()).rollout.rewards.shape
    (20,)
    """
    n, states, actions = config.longest_rollout, world.num_states, world.num_actions
    return Scratch(
        make_rollout(n, actions), make_gradient(most_rows(config, states), states, actions)
    )


def most_rows(config: A3CConfig, num_states: int) -> int:
    """Return how many rows of the table one push can change at most.

    Parameters
    ----------
    config : A3CConfig
    num_states : int

    Examples
    --------
    >>> most_rows(A3CConfig(rollout_length=20), 48), most_rows(A3CConfig(rollout_length=20), 3)
    (20, 3)
    """
    return min(config.longest_rollout, num_states)


def make_shared(theta: NDArray[np.float64], V: NDArray[np.float64]) -> Shared:
    """Make the shared tables from their initial values; the ring holds at least S rows.

    Parameters
    ----------
    theta, V : (S, A) and (S,)
        Copied; V in learning units.

    Examples
    --------
    >>> theta = np.zeros((48, 4))
    >>> shared = make_shared(theta, np.zeros(48))
    >>> shared.theta[36, 0] = 1.0
    >>> float(theta[36, 0])
    0.0
    """
    return Shared(
        theta.copy(), V.copy(), np.zeros(3, dtype=np.int64), np.zeros(ring_size(len(V)), np.int64)
    )


def ring_size(num_states: int) -> int:
    """Return the size of the ring of touched rows: a power of two, at least S.

    Examples
    --------
    >>> ring_size(48), ring_size(1000)
    (64, 1024)
    """
    return max(64, 1 << (num_states - 1).bit_length())


def make_statistics(owners: int, num_states: int, num_actions: int) -> Statistics:
    """Make RMSprop's memory, all 0, for so many owners.

    Parameters
    ----------
    owners, num_states, num_actions : int
        0 owners for SGD, 1 where the memory is shared, else one per worker.

    Examples
    --------
    >>> make_statistics(1, 48, 4).last_update.shape
    (1, 48)
    """
    return Statistics(
        np.zeros((owners, num_states, num_actions)),
        np.zeros((owners, num_states)),
        np.zeros((owners, num_states), dtype=np.int64),
        np.zeros(owners, dtype=np.int64),
    )


def make_local(
    workers: Sequence[int],
    theta: NDArray[np.float64],
    V: NDArray[np.float64],
    num_uniforms: int,
    walker_size: int = 0,
) -> Local:
    """Make the memory of some workers; each starts from the initial values (Section 2.1).

    Parameters
    ----------
    workers : sequence of ids
    theta, V : (S, A) and (S,)
    num_uniforms : int, room for so many random numbers per worker
    walker_size : int, numbers that say where a walker is, in a world that is no table

    Examples
    --------
    >>> V = np.arange(3.0)
    >>> me = make_local([0, 1], np.zeros((3, 2)), V, num_uniforms=11)
    >>> me.V.tolist()
    [[0.0, 1.0, 2.0], [0.0, 1.0, 2.0]]
    """
    count = len(workers)
    local = Local(
        theta=np.repeat(theta[None], count, axis=0),
        V=np.repeat(V[None], count, axis=0),
        episode_return=np.zeros(count),
        uniforms=np.zeros((count, num_uniforms)),
        walker=np.zeros((count, walker_size)),
        **{name: np.zeros(count, dtype=np.int64) for name in COUNTERS},
    )
    local.worker[:] = workers
    local.cursor[:] = num_uniforms  # nothing drawn yet: refill before the first turn
    return local
