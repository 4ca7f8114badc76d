"""Training with a barrier after each round: the synchronous control of C15."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from a3c_tut import A3CConfig, TableWorld, TrainingResult, tables
from a3c_tut.book.evidence.watching import run_crew
from a3c_tut.compiling import kernel
from a3c_tut.schedules import RoundRobin
from a3c_tut.signals import DIVERGED, DONE, FINISHED, LOG_FULL, NEEDS_UNIFORMS
from a3c_tut.worker import Seed, TableCrew, refill


@kernel
def take_synchronous_turns(  # type: ignore[no-untyped-def]
    world, settings, shared, statistics, me, scratch, log, schedule, first, stop_at
):
    """Take whole turns in round-robin order, as `tables.take_turns` does, with a barrier.

    The workers' copies are refreshed all at once, after the last worker's push: all gradients of a
    round come from the same parameters. Nothing else differs.

    Parameters
    ----------
    world, settings, shared, statistics, me, scratch, log : as in `tables.take_turns`
    schedule, first, stop_at : likewise

    Returns
    -------
    next entry, why : int, int
        As `tables.take_turns`.

    Examples
    --------
    Of two workers' copies both are old until both have pushed:

    >>> from a3c_tut import cliff_world
    >>> from a3c_tut.worker import turn_arguments
    >>> made = turn_arguments(cliff_world(), A3CConfig(num_workers=2))
    >>> shared, me, order = made[2], made[4], np.array([0, 1])
    >>> [bool((take_synchronous_turns(*made, order[:turns], turns - 1, 1_000) == (turns, DONE))
    ...       and (me.theta == shared.theta).all()) for turns in (1, 2)]
    [False, True]
    """
    turn = first
    why = DONE
    while turn < schedule.shape[0]:
        index = schedule[turn]
        if shared.counters[tables.STEPS] >= stop_at:
            why = FINISHED
            break
        if log.filled[1] - log.drained[1] >= tables.LOG_ROWS:
            why = LOG_FULL
            break
        most = 1 + 2 * settings.rollout_length[index]
        if me.counters[index, tables.CURSOR] + most > me.uniforms.shape[1]:
            why = NEEDS_UNIFORMS
            break
        tables.prepare(world, settings, me, index, scratch)
        finite = tables.push(settings, shared, statistics, me, index, scratch, log)
        tables.walk_on(shared, me, index, scratch, log)
        if index == settings.num_workers - 1:
            for worker in range(settings.num_workers):
                tables.sync(settings, shared, me, worker)
        turn += 1
        if not finite:
            why = DIVERGED
            break
    return turn, why


class _SynchronousCrew(TableCrew):
    """Workers that wait for each other after every round."""

    def take_turns(
        self, schedule: NDArray[np.int64], stop_at: int
    ) -> tuple[bool, NDArray[Any], NDArray[Any]]:
        """Take whole turns in this order."""
        turn, why = 0, NEEDS_UNIFORMS
        while why == NEEDS_UNIFORMS:
            for index, stream in enumerate(self._streams):
                if self.local.counters[index, tables.CURSOR] > 0:
                    refill(self.local, index, stream)
            turn, why = take_synchronous_turns(
                self._world, self._settings, self.shared, self.statistics, self.local,
                self._scratch, self._log, schedule, turn, stop_at,
            )  # fmt: skip
        episodes, updates, *_ = tables.drain(self._log)
        return why == DIVERGED, episodes, updates


def train_synchronously(
    world: TableWorld, config: A3CConfig, *, total_steps: int, seed: Seed
) -> TrainingResult:
    """Train with a barrier after each round: the synchronous control.

    Each worker computes one gradient from the same parameters; all of them are pushed, one after
    the other; then all workers refresh their copies. Number and order of the pushes are those of an
    asynchronous run with the round-robin schedule.

    Parameters
    ----------
    world, config, total_steps, seed : as in `train`

    Returns
    -------
    TrainingResult

    Raises
    ------
    DivergenceError
        When a parameter is no longer finite.

    Examples
    --------
    With one worker there is nobody to wait for:

    >>> from a3c_tut import cliff_world, train
    >>> alone = A3CConfig(num_workers=1)
    >>> run = train_synchronously(cliff_world(), alone, total_steps=600, seed=0)
    >>> bool((run.theta == train(cliff_world(), alone, total_steps=600).theta).all())
    True
    """
    zeros = np.zeros((world.num_states, world.num_actions))
    crew = _SynchronousCrew(world, config, total_steps, seed, zeros, zeros[:, 0])
    order = RoundRobin(config.num_workers)
    return run_crew(crew, order, total_steps, world, config, total_steps, seed)
