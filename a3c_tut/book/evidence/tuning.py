"""How fast a run learns, with a step size tuned for it: how C11 to C18 are measured.

*Speed* is the number of environment steps, of all workers together, until 50 episodes in a row
return −20 on average. A run that does not get there counts with all the steps it had, which makes
slow variants look better than they are, never worse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from a3c_tut import (
    A3CConfig,
    TableWorld,
    TrainingResult,
    corridor_world,
    sparse_grid_world,
    train,
)
from a3c_tut.book.evidence.common import LEARNED, SIXTY_SEEDS, Floats
from a3c_tut.book.evidence.kept import one_run
from a3c_tut.experiments import each_seed, steps_to_return

Measure = TypeVar("Measure")

#: By what tuning multiplies the default step sizes of actor and critic: 1/4 to 8, √2 apart.
STEP_FACTORS = tuple(2.0 ** (k / 2) for k in (-4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6))
#: Up to where steps count in a restricted mean: half of what a run has.
HORIZON = 20_000
#: The seeds for looking around, tuning and calibrating.
TUNING_SEEDS = range(1000, 1030)
#: Step sizes of actor and critic that tuning chooses from.
STEP_CANDIDATES = (0.05, 0.1, 0.15, 0.2, 0.3)
#: Steps of a run, all workers together.
TOTAL_STEPS = 40_000
#: The two worlds where nothing but the goal pays.
#:
#: :meta hide-value:
SPARSE_WORLDS = {"grid": sparse_grid_world(10, 10), "corridor": corridor_world(12)}
#: Steps of a run there.
SPARSE_STEPS = 40_000


def steps_needed(result: TrainingResult, target: float = LEARNED) -> float:
    """Return the steps until 50 episodes return so much on average, at most all steps of the run.

    Parameters
    ----------
    result : TrainingResult
    target : float, in the world's units; default: −20

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> steps_needed(train(cliff_world(), total_steps=1_000))
    1000.0
    """
    return float(min(steps_to_return(result, target), result.total_steps))


def successes(result: TrainingResult) -> float:
    """Return how many episodes reached the goal.

    Examples
    --------
    >>> successes(train(sparse_grid_world(), total_steps=1_000)) > 0
    True
    """
    return float(np.count_nonzero(~result.episodes["truncated"]))


def each_run(
    measure: Callable[[TrainingResult], Measure], world: TableWorld, config: A3CConfig,
    seeds: Sequence[int] = SIXTY_SEEDS, total_steps: int = TOTAL_STEPS, equal_seeds: bool = False,
    learn: Callable[..., TrainingResult] = train, **asked: Any,
) -> list[Measure]:  # fmt: skip
    """Return one measurement per seed; a run that diverges is measured up to there.

    Parameters
    ----------
    measure : function of a TrainingResult
    world, config, total_steps, equal_seeds, learn, **asked : as in `one_run`
    seeds : sequence of int

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> each_run(lambda run: run.steps >= 600, cliff_world(), A3CConfig(), [1], 600)
    [True]
    """

    one = one_run(measure, world, config, total_steps, equal_seeds, learn, **asked)
    return each_seed(one, seeds)


def measured(*given: Any, **asked: Any) -> Floats:
    """Return one measurement per seed, a number or several, as an array.

    Parameters
    ----------
    *given, **asked : as in `each_run`

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> measured(lambda run: float(run.steps >= 600), cliff_world(), A3CConfig(), [1], 600).tolist()
    [1.0]
    """
    return np.array(each_run(*given, **asked))


def tuned(
    config: A3CConfig,
    score: Callable[[A3CConfig], float],
    step_sizes: Sequence[float] = STEP_CANDIDATES,
) -> A3CConfig:
    """Return the configuration with the step size that scores lowest.

    Parameters
    ----------
    config : A3CConfig
    score : function of a configuration, the lower the better
    step_sizes : sequence of floats, of actor and critic alike

    Examples
    --------
    >>> tuned(A3CConfig(), lambda config: abs(config.actor_lr - 0.16)).critic_lr
    0.15
    """
    candidates = [replace(config, actor_lr=size, critic_lr=size) for size in step_sizes]
    return min(candidates, key=score)


def fastest(steps: Sequence[ArrayLike]) -> int:
    """Return which of several variants reaches the goal first, as tuning judges it.

    By the mean steps, restricted to `HORIZON`; of variants that nearly always need more than that,
    by the mean over all the steps that a run has.

    Parameters
    ----------
    steps : sequence of (M,) floats
        As `steps_needed` returns them, one number per seed.

    Examples
    --------
    >>> fastest([[9_000.0, 9_000.0], [3_000.0, 40_000.0]]), fastest([[40_000.0], [30_000.0]])
    (0, 1)
    """
    tables = [np.asarray(one, dtype=float) for one in steps]
    scores = [(float(np.minimum(one, HORIZON).mean()), float(one.mean())) for one in tables]
    return scores.index(min(scores))
