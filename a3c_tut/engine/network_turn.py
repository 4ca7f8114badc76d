"""One turn of one worker with a network: the same turn as a table's, with another first half.

`prepare` is all that differs: rollout, advantages and gradient come from a network. Its parameters
stand in a table of one row, so that push, sync, log and the loops of turns are those of
`engine.turn`, compiled with the functions of this module in their places.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from a3c_tut.config import A3CConfig
from a3c_tut.engine import turn
from a3c_tut.engine.compiling import called, inlined
from a3c_tut.engine.kernels import Gradient, clip_gradients, gradient_norm, make_gradient
from a3c_tut.engine.motion import move, observe, reset
from a3c_tut.engine.network import (
    Backward,
    NetworkRollout,
    accumulate_network_gradient,
    act,
    forward,
    make_backward,
    make_network_rollout,
)
from a3c_tut.engine.turn import (  # noqa: F401  (a worker's loop finds all of a turn here)
    Formed,
    Walk,
    compute_advantages,
    fetch_ahead,
    push,
    sync,
)
from a3c_tut.networks import Layout, Task


class NetworkScratch(NamedTuple):
    """Room for one turn.

    Examples
    --------
    >>> from a3c_tut.control import cart_pole
    >>> from a3c_tut.networks import MLP
    >>> make_network_scratch(A3CConfig(rollout_length=5), Task(cart_pole(), MLP())).walker.shape
    (4,)
    """

    rollout: NetworkRollout
    gradient: Gradient  # of one row: all parameters
    where: Layout
    room: Backward
    walker: NDArray[np.float64]  # (K,): where the walker is, until the turn is whole


def make_network_scratch(config: A3CConfig, task: Task) -> NetworkScratch:
    """Make room for the longest rollout of any worker of this configuration.

    Parameters
    ----------
    config : A3CConfig
    task : Task

    Examples
    --------
    >>> from a3c_tut.control import pendulum
    >>> from a3c_tut.networks import MLP
    >>> make_network_scratch(A3CConfig(), Task(pendulum(), MLP())).gradient.theta.shape
    (1, 1251)
    """
    where = task.layout
    return NetworkScratch(
        make_network_rollout(config.longest_rollout, where),
        make_gradient(1, 1, where.num_parameters),
        where,
        make_backward(where),
        np.zeros(task.world.walker_size),
    )


@inlined
def collect_network_rollout(run, index):  # type: ignore[no-untyped-def]
    """Act for at most n steps with the worker's own network; stop early where the episode ends.

    Touches nothing but the scratch, as `kernels.collect_rollout` does.

    Parameters
    ----------
    run : Run, whose scratch takes the rollout, with V(s_0) to V(s_T)
    index : int, the worker's place in `me`

    Returns
    -------
    Walk

    Examples
    --------
    >>> from a3c_tut.control import cart_pole
    >>> from a3c_tut.engine.crew import make_run
    >>> from a3c_tut.networks import MLP
    >>> run = make_run(Task(cart_pole(), MLP()), A3CConfig(rollout_length=5))
    >>> walk = collect_network_rollout(run, 0)
    >>> walk.length, walk.total_reward, walk.cursor  # 4 numbers for the start, 1 a step
    (5, 5.0, 9)
    """
    world, me, scratch = run.world, run.me, run.scratch
    rollout, where, walker = scratch.rollout, scratch.where, scratch.walker
    parameters, uniforms, cursor = me.theta[index, 0], me.uniforms[index], me.cursor[index]
    rollout_length = run.settings.rollout_length[me.worker[index]]
    for i in range(walker.shape[0]):
        walker[i] = me.walker[index, i]
    if me.episode_steps[index] == 0:
        cursor = reset(world, walker, uniforms, cursor)
    observe(world, walker, rollout.observations[0])
    forward(parameters, where, rollout, 0)
    length = 0
    total_reward = 0.0
    terminated = False
    truncated = False
    while length < rollout_length and not (terminated or truncated):
        cursor = act(
            parameters, where, world.continuous, world.action_range, rollout, length, uniforms,
            cursor,
        )  # fmt: skip
        uniform = 0.0
        if world.table.cumulative.shape[2] > 1:
            uniform = uniforms[cursor]
            cursor += 1
        reward, terminated = move(world, walker, rollout.actions[length], rollout.force, uniform)
        rollout.rewards[length] = reward * world.reward_scale
        total_reward += reward
        length += 1
        observe(world, walker, rollout.observations[length])
        forward(parameters, where, rollout, length)
        out_of_time = me.episode_steps[index] + length >= world.max_episode_steps
        truncated = out_of_time and not terminated
    return Walk(length, terminated, truncated, cursor, total_reward, 0)


@inlined
def form_gradient(run, index, walk):  # type: ignore[no-untyped-def]
    """Form advantages and clipped gradient of the rollout in the scratch.

    Parameters
    ----------
    run : Run
    index : int, the worker's place in `me`
    walk : Walk, from `collect_network_rollout`

    Returns
    -------
    Formed

    Examples
    --------
    >>> from a3c_tut.control import cart_pole
    >>> from a3c_tut.engine.crew import make_run
    >>> from a3c_tut.networks import MLP
    >>> run = make_run(Task(cart_pole(), MLP()), A3CConfig(rollout_length=5))
    >>> formed = form_gradient(run, 0, collect_network_rollout(run, 0))
    >>> bool(formed.grad_norm > 0.0)
    True
    """
    settings, scratch, worker = run.settings, run.scratch, run.me.worker[index]
    rollout, gradient = scratch.rollout, scratch.gradient
    compute_advantages(settings, rollout, walk.length, walk.terminated, rollout.values)
    mean_entropy = accumulate_network_gradient(
        run.me.theta[index, 0], scratch.where, run.world.continuous, rollout, walk.length,
        settings.entropy_coef[worker], settings.critic_lr[worker] / settings.actor_lr[worker],
        scratch.room, gradient.theta[0],
    )  # fmt: skip
    norm = gradient_norm(gradient, 1)
    clip_gradients(gradient, 1, norm, settings.max_grad_norm)
    return Formed(1, mean_entropy, norm)


@inlined
def prepare(run, index):  # type: ignore[no-untyped-def]
    """Do the first half of a turn: act on the local copy and form the gradient.

    Touches nothing that others can see, and leaves no trace in the worker's own memory either.

    Parameters
    ----------
    run : Run, whose scratch takes the rollout and the gradient
    index : int, the worker's place in `me`

    Returns
    -------
    Walk, Formed

    Examples
    --------
    >>> from a3c_tut.control import cart_pole
    >>> from a3c_tut.engine.crew import make_run
    >>> from a3c_tut.networks import MLP
    >>> run = make_run(Task(cart_pole(), MLP()), A3CConfig(rollout_length=5))
    >>> walk, formed = prepare(run, 0)
    >>> formed.num_rows, round(formed.mean_entropy, 2), bool(run.shared.theta[0, 0] != 0.0)
    (1, 0.69, True)
    """
    walk = collect_network_rollout(run, index)
    return walk, form_gradient(run, index, walk)


@inlined
def between(run, index, walk, formed, turn, extra):  # type: ignore[no-untyped-def]
    """Return what is known of the gradient: it has been formed with the worker's own critic.

    Parameters
    ----------
    run : Run
    index : int, the worker's place in `me`
    walk, formed : Walk and Formed, from `prepare`
    turn : int, the entry of the schedule
    extra : what a variant works on

    Examples
    --------
    >>> between(None, 0, None, Formed(1, 0.5, 2.0), 0, ()).grad_norm
    2.0
    """
    return formed


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
    >>> from a3c_tut.control import cart_pole
    >>> from a3c_tut.engine.crew import make_run
    >>> from a3c_tut.networks import MLP
    >>> run = make_run(Task(cart_pole(), MLP()), A3CConfig(rollout_length=5))
    >>> walk, formed = prepare(run, 0)
    >>> finite = push(run, 0, walk, formed)
    >>> finish_turn(run, 0, walk)
    >>> bool((run.me.walker[0] == run.scratch.walker).all()), int(run.me.episode_steps[0])
    (True, 5)
    """
    for i in range(run.scratch.walker.shape[0]):
        run.me.walker[index, i] = run.scratch.walker[i]
    turn.finish_turn(run, index, walk)


@called
def play_episode(world, parameters, where, rollout, walker, uniforms, greedy):  # type: ignore[no-untyped-def]
    """Return the return of one episode under a network that no longer learns.

    Parameters
    ----------
    world : ControlArrays
    parameters : (P,)
    where : Layout
    rollout : NetworkRollout, of at least one step
    walker : (K,), room
    uniforms : (B,), enough for the longest episode
    greedy : bool
        Take the most probable action (of equals the first), or a Gaussian's mean.

    Returns
    -------
    float
        Undiscounted, in the world's units.

    Examples
    --------
    A network that always pushes to the right does not hold the pole for long:

    >>> from a3c_tut.control import cart_pole
    >>> from a3c_tut.engine.motion import control_arrays
    >>> from a3c_tut.networks import MLP, layout
    >>> where = layout(MLP(), cart_pole())
    >>> parameters = np.zeros(where.num_parameters)
    >>> parameters[where.policy_at + 65] = 1.0  # the second action's bias
    >>> room = make_network_rollout(1, where)
    >>> world, uniforms = control_arrays(cart_pole(), A3CConfig()), np.full(1_004, 0.5)
    >>> float(play_episode(world, parameters, where, room, np.zeros(4), uniforms, True))
    9.0
    """
    cursor = reset(world, walker, uniforms, 0)
    total_return = 0.0
    for _ in range(world.max_episode_steps):
        observe(world, walker, rollout.observations[0])
        forward(parameters, where, rollout, 0)
        cursor = act(
            parameters, where, world.continuous, world.action_range, rollout, 0, uniforms, cursor
        )
        if greedy and world.continuous:
            for a in range(rollout.force.shape[0]):
                mean = min(max(rollout.outputs[0, a], -1.0), 1.0)
                rollout.force[a] = world.action_range * mean
        choice = rollout.actions[0]
        if greedy and not world.continuous:
            choice = 0
            for a in range(1, rollout.policies.shape[1]):
                if rollout.policies[0, a] > rollout.policies[0, choice]:
                    choice = a
        uniform = 0.0
        if world.table.cumulative.shape[2] > 1:
            uniform = uniforms[cursor]
            cursor += 1
        reward, terminated = move(world, walker, choice, rollout.force, uniform)
        total_return += reward
        if terminated:
            break
    return total_return


#: The loop of turns of an emulated run.
take_turns = turn.variant(
    "take_network_turns", prepare=prepare, between=between, finish_turn=finish_turn
)
