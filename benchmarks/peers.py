"""Ours beside stable-baselines3's A2C and pfrl's A3C on the cliff-world (`make bench-peers`).

The same environment (`a3c_tut/CliffWorld-v0`), number of workers, rollout length, discount, entropy
weight and reward scale. Both libraries see a state as a one-hot vector and put one linear layer on
it for the policy and one for the value, which is as close to a table as they come (for pfrl without
biases it is one). Their optimizer's settings are tuned on seeds that are not reported.

Writes `record-peers.json` and `record-peers.md`. Run it in the environment of
`requirements-peers.txt`.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from statistics import median
from typing import Any, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")  # matrices of 48 × 4: a second thread only costs
warnings.filterwarnings("ignore", category=DeprecationWarning)
warnings.filterwarnings("ignore", message="This overload of")  # how pfrl's optimizer calls torch

import gymnasium  # noqa: E402
import numpy as np  # noqa: E402
from records import Line, interleaved, last_record, machine, print_table, ratio, write  # noqa: E402
from tqdm import tqdm  # noqa: E402

import a3c_tut.envs  # noqa: E402, F401  (registers the environment)
from a3c_tut import A3CConfig, cliff_world, train  # noqa: E402
from a3c_tut.experiments import mean_interval, steps_to_return  # noqa: E402
from a3c_tut.files import print_what_can_be  # noqa: E402

# pfrl hands closures to its processes, which only a fork can take along.
FORK: Any = multiprocessing.get_context("fork")

TARGET, EPISODES = -20.0, 50  # the mean return over so many episodes
OURS = A3CConfig()
#: The same for all libraries: what our default is.
WORKERS, GAMMA, SCALE = OURS.num_workers, OURS.gamma, OURS.reward_scale
ROLLOUT, ENTROPY = (OURS.per_worker(name)[0] for name in ("rollout_length", "entropy_coef"))
TUNING_SEEDS, SEEDS = (1000, 1001), (0, 1, 2, 3, 4, 5, 6)
TUNING_STEPS, MOST_STEPS = 20_000, 120_000


class Setting(NamedTuple):
    """What is tuned of RMSprop: 16 settings for each library."""

    rate: float
    max_grad_norm: float
    epsilon: float


GRID = [Setting(*s) for s in product((0.01, 0.03, 0.05, 0.07), (0.5, 5.0), (1e-5, 0.1))]


class Run(NamedTuple):
    """What is kept of a run: steps and seconds until the target, or all of them without."""

    steps: int
    seconds: float
    reached: bool
    total_steps: int
    total_seconds: float


class OneHot(gymnasium.Wrapper[Any, Any, Any, Any]):
    """The cliff-world as both libraries see it; the unscaled return is told at an episode's end."""

    def __init__(self) -> None:
        super().__init__(gymnasium.make("a3c_tut/CliffWorld-v0", disable_env_checker=True))
        size = int(self.env.observation_space.n)  # type: ignore[attr-defined]
        self._rows = np.eye(size, dtype=np.float32)
        self.observation_space = gymnasium.spaces.Box(0.0, 1.0, (size,), np.float32)
        self._return = 0.0

    def reset(self, **asked: Any) -> tuple[Any, dict[str, Any]]:
        state, info = self.env.reset(**asked)
        self._return = 0.0
        return self._rows[state], info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        state, reward, terminated, truncated, info = self.env.step(int(action))
        self._return += float(reward)
        if terminated or truncated:
            info["unscaled_return"] = self._return
        return self._rows[state], float(reward) * SCALE, terminated, truncated, info


class Watch:
    """Notes when the target is reached; works across processes that were forked from here."""

    def __init__(self, most_steps: int):
        self._returns = FORK.Array("d", most_steps)
        self._count, self._begun = FORK.Value("q", 0), FORK.Value("d", 0.0)
        self._reached = FORK.Array("d", 3)

    def begin(self) -> None:
        """Start the clock, unless somebody has."""
        with self._begun.get_lock():
            if self._begun.value == 0.0:
                self._begun.value = time.perf_counter()

    def episode(self, steps: int, total_return: float) -> bool:
        """Note an episode; return whether the target has been reached."""
        with self._count.get_lock():
            i = self._count.value
            self._returns[i] = total_return
            self._count.value = i + 1
            if i + 1 >= EPISODES and not self._reached[0]:
                mean = sum(self._returns[i + 1 - EPISODES : i + 1]) / EPISODES
                if mean >= TARGET:
                    self._reached[:] = 1.0, steps, time.perf_counter() - self._begun.value
            return bool(self._reached[0])

    def run(self, steps: int) -> Run:
        """Return what came of it, `steps` after the start."""
        seconds = time.perf_counter() - self._begun.value
        reached, at, after = self._reached[:]
        return Run(int(at), after, True, steps, seconds) if reached else (
            Run(steps, seconds, False, steps, seconds)
        )  # fmt: skip


def run_sb3(setting: Setting, seed: int, steps: int, stop_early: bool) -> Run:
    """Train stable-baselines3's A2C."""
    import torch

    with silence():
        from stable_baselines3 import A2C
        from stable_baselines3.common.callbacks import BaseCallback
        from stable_baselines3.common.vec_env import DummyVecEnv

    torch.set_num_threads(1)
    watch = Watch(steps + WORKERS * ROLLOUT)

    class Listen(BaseCallback):
        def _on_step(self) -> bool:
            done = False
            for info in self.locals["infos"]:
                if "unscaled_return" in info:
                    done = watch.episode(self.num_timesteps, info["unscaled_return"])
            return not (done and stop_early)

    model = A2C(
        "MlpPolicy", DummyVecEnv([OneHot] * WORKERS), learning_rate=setting.rate, n_steps=ROLLOUT,
        gamma=GAMMA, ent_coef=ENTROPY, max_grad_norm=setting.max_grad_norm,
        rms_prop_eps=setting.epsilon, policy_kwargs={"net_arch": []}, seed=seed, device="cpu",
    )  # fmt: skip
    watch.begin()
    model.learn(steps, callback=Listen())
    return watch.run(model.num_timesteps)


def run_pfrl(setting: Setting, seed: int, steps: int, stop_early: bool) -> Run:
    """Train pfrl's A3C, in processes of its own."""
    import torch

    with silence():
        import pfrl
        from pfrl.agents import a3c

    logging.getLogger("pfrl").setLevel(logging.ERROR)
    torch.set_num_threads(1)

    class OldInterface:
        """The environment in the interface that pfrl knows: four things from a step."""

        def __init__(self, seed: int):
            self._env, self._seed = OneHot(), seed
            self.ended_with: float | None = None

        def reset(self) -> Any:
            watch.begin()
            observation, _ = self._env.reset(seed=self._seed)
            self._seed = None  # type: ignore[assignment]  # the first reset seeds, the others go on
            return observation

        def step(self, action: Any) -> tuple[Any, float, bool, dict[str, Any]]:
            observation, reward, terminated, truncated, info = self._env.step(action)
            self.ended_with = info.get("unscaled_return")
            # Not `done`: what follows a time limit is bootstrapped.
            return observation, reward, terminated, {"needs_reset": truncated}

        def close(self) -> None:
            self._env.close()

    model = pfrl.nn.Branched(
        torch.nn.Sequential(
            torch.nn.Linear(48, 4, bias=False), pfrl.policies.SoftmaxCategoricalHead()
        ),
        torch.nn.Linear(48, 1, bias=False),
    )
    for parameter in model.parameters():
        torch.nn.init.zeros_(parameter)
    agent = a3c.A3C(
        model,
        pfrl.optimizers.SharedRMSpropEpsInsideSqrt(
            model.parameters(), lr=setting.rate, eps=setting.epsilon, alpha=0.99
        ),
        t_max=ROLLOUT, gamma=GAMMA, beta=ENTROPY, max_grad_norm=setting.max_grad_norm,
    )  # fmt: skip
    watch, stop = Watch(steps + WORKERS), FORK.Event()
    last = FORK.Value("q", 0)

    def listen(env: Any, agent: Any, step: int) -> None:
        last.value = max(last.value, step)
        if env.ended_with is not None and watch.episode(step, env.ended_with) and stop_early:
            stop.set()

    with tempfile.TemporaryDirectory() as folder:
        pfrl.experiments.train_agent_async(
            outdir=folder, processes=WORKERS, steps=steps, eval_interval=None, agent=agent,
            make_env=lambda worker, test: OldInterface(1000 * seed + worker),
            random_seeds=[1000 * seed + worker for worker in range(WORKERS)],
            global_step_hooks=[listen], stop_event=stop,
        )  # fmt: skip
    return watch.run(last.value)


class silence:  # noqa: N801
    """Nothing on stderr: the old gym complains at each import."""

    def __enter__(self) -> None:
        sys.stderr.flush()
        self._kept = os.dup(2)
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)

    def __exit__(self, *_: object) -> None:
        sys.stderr.flush()
        os.dup2(self._kept, 2)
        os.close(self._kept)


def _sb3(asked: tuple[Setting, int, int, bool]) -> Run:
    return run_sb3(*asked)


def sb3_runs(asked: list[tuple[Setting, int, int, bool]], at_once: int, what: str) -> list[Run]:
    """Run each in a process of its own: torch's threads do not survive being forked later."""
    with FORK.Pool(at_once, maxtasksperchild=1) as pool:
        runs = pool.imap(_sb3, asked, chunksize=1)
        return list(tqdm(runs, total=len(asked), desc=what, leave=False, file=sys.stderr))


def pfrl_runs(asked: list[tuple[Setting, int, int, bool]], at_once: int, what: str) -> list[Run]:
    """Run one after the other: each has three processes already."""
    return [run_pfrl(*one) for one in tqdm(asked, desc=what, leave=False, file=sys.stderr)]


Runs = Callable[[list[tuple[Setting, int, int, bool]], int, str], list[Run]]
OURS_TUNED = "ours, tuned likewise"
PEERS: dict[str, Runs] = {"stable-baselines3 A2C": sb3_runs, "pfrl A3C": pfrl_runs}


def tune(name: str, runs: Runs) -> tuple[Setting, list[dict[str, Any]]]:
    """Return the setting that reaches the target in the fewest steps, over the tuning seeds."""
    asked = [(s, seed, TUNING_STEPS, True) for s in GRID for seed in TUNING_SEEDS]
    done = runs(asked, os.cpu_count() or 1, f"{name}: tuning")
    count = len(TUNING_SEEDS)
    table = []
    for i, setting in enumerate(GRID):
        own = done[i * count : (i + 1) * count]
        # A run that did not arrive counts as twice the steps it was given.
        steps = [run.steps if run.reached else 2 * TUNING_STEPS for run in own]
        table.append({**setting._asdict(), "steps": steps, "reached": [run.reached for run in own]})
    best = min(range(len(GRID)), key=lambda i: sum(table[i]["steps"]))
    return GRID[best], table


def run_ours(config: A3CConfig, seed: int) -> Run:
    """Train ours; the time is that of a run that stops at the target."""
    world = cliff_world()
    whole = train(world, config, total_steps=MOST_STEPS, seed=seed)
    at = steps_to_return(whole, TARGET, EPISODES)
    steps = int(min(at, MOST_STEPS))
    seconds = []
    for _ in range(5):
        begun = time.perf_counter()
        train(world, config, total_steps=MOST_STEPS, seed=seed, stop_after=steps)
        seconds.append(time.perf_counter() - begun)
    return Run(steps, median(seconds), bool(np.isfinite(at)), steps, median(seconds))


def our_config(setting: Setting | None = None) -> A3CConfig:
    """Return the default configuration, as it is or tuned."""
    if setting is None:
        return OURS
    return replace(OURS, actor_lr=setting.rate, critic_lr=setting.rate,
                   max_grad_norm=setting.max_grad_norm,
                   rmsprop_epsilon=setting.epsilon)  # fmt: skip


def our_runs(asked: list[tuple[Setting, int, int, bool]], at_once: int, what: str) -> list[Run]:
    """Run ours with tuned settings, as the others are run."""
    return [run_ours(our_config(setting), seed) for setting, seed, _, _ in asked]


def our_rate(steps: int = 600_000) -> float:
    """Return environment steps per second of the emulated runner."""
    begun = time.perf_counter()
    train(cliff_world(), our_config(), total_steps=steps)
    return steps / (time.perf_counter() - begun)


def rates(best: dict[str, Setting], steps: int) -> dict[str, list[float]]:
    """Measure environment steps per second of all three, in turn."""

    def of(name: str) -> Callable[[], float]:
        def sample() -> float:
            run = PEERS[name]([(best[name], 99, steps, False)], 1, name)[0]
            return run.total_steps / run.total_seconds

        return sample

    return interleaved("steps per second", 5, {"ours": our_rate, **{n: of(n) for n in PEERS}})


def main() -> None:
    print_what_can_be()
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true",
                        help="no tuning, two seeds, nothing written: does it work?")  # fmt: skip
    quick = parser.parse_args().quick
    where = machine(["numpy", "numba", "torch", "stable-baselines3", "pfrl"])
    begun = time.perf_counter()
    train(cliff_world())  # compiled once per machine
    tuned: dict[str, Any] = {}
    best: dict[str, Setting] = {}
    for name, runs in [*PEERS.items(), (OURS_TUNED, our_runs)]:
        best[name] = Setting(0.05, 5.0, 1e-5)
        if not quick:
            best[name], tuned[name] = tune(name, runs)
    samples = rates(best, 3_000 if quick else 10_000)
    seeds = SEEDS[:2] if quick else SEEDS
    reached = {"ours": [run_ours(our_config(), seed) for seed in seeds]}
    for name, runs in [(OURS_TUNED, our_runs), *PEERS.items()]:
        asked = [(best[name], seed, MOST_STEPS, True) for seed in seeds]
        reached[name] = runs(asked, 1, f"{name}: runs")

    lines = []
    for name in PEERS:
        lines.append(Line("environment steps per second", f"ours / {name}",
                          ratio(samples, "ours", name), bar=500.0))  # fmt: skip
    lines += [Line("environment steps per second", name, median(values), "steps/s",
                   raw={name: values}) for name, values in samples.items()]  # fmt: skip
    for what, unit in (("steps", "steps"), ("seconds", "s")):
        part = f"{what} to a mean return of −20 over {EPISODES} episodes"
        means = {}
        for name, done in reached.items():
            values = [float(getattr(run, what)) for run in done]
            mean, low, high = mean_interval(values)
            means[name] = mean
            arrived = sum(run.reached for run in done)
            note = f"95 % interval {low:,.3g} to {high:,.3g}; {arrived} of {len(done)} seeds arrive"
            if name in best:
                note += "; rate {}, clip {}, ε {:g}".format(*best[name])
            lines.append(Line(part, name, mean, unit, note=note, raw={"runs": values}))
        lines += [Line(part, f"{name} / {ours}", means[name] / means[ours])
                  for ours in ("ours", OURS_TUNED) for name in PEERS]  # fmt: skip
    last = last_record("record-peers.json")
    for key, value in where.items():
        print(f"{key}: {value}")
    print_table(lines, last)
    print(f"\n{time.perf_counter() - begun:.0f} s")
    if not quick:
        raw = {
            "grid": tuned,
            "runs": {name: [run._asdict() for run in done] for name, done in reached.items()},
            "rates": samples,
            "tuning seeds": TUNING_SEEDS,
            "seeds": SEEDS,
        }
        write("record-peers", where, lines, last, raw=raw)


if __name__ == "__main__":
    main()
