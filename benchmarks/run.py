"""How fast it is: everything measured in one run on one machine (`make bench`).

What counts are ratios of things measured in turn, A B A B, each the median of several; absolute
numbers stand beside them. Writes `record.json` (every sample) and `record.md` (the table), and
compares with the committed record.

    python benchmarks/run.py                  everything, some minutes
    python benchmarks/run.py --only size lab  some parts; prints, writes nothing
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Any

import networks
import numpy as np
from measuring import (
    FORKSERVER,
    MILLION,
    compiled_yardstick,
    largest_difference,
    process_run,
    side_by_side,
    streams,
)
from records import (
    RECORDS,
    Line,
    aligned,
    interleaved,
    last_record,
    machine,
    markdown,
    print_table,
    ratio,
    shown,
    write,
)
from tqdm import tqdm

from a3c_tut import A3CConfig, TableWorld, cliff_world, train
from a3c_tut.engine.buffers import make_local, world_arrays
from a3c_tut.engine.crew import Job, TableCrew
from a3c_tut.engine.kernels import make_gradient
from a3c_tut.engine.runners import emulated
from a3c_tut.engine.shared import block_layout
from a3c_tut.experiments import run_seeds
from a3c_tut.files import print_what_can_be
from a3c_tut.schedules import RoundRobin

CLIFF = cliff_world()


def train_rate(config: A3CConfig, steps: int, best_of: int = 3) -> float:
    """Return millions of environment steps per second of `train`, logs and all."""
    seconds = []
    for _ in range(best_of):
        begun = time.perf_counter()
        train(CLIFF, config, total_steps=steps)
        seconds.append(time.perf_counter() - begun)
    return steps / min(seconds) / MILLION


# --- Kernels ------------------------------------------------------------------------------------


def kernels() -> list[Line]:
    """Compare the emulated runner with the same algorithm in C."""
    part, steps, config = "kernels", 600_000, A3CConfig()
    with compiled_yardstick("yardstick.c", config) as c:
        if c is None:
            rates = interleaved(part, 7, {"emulated": lambda: train_rate(config, steps)})
            return [
                Line(part, "emulated runner / C", None, bar=0.5, note="SKIPPED: no C compiler"),
                Line(part, "emulated runner", median(rates["emulated"]), "M steps/s", raw=rates),
            ]
        given = streams(0, config.num_workers)

        def in_c() -> float:
            return steps / min(c.run([str(steps), "1"], given).seconds for _ in range(3)) / MILLION

        rates = interleaved(part, 7, {"C": in_c, "emulated": lambda: train_rate(config, steps)})
        result = train(CLIFF, config, total_steps=steps)
        difference = largest_difference(c.run([str(steps), "1"], given), result, result.theta)
    return [
        Line(part, "emulated runner / C", ratio(rates, "emulated", "C"), bar=0.5,
             note=f"{config.num_workers} workers, n = {config.rollout_length}", raw=rates),
        Line(part, "emulated runner", median(rates["emulated"]), "M steps/s"),
        Line(part, "C yardstick", median(rates["C"]), "M steps/s", note=f"-O3, {c.compiler}"),
        Line(part, "largest difference of the logits after 600,000 steps", difference, ""),
    ]  # fmt: skip


# --- Processes ----------------------------------------------------------------------------------


def workers() -> list[Line]:
    """Compare worker processes with the emulated runner and with the machine's limit."""
    part, steps = "processes", 4_000_000
    one, two = (A3CConfig(num_workers=w, rollout_length=20) for w in (1, 2))
    rates = interleaved(part, 15, {
        "emulated": lambda: train_rate(A3CConfig(rollout_length=20), 1_000_000),
        "one": lambda: process_run(CLIFF, one, steps)[0],
        "side by side": lambda: side_by_side(CLIFF, one, steps),
        "two": lambda: process_run(CLIFF, two, 2 * steps)[0],
    })  # fmt: skip
    return [
        Line(part, "one worker process / emulated runner", ratio(rates, "one", "emulated"),
             bar=0.5, note="n = 20", raw=rates),
        Line(part, "two workers / two unrelated runs side by side",
             ratio(rates, "two", "side by side"), bar=0.8, note="n = 20"),
        Line(part, "two workers / one", ratio(rates, "two", "one"), note="n = 20"),
        Line(part, "emulated runner", median(rates["emulated"]), "M steps/s", note="n = 20"),
        Line(part, "one worker process", median(rates["one"]), "M steps/s", note="n = 20"),
        Line(part, "two worker processes", median(rates["two"]), "M steps/s", note="n = 20"),
    ]  # fmt: skip


def sharing() -> list[Line]:
    """Look for what keeps two workers from being twice one: cores, lock, or the same few rows."""
    part, steps, apart = "sharing", 2_000_000, scattered(cliff_world(60, 60))
    one, two = (A3CConfig(num_workers=w, rollout_length=5) for w in (1, 2))
    rates = interleaved(part, 7, {
        "one": lambda: process_run(CLIFF, one, steps)[0],
        "side by side": lambda: side_by_side(CLIFF, one, steps),
        "two": lambda: process_run(CLIFF, two, steps)[0],
        "one, no lock": lambda: process_run(CLIFF, replace(one, update_mode="hogwild"), steps)[0],
        "two, no lock": lambda: process_run(CLIFF, replace(two, update_mode="hogwild"), steps)[0],
        "one, apart": lambda: process_run(apart, one, steps)[0],
        "two, apart": lambda: process_run(apart, two, steps)[0],
    })  # fmt: skip
    return [
        Line(part, "two unrelated runs / one", ratio(rates, "side by side", "one"), note="n = 5",
             raw=rates),
        Line(part, "two workers / one", ratio(rates, "two", "one"), note="n = 5"),
        Line(part, "the same without a lock", ratio(rates, "two, no lock", "one, no lock"),
             note="n = 5"),
        Line(part, "the same in other rows", ratio(rates, "two, apart", "one, apart"),
             note="n = 5; 60 × 60, episodes begin in 1,000 scattered cells"),
    ]  # fmt: skip


#: Environment steps for each n: some tenths of a second.
_STEPS_BY_N = {1: 300_000, 5: 1_000_000, 20: 2_000_000}
_TABLE_HEADER = ["n", "mode", "workers", "M steps/s", "µs from push to push",
                 "looks per lock taken", "returns for want of it, per 1,000 locks"]  # fmt: skip


def worker_table(repeats: int = 3) -> list[dict[str, Any]]:
    """Measure processes over their number, the rollout length and the mode of pushing."""
    cases = [
        (n, mode, count) for n in _STEPS_BY_N for mode in ("atomic", "hogwild")
        for count in (1, 2, 4, 8)
    ]  # fmt: skip
    runs: dict[Any, list[Any]] = {case: [] for case in cases}
    for _ in tqdm(range(repeats), desc="table of workers", leave=False, file=sys.stderr):
        for n, mode, count in cases:
            config: Any = {"num_workers": count, "rollout_length": n, "update_mode": mode}
            runs[n, mode, count].append(process_run(CLIFF, A3CConfig(**config), _STEPS_BY_N[n]))
    table = []
    for n, mode, count in cases:
        rates = [rate for rate, _ in runs[n, mode, count]]
        locks, looks, busy = (
            float(median(int(tally[i]) for _, tally in runs[n, mode, count])) for i in range(3)
        )
        table.append({
            "n": n, "mode": mode, "workers": count, "rate": median(rates), "rates": rates,
            "updates_per_step": locks / _STEPS_BY_N[n] if locks else None,
            "looks_per_lock": looks / locks if locks else None,
            "returns_per_1000_locks": 1000 * busy / locks if locks else None,
        })  # fmt: skip
    return table


def worker_rows(table: list[dict[str, Any]]) -> list[list[str]]:
    """Write the table of workers out."""
    written = []
    for row in table:
        # Rollouts end early where an episode ends; Hogwild takes no locks to count them by.
        updates = row["updates_per_step"] or next(
            other["updates_per_step"] for other in table
            if (other["n"], other["workers"], other["mode"]) == (row["n"], row["workers"], "atomic")
        )  # fmt: skip
        written.append([
            str(row["n"]), row["mode"], str(row["workers"]), shown(row["rate"], ""),
            shown(1 / (row["rate"] * updates), ""), shown(row["looks_per_lock"], ""),
            shown(row["returns_per_1000_locks"], ""),
        ])  # fmt: skip
    return written


# --- Size ---------------------------------------------------------------------------------------


def scattered(world: TableWorld, places: int = 1000) -> TableWorld:
    """Return a world whose short episodes begin in many places: hardly a row is met twice."""
    start = np.zeros(world.num_states)
    inside = world.num_states - world.grid_shape[1] if world.grid_shape else world.num_states
    start[np.random.default_rng(0).choice(inside, places, replace=False)] = 1.0 / places
    return replace(world, start=start, max_episode_steps=200)


def crew_sampler(world: TableWorld, config: A3CConfig, steps: int) -> Callable[[], float]:
    """Return what measures millions of steps per second of a crew that goes on and on."""
    crew = TableCrew(Job.fresh(world, config, 10**9))
    order = RoundRobin(config.num_workers)
    emulated.run(crew, order, 200_000, lambda steps: None)  # the memory is touched once

    def sample() -> float:
        first = crew.steps
        begun = time.perf_counter()
        emulated.run(crew, order, first + steps, lambda steps: None)
        return (crew.steps - first) / (time.perf_counter() - begun) / MILLION

    return sample


def memory(world: TableWorld, config: A3CConfig) -> dict[str, float]:
    """Return bytes per state: of what is shared, of a worker's own, of the world itself."""
    zeros = np.zeros((world.num_states, world.num_actions)), np.zeros(world.num_states)
    in_tables = {"theta", "V", "touched", "square_theta", "square_V", "last_update"}
    shared = sum(
        np.dtype(dtype).itemsize * np.prod(shape)
        for name, (dtype, shape) in block_layout(world, config).items() if name in in_tables
    )  # fmt: skip
    local = make_local([0], *zeros, 1)
    place = make_gradient(5, world.num_states, world.num_actions).place
    arrays = world_arrays(world, config)
    return {
        "shared": shared / world.num_states,
        "per worker": (local.theta.nbytes + local.V.nbytes + place.nbytes) / world.num_states,
        "world": sum(array.nbytes for array in arrays[:4]) / world.num_states,
    }


def size() -> list[Line]:
    """Compare a world of a million states with one of 48."""
    part, large = "size", cliff_world(1000, 1000)
    everywhere = scattered(large)
    lines = []
    for n, bar in ((5, 2.0), (20, None)):
        config = A3CConfig(rollout_length=n)
        worlds = {"4 × 12": CLIFF, "1,000 × 1,000": large, "scattered": everywhere}
        rates = interleaved(part, 9, {
            name: crew_sampler(world, config, 300_000) for name, world in worlds.items()
        })  # fmt: skip
        lines.append(Line(part, f"cost of a step at n = {n}, 1,000 × 1,000 / 4 × 12",
                          ratio(rates, "4 × 12", "1,000 × 1,000"), bar=bar, lower=True,
                          note="emulated, 3 workers", raw=rates))  # fmt: skip
        lines.append(Line(part, f"the same, n = {n}, episodes begin in 1,000 scattered cells",
                          ratio(rates, "4 × 12", "scattered"), lower=True,
                          note="the cache helps least"))  # fmt: skip
    two = A3CConfig(num_workers=2, rollout_length=20)
    # Long enough for the first touch of each page, which is counted here, to weigh little.
    rates = interleaved(f"{part}, processes", 3, {
        "4 × 12": lambda: process_run(CLIFF, two, 6_000_000)[0],
        "1,000 × 1,000": lambda: process_run(large, two, 6_000_000)[0],
    })  # fmt: skip
    lines.append(Line(part, "cost of a step at n = 20 in two processes, large / small",
                      ratio(rates, "4 × 12", "1,000 × 1,000"), lower=True, raw=rates))  # fmt: skip
    worlds = {"4 × 12": CLIFF, "100 × 100": cliff_world(100, 100), "1,000 × 1,000": large}
    sizes = {name: memory(world, A3CConfig()) for name, world in worlds.items()}
    for what in ("shared", "per worker", "world"):
        note = "4 × 12: {:.0f}, 100 × 100: {:.0f}".format(
            sizes["4 × 12"][what], sizes["100 × 100"][what]
        )
        name = {"shared": "memory shared by all", "per worker": "memory of each worker",
                "world": "memory of the world, per process"}[what]  # fmt: skip
        lines.append(Line(part, name, sizes["1,000 × 1,000"][what], "bytes per state", note=note))
    return lines


# --- Many seeds ---------------------------------------------------------------------------------


def seeds() -> list[Line]:
    """Run a hundred default runs, on one core and on all."""
    part, cores = "many seeds", machine([])["cores"]
    digests: set[str] = set()

    def sampler(threads: int) -> Callable[[], float]:
        def sample() -> float:
            begun = time.perf_counter()
            thetas = run_seeds(CLIFF, seeds=range(100), total_steps=60_000, max_threads=threads,
                               measure=lambda run: run.theta.tobytes())  # fmt: skip
            digests.add(hashlib.sha256(b"".join(thetas)).hexdigest())
            return time.perf_counter() - begun

        return sample

    times = interleaved(part, 5, {"one thread": sampler(1), "all cores": sampler(cores)})
    if len(digests) != 1:
        raise SystemExit("what many seeds learn depends on the number of threads")
    return [
        Line(part, "100 seeds × 60,000 steps", median(times["all cores"]), "s", bar=5.0,
             lower=True, note=f"{cores} cores; the same bits as on one", raw=times),
        Line(part, "all cores / one core", ratio(times, "one thread", "all cores"),
             note=f"{cores} cores"),
    ]  # fmt: skip


# --- Start-up -----------------------------------------------------------------------------------

_ONLY_WHEN_USED = ("matplotlib", "torch", "ray", "ipywidgets")


def fresh(statement: str, environment: dict[str, str] | None = None) -> float:
    """Return the seconds that a statement takes in an interpreter of its own."""
    code = "\n".join([
        "import sys, time",
        "begun = time.perf_counter()",
        statement,
        "print(time.perf_counter() - begun)",
        f"print(*[name for name in {_ONLY_WHEN_USED} if name in sys.modules])",
    ])  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, **(environment or {})},
                          capture_output=True, text=True, check=True)  # fmt: skip
    seconds, *imported = done.stdout.split()
    if imported:
        raise SystemExit(f"`{statement}` imports {', '.join(imported)}")
    return float(seconds)


def startup() -> list[Line]:
    """Time imports in fresh interpreters, and the first compilation on a machine."""
    part = "start-up"
    statements = {
        "import numpy, gymnasium": "import numpy, gymnasium",
        "import numba": "import numpy, numba",
        "import a3c_tut": "import a3c_tut",
        "from a3c_tut import cliff_world": "from a3c_tut import cliff_world",
        "from a3c_tut import train": "from a3c_tut import train",
    }
    times = interleaved(part, 7, {
        name: partial(fresh, statement)
        for name, statement in statements.items()
    })  # fmt: skip
    small = "from a3c_tut import cliff_world, train; train(cliff_world(), total_steps=1_000)"
    first, later = [], []
    for _ in tqdm(range(2), desc="first compilation", leave=False, file=sys.stderr):
        with tempfile.TemporaryDirectory() as folder:
            cache = {"NUMBA_CACHE_DIR": folder}
            first.append(fresh(small, cache))
            later.append(fresh(small, cache))
    compiling = {"first": first, "later": later}
    base = "import numpy, gymnasium"
    return [
        Line(part, f"`import a3c_tut` / `{base}`", ratio(times, "import a3c_tut", base),
             lower=True, raw=times),
        Line(part, f"`from a3c_tut import train` / `{base}`",
             ratio(times, "from a3c_tut import train", base), lower=True,
             note="nearly all of it is Numba"),
        Line(part, "`from a3c_tut import train` / `import numba`",
             ratio(times, "from a3c_tut import train", "import numba"), lower=True),
        *(Line(part, f"`{name}`", 1000 * median(times[name]), "ms") for name in statements),
        Line(part, "first training on a machine, import and compilation", median(first), "s",
             raw=compiling),
        Line(part, "first training in a later process", median(later), "s"),
        Line(part, "first process / later ones", ratio(compiling, "first", "later")),
    ]  # fmt: skip


# --- The lab ------------------------------------------------------------------------------------


def lab() -> list[Line]:
    """Time what happens between moving a slider and seeing both figures."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from a3c_tut.figures import plot_policy, plot_returns
    from a3c_tut.lab import LiveFigures

    part, counter = "lab", iter(range(10**6))
    live = LiveFigures(train(CLIFF))

    def timed(work: Callable[[], object]) -> float:
        begun = time.perf_counter()
        work()
        return 1000 * (time.perf_counter() - begun)

    def redraw() -> None:
        live.update(train(CLIFF, seed=next(counter)))
        live.pngs()

    def plain() -> None:
        result = train(CLIFF, seed=next(counter))
        for figure in (plot_returns(result), plot_policy(result)):
            figure.savefig(BytesIO(), format="png", dpi=100)

    def agg() -> None:
        result = train(CLIFF, seed=next(counter))
        for figure in (plot_returns(result), plot_policy(result)):
            FigureCanvasAgg(figure).draw()

    plain()
    times = interleaved(part, 11, {
        "train": lambda: timed(lambda: train(CLIFF, seed=next(counter))),
        "live": lambda: timed(redraw),
        "draw": lambda: timed(agg),
        "plain": lambda: timed(plain),
    })  # fmt: skip
    return [
        Line(part, "retrain and redraw both figures, to PNG", median(times["live"]), "ms",
             bar=200.0, lower=True, note="LiveFigures", raw=times),
        Line(part, "the same with figures made anew / LiveFigures", ratio(times, "plain", "live")),
        Line(part, "retrain", median(times["train"]), "ms", note="60,000 steps"),
        Line(part, "retrain, figures made anew, drawn", median(times["draw"]), "ms"),
        Line(part, "retrain, figures made anew, to PNG", median(times["plain"]), "ms"),
    ]  # fmt: skip


PARTS: dict[str, Callable[[], list[Line]]] = {
    "kernels": kernels,
    "networks": networks.networks,
    "processes": workers,
    "sharing": sharing,
    "size": size,
    "seeds": seeds,
    "startup": startup,
    "lab": lab,
}


def main() -> None:
    print_what_can_be()
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--only", nargs="+", choices=[*PARTS, "table"], metavar="PART",
        help=f"of {', '.join([*PARTS, 'table'])}; prints and writes nothing",
    )  # fmt: skip
    only = parser.parse_args().only
    where = machine(["numpy", "numba", "matplotlib", "gymnasium"])
    if FORKSERVER:
        multiprocessing.set_forkserver_preload(
            ["a3c_tut.engine.worker", "a3c_tut.engine.runners.processes"]
        )
    warnings.filterwarnings("ignore", message="num_workers is .* cores", category=RuntimeWarning)
    begun = time.perf_counter()
    train(CLIFF)  # what is compiled once per machine is not what is measured
    lines, table = [], []
    chosen = [name for name in [*PARTS, "table"] if only is None or name in only]
    for name in tqdm(chosen, desc="parts", file=sys.stderr):
        if name == "table":
            table = worker_table()
        else:
            lines += PARTS[name]()
    last = last_record("record.json")
    for key, value in where.items():
        print(f"{key}: {value}")
    print_table(lines, last)
    written = worker_rows(table)
    if table:
        print("\nworker processes, environment steps of all workers together")
        print(aligned([_TABLE_HEADER, *written], right=range(len(_TABLE_HEADER))))
    print(f"\n{time.perf_counter() - begun:.0f} s")
    if only is None:
        more = ["", "Worker processes on the 4 × 12 cliff-world, all workers together:", "",
                *markdown(_TABLE_HEADER, written)]  # fmt: skip
        write("record", where, lines, last, "\n".join(more), {"workers": table})
        shown_at = [
            os.path.relpath(RECORDS / f"record.{kind}", Path.cwd()) for kind in ("json", "md")
        ]
        print(f"written: {', '.join(shown_at)}")


if __name__ == "__main__":
    main()
