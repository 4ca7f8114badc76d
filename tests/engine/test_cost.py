"""What things cost, counted and not timed: calls, bytes, rows, compilations.

Times are for `make bench`. These counts are the same on a busy machine as on an idle one.
"""

import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from a3c_tut import A3CConfig, cliff_world, train
from a3c_tut.engine import crew as crew_module
from a3c_tut.engine import turn, worker
from a3c_tut.engine.atomics import COMPILED
from a3c_tut.engine.buffers import ROWS_PUSHED
from a3c_tut.engine.crew import Job, TableCrew
from a3c_tut.engine.log import drain
from a3c_tut.engine.team import TableTeam

compiled = pytest.mark.skipif(not COMPILED, reason="what compiled code does")
WORLDS = {"4 × 12": cliff_world(), "100 × 100": cliff_world(100, 100)}


def make_crew(world, config=None, steps=10**9):
    return TableCrew(Job.fresh(world, config or A3CConfig(), steps))


def make_team(world, config=None, steps=10**9):
    return TableTeam(Job.fresh(world, config or A3CConfig(), steps), steps)


def num_bytes(*groups):
    """Bytes of all arrays in some tuples of arrays."""
    return sum(array.nbytes for group in groups for array in group if isinstance(array, np.ndarray))


class Counted:
    """A function that counts its calls."""

    def __init__(self, function):
        self.function, self.calls = function, 0

    def __call__(self, *arguments):
        self.calls += 1
        return self.function(*arguments)


# --- Calls and allocations ----------------------------------------------------------------------


def test_a_call_of_the_compiled_loop_takes_thousands_of_turns(monkeypatch):
    counted = Counted(turn.take_turns)
    monkeypatch.setattr(crew_module.TableCrew.__init__, "__defaults__", (counted, ()))
    steps = 100_000 if COMPILED else 20_000
    result = train(cliff_world(), total_steps=steps)
    # A call per 4,096 turns, and one whenever a worker's 32,768 random numbers are used up.
    assert counted.calls <= 2 + len(result.updates) / 4_096 + 2 * steps / 32_768


@compiled
def test_a_worker_process_stays_in_compiled_code_as_long(monkeypatch):
    counted = Counted(worker.advance)
    monkeypatch.setattr(worker, "advance", counted)
    team = make_team(cliff_world(), A3CConfig(num_workers=1))
    try:
        own = team.seat.worker(0, None)
        for _ in range(10):
            own.advance(4_096)
            team.drain()
        assert team.num_updates >= 10 * 4_096
        assert counted.calls <= 10 + 2 + 2 * team.steps / 32_768
    finally:
        del own
        team.close()


@compiled
def test_kernels_count_no_references():
    """Without Numba's runtime there is nothing to make an array with: making one is an error."""
    for function in (turn.take_turns, worker.advance, turn.push, turn.sync):
        assert function.targetoptions["_nrt"] is False
        assert function.targetoptions["nogil"] is True


@compiled
def test_memory_in_use_does_not_grow_with_the_turns():
    """Between two drains of the log nothing is allocated, however many turns there are."""
    crew = make_crew(cliff_world())
    crew.take_turns(np.arange(300) % 3, 10**9)  # compiled, and the random numbers are there
    peaks = []
    for turns in (100, 6_000):
        order = np.arange(turns, dtype=np.int64) % 3
        before = crew.num_updates
        tracemalloc.start()
        turn.take_turns(crew.run, order, 0, 10**9, ())
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert crew.num_updates == before + turns
        drain(crew.run.log)
    assert max(peaks) < 10_000
    assert abs(peaks[1] - peaks[0]) < 1_000


# --- Rows ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("optimizer", ["rmsprop", "sgd"])
@pytest.mark.parametrize("n", [1, 5, 20])
def test_a_push_writes_the_rows_of_its_rollout(world, optimizer, n):
    """No more than n of them, whatever the size of the tables; statistics too (lazy decay)."""
    config = A3CConfig(rollout_length=n, optimizer=optimizer)
    crew, most = make_crew(WORLDS[world], config), 0
    for array in (crew.run.statistics.square_theta, crew.run.statistics.square_V):
        array[...] = 1.0  # what decays is seen to
    for index in range(60):
        before = [array.copy() for array in (*crew.run.shared[:2], *crew.run.statistics[:3])]
        crew.take_turns(np.array([index % 3]), 10**9)
        written = np.zeros(WORLDS[world].num_states, dtype=bool)
        for new, old in zip((*crew.run.shared[:2], *crew.run.statistics[:3]), before, strict=True):
            changed = new != old
            if new.size and new.ndim > 1 and new.shape[0] == 1:
                changed = changed[0]
            if new.size:
                written |= changed.reshape(len(written), -1).any(axis=1)
        assert 1 <= written.sum() <= n
        most = max(most, int(written.sum()))
    assert most > min(n, 2) - 1


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("sync_every", [1, 3])
def test_a_sync_copies_the_rows_that_were_pushed_since(world, sync_every):
    """Those and no others: all other rows of the local copy keep what nobody ever pushed."""
    crew, mark = make_crew(WORLDS[world], A3CConfig(sync_every=sync_every)), 7.0
    ring = len(crew.run.shared.touched)
    crew.run.me.theta[...], crew.run.me.V[...] = mark, mark
    pushes, copied = [0, 0, 0], 0
    order = np.random.default_rng(0).integers(0, 3, size=60)
    for index in order:
        seen = int(crew.run.me.rows_seen[index])
        crew.take_turns(np.array([index]), 10**9)
        pushes[index] += 1
        pushed = int(crew.run.shared.counters[ROWS_PUSHED])
        noted = (
            crew.run.shared.touched[np.arange(seen, pushed) & (ring - 1)] % WORLDS[world].num_states
        )
        wanted = set(noted.tolist()) if pushes[index] % sync_every == 0 else set()
        if pushed - seen > ring:
            continue  # then it copies everything, at no more cost than the pushes had
        rows = np.flatnonzero((crew.run.me.theta[index] != mark).any(axis=1))
        assert set(rows.tolist()) == wanted
        copied += len(rows)
        crew.run.me.theta[index], crew.run.me.V[index] = mark, mark
    assert copied > 60


# --- Memory -------------------------------------------------------------------------------------


def crew_bytes(world, num_workers):
    crew = make_crew(world, A3CConfig(num_workers=num_workers))
    shared = num_bytes(crew.run.shared, crew.run.statistics)
    return shared, num_bytes(crew.run.me) - crew.run.me.uniforms.nbytes


def test_a_crew_holds_its_tables_once_and_once_per_worker():
    small, large = WORLDS["4 × 12"], WORLDS["100 × 100"]
    states = large.num_states - small.num_states
    for num_workers in (1, 2, 8):
        (shared_small, own_small), (shared_large, own_large) = (
            crew_bytes(world, num_workers) for world in (small, large)
        )
        assert (own_large - own_small) == 8 * (4 + 1) * states * num_workers
        # θ, V, their statistics, when these were last updated, and a ring of touched rows, whose
        # size is rounded up to a power of two.
        assert 8 * 11 * states <= shared_large - shared_small - 8 * states <= 8 * 13 * states


def test_a_team_shares_its_tables_once():
    """Each further worker costs its log and its journal, however large the tables are."""
    size = {}
    for name, world in WORLDS.items():
        for num_workers in (1, 2, 4):
            team = make_team(world, A3CConfig(num_workers=num_workers))
            size[name, num_workers] = team._block._memory.size
            team.close()
    page = 4096
    for name in WORLDS:
        one, two, four = (size[name, count] for count in (1, 2, 4))
        assert abs((four - two) - 2 * (two - one)) <= 2 * page
    further = [size[name, 2] - size[name, 1] for name in WORLDS]
    assert abs(further[0] - further[1]) <= 2 * page


# --- Compilations -------------------------------------------------------------------------------

_MANY = """
import warnings
import numpy as np
from a3c_tut import A3CConfig, TableWorld, cliff_world, sparse_grid_world, train
from a3c_tut.engine import turn, worker
from a3c_tut.engine.crew import Job
from a3c_tut.engine.team import TableTeam

worlds = [cliff_world(), cliff_world(7, 9), sparse_grid_world(),
          TableWorld.from_gymnasium("FrozenLake-v1")]
configs = [{}, {"num_workers": 1}, {"num_workers": 5, "rollout_length": (1, 2, 3, 4, 5)},
           {"optimizer": "sgd", "max_grad_norm": None}, {"shared_statistics": False},
           {"lr_anneal": "global", "window": 2}, {"critic": "global", "sync_every": 3},
           {"gamma": 1, "actor_lr": 1, "entropy_coef": 0}, {"max_episode_steps": 30}]
for world in worlds:
    for config in configs:
        config = A3CConfig(**config)
        train(world, config, total_steps=300)
        team = TableTeam(Job.fresh(world, config, 300), 300)
        own = team.seat.worker(0, None)
        own.advance(10)
        del own
        team.close()
train(worlds[0], schedule="random", total_steps=300)
train(worlds[0], schedule=[0, 1, 2, 2], total_steps=300)
print(len(turn.take_turns.signatures), len(worker.advance.signatures))
"""

_ONE = """
import numpy as np
from numba.core import event
from a3c_tut import A3CConfig, cliff_world, train
from a3c_tut.engine.crew import Job
from a3c_tut.engine.team import TableTeam

with event.install_recorder("numba:compile") as recorder:
    train(cliff_world(), total_steps=300)
    team = TableTeam(Job.fresh(cliff_world(), A3CConfig(), 300), 300)
    own = team.seat.worker(0, None)
    own.advance(0)
    del own
    team.close()
compiled = {str(event.data["dispatcher"].py_func.__module__) for _, event in recorder.buffer}
print(sorted(name for name in compiled if name.startswith("a3c_tut")))
"""


def run_python(code, **environment):
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, **environment},
                          capture_output=True, text=True, timeout=600)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.slow
@compiled
def test_one_compilation_serves_every_world_and_configuration():
    assert run_python(_MANY) == "1 1"


@pytest.mark.slow
@compiled
def test_a_second_process_compiles_nothing(tmp_path):
    """Numba keeps its code on disk: once per machine, not once per process."""
    first = run_python(_ONE, NUMBA_CACHE_DIR=str(tmp_path))
    assert "a3c_tut.engine.turn" in first
    assert "a3c_tut.engine.worker" in first
    assert run_python(_ONE, NUMBA_CACHE_DIR=str(tmp_path)) == "[]"
