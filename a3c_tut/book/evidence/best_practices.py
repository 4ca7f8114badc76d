"""What "Best practices" measures (Section 3): C12, C13 and C14."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import NamedTuple

import numpy as np

from a3c_tut import A3CConfig, RandomSchedule, TrainingResult, cliff_world
from a3c_tut.book.claims import Interval
from a3c_tut.book.evidence.common import Floats, interval, percentile_ratio
from a3c_tut.book.evidence.tuning import TUNING_SEEDS, each_run, measured, steps_needed
from a3c_tut.experiments import final_return
from a3c_tut.monitoring import calibrated_high, norm_warnings

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
    (60,) floats
        Environment steps of all workers, one number per seed; see `steps_needed`.

    Examples
    --------
    A copy that is refreshed at every fiftieth push costs steps:

    >>> bool(sync_steps(50).mean() > sync_steps(1).mean())
    True
    """
    return measured(steps_needed, cliff_world(), A3CConfig(sync_every=period))


def c12() -> dict[str, Interval]:
    """Measure C12: what a longer period costs, as a ratio to a sync after every push.

    Examples
    --------
    >>> c12()["steps, every 50 pushes"].low > 1.0
    True
    """
    return {
        f"steps, every {period} pushes": percentile_ratio(sync_steps(period), sync_steps(1))
        for period in (5, 50)
    }


#: The ways of annealing, and the setting of each.
ANNEALING = {"none": None, "global": "global", "per worker": "per_worker"}
#: One worker five times slower than the two others.
FIVE_TIMES_SLOWER = RandomSchedule((1.0, 1.0, 0.2))


@cache
def annealed_returns(kind: str, step_size: float, slow: bool = False) -> Floats:
    """Return the mean returns of the last 100 episodes, with this annealing and first step size.

    Parameters
    ----------
    kind : one of `ANNEALING`
    step_size : float from 0, of actor and critic, at first
    slow : bool
        Whether one of the three workers is five times slower than the others.

    Returns
    -------
    (60,) floats
        In the world's units, one number per seed.

    Examples
    --------
    >>> returns = annealed_returns("global", 0.1)
    >>> # −13 is the optimum
    >>> returns.shape, bool(-20.0 < returns.mean() < -13.0)
    ((60,), True)
    """
    config = A3CConfig(actor_lr=step_size, critic_lr=step_size, lr_anneal=ANNEALING[kind])  # type: ignore[arg-type]
    schedule = FIVE_TIMES_SLOWER if slow else None
    return measured(final_return, cliff_world(), config, schedule=schedule)


def c13() -> dict[str, Interval]:
    """Measure C13: what annealing per worker gains in return, against none and against global.

    Examples
    --------
    With made-up returns, to which annealing adds 2 if it is the worker's own, else 1:

    >>> from unittest.mock import patch
    >>> def returns(kind, step_size, slow=False):
    ...     return -17.0 + np.full(2, {"none": 0.0, "global": 1.0, "per worker": 2.0}[kind])
    >>> with patch(f"{__name__}.annealed_returns", returns):
    ...     [found.mean for found in c13().values()]
    [2.0, 2.0, 1.0]
    """
    own, none = "per worker", "none"
    return {
        "over none, step 0.1": interval(annealed_returns(own, 0.1) - annealed_returns(none, 0.1)),
        "over none, step 0.3": interval(annealed_returns(own, 0.3) - annealed_returns(none, 0.3)),
        "over global, step 0.3, one slow": interval(
            annealed_returns(own, 0.3, True) - annealed_returns("global", 0.3, True)
        ),
    }


#: Step sizes at which plain SGD without clipping goes well, or goes wrong.
HEALTHY_SIZES, WILD_SIZES = (0.1, 0.2), (0.3, 0.4, 0.5, 0.7)
#: A norm from which on a run has blown up, and the updates by which a warning has to come first.
BLOWN_UP, AHEAD = 1e6, 10


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


def unclipped(step_size: float) -> A3CConfig:
    """Return plain SGD without clipping: what can go wrong, can.

    Examples
    --------
    >>> unclipped(0.3).max_grad_norm is None
    True
    """
    return A3CConfig(optimizer="sgd", actor_lr=step_size, critic_lr=step_size, max_grad_norm=None)


@cache
def norm_threshold() -> float:
    """Return the highest norm that healthy runs on the tuning seeds had, and ten per cent.

    Examples
    --------
    >>> 100.0 < norm_threshold() < 200.0
    True
    """
    healthy = each_run(lambda run: run, cliff_world(), unclipped(0.1), TUNING_SEEDS)
    return calibrated_high(healthy)


def monitored(result: TrainingResult, high: float, low: float = 1e-3) -> MonitoredRun:
    """Say how a run ended, and what a monitor with these thresholds said of it.

    Parameters
    ----------
    result : TrainingResult
    high, low : float
        As in `GradientNormMonitor`.

    Examples
    --------
    >>> from a3c_tut import train
    >>> monitored(train(cliff_world(), total_steps=20_000), high=200.0).end
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


@cache
def monitored_runs(step_size: float) -> tuple[MonitoredRun, ...]:
    """Run plain SGD without clipping at a step size, and monitor the norms.

    Parameters
    ----------
    step_size : float, of actor and critic

    Examples
    --------
    >>> {run.end for run in monitored_runs(0.1)}
    {'works'}
    """
    look = partial(monitored, high=norm_threshold())
    return tuple(each_run(look, cliff_world(), unclipped(step_size)))


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
    >>> def runs(size):
    ...     return fine, blown if size > 0.2 else fine
    >>> with patch(f"{__name__}.monitored_runs", runs):
    ...     {end: len(runs) for end, runs in monitored_by_end().items()}
    {'works': 8, 'blows up': 4, 'collapses': 0}
    """
    runs = [run for size in HEALTHY_SIZES + WILD_SIZES for run in monitored_runs(size)]
    return {
        end: [run for run in runs if run.end == end] for end in ("works", "blows up", "collapses")
    }


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
