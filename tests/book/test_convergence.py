"""The restarting world, the trail of a run, and the fitted order, against what is known."""

import numpy as np
import pytest

from a3c_tut import TableWorld, exact, train
from a3c_tut.book.evidence import convergence
from a3c_tut.book.evidence.controls import train_variant

WORLD = convergence.restarting_world()
GAMMA = 1.0 - convergence.ENDS


def endless():
    """The same world without the ends; where an episode ended, it goes on."""
    probability = WORLD.probability * ~WORLD.terminated / GAMMA
    return TableWorld(
        WORLD.next_state, probability, WORLD.reward, np.zeros_like(WORLD.terminated), WORLD.start,
        WORLD.max_episode_steps,
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
def test_an_end_with_probability_is_a_discount(seed):
    """γ = 1 and ends, or no ends and γ = 0.9: the same occupancy, values and gradient."""
    theta = np.random.default_rng(seed).normal(size=(6, 3))
    policy = exact.softmax_policy(theta)
    for function, of in (
        (exact.state_occupancy, policy), (exact.policy_values, policy),
        (exact.policy_gradient, theta),
    ):  # fmt: skip
        np.testing.assert_allclose(
            function(WORLD, of, gamma=1.0), function(endless(), of, gamma=GAMMA), atol=1e-10
        )


@pytest.mark.parametrize("seed", range(5))
def test_a_step_of_it_is_the_true_gradient(seed):
    """Where states are visited as they are, and the critic is right; not so on other worlds."""
    theta = np.random.default_rng(seed).normal(size=(6, 3))
    policy = exact.softmax_policy(theta)
    visits = exact.state_occupancy(WORLD, policy, gamma=1.0)
    sampled, critic = exact.expected_rollout_gradient(
        WORLD, theta, exact.policy_values(WORLD, policy, 1.0), n=1, gamma=1.0, beta=0.0,
        start=visits / visits.sum(),
    )  # fmt: skip
    true = exact.policy_gradient(WORLD, theta, gamma=1.0) / visits.sum()
    np.testing.assert_allclose(sampled, true, atol=1e-12)
    np.testing.assert_allclose(critic, 0.0, atol=1e-12)


def test_the_trail_is_the_runs_own():
    """The logits that are kept are those of the run that was stopped there."""
    config = convergence.meeting(4, 256)
    trail = convergence.Trail(np.zeros((16, 6, 3)), every=16)
    run = train_variant(
        WORLD, config, total_steps=256, seed=5, loop=convergence.take_noted_turns, extra=trail
    )
    whole = train(WORLD, config, total_steps=256, seed=5)
    assert (run.theta == whole.theta).all()
    assert (trail.thetas[-1] == whole.theta).all()
    for moment in (0, 6):
        stopped = train(WORLD, config, seed=5, schedule=whole.schedule[: 16 * (moment + 1)])
        assert (trail.thetas[moment] == stopped.theta).all()
    assert len({one.tobytes() for one in trail.thetas}) == 16


def test_what_is_left_over():
    """By hand, for one run."""
    config = convergence.meeting(2, 64)
    lengths = []
    for pushes in range(4, 65, 4):
        stopped = train(WORLD, config, seed=1, schedule=np.arange(pushes) % 2)
        lengths.append(np.linalg.norm(exact.policy_gradient(WORLD, stopped.theta, gamma=1.0)))
    squared, missing = convergence.left_over(1, config, 64)
    assert squared == pytest.approx(np.mean(np.square(lengths)))
    policy = exact.softmax_policy(stopped.theta)
    reached, best = exact.policy_values(WORLD, policy, 1.0), exact.optimal_values(WORLD, 1.0)
    assert missing == pytest.approx(WORLD.start @ (best - reached))
    assert 0.0 < missing < WORLD.start @ best


def test_a_planted_order_is_found():
    rng = np.random.default_rng(0)
    pushes = np.array(convergence.PUSHES)
    tables = [3.0 * K**-0.5 * rng.uniform(0.5, 1.5, 200) for K in pushes]
    found = convergence.slope(tables)
    assert found.low < -0.5 < found.high
    assert found.high - found.low < 0.05
