"""The seed's script: train three asynchronous workers on the cliff-world and draw what came out.

`python -m a3c_tut.gen_a3c_figures` regenerates Figures 1 and 2 (Section 5). Next to it stands
Listing 1 (Section 4): the same algorithm as one short loop, with whole tables and plain names.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from a3c_tut.config import A3CConfig
from a3c_tut.engine import kernels
from a3c_tut.engine.buffers import world_arrays
from a3c_tut.engine.streams import Seed, UniformStream, worker_seeds
from a3c_tut.engine.turn import numbers_needed
from a3c_tut.files import check_folder, print_what_can_be, written_whole
from a3c_tut.results import TrainingResult
from a3c_tut.training import train
from a3c_tut.worlds import TableWorld, cliff_world

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Walker:
    """One worker's own environment and random stream.

    Parameters
    ----------
    world : TableWorld
    config : A3CConfig
    worker : int
    seed : int from 0, or one per worker

    Examples
    --------
    After a rollout it stands where that one ended, and goes on from there:

    >>> walker = Walker(cliff_world(), A3CConfig(rollout_length=5), worker=0, seed=0)
    >>> states, *_ = collect_rollout(np.zeros((48, 4)), walker)
    >>> int(walker.state) == int(states[-1]), walker.episode_steps
    (True, 5)
    """

    def __init__(self, world: TableWorld, config: A3CConfig, worker: int, seed: Seed):
        self.model = world_arrays(world, config)
        self.rollout_length = config.per_worker("rollout_length")[worker]
        self.rollout = kernels.make_rollout(self.rollout_length, world.num_actions)
        self.uniforms = UniformStream(worker_seeds(seed, config.num_workers)[worker])
        self.state = 0
        self.episode_steps = 0
        self.terminated = False
        self.unused: Floats = np.zeros(0)


def collect_rollout(theta_local: Floats, walker: Walker) -> tuple[Ints, Ints, Floats]:
    """Act for at most n steps with the local copy; return s_0 … s_T, actions and rewards.

    Parameters
    ----------
    theta_local : (S, A) logits
    walker : Walker, moved on

    Returns
    -------
    states, actions, rewards : (T + 1,), (T,) and (T,)
        Rewards are in learning units: times the reward scale.

    Examples
    --------
    >>> walker = Walker(cliff_world(), A3CConfig(rollout_length=5), worker=0, seed=0)
    >>> states, actions, rewards = collect_rollout(np.zeros((48, 4)), walker)
    >>> len(states), len(actions), len(rewards), int(states[0])
    (6, 5, 5, 36)
    """
    needed = numbers_needed(walker.rollout_length)
    uniforms = np.concatenate([walker.unused, walker.uniforms.take(needed - len(walker.unused))])
    length, terminated, truncated, cursor, _ = kernels.collect_rollout(
        walker.model, theta_local, walker.state, walker.episode_steps, walker.rollout_length,
        uniforms, 0, walker.rollout,
    )  # fmt: skip
    walker.unused = uniforms[cursor:]
    walker.state = walker.rollout.states[length]
    walker.episode_steps = 0 if terminated or truncated else walker.episode_steps + length
    walker.terminated = terminated
    return (
        walker.rollout.states[: length + 1].copy(),
        walker.rollout.actions[:length].copy(),
        walker.rollout.rewards[:length].copy(),
    )


def compute_n_step_advantages(
    states: Ints, rewards: Floats, terminated: bool, V: Floats, gamma: float
) -> Floats:
    """Return Equation (1) for every step of a rollout, as a new array.

    Parameters
    ----------
    states : (T + 1,) ints
    rewards : (T,) floats, in learning units
    terminated : bool, whether the last state is terminal
    V : (S,) floats, in learning units
    gamma : float, the discount

    Returns
    -------
    (T,) floats
        Every step looks ahead to the last state.

    Examples
    --------
    >>> states, rewards, V = np.array([0, 1]), np.array([-1.0]), np.array([3.0, 5.0])
    >>> compute_n_step_advantages(states, rewards, False, V, 1.0)
    array([1.])
    """
    advantages = np.zeros(len(rewards))
    kernels.compute_n_step_advantages(
        states, rewards, len(rewards), terminated, V, gamma, 0, advantages
    )
    return advantages


def accumulate_gradients(
    states: Ints, actions: Ints, advantages: Floats, theta_local: Floats, entropy_coef: float
) -> tuple[Floats, Floats]:
    """Return Equations (2) and (3) as whole tables, both in the direction that is added.

    Parameters
    ----------
    states, actions : (T + 1,) and (T,) ints
    advantages : (T,) floats
    theta_local : (S, A) logits, by which the actions were chosen
    entropy_coef : float, β

    Returns
    -------
    grad_theta, grad_V : (S, A) and (S,)
        Sums over the steps.

    Examples
    --------
    >>> grad_theta, grad_V = accumulate_gradients(
    ...     np.array([1, 0]), np.array([0]), np.array([2.0]), np.zeros((2, 2)), 0.0)
    >>> grad_theta.tolist(), grad_V.tolist()
    ([[0.0, 0.0], [1.0, -1.0]], [0.0, 2.0])
    """
    length, (num_states, num_actions) = len(actions), theta_local.shape
    rollout = kernels.make_rollout(length, num_actions)
    gradient = kernels.make_gradient(length, num_states, num_actions)
    rollout.states[:], rollout.actions[:], rollout.advantages[:] = states, actions, advantages
    for t in range(length):
        kernels.softmax(theta_local, states[t], rollout.policies, rollout.log_policies, t)
    num_rows, _ = kernels.accumulate_gradients(rollout, length, entropy_coef, gradient)
    grad_theta, grad_V = np.zeros_like(theta_local), np.zeros(num_states)
    rows = gradient.rows[:num_rows]
    grad_theta[rows], grad_V[rows] = gradient.theta[:num_rows], gradient.V[:num_rows]
    return grad_theta, grad_V


def listing_1(
    world: TableWorld, config: A3CConfig, rounds: int, seed: Seed = 0
) -> tuple[Floats, Floats]:
    """Run Listing 1: three workers in turn, gradients into shared tables (Section 4).

    Equal, bit for bit, to `train` with SGD, round robin, the global critic and no clipping.

    Parameters
    ----------
    world : TableWorld
    config : A3CConfig
        Only what the listing knows is used: num_workers, rollout_length, gamma, entropy_coef,
        actor_lr, critic_lr, reward_scale, max_episode_steps.
    rounds : int
        How often every worker has its turn.
    seed : int from 0, or one per worker

    Returns
    -------
    theta_global, V_global : (S, A) and (S,) arrays

    Examples
    --------
    >>> theta_global, V_global = listing_1(cliff_world(), A3CConfig(), rounds=3)
    >>> theta_global.shape, V_global.shape
    ((48, 4), (48,))
    """
    num_workers, gamma = config.num_workers, config.gamma
    beta, actor_lr, critic_lr = config.per_worker("entropy_coef"), config.actor_lr, config.critic_lr
    walkers = [Walker(world, config, worker, seed) for worker in range(num_workers)]
    theta_global = np.zeros((world.num_states, world.num_actions))
    V_global = np.zeros(world.num_states)
    theta_local = [theta_global.copy() for _ in range(num_workers)]

    for _ in range(rounds):
        # The lines break where the tutorial's do, and fit the page.
        # fmt: off
        # [listing-1-begin]
        for worker in range(num_workers):
            states, actions, rewards = collect_rollout(theta_local[worker],
                walkers[worker])
            terminated = walkers[worker].terminated
            advantages = compute_n_step_advantages(states, rewards, terminated,
                V_global, gamma)
            grad_theta, grad_V = accumulate_gradients(states, actions,
                advantages, theta_local[worker], beta[worker])
            theta_global += actor_lr * grad_theta
            V_global += critic_lr * grad_V
            theta_local[worker] = theta_global.copy()
        # [listing-1-end]
        # fmt: on
    return theta_global, V_global


def other_runs(world: TableWorld, config: A3CConfig, total_steps: int) -> list[TrainingResult]:
    """Train with thirty other seeds, for the band of Figure 1.

    Parameters
    ----------
    world : TableWorld
    config : A3CConfig
    total_steps : int from 1
        Of each run.

    Examples
    --------
    >>> [run.seed for run in other_runs(cliff_world(), A3CConfig(), 300)][:2]
    [1000, 1001]
    """
    from a3c_tut.experiments import run_seeds

    return run_seeds(world, config, seeds=range(1000, 1030), measure=lambda run: run,
                     total_steps=total_steps)  # fmt: skip


def write_figures(
    result: TrainingResult, folder: Path, others: Sequence[TrainingResult] = ()
) -> list[Path]:
    """Write Figures 1 and 2 as PNG and SVG, the data behind them as CSV, and the run itself.

    Parameters
    ----------
    result : TrainingResult
    folder : Path
        A folder that exists.
    others : sequence of TrainingResult, optional
        Runs with other seeds, for the band of Figure 1.

    Returns
    -------
    list of Path
        What was written; each file whole or not at all.

    Examples
    --------
    >>> import tempfile
    >>> result = train(cliff_world(), total_steps=2_000)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [path.name for path in write_figures(result, Path(folder))]
    ['figure_1.csv', 'figure_1.png', 'figure_1.svg', 'figure_2.csv', 'figure_2.png', 'figure_2.svg', 'run.npz']
    """  # noqa: E501
    from a3c_tut.figures import plot_policy, plot_returns, save_figure

    episodes, policy, world = result.episodes, result.policy, result.world
    written = []
    for stem, plot, header, rows in (
        ("figure_1", lambda run: plot_returns(run, others=others), episodes.dtype.names,
         episodes.tolist()),
        ("figure_2", plot_policy, ("state", *world.action_names),
         [(state, *row) for state, row in enumerate(policy.tolist())]),
    ):  # fmt: skip
        written.append(_write(folder / f"{stem}.csv", _csv(header or (), rows)))
        for kind in ("png", "svg"):
            buffer = io.BytesIO()
            # Drawn anew: to be drawn before, at another resolution, moves the layout by an ulp.
            save_figure(plot(result), buffer, kind)
            written.append(_write(folder / f"{stem}.{kind}", buffer.getvalue()))
    result.save(folder / "run.npz")
    return [*written, folder / "run.npz"]


def _csv(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(header)
    table.writerows(rows)
    return text.getvalue().encode()


def _write(path: Path, content: bytes) -> Path:
    with written_whole(path) as temporary:
        temporary.write_bytes(content)
    return path


def describe(result: TrainingResult) -> str:
    """Say in a few lines what a run found, with the numbers that Section 5 explains.

    Examples
    --------
    >>> print(describe(train(cliff_world(), total_steps=60_000)).splitlines()[0])
    cliff-world 4 × 12, 3 workers, seed 0
    """
    from a3c_tut.exact import greedy_path
    from a3c_tut.experiments import final_return, steps_to_return
    from a3c_tut.figures import reference_returns

    world, config = result.world, result.config
    reached = steps_to_return(result, target=-20.0)
    path = greedy_path(world, result.policy)
    ending = (
        f"reaches the goal in {len(path.states) - 1} steps" if path.terminated else "never ends"
    )
    references = ", ".join(f"{name} {value:g}" for name, value in reference_returns(world).items())
    lines = [
        f"{world.name}, {config.num_workers} workers, seed {result.seed}",
        f"{result.steps:,} steps, {len(result.updates):,} updates, "
        f"{len(result.episodes):,} episodes",
        f"mean return of the last 100 episodes: {final_return(result):.2f} ({references})"
        if len(result.episodes) else "no episode has ended",
        f"mean return of −20 over 50 episodes: after {reached:,.0f} steps"
        if np.isfinite(reached) else "mean return of −20 over 50 episodes: not reached",
        f"greedy policy: {ending}, return {path.total_return:g}",
    ]  # fmt: skip
    return "\n".join(lines)


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line.

    Examples
    --------
    >>> parse_arguments(["--seed", "3"]).seed
    3
    """
    default = A3CConfig()
    parser = argparse.ArgumentParser(
        prog="a3c-figures", description="Train A3C on the cliff-world and draw Figures 1 and 2."
    )
    parser.add_argument("--out", default="figures", help="folder to write (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--num-workers", type=int, default=default.num_workers,
                        help="default: %(default)s")  # fmt: skip
    parser.add_argument("--steps", type=int, default=60_000,
                        help="environment steps of all workers (default: %(default)s)")  # fmt: skip
    parser.add_argument("--rollout-length", type=int, default=default.rollout_length,
                        help="n (default: %(default)s)")  # fmt: skip
    parser.add_argument("--entropy-coef", type=float, default=default.entropy_coef,
                        help="β (default: %(default)s)")  # fmt: skip
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script; return its exit code: 0, 2 for a setting out of range, 130 for Ctrl-C.

    Examples
    --------
    >>> import tempfile
    >>> main(["--steps", "0", "--out", tempfile.mkdtemp()])
    2
    """
    print_what_can_be()
    asked = parse_arguments(arguments)
    try:
        folder = check_folder(asked.out)
        config = A3CConfig(num_workers=asked.num_workers, rollout_length=asked.rollout_length,
                           entropy_coef=asked.entropy_coef)  # fmt: skip
        begun = perf_counter()
        result = train(cliff_world(), config, total_steps=asked.steps, seed=asked.seed,
                       progress=not asked.quiet)  # fmt: skip
        trained = perf_counter()
        print(describe(result))
        others = other_runs(result.world, config, asked.steps)
        paths = write_figures(result, folder, others)
        drawn = perf_counter()
    except ValueError as error:
        print(f"a3c-figures: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("a3c-figures: stopped; no half-written file is left", file=sys.stderr)
        return 130
    print(f"trained in {trained - begun:.2f} s, drawn in {drawn - trained:.2f} s")
    print("wrote " + ", ".join(str(path) for path in paths))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
