"""The shared block: what is in it and what is not, the journal, the lock."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from a3c_tut import A3CConfig, cliff_world
from a3c_tut.engine.atomics import COMPILED, acquire, read, release, store_word
from a3c_tut.engine.buffers import COUNTERS
from a3c_tut.engine.crew import Job
from a3c_tut.engine.kernels import make_gradient
from a3c_tut.engine.log import LOG_ROWS
from a3c_tut.engine.protocol import DONE, LOG_FULL
from a3c_tut.engine.shared import SharedBlock, arm, block_layout, check_sharing, disarm, undo
from a3c_tut.engine.streams import _UNIFORMS_AHEAD
from a3c_tut.engine.team import TableTeam


@pytest.fixture
def block():
    config = A3CConfig(num_workers=2)
    made = SharedBlock(block_layout(cliff_world(), config))
    yield made
    made.close()
    made.unlink()


def test_two_views_of_a_block_are_one_memory(block):
    other = SharedBlock(block_layout(cliff_world(), A3CConfig(num_workers=2)), block.name)
    block.array("theta")[3, 2] = 1.5
    assert other.array("theta")[3, 2] == 1.5
    other.close()


def test_arrays_of_a_block_do_not_overlap(block):
    names = list(block_layout(cliff_world(), A3CConfig(num_workers=2)))
    for number, name in enumerate(names):
        block.array(name)[...] = np.zeros((), block.array(name).dtype)
        block.array(name).view(np.uint8)[...] = number
    for number, name in enumerate(names):
        assert (block.array(name).view(np.uint8) == number).all(), name


def test_what_must_be_shared_is_and_what_must_be_local_is_not(block):
    shared, own = block.array("theta"), np.zeros(3)
    check_sharing(block, shared=[shared], local=[own])
    with pytest.raises(AssertionError, match="must be local"):
        check_sharing(block, shared=[], local=[shared[2:4]])
    with pytest.raises(AssertionError, match="must be shared"):
        check_sharing(block, shared=[own], local=[])


def test_a_worker_shares_what_the_design_says_and_nothing_else():
    world, config = cliff_world(), A3CConfig(num_workers=2, shared_statistics=False)
    team = TableTeam(Job.fresh(world, config), 100)
    try:
        worker = team.seat.worker(0, None)
        block, own = worker._block, worker._run
        assert all(block.holds(array) for array in (*own.shared, *own.log))
        assert not any(block.holds(array) for array in own.me if array.size)
        assert not any(block.holds(array) for array in own.statistics if array.size)
    finally:
        del worker, block, own
        team.close()


def _filled(layout_block, rng):
    shared, statistics = layout_block.shared(), layout_block.statistics()
    for array in (shared.theta, shared.V, statistics.square_theta, statistics.square_V):
        array[...] = rng.normal(size=array.shape)
    for array in (shared.counters, statistics.last_update, statistics.updates):
        array[...] = rng.integers(0, 1000, size=array.shape)
    return shared, statistics


@given(seed=st.integers(0, 2**32 - 1), num_rows=st.integers(0, 5))
def test_a_push_cut_off_anywhere_is_undone(seed, num_rows):
    """After `arm`, any part of what a push writes may have been written: all of it is undone."""
    rng = np.random.default_rng(seed)
    block = SharedBlock(block_layout(cliff_world(), A3CConfig(num_workers=2, rollout_length=5)))
    try:
        shared, statistics = _filled(block, rng)
        journal, gradient = block.journal(0), make_gradient(5, 48, 4)
        rows = rng.choice(48, size=num_rows, replace=False)
        gradient.rows[:num_rows] = rows
        before = [array.copy() for array in (*shared[:3], *statistics)]
        arm(journal, shared, statistics, gradient, num_rows)
        for array in (shared.theta, shared.V):
            array[rows[: rng.integers(0, num_rows + 1)]] += 1.0
        for array in (statistics.square_theta, statistics.square_V, statistics.last_update):
            array[0, rows[: rng.integers(0, num_rows + 1)]] += 1
        shared.counters[: rng.integers(0, 4)] += 7
        statistics.updates[: rng.integers(0, 2)] += 1
        assert undo(journal, shared, statistics)
        for array, old in zip((*shared[:3], *statistics), before, strict=True):
            assert np.array_equal(array, old)
        assert not undo(journal, shared, statistics)  # once is enough
    finally:
        del shared, statistics, journal, array
        block.close()
        block.unlink()


def test_a_whole_push_is_not_undone(block):
    shared, statistics = _filled(block, np.random.default_rng(0))
    gradient = make_gradient(5, 48, 4)
    arm(block.journal(0), shared, statistics, gradient, 1)
    shared.theta[0] += 1.0
    after = shared.theta.copy()
    disarm(block.journal(0))
    assert not undo(block.journal(0), shared, statistics)
    assert np.array_equal(shared.theta, after)


@pytest.mark.skipif(not COMPILED, reason="the compiled lock")
def test_the_lock_has_one_owner_and_a_bounded_wait():
    words = np.zeros(8, dtype=np.int64)
    assert acquire(words, 4, 10)[0]
    assert read(words, 0) == 5
    taken, looks = acquire(words, 1, 10)
    assert (taken, looks) == (False, 10)
    release(words)
    assert acquire(words, 1, 10)[0]
    store_word(words, 0, 0)  # what the parent does for a dead owner
    assert acquire(words, 2, 10)[0]


def test_memory_does_not_grow_with_the_requested_steps():
    sizes = []
    for steps in (1_000, 1_000_000_000):
        team = TableTeam(Job.fresh(cliff_world(), A3CConfig(), steps), steps)
        sizes.append(team._block._memory.size)
        team.close()
    assert sizes[0] == sizes[1]


def test_a_log_that_is_not_drained_makes_its_worker_wait():
    config = A3CConfig(num_workers=1)
    team = TableTeam(Job.fresh(cliff_world(), config, 10**9), 10**9)
    try:
        worker = team.seat.worker(0, None if COMPILED else __import__("threading").Lock())
        assert worker.advance(10 * LOG_ROWS) == LOG_FULL
        assert team.num_updates == LOG_ROWS
        team.drain()
        assert worker.advance(10) == DONE
        team.drain()
        assert len(team.logged()[1]) == LOG_ROWS + 10
    finally:
        del worker
        team.close()


def test_a_worker_takes_as_many_turns_as_it_is_told():
    """Also where its random numbers run out on the way."""
    config = A3CConfig(num_workers=1, rollout_length=5)
    team = TableTeam(Job.fresh(cliff_world(), config, 10**9), 10**9)
    try:
        worker = team.seat.worker(0, None if COMPILED else __import__("threading").Lock())
        assert worker.advance(16_000) == DONE
        used = worker.state()["local_counters"][0, COUNTERS.index("uniforms_used")]
        assert used > 2 * _UNIFORMS_AHEAD
        assert team.num_updates == 16_000
    finally:
        del worker
        team.close()


def test_a_lost_log_row_is_noticed():
    config = A3CConfig(num_workers=1)
    team = TableTeam(Job.fresh(cliff_world(), config, 10**9), 10**9)
    try:
        worker = team.seat.worker(0, None if COMPILED else __import__("threading").Lock())
        worker.advance(10)
        team._block.log(0).drained[1] = 1  # one row goes missing
        team.drain()
        with pytest.raises(AssertionError, match="9 logged updates do not match 10 counted ones"):
            team.logged()
    finally:
        del worker
        team.close()


def test_closing_leaves_nothing_in_shared_memory():
    code = (
        "from a3c_tut.engine.shared import SharedBlock; import numpy as np\n"
        "block = SharedBlock({'x': (np.int64, (3,))}); block.array('x')[0] = 1\n"
        "block.close(); block.unlink()"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
