"""Checks for the book's exercises: they say what is wrong, not only that something is.

Each takes the reader's function and returns one sentence.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from a3c_tut.experiments import finite_differences

Floats = NDArray[np.float64]

_REWARDS = np.array([-1.0, 2.0, -3.0, 5.0])
_VALUES = np.array([0.5, -1.5, 4.0, -2.5, 7.0])
_GAMMA = 0.9
_ONE_STEP = (
    "Each step bootstraps from the very next state: that is n = 1, not the rest of the rollout."
)


def check_advantages(function: Callable[..., ArrayLike]) -> str:
    """Say whether a function computes Equation (1), or which mistake it makes (Section 4).

    Parameters
    ----------
    function : callable
        `function(rewards, values, terminated, gamma)` for a rollout of T steps: T rewards, the
        values of the T + 1 states, whether s_T is terminal, and γ; returns T advantages, each
        looking ahead to the end of the rollout.

    Returns
    -------
    str
        A sentence that begins with "Right" or with what to look at.

    Examples
    --------
    >>> def one_step(rewards, values, terminated, gamma):
    ...     return rewards + gamma * values[1:] - values[:-1]
    >>> check_advantages(one_step)
    'Each step bootstraps from the very next state: that is n = 1, not the rest of the rollout.'
    """
    given = [
        np.asarray(function(_REWARDS.copy(), _VALUES.copy(), terminated, _GAMMA), dtype=float)
        for terminated in (False, True)
    ]
    if any(answer.shape != _REWARDS.shape for answer in given):
        return f"The answer has shape {given[0].shape}; there is one advantage per step: (T,)."
    right = [_advantages(_VALUES, terminated, _GAMMA) for terminated in (False, True)]
    if _same(given, right):
        return "Right: every step looks ahead to the end, and nothing follows a terminal state."
    now, ahead = _VALUES[:-1], _GAMMA * _VALUES[1:]
    one_step, not_after_the_end = _REWARDS + ahead - now, np.array([1.0, 1.0, 1.0, 0.0])
    undiscounted = [_advantages(_VALUES, terminated, 1.0) for terminated in (False, True)]
    for answers, sentence in (
        ([advantages + now for advantages in right],
         "The advantage lacks − V(s_t): this is the return, not how much better it was."),
        ([right[0], right[0]],
         "After a terminal state V(s_T) is still added; nothing follows it, its value is 0."),
        ([right[1], right[1]],
         "V(s_T) is never added: a rollout that only ran out of steps goes on behind s_T."),
        ([one_step, one_step], _ONE_STEP),
        ([one_step, _REWARDS + ahead * not_after_the_end - now], _ONE_STEP),
        (undiscounted, "The rewards or V(s_T) are not discounted."),
    ):  # fmt: skip
        if _same(given, answers):
            return sentence
    step = int(np.argmax(np.abs(given[0] - right[0]) > 1e-9))
    return (
        f"At step {step} of 4 the advantage should be {right[0][step]:.4f} and is "
        f"{given[0][step]:.4f}."
    )


def check_policy_gradient(function: Callable[..., ArrayLike]) -> str:
    """Say whether a function computes one step of Equation (2), or which mistake it makes.

    Parameters
    ----------
    function : callable
        `function(policy, action, advantage, beta)` with the (A,) probabilities of a softmax;
        returns the (A,) derivatives with respect to the logits, in the direction of ascent.

    Returns
    -------
    str
        A sentence that begins with "Right" or with what to look at.

    Examples
    --------
    >>> def without_entropy(policy, action, advantage, beta):
    ...     return advantage * (np.eye(len(policy))[action] - policy)
    >>> check_policy_gradient(without_entropy)
    'The first term is right; the entropy term is missing.'
    """
    logits = np.array([0.3, -1.2, 0.8, 0.0])
    action, advantage, beta = 2, -1.7, 0.4

    def softmax(table: Floats) -> Floats:
        weight = np.exp(table)
        return np.asarray(weight / weight.sum())

    def slope(f: Callable[[Floats], Any]) -> Floats:
        return finite_differences(lambda table: float(f(softmax(table))), logits)

    chosen = advantage * slope(lambda p: np.log(p[action]))
    bonus = beta * slope(lambda p: -(p * np.log(p)).sum())
    policy = softmax(logits)
    given = np.asarray(function(policy.copy(), action, advantage, beta), dtype=float)
    if given.shape != logits.shape:
        return f"The answer has shape {given.shape}; there is one derivative per logit: (A,)."
    for answer, sentence in (
        (chosen + bonus, "Right: both terms agree with finite differences."),
        (chosen - bonus, "The entropy term has the wrong sign: it rewards being sure."),
        (chosen, "The first term is right; the entropy term is missing."),
        (chosen + bonus / beta, "The entropy term lacks its weight β."),
        (-chosen - bonus, "Both signs are wrong: this descends."),
        (-chosen + bonus, "The first term has the wrong sign: good actions become rarer."),
        (advantage * np.eye(4)[action] + bonus,
         "The first term lacks − π(b): raising one logit lowers the other probabilities."),
    ):  # fmt: skip
        if np.allclose(given, answer, atol=1e-6):
            return sentence
    worst = int(np.abs(given - chosen - bonus).argmax())
    return (
        f"For logit {worst} finite differences give {(chosen + bonus)[worst]:.4f}, the function "
        f"{given[worst]:.4f}."
    )


def _advantages(values: Floats, terminated: bool, gamma: float) -> Floats:
    length = len(_REWARDS)
    total = 0.0 if terminated else float(values[length])
    answer = np.zeros(length)
    for t in range(length - 1, -1, -1):
        total = float(_REWARDS[t]) + gamma * total
        answer[t] = total - values[t]
    return answer


def _same(given: list[Floats], answers: list[Floats]) -> bool:
    return all(np.allclose(a, b) for a, b in zip(given, answers, strict=True))
