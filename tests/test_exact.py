"""Ground truth, checked against what is even simpler: linear solves, differences, enumeration."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import discounts, random_policies, random_thetas, random_values, random_worlds

from a3c_tut.exact import (
    GreedyPath,
    action_values,
    expected_rollout_gradient,
    greedy_path,
    greedy_policy,
    optimal_action_values,
    optimal_policy,
    optimal_values,
    policy_gradient,
    policy_values,
    softmax_policy,
    state_occupancy,
)
from a3c_tut.worlds import TableWorld, cliff_world, corridor_world, sparse_grid_world

CLIFF = cliff_world()
START = 36
UNIFORM = np.full((48, 4), 0.25)

#: Computed without a3c_tut.exact: by `plain_values`, by fourth-order central differences of it
#: (steps of 0.001), and by `enumerated_gradient`.
UNIFORM_VALUE = -1072.236026683
TRUE_GRADIENT = [489.963759034, -626.392372864, 68.214306915, 68.214306915]
ROLLOUT_GRADIENT = [39.915282039, -69.637125263, 14.860921612, 14.860921612]


# --- written without a3c_tut.exact -------------------------------------------------------------


def plain_model(world: TableWorld, policy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The policy's (S, S) matrix of steps that go on and its (S,) expected rewards, by loops."""
    matrix, pay = np.zeros((world.num_states, world.num_states)), np.zeros(world.num_states)
    for s, a, k in np.ndindex(world.next_state.shape):
        chance = policy[s, a] * world.probability[s, a, k]
        pay[s] += chance * world.reward[s, a, k]
        if not world.terminated[s, a, k]:
            matrix[s, world.next_state[s, a, k]] += chance
    return matrix, pay


def plain_values(world: TableWorld, policy: np.ndarray, gamma: float) -> np.ndarray:
    matrix, pay = plain_model(world, policy)
    return np.linalg.solve(np.eye(world.num_states) - gamma * matrix, pay)


def plain_softmax(theta: np.ndarray) -> np.ndarray:
    return np.array([[np.exp(x) / sum(np.exp(row)) for x in row] for row in theta])


def deterministic_policies(world: TableWorld) -> Iterator[np.ndarray]:
    for choice in itertools.product(range(world.num_actions), repeat=world.num_states):
        yield np.eye(world.num_actions)[list(choice)]


def all_rollouts(
    world: TableWorld, policy: np.ndarray, first: np.ndarray, n: int
) -> Iterator[tuple[float, list[int], list[int], list[float], bool]]:
    """Every rollout of at most n steps: probability, states, actions, rewards, terminated."""

    def extend(chance, states, actions, rewards):
        if len(actions) == n:
            yield chance, states, actions, rewards, False
            return
        s = states[-1]
        for a in range(world.num_actions):
            for k in range(world.num_outcomes):
                p = chance * policy[s, a] * world.probability[s, a, k]
                if p == 0.0:
                    continue
                longer = (
                    p,
                    [*states, int(world.next_state[s, a, k])],
                    [*actions, a],
                    [*rewards, float(world.reward[s, a, k])],
                )
                if world.terminated[s, a, k]:
                    yield (*longer, True)
                else:
                    yield from extend(*longer)

    for s in range(world.num_states):
        if first[s] > 0.0:
            yield from extend(first[s], [s], [], [])


def enumerated_gradient(world, theta, V, n, gamma, beta, window, first):
    """Equations (1) to (3) as they are written, averaged over every possible rollout."""
    policy = plain_softmax(theta)
    grad_theta, grad_V = np.zeros_like(theta), np.zeros_like(V)
    total = 0.0
    for chance, states, actions, rewards, terminated in all_rollouts(world, policy, first, n):
        total += chance
        T = len(actions)
        for t in range(T):
            end = T if window is None else min(t + window, T)
            advantage = -V[states[t]]
            for k in range(t, end):
                advantage += gamma ** (k - t) * rewards[k]
            if not (terminated and end == T):
                advantage += gamma ** (end - t) * V[states[end]]
            s = states[t]
            entropy = -sum(p * np.log(p) for p in policy[s])
            for b in range(world.num_actions):
                score = (1.0 if b == actions[t] else 0.0) - policy[s, b]
                slope = -policy[s, b] * (np.log(policy[s, b]) + entropy)
                grad_theta[s, b] += chance * (score * advantage + beta * slope)
            grad_V[s] += chance * advantage
    assert total == pytest.approx(1.0)
    return grad_theta, grad_V


# --- the numbers of the cliff-world ------------------------------------------------------------


class TestCliffWorld:
    def test_optimal_value(self):
        assert optimal_values(CLIFF, 1.0)[START] == pytest.approx(-13.0, abs=1e-12)
        closed_form = -(1.0 - 0.99**13) / 0.01
        assert closed_form == pytest.approx(-12.2479, abs=5e-5)
        assert optimal_values(CLIFF, 0.99)[START] == pytest.approx(closed_form, abs=1e-9)

    def test_uniform_policy(self):
        value = policy_values(CLIFF, UNIFORM, 0.99)[START]
        assert value == pytest.approx(-1072.236, abs=5e-4)
        assert value == pytest.approx(plain_values(CLIFF, UNIFORM, 0.99)[START], abs=1e-9)
        assert value == pytest.approx(UNIFORM_VALUE, abs=1e-6)

    def test_a_random_walk_takes_thousands_of_steps(self):
        steps = state_occupancy(CLIFF, UNIFORM, 1.0).sum()
        assert round(steps) == 6453
        matrix, _ = plain_model(CLIFF, UNIFORM)
        by_values = np.linalg.solve(np.eye(48) - matrix, np.ones(48))[START]
        assert steps == pytest.approx(by_values, rel=1e-9)

    @pytest.mark.parametrize("gamma", [0.0, 0.9, 0.99, 1.0])
    def test_nothing_is_to_be_had_in_the_goal(self, gamma):
        assert optimal_values(CLIFF, gamma)[47] == 0.0
        assert policy_values(CLIFF, UNIFORM, gamma)[47] == 0.0
        assert state_occupancy(CLIFF, UNIFORM, gamma)[47] == 0.0
        assert not policy_gradient(CLIFF, np.zeros((48, 4)), gamma)[47].any()

    def test_true_policy_gradient(self):
        gradient = policy_gradient(CLIFF, np.zeros((48, 4)), 0.99)
        np.testing.assert_allclose(gradient[START], [489.96, -626.39, 68.21, 68.21], atol=5e-3)
        np.testing.assert_allclose(gradient[START], TRUE_GRADIENT, rtol=0, atol=1e-6)

    def test_expected_gradient_of_one_rollout(self):
        gradient, _ = expected_rollout_gradient(
            CLIFF, np.zeros((48, 4)), np.zeros(48), n=5, gamma=0.99, beta=0.0
        )
        np.testing.assert_allclose(gradient[START], [39.9, -69.6, 14.9, 14.9], atol=5e-2)
        np.testing.assert_allclose(gradient[START], ROLLOUT_GRADIENT, rtol=0, atol=1e-6)

    def test_the_rollouts_numbers_come_out_of_enumeration_too(self):
        zeros = np.zeros((48, 4)), np.zeros(48)
        expected, _ = enumerated_gradient(CLIFF, *zeros, 5, 0.99, 0.0, None, CLIFF.start)
        np.testing.assert_allclose(expected[START], ROLLOUT_GRADIENT, rtol=0, atol=1e-6)

    def test_the_optimal_path_runs_along_the_edge(self):
        path = greedy_path(CLIFF, optimal_policy(CLIFF, 0.99))
        assert path == GreedyPath([36, *range(24, 36), 47], -13.0, True)

    def test_the_safe_detour(self):
        policy = np.tile([0.0, 1.0, 0.0, 0.0], (48, 1))
        policy[[36, 24, 12]] = [1.0, 0.0, 0.0, 0.0]
        policy[[11, 23, 35]] = [0.0, 0.0, 1.0, 0.0]
        path = greedy_path(CLIFF, policy)
        assert path.states == [36, 24, 12, *range(12), 23, 35, 47]
        assert path.total_return == -17.0
        assert path.terminated


# --- optimal values ----------------------------------------------------------------------------


class TestOptimal:
    @given(world=random_worlds(max_states=3), gamma=discounts)
    @settings(max_examples=60, deadline=None)
    def test_no_deterministic_policy_does_better_and_one_does_as_well(self, world, gamma):
        every = [plain_values(world, policy, gamma) for policy in deterministic_policies(world)]
        best = np.max(every, axis=0)
        np.testing.assert_allclose(optimal_values(world, gamma), best, atol=1e-8)

    @given(world=random_worlds(max_states=3, always_ends=True))
    @settings(max_examples=40, deadline=None)
    def test_without_a_discount(self, world):
        every = [plain_values(world, policy, 1.0) for policy in deterministic_policies(world)]
        np.testing.assert_allclose(optimal_values(world, 1.0), np.max(every, axis=0), atol=1e-8)

    @given(world=random_worlds(), gamma=discounts)
    @settings(max_examples=60, deadline=None)
    def test_the_optimal_policy_earns_the_optimal_values(self, world, gamma):
        shared = optimal_policy(world, gamma)
        np.testing.assert_allclose(shared.sum(axis=1), 1.0)
        for policy in (shared, greedy_policy(shared)):
            np.testing.assert_allclose(
                plain_values(world, policy, gamma), optimal_values(world, gamma), atol=1e-6
            )

    @given(world=random_worlds(), gamma=discounts)
    @settings(max_examples=40, deadline=None)
    def test_action_values_hold_the_values(self, world, gamma):
        np.testing.assert_allclose(
            optimal_action_values(world, gamma).max(axis=1),
            optimal_values(world, gamma),
            atol=1e-9,
        )

    def test_ties_are_shared_equally(self):
        policy = optimal_policy(CLIFF, 1.0)
        assert policy[0].tolist() == [0.0, 0.5, 0.5, 0.0]
        assert policy[START].tolist() == [1.0, 0.0, 0.0, 0.0]
        assert set(np.unique(policy)) <= {0.0, 0.25, 0.5, 1.0}

    def test_at_gamma_1_the_shared_ties_still_arrive(self):
        # Everything is worth 1 here: the first of the tied actions would walk into the wall.
        world = sparse_grid_world(3, 3)
        assert not greedy_path(world, optimal_policy(world, 1.0)).terminated
        np.testing.assert_allclose(policy_values(world, optimal_policy(world, 1.0), 1.0)[:8], 1.0)

    def test_values_far_from_1_settle_too(self):
        world = TableWorld(
            [[[0]]], [[[1.0]]], [[[1e9]]], [[[False]]], [1.0], 1, name="a rich loop")  # fmt: skip
        assert optimal_values(world, 0.999)[0] == pytest.approx(1e12, rel=1e-9)

    @pytest.mark.parametrize("reward", [1.0, -1.0])
    def test_an_endless_loop_has_no_value_without_a_discount(self, reward):
        world = TableWorld(
            [[[0]]], [[[1.0]]], [[[reward]]], [[[False]]], [1.0], 1, name="a loop")  # fmt: skip
        message = "gamma is 1.0: the optimal values of a loop still change by 1 after 100000 swe"
        with pytest.raises(ValueError, match=f"{re.escape(message)}.*allowed: below 1"):
            optimal_values(world, 1.0)
        assert optimal_values(world, 0.5)[0] == pytest.approx(2 * reward)


# --- values and occupancy of a policy ----------------------------------------------------------


class TestPolicyValues:
    @given(data=st.data(), gamma=discounts)
    @settings(max_examples=80, deadline=None)
    def test_agree_with_a_plain_linear_solve(self, data, gamma):
        world = data.draw(random_worlds())
        policy = data.draw(random_policies(world))
        np.testing.assert_allclose(
            policy_values(world, policy, gamma), plain_values(world, policy, gamma), atol=1e-9
        )

    @given(data=st.data())
    @settings(max_examples=40, deadline=None)
    def test_without_a_discount(self, data):
        world = data.draw(random_worlds(always_ends=True))
        policy = data.draw(random_policies(world))
        np.testing.assert_allclose(
            policy_values(world, policy, 1.0), plain_values(world, policy, 1.0), atol=1e-9
        )

    @given(data=st.data(), gamma=discounts)
    @settings(max_examples=40, deadline=None)
    def test_are_the_mean_of_their_action_values(self, data, gamma):
        world = data.draw(random_worlds())
        policy = data.draw(random_policies(world))
        values = policy_values(world, policy, gamma)
        np.testing.assert_allclose(
            (policy * action_values(world, values, gamma)).sum(axis=1), values, atol=1e-9
        )

    def test_what_follows_a_terminated_step_counts_nothing(self):
        # The step ends the episode, although it leads to a state that would pay for ever.
        world = TableWorld(
            [[[1]], [[1]]], [[[1.0]], [[1.0]]], [[[2.0]], [[50.0]]], [[[True]], [[False]]],
            [1.0, 0.0], 1)  # fmt: skip
        assert policy_values(world, [[1.0], [1.0]], 0.5).tolist() == [2.0, 100.0]
        assert optimal_values(world, 0.5) == pytest.approx([2.0, 100.0])
        assert action_values(world, [7.0, 100.0], 0.5).tolist() == [[2.0], [100.0]]
        assert state_occupancy(world, [[1.0], [1.0]], 1.0).tolist() == [1.0, 0.0]

    def test_a_policy_that_never_ends_has_no_value_without_a_discount(self):
        world = corridor_world(3)
        back = np.array([[1.0, 0.0]] * 3)
        message = "gamma is 1, but under this policy an episode never ends from state 0; allowed"
        for function in (policy_values, state_occupancy):
            with pytest.raises(ValueError, match=re.escape(message)):
                function(world, back, 1.0)
        assert policy_values(world, back, 0.9).tolist() == [0.0, 0.0, 0.0]

    def test_an_end_too_rare_for_floating_point_is_said(self):
        world = corridor_world(2)
        rare = np.array([[1.0, 1e-30], [0.5, 0.5]])
        with pytest.raises(ValueError, match=r"too rarely to be told from never; allowed: below 1"):
            policy_values(world, rare, 1.0)


class TestOccupancy:
    @given(data=st.data(), gamma=discounts)
    @settings(max_examples=60, deadline=None)
    def test_sums_the_steps_one_by_one(self, data, gamma):
        world = data.draw(random_worlds())
        policy = data.draw(random_policies(world))
        matrix, _ = plain_model(world, policy)
        expected, now = np.zeros(world.num_states), np.array(world.start)
        for t in range(3000):
            expected += gamma**t * now
            now = now @ matrix
        np.testing.assert_allclose(state_occupancy(world, policy, gamma), expected, atol=1e-9)

    @given(data=st.data(), gamma=discounts)
    @settings(max_examples=40, deadline=None)
    def test_with_the_rewards_gives_the_value_of_the_start(self, data, gamma):
        world = data.draw(random_worlds())
        policy = data.draw(random_policies(world))
        _, pay = plain_model(world, policy)
        assert state_occupancy(world, policy, gamma) @ pay == pytest.approx(
            world.start @ policy_values(world, policy, gamma), abs=1e-9
        )

    def test_a_loop_that_no_episode_comes_to_does_no_harm(self):
        # From cell 0 the first step ends it; cell 1 would go round for ever.
        world = TableWorld(
            [[[0]], [[1]]], [[[1.0]], [[1.0]]], [[[1.0]], [[1.0]]], [[[True]], [[False]]],
            [1.0, 0.0], 1)  # fmt: skip
        assert state_occupancy(world, [[1.0], [1.0]], 1.0).tolist() == [1.0, 0.0]


# --- gradients ---------------------------------------------------------------------------------


class TestPolicyGradient:
    @given(data=st.data(), gamma=discounts)
    @settings(max_examples=50, deadline=None)
    def test_agrees_with_central_differences(self, data, gamma):
        world = data.draw(random_worlds())
        theta = data.draw(random_thetas(world, size=2.0))
        self.check(world, theta, gamma)

    @given(data=st.data())
    @settings(max_examples=25, deadline=None)
    def test_without_a_discount(self, data):
        world = data.draw(random_worlds(always_ends=True))
        theta = data.draw(random_thetas(world, size=2.0))
        self.check(world, theta, 1.0)

    @staticmethod
    def check(world: TableWorld, theta: np.ndarray, gamma: float) -> None:
        step = 1e-5
        expected = np.zeros_like(theta)
        for cell in np.ndindex(theta.shape):
            nudge = np.zeros_like(theta)
            nudge[cell] = step
            up = world.start @ plain_values(world, plain_softmax(theta + nudge), gamma)
            down = world.start @ plain_values(world, plain_softmax(theta - nudge), gamma)
            expected[cell] = (up - down) / (2 * step)
        scale = max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(
            policy_gradient(world, theta, gamma), expected, atol=1e-6 * scale
        )

    @given(data=st.data(), gamma=discounts)
    @settings(max_examples=30, deadline=None)
    def test_adding_to_all_logits_of_a_state_changes_nothing(self, data, gamma):
        world = data.draw(random_worlds())
        theta = data.draw(random_thetas(world))
        gradient = policy_gradient(world, theta, gamma)
        np.testing.assert_allclose(gradient.sum(axis=1), 0.0, atol=1e-9)
        np.testing.assert_allclose(
            policy_gradient(world, theta + 5.0, gamma), gradient, atol=1e-9
        )  # fmt: skip


class TestExpectedRolloutGradient:
    @given(
        data=st.data(),
        n=st.integers(1, 3),
        gamma=st.one_of(st.just(1.0), discounts),
        beta=st.sampled_from([0.0, 0.01, 1.0]),
        window=st.one_of(st.none(), st.integers(1, 4)),
    )
    @settings(max_examples=120, deadline=None)
    def test_is_the_mean_over_every_possible_rollout(self, data, n, gamma, beta, window):
        world = data.draw(random_worlds(max_states=3, max_actions=2, max_outcomes=2))
        theta = data.draw(random_thetas(world))
        V = data.draw(random_values(world))
        first = None
        if data.draw(st.booleans()):
            first = np.full(world.num_states, 1.0 / world.num_states)
        found = expected_rollout_gradient(world, theta, V, n, gamma, beta, window, first)
        expected = enumerated_gradient(
            world, theta, V, n, gamma, beta, window, world.start if first is None else first
        )
        for one, other in zip(found, expected, strict=True):
            assert one.shape == other.shape
            np.testing.assert_allclose(one, other, atol=1e-9)

    @given(data=st.data(), n=st.integers(1, 6), beta=st.sampled_from([0.0, 0.5]))
    @settings(max_examples=30, deadline=None)
    def test_a_window_as_long_as_the_rollout_is_no_window(self, data, n, beta):
        world = data.draw(random_worlds())
        theta, V = data.draw(random_thetas(world)), data.draw(random_values(world))
        free = expected_rollout_gradient(world, theta, V, n, 0.9, beta)
        for window in (n, n + 3):
            held = expected_rollout_gradient(world, theta, V, n, 0.9, beta, window=window)
            np.testing.assert_array_equal(held[0], free[0])
            np.testing.assert_array_equal(held[1], free[1])

    @given(data=st.data(), n=st.integers(1, 6), gamma=discounts)
    @settings(max_examples=30, deadline=None)
    def test_a_critic_that_is_right_has_nothing_to_learn(self, data, n, gamma):
        world = data.draw(random_worlds())
        theta = data.draw(random_thetas(world))
        V = policy_values(world, plain_softmax(theta), gamma)
        _, grad_V = expected_rollout_gradient(world, theta, V, n, gamma, 0.0)
        np.testing.assert_allclose(grad_V, 0.0, atol=1e-9)

    @given(data=st.data())
    @settings(max_examples=30, deadline=None)
    def test_whole_episodes_without_a_discount_give_the_true_gradient(self, data):
        # At gamma = 1 the weights that A3C drops are 1, and a long rollout is a whole episode.
        world = data.draw(random_worlds(always_ends=True))
        theta = data.draw(random_thetas(world))
        V = policy_values(world, plain_softmax(theta), 1.0)
        found, _ = expected_rollout_gradient(world, theta, V, 200, 1.0, 0.0)
        np.testing.assert_allclose(found, policy_gradient(world, theta, 1.0), atol=1e-7)

    def test_certain_policies_have_no_entropy_to_climb(self):
        theta = np.array([[1000.0, -1000.0]] * 3)
        world = corridor_world(3)
        with_bonus, _ = expected_rollout_gradient(world, theta, np.ones(3), 4, 0.9, 1.0)
        assert with_bonus.tolist() == np.zeros((3, 2)).tolist()

    def test_the_bonus_pulls_towards_uniform(self):
        theta = np.array([[1.0, 0.0]] * 3)
        gradient, _ = expected_rollout_gradient(corridor_world(3), theta, np.zeros(3), 1, 0.9, 1.0)
        assert gradient[0, 0] < 0.0 < gradient[0, 1]


# --- small parts -------------------------------------------------------------------------------


class TestParts:
    @given(data=st.data())
    @settings(max_examples=40, deadline=None)
    def test_softmax(self, data):
        world = data.draw(random_worlds())
        theta = data.draw(random_thetas(world, size=20.0))
        np.testing.assert_allclose(softmax_policy(theta), plain_softmax(theta), rtol=1e-12)

    def test_softmax_of_huge_logits_is_exact(self):
        assert softmax_policy([[1000.0, -1000.0], [-1000.0, -1000.0]]).tolist() == [
            [1.0, 0.0],
            [0.5, 0.5],
        ]

    def test_the_first_of_equals_is_greedy(self):
        assert greedy_policy([[1.0, 3.0, 3.0], [0.0, 0.0, 0.0]]).tolist() == [
            [0.0, 1.0, 0.0],
            [1.0, 0.0, 0.0],
        ]

    @given(data=st.data(), gamma=discounts)
    @settings(max_examples=40, deadline=None)
    def test_action_values_look_one_step_ahead(self, data, gamma):
        world = data.draw(random_worlds())
        V = data.draw(random_values(world))
        expected = np.zeros((world.num_states, world.num_actions))
        for s, a, k in np.ndindex(world.next_state.shape):
            follows = 0.0 if world.terminated[s, a, k] else V[world.next_state[s, a, k]]
            expected[s, a] += world.probability[s, a, k] * (world.reward[s, a, k] + gamma * follows)
        np.testing.assert_allclose(action_values(world, V, gamma), expected, atol=1e-12)

    def test_arguments_are_left_as_they_were(self):
        theta, V = np.ones((3, 2)), np.ones(3)
        policy = softmax_policy(theta)
        for array in (theta, V, policy):
            array.setflags(write=False)
        world = corridor_world(3)
        expected_rollout_gradient(world, theta, V, 3, 0.9, 0.1, start=world.start)
        policy_gradient(world, theta, 0.9)
        policy_values(world, policy, 0.9)
        state_occupancy(world, policy, 0.9)
        greedy_policy(policy)


class TestGreedyPath:
    def test_a_walk_in_circles_stops_at_the_limit(self):
        wall = np.tile([0.0, 0.0, 0.0, 1.0], (48, 1))
        assert greedy_path(CLIFF, wall, max_steps=3) == GreedyPath([36] * 4, -3.0, False)
        path = greedy_path(CLIFF, wall)
        assert (len(path.states), path.total_return, path.terminated) == (201, -200.0, False)

    def test_arriving_with_the_last_step_is_arriving(self):
        ahead = np.array([[0.0, 1.0]] * 4)
        assert greedy_path(corridor_world(4), ahead, max_steps=3).terminated
        assert greedy_path(corridor_world(4), ahead, max_steps=2) == ([0, 1, 2], 0.0, False)

    def test_falls_are_walked_and_paid_for(self):
        right = np.tile([0.0, 1.0, 0.0, 0.0], (48, 1))
        assert greedy_path(CLIFF, right, max_steps=2).total_return == -200.0

    def test_begins_where_it_is_told(self):
        policy = optimal_policy(CLIFF, 0.99)
        assert greedy_path(CLIFF, policy, start=35) == ([35, 47], -1.0, True)

    def test_of_equally_probable_actions_the_first_is_taken(self):
        assert greedy_path(CLIFF, UNIFORM, max_steps=1).states == [36, 24]


# --- bad input ---------------------------------------------------------------------------------

LAKE = TableWorld(
    [[[0, 1]], [[1, 1]]], [[[0.5, 0.5]], [[1.0, 0.0]]], [[[0.0, 0.0]], [[0.0, 0.0]]],
    [[[False, False]], [[True, True]]], [0.5, 0.5], 9, name="a lake")  # fmt: skip
TWO = corridor_world(2)
EVEN = np.full((2, 2), 0.5)
ZERO = np.zeros((2, 2))
GAMMA = "; allowed: a number from 0 to 1"


def rollout(**changes):
    given = {"theta": ZERO, "V": [0.0, 0.0], "n": 2, "gamma": 0.9, "beta": 0.0} | changes
    return expected_rollout_gradient(TWO, **given)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: optimal_values(TWO, 1.5), "gamma is 1.5" + GAMMA),
        (lambda: optimal_values(TWO, -0.1), "gamma is -0.1" + GAMMA),
        (lambda: optimal_values(TWO, float("nan")), "gamma is nan" + GAMMA),
        (lambda: optimal_values(TWO, "0.9"), "gamma is '0.9'" + GAMMA),
        (lambda: optimal_values(TWO, True), "gamma is True" + GAMMA),
        (lambda: optimal_action_values(TWO, 2), "gamma is 2" + GAMMA),
        (lambda: optimal_policy(TWO, 2), "gamma is 2" + GAMMA),
        (lambda: action_values(TWO, [0, 0], 2), "gamma is 2" + GAMMA),
        (lambda: policy_values(TWO, EVEN, 2), "gamma is 2" + GAMMA),
        (lambda: state_occupancy(TWO, EVEN, 2), "gamma is 2" + GAMMA),
        (lambda: policy_gradient(TWO, ZERO, 2), "gamma is 2" + GAMMA),
        (lambda: rollout(gamma=2), "gamma is 2" + GAMMA),
        (lambda: action_values(TWO, [0.0], 0.9), "values has shape (1,); allowed: (2,)"),
        (lambda: action_values(TWO, [0, np.inf], 0.9), "values holds inf; allowed: finite numbers"),
        (lambda: action_values(TWO, "ab", 0.9), "values is 'ab'; allowed: an array of numbers"),
        (lambda: policy_values(TWO, [[1.0]], 0.9), "policy has shape (1, 1); allowed: (2, 2)"),
        (lambda: policy_values(TWO, ZERO, 0.9), "policy sums to 0.0 in state 0; allowed: 1"),
        (
            lambda: policy_values(TWO, [[0.5, 0.5], [1.5, -0.5]], 0.9),
            "policy holds 1.5 in state 1; allowed: numbers from 0 to 1",
        ),
        (
            lambda: state_occupancy(TWO, [[0.5, 0.5], [0.5, 0.25]], 0.9),
            "policy sums to 0.75 in state 1; allowed: 1",
        ),
        (
            lambda: state_occupancy(TWO, [[0.5, np.nan], [0.5, 0.5]], 0.9),
            "policy holds nan; allowed: finite numbers",
        ),
        (lambda: policy_gradient(TWO, [0.0, 0.0], 0.9), "theta has shape (2,); allowed: (2, 2)"),
        (lambda: softmax_policy([0.0]), "theta has shape (1,); allowed: (states, actions), each"),
        (lambda: softmax_policy([[np.inf]]), "theta holds inf; allowed: finite numbers"),
        (lambda: greedy_policy([0.0]), "preferences has shape (1,); allowed: (states, actions), e"),
        (lambda: greedy_policy([[np.nan]]), "preferences holds nan; allowed: finite numbers"),
        (lambda: rollout(theta=[[0.0]]), "theta has shape (1, 1); allowed: (2, 2)"),
        (lambda: rollout(theta=ZERO * np.nan), "theta holds nan; allowed: finite numbers"),
        (lambda: rollout(V=[0.0]), "V has shape (1,); allowed: (2,)"),
        (lambda: rollout(V=[0.0, -np.inf]), "V holds -inf; allowed: finite numbers"),
        (lambda: rollout(n=0), "n is 0; allowed: a whole number from 1"),
        (lambda: rollout(n=2.0), "n is 2.0; allowed: a whole number from 1"),
        (lambda: rollout(n=True), "n is True; allowed: a whole number from 1"),
        (lambda: rollout(window=0), "window is 0; allowed: a whole number from 1"),
        (lambda: rollout(beta=-0.1), "beta is -0.1; allowed: a finite number from 0"),
        (lambda: rollout(beta=np.inf), "beta is inf; allowed: a finite number from 0"),
        (lambda: rollout(beta=None), "beta is None; allowed: a finite number from 0"),
        (lambda: rollout(start=[1.0]), "start has shape (1,); allowed: (2,)"),
        (lambda: rollout(start=[0.5, 0.4]), "start sums to 0.9; allowed: 1"),
        (lambda: rollout(start=[2.0, -1.0]), "start holds 2.0; allowed: numbers from 0 to 1"),
        (lambda: greedy_path(TWO, ZERO), "policy sums to 0.0 in state 0; allowed: 1"),
        (lambda: greedy_path(TWO, EVEN, 0), "max_steps is 0; allowed: a whole number from 1"),
        (lambda: greedy_path(TWO, EVEN, start=2), "start is 2; allowed: 0 to 1"),
        (lambda: greedy_path(TWO, EVEN, start=0.5), "start is 0.5; allowed: 0 to 1"),
        (
            lambda: greedy_path(LAKE, [[1.0], [1.0]]),
            "start is None, but a lake has 2 start states; allowed: one of its states",
        ),
        (
            lambda: greedy_path(LAKE, [[1.0], [1.0]], start=0),
            "world is a lake, where action 0 in state 0 has 2 outcomes; allowed: one wherever the",
        ),
    ],
)  # fmt: skip
def test_says_what_is_wrong(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
