"""What readers write: 27 plausible wrong answers, of which the checks must name at least 25.

They are written as an answer is written, from the task alone, and share no code with the mistakes
that the exercises know. (When they were first tried, 24 were named.)
"""

import numpy as np

from a3c_tut.book.exercises import check, find

WRONG = {}


def answers(name):
    """Keep a function as a wrong answer to the exercise of this name."""

    def keep(function):
        WRONG[name, function.__name__] = function
        return function

    return keep


# --- returns and advantages -------------------------------------------------------------------


@answers("advantages")
def discounts_its_own_reward(rewards, values, terminated, gamma):
    G, out = (0 if terminated else values[-1]), []
    for t in range(len(rewards) - 1, -1, -1):
        G = gamma * (rewards[t] + G)
        out.insert(0, G - values[t])
    return out


@answers("advantages")
def td_errors(rewards, values, terminated, gamma):
    after = list(values[1:])
    if terminated:
        after[-1] = 0
    return [r + gamma * v - w for r, v, w in zip(rewards, after, values, strict=False)]


@answers("advantages")
def forgets_the_end(rewards, values, terminated, gamma):
    G, out = values[-1], np.empty(len(rewards))
    for t in range(len(rewards))[::-1]:
        G = rewards[t] + gamma * G
        out[t] = G - values[t]
    return out


@answers("advantages")
def returns_only(rewards, values, terminated, gamma):
    G, out = values[-1] * (1 - terminated), np.empty(len(rewards))
    for t in range(len(rewards))[::-1]:
        out[t] = G = rewards[t] + gamma * G
    return out


@answers("advantages")
def baseline_of_the_next_state(rewards, values, terminated, gamma):
    G, out = values[-1] * (1 - terminated), np.empty(len(rewards))
    for t in range(len(rewards))[::-1]:
        G = rewards[t] + gamma * G
        out[t] = G - values[t + 1]
    return out


@answers("corridor_values")
def bounces_in_place(p, gamma):
    v1 = p / (1 - gamma * (1 - p))
    v0 = gamma * p * v1 / (1 - gamma * (1 - p))
    return [v0, v1]


@answers("fixed_window")
def window_to_the_end(rewards, values, terminated, gamma, n):
    G, out = values[-1] * (not terminated), []
    for r, v in zip(rewards[::-1], values[-2::-1], strict=True):
        G = r + gamma * G
        out.append(G - v)
    return out[::-1]


# --- the policy gradient -----------------------------------------------------------------------


@answers("policy_gradient")
def of_the_probability(policy, action, advantage, beta):
    one = np.zeros(len(policy))
    one[action] = 1
    H = -np.sum(policy * np.log(policy))
    return advantage * policy[action] * (one - policy) - beta * policy * (np.log(policy) + H)


@answers("policy_gradient")
def of_the_taken_logit(policy, action, advantage, beta):
    out = np.zeros(len(policy))
    H = -np.sum(policy * np.log(policy))
    out[action] = advantage * (1 - policy[action])
    return out - beta * policy * (np.log(policy) + H)


@answers("policy_gradient")
def slope_of_p_log_p(policy, action, advantage, beta):
    one = np.arange(len(policy)) == action
    return advantage * (one - policy) - beta * (np.log(policy) + 1)


@answers("policy_gradient")
def entropy_in_bits(policy, action, advantage, beta):
    one = np.arange(len(policy)) == action
    H = -np.sum(policy * np.log2(policy))
    return advantage * (one - policy) - beta * policy * (np.log2(policy) + H)


@answers("policy_gradient")
def bonus_in_the_advantage(policy, action, advantage, beta):
    one = np.arange(len(policy)) == action
    H = -np.sum(policy * np.log(policy))
    return (advantage + beta * H) * (one - policy)


@answers("policy_gradient")
def entropy_taken_off(policy, action, advantage, beta):
    one = np.arange(len(policy)) == action
    H = -np.sum(policy * np.log(policy))
    return advantage * (one - policy) + beta * policy * (np.log(policy) + H)


@answers("critic_gradient")
def last_visit_wins(states, rewards, V, terminated, gamma):
    out, G = np.zeros(len(V)), (0 if terminated else V[states[-1]])
    for t in range(len(rewards) - 1, -1, -1):
        G = rewards[t] + gamma * G
        out[states[t]] = G - V[states[t]]
    return out


@answers("critic_gradient")
def descends(states, rewards, V, terminated, gamma):
    out, G = np.zeros(len(V)), (0 if terminated else V[states[-1]])
    for t in range(len(rewards) - 1, -1, -1):
        G = rewards[t] + gamma * G
        out[states[t]] -= G - V[states[t]]
    return out


@answers("policy_loss")
def no_entropy_at_all(policy, action, advantage, beta):
    return -np.log(policy[action]) * advantage


# --- workers -----------------------------------------------------------------------------------


@answers("staleness")
def first_push_is_fresh(schedule, num_workers):
    last, out = {}, []
    for i, w in enumerate(schedule):
        out.append(i - last[w] - 1 if w in last else 0)
        last[w] = i
    return out


@answers("staleness")
def counts_itself(schedule, num_workers):
    last, out = [-1] * num_workers, []
    for i, w in enumerate(schedule):
        out.append(i - last[w])
        last[w] = i
    return out


@answers("worker_seeds")
def not_seeded(seed, num_workers):
    rng = np.random.default_rng()
    return [int(rng.integers(2**31)) for _ in range(num_workers)]


@answers("worker_seeds")
def one_after_the_other(seed, num_workers):
    return [seed + i for i in range(num_workers)]


@answers("own_clock")
def everybodys_clock(schedule, num_workers, rate):
    return [rate * (1 - i / len(schedule)) for i in range(len(schedule))]


@answers("clip")
def entry_by_entry(gradient, longest):
    return np.clip(gradient, -longest, longest)


@answers("rmsprop_step")
def two_roots(gradient, square, decay, epsilon):
    square = decay * square + (1 - decay) * gradient**2
    return gradient / (np.sqrt(square) + np.sqrt(epsilon))


# --- measuring ---------------------------------------------------------------------------------


@answers("moving_mean")
def centred(steps, returns, window):
    order = np.argsort(steps, kind="stable")
    r = np.asarray(returns)[order]
    half = window // 2
    return [r[max(0, i - half) : i + half + 1].mean() for i in range(len(r))]


@answers("moving_mean")
def one_more_in_the_window(steps, returns, window):
    order = np.argsort(steps, kind="stable")
    r = np.asarray(returns)[order]
    return [r[max(0, i - window) : i + 1].mean() for i in range(len(r))]


@answers("speed_up")
def ratio_of_pairs(steps_one, steps_team, num_workers):
    return np.mean(steps_one / (steps_team / num_workers))


@answers("effective_number")
def only_once(correlation):
    T = len(correlation) + 1
    return T / (1 + sum((1 - k / T) * correlation[k - 1] for k in range(1, T)))


def test_there_are_27_and_all_are_wrong():
    assert len(WRONG) == 27
    assert [key for key, wrong in WRONG.items() if check(key[0], wrong).startswith("Right")] == []


def test_at_least_25_are_named():
    said = {key: check(key[0], wrong) for key, wrong in WRONG.items()}
    hints = {name: [hint for hint, _ in find(name).mistakes()] for name, _ in WRONG}
    unnamed = {
        key: words
        for key, words in said.items()
        if words not in hints[key[0]] and "two answers" not in words
    }
    assert len(unnamed) <= 2, unnamed
