"""What "Multi-worker Objective" measures (Section 2.1): bias and spread of n-step returns."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from a3c_tut import TableWorld
from a3c_tut.book.evidence.common import Floats
from a3c_tut.exact import policy_values


def bias_and_spread(
    world: TableWorld, policy: ArrayLike, gamma: float, most: int, V: ArrayLike | None = None
) -> tuple[Floats, Floats]:
    """Return the exact bias and standard deviation of n-step returns from the start (Section 2.1).

    Both moments of the n-step return follow from those of the (n − 1)-step return, as values do.

    Parameters
    ----------
    world : TableWorld
    policy : (S, A) floats
    gamma : float
    most : int
        n runs from 1 to this.
    V : (S,) floats, optional
        The critic; default: 0 everywhere.

    Returns
    -------
    bias, spread : (most,) floats
        In the world's own units.

    Examples
    --------
    A critic that is right has no bias:

    >>> from a3c_tut import cliff_world
    >>> world, policy = cliff_world(), np.full((48, 4), 0.25)
    >>> bias, _ = bias_and_spread(world, policy, 0.9, 3, V=policy_values(world, policy, 0.9))
    >>> bool(np.abs(bias).max() < 1e-9)
    True
    """
    chances = np.asarray(policy, dtype=float)
    weight = chances[:, :, None] * world.probability
    onward = gamma * ~world.terminated
    first = np.zeros(world.num_states) if V is None else np.asarray(V, dtype=float)
    second, truth = first**2, world.start @ policy_values(world, chances, gamma)
    bias, spread = np.zeros(most), np.zeros(most)
    for n in range(most):
        mean, square = first[world.next_state], second[world.next_state]
        reward = world.reward
        second = (weight * (reward**2 + 2 * reward * onward * mean + onward**2 * square)).sum(
            axis=(1, 2)
        )
        first = (weight * (reward + onward * mean)).sum(axis=(1, 2))
        bias[n] = world.start @ first - truth
        spread[n] = np.sqrt(max(0.0, world.start @ second - (world.start @ first) ** 2))
    return bias, spread
