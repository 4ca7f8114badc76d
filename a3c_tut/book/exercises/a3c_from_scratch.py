"""A3C from scratch in seven functions, on NumPy alone: `run(world, config, schedule, seed)`."""

import math
from types import SimpleNamespace

import numpy as np

row, column = np.divmod(np.arange(48)[:, None], 12)  # of the cells of the cliff-world
down, right = np.array([-1, 0, 1, 0]), np.array([0, 1, 0, -1])  # the actions, clockwise from up
leads = np.clip(row + down, 0, 3) * 12 + np.clip(column + right, 0, 11)
falls = (leads > 36) & (leads < 47)
world = SimpleNamespace(next_state=np.where(falls, 36, leads), terminated=leads == 47, start=36,
                        reward=np.where(falls, -100.0, -1.0), max_episode_steps=200)  # fmt: skip
config = SimpleNamespace(num_workers=3, rollout_length=3, gamma=0.99, entropy_coef=0.01,
                         actor_lr=0.8, critic_lr=0.8, max_grad_norm=0.7)  # fmt: skip

HIGH, LOW = float.fromhex("0x1.62e42feep-1"), float.fromhex("0x1.a39ef35793c76p-33")  # of ln 2
EXP = [1.0 / math.factorial(k) for k in range(2, 14)]
LOG = [2.0 / (2 * k + 1) for k in range(1, 11)] + [0.0, 0.0]


def _series(c, x):  # c[0] + c[1] x + ... + c[11] x^11, in the order in which the package adds
    x2, x4 = x * x, (x * x) * (x * x)
    a, b, d = ((c[k] + x * c[k + 1]) + x2 * (c[k + 2] + x * c[k + 3]) for k in (0, 4, 8))
    return a + x4 * (b + x4 * d)


def exp(x):
    """Return e^x, x <= 0; of + - * / alone, it has the same bits on every machine."""
    k = int(0.5 - max(x, -746.0) * 1.4426950408889634)
    r = (x + k * HIGH) + k * LOW
    return math.ldexp(1.0 + (r + r * r * _series(EXP, r)), -k) if x >= -746.0 else 0.0


def log(x):
    """Return ln x, x >= 1; likewise."""
    e = 0
    while 1.4142135623730951 < x < math.inf:
        x, e = 0.5 * x, e + 1
    s, half = (x - 1.0) / (x + 1.0), 0.5 * (x - 1.0) * (x - 1.0)
    return e * HIGH + (x - 1.0 - (half - (s * (half + s * s * _series(LOG, s * s)) + e * LOW)))


def softmax(logits):
    """Step 1: the probabilities of a row of logits, and their logarithms."""
    shifted = logits - logits.max()
    weights = np.array([exp(x) for x in shifted])
    total = np.cumsum(weights)[-1]
    return weights / total, shifted - log(total)


def act(world, me, n):
    """Step 2: what comes of at most n steps of a worker; it moves on."""
    states, actions, rewards = [me.state], [], []
    for _ in range(n):
        s = me.state
        cumulative = np.cumsum(softmax(me.theta[s])[0])
        a = int((cumulative[:-1] <= me.rng.random()).sum())
        me.state, me.age = int(world.next_state[s, a]), me.age + 1
        actions.append(a)
        rewards.append(world.reward[s, a])
        states.append(me.state)
        if world.terminated[s, a] or me.age == world.max_episode_steps:
            me.state, me.age = world.start, 0
            break
    return states, actions, rewards, world.terminated[s, a]


def judge(states, rewards, terminated, V, gamma):
    """Step 3: the advantage of each step, Equation (1)."""
    ahead, advantages = 0.0 if terminated else V[states[-1]], []
    for r, s in zip(rewards[::-1], states[-2::-1], strict=True):
        ahead = r + gamma * ahead
        advantages.insert(0, ahead - V[s])
    return np.array(advantages)


def differentiate(states, actions, advantages, theta, beta):
    """Step 4: a row (V, logits) per state visited, Equations (2) and (3)."""
    rows = {}
    for s, a, advantage in zip(states, actions, advantages, strict=False):
        pi, log_pi = softmax(theta[s])
        entropy = -np.cumsum(pi * log_pi)[-1]
        row = rows.setdefault(s, np.zeros(1 + len(pi)))
        row[1:] -= pi * advantage + beta * (pi * (log_pi + entropy))
        row[[0, 1 + a]] += advantage
    return rows


def push(theta, V, rows, config):
    """Step 5: the gradient, shortened if it is too long, added in place."""
    norm = np.sqrt(np.cumsum(np.concatenate(list(rows.values())) ** 2)[-1])
    scale = config.max_grad_norm / max(norm, config.max_grad_norm)
    for s, row in rows.items():
        V[s] += config.critic_lr * (scale * row[0])
        theta[s] += config.actor_lr * (scale * row[1:])


def make_workers(world, theta, V, num_workers, seed):
    """Step 6: workers with copies, random numbers and places of their own."""
    seeds = np.random.SeedSequence(seed).spawn(num_workers)
    workers = [SimpleNamespace(theta=theta.copy(), V=V.copy()) for _ in seeds]
    for me, child in zip(workers, seeds, strict=True):
        me.rng = np.random.default_rng(child)
        me.state, me.age = world.start, 0
    return workers


def run(world, config, schedule, seed):
    """Step 7: the shared tables, after the pushes of this schedule."""
    theta, V = np.zeros(world.next_state.shape), np.zeros(len(world.reward))
    workers = make_workers(world, theta, V, config.num_workers, seed)
    n, beta = config.rollout_length, config.entropy_coef
    for me in (workers[w] for w in schedule):
        states, actions, rewards, terminated = act(world, me, n)
        advantages = judge(states, rewards, terminated, me.V, config.gamma)
        rows = differentiate(states, actions, advantages, me.theta, beta)
        push(theta, V, rows, config)
        me.theta, me.V = theta.copy(), V.copy()
    return theta, V
