"""A3C once more, slowly: what `train` has to agree with.

Written from Algorithm S3 of Mnih et al. (2016) and Equations (1) to (3), and from nothing in
`a3c_tut`: whole tables, dense RMSprop, sums instead of recursions, NumPy's own functions. Every
worker acts as soon as it has synced, as a real one would, so that its rollout is under way while
others push. Only the meaning of the random numbers is shared with the package: per worker one
stream, from which a start (if there are several) takes one number, a step one for the action and,
in a world with more than one outcome, one for the outcome.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from a3c_tut import A3CConfig, TableWorld


class Episode(NamedTuple):
    worker: int
    total_return: float
    length: int
    step: int
    truncated: bool


class Update(NamedTuple):
    worker: int
    step: int
    staleness: int
    grad_norm: float
    entropy: float
    learning_rate: float


def pick(probabilities: np.ndarray, uniform: float) -> int:
    """The index that a number from [0, 1) picks: the inverse of the distribution function."""
    return int(np.searchsorted(np.cumsum(probabilities), uniform, side="right"))


class Environment:
    """A world that is stepped like any environment; it counts its own episodes."""

    def __init__(self, world: TableWorld, limit: int, uniforms: Iterator[float]):
        self.world, self.limit, self.uniforms = world, limit, uniforms

    def reset(self) -> int:
        starts = np.flatnonzero(self.world.start)
        self.time, self.total = 0, 0.0
        if len(starts) == 1:
            self.state = int(starts[0])
        else:
            self.state = int(starts[pick(self.world.start[starts], next(self.uniforms))])
        return self.state

    def step(self, action: int) -> tuple[int, float, bool, bool]:
        row = self.world.probability[self.state, action]
        outcome = pick(row, next(self.uniforms)) if len(row) > 1 else 0
        where = (self.state, action, outcome)
        reward = float(self.world.reward[where])
        terminated = bool(self.world.terminated[where])
        self.state = int(self.world.next_state[where])
        self.time += 1
        self.total += reward
        return self.state, reward, terminated, self.time >= self.limit and not terminated


@dataclass
class Rollout:
    states: list[int]
    actions: list[int] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)
    terminated: bool = False
    finished: tuple[float, int, bool] | None = None  # total return, length, truncated


@dataclass
class Worker:
    environment: Environment
    theta: np.ndarray
    V: np.ndarray
    state: int | None = None
    own_steps: int = 0
    own_pushes: int = 0
    synced_at: int = 0
    rollout: Rollout | None = None
    actions: list[int] = field(default_factory=list)  # of the rollouts that were pushed


class Run(NamedTuple):
    theta: np.ndarray
    V: np.ndarray  # in learning units
    square_theta: list[np.ndarray]  # dense statistics, per owner
    square_V: list[np.ndarray]
    episodes: list[Episode]
    updates: list[Update]
    workers: list[Worker]


def softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - np.max(logits))
    return weights / np.sum(weights)


def entropy_of(probabilities: np.ndarray) -> float:
    return float(-sum(p * np.log(p) for p in probabilities if p > 0))


def act(worker: Worker, n: int) -> Rollout:
    """Follow the worker's own policy for n steps, or until the episode ends."""
    environment = worker.environment
    if worker.state is None:
        worker.state = environment.reset()
    rollout = Rollout([worker.state])
    while len(rollout.actions) < n and rollout.finished is None:
        action = pick(softmax(worker.theta[worker.state]), next(environment.uniforms))
        worker.state, reward, terminated, truncated = environment.step(action)
        rollout.actions.append(action)
        rollout.rewards.append(reward)
        rollout.states.append(worker.state)
        rollout.terminated = terminated
        if terminated or truncated:
            rollout.finished = (environment.total, environment.time, truncated)
    if rollout.finished is not None:
        worker.state = None
    return rollout


def advantages_of(
    states: list[int],
    rewards: list[float],
    terminated: bool,
    V: np.ndarray,
    gamma: float,
    window: int | None,
) -> list[float]:
    """Equation (1), summed as it is written."""
    T = len(rewards)
    result = []
    for t in range(T):
        h = T - t if window is None else min(window, T - t)
        tail = 0.0 if terminated and t + h == T else V[states[t + h]]
        total = sum(gamma**k * rewards[t + k] for k in range(h))
        result.append(total + gamma**h * tail - V[states[t]])
    return result


def gradients_of(
    states: list[int], actions: list[int], advantages: list[float], theta: np.ndarray, beta: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Equations (2) and (3) as whole tables, both to be added, and the mean entropy."""
    grad_theta, grad_V = np.zeros_like(theta), np.zeros(len(theta))
    entropies = []
    for s, a, advantage in zip(states, actions, advantages, strict=False):
        p = softmax(theta[s])
        log_p = np.array([np.log(x) if x > 0 else 0.0 for x in p])
        entropies.append(entropy_of(p))
        grad_theta[s] += (np.eye(len(p))[a] - p) * advantage
        grad_theta[s] += beta * -p * (log_p + entropies[-1])
        grad_V[s] += advantage
    return grad_theta, grad_V, float(np.mean(entropies))


def random_order(seed: int, num_workers: int, weights: Iterable[float]) -> Iterator[int]:
    """Worker ids drawn from the seed's child number N."""
    child = np.random.SeedSequence(seed).spawn(num_workers + 1)[num_workers]
    generator = np.random.Generator(np.random.PCG64(child))
    shares = np.array([*weights]) / sum(weights)
    while True:
        yield pick(shares, generator.random())


def uniforms_of(seed: np.random.SeedSequence) -> Iterator[float]:
    generator = np.random.Generator(np.random.PCG64(seed))
    while True:
        yield generator.random()


def a3c(
    world: TableWorld,
    config: A3CConfig,
    total_steps: int,
    seed: int | list[int],
    schedule: Iterable[int] | None = None,
    ends_with_schedule: bool = False,
    initial_theta: np.ndarray | None = None,
    initial_values: np.ndarray | None = None,
) -> Run:
    """Run the whole algorithm; see the top of this file."""
    S, A, N = world.num_states, world.num_actions, config.num_workers
    scale = config.reward_scale
    theta = np.zeros((S, A)) if initial_theta is None else initial_theta.copy()
    V = np.zeros(S) if initial_values is None else initial_values * scale
    owners = 1 if config.shared_statistics else N
    square_theta = [np.zeros((S, A)) for _ in range(owners)]
    square_V = [np.zeros(S) for _ in range(owners)]
    seeds = (
        np.random.SeedSequence(seed).spawn(N)
        if isinstance(seed, int)
        else [np.random.SeedSequence(s) for s in seed]
    )
    limit = config.max_episode_steps or world.max_episode_steps
    workers = [
        Worker(Environment(world, limit, uniforms_of(child)), theta.copy(), V.copy())
        for child in seeds
    ]
    lengths, betas = config.per_worker("rollout_length"), config.per_worker("entropy_coef")
    episodes: list[Episode] = []
    updates: list[Update] = []
    steps = 0
    for w, n in enumerate(lengths):
        workers[w].rollout = act(workers[w], n)

    for w in itertools.cycle(range(N)) if schedule is None else schedule:
        if steps >= total_steps and not ends_with_schedule:
            break
        me = workers[w]
        rollout = me.rollout
        assert rollout is not None
        T = len(rollout.actions)
        advantages = advantages_of(
            rollout.states,
            [scale * r for r in rollout.rewards],
            rollout.terminated,
            V if config.critic == "global" else me.V,
            config.gamma,
            config.window,
        )
        grad_theta, grad_V, entropy = gradients_of(
            rollout.states, rollout.actions, advantages, me.theta, betas[w]
        )
        norm = float(np.sqrt(np.sum(grad_theta**2) + np.sum(grad_V**2)))
        if config.max_grad_norm is not None and norm > config.max_grad_norm:
            grad_theta *= config.max_grad_norm / norm
            grad_V *= config.max_grad_norm / norm

        if isinstance(config.lr_anneal, tuple):
            share = np.interp(steps / total_steps, *zip(*config.lr_anneal, strict=True))
        else:
            share = {
                None: 1.0,
                "global": 1 - steps / total_steps,
                "per_worker": 1 - me.own_steps * N / total_steps,
            }[config.lr_anneal]
        actor_lr, critic_lr = config.actor_lr * max(0, share), config.critic_lr * max(0, share)
        if config.optimizer == "sgd":
            theta += actor_lr * grad_theta
            V += critic_lr * grad_V
        else:
            owner = 0 if config.shared_statistics else w
            for table, square, gradient, rate in (
                (theta, square_theta[owner], grad_theta, actor_lr),
                (V, square_V[owner], grad_V, critic_lr),
            ):
                square *= config.rmsprop_decay
                square += (1 - config.rmsprop_decay) * gradient**2
                table += rate * gradient / np.sqrt(square + config.rmsprop_epsilon)

        staleness = len(updates) - me.synced_at
        steps += T
        updates.append(Update(w, steps, staleness, norm, entropy, actor_lr))
        if rollout.finished is not None:
            total, length, truncated = rollout.finished
            episodes.append(Episode(w, total, length, steps, truncated))
        me.actions += rollout.actions
        me.own_steps += T
        me.own_pushes += 1
        if me.own_pushes % config.sync_every == 0:
            me.theta, me.V, me.synced_at = theta.copy(), V.copy(), len(updates)
        me.rollout = act(me, lengths[w])

    return Run(theta, V, square_theta, square_V, episodes, updates, workers)
