"""Where people really run it: containers, read-only installations, pipes, pools, old terminals."""

import ast
import copy
import errno
import inspect
import itertools
import json
import math
import multiprocessing
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from a3c_tut import (
    A3CConfig,
    DivergenceError,
    TableWorld,
    TrainingResult,
    WorkerError,
    cliff_world,
    experiments,
    replay,
    train,
)
from a3c_tut.checks import MOST, affordable
from a3c_tut.engine.atomics import COMPILED
from a3c_tut.engine.crew import memory_needed
from a3c_tut.engine.runners import processes
from a3c_tut.worlds import corridor_world, sparse_grid_world

ROOT = Path(__file__).resolve().parents[1]

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="what Linux does")
compiled = pytest.mark.skipif(not COMPILED, reason="what compiled code does")


def run_python(code, *, stdin=False, before=(), **environment):
    """Run a program of its own; return its code and all that it printed, errors last."""
    command = [*before, sys.executable, *(["-"] if stdin else ["-c", code])]
    done = subprocess.run(
        command, input=code if stdin else None, env={**os.environ, **environment}, check=False,
        capture_output=True, text=True, encoding="utf-8", errors="replace", timeout=600,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def in_a_namespace(*mounts):
    """What to put before a command so that it has mounts of its own; skip where that cannot be."""
    if shutil.which("unshare") is None:
        pytest.skip("no unshare here")
    who = [] if os.geteuid() == 0 else ["-r"]
    script = " && ".join([*mounts, 'exec "$@"'])
    before = ["unshare", *who, "-m", "sh", "-c", script, "sh"]
    tried = subprocess.run([*before, "true"], capture_output=True, check=False)
    if tried.returncode != 0:
        pytest.skip("no mounts of one's own here")
    return before


# --- Little shared memory -----------------------------------------------------------------------

IN_PROCESSES = """
from a3c_tut import A3CConfig, cliff_world, train
if __name__ == "__main__":
    try:
        train(cliff_world({rows}, {rows}), A3CConfig(num_workers=2), total_steps=2_000,
              runner="processes", start_method="{method}")
        print("ran")
    except MemoryError as error:
        print(error)
"""
SMALL_SHM = "mount -t tmpfs -o size=64m tmpfs /dev/shm"


@on_linux
@pytest.mark.processes
@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_too_little_shared_memory_is_said_before_it_is_touched(method):
    before = in_a_namespace(SMALL_SHM)
    code, out, errors = run_python(IN_PROCESSES.format(rows=1000, method=method), before=before)
    assert code == 0, errors
    assert "of shared memory, and /dev/shm has 64 MiB" in out
    assert "runner='emulated'" in out


@on_linux
@pytest.mark.processes
def test_a_small_world_runs_in_little_shared_memory():
    before = in_a_namespace(SMALL_SHM)
    code, out, errors = run_python(IN_PROCESSES.format(rows=10, method="fork"), before=before)
    assert (code, out.strip()) == (0, "ran"), errors


@on_linux
@pytest.mark.processes
@pytest.mark.parametrize(
    "place", ["mount -t tmpfs -o ro tmpfs /dev/shm", "mount --bind /proc/self /dev/shm"],
    ids=["read-only", "none"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_without_shared_memory_it_says_what_to_do(place, method):
    program = IN_PROCESSES.format(rows=4, method=method)
    code, _, errors = run_python(program, before=in_a_namespace(place))
    assert code == 1
    assert "no shared memory can be made here" in errors
    assert "runner='emulated'" in errors
    assert errors.count("Traceback") == 1


@on_linux
@pytest.mark.processes
def test_too_little_is_said_without_a_lock_too():
    program = IN_PROCESSES.format(rows=1000, method="fork")
    hogwild = program.replace("num_workers=2", "num_workers=2, update_mode='hogwild'")
    code, out, errors = run_python(hogwild, before=in_a_namespace(SMALL_SHM))
    assert code == 0, errors
    assert "of shared memory, and /dev/shm has 64 MiB" in out


# --- No place for compiled code -----------------------------------------------------------------

TRAIN = """
from a3c_tut import cliff_world, train
print(len(train(cliff_world(), total_steps=500).theta))
"""
#: As in an installation that nobody may write to, without a home.
NOWHERE = "from numba.core.caching import CacheImpl; CacheImpl._locator_classes = []\n"


@compiled
@pytest.mark.slow
def test_without_a_place_for_compiled_code_it_runs_and_says_so_once():
    code, out, errors = run_python(NOWHERE + TRAIN)
    assert (code, out.strip()) == (0, "48"), errors
    assert errors.count("compiled code is not kept") == 1
    assert "set NUMBA_CACHE_DIR" in errors


@compiled
@on_linux
@pytest.mark.slow
@pytest.mark.parametrize("place", ["full disk", "file too large"])
def test_on_a_full_disk_it_runs_and_says_so_once(place, tmp_path):
    before, first = [], ""
    if place == "full disk":
        before = in_a_namespace(f"mount -t tmpfs -o size=40k tmpfs {tmp_path}")
    else:
        first = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
    code, out, errors = run_python(first + TRAIN, before=before, NUMBA_CACHE_DIR=str(tmp_path))
    assert (code, out.strip()) == (0, "48"), errors
    assert errors.count("compiled code is not kept") == 1


@compiled
@pytest.mark.slow
def test_damaged_compiled_code_is_compiled_anew(tmp_path):
    assert run_python(TRAIN, NUMBA_CACHE_DIR=str(tmp_path))[0] == 0
    files = [path for path in tmp_path.rglob("*") if path.suffix in (".nbi", ".nbc")]
    assert len(files) > 5
    for path in files:
        path.write_bytes(b"\x80damaged")
    code, out, errors = run_python(TRAIN, NUMBA_CACHE_DIR=str(tmp_path))
    assert (code, out.strip()) == (0, "48"), errors


@compiled
@pytest.mark.slow
def test_a_long_first_compilation_says_what_it_is(tmp_path):
    _, _, errors = run_python(TRAIN, NUMBA_CACHE_DIR=str(tmp_path / "a"), A3C_QUIET="")
    assert errors.count("a3c_tut compiles its kernels") == 1
    _, _, errors = run_python(TRAIN, NUMBA_CACHE_DIR=str(tmp_path / "a"), A3C_QUIET="")
    assert "compiles" not in errors  # the second time it does not


@compiled
@pytest.mark.slow
def test_the_first_call_compiles_nothing_twice_and_nothing_for_python(tmp_path):
    """Kernels that only kernels call have no form that Python could call, until it does."""
    code, out, errors = run_python(
        TRAIN + "from a3c_tut.engine import kernels, portable\n"
        "within = (kernels.softmax, kernels.choose, kernels.apply_sgd, portable.exp)\n"
        "print([len(kernel.signatures) for kernel in within], portable.exp(0.0))\n",
        NUMBA_CACHE_DIR=str(tmp_path),
    )
    assert (code, out.splitlines()) == (0, ["48", "[0, 0, 0, 0] 1.0"]), errors
    names = [path.name for path in tmp_path.rglob("*.nbc")]
    assert len([name for name in names if name.startswith("kernels.softmax")]) == 1


SAME = cliff_world(), cliff_world()

GUARDS = {
    "settings": A3CConfig,
    "size": lambda: affordable("a run", memory_needed(SAME[0], A3CConfig())),
    "place": lambda: processes.check_place("spawn"),
    "interrupts": lambda: processes._interrupts().__enter__(),
    "equality": lambda: SAME[0] == SAME[1],
    "prompt": lambda: repr(A3CConfig(gamma=0.5)),
}


@pytest.mark.parametrize("guard", GUARDS)
def test_no_guard_costs_the_ordinary_case_a_millisecond(guard):
    """The best of many: what the machine does meanwhile is not the guard's."""

    def seconds():
        began = time.perf_counter()
        GUARDS[guard]()
        return time.perf_counter() - began

    handler = signal.getsignal(signal.SIGINT)
    try:
        assert min(seconds() for _ in range(200)) < 1e-3
    finally:
        signal.signal(signal.SIGINT, handler)


# --- No script to import, no children allowed -----------------------------------------------------


@pytest.mark.processes
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_program_from_standard_input_gets_one_short_error(method):
    if method == "forkserver" and sys.platform == "win32":
        pytest.skip("no forkserver here")
    program = IN_PROCESSES.format(rows=4, method=method)
    code, _, errors = run_python(program, stdin=True)
    assert code == 1
    assert "is no file (it was read from standard input, or is gone)" in errors
    assert errors.count("Traceback") == 1


@pytest.mark.processes
def test_a_missing_guard_is_said_once(tmp_path):
    script = tmp_path / "unguarded.py"
    script.write_text("from a3c_tut import cliff_world, train\n"
                      "train(cliff_world(), total_steps=1_000, runner='processes')\n")  # fmt: skip
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("put the call under `if __name__ == '__main__':`") == 1
    assert done.stderr.count("Traceback") == 1


IN_A_POOL = """
import multiprocessing
from a3c_tut import cliff_world, train

def one(seed):
    try:
        return train(cliff_world(), total_steps=500, seed=seed, runner="processes").steps
    except RuntimeError as error:
        return str(error)

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(one, [0])[0])
"""


@pytest.mark.processes
def test_inside_a_daemonic_process_it_says_what_to_do(tmp_path):
    script = tmp_path / "pool.py"
    script.write_text(IN_A_POOL)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "in a daemonic process" in done.stdout
    assert "runner='emulated'" in done.stdout


# --- Output that is not UTF-8 ---------------------------------------------------------------------

COMMANDS = {
    "figures": ["-m", "a3c_tut.gen_a3c_figures", "--steps", "600", "--out"],
    "help": ["-m", "a3c_tut.gen_a3c_figures", "--help"],
    "record": ["-m", "a3c_tut.book.live", "--help"],
}


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_commands_print_what_can_be_printed(command, encoding, tmp_path):
    arguments = COMMANDS[command] + ([str(tmp_path)] if command == "figures" else [])
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True,
                          check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    assert len(done.stdout.decode(encoding)) > 50
    if command == "figures":
        assert (tmp_path / "figure_1.png").stat().st_size > 5_000


def prints(path):
    """Whether a file is a program that prints."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    is_program = any(
        "__name__" in ast.unparse(node) for node in tree.body if isinstance(node, ast.If)
    )
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return is_program and any(ast.unparse(call.func) == "print" for call in calls)


PROGRAMS = sorted(
    path
    for folder in ("a3c_tut", "benchmarks", "book/tools", "tests")
    for path in (ROOT / folder).rglob("*.py")
    if prints(path)
)


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_program_stops_at_a_letter(path):
    """Most take long, or change the repository: not run here, only read."""
    text = path.read_text(encoding="utf-8")
    assert "print_what_can_be()" in text or 'reconfigure(errors="replace")' in text


@pytest.mark.slow
def test_a_planted_fault_with_a_letter_is_reported():
    """`tests/mutations.py` has faults with a π in their names."""
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, ROOT / "tests" / "mutations.py", "without its"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "log ? without its normaliser" in done.stdout


# --- Sizes without an end -------------------------------------------------------------------------

HUGE = 10**30
INTEGERS = {
    "num_workers": lambda n: A3CConfig(num_workers=n),
    "rollout_length": lambda n: A3CConfig(rollout_length=n),
    "window": lambda n: A3CConfig(window=n),
    "sync_every": lambda n: A3CConfig(sync_every=n),
    "max_episode_steps": lambda n: A3CConfig(max_episode_steps=n),
    "total_steps": lambda n: train(cliff_world(), total_steps=n),
    "stop_after": lambda n: train(cliff_world(), total_steps=10, stop_after=n),
    "checkpoint_every": lambda n: train(
        cliff_world(), total_steps=10, runner="processes", checkpoint_every=n, checkpoint_path="x"
    ),
    "rows of cliff_world": lambda n: cliff_world(rows=n),
    "columns of cliff_world": lambda n: cliff_world(columns=n),
    "rows of sparse_grid_world": lambda n: sparse_grid_world(rows=n),
    "columns of sparse_grid_world": lambda n: sparse_grid_world(columns=n),
    "length of corridor_world": corridor_world,
}


@pytest.mark.parametrize("name", INTEGERS)
def test_every_whole_number_has_an_end(name):
    with pytest.raises(ValueError, match=f"{name} is {HUGE}; allowed: .* to "):
        INTEGERS[name](HUGE)


FLOATS = ("gamma", "entropy_coef", "actor_lr", "critic_lr", "max_grad_norm", "rmsprop_decay",
          "rmsprop_epsilon", "reward_scale")  # fmt: skip
CHOICES = ("optimizer", "lr_anneal", "critic", "update_mode")


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize(
    "odd", [float("nan"), float("inf"), -1, 10**400, -(10**400), 10**6000, "0.5", True, 1j, [0.5]],
    ids=lambda odd: type(odd).__name__,
)  # fmt: skip
def test_every_number_is_refused_shortly(name, odd):
    with pytest.raises(ValueError, match=f"^{name} is .*; allowed: ") as raised:
        A3CConfig(**{name: odd})
    assert len(str(raised.value)) < 160


@pytest.mark.parametrize("name", CHOICES)
@pytest.mark.parametrize("odd", [np.array([1, 2]), 10**400, "x" * 500, 0.0, b"sgd"],
                         ids=["array", "long number", "long text", "float", "bytes"])  # fmt: skip
def test_every_choice_is_refused_shortly(name, odd):
    with pytest.raises(ValueError, match=f"^{name} is .*; allowed: ") as raised:
        A3CConfig(**{name: odd})
    assert len(str(raised.value)) < 160


RUN = train(cliff_world(), total_steps=600)
MEASURES = {
    "window": [
        lambda n: experiments.moving_average([1.0, 2.0], n),
        lambda n: experiments.steps_to_return(RUN, -20.0, n),
        lambda n: experiments.learning_curve(RUN, [100], n),
    ],
    "episodes": [lambda n: experiments.final_return(RUN, n)],
    "confidence": [lambda n: experiments.mean_interval([1.0, 2.0], n)],
    "max_threads": [
        lambda n: experiments.run_seeds(RUN.world, seeds=[0], measure=id, max_threads=n)
    ],
    "seeds": [lambda n: experiments.run_seeds(RUN.world, seeds=n, measure=id)],
}


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize(
    "odd", [float("nan"), -1, 0, True, 1j, object(), Fraction(5, 2), -(10**400)],
    ids=lambda odd: f"{type(odd).__name__}",
)  # fmt: skip
def test_what_measures_a_run_refuses_the_same(name, odd):
    for measure in MEASURES[name]:
        with pytest.raises(ValueError, match=f"^{name} is .*; allowed: ") as raised:
            measure(odd)
        assert len(str(raised.value)) < 200


def test_a_run_without_an_episode_has_no_final_return():
    assert np.isnan(experiments.final_return(train(cliff_world(), total_steps=3)))


@pytest.mark.parametrize("half", [np.float32(0.5), np.float64(0.5), Fraction(1, 2)], ids=type)
def test_a_number_of_any_kind_is_kept_as_a_float(half):
    config = A3CConfig(**dict.fromkeys(FLOATS, half))
    assert {type(getattr(config, name)) for name in FLOATS} == {float}
    assert eval(repr(config)) == pickle.loads(pickle.dumps(config)) == config
    assert train(cliff_world(), config, total_steps=30).steps >= 30


@pytest.mark.parametrize(
    "make, named",
    [
        (lambda: train(cliff_world(), A3CConfig(num_workers=10_000, rollout_length=100_000),
                       total_steps=10), "num_workers=10,000"),
        (lambda: cliff_world(10**6, 10**6), "1,000,000 rows and 1,000,000 columns"),
        (lambda: sparse_grid_world(10**6, 10**6), "sparse_grid_world of 1,000,000"),
        (lambda: corridor_world(10**13), "length 10,000,000,000,000"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_its_size(make, named):
    with pytest.raises(MemoryError, match=rf"{named}.* needs [\d.]+ \w+ of memory, and there are"):
        make()


def test_the_largest_that_is_allowed_runs():
    config = A3CConfig(sync_every=MOST, max_episode_steps=MOST)
    assert train(cliff_world(), config, total_steps=30).steps >= 30


# --- Looked at in a prompt ------------------------------------------------------------------------


def test_a_prompt_shows_a_few_lines():
    world = cliff_world()
    result = train(world, A3CConfig(num_workers=2), total_steps=2_000)
    for shown in (world, result, A3CConfig(), A3CConfig(gamma=0.5)):
        assert len(repr(shown).splitlines()) <= 5
        assert max(map(len, repr(shown).splitlines())) <= 100
    assert "num_workers=2" in repr(result)
    assert "cliff-world 4 × 12" in repr(result)
    assert f"{result.episodes['total_return'][-100:].mean():.4g}" in repr(result)
    assert repr(A3CConfig(gamma=0.5)) == "A3CConfig(gamma=0.5)"
    assert eval(repr(A3CConfig(rollout_length=(1, 2, 3)))) == A3CConfig(rollout_length=(1, 2, 3))


def test_a_notebook_shows_a_small_table_and_figure_1():
    result = train(cliff_world(), total_steps=2_000)
    assert result._repr_html_().count("<img alt=") == 1
    for shown in (result, result.world, result.config):
        html = shown._repr_html_()
        assert html.count("<table>") == html.count("</table>") == 1
        assert '<th scope="row">' in html


def test_what_has_not_ended_an_episode_is_shown_too():
    assert "0" in repr(train(cliff_world(), total_steps=3))


# --- One's own tables -----------------------------------------------------------------------------


class Own(gymnasium.Env):
    """A home-made environment: two states, single precision, no `initial_state_distrib`."""

    observation_space = gymnasium.spaces.Discrete(2)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, dtype=np.float32):
        p = np.array([0.1, 0.2, 0.7], dtype=dtype)
        self.P = {s: {a: [(p[0], 0, 1.0, False), (p[1], 1, 0.0, False), (p[2], 1, 2.0, True)]
                      for a in range(2)} for s in range(2)}  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_rounding_of_the_given_type_is_put_right(dtype):
    if dtype == np.float16:
        with pytest.raises(ValueError, match="probability sums to"):
            TableWorld.from_gymnasium(Own(dtype), start=0)
        return
    world = TableWorld.from_gymnasium(Own(dtype), start=0)
    np.testing.assert_allclose(world.probability.sum(axis=-1), 1.0, rtol=0, atol=1e-15)
    assert train(world, total_steps=500).steps >= 500


def test_a_start_may_be_given_and_what_is_missing_is_named():
    with pytest.raises(ValueError, match=r"has a table P, but .* start=, a state or a distribu"):
        TableWorld.from_gymnasium(Own())
    assert TableWorld.from_gymnasium(Own(), start=1).start.tolist() == [0.0, 1.0]
    assert TableWorld.from_gymnasium(Own(), start=[0.5, 0.5]).start.tolist() == [0.5, 0.5]
    with pytest.raises(ValueError, match="start is 2; allowed: a whole number from 0 to 1"):
        TableWorld.from_gymnasium(Own(), start=2)
    with pytest.raises(ValueError, match="carries no table of transitions"):
        TableWorld.from_gymnasium("CartPole-v1")


def test_a_real_error_in_a_table_is_refused_with_its_place():
    broken = Own(np.float64)
    broken.P[1][0] = [(0.5, 0, 0.0, False)]
    with pytest.raises(ValueError, match=r"probability sums to 0.5 in state 1, action 0"):
        TableWorld.from_gymnasium(broken, start=0)


# --- Saving ---------------------------------------------------------------------------------------


def test_what_is_wrong_with_a_path_is_said_with_the_path(tmp_path):
    result = train(cliff_world(), total_steps=100)
    with pytest.raises(IsADirectoryError, match=r"path is '.*', a folder; allowed: a file's path"):
        result.save(tmp_path)
    missing = tmp_path / "no" / "run.npz"
    with pytest.raises(FileNotFoundError, match=rf"path is '{missing}', whose folder cannot be"):
        result.save(missing)
    under_a_file = tmp_path / "file"
    under_a_file.write_text("")
    with pytest.raises(NotADirectoryError, match="whose folder cannot be written"):
        result.save(under_a_file / "run.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_leaves_no_half_file(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(OSError, match="No space left"):
        train(cliff_world(), total_steps=100).save(tmp_path / "run.npz")
    assert list(tmp_path.iterdir()) == []


# --- The same thing twice -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "thing",
    [cliff_world(), sparse_grid_world(), A3CConfig(gamma=0.5),
     train(cliff_world(), total_steps=500, schedule="random")],
    ids=["cliff", "grid", "config", "result"],
)  # fmt: skip
def test_equal_by_content(thing, tmp_path):
    again = pickle.loads(pickle.dumps(thing))
    assert again == thing
    assert hash(again) == hash(thing)
    assert thing != json.dumps(None)


def test_what_differs_is_not_equal(tmp_path):
    assert cliff_world() != cliff_world(5)
    result = train(cliff_world(), total_steps=500)
    assert result != train(cliff_world(), total_steps=500, seed=1)
    assert result == replay(result)
    result.save(tmp_path / "run.npz")
    loaded = TrainingResult.load(tmp_path / "run.npz")
    assert loaded == result
    loaded.state["V"][0] += 1e-9
    assert loaded != result


# --- Errors from another process ------------------------------------------------------------------


def diverge(_):
    wild = A3CConfig(optimizer="sgd", actor_lr=1e300, critic_lr=1e300, reward_scale=1e10)
    train(cliff_world(), wild, total_steps=1_000)


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))]
)
def test_errors_are_copied_with_what_they_know(copied):
    killed = WorkerError(1, 250, "killed by signal 9", inside_lock=True)
    again = copied(killed)
    assert (str(again), vars(again)) == (str(killed), vars(killed))
    with pytest.raises(DivergenceError) as diverged:
        diverge(0)
    again = copied(diverged.value)
    assert (str(again), again.update) == (str(diverged.value), diverged.value.update)
    assert again.result == diverged.value.result


@pytest.mark.processes
def test_a_run_that_diverges_in_a_pool_is_reported_and_the_pool_goes_on():
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        with pytest.raises(DivergenceError, match="not finite after update"):
            list(pool.map(diverge, [0]))
        assert pool.submit(abs, -1).result() == 1


def test_an_interrupt_between_two_lines_leaves_no_temporary_file(tmp_path):
    """It may come where no `finally` is: as Python ends, what is left is removed."""
    program = f"""
import os
from a3c_tut import files

def interrupted(handle, close=os.close):
    close(handle)
    raise KeyboardInterrupt

os.close = interrupted
with files.written_whole({str(tmp_path / "result.txt")!r}):
    pass
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert "KeyboardInterrupt" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_does_not_remove_what_its_parent_writes(tmp_path):
    program = f"""
import os
from a3c_tut import files

with files.written_whole({str(tmp_path / "result.txt")!r}) as temporary:
    temporary.write_text("whole")
    child = os.fork()
    if child == 0:
        files._remove_leftovers()  # as when it ends
        os._exit(0)
    os.waitpid(child, 0)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
    assert (tmp_path / "result.txt").read_text() == "whole"


#: Functions that people call with what they have, and how a call goes right.
def _calls():
    from a3c_tut import exact, experiments, figures, monitoring

    world = cliff_world()
    result = train(world, total_steps=2_000)
    zeros, uniform = np.zeros((48, 4)), np.full((48, 4), 0.25)
    return {
        exact.optimal_values: (world, 0.9),
        exact.action_values: (world, np.zeros(48), 0.9),
        exact.optimal_policy: (world, 0.9),
        exact.softmax_policy: (zeros,),
        exact.policy_values: (world, uniform, 0.9),
        exact.state_occupancy: (world, uniform, 0.9),
        exact.policy_gradient: (world, zeros, 0.9),
        monitoring.calibrated_high: ([result],),
        experiments.moving_average: ([1.0, 2.0, 3.0], 2),
        experiments.final_return: (result,),
        experiments.steps_to_return: (result, -20.0),
        experiments.mean_interval: ([1.0, 2.0, 3.0],),
        experiments.outcome: (result,),
        experiments.evaluate: (result,),
        experiments.learning_curve: (result, [100, 200]),
        experiments.finite_differences: (lambda x: float((x**2).sum()), np.zeros(3)),
        figures.new_figure: (4.0, 3.0),
        figures.plot_returns: (result,),
        figures.plot_policy: (result,),
        figures.plot_policy_map: (result,),
        figures.plot_curves: ([1, 2], {"a": [1.0, 2.0]}),
        figures.plot_schedule: (result,),
        figures.plot_staleness: ({"a": result},),
    }


ODD = (None, -1, 10**30, math.inf, math.nan, "x", "", [], [[1]], object(), 1.5, {}, (1, 2, 3))


def test_what_is_not_allowed_is_named_wherever_it_is_given():
    """Each argument in turn is something else: the call works, or says what is allowed."""
    silent = []
    for function, right in _calls().items():
        function(*right)
        names = list(inspect.signature(function).parameters)
        for at, odd in itertools.product(range(len(right)), ODD):
            given = list(right)
            given[at] = odd
            try:
                function(*given)
            except ValueError as error:
                if "allowed" not in str(error):
                    silent.append((function.__name__, names[at], odd, str(error)))
            except Exception as error:
                silent.append((function.__name__, names[at], odd, repr(error)))
    assert silent == [], "\n".join(map(str, silent))
