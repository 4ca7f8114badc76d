"""What pushing without a lock costs, counted (Section 2.3): lost additions and torn reads.

Threads that run compiled code without the interpreter lock race for memory exactly as processes
do, so that a notebook can do the experiment in a second. Each thread acts and pushes as a worker
does, with one difference: every gradient is 1, so that what should have arrived is known exactly.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from a3c_tut import A3CConfig, TrainingResult
from a3c_tut.engine.atomics import SPINS, acquire, release
from a3c_tut.engine.buffers import make_scratch, make_shared, world_arrays
from a3c_tut.engine.compiling import kernel
from a3c_tut.engine.kernels import accumulate_gradients, apply_sgd, collect_rollout
from a3c_tut.engine.streams import UniformStream, worker_seeds
from a3c_tut.engine.turn import numbers_needed

_UPDATES_PER_CALL = 2_000


class Race(NamedTuple):
    """What came of a race.

    Attributes
    ----------
    additions : int
        Additions of 1 to single entries of the shared table.
    lost : int
        How many of them are missing from it at the end.
    reads : int
        Rows copied from the shared table after a push.
    torn : int
        How many of them held some entries from before a push and some from after it.

    Examples
    --------
    >>> measured = Race(additions=1_000, lost=2, reads=500, torn=1)
    >>> f"{measured.lost / measured.additions:.1%} lost, {measured.torn / measured.reads:.1%} torn"
    '0.2% lost, 0.2% torn'
    """

    additions: int
    lost: int
    reads: int
    torn: int


@kernel
def race(  # type: ignore[no-untyped-def]
    world, theta, worker, state, uniforms, scratch, shared_theta, shared_V, lock, locked, writes,
    num_updates
):  # fmt: skip
    """Act, push gradients of 1 and read rows, so many times; return the counts and the state.

    Parameters
    ----------
    world : WorldArrays
    theta : (S, A), the policy by which to act
    worker : int, whose name stands in the lock
    state : int, where to begin
    uniforms : (B,), random numbers: 1 + 2n for each update
    scratch : Scratch
    shared_theta, shared_V : (S, A) and (S,), what to push to
    lock : (1,) ints or more
    locked, writes : bool
        Whether to take the lock for each push; whether to push, or else to read.
    num_updates : int

    Returns
    -------
    additions, reads, torn, state : int
        As in `Race`; where the walker stands.

    Examples
    --------
    Nobody else is there: each addition of 1 arrives.

    >>> from a3c_tut.worlds import cliff_world
    >>> config = A3CConfig(num_workers=1)
    >>> world = world_arrays(cliff_world(), config)
    >>> scratch, lock = make_scratch(config, cliff_world()), np.zeros(1, dtype=np.int64)
    >>> theta, shared_theta, shared_V = np.zeros((48, 4)), np.zeros((48, 4)), np.zeros(48)
    >>> numbers = np.random.default_rng(0).random(10 * 11)
    >>> additions, *_ = race(world, theta, 0, 36, numbers, scratch, shared_theta, shared_V, lock,
    ...                      False, True, 10)
    >>> additions == int(shared_theta.sum())
    True
    """
    additions, reads, torn, cursor, episode_steps = 0, 0, 0, 0, 1
    gradient, num_actions = scratch.gradient, theta.shape[1]
    for _ in range(num_updates):
        length, terminated, truncated, cursor, _reward = collect_rollout(
            world, theta, state, episode_steps, scratch.rollout.actions.shape[0], uniforms, cursor,
            scratch.rollout,
        )  # fmt: skip
        ended = terminated or truncated
        state = scratch.rollout.states[length]
        episode_steps = 0 if ended else episode_steps + length
        num_rows, _entropy = accumulate_gradients(scratch.rollout, length, 0.0, gradient)
        for row in range(num_rows):
            gradient.V[row] = 1.0
            for b in range(num_actions):
                gradient.theta[row, b] = 1.0
        if locked:
            taken = False
            while not taken:
                taken, _looks = acquire(lock, worker, SPINS)
        if writes:
            apply_sgd(shared_theta, shared_V, gradient, num_rows, 1.0, 1.0)
            additions += num_rows * num_actions
        else:
            for row in range(num_rows):
                # Read as a sync does, entry by entry; the one writer keeps a row's entries equal.
                reads += 1
                first = shared_theta[gradient.rows[row], 0]
                for b in range(1, num_actions):
                    if shared_theta[gradient.rows[row], b] != first:
                        torn += 1
                        break
        if locked:
            release(lock)
    return additions, reads, torn, state


def measure_race(
    result: TrainingResult, *, num_updates: int = 200_000, locked: bool = False, seed: int = 0
) -> Race:
    """Let two workers push at once, and count what is lost; let one push and one read, and count
    what is torn.

    Parameters
    ----------
    result : TrainingResult
        Its world, its rollout length and its policy, which decides which rows are pushed.
    num_updates : int from 1
        Pushes of each worker, rounded up to a multiple of 2,000.
    locked : bool
        Whether each push takes the lock first.
    seed : int from 0

    Returns
    -------
    Race

    Examples
    --------
    With a lock nothing is lost, and no read is torn:

    >>> from a3c_tut import cliff_world, train
    >>> measured = measure_race(train(cliff_world()), num_updates=2_000, locked=True)
    >>> measured.lost, measured.torn
    (0, 0)
    """
    both = _run(result, num_updates, locked, seed, writers=(True, True))
    one = _run(result, num_updates, locked, seed, writers=(True, False))
    return Race(both.additions, both.lost, one.reads, one.torn)


def _run(
    result: TrainingResult, num_updates: int, locked: bool, seed: int, writers: tuple[bool, bool]
) -> Race:
    world, theta = result.world, result.theta
    config = A3CConfig(num_workers=2, rollout_length=result.config.per_worker("rollout_length")[0])
    arrays = world_arrays(world, config)
    shared = make_shared(np.zeros_like(theta), np.zeros(world.num_states))
    lock = np.zeros(8, dtype=np.int64)
    streams = [UniformStream(s) for s in worker_seeds(seed, 2)]
    calls = -(-num_updates // _UPDATES_PER_CALL)
    numbers = _UPDATES_PER_CALL * numbers_needed(config.longest_rollout)

    def one(worker: int) -> tuple[int, int, int]:
        scratch = make_scratch(config, world)
        state = int(arrays.start_states[0])
        counts = np.zeros(3, dtype=np.int64)
        for _ in range(calls):
            *new, state = race(
                arrays, theta, worker, state, streams[worker].take(numbers), scratch, shared.theta,
                shared.V, lock, locked, writers[worker], _UPDATES_PER_CALL,
            )  # fmt: skip
            counts += np.array(new)
        return int(counts[0]), int(counts[1]), int(counts[2])

    with ThreadPoolExecutor(2) as pool:
        counts = list(pool.map(one, range(2)))
    additions = sum(c[0] for c in counts)
    lost = additions - int(shared.theta.sum())
    return Race(additions, lost, sum(c[1] for c in counts), sum(c[2] for c in counts))
