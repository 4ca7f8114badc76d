"""A3C in plain Python, of parts that can be exchanged: what the silent bugs of the book break.

Slow, and equal to the engine: `tests/book/test_exercises.py` compares the two.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from a3c_tut import A3CConfig, TableWorld
from a3c_tut.engine.portable import exp, log
from a3c_tut.engine.streams import worker_seeds

Floats = NDArray[np.float64]


def streams(seed: int, num_workers: int) -> list[np.random.Generator]:
    """Return a random stream of its own for each worker (Section 1).

    Parameters
    ----------
    seed, num_workers : int

    Examples
    --------
    >>> one, other = streams(0, 2)
    >>> one.random() == other.random()
    False
    """
    return [np.random.default_rng(child) for child in worker_seeds(seed, num_workers)]


def keep(reward: float, terminated: bool) -> float:
    """Return the reward that the rollout keeps of a step: all of it, the last one too.

    Parameters
    ----------
    reward : float
    terminated : bool, whether the episode ended with this step

    Examples
    --------
    >>> keep(1.0, True)
    1.0
    """
    return reward


def bootstrap(value: float, terminated: bool, truncated: bool) -> float:
    """Return what follows the last state of a rollout: Equation (1)'s V, 0 behind a terminal state.

    Parameters
    ----------
    value : float, the critic's for the last state
    terminated, truncated : bool, whether and how the episode ended there

    Examples
    --------
    >>> bootstrap(-5.0, True, False), bootstrap(-5.0, False, True)
    (0.0, -5.0)
    """
    return 0.0 if terminated else value


def policy_gradient(policy: Floats, action: int, advantage: float, beta: float) -> Floats:
    """Return one step of Equation (2) with respect to the logits, in the direction of ascent.

    Parameters
    ----------
    policy : (A,) probabilities
    action : int
    advantage, beta : float

    Examples
    --------
    >>> policy_gradient(np.array([0.5, 0.5]), 0, 2.0, 0.1).tolist()
    [1.0, -1.0]
    """
    # The engine's logarithm, of 1 or more, has the same bits everywhere. 0 log 0 is 0.
    log_policy = -np.array([log(1.0 / p) for p in np.maximum(policy, np.finfo(float).tiny)])
    chosen = np.eye(len(policy))[action] - policy
    return advantage * chosen - beta * policy * (log_policy - (policy * log_policy).sum())


def hand_over(kept: Floats, gradient: Floats) -> Floats:
    """Return what a worker pushes, given what it kept from its last push: this gradient.

    Parameters
    ----------
    kept, gradient : (S, A) or (S,) floats

    Examples
    --------
    >>> hand_over(np.array([1.0]), np.array([3.0]))
    array([3.])
    """
    return gradient


def scaled(gradient: Floats, square: Floats, epsilon: float) -> Floats:
    """Return RMSprop's step before the learning rate: ε inside the root, as in the paper.

    Parameters
    ----------
    gradient, square : (S, A) or (S,) floats, the gradient and the running mean of its square
    epsilon : float

    Examples
    --------
    >>> scaled(np.array([3.0]), np.array([9.0]), 7.0)
    array([0.75])
    """
    return gradient / np.sqrt(square + epsilon)


def learning_rate(rate: float, steps: int, total_steps: int) -> float:
    """Return the learning rate after so many steps: it stays as it is.

    Parameters
    ----------
    rate : float, the one at first
    steps, total_steps : int, environment steps of all workers, so far and at the end

    Examples
    --------
    >>> learning_rate(0.1, 500, 1_000)
    0.1
    """
    return rate


def goes_on(length: int, n: int, terminated: bool, truncated: bool) -> bool:
    """Return whether a rollout of so many steps goes on: not past n, nor past its episode's end.

    Parameters
    ----------
    length, n : int, steps taken and steps at the most
    terminated, truncated : bool, whether and how the episode ended with the last one

    Examples
    --------
    >>> goes_on(4, 5, False, False), goes_on(4, 5, False, True), goes_on(5, 5, False, False)
    (True, False, False)
    """
    return length < n and not terminated and not truncated


class Parts(NamedTuple):
    """The parts of the algorithm, as they should be; an exercise exchanges one of them.

    Examples
    --------
    >>> Parts()._replace(keep=lambda reward, terminated: 0.0 if terminated else reward) == Parts()
    False
    """

    streams: Callable[..., list[np.random.Generator]] = streams
    keep: Callable[..., float] = keep
    bootstrap: Callable[..., float] = bootstrap
    policy_gradient: Callable[..., ArrayLike] = policy_gradient
    hand_over: Callable[..., Any] = hand_over
    scaled: Callable[..., Any] = scaled
    learning_rate: Callable[..., float] = learning_rate
    goes_on: Callable[..., bool] = goes_on


class Learned(NamedTuple):
    """What came of a run.

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> learned = learn(cliff_world(), A3CConfig(), total_steps=100)
    >>> learned.theta.shape, len(learned.steps) == len(learned.returns)
    ((48, 4), True)
    """

    theta: Floats  # (S, A) logits
    V: Floats  # (S,), in the learner's units
    steps: NDArray[np.int64]  # (E,) steps of all workers when each episode had ended
    returns: Floats  # (E,), in the world's units
    values: Floats  # (U,) V of the first start state after each update, in the learner's units


class _Worker:
    def __init__(self, theta: Floats, V: Floats, stream: np.random.Generator):
        self.theta, self.V, self.stream = theta.copy(), V.copy(), stream
        self.state, self.episode_steps, self.total = 0, 0, 0.0
        self.kept: list[Any] = [np.zeros_like(theta), np.zeros_like(V)]


def learn(
    world: TableWorld,
    config: A3CConfig,
    total_steps: int,
    seed: int = 0,
    parts: Parts | None = None,
) -> Learned:
    """Run A3C, round robin, with parts that may be wrong (Sections 2.1 to 2.3).

    Parameters
    ----------
    world : TableWorld
    config : A3CConfig
        Used are: num_workers, rollout_length, gamma, entropy_coef, the learning rates, optimizer
        (shared statistics), max_grad_norm, reward_scale and max_episode_steps.
    total_steps : int
        Environment steps of all workers together; the turn that reaches them is the last.
    seed : int from 0
    parts : Parts, optional
        Default: all as they should be.

    Returns
    -------
    Learned

    Examples
    --------
    >>> from a3c_tut import cliff_world, train
    >>> ours = learn(cliff_world(), A3CConfig(), total_steps=300)
    >>> bool(np.allclose(ours.theta, train(cliff_world(), total_steps=300).theta))
    True
    """
    parts = parts or Parts()
    theta, V = np.zeros((world.num_states, world.num_actions)), np.zeros(world.num_states)
    squares = [np.zeros_like(theta), np.zeros_like(V)]
    num_workers, decay = config.num_workers, config.rmsprop_decay
    workers = [_Worker(theta, V, s) for s in parts.streams(seed, num_workers)]
    lengths, betas = config.per_worker("rollout_length"), config.per_worker("entropy_coef")
    limit = config.max_episode_steps or world.max_episode_steps
    first = int(np.flatnonzero(world.start)[0])
    steps, turn, episodes, values = 0, 0, [], []

    while steps < total_steps:
        me, worker = workers[turn % num_workers], turn % num_workers
        gradient = [np.zeros_like(theta), np.zeros_like(V)]
        trail: list[tuple[int, int, Floats, float]] = []
        terminated = truncated = False
        while parts.goes_on(len(trail), lengths[worker], terminated, truncated):
            if me.episode_steps == 0:
                me.state, me.total = _start(world, me.stream), 0.0
            policy = _softmax(me.theta[me.state])
            action = _pick(policy, me.stream)
            after, reward, terminated = _step(world, me.state, action, me.stream)
            me.episode_steps += 1
            truncated = not terminated and me.episode_steps >= limit
            me.total += reward
            kept = parts.keep(reward * config.reward_scale, terminated)
            trail.append((me.state, action, policy, kept))
            me.state = after
            if terminated or truncated:
                me.episode_steps = 0
                episodes.append((steps + len(trail), me.total))
        total = parts.bootstrap(me.V[me.state], terminated, truncated)
        for state, action, policy, reward in reversed(trail):
            total = reward + config.gamma * total
            advantage = total - me.V[state]
            gradient[0][state] += parts.policy_gradient(policy, action, advantage, betas[worker])
            gradient[1][state] += advantage
        norm = np.sqrt(sum((part**2).sum() for part in gradient))
        clip = min(1.0, (config.max_grad_norm or np.inf) / norm) if norm > 0.0 else 1.0
        me.kept = [
            parts.hand_over(kept, clip * part) for kept, part in zip(me.kept, gradient, strict=True)
        ]
        rates = (config.actor_lr, config.critic_lr)
        for table, square, part, rate in zip((theta, V), squares, me.kept, rates, strict=True):
            if config.optimizer == "rmsprop":
                square *= decay
                square += (1.0 - decay) * part**2
                part = parts.scaled(part, square, config.rmsprop_epsilon)
            table += parts.learning_rate(rate, steps, total_steps) * part
        me.theta, me.V = theta.copy(), V.copy()
        steps, turn = steps + len(trail), turn + 1
        values.append(V[first])
    ended = np.array(episodes, dtype=float).reshape(-1, 2)
    return Learned(theta, V, ended[:, 0].astype(np.int64), ended[:, 1], np.array(values))


def recent_returns(learned: Learned, at: ArrayLike, window: int = 50) -> Floats:
    """Return the mean return of the last `window` episodes, or of as many as have ended.

    Parameters
    ----------
    learned : Learned
    at : (P,) environment steps of all workers
    window : int from 1

    Returns
    -------
    (P,) floats
        In the world's units.

    Raises
    ------
    ValueError
        Where no episode has ended yet.

    Examples
    --------
    >>> run = Learned(np.zeros((1, 1)), np.zeros(1), np.array([10, 20]), np.array([-9.0, -7.0]),
    ...               np.zeros(1))
    >>> recent_returns(run, [10, 30])
    array([-9., -8.])
    """
    ended = np.searchsorted(learned.steps, np.asarray(at), side="right")
    if (ended == 0).any():
        raise ValueError(f"no episode has ended by step {np.asarray(at)[ended == 0].max()}")
    return np.array([learned.returns[max(0, k - window) : k].mean() for k in ended])


def returns_at(
    at: ArrayLike, world: TableWorld, config: A3CConfig, parts: Parts, *,
    seeds: int = 8, window: int = 50,
) -> Floats:  # fmt: skip
    """Return the `recent_returns` of a run for each of some seeds.

    Parameters
    ----------
    at : (P,) environment steps of all workers; the last one ends the run
    world, config, parts : as in `learn`
    seeds : int from 1
        The seeds are 0, 1, …
    window : int from 1

    Returns
    -------
    (seeds, P) floats
        In the world's units.

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> returns_at([2_000, 2_500], cliff_world(), A3CConfig(), Parts(), seeds=2).shape
    (2, 2)
    """
    runs = (learn(world, config, int(np.asarray(at)[-1]), seed, parts) for seed in range(seeds))
    return np.array([recent_returns(run, at, window) for run in runs])


def _softmax(logits: Floats) -> Floats:
    weights = np.array([exp(difference) for difference in logits - logits.max()])
    return weights / weights.sum()


def _pick(weights: Floats, stream: np.random.Generator) -> int:
    chosen = int(np.searchsorted(np.cumsum(weights), stream.random(), "right"))
    return min(chosen, len(weights) - 1)


def _start(world: TableWorld, stream: np.random.Generator) -> int:
    places = np.flatnonzero(world.start)
    return int(places[_pick(world.start[places], stream)] if len(places) > 1 else places[0])


def _step(
    world: TableWorld, state: int, action: int, stream: np.random.Generator
) -> tuple[int, float, bool]:
    chances = world.probability[state, action]
    k = _pick(chances, stream) if len(chances) > 1 else 0
    return (
        int(world.next_state[state, action, k]),
        float(world.reward[state, action, k]),
        bool(world.terminated[state, action, k]),
    )
