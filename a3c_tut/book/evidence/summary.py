"""What the book's claims C10 to C18 are measured with (Sections 3 and 6).

One function per claim, `c10` to `c18`. Each returns the measured effects, as intervals under the
names that the ledger asks for; what a plot needs comes from the function that the claim is made of.
Seeds 0 to 59 settle a claim; seeds 1000 to 1029 are for looking around, tuning and calibrating.

*Speed* is the number of environment steps, of all workers together, until 50 episodes in a row
return −20 on average. A run that does not get there counts with all the steps it had, which makes
slow variants look better than they are, never worse.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from a3c_tut import tables
from a3c_tut.claims import Interval
from a3c_tut.compiling import kernel
from a3c_tut.config import A3CConfig
from a3c_tut.errors import DivergenceError
from a3c_tut.evidence import interval
from a3c_tut.exact import action_values, optimal_action_values, policy_values, state_occupancy
from a3c_tut.experiments import (
    each_seed,
    final_return,
    mean_interval,
    moving_average,
    steps_to_return,
)
from a3c_tut.monitoring import calibrated_high, norm_warnings
from a3c_tut.results import TrainingResult
from a3c_tut.runners import emulated
from a3c_tut.schedules import RandomSchedule, RoundRobin
from a3c_tut.signals import DIVERGED, DONE, FINISHED, LOG_FULL, NEEDS_UNIFORMS
from a3c_tut.training import train
from a3c_tut.worker import Seed, TableCrew, refill
from a3c_tut.worlds import TableWorld, cliff_world, corridor_world, sparse_grid_world

Floats = NDArray[np.float64]
Value = TypeVar("Value")

#: The seeds that settle a claim, and those for looking around, tuning and calibrating.
SEEDS, TUNING_SEEDS = range(60), range(1000, 1030)
#: What counts as having learned the cliff-world.
TARGET = -20.0
#: Step sizes of actor and critic that tuning chooses from.
STEP_SIZES = (0.05, 0.1, 0.15, 0.2, 0.3)
#: Steps of a run, all workers together.
TOTAL_STEPS = 40_000


# --- Statistics ---------------------------------------------------------------------------------


def ratio(above: ArrayLike, below: ArrayLike) -> Interval:
    """Return the ratio of two means over the same seeds, with its 95 % bootstrap interval.

    Seeds are drawn in pairs, so that what both have in common cancels.

    Parameters
    ----------
    above, below : (M,), one measurement per seed

    Examples
    --------
    >>> ratio([2.0, 4.0, 6.0], [1.0, 2.0, 3.0])
    Interval(mean=2.0, low=2.0, high=2.0)
    """
    a, b = np.asarray(above, dtype=float), np.asarray(below, dtype=float)
    drawn = np.random.default_rng(0).integers(len(a), size=(9_999, len(a)))
    ratios = a[drawn].mean(axis=1) / b[drawn].mean(axis=1)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return Interval(float(a.mean() / b.mean()), float(low), float(high))


def curve(function: Callable[[Any], Floats], values: Sequence[Any]) -> Floats:
    """Return mean and interval of a measurement at each value of a setting, for a plot.

    Parameters
    ----------
    function : from a value to (M,) measurements, one per seed
    values : sequence of P values

    Returns
    -------
    (P, 3) floats
        Mean, low and high.

    Examples
    --------
    >>> curve(lambda n: np.full(3, 2.0 * n), [1, 2]).tolist()
    [[2.0, 2.0, 2.0], [4.0, 4.0, 4.0]]
    """
    return np.array([mean_interval(function(value)) for value in values])


def steps_needed(result: TrainingResult) -> float:
    """Return the steps until 50 episodes return −20 on average, at most all the steps of the run.

    Examples
    --------
    >>> steps_needed(train(cliff_world(), total_steps=1_000))
    1000.0
    """
    return float(min(steps_to_return(result, TARGET), result.total_steps))


def successes(result: TrainingResult) -> float:
    """Return how many episodes reached the goal.

    Examples
    --------
    >>> successes(train(sparse_grid_world(), total_steps=1_000)) > 0
    True
    """
    return float(np.count_nonzero(~result.episodes["truncated"]))


def first_success(result: TrainingResult) -> float:
    """Return the steps until the first episode that reached the goal, at most all of them.

    Examples
    --------
    >>> first_success(train(corridor_world(30), total_steps=1_000))
    1000.0
    """
    arrived = result.episodes["step"][~result.episodes["truncated"]]
    return float(arrived[0] if arrived.size else result.total_steps)


def measured(
    measure: Callable[[TrainingResult], float | tuple[float, ...]],
    world: TableWorld,
    config: A3CConfig,
    seeds: Sequence[int] = SEEDS,
    total_steps: int = TOTAL_STEPS,
    equal_seeds: bool = False,
    **asked: Any,
) -> Floats:
    """Return one measurement per seed; a run that diverges is measured up to there.

    Parameters
    ----------
    measure : function of a TrainingResult
        One number, or several.
    world, config, total_steps : as in `train`
    seeds : sequence of int
    equal_seeds : bool
        Whether all workers of a run see the same random numbers.
    **asked
        Further arguments of `train`.

    Examples
    --------
    >>> measured(lambda run: float(run.steps >= 600), cliff_world(), A3CConfig(), [1], 600).tolist()
    [1.0]
    """

    def one(seed: int) -> float | tuple[float, ...]:
        given: Seed = (seed,) * config.num_workers if equal_seeds else seed
        try:
            return measure(train(world, config, seed=given, total_steps=total_steps, **asked))
        except DivergenceError as error:
            return measure(error.result)

    return np.array(each_seed(one, seeds))


def tuned(
    config: A3CConfig,
    score: Callable[[A3CConfig], float],
    step_sizes: Sequence[float] = STEP_SIZES,
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


# --- C10: CPU-friendly training (Section 3.1) -----------------------------------------------------


def measure_throughput(
    num_workers: int, rollout_length: int = 5, total_steps: int = 3_000_000
) -> float:
    """Return the environment steps a second of so many worker processes, once they run.

    Counted by the parent while the workers run: neither their start nor their end is in it.

    Parameters
    ----------
    num_workers, rollout_length : int
    total_steps : int
        Long enough for a few looks of the parent at the shared step counter.

    Examples
    --------
    With a run in place of the processes that makes 100,000 steps in each second:

    >>> from unittest.mock import patch
    >>> def run(team, *, on_progress, **asked):
    ...     for steps in range(0, 1_000_001, 100_000):
    ...         on_progress(steps)
    >>> seconds = patch("time.perf_counter", side_effect=range(11))
    >>> with patch("a3c_tut.runners.processes.run", run), seconds:
    ...     measure_throughput(2, total_steps=1_000_000)
    100000.0
    """
    import time

    from a3c_tut.errors import WorkerError
    from a3c_tut.runners import processes
    from a3c_tut.team import TableTeam

    world = cliff_world()
    config = A3CConfig(num_workers=num_workers, rollout_length=rollout_length)
    zeros = np.zeros((world.num_states, world.num_actions))
    looks: list[tuple[float, int]] = []
    failures: list[WorkerError] = []
    team = TableTeam(world, config, total_steps, total_steps, 0, zeros, zeros[:, 0], None)
    try:
        processes.run(
            team, start_method="spawn", on_worker_failure="raise", failures=failures,
            on_progress=lambda steps: looks.append((time.perf_counter(), steps)),
        )  # fmt: skip
    finally:
        team.close()
    moving = [look for look in looks if 0.1 * total_steps < look[1] < 0.9 * total_steps]
    (begin, first), (end, last) = moving[0], moving[-1]
    return (last - first) / (end - begin)


def record_throughput(path: str | os.PathLike[str], repetitions: int = 30) -> dict[str, Any]:
    """Measure one and two processes in turns, and write what came out, and where, to a file.

    Parameters
    ----------
    path : path of the JSON file to write
    repetitions : int from 1

    Returns
    -------
    dict
        "steps_per_second", by rollout length and number of processes; machine, versions and date.

    Raises
    ------
    OSError
        When the file cannot be written.

    Examples
    --------
    With made-up speeds in place of the processes':

    >>> import tempfile
    >>> from unittest.mock import patch
    >>> def speed(num_workers, rollout_length):
    ...     return 1_000_000 * num_workers
    >>> made_up = patch(f"{__name__}.measure_throughput", speed)
    >>> with tempfile.TemporaryDirectory() as folder, made_up:
    ...     record = record_throughput(Path(folder) / "throughput.json", repetitions=2)
    >>> record["steps_per_second"]["5"]
    {'1': [1000000, 1000000], '2': [2000000, 2000000]}
    """
    import datetime
    import platform

    import numba

    rates: dict[str, dict[str, list[int]]] = {n: {"1": [], "2": []} for n in ("5", "20")}
    load = [os.getloadavg()[0]]
    for _ in range(repetitions):
        for length, by_workers in rates.items():
            for workers, measured_rates in by_workers.items():
                measured_rates.append(round(measure_throughput(int(workers), int(length))))
        load.append(os.getloadavg()[0])
    record = {
        "what": "environment steps a second, cliff-world 4 × 12, by rollout length and processes",
        "machine": {"system": platform.system(), "processor": platform.machine(),
                    "cores": os.cpu_count(), "load": [round(min(load), 1), round(max(load), 1)]},
        "versions": {"python": platform.python_version(), "numpy": np.__version__,
                     "numba": numba.__version__},
        "date": datetime.date.today().isoformat(),
        "steps_per_second": rates,
    }  # fmt: skip
    Path(path).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return record


def throughput(folder: str | os.PathLike[str] | None = None) -> dict[str, Any]:
    """Read the record of `record_throughput` from the book's data.

    Parameters
    ----------
    folder : path, optional
        Default: `data` beside the notebook, or `book/data` below a folder above it.

    Returns
    -------
    dict
        As `record_throughput` returned it.

    Raises
    ------
    FileNotFoundError
        When there is no such file.

    Examples
    --------
    >>> record = throughput()
    >>> {n: sorted(rates) for n, rates in record["steps_per_second"].items()}
    {'5': ['1', '2'], '20': ['1', '2']}
    """
    name = "throughput.json"
    places = [Path(folder)] if folder is not None else [
        here / inside
        for here in (Path.cwd(), *Path.cwd().parents) for inside in ("data", "book/data")
    ]  # fmt: skip
    for place in places:
        if (place / name).exists():
            content: dict[str, Any] = json.loads((place / name).read_text(encoding="utf-8"))
            return content
    raise FileNotFoundError(f"{name} is in no data folder above this one")


class Memory(NamedTuple):
    """Bytes, summed over arrays.

    Attributes
    ----------
    buffer : int
        A replay buffer.
    workers : int
        What asynchronous workers hold in its place.

    Examples
    --------
    >>> needed = pixel_memory()
    >>> needed.buffer > 10 * needed.workers
    True
    """

    buffer: int
    workers: int


def table_memory(num_workers: int = 16, transitions: int = 1_000_000) -> Memory:
    """Return the memory of a replay buffer for a table, and of this package's workers.

    A transition is two states (4 bytes each), an action (1), a reward (8) and a flag (1). A worker
    holds its copy of the tables, its rollout, its random numbers drawn ahead, and its log.

    Parameters
    ----------
    num_workers : int from 1
    transitions : int, the size of the buffer

    Returns
    -------
    Memory
        In bytes.

    Examples
    --------
    >>> table_memory().buffer
    18000000
    """
    config, world = A3CConfig(num_workers=num_workers), cliff_world()
    local = tables.make_local(
        range(num_workers), np.zeros((world.num_states, world.num_actions)),
        np.zeros(world.num_states), 32_768,
    )  # fmt: skip
    scratch, log = tables.make_scratch(config, world), tables.make_log()
    own = sum(array.nbytes for array in local)
    own += num_workers * sum(array.nbytes for part in scratch for array in part)
    return Memory(transitions * 18, own + num_workers * sum(array.nbytes for array in log))


def pixel_memory(
    num_workers: int = 16, rollout_length: int = 5, transitions: int = 1_000_000
) -> Memory:
    """Return the same for the networks and frames of Mnih et al. (2016).

    The buffer holds each 84 × 84 frame once, in bytes, with an action (1), a reward (4) and a flag
    (1). A worker holds a rollout of stacks of four frames, and a copy of the network (two
    convolutions, 256 hidden units, 18 actions and a value) and of its gradient, in 32-bit numbers.

    Parameters
    ----------
    num_workers, rollout_length : int from 1
    transitions : int, the size of the buffer

    Returns
    -------
    Memory
        In bytes.

    Examples
    --------
    >>> pixel_memory().buffer
    7062000000
    """
    weights = (4 * 8 * 8 + 1) * 16 + (16 * 4 * 4 + 1) * 32 + (32 * 9 * 9 + 1) * 256 + 257 * 19
    rollout = (rollout_length + 1) * 4 * 84 * 84 + rollout_length * 5
    return Memory(transitions * (84 * 84 + 6), num_workers * (2 * 4 * weights + rollout))


def c10() -> dict[str, Interval]:
    """Measure C10: what two processes are worth, and what no replay buffer saves.

    Examples
    --------
    A buffer of frames takes nearly eighty times the memory of sixteen workers:

    >>> round(c10()["buffer against workers, pixels"].mean)
    79
    """
    rates = throughput()["steps_per_second"]["5"]
    table, pixels = table_memory(), pixel_memory()
    return {
        "speed-up of two processes": ratio(rates["2"], rates["1"]),
        "buffer against workers, pixels": _exactly(pixels.buffer / pixels.workers),
        "buffer against workers, table": _exactly(table.buffer / table.workers),
    }


def _exactly(value: float) -> Interval:
    return Interval(value, value, value)


# --- C11: sparse rewards (Section 3.2) ------------------------------------------------------------

#: The two worlds where nothing but the goal pays.
#:
#: :meta hide-value:
SPARSE_WORLDS = {"grid": sparse_grid_world(10, 10), "corridor": corridor_world(12)}
SPARSE_TEAM, SPARSE_STEPS = 8, 40_000


class Sparse(NamedTuple):
    """Successful episodes, and steps to the first of them, one number per seed.

    Attributes
    ----------
    successes, first : (M,)

    Examples
    --------
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
    >>> len(runs.first) == len(SEEDS), bool(runs.first.max() <= 1_000.0)
    (True, True)
    """
    both = measured(
        lambda run: (successes(run), first_success(run)),
        SPARSE_WORLDS[world],
        sparse_tuned(world, num_workers),
        SEEDS,
        steps,
        equal_seeds,
    )
    return Sparse(*both.T)


@cache
def sparse_tuned(world: str, num_workers: int, rollout_length: int = 5) -> A3CConfig:
    """Return the configuration whose step size brings most successes on the tuning seeds.

    Parameters
    ----------
    world : one of the `SPARSE_WORLDS`
    num_workers, rollout_length : int from 1

    Examples
    --------
    >>> sparse_tuned("corridor", 1).actor_lr in STEP_SIZES
    True
    """
    where = SPARSE_WORLDS[world]
    asked = A3CConfig(num_workers=num_workers, rollout_length=rollout_length, reward_scale=1.0)
    return tuned(
        asked,
        lambda c: -float(measured(successes, where, c, TUNING_SEEDS, SPARSE_STEPS).mean()),
    )


def c11() -> dict[str, Interval]:
    """Measure C11: successful rollouts of eight workers, against equal seeds and one worker.

    Examples
    --------
    With made-up runs, in which every worker brings three successes:

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
            f"{world}, different over equal seeds": ratio(team.successes, same.successes),
            f"{world}, eight over one, equal samples": ratio(team.successes, alone.successes),
            f"{world}, eight over one, equal time": ratio(longer.successes, alone.successes),
        }
    return effects


# --- C12: synchronise periodically (Section 3, best practices) ------------------------------------

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
        f"steps, every {period} pushes": ratio(sync_steps(period), sync_steps(1))
        for period in (5, 50)
    }


# --- C13: annealing (Section 3, best practices) ---------------------------------------------------

ANNEALING = {"none": None, "global": "global", "per worker": "per_worker"}
#: One worker five times slower than the two others.
ONE_SLOW = RandomSchedule((1.0, 1.0, 0.2))


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
    schedule = ONE_SLOW if slow else None
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


# --- C14: gradient norms (Section 3, best practices) ----------------------------------------------

#: Step sizes at which plain SGD without clipping goes well, or goes wrong.
HEALTHY_SIZES, WILD_SIZES = (0.1, 0.2), (0.3, 0.4, 0.5, 0.7)
BLOWN_UP, EARLY = 1e6, 10


class Watched(NamedTuple):
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
    >>> run = Watched(end="blows up", lead=159.0, high=True, low=False)
    >>> run.lead >= EARLY  # announced ten updates before, or more
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

    def run(seed: int) -> TrainingResult:
        return train(cliff_world(), unclipped(0.1), total_steps=TOTAL_STEPS, seed=seed)

    return calibrated_high(each_seed(run, TUNING_SEEDS))


def watched(result: TrainingResult, high: float, low: float = 1e-3) -> Watched:
    """Say how a run ended, and what a monitor with these thresholds said of it.

    Parameters
    ----------
    result : TrainingResult
    high, low : float
        As in `GradientNormMonitor`.

    Examples
    --------
    >>> watched(train(cliff_world(), total_steps=20_000), high=200.0).end
    'works'
    """
    blown = np.flatnonzero(~(result.updates["grad_norm"] < BLOWN_UP))
    said = {w.kind: w.update for w in norm_warnings(result, high=high, low=low)}
    if blown.size:
        end = "blows up"
    else:
        end = "collapses" if result.episodes["truncated"][-50:].all() else "works"
    lead = float(blown[0] - said["high"]) if blown.size and "high" in said else np.nan
    return Watched(end, lead, "high" in said, "low" in said)


@cache
def watched_runs(step_size: float) -> tuple[Watched, ...]:
    """Run plain SGD without clipping at a step size, and watch the norms.

    Parameters
    ----------
    step_size : float, of actor and critic

    Examples
    --------
    >>> {run.end for run in watched_runs(0.1)}
    {'works'}
    """
    threshold = norm_threshold()

    def one(seed: int) -> Watched:
        try:
            run = train(cliff_world(), unclipped(step_size), total_steps=TOTAL_STEPS, seed=seed)
        except DivergenceError as error:
            run = error.result
        return watched(run, threshold)

    return tuple(each_seed(one, SEEDS))


def watched_by_end() -> dict[str, list[Watched]]:
    """Return all watched runs, by how they ended.

    Returns
    -------
    dict
        The runs that "works", "blows up" and "collapses".

    Examples
    --------
    With two made-up runs at each step size:

    >>> from unittest.mock import patch
    >>> fine, blown = Watched("works", np.nan, False, False), Watched("blows up", 50.0, True, False)
    >>> with patch(f"{__name__}.watched_runs", lambda size: (fine, blown if size > 0.2 else fine)):
    ...     {end: len(runs) for end, runs in watched_by_end().items()}
    {'works': 8, 'blows up': 4, 'collapses': 0}
    """
    runs = [run for size in HEALTHY_SIZES + WILD_SIZES for run in watched_runs(size)]
    return {
        end: [run for run in runs if run.end == end] for end in ("works", "blows up", "collapses")
    }


def c14(runs: Mapping[str, Sequence[Watched]] | None = None) -> dict[str, Interval]:
    """Measure C14: shares of runs with a warning, by how they ended.

    Parameters
    ----------
    runs : optional
        Default: `watched_by_end()`.

    Examples
    --------
    >>> announced = Watched("blows up", lead=159.0, high=True, low=False)
    >>> late = announced._replace(lead=3.0)
    >>> fine = Watched("works", np.nan, False, False)
    >>> found = c14({"blows up": [announced, late], "collapses": [fine], "works": [fine]})
    >>> [share.mean for share in found.values()]
    [0.5, 0.0, 0.0]
    """
    runs = watched_by_end() if runs is None else runs
    return {
        "blow-ups announced": interval([float(run.lead >= EARLY) for run in runs["blows up"]]),
        "collapses announced": interval([float(run.high) for run in runs["collapses"]]),
        "false alarms": interval([float(run.high) for run in runs["works"]]),
    }


# --- C15: worker diversity (Section 6) ------------------------------------------------------------

TEAMS = (1, 2, 4, 8, 16)
KINDS = ("different seeds", "equal seeds", "synchronous")


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


class Synchronous(NamedTuple):
    """A run with a barrier.

    Attributes
    ----------
    episodes, updates : structured arrays
        As in a `TrainingResult`.
    theta : (S, A)

    Examples
    --------
    >>> run = train_synchronously(cliff_world(), A3CConfig(), total_steps=600, seed=0)
    >>> run.updates["worker"][:4].tolist(), run.theta.shape
    ([0, 1, 2, 0], (48, 4))
    """

    episodes: NDArray[Any]
    updates: NDArray[Any]
    theta: Floats


def train_synchronously(
    world: TableWorld, config: A3CConfig, *, total_steps: int, seed: Seed
) -> Synchronous:
    """Train with a barrier after each round: the synchronous control.

    Each worker computes one gradient from the same parameters; all of them are pushed, one after
    the other; then all workers refresh their copies. Number and order of the pushes are those of an
    asynchronous run with the round-robin schedule.

    Parameters
    ----------
    world, config, total_steps, seed : as in `train`

    Returns
    -------
    Synchronous

    Examples
    --------
    With one worker there is nobody to wait for:

    >>> alone = A3CConfig(num_workers=1)
    >>> run = train_synchronously(cliff_world(), alone, total_steps=600, seed=0)
    >>> bool((run.theta == train(cliff_world(), alone, total_steps=600).theta).all())
    True
    """
    zeros = np.zeros((world.num_states, world.num_actions))
    crew = _SynchronousCrew(world, config, total_steps, seed, zeros, zeros[:, 0])
    order = RoundRobin(config.num_workers)
    with np.errstate(all="ignore"):
        _, episodes, updates = emulated.run(crew, order, total_steps, lambda steps: None)
    return Synchronous(
        tables.joined(tables.EPISODE_DTYPE, episodes), tables.joined(tables.UPDATE_DTYPE, updates),
        crew.shared.theta,
    )  # fmt: skip


def team_steps(kind: str, config: A3CConfig, seeds: Sequence[int]) -> Floats:
    """Return the steps needed by a team of one of the `KINDS`, one number per seed.

    Parameters
    ----------
    kind : one of the `KINDS`
    config : A3CConfig
    seeds : sequence of int

    Returns
    -------
    (seeds,) floats
        Environment steps of all workers; see `steps_needed`.

    Examples
    --------
    >>> (team_steps("synchronous", A3CConfig(), [0, 1]) < TOTAL_STEPS).tolist()
    [True, True]
    """
    if kind != "synchronous":
        return measured(
            steps_needed, cliff_world(), config, seeds, equal_seeds=kind == "equal seeds"
        )

    def one(seed: int) -> float:
        run = train_synchronously(cliff_world(), config, total_steps=TOTAL_STEPS, seed=seed)
        means = moving_average(run.episodes["total_return"], 50)
        reached = np.flatnonzero(means >= TARGET)
        steps = run.episodes["step"][reached[0] + 49] if reached.size else TOTAL_STEPS
        return float(min(steps, TOTAL_STEPS))

    return np.array(each_seed(one, seeds))


@cache
def team_tuned(kind: str, num_workers: int) -> A3CConfig:
    """Return the configuration whose step size needs fewest steps on the tuning seeds.

    Parameters
    ----------
    kind : one of the `KINDS`
    num_workers : int from 1

    Examples
    --------
    >>> team_tuned("different seeds", 1).actor_lr in STEP_SIZES
    True
    """
    return tuned(
        A3CConfig(num_workers=num_workers),
        lambda config: float(team_steps(kind, config, TUNING_SEEDS).mean()),
    )


@cache
def team_runs(kind: str, num_workers: int) -> Floats:
    """Return the steps needed by a tuned team, one number per seed.

    Parameters
    ----------
    kind : one of the `KINDS`
    num_workers : int from 1

    Examples
    --------
    >>> steps = team_runs("different seeds", 1)
    >>> steps.shape, bool(steps.max() < TOTAL_STEPS)
    ((60,), True)
    """
    return team_steps(kind, team_tuned(kind, num_workers), SEEDS)


def c15() -> dict[str, Interval]:
    """Measure C15: what eight workers gain in samples, in ideal time, and two in measured time.

    Examples
    --------
    With a made-up team of eight that needs a third more samples than one worker:

    >>> from unittest.mock import patch
    >>> def steps(kind, num_workers):
    ...     return np.full(2, 4_000.0 if num_workers == 8 else 3_000.0)
    >>> with patch(f"{__name__}.team_runs", steps):
    ...     found = c15()
    >>> found["samples, one over eight"].mean, found["ideal time, one over eight"].mean
    (0.75, 6.0)
    """
    alone, team = team_runs("different seeds", 1), team_runs("different seeds", 8)
    rates = throughput()["steps_per_second"]["5"]
    samples = ratio(alone, team)
    pair = ratio(alone, team_runs("different seeds", 2))
    faster = ratio(rates["2"], rates["1"])
    return {
        "samples, one over eight": samples,
        "samples, equal over different seeds": ratio(team_runs("equal seeds", 8), team),
        "ideal time, one over eight": Interval(8 * samples.mean, 8 * samples.low, 8 * samples.high),
        # Both ends at their worst, both at their best: wider than 95 %.
        "measured time, one over two": Interval(
            pair.mean * faster.mean, pair.low * faster.low, pair.high * faster.high
        ),
    }


# --- C16: interpretable probabilities (Section 6) -------------------------------------------------

#: A state counts as visited when an episode spends at least this many (discounted) steps there.
VISITED = 0.1


class Reading(NamedTuple):
    """How a policy's probabilities agree with exact values; "elsewhere": rarely visited states.

    Attributes
    ----------
    optimal, optimal_elsewhere : float
        Share of states whose most probable action is optimal.
    own, own_elsewhere : float
        Share whose most probable action is best under the policy itself.
    rank, rank_elsewhere : float
        Mean rank correlation of probabilities and exact advantages of the policy itself.

    Examples
    --------
    >>> # always to the left
    >>> reading = read_policy(cliff_world(), np.eye(4)[np.full(48, 3)])
    >>> reading.optimal < 0.5
    True
    """

    optimal: float
    optimal_elsewhere: float
    own: float
    own_elsewhere: float
    rank: float
    rank_elsewhere: float


def rank_correlation(x: ArrayLike, y: ArrayLike) -> float:
    """Return Spearman's rank correlation; equal values share their mean rank; NaN for a constant.

    Parameters
    ----------
    x, y : (A,) floats
        Differences in `y` below 10⁻⁹ count as none.

    Examples
    --------
    >>> rank_correlation([0.1, 0.2, 0.7], [-3.0, 0.0, 1.0])
    1.0
    """
    from scipy.stats import rankdata

    middle = (np.size(x) + 1) / 2
    a = rankdata(x) - middle
    b = rankdata(np.round(np.asarray(y, dtype=float), 9)) - middle
    size = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / size if size else float("nan")


def read_policy(
    world: TableWorld, policy: ArrayLike, gamma: float = 0.99, visited: float = VISITED
) -> Reading:
    """Hold a policy's probabilities against exact values, state by state.

    Parameters
    ----------
    world : TableWorld
    policy : (S, A) floats
    gamma : float in [0, 1]
    visited : float
        The discounted steps of an episode from which on a state counts as visited.

    Returns
    -------
    Reading
        Without the cliff and the goal, where nobody acts.

    Examples
    --------
    >>> from a3c_tut.exact import optimal_policy
    >>> read_policy(cliff_world(), optimal_policy(cliff_world(), 0.99)).optimal
    1.0
    """
    pi = np.asarray(policy, dtype=float)
    best = optimal_action_values(world, gamma)
    values = policy_values(world, pi, gamma)
    advantage = action_values(world, values, gamma) - values[:, None]
    occupancy = state_occupancy(world, pi, gamma)
    inside = np.array([world.marks.get(s) not in ("C", "G") for s in range(world.num_states)])
    chosen, rows = pi.argmax(axis=1), np.arange(world.num_states)
    optimal = best[rows, chosen] >= best.max(axis=1) - 1e-9
    own = advantage[rows, chosen] >= advantage.max(axis=1) - 1e-9
    rank = np.array([rank_correlation(pi[s], advantage[s]) for s in rows])
    here = inside & (occupancy >= visited)
    there = inside & ~here
    shares = [float(np.mean(x[where])) for x in (optimal, own) for where in (here, there)]
    ranks = [
        float(np.nanmean(rank[where])) if np.isfinite(rank[where]).any() else float("nan")
        for where in (here, there)
    ]
    return Reading(*shares, *ranks)


@cache
def readings() -> tuple[Reading, ...]:
    """Read the policies of default runs on the cliff-world, 60,000 steps each.

    Examples
    --------
    >>> len(readings()), float(np.mean([reading.optimal for reading in readings()])) > 0.8
    (60, True)
    """

    def one(seed: int) -> Reading:
        return read_policy(cliff_world(), train(cliff_world(), seed=seed).policy)

    return tuple(each_seed(one, SEEDS))


def c16() -> dict[str, Interval]:
    """Measure C16: agreement of probabilities with exact values, visited states and others.

    Examples
    --------
    >>> found = c16()
    >>> found["optimal where visited"].low > found["optimal elsewhere"].high
    True
    """
    table = np.array(readings())
    kept = dict(zip(Reading._fields, table.T, strict=True))
    return {
        "optimal where visited": interval(kept["optimal"]),
        "optimal elsewhere": interval(kept["optimal_elsewhere"]),
        "ranks where visited": interval(kept["rank"]),
        "ranks elsewhere": interval(kept["rank_elsewhere"]),
    }


# --- C17: rollout length, entropy, optimizer (Section 6) ------------------------------------------

LENGTHS, BETAS = (1, 2, 5, 10, 20, 50), (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3)


@cache
def length_tuned(rollout_length: int, optimizer: str = "rmsprop") -> A3CConfig:
    """Return the configuration whose step size needs fewest steps on the tuning seeds.

    Parameters
    ----------
    rollout_length : int from 1
    optimizer : "rmsprop" or "sgd"

    Examples
    --------
    >>> length_tuned(5).actor_lr in STEP_SIZES
    True
    """
    asked = A3CConfig(rollout_length=rollout_length, optimizer=optimizer)  # type: ignore[arg-type]
    sizes = STEP_SIZES if optimizer == "rmsprop" else tuple(3 * size for size in STEP_SIZES)
    return tuned(
        asked, lambda c: float(measured(steps_needed, cliff_world(), c, TUNING_SEEDS).mean()), sizes
    )


@cache
def length_steps(rollout_length: int, optimizer: str = "rmsprop") -> Floats:
    """Return the steps needed with rollouts of this length, the step size tuned for it.

    Parameters
    ----------
    rollout_length : int from 1
    optimizer : "rmsprop" or "sgd"

    Returns
    -------
    (60,) floats
        Environment steps of all workers, one number per seed.

    Examples
    --------
    >>> steps = length_steps(5)
    >>> steps.shape, bool(steps.max() < TOTAL_STEPS)
    ((60,), True)
    """
    return measured(steps_needed, cliff_world(), length_tuned(rollout_length, optimizer))


@cache
def entropy_steps(beta: float) -> Floats:
    """Return the steps needed with this weight of the entropy, all else default.

    Parameters
    ----------
    beta : float from 0

    Returns
    -------
    (60,) floats
        Environment steps of all workers, one number per seed.

    Examples
    --------
    >>> # too much noise in acting
    >>> bool(entropy_steps(0.3).mean() > entropy_steps(0.01).mean())
    True
    """
    return measured(steps_needed, cliff_world(), A3CConfig(entropy_coef=beta))


@cache
def gradient_noise(rollout_length: int, samples: int = 1_000, groups: int = 60) -> Floats:
    """Return the relative noise of the actor's gradient from so many samples, once per group.

    Policy and values are held fixed, at uniform and 0, by a step size so small that nothing
    changes: the shared logits are then the sum of all gradients, divided by that step size. Noise
    is the root of the summed variances of 20 such sums, over the length of their mean over all
    groups. It does not depend on the scale of the gradient.

    Parameters
    ----------
    rollout_length : int from 1
    samples : int, environment steps
    groups : int from 1

    Returns
    -------
    (groups,) floats

    Examples
    --------
    Longer rollouts, more noise:

    >>> short, long = (gradient_noise(n, samples=200, groups=3) for n in (1, 50))
    >>> bool(long.min() > short.max())
    True
    """
    tiny = 1e-9
    config = A3CConfig(
        num_workers=1, rollout_length=rollout_length, optimizer="sgd", actor_lr=tiny,
        critic_lr=0.0, max_grad_norm=None, entropy_coef=0.0,
    )  # fmt: skip

    def one(seed: int) -> Floats:
        return train(cliff_world(), config, total_steps=samples, seed=seed).theta / tiny

    sums = np.array(each_seed(one, range(20 * groups))).reshape(groups, 20, -1)
    signal = np.linalg.norm(sums.mean(axis=(0, 1)))
    return np.asarray(np.sqrt(sums.var(axis=1, ddof=1).sum(axis=1)) / signal)


def c17() -> dict[str, Interval]:
    """Measure C17: what too little and too much of each setting costs.

    Examples
    --------
    With made-up runs: steps grow with n, and nothing else matters.

    >>> from unittest.mock import patch
    >>> def steps(n, optimizer="rmsprop"):
    ...     return np.full(2, 1_000.0 * n)
    >>> with patch.multiple(__name__, length_steps=steps, entropy_steps=lambda beta: np.ones(2),
    ...                     gradient_noise=lambda n: np.ones(2)):
    ...     found = c17()
    >>> found["steps, n = 50 over n = 5"].mean, found["steps, SGD over RMSprop"].mean
    (10.0, 1.0)
    """
    middle = length_steps(5)
    return {
        "noise, n = 50 over n = 1": ratio(gradient_noise(50), gradient_noise(1)),
        "steps, n = 1 over n = 5": ratio(length_steps(1), middle),
        "steps, n = 50 over n = 5": ratio(length_steps(50), middle),
        "steps, no entropy over 0.01": ratio(entropy_steps(0.0), entropy_steps(0.01)),
        "steps, entropy 0.1 over 0.01": ratio(entropy_steps(0.1), entropy_steps(0.01)),
        "steps, SGD over RMSprop": ratio(length_steps(5, "sgd"), middle),
    }


# --- C18: multi-step advantages (Section 6) -------------------------------------------------------


@cache
def sparse_lengths(world: str, rollout_length: int) -> Floats:
    """Return the successes of three workers with rollouts of this length, the step size tuned.

    Parameters
    ----------
    world : one of the `SPARSE_WORLDS`
    rollout_length : int from 1

    Returns
    -------
    (60,) floats
        Episodes that reached the goal, one number per seed.

    Examples
    --------
    >>> bool(sparse_lengths("corridor", 5).mean() > 0.0)
    True
    """
    config = sparse_tuned(world, 3, rollout_length)
    return measured(successes, SPARSE_WORLDS[world], config, SEEDS, SPARSE_STEPS)


def c18() -> dict[str, Interval]:
    """Measure C18: n = 5 against n = 1 where rewards are dense, and where they are sparse.

    Examples
    --------
    With made-up runs, in which only sparse rewards ask for more than one step:

    >>> from unittest.mock import patch
    >>> def steps(n):
    ...     return np.full(2, 4_000.0)
    >>> def arrivals(world, n):
    ...     return np.full(2, 100.0 * n)
    >>> with patch.multiple(__name__, length_steps=steps, sparse_lengths=arrivals):
    ...     [found.mean for found in c18().values()]
    [1.0, 5.0, 5.0]
    """
    return {
        "cliff, steps n = 1 over n = 5": ratio(length_steps(1), length_steps(5)),
        "grid, successes n = 5 over n = 1": ratio(
            sparse_lengths("grid", 5), sparse_lengths("grid", 1)
        ),
        "corridor, successes n = 5 over n = 1": ratio(
            sparse_lengths("corridor", 5), sparse_lengths("corridor", 1)
        ),
    }


if __name__ == "__main__":  # python -m a3c_tut.evidence_applications, from the repository's root
    print(json.dumps(record_throughput("book/data/throughput.json"), indent=1))
