"""One turn of one worker on tables (Section 2.2), and the loop of turns.

A turn is two halves. `prepare` (rollout → advantages → gradient) touches only what is the worker's
own. `push` (clipped gradient → optimizer → log) and `sync` are the only part that others can see,
and have to run under a lock where there are several processes.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from a3c_tut.engine.atomics import fetch_add, load, store
from a3c_tut.engine.buffers import ROWS_PUSHED, STEPS, UPDATES
from a3c_tut.engine.compiling import fetch_early, inlined, kernel
from a3c_tut.engine.kernels import (
    CACHED_STATES,
    accumulate_gradients,
    apply_rmsprop,
    apply_sgd,
    clip_gradients,
    collect_rollout,
    compute_lambda_advantages,
    compute_n_step_advantages,
    gradient_norm,
)
from a3c_tut.engine.log import LOG_ROWS
from a3c_tut.engine.protocol import DIVERGED, DONE, FINISHED, LOG_FULL, NEEDS_UNIFORMS


class Walk(NamedTuple):
    """How a worker acted in its turn; the steps themselves are in the scratch's rollout.

    Examples
    --------
    >>> from a3c_tut import A3CConfig, cliff_world
    >>> from a3c_tut.engine.crew import make_run
    >>> walk, formed = prepare(make_run(cliff_world(), A3CConfig(rollout_length=5)), 0)
    >>> walk.length, walk.terminated, walk.total_reward
    (5, False, -104.0)
    """

    length: int  # steps taken
    terminated: bool
    truncated: bool
    cursor: int  # the first of its uniforms that is not used
    total_reward: float  # in the world's own units
    state: int  # that was reached


class Formed(NamedTuple):
    """What is known of a gradient; its rows are in the scratch.

    Examples
    --------
    >>> from a3c_tut import A3CConfig, cliff_world
    >>> from a3c_tut.engine.crew import make_run
    >>> walk, formed = prepare(make_run(cliff_world(), A3CConfig(rollout_length=5)), 0)
    >>> formed.num_rows, round(formed.mean_entropy, 4)
    (2, 1.3863)
    """

    num_rows: int
    mean_entropy: float  # over the rollout's steps, in nats
    grad_norm: float  # before clipping


#: Where the gradient is formed later, with the shared critic.
NOT_FORMED = Formed(0, 0.0, 0.0)


@inlined
def annealing(settings, steps, own_steps):  # type: ignore[no-untyped-def]
    """Return the factor on both learning rates: linear, 1 at first, 0 at the end, never negative.

    "global" reads the shared step counter, so that all workers share one rate (Section 2.3);
    "per_worker" reads the worker's own (Section 3). Points of a schedule of the user's own are
    joined by straight lines, over the shared counter; past the end the last factor stays.

    Parameters
    ----------
    settings : Settings
    steps : int, environment steps of all workers so far
    own_steps : int, those of this worker

    Examples
    --------
    >>> from a3c_tut import A3CConfig
    >>> from a3c_tut.engine.buffers import make_settings
    >>> settings = make_settings(A3CConfig(num_workers=2, lr_anneal="per_worker"), 100)
    >>> annealing(settings, 0, 25), annealing(settings, 0, 60)
    (0.5, 0.0)
    >>> settings = make_settings(A3CConfig(lr_anneal=((0, 1), (0.5, 1), (1, 0.2))), 100)
    >>> [round(annealing(settings, steps, 0), 3) for steps in (0, 50, 75, 100, 120)]
    [1.0, 1.0, 0.6, 0.2, 0.2]
    """
    factor = 1.0
    if settings.anneal_global:
        factor = 1.0 - steps / settings.total_steps
    elif settings.anneal_per_worker:
        factor = 1.0 - own_steps * settings.num_workers / settings.total_steps
    elif settings.anneal_shares.shape[0] > 0:
        shares, factors = settings.anneal_shares, settings.anneal_factors
        done = min(1.0, steps / settings.total_steps)
        k = 1
        while shares[k] < done:  # the last share is 1
            k += 1
        part = (done - shares[k - 1]) / (shares[k] - shares[k - 1])
        factor = (1.0 - part) * factors[k - 1] + part * factors[k]
    return max(0.0, factor)


@inlined
def add_to(settings, counters, index, value):  # type: ignore[no-untyped-def]
    """Add to a shared counter and return what it was before; without a lock, atomically.

    Parameters
    ----------
    settings : Settings
    counters : (n,) ints
    index, value : int
        Which counter; how much is added.

    Examples
    --------
    >>> from a3c_tut import A3CConfig
    >>> from a3c_tut.engine.buffers import make_settings
    >>> counters = np.array([10, 2, 7])
    >>> int(add_to(make_settings(A3CConfig(), 100), counters, STEPS, 5)), counters.tolist()
    (10, [15, 2, 7])
    """
    if settings.hogwild:
        return fetch_add(counters, index, value)
    old = counters[index]
    counters[index] = old + value
    return old


@inlined
def numbers_needed(rollout_length, at_start=1, per_step=2):  # type: ignore[no-untyped-def]
    """Return how many random numbers a turn may use: a start; per step an action and an outcome.

    Parameters
    ----------
    rollout_length : int
    at_start, per_step : int, as the run's settings say; by default those of a table

    Examples
    --------
    >>> numbers_needed(5)
    11
    """
    return at_start + per_step * rollout_length


@inlined
def owner_of(statistics, index):  # type: ignore[no-untyped-def]
    """Return whose statistics a worker uses: the only ones there are, or its own.

    Parameters
    ----------
    statistics : Statistics
    index : int, the worker's place in `me`

    Examples
    --------
    >>> from a3c_tut.engine.buffers import make_statistics
    >>> [owner_of(make_statistics(owners, 48, 4), 2) for owners in (1, 3)]
    [0, 2]
    """
    return index if statistics.updates.shape[0] > 1 else 0


@inlined
def compute_advantages(settings, rollout, length, terminated, V):  # type: ignore[no-untyped-def]
    """Write a rollout's advantages: Equation (1), or with λ below 1 the generalised ones.

    Parameters
    ----------
    settings : Settings
    rollout : Rollout
    length, terminated : int, bool, of the rollout
    V : (S,), in learning units

    Examples
    --------
    >>> from a3c_tut import A3CConfig
    >>> from a3c_tut.engine.buffers import make_settings
    >>> from a3c_tut.engine.kernels import make_rollout
    >>> rollout, V = make_rollout(2, 4), np.array([1.0])
    >>> compute_advantages(make_settings(A3CConfig(gamma=0.5), 100), rollout, 2, False, V)
    >>> rollout.advantages.tolist()
    [-0.75, -0.5]
    """
    if settings.gae_lambda < 1.0:
        compute_lambda_advantages(
            rollout.states, rollout.rewards, length, terminated, V, settings.gamma,
            settings.gae_lambda, rollout.advantages,
        )  # fmt: skip
    else:
        compute_n_step_advantages(
            rollout.states, rollout.rewards, length, terminated, V, settings.gamma,
            settings.window, rollout.advantages,
        )  # fmt: skip


@inlined
def compute_gradient(run, index, length, terminated, V):  # type: ignore[no-untyped-def]
    """Form advantages and clipped gradient of a rollout with the critic `V`: Equations (1) to (3).

    The norm is noted before clipping.

    Parameters
    ----------
    run : Run, whose scratch holds the rollout
    index : int, the worker's place in `me`; its β counts
    length, terminated : int, bool, of the rollout
    V : (S,), in learning units

    Returns
    -------
    Formed

    Examples
    --------
    Five steps, of which the second falls into the cliff, and a critic that says 0 everywhere:

    >>> from a3c_tut import A3CConfig, cliff_world
    >>> from a3c_tut.engine.crew import make_run
    >>> config = A3CConfig(critic="global", gamma=1.0, reward_scale=1.0, rollout_length=5)
    >>> run = make_run(cliff_world(), config)
    >>> walk, formed = prepare(run, 0)
    >>> formed = compute_gradient(run, 0, walk.length, walk.terminated, run.shared.V)
    >>> run.scratch.rollout.advantages.tolist()
    [-104.0, -103.0, -3.0, -2.0, -1.0]
    """
    settings, rollout, gradient = run.settings, run.scratch.rollout, run.scratch.gradient
    compute_advantages(settings, rollout, length, terminated, V)
    num_rows, mean_entropy = accumulate_gradients(
        rollout, length, settings.entropy_coef[run.me.worker[index]], gradient
    )
    norm = gradient_norm(gradient, num_rows)
    clip_gradients(gradient, num_rows, norm, settings.max_grad_norm)
    return Formed(num_rows, mean_entropy, norm)


@inlined
def prepare(run, index):  # type: ignore[no-untyped-def]
    """Do the first half of a turn: act on the local copy, and (local critic) form the gradient.

    Touches nothing that others can see, and leaves no trace in the worker's own memory either: a
    rollout that is thrown away has never been.

    Parameters
    ----------
    run : Run, whose scratch takes the rollout and the gradient
    index : int, the worker's place in `me`

    Returns
    -------
    Walk, Formed
        `NOT_FORMED` where the shared critic is to form the gradient, at the push.

    Examples
    --------
    Worker 1 has walked five steps, and nobody sees it yet:

    >>> from a3c_tut import A3CConfig, cliff_world
    >>> from a3c_tut.engine.crew import make_run
    >>> run = make_run(cliff_world(), A3CConfig(rollout_length=5))
    >>> walk, formed = prepare(run, 1)
    >>> len(run.scratch.rollout.states), int(run.scratch.rollout.states[0])
    (6, 36)
    >>> run.shared.counters.tolist(), int(run.me.own_steps[1])
    ([0, 0, 0], 0)
    """
    me, rollout = run.me, run.scratch.rollout
    length, terminated, truncated, cursor, total_reward = collect_rollout(
        run.world, me.theta[index], me.state[index], me.episode_steps[index],
        run.settings.rollout_length[me.worker[index]], me.uniforms[index], me.cursor[index],
        rollout,
    )  # fmt: skip
    for t in range(length):
        fetch_early(run.scratch.gradient.place, rollout.states[t])
        fetch_early(me.V[index], rollout.states[t])
    walk = Walk(length, terminated, truncated, cursor, total_reward, rollout.states[length])
    if run.settings.global_critic:
        return walk, Formed(0, 0.0, 0.0)
    return walk, compute_gradient(run, index, length, terminated, me.V[index])


@inlined
def fetch_ahead(run, index, length):  # type: ignore[no-untyped-def]
    """Ask for the shared rows that the coming push will change; nothing changes but the waiting.

    Their places are known as soon as the rollout is. In a world that no cache holds, asking for
    all of them at once spares a wait for each. In a small one it would only take the rows away from
    another process that is writing them.

    Parameters
    ----------
    run : Run
    index : int, the worker's place in `me`
    length : int, of the rollout in the scratch

    Examples
    --------
    >>> from a3c_tut import A3CConfig, cliff_world
    >>> from a3c_tut.engine.crew import make_run
    >>> run = make_run(cliff_world(), A3CConfig())
    >>> walk, formed = prepare(run, 0)
    >>> fetch_ahead(run, 0, walk.length)
    >>> bool(run.shared.theta.any())
    False
    """
    shared, statistics = run.shared, run.statistics
    if shared.V.shape[0] < CACHED_STATES:
        return
    owner = owner_of(statistics, index)
    for t in range(length):
        state = run.scratch.rollout.states[t]
        fetch_early(shared.theta, state)
        fetch_early(shared.V, state)
        if run.settings.rmsprop:
            fetch_early(statistics.square_theta[owner], state)
            fetch_early(statistics.square_V[owner], state)
            fetch_early(statistics.last_update[owner], state)


@inlined
def push(run, index, walk, formed):  # type: ignore[no-untyped-def]
    """Do the second half of a turn: apply the gradient to the shared tables and log the update.

    Parameters
    ----------
    run : Run, whose scratch holds the gradient
    index : int, the worker's place in `me`, and in the statistics where they are not shared
    walk, formed : Walk and Formed, from `prepare`

    Returns
    -------
    bool
        Whether every value written, and the gradient's norm, is finite.

    Examples
    --------
    >>> from a3c_tut import A3CConfig, cliff_world
    >>> from a3c_tut.engine.crew import make_run
    >>> run = make_run(cliff_world(), A3CConfig(rollout_length=5))
    >>> walk, formed = prepare(run, 0)
    >>> bool(push(run, 0, walk, formed)), run.shared.counters[[STEPS, UPDATES]].tolist()
    (True, [5, 1])
    """
    settings, shared, gradient = run.settings, run.shared, run.scratch.gradient
    worker, num_rows = run.me.worker[index], formed.num_rows
    steps = add_to(settings, shared.counters, STEPS, walk.length)
    factor = annealing(settings, steps, run.me.own_steps[index])
    actor_lr, critic_lr = settings.actor_lr[worker] * factor, settings.critic_lr[worker] * factor
    finite = apply_gradient(run, index, num_rows, actor_lr, critic_lr)
    ring = shared.touched.shape[0] - 1  # the size is a power of two
    num_states = shared.V.shape[0]
    pushed = add_to(settings, shared.counters, ROWS_PUSHED, num_rows)
    for row in range(num_rows):
        i = pushed + row
        store(shared.touched, i & ring, i * num_states + gradient.rows[row])
    update = add_to(settings, shared.counters, UPDATES, 1)

    updates = run.log.updates
    at = run.log.filled[1] & (LOG_ROWS - 1)
    updates["worker"][at] = worker
    updates["step"][at] = steps + walk.length
    updates["staleness"][at] = update - run.me.synced_at[index]
    updates["grad_norm"][at] = formed.grad_norm
    updates["entropy"][at] = formed.mean_entropy
    updates["learning_rate"][at] = actor_lr
    updates["update"][at] = update
    store(run.log.filled, 1, run.log.filled[1] + 1)
    return finite and formed.grad_norm < np.inf


@inlined
def apply_gradient(run, index, num_rows, actor_lr, critic_lr):  # type: ignore[no-untyped-def]
    """Take the optimizer's step with the gradient in the scratch.

    Parameters
    ----------
    run : Run
    index : int, the worker's place in `me`, and in the statistics where they are not shared
    num_rows : int, how many rows the gradient has
    actor_lr, critic_lr : float

    Returns
    -------
    bool
        Whether every value written is finite.

    Examples
    --------
    >>> from a3c_tut import A3CConfig, cliff_world
    >>> from a3c_tut.engine.crew import make_run
    >>> run = make_run(cliff_world(), A3CConfig(optimizer="sgd"))
    >>> walk, formed = prepare(run, 0)
    >>> bool(apply_gradient(run, 0, formed.num_rows, 0.0, 1.0)), bool(run.shared.V.any())
    (True, True)
    """
    settings, shared, statistics = run.settings, run.shared, run.statistics
    gradient = run.scratch.gradient
    if not settings.rmsprop:
        return apply_sgd(shared.theta, shared.V, gradient, num_rows, actor_lr, critic_lr)
    owner = owner_of(statistics, index)
    now = add_to(settings, statistics.updates, owner, 1) + 1
    return apply_rmsprop(
        shared.theta, shared.V, statistics.square_theta[owner], statistics.square_V[owner],
        statistics.last_update[owner], now, gradient, num_rows, actor_lr, critic_lr,
        settings.rmsprop_decay, settings.rmsprop_epsilon,
    )  # fmt: skip


@inlined
def sync(run, index):  # type: ignore[no-untyped-def]
    """Refresh the local copy after every `sync_every`-th push of this worker (Section 2.2).

    Parameters
    ----------
    run : Run
    index : int, the worker's place in `me`

    Examples
    --------
    Worker 0 has pushed; its copy is fresh again, that of worker 1 is stale:

    >>> from a3c_tut import A3CConfig, cliff_world
    >>> from a3c_tut.engine.crew import make_run
    >>> run = make_run(cliff_world(), A3CConfig())
    >>> walk, formed = prepare(run, 0)
    >>> finite = push(run, 0, walk, formed)
    >>> sync(run, 0)
    >>> [bool((run.me.theta[worker] == run.shared.theta).all()) for worker in (0, 1)]
    [True, False]
    """
    me = run.me
    me.pushes_since_sync[index] += 1
    if me.pushes_since_sync[index] >= run.settings.sync_every:
        me.pushes_since_sync[index] = 0
        refresh(run, index)


@inlined
def refresh(run, index):  # type: ignore[no-untyped-def]
    """Copy the rows that were pushed since the local copy was refreshed last, not the whole table.

    If more rows were pushed than the ring remembers, which takes at least as many rows as the table
    has, it does copy the whole table: the cost stays in proportion to the work of the pushes.

    Parameters
    ----------
    run : Run
    index : int, the worker's place in `me`

    Examples
    --------
    >>> from a3c_tut import A3CConfig, cliff_world
    >>> from a3c_tut.engine.crew import make_run
    >>> run = make_run(cliff_world(), A3CConfig())
    >>> walk, formed = prepare(run, 0)
    >>> finite = push(run, 0, walk, formed)
    >>> refresh(run, 1)
    >>> bool((run.me.theta[1] == run.shared.theta).all()), int(run.me.synced_at[1])
    (True, 1)
    """
    me, shared = run.me, run.shared
    me.synced_at[index] = load(shared.counters, UPDATES)
    theta, V = me.theta[index], me.V[index]
    num_states, num_actions = theta.shape
    seen, pushed = me.rows_seen[index], load(shared.counters, ROWS_PUSHED)
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
    me.rows_seen[index] = pushed


@inlined
def finish_turn(run, index, walk):  # type: ignore[no-untyped-def]
    """Move the worker's own walker to the end of its rollout, and log an episode that ended.

    Parameters
    ----------
    run : Run, in whose log the rollout's update is the newest
    index : int, the worker's place in `me`
    walk : Walk, from `prepare`

    Examples
    --------
    >>> from a3c_tut import A3CConfig, cliff_world
    >>> from a3c_tut.engine.crew import make_run
    >>> run = make_run(cliff_world(), A3CConfig(rollout_length=5))
    >>> walk, formed = prepare(run, 0)
    >>> finite = push(run, 0, walk, formed)
    >>> finish_turn(run, 0, walk)
    >>> run.me.state[0] == run.scratch.rollout.states[5], int(run.me.episode_steps[0])
    (np.True_, 5)
    >>> # so far: four steps of −1 and a fall of −100
    >>> float(run.me.episode_return[0])
    -104.0
    """
    me = run.me
    total_return = me.episode_return[index] + walk.total_reward
    me.uniforms_used[index] += walk.cursor - me.cursor[index]
    me.cursor[index] = walk.cursor
    me.own_steps[index] += walk.length
    me.episode_steps[index] += walk.length
    me.state[index] = walk.state
    if walk.truncated or walk.terminated:
        updates, episodes, filled = run.log.updates, run.log.episodes, run.log.filled
        newest = (filled[1] - 1) & (LOG_ROWS - 1)  # the update that brought it
        at = filled[0] & (LOG_ROWS - 1)
        episodes["worker"][at] = me.worker[index]
        episodes["total_return"][at] = total_return
        episodes["length"][at] = me.episode_steps[index]
        episodes["step"][at] = updates["step"][newest]
        episodes["truncated"][at] = walk.truncated
        episodes["update"][at] = updates["update"][newest]
        store(filled, 0, filled[0] + 1)
        me.episode_steps[index] = 0
        total_return = 0.0
    me.episode_return[index] = total_return


@inlined
def before(run, index, extra):  # type: ignore[no-untyped-def]
    """Do nothing before a worker acts. A hook: see `variant`.

    Parameters
    ----------
    run : Run
    index : int, the worker's place in `me`
    extra : what the variant works on

    Examples
    --------
    >>> before(None, 0, ())
    """


@inlined
def between(run, index, walk, formed, turn, extra):  # type: ignore[no-untyped-def]
    """Return what is known of the gradient; form it where that is the shared critic's (Listing 1).

    A hook: see `variant`.

    Parameters
    ----------
    run : Run
    index : int, the worker's place in `me`
    walk, formed : Walk and Formed, from `prepare`
    turn : int, the entry of the schedule
    extra : what the variant works on

    Returns
    -------
    Formed

    Examples
    --------
    >>> from a3c_tut import A3CConfig, cliff_world
    >>> from a3c_tut.engine.crew import make_run
    >>> run = make_run(cliff_world(), A3CConfig(critic="global", rollout_length=5))
    >>> walk, formed = prepare(run, 0)
    >>> formed.num_rows, between(run, 0, walk, formed, 0, ()).num_rows
    (0, 2)
    """
    if run.settings.global_critic:
        return compute_gradient(run, index, walk.length, walk.terminated, run.shared.V)
    return formed


@inlined
def after(run, index, extra):  # type: ignore[no-untyped-def]
    """Refresh the worker's copy, if it is time. A hook: see `variant`.

    Parameters
    ----------
    run : Run
    index : int, the worker's place in `me`
    extra : what the variant works on

    Examples
    --------
    >>> from a3c_tut import A3CConfig, cliff_world
    >>> from a3c_tut.engine.crew import make_run
    >>> run = make_run(cliff_world(), A3CConfig(sync_every=2))
    >>> after(run, 0, ())
    >>> int(run.me.pushes_since_sync[0])
    1
    """
    sync(run, index)


@kernel
def take_turns(run, schedule, first, stop_at, extra):  # type: ignore[no-untyped-def]
    """Take whole turns in schedule order, until the schedule or the steps are used up.

    Parameters
    ----------
    run : Run
    schedule : (U,) ints, whose turn it is
    first : int, the first entry to do
    stop_at : int, the push that brings the shared step counter here is the last
    extra : what a variant's hooks work on; here nothing

    Returns
    -------
    next entry, why : int, int
        DONE (schedule used up), FINISHED (steps used up), NEEDS_UNIFORMS (the next worker's random
        numbers have to be refilled), LOG_FULL (drain it), DIVERGED (in the entry before).

    Examples
    --------
    Five turns are asked for; the third brings the step counter to 15:

    >>> from a3c_tut import A3CConfig, cliff_world
    >>> from a3c_tut.engine.crew import make_run
    >>> run = make_run(cliff_world(), A3CConfig(rollout_length=5))
    >>> entry, why = take_turns(run, np.array([0, 1, 2, 0, 1]), 0, 15, ())
    >>> entry, why == FINISHED
    (3, True)
    """
    turn = first
    while turn < schedule.shape[0]:
        index = schedule[turn]
        if run.shared.counters[STEPS] >= stop_at:
            return turn, FINISHED
        if run.log.filled[1] - run.log.drained[1] >= LOG_ROWS:
            return turn, LOG_FULL
        settings = run.settings
        most = numbers_needed(
            settings.rollout_length[run.me.worker[index]],
            settings.numbers_at_start,
            settings.numbers_per_step,
        )
        if run.me.cursor[index] + most > run.me.uniforms.shape[1]:
            return turn, NEEDS_UNIFORMS
        before(run, index, extra)
        walk, formed = prepare(run, index)
        fetch_ahead(run, index, walk.length)
        formed = between(run, index, walk, formed, turn, extra)
        finite = push(run, index, walk, formed)
        after(run, index, extra)
        finish_turn(run, index, walk)
        turn += 1
        if not finite:
            return turn, DIVERGED
    return turn, DONE


def variant(name: str, loop: Callable[..., Any] = take_turns, **hooks: Any) -> Callable[..., Any]:
    """Return a loop of turns with other parts, for those who watch, reorder or learn otherwise.

    It is the same source, compiled with the hooks in their places, so that it costs nothing.

    Parameters
    ----------
    name : str
        Of the loop; its compiled code is kept under this name.
    loop : optional
        The loop of which it is a variant.
    **hooks
        Kernels in the place of those of the same names.

    Examples
    --------
    A loop in which no copy is ever refreshed:

    >>> from a3c_tut import A3CConfig, cliff_world
    >>> from a3c_tut.engine.crew import make_run
    >>> take_turns_apart = variant("take_turns_apart", after=before)
    >>> run = make_run(cliff_world(), A3CConfig())
    >>> entry, why = take_turns_apart(run, np.array([0, 1, 2]), 0, 100, ())
    >>> bool(run.shared.theta.any()), bool(run.me.theta.any())
    (True, False)
    """
    plain: Any = getattr(loop, "py_func", loop)
    other = types.FunctionType(plain.__code__, {**plain.__globals__, **hooks}, name)
    other.__qualname__ = name
    return kernel(other, *filter(callable, hooks.values()))
