"""At which step sizes a run works: how stability is measured (C02, C06 to C09, C19).

Actor and critic have a step size each; both are multiplied by one factor, from a 32nd to 512 in
doublings. The number of factors at which a run works needs no tuning, and it is what a user feels:
how wrong the step sizes may be. The two ends are told apart. With too large a factor a run falls
apart; with too small a one it is merely slow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from a3c_tut import A3CConfig, DivergenceError, cliff_world
from a3c_tut.book.claims import Interval
from a3c_tut.book.evidence.common import LEARNED, interval, settling_seeds
from a3c_tut.book.evidence.controls import watch
from a3c_tut.book.evidence.kept import kept
from a3c_tut.experiments import final_return

#: The factors by which both default step sizes are multiplied: 1/32, 1/16, …, 512.
FACTORS = 2.0 ** np.arange(-5, 10)
#: Those factors that make steps larger, and those that make them smaller.
LARGE, SMALL = FACTORS > 1.0, FACTORS < 1.0


def stepped(config: A3CConfig, factor: float, rates: Sequence[float] | None = None) -> A3CConfig:
    """Return a configuration with both step sizes multiplied by a factor.

    Parameters
    ----------
    config : A3CConfig
    factor : float
    rates : one further factor per worker, optional

    Examples
    --------
    >>> doubled = stepped(A3CConfig(), 2.0, rates=(0.5, 1.0, 1.5))
    >>> doubled.actor_lr, doubled.critic_lr
    ((0.05, 0.1, 0.15000000000000002), (0.03, 0.06, 0.09))
    """
    scale = factor * np.asarray(rates or [1.0] * config.num_workers)
    steps = {name: (np.asarray(config.per_worker(name)) * scale).tolist()
             for name in ("actor_lr", "critic_lr")}  # fmt: skip
    return replace(config, **steps)


def working(
    page: str, name: str, config: A3CConfig, *, seeds: Sequence[int] = settling_seeds(400),
    factors: ArrayLike = FACTORS, rates: Sequence[float] | None = None, **asked: Any,
) -> NDArray[np.bool_]:  # fmt: skip
    """Return at which step sizes a run works, seed by seed (Section 2.3); kept from run to run.

    Parameters
    ----------
    page, name : str
        Where it is kept; see `kept`.
    config : A3CConfig
        Its two step sizes are multiplied by each factor.
    seeds, factors : sequences
    rates : one further factor per worker, optional
    **asked
        Further arguments of `watch`.

    Returns
    -------
    (seeds, factors) bools
        Whether the last 100 episodes returned at least `LEARNED` on average. A run that diverges
        does not work.

    Examples
    --------
    >>> import os, tempfile
    >>> from pathlib import Path
    >>> from unittest.mock import patch
    >>> folder = patch("a3c_tut.book.evidence.kept.DATA", Path(tempfile.mkdtemp()))
    >>> with folder, patch.dict(os.environ, {"A3C_REFRESH": "1"}):
    ...     working("page", "default", A3CConfig(), seeds=[0], factors=[1.0, 512.0]).tolist()
    [[True, False]]
    """
    world, tried = cliff_world(), np.asarray(factors, dtype=float).tolist()

    def one(seed: int) -> float:
        return float(sum(works(seed, factor) << bit for bit, factor in enumerate(tried)))

    def works(seed: int, factor: float) -> bool:
        try:
            run = watch(world, stepped(config, factor, rates), seed=seed, **asked).result
        except DivergenceError:
            return False
        return final_return(run) >= LEARNED

    given = {
        "what": "at which factors a run works, a bit each", "learned": LEARNED, "world": world,
        "config": config, "factors": tried, "rates": rates, **asked,
    }  # fmt: skip
    numbers = kept(page, name, one, seeds, given).astype(np.int64)
    return ((numbers[:, None] >> np.arange(len(tried))) & 1).astype(bool)


def wider(
    this: NDArray[np.bool_], than: NDArray[np.bool_], part: NDArray[np.bool_] | None = None
) -> Interval:
    """Return at how many more step sizes one variant works than another, paired by seed.

    Each step size is twice the one before, so one more is one doubling.

    Parameters
    ----------
    this, than : (seeds, factors) bools
        As `working` returns them, for the same seeds and factors.
    part : (factors,) bools
        Which of them count: `LARGE` or `SMALL`. Default: all.

    Examples
    --------
    >>> wider(np.array([[True, True]] * 2), np.array([[True, False]] * 2), np.array([False, True]))
    Interval(mean=1.0, low=1.0, high=1.0)
    """
    counted = slice(None) if part is None else part
    return interval((this[:, counted].sum(axis=1) - than[:, counted].sum(axis=1)).astype(float))
