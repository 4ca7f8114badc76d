"""A3C from scratch in seven functions, on NumPy alone: `run(world, config, schedule, seed)`."""

import math
from types import SimpleNamespace

import numpy as np

# The cliff-world, as tables (states, actions): where a step leads, what it pays, what it ends.
row, column = np.divmod(np.arange(48)[:, None], 12)
down, right = np.array([-1, 0, 1, 0]), np.array([0, 1, 0, -1])  # the actions, clockwise from up
leads = np.clip(row + down, 0, 3) * 12 + np.clip(column + right, 0, 11)
falls = (leads > 36) & (leads < 47)
world = SimpleNamespace(next_state=np.where(falls, 36, leads), terminated=leads == 47, start=36,
                        reward=np.where(falls, -100.0, -1.0), max_episode_steps=200)  # fmt: skip
config = SimpleNamespace(num_workers=3, rollout_length=3, gamma=0.99, entropy_coef=0.01,
                         actor_lr=0.8, critic_lr=0.8, max_grad_norm=0.7)  # fmt: skip

# exp and log of + - * / alone: a maths library's have other last bits on other machines.
LN2_HIGH, LN2_LOW = float.fromhex("0x1.62e42feep-1"), float.fromhex("0x1.a39ef35793c76p-33")
OF_EXP = [1.0 / math.factorial(k) for k in range(2, 14)]
OF_LOG = [2.0 / (2 * k + 1) for k in range(1, 11)] + [0.0, 0.0]


def series(c, x):
    """Return c[0] + c[1] x + ... + c[11] x^11, in the order that the package adds in."""
    x2, x4 = x * x, (x * x) * (x * x)
    a, b, d = ((c[k] + x * c[k + 1]) + x2 * (c[k + 2] + x * c[k + 3]) for k in (0, 4, 8))
    return a + x4 * (b + x4 * d)


def exp(x):
    """Return e^x, x <= 0."""
    k = int(0.5 - max(x, -746.0) * 1.4426950408889634)
    r = (x + k * LN2_HIGH) + k * LN2_LOW
    return math.ldexp(1.0 + (r + r * r * series(OF_EXP, r)), -k) if x >= -746.0 else 0.0


def log(x):
    """Return ln x, x >= 1."""
    e = 0
    while x > 1.4142135623730951:
        x, e = 0.5 * x, e + 1
    f = x - 1.0
    s, half = f / (2.0 + f), 0.5 * f * f
    return e * LN2_HIGH + (f - (half - (s * (half + s * s * series(OF_LOG, s * s)) + e * LN2_LOW)))


def softmax(logits):
    """Step 1: return the probabilities of a row of logits, and their logarithms."""
    shifted = logits - logits.max()
    weights = np.array([exp(x) for x in shifted])
    total = np.cumsum(weights)[-1]
    return weights / total, shifted - log(total)


def act(world, me, n):
    """Step 2: let a worker take at most n steps; it stands where they end, or at a new start."""
    states, actions, rewards, terminated, over = [me.state], [], [], False, False
    while len(actions) < n and not over:
        s = states[-1]
        cumulative = np.cumsum(softmax(me.theta[s])[0])
        a = int((cumulative[:-1] <= me.rng.random()).sum())
        actions.append(a)
        rewards.append(world.reward[s, a])
        states.append(world.next_state[s, a])
        terminated, me.age = world.terminated[s, a], me.age + 1
        over = terminated or me.age == world.max_episode_steps
    me.state, me.age = (world.start, 0) if over else (states[-1], me.age)
    return states, actions, rewards, terminated


def judge(states, rewards, terminated, V, gamma):
    """Step 3: return the advantage of each step, Equation (1)."""
    ahead, advantages = 0.0 if terminated else V[states[-1]], np.zeros(len(rewards))
    for t in reversed(range(len(rewards))):
        ahead = rewards[t] + gamma * ahead
        advantages[t] = ahead - V[states[t]]
    return advantages


def differentiate(states, actions, advantages, theta, beta):
    """Step 4: return a row (V, logits) for each state visited, Equations (2) and (3)."""
    rows = {}
    for s, a, advantage in zip(states, actions, advantages, strict=False):
        policy, log_policy = softmax(theta[s])
        entropy = -np.cumsum(policy * log_policy)[-1]
        row = rows.setdefault(s, np.zeros(1 + len(policy)))
        row[1:] -= policy * advantage + beta * (policy * (log_policy + entropy))
        row[[0, 1 + a]] += advantage
    return rows


def push(theta, V, rows, config):
    """Step 5: shorten the gradient if it is too long, and add it, in place."""
    norm = np.sqrt(np.cumsum(np.concatenate(list(rows.values())) ** 2)[-1])
    scale = config.max_grad_norm / max(norm, config.max_grad_norm)
    for s, row in rows.items():
        V[s] += config.critic_lr * (scale * row[0])
        theta[s] += config.actor_lr * (scale * row[1:])


def make_workers(world, theta, V, num_workers, seed):
    """Step 6: return workers, each with copies, random numbers and a place of its own."""
    return [
        SimpleNamespace(theta=theta.copy(), V=V.copy(), rng=rng, state=world.start, age=0)
        for rng in map(np.random.default_rng, np.random.SeedSequence(seed).spawn(num_workers))
    ]


def run(world, config, schedule, seed):
    """Step 7: let the workers push in the order of the schedule; return the shared tables."""
    theta, V = np.zeros(world.next_state.shape), np.zeros(len(world.next_state))
    workers = make_workers(world, theta, V, config.num_workers, seed)
    for me in (workers[w] for w in schedule):
        states, actions, rewards, terminated = act(world, me, config.rollout_length)
        advantages = judge(states, rewards, terminated, me.V, config.gamma)
        rows = differentiate(states, actions, advantages, me.theta, config.entropy_coef)
        push(theta, V, rows, config)
        me.theta, me.V = theta.copy(), V.copy()
    return theta, V
