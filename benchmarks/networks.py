"""What networks cost and bring: beside C, in two processes, and with Gymnasium's own steps."""

from __future__ import annotations

import time
from dataclasses import replace
from statistics import median

import numpy as np
from measuring import (
    MILLION,
    compiled_yardstick,
    largest_difference,
    process_run,
    side_by_side,
    streams,
)
from records import Line, interleaved, ratio

from a3c_tut import train
from a3c_tut.control import cart_pole
from a3c_tut.engine.crew import Job
from a3c_tut.experiments import steps_to_return
from a3c_tut.networks import MLP, Task, network_config

TASK = Task(cart_pole(), MLP())
CONFIG = network_config(TASK.world)
STEPS = 150_000
TARGET, EPISODES = 475.0, 50


def emulated_rate(compiled: bool = True, steps: int = STEPS) -> float:
    """Return millions of steps per second of `train`, logs and all."""
    begun = time.perf_counter()
    train("CartPole-v1", total_steps=steps, compiled=compiled)
    return steps / (time.perf_counter() - begun) / MILLION


def beside_c() -> list[Line]:
    """Compare the emulated runner with the same learner in C."""
    part = "networks"
    with compiled_yardstick("yardstick_network.c", CONFIG) as c:
        if c is None:
            return [Line(part, "emulated runner / C", None, bar=0.5, note="SKIPPED: no compiler")]
        first = Job.fresh(TASK, CONFIG, STEPS).theta
        given = streams(0, CONFIG.num_workers) + "\n".join(map(repr, first[0].tolist()))

        def in_c() -> float:
            return STEPS / c.run([str(STEPS)], given).seconds / MILLION

        rates = interleaved(part, 9, {"C": in_c, "emulated": emulated_rate})
        result = train("CartPole-v1", total_steps=STEPS)
        difference = largest_difference(c.run([str(STEPS)], given), result, result.parameters)
    return [
        Line(part, "emulated runner / C", ratio(rates, "emulated", "C"), bar=0.5,
             note=f"cart-pole, 2 × 32 neurons, n = {CONFIG.rollout_length}", raw=rates),
        Line(part, "emulated runner", median(rates["emulated"]), "M steps/s"),
        Line(part, "C yardstick", median(rates["C"]), "M steps/s", note=f"-O3, {c.compiler}"),
        Line(part, f"largest difference of the weights after {STEPS:,} steps", difference, ""),
    ]  # fmt: skip


def in_processes() -> list[Line]:
    """Compare two worker processes with one, and with two runs that share nothing."""
    part, steps = "networks, processes", 600_000
    one, two = (replace(CONFIG, num_workers=workers) for workers in (1, 2))
    rates = interleaved(part, 9, {
        "one": lambda: process_run(TASK, one, steps)[0],
        "side by side": lambda: side_by_side(TASK, one, steps),
        "two": lambda: process_run(TASK, two, 2 * steps)[0],
    })  # fmt: skip
    return [
        Line(part, "two workers / one", ratio(rates, "two", "one"), bar=1.8,
             note=f"cart-pole, n = {CONFIG.rollout_length}", raw=rates),
        Line(part, "two workers / two unrelated runs side by side",
             ratio(rates, "two", "side by side"), bar=0.9),
        Line(part, "one worker process", median(rates["one"]), "M steps/s"),
        Line(part, "two worker processes", median(rates["two"]), "M steps/s"),
    ]  # fmt: skip


def to_target() -> list[Line]:
    """Compare the wall clock to a mean of 475 over 50 episodes, of two processes and of one.

    Steps are taken from emulated runs on twenty seeds, in which two workers take turns; a step's
    time from the processes above would be noise twice, so both are told apart.
    """
    steps = {}
    for workers in (1, 2):
        config = replace(CONFIG, num_workers=workers)
        runs = [
            train("CartPole-v1", config=config, total_steps=STEPS, seed=seed) for seed in range(20)
        ]
        steps[workers] = [min(steps_to_return(run, TARGET, EPISODES), STEPS) for run in runs]
    part = f"networks, steps to {TARGET:.0f}"
    return [
        Line(part, f"{workers} worker{'s' * (workers > 1)}", float(np.median(steps[workers])),
             "steps", note="median of 20 seeds", raw={"steps": steps[workers]})
        for workers in (1, 2)
    ]  # fmt: skip


def stepped_in_python() -> list[Line]:
    """Compare Gymnasium's own cart-pole, which steps in Python, with the compiled one."""
    part = "networks, Gymnasium's steps"
    rates = interleaved(part, 5, {
        "compiled": emulated_rate,
        "in Python": lambda: emulated_rate(compiled=False, steps=20_000),
    })  # fmt: skip
    return [
        Line(part, "compiled / stepped in Python", ratio(rates, "compiled", "in Python"),
             note="cart-pole", raw=rates),
        Line(part, "stepped in Python", median(rates["in Python"]), "M steps/s"),
    ]  # fmt: skip


def networks() -> list[Line]:
    """Measure all of it."""
    train("CartPole-v1", total_steps=1_000)  # what is compiled once is not what is measured
    return [*beside_c(), *in_processes(), *to_target(), *stepped_in_python()]
