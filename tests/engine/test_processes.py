"""Real workers: replay bit for bit, faults, checkpoints. Every run here starts processes."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from a3c_tut import (
    A3CConfig,
    TableWorld,
    TrainingResult,
    WorkerError,
    cliff_world,
    replay,
    train,
)
from a3c_tut import training as training_module
from a3c_tut.control import cart_pole
from a3c_tut.engine.atomics import read
from a3c_tut.engine.log import EPISODE_DTYPE, EPISODE_ROW, UPDATE_DTYPE, UPDATE_ROW, joined
from a3c_tut.engine.protocol import LOCK
from a3c_tut.exact import greedy_path
from a3c_tut.experiments import final_return, steps_to_return
from a3c_tut.networks import network_config

pytestmark = [
    pytest.mark.processes,
    pytest.mark.filterwarnings(
        "ignore:num_workers is:RuntimeWarning",
        "ignore:.*multi-threaded.*fork:DeprecationWarning",
    ),
]
SHM = Path("/dev/shm")
#: Starting a worker is most of the time of a short run; fork saves it where there is one.
QUICK = "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"
on_linux = pytest.mark.skipif(not SHM.is_dir(), reason="looks at /dev/shm and /proc")


@pytest.fixture(autouse=True)
def _nothing_is_left():
    """No process and no shared memory outlives a run, however it ended."""
    before = set(SHM.glob("psm_*")) if SHM.is_dir() else set()
    children = set(multiprocessing.active_children())
    yield
    if SHM.is_dir():
        # Another test process may hold blocks of its own; ours are gone at once.
        mine = {p for p in set(SHM.glob("psm_*")) - before if p.owner() and _mapped_by_me(p)}
        assert not mine
    assert set(multiprocessing.active_children()) <= children


def _mapped_by_me(path):
    return str(path) in Path("/proc/self/maps").read_text()


def equal(one: TrainingResult, other: TrainingResult) -> list[str]:
    """Return what differs, by name."""
    different = [name for name in one.state if not np.array_equal(one.state[name],
                                                                  other.state[name])]  # fmt: skip
    for name in ("episodes", "updates"):
        if not np.array_equal(getattr(one, name), getattr(other, name)):
            different.append(name)
    return different


def interleaved(world, config, **asked) -> TrainingResult:
    """Run until the workers really take turns: a test of asynchrony needs asynchrony.

    On a crowded machine they may hold their cores for long; then a longer run has more changes.
    """
    for total_steps in (1_000_000, 4_000_000, 16_000_000):
        result = train(world, config, total_steps=total_steps, runner="processes", **asked)
        share = np.bincount(result.schedule, minlength=config.num_workers) / len(result.updates)
        changes = int((np.diff(result.schedule) != 0).sum())
        if share.min() > 0.01 and changes >= 30:
            return result
    raise AssertionError(f"shares of the workers {share}, changes of turn {changes}")


CONFIGS = {
    "default": {},
    "sgd": {"optimizer": "sgd", "actor_lr": 0.02, "critic_lr": 0.02},
    "own statistics": {"shared_statistics": False},
    "global critic": {"critic": "global"},
    "annealed": {"lr_anneal": "global"},
    "annealed per worker": {"lr_anneal": "per_worker"},
    "annealed by points": {"lr_anneal": ((0, 0.1), (0.2, 1), (1, 0.5))},
    "rare sync": {"sync_every": 7},
    "window": {"rollout_length": 8, "window": 3},
    "diverse": {"rollout_length": (3, 5, 20), "entropy_coef": (0.0, 0.01, 0.1)},
    "unclipped": {"max_grad_norm": None},
}


@pytest.mark.parametrize("seed", range(22))
def test_a_real_run_replays_bit_for_bit(seed):
    name = list(CONFIGS)[seed % len(CONFIGS)]
    result = interleaved(cliff_world(), A3CConfig(**CONFIGS[name]), seed=seed)
    assert equal(replay(result), result) == []
    assert (result.episodes["step"] <= result.steps).all()
    assert 0 <= result.steps - result.total_steps < max(result.config.per_worker("rollout_length"))


@pytest.mark.parametrize("method", ["forkserver", "fork"])
def test_other_start_methods_replay_too(method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system has no {method}")
    result = interleaved(cliff_world(), A3CConfig(), start_method=method)
    assert equal(replay(result), result) == []


def test_a_stochastic_world_replays_too():
    lake = TableWorld.from_gymnasium("FrozenLake-v1")
    result = interleaved(lake, A3CConfig(), seed=5)
    assert equal(replay(result), result) == []


def test_one_worker_is_sequential_actor_critic_in_every_runner():
    config = A3CConfig(num_workers=1)
    real = train(cliff_world(), config, total_steps=30_000, runner="processes")
    emulated = train(cliff_world(), config, total_steps=30_000)
    assert equal(real, emulated) == []
    assert (real.updates["staleness"] == 0).all()


def all_awake(schedule, num_workers):
    """Whether every worker went on through the middle of the run, by some dozens of episodes."""
    middle = schedule[len(schedule) // 3 : -(len(schedule) // 10)]
    return np.bincount(middle, minlength=num_workers).min() >= 100


def while_all_are_awake(world, seed):
    """Train; again where the machine let a worker sleep through the run, which lasts 20 ms.

    An episode that a sleeper began as a beginner would end, hundreds of steps long, among the last.
    """
    for _ in range(100):
        run = train(world, total_steps=60_000, seed=seed, runner="processes", start_method=QUICK)
        if all_awake(run.schedule, 3):
            return run
    pytest.fail("a worker slept through each of a hundred runs: the machine has no time for this")


def test_the_learning_bars_hold_for_real_workers():
    """Those of `test_learning.py`."""
    world, paths, finals, reached = cliff_world(), [], [], []
    for seed in range(20):
        run = while_all_are_awake(world, seed)
        path = greedy_path(world, run.policy)
        assert path.terminated, (seed, path)
        assert path.total_return >= -17, (seed, path)
        paths.append(path.total_return)
        finals.append(final_return(run))
        reached.append(steps_to_return(run, -20.0))
    assert paths.count(-13.0) >= 15, paths
    assert np.mean(finals) >= -14.2, finals
    assert np.median(reached) <= 7_000, reached
    # No two real runs are alike, and two falls by chance among the last 100 episodes miss the bar:
    # a seed that does has to reach it in two further runs.
    for seed in np.flatnonzero(np.array(finals) < -19):
        again = [final_return(while_all_are_awake(world, int(seed))) for _ in range(2)]
        assert min(again) >= -19, (finals, seed, again)


def test_staleness_is_what_the_schedule_says():
    result = train(cliff_world(), total_steps=300_000, runner="processes")
    last = dict.fromkeys(range(3), -1)
    for update, worker in enumerate(result.schedule):
        assert result.updates["staleness"][update] == update - last[worker] - 1
        last[worker] = update


def test_more_workers_than_cores_works_and_says_so_once():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = train(cliff_world(), A3CConfig(num_workers=8), total_steps=200_000,
                       runner="processes")  # fmt: skip
    messages = [str(w.message) for w in caught if "num_workers is 8" in str(w.message)]
    assert len(messages) == (1 if len(os.sched_getaffinity(0)) < 8 else 0)
    assert equal(replay(result), result) == []


def test_hogwild_counts_exactly_and_is_not_replayed():
    result = train(cliff_world(), A3CConfig(update_mode="hogwild"), total_steps=300_000,
                   runner="processes")  # fmt: skip
    assert len(result.updates) == result.state["counters"][1]
    assert int(result.updates["step"].max()) == result.steps
    steps = np.sort(result.updates["step"])
    assert (np.diff(steps) > 0).all()  # every push claimed steps of its own
    assert result.state["local_counters"][:, 3].sum() == result.steps
    assert final_return(result) > -25
    with pytest.raises(ValueError, match="update_mode is 'hogwild'"):
        replay(result)


# --- Faults -------------------------------------------------------------------------------------


class FaultyWorld(TableWorld):
    """A world that arrives broken in a worker process."""

    def __reduce__(self):
        return _faulty, ()


def _faulty():
    if multiprocessing.current_process().name.startswith("a3c worker"):
        raise RuntimeError("this world is out of order")
    world = cliff_world()
    return FaultyWorld(**{name: getattr(world, name) for name in world.__dataclass_fields__})


def test_a_worker_that_raises_says_so_with_its_own_traceback(monkeypatch):
    """Fork carries the fault into the children; they raise in the middle of the run."""
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("this system has no fork")
    from a3c_tut.engine.streams import UniformStream

    raised_at = multiprocessing.get_context("fork").Value("d", 0.0)
    take = UniformStream.take

    def faulty(self, count):
        if multiprocessing.parent_process() is not None:
            self.calls = getattr(self, "calls", 0) + 1
            if self.calls > 20:
                raised_at.value = time.monotonic()
                raise RuntimeError("no more luck")
        return take(self, count)

    monkeypatch.setattr(UniformStream, "take", faulty)
    with pytest.raises(WorkerError, match=r"(?s)raised.*Traceback.*no more luck") as caught:
        train(cliff_world(), total_steps=10**9, runner="processes", start_method="fork")
    assert time.monotonic() - raised_at.value < 2.0
    assert caught.value.update > 0


def test_a_worker_that_cannot_even_start_is_an_error_too(capfd):
    with pytest.raises(WorkerError, match="before it was ready"):
        train(_faulty(), total_steps=1_000, runner="processes")
    assert "this world is out of order" in capfd.readouterr().err


class Hunter(threading.Thread):
    """Kills worker processes while `train` runs in the main thread."""

    def __init__(self, monkeypatch, hunt):
        super().__init__(daemon=True)
        self.teams, self.killed_at, self.hunt = [], [], hunt
        init = training_module.TableTeam.__init__

        def remember(team, *args, **kwargs):
            init(team, *args, **kwargs)
            self.teams.append(team)

        monkeypatch.setattr(training_module.TableTeam, "__init__", remember)

    def run(self):
        while not self.teams:
            time.sleep(0.001)
        team = self.teams[0]
        while team.num_updates == 0:
            time.sleep(0.001)
        self.hunt(self, team)

    def processes(self):
        found = {}
        for process in multiprocessing.active_children():
            if process.name.startswith("a3c worker") and process.is_alive():
                found[int(process.name.split()[-1])] = process.pid
        return found

    def kill(self, worker, pids):
        self.killed_at.append(time.monotonic())
        os.kill(pids[worker], signal.SIGKILL)

    def kill_inside_lock(self, team, pids):
        """Stop a worker while it owns the lock, make sure that it does, and kill it."""
        words = team._block.array("words")
        until = time.monotonic() + 10
        while time.monotonic() < until:
            owner = read(words, LOCK) - 1
            if owner not in pids:
                continue
            os.kill(pids[owner], signal.SIGSTOP)
            while Path(f"/proc/{pids[owner]}/stat").read_text().split()[2] != "T":
                pass
            if read(words, LOCK) == owner + 1:
                self.kill(owner, pids)
                return owner
            os.kill(pids[owner], signal.SIGCONT)
        raise AssertionError("no worker was caught inside the lock")


@on_linux
@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("world", [cliff_world(), cart_pole()], ids=["table", "network"])
def test_a_killed_worker_is_noticed_within_five_seconds(monkeypatch, world, inside):
    def hunt(hunter, team):
        pids = hunter.processes()
        hunter.kill_inside_lock(team, pids) if inside else hunter.kill(1, pids)

    hunter = Hunter(monkeypatch, hunt)
    hunter.start()
    with pytest.raises(WorkerError, match="killed by signal 9 at update") as caught:
        train(world, total_steps=10**9, runner="processes")
    assert time.monotonic() - hunter.killed_at[0] < 5.0
    assert caught.value.update > 0
    assert caught.value.inside_lock or not inside
    assert inside or caught.value.worker == 1


@on_linux
def test_chaos_a_hundred_killed_workers_leave_every_run_whole(monkeypatch):
    """Ten runs of eleven workers; ten of each are killed at random moments, the last finishes."""
    rng = np.random.default_rng(0)
    kills, inside = 0, 0
    for seed in range(10):

        def hunt(hunter, team):
            pids = hunter.processes()
            for number in range(10):
                time.sleep(rng.uniform(0.0, 0.03))
                if number % 3 == 0:
                    worker = hunter.kill_inside_lock(team, pids)
                else:
                    worker = int(rng.choice(sorted(pids)))
                    hunter.kill(worker, pids)
                del pids[worker]

        with monkeypatch.context() as patch:
            hunter = Hunter(patch, hunt)
            hunter.start()
            result = train(cliff_world(), A3CConfig(num_workers=11), total_steps=4_000_000,
                           seed=seed, runner="processes", start_method=QUICK,
                           on_worker_failure="continue")  # fmt: skip
            hunter.join()
        assert len(result.failures) == 10, result.failures
        assert len({failure["worker"] for failure in result.failures}) == 10
        kills += len(result.failures)
        inside += sum(failure["inside_lock"] for failure in result.failures)
        assert result.steps >= 4_000_000
        # No push is lost, none is half applied, none counts twice.
        assert equal(replay(result), result) == []
    assert kills == 100
    assert inside >= 20, f"only {inside} of {kills} kills hit a worker inside the lock"


@on_linux
@pytest.mark.filterwarnings("ignore:num_workers is 3:RuntimeWarning")  # of two cores
def test_a_network_survives_its_workers(monkeypatch):
    """Two of three workers are killed, one of them inside the lock; the third finishes."""

    def hunt(hunter, team):
        pids = hunter.processes()
        del pids[hunter.kill_inside_lock(team, pids)]
        hunter.kill(sorted(pids)[0], pids)

    hunter = Hunter(monkeypatch, hunt)
    hunter.start()
    world = cart_pole()
    result = train(world, network_config(world, num_workers=3), total_steps=1_000_000,
                   runner="processes", start_method=QUICK,
                   on_worker_failure="continue")  # fmt: skip
    hunter.join()
    assert [failure["inside_lock"] for failure in result.failures].count(True) >= 1
    assert len(result.failures) == 2
    assert result.steps >= 1_000_000
    assert equal(replay(result), result) == []


def run_script(code, **kwargs):
    return subprocess.Popen([sys.executable, "-W", "ignore", *code], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, **kwargs)  # fmt: skip


LONG_RUN = """
import multiprocessing, signal, sys, threading, time
from a3c_tut import cliff_world, train, training

def report():
    while len(multiprocessing.active_children()) < 3 or not teams or teams[0].num_updates == 0:
        time.sleep(0.01)
    pids = [p.pid for p in multiprocessing.active_children()]
    print(teams[0]._block.name, *pids, flush=True)

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's "&" has it ignored
    teams, init = [], training.TableTeam.__init__
    def remember(team, *args, **kwargs):
        init(team, *args, **kwargs)
        teams.append(team)
    training.TableTeam.__init__ = remember
    threading.Thread(target=report, daemon=True).start()
    train(cliff_world(), total_steps=10**10, runner="processes", **EXTRA)
"""


def long_run(tmp_path, **extra):
    script = tmp_path / "long_run.py"
    script.write_text(LONG_RUN.replace("**EXTRA", f"**{extra!r}"))
    process = run_script([str(script)], start_new_session=True)
    name, *pids = process.stdout.readline().split()
    return process, SHM / name, [int(pid) for pid in pids]


def gone(pids, block):
    return not block.exists() and not any(map(alive, pids))


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@on_linux
def test_a_killed_parent_leaves_no_workers_and_no_memory(tmp_path):
    process, block, pids = long_run(tmp_path)
    assert len(pids) == 3
    assert block.exists()
    process.kill()
    killed = time.monotonic()
    while not gone(pids, block) and time.monotonic() < killed + 10:
        time.sleep(0.02)
    assert gone(pids, block)
    assert time.monotonic() - killed < 5.0
    process.communicate()


@on_linux
def test_ctrl_c_ends_cleanly(tmp_path):
    process, block, pids = long_run(tmp_path)
    os.killpg(process.pid, signal.SIGINT)  # what a terminal does: parent and workers alike
    _, errors = process.communicate(timeout=20)
    assert process.returncode in (1, -signal.SIGINT, 130)
    assert errors.count("Traceback") == 1, errors
    assert "KeyboardInterrupt" in errors
    assert gone(pids, block)


def test_a_ctrl_c_that_something_swallows_ends_the_run_all_the_same():
    """As NumPy does while it makes some kinds of types."""
    swallowed = []

    def swallow(so_far):
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            swallowed.append(so_far.steps)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            train(cliff_world(), total_steps=10**8, runner="processes", start_method=QUICK,
                  callback=swallow, callback_every=20_000)  # fmt: skip
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(swallowed) == 1


@on_linux
def test_no_ctrl_c_is_lost_while_the_parent_reads_the_logs():
    """NumPy swallows what a signal raises while it makes some kinds of types."""
    kinds = (EPISODE_DTYPE, EPISODE_ROW, UPDATE_DTYPE, UPDATE_ROW)
    rings = [np.zeros(5, kind) for kind in kinds]
    raised, caught = [], 0

    def interrupt(number, frame):
        raised.append(number)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        while len(raised) < 200:
            so_far = len(raised)
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0003)
                while len(raised) == so_far:
                    for ring in rings:
                        joined(ring.dtype, [ring[:3], ring[3:]])
            except KeyboardInterrupt:
                caught += 1
    finally:
        signal.signal(signal.SIGALRM, before)
    assert caught == len(raised)


def test_a_missing_main_guard_is_said(tmp_path):
    script = tmp_path / "unguarded.py"
    script.write_text("from a3c_tut import cliff_world, train\n"
                      "train(cliff_world(), total_steps=1_000, runner='processes')\n")  # fmt: skip
    process = run_script([str(script)])
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "put the call under `if __name__ == '__main__':`" in errors


def test_processes_from_the_command_line():
    code = """from a3c_tut import cliff_world, train
print(train(cliff_world(), total_steps=2_000, runner='processes').steps >= 2_000)"""
    out, errors = run_script(["-c", code]).communicate(timeout=60)
    assert (out.strip(), errors) == ("True", "")


def test_processes_from_a_notebook_cell():
    nbformat = pytest.importorskip("nbformat")
    from nbclient import NotebookClient

    notebook = nbformat.v4.new_notebook()
    notebook.cells = [
        nbformat.v4.new_code_cell(
            textwrap.dedent("""
        from a3c_tut import A3CConfig, cliff_world, replay, train
        run = train(cliff_world(), A3CConfig(num_workers=2), total_steps=5_000, runner="processes")
        bool((replay(run).theta == run.theta).all())
    """)
        )
    ]
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    assert notebook.cells[0].outputs[-1]["data"]["text/plain"] == "True"


def test_interpreted_workers_replay_too(tmp_path):
    """Without Numba the lock is multiprocessing's; the run is as exact, only slower."""
    script = tmp_path / "interpreted.py"
    script.write_text(
        textwrap.dedent("""
        import json
        import numpy as np
        from a3c_tut import cliff_world, replay, train
        from a3c_tut.engine.atomics import COMPILED
        if __name__ == "__main__":
            run = train(cliff_world(), total_steps=20_000, runner="processes")
            again = replay(run)
            same = all(np.array_equal(run.state[k], again.state[k]) for k in run.state)
            print(json.dumps([COMPILED, same, bool((run.updates == again.updates).all()),
                              np.bincount(run.schedule).tolist()]))
    """)
    )
    process = run_script([str(script)], env=os.environ | {"NUMBA_DISABLE_JIT": "1"})
    out, errors = process.communicate(timeout=120)
    assert errors == ""
    compiled, same_state, same_updates, shares = json.loads(out)
    assert (compiled, same_state, same_updates) == (False, True, True)
    assert min(shares) > 0


# --- Save, checkpoint, resume ---------------------------------------------------------------------


def test_a_real_run_goes_on_after_a_stop():
    first = train(cliff_world(), total_steps=600_000, stop_after=300_000, runner="processes")
    assert 300_000 <= first.steps < 300_005
    whole = train(cliff_world(), total_steps=600_000, runner="processes", resume_from=first)
    assert whole.steps >= 600_000
    assert np.array_equal(whole.updates[: len(first.updates)], first.updates)
    assert equal(replay(whole), whole) == []


def test_checkpoints_are_whole_and_can_be_continued(tmp_path):
    path = tmp_path / "run.npz"
    config = A3CConfig(shared_statistics=False, lr_anneal="global")
    final = train(cliff_world(), config, total_steps=3_000_000, runner="processes",
                  checkpoint_path=path, checkpoint_every=500_000)  # fmt: skip
    checkpoint = TrainingResult.load(path)
    assert 500_000 <= checkpoint.steps < final.steps
    assert equal(replay(checkpoint), checkpoint) == []
    assert np.array_equal(final.updates[: len(checkpoint.updates)], checkpoint.updates)
    assert equal(replay(final), final) == []  # standing still has changed nothing
    again = train(cliff_world(), config, total_steps=3_000_000, runner="processes",
                  resume_from=path)  # fmt: skip
    assert again.steps >= 3_000_000
    assert equal(replay(again), again) == []


@on_linux
def test_threads_may_start_runs_at_the_same_time():
    """Starting changes the environment for the children, and leaves it as it was."""
    before = dict(os.environ)
    with ThreadPoolExecutor(3) as pool:
        runs = list(
            pool.map(
                lambda seed: train(cliff_world(), A3CConfig(num_workers=1), total_steps=3_000,
                                   seed=seed, runner="processes"),
                range(6),
            )
        )  # fmt: skip
    assert [run.seed for run in runs] == list(range(6))
    assert dict(os.environ) == before


def test_a_callback_looks_at_whole_pushes_and_ends_the_run():
    seen = []

    def look(so_far):
        seen.append(so_far)
        return len(seen) == 3

    ended = train(cliff_world(), total_steps=10**9, runner="processes", start_method=QUICK,
                  callback=look, callback_every=20_000)  # fmt: skip
    assert len(seen) == 3
    assert 60_000 <= ended.steps < 10**9
    for run in (*seen, ended):
        assert equal(replay(run), run) == []


def test_the_last_checkpoint_survives_a_killed_worker(monkeypatch, tmp_path):
    path = tmp_path / "run.npz"

    def hunt(hunter, team):
        while not path.exists():
            time.sleep(0.005)
        hunter.kill_inside_lock(team, hunter.processes())

    hunter = Hunter(monkeypatch, hunt)
    hunter.start()
    with pytest.raises(WorkerError):
        train(cliff_world(), total_steps=10**9, runner="processes", checkpoint_path=path,
              checkpoint_every=200_000)  # fmt: skip
    checkpoint = TrainingResult.load(path)
    assert equal(replay(checkpoint), checkpoint) == []
    assert [p.name for p in tmp_path.iterdir()] == ["run.npz"]


def test_divergence_in_a_worker_is_reported_with_the_run_so_far():
    from a3c_tut import DivergenceError

    wild = A3CConfig(optimizer="sgd", actor_lr=1e300, critic_lr=1e300, max_grad_norm=None)
    with pytest.raises(DivergenceError) as caught:
        train(cliff_world(), wild, total_steps=10**6, runner="processes")
    result = caught.value.result
    assert caught.value.update == len(result.updates) - 1
    with pytest.raises(DivergenceError) as again:
        replay(result)
    assert equal_nan(again.value.result, result)


def equal_nan(one, other):
    return all(np.array_equal(one.state[k], other.state[k], equal_nan=True) for k in one.state)


@pytest.mark.parametrize(
    "asked, message",
    [
        ({"runner": "threads"}, "runner is 'threads'; allowed: 'emulated', 'processes'"),
        ({"schedule": [0, 1]}, "schedule is .* with runner='processes'"),
        ({"start_method": "teleport"}, "start_method is 'teleport'; allowed: 'spawn'"),
        ({"on_worker_failure": "weep"}, "on_worker_failure is 'weep'; allowed: 'raise'"),
        ({"checkpoint_path": "x.npz"}, "checkpoint_every is None; allowed: both or none"),
        ({"checkpoint_path": "x.npz", "checkpoint_every": 0}, "checkpoint_every is 0; allowed"),
        (
            {"config": A3CConfig(update_mode="hogwild"), "on_worker_failure": "continue"},
            "on_worker_failure is 'continue' with update_mode='hogwild'",
        ),
    ],
)
def test_bad_input_is_refused_before_any_process_starts(monkeypatch, asked, message):
    monkeypatch.setattr(training_module, "TableTeam", None)
    with pytest.raises(ValueError, match=message):
        train(cliff_world(), **{"total_steps": 1_000, "runner": "processes", **asked})
