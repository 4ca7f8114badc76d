"""What came after A3C, each as one change of its turn: V-trace and PPO's clipping.

A2C, a barrier, is `evidence.controls.train_synchronously`, and generalised advantages are the
setting `gae_lambda`; both are in the engine. What is here are kernels as the engine's, a function
per equation, and the hooks (`engine.turn.variant`) that put them into a turn.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from a3c_tut import A3CConfig
from a3c_tut.engine.compiling import inlined, kernel
from a3c_tut.engine.kernels import (
    accumulate_gradients,
    clip_gradients,
    gradient_norm,
    softmax,
)
from a3c_tut.engine.turn import Formed, annealing, apply_gradient, between, sync, variant

Floats = NDArray[np.float64]


class Later(NamedTuple):
    """What the hooks below work on: settings, and what has to be known of a rollout later on.

    Examples
    --------
    >>> room = make_later(A3CConfig(rollout_length=5), epochs=4, clip=0.2)
    >>> room.acted.shape, room.epochs, room.clip
    ((5,), 4, 0.2)
    """

    limit: float  # of V-trace's ratios
    correct: bool  # whether they count; if not, all are taken to be 1
    epochs: int  # gradient steps per rollout
    clip: float  # PPO's ε
    length: NDArray[np.int64]  # (1,): steps of the rollout
    acted: Floats  # (n,): probability of each action when it was taken
    ratios: Floats  # (n,): by how much more probable it is now
    advantages: Floats  # (n,): as they were when the rollout was new
    targets: Floats  # (n,): what the critic was to say


def make_later(
    config: A3CConfig, *, limit: float = 1.0, correct: bool = True, epochs: int = 1,
    clip: float = math.inf,
) -> Later:  # fmt: skip
    """Make room for what the hooks keep.

    Parameters
    ----------
    config : A3CConfig
    limit : float from 0
        The largest ratio that V-trace lets count.
    correct : bool
        False is V-trace's control: what the old copy did is taken for what the shared policy does.
    epochs : int from 1
        Gradient steps per rollout; 1: A3C.
    clip : float from 0
        PPO's ε; infinity: no clipping.

    Examples
    --------
    >>> make_later(A3CConfig()).epochs
    1
    """
    n = config.longest_rollout
    return Later(limit, correct, epochs, clip, np.zeros(1, np.int64), *np.zeros((4, n)))


@kernel
def remember_acted(rollout, length, acted):  # type: ignore[no-untyped-def]
    """Write how probable each action of a rollout was when it was taken.

    Parameters
    ----------
    rollout : Rollout, as `collect_rollout` leaves it
    length : int, T
    acted : (≥ T,), written

    Examples
    --------
    >>> from a3c_tut.engine.kernels import make_rollout
    >>> rollout, acted = make_rollout(1, 2), np.zeros(1)
    >>> rollout.policies[0] = 0.25, 0.75
    >>> remember_acted(rollout, 1, acted)
    >>> float(acted[0])
    0.25
    """
    for t in range(length):
        acted[t] = rollout.policies[t, rollout.actions[t]]


@kernel
def compute_ratios(theta, rollout, length, acted, ratios):  # type: ignore[no-untyped-def]
    """Write ρ_t = π_θ(a_t|s_t) / μ(a_t|s_t): how much more probable each action is by now.

    Parameters
    ----------
    theta : (S, A) logits, those of now
    rollout : Rollout
        Its policies are overwritten with those of `theta`.
    length : int, T
    acted : (≥ T,), from `remember_acted`
    ratios : (≥ T,), written

    Examples
    --------
    A coin was tossed, and by now the side that came up is three times as probable as the other:

    >>> from a3c_tut.engine.kernels import make_rollout
    >>> rollout, ratios = make_rollout(1, 2), np.zeros(1)
    >>> compute_ratios(np.log([[3.0, 1.0]]), rollout, 1, np.array([0.5]), ratios)
    >>> round(float(ratios[0]), 12)
    1.5
    """
    for t in range(length):
        softmax(theta, rollout.states[t], rollout.policies, rollout.log_policies, t)
        ratios[t] = rollout.policies[t, rollout.actions[t]] / acted[t]


@kernel
def compute_vtrace_advantages(  # type: ignore[no-untyped-def]
    states, rewards, length, terminated, V, gamma, gae_lambda, ratios, limit, advantages
):
    """Write V-trace's advantages (Espeholt et al., 2018): Equation (1) for somebody else's actions.

    A_t = c_t (δ_t + γλ A_{t+1}) with δ_t = r_{t+1} + γ V(s_{t+1}) − V(s_t), c_t = min(limit, ρ_t)
    and A_T = 0. Both of V-trace's limits are one here, as in that paper's experiments. Then, with
    λ = 1, what the critic's target is away from V and what the actor's score is weighted with are
    one number, A_t. With ρ_t = 1 everywhere these are generalised advantages, and with λ = 1, too,
    Equation (1), added up in another order.

    Parameters
    ----------
    states, rewards, length, terminated, V, gamma, gae_lambda, advantages
        As in `compute_lambda_advantages`.
    ratios : (≥ T,), ρ, from `compute_ratios`
    limit : float from 0

    Examples
    --------
    The second action is half as probable as it was, and so counts half:

    >>> advantages, V = np.zeros(2), np.array([0.0, -4.0, -10.0])
    >>> states, rewards, ratios = np.array([0, 1, 2]), np.array([-1.0, -1.0]), np.array([1.5, 0.5])
    >>> compute_vtrace_advantages(states, rewards, 2, False, V, 1.0, 1.0, ratios, 1.0, advantages)
    >>> advantages.tolist()
    [-8.5, -3.5]
    """
    advantage = 0.0
    following = 0.0 if terminated else V[states[length]]
    for t in range(length - 1, -1, -1):
        value = V[states[t]]
        surprise = rewards[t] + gamma * following - value
        advantage = min(limit, ratios[t]) * (surprise + gamma * gae_lambda * advantage)
        advantages[t] = advantage
        following = value


@kernel
def clip_advantages(ratios, advantages, length, clip, weighted):  # type: ignore[no-untyped-def]
    """Write ρ_t A_t, and 0 where PPO (Schulman et al., 2017) lets an action go no further.

    The gradient of min(ρ_t A_t, clip(ρ_t, 1 − ε, 1 + ε) A_t) is ρ_t A_t times the score, or 0
    where the clipped part is the smaller one: a good action that is already more than 1 + ε times
    as probable, a bad one that is already less than 1 − ε times as probable as when it was taken.

    Parameters
    ----------
    ratios, advantages : (≥ T,)
    length : int, T
    clip : float from 0, ε; infinity: no clipping
    weighted : (≥ T,), written

    Examples
    --------
    >>> weighted = np.zeros(4)
    >>> ratios, advantages = np.array([1.5, 0.5, 1.5, 0.5]), np.array([1.0, 1.0, -1.0, -1.0])
    >>> clip_advantages(ratios, advantages, 4, 0.2, weighted)
    >>> weighted.tolist()
    [0.0, 0.5, -1.5, 0.0]
    """
    for t in range(length):
        good, ratio = advantages[t] > 0.0, ratios[t]
        far = ratio > 1.0 + clip if good else ratio < 1.0 - clip
        weighted[t] = 0.0 if far else ratio * advantages[t]


@kernel
def accumulate_critic(rollout, targets, length, V, gradient, num_rows):  # type: ignore[no-untyped-def]
    """Write Σ (target − V(s_t)) over the visits of each state: the critic's part, computed anew.

    Parameters
    ----------
    rollout : Rollout
    targets : (≥ T,), what the critic is to say
    length : int, T
    V : (S,), the critic of now
    gradient : Gradient, whose rows `accumulate_gradients` has found; its V is written
    num_rows : int, how many rows it has

    Examples
    --------
    >>> from a3c_tut.engine.kernels import make_gradient, make_rollout
    >>> gradient = make_gradient(1, 2, 2)
    >>> accumulate_critic(make_rollout(1, 2), np.array([5.0]), 1, np.array([3.0, 0.0]), gradient, 1)
    >>> float(gradient.V[0])
    2.0
    """
    for row in range(num_rows):
        gradient.V[row] = 0.0
        for t in range(length):
            if rollout.states[t] == gradient.rows[row]:
                gradient.V[row] += targets[t] - V[gradient.rows[row]]


@inlined
def form(run, index, length):  # type: ignore[no-untyped-def]
    """Form the clipped gradient of a rollout whose policies and advantages are written.

    Parameters
    ----------
    run : Run
    index : int, the worker's place in `me`; its β counts
    length : int, T

    Returns
    -------
    Formed

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> from a3c_tut.engine.crew import make_run
    >>> from a3c_tut.engine.turn import prepare
    >>> run = make_run(cliff_world(), A3CConfig())
    >>> walk, formed = prepare(run, 0)
    >>> form(run, 0, walk.length) == formed
    True
    """
    settings, gradient = run.settings, run.scratch.gradient
    beta = settings.entropy_coef[run.me.worker[index]]
    num_rows, mean_entropy = accumulate_gradients(run.scratch.rollout, length, beta, gradient)
    norm = gradient_norm(gradient, num_rows)
    clip_gradients(gradient, num_rows, norm, settings.max_grad_norm)
    return Formed(num_rows, mean_entropy, norm)


@inlined
def correct_for_age(run, index, walk, formed, turn, later):  # type: ignore[no-untyped-def]
    """Form the gradient at the shared tables, with V-trace's correction for the worker's old copy.

    A hook in the place of `turn.between`.

    Parameters
    ----------
    run, index, walk, formed, turn : as there
    later : Later

    Examples
    --------
    Nobody has pushed, so that there is nothing to correct:

    >>> from a3c_tut import cliff_world
    >>> from a3c_tut.engine.crew import make_run
    >>> from a3c_tut.engine.turn import prepare
    >>> run = make_run(cliff_world(), A3CConfig())
    >>> walk, formed = prepare(run, 0)
    >>> same = correct_for_age(run, 0, walk, formed, 0, make_later(A3CConfig()))
    >>> abs(same.grad_norm - formed.grad_norm) < 1e-12
    True
    """
    rollout, length = run.scratch.rollout, walk.length
    remember_acted(rollout, length, later.acted)
    compute_ratios(run.shared.theta, rollout, length, later.acted, later.ratios)
    if not later.correct:
        for t in range(length):
            later.ratios[t] = 1.0
    compute_vtrace_advantages(
        rollout.states, rollout.rewards, length, walk.terminated, run.shared.V, run.settings.gamma,
        1.0, later.ratios, later.limit, rollout.advantages,
    )  # fmt: skip
    return form(run, index, length)


@inlined
def keep_for_later(run, index, walk, formed, turn, later):  # type: ignore[no-untyped-def]
    """Push A3C's own gradient, and keep what further steps with the same rollout need.

    A hook in the place of `turn.between`.

    Parameters
    ----------
    run, index, walk, formed, turn : as there
    later : Later, written

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> from a3c_tut.engine.crew import make_run
    >>> from a3c_tut.engine.turn import prepare
    >>> run, later = make_run(cliff_world(), A3CConfig()), make_later(A3CConfig())
    >>> walk, formed = prepare(run, 0)
    >>> keep_for_later(run, 0, walk, formed, 0, later) == formed
    True
    >>> later.acted.tolist()
    [0.25, 0.25, 0.25]
    """
    formed = between(run, index, walk, formed, turn, later)
    rollout = run.scratch.rollout
    V = run.shared.V if run.settings.global_critic else run.me.V[index]
    later.length[0] = walk.length
    remember_acted(rollout, walk.length, later.acted)
    for t in range(walk.length):
        later.advantages[t] = rollout.advantages[t]
        later.targets[t] = rollout.advantages[t] + V[rollout.states[t]]
    return formed


@inlined
def learn_again(run, index, later):  # type: ignore[no-untyped-def]
    """Take PPO's further steps with the rollout that was just pushed, then refresh the copy.

    A hook in the place of `turn.after`. The rows that change are those of the push, so that other
    workers' copies hear of them.

    Parameters
    ----------
    run, index : as there
    later : Later, as `keep_for_later` left it

    Examples
    --------
    With one epoch there is nothing left to learn:

    >>> from a3c_tut import cliff_world
    >>> from a3c_tut.engine.crew import make_run
    >>> run = make_run(cliff_world(), A3CConfig())
    >>> learn_again(run, 0, make_later(A3CConfig()))
    >>> bool(run.shared.theta.any())
    False
    """
    settings, shared, rollout = run.settings, run.shared, run.scratch.rollout
    gradient, length, worker = run.scratch.gradient, later.length[0], run.me.worker[index]
    factor = annealing(settings, shared.counters[0], run.me.own_steps[index])
    for _ in range(later.epochs - 1):
        compute_ratios(shared.theta, rollout, length, later.acted, later.ratios)
        clip_advantages(later.ratios, later.advantages, length, later.clip, rollout.advantages)
        beta = settings.entropy_coef[worker]
        num_rows, _ = accumulate_gradients(rollout, length, beta, gradient)
        accumulate_critic(rollout, later.targets, length, shared.V, gradient, num_rows)
        norm = gradient_norm(gradient, num_rows)
        clip_gradients(gradient, num_rows, norm, settings.max_grad_norm)
        apply_gradient(
            run, index, num_rows, settings.actor_lr[worker] * factor,
            settings.critic_lr[worker] * factor,
        )  # fmt: skip
    sync(run, index)


take_corrected_turns = variant("take_corrected_turns", between=correct_for_age)
take_repeated_turns = variant("take_repeated_turns", between=keep_for_later, after=learn_again)
