"""The worlds as Gymnasium environments."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import random_worlds

from a3c_tut.envs import CliffWorldEnv, CorridorEnv, SparseGridEnv, TableEnv, register_envs
from a3c_tut.worlds import TableWorld, cliff_world, corridor_world, sparse_grid_world

IDS = ["a3c_tut/CliffWorld-v0", "a3c_tut/SparseGrid-v0", "a3c_tut/Corridor-v0"]
CLIFF_WALKING = max(i for i in gymnasium.registry if i.startswith("CliffWalking-v"))
ARRAYS = ("next_state", "probability", "reward", "terminated", "start")


def same_world(one: TableWorld, other: TableWorld) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ARRAYS)


def run(code: str) -> str:
    """Run Python code in a process of its own, warnings being errors; return its complaints."""
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


class TestRegistration:
    @pytest.mark.parametrize("env_id", IDS)
    @pytest.mark.parametrize("render_mode", [None, "ansi", "rgb_array"])
    def test_passes_gymnasiums_checker_without_a_warning(self, env_id, render_mode):
        env = gymnasium.make(env_id, render_mode=render_mode)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            check_env(env.unwrapped)
        assert [str(w.message) for w in caught] == []
        env.close()

    @pytest.mark.parametrize(
        "env_id, arguments, world",
        [
            (IDS[0], {}, cliff_world()),
            (IDS[0], {"rows": 3, "columns": 5}, cliff_world(3, 5)),
            (IDS[1], {}, sparse_grid_world()),
            (IDS[1], {"rows": 3, "columns": 5}, sparse_grid_world(3, 5)),
            (IDS[2], {}, corridor_world()),
            (IDS[2], {"length": 60}, corridor_world(60)),
        ],
    )
    def test_makes_the_world_of_that_name_with_its_time_limit(self, env_id, arguments, world):
        env = gymnasium.make(env_id, **arguments).unwrapped
        assert same_world(env.world, world)
        assert env.time_limit == world.max_episode_steps
        assert env.action_space.n == world.num_actions
        assert env.observation_space.n == world.num_states

    def test_registers_once(self):
        before = dict(gymnasium.registry)
        register_envs()  # a warning would be an error here
        assert dict(gymnasium.registry) == before

    def test_importing_the_module_again_is_no_error(self):
        code = "import importlib, a3c_tut.envs as envs; importlib.reload(envs)"
        assert run(code) == ""

    def test_an_id_with_the_module_in_front_needs_no_import(self):
        code = "import gymnasium; gymnasium.make('a3c_tut.envs:a3c_tut/Corridor-v0').reset()"
        assert run(code) == ""

    def test_a_vector_of_environments_begins_anew_by_itself(self):
        many = gymnasium.make_vec(IDS[2], num_envs=2, vectorization_mode="sync", length=2)
        many.reset(seed=0)
        _, rewards, terminated, truncated, _ = many.step(np.array([1, 0]))
        assert rewards.tolist() == [1.0, 0.0]
        assert terminated.tolist() == [True, False]
        assert not truncated.any()
        states, *_ = many.step(np.array([1, 1]))
        assert states.tolist() == [0, 1]
        many.close()


class TestTableEnv:
    @given(st.data())
    @settings(max_examples=50, deadline=None)
    def test_samples_only_what_the_world_allows(self, data):
        world = data.draw(random_worlds())
        env = TableEnv(world)
        state, info = env.reset(seed=data.draw(st.integers(0, 2**32)))
        assert info == {"prob": world.start[state]}
        assert info["prob"] > 0.0
        for step in range(1, world.max_episode_steps + 1):
            action = data.draw(st.integers(0, world.num_actions - 1))
            after, reward, terminated, truncated, info = env.step(action)
            assert env.observation_space.contains(after)
            outcomes = [
                float(world.probability[state, action, k])
                for k in range(world.num_outcomes)
                if world.probability[state, action, k] > 0.0
                and world.next_state[state, action, k] == after
                and world.reward[state, action, k] == reward
                and world.terminated[state, action, k] == terminated
            ]
            assert info["prob"] in outcomes
            assert truncated == (not terminated and step == world.max_episode_steps)
            if terminated or truncated:
                return
            state = after
        pytest.fail("the episode went past its time limit")

    @pytest.mark.slow
    def test_outcomes_come_as_often_as_the_world_says(self):
        world = TableWorld.from_gymnasium("FrozenLake-v1")
        env = TableEnv(world)
        env.reset(seed=11)
        counts = np.zeros(world.num_states)
        draws = 20_000
        for _ in range(draws):
            env.reset(options={"state": 6})
            counts[env.step(1)[0]] += 1
        expected = np.zeros(world.num_states)
        np.add.at(expected, world.next_state[6, 1], world.probability[6, 1])
        assert (counts[expected == 0.0] == 0).all()
        # Four standard deviations of a binomial count.
        assert (np.abs(counts - draws * expected) < 4 * np.sqrt(draws * 0.25)).all()

    def test_starts_are_drawn_from_the_worlds_distribution(self):
        world = TableWorld(
            np.zeros((3, 1, 1), int), np.ones((3, 1, 1)), np.zeros((3, 1, 1)),
            np.zeros((3, 1, 1), bool), [0.25, 0.0, 0.75], 5)  # fmt: skip
        env = TableEnv(world)
        drawn = [env.reset(seed=seed)[0] for seed in range(400)]
        assert drawn.count(1) == 0
        assert 60 < drawn.count(0) < 140

    @pytest.mark.parametrize(
        "drawn, expected", [(0.0, 1), (np.nextafter(0.5, 0.0), 1), (0.5, 3), (1.0 - 2.0**-53, 3)]
    )
    def test_an_outcome_of_probability_0_never_comes(self, drawn, expected):
        class Fixed:
            def random(self) -> float:
                return drawn

        zeros = np.zeros((5, 1, 5))
        world = TableWorld(
            zeros.astype(int) + np.arange(5), zeros + np.array([0.0, 0.5, 0.0, 0.5, 0.0]), zeros,
            zeros.astype(bool), [0.0, 0.5, 0.0, 0.5, 0.0], 5)  # fmt: skip
        env = TableEnv(world)
        env.np_random = Fixed()
        assert env.reset()[0] == expected
        assert env.step(0)[0] == expected

    def test_the_same_seed_gives_the_same_episode(self):
        env = TableEnv(TableWorld.from_gymnasium("FrozenLake-v1"))

        def episode(seed: int | None) -> list[tuple]:
            steps = [env.reset(seed=seed)]
            while True:
                steps.append(env.step(1))
                if steps[-1][2] or steps[-1][3]:
                    return steps

        first = [episode(5), episode(None), episode(None)]
        again = [episode(5), episode(None), episode(None)]
        assert first == again
        assert first[1] != first[2]  # without a seed the generator goes on

    def test_observations_and_rewards_are_plain_numbers(self):
        env = TableEnv(cliff_world())
        state, _ = env.reset()
        assert type(state) is int
        state, reward, terminated, truncated, _ = env.step(np.int64(0))
        assert [type(x) for x in (state, reward, terminated, truncated)] == [int, float, bool, bool]

    def test_a_time_limit_truncates_with_the_final_observation(self):
        env = TableEnv(corridor_world(9), time_limit=3)
        env.reset()
        assert [env.step(1)[:4] for _ in range(3)] == [
            (1, 0.0, False, False),
            (2, 0.0, False, False),
            (3, 0.0, False, True),
        ]

    def test_termination_at_the_time_limit_is_no_truncation(self):
        env = TableEnv(corridor_world(3), time_limit=2)
        env.reset()
        env.step(1)
        assert env.step(1)[:4] == (2, 1.0, True, False)

    def test_the_time_limit_starts_anew_with_each_episode(self):
        env = TableEnv(corridor_world(9), time_limit=2)
        for _ in range(2):
            env.reset()
            assert not env.step(1)[3]
            assert env.step(1)[3]

    def test_gymnasiums_own_limit_can_only_shorten_an_episode(self):
        env = gymnasium.make(IDS[2], max_episode_steps=1)
        env.reset()
        assert env.step(1)[3]

    def test_an_episode_can_begin_anywhere(self):
        env = TableEnv(cliff_world())
        assert env.reset(options={"state": np.int64(7)}) == (7, {"prob": 1.0})

    def test_carries_its_world_as_gymnasiums_table(self):
        world = TableWorld.from_gymnasium(gymnasium.make(IDS[0]))
        assert same_world(world, cliff_world())

    @given(random_worlds())
    @settings(max_examples=50, deadline=None)
    def test_the_table_lists_every_possible_outcome(self, world):
        table = TableEnv(world).P
        for s, a in np.ndindex(world.next_state.shape[:2]):
            assert table[s][a] == [
                (
                    world.probability[s, a, k],
                    world.next_state[s, a, k],
                    world.reward[s, a, k],
                    world.terminated[s, a, k],
                )
                for k in range(world.num_outcomes)
                if world.probability[s, a, k] > 0.0
            ]

    def test_can_be_sent_to_another_process(self):
        env = TableEnv(cliff_world())
        env.reset(seed=1)
        twin = pickle.loads(pickle.dumps(env))
        assert twin.step(0) == env.step(0)

    def test_agrees_with_gymnasium_transition_by_transition(self):
        theirs = gymnasium.make(CLIFF_WALKING).unwrapped
        mine = gymnasium.make(IDS[0]).unwrapped
        assert mine.reset(seed=0)[0] == theirs.reset(seed=0)[0]
        for state in range(37):  # all that is reachable and not terminal
            for action in range(4):
                mine.reset(options={"state": state})
                theirs.reset()
                theirs.s = state
                assert mine.step(action)[:4] == theirs.step(action)[:4], (state, action)


class TestRender:
    def test_nothing_without_a_mode(self):
        assert TableEnv(cliff_world()).render() is None

    def test_text(self):
        env = TableEnv(cliff_world(3, 4), render_mode="ansi")
        env.reset(options={"state": 1})
        assert env.render() == ". x . .\n. . . .\nS C C G\n"

    def test_text_of_a_world_without_a_grid(self):
        world = TableWorld(
            np.zeros((3, 1, 1), int), np.ones((3, 1, 1)), np.zeros((3, 1, 1)),
            np.zeros((3, 1, 1), bool), [0.0, 1.0, 0.0], 5)  # fmt: skip
        env = TableEnv(world, render_mode="ansi")
        env.reset()
        assert env.render() == ". x .\n"

    def test_picture(self):
        env = TableEnv(cliff_world(3, 4), render_mode="rgb_array")
        env.reset(options={"state": 1})
        picture = env.render()
        assert picture.shape == (3 * 24, 4 * 24, 3)
        assert picture.dtype == np.uint8
        centre = {s: tuple(picture[r * 24 + 12, c * 24 + 12])
                  for s, (r, c) in {s: divmod(s, 4) for s in range(12)}.items()}  # fmt: skip
        assert len(set(centre.values())) == 5  # walker, floor, start, cliff, goal
        assert centre[9] == centre[10]
        assert [s for s in centre if centre[s] == centre[1]] == [1]

    def test_a_mark_without_a_colour_is_floor(self):
        world = TableWorld(
            np.zeros((2, 1, 1), int), np.ones((2, 1, 1)), np.zeros((2, 1, 1)),
            np.zeros((2, 1, 1), bool), [1.0, 0.0], 5, marks={1: "?"})  # fmt: skip
        env = TableEnv(world, render_mode="rgb_array")
        env.reset()
        assert tuple(env.render()[12, 36]) == (255, 255, 255)


class TestErrors:
    @pytest.mark.parametrize("action", [-1, 4, 1.0, "up", None, np.array([1])])
    def test_an_action_outside_the_space(self, action):
        env = TableEnv(cliff_world())
        env.reset()
        message = re.escape(f"action is {action!r}; allowed: 0 to 3 (up, right, down, left)")
        with pytest.raises(ValueError, match=message):
            env.step(action)

    def test_step_and_render_need_an_episode(self):
        env = TableEnv(cliff_world(), render_mode="ansi")
        with pytest.raises(ResetNeeded, match="step was called before reset"):
            env.step(0)
        with pytest.raises(ResetNeeded, match="render was called before reset"):
            env.render()

    @pytest.mark.parametrize("limit", [1, 2])
    def test_no_step_follows_the_end(self, limit):
        env = TableEnv(corridor_world(3), time_limit=limit)
        env.reset()
        for _ in range(limit):
            env.step(1)
        with pytest.raises(ResetNeeded, match="step was called after the episode's end"):
            env.step(1)

    @pytest.mark.parametrize(
        "options, message",
        [
            ({"state": 48}, "options['state'] is 48; allowed: 0 to 47"),
            ({"state": 1.5}, "options['state'] is 1.5; allowed: 0 to 47"),
            ({"stat": 1}, "options holds 'stat'; allowed: 'state'"),
        ],
    )
    def test_options(self, options, message):
        with pytest.raises(ValueError, match=re.escape(message)):
            TableEnv(cliff_world()).reset(options=options)

    @pytest.mark.parametrize(
        "build, message",
        [
            (lambda: TableEnv("cliff"), "world is 'cliff'; allowed: a TableWorld"),
            (
                lambda: TableEnv(cliff_world(), render_mode="human"),
                "render_mode is 'human'; allowed: None, ['ansi', 'rgb_array']",
            ),
            (
                lambda: TableEnv(cliff_world(), time_limit=0),
                "time_limit is 0; allowed: a whole number from 1",
            ),
            (
                lambda: TableEnv(cliff_world(), time_limit=True),
                "time_limit is True; allowed: a whole number from 1",
            ),
            (
                lambda: CliffWorldEnv(time_limit=2.5),
                "time_limit is 2.5; allowed: a whole number from 1",
            ),
            (lambda: CliffWorldEnv(columns=2), "columns of cliff_world is 2; allowed: a whole"),
            (lambda: SparseGridEnv(rows=1), "rows of sparse_grid_world is 1; allowed: a whole"),
            (lambda: CorridorEnv(length=0), "length of corridor_world is 0; allowed: a whole"),
            (
                lambda: gymnasium.make(IDS[0], rows=1),
                "rows of cliff_world is 1; allowed: a whole number from 2",
            ),
        ],
    )
    def test_arguments(self, build, message):
        with pytest.raises(ValueError, match=re.escape(message)):
            build()
