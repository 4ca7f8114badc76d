"""What the parts of `run.py` measure with: the yardsticks in C, and runs in real processes."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from records import FOLDER

from a3c_tut import A3CConfig, TableWorld
from a3c_tut.engine.crew import Job
from a3c_tut.engine.runners import processes
from a3c_tut.engine.streams import worker_seeds
from a3c_tut.engine.team import TableTeam
from a3c_tut.networks import Task

MILLION = 1e6

#: A server that has imported the package already starts workers in a tenth of a second.
FORKSERVER = "forkserver" in multiprocessing.get_all_start_methods()
START_METHOD = "forkserver" if FORKSERVER else "spawn"


def streams(seed: int, num_workers: int) -> str:
    """Return the state of each worker's generator, as the yardstick reads it."""
    lines = []
    for one in worker_seeds(seed, num_workers):
        state: Any = np.random.PCG64(one).state["state"]
        low = 2**64 - 1
        numbers = (
            state["state"] >> 64,
            state["state"] & low,
            state["inc"] >> 64,
            state["inc"] & low,
        )
        lines.append(" ".join(map(str, numbers)))
    return "\n".join(lines) + "\n"


def yardstick_settings(config: A3CConfig) -> list[str]:
    """Return a configuration as the compiler's arguments."""
    constants = {
        "N": config.num_workers, "T_MAX": config.rollout_length, "GAMMA": config.gamma,
        "BETA": config.entropy_coef, "ACTOR_LR": config.actor_lr, "CRITIC_LR": config.critic_lr,
        "MAX_NORM": config.max_grad_norm, "DECAY": config.rmsprop_decay,
        "EPSILON": config.rmsprop_epsilon, "SCALE": config.reward_scale,
        "LAMBDA": config.gae_lambda,
    }  # fmt: skip
    return [f"-D{name}={value!r}" for name, value in constants.items()]


class InC(NamedTuple):
    """What a yardstick came to."""

    updates: int
    episodes: int
    seconds: float
    learned: NDArray[np.float64]  # one after the other


class Yardstick(NamedTuple):
    """A program in C that is a run of ours, and the compiler that made it."""

    program: str
    compiler: str

    def run(self, asked: list[str], stdin: str) -> InC:
        """Run it once, in a process of its own: its logs go into memory that is new, as ours do."""
        done = subprocess.run([self.program, *asked], input=stdin, text=True, capture_output=True,
                              check=True)  # fmt: skip
        head, *lines = done.stdout.splitlines()
        updates, episodes, seconds = head.split()
        learned = np.array([float(number) for line in lines for number in line.split()])
        return InC(int(updates), int(episodes), float(seconds), learned)


@contextmanager
def compiled_yardstick(source: str, config: A3CConfig) -> Iterator[Yardstick | None]:
    """Compile a yardstick; yield None where there is no compiler."""
    wanted = os.environ.get("CC", "")
    compiler = next(filter(None, map(shutil.which, (wanted, "cc", "gcc", "clang"))), None)
    if compiler is None:
        yield None
        return
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False)
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "yardstick")
        # No fused additions: what both learn is compared to the bit.
        command = [compiler, "-O3", "-march=native", "-ffp-contract=off",
                   *yardstick_settings(config), "-o", program, str(FOLDER / source),
                   "-lm"]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{source} does not compile:\n{done.stderr}")
        yield Yardstick(program, version.stdout.partition("\n")[0])


def largest_difference(what: InC, result: Any, learned: NDArray[np.float64]) -> float:
    """Return by how much the yardstick's numbers differ; exit where it did not do the same work."""
    counted, wanted = what[:2], (len(result.updates), len(result.episodes))
    difference = float(np.abs(what.learned - learned.ravel()).max())
    if counted != wanted or difference > 1e-9:
        raise SystemExit(
            f"the C yardstick learned something else: {counted} updates and episodes instead of "
            f"{wanted}, parameters {difference:g} apart"
        )
    return difference


class TimedTeam(TableTeam):
    """A team that notes when its workers were let go; several can be let go at once."""

    begun = 0.0
    together: threading.Barrier | None = None

    def go(self) -> None:
        if self.together is not None:
            self.together.wait()
        self.begun = time.perf_counter()
        super().go()


def process_run(
    world: TableWorld | Task,
    config: A3CConfig,
    steps: int,
    together: threading.Barrier | None = None,
) -> tuple[float, np.ndarray[Any, Any]]:
    """Run in processes; return millions of steps per second, from go to finish, and the tally."""
    team = TimedTeam(Job.fresh(world, config, steps), steps)
    team.together = together
    ended: list[float] = []

    def watch(steps_now: int) -> None:
        if steps_now >= steps:
            ended.append(time.perf_counter())

    try:
        outcome = processes.run(
            team, start_method=START_METHOD, on_worker_failure="raise", on_progress=watch,
            failures=[],
        )  # fmt: skip
    finally:
        team.close()
    return steps / (ended[0] - team.begun) / MILLION, sum(outcome.tallies.values())


def side_by_side(world: TableWorld | Task, config: A3CConfig, steps: int) -> float:
    """Return the rate of two unrelated runs of one worker each, begun together."""
    both = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(process_run, world, config, steps, both) for _ in range(2)]
        return sum(run.result()[0] for run in runs)
