"""V-trace and PPO's clipping against their definitions, and equal to A3C where they must be."""

from dataclasses import replace

import numpy as np
import pytest

from a3c_tut import A3CConfig, cliff_world, corridor_world, train
from a3c_tut.book import lineage
from a3c_tut.book.evidence.controls import train_synchronously
from a3c_tut.book.evidence.lineage import train_changed
from a3c_tut.engine import turn
from a3c_tut.engine.crew import make_run
from a3c_tut.engine.kernels import (
    accumulate_gradients,
    compute_lambda_advantages,
    compute_n_step_advantages,
    make_gradient,
    make_rollout,
)
from a3c_tut.experiments import finite_differences

RNG = np.random.default_rng
SEEDS = pytest.mark.parametrize("seed", range(20))
GAMMA, STATES, ACTIONS = 0.9, 5, 3


def softmax(logits):
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def drawn(seed):
    """A rollout that somebody else acted, states visited twice among them, and tables of now."""
    rng = RNG(seed)
    length = int(rng.integers(1, 8))
    rollout = make_rollout(length, ACTIONS)
    rollout.states[:] = rng.integers(STATES, size=length + 1)
    rollout.actions[:] = rng.integers(ACTIONS, size=length)
    rollout.rewards[:] = rng.normal(size=length)
    theta, V = rng.normal(size=(STATES, ACTIONS)), rng.normal(scale=3, size=STATES)
    acted = softmax(rng.normal(size=(length, ACTIONS)))[np.arange(length), rollout.actions]
    return rollout, length, bool(rng.integers(2)), theta, V, acted


def n_step(rollout, length, terminated, V):
    advantages = np.zeros(length)
    compute_n_step_advantages(
        rollout.states, rollout.rewards, length, terminated, V, GAMMA, 0, advantages
    )
    return advantages


# --- V-trace ------------------------------------------------------------------------------------


def vtrace_target(t, rewards, values, ratios, limit):
    """Its definition: V(s_t) and a sum of products; `values` are those of s_t to s_T."""
    target, T = values[t], len(rewards)
    for k in range(t, T):
        surprise = rewards[k] + GAMMA * values[k + 1] - values[k]
        clipped = np.minimum(limit, ratios)
        target += GAMMA ** (k - t) * np.prod(clipped[t:k]) * clipped[k] * surprise
    return target


@SEEDS
@pytest.mark.parametrize("limit", [1.0, 0.5, 3.0])
def test_vtrace_is_its_definition(seed, limit):
    rollout, length, terminated, theta, V, acted = drawn(seed)
    ratios, found = np.zeros(length), np.zeros(length)
    lineage.compute_ratios(theta, rollout, length, acted, ratios)
    now = softmax(theta)[rollout.states[:length], rollout.actions]
    np.testing.assert_allclose(ratios, now / acted, rtol=1e-12)
    lineage.compute_vtrace_advantages(
        rollout.states, rollout.rewards, length, terminated, V, GAMMA, 1.0, ratios, limit, found
    )
    values = np.append(V[rollout.states[:-1]], 0.0 if terminated else V[rollout.states[-1]])
    targets = [vtrace_target(t, rollout.rewards, values, ratios, limit) for t in range(length)]
    np.testing.assert_allclose(found, targets - values[:-1], atol=1e-12)
    # The actor's weight in that paper: ρ_t (r_{t+1} + γ v_{t+1} − V(s_t)).
    following = np.append(targets[1:], values[-1])
    weight = np.minimum(limit, ratios) * (rollout.rewards + GAMMA * following - values[:-1])
    np.testing.assert_allclose(found, weight, atol=1e-12)


@SEEDS
def test_vtrace_on_policy_is_equation_1(seed):
    rollout, length, terminated, _, V, _ = drawn(seed)
    found = np.zeros(length)
    lineage.compute_vtrace_advantages(
        rollout.states, rollout.rewards, length, terminated, V, GAMMA, 1.0, np.ones(length), 1.0,
        found,
    )  # fmt: skip
    np.testing.assert_allclose(found, n_step(rollout, length, terminated, V), atol=1e-12)


def test_vtrace_of_one_worker_is_a3c():
    """Its copy is never old: the same run, but for the order in which numbers are added."""
    asked = {"total_steps": 2_000, "seed": 3}
    alone = A3CConfig(num_workers=1)
    corrected = train_changed(cliff_world(), alone, **asked, change="V-trace")
    np.testing.assert_allclose(
        corrected.theta, train(cliff_world(), alone, **asked).theta, atol=1e-9
    )


@pytest.mark.parametrize("correct", [True, False])
def test_a_corrected_turn(correct):
    """The gradient that is pushed is that of the shared tables, ratios by those of the old copy."""
    config = A3CConfig(
        rollout_length=6, gamma=GAMMA, max_grad_norm=None, actor_lr=1.0, critic_lr=1.0
    )
    run = make_run(cliff_world(), config)
    turn.take_turns(run, np.array([0, 0, 1, 0, 0, 1, 0]), 0, 1_000, ())
    theta, V, old = run.shared.theta.copy(), run.shared.V.copy(), run.me.theta[2].copy()
    assert np.abs(theta - old).max() > 0.1
    walk, formed = turn.prepare(run, 2)
    later = lineage.make_later(config, correct=correct)
    formed = lineage.correct_for_age(run, 2, walk, formed, 0, later)
    rollout, gradient, T = run.scratch.rollout, run.scratch.gradient, walk.length
    states, actions = rollout.states[:T], rollout.actions[:T]
    pi, mu = softmax(theta), softmax(old)
    ratios = pi[states, actions] / mu[states, actions] if correct else np.ones(T)
    assert not correct or np.abs(ratios - 1.0).max() > 0.01
    values = np.append(V[states], 0.0 if walk.terminated else V[rollout.states[T]])
    beta, wanted, wanted_V = config.entropy_coef, np.zeros_like(theta), np.zeros_like(V)
    for t, (s, a) in enumerate(zip(states, actions, strict=True)):
        rewards = rollout.rewards[:T]
        advantage = vtrace_target(t, rewards, values, ratios, 1.0) - values[t]
        log_pi = np.log(pi[s])
        wanted[s] += advantage * (np.eye(4)[a] - pi[s])
        wanted[s] -= beta * pi[s] * (log_pi - pi[s] @ log_pi)
        wanted_V[s] += advantage
    rows = gradient.rows[: formed.num_rows]
    np.testing.assert_allclose(gradient.theta[: formed.num_rows], wanted[rows], atol=1e-10)
    np.testing.assert_allclose(gradient.V[: formed.num_rows], wanted_V[rows], atol=1e-10)
    norm = np.sqrt((wanted**2).sum() + (wanted_V**2).sum())
    assert formed.grad_norm == pytest.approx(norm, rel=1e-10)


# --- PPO ----------------------------------------------------------------------------------------


def clipped_gradient(rollout, length, theta, acted, advantages, clip):
    """The kernels' gradient of the clipped surrogate, as a table."""
    ratios, gradient = np.zeros(length), make_gradient(length, STATES, ACTIONS)
    lineage.compute_ratios(theta, rollout, length, acted, ratios)
    lineage.clip_advantages(ratios, advantages, length, clip, rollout.advantages)
    num_rows, _ = accumulate_gradients(rollout, length, 0.0, gradient)
    table = np.zeros((STATES, ACTIONS))
    table[gradient.rows[:num_rows]] = gradient.theta[:num_rows]
    return table


@SEEDS
@pytest.mark.parametrize("clip", [0.2, 0.5, np.inf])
def test_the_clipped_gradient_is_that_of_the_surrogate(seed, clip):
    rollout, length, _, theta, _, acted = drawn(seed)
    advantages = RNG([seed, 1]).normal(size=length)

    def surrogate(flat):
        pi = softmax(flat.reshape(theta.shape))
        ratios = pi[rollout.states[:length], rollout.actions] / acted
        bounded = np.clip(ratios, 1.0 - clip, 1.0 + clip)
        return float(np.minimum(ratios * advantages, bounded * advantages).sum())

    wanted = finite_differences(surrogate, theta.ravel())
    found = clipped_gradient(rollout, length, theta, acted, advantages, clip)
    np.testing.assert_allclose(found.ravel(), wanted, atol=1e-6)


def test_some_of_these_gradients_are_clipped():
    """Else the test above would not see a missing clip."""
    differ = 0
    for seed in range(20):
        rollout, length, _, theta, _, acted = drawn(seed)
        given = rollout, length, theta, acted, RNG([seed, 1]).normal(size=length)
        differ += bool(np.any(clipped_gradient(*given, 0.2) != clipped_gradient(*given, np.inf)))
    assert differ >= 10


@SEEDS
def test_at_ratio_1_ppo_is_a3c(seed):
    """To the bit: where nothing has moved yet, its gradient is Equation (2)'s."""
    rollout, length, terminated, theta, V, _ = drawn(seed)
    ones, acted = np.zeros(length), np.ones(length)
    lineage.compute_ratios(theta, rollout, length, acted, ones)
    lineage.remember_acted(rollout, length, acted)
    advantages = n_step(rollout, length, terminated, V)
    rollout.advantages[:] = advantages
    plain = make_gradient(length, STATES, ACTIONS)
    num_rows, _ = accumulate_gradients(rollout, length, 0.0, plain)
    table = np.zeros((STATES, ACTIONS))
    table[plain.rows[:num_rows]] = plain.theta[:num_rows]
    found = clipped_gradient(rollout, length, theta, acted, advantages, 0.2)
    assert (found == table).all()


def test_one_epoch_is_a3c():
    """To the bit, whatever the clip."""
    asked = {"total_steps": 3_000, "seed": 1}
    once = train_changed(corridor_world(), A3CConfig(), **asked, change="PPO", clip=0.0)
    assert (once.theta == train(corridor_world(), A3CConfig(), **asked).theta).all()


def test_a_second_epoch():
    """One worker, plain SGD, two epochs of one rollout by hand."""
    config = A3CConfig(
        num_workers=1, rollout_length=6, optimizer="sgd", max_grad_norm=None, actor_lr=0.1,
        critic_lr=0.2, reward_scale=0.1, entropy_coef=0.03,
    )  # fmt: skip
    run, later = make_run(cliff_world(), config), lineage.make_later(config, epochs=2, clip=0.01)
    turn.take_turns(run, np.zeros(30, int), 0, 1_000, ())
    theta, V = run.shared.theta.copy(), run.shared.V.copy()
    lineage.take_repeated_turns(run, np.zeros(1, int), 0, 10_000, later)
    rollout, T = run.scratch.rollout, int(later.length[0])
    states, actions = rollout.states[:T], rollout.actions[:T]
    assert len(set(states.tolist())) > 1
    assert np.abs(later.advantages[:T]).min() > 0
    old, first, targets = softmax(theta), True, later.targets[:T]
    np.testing.assert_allclose(targets - V[states], later.advantages[:T], atol=1e-12)
    for _ in range(2):
        pi, grad, grad_V = softmax(theta), np.zeros_like(theta), np.zeros_like(V)
        for t, (s, a) in enumerate(zip(states, actions, strict=True)):
            ratio, advantage = pi[s, a] / old[s, a], later.advantages[t]
            if not first and (ratio - 1.0) * np.sign(advantage) > 0.01:
                advantage = 0.0
            log_pi = np.log(pi[s])
            grad[s] += ratio * advantage * (np.eye(4)[a] - pi[s])
            grad[s] -= config.entropy_coef * pi[s] * (log_pi - pi[s] @ log_pi)
            grad_V[s] += targets[t] - V[s]
        theta, V, first = theta + 0.1 * grad, V + 0.2 * grad_V, False
    np.testing.assert_allclose(run.shared.theta, theta, atol=1e-12)
    np.testing.assert_allclose(run.shared.V, V, atol=1e-12)
    assert (run.me.theta[0] == run.shared.theta).all()


# --- λ and A2C ----------------------------------------------------------------------------------


@SEEDS
def test_lambda_is_a_mean_over_horizons(seed):
    """(1 − λ) Σ λ^{h−1} A^{(h)}, what is left over on the longest; with λ = 1 Equation (1)."""
    rollout, length, terminated, _, V, _ = drawn(seed)
    values = np.append(V[rollout.states[:-1]], 0.0 if terminated else V[rollout.states[-1]])

    def ahead(t, h):
        rewards = [GAMMA**k * rollout.rewards[t + k] for k in range(h)]
        return sum(rewards) + GAMMA**h * values[t + h] - values[t]

    for lam in (0.0, 0.7, 1.0):
        found = np.zeros(length)
        compute_lambda_advantages(
            rollout.states, rollout.rewards, length, terminated, V, GAMMA, lam, found
        )
        for t in range(length):
            most = length - t
            mean = sum((1 - lam) * lam ** (h - 1) * ahead(t, h) for h in range(1, most))
            mean += lam ** (most - 1) * ahead(t, most)
            assert found[t] == pytest.approx(mean, abs=1e-12)
    np.testing.assert_allclose(found, n_step(rollout, length, terminated, V), atol=1e-12)


def test_a2c_pushes_the_sum_of_gradients():
    """With plain SGD, pushes from the same tables one by one are one push of their sum."""
    config = A3CConfig(num_workers=4, optimizer="sgd", max_grad_norm=None, rollout_length=5)
    run = make_run(cliff_world(), config)
    wanted = np.zeros((48, 4))
    for worker in range(4):
        _, formed = turn.prepare(run, worker)
        gradient = run.scratch.gradient
        wanted[gradient.rows[: formed.num_rows]] += (
            config.actor_lr * gradient.theta[: formed.num_rows]
        )
    one_round = train_synchronously(cliff_world(), config, total_steps=20, seed=0)
    assert np.abs(wanted).max() > 0
    np.testing.assert_allclose(one_round.theta, wanted, atol=1e-14)
    other = train(cliff_world(), replace(config, num_workers=4), total_steps=20, seed=0)
    np.testing.assert_allclose(other.theta, wanted, atol=1e-14)  # a first round is fresh anyway
    later = train_synchronously(cliff_world(), config, total_steps=100, seed=0)
    assert later.updates["staleness"].tolist()[:8] == [0, 1, 2, 3] * 2
