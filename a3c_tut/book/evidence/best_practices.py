"""What "Best practices" measures (Section 3): C12, C13 and C14."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import Literal, NamedTuple

import numpy as np

from a3c_tut import A3CConfig, RandomSchedule, TrainingResult, cliff_world
from a3c_tut.book.claims import Interval
from a3c_tut.book.evidence.common import (
    LEARNED,
    Floats,
    interval,
    median_ratio,
    scaled,
    settling_seeds,
)
from a3c_tut.book.evidence.kept import kept_runs
from a3c_tut.book.evidence.tuning import TOTAL_STEPS, TUNING_SEEDS, each_run, steps_needed
from a3c_tut.experiments import final_return
from a3c_tut.monitoring import calibrated_high, norm_warnings

#: The seeds that settle; C13 takes more of them.
SEEDS = settling_seeds(400)
#: Own pushes between two syncs.
SYNC_PERIODS = (1, 2, 5, 10, 20, 50)


@cache
def sync_steps(period: int) -> Floats:
    """Return the steps needed with a sync after so many own pushes.

    Parameters
    ----------
    period : int from 1, pushes

    Returns
    -------
    (400,) floats
        Environment steps of all workers, one number per seed; see `steps_needed`.

    Examples
    --------
    A copy that is refreshed at every fiftieth push costs steps:

    >>> bool(np.median(sync_steps(50)) > np.median(sync_steps(1)))
    True
    """
    return kept_runs(
        "best_practices", f"sync every {period}", steps_needed, cliff_world(),
        A3CConfig(sync_every=period), SEEDS, TOTAL_STEPS,
    )  # fmt: skip


def c12() -> dict[str, Interval]:
    """Measure C12: what a longer period costs, as a ratio to a sync after every push.

    Examples
    --------
    >>> c12()["steps, every 50 pushes"].low > 1.0
    True
    """
    return {
        f"steps, every {period} pushes": median_ratio(sync_steps(period), sync_steps(1))
        for period in (5, 50)
    }


#: The ways of annealing, and the setting of each.
ANNEALING: dict[str, Literal["global", "per_worker"] | None] = {
    "none": None,
    "global": "global",
    "per worker": "per_worker",
}
#: One worker five times slower than the two others.
FIVE_TIMES_SLOWER = RandomSchedule((1.0, 1.0, 0.2))
#: By what the default's step sizes are multiplied where they are to be too large.
TOO_LARGE = 8.0


def annealed_returns(kind: str, factor: float, slow: bool = False) -> Floats:
    """Return the mean returns of the last 100 episodes, with this annealing and first step size.

    Parameters
    ----------
    kind : one of `ANNEALING`
    factor : float from 0
        By which the default's step sizes are multiplied.
    slow : bool
        Whether one of the three workers is five times slower than the others.

    Returns
    -------
    (M,) floats
        In the world's units, one number per seed: 1,500 of them at the default, else 3,500.

    Examples
    --------
    >>> returns = annealed_returns("global", 1.0)
    >>> # −13 is the optimum
    >>> returns.shape, bool(-20.0 < returns.mean() < -13.0)
    ((1500,), True)
    """
    return kept_runs(
        "best_practices", f"annealing {kind}, step x {factor:g}{', one slow' if slow else ''}",
        final_return, cliff_world(), scaled(A3CConfig(lr_anneal=ANNEALING[kind]), factor),
        settling_seeds(1_500) if factor == 1.0 else settling_seeds(3_500, first=200_000),
        TOTAL_STEPS,
        schedule=FIVE_TIMES_SLOWER if slow else None,
    )  # fmt: skip


@cache
def longer_returns(kind: str) -> Floats:
    """Return the same at the default step sizes, for four times as many steps.

    Parameters
    ----------
    kind : one of `ANNEALING`

    Returns
    -------
    (400,) floats

    Examples
    --------
    >>> longer_returns("none").shape
    (400,)
    """
    return kept_runs(
        "best_practices", f"annealing {kind}, four times the steps", final_return, cliff_world(),
        scaled(A3CConfig(lr_anneal=ANNEALING[kind]), 1.0), SEEDS, 4 * TOTAL_STEPS,
    )  # fmt: skip


def cut_off(returns: Floats) -> Floats:
    """Return returns that count as `LEARNED` where they are below: not learned is not learned.

    Examples
    --------
    >>> cut_off(np.array([-13.0, -200.0])).tolist()
    [-13.0, -20.0]
    """
    return np.maximum(returns, LEARNED)


def c13() -> dict[str, Interval]:
    """Measure C13: what annealing per worker gains in return, against none and against global.

    Examples
    --------
    With made-up returns, to which annealing adds 2 if it is the worker's own, else 1:

    >>> from unittest.mock import patch
    >>> def returns(kind, factor, slow=False):
    ...     return -17.0 + np.full(2, {"none": 0.0, "global": 1.0, "per worker": 2.0}[kind])
    >>> with patch(f"{__name__}.annealed_returns", returns):
    ...     [found.mean for found in c13().values()]
    [2.0, 2.0, 1.0]
    """

    def gain(over: str, factor: float, slow: bool = False) -> Interval:
        own, other = (
            cut_off(annealed_returns(kind, factor, slow)) for kind in ("per worker", over)
        )
        return interval(own - other)

    return {
        "over none, default step": gain("none", 1.0),
        "over none, eight times the step": gain("none", TOO_LARGE),
        "over global, eight times the step, one slow": gain("global", TOO_LARGE, slow=True),
    }


#: Factors of the default's step sizes, from what goes well with plain SGD without clipping to what
#: goes wrong.
WILD_FACTORS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
#: A norm from which on a run has blown up, and the updates by which a warning has to come first.
BLOWN_UP, AHEAD = 1e6, 10
#: A median of 500 norms below this is a low warning.
LOW = 1e-3


class MonitoredRun(NamedTuple):
    """How a run ended, and what its gradient norms said.

    Attributes
    ----------
    end : "works", "blows up" or "collapses"
        Blown up: a norm above a million. Collapsed: the last 50 episodes all ran into the limit.
    lead : float
        Updates from the first high norm to the blow-up; NaN without either.
    high, low : bool
        Whether the monitor said so at any time.

    Examples
    --------
    >>> run = MonitoredRun(end="blows up", lead=159.0, high=True, low=False)
    >>> run.lead >= AHEAD  # announced ten updates before, or more
    True
    """

    end: str
    lead: float
    high: bool
    low: bool


def unclipped(factor: float) -> A3CConfig:
    """Return plain SGD without clipping, step sizes multiplied: what can go wrong, can.

    Examples
    --------
    >>> unclipped(4.0).max_grad_norm is None
    True
    """
    return scaled(A3CConfig(optimizer="sgd", max_grad_norm=None), factor)


@cache
def norm_threshold() -> float:
    """Return the highest norm that healthy runs on the tuning seeds had, and ten per cent.

    Examples
    --------
    >>> 500.0 < norm_threshold() < 2_000.0
    True
    """
    healthy = each_run(lambda run: run, cliff_world(), unclipped(1.0), TUNING_SEEDS)
    return calibrated_high(healthy)


_ENDS = ("works", "blows up", "collapses")


def monitored(result: TrainingResult, high: float, low: float = LOW) -> MonitoredRun:
    """Say how a run ended, and what a monitor with these thresholds said of it.

    Parameters
    ----------
    result : TrainingResult
    high, low : float
        As in `GradientNormMonitor`.

    Examples
    --------
    >>> from a3c_tut import train
    >>> monitored(train(cliff_world(), total_steps=20_000), high=1_000.0).end
    'works'
    """
    blown = np.flatnonzero(~(result.updates["grad_norm"] < BLOWN_UP))
    said = {w.kind: w.update for w in norm_warnings(result, high=high, low=low)}
    if blown.size:
        end = "blows up"
    else:
        end = "collapses" if result.episodes["truncated"][-50:].all() else "works"
    lead = float(blown[0] - said["high"]) if blown.size and "high" in said else np.nan
    return MonitoredRun(end, lead, "high" in said, "low" in said)


def in_numbers(result: TrainingResult, high: float) -> tuple[float, ...]:
    """Return a monitored run as numbers, which can be kept.

    Parameters
    ----------
    result, high : as in `monitored`

    Examples
    --------
    >>> from a3c_tut import train
    >>> in_numbers(train(cliff_world(), total_steps=2_000), high=1_000.0)
    (0.0, nan, 0.0, 0.0)
    """
    run = monitored(result, high)
    return float(_ENDS.index(run.end)), run.lead, float(run.high), float(run.low)


@cache
def monitored_runs(factor: float) -> tuple[MonitoredRun, ...]:
    """Run plain SGD without clipping at a step size, and monitor the norms.

    Parameters
    ----------
    factor : float, by which actor's and critic's step sizes are multiplied

    Examples
    --------
    >>> "works" in {run.end for run in monitored_runs(1.0)}
    True
    """
    runs = kept_runs(
        "best_practices", f"monitored, step x {factor:g}",
        partial(in_numbers, high=norm_threshold()), cliff_world(), unclipped(factor), SEEDS,
        TOTAL_STEPS,
    )  # fmt: skip
    return tuple(
        MonitoredRun(_ENDS[int(end)], float(lead), bool(high), bool(low))
        for end, lead, high, low in runs
    )


def monitored_by_end() -> dict[str, list[MonitoredRun]]:
    """Return all monitored runs, by how they ended.

    Returns
    -------
    dict
        The runs that "works", "blows up" and "collapses".

    Examples
    --------
    With two made-up runs at each step size:

    >>> from unittest.mock import patch
    >>> fine = MonitoredRun("works", np.nan, False, False)
    >>> blown = MonitoredRun("blows up", 50.0, True, False)
    >>> def runs(factor):
    ...     return fine, blown if factor > 2.0 else fine
    >>> with patch(f"{__name__}.monitored_runs", runs):
    ...     {end: len(runs) for end, runs in monitored_by_end().items()}
    {'works': 8, 'blows up': 4, 'collapses': 0}
    """
    runs = [run for factor in WILD_FACTORS for run in monitored_runs(factor)]
    return {end: [run for run in runs if run.end == end] for end in _ENDS}


def c14(runs: Mapping[str, Sequence[MonitoredRun]] | None = None) -> dict[str, Interval]:
    """Measure C14: shares of runs with a warning, by how they ended.

    Parameters
    ----------
    runs : optional
        Default: `monitored_by_end()`.

    Examples
    --------
    >>> announced = MonitoredRun("blows up", lead=159.0, high=True, low=False)
    >>> late = announced._replace(lead=3.0)
    >>> fine = MonitoredRun("works", np.nan, False, False)
    >>> found = c14({"blows up": [announced, late], "collapses": [fine], "works": [fine]})
    >>> [share.mean for share in found.values()]
    [0.5, 0.0, 0.0]
    """
    runs = monitored_by_end() if runs is None else runs
    return {
        "blow-ups announced": interval([float(run.lead >= AHEAD) for run in runs["blows up"]]),
        "collapses announced": interval([float(run.high) for run in runs["collapses"]]),
        "false alarms": interval([float(run.high) for run in runs["works"]]),
    }
