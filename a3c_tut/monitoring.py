"""Watch the gradient norms of a run, and warn (Section 3: "monitor gradient norms").

Every push records the norm of its gradient before clipping. Two things go wrong in two directions.
A critic that *blows up* sends the norm up, by a factor per update. A policy that *collapses*, that
is, becomes certain of something useless, sends it down: what is certain has no gradient.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from a3c_tut.checks import number, of_kind, several, whole
from a3c_tut.results import TrainingResult


class NormWarning(NamedTuple):
    """What a monitor has to say.

    Attributes
    ----------
    update : int
        The update after which it said so, counted from 0.
    kind : "high" or "low"
    norm : float
        The norm, or the median of norms, that crossed the threshold.

    Examples
    --------
    >>> str(NormWarning(update=41, kind="high", norm=1234.0)).split(";")[0]
    'update 41: the gradient norm is 1.23e+03'
    """

    update: int
    kind: Literal["high", "low"]
    norm: float

    def __str__(self) -> str:
        if self.kind == "high":
            return (
                f"update {self.update}: the gradient norm is {self.norm:.3g}; the critic may be "
                "diverging: lower critic_lr, or set max_grad_norm"
            )
        return (
            f"update {self.update}: the median gradient norm is {self.norm:.3g}; the policy may "
            "have collapsed: look at the returns, lower actor_lr, or raise entropy_coef"
        )


@dataclass
class GradientNormMonitor:
    """Warn once when a gradient norm is too high, once when the norms have become too low.

    Parameters
    ----------
    high : float above 0
        A norm above this, or one that is not a number, is a warning.
    low : float from 0
        A median of the last `window` norms below this is a warning; 0 switches it off.
    window : int from 1

    Raises
    ------
    ValueError
        For a setting out of range.

    Examples
    --------
    >>> monitor = GradientNormMonitor(high=100.0)
    >>> [warning.kind for norm in (3.0, 120.0, 500.0) if (warning := monitor.see(norm))]
    ['high']
    """

    high: float
    low: float = 0.0
    window: int = 500

    def __post_init__(self) -> None:
        if not self.high > 0:
            raise ValueError(f"high is {self.high!r}; allowed: a number above 0")
        if not 0 <= self.low < self.high:
            raise ValueError(f"low is {self.low!r}; allowed: a number from 0, below high")
        whole("window", self.window, 1)
        self._recent: deque[float] = deque(maxlen=self.window)
        self._seen = 0
        self._said: set[str] = set()

    def see(self, norm: float) -> NormWarning | None:
        """Take the next norm, and return a warning the first time there is one of its kind."""
        update = self._seen
        self._seen += 1
        if not norm <= self.high:  # true of NaN as well
            return self._say(update, "high", norm)
        if self.low == 0.0 or "low" in self._said:
            return None
        self._recent.append(norm)
        if len(self._recent) == self.window and self._recent[-1] < self.low:
            return self._say(update, "low", float(np.median(self._recent)))
        return None

    def _say(self, update: int, kind: Literal["high", "low"], norm: float) -> NormWarning | None:
        if kind in self._said or (kind == "low" and norm >= self.low):
            return None
        self._said.add(kind)
        return NormWarning(update, kind, norm)


def norm_warnings(
    result: TrainingResult, *, high: float, low: float = 0.0, window: int = 500
) -> list[NormWarning]:
    """Return what a monitor would have said during a run.

    Parameters
    ----------
    result : TrainingResult
        Of a run that diverged: the `result` of its `DivergenceError`.
    high, low, window : as in `GradientNormMonitor`

    Returns
    -------
    list of NormWarning
        At most one of each kind, in order.

    Examples
    --------
    >>> from a3c_tut import cliff_world, train
    >>> calm = train(cliff_world(), total_steps=5_000)
    >>> norm_warnings(calm, high=calibrated_high([calm]))
    []
    """
    of_kind("result", result, "TrainingResult")
    monitor = GradientNormMonitor(high, low, window)
    seen = (monitor.see(float(norm)) for norm in result.updates["grad_norm"])
    return [warning for warning in seen if warning is not None]


def calibrated_high(results: Iterable[TrainingResult], margin: float = 1.1) -> float:
    """Return a threshold from runs that went well: their largest norm, and a margin.

    Parameters
    ----------
    results : iterable of TrainingResult
    margin : float above 0, a factor

    Raises
    ------
    ValueError
        Where there is no run, or the margin is no number above 0.

    Examples
    --------
    >>> from a3c_tut import cliff_world, train
    >>> calibrated_high([train(cliff_world(), total_steps=5_000)]) > 10.0
    True
    """
    number("margin", margin, "a number above 0", lambda x: x > 0)
    runs = several("results", results, "TrainingResult")
    if not runs:
        raise ValueError("results is empty; allowed: at least one TrainingResult")
    return margin * max(float(run.updates["grad_norm"].max()) for run in runs)
