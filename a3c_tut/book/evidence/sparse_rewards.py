"""What "Sparse rewards" measures (Section 3.2): C11."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from a3c_tut import TrainingResult
from a3c_tut.book.claims import Interval
from a3c_tut.book.evidence.common import SIXTY_SEEDS, Floats, percentile_ratio
from a3c_tut.book.evidence.tuning import (
    SPARSE_STEPS,
    SPARSE_WORLDS,
    measured,
    sparse_tuned,
    successes,
)

#: Workers of the team that is compared with one.
SPARSE_TEAM = 8


def first_success(result: TrainingResult) -> float:
    """Return the steps until the first episode that reached the goal, at most all of them.

    Examples
    --------
    >>> from a3c_tut import corridor_world, train
    >>> first_success(train(corridor_world(30), total_steps=1_000))
    1000.0
    """
    arrived = result.episodes["step"][~result.episodes["truncated"]]
    return float(arrived[0] if arrived.size else result.total_steps)


class Sparse(NamedTuple):
    """Successful episodes, and steps to the first of them, one number per seed.

    Attributes
    ----------
    successes, first : (M,)

    Examples
    --------
    >>> import numpy as np
    >>> runs = Sparse(successes=np.array([40.0, 0.0]), first=np.array([900.0, 40_000.0]))
    >>> float(runs.successes.mean())
    20.0
    """

    successes: Floats
    first: Floats


@cache
def sparse_runs(
    world: str, num_workers: int, equal_seeds: bool = False, steps: int = SPARSE_STEPS
) -> Sparse:
    """Run a sparse-reward world, its step size tuned for so many workers (different seeds).

    Parameters
    ----------
    world : one of the `SPARSE_WORLDS`
    num_workers : int from 1
    equal_seeds : bool
        Whether all workers of a run see the same random numbers.
    steps : int, environment steps of all workers of a run

    Returns
    -------
    Sparse
        One number per seed.

    Examples
    --------
    >>> runs = sparse_runs("corridor", 1, steps=1_000)
    >>> len(runs.first) == len(SIXTY_SEEDS), bool(runs.first.max() <= 1_000.0)
    (True, True)
    """
    both = measured(
        lambda run: (successes(run), first_success(run)), SPARSE_WORLDS[world],
        sparse_tuned(world, num_workers), SIXTY_SEEDS, steps, equal_seeds,
    )  # fmt: skip
    return Sparse(*both.T)


def c11() -> dict[str, Interval]:
    """Measure C11: successful rollouts of eight workers, against equal seeds and one worker.

    Examples
    --------
    With made-up runs, in which every worker brings three successes:

    >>> import numpy as np
    >>> from unittest.mock import patch
    >>> def runs(world, workers, equal_seeds=False, steps=SPARSE_STEPS):
    ...     return Sparse(np.full(2, 3.0 * workers), np.zeros(2))
    >>> with patch(f"{__name__}.sparse_runs", runs):
    ...     c11()["grid, eight over one, equal samples"].text(0)
    '8'
    """
    effects: dict[str, Interval] = {}
    for world in SPARSE_WORLDS:
        team = sparse_runs(world, SPARSE_TEAM)
        alone, same = sparse_runs(world, 1), sparse_runs(world, SPARSE_TEAM, equal_seeds=True)
        longer = sparse_runs(world, SPARSE_TEAM, steps=SPARSE_TEAM * SPARSE_STEPS)
        effects |= {
            f"{world}, different over equal seeds": percentile_ratio(
                team.successes, same.successes
            ),
            f"{world}, eight over one, equal samples": percentile_ratio(
                team.successes, alone.successes
            ),
            f"{world}, eight over one, equal time": percentile_ratio(
                longer.successes, alone.successes
            ),
        }
    return effects
