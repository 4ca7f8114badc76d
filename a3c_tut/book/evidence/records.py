"""What real processes did, on record: their schedule, and their speed (C03, C10).

    python -m a3c_tut.book.evidence.records

takes the record of the speed anew: some minutes, on a machine that does nothing else.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from a3c_tut import A3CConfig, cliff_world, train
from a3c_tut.book.evidence.common import Floats
from a3c_tut.book.places import DATA, in_data
from a3c_tut.engine.crew import Job
from a3c_tut.files import print_what_can_be


def record_schedule(
    path: str | os.PathLike[str], num_workers: int = 3, seed: int = 0, least_changes: int = 0
) -> None:
    """Run real processes, and keep their schedule, and what it belongs to, in a small file.

    A run of some milliseconds may be over before the second worker has its turn. So the first of
    several runs is kept in which all workers push and the turn changes so many times.

    Parameters
    ----------
    path : path of the file to write
    num_workers : int from 1
    seed : int from 0
    least_changes : int from 0
        Of the worker, from one push to the next.

    Raises
    ------
    OSError
        When the file cannot be written.

    Examples
    --------
    With a short emulated run in place of the real one:

    >>> import tempfile
    >>> from unittest.mock import patch
    >>> def short(world, config, seed, runner):
    ...     return train(world, config, seed=seed, total_steps=600)
    >>> with tempfile.TemporaryDirectory() as folder, patch(f"{__name__}.train", short):
    ...     record_schedule(Path(folder) / "small.npz", num_workers=2)
    ...     with np.load(Path(folder) / "small.npz") as file:
    ...         file["schedule"][:4].tolist()
    [0, 1, 0, 1]
    """
    world, config = cliff_world(), A3CConfig(num_workers=num_workers)
    runs = 0
    while True:
        result, runs = train(world, config, seed=seed, runner="processes"), runs + 1
        changes = np.count_nonzero(np.diff(result.schedule))
        if changes >= least_changes and len(np.unique(result.schedule)) == num_workers:
            break
    about = {
        "world": world.name, "config": config.as_dict(), "seed": seed,
        "total_steps": result.total_steps, "runs": runs, "least_changes": least_changes,
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1), "system": platform.system(),
        "python": platform.python_version(), "date": datetime.date.today().isoformat(),
    }  # fmt: skip
    with open(path, "wb") as file:
        np.savez_compressed(
            file, schedule=result.schedule.astype(np.int8),
            about=np.frombuffer(json.dumps(about).encode(), dtype=np.uint8),
            returns=result.episodes["total_return"],
        )  # fmt: skip


class Recorded(NamedTuple):
    """A schedule of real processes.

    Attributes
    ----------
    schedule : (U,) ints
    about : dict
        World, config, seed, total_steps; machine, load and date.
    returns : (E,) floats
        The episode returns that the processes logged, against which a replay is held.

    Examples
    --------
    >>> kept = Recorded(np.array([0, 2, 1]), {"world": "cliff-world"}, np.array([-17.0]))
    >>> kept.schedule.tolist(), kept.about["world"]
    ([0, 2, 1], 'cliff-world')
    """

    schedule: NDArray[np.int64]
    about: dict[str, Any]
    returns: Floats


def process_schedule(name: str = "schedule_3_processes.npz") -> Recorded:
    """Read a schedule that `record_schedule` wrote into the book's data.

    Parameters
    ----------
    name : str
        Of a file in `a3c_tut/book/data`.

    Returns
    -------
    Recorded

    Examples
    --------
    >>> kept = process_schedule()
    >>> len(np.unique(kept.schedule)) == kept.about["config"]["num_workers"]
    True
    """
    with np.load(in_data(name)) as file:
        about = json.loads(bytes(file["about"]))
        return Recorded(file["schedule"].astype(np.int64), about, file["returns"])


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
    >>> with patch("a3c_tut.engine.runners.processes.run", run), seconds:
    ...     measure_throughput(2, total_steps=1_000_000)
    100000.0
    """
    return rate([_looks(num_workers, rollout_length, total_steps)])


def measure_side_by_side(rollout_length: int = 5, total_steps: int = 3_000_000) -> float:
    """Return the environment steps a second of two runs of one process each that share nothing.

    They begin together, and count while both run: what two cores are worth here and now.

    Parameters
    ----------
    rollout_length : int
    total_steps : int, of each

    Examples
    --------
    With made-up looks at the step counters, of a run that begins a second after the other:

    >>> from unittest.mock import patch
    >>> starts = iter((0, 1))
    >>> def looks(num_workers, rollout_length, total_steps, before_go):
    ...     before_go()
    ...     start = next(starts)
    ...     return [(start + second, 100_000 * second) for second in range(11)]
    >>> with patch(f"{__name__}._looks", looks):
    ...     measure_side_by_side(total_steps=1_000_000)
    200000.0
    """
    return rate_side_by_side(lambda before_go: _looks(1, rollout_length, total_steps, before_go))


Looks = list[tuple[float, int]]


def rate_side_by_side(run: Callable[[Callable[[], object]], Looks]) -> float:
    """Return the steps a second of two runs together that begin at once, while both run.

    Parameters
    ----------
    run : function of what it is to call before its workers are let go
        Returns when it looked at the step counter, and what it saw; it runs in a thread.

    Examples
    --------
    >>> def run(before_go):
    ...     before_go()
    ...     return [(second, 100_000 * second) for second in range(11)]
    >>> rate_side_by_side(run)
    200000.0
    """
    both, ready = threading.Barrier(2), threading.Event()

    def first_waits() -> None:
        ready.set()
        both.wait(timeout=60.0)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(run, first_waits)
        ready.wait(timeout=60.0)  # two threads that start processes at once disturb each other
        second = pool.submit(run, lambda: both.wait(timeout=60.0))
        return rate([second.result(), first.result()])


class Timed(NamedTuple):
    """A run in processes, with the times at which the parent looked at its step counter.

    Attributes
    ----------
    looks : list of (seconds, steps)
        The first is when the workers were let go.
    episodes : structured array, as in a TrainingResult

    Examples
    --------
    >>> Timed([(0.0, 0), (0.5, 60_000), (1.0, 120_000)], np.zeros(0)).middle(120_000)
    [(0.5, 60000)]
    """

    looks: Looks
    episodes: NDArray[Any]

    def middle(self, total_steps: int) -> Looks:
        """Return the looks that saw between a tenth and nine tenths of the steps.

        Parameters
        ----------
        total_steps : int, of the run
        """
        return [look for look in self.looks if 0.1 * total_steps < look[1] < 0.9 * total_steps]


def timed_run(job: Job, before_go: Callable[[], object] = lambda: None) -> Timed:
    """Run a job in processes, and note when the parent looked at the step counter.

    Parameters
    ----------
    job : Job
    before_go : function, called when all workers are up and before they are let go

    Examples
    --------
    With a run in place of the processes:

    >>> from unittest.mock import patch
    >>> def run(team, *, on_progress, **asked):
    ...     team.go(); on_progress(60)
    >>> with patch("a3c_tut.engine.runners.processes.run", run):
    ...     timed = timed_run(Job.fresh(cliff_world(), A3CConfig(), total_steps=60))
    >>> [steps for seconds, steps in timed.looks], len(timed.episodes)
    ([0, 60], 0)
    """
    from a3c_tut.engine.runners import processes
    from a3c_tut.engine.team import TableTeam
    from a3c_tut.errors import WorkerError

    looks: Looks = []

    class Team(TableTeam):
        """A team that notes when its workers were let go."""

        def go(self) -> None:
            """Note it, and let them."""
            before_go()
            looks.append((time.perf_counter(), 0))
            super().go()

    failures: list[WorkerError] = []
    team = Team(job, job.total_steps)
    try:
        processes.run(
            team, start_method="spawn", on_worker_failure="raise", failures=failures,
            on_progress=lambda steps: looks.append((time.perf_counter(), steps)),
        )  # fmt: skip
        return Timed(looks, team.logged()[0])
    finally:
        team.close()


def _looks(
    num_workers: int, rollout_length: int, total_steps: int,
    before_go: Callable[[], object] = lambda: None,
) -> Looks:  # fmt: skip
    config = A3CConfig(num_workers=num_workers, rollout_length=rollout_length)
    return timed_run(Job.fresh(cliff_world(), config, total_steps), before_go).middle(total_steps)


def rate(runs: list[Looks]) -> float:
    """Return the steps a second of all runs together, while all of them run.

    Parameters
    ----------
    runs : list of looks, as in `Timed`

    Examples
    --------
    The second begins a second later:

    >>> rate([[(0.0, 0), (2.0, 200)], [(1.0, 0), (2.0, 100)]])
    200.0
    """
    begin, end = max(looks[0][0] for looks in runs), min(looks[-1][0] for looks in runs)
    made = 0.0
    for looks in runs:
        times, steps = zip(*looks, strict=True)
        made += float(np.interp(end, times, steps) - np.interp(begin, times, steps))
    return made / (end - begin)


def record_throughput(path: str | os.PathLike[str], repetitions: int = 30) -> dict[str, Any]:
    """Measure one process, two, and two unrelated runs in turns; write it to a file, and where.

    What the file holds so far is kept among the earlier records.

    Parameters
    ----------
    path : path of the JSON file to write
    repetitions : int from 1

    Returns
    -------
    dict
        "steps_per_second", by rollout length and number of processes, or "side by side"; machine,
        versions and date; "earlier", a list of records like this, oldest first.

    Raises
    ------
    OSError
        When the file cannot be written.

    Examples
    --------
    With made-up speeds in place of the processes':

    >>> import tempfile
    >>> from unittest.mock import patch
    >>> made_up = (
    ...     patch(f"{__name__}.measure_throughput", lambda workers, length: 1_000_000 * workers),
    ...     patch(f"{__name__}.measure_side_by_side", lambda length: 1_500_000),
    ... )
    >>> with tempfile.TemporaryDirectory() as folder, made_up[0], made_up[1]:
    ...     path = Path(folder) / "throughput.json"
    ...     for repetitions in (1, 2):
    ...         record = record_throughput(path, repetitions)
    >>> record["steps_per_second"]["5"]
    {'1': [1000000, 1000000], '2': [2000000, 2000000], 'side by side': [1500000, 1500000]}
    >>> [before["steps_per_second"]["20"]["2"] for before in record["earlier"]]
    [[2000000]]
    """
    ways: dict[str, Callable[[int], float]] = {
        "1": lambda length: measure_throughput(1, length),
        "2": lambda length: measure_throughput(2, length),
        "side by side": measure_side_by_side,
    }
    rates: dict[str, dict[str, list[int]]] = {n: {way: [] for way in ways} for n in ("5", "20")}
    load = [os.getloadavg()[0]]
    for _ in range(repetitions):
        for length, by_way in rates.items():
            for way, measured_rates in by_way.items():
                measured_rates.append(round(ways[way](int(length))))
        load.append(os.getloadavg()[0])
    record = {
        "what": "environment steps a second, cliff-world 4 × 12, by rollout length and processes",
        **where_and_when(load),
        "steps_per_second": rates,
        "earlier": _and_before(Path(path)),
    }  # fmt: skip
    Path(path).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return record


def where_and_when(load: list[float]) -> dict[str, Any]:
    """Return what a record says of its machine, versions and date.

    Parameters
    ----------
    load : list of float, of the machine while the record was taken

    Examples
    --------
    >>> where_and_when([0.04, 2.06])["machine"]["load"]
    [0.0, 2.1]
    """
    import numba

    return {
        "machine": {"system": platform.system(), "processor": platform.machine(),
                    "cores": os.cpu_count(), "load": [round(min(load), 1), round(max(load), 1)]},
        "versions": {"python": platform.python_version(), "numpy": np.__version__,
                     "numba": numba.__version__},
        "date": datetime.date.today().isoformat(),
    }  # fmt: skip


def _and_before(path: Path) -> list[dict[str, Any]]:
    """Return the records of a file, oldest first."""
    if not path.exists():
        return []
    latest: dict[str, Any] = json.loads(path.read_text("utf-8"))
    earlier: list[dict[str, Any]] = latest.pop("earlier", [])
    return [*earlier, latest]


def throughput() -> dict[str, Any]:
    """Read the record of `record_throughput` from the book's data.

    Returns
    -------
    dict
        As `record_throughput` returned it.

    Examples
    --------
    >>> record = throughput()
    >>> {n: sorted(rates)[:2] for n, rates in record["steps_per_second"].items()}
    {'5': ['1', '2'], '20': ['1', '2']}
    """
    content: dict[str, Any] = json.loads(in_data("throughput.json").read_text("utf-8"))
    return content


def all_throughputs() -> list[dict[str, Any]]:
    """Return every record of the speed that was taken, oldest first; `throughput` is the last.

    Returns
    -------
    list of dict

    Examples
    --------
    >>> [record["date"] for record in all_throughputs()][-1] == throughput()["date"]
    True
    """
    return _and_before(in_data("throughput.json"))


if __name__ == "__main__":
    print_what_can_be()
    print(json.dumps(record_throughput(DATA / "throughput.json"), indent=1))
