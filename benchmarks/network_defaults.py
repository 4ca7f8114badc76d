"""What `train` takes for networks, judged on seeds that had no part in the choice.

    make network-defaults        (some ten minutes; writes record-networks.json and .md)

The settings in `networks.network_config` were found by hand, on seeds below 1,000, by trying some
thirty combinations of rollout length, γ, λ, step sizes and initial weights on cart-pole and
pendulum. Nothing of that search was kept, so it proves nothing. What counts is this judgement,
whose protocol was written before it was run:

- **Worlds.** CartPole-v1, 150,000 steps; Pendulum-v1, 500,000; Acrobot-v1, 150,000, which had no
  part in the choice at all. Two workers in turn; nothing set but the seed.
- **Seeds.** From 30,000 on: 20 on cart-pole, 20 on pendulum, 5 on Acrobot.
- **Measure.** The mean return of 20 greedy episodes.
- **Bars.** Cart-pole at least 475, pendulum at least −300 and at least −200 in the median, Acrobot
  at least −110. A bar is met if at least nine seeds in ten meet it.
- **Neighbours**, on the first 6 of the seeds, so that a reader sees how far the choice matters:
  half and double the step sizes, rollouts of 8 and 32, λ of 1, no annealing.
"""

from __future__ import annotations

import json

import numpy as np
from records import RECORDS, machine
from tqdm import tqdm

from a3c_tut import DivergenceError, train
from a3c_tut.control import COMPILED
from a3c_tut.experiments import each_seed, evaluate
from a3c_tut.files import print_what_can_be, written_whole
from a3c_tut.networks import network_config

FIRST = 30_000
STEPS = {"CartPole-v1": 150_000, "Pendulum-v1": 500_000, "Acrobot-v1": 150_000}
SEEDS = {"CartPole-v1": 20, "Pendulum-v1": 20, "Acrobot-v1": 5}
BARS = {"CartPole-v1": 475.0, "Pendulum-v1": -300.0, "Acrobot-v1": -110.0}
NEIGHBOURS = {
    "half the step sizes": {"actor_lr": 0.001, "critic_lr": 0.0005},
    "double step sizes": {"actor_lr": 0.004, "critic_lr": 0.002},
    "rollouts of 8": {"rollout_length": 8},
    "rollouts of 32": {"rollout_length": 32},
    "λ = 1": {"gae_lambda": 1.0},
    "no annealing": {"lr_anneal": None},
}


def scores(world, seeds, **changes):
    """Return the mean return of 20 greedy episodes for each seed; −∞ where a run diverged."""
    config = network_config(COMPILED[world](), **changes) if world in COMPILED else None

    def one(seed):
        try:
            run = train(world, config, total_steps=STEPS[world], seed=seed)
        except DivergenceError:
            return float("-inf")
        return float(evaluate(run, episodes=20, greedy=True).mean())

    return each_seed(one, seeds)


def main():
    print_what_can_be()
    judged, near = {}, {}
    for world in tqdm(STEPS, unit="world"):
        found = scores(world, range(FIRST, FIRST + SEEDS[world]))
        judged[world] = {
            "met": sum(score >= BARS[world] for score in found),
            "of": len(found),
            "median": round(float(np.median(found)), 1),
            "worst": round(min(found), 1),
        }
    for name, changes in tqdm(NEIGHBOURS.items(), unit="neighbour"):
        near[name] = {
            world: sum(
                score >= BARS[world] for score in scores(world, range(FIRST, FIRST + 6), **changes)
            )
            for world in COMPILED
        }
    record = {
        "machine": machine(["numpy", "numba", "gymnasium"]),
        "judged": judged,
        "neighbours, of 6": near,
    }
    with written_whole(RECORDS / "record-networks.json") as temporary:
        temporary.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", "utf-8")
    lines = ["| world | bar | met | median | worst |", "|---|---|---|---|---|"]
    lines += [
        f"| {world} | {BARS[world]:g} | {row['met']} of {row['of']} | {row['median']:g} | "
        f"{row['worst']:g} |"
        for world, row in judged.items()
    ]
    lines += ["", "| neighbour | CartPole-v1, of 6 | Pendulum-v1, of 6 |", "|---|---|---|"]
    lines += [
        f"| {name} | {row['CartPole-v1']} | {row['Pendulum-v1']} |" for name, row in near.items()
    ]
    with written_whole(RECORDS / "record-networks.md") as temporary:
        temporary.write_text("\n".join(lines) + "\n", "utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
