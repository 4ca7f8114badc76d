"""Do the tests notice? Sign flips, dropped terms and classic slips, each put in alone.

`python tests/mutations.py` copies the package, applies one mutation at a time, runs the tests that
ought to notice, and fails with a list of the mutations that no test noticed. `python
tests/mutations.py clip` does only those whose names contain "clip".

The copies are interpreted, as where Numba is not installed: nothing is compiled, so no cache can
hide a change. The tests are run on an unchanged copy too; they have to pass there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from a3c_tut.files import print_what_can_be

ROOT = Path(__file__).resolve().parents[1]
AT_A_TIME = 2
SURVIVED, NOTICED = 0, 1  # what pytest returns

EQUATION_1 = "test_equations.py::TestEquation1"
EQUATION_2 = "test_equations.py::TestEquation2"
EQUATION_3 = "test_equations.py::TestEquation3"
POLICY = "test_equations.py::TestPolicy"
ROLLOUT = "test_equations.py::TestRollout"
CLIPPING = "test_equations.py::TestClipping"
OPTIMIZERS = "test_equations.py::TestOptimizers"
ANNEALING = "test_equations.py::TestAnnealing"
REFERENCE = "test_training.py::TestReference"
SCHEDULE = "test_training.py::TestSchedule"
EPISODES = "test_training.py::TestEpisodes"
OWN_COPY = "test_training.py::TestWorkersOwnCopy"
LISTING = "test_training.py::TestSpecialCases::test_listing_1"
RESUME = "test_training.py::TestResume"


class Mutation(NamedTuple):
    """One slip: in this file, this text (it occurs once) becomes that; these tests notice."""

    name: str
    file: str
    old: str
    new: str
    tests: str


RETURN_LOOP = """\
            n_step_return = rewards[t] + gamma * n_step_return
            advantages[t] = n_step_return - V[states[t]]
"""
BOOTSTRAP = "bootstrap = 0.0 if terminated else V[states[length]]"
WINDOW_TAIL = "n_step_return = bootstrap if last == length else V[states[last]]"
TRUNCATED = """\
        out_of_time = episode_steps + length >= world.max_episode_steps
        truncated = out_of_time and not terminated
"""
ACTOR_TERM = "gradient.theta[row, b] -= p * advantage + entropy_coef * ("
PREPARE = "        walk, formed = prepare(run, index)\n"
OWNER = "return index if statistics.updates.shape[0] > 1 else 0"
SYNCED_ROWS = """        for i in range(seen, pushed):
            state = load(shared.touched, i & ring) - i * num_states
            if state < 0"""
KERNELS, TURN = "engine/kernels.py", "engine/turn.py"
BUFFERS, STREAMS = "engine/buffers.py", "engine/streams.py"

MUTATIONS = [
    # --- the policy -----------------------------------------------------------------------------
    Mutation("softmax overflows", KERNELS, "weight = exp(theta[state, a] - largest)",
             "weight = exp(abs(theta[state, a]))", POLICY),
    Mutation("log π without its normaliser", KERNELS, "(theta[state, a] - largest) - log_total",
             "theta[state, a] - largest", POLICY),
    Mutation("entropy: sign", KERNELS, "total -= policies[t, a] * log_policies[t, a]",
             "total += policies[t, a] * log_policies[t, a]", POLICY),
    Mutation("entropy: 0 log 0", KERNELS, "if policies[t, a] > 0.0:\n            total -=",
             "if True:\n            total -=", POLICY),
    Mutation("choice: sums not running", KERNELS, "cumulative += policies[t, a]",
             "cumulative = policies[t, a]", POLICY),
    Mutation("choice: impossible action", KERNELS,
             "if policies[t, a] > 0.0:\n            action = a", "if True:\n            action = a",
             POLICY),
    Mutation("outcome: impossible one", BUFFERS, "sums[still_to_come == 0.0] = 1.0", "pass",
             POLICY),
    # --- the rollout ----------------------------------------------------------------------------
    Mutation("outcome: wrong way round", KERNELS,
             "uniform >= world.cumulative[state, action, k]",
             "uniform < world.cumulative[state, action, k]", ROLLOUT),
    Mutation("start: always the first", KERNELS,
             "uniform >= world.start_cumulative[m]", "uniform < 0.0", REFERENCE),
    Mutation("goes on after the end", KERNELS,
             "while length < rollout_length and not (terminated or truncated):",
             "while length < rollout_length and not truncated:", ROLLOUT),
    Mutation("truncation treated as termination", KERNELS, TRUNCATED,
             "        terminated = terminated or episode_steps + length >= "
             "world.max_episode_steps\n", EPISODES),
    Mutation("time limit one step late", KERNELS,
             "episode_steps + length >= world.max_episode_steps",
             "episode_steps + length > world.max_episode_steps", EPISODES),
    Mutation("bootstrap from the reset state", KERNELS, TRUNCATED,
             TRUNCATED + "        if truncated:\n"
             "            rollout.states[length] = choose_start(world, 0.0)\n", REFERENCE),
    Mutation("returns in learning units", KERNELS, "total_reward += reward\n",
             "total_reward += reward * world.reward_scale\n", EPISODES),
    Mutation("rewards not scaled", KERNELS, "rollout.rewards[length] = reward * world.reward_scale",
             "rollout.rewards[length] = reward", EPISODES),
    Mutation("returns leak into the next episode", TURN,
             "me.episode_steps[index] = 0\n        total_return = 0.0",
             "me.episode_steps[index] = 0", EPISODES),
    Mutation("lengths leak into the next episode", TURN,
             "me.episode_steps[index] = 0\n        total_return = 0.0",
             "total_return = 0.0", EPISODES),
    # --- Equation (1) ---------------------------------------------------------------------------
    Mutation("bootstrap dropped", KERNELS, BOOTSTRAP, "bootstrap = 0.0", EQUATION_1),
    Mutation("bootstrap from a terminal state", KERNELS, BOOTSTRAP,
             "bootstrap = V[states[length]]", EQUATION_1),
    Mutation("bootstrap from the state before", KERNELS, BOOTSTRAP,
             "bootstrap = 0.0 if terminated else V[states[length - 1]]", EQUATION_1),
    Mutation("γ forgotten on the bootstrap", KERNELS, BOOTSTRAP,
             "bootstrap = 0.0 if terminated else V[states[length]] / max(gamma, 1e-9)", EQUATION_1),
    Mutation("γ once too often on the bootstrap", KERNELS, BOOTSTRAP,
             "bootstrap = 0.0 if terminated else gamma * V[states[length]]", EQUATION_1),
    Mutation("γ forgotten", KERNELS, RETURN_LOOP, RETURN_LOOP.replace("gamma * ", ""), EQUATION_1),
    Mutation("γ on the reward", KERNELS, RETURN_LOOP,
             RETURN_LOOP.replace("rewards[t] + gamma *", "gamma * rewards[t] + gamma *"),
             EQUATION_1),
    Mutation("V(s_t) dropped", KERNELS, RETURN_LOOP, RETURN_LOOP.replace(" - V[states[t]]", ""),
             EQUATION_1),
    Mutation("V(s_t) added", KERNELS, RETURN_LOOP, RETURN_LOOP.replace("- V[", "+ V["),
             EQUATION_1),
    Mutation("V(s_t+1) for V(s_t)", KERNELS, RETURN_LOOP,
             RETURN_LOOP.replace("V[states[t]]", "V[states[t + 1]]"), EQUATION_1),
    Mutation("window one too wide", KERNELS, "last = min(t + window, length)",
             "last = min(t + window + 1, length)", EQUATION_1),
    Mutation("window bootstraps from s_T", KERNELS, WINDOW_TAIL, "n_step_return = bootstrap",
             EQUATION_1),
    Mutation("window bootstraps from a terminal state", KERNELS, WINDOW_TAIL,
             "n_step_return = V[states[last]]", EQUATION_1),
    # --- Equations (2) and (3) ------------------------------------------------------------------
    Mutation("∇ log π: sign of the action", KERNELS,
             "gradient.theta[row, rollout.actions[t]] += advantage",
             "gradient.theta[row, rollout.actions[t]] -= advantage", EQUATION_2),
    Mutation("∇ log π: action dropped", KERNELS,
             "gradient.theta[row, rollout.actions[t]] += advantage", "pass", EQUATION_2),
    Mutation("∇ log π: π dropped", KERNELS, ACTOR_TERM,
             "gradient.theta[row, b] -= entropy_coef * (", EQUATION_2),
    Mutation("∇ log π: sign of π", KERNELS, ACTOR_TERM,
             "gradient.theta[row, b] -= -p * advantage + entropy_coef * (", EQUATION_2),
    Mutation("entropy bonus: sign", KERNELS, ACTOR_TERM,
             "gradient.theta[row, b] -= p * advantage - entropy_coef * (", EQUATION_2),
    Mutation("entropy bonus: dropped", KERNELS, ACTOR_TERM,
             "gradient.theta[row, b] -= p * advantage + 0.0 * (", EQUATION_2),
    Mutation("entropy bonus: H dropped", KERNELS, "p * (rollout.log_policies[t, b] + h)",
             "p * rollout.log_policies[t, b]", EQUATION_2),
    Mutation("entropy bonus: π dropped", KERNELS, "p * (rollout.log_policies[t, b] + h)",
             "rollout.log_policies[t, b] + h", EQUATION_2),
    Mutation("critic: sign", KERNELS, "gradient.V[row] += advantage",
             "gradient.V[row] -= advantage", EQUATION_3),
    Mutation("critic: averaged", KERNELS, "gradient.V[row] += advantage",
             "gradient.V[row] += advantage / length", EQUATION_3),
    Mutation("critic: last visit only", KERNELS, "gradient.V[row] += advantage",
             "gradient.V[row] = advantage", EQUATION_3),
    Mutation("critic: weights γ^t", KERNELS, "gradient.V[row] += advantage",
             "gradient.V[row] += advantage * 0.99**t", EQUATION_3),
    Mutation("bootstrap carries a gradient", KERNELS,
             "    for row in range(num_rows):\n        gradient.place",
             "    gradient.V[gradient.place[rollout.states[length]]] -= "
             "0.9 * rollout.advantages[length - 1]\n"
             "    for row in range(num_rows):\n        gradient.place", EQUATION_3),
    Mutation("rows of the last rollout remembered", KERNELS,
             "gradient.place[gradient.rows[row]] = -1", "pass", EQUATION_2),
    Mutation("entropy summed, not averaged", KERNELS, "total_entropy / length", "total_entropy",
             EQUATION_2),
    # --- clipping -------------------------------------------------------------------------------
    Mutation("clip: norm over the actor only", KERNELS,
             "total += gradient.V[row] * gradient.V[row]", "pass", CLIPPING),
    Mutation("clip: square of the norm", KERNELS, "return math.sqrt(total)", "return total",
             CLIPPING),
    Mutation("clip: actor only", KERNELS, "gradient.V[row] *= scale", "pass", CLIPPING),
    Mutation("clip: stretches", KERNELS, "if norm > max_grad_norm:", "if norm > 0.0:", CLIPPING),
    Mutation("clip: before summation", KERNELS, "        if row < 0:", "        if True:",
             CLIPPING),
    Mutation("clip: norm recorded afterwards", TURN, "return Formed(num_rows, mean_entropy, norm)",
             "return Formed(num_rows, mean_entropy, min(norm, settings.max_grad_norm))", CLIPPING),
    Mutation("clip: dropped", TURN,
             "clip_gradients(gradient, num_rows, norm, settings.max_grad_norm)", "pass", CLIPPING),
    # --- the optimizers -------------------------------------------------------------------------
    Mutation("RMSprop: ε outside the root (actor)", KERNELS,
             "actor_lr * g / math.sqrt(s + epsilon)", "actor_lr * g / (math.sqrt(s) + epsilon)",
             OPTIMIZERS),
    Mutation("RMSprop: ε outside the root (critic)", KERNELS,
             "critic_lr * g / math.sqrt(s + epsilon)", "critic_lr * g / (math.sqrt(s) + epsilon)",
             OPTIMIZERS),
    Mutation("RMSprop: (1 − α) dropped", KERNELS,
             "kept * square_theta[state, b] + (1.0 - decay) * g * g",
             "kept * square_theta[state, b] + g * g", OPTIMIZERS),
    Mutation("RMSprop: lazy decay dropped", KERNELS,
             "kept = decay * decay_power(decay, now - 1 - last_update[state])", "kept = decay",
             OPTIMIZERS),
    Mutation("RMSprop: lazy decay off by one", KERNELS, "now - 1 - last_update[state]",
             "now - last_update[state]", OPTIMIZERS),
    Mutation("RMSprop: visit not noted", KERNELS, "last_update[state] = now", "pass", OPTIMIZERS),
    Mutation("RMSprop: one memory for all", TURN,
             OWNER, OWNER.replace("index if", "0 if"),
             f"{REFERENCE}::test_variants"),
    Mutation("power: last bit dropped", KERNELS, "if count & 1:", "if count & 1 and count > 1:",
             OPTIMIZERS),
    Mutation("SGD: one rate for both", KERNELS, "V[state] += critic_lr * gradient.V[row]",
             "V[state] += actor_lr * gradient.V[row]", OPTIMIZERS),
    Mutation("SGD: descends", KERNELS, "theta[state, b] += actor_lr * gradient.theta[row, b]",
             "theta[state, b] -= actor_lr * gradient.theta[row, b]", OPTIMIZERS),
    # --- annealing ------------------------------------------------------------------------------
    Mutation("annealing: past zero", TURN, "return max(0.0, factor)", "return factor", ANNEALING),
    Mutation("annealing: upwards", TURN, "factor = 1.0 - steps / settings.total_steps",
             "factor = steps / settings.total_steps", ANNEALING),
    Mutation("annealing: own steps for all", TURN, "factor = 1.0 - steps / settings.total_steps",
             "factor = 1.0 - own_steps / settings.total_steps", ANNEALING),
    Mutation("annealing: N forgotten", TURN,
             "own_steps * settings.num_workers / settings.total_steps",
             "own_steps / settings.total_steps", ANNEALING),
    Mutation("annealing by points: the wrong end", TURN,
             "(1.0 - part) * factors[k - 1] + part * factors[k]",
             "part * factors[k - 1] + (1.0 - part) * factors[k]", ANNEALING),
    Mutation("annealing: the actor only", TURN,
             "settings.actor_lr[worker] * factor, settings.critic_lr[worker] * factor",
             "settings.actor_lr[worker] * factor, settings.critic_lr[worker]",
             f"{REFERENCE}::test_variants"),
    Mutation("annealing: after the step", TURN,
             "factor = annealing(settings, steps, run.me.own_steps[index])",
             "own = run.me.own_steps[index] + walk.length\n"
             "    factor = annealing(settings, steps + walk.length, own)",
             "test_training.py::TestLearningRates"),
    # --- workers and their copies ---------------------------------------------------------------
    Mutation("sync dropped", TURN, "    sync(run, index)\n\n\n@kernel",
             "    pass\n\n\n@kernel", OWN_COPY),
    Mutation("sync one push late", TURN,
             "if me.pushes_since_sync[index] >= run.settings.sync_every:",
             "if me.pushes_since_sync[index] > run.settings.sync_every:", OWN_COPY),
    Mutation("sync forgets the critic", TURN,
             "                break\n            V[state] = shared.V[state]\n",
             "                break\n", OWN_COPY),
    Mutation("sync before the push", TURN, SYNCED_ROWS,
             SYNCED_ROWS.replace("pushed)", "pushed - 1)"), OWN_COPY),
    Mutation("ring overflow not seen", TURN,
             "if pushed - seen > shared.touched.shape[0]:", "if False:", OWN_COPY),
    Mutation("acts on the shared parameters", TURN, PREPARE,
             "        run.me.theta[index, :, :] = run.shared.theta\n" + PREPARE, OWN_COPY),
    Mutation("staleness off by one", TURN, "update - run.me.synced_at[index]",
             "update - run.me.synced_at[index] + 1", SCHEDULE),
    Mutation("staleness ignores sync_every", TURN,
             "    me.pushes_since_sync[index] += 1\n",
             "    me.pushes_since_sync[index] += 1\n"
             "    me.synced_at[index] = load(run.shared.counters, UPDATES)\n", SCHEDULE),
    Mutation("one rollout too many", TURN, "if run.shared.counters[STEPS] >= stop_at:",
             "if run.shared.counters[STEPS] > stop_at:", SCHEDULE),
    Mutation("global critic reads the copy", TURN,
             "index, walk.length, walk.terminated, run.shared.V)",
             "index, walk.length, walk.terminated, run.me.V[index])", LISTING),
    Mutation("β of worker 0 for all", TURN, "settings.entropy_coef[run.me.worker[index]]",
             "settings.entropy_coef[0]", f"{REFERENCE}::test_variants"),
    Mutation("n of worker 0 for all", TURN,
             "run.settings.rollout_length[me.worker[index]], me",
             "run.settings.rollout_length[0], me", f"{REFERENCE}::test_variants"),
    # --- random numbers, units, Listing 1 -------------------------------------------------------
    Mutation("one stream for all workers", STREAMS,
             "return np.random.SeedSequence(int(seed)).spawn(num_workers)",
             "return [np.random.SeedSequence(int(seed))] * num_workers", OWN_COPY),
    Mutation("unused numbers thrown away", STREAMS,
             "buffer[:left] = buffer[cursor:].copy()", "pass",
             f"{REFERENCE}::test_numbers_drawn_ahead"),
    Mutation("stream begins anew", STREAMS, "bits.advance(used)", "pass", RESUME),
    Mutation("order from a worker's stream", "training.py",
             "entropy.spawn(config.num_workers + 1)[-1]", "entropy.spawn(config.num_workers)[0]",
             OWN_COPY),
    Mutation("values in learning units", "results.py",
             'self.state["V"] / self.config.reward_scale', 'self.state["V"]', EPISODES),
    Mutation("initial values not scaled", "training.py", 'initial["values"] * config.reward_scale',
             'initial["values"]', OWN_COPY),
    Mutation("Listing 1: descends", "gen_a3c_figures.py",
             "theta_global += actor_lr * grad_theta", "theta_global -= actor_lr * grad_theta",
             LISTING),
    Mutation("Listing 1: copy is no copy", "gen_a3c_figures.py",
             "theta_local[worker] = theta_global.copy()", "theta_local[worker] = theta_global",
             LISTING),
]  # fmt: skip

#: Put beside the copied tests: quick (nothing is shrunk), repeatable, and sure to test the copy.
CONFTEST = """
import sys
from pathlib import Path

sys.modules["numba"] = None  # importing it fails

from hypothesis import Phase, settings

import a3c_tut

assert Path(a3c_tut.__file__).parents[1] == Path(__file__).parent, a3c_tut.__file__
settings.register_profile(
    "mutations", database=None, derandomize=True, phases=(Phase.explicit, Phase.generate)
)
settings.load_profile("mutations")
"""
#: Only what these tests need: to begin costs more than to notice.
PYTEST = ["-x", "-q", "-p", "no:cacheprovider", "-p", "pytest_timeout", "--assert", "plain"]
TEST_FILES = (
    "strategies.py",
    "reference.py",
    "engine/test_equations.py",
    "engine/test_training.py",
)


def run_tests(mutation: Mutation | None, tests: list[str]) -> tuple[int, str]:
    """Run tests on a copy with one mutation, or none; return pytest's code and its last words."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as name:
        folder = Path(name)
        shutil.copytree(
            ROOT / "a3c_tut", folder / "a3c_tut", ignore=shutil.ignore_patterns("*.nb?", "data")
        )
        for file in TEST_FILES:
            shutil.copy(ROOT / "tests" / file, folder)
        shutil.copy(ROOT / "pyproject.toml", folder)
        (folder / "conftest.py").write_text(CONFTEST, encoding="utf-8")
        if mutation is not None:
            path = folder / "a3c_tut" / mutation.file
            text = path.read_text(encoding="utf-8")
            if (times := text.count(mutation.old)) != 1:
                return -1, f"the text to replace occurs {times} times in {mutation.file}"
            path.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")
            for compiled in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
                compiled.unlink()
        environment = {
            **os.environ,
            "PYTHONPATH": name,
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        }
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *PYTEST, *tests],
            cwd=folder, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout[-2_000:] + done.stderr[-2_000:]


def main(wanted: str = "") -> int:
    chosen = [mutation for mutation in MUTATIONS if wanted in mutation.name]
    if len({mutation.name for mutation in MUTATIONS}) != len(MUTATIONS):
        print("two mutations have the same name")
        return 2
    if not chosen:
        print(f"no planted fault has {wanted!r} in its name")
        return 2
    failed = []
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        unchanged = pool.submit(run_tests, None, sorted({mutation.tests for mutation in chosen}))
        outcomes = pool.map(lambda mutation: run_tests(mutation, [mutation.tests]), chosen)
        for mutation, (code, said) in zip(chosen, outcomes, strict=True):
            if code == NOTICED:
                print(f"noticed   {mutation.name}", flush=True)
                continue
            failed.append(mutation.name)
            print(f"SURVIVED  {mutation.name}" if code == SURVIVED else
                  f"BROKEN    {mutation.name}\n{said}", flush=True)  # fmt: skip
    code, said = unchanged.result()
    if code != 0:
        print(said, "the tests have to pass where nothing is changed", sep="\n")
        return 2
    for name in failed:
        print(f"not noticed: {name}")
    print(f"{len(chosen) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    print_what_can_be()
    raise SystemExit(main(*sys.argv[1:]))
