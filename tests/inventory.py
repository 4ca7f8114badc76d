"""A stranger's problem from end to end, on the package alone: an inventory, with chance.

Up to 19 items in stock, up to 4 ordered a day, Poisson demand: who sells, stores and orders best?
"""

import csv
import sys
import tempfile
from math import exp, factorial
from pathlib import Path

import numpy as np

from a3c_tut import A3CConfig, TableWorld, TrainingResult, replay, train
from a3c_tut.exact import optimal_values, policy_values
from a3c_tut.experiments import evaluate, learning_curve, mean_interval, run_seeds
from a3c_tut.files import print_what_can_be

demand = np.array([exp(-2.0) * 2.0**k / factorial(k) for k in range(20)])
P, R = np.zeros((20, 5, 20)), np.zeros((20, 5))
for stock in range(20):
    for order in range(5):
        filled = min(stock + order, 19)
        for wanted, chance in enumerate(demand / demand.sum()):
            sold = min(wanted, filled)
            P[stock, order, filled - sold] += chance
            R[stock, order] += chance * (5.0 * sold - 1.0 * order - 0.2 * filled)
shop = TableWorld.from_arrays(P, R, start=5, max_episode_steps=100, name="inventory")


def main(folder):
    best = optimal_values(shop, gamma=1.0, horizon=100)[5]
    config = A3CConfig(num_workers=4, reward_scale=0.1)
    result = train(shop, config, total_steps=200_000, runner="processes")
    assert replay(result) == result
    result.save(folder / "run.npz")
    assert TrainingResult.load(folder / "run.npz") == result

    returns = evaluate(result, episodes=1_000)
    exact = policy_values(shop, result.policy, gamma=1.0, horizon=100)[5]
    print(f"best {best:.0f}, this policy {exact:.0f}, measured {returns.mean():.0f}")
    assert abs(returns.mean() - exact) < 4 * returns.std() / 1_000**0.5

    at = np.arange(20_000, 200_001, 20_000)
    curves = run_seeds(shop, config, seeds=range(30), total_steps=200_000,
                       measure=lambda run: learning_curve(run, at))  # fmt: skip
    for step, column in zip(at, np.transpose(curves), strict=True):
        print("{:7,}: {:.0f} [{:.0f}, {:.0f}]".format(step, *mean_interval(column)))

    def good_enough(run):
        return run.episodes["total_return"][-50:].mean() > 0.9 * best

    early = train(shop, config, total_steps=200_000, callback=good_enough, callback_every=5_000)
    slower = A3CConfig(num_workers=4, reward_scale=0.1, actor_lr=0.01)
    tuned = train(shop, slower, total_steps=50_000,
                  initial_theta=early.theta, initial_values=early.values)  # fmt: skip
    with open(folder / "episodes.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(tuned.episodes.dtype.names)
        rows.writerows(tuned.episodes.tolist())
    print(f"stopped after {early.steps:,} steps; tuned {evaluate(tuned).mean():.0f}")


if __name__ == "__main__":
    print_what_can_be()
    with tempfile.TemporaryDirectory() as place:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else place))
