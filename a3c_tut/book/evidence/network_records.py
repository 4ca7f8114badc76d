"""How fast real processes learn with networks, on record (C20).

    python -m a3c_tut.book.evidence.network_records

takes the record: eight minutes, on a machine that does nothing else. It refuses to begin on one
that is busy.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from a3c_tut.book.evidence.common import settling_seeds
from a3c_tut.book.evidence.records import (
    Timed,
    rate,
    rate_side_by_side,
    timed_run,
    where_and_when,
)
from a3c_tut.book.places import DATA
from a3c_tut.control import cart_pole
from a3c_tut.engine.crew import Job
from a3c_tut.experiments import moving_average
from a3c_tut.files import print_what_can_be, written_whole
from a3c_tut.networks import MLP, Task, network_config

#: Steps of a run whose speed is counted, and of one whose time to the target is.
COUNTED_STEPS, TIMED_STEPS = 600_000, 150_000
#: The mean return of so many episodes, of all workers, that a run is timed to.
TARGET, EPISODES = 475.0, 100
#: The load of the last minute above which a machine is busy.
MOST_LOAD = 0.3

_PATH = DATA / "throughput_networks.json"


def job(num_workers: int, seed: int, total_steps: int) -> Job:
    """Return the job of the network of Section 3.3 on the cart-pole.

    Parameters
    ----------
    num_workers : int
    seed : int from 0
    total_steps : int

    Examples
    --------
    >>> job(1, seed=0, total_steps=1_000).config.num_workers
    1
    """
    world = cart_pole()
    config = network_config(world, num_workers=num_workers)
    return Job.fresh(Task(world, MLP()), config, total_steps, seed)


def seconds_to_target(timed: Timed) -> float:
    """Return the seconds from when the workers were let go until the target was reached.

    Between two looks at the step counter they are interpolated. A run that never reaches it counts
    with all the time that it took.

    Parameters
    ----------
    timed : Timed

    Examples
    --------
    A hundred episodes that return 500 each, the last at the end of step 60,000:

    >>> kind = [("total_return", float), ("step", int)]
    >>> episodes = np.array([(500.0, 600 * (k + 1)) for k in range(100)], dtype=kind)
    >>> seconds_to_target(Timed([(7.0, 0), (9.0, 120_000)], episodes))
    1.0
    >>> seconds_to_target(Timed([(7.0, 0), (9.0, 120_000)], episodes[:99]))
    2.0
    """
    good = moving_average(timed.episodes["total_return"], EPISODES) >= TARGET
    reached = timed.episodes["step"][EPISODES - 1 :][good][0] if good.any() else np.inf
    times, steps = zip(*timed.looks, strict=True)
    return float(np.interp(reached, steps, times) - times[0])


def record_networks(
    path: str | os.PathLike[str] = _PATH, repetitions: int = 30, runs: int = 60
) -> dict[str, Any]:
    """Measure one worker process, two, and two unrelated runs, in turns; write it to a file.

    Parameters
    ----------
    path : path of the JSON file to write
    repetitions : int from 1
        Of each count of steps.
    runs : int from 1
        Seeds whose time to the target is measured, with one process and with two.

    Returns
    -------
    dict
        "steps_per_second", by number of processes or "side by side"; "seconds_to_475", by number
        of processes; machine, versions and date.

    Raises
    ------
    RuntimeError
        When the machine is busy.

    Examples
    --------
    With made-up runs in place of the processes':

    >>> import tempfile
    >>> from unittest.mock import patch
    >>> def run(job, before_go=lambda: None):
    ...     before_go()
    ...     looks = [(seconds / 10, 30_000 * seconds) for seconds in range(21)]
    ...     return Timed(looks, np.zeros(0, [("total_return", float), ("step", int)]))
    >>> idle = patch("os.getloadavg", lambda: (0.0, 0.0, 0.0))
    >>> with tempfile.TemporaryDirectory() as folder, patch(f"{__name__}.timed_run", run), idle:
    ...     record = record_networks(Path(folder) / "record.json", repetitions=1, runs=1)
    >>> record["steps_per_second"]
    {'1': [300000], '2': [300000], 'side by side': [600000]}
    >>> record["seconds_to_475"]
    {'1': [2.0], '2': [2.0]}
    """
    load = [os.getloadavg()[0]]
    if load[0] > MOST_LOAD:
        raise RuntimeError(
            f"the machine's load is {load[0]:.2f}, and what is measured would be somebody else's "
            f"work, too; allowed: at most {MOST_LOAD}"
        )
    rates: dict[str, list[int]] = {"1": [], "2": [], "side by side": []}
    for seed in settling_seeds(repetitions):
        for workers in (1, 2):
            timed = timed_run(job(workers, seed, COUNTED_STEPS))
            rates[str(workers)].append(round(rate([timed.middle(COUNTED_STEPS)])))

        def alone(before_go: Any, seed: int = seed) -> Any:
            timed = timed_run(job(1, seed, COUNTED_STEPS), before_go)
            return timed.middle(COUNTED_STEPS)

        rates["side by side"].append(round(rate_side_by_side(alone)))
        load.append(os.getloadavg()[0])
    seconds: dict[str, list[float]] = {"1": [], "2": []}
    for seed in settling_seeds(runs):
        for workers in (1, 2):
            timed = timed_run(job(workers, seed, TIMED_STEPS))
            seconds[str(workers)].append(round(seconds_to_target(timed), 4))
    record = {
        "what": "cart-pole, network of 32 and 32: environment steps a second, and seconds to 475",
        **where_and_when(load),
        "load_before": round(load[0], 2),
        "steps_per_second": rates,
        "seconds_to_475": seconds,
    }
    with written_whole(Path(path)) as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return record


def networks_record() -> dict[str, Any]:
    """Read the record of `record_networks` from the book's data.

    Examples
    --------
    >>> networks_record()["load_before"] <= MOST_LOAD
    True
    """
    content: dict[str, Any] = json.loads(_PATH.read_text(encoding="utf-8"))
    return content


if __name__ == "__main__":
    print_what_can_be()
    try:
        print(json.dumps(record_networks(), indent=1))
    except RuntimeError as error:
        sys.exit(str(error))
