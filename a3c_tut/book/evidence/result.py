"""What the Result page measures with (Section 5): other cliffs, and known ways past them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from a3c_tut import TableWorld


def row_policy(world: TableWorld, row: int) -> NDArray[np.float64]:
    """Return the policy that crosses a cliff-world along one row (Section 5).

    From anywhere: to that row, along it to the last column, down to the goal.

    Parameters
    ----------
    world : TableWorld
        A `cliff_world` of R rows.
    row : int
        0, the row at the wall (the safe detour), to R − 2, the row along the edge (the optimum).

    Returns
    -------
    (S, 4) floats
        A single 1 in each row.

    Raises
    ------
    ValueError
        When the world is no cliff-world or has no such row above the cliff.

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> from a3c_tut.exact import greedy_path
    >>> [greedy_path(cliff_world(), row_policy(cliff_world(), row)).total_return
    ...  for row in (0, 1, 2)]
    [-17.0, -15.0, -13.0]
    """
    if world.grid_shape is None or "C" not in world.marks.values():
        raise ValueError(f"world is {world.name}; allowed: a cliff_world")
    rows, columns = world.grid_shape
    if not 0 <= row <= rows - 2:
        raise ValueError(f"row is {row!r}; allowed: a whole number from 0 to {rows - 2}")
    r, c = np.divmod(np.arange(world.num_states), columns)
    action = np.where(r > row, 0, np.where(r < row, 2, 1))  # up, down, right
    action[c == columns - 1] = 2
    policy = np.zeros((world.num_states, 4))
    policy[np.arange(world.num_states), action] = 1.0
    return policy


def soften_cliff(world: TableWorld, fall: float = -100.0, sends_back: bool = True) -> TableWorld:
    """Return a cliff-world whose falls cost something else (Section 5).

    Parameters
    ----------
    world : TableWorld
        A `cliff_world`.
    fall : float
        The reward of a step into the cliff.
    sends_back : bool
        Whether a fall leads back to the start; otherwise the walker stays where it stood.

    Returns
    -------
    TableWorld

    Examples
    --------
    A cliff that is nothing but a wall:

    >>> from a3c_tut import cliff_world
    >>> wall = soften_cliff(cliff_world(), fall=-1.0, sends_back=False)
    >>> int(wall.next_state[36, 1, 0]), float(wall.reward[36, 1, 0])
    (36, -1.0)
    >>> int(wall.next_state[25, 2, 0]), float(wall.reward.min())
    (25, -1.0)
    """
    falls = world.reward == world.reward.min()
    stands = np.arange(world.num_states)[:, None, None]
    return replace(
        world,
        next_state=np.where(falls & (not sends_back), stands, world.next_state),
        reward=np.where(falls, fall, world.reward),
    )
