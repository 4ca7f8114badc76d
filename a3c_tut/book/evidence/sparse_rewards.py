"""What "Sparse rewards" measures (Section 3.2): C11."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from a3c_tut import A3CConfig, TrainingResult
from a3c_tut.book.claims import Interval
from a3c_tut.book.evidence.common import Floats, percentile_ratio, scaled, settling_seeds
from a3c_tut.book.evidence.controls import watch
from a3c_tut.book.evidence.kept import kept, kept_runs
from a3c_tut.book.evidence.tuning import SPARSE_STEPS, SPARSE_WORLDS, successes

#: Workers of the team that is compared with one.
SPARSE_TEAM = 8
#: The seeds that settle; the first 400 of them where that is enough.
SPARSE_SEEDS = settling_seeds(1_000)
#: The seeds that choose a step size.
CHOOSING_SEEDS = range(1000, 1060)
#: By what the default's step sizes are multiplied to choose from.
FACTORS = (0.5, 1.0, 2.0, 4.0)


@cache
def step_factor(world: str, num_workers: int) -> float:
    """Return the factor that brings most successes on the seeds that choose.

    Parameters
    ----------
    world : one of the `SPARSE_WORLDS`
    num_workers : int from 1

    Examples
    --------
    >>> step_factor("grid", 1) in FACTORS
    True
    """

    def score(factor: float) -> float:
        name = f"step x {factor:g}, {world}, {num_workers}"
        config = scaled(A3CConfig(num_workers=num_workers), factor)
        return float(
            kept_runs(
                "sparse_rewards", name, successes, SPARSE_WORLDS[world], config, CHOOSING_SEEDS,
                SPARSE_STEPS,
            ).mean()
        )  # fmt: skip

    return max(FACTORS, key=score)


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


def outcome(result: TrainingResult) -> tuple[float, float]:
    """Return successes and steps to the first of them.

    Examples
    --------
    >>> from a3c_tut import corridor_world, train
    >>> outcome(train(corridor_world(30), total_steps=1_000))
    (0.0, 1000.0)
    """
    return successes(result), first_success(result)


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
        One number per seed: of all seeds for different workers and the usual number of steps, else
        of the first 400.

    Examples
    --------
    >>> runs = sparse_runs("corridor", 1)
    >>> len(runs.first) == len(SPARSE_SEEDS), bool(runs.first.max() <= SPARSE_STEPS)
    (True, True)
    """
    usual = not equal_seeds and steps == SPARSE_STEPS
    both = kept_runs(
        "sparse_rewards", f"{world}, {num_workers}, {'equal' if equal_seeds else 'different'} "
        f"seeds, {steps} steps", outcome, SPARSE_WORLDS[world],
        scaled(A3CConfig(num_workers=num_workers), step_factor(world, num_workers)),
        SPARSE_SEEDS if usual else SPARSE_SEEDS[:400], steps, equal_seeds,
    )  # fmt: skip
    return Sparse(*both.T)


@cache
def copied_runs(world: str, fresh: bool) -> Floats:
    """Return the successes of eight workers at the step size of one, whose copies age or do not.

    Parameters
    ----------
    world : one of the `SPARSE_WORLDS`
    fresh : bool
        Whether each worker copies the shared tables right before it acts.

    Returns
    -------
    (400,) floats

    Examples
    --------
    >>> copied_runs("grid", fresh=True).shape
    (400,)
    """
    config = scaled(A3CConfig(num_workers=SPARSE_TEAM), step_factor(world, 1))
    where = SPARSE_WORLDS[world]

    def one(seed: int) -> float:
        seen = watch(where, config, seed=seed, total_steps=SPARSE_STEPS, fresh=fresh)
        return successes(seen.result)

    asked = {"measure": successes, "world": where, "config": config, "learn": watch,
             "total_steps": SPARSE_STEPS, "fresh": fresh}  # fmt: skip
    name = f"{world}, copies that {'are fresh' if fresh else 'age'}"
    return kept("sparse_rewards", name, one, SPARSE_SEEDS[:400], asked)


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
        team, alone = sparse_runs(world, SPARSE_TEAM).successes, sparse_runs(world, 1).successes
        same = sparse_runs(world, SPARSE_TEAM, equal_seeds=True).successes
        longer = sparse_runs(world, SPARSE_TEAM, steps=SPARSE_TEAM * SPARSE_STEPS).successes
        few = len(same)  # the first of the seeds
        effects |= {
            f"{world}, different over equal seeds": percentile_ratio(team[:few], same),
            f"{world}, eight over one, equal samples": percentile_ratio(team, alone),
            f"{world}, eight over one, equal time": percentile_ratio(longer, alone[:few]),
        }
    return effects
