"""Does it learn? The default settings on seeds that they were not chosen on."""

from __future__ import annotations

import numpy as np
import pytest

from a3c_tut import TableWorld, cliff_world, corridor_world, sparse_grid_world
from a3c_tut.exact import greedy_path
from a3c_tut.experiments import final_return, run_seeds, steps_to_return

SEEDS = range(40)
OPTIMUM = -13.0

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def outcomes():
    """Per seed: the greedy path's return, the mean of the last 100 episodes, the steps to −20."""

    def measure(result):
        path = greedy_path(result.world, result.policy)
        return (
            path.total_return if path.terminated else -np.inf,
            final_return(result),
            steps_to_return(result, target=-20.0, window=50),
        )

    runs = run_seeds(cliff_world(), seeds=SEEDS, total_steps=60_000, measure=measure)
    return [np.array(column) for column in zip(*runs, strict=True)]


def test_the_greedy_policy_takes_the_best_path(outcomes):
    """In at least 34 of forty; and in all of them the safe detour (−17) or better."""
    paths = outcomes[0]
    assert len(paths) == 40
    assert (paths == OPTIMUM).sum() >= 34, f"greedy returns: {sorted(paths)}"
    assert paths.min() >= -17, f"no goal, or a longer way, for seeds {np.flatnonzero(paths < -17)}"


def test_the_last_episodes(outcomes):
    """Exploration included, they return −14.2 on average, and nowhere less than −19."""
    assert outcomes[1].mean() >= -14.2
    assert outcomes[1].min() >= -19, f"means of the last 100 episodes: {sorted(outcomes[1])}"


def test_soon(outcomes):
    """At most 7,000 steps, in the median, to a mean of −20 over 50 episodes."""
    assert np.median(outcomes[2]) <= 7_000, f"steps to a mean return of −20: {sorted(outcomes[2])}"


@pytest.mark.parametrize(
    "world, least",
    [
        (lambda: TableWorld.from_gymnasium("FrozenLake-v1"), 0.6),
        (lambda: TableWorld.from_gymnasium("Taxi-v4"), 4.0),
        (lambda: sparse_grid_world(6), 0.97),
        (lambda: sparse_grid_world(10), 0.97),
        (lambda: corridor_world(12), 0.97),
    ],
    ids=["frozen lake", "taxi", "sparse grid of 6", "sparse grid of 10", "corridor of 12"],
)
def test_other_worlds_need_no_settings(world, least):
    """The last 100 episodes of 200,000 steps, on average over ten seeds."""
    returns = run_seeds(world(), seeds=range(10), total_steps=200_000, measure=final_return)
    assert np.mean(returns) >= least, f"mean returns of the last 100 episodes: {returns}"
