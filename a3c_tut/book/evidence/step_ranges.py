"""At which step sizes a run works: how stability is measured (C02, C06 to C09, C19).

The share of a fixed range of step sizes at which a run works. It needs no tuning, and it is what a
user feels: how wrong the step size may be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from a3c_tut import A3CConfig, DivergenceError, cliff_world
from a3c_tut.book.claims import Interval
from a3c_tut.book.evidence.common import LEARNED, THIRTY_SEEDS, interval
from a3c_tut.book.evidence.controls import watch
from a3c_tut.experiments import each_seed, final_return

#: The step sizes of actor and critic: 0.0125, 0.025, …, 1.6.
STEP_RANGE = 0.0125 * 2.0 ** np.arange(8)


def working(
    config: A3CConfig, *, seeds: Sequence[int] = THIRTY_SEEDS, step_sizes: ArrayLike = STEP_RANGE,
    rates: Sequence[float] | None = None, **asked: Any,
) -> NDArray[np.bool_]:  # fmt: skip
    """Return at which step sizes a run works, seed by seed (Section 2.3).

    Parameters
    ----------
    config : A3CConfig
        Its two step sizes are replaced by those of the range.
    seeds, step_sizes : sequences
    rates : one factor per worker, optional
        By which a worker's two step sizes differ from those of the range.
    **asked
        Further arguments of `watch`.

    Returns
    -------
    (seeds, step sizes) bools
        Whether the last 100 episodes returned at least `LEARNED` on average. A run that diverges
        does not work.

    Examples
    --------
    >>> working(A3CConfig(), seeds=[0], step_sizes=[0.1, 100.0]).tolist()
    [[True, False]]
    """
    world = cliff_world()

    def one(seed: int) -> list[bool]:
        ended = []
        for step_size in np.asarray(step_sizes, dtype=float):
            steps = step_size * np.asarray(rates or [1.0] * config.num_workers)
            stepped = replace(config, actor_lr=steps.tolist(), critic_lr=steps.tolist())
            try:
                run = watch(world, stepped, seed=seed, **asked).result
                ended.append(final_return(run) >= LEARNED)
            except DivergenceError:
                ended.append(False)
        return ended

    return np.array(each_seed(one, seeds))


def wider(this: NDArray[np.bool_], than: NDArray[np.bool_]) -> Interval:
    """Return by how much more of the range one variant works than another, paired by seed.

    Parameters
    ----------
    this, than : (seeds, step sizes) bools
        As `working` returns them, for the same seeds and step sizes.

    Examples
    --------
    >>> wider(np.array([[True, True]]), np.array([[True, False]])).mean
    0.5
    """
    return interval(this.mean(axis=1) - than.mean(axis=1))
