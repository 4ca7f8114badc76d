"""Exercises of Section 2.1, Multi-worker Objective."""

from __future__ import annotations

import numpy as np

from a3c_tut import A3CConfig, corridor_world
from a3c_tut.book import plain
from a3c_tut.book.exercises.exercise import Curves, Exercise, SilentBug, mistake


class CorridorValues(Exercise):
    """In the corridor of three cells a walker goes right with probability `p` instead of ½. Write
    the two Bellman equations by hand and solve them.

    `p` and `gamma` are numbers; return (2,), V(0) and V(1).
    """

    page = "objective"
    title = "by hand"
    begin = "Not yet: both values are above 0."
    right = "Right: `exact.policy_values` says the same."

    @staticmethod
    def cases():
        return [(0.8, 0.9), (0.3, 0.7)]

    @staticmethod
    def stub(p, gamma):
        return np.zeros(2)  # yours

    @staticmethod
    def solution(p, gamma):
        left_side = np.eye(2) - gamma * np.array([[1 - p, p], [1 - p, 0]])
        return np.linalg.solve(left_side, [0, p])

    @mistake("You exchanged the two ways: p is the probability of going right.")
    def exchanged(p, gamma):
        left_side = np.eye(2) - gamma * np.array([[p, 1 - p], [p, 0]])
        return np.linalg.solve(left_side, [0, 1 - p])

    @mistake("γ is missing: without it both cells are worth 1, however long it takes.")
    def undiscounted(p, gamma):
        return np.ones(2)

    @mistake("Left leads back to cell 0, from cell 1 too: nobody stays in cell 1.")
    def stays(p, gamma):
        left_side = np.eye(2) - gamma * np.array([[1 - p, p], [0, 1 - p]])
        return np.linalg.solve(left_side, [0, p])

    @mistake("The last step pays at once: its reward is not discounted.")
    def paid_later(p, gamma):
        left_side = np.eye(2) - gamma * np.array([[1 - p, p], [1 - p, 0]])
        return np.linalg.solve(left_side, [0, gamma * p])

    @mistake("The 1 is paid only to those who go right: it counts with probability p.")
    def paid_to_all(p, gamma):
        left_side = np.eye(2) - gamma * np.array([[1 - p, p], [1 - p, 0]])
        return np.linalg.solve(left_side, [0, 1])


class Advantages(Exercise):
    """The kernel above computes all advantages of a rollout in one pass backwards. Write that pass
    without looking. Every step looks ahead to the end of the rollout.

    `rewards` (T,) and `values` (T + 1,), the critic's guesses for $s_0$ to $s_T$; `terminated` says
    whether $s_T$ is terminal. Return the advantages (T,).
    """

    page = "objective"
    title = "one recursion for all steps"
    begin = "Not yet: begin at the last step and go back, one reward at a time."
    right = "Right: every step looks ahead to the end, and nothing follows a terminal state."

    @staticmethod
    def cases():
        rewards = np.array([-1.0, 2.0, -3.0, 5.0])
        values = np.array([0.5, -1.5, 4.0, -2.5, 7.0])
        return [
            (rewards, values, False, 0.9),
            (rewards, values, True, 0.9),
            (rewards[1:], values[:4], False, 0.7),
            (rewards[:1], values[:2], True, 0.8),
        ]

    @staticmethod
    def stub(rewards, values, terminated, gamma):
        return np.zeros(len(rewards))  # yours

    @staticmethod
    def solution(rewards, values, terminated, gamma):
        advantages = np.zeros(len(rewards))
        ahead = 0.0 if terminated else values[-1]
        for t in reversed(range(len(rewards))):
            ahead = rewards[t] + gamma * ahead
            advantages[t] = ahead - values[t]
        return advantages

    @mistake("You bootstrapped from a terminal state: nothing follows it, its value is 0.")
    def behind_the_end(rewards, values, terminated, gamma):
        return Advantages.solution(rewards, values, False, gamma)

    @mistake("You never bootstrapped: a rollout that only ran out of steps goes on behind s_T.")
    def no_bootstrap(rewards, values, terminated, gamma):
        return Advantages.solution(rewards, values, True, gamma)

    @mistake("You forgot γ on the bootstrap: V(s_T) is some steps away, as the last reward is.")
    def plain_bootstrap(rewards, values, terminated, gamma):
        return Advantages.solution(rewards, values, True, gamma) + (not terminated) * values[-1]

    @mistake("You forgot one γ on the bootstrap: s_T lies one step behind the last reward.")
    def one_gamma_short(rewards, values, terminated, gamma):
        values = np.append(values[:-1], values[-1] / gamma)
        return Advantages.solution(rewards, values, terminated, gamma)

    @mistake("You discounted the bootstrap once only: V(s_T) is T − t steps away from step t.")
    def one_gamma_only(rewards, values, terminated, gamma):
        bootstrap = gamma * (not terminated) * values[-1]
        return Advantages.solution(rewards, values, True, gamma) + bootstrap

    @mistake("Nothing is discounted: a reward k steps away counts γᵏ times.")
    def undiscounted(rewards, values, terminated, gamma):
        return Advantages.solution(rewards, values, terminated, 1.0)

    @mistake("You discounted the reward with the rest, γ(r + G): r comes at once, r + γG.")
    def reward_discounted(rewards, values, terminated, gamma):
        advantages = np.zeros(len(rewards))
        ahead = 0.0 if terminated else values[-1]
        for t in reversed(range(len(rewards))):
            ahead = gamma * (rewards[t] + ahead)
            advantages[t] = ahead - values[t]
        return advantages

    @mistake("Each step bootstraps from the very next state: that is n = 1, not the whole rollout.")
    def one_step(rewards, values, terminated, gamma):
        kept = np.append(values[:-1], 0.0 if terminated else values[-1])
        return rewards + gamma * kept[1:] - values[:-1]

    @mistake("You took off V(s_{t+1}): an action is judged by the state that it was taken in.")
    def judged_by_the_next(rewards, values, terminated, gamma):
        returns = Advantages.solution(rewards, values, terminated, gamma) + values[:-1]
        return returns - values[1:]

    @mistake("Your answer lacks − V(s_t): this is the return, not how much better it was.")
    def returns(rewards, values, terminated, gamma):
        return Advantages.solution(rewards, values, terminated, gamma) + values[:-1]


class FixedWindow(Exercise):
    """Equation {eq}`eq-advantage` as printed has a fixed n. Write it: step t looks ahead `n` steps,
    or to the end of the rollout where fewer are left, and bootstraps from the state that it gets
    to.

    `rewards` (T,), `values` (T + 1,), `terminated` as before. Return the advantages (T,).
    """

    page = "objective"
    title = "n steps, no more"
    begin = "Not yet: each step adds up n rewards and bootstraps."
    right = "Right: with n = 1 and with n = T it is what you know already."

    @staticmethod
    def cases():
        rewards = np.array([-1.0, 2.0, -3.0, 5.0, 0.5])
        values = np.array([0.5, -1.5, 4.0, -2.5, 7.0, 3.0])
        return [
            (rewards, values, False, 0.9, 2),
            (rewards, values, True, 0.9, 2),
            (rewards[1:], values[:5], True, 0.7, 3),
            (rewards[:3], values[:4], False, 0.8, 7),
            (rewards[:3], values[:4], False, 0.8, 1),
        ]

    @staticmethod
    def stub(rewards, values, terminated, gamma, n):
        return np.zeros(len(rewards))  # yours

    @staticmethod
    def solution(rewards, values, terminated, gamma, n):
        T, advantages = len(rewards), np.zeros(len(rewards))
        for t in range(T):
            end = min(t + n, T)
            ahead = 0.0 if terminated and end == T else values[end]
            for k in reversed(range(t, end)):
                ahead = rewards[k] + gamma * ahead
            advantages[t] = ahead - values[t]
        return advantages

    @mistake("Every step looks ahead to the end of the rollout: that is the n that varies.")
    def variable(rewards, values, terminated, gamma, n):
        return FixedWindow.solution(rewards, values, terminated, gamma, len(rewards))

    @mistake("You look one step too far: n rewards, then the value of the state behind them.")
    def one_too_far(rewards, values, terminated, gamma, n):
        return FixedWindow.solution(rewards, values, terminated, gamma, n + 1)

    @mistake("You bootstrapped from a terminal state: a window that reaches s_T may end there.")
    def behind_the_end(rewards, values, terminated, gamma, n):
        return FixedWindow.solution(rewards, values, False, gamma, n)

    @mistake("Once the episode ends you never bootstrap: windows that end before s_T still do.")
    def nowhere(rewards, values, terminated, gamma, n):
        if not terminated:
            return FixedWindow.solution(rewards, values, terminated, gamma, n)
        ahead = FixedWindow.solution(rewards, 0.0 * values, True, gamma, n)
        return ahead - values[:-1]

    @mistake("Where fewer than n steps are left the bootstrap is discounted by those, not by γⁿ.")
    def always_n(rewards, values, terminated, gamma, n):
        T = len(rewards)
        ends = np.minimum(np.arange(T) + n, T)
        steps = ends - np.arange(T)
        guesses = np.where(terminated & (ends == T), 0.0, values[ends])
        right = FixedWindow.solution(rewards, values, terminated, gamma, n)
        return right + (gamma**n - gamma**steps) * guesses


class RolloutReturns(SilentBug):
    """This function computes the first two terms of Equation {eq}`eq-advantage` for every step of a
    rollout, each looking ahead to its end. It knows that nothing follows a terminal state. With it
    a worker walks and walks through a corridor that pays at its end only, and never gets better at
    it.

    `rewards` (T,); `last_value` is V of the state behind the last step; `terminated` says whether
    that state is terminal. Find the fault and mend it; return (T,).
    """

    page = "objective"
    title = "the corridor that teaches nothing"
    begin = "The fault is still in it: try one step that pays 1 and ends the episode."
    right = "Right: nothing follows a terminal state, but the step that led there is paid."
    found_in = "NVlabs/GA3C#31: the reward of an episode's last step never reaches the learner"
    caption = (
        "What the fault does to learning: a corridor of six cells that pays 1 at its end, the "
        "default settings, ten seeds; mean return of the last 50 episodes, with 95 % intervals."
    )
    alt = (
        "Return against steps. The right program climbs to 1 within 600 steps; the faulty one "
        "stays at about 0.3, where it began."
    )

    @staticmethod
    def cases():
        rewards = np.array([-1.0, 2.0, -3.0, 5.0])
        return [
            (rewards, 7.0, False, 0.9),
            (rewards, 7.0, True, 0.9),
            (rewards[:1], -2.0, True, 0.7),
        ]

    @staticmethod
    def stub(rewards, last_value, terminated, gamma):
        returns, ahead = np.zeros(len(rewards)), last_value
        for t in reversed(range(len(rewards))):
            ahead = rewards[t] + gamma * ahead
            if terminated and t == len(rewards) - 1:
                ahead = 0.0  # nothing follows a terminal state
            returns[t] = ahead
        return returns

    @staticmethod
    def solution(rewards, last_value, terminated, gamma):
        returns = np.zeros(len(rewards))
        ahead = 0.0 if terminated else last_value
        for t in reversed(range(len(rewards))):
            ahead = rewards[t] + gamma * ahead
            returns[t] = ahead
        return returns

    @mistake("Now the last reward is kept, but you bootstrap from a terminal state.")
    def behind_the_end(rewards, last_value, terminated, gamma):
        return RolloutReturns.solution(rewards, last_value, False, gamma)

    @mistake("Now nothing is ever bootstrapped: most rollouts end where the episode goes on.")
    def no_bootstrap(rewards, last_value, terminated, gamma):
        return RolloutReturns.solution(rewards, 0.0, True, gamma)

    @mistake("Now, where the episode ends, no step looks ahead: each has its own reward only.")
    def no_look_ahead(rewards, last_value, terminated, gamma):
        return RolloutReturns.solution(rewards, last_value, False, 0.0 if terminated else gamma)

    @staticmethod
    def test(rollout_returns):
        paid = rollout_returns(np.array([1.0]), 5.0, True, 0.9)
        assert np.allclose(paid, [1.0])

    @classmethod
    def symptom(cls):
        def returns(rollout_returns):
            def keep(reward, terminated):
                return float(rollout_returns(np.array([reward]), 0.0, terminated, 1.0)[0])

            parts, config = plain.Parts(keep=keep), A3CConfig()
            return plain.returns_at(at, corridor_world(6), config, parts, seeds=10)

        at = np.linspace(300, 3_000, 10)
        return Curves(at, cls.both(returns), "steps of all workers", "return")
