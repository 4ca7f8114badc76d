"""The twins of Equations (1) to (3): what the formula says, by brute force, against the kernel."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from strategies import discounts, random_thetas, random_worlds

from a3c_tut import A3CConfig, TableWorld, cliff_world, train
from a3c_tut.engine import kernels
from a3c_tut.engine.buffers import make_settings, world_arrays
from a3c_tut.engine.turn import annealing
from a3c_tut.exact import (
    expected_rollout_gradient,
    policy_gradient,
    policy_values,
    softmax_policy,
)

CLIFF = cliff_world()


# --- helpers -----------------------------------------------------------------------------------


class Sample(NamedTuple):
    """A rollout as any reader would write it down."""

    states: list[int]  # s_0 … s_T
    actions: list[int]
    rewards: list[float]
    terminated: bool


@st.composite
def samples(draw, num_states=4, num_actions=3, longest=7):
    """Any rollout at all: states come again, rewards have both signs."""
    T = draw(st.integers(1, longest))
    numbers = st.floats(-10, 10, allow_subnormal=False)
    return Sample(
        draw(st.lists(st.integers(0, num_states - 1), min_size=T + 1, max_size=T + 1)),
        draw(st.lists(st.integers(0, num_actions - 1), min_size=T, max_size=T)),
        draw(st.lists(numbers, min_size=T, max_size=T)),
        draw(st.booleans()),
    )


def tables_of(*shape, size=10.0):
    count = math.prod(shape)
    numbers = st.floats(-size, size, allow_subnormal=False)
    return st.lists(numbers, min_size=count, max_size=count).map(
        lambda flat: np.array(flat).reshape(shape)
    )


def advantages_of(sample, V, gamma, window=0):
    """Call the kernel, with more room than the rollout needs, as in a run."""
    T = len(sample.rewards)
    advantages = np.full(T + 3, np.nan)
    kernels.compute_n_step_advantages(
        np.array([*sample.states, 99, 99]), np.array([*sample.rewards, np.nan]), T,
        sample.terminated, V, gamma, window, advantages,
    )  # fmt: skip
    assert np.isnan(advantages[T:]).all()
    return advantages[:T]


def gradients_of(sample, theta, advantages, beta):
    """Call the kernel; return whole tables, the distinct rows in order, and the mean entropy."""
    T, (num_states, num_actions) = len(sample.actions), theta.shape
    rollout = kernels.make_rollout(T + 2, num_actions)
    gradient = kernels.make_gradient(T + 2, num_states, num_actions)
    for array in (gradient.theta, gradient.V, rollout.advantages):
        array[:] = np.nan
    rollout.states[: T + 1], rollout.actions[:T] = sample.states, sample.actions
    rollout.advantages[:T] = advantages
    for t in range(T):
        kernels.softmax(theta, sample.states[t], rollout.policies, rollout.log_policies, t)
    num_rows, mean_entropy = kernels.accumulate_gradients(rollout, T, beta, gradient)
    assert (gradient.place == -1).all(), "room for the next rollout is not cleared"
    rows = gradient.rows[:num_rows].tolist()
    grad_theta, grad_V = np.zeros_like(theta), np.zeros(num_states)
    grad_theta[rows], grad_V[rows] = gradient.theta[:num_rows], gradient.V[:num_rows]
    return grad_theta, grad_V, rows, mean_entropy


def log_policy(theta):
    """log π for the whole table, as in the book."""
    return theta - np.log(np.exp(theta).sum(axis=1, keepdims=True))


def entropies(theta):
    log_p = log_policy(theta)
    return -(np.exp(log_p) * log_p).sum(axis=1)


def central_difference(function, table, h=1e-5):
    """∂f/∂x for every entry x of a table, from two values of f."""
    gradient = np.zeros_like(table)
    for index in np.ndindex(table.shape):
        for sign in (1, -1):
            moved = table.copy()
            moved[index] += sign * h
            gradient[index] += sign * function(moved) / (2 * h)
    return gradient


# --- Equation (1) ------------------------------------------------------------------------------


class TestEquation1:
    """A_t = Σ_{k<h} γ^k r_{t+k+1} + γ^h V(s_{t+h}) − V(s_t)."""

    @given(samples(), tables_of(4), discounts, st.integers(0, 8))
    @example(Sample([0, 1, 2], [0, 0], [1.0, 1.0], False), np.arange(4.0), 0.5, 1)
    @example(Sample([0, 1, 2], [0, 0], [1.0, 1.0], True), np.arange(4.0), 0.5, 2)
    @settings(max_examples=150, deadline=None)
    def test_summed_as_it_is_written(self, sample, V, gamma, window):
        """Variable n (window 0: every step looks ahead to s_T) and the fixed n of the equation."""
        T = len(sample.rewards)
        value = [V[s] for s in sample.states]
        if sample.terminated:
            value[T] = 0.0
        wanted = []
        for t in range(T):
            h = T - t if window == 0 else min(window, T - t)
            wanted.append(
                sum(gamma**k * sample.rewards[t + k] for k in range(h))
                + gamma**h * value[t + h]
                - V[sample.states[t]]
            )
        np.testing.assert_allclose(
            advantages_of(sample, V, gamma, window), wanted, rtol=1e-12, atol=1e-11
        )

    @given(samples(), tables_of(4), discounts)
    @settings(max_examples=40, deadline=None)
    def test_a_wide_window_is_none(self, sample, V, gamma):
        wide = advantages_of(sample, V, gamma, window=len(sample.rewards))
        assert wide.tolist() == advantages_of(sample, V, gamma).tolist()

    @given(samples(), tables_of(4), discounts)
    @settings(max_examples=40, deadline=None)
    def test_window_of_one_is_the_td_error(self, sample, V, gamma):
        deltas = advantages_of(sample, V, gamma, window=1)
        for t, (s, r, to) in enumerate(
            zip(sample.states, sample.rewards, sample.states[1:], strict=False)
        ):
            ends = sample.terminated and t == len(deltas) - 1
            assert deltas[t] == pytest.approx(r + (0.0 if ends else gamma * V[to]) - V[s])

    def test_terminal_states_are_worth_nothing(self):
        """Whatever the table holds for s_T; its reward counts."""
        V = np.array([1.0, 2.0, 1e9, 0.0])
        for window in (0, 1, 2):
            sample = Sample([0, 1, 2], [0, 0], [3.0, 5.0], True)
            assert advantages_of(sample, V, 1.0, window)[1] == 5.0 - 2.0

    def test_truncated_is_not_terminated(self):
        """A rollout that a time limit cut bootstraps from the state that was reached."""
        V = np.array([1.0, 2.0, 7.0, 0.0])
        sample = Sample([0, 1, 2], [0, 0], [3.0, 5.0], False)
        assert advantages_of(sample, V, 0.5).tolist() == [3 + 2.5 + 0.25 * 7 - 1, 5 + 3.5 - 2]

    @given(samples(), tables_of(4), discounts)
    @settings(max_examples=40, deadline=None)
    def test_perfect_values_leave_no_advantage(self, sample, V, gamma):
        """Rewards made such that V keeps Bellman's equation along the way: A = 0."""
        T = len(sample.rewards)
        after = [V[s] for s in sample.states[1:]]
        if sample.terminated:
            after[-1] = 0.0
        rewards = [V[s] - gamma * v for s, v in zip(sample.states, after, strict=False)]
        for window in (0, 1, 3):
            zero = advantages_of(sample._replace(rewards=rewards), V, gamma, window)
            np.testing.assert_allclose(zero, np.zeros(T), atol=1e-11)


# --- Equations (2) and (3) ---------------------------------------------------------------------


class TestEquation2:
    """∇_θ Σ_t [log π(a_t|s_t) A_t + β H(π(·|s_t))], with A_t held constant."""

    @given(samples(), tables_of(4, 3, size=3.0), tables_of(7), st.sampled_from([0.0, 0.01, 2.0]))
    @settings(max_examples=60, deadline=None)
    def test_finite_differences(self, sample, theta, A, beta):
        states, actions = np.array(sample.states[:-1]), np.array(sample.actions)
        A = A[: len(actions)]

        def surrogate(moved):
            return (log_policy(moved)[states, actions] * A).sum() + beta * entropies(moved)[
                states
            ].sum()

        grad_theta, *_ = gradients_of(sample, theta, A, beta)
        np.testing.assert_allclose(grad_theta, central_difference(surrogate, theta), atol=1e-6)

    @given(tables_of(4, 3, size=3.0), st.integers(0, 3))
    @settings(max_examples=40, deadline=None)
    def test_entropy_alone(self, theta, state):
        """Without advantages only the entropy pulls, towards the uniform policy."""
        sample = Sample([state, 0], [1], [0.0], False)
        grad_theta, _, _, mean_entropy = gradients_of(sample, theta, [0.0], 0.5)
        wanted = central_difference(lambda moved: 0.5 * entropies(moved)[state], theta)
        np.testing.assert_allclose(grad_theta, wanted, atol=1e-6)
        assert mean_entropy == pytest.approx(entropies(theta)[state])
        assume(theta[state].max() - theta[state].min() > 0.1)
        assert (
            grad_theta[state, theta[state].argmax()] < 0 < grad_theta[state, theta[state].argmin()]
        )

    @given(samples(), tables_of(4, 3, size=3.0), tables_of(7))
    @settings(max_examples=40, deadline=None)
    def test_direction(self, sample, theta, A):
        """It is added: a small step along it makes the surrogate larger, never smaller."""
        states, actions = np.array(sample.states[:-1]), np.array(sample.actions)
        A = A[: len(actions)]
        grad_theta, *_ = gradients_of(sample, theta, A, 0.0)
        size = np.abs(grad_theta).max()
        assume(size > 1e-3)
        before, after = (
            (log_policy(table)[states, actions] * A).sum()
            for table in (theta, theta + 1e-4 / size * grad_theta)
        )
        assert after > before

    @given(samples(), tables_of(4, 3, size=3.0), tables_of(7))
    @settings(max_examples=40, deadline=None)
    def test_sums_over_the_rollout(self, sample, theta, A):
        """Summed, not averaged; a state that comes twice gets both, in one row."""
        A = A[: len(sample.actions)]
        whole_theta, whole_V, rows, mean_entropy = gradients_of(sample, theta, A, 0.3)
        parts = [
            gradients_of(Sample([s, 0], [a], [0.0], False), theta, [x], 0.3)
            for s, a, x in zip(sample.states, sample.actions, A, strict=False)
        ]
        np.testing.assert_allclose(whole_theta, sum(p[0] for p in parts), atol=1e-9)
        np.testing.assert_allclose(whole_V, sum(p[1] for p in parts), atol=1e-9)
        assert rows == list(dict.fromkeys(sample.states[:-1]))
        assert mean_entropy == pytest.approx(np.mean([p[3] for p in parts]), abs=1e-12)

    def test_a_sure_policy_has_no_gradient(self):
        """Logits of ±1000: probabilities of exactly 0 and 1, entropy 0, gradient 0, no NaN."""
        theta = np.array([[1000.0, -1000.0, -1000.0], [0.0, 1000.0, 1000.0]])
        sample = Sample([0, 1, 0], [0, 2], [0.0, 0.0], False)
        grad_theta, grad_V, _, mean_entropy = gradients_of(sample, theta, [7.0, 2.0], 0.5)
        assert grad_theta.tolist() == [[0.0, 0.0, 0.0], [0.0, -1.0, 1.0]]
        assert grad_V.tolist() == [7.0, 2.0]
        assert mean_entropy == math.log(2) / 2


class TestEquation3:
    """Minus ∇_V Σ_t ½ A_t², with the target held fixed."""

    @given(samples(), tables_of(4), discounts, st.integers(0, 3))
    @settings(max_examples=60, deadline=None)
    def test_finite_differences(self, sample, V, gamma, window):
        states = np.array(sample.states[:-1])
        A = advantages_of(sample, V, gamma, window)
        targets = A + V[states]

        def loss(moved):
            return (0.5 * (targets - moved[states]) ** 2).sum()

        _, grad_V, *_ = gradients_of(sample, np.zeros((4, 3)), A, 0.0)
        np.testing.assert_allclose(grad_V, -central_difference(loss, V), atol=1e-6)

    def test_nothing_flows_through_the_bootstrap(self):
        """s_T is no row of the gradient, though the advantages depend on V(s_T)."""
        sample, V = Sample([0, 1, 3], [0, 1], [1.0, 1.0], False), np.array([0.0, 0.0, 0.0, 5.0])
        A = advantages_of(sample, V, 0.9)
        _, grad_V, rows, _ = gradients_of(sample, np.zeros((4, 3)), A, 0.01)
        assert rows == [0, 1]
        assert grad_V.tolist() == [*A, 0.0, 0.0]

        def loss_through_everything(moved):
            return (0.5 * advantages_of(sample, moved, 0.9) ** 2).sum()

        assert abs(central_difference(loss_through_everything, V)[3]) > 1

    def test_does_not_see_the_actor(self):
        """Neither θ nor β changes what the critic learns."""
        sample = Sample([0, 1, 0, 2], [0, 1, 2], [0.0] * 3, False)
        one = gradients_of(sample, np.zeros((4, 3)), [1.0, 2.0, 3.0], 0.0)[1]
        other = gradients_of(sample, np.eye(4)[:, :3], [1.0, 2.0, 3.0], 5.0)[1]
        assert one.tolist() == other.tolist() == [4.0, 2.0, 0.0, 0.0]


# --- the policy and the rollout ----------------------------------------------------------------


class TestPolicy:
    @given(tables_of(1, 4, size=700.0))
    @example(np.array([[1000.0, -1000.0, 1000.0, 0.0]]))
    @example(np.array([[-1000.0, -1000.0, -1000.0, -1000.0]]))
    @settings(max_examples=60, deadline=None)
    def test_softmax(self, theta):
        p, log_p = np.zeros((2, 4)), np.zeros((2, 4))
        kernels.softmax(theta, 0, p, log_p, 1)
        assert p[1].sum() == pytest.approx(1.0, abs=1e-14)
        assert np.isfinite(log_p).all()
        np.testing.assert_allclose(p[1], softmax_policy(theta)[0], atol=1e-14)
        np.testing.assert_allclose(np.exp(log_p[1]), p[1], rtol=1e-12, atol=1e-300)
        assert (p[0] == 0).all()

    @pytest.mark.parametrize(
        "p, wanted",
        [
            ([1.0, 0.0], 0.0),
            ([0.5, 0.5], math.log(2)),
            ([0.25, 0.25, 0.5, 0.0], 1.5 * math.log(2)),
            ([0.0, 0.0, 1.0], 0.0),
        ],
    )
    def test_entropy(self, p, wanted):
        with np.errstate(divide="ignore"):
            log_p = np.log([p])
        assert kernels.entropy(np.array([p]), log_p, 0) == pytest.approx(wanted, abs=1e-15)

    @given(st.lists(st.integers(0, 3), min_size=1, max_size=5).filter(any), st.floats(0, 1))
    @example([1, 1, 1, 1, 1, 1, 0], np.nextafter(1.0, 0.0))  # six sixths are a little less than 1
    @settings(max_examples=80, deadline=None)
    def test_choice(self, weights, uniform):
        """The inverse of the distribution function; never an action of probability 0."""
        assume(uniform < 1)
        p = np.array(weights) / sum(weights)
        action = kernels.choose(p[None], 0, uniform)
        assert p[action] > 0
        below = p[:action].sum()
        assert below - 1e-12 <= uniform <= below + p[action] + 1e-12

    @given(st.integers(2, 12))
    @settings(max_examples=20, deadline=None)
    def test_impossible_outcomes_never_come(self, count):
        """Even where the probabilities sum to a little less than 1."""
        shape = (1, 1, count + 1)
        probability = np.full(shape, 1 / count)
        probability[..., -1] = 0.0
        world = TableWorld(
            np.zeros(shape, dtype=int), probability, np.arange(count + 1.0).reshape(shape),
            np.zeros(shape, dtype=bool), [1.0], 10,
        )  # fmt: skip
        arrays = world_arrays(world, A3CConfig())
        assert kernels.step(arrays, 0, 0, np.nextafter(1.0, 0.0))[1] < count


class TestRollout:
    @given(st.data())
    @settings(max_examples=60, deadline=None)
    def test_keeps_to_the_world(self, data):
        """Every transition is possible, and the rollout ends where and only where it has to."""
        world = data.draw(random_worlds())
        theta = data.draw(random_thetas(world))
        n, used = data.draw(st.integers(1, 8)), data.draw(st.integers(0, 3))
        limit = data.draw(st.integers(used + 1, 12))
        seed = data.draw(st.integers(0, 10**6))
        config = A3CConfig(max_episode_steps=limit, reward_scale=0.5)
        arrays = world_arrays(world, config)
        uniforms = np.random.default_rng(seed).random(40)
        rollout = kernels.make_rollout(n, world.num_actions)
        begin = data.draw(st.integers(0, world.num_states - 1))
        length, terminated, truncated, cursor, total = kernels.collect_rollout(
            arrays, theta, begin, used, n, uniforms, 2, rollout
        )
        states, rewards = rollout.states[: length + 1], rollout.rewards[:length]
        if used == 0:
            assert world.start[states[0]] > 0
        else:
            assert states[0] == begin
        possible = [
            {
                (to, r, end)
                for to, r, end, p in zip(
                    world.next_state[s, a], world.reward[s, a], world.terminated[s, a],
                    world.probability[s, a], strict=True,
                )
                if p > 0
            }
            for s, a in zip(states, rollout.actions[:length], strict=False)
        ]  # fmt: skip
        for t, outcomes in enumerate(possible):
            ended = bool(terminated) and t == length - 1
            assert (states[t + 1], 2 * rewards[t], ended) in outcomes
        assert 1 <= length <= n
        assert truncated == (not terminated and used + length >= limit)
        assert length == n or terminated or truncated
        assert total == pytest.approx(2 * rewards.sum())
        starts = used == 0 and np.count_nonzero(world.start) > 1
        assert cursor == 2 + starts + length * (2 if world.num_outcomes > 1 else 1)
        np.testing.assert_allclose(rollout.policies[:length], softmax_policy(theta)[states[:-1]])

    def test_acts_by_its_policy(self):
        """Frequencies of the first action, and of the outcomes, in a world of chance."""
        world = TableWorld(
            np.arange(6).reshape(1, 2, 3).repeat(6, axis=0), [[[0.5, 0.25, 0.25]] * 2] * 6,
            np.zeros((6, 2, 3)), np.ones((6, 2, 3)), np.eye(6)[0], 5,
        )  # fmt: skip
        arrays = world_arrays(world, A3CConfig())
        theta = np.log([[0.8, 0.2]] * 6)
        uniforms = np.random.default_rng(0).random(8_000)
        rollout, reached, cursor = kernels.make_rollout(3, 2), np.zeros(6), 0
        while cursor < len(uniforms):
            length, terminated, truncated, cursor, _ = kernels.collect_rollout(
                arrays, theta, 0, 0, 3, uniforms, cursor, rollout
            )
            assert (length, terminated, truncated) == (1, True, False)
            reached[rollout.states[1]] += 1
        wanted = np.array([0.4, 0.2, 0.2, 0.1, 0.05, 0.05])
        error = np.sqrt(wanted * (1 - wanted) / 4_000)
        assert (np.abs(reached / 4_000 - wanted) < 4 * error).all()


# --- the mean of many sampled gradients --------------------------------------------------------


class Sampler:
    """Rollouts from the start of an episode, and their gradients as flat vectors (θ, then V)."""

    def __init__(self, world, theta, V, n, gamma, beta=0.0, window=0, seed=0):
        self.world, self.theta, self.V = world, theta, V
        self.n, self.gamma, self.beta, self.window = n, gamma, beta, window
        config = A3CConfig(reward_scale=1.0)
        self.arrays = world_arrays(world, config)._replace(max_episode_steps=10**9)
        self.rollout = kernels.make_rollout(n, world.num_actions)
        self.gradient = kernels.make_gradient(n, *theta.shape)
        self.generator = np.random.default_rng(seed)
        self.uniforms, self.cursor = np.zeros(0), 0

    def __call__(self, discount_weights=False):
        """One sample; with weights γ^t on the steps where asked for."""
        if self.cursor + 2 * self.n + 1 > len(self.uniforms):
            left = self.uniforms[self.cursor :]
            self.uniforms = np.concatenate([left, self.generator.random(40 * self.n + 1_000)])
            self.cursor = 0
        rollout, gradient = self.rollout, self.gradient
        length, terminated, _, self.cursor, _ = kernels.collect_rollout(
            self.arrays, self.theta, 0, 0, self.n, self.uniforms, self.cursor, rollout
        )
        kernels.compute_n_step_advantages(
            rollout.states, rollout.rewards, length, terminated, self.V, self.gamma, self.window,
            rollout.advantages,
        )  # fmt: skip
        if discount_weights:
            rollout.advantages[:length] *= self.gamma ** np.arange(length)
        num_rows, _ = kernels.accumulate_gradients(rollout, length, self.beta, gradient)
        grad_theta, grad_V = np.zeros_like(self.theta), np.zeros_like(self.V)
        rows = gradient.rows[:num_rows]
        grad_theta[rows], grad_V[rows] = gradient.theta[:num_rows], gradient.V[:num_rows]
        return np.concatenate([grad_theta.ravel(), grad_V])


def z_scores(samples, expected):
    """How many standard errors the means are off, per entry and along a few random directions.

    Entries that hardly any sample touches have no normal mean; the directions cover them too.
    """
    samples = np.array(samples)
    directions = np.random.default_rng(1).normal(size=(20, samples.shape[1]))
    often = (samples != 0).sum(axis=0) >= 100
    seen = np.concatenate([samples[:, often], samples @ directions.T], axis=1)
    wanted = np.concatenate([expected[often], directions @ expected])
    never_moves = np.ptp(seen, axis=0) < 1e-12
    np.testing.assert_allclose(seen.mean(axis=0)[never_moves], wanted[never_moves], atol=1e-9)
    seen, wanted = seen[:, ~never_moves], wanted[~never_moves]
    error = seen.std(axis=0, ddof=1) / np.sqrt(len(seen))
    return (seen.mean(axis=0) - wanted) / error


#: With some 60 numbers in each test, 4.5 standard errors are a 99.9 % confidence interval of all.
FAR = 4.5


def some_theta(world, seed=3):
    return np.random.default_rng(seed).normal(scale=0.7, size=(world.num_states, world.num_actions))


def several_starts():
    """The slippery frozen lake, entered at any of four places, with rewards everywhere."""
    lake = TableWorld.from_gymnasium("FrozenLake-v1")
    generator = np.random.default_rng(4)
    start = np.zeros(16)
    start[[0, 3, 6, 14]] = [0.4, 0.3, 0.2, 0.1]
    reward = generator.normal(size=lake.reward.shape)
    return TableWorld(
        lake.next_state, lake.probability, reward, lake.terminated, start, lake.max_episode_steps
    )


class TestExpectation:
    """What one rollout samples is, on average, `expected_rollout_gradient`."""

    @pytest.mark.parametrize("world", [cliff_world, several_starts], ids=["cliff", "lake"])
    @pytest.mark.parametrize("critic", ["zero", "perfect", "wrong"])
    @pytest.mark.parametrize("n, window, beta", [(5, 0, 0.0), (5, 2, 0.1), (8, 1, 0.5)])
    def test_mean_of_rollouts(self, world, critic, n, window, beta):
        world = world()
        theta, gamma = some_theta(world), 0.95
        V = {
            "zero": lambda: np.zeros(world.num_states),
            "perfect": lambda: policy_values(world, softmax_policy(theta), gamma),
            "wrong": lambda: np.random.default_rng(8).normal(scale=5, size=world.num_states),
        }[critic]()
        sample = Sampler(world, theta, V, n, gamma, beta, window, seed=1)
        grad_theta, grad_V = expected_rollout_gradient(
            world, theta, V, n, gamma, beta, window=window or None
        )
        z = z_scores([sample() for _ in range(3_000)], np.concatenate([grad_theta.ravel(), grad_V]))
        assert len(z) > 30
        assert np.abs(z).max() < FAR

    def test_numbers_of_the_book(self):
        """The start of the cliff-world before anything is learned: [39.9, −69.6, 14.9, 14.9]."""
        theta, V = np.zeros((48, 4)), np.zeros(48)
        sample = Sampler(CLIFF, theta, V, n=5, gamma=0.99)
        start = np.array([sample().reshape(-1)[144:148] for _ in range(4_000)])
        error = start.std(axis=0, ddof=1) / np.sqrt(len(start))
        z = (start.mean(axis=0) - [39.9153, -69.6371, 14.8609, 14.8609]) / error
        assert np.abs(z).max() < FAR


def short_cliff():
    """A small cliff whose episodes are short enough for whole ones."""
    return cliff_world(3, 4)


class TestTruePolicyGradient:
    """Whole episodes, V = V^π and weights γ^t: the true gradient. Without the weights: not."""

    @pytest.mark.parametrize("world", [short_cliff, several_starts], ids=["cliff", "lake"])
    def test_weighted_episodes(self, world):
        world, gamma = world(), 0.8
        theta = some_theta(world)
        V = policy_values(world, softmax_policy(theta), gamma)
        sample = Sampler(world, theta, V, n=5_000, gamma=gamma)
        flat = slice(0, theta.size)
        wanted = policy_gradient(world, theta, gamma).ravel()
        weighted = [sample(discount_weights=True)[flat] for _ in range(2_000)]
        assert np.abs(z_scores(weighted, wanted)).max() < FAR
        unweighted = [sample()[flat] for _ in range(2_000)]
        assert np.abs(z_scores(unweighted, wanted)).max() > 1.5 * FAR


# --- clipping ----------------------------------------------------------------------------------


def filled_gradient(theta, V):
    """A gradient with these rows, in a room that is larger and full of rubbish."""
    num_rows = len(V)
    gradient = kernels.make_gradient(num_rows + 2, 10, theta.shape[1])
    gradient.theta[:], gradient.V[:] = 1e9, 1e9
    gradient.theta[:num_rows], gradient.V[:num_rows] = theta, V
    gradient.rows[:num_rows] = np.arange(num_rows)
    return gradient, num_rows


class TestClipping:
    @given(tables_of(3, 2), tables_of(3), st.floats(0.1, 50))
    @settings(max_examples=60, deadline=None)
    def test_one_norm_over_both(self, theta, V, limit):
        gradient, num_rows = filled_gradient(theta, V)
        norm = kernels.gradient_norm(gradient, num_rows)
        both = np.concatenate([theta.ravel(), V])
        assert norm == pytest.approx(np.linalg.norm(both), rel=1e-12)
        kernels.clip_gradients(gradient, num_rows, norm, limit)
        clipped = np.concatenate([gradient.theta[:num_rows].ravel(), gradient.V[:num_rows]])
        wanted = both * min(1.0, limit / norm) if norm > 0 else both
        np.testing.assert_allclose(clipped, wanted, rtol=1e-12, atol=1e-300)
        assert np.linalg.norm(clipped) <= limit * (1 + 1e-12)
        if norm <= limit:
            assert clipped.tolist() == both.tolist()
        assert (gradient.V[num_rows:] == 1e9).all()

    def test_zero_stays_zero(self):
        gradient, num_rows = filled_gradient(np.zeros((2, 2)), np.zeros(2))
        norm = kernels.gradient_norm(gradient, num_rows)
        for limit in (1e-300, 5.0, math.inf):
            kernels.clip_gradients(gradient, num_rows, norm, limit)
        assert norm == 0.0
        assert not gradient.theta[:num_rows].any()
        assert not gradient.V[:num_rows].any()

    def test_visits_are_summed_first(self):
        """Two visits that cancel leave nothing to clip; two that agree count as one long row."""
        sample, theta = Sample([0, 0, 1], [0, 0], [0.0, 0.0], False), np.zeros((4, 2))
        for A, norm in (([2.0, -2.0], 0.0), ([2.0, 2.0], math.sqrt(2**2 + 2**2 + 4**2))):
            rollout = kernels.make_rollout(2, 2)
            gradient = kernels.make_gradient(2, 4, 2)
            rollout.states[:], rollout.actions[:] = sample.states, sample.actions
            rollout.advantages[:] = A
            for t in range(2):
                kernels.softmax(theta, 0, rollout.policies, rollout.log_policies, t)
            num_rows, _ = kernels.accumulate_gradients(rollout, 2, 0.0, gradient)
            assert num_rows == 1
            assert kernels.gradient_norm(gradient, num_rows) == pytest.approx(norm)

    def test_in_a_run(self):
        """The norm is recorded before clipping; what is applied is no longer than the limit."""
        config = A3CConfig(
            optimizer="sgd", actor_lr=1.0, critic_lr=1.0, max_grad_norm=0.25, num_workers=1
        )
        result = train(CLIFF, config, total_steps=500)
        assert result.updates["grad_norm"].max() > 1
        tables_before = [np.zeros(240)]
        for count in range(1, 30):
            part = train(CLIFF, config, total_steps=500, schedule=[0] * count)
            tables_before.append(np.concatenate([part.theta.ravel(), part.state["V"]]))
        steps = np.linalg.norm(np.diff(tables_before, axis=0), axis=1)
        wanted = np.minimum(result.updates["grad_norm"][:29], 0.25)
        np.testing.assert_allclose(steps, wanted, rtol=1e-9)


# --- the optimizers ----------------------------------------------------------------------------


class DenseRMSprop:
    """RMSprop as in Mnih et al. (2016), on whole tables."""

    def __init__(self, table, rate, decay, epsilon):
        self.table, self.square = table.copy(), np.zeros_like(table)
        self.rate, self.decay, self.epsilon = rate, decay, epsilon

    def step(self, gradient):
        self.square = self.decay * self.square + (1 - self.decay) * gradient**2
        self.table = self.table + self.rate * gradient / np.sqrt(self.square + self.epsilon)


class TestOptimizers:
    @pytest.mark.parametrize("decay", [0.0, 0.5, 0.99, 0.9999])
    @pytest.mark.parametrize("longest_gap", [1, 3, 1_000])
    def test_lazy_decay_is_dense_rmsprop(self, decay, longest_gap):
        """Rows that come back after a long while have forgotten as much as if they had stayed."""
        generator = np.random.default_rng(7)
        theta, V = generator.normal(size=(6, 3)), generator.normal(size=6)
        dense = [DenseRMSprop(theta, 0.05, decay, 0.01), DenseRMSprop(V, 0.2, decay, 0.01)]
        square_theta, square_V = np.zeros((6, 3)), np.zeros(6)
        last_update = np.zeros(6, dtype=np.int64)
        now = 0
        for _ in range(60):
            for _ in range(int(generator.integers(longest_gap))):
                now += 1  # an update that touches nothing: here a dense step, there only a number
                for optimizer in dense:
                    optimizer.step(np.zeros_like(optimizer.table))
            now += 1
            rows = generator.permutation(6)[: generator.integers(0, 4)]
            gradient, num_rows = filled_gradient(
                generator.normal(size=(len(rows), 3)), generator.normal(size=len(rows))
            )
            gradient.rows[:num_rows] = rows
            for optimizer, part in zip(dense, (gradient.theta, gradient.V), strict=True):
                whole = np.zeros_like(optimizer.table)
                whole[rows] = part[:num_rows]
                optimizer.step(whole)
            finite = kernels.apply_rmsprop(
                theta, V, square_theta, square_V, last_update, now, gradient, num_rows, 0.05, 0.2,
                decay, 0.01,
            )  # fmt: skip
            assert finite
            np.testing.assert_allclose(theta, dense[0].table, rtol=0, atol=1e-12)
            np.testing.assert_allclose(V, dense[1].table, rtol=0, atol=1e-12)
        kept = decay ** (now - last_update)
        np.testing.assert_allclose(square_theta * kept[:, None], dense[0].square, atol=1e-12)
        np.testing.assert_allclose(square_V * kept, dense[1].square, atol=1e-12)

    def test_epsilon_is_inside_the_root(self):
        """s = ¾·4 = 3, ε = 6: the step is 2 / √(3 + 6), not 2 / (√3 + 6)."""
        gradient, num_rows = filled_gradient(np.array([[2.0]]), np.array([-2.0]))
        theta, V = np.zeros((10, 1)), np.zeros(10)
        squares = np.zeros((10, 1)), np.zeros(10)
        kernels.apply_rmsprop(
            theta, V, *squares, np.zeros(10, dtype=np.int64), 1, gradient, num_rows, 1.0, 3.0,
            0.25, 6.0,
        )  # fmt: skip
        assert theta[0, 0] == pytest.approx(2 / 3)
        assert V[0] == pytest.approx(-2.0)
        assert squares[0][0, 0] == 3.0
        assert squares[1][0] == 3.0

    def test_a_zero_gradient_changes_nothing(self):
        gradient, num_rows = filled_gradient(np.zeros((1, 2)), np.zeros(1))
        theta, V = np.ones((10, 2)), np.ones(10)
        kernels.apply_rmsprop(
            theta, V, np.zeros((10, 2)), np.zeros(10), np.zeros(10, dtype=np.int64), 1, gradient,
            num_rows, 1.0, 1.0, 0.99, 1e-8,
        )  # fmt: skip
        assert (theta == 1).all()
        assert (V == 1).all()

    @pytest.mark.parametrize("where", ["theta", "V", "nowhere", "an untouched row"])
    def test_tell_whether_all_is_finite(self, where):
        """What they wrote, not what they left alone."""
        for rmsprop in (False, True):
            gradient, num_rows = filled_gradient(np.ones((2, 2)), np.ones(2))
            theta, V = np.zeros((10, 2)), np.zeros(10)
            if where == "theta":
                gradient.theta[0, 1] = np.inf
            elif where == "V":
                gradient.V[1] = np.nan
            elif where == "an untouched row":
                theta[7] = np.nan
            arguments = (gradient, num_rows, 0.1, 0.1)
            with np.errstate(all="ignore"):
                if rmsprop:
                    squares = np.zeros((10, 2)), np.zeros(10), np.zeros(10, dtype=np.int64)
                    finite = kernels.apply_rmsprop(theta, V, *squares, 1, *arguments, 0.9, 0.1)
                else:
                    finite = kernels.apply_sgd(theta, V, *arguments)
            assert bool(finite) == (where in ("nowhere", "an untouched row"))

    @given(st.floats(0, 1), st.integers(0, 5_000))
    @settings(max_examples=60, deadline=None)
    def test_decay_power(self, decay, count):
        assert kernels.decay_power(decay, count) == pytest.approx(decay**count, rel=1e-12)

    @given(tables_of(3, 2), tables_of(3), st.floats(0, 1), st.floats(0, 1))
    @settings(max_examples=40, deadline=None)
    def test_sgd_adds(self, grad_theta, grad_V, actor_lr, critic_lr):
        """θ ← θ + α grad θ and V ← V + α' grad V, in the rows that were visited."""
        gradient, num_rows = filled_gradient(grad_theta, grad_V)
        gradient.rows[:3] = [7, 0, 4]
        theta, V = np.ones((10, 2)), np.ones(10)
        kernels.apply_sgd(theta, V, gradient, num_rows, actor_lr, critic_lr)
        wanted_theta, wanted_V = np.ones((10, 2)), np.ones(10)
        wanted_theta[[7, 0, 4]] += actor_lr * grad_theta
        wanted_V[[7, 0, 4]] += critic_lr * grad_V
        np.testing.assert_array_equal(theta, wanted_theta)
        np.testing.assert_array_equal(V, wanted_V)


# --- annealing ---------------------------------------------------------------------------------


class TestAnnealing:
    @given(st.integers(1, 10**6), st.integers(0, 2 * 10**6), st.integers(0, 10**6))
    @settings(max_examples=60, deadline=None)
    def test_linear_to_zero(self, total_steps, steps, own_steps):
        for mode, done in (("global", steps), ("per_worker", 4 * own_steps), (None, 0)):
            config = A3CConfig(num_workers=4, lr_anneal=mode)
            factor = annealing(make_settings(config, total_steps), steps, own_steps)
            assert factor == pytest.approx(max(0.0, 1.0 - done / total_steps), abs=1e-12)
            assert 0.0 <= factor <= 1.0

    @pytest.mark.parametrize("mode", ["global", "per_worker"])
    def test_ends(self, mode):
        settings_ = make_settings(A3CConfig(num_workers=2, lr_anneal=mode), 1_000)
        assert annealing(settings_, 0, 0) == 1.0
        assert annealing(settings_, 1_000, 500) == 0.0
        assert annealing(settings_, 1_200, 600) == 0.0

    @given(st.data())
    @settings(max_examples=60, deadline=None)
    def test_a_schedule_of_ones_own(self, data):
        """Straight lines between its points: as NumPy draws them, and the points exactly."""
        inner = data.draw(st.lists(st.floats(0.001, 0.999), unique=True, max_size=6))
        shares = [0.0, *sorted(inner), 1.0]
        factors = data.draw(st.lists(st.floats(0, 10), min_size=len(shares), max_size=len(shares)))
        config = A3CConfig(lr_anneal=list(zip(shares, factors, strict=True)))
        total_steps, steps = data.draw(st.integers(1, 10**6)), data.draw(st.integers(0, 2 * 10**6))
        settings_ = make_settings(config, total_steps)
        wanted = np.interp(steps / total_steps, shares, factors)
        assert annealing(settings_, steps, 7) == pytest.approx(wanted, rel=1e-6, abs=1e-9)
        assert annealing(settings_, 0, 7) == factors[0]
        assert annealing(settings_, total_steps, 7) == factors[-1]
        assert annealing(settings_, 2 * total_steps, 7) == factors[-1]

    def test_a_line_to_zero_is_the_global_one(self):
        line = make_settings(A3CConfig(lr_anneal=((0, 1), (1, 0))), 777)
        shared = make_settings(A3CConfig(lr_anneal="global"), 777)
        for steps in range(900):
            assert annealing(line, steps, 0) == annealing(shared, steps, 0)

    def test_all_workers_share_the_global_rate(self):
        """Section 2.3: whatever a worker itself has done."""
        settings_ = make_settings(A3CConfig(lr_anneal="global"), 1_000)
        assert len({annealing(settings_, 300, own) for own in (0, 50, 300)}) == 1
