"""How fast workers on a cluster are beside worker processes, with cart-pole's network.

    make bench-ray          (some minutes; a quiet machine; writes record-ray.json)

All on this machine: a cluster of its own, two workers. A push is a call to the parameter server;
the longer a rollout, the fewer of them.
"""

import datetime
import json
import os
import platform
import time
import warnings

import ray

from a3c_tut import train
from a3c_tut.book.places import DATA
from a3c_tut.control import cart_pole
from a3c_tut.files import print_what_can_be, written_whole
from a3c_tut.networks import network_config

ROLLOUTS = (16, 128, 1024)
SECONDS = 4.0


class Clock:
    """A callback that ends a run after some seconds, the first look excepted."""

    def __init__(self):
        self.marks = []

    def __call__(self, so_far):
        self.marks.append((time.perf_counter(), so_far.steps))
        return self.marks[-1][0] - self.marks[0][0] >= SECONDS

    def rate(self):
        (began, first), (ended, last) = self.marks[0], self.marks[-1]
        return (last - first) / (ended - began)


def measure(runner, num_workers, rollout_length):
    config = network_config(cart_pole(), num_workers=num_workers, rollout_length=rollout_length)
    clock = Clock()
    with warnings.catch_warnings(action="ignore"):
        every = 5_000 if runner == "ray" else 100_000
        result = train(cart_pole(), config, total_steps=10**9, runner=runner, callback=clock,
                       callback_every=every)  # fmt: skip
    return {
        "runner": runner, "workers": num_workers, "rollout_length": rollout_length,
        "rate": clock.rate(), "steps_per_push": result.steps / len(result.updates),
        "staleness": float(result.updates["staleness"].mean()), **result.traffic,
    }  # fmt: skip


def main():
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    began = os.getloadavg()[0]
    ray.init(address="local", num_cpus=4, include_dashboard=False, log_to_driver=False)
    rows = []
    for n in ROLLOUTS:
        for runner, workers in (("processes", 2), ("ray", 1), ("ray", 2), ("ray", 4)):
            rows.append(measure(runner, workers, n))
            print({k: round(v, 6) if isinstance(v, float) else v for k, v in rows[-1].items()},
                  flush=True)  # fmt: skip
    ray.shutdown()
    record = {
        "machine": {
            "cores": os.cpu_count(), "system": platform.system(), "ray": ray.__version__,
            "python": platform.python_version(), "date": datetime.date.today().isoformat(),
            "load average at start": round(began, 2),
        },
        "rows": rows,
    }  # fmt: skip
    with written_whole(DATA / "record-ray.json") as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    print_what_can_be()
    main()
