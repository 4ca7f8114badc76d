"""What real processes did, on record: their schedule, and their speed (C03, C10).

    python -m a3c_tut.book.evidence.records

takes the record of the speed anew.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from a3c_tut import A3CConfig, cliff_world, train
from a3c_tut.book.evidence.common import Floats
from a3c_tut.book.places import DATA, in_data


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
    import time

    from a3c_tut.engine.crew import Job
    from a3c_tut.engine.runners import processes
    from a3c_tut.engine.team import TableTeam
    from a3c_tut.errors import WorkerError

    world = cliff_world()
    config = A3CConfig(num_workers=num_workers, rollout_length=rollout_length)
    looks: list[tuple[float, int]] = []
    failures: list[WorkerError] = []
    team = TableTeam(Job.fresh(world, config, total_steps), total_steps)
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


def throughput() -> dict[str, Any]:
    """Read the record of `record_throughput` from the book's data.

    Returns
    -------
    dict
        As `record_throughput` returned it.

    Examples
    --------
    >>> record = throughput()
    >>> {n: sorted(rates) for n, rates in record["steps_per_second"].items()}
    {'5': ['1', '2'], '20': ['1', '2']}
    """
    content: dict[str, Any] = json.loads(in_data("throughput.json").read_text("utf-8"))
    return content


def throughput_records() -> list[dict[str, Any]]:
    """Read all records of `record_throughput`, the one that `throughput` reads last (C03).

    Returns
    -------
    list of dict, oldest first

    Examples
    --------
    Each was taken on a quieter machine than the one before:

    >>> [record["machine"]["load"] for record in throughput_records()]
    [[5.9, 14.0], [1.6, 3.9], [0.4, 1.5]]
    """
    earlier = json.loads(in_data("throughput-earlier.json").read_text("utf-8"))
    return [*earlier, throughput()]


if __name__ == "__main__":
    print(json.dumps(record_throughput(DATA / "throughput.json"), indent=1))
