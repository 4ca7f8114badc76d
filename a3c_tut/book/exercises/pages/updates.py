"""Exercises of Section 2.2, Asynchronous Updates."""

from __future__ import annotations

import numpy as np

from a3c_tut import A3CConfig, TableWorld
from a3c_tut.book import plain
from a3c_tut.book.exercises.exercise import Curves, Exercise, SilentBug, mistake


class PolicyGradient(Exercise):
    """Write one step of Equation {eq}`eq-policy-gradient`: its derivatives with respect to the
    logits of the state, in the direction of ascent. A softmax makes both terms short; they stand
    above.

    `policy` (A,) holds the probabilities π(·|s), `action` is the one taken; `advantage` and `beta`
    are numbers. Return (A,).
    """

    page = "updates"
    title = "one step of the policy gradient"
    begin = "Not yet: two terms, one for the action taken and one for the entropy."
    right = "Right: both terms are there, each with its sign."

    @staticmethod
    def cases():
        return [
            (np.array([0.5, 0.2, 0.3]), 1, -1.7, 0.4),
            (np.array([0.1, 0.6, 0.05, 0.25]), 0, 2.3, 0.7),
        ]

    @staticmethod
    def stub(policy, action, advantage, beta):
        return np.zeros(len(policy))  # yours

    @staticmethod
    def solution(policy, action, advantage, beta):
        chosen = np.eye(len(policy))[action]
        entropy = -(policy * np.log(policy)).sum()
        bonus = -beta * policy * (np.log(policy) + entropy)
        return advantage * (chosen - policy) + bonus

    @mistake("You maximised −H: the entropy term has the wrong sign, it rewards being sure.")
    def minus_entropy(policy, action, advantage, beta):
        return PolicyGradient.solution(policy, action, advantage, -beta)

    @mistake("The first term is right; the entropy term is missing.")
    def no_entropy(policy, action, advantage, beta):
        return PolicyGradient.solution(policy, action, advantage, 0.0)

    @mistake("The entropy term lacks its weight β.")
    def no_weight(policy, action, advantage, beta):
        return PolicyGradient.solution(policy, action, advantage, 1.0)

    @mistake("Both signs are wrong: this descends.")
    def descends(policy, action, advantage, beta):
        return -PolicyGradient.solution(policy, action, advantage, beta)

    @mistake("The first term has the wrong sign: good actions become rarer.")
    def good_is_bad(policy, action, advantage, beta):
        return PolicyGradient.solution(policy, action, -advantage, beta)

    @mistake("The first term lacks − π(b): raising one logit lowers the other probabilities.")
    def one_logit_only(policy, action, advantage, beta):
        return PolicyGradient.solution(policy, action, advantage, beta) + advantage * policy

    @mistake("The entropy term lacks + H: the probabilities have to go on summing to 1.")
    def half_an_entropy(policy, action, advantage, beta):
        right = PolicyGradient.solution(policy, action, advantage, 0.0)
        return right - beta * policy * np.log(policy)

    @mistake("The entropy term is −β(log π + 1), the slope with respect to π: θ is asked for.")
    def slope_of_the_probabilities(policy, action, advantage, beta):
        right = PolicyGradient.solution(policy, action, advantage, 0.0)
        return right - beta * (np.log(policy) + 1.0)

    @mistake("The entropy term lacks the factor π(b).")
    def not_weighted(policy, action, advantage, beta):
        right = PolicyGradient.solution(policy, action, advantage, 0.0)
        bonus = PolicyGradient.solution(policy, action, 0.0, beta)
        return right + bonus / policy

    @mistake("You took log₂ somewhere in the entropy: all logarithms here are natural ones.")
    def in_bits(policy, action, advantage, beta):
        return PolicyGradient.solution(policy, action, advantage, beta / np.log(2.0))

    @mistake("You took the gradient of π(a), not of log π(a): the first term has π(a) too much.")
    def gradient_of_the_probability(policy, action, advantage, beta):
        return PolicyGradient.solution(policy, action, advantage * policy[action], beta)

    @mistake("Only the logit of the action that was taken moves: the others do, too.")
    def taken_logit_only(policy, action, advantage, beta):
        chosen = np.eye(len(policy))[action]
        return chosen * PolicyGradient.solution(policy, action, advantage, beta)

    @mistake("Only the logit of the action that was taken gets the first term: the others do, too.")
    def taken_logit_in_the_first_term(policy, action, advantage, beta):
        chosen = np.eye(len(policy))[action]
        bonus = PolicyGradient.solution(policy, action, 0.0, beta)
        return chosen * PolicyGradient.solution(policy, action, advantage, 0.0) + bonus

    @mistake("You added the entropy to the advantage: the bonus has a gradient of its own.")
    def bonus_on_the_advantage(policy, action, advantage, beta):
        entropy = -(policy * np.log(policy)).sum()
        return PolicyGradient.solution(policy, action, advantage + beta * entropy, 0.0)

    @mistake("You added −β log π(a) to the advantage: its mean is right, a single step is not.")
    def surprise_on_the_advantage(policy, action, advantage, beta):
        surprise = -beta * np.log(policy[action])
        return PolicyGradient.solution(policy, action, advantage + surprise, 0.0)


class CriticGradient(Exercise):
    """Write `grad_V`: minus the gradient of Equation {eq}`eq-value-gradient`, which
    {numref}`lst-loop` *adds* to the table. Every step of the rollout looks ahead to its end, and
    the target is held fixed.

    `states` (T + 1,) are $s_0$ to $s_T$, some of them more than once; `rewards` (T,); `V` (S,) is
    the whole table; `terminated` says whether $s_T$ is terminal. Return (S,).
    """

    page = "updates"
    title = "what the critic adds"
    begin = "Not yet: every state that the rollout leaves gets its advantage."
    right = "Right: the errors of a rollout, each where it was made."

    @staticmethod
    def cases():
        V = np.array([0.5, -1.5, 4.0, -2.5, 7.0])
        return [
            (np.array([0, 2, 0, 3, 1]), np.array([-1.0, 2.0, -3.0, 5.0]), V, False, 0.9),
            (np.array([0, 2, 0, 3, 1]), np.array([-1.0, 2.0, -3.0, 5.0]), V, True, 0.9),
            (np.array([4, 1, 4]), np.array([0.5, 1.5]), V, False, 0.7),
        ]

    @staticmethod
    def stub(states, rewards, V, terminated, gamma):
        return np.zeros(len(V))  # yours

    @staticmethod
    def solution(states, rewards, V, terminated, gamma):
        grad_V = np.zeros(len(V))
        ahead = 0.0 if terminated else V[states[-1]]
        for t in reversed(range(len(rewards))):
            ahead = rewards[t] + gamma * ahead
            grad_V[states[t]] += ahead - V[states[t]]
        return grad_V

    @mistake("That is the gradient of the loss itself: what is added has to be minus that.")
    def descends(states, rewards, V, terminated, gamma):
        return -CriticGradient.solution(states, rewards, V, terminated, gamma)

    @mistake("You let the gradient flow into the bootstrap value: the target is held fixed.")
    def into_the_target(states, rewards, V, terminated, gamma):
        grad_V = CriticGradient.solution(states, rewards, V, terminated, gamma)
        ahead, weight = (0.0 if terminated else V[states[-1]]), float(not terminated)
        for t in reversed(range(len(rewards))):
            ahead, weight = rewards[t] + gamma * ahead, gamma * weight
            grad_V[states[-1]] -= weight * (ahead - V[states[t]])
        return grad_V

    @mistake("That is twice as much: the loss is half the squared error.")
    def twice(states, rewards, V, terminated, gamma):
        return 2 * CriticGradient.solution(states, rewards, V, terminated, gamma)

    @mistake("You took the mean over the rollout: the equation has the sum.")
    def mean(states, rewards, V, terminated, gamma):
        right = CriticGradient.solution(states, rewards, V, terminated, gamma)
        return right / len(rewards)

    @mistake("A state that was visited twice keeps one of its errors only: they have to add up.")
    def last_one_wins(states, rewards, V, terminated, gamma):
        grad_V = np.zeros(len(V))
        ahead = 0.0 if terminated else V[states[-1]]
        errors = []
        for t in reversed(range(len(rewards))):
            ahead = rewards[t] + gamma * ahead
            errors.insert(0, ahead - V[states[t]])
        grad_V[states[:-1]] += errors
        return grad_V

    @mistake("A state that was visited twice keeps its first error only: they have to add up.")
    def first_one_wins(states, rewards, V, terminated, gamma):
        grad_V = np.zeros(len(V))
        ahead = 0.0 if terminated else V[states[-1]]
        for t in reversed(range(len(rewards))):
            ahead = rewards[t] + gamma * ahead
            grad_V[states[t]] = ahead - V[states[t]]
        return grad_V

    @mistake("You bootstrapped from a terminal state: nothing follows it, its value is 0.")
    def behind_the_end(states, rewards, V, terminated, gamma):
        return CriticGradient.solution(states, rewards, V, False, gamma)

    @mistake("Each step bootstraps from the very next state: that is n = 1, not the whole rollout.")
    def one_step(states, rewards, V, terminated, gamma):
        ahead = V[states[1:]].copy()
        ahead[-1] *= not terminated
        errors = rewards + gamma * ahead - V[states[:-1]]
        return np.bincount(states[:-1], errors, len(V))


class Staleness(Exercise):
    """Staleness is logged, but it need not be: it follows from the schedule alone.

    `schedule` holds the worker of every push, in order, and `num_workers` says how many there are.
    Return, for every push, how many pushes of others came between it and the same worker's push
    before (or the beginning).
    """

    page = "updates"
    title = "staleness from the schedule"
    begin = "Not yet: count the pushes since the same worker's last one."
    right = "Right: the log says the same, and the schedule alone was enough."

    @staticmethod
    def cases():
        return [([0, 1, 2, 0, 1, 2], 3), ([0, 0, 1, 0, 2, 2, 1], 3)]

    @staticmethod
    def stub(schedule, num_workers):
        return [0] * len(schedule)  # yours

    @staticmethod
    def solution(schedule, num_workers):
        last = [-1] * num_workers
        answer = []
        for push, worker in enumerate(schedule):
            answer.append(push - last[worker] - 1)
            last[worker] = push
        return answer

    @mistake("You count from the beginning: a worker synchronises after each push of its own.")
    def from_the_beginning(schedule, num_workers):
        return range(len(schedule))

    @mistake("You count one too many: its own push makes no gradient stale.")
    def with_its_own(schedule, num_workers):
        return [count + 1 for count in Staleness.solution(schedule, num_workers)]

    @mistake("That is so only when all take turns: here a worker may come twice, or late.")
    def in_turn(schedule, num_workers):
        return [min(push, num_workers - 1) for push in range(len(schedule))]

    @mistake("A worker's first push is stale, too: all pushes before it came since the beginning.")
    def first_counts_nothing(schedule, num_workers):
        staleness, seen = list(Staleness.solution(schedule, num_workers)), set()
        for push, worker in enumerate(schedule):
            if worker not in seen:
                staleness[push] = 0
            seen.add(worker)
        return staleness

    @mistake("You count workers, not pushes: the same one may have pushed twice in between.")
    def workers(schedule, num_workers):
        between = Staleness.solution(schedule, num_workers)
        return [len({*schedule[k - n : k]}) for k, n in enumerate(between)]


class PolicyLoss(SilentBug):
    """Libraries descend a loss. This one is meant to be minus the sum in Equation
    {eq}`eq-policy-gradient`, for one step. The program learns. But it mostly settles
    on the nearer exit, though the other pays more.

    `policy` (A,) holds the probabilities π(·|s), `action` is the one taken; `advantage` and `beta`
    are numbers. Find the fault and mend it; return the loss, a number.
    """

    page = "updates"
    title = "the nearer exit"
    begin = "The fault is still in it: is it better for this loss to be sure or to be unsure?"
    right = "Right: among equals this loss prefers the policy that is less sure."
    found_in = "tensorflow/models#5058: the loss had the entropy with the wrong sign"
    caption = (
        "What the fault does to learning: a corridor with two exits, three steps to the one that "
        "pays 0.4 and nine to the one that pays 1; β = 0.1 and otherwise the default settings, ten "
        "seeds; mean return of the last 50 episodes, with 95 % intervals."
    )
    alt = (
        "Return against steps. Both begin near 0.4; the right program climbs to 0.95, the faulty "
        "one stays below 0.5."
    )

    cases = PolicyGradient.cases

    @staticmethod
    def stub(policy, action, advantage, beta):
        log_policy = np.log(policy)
        entropy = (policy * log_policy).sum()
        return -log_policy[action] * advantage - beta * entropy

    @staticmethod
    def solution(policy, action, advantage, beta):
        log_policy = np.log(policy)
        entropy = -(policy * log_policy).sum()
        return -log_policy[action] * advantage - beta * entropy

    @mistake("Now good actions become rarer: the first term of a loss has a minus sign.")
    def good_is_bad(policy, action, advantage, beta):
        return PolicyLoss.solution(policy, action, -advantage, beta)

    @mistake("That is what is to ascend: a loss is minus that.")
    def ascends(policy, action, advantage, beta):
        return -PolicyLoss.solution(policy, action, advantage, beta)

    @mistake("Without any entropy nothing keeps the policy from becoming sure too soon.")
    def no_entropy(policy, action, advantage, beta):
        return PolicyLoss.solution(policy, action, advantage, 0.0)

    @mistake("The entropy lacks its weight β.")
    def no_weight(policy, action, advantage, beta):
        return PolicyLoss.solution(policy, action, advantage, 1.0)

    @staticmethod
    def test(policy_loss):
        sure, unsure = np.array([0.99, 0.01]), np.array([0.5, 0.5])
        loss = [policy_loss(policy, 0, 0.0, 0.1) for policy in (sure, unsure)]
        assert loss[1] < loss[0]

    @classmethod
    def symptom(cls):
        world = _two_exits(3, 0.4, 9, 1.0)
        config = A3CConfig(entropy_coef=0.1)
        at = np.linspace(500, 5_000, 10)

        def returns(policy_loss):
            return plain.returns_at(at, world, config, _parts_with(policy_loss), seeds=10)

        return Curves(at, cls.both(returns), "steps of all workers", "return")


def _parts_with(policy_loss):
    """Return the parts of a learner that descends such a loss, with either sign of the entropy."""
    coin = np.array([0.5, 0.5])
    sign = -policy_loss(coin, 0, 0.0, 1.0) / np.log(2.0)  # the coin's entropy is log 2

    def gradient(policy, action, advantage, beta):
        return plain.policy_gradient(policy, action, advantage, sign * beta)

    return plain.Parts(policy_gradient=gradient)


def _two_exits(near, near_pays, far, far_pays):
    """Return a corridor that ends `near` steps to the left of its start and `far` to the right."""
    cells = np.arange(near + far + 1)
    next_state = np.stack([cells - 1, cells + 1], axis=1).clip(0, cells[-1])
    reward = np.zeros(next_state.shape)
    reward[1, 0], reward[-2, 1] = near_pays, far_pays
    ends = (next_state == 0) | (next_state == cells[-1])
    return TableWorld(
        next_state[:, :, None],
        np.ones((*next_state.shape, 1)),
        reward[:, :, None],
        ends[:, :, None],
        (cells == near).astype(float),
        max_episode_steps=100,
        name="corridor with two exits",
        action_names=("left", "right"),
    )
