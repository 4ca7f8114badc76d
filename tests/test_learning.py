"""Does it learn? The default settings on seeds that they were not chosen on."""

from __future__ import annotations

import numpy as np
import pytest

from a3c_tut import cliff_world
from a3c_tut.exact import greedy_path
from a3c_tut.experiments import final_return, run_seeds, steps_to_return

SEEDS = range(20)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def outcomes():
    """Per seed: the greedy path, the mean of the last 100 episodes, the steps to −20."""

    def measure(result):
        return (
            greedy_path(result.world, result.policy),
            final_return(result),
            steps_to_return(result, target=-20.0, window=50),
        )

    runs = run_seeds(cliff_world(), seeds=SEEDS, total_steps=60_000, measure=measure)
    return list(zip(*runs, strict=True))


def test_greedy_policy_reaches_the_goal(outcomes):
    """In all twenty, with a return of the safe detour (−17) or better."""
    ended = [path.terminated for path in outcomes[0]]
    returns = [path.total_return for path in outcomes[0]]
    assert all(ended), f"no goal for seeds {np.flatnonzero(np.logical_not(ended)).tolist()}"
    assert min(returns) >= -17, f"greedy returns: {returns}"


def test_last_episodes(outcomes):
    """The mean return of the last 100 episodes, exploration included, is ≥ −19 in all twenty."""
    means = [round(mean, 2) for mean in outcomes[1]]
    assert len(means) == 20
    assert min(means) >= -19, f"means of the last 100 episodes: {means}"


def test_soon(outcomes):
    """At most 6,000 steps, in the median, to a mean of −20 over 50 episodes."""
    steps = sorted(outcomes[2])
    assert np.median(steps) <= 6_000, f"steps to a mean return of −20: {steps}"
