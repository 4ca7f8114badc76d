"""Whole runs: against the slow reference, against themselves, against damage and interruption."""

from __future__ import annotations

import json
import re
import zipfile
from typing import Any

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import random_thetas, random_values, random_worlds

from a3c_tut import (
    A3CConfig,
    DivergenceError,
    RandomSchedule,
    TableWorld,
    TrainingResult,
    cliff_world,
    replay,
    train,
)
from a3c_tut.engine import kernels
from a3c_tut.engine.buffers import COUNTERS, ROWS_PUSHED, world_arrays
from a3c_tut.engine.crew import Job, TableCrew
from a3c_tut.engine.log import LOG_ROWS
from a3c_tut.engine.streams import UniformStream, worker_seeds
from a3c_tut.files import written_whole
from a3c_tut.gen_a3c_figures import listing_1
from a3c_tut.results import FILE_VERSION, softmax_table

CLIFF = cliff_world()


def make_slippery() -> TableWorld:
    """A world of chance: three outcomes per action, four start states, a limit of 30 steps."""
    generator = np.random.default_rng(5)
    shape = (12, 3, 3)
    return TableWorld(
        next_state=generator.integers(12, size=shape),
        probability=np.array([0.5, 0.25, 0.25]) * np.ones(shape),
        reward=generator.integers(-6, 4, size=shape) / 2,
        terminated=generator.random(shape) < 0.03,
        start=np.array([0.25, 0, 0, 0.125, 0.125, 0.5, 0, 0, 0, 0, 0, 0]),
        max_episode_steps=30,
        name="slippery",
    )


SLIPPERY = make_slippery()
WORLDS = {"cliff": CLIFF, "slippery": SLIPPERY}

#: Settings that the defaults do not show, each alone, and at last many of them together.
VARIANTS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "sgd": {"optimizer": "sgd", "actor_lr": 0.02, "critic_lr": 0.03},
    "own statistics": {"shared_statistics": False},
    "global critic": {"critic": "global"},
    "window of 1": {"window": 1},
    "window of 3": {"window": 3},
    "no clipping": {"max_grad_norm": None},
    "tight clipping": {"max_grad_norm": 0.2},
    "global annealing": {"lr_anneal": "global"},
    "annealing per worker": {"lr_anneal": "per_worker"},
    "annealing of one's own": {"lr_anneal": ((0, 0.2), (0.3, 1.5), (1, 0.1))},
    "sync every 3": {"sync_every": 3},
    "n and beta per worker": {"rollout_length": (1, 5, 9), "entropy_coef": (0.0, 0.01, 0.5)},
    "one worker": {"num_workers": 1},
    "five workers": {"num_workers": 5},
    "short limit": {"max_episode_steps": 7},
    "gamma 0": {"gamma": 0.0},
    "gamma 1": {"gamma": 1.0, "reward_scale": 0.01},
    "unscaled": {"reward_scale": 1.0},
    "long rollouts": {"rollout_length": 40, "entropy_coef": 0.1},
    "much entropy": {"entropy_coef": 1.0},
    "quick decay": {"rmsprop_decay": 0.5, "rmsprop_epsilon": 1e-3},
    "many together": {
        "num_workers": 4, "rollout_length": (2, 3, 5, 8), "entropy_coef": 0.05, "window": 2,
        "shared_statistics": False, "lr_anneal": "per_worker", "sync_every": 2, "gamma": 0.9,
        "critic_lr": 0.2, "max_grad_norm": 1.0, "max_episode_steps": 25, "critic": "global",
    },
}  # fmt: skip


def assert_agrees(result: TrainingResult, expected: reference.Run) -> None:
    """A run of the package and one of the reference: what is counted equal, what is real close."""
    updates, episodes = result.updates, result.episodes
    for name in ("worker", "step", "staleness"):
        assert updates[name].tolist() == [getattr(u, name) for u in expected.updates], name
    for name in ("worker", "length", "step", "truncated"):
        assert episodes[name].tolist() == [getattr(e, name) for e in expected.episodes], name
    close = {"rtol": 1e-9, "atol": 1e-9}
    assert len(episodes) == len(expected.episodes)
    np.testing.assert_allclose(
        episodes["total_return"], [e.total_return for e in expected.episodes], **close
    )
    for name in ("grad_norm", "entropy", "learning_rate"):
        wanted = [getattr(u, name) for u in expected.updates]
        np.testing.assert_allclose(updates[name], wanted, **close, err_msg=name)
    np.testing.assert_allclose(result.theta, expected.theta, **close)
    np.testing.assert_allclose(result.state["V"], expected.V, **close)
    np.testing.assert_allclose(result.values, expected.V / result.config.reward_scale, **close)
    for index, me in enumerate(expected.workers):
        np.testing.assert_allclose(result.state["local_theta"][index], me.theta, **close)
        np.testing.assert_allclose(result.state["local_V"][index], me.V, **close)
    if result.config.optimizer == "rmsprop":
        square_theta, square_V = dense_statistics(result.state, result.config.rmsprop_decay)
        np.testing.assert_allclose(square_theta, expected.square_theta, **close)
        np.testing.assert_allclose(square_V, expected.square_V, **close)


def dense_statistics(state: Any, decay: float) -> tuple[np.ndarray, np.ndarray]:
    """RMSprop's memory with the decay that is still outstanding."""
    missed = state["statistics_updates"][:, None] - state["last_update"]
    kept = decay**missed
    return state["square_theta"] * kept[:, :, None], state["square_V"] * kept


def assert_same(one: TrainingResult, other: TrainingResult) -> None:
    """Two results, equal bit for bit in everything that a run computes."""
    assert_same_rows(one.episodes, other.episodes)
    assert_same_rows(one.updates, other.updates)
    assert one.state.keys() == other.state.keys()
    for name, array in one.state.items():
        assert array.tobytes() == other.state[name].tobytes(), name


def assert_same_rows(one: np.ndarray, other: np.ndarray) -> None:
    """Structured arrays, field by field: the gaps between the fields mean nothing."""
    assert one.dtype == other.dtype
    for name in one.dtype.names:
        assert one[name].tobytes() == other[name].tobytes(), name


# --- against the reference ---------------------------------------------------------------------


class TestReference:
    @pytest.mark.parametrize("world", WORLDS)
    @pytest.mark.parametrize("variant", VARIANTS)
    def test_variants(self, variant, world):
        """Round robin on the cliff, a random order in the world of chance."""
        config = A3CConfig(**VARIANTS[variant])
        order = None
        if world == "slippery":
            order = reference.random_order(3, config.num_workers, [1] * config.num_workers)
        result = train(
            WORLDS[world],
            config,
            total_steps=1_500,
            seed=3,
            schedule=None if order is None else "random",
        )
        expected = reference.a3c(WORLDS[world], config, 1_500, 3, order)
        assert_agrees(result, expected)
        assert len(result.episodes) == len(expected.episodes) > 0

    @given(st.data())
    @settings(max_examples=60, deadline=None)
    def test_any_setting(self, data):
        """Everything at once: random worlds, settings, orders and initial tables."""
        draw = data.draw
        world = draw(random_worlds(max_states=5))
        num_workers = draw(st.integers(1, 4))
        lengths = draw(
            st.one_of(
                st.integers(1, 7),
                st.lists(st.integers(1, 7), min_size=num_workers, max_size=num_workers),
            )
        )
        least = min(lengths) if isinstance(lengths, list) else lengths
        config = A3CConfig(
            num_workers=num_workers,
            rollout_length=lengths,
            gamma=draw(st.sampled_from([0.0, 0.5, 0.99, 1.0])),
            entropy_coef=draw(st.sampled_from([0.0, 0.01, 0.3])),
            actor_lr=draw(st.sampled_from([0.0, 0.02, 0.05])),
            critic_lr=draw(st.sampled_from([0.01, 0.03])),
            max_grad_norm=draw(st.sampled_from([None, 0.1, 5.0])),
            optimizer=draw(st.sampled_from(["sgd", "rmsprop"])),
            rmsprop_decay=draw(st.sampled_from([0.0, 0.9, 0.99])),
            rmsprop_epsilon=draw(st.sampled_from([0.01, 1.0])),
            shared_statistics=draw(st.booleans()),
            lr_anneal=draw(
                st.sampled_from([None, "global", "per_worker", ((0, 0.5), (0.4, 1), (1, 0))])
            ),
            sync_every=draw(st.integers(1, 3)),
            window=draw(st.one_of(st.none(), st.integers(1, least))),
            critic=draw(st.sampled_from(["local", "global"])),
            max_episode_steps=draw(st.one_of(st.none(), st.integers(1, 30))),
            reward_scale=draw(st.sampled_from([0.1, 0.5])),
        )
        schedule = draw(
            st.one_of(
                st.sampled_from([None, "random"]),
                st.lists(st.integers(0, num_workers - 1), min_size=1, max_size=60),
            )
        )
        total_steps, seed = draw(st.integers(1, 200)), draw(st.integers(0, 2**64))
        theta, V = draw(random_thetas(world)), draw(random_values(world))
        result = train(
            world, config, total_steps=total_steps, seed=seed, schedule=schedule,
            initial_theta=theta, initial_values=V,
        )  # fmt: skip
        given_list = isinstance(schedule, list)
        order = schedule
        if schedule == "random":
            order = reference.random_order(seed, num_workers, [1] * num_workers)
        expected = reference.a3c(world, config, total_steps, seed, order, given_list, theta, V)
        assert_agrees(result, expected)

    @pytest.mark.parametrize("world", WORLDS)
    def test_actions(self, world):
        """Every action of every rollout, looked up turn by turn."""
        config = A3CConfig(rollout_length=(3, 5, 8))
        expected = reference.a3c(WORLDS[world], config, 1_000, 4)
        crew = make_crew(WORLDS[world], config, 1_000, 4)
        actions: list[list[int]] = [[], [], []]
        for update in expected.updates:
            before = crew.steps
            crew.take_turns(np.array([update.worker]), 1_000)
            taken = crew.run.scratch.rollout.actions[: crew.steps - before]
            actions[update.worker] += taken.tolist()
        assert actions == [me.actions for me in expected.workers]

    @pytest.mark.parametrize("ahead", [1, 64, 1_000])
    def test_numbers_drawn_ahead(self, ahead, monkeypatch):
        """How many random numbers are drawn at once changes nothing."""
        monkeypatch.setattr("a3c_tut.engine.streams._UNIFORMS_AHEAD", ahead)
        config = A3CConfig(num_workers=2, rollout_length=(3, 7))
        result = train(SLIPPERY, config, total_steps=3_000, seed=1)
        assert result.state["local_counters"][:, COUNTERS.index("uniforms_used")].min() > 1_500
        assert_agrees(result, reference.a3c(SLIPPERY, config, 3_000, 1))

    def test_weighted_order(self):
        """A slow worker is one that comes seldom."""
        config = A3CConfig(num_workers=2)
        result = train(CLIFF, config, total_steps=800, schedule=RandomSchedule((3.0, 1.0)))
        order = reference.random_order(0, 2, (3.0, 1.0))
        assert_agrees(result, reference.a3c(CLIFF, config, 800, 0, order))
        assert 0.6 < np.mean(result.schedule == 0) < 0.9

    def test_seed_per_worker(self):
        result = train(SLIPPERY, total_steps=600, seed=[5, 1, 5])
        assert_agrees(result, reference.a3c(SLIPPERY, A3CConfig(), 600, [5, 1, 5]))
        assert result.seed == (5, 1, 5)


def make_crew(world: TableWorld, config: A3CConfig, total_steps: int, seed: Any) -> TableCrew:
    return TableCrew(Job.fresh(world, config, total_steps, seed))


# --- the same again ----------------------------------------------------------------------------


class TestRepetition:
    def test_same_seed_same_run(self):
        runs = [train(SLIPPERY, total_steps=2_000, seed=11, schedule="random") for _ in range(2)]
        assert_same(*runs)
        assert runs[0].schedule is not runs[1].schedule

    def test_other_seed_other_run(self):
        one, other = (train(CLIFF, total_steps=500, seed=seed) for seed in (0, 1))
        assert not np.array_equal(one.theta, other.theta)

    @pytest.mark.parametrize("variant", ["defaults", "sgd", "own statistics", "many together"])
    @pytest.mark.parametrize("schedule", [None, "random", "given"])
    def test_replay(self, variant, schedule):
        """The recorded order is all that a run needs to happen again, bit for bit."""
        config = A3CConfig(**VARIANTS[variant])
        order: Any = schedule
        if schedule == "given":
            order = np.random.default_rng(0).integers(config.num_workers, size=400)
        result = train(
            SLIPPERY, config, total_steps=1_200, seed=6, schedule=order,
            initial_values=np.arange(12.0),
        )  # fmt: skip
        again = replay(result)
        assert_same(result, again)
        assert again.schedule.tolist() == result.schedule.tolist()
        assert again.initial["values"].tolist() == result.initial["values"].tolist()

    def test_replay_after_saving(self, tmp_path):
        result = train(CLIFF, total_steps=3_000, schedule="random", seed=2)
        result.save(tmp_path / "run.npz")
        assert_same(replay(TrainingResult.load(tmp_path / "run.npz")), result)

    def test_replay_of_a_stopped_run(self):
        result = train(CLIFF, total_steps=3_000, stop_after=1_000, schedule="random")
        assert_same(replay(result), result)

    def test_more_turns_than_the_log_holds(self):
        """Runs are done in chunks; where a chunk ends cannot be seen."""
        config, count = A3CConfig(rollout_length=1), 2 * LOG_ROWS + 700
        result = train(SLIPPERY, config, total_steps=count, schedule="random")
        crew = make_crew(SLIPPERY, config, count, 0)
        assert len(result.updates) == count
        pieces = []
        for at in range(0, count, 300):
            pieces.append(crew.take_turns(result.schedule[at : at + 300], count)[2])
        assert_same_rows(np.concatenate(pieces), result.updates)
        assert crew.state()["theta"].tobytes() == result.theta.tobytes()


# --- schedules ---------------------------------------------------------------------------------


def staleness_of(schedule: list[int], sync_every: int) -> list[int]:
    """Pushes since the worker's last sync, from nothing but the schedule."""
    result = []
    for at, worker in enumerate(schedule):
        own = [i for i in range(at) if schedule[i] == worker]
        synced = own[sync_every - 1 :: sync_every]  # the pushes after which the worker synced
        result.append(at - (synced[-1] + 1 if synced else 0))
    return result


class TestSchedule:
    @given(st.lists(st.integers(0, 3), min_size=1, max_size=50), st.integers(1, 4))
    @settings(max_examples=40, deadline=None)
    def test_staleness_follows_from_it(self, schedule, sync_every):
        config = A3CConfig(num_workers=4, rollout_length=2, sync_every=sync_every)
        result = train(SLIPPERY, config, total_steps=50, schedule=schedule)
        assert result.updates["staleness"].tolist() == staleness_of(schedule, sync_every)

    def test_staleness_of_round_robin(self):
        """In turn, every worker misses the pushes of all others."""
        staleness = train(CLIFF, A3CConfig(num_workers=4), total_steps=400).updates["staleness"]
        assert staleness[:4].tolist() == [0, 1, 2, 3]
        assert set(staleness[4:]) == {3}

    def test_staleness_alone_is_zero(self):
        result = train(CLIFF, A3CConfig(num_workers=1), total_steps=400)
        assert set(result.updates["staleness"]) == {0}

    def test_round_robin(self):
        schedule = train(CLIFF, total_steps=500).schedule
        assert schedule.tolist() == [i % 3 for i in range(len(schedule))]

    def test_given_list_ends_the_run(self):
        """`total_steps` is then only the horizon of the annealing; past it the rates stay 0."""
        schedule = [0, 0, 2, 1] * 50
        config = A3CConfig(lr_anneal="global", actor_lr=0.1, rollout_length=5)
        result = train(CLIFF, config, total_steps=300, schedule=schedule)
        assert result.schedule.tolist() == schedule
        assert result.steps > 600
        before = result.updates["step"] - np.diff(result.updates["step"], prepend=0)
        wanted = 0.1 * np.maximum(0.0, 1.0 - before / 300)
        np.testing.assert_allclose(result.updates["learning_rate"], wanted, atol=1e-15)
        assert result.updates["learning_rate"][-1] == 0.0

    @given(
        st.integers(1, 400),
        st.lists(st.integers(1, 9), min_size=2, max_size=2),
        st.sampled_from([None, "random"]),
    )
    @settings(max_examples=40, deadline=None)
    def test_overshoot(self, total_steps, lengths, schedule):
        """The push that reaches `total_steps` is the last: less than one rollout too many."""
        config = A3CConfig(num_workers=2, rollout_length=lengths)
        result = train(SLIPPERY, config, total_steps=total_steps, schedule=schedule)
        steps = [0, *result.updates["step"].tolist()]
        assert steps[-2] < total_steps <= steps[-1]
        assert result.steps == steps[-1] < total_steps + lengths[result.schedule[-1]]

    def test_as_many_kinds_of_list(self):
        runs = [
            train(CLIFF, total_steps=60, schedule=kind)
            for kind in ([2, 0, 1], (2, 0, 1), np.array([2, 0, 1], dtype=np.uint8))
        ]
        assert_same(runs[0], runs[1])
        assert_same(runs[0], runs[2])


class TestEpisodes:
    @pytest.mark.parametrize("world", WORLDS)
    def test_nothing_leaks(self, world):
        """Every step belongs to one episode of one worker; only the last is not finished."""
        result = train(WORLDS[world], total_steps=3_000, schedule="random", seed=9)
        limit = WORLDS[world].max_episode_steps
        updates = np.diff(result.updates["step"], prepend=0)
        for worker in range(3):
            own = result.episodes[result.episodes["worker"] == worker]
            steps = int(updates[result.schedule == worker].sum())
            rest = steps - own["length"].sum()
            assert 0 <= rest < limit
            assert rest == result.state["local_counters"][worker, COUNTERS.index("episode_steps")]
            assert own["length"].max() <= limit
            assert set(own["length"][own["truncated"]]) <= {limit}

    def test_returns_in_the_worlds_units(self):
        """On the cliff a return is −1 per step and −99 more per fall."""
        for scale in (0.01, 0.1, 1.0):
            result = train(CLIFF, A3CConfig(reward_scale=scale), total_steps=2_000)
            falls = -(result.episodes["total_return"] + result.episodes["length"]) / 99
            np.testing.assert_allclose(falls, falls.round(), atol=1e-9)
            assert falls.min() >= 0

    def test_reward_scale_is_a_change_of_units(self):
        """Scaled rewards, or a world that pays as much: the same θ, other units outside."""
        double = TableWorld(
            CLIFF.next_state, CLIFF.probability, 2 * CLIFF.reward, CLIFF.terminated, CLIFF.start,
            CLIFF.max_episode_steps,
        )  # fmt: skip
        scaled = train(CLIFF, A3CConfig(reward_scale=0.25), total_steps=2_000)
        paid = train(double, A3CConfig(reward_scale=0.125), total_steps=2_000)
        assert scaled.theta.tobytes() == paid.theta.tobytes()
        assert (2 * scaled.values).tolist() == paid.values.tolist()
        wanted = 2 * scaled.episodes["total_return"]
        assert wanted.tolist() == paid.episodes["total_return"].tolist()

    def test_time_limit_is_no_end_of_the_world(self):
        """One state that pays 1 for ever is worth 1 / (1 − γ), however short the episodes."""
        world = TableWorld([[[0]]], [[[1.0]]], [[[1.0]]], [[[False]]], [1.0], 7, name="for ever")
        config = A3CConfig(gamma=0.9, critic_lr=0.05, reward_scale=1.0, max_grad_norm=None)
        result = train(world, config, total_steps=20_000)
        assert result.episodes["truncated"].all()
        assert set(result.episodes["length"]) == {7}
        assert result.values[0] == pytest.approx(10.0, abs=1e-6)

    def test_termination_is(self):
        """The same world, but the seventh step ends it: the last state is worth 1."""
        states = np.arange(7)
        terminated = states == 6
        world = TableWorld(
            np.minimum(states + 1, 6)[:, None, None], np.ones((7, 1, 1)), np.ones((7, 1, 1)),
            terminated[:, None, None], np.eye(7)[0], 100,
        )  # fmt: skip
        config = A3CConfig(
            rollout_length=5, gamma=0.9, critic_lr=0.05, max_grad_norm=None, rmsprop_epsilon=0.1
        )
        result = train(world, config, total_steps=20_000)
        assert not result.episodes["truncated"].any()
        wanted = [(1 - 0.9 ** (7 - s)) / (1 - 0.9) for s in states]
        np.testing.assert_allclose(result.values, wanted, atol=1e-3)


class TestLearningRates:
    """Linear, from the full rate down to 0, never below (Sections 2.3 and 3)."""

    @pytest.mark.parametrize("world", WORLDS)
    def test_global(self, world):
        config = A3CConfig(lr_anneal="global", actor_lr=0.3)
        result = train(WORLDS[world], config, total_steps=900)
        before = np.concatenate([[0], result.updates["step"][:-1]])
        np.testing.assert_allclose(
            result.updates["learning_rate"], 0.3 * (1 - before / 900), rtol=1e-12
        )
        assert result.updates["learning_rate"].min() > 0

    def test_per_worker(self):
        """A worker's own clock; who has done more than its share stands still."""
        config = A3CConfig(lr_anneal="per_worker", actor_lr=0.3, num_workers=2, rollout_length=5)
        schedule = [0] * 70 + [1] * 30
        result = train(CLIFF, config, total_steps=500, schedule=schedule)
        rates, lengths = result.updates["learning_rate"], np.diff(result.updates["step"], prepend=0)
        for worker in range(2):
            mine = result.schedule == worker
            before = np.cumsum(lengths[mine]) - lengths[mine]
            wanted = 0.3 * np.maximum(0.0, 1 - 2 * before / 500)
            np.testing.assert_allclose(rates[mine], wanted, atol=1e-15)
        assert rates[69] == 0.0
        assert rates[70] == 0.3

    def test_a_schedule_of_ones_own(self, tmp_path):
        """Over the shared counter: warm up, stay, fall; stopped, saved, gone on with, replayed."""
        points = ((0, 0.1), (0.1, 1), (0.5, 1), (1, 0.2))
        config = A3CConfig(lr_anneal=points, actor_lr=0.3)
        asked = {"total_steps": 900, "schedule": "random", "seed": 4}
        result = train(CLIFF, config, **asked)
        before = np.concatenate([[0], result.updates["step"][:-1]])
        wanted = 0.3 * np.interp(before / 900, *zip(*points, strict=True))
        np.testing.assert_allclose(result.updates["learning_rate"], wanted, rtol=1e-12)
        path = tmp_path / "half.npz"
        train(CLIFF, config, **asked, stop_after=450).save(path)
        assert train(CLIFF, config, **asked, resume_from=path) == result
        assert replay(result) == result

    def test_none(self):
        assert set(train(CLIFF, total_steps=500).updates["learning_rate"]) == {0.05}


# --- one worker, and Listing 1 -----------------------------------------------------------------


class TestSpecialCases:
    @pytest.mark.parametrize("world", WORLDS)
    def test_one_worker_is_sequential_actor_critic(self, world):
        """No copies, no workers: act, evaluate, update the one table in place. Bit for bit."""
        config = A3CConfig(
            num_workers=1, rollout_length=5, actor_lr=0.1, critic_lr=0.2, max_grad_norm=5.0,
            rmsprop_epsilon=0.1,
        )  # fmt: skip
        result = train(WORLDS[world], config, total_steps=2_000, seed=8)

        arrays = world_arrays(WORLDS[world], config)
        num_states, num_actions = result.theta.shape
        theta, V = np.zeros((num_states, num_actions)), np.zeros(num_states)
        square_theta, square_V = np.zeros_like(theta), np.zeros_like(V)
        last_update = np.zeros(num_states, dtype=np.int64)
        rollout = kernels.make_rollout(5, num_actions)
        gradient = kernels.make_gradient(5, num_states, num_actions)
        uniforms = UniformStream(worker_seeds(8, 1)[0]).take(6_000)
        cursor, state, episode_steps, norms = 0, 0, 0, []
        for update in range(1, len(result.updates) + 1):
            length, terminated, truncated, cursor, _ = kernels.collect_rollout(
                arrays, theta, state, episode_steps, 5, uniforms, cursor, rollout
            )
            kernels.compute_n_step_advantages(
                rollout.states, rollout.rewards, length, terminated, V, 0.99, 0, rollout.advantages
            )
            rows, _ = kernels.accumulate_gradients(rollout, length, 0.01, gradient)
            norms.append(kernels.gradient_norm(gradient, rows))
            kernels.clip_gradients(gradient, rows, norms[-1], 5.0)
            kernels.apply_rmsprop(
                theta, V, square_theta, square_V, last_update, update, gradient, rows, 0.1, 0.2,
                0.99, 0.1,
            )  # fmt: skip
            state = rollout.states[length]
            episode_steps = 0 if terminated or truncated else episode_steps + length
        assert theta.tobytes() == result.theta.tobytes()
        assert V.tobytes() == result.state["V"].tobytes()
        assert norms == result.updates["grad_norm"].tolist()

    def test_idle_workers_do_nothing(self):
        """A crew of three of which one works is that one alone."""
        alone = train(SLIPPERY, A3CConfig(num_workers=1), total_steps=1_000)
        schedule = np.zeros(len(alone.updates), dtype=int)
        among = train(SLIPPERY, A3CConfig(num_workers=3), total_steps=1_000, schedule=schedule)
        assert_same_rows(alone.updates, among.updates)
        assert alone.theta.tobytes() == among.theta.tobytes()

    @pytest.mark.parametrize("world", WORLDS)
    @pytest.mark.parametrize(
        "asked",
        [
            {},
            {"num_workers": 2, "rollout_length": (2, 9), "entropy_coef": (0.0, 0.3), "gamma": 0.9},
            {"max_episode_steps": 13, "reward_scale": 1.0},
        ],
        ids=["defaults", "per worker", "short limit"],
    )
    def test_listing_1(self, world, asked):
        """Listing 1 is `train` with SGD, round robin, the global critic and no clipping."""
        config = A3CConfig(
            **{"actor_lr": 0.01, "critic_lr": 0.02} | asked,
            optimizer="sgd", critic="global", max_grad_norm=None,
        )  # fmt: skip
        theta_global, V_global = listing_1(WORLDS[world], config, rounds=150, seed=12)
        schedule = [*range(config.num_workers)] * 150
        result = train(WORLDS[world], config, total_steps=1, seed=12, schedule=schedule)
        assert theta_global.tobytes() == result.theta.tobytes()
        assert V_global.tobytes() == result.state["V"].tobytes()


# --- what a worker sees ------------------------------------------------------------------------


class TestWorkersOwnCopy:
    @given(st.data())
    @settings(max_examples=30, deadline=None)
    def test_sync_is_a_copy_of_the_whole_table(self, data):
        """Row by row, whole, after an overflow of the ring of touched rows: never a difference."""
        sync_every = data.draw(st.sampled_from([1, 2, 7, 40]))
        states = data.draw(st.sampled_from([1, 4, 90]))
        weights = data.draw(st.sampled_from([(1.0, 1.0, 1.0), (1.0, 1.0, 0.02)]))
        seed = data.draw(st.integers(0, 1_000))
        world = cliff_world(3, states // 3) if states > 4 else ring_world(states)
        config = A3CConfig(sync_every=sync_every)
        crew = make_crew(world, config, 10**6, seed)
        copies = [(crew.run.shared.theta.copy(), crew.run.shared.V.copy()) for _ in range(3)]
        pushes = [0, 0, 0]
        generator = np.random.default_rng(seed)
        shares = np.array(weights) / sum(weights)
        for _ in range(200):
            worker = int(generator.choice(3, p=shares))
            crew.take_turns(np.array([worker]), 10**6)
            pushes[worker] += 1
            if pushes[worker] % sync_every == 0:
                copies[worker] = (crew.run.shared.theta.copy(), crew.run.shared.V.copy())
            for index, (theta, V) in enumerate(copies):
                assert np.array_equal(crew.run.me.theta[index], theta)
                assert np.array_equal(crew.run.me.V[index], V)

    def test_the_ring_overflows_in_the_test_above(self):
        """A worker that comes back after hundreds of rows finds its table whole all the same."""
        crew = make_crew(CLIFF, A3CConfig(), 10**6, 0)
        crew.take_turns(np.array([0] * 60 + [1]), 10**6)
        assert crew.run.shared.counters[ROWS_PUSHED] > len(crew.run.shared.touched)
        assert np.array_equal(crew.run.me.theta[1], crew.run.shared.theta)
        assert np.array_equal(crew.run.me.V[1], crew.run.shared.V)
        assert not crew.run.me.theta[2].any()

    def test_acts_with_its_copy_not_with_the_shared_tables(self):
        """Nothing that others push changes a worker's next rollout."""
        crew, other = (make_crew(SLIPPERY, A3CConfig(num_workers=2), 10**6, 3) for _ in range(2))
        crew.take_turns(np.array([0] * 50), 10**6)
        theta = other.run.shared.theta
        theta[:] = np.random.default_rng(0).normal(size=theta.shape)
        rollouts = []
        for each in (crew, other):
            before = each.steps
            each.take_turns(np.array([1]), 10**6)
            n, rollout = each.steps - before, each.run.scratch.rollout
            rollouts.append((rollout.states[: n + 1].tolist(), rollout.actions[:n].tolist()))
            np.testing.assert_allclose(rollout.policies[:n], 1 / 3)
        assert rollouts[0] == rollouts[1]

    def test_first_action_uses_the_initial_tables(self):
        theta = np.zeros((48, 4))
        theta[:, 0] = 50.0
        values = np.linspace(-20.0, -1.0, 48)
        config = A3CConfig(actor_lr=0.0, critic_lr=0.0, reward_scale=0.25)
        result = train(CLIFF, config, total_steps=30, initial_theta=theta, initial_values=values)
        assert np.array_equal(result.theta, theta)
        np.testing.assert_allclose(result.values, values, rtol=1e-14)
        assert set(result.state["local_counters"][:, COUNTERS.index("state")]) == {0}  # up, and up
        np.testing.assert_allclose(result.updates["entropy"], 0.0, atol=1e-12)

    def test_given_tables_are_not_written_to(self):
        theta, values = np.ones((48, 4)), np.ones(48)
        result = train(CLIFF, total_steps=300, initial_theta=theta, initial_values=values)
        assert (theta == 1).all()
        assert (values == 1).all()
        assert not np.shares_memory(result.initial["theta"], theta)
        assert (result.theta != 1).any()

    def test_streams_are_distinct(self):
        """One seed gives every worker a stream of its own; equal seeds give equal ones."""
        first = [UniformStream(child).take(100) for child in worker_seeds(0, 5)]
        assert len({stream.tobytes() for stream in first}) == 5
        twins = train(SLIPPERY, A3CConfig(actor_lr=0.0), total_steps=900, seed=[4, 4, 9])
        rows = [twins.episodes[twins.episodes["worker"] == w] for w in range(3)]
        returns = [row["total_return"].tolist() for row in rows]
        shortest = min(len(returns[0]), len(returns[1]))
        assert returns[0][:shortest] == returns[1][:shortest]
        assert returns[0][:shortest] != returns[2][:shortest]

    def test_random_order_is_not_a_workers_stream(self):
        """The order is drawn from another child of the seed than any worker's numbers."""
        schedule = train(CLIFF, total_steps=400, seed=7, schedule="random").schedule
        for child in worker_seeds(7, 3):
            drawn = (UniformStream(child).take(len(schedule)) * 3).astype(int)
            assert drawn.tolist() != schedule.tolist()


def ring_world(states: int) -> TableWorld:
    """A few states in a ring: every rollout comes to each of them many times."""
    to = (np.arange(states)[:, None] + [0, 1]) % states
    reward = -1.0 - np.arange(2 * states).reshape(states, 2, 1)
    return TableWorld(
        to[:, :, None], np.ones((states, 2, 1)), reward, np.zeros((states, 2, 1)),
        np.eye(states)[0], 50,
    )  # fmt: skip


# --- interruption ------------------------------------------------------------------------------


class TestResume:
    @pytest.mark.parametrize("schedule", [None, "random", "given"])
    @pytest.mark.parametrize("variant", ["defaults", "sync every 3", "many together", "sgd"])
    def test_as_if_never_stopped(self, schedule, variant, tmp_path):
        """Stopped twice, once in the middle of a file, and equal to the run in one go."""
        config = A3CConfig(**VARIANTS[variant])
        order: Any = schedule
        if schedule == "given":
            order = np.random.default_rng(1).integers(config.num_workers, size=500).tolist()
        asked = {"total_steps": 1_500, "seed": 21, "schedule": order}
        whole = train(SLIPPERY, config, **asked)
        first = train(SLIPPERY, config, **asked, stop_after=333)
        assert 333 <= first.steps < 345
        second = train(SLIPPERY, config, **asked, resume_from=first, stop_after=700)
        second.save(tmp_path / "run.npz")
        last = train(SLIPPERY, config, **asked, resume_from=tmp_path / "run.npz")
        assert_same(last, whole)
        assert_same(replay(last), whole)

    @given(st.lists(st.integers(1, 400), max_size=4))
    @settings(max_examples=25, deadline=None)
    def test_wherever_it_is_stopped(self, stops):
        asked = {"total_steps": 400, "seed": 1, "schedule": "random"}
        whole = train(SLIPPERY, **asked)
        result = None
        for stop in [*stops, 400]:
            result = train(SLIPPERY, **asked, stop_after=stop, resume_from=result)
        assert_same(result, whole)

    def test_initial_tables_are_remembered(self):
        values = np.full(48, -5.0)
        first = train(CLIFF, total_steps=600, initial_values=values, stop_after=200)
        last = train(CLIFF, total_steps=600, resume_from=first)
        assert_same(last, train(CLIFF, total_steps=600, initial_values=values))
        assert_same(replay(last), last)

    @pytest.mark.parametrize("schedule", ["random", RandomSchedule((1.0, 1.0, 0.2))])
    def test_the_schedule_need_not_be_said_again(self, schedule, tmp_path):
        first = train(CLIFF, total_steps=600, schedule=schedule, stop_after=200)
        first.save(tmp_path / "run.npz")
        last = train(CLIFF, total_steps=600, resume_from=tmp_path / "run.npz")
        assert_same(last, train(CLIFF, total_steps=600, schedule=schedule))

    def test_a_given_list_must_be_said_again(self):
        first = train(CLIFF, total_steps=600, schedule=[0, 1, 2] * 50, stop_after=200)
        with pytest.raises(ValueError, match="resume_from ran a given list"):
            train(CLIFF, total_steps=600, resume_from=first)

    def test_a_finished_run_stays_as_it_is(self):
        result = train(CLIFF, total_steps=300)
        assert_same(train(CLIFF, total_steps=300, resume_from=result), result)

    @pytest.mark.parametrize(
        "changed, message",
        [
            ({"config": A3CConfig(gamma=0.9)}, r"gamma is 0\.9; allowed.*0\.99"),
            ({"seed": 1}, r"seed is 1; allowed.*0"),
            ({"total_steps": 500}, r"total_steps is 500; allowed.*600"),
            ({"world": cliff_world(4, 10)}, "world differs"),
            ({"world": SLIPPERY}, "world differs"),
            ({"initial_theta": np.zeros((48, 4))}, "initial parameters are given with resume_from"),
            ({"schedule": [0, 0, 0]}, "schedule does not begin with the schedule of resume_from"),
            ({"schedule": [2, 1, 0] * 100}, "schedule does not begin with the schedule"),
        ],
        ids=lambda value: None if isinstance(value, str) else "-".join(value),
    )
    def test_something_else_is_refused(self, changed, message):
        first = train(CLIFF, total_steps=600, stop_after=300)
        asked = {"world": CLIFF, "total_steps": 600} | changed
        with pytest.raises(ValueError, match=message):
            train(**asked, resume_from=first)


# --- files -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A saved run and its bytes."""
    path = tmp_path_factory.mktemp("saved") / "run.npz"
    result = train(CLIFF, A3CConfig(shared_statistics=False), total_steps=400, seed=[3, 1, 4])
    result.save(path)
    return result, path.read_bytes()


class TestCallback:
    """What looks on does not touch the run, and may end it."""

    def test_a_run_that_is_looked_at_is_the_same_run(self):
        seen = []
        config = A3CConfig(lr_anneal="global", sync_every=2)
        asked = {"total_steps": 3_000, "seed": 3, "schedule": "random"}
        looked_at = train(SLIPPERY, config, **asked, callback=seen.append, callback_every=700)
        assert_same(looked_at, train(SLIPPERY, config, **asked))
        assert [so_far.steps // 700 for so_far in seen] == [1, 2, 3, 4]
        for so_far in seen:
            assert_same(replay(so_far), so_far)

    def test_it_ends_a_run_that_can_be_continued(self):
        config = A3CConfig(lr_anneal="global")
        ended = train(
            CLIFF, config, total_steps=3_000, callback=lambda run: run.steps > 900, callback_every=1
        )
        assert 900 < ended.steps < 910
        assert_same(replay(ended), ended)
        whole = train(CLIFF, config, total_steps=3_000)
        assert_same(train(CLIFF, config, total_steps=3_000, resume_from=ended), whole)

    def test_its_error_is_the_callers(self):
        with pytest.raises(ZeroDivisionError):
            train(CLIFF, total_steps=2_000, callback=lambda run: 1 / 0, callback_every=500)

    @pytest.mark.parametrize("every", [0, -1, 2.5, "5"])
    def test_refused(self, every):
        with pytest.raises(ValueError, match=f"callback_every is {every!r}"):
            train(CLIFF, total_steps=600, callback=print, callback_every=every)

    def test_a_given_schedule_still_ends_the_run(self):
        seen = []
        result = train(
            CLIFF, total_steps=600, schedule=[0, 1, 2] * 20, callback=seen.append, callback_every=50
        )
        assert len(result.schedule) == 60
        assert len(seen) >= 3


class TestFiles:
    @pytest.mark.parametrize("world", WORLDS)
    def test_round_trip(self, world, tmp_path):
        asked = A3CConfig(rollout_length=(2, 3, 5), window=2, max_grad_norm=None)
        result = train(WORLDS[world], asked, total_steps=500, seed=[1, 2, 3])
        path = tmp_path / "no suffix"
        result.save(path)
        loaded = TrainingResult.load(path)
        assert_same(loaded, result)
        assert loaded.config == result.config
        assert (loaded.seed, loaded.total_steps, loaded.runner) == ((1, 2, 3), 500, "emulated")
        for name in ("next_state", "probability", "reward", "terminated", "start"):
            one, two = getattr(loaded.world, name), getattr(result.world, name)
            assert np.array_equal(one, two)
            assert one.dtype == two.dtype
        for name in ("max_episode_steps", "name", "action_names", "grid_shape", "marks"):
            assert getattr(loaded.world, name) == getattr(result.world, name)
        assert np.array_equal(loaded.policy, result.policy)
        assert [p.name for p in tmp_path.iterdir()] == ["no suffix"]

    def test_numbers_from_numpy(self, tmp_path):
        """Settings that came out of an array are settings like any other."""
        config = A3CConfig(
            num_workers=np.int64(2), gamma=np.float32(0.5), rollout_length=np.int32(4),
            entropy_coef=(np.float64(0.1), np.float32(0.25)), max_grad_norm=np.int64(3),
            window=np.int64(2), max_episode_steps=np.int16(50),
        )  # fmt: skip
        plain = A3CConfig(
            num_workers=2, gamma=0.5, rollout_length=4, entropy_coef=(0.1, 0.25),
            max_grad_norm=3, window=2, max_episode_steps=50,
        )  # fmt: skip
        result = train(CLIFF, config, total_steps=np.int64(200), seed=np.uint8(3))
        result.save(tmp_path / "run.npz")
        assert TrainingResult.load(tmp_path / "run.npz").config == config == plain
        assert_same(result, train(CLIFF, plain, total_steps=200, seed=3))

    def test_missing_file(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            TrainingResult.load(tmp_path / "nothing.npz")

    @pytest.mark.parametrize(
        "content",
        [b"", b"PK", b"garbage" * 100, b"\x80\x04K\x01.", b"PK\x03\x04" + bytes(200)],
        ids=["empty", "two bytes", "text", "pickle", "zip of nothing"],
    )
    def test_garbage(self, content, tmp_path):
        path = tmp_path / "run.npz"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"run\.npz' is damaged or no saved TrainingResult"):
            TrainingResult.load(path)

    def test_other_arrays(self, tmp_path):
        for name, arrays in {"one.npy": None, "two.npz": {"a": np.ones(3)}}.items():
            path = tmp_path / name
            if arrays is None:
                np.save(path, np.ones(3))
            else:
                np.savez(path, **arrays)
            with pytest.raises(ValueError, match=r"is damaged or no saved TrainingResult"):
                TrainingResult.load(path)

    @pytest.mark.parametrize("share", [0.01, 0.3, 0.5, 0.9, 0.999])
    def test_truncated(self, saved, share, tmp_path):
        path, content = tmp_path / "run.npz", saved[1]
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(ValueError, match="is damaged"):
            TrainingResult.load(path)

    @given(st.data())
    @settings(max_examples=150, deadline=None)
    def test_flipped_bytes(self, saved, tmp_path_factory, data):
        """A damaged file is refused in clear words, or what was damaged did not matter."""
        result, content = saved
        at = data.draw(st.integers(0, len(content) - 1))
        flipped = bytearray(content)
        flipped[at] ^= data.draw(st.integers(1, 255))
        path = tmp_path_factory.getbasetemp() / "flipped.npz"
        path.write_bytes(flipped)
        refused, loaded = "", None
        try:
            loaded = TrainingResult.load(path)
        except ValueError as error:
            refused = str(error)
        if loaded is None:
            assert re.search(r"flipped\.npz' (is damaged|has file version)", refused)
        else:
            assert_same(loaded, result)

    def rewrite(self, saved, path, **changed):
        """Write the saved run with another `about`."""
        path.write_bytes(saved[1])
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        about = json.loads(bytes(arrays["about"])) | changed
        about = {name: value for name, value in about.items() if value is not None}
        arrays["about"] = np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)
        np.savez(path, **arrays)
        return path

    def test_newer_version(self, saved, tmp_path):
        path = self.rewrite(saved, tmp_path / "run.npz", version=FILE_VERSION + 1)
        with pytest.raises(ValueError, match=rf"version {FILE_VERSION + 1}; allowed: up to"):
            TrainingResult.load(path)

    @pytest.mark.parametrize(
        "changed",
        [
            {"format": "something else"},
            {"format": None},
            {"version": None},
            {"version": "one"},
            {"config": {"gamma": 7}},
            {"config": {"no such setting": 1}},
            {"config": 5},
            {"world": None},
            {"world": []},
            {"seed": None},
            {"seed": 1.5},
        ],
        ids=str,
    )
    def test_wrong_about(self, saved, changed, tmp_path):
        path = self.rewrite(saved, tmp_path / "run.npz", **changed)
        with pytest.raises(ValueError, match=r"run\.npz' is damaged"):
            TrainingResult.load(path)

    def test_missing_array(self, saved, tmp_path):
        for missing in ("world.reward", "updates", "about"):
            path = tmp_path / f"{missing}.npz"
            path.write_bytes(saved[1])
            with np.load(path) as file:
                arrays = {name: file[name] for name in file.files if name != missing}
            np.savez(path, **arrays)
            with pytest.raises(ValueError, match="is damaged"):
                TrainingResult.load(path)

    def test_nothing_in_it_is_executed(self, tmp_path):
        path = tmp_path / "run.npz"
        np.savez(path, about=np.array([print], dtype=object))
        with pytest.raises(ValueError, match="is damaged"):
            TrainingResult.load(path)

    @pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
    def test_whole_or_not_at_all(self, saved, error, tmp_path, monkeypatch):
        """Interrupted in the middle of writing: the old file, and nothing else."""
        result, content = saved
        path = tmp_path / "run.npz"
        path.write_bytes(content)

        def half(file, **_):
            file.write(b"half")
            raise error

        monkeypatch.setattr(np, "savez_compressed", half)
        for target in (path, tmp_path / "new.npz"):
            with pytest.raises(error):
                result.save(target)
        assert path.read_bytes() == content
        assert [p.name for p in tmp_path.iterdir()] == ["run.npz"]

    def test_written_whole_replaces(self, tmp_path):
        path = tmp_path / "text.txt"
        for text in ("one", "two"):
            with written_whole(path) as temporary:
                temporary.write_text(text)
                assert temporary != path
            assert path.read_text() == text
        assert len([*tmp_path.iterdir()]) == 1

    def test_no_folder(self, saved, tmp_path):
        with pytest.raises(FileNotFoundError):
            saved[0].save(tmp_path / "nowhere" / "run.npz")

    def test_is_a_plain_npz(self, saved, tmp_path):
        """Readable without the package, by anyone who knows NumPy."""
        path = tmp_path / "run.npz"
        path.write_bytes(saved[1])
        assert zipfile.is_zipfile(path)
        with np.load(path) as file:
            assert file["state.theta"].tolist() == saved[0].theta.tolist()


# --- divergence, and what is left --------------------------------------------------------------


WILD = {
    "rates": A3CConfig(optimizer="sgd", actor_lr=1e200, critic_lr=1e200, max_grad_norm=None),
    "slowly": A3CConfig(optimizer="sgd", critic_lr=30.0, max_grad_norm=None, actor_lr=0.0),
    "norm": A3CConfig(reward_scale=1e200, max_grad_norm=None),
    "clipped norm": A3CConfig(reward_scale=1e200),
    "rewards": A3CConfig(reward_scale=1e307, max_grad_norm=None, optimizer="sgd"),
}


class TestDivergence:
    @pytest.mark.parametrize("how", WILD)
    def test_says_what_happened(self, how):
        with pytest.raises(DivergenceError) as caught:
            train(CLIFF, WILD[how], total_steps=60_000)
        error, result = caught.value, caught.value.result
        assert error.update == len(result.updates) - 1
        norms = result.updates["grad_norm"]
        assert f"after update {error.update} (worker {result.schedule[-1]}" in str(error)
        assert ", ".join(f"{norm:.3g}" for norm in norms[-5:]) in str(error)
        assert "lower actor_lr and critic_lr or set max_grad_norm" in str(error)
        finite = np.isfinite(result.theta).all() and np.isfinite(result.state["V"]).all()
        assert not (finite and np.isfinite(norms[-1]))
        assert np.isfinite(norms[:-1]).all()

    def test_carries_the_run_so_far(self):
        with pytest.raises(DivergenceError) as caught:
            train(CLIFF, WILD["slowly"], total_steps=60_000, schedule="random")
        result = caught.value.result
        assert len(result.updates) > 20
        with pytest.raises(DivergenceError) as again:
            replay(result)
        assert_same(again.value.result, result)
        before = replay_until(result, caught.value.update)
        assert np.isfinite(before.theta).all()
        assert np.isfinite(before.state["V"]).all()

    def test_is_no_value_error(self):
        """Who catches bad settings does not catch a run that went wrong."""
        assert not issubclass(DivergenceError, ValueError)
        assert issubclass(DivergenceError, ArithmeticError)

    def test_large_but_finite_is_no_divergence(self):
        config = A3CConfig(optimizer="sgd", actor_lr=1e30, critic_lr=0.01)
        result = train(CLIFF, config, total_steps=3_000)
        assert np.isfinite(result.theta).all()
        assert result.policy.min() == 0.0


def replay_until(result: TrainingResult, update: int) -> TrainingResult:
    return train(
        result.world,
        result.config,
        total_steps=result.total_steps,
        seed=result.seed,
        schedule=result.schedule[:update],
    )


class TestTheRest:
    def test_policy_is_the_softmax_of_theta(self):
        result = train(CLIFF, total_steps=1_000)
        wanted = np.array([reference.softmax(row) for row in result.theta])
        np.testing.assert_allclose(result.policy, wanted, rtol=1e-14)
        assert softmax_table([[1000.0, -1000.0]]).tolist() == [[1.0, 0.0]]

    def test_progress(self, capsys):
        quiet = train(CLIFF, total_steps=2_000)
        assert capsys.readouterr() == ("", "")
        shown = train(CLIFF, total_steps=2_000, progress=True)
        assert "100%" in capsys.readouterr().err
        assert_same(quiet, shown)

    def test_hogwild_alone_is_atomic(self):
        """One process takes whole turns, whatever the mode; a recorded Hogwild run has none."""
        config = A3CConfig(update_mode="hogwild")
        result = train(CLIFF, config, total_steps=500)
        assert result.theta.tobytes() == train(CLIFF, total_steps=500).theta.tobytes()
        assert_same(replay(result), result)
