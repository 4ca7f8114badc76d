"""Evidence of Section 3.3: is the gradient the right one, and what does a picture take to learn?

*Protocol of the picture.* The cliff-world, a pixel a cell, 100,000 steps, two workers in turn, the
settings that `network_config` has for pictures, and the same with one of them put back to what the
others have. Those settings were found by a random search over 26 combinations on seeds 0–4; seeds
here: 30,000–30,009. Measure: the return of the greedy path, −13 at best; a path that does not reach
the goal returns −200 or less. A setting is *needed* if without it at most half of the runs reach
the goal.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from a3c_tut import A3CConfig, DivergenceError, cliff_world, train
from a3c_tut.book.evidence.common import Floats, settling_seeds
from a3c_tut.book.evidence.kept import kept
from a3c_tut.book.places import in_data
from a3c_tut.control import ControlWorld, as_image
from a3c_tut.engine import network
from a3c_tut.experiments import evaluate, finite_differences
from a3c_tut.networks import MLP, Convolutional, layout, network_config

_BETA, _WEIGHT, _LENGTH = 0.3, 0.7, 4


class Checked(NamedTuple):
    """What a comparison of gradients came to.

    Examples
    --------
    >>> Checked(2.0, 1e-10).largest
    2.0
    """

    largest: float  # of all partial derivatives
    error: float  # the largest difference, over that


def gradient_check(world: ControlWorld, model: MLP, seed: int = 0) -> Checked:
    """Compare a rollout's gradient with two-sided differences of its objective.

    Observations, parameters and advantages are drawn at random; advantages and targets are
    constants, as in Equations (2) and (3).

    Parameters
    ----------
    world : ControlWorld
        With actions to choose from.
    model : MLP
    seed : int from 0

    Examples
    --------
    >>> from a3c_tut.control import cart_pole
    >>> gradient_check(cart_pole(), MLP(hidden=(3,))).error < 1e-8
    True
    """
    where, rng = layout(model, world), np.random.default_rng(seed)
    parameters = rng.normal(0.0, 0.5, where.num_parameters)
    rollout = network.make_network_rollout(_LENGTH, where)
    rollout.observations[:] = rng.normal(size=rollout.observations.shape)
    for t in range(_LENGTH):
        network.forward(parameters, where, rollout, t)
        network.act(parameters, where, False, 1.0, rollout, t, rng.random(1), 0)
    rollout.advantages[:] = rng.normal(size=_LENGTH)
    targets = rollout.values[:_LENGTH] + rollout.advantages
    gradient = np.zeros(where.num_parameters)
    network.accumulate_network_gradient(
        parameters, where, False, rollout, _LENGTH, _BETA, _WEIGHT, network.make_backward(where),
        gradient,
    )  # fmt: skip
    other = network.make_network_rollout(_LENGTH, where)
    other.observations[:], other.actions[:] = rollout.observations, rollout.actions

    def objective(moved: NDArray[np.float64]) -> float:
        total = 0.0
        for t in range(_LENGTH):
            network.forward(moved, where, other, t)
            network.act(moved, where, False, 1.0, other, t, np.zeros(1), 0)
            log_pi = other.log_policies[t]
            bonus = -_BETA * float(np.sum(other.policies[t] * log_pi))
            loss = 0.5 * (targets[t] - other.values[t]) ** 2
            total += rollout.advantages[t] * log_pi[rollout.actions[t]] + bonus - _WEIGHT * loss
        return float(total)

    errors = np.abs(finite_differences(objective, parameters) - gradient)
    largest = float(np.abs(gradient).max())
    return Checked(largest, float(errors.max()) / largest)


def judged() -> dict[str, dict[str, Any]]:
    """Return how the networks' defaults did on seeds that had no part in their choice.

    Returns
    -------
    mapping of a world's name to "met" and "of" (seeds), "median" and "worst" (returns)
        As `benchmarks/network_defaults.py` found it.

    Examples
    --------
    >>> sorted(judged()["CartPole-v1"])
    ['median', 'met', 'of', 'worst']
    """
    record = json.loads(in_data("record-networks.json").read_text(encoding="utf-8"))
    found: dict[str, dict[str, Any]] = record["judged"]
    return found


#: What is put back, each by itself.
#:
#: :meta hide-value:
PUT_BACK: dict[str, dict[str, Any]] = {
    "all settings for pictures": {},
    "the settings of the cart-pole": {
        "reward_scale": 1.0,
        "entropy_coef": 0.001,
        "actor_lr": 0.002,
        "critic_lr": 0.001,
        "gamma": 0.98,
        "gae_lambda": 0.9,
        "max_grad_norm": 40.0,
    },
    "rewards not scaled": {"reward_scale": 1.0},
    "a bonus of 0.001": {"entropy_coef": 0.001},
    "half the step sizes": {"actor_lr": 0.002, "critic_lr": 0.001},
}
_PICTURE_STEPS = 100_000
_PICTURE_SEEDS = settling_seeds(10, first=30_000)


def greedy_return(config: A3CConfig, seed: int) -> float:
    """Return what the greedy path returns on the cliff-world as a picture, after learning it.

    Parameters
    ----------
    config : A3CConfig
    seed : int from 0

    Examples
    --------
    With one step instead of a hundred thousand, it walks on the spot or falls:

    >>> from unittest.mock import patch
    >>> with patch(f"{__name__}._PICTURE_STEPS", 1):
    ...     greedy_return(network_config(as_image(cliff_world())), seed=0) <= -200.0
    True
    """
    world = as_image(cliff_world())
    try:
        run = train(world, config, model=Convolutional(), total_steps=_PICTURE_STEPS, seed=seed)
    except DivergenceError:
        return float("-inf")
    return float(evaluate(run, episodes=1, greedy=True)[0])


def picture_returns(name: str) -> Floats:
    """Return what the greedy paths return with settings of which one is put back; kept.

    Parameters
    ----------
    name : one of `PUT_BACK`

    Returns
    -------
    (seeds,) floats

    Examples
    --------
    >>> from unittest.mock import patch
    >>> with patch(f"{__name__}.kept", lambda page, name, one, seeds, asked, again: len(seeds)):
    ...     picture_returns("rewards not scaled")
    10
    """
    config = network_config(as_image(cliff_world()), **PUT_BACK[name])
    asked = {"what": greedy_return, "config": config, "total_steps": _PICTURE_STEPS}
    return kept("control", f"picture: {name}", lambda seed: greedy_return(config, seed),
                _PICTURE_SEEDS, asked, again=1)  # fmt: skip
