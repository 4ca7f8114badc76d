"""Random worlds, policies and tables for property tests (hypothesis)."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from a3c_tut.worlds import TableWorld

#: Discounts, with the ends of the range on purpose.
discounts = st.one_of(st.sampled_from([0.0, 0.5, 0.9, 0.99]), st.floats(0.0, 0.99))


def _distribution(draw: st.DrawFn, size: int) -> np.ndarray:
    """Small whole weights, normalised: zeros are common, sums are never tiny."""
    weights = draw(st.lists(st.integers(0, 4), min_size=size, max_size=size).filter(any))
    return np.array(weights) / sum(weights)


@st.composite
def random_worlds(
    draw: st.DrawFn,
    max_states: int = 4,
    max_actions: int = 3,
    max_outcomes: int = 3,
    always_ends: bool = False,
) -> TableWorld:
    """A small random world.

    Terminated outcomes may lead anywhere, so that a value wrongly read beyond them shows. With
    `always_ends` every action ends the episode with some probability: every policy is then proper,
    and gamma may be 1.
    """
    num_states = draw(st.integers(1, max_states))
    num_actions = draw(st.integers(1, max_actions))
    num_outcomes = draw(st.integers(1, max_outcomes))
    shape = (num_states, num_actions, num_outcomes)
    size = num_states * num_actions * num_outcomes

    def table(elements: st.SearchStrategy) -> np.ndarray:
        return np.array(draw(st.lists(elements, min_size=size, max_size=size))).reshape(shape)

    next_state = table(st.integers(0, num_states - 1))
    reward = table(st.integers(-8, 8)) / 2.0
    terminated = table(st.sampled_from([False, False, True]))
    probability = np.empty(shape)
    for cell in np.ndindex(shape[:2]):
        probability[cell] = _distribution(draw, num_outcomes)
    if always_ends:
        terminated[..., 0] = True
        probability = 0.75 * probability
        probability[..., 0] += 0.25
    return TableWorld(
        next_state,
        probability,
        reward,
        terminated,
        _distribution(draw, num_states),
        draw(st.integers(1, 20)),
        name="random world",
    )


@st.composite
def random_policies(draw: st.DrawFn, world: TableWorld) -> np.ndarray:
    """An (S, A) policy, with probabilities of exactly 0 and 1 among them."""
    return np.array([_distribution(draw, world.num_actions) for _ in range(world.num_states)])


@st.composite
def random_thetas(draw: st.DrawFn, world: TableWorld, size: float = 3.0) -> np.ndarray:
    """An (S, A) table of logits."""
    count = world.num_states * world.num_actions
    flat = draw(st.lists(st.floats(-size, size), min_size=count, max_size=count))
    return np.array(flat).reshape(world.num_states, world.num_actions)


@st.composite
def random_values(draw: st.DrawFn, world: TableWorld) -> np.ndarray:
    """An (S,) table of values."""
    count = world.num_states
    return np.array(draw(st.lists(st.floats(-10, 10), min_size=count, max_size=count)))


@st.composite
def random_maps(draw: st.DrawFn, max_rows: int = 5, max_columns: int = 6) -> list[str]:
    """The lines of a map with one start and at least one goal, which may be out of reach."""
    rows, columns = draw(st.integers(1, max_rows)), draw(st.integers(2, max_columns))
    size = rows * columns
    cells = draw(st.lists(st.sampled_from("...C#G"), min_size=size, max_size=size))
    start, goal = draw(st.lists(st.integers(0, size - 1), min_size=2, max_size=2, unique=True))
    cells[start], cells[goal] = "S", "G"
    return ["".join(cells[row * columns : (row + 1) * columns]) for row in range(rows)]
