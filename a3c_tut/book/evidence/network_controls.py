"""The same controls with a network: what is tried counted, fresh copies, a barrier, a buffer.

Each is the networks' own loop of turns with other hooks (`engine.turn.variant`), for worlds with
actions to choose from.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from a3c_tut import A3CConfig
from a3c_tut.book.evidence.common import Floats
from a3c_tut.book.evidence.controls import Watched, sync_all_at_once, sync_first, trained
from a3c_tut.book.lineage import compute_vtrace_advantages
from a3c_tut.control import ControlWorld
from a3c_tut.engine import network_turn, turn
from a3c_tut.engine.buffers import UPDATES
from a3c_tut.engine.compiling import inlined, kernel
from a3c_tut.engine.crew import Job, TableCrew
from a3c_tut.engine.kernels import clip_gradients, gradient_norm
from a3c_tut.engine.network import accumulate_network_gradient, act, forward
from a3c_tut.engine.turn import Formed
from a3c_tut.networks import MLP, Task
from a3c_tut.schedules import RoundRobin

#: Parts into which each number of an observation is cut, to count what was tried.
PARTS = 8
#: From −this to this, cart-pole's position, velocity, angle and angular velocity are cut.
CART_POLE_LIMITS = (2.4, 3.0, 0.21, 3.0)


class NetworkMemory(NamedTuple):
    """The last B rollouts of all workers: a replay buffer.

    Examples
    --------
    Room for 100 rollouts of at most sixteen steps that see four numbers each:

    >>> make_network_memory(100, 16, 4).observations.shape
    (100, 17, 4)
    """

    observations: Floats  # (B, n + 1, D)
    actions: NDArray[np.int64]  # (B, n)
    rewards: Floats  # (B, n), times the reward scale
    chances: Floats  # (B, n): how probable each action was when it was taken
    ends: NDArray[np.int64]  # (B, 2): length, terminated


def make_network_memory(size: int, n: int, observation_size: int) -> NetworkMemory:
    """Make room for so many rollouts of at most `n` steps.

    Parameters
    ----------
    size : int from 0
    n : int from 1
    observation_size : int, D

    Examples
    --------
    >>> make_network_memory(0, 16, 4).ends.shape
    (0, 2)
    """
    return NetworkMemory(
        np.zeros((size, n + 1, observation_size)), np.zeros((size, n), np.int64),
        np.zeros((size, n)), np.zeros((size, n)), np.zeros((size, 2), np.int64),
    )  # fmt: skip


class NetworkWatch(NamedTuple):
    """What the hooks below work on.

    Examples
    --------
    >>> nothing = make_network_memory(0, 16, 4)
    >>> NetworkWatch(np.zeros((8, 2), np.int64), np.array([2.4]), nothing, np.zeros(0), False)[-1]
    False
    """

    visits: NDArray[np.int64]  # (cells, A): how often each action was taken in each cell
    limits: Floats  # (K,): of the first K numbers of an observation, which make the cells
    memory: NetworkMemory  # of no rollouts where there is none
    picks: Floats  # (P,) in [0, 1): which rollout of the memory is taken out, update by update
    corrected: bool  # whether old rollouts are weighted by what the policy now thinks of them


@kernel
def cell_of(observation, limits):  # type: ignore[no-untyped-def]
    """Return in which cell an observation is: each of its first numbers is cut into `PARTS`.

    Parameters
    ----------
    observation : (D,)
    limits : (K,)
        Number k is cut from −limits[k] to limits[k]; what lies beyond belongs to the last part.

    Examples
    --------
    >>> limits = np.array([2.4, 3.0])
    >>> [int(cell_of(np.array(seen), limits)) for seen in ([-9.0, -9.0], [-9.0, 9.0], [0.0, 0.0])]
    [0, 7, 36]
    """
    cell = 0
    for k in range(limits.shape[0]):
        part = int((observation[k] / limits[k] + 1.0) * 0.5 * PARTS)
        cell = PARTS * cell + min(max(part, 0), PARTS - 1)
    return cell


@inlined
def recall_network(run, index, walk, watch):  # type: ignore[no-untyped-def]
    """Put a rollout into the memory, and take out one at random, as the worker's network sees it.

    Parameters
    ----------
    run : Run, whose scratch holds the new rollout; then the old one
    index : int, the worker's place in `me`; policy and values are computed anew
    walk : Walk, the new rollout's
    watch : NetworkWatch

    Returns
    -------
    length, terminated, slot : int, bool, int
        Of the old rollout.

    Examples
    --------
    The second rollout goes in, and the first comes out:

    >>> from a3c_tut.control import cart_pole
    >>> from a3c_tut.engine.crew import make_run
    >>> run = make_run(Task(cart_pole(), MLP()), A3CConfig(rollout_length=5))
    >>> memory = make_network_memory(2, 5, 4)
    >>> watch = NetworkWatch(np.zeros((1, 2), np.int64), np.zeros(0), memory, np.zeros(1), False)
    >>> walk, formed = network_turn.prepare(run, 0)
    >>> _ = recall_network(run, 0, walk, watch)
    >>> first = run.scratch.rollout.observations.copy()
    >>> run.shared.counters[UPDATES] = 1
    >>> walk, formed = network_turn.prepare(run, 1)
    >>> _ = recall_network(run, 1, walk, watch)
    >>> bool((run.scratch.rollout.observations == first).all())
    True
    """
    rollout, memory, where = run.scratch.rollout, watch.memory, run.scratch.where
    parameters, number = run.me.theta[index, 0], run.shared.counters[UPDATES]
    size, D = memory.ends.shape[0], memory.observations.shape[2]
    slot = number % size
    memory.ends[slot, 0], memory.ends[slot, 1] = walk.length, walk.terminated
    for t in range(walk.length + 1):
        for i in range(D):
            memory.observations[slot, t, i] = rollout.observations[t, i]
    for t in range(walk.length):
        memory.actions[slot, t] = rollout.actions[t]
        memory.rewards[slot, t] = rollout.rewards[t]
        memory.chances[slot, t] = rollout.policies[t, rollout.actions[t]]
    pick = watch.picks[number % watch.picks.shape[0]]
    slot = int(pick * min(number + 1, size))
    length = memory.ends[slot, 0]
    for t in range(length + 1):
        for i in range(D):
            rollout.observations[t, i] = memory.observations[slot, t, i]
        forward(parameters, where, rollout, t)
    for t in range(length):
        # For the policy; which action was drawn is on record.
        act(parameters, where, False, 1.0, rollout, t, run.me.uniforms[index], 0)
        rollout.actions[t] = memory.actions[slot, t]
        rollout.rewards[t] = memory.rewards[slot, t]
    return length, memory.ends[slot, 1] != 0, slot


@inlined
def form_recalled(run, index, length, terminated, slot, watch):  # type: ignore[no-untyped-def]
    """Form advantages and clipped gradient of the old rollout in the scratch.

    Parameters
    ----------
    run : Run
    index : int, the worker's place in `me`
    length, terminated, slot : from `recall_network`
    watch : NetworkWatch

    Returns
    -------
    Formed

    Examples
    --------
    A rollout that has only just been put in is the worker's own; nothing needs correcting:

    >>> from a3c_tut.control import cart_pole
    >>> from a3c_tut.engine.crew import make_run
    >>> run = make_run(Task(cart_pole(), MLP()), A3CConfig(rollout_length=5))
    >>> memory = make_network_memory(1, 5, 4)
    >>> watch = NetworkWatch(np.zeros((1, 2), np.int64), np.zeros(0), memory, np.zeros(1), True)
    >>> walk, formed = network_turn.prepare(run, 0)
    >>> again = form_recalled(run, 0, *recall_network(run, 0, walk, watch), watch)
    >>> bool(abs(again.grad_norm - formed.grad_norm) < 1e-12)
    True
    """
    settings, scratch, worker = run.settings, run.scratch, run.me.worker[index]
    rollout, gradient, chances = scratch.rollout, scratch.gradient, watch.memory.chances
    # Their room is free: what is said of the old steps is overwritten by the next rollout.
    ratios = rollout.noise[:, 0]
    for t in range(length):
        ratios[t] = 1.0
        if watch.corrected:
            ratios[t] = rollout.policies[t, rollout.actions[t]] / chances[slot, t]
    compute_vtrace_advantages(
        rollout.states, rollout.rewards, length, terminated, rollout.values, settings.gamma,
        settings.gae_lambda, ratios, 1.0, rollout.advantages,
    )  # fmt: skip
    mean_entropy = accumulate_network_gradient(
        run.me.theta[index, 0], scratch.where, False, rollout, length,
        settings.entropy_coef[worker], settings.critic_lr[worker] / settings.actor_lr[worker],
        scratch.room, gradient.theta[0],
    )  # fmt: skip
    norm = gradient_norm(gradient, 1)
    clip_gradients(gradient, 1, norm, settings.max_grad_norm)
    return Formed(1, mean_entropy, norm)


@inlined
def count_network(run, index, walk, formed, turn, watch):  # type: ignore[no-untyped-def]
    """Count what was tried. A hook in the place of `network_turn.between`.

    Parameters
    ----------
    run, index, walk, formed, turn : as there
    watch : NetworkWatch, to whose visits is added

    Examples
    --------
    >>> from a3c_tut.control import cart_pole
    >>> from a3c_tut.engine.crew import make_run
    >>> run = make_run(Task(cart_pole(), MLP()), A3CConfig(rollout_length=5))
    >>> nothing = make_network_memory(0, 5, 4)
    >>> watch = NetworkWatch(np.zeros((8, 2), np.int64), np.array([2.4]), nothing, np.zeros(0),
    ...                      False)
    >>> same = count_network(run, 0, *network_turn.prepare(run, 0), 0, watch)
    >>> int(watch.visits.sum())
    5
    """
    rollout = run.scratch.rollout
    for t in range(walk.length):
        watch.visits[cell_of(rollout.observations[t], watch.limits), rollout.actions[t]] += 1
    return formed


@inlined
def learn_from_memory(run, index, walk, formed, turn, watch):  # type: ignore[no-untyped-def]
    """Put the rollout into the memory, and form the gradient of an old one.

    A hook in the place of `network_turn.between`.

    Parameters
    ----------
    run, index, walk, formed, turn : as there
    watch : NetworkWatch, with a memory

    Examples
    --------
    A memory of one rollout: the old one is the new one.

    >>> from a3c_tut.control import cart_pole
    >>> from a3c_tut.engine.crew import make_run
    >>> run = make_run(Task(cart_pole(), MLP()), A3CConfig(rollout_length=5))
    >>> memory = make_network_memory(1, 5, 4)
    >>> watch = NetworkWatch(np.zeros((1, 2), np.int64), np.zeros(0), memory, np.zeros(1), False)
    >>> walk, formed = network_turn.prepare(run, 0)
    >>> again = learn_from_memory(run, 0, walk, formed, 0, watch)
    >>> bool(abs(again.grad_norm - formed.grad_norm) < 1e-12)
    True
    """
    length, terminated, slot = recall_network(run, index, walk, watch)
    return form_recalled(run, index, length, terminated, slot, watch)


_LOOPS = {
    "in turn": turn.variant(
        "take_watched_network_turns", network_turn.take_turns, between=count_network
    ),
    "fresh": turn.variant(
        "take_fresh_network_turns", network_turn.take_turns, before=sync_first,
        between=count_network, after=turn.before,
    ),
    "barrier": turn.variant(
        "take_synchronous_network_turns", network_turn.take_turns, between=count_network,
        after=sync_all_at_once,
    ),
    "memory": turn.variant(
        "take_remembering_network_turns", network_turn.take_turns, between=learn_from_memory
    ),
}  # fmt: skip


def watch_network(
    world: ControlWorld,
    config: A3CConfig,
    model: MLP | None = None,
    *,
    seed: int,
    total_steps: int,
    copies: str = "in turn",
    remember: int = 0,
    corrected: bool = False,
    limits: tuple[float, ...] = (),
    stop_after: int | None = None,
) -> Watched:
    """Train a network as `train` does, and count what was tried; for controls it does not offer.

    Parameters
    ----------
    world : ControlWorld
        With actions to choose from.
    config, model, seed, total_steps : as in `train`
    copies : "in turn", "fresh" or "barrier"
        When a worker copies the shared network: after its push, as in `train`; right before it
        acts, so that no gradient is stale; or all together, when the last of a round has pushed.
    remember : int from 0
        Learn from a rollout drawn at random from the last so many, as with a replay buffer, instead
        of from the newest one; copies are made in turn, and nothing is counted.
    corrected : bool
        Weight such a rollout's steps; see `lineage.compute_vtrace_advantages`.
    limits : tuple of float
        By what the cells are made in which actions are counted; see `cell_of`. Default: one cell.
    stop_after : int, optional
        As in `train`.

    Returns
    -------
    Watched
        `visits` is (cells, A).

    Raises
    ------
    DivergenceError
        When a parameter is no longer finite.

    Examples
    --------
    Without the extras it is the very run of `train`:

    >>> from a3c_tut import train
    >>> from a3c_tut.control import cart_pole
    >>> from a3c_tut.networks import network_config
    >>> config, asked = network_config("CartPole-v1"), {"total_steps": 3_000, "seed": 3}
    >>> seen = watch_network(cart_pole(), config, **asked)
    >>> bool((seen.result.state["theta"] == train("CartPole-v1", **asked).state["theta"]).all())
    True
    """
    job = Job.fresh(Task(world, model or MLP()), config, total_steps, seed)
    extra = NetworkWatch(
        np.zeros((PARTS ** len(limits), world.action_size), dtype=np.int64),
        np.array(limits, dtype=float),
        make_network_memory(remember, config.longest_rollout, world.observation_size),
        np.random.default_rng([seed, remember]).random(1 << 16),
        corrected,
    )
    crew = TableCrew(job, _LOOPS["memory" if remember else copies], extra)
    order = RoundRobin(config.num_workers)
    return Watched(trained(job, crew, order, stop_after or total_steps), extra.visits)
