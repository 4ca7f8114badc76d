"""Ours beside other libraries on cart-pole (part of `make bench-peers`).

Each library learns Gymnasium's CartPole-v1 with settings that learn it: stable-baselines3's A2C and
PPO and rejax's PPO, which like ours is compiled from end to end, with those of their own
collections; pfrl's A3C, which has none for it, with ours. *To 475* is the time until 50 episodes in
a row, as they were played while learning, returned 475 on average; rejax does not tell single
episodes, but plays 128 of them every 5,000 steps, and that counts. *Cold* is a new process, imports
and compilation included; *warm* is the same once more in that process.

    python benchmarks/peers_networks.py --one NAME --seed 0      one run, as JSON
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

BEGUN = time.perf_counter()
os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from statistics import median  # noqa: E402
from typing import Any  # noqa: E402

from records import Line, last_record, machine, print_table, write  # noqa: E402
from tqdm import tqdm  # noqa: E402

from a3c_tut.files import print_what_can_be  # noqa: E402

ENV, TARGET, EPISODES = "CartPole-v1", 475.0, 50
SEEDS = (0, 1, 2)
Outcome = dict[str, Any]


class Reached:
    """Notes when the last episodes return the target on average."""

    def __init__(self) -> None:
        self.begun, self.at = time.perf_counter(), 0.0
        self.returns: list[float] = []
        self.steps = 0

    def episode(self, total_return: float, steps: int) -> bool:
        """Note an episode; return whether the target has been reached."""
        self.returns.append(total_return)
        good = len(self.returns) >= EPISODES
        if not self.at and good and sum(self.returns[-EPISODES:]) / EPISODES >= TARGET:
            self.at, self.steps = time.perf_counter(), steps
        return self.at > 0.0

    def outcome(self, steps: int) -> Outcome:
        """Return what came of it after so many steps."""
        rate = steps / (time.perf_counter() - self.begun)
        at = self.at
        return {"rate": rate, "reached": at > 0.0, "steps": self.steps if at else steps,
                "ended": at or time.perf_counter()}  # fmt: skip


def ours(seed: int, compiled: bool = True) -> Outcome:
    """Train with the default settings; stop at the step at which the target is reached."""
    from a3c_tut import train
    from a3c_tut.experiments import steps_to_return

    watch = Reached()
    most = 150_000

    def good_enough(so_far: Any) -> bool:
        return steps_to_return(so_far, TARGET, EPISODES) < most

    result = train(ENV, total_steps=most, seed=seed, compiled=compiled, callback=good_enough,
                   callback_every=2_000)  # fmt: skip
    found = watch.outcome(result.steps)
    return found | {"reached": good_enough(result), "steps": result.steps}


def ours_stepped_in_python(seed: int) -> Outcome:
    """Train with Gymnasium's own steps."""
    return ours(seed, compiled=False)


def _sb3(make: Callable[[Any], Any], seed: int, most: int) -> Outcome:
    import torch
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.env_util import make_vec_env

    torch.set_num_threads(1)
    env = make_vec_env(ENV, n_envs=8, seed=seed)
    model, watch = make(env), Reached()

    class Listen(BaseCallback):
        def _on_step(self) -> bool:
            done = False
            for info in self.locals["infos"]:
                if "episode" in info:
                    done = watch.episode(info["episode"]["r"], self.num_timesteps)
            return not done

    model.learn(most, callback=Listen())
    return watch.outcome(model.num_timesteps)


def sb3_a2c(seed: int) -> Outcome:
    """Train stable-baselines3's A2C with the settings of its own collection for cart-pole."""
    from stable_baselines3 import A2C

    return _sb3(lambda env: A2C("MlpPolicy", env, ent_coef=0.0, seed=seed), seed, 500_000)


def sb3_ppo(seed: int) -> Outcome:
    """Train stable-baselines3's PPO with the settings of its own collection for cart-pole."""
    from stable_baselines3 import PPO

    def make(env: Any) -> Any:
        return PPO("MlpPolicy", env, n_steps=32, batch_size=256, gae_lambda=0.8, gamma=0.98,
                   n_epochs=20, ent_coef=0.0, learning_rate=lambda left: 0.001 * left,
                   clip_range=lambda left: 0.2 * left, seed=seed)  # fmt: skip

    return _sb3(make, seed, 150_000)


def pfrl_a3c(seed: int) -> Outcome:
    """Train pfrl's A3C in two processes: two layers of 32 each for policy and value."""
    import gymnasium
    import torch
    from peers import FORK, silence

    with silence():
        import pfrl
        from pfrl.agents import a3c
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    most, workers = 400_000, 2
    returns, count, stop = FORK.Array("d", most), FORK.Value("q", 0), FORK.Event()
    reached, last = FORK.Array("d", 2), FORK.Value("q", 0)

    class OldInterface:
        def __init__(self, own: int) -> None:
            self._env, self._seed = gymnasium.make(ENV), own
            self.total, self.ended_with = 0.0, None

        def reset(self) -> Any:
            self.total = 0.0
            seed, self._seed = self._seed, None
            return self._env.reset(seed=seed)[0]

        def step(self, action: Any) -> tuple[Any, float, bool, dict[str, Any]]:
            seen, reward, terminated, truncated, _ = self._env.step(int(action))
            self.total += reward
            self.ended_with = self.total if terminated or truncated else None
            return seen, 0.1 * reward, terminated, {"needs_reset": truncated}

        def close(self) -> None:
            self._env.close()

    def tower(outputs: int) -> Any:
        return torch.nn.Sequential(
            torch.nn.Linear(4, 32), torch.nn.Tanh(), torch.nn.Linear(32, 32), torch.nn.Tanh(),
            torch.nn.Linear(32, outputs),
        )  # fmt: skip

    policy = torch.nn.Sequential(tower(2), pfrl.policies.SoftmaxCategoricalHead())
    model = pfrl.nn.Branched(policy, tower(1))
    agent = a3c.A3C(
        model,
        pfrl.optimizers.SharedRMSpropEpsInsideSqrt(
            model.parameters(), lr=2e-3, eps=1e-3, alpha=0.99
        ),
        t_max=16, gamma=0.98, beta=1e-3, max_grad_norm=40.0,
    )  # fmt: skip
    watch = Reached()

    def listen(env: Any, agent: Any, step: int) -> None:
        with count.get_lock():
            last.value = max(last.value, step)
            if env.ended_with is None or reached[0]:
                return
            returns[count.value] = env.ended_with
            count.value += 1
            recent = returns[max(0, count.value - EPISODES) : count.value]
            if len(recent) == EPISODES and sum(recent) / EPISODES >= TARGET:
                reached[:] = 1.0, float(step)
                stop.set()

    with tempfile.TemporaryDirectory() as folder:
        pfrl.experiments.train_agent_async(
            outdir=folder, processes=workers, steps=most, eval_interval=None, agent=agent,
            make_env=lambda worker, test: OldInterface(1000 * seed + worker),
            random_seeds=[1000 * seed + worker for worker in range(workers)],
            global_step_hooks=[listen], stop_event=stop,
        )  # fmt: skip
    found = watch.outcome(int(last.value))
    return found | {"reached": bool(reached[0]), "steps": int(reached[1] or last.value)}


_PPO: dict[str, Any] = {}


def rejax_ppo(seed: int) -> Outcome:
    """Train rejax's PPO; it runs to its end, and the time is the share that the target took."""
    import jax
    from rejax import PPO

    most, every = 100_000, 5_000
    if not _PPO:  # what is compiled is kept with the function
        algorithm = PPO.create(
            env=ENV, agent_kwargs={"activation": "tanh"}, num_envs=5, num_steps=100, num_epochs=5,
            num_minibatches=5, learning_rate=0.00075, max_grad_norm=0.5, total_timesteps=most,
            eval_freq=every, gamma=0.99, gae_lambda=0.95, clip_eps=0.2, ent_coef=0.01, vf_coef=0.5,
        )  # fmt: skip
        _PPO["train"] = jax.jit(algorithm.train)
    watch = Reached()
    _, (_, returns) = _PPO["train"](jax.random.PRNGKey(seed))
    means = jax.block_until_ready(returns).mean(axis=1).tolist()
    found = watch.outcome(most)
    good = [i for i, mean in enumerate(means) if mean >= TARGET]
    steps = good[0] * every if good else most
    return found | {"reached": bool(good), "steps": steps}


PEERS: dict[str, Callable[[int], Outcome]] = {
    "ours": ours,
    "ours, Gymnasium's steps": ours_stepped_in_python,
    "stable-baselines3 A2C": sb3_a2c,
    "stable-baselines3 PPO": sb3_ppo,
    "pfrl A3C": pfrl_a3c,
    "rejax PPO": rejax_ppo,
}


def one(name: str, seed: int) -> Outcome:
    """Run a library twice in this process: cold from the process's beginning, then warm."""
    cold = PEERS[name](seed)
    begun = time.perf_counter()
    warm = PEERS[name](seed)
    return {"cold": cold["ended"] - BEGUN, "warm": warm["ended"] - begun, "rate": warm["rate"],
            "reached": warm["reached"], "steps": warm["steps"]}  # fmt: skip


def apart(name: str, seed: int) -> Outcome:
    """Do so in a process of its own, where nothing has been compiled yet."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", __file__, "--one", name, "--seed", str(seed)],
            env=os.environ | {"NUMBA_CACHE_DIR": folder}, capture_output=True, text=True,
            check=False, cwd=Path(__file__).parent,
        )  # fmt: skip
    if done.returncode != 0:
        raise SystemExit(f"{name} failed:\n{done.stderr[-2000:]}")
    found: Outcome = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    print_what_can_be()
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--one", choices=PEERS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="one seed, nothing written")
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(one(asked.one, asked.seed)))
        return
    where = machine(["numpy", "numba", "torch", "stable-baselines3", "pfrl", "rejax", "jax"])
    seeds = SEEDS[:1] if asked.quick else SEEDS
    # In turn, so that whatever else the machine does hits all.
    pairs = [(seed, name) for seed in seeds for name in PEERS]
    found: dict[str, list[Outcome]] = {name: [] for name in PEERS}
    for seed, name in tqdm(pairs, desc="cart-pole", file=sys.stderr):
        found[name].append(apart(name, seed))
    lines = []
    for what, unit in (("rate", "steps/s"), ("warm", "s"), ("cold", "s")):
        part = {"rate": "cart-pole, environment steps per second",
                "warm": f"cart-pole, seconds to {TARGET:.0f}, warm",
                "cold": f"cart-pole, seconds to {TARGET:.0f}, cold"}[what]  # fmt: skip
        middle = {name: median(run[what] for run in runs) for name, runs in found.items()}
        for name, runs in found.items():
            arrived = sum(run["reached"] for run in runs)
            lines.append(Line(part, name, middle[name], unit,
                              note=f"{arrived} of {len(runs)} seeds arrive",
                              raw={what: [run[what] for run in runs]}))  # fmt: skip
        for name in list(PEERS)[2:]:
            stepped = name != "rejax PPO"
            times = (middle["ours"] / middle[name] if what == "rate"
                     else middle[name] / middle["ours"])  # fmt: skip
            bar = (20.0 if stepped else 1.0) if what != "cold" else None
            lines.append(Line(part, f"ours / {name}", times, bar=bar))
            if stepped and what == "rate":
                own = middle["ours, Gymnasium's steps"] / middle[name]
                lines.append(Line(part, f"ours with Gymnasium's steps / {name}", own, bar=3.0))
    last = last_record("record-peers-networks.json")
    for key, value in where.items():
        print(f"{key}: {value}")
    print_table(lines, last)
    if not asked.quick:
        write("record-peers-networks", where, lines, last, "", {"runs": found})


if __name__ == "__main__":
    main()
