"""A table learner's memory, and one turn of one worker (Sections 2.1 and 2.2).

What all workers share (`Shared`, `Statistics`) is told apart from what is one worker's own
(`Local`). A turn is two halves: `prepare` (rollout → advantages → gradient) touches only what is
the worker's own; `push` (clip → optimizer → sync → log) is the only part that others can see, and
has to run under a lock where there are several processes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from a3c_tut.atomics import fetch_add, load, read, store
from a3c_tut.compiling import fetch_early, kernel
from a3c_tut.config import A3CConfig
from a3c_tut.kernels import (
    CACHED_STATES,
    Gradient,
    Rollout,
    WorldArrays,
    accumulate_gradients,
    apply_rmsprop,
    apply_sgd,
    clip_gradients,
    collect_rollout,
    compute_n_step_advantages,
    gradient_norm,
    make_gradient,
    make_rollout,
)
from a3c_tut.signals import DIVERGED, DONE, FINISHED, LOG_FULL, NEEDS_UNIFORMS
from a3c_tut.worlds import TableWorld

# Shared counters.
STEPS, UPDATES, ROWS_PUSHED = 0, 1, 2
# Between the two halves of a turn.
WAITS, LENGTH, TERMINATED, TRUNCATED, CURSOR_AFTER, NUM_ROWS = 0, 1, 2, 3, 4, 5
TOTAL_REWARD, MEAN_ENTROPY, GRAD_NORM = 0, 1, 2
# A worker's own counters.
WORKER, STATE, EPISODE_STEPS, OWN_STEPS = 0, 1, 2, 3
PUSHES_SINCE_SYNC, SYNCED_AT, ROWS_SEEN, CURSOR, UNIFORMS_USED = 4, 5, 6, 7, 8

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

#: Name, type and shape of the arrays of a `Log`.
#:
#: :meta hide-value:
LOG_LAYOUT: dict[str, tuple[Any, tuple[int, ...]]] = {
    "episodes": (EPISODE_DTYPE, (LOG_ROWS,)),
    "updates": (UPDATE_DTYPE, (LOG_ROWS,)),
    "episode_update": (np.int64, (LOG_ROWS,)),
    "update_number": (np.int64, (LOG_ROWS,)),
    "filled": (np.int64, (2,)),
    "drained": (np.int64, (2,)),
}


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
    window: int
    global_critic: bool
    actor_lr: float
    critic_lr: float
    max_grad_norm: float
    rmsprop: bool
    rmsprop_decay: float
    rmsprop_epsilon: float
    anneal_global: bool
    anneal_per_worker: bool
    sync_every: int
    hogwild: bool
    num_workers: int
    total_steps: int


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
    >>> me.theta.shape, me.counters[:, WORKER].tolist()
    ((2, 48, 4), [0, 1])
    """

    theta: NDArray[np.float64]  # (N, S, A): θ' of Section 2.1
    V: NDArray[np.float64]  # (N, S): w' of Section 2.1
    counters: NDArray[np.int64]  # (N, 9)
    episode_return: NDArray[np.float64]  # (N,), of the episode under way, in the world's units
    uniforms: NDArray[np.float64]  # (N, B): the next numbers of the worker's random stream


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

    episodes: NDArray[Any]
    updates: NDArray[Any]
    episode_update: NDArray[np.int64]  # the number of the update that brought the episode
    update_number: NDArray[np.int64]  # the number of the update
    filled: NDArray[np.int64]  # (2,): episodes and updates ever written
    drained: NDArray[np.int64]  # (2,): episodes and updates ever taken out


class Turn(NamedTuple):
    """What stands between the two halves of a turn.

    Examples
    --------
    >>> from a3c_tut.worker import turn_arguments
    >>> from a3c_tut.worlds import cliff_world
    >>> world, settings, _, _, me, scratch, _ = turn_arguments(cliff_world(), A3CConfig())
    >>> prepare(world, settings, me, 0, scratch)
    >>> int(scratch.turn.whole[LENGTH]), int(scratch.turn.whole[TERMINATED])
    (5, 0)
    """

    whole: NDArray[np.int64]  # (6,): WAITS, LENGTH, TERMINATED, TRUNCATED, CURSOR_AFTER, NUM_ROWS
    real: NDArray[np.float64]  # (3,): TOTAL_REWARD, MEAN_ENTROPY, GRAD_NORM


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
    turn: Turn


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


def make_settings(config: A3CConfig, total_steps: int) -> Settings:
    """Turn a configuration into what the kernels read.

    Parameters
    ----------
    config : A3CConfig
    total_steps : int, environment steps of the whole run: what annealing is measured by

    Examples
    --------
    >>> settings = make_settings(A3CConfig(max_grad_norm=None, lr_anneal="global"), 1_000)
    >>> settings.max_grad_norm, settings.anneal_global, settings.anneal_per_worker
    (inf, True, False)
    """
    limit = config.max_grad_norm
    return Settings(
        rollout_length=np.array(config.per_worker("rollout_length"), dtype=np.int64),
        entropy_coef=np.array(config.per_worker("entropy_coef"), dtype=np.float64),
        gamma=float(config.gamma),
        window=int(config.window or 0),
        global_critic=config.critic == "global",
        actor_lr=float(config.actor_lr),
        critic_lr=float(config.critic_lr),
        max_grad_norm=float("inf") if limit is None else float(limit),
        rmsprop=config.optimizer == "rmsprop",
        rmsprop_decay=float(config.rmsprop_decay),
        rmsprop_epsilon=float(config.rmsprop_epsilon),
        anneal_global=config.lr_anneal == "global",
        anneal_per_worker=config.lr_anneal == "per_worker",
        sync_every=int(config.sync_every),
        hogwild=config.update_mode == "hogwild",
        num_workers=int(config.num_workers),
        total_steps=int(total_steps),
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
    n = max(config.per_worker("rollout_length"))
    return Scratch(
        make_rollout(n, world.num_actions),
        make_gradient(n, world.num_states, world.num_actions),
        Turn(np.zeros(6, dtype=np.int64), np.zeros(3)),
    )


def make_log() -> Log:
    """Make a log in this process's own memory; an update ends at most one episode.

    Examples
    --------
    >>> make_log().updates.dtype.names
    ('worker', 'step', 'staleness', 'grad_norm', 'entropy', 'learning_rate')
    """
    return Log(**{name: np.zeros(shape, dtype) for name, (dtype, shape) in LOG_LAYOUT.items()})


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
    workers: Sequence[int], theta: NDArray[np.float64], V: NDArray[np.float64], num_uniforms: int
) -> Local:
    """Make the memory of some workers; each starts from the initial values (Section 2.1).

    Parameters
    ----------
    workers : sequence of ids
    theta, V : (S, A) and (S,)
    num_uniforms : int, room for so many random numbers per worker

    Examples
    --------
    >>> V = np.arange(3.0)
    >>> me = make_local([0, 1], np.zeros((3, 2)), V, num_uniforms=11)
    >>> me.V.tolist()
    [[0.0, 1.0, 2.0], [0.0, 1.0, 2.0]]
    """
    count = len(workers)
    local = Local(
        np.repeat(theta[None], count, axis=0),
        np.repeat(V[None], count, axis=0),
        np.zeros((count, 9), dtype=np.int64),
        np.zeros(count),
        np.zeros((count, num_uniforms)),
    )
    local.counters[:, WORKER] = workers
    local.counters[:, CURSOR] = num_uniforms  # nothing drawn yet: refill before the first turn
    return local


@kernel
def annealing(settings, steps, own_steps):  # type: ignore[no-untyped-def]
    """Return the factor on both learning rates: linear, 1 at first, 0 at the end, never negative.

    "global" reads the shared step counter, so that all workers share one rate (Section 2.3);
    "per_worker" reads the worker's own (Section 3).

    Parameters
    ----------
    settings : Settings
    steps : int, environment steps of all workers so far
    own_steps : int, those of this worker

    Examples
    --------
    >>> from a3c_tut.config import A3CConfig
    >>> settings = make_settings(A3CConfig(num_workers=2, lr_anneal="per_worker"), 100)
    >>> annealing(settings, 0, 25), annealing(settings, 0, 60)
    (0.5, 0.0)
    """
    factor = 1.0
    if settings.anneal_global:
        factor = 1.0 - steps / settings.total_steps
    elif settings.anneal_per_worker:
        factor = 1.0 - own_steps * settings.num_workers / settings.total_steps
    return max(0.0, factor)


@kernel
def claim(settings, counters, index, value):  # type: ignore[no-untyped-def]
    """Add to a shared counter and return what it was before; without a lock, atomically.

    Parameters
    ----------
    settings : Settings
    counters : (3,) ints
    index, value : int
        Which counter; how much is added.

    Examples
    --------
    >>> counters = np.array([10, 2, 7])
    >>> int(claim(make_settings(A3CConfig(), 100), counters, STEPS, 5)), counters.tolist()
    (10, [15, 2, 7])
    """
    if settings.hogwild:
        return fetch_add(counters, index, value)
    old = counters[index]
    counters[index] = old + value
    return old


@kernel
def prepare(world, settings, me, index, scratch):  # type: ignore[no-untyped-def]
    """Do the first half of a turn: act on the local copy, and (local critic) form the gradient.

    Touches nothing that others can see, and leaves no trace in the worker's own memory either: a
    rollout that is thrown away has never been.

    Parameters
    ----------
    world, settings : WorldArrays and Settings
    me : Local
    index : int, the worker's place in `me`
    scratch : Scratch, where the rollout and the gradient go

    Examples
    --------
    Worker 1 has walked five steps, and nobody sees it yet:

    >>> from a3c_tut.worker import turn_arguments
    >>> from a3c_tut.worlds import cliff_world
    >>> world, settings, shared, _, me, scratch, _ = turn_arguments(cliff_world(), A3CConfig())
    >>> prepare(world, settings, me, 1, scratch)
    >>> len(scratch.rollout.states), int(scratch.rollout.states[0])
    (6, 36)
    >>> shared.counters.tolist(), int(me.counters[1, OWN_STEPS])
    ([0, 0, 0], 0)
    """
    counters = me.counters[index]
    worker = counters[WORKER]
    length, terminated, truncated, cursor, total_reward = collect_rollout(
        world, me.theta[index], counters[STATE], counters[EPISODE_STEPS],
        settings.rollout_length[worker], me.uniforms[index], counters[CURSOR], scratch.rollout,
    )  # fmt: skip
    for t in range(length):
        fetch_early(scratch.gradient.place, scratch.rollout.states[t])
        fetch_early(me.V[index], scratch.rollout.states[t])
    scratch.turn.whole[LENGTH] = length
    scratch.turn.whole[TERMINATED] = terminated
    scratch.turn.whole[TRUNCATED] = truncated
    scratch.turn.whole[CURSOR_AFTER] = cursor
    scratch.turn.real[TOTAL_REWARD] = total_reward
    if not settings.global_critic:
        evaluate(settings, worker, me.V[index], scratch)


@kernel
def fetch_ahead(settings, shared, statistics, index, scratch):  # type: ignore[no-untyped-def]
    """Ask for the shared rows that the coming push will change; nothing changes but the waiting.

    Their places are known as soon as the rollout is. In a world that no cache holds, asking for
    all of them at once spares a wait for each. In a small one it would only take the rows away from
    another process that is writing them.

    Parameters
    ----------
    settings, shared, statistics : Settings, Shared and Statistics
    index : int, the worker's place in `statistics` where they are not shared
    scratch : Scratch, filled by `prepare`

    Examples
    --------
    >>> from a3c_tut.worker import turn_arguments
    >>> from a3c_tut.worlds import cliff_world
    >>> made = turn_arguments(cliff_world(), A3CConfig())
    >>> world, settings, shared, statistics, me, scratch, _ = made
    >>> prepare(world, settings, me, 0, scratch)
    >>> fetch_ahead(settings, shared, statistics, 0, scratch)
    >>> bool(shared.theta.any())
    False
    """
    if shared.V.shape[0] < CACHED_STATES:
        return
    owner = index if statistics.updates.shape[0] > 1 else 0
    for t in range(scratch.turn.whole[LENGTH]):
        state = scratch.rollout.states[t]
        fetch_early(shared.theta, state)
        fetch_early(shared.V, state)
        if settings.rmsprop:
            fetch_early(statistics.square_theta[owner], state)
            fetch_early(statistics.square_V[owner], state)
            fetch_early(statistics.last_update[owner], state)


@kernel
def evaluate(settings, worker, V, scratch):  # type: ignore[no-untyped-def]
    """Form advantages and clipped gradient of a rollout with the critic `V`: Equations (1) to (3).

    The norm is noted before clipping.

    Parameters
    ----------
    settings : Settings
    worker : int, whose β counts
    V : (S,), in learning units
    scratch : Scratch, filled by `prepare`

    Examples
    --------
    Five steps, of which the second falls into the cliff: rewards −1 and −100, scaled by 0.1, and a
    critic that says 0 everywhere.

    >>> from a3c_tut.worker import turn_arguments
    >>> from a3c_tut.worlds import cliff_world
    >>> config = A3CConfig(critic="global", gamma=1.0)
    >>> world, settings, shared, _, me, scratch, _ = turn_arguments(cliff_world(), config)
    >>> prepare(world, settings, me, 0, scratch)
    >>> evaluate(settings, 0, shared.V, scratch)
    >>> scratch.rollout.advantages.round(9).tolist()
    [-10.4, -10.3, -0.3, -0.2, -0.1]
    """
    rollout, gradient, turn = scratch.rollout, scratch.gradient, scratch.turn
    length = turn.whole[LENGTH]
    compute_n_step_advantages(
        rollout.states, rollout.rewards, length, turn.whole[TERMINATED] != 0, V, settings.gamma,
        settings.window, rollout.advantages,
    )  # fmt: skip
    num_rows, mean_entropy = accumulate_gradients(
        rollout, length, settings.entropy_coef[worker], gradient
    )
    norm = gradient_norm(gradient, num_rows)
    clip_gradients(gradient, num_rows, norm, settings.max_grad_norm)
    turn.whole[NUM_ROWS] = num_rows
    turn.real[MEAN_ENTROPY] = mean_entropy
    turn.real[GRAD_NORM] = norm


@kernel
def push(settings, shared, statistics, me, index, scratch, log):  # type: ignore[no-untyped-def]
    """Do the second half of a turn: apply the gradient to the shared tables and log the update.

    Parameters
    ----------
    settings, shared, statistics : Settings, Shared and Statistics
    me : Local
    index : int, the worker's place in `me`, and in `statistics` where they are not shared
    scratch : Scratch, filled by `prepare` (and `evaluate`)
    log : Log

    Returns
    -------
    bool
        Whether every value written, and the gradient's norm, is finite.

    Examples
    --------
    >>> from a3c_tut.worker import turn_arguments
    >>> from a3c_tut.worlds import cliff_world
    >>> made = turn_arguments(cliff_world(), A3CConfig())
    >>> world, settings, shared, statistics, me, scratch, log = made
    >>> prepare(world, settings, me, 0, scratch)
    >>> bool(push(settings, shared, statistics, me, 0, scratch, log))
    True
    >>> int(shared.counters[STEPS]), int(shared.counters[UPDATES])
    (5, 1)
    """
    counters, gradient = me.counters[index], scratch.gradient
    length, num_rows = scratch.turn.whole[LENGTH], scratch.turn.whole[NUM_ROWS]
    steps = claim(settings, shared.counters, STEPS, length)
    factor = annealing(settings, steps, counters[OWN_STEPS])
    actor_lr, critic_lr = settings.actor_lr * factor, settings.critic_lr * factor
    if settings.rmsprop:
        owner = index if statistics.updates.shape[0] > 1 else 0
        now = claim(settings, statistics.updates, owner, 1) + 1
        finite = apply_rmsprop(
            shared.theta, shared.V, statistics.square_theta[owner], statistics.square_V[owner],
            statistics.last_update[owner], now, gradient, num_rows,
            actor_lr, critic_lr, settings.rmsprop_decay, settings.rmsprop_epsilon,
        )  # fmt: skip
    else:
        finite = apply_sgd(shared.theta, shared.V, gradient, num_rows, actor_lr, critic_lr)
    ring = shared.touched.shape[0] - 1  # the size is a power of two
    num_states = shared.V.shape[0]
    pushed = claim(settings, shared.counters, ROWS_PUSHED, num_rows)
    for row in range(num_rows):
        i = pushed + row
        store(shared.touched, i & ring, i * num_states + gradient.rows[row])
    update = claim(settings, shared.counters, UPDATES, 1)

    at = log.filled[1] & (LOG_ROWS - 1)
    log.update_number[at] = update
    log.updates["worker"][at] = counters[WORKER]
    log.updates["step"][at] = steps + length
    log.updates["staleness"][at] = update - counters[SYNCED_AT]
    log.updates["grad_norm"][at] = scratch.turn.real[GRAD_NORM]
    log.updates["entropy"][at] = scratch.turn.real[MEAN_ENTROPY]
    log.updates["learning_rate"][at] = actor_lr
    store(log.filled, 1, log.filled[1] + 1)
    return finite and scratch.turn.real[GRAD_NORM] < np.inf


@kernel
def sync(settings, shared, me, index):  # type: ignore[no-untyped-def]
    """Refresh the local copy after every `sync_every`-th push of this worker (Section 2.2).

    Copies the rows that were pushed since the last sync, not the whole table. If more rows were
    pushed than the ring remembers, which takes at least as many rows as the table has, it does
    copy the whole table: the cost stays in proportion to the work of the pushes.

    Parameters
    ----------
    settings, shared : Settings and Shared
    me : Local
    index : int, the worker's place in `me`

    Examples
    --------
    Worker 0 has pushed; its copy is fresh again, that of worker 1 is stale:

    >>> from a3c_tut.worker import turn_arguments
    >>> from a3c_tut.worlds import cliff_world
    >>> made = turn_arguments(cliff_world(), A3CConfig())
    >>> world, settings, shared, statistics, me, scratch, log = made
    >>> prepare(world, settings, me, 0, scratch)
    >>> finite = push(settings, shared, statistics, me, 0, scratch, log)
    >>> sync(settings, shared, me, 0)
    >>> [bool((me.theta[worker] == shared.theta).all()) for worker in (0, 1)]
    [True, False]
    """
    counters = me.counters[index]
    counters[PUSHES_SINCE_SYNC] += 1
    if counters[PUSHES_SINCE_SYNC] < settings.sync_every:
        return
    counters[PUSHES_SINCE_SYNC] = 0
    counters[SYNCED_AT] = load(shared.counters, UPDATES)
    theta, V = me.theta[index], me.V[index]
    num_states, num_actions = theta.shape
    seen, pushed = counters[ROWS_SEEN], load(shared.counters, ROWS_PUSHED)
    if pushed - seen > shared.touched.shape[0]:
        for state in range(num_states):
            V[state] = shared.V[state]
            for b in range(num_actions):
                theta[state, b] = shared.theta[state, b]
    else:
        ring = shared.touched.shape[0] - 1
        for i in range(seen, pushed):
            state = load(shared.touched, i & ring) - i * num_states
            fetch_early(theta, state)
            fetch_early(V, state)
        for i in range(seen, pushed):
            state = load(shared.touched, i & ring) - i * num_states
            if state < 0 or state >= num_states:  # Hogwild: claimed, but not yet noted
                pushed = i
                break
            V[state] = shared.V[state]
            for b in range(num_actions):
                theta[state, b] = shared.theta[state, b]
    counters[ROWS_SEEN] = pushed


@kernel
def walk_on(shared, me, index, scratch, log):  # type: ignore[no-untyped-def]
    """Move the worker's own walker to the end of its rollout, and log an episode that ended.

    Parameters
    ----------
    shared : Shared
    me : Local
    index : int, the worker's place in `me`
    scratch : Scratch, filled by `prepare`
    log : Log, in which the rollout's update is the newest

    Examples
    --------
    >>> from a3c_tut.worker import turn_arguments
    >>> from a3c_tut.worlds import cliff_world
    >>> made = turn_arguments(cliff_world(), A3CConfig())
    >>> world, settings, shared, statistics, me, scratch, log = made
    >>> prepare(world, settings, me, 0, scratch)
    >>> finite = push(settings, shared, statistics, me, 0, scratch, log)
    >>> walk_on(shared, me, 0, scratch, log)
    >>> me.counters[0, STATE].item() == scratch.rollout.states[5].item()
    True
    >>> # so far: four steps of −1 and a fall of −100
    >>> float(me.episode_return[0])
    -104.0
    """
    counters, turn = me.counters[index], scratch.turn
    length, truncated = turn.whole[LENGTH], turn.whole[TRUNCATED] != 0
    total_return = me.episode_return[index] + turn.real[TOTAL_REWARD]
    counters[UNIFORMS_USED] += turn.whole[CURSOR_AFTER] - counters[CURSOR]
    counters[CURSOR] = turn.whole[CURSOR_AFTER]
    counters[OWN_STEPS] += length
    counters[EPISODE_STEPS] += length
    counters[STATE] = scratch.rollout.states[length]
    if truncated or turn.whole[TERMINATED] != 0:
        # The update that brought it is the newest in this worker's log.
        newest = (log.filled[1] - 1) & (LOG_ROWS - 1)
        at = log.filled[0] & (LOG_ROWS - 1)
        log.episode_update[at] = log.update_number[newest]
        log.episodes["worker"][at] = counters[WORKER]
        log.episodes["total_return"][at] = total_return
        log.episodes["length"][at] = counters[EPISODE_STEPS]
        log.episodes["step"][at] = log.updates["step"][newest]
        log.episodes["truncated"][at] = truncated
        store(log.filled, 0, log.filled[0] + 1)
        counters[EPISODE_STEPS] = 0
        total_return = 0.0
    me.episode_return[index] = total_return


@kernel
def take_turns(  # type: ignore[no-untyped-def]
    world, settings, shared, statistics, me, scratch, log, schedule, first, stop_at
):
    """Take whole turns in schedule order, until the schedule or the steps are used up.

    Parameters
    ----------
    world, settings, shared, statistics, me, scratch, log : the tuples above
    schedule : (U,) ints, whose turn it is
    first : int, the first entry to do
    stop_at : int, the push that brings the shared step counter here is the last

    Returns
    -------
    next entry, why : int, int
        DONE (schedule used up), FINISHED (steps used up), NEEDS_UNIFORMS (the next worker's random
        numbers have to be refilled), LOG_FULL (drain it), DIVERGED (in the entry before).

    Examples
    --------
    Five turns are asked for; the third brings the step counter to 15:

    >>> from a3c_tut.signals import FINISHED
    >>> from a3c_tut.worker import turn_arguments
    >>> from a3c_tut.worlds import cliff_world
    >>> made = turn_arguments(cliff_world(), A3CConfig())
    >>> entry, why = take_turns(*made, np.array([0, 1, 2, 0, 1]), 0, 15)
    >>> entry, why == FINISHED
    (3, True)
    """
    turn = first
    why = DONE
    while turn < schedule.shape[0]:
        index = schedule[turn]
        if shared.counters[STEPS] >= stop_at:
            why = FINISHED
            break
        if log.filled[1] - log.drained[1] >= LOG_ROWS:
            why = LOG_FULL
            break
        # A start, and for each step an action and an outcome.
        most = 1 + 2 * settings.rollout_length[index]
        if me.counters[index, CURSOR] + most > me.uniforms.shape[1]:
            why = NEEDS_UNIFORMS
            break
        prepare(world, settings, me, index, scratch)
        fetch_ahead(settings, shared, statistics, index, scratch)
        if settings.global_critic:
            evaluate(settings, index, shared.V, scratch)
        finite = push(settings, shared, statistics, me, index, scratch, log)
        sync(settings, shared, me, index)
        walk_on(shared, me, index, scratch, log)
        turn += 1
        if not finite:
            why = DIVERGED
            break
    return turn, why


def drain(log: Log) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.int64], NDArray[np.int64]]:
    """Take out the rows of a log that were written since the last call.

    Returns
    -------
    episodes, updates : structured arrays
    episode_update, update_number : ints
        The number of the update that each row belongs to.

    Examples
    --------
    >>> from a3c_tut.worker import turn_arguments
    >>> from a3c_tut.worlds import cliff_world
    >>> *made, log = turn_arguments(cliff_world(), A3CConfig())
    >>> _ = take_turns(*made, log, np.array([0, 1, 2]), 0, 1_000)
    >>> episodes, updates, *_ = drain(log)
    >>> updates["worker"].tolist(), updates["staleness"].tolist()
    ([0, 1, 2], [0, 1, 2])
    >>> len(drain(log)[1])
    0
    """
    num_episodes, num_updates = read(log.filled, 0), read(log.filled, 1)
    old_episodes, old_updates = log.drained.tolist()
    rows = (
        _taken(log.episodes, old_episodes, num_episodes),
        _taken(log.updates, old_updates, num_updates),
        _taken(log.episode_update, old_episodes, num_episodes),
        _taken(log.update_number, old_updates, num_updates),
    )
    log.drained[:] = num_episodes, num_updates
    return rows


def _taken(ring: NDArray[Any], first: int, last: int) -> NDArray[Any]:
    """Copy the rows `first` to `last` out of a ring."""
    start, stop = first & (LOG_ROWS - 1), last & (LOG_ROWS - 1)
    if start < stop or first == last:
        return joined(ring.dtype, [ring[start:stop]])
    return joined(ring.dtype, [ring[start:], ring[:stop]])


#: Rows as bytes. Made beforehand: while NumPy makes such a type, it swallows a Ctrl-C.
_AS_BYTES = {
    row: np.dtype((np.void, row.itemsize))
    for row in (EPISODE_DTYPE, UPDATE_DTYPE, np.dtype(np.int64))
}


def joined(dtype: np.dtype[Any], pieces: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Join arrays of one type, as bytes: field by field, NumPy takes ten times as long.

    Parameters
    ----------
    dtype : type of the rows
    pieces : sequence of (n,) arrays of that type; may be empty

    Examples
    --------
    >>> joined(EPISODE_DTYPE, [np.zeros(2, EPISODE_DTYPE), np.zeros(1, EPISODE_DTYPE)]).shape
    (3,)
    """
    plain = _AS_BYTES.get(dtype) or np.dtype((np.void, dtype.itemsize))
    empty = np.zeros(0, plain)
    return np.concatenate([empty, *(piece.view(plain) for piece in pieces)]).view(dtype)


State = dict[str, NDArray[Any]]


def snapshot_shared(shared: Shared, statistics: Statistics) -> State:
    """Copy the shared tables, counters and statistics.

    The ring of touched rows is left out: `restore_local` asks for a full refresh instead.

    Examples
    --------
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
    >>> me = make_local([0, 1], np.zeros((48, 4)), np.zeros(48), num_uniforms=100)
    >>> sorted(snapshot_local(me, None))
    ['episode_return', 'local_V', 'local_counters', 'local_theta']
    """
    counters = local.counters.copy()
    counters[:, [CURSOR, ROWS_SEEN]] = 0
    return {
        "local_theta": local.theta.copy(),
        "local_V": local.V.copy(),
        "local_counters": counters,
        "episode_return": local.episode_return.copy(),
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
    >>> me = make_local([0, 1, 2], np.zeros((48, 4)), np.zeros(48), num_uniforms=100)
    >>> one = state_of_worker(snapshot_local(me, None), worker=2, own=False)
    >>> one["local_theta"].shape, int(one["local_counters"][0, WORKER])
    ((1, 48, 4), 2)
    """
    names = ["local_theta", "local_V", "local_counters", "episode_return"]
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

    >>> shared, statistics = make_shared(np.zeros((3, 2)), np.zeros(3)), make_statistics(1, 3, 2)
    >>> me = make_local([0], np.zeros((3, 2)), np.zeros(3), num_uniforms=11)
    >>> restore_local(snapshot_local(me, None), shared, statistics, me)
    >>> bool(me.counters[0, ROWS_SEEN] < -len(shared.touched)), int(me.counters[0, CURSOR])
    (True, 11)
    """
    local.theta[:], local.V[:] = state["local_theta"], state["local_V"]
    local.counters[:] = state["local_counters"]
    local.counters[:, CURSOR] = local.uniforms.shape[1]
    local.counters[:, ROWS_SEEN] = shared.counters[ROWS_PUSHED] - shared.touched.shape[0] - 1
    local.episode_return[:] = state["episode_return"]
    if "square_theta" in state:
        _restore_statistics(state, statistics)


def _restore_statistics(state: Mapping[str, NDArray[Any]], statistics: Statistics) -> None:
    if statistics.updates.size:
        statistics.square_theta[:] = state["square_theta"]
        statistics.square_V[:] = state["square_V"]
        statistics.last_update[:] = state["last_update"]
        statistics.updates[:] = state["statistics_updates"]
