"""The emulated runner: all workers in one process, in the order of a schedule (Section 4).

It knows nothing of tables or networks: a crew takes turns, the runner says in which order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from numpy.typing import NDArray

from a3c_tut.schedules import Schedule

_CHUNK = 4096


class Crew(Protocol):
    """What the runner needs of the workers.

    Examples
    --------
    >>> import numpy as np
    >>> from a3c_tut import A3CConfig, cliff_world
    >>> from a3c_tut.engine.crew import Job, TableCrew
    >>> crew: Crew = TableCrew(Job.fresh(cliff_world(), A3CConfig(rollout_length=5)))
    >>> diverged, episodes, updates = crew.take_turns(np.array([0, 1]), stop_at=100)
    >>> diverged, crew.steps, crew.num_updates
    (False, 10, 2)
    """

    @property
    def steps(self) -> int:
        """Environment steps pushed so far."""

    @property
    def num_updates(self) -> int:
        """Pushes so far."""

    def take_turns(
        self, schedule: NDArray[Any], stop_at: int
    ) -> tuple[bool, NDArray[Any], NDArray[Any]]:
        """Take whole turns in schedule order, until `stop_at` steps are pushed.

        Return whether they diverged, the episodes and the updates.
        """


def run(
    crew: Crew, schedule: Schedule, stop_at: int, on_progress: Callable[[int], object]
) -> tuple[bool, list[NDArray[Any]], list[NDArray[Any]]]:
    """Let a crew take turns until the schedule ends or `stop_at` steps are pushed.

    Parameters
    ----------
    crew : the workers
    schedule : whose turn it is; entry `i` belongs to update `i` of the whole run
    stop_at : int, environment steps; the push that reaches it is the last
    on_progress : called with the steps pushed so far, every millisecond or so

    Returns
    -------
    diverged, episodes, updates : bool and lists of structured arrays
        Whether the run ended because a parameter is not finite, and what was logged.

    Examples
    --------
    >>> from a3c_tut import A3CConfig, cliff_world
    >>> from a3c_tut.engine.crew import Job, TableCrew
    >>> from a3c_tut.schedules import RoundRobin
    >>> crew = TableCrew(Job.fresh(cliff_world(), A3CConfig(rollout_length=5)))
    >>> diverged, episodes, updates = run(crew, RoundRobin(3), 23, on_progress=print)
    25
    >>> updates[0]["worker"].tolist()
    [0, 1, 2, 0, 1]
    """
    episodes, updates = [], []
    diverged = False
    while crew.steps < stop_at and not diverged:
        turns = schedule.entries(crew.num_updates, _CHUNK)
        if turns.size == 0:
            break
        diverged, new_episodes, new_updates = crew.take_turns(turns, stop_at)
        episodes.append(new_episodes)
        updates.append(new_updates)
        on_progress(crew.steps)
    return diverged, episodes, updates
