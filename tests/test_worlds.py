"""The worlds: what is checked, what the grids look like, what Gymnasium's tables become."""

from __future__ import annotations

import re
from collections import Counter

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import random_maps, random_policies, random_worlds

from a3c_tut.exact import optimal_values, state_occupancy
from a3c_tut.worlds import (
    WORLDS,
    TableWorld,
    cliff_world,
    corridor_world,
    grid_world,
    sparse_grid_world,
)

#: Gymnasium counts the versions of its own worlds; any version will do here.
CLIFF_WALKING, TAXI = (
    max(i for i in gymnasium.registry if i.startswith(f"{name}-v"))
    for name in ("CliffWalking", "Taxi")
)

GOOD = {
    "next_state": [[[0, 1], [1, 1]], [[0, 0], [1, 0]]],
    "probability": [[[0.5, 0.5], [1.0, 0.0]], [[0.25, 0.75], [1.0, 0.0]]],
    "reward": [[[1.0, 2.0], [3.0, 0.0]], [[4.0, 5.0], [6.0, 0.0]]],
    "terminated": [[[False, True], [False, False]], [[True, False], [True, False]]],
    "start": [0.5, 0.5],
    "max_episode_steps": 7,
}


def make(**changes) -> TableWorld:
    return TableWorld(**(GOOD | changes))


class TestTableWorld:
    def test_keeps_what_it_is_given(self):
        world = make(action_names=["a", "b"], grid_shape=(1, 2), name="two")
        assert (world.num_states, world.num_actions, world.num_outcomes) == (2, 2, 2)
        for name in ("next_state", "probability", "reward", "terminated", "start"):
            np.testing.assert_array_equal(getattr(world, name), GOOD[name])
        assert world.max_episode_steps == 7
        assert world.action_names == ("a", "b")
        assert world.grid_shape == (1, 2)
        assert world.name == "two"

    def test_types_are_those_that_compiled_code_expects(self):
        world = make()
        assert world.next_state.dtype == np.int32
        assert world.terminated.dtype == np.bool_
        assert world.probability.dtype == world.reward.dtype == world.start.dtype == np.float64
        assert all(
            getattr(world, name).flags.c_contiguous
            for name in ("next_state", "probability", "reward", "terminated", "start")
        )

    def test_actions_have_names_by_default(self):
        assert make().action_names == ("0", "1")

    def test_arrays_are_copies_and_cannot_be_written(self):
        reward = np.array(GOOD["reward"])
        world = make(reward=reward)
        reward[:] = 99.0
        assert world.reward.max() == 6.0
        for name in ("next_state", "probability", "reward", "terminated", "start"):
            with pytest.raises(ValueError, match="read-only"):
                getattr(world, name)[...] = 0
        with pytest.raises(AttributeError):
            world.max_episode_steps = 8

    @pytest.mark.parametrize(
        "changes, message",
        [
            ({"next_state": [[0]]}, "next_state has shape (1, 1); allowed: (states, actions, out"),
            ({"next_state": np.zeros((0, 2, 2), int)}, "next_state has shape (0, 2, 2); allowed"),
            ({"next_state": np.zeros((2, 2, 2))}, "next_state has dtype float64; allowed: integ"),
            (
                {"next_state": [[[0, 1], [1, 2]], [[0, 0], [1, 0]]]},
                "next_state[0, 1, 1] is 2; allowed: 0 to 1",
            ),
            (
                {"next_state": [[[0, 1], [1, 1]], [[-1, 0], [1, 0]]]},
                "next_state[1, 0, 0] is -1; allowed: 0 to 1",
            ),
            ({"probability": [[[1.0]]]}, "probability has shape (1, 1, 1); allowed: (2, 2, 2)"),
            ({"reward": [[[1.0]]]}, "reward has shape (1, 1, 1); allowed: (2, 2, 2)"),
            ({"terminated": [[[True]]]}, "terminated has shape (1, 1, 1); allowed: (2, 2, 2)"),
            ({"start": [1.0]}, "start has shape (1,); allowed: (2,)"),
            (
                {"probability": np.full((2, 2, 2), 0.25)},
                "probability sums to 0.5 in state 0, action 0; allowed: 1",
            ),
            (
                {"probability": [[[1.5, -0.5], [1, 0]], [[0.25, 0.75], [1, 0]]]},
                "probability holds 1.5 in state 0, action 0; allowed: numbers from 0 to 1",
            ),
            (
                {"probability": np.full((2, 2, 2), np.nan)},
                "probability holds nan; allowed: finite numbers",
            ),
            ({"start": [0.5, 0.6]}, "start sums to 1.1; allowed: 1"),
            ({"start": [-1.0, 2.0]}, "start holds -1.0; allowed: numbers from 0 to 1"),
            ({"reward": np.full((2, 2, 2), np.inf)}, "reward holds inf; allowed: finite numbers"),
            ({"max_episode_steps": 0}, "max_episode_steps is 0; allowed: a whole number from 1"),
            ({"max_episode_steps": 2.5}, "max_episode_steps is 2.5; allowed: a whole number from"),
            ({"max_episode_steps": None}, "max_episode_steps is None; allowed: a whole number fr"),
            (
                {"action_names": ["up"]},
                "action_names is ['up']; allowed: nothing, or one name per action (2)",
            ),
            ({"action_names": "ab"}, "action_names is 'ab'; allowed: nothing, or one name"),
            ({"max_episode_steps": True}, "max_episode_steps is True; allowed: a whole number"),
            ({"grid_shape": 3}, "grid_shape is 3; allowed: None, or (rows, columns)"),
            ({"grid_shape": (-1, -2)}, "grid_shape is (-1, -2); allowed: None, or (rows, columns)"),
            ({"marks": {99: "S"}}, "marks holds state 99; allowed: 0 to 1"),
            ({"reward": "a lot"}, "reward is 'a lot'; allowed: an array of numbers"),
            (
                {"grid_shape": (2, 2)},
                "grid_shape is (2, 2); allowed: None, or (rows, columns) with",
            ),
        ],
    )
    def test_says_what_is_wrong(self, changes, message):
        with pytest.raises(ValueError, match=re.escape(message)):
            make(**changes)

    @given(st.data())
    @settings(max_examples=60, deadline=None)
    def test_transition_matrix_is_the_sum_over_actions_and_outcomes(self, data):
        world = data.draw(random_worlds())
        policy = data.draw(random_policies(world))
        expected = np.zeros((world.num_states, world.num_states))
        for s, a, k in np.ndindex(world.next_state.shape):
            if not world.terminated[s, a, k]:
                to = world.next_state[s, a, k]
                expected[s, to] += policy[s, a] * world.probability[s, a, k]
        np.testing.assert_allclose(world.transition_matrix(policy), expected, atol=1e-15)


class TestCliffWorld:
    def test_every_cell_and_move_of_a_small_one(self):
        # 0 1 2    The start is 3, the cliff 4, the goal 5.
        # S C G
        world = cliff_world(2, 3)
        assert world.next_state[:, :, 0].tolist() == [
            [0, 1, 3, 0],
            [1, 2, 3, 0],
            [2, 2, 5, 1],
            [0, 3, 3, 3],
            [1, 5, 3, 3],
            [5, 5, 5, 5],
        ]
        assert world.reward[:, :, 0].tolist() == [
            [-1, -1, -1, -1],
            [-1, -1, -100, -1],
            [-1, -1, -1, -1],
            [-1, -100, -1, -1],
            [-1, -1, -100, -1],
            [0, 0, 0, 0],
        ]
        np.testing.assert_array_equal(world.terminated, world.next_state == 5)
        assert world.start.tolist() == [0, 0, 0, 1, 0, 0]

    @given(rows=st.integers(2, 9), columns=st.integers(3, 15))
    @settings(max_examples=40, deadline=None)
    def test_holds_at_any_size(self, rows, columns):
        world = cliff_world(rows, columns)
        start, goal = (rows - 1) * columns, rows * columns - 1
        assert world.grid_shape == (rows, columns)
        assert world.num_states == rows * columns
        assert world.start[start] == 1.0
        falls = world.reward == -100.0
        assert (world.next_state[falls] == start).all()
        assert not world.terminated[falls].any()
        # Each of the cliff's cells is entered from above, from the left, against the wall below
        # and, but for the last one (the goal stays put), from the right.
        assert falls.sum() == 4 * (columns - 2) - 1
        assert not world.reward[goal].any()
        assert world.terminated[goal].all()
        assert world.max_episode_steps >= 200

    def test_has_a_time_limit_that_a_large_grid_can_be_solved_in(self):
        assert cliff_world().max_episode_steps == 200
        assert cliff_world(40, 60).max_episode_steps == 500

    def test_names_and_marks(self):
        world = cliff_world()
        assert world.action_names == ("up", "right", "down", "left")
        assert world.marks == {36: "S", 47: "G"} | dict.fromkeys(range(37, 47), "C")

    def test_agrees_with_gymnasium_on_every_reachable_state(self):
        world, other = cliff_world(), TableWorld.from_gymnasium(CLIFF_WALKING)
        np.testing.assert_array_equal(world.start, other.start)
        reachable, todo = set(), [int(world.start.argmax())]
        while todo:
            s = todo.pop()
            if s in reachable:
                continue
            reachable.add(s)
            for a in range(4):
                mine = (world.next_state[s, a], world.reward[s, a], world.terminated[s, a])
                theirs = (other.next_state[s, a], other.reward[s, a], other.terminated[s, a])
                assert mine == theirs, f"state {s}, action {a}"
                assert world.probability[s, a] == other.probability[s, a] == [1.0]
                if not world.terminated[s, a, 0]:
                    todo.append(int(world.next_state[s, a, 0]))
        assert reachable == set(range(37))  # the upper rows and the start

    @pytest.mark.parametrize(
        "size, message",
        [
            ({"rows": 1}, "rows of cliff_world is 1; allowed: a whole number from 2"),
            ({"columns": 2}, "columns of cliff_world is 2; allowed: a whole number from 3"),
            ({"rows": 4.0}, "rows of cliff_world is 4.0; allowed: a whole number from 2"),
            ({"columns": "12"}, "columns of cliff_world is '12'; allowed: a whole number from 3"),
            ({"rows": True}, "rows of cliff_world is True; allowed: a whole number from 2"),
        ],
    )
    def test_says_what_is_wrong(self, size, message):
        with pytest.raises(ValueError, match=re.escape(message)):
            cliff_world(**size)


class TestGridWorld:
    def test_every_cell_and_move_of_a_small_one(self):
        # 0 1 2    A wall at 1, the start at 3, the cliff at 4, the goal at 8.
        world = grid_world([".#.", "SC.", "..G"], step_reward=-2.0, goal_reward=7.0)
        assert world.next_state[:, :, 0].tolist() == [
            [0, 0, 3, 0],
            [1, 1, 1, 1],
            [2, 2, 5, 2],
            [0, 3, 6, 3],
            [3, 5, 7, 3],
            [2, 5, 8, 3],
            [3, 7, 6, 6],
            [3, 8, 7, 6],
            [8, 8, 8, 8],
        ]
        assert world.reward[:, :, 0].tolist() == [
            [-2, -2, -2, -2],
            [0, 0, 0, 0],
            [-2, -2, -2, -2],
            [-2, -100, -2, -2],
            [-100, -2, -2, -2],  # against the wall above: it stays in the cliff, which is a fall
            [-2, -2, 5, -100],
            [-2, -2, -2, -2],
            [-100, 5, -2, -2],
            [0, 0, 0, 0],
        ]
        ends = (world.next_state == 8) | (np.arange(9) == 1)[:, None, None]
        np.testing.assert_array_equal(world.terminated, ends)
        assert world.marks == {3: "S", 8: "G", 4: "C", 1: "#"}
        assert (world.name, world.grid_shape) == ("grid 3 × 3", (3, 3))

    @staticmethod
    def move(lines, cell, action, settings):
        """One move, as a person would follow it with a finger: where to, reward, end."""
        row, column = cell
        down, right = [(-1, 0), (0, 1), (1, 0), (0, -1)][action]
        inside = 0 <= row + down < len(lines) and 0 <= column + right < len(lines[0])
        if inside and lines[row + down][column + right] != "#":
            row, column = row + down, column + right
        there = lines[row][column]
        if there == "C" and settings["fall_ends"]:
            return (row, column), settings["fall_reward"], True
        if there == "C":
            row = next(r for r, line in enumerate(lines) if "S" in line)
            return (row, lines[row].index("S")), settings["fall_reward"], False
        more = settings["goal_reward"] if there == "G" else 0.0
        return (row, column), settings["step_reward"] + more, there == "G"

    @given(
        random_maps(),
        st.fixed_dictionaries(
            {
                "step_reward": st.integers(-8, 2).map(lambda n: n / 2),
                "fall_reward": st.integers(-100, 2).map(float),
                "goal_reward": st.integers(0, 9).map(float),
                "fall_ends": st.booleans(),
            }
        ),
    )
    @settings(max_examples=150, deadline=None)
    def test_is_what_a_finger_finds(self, lines, rewards):
        columns = len(lines[0])
        start = "".join(lines).index("S")
        distance, todo = {start: 0}, [start]
        for state in todo:  # grows while it is walked
            for action in range(4):
                cell, _, over = self.move(lines, divmod(state, columns), action, rewards)
                to = cell[0] * columns + cell[1]
                if to not in distance:
                    distance[to] = distance[state] + 1
                    if not over:
                        todo.append(to)
        goals = [s for s in distance if "".join(lines)[s] == "G"]
        if not goals:
            with pytest.raises(ValueError, match="map has no way from S, in row"):
                grid_world(lines, **rewards)
            return
        world = grid_world("\n".join(lines), **rewards)
        for state, action in np.ndindex(world.num_states, 4):
            letter = "".join(lines)[state]
            outcome = (
                world.next_state[state, action, 0],
                world.reward[state, action, 0],
                world.terminated[state, action, 0],
            )
            if letter in "G#" or (letter == "C" and rewards["fall_ends"]):
                assert outcome == (state, 0.0, True)
            else:
                cell, pay, over = self.move(lines, divmod(state, columns), action, rewards)
                assert outcome == (cell[0] * columns + cell[1], pay, over)
        assert world.start.argmax() == start
        assert world.max_episode_steps >= 5 * min(distance[goal] for goal in goals)
        letters = [world.marks.get(s, ".") for s in range(world.num_states)]
        assert "".join(letters) == "".join(lines)

    @pytest.mark.parametrize("size", [(2, 3), (4, 12), (7, 5)])
    def test_the_cliff_world_and_the_sparse_grid_are_maps(self, size):
        rows, columns = size
        cliff = [*["." * columns] * (rows - 1), "S" + "C" * (columns - 2) + "G"]
        assert grid_world(cliff, name=f"cliff-world {rows} × {columns}") == cliff_world(*size)
        letters = np.full(size, ".")
        letters[0, 0], letters[-1, -1] = "S", "G"
        sparse = grid_world(
            ["".join(row) for row in letters], step_reward=0.0, goal_reward=1.0,
            name=f"sparse grid {rows} × {columns}", max_episode_steps=4 * (rows + columns),
        )  # fmt: skip
        assert sparse == sparse_grid_world(*size)

    @pytest.mark.parametrize("seed", [None, 0, 1, 2])
    def test_agrees_with_gymnasiums_lake(self, seed):
        """In every state: without ice, its holes are cliffs in which a fall ends the episode."""
        from gymnasium.envs.toy_text.frozen_lake import generate_random_map

        given = None if seed is None else generate_random_map(size=8, p=0.7, seed=seed)
        env = gymnasium.make("FrozenLake-v1", desc=given, is_slippery=False)
        lake = TableWorld.from_gymnasium(env)
        lines = ["".join(row) for row in env.unwrapped.desc.astype(str)]
        ours = grid_world(
            [line.replace("F", ".").replace("H", "C") for line in lines],
            step_reward=0.0, fall_reward=0.0, goal_reward=1.0, fall_ends=True,
        )  # fmt: skip
        order = [3, 2, 1, 0]  # the lake's actions are left, down, right, up
        for name in ("next_state", "probability", "reward", "terminated"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(lake, name)[:, order])
        np.testing.assert_array_equal(ours.start, lake.start)
        env.close()

    def test_leaves_time_for_a_long_way(self):
        fold = ["#" * 40 + ".", "." * 41, "." + "#" * 40, "." * 41]
        maze = ["S" + "." * 40, *fold * 9, "#" * 40 + ".", "." * 40 + "G"]
        assert grid_world(maze).max_episode_steps == 5 * (19 * 40 + 2 * 18 + 2)
        assert grid_world(maze, max_episode_steps=7).max_episode_steps == 7

    @pytest.mark.parametrize(
        "lines, message",
        [
            ("", "map is ''; allowed: lines of letters, as one text or a list of them"),
            ([], "map is []; allowed: lines of letters"),
            (7, "map is 7; allowed: lines of letters"),
            (["SG", 7], "map is ['SG', 7]; allowed: lines of letters"),
            ("S.\n?G", "map has '?' in row 2, column 1; allowed: S start, G goal, C cliff, # w"),
            ("S G", "map has ' ' in row 1, column 2; allowed: S start"),
            ("S..\n.G", "map has 2 cells in row 2; allowed: 3, as in row 1"),
            ("S.G\n\n...", "map has 0 cells in row 2; allowed: 3, as in row 1"),
            ("..\n.G", "map has no S; allowed: one S, the start"),
            ("S.\nSG", "map has 2 S, in row 1, column 1 and in row 2, column 1; allowed: one S"),
            ("S.", "map has no G; allowed: one G at least, the goal"),
            ("..S#G", "map has no way from S, in row 1, column 3, to a G; allowed: a map with"),
            ("SCG", "map has no way from S, in row 1, column 1, to a G; allowed: a map with a way"),
        ],
    )
    def test_says_what_is_wrong_with_a_map(self, lines, message):
        with pytest.raises(ValueError, match=re.escape(message)) as caught:
            grid_world(lines)
        assert len(str(caught.value)) < 160

    @pytest.mark.parametrize(
        "setting, message",
        [
            ({"step_reward": np.nan}, "step_reward of grid_world is nan; allowed: a finite number"),
            ({"fall_reward": "much"}, "fall_reward of grid_world is 'much'; allowed: a finite"),
            ({"goal_reward": None}, "goal_reward of grid_world is None; allowed: a finite number"),
            ({"fall_ends": 1}, "fall_ends of grid_world is 1; allowed: False, True"),
            ({"max_episode_steps": 0}, "max_episode_steps is 0; allowed: a whole number from 1"),
        ],
    )
    def test_says_what_is_wrong_with_a_setting(self, setting, message):
        with pytest.raises(ValueError, match=re.escape(message)):
            grid_world("SG", **setting)


class TestSparseWorlds:
    @given(rows=st.integers(2, 9), columns=st.integers(2, 9))
    @settings(max_examples=40, deadline=None)
    def test_only_the_way_into_the_goal_pays(self, rows, columns):
        world = sparse_grid_world(rows, columns)
        goal = rows * columns - 1
        enters = (world.next_state == goal) & (np.arange(goal + 1) != goal)[:, None, None]
        np.testing.assert_array_equal(world.reward, enters.astype(float))
        np.testing.assert_array_equal(world.terminated, world.next_state == goal)
        assert enters.sum() == 2
        assert world.start[0] == 1.0
        assert world.max_episode_steps == 4 * (rows + columns)

    def test_moves_stop_at_the_walls(self):
        assert sparse_grid_world(2, 2).next_state[:, :, 0].tolist() == [
            [0, 1, 2, 0],
            [1, 1, 3, 0],
            [0, 3, 2, 2],
            [3, 3, 3, 3],
        ]

    def test_the_corridor_forgets(self):
        world = corridor_world(4)
        assert world.next_state[:, :, 0].tolist() == [[0, 1], [0, 2], [0, 3], [3, 3]]
        assert world.reward[:, :, 0].tolist() == [[0, 0], [0, 0], [0, 1], [0, 0]]
        np.testing.assert_array_equal(world.terminated, world.next_state == 3)
        assert world.max_episode_steps == 16

    @pytest.mark.parametrize(
        "build, message",
        [
            (lambda: sparse_grid_world(rows=1), "rows of sparse_grid_world is 1; allowed: a who"),
            (lambda: sparse_grid_world(columns=0), "columns of sparse_grid_world is 0; allowed:"),
            (lambda: corridor_world(1), "length of corridor_world is 1; allowed: a whole number"),
        ],
    )
    def test_says_what_is_wrong(self, build, message):
        with pytest.raises(ValueError, match=re.escape(message)):
            build()


class TestFromGymnasium:
    @pytest.mark.parametrize(
        "name, shape, limit",
        [
            (CLIFF_WALKING, (48, 4, 1), 200),
            ("FrozenLake-v1", (16, 4, 3), 100),
            ("FrozenLake8x8-v1", (64, 4, 3), 200),
            (TAXI, (500, 6, 1), 200),
        ],
    )
    def test_holds_the_same_outcomes(self, name, shape, limit):
        env = gymnasium.make(name)
        world = TableWorld.from_gymnasium(env)
        base = env.unwrapped
        assert world.next_state.shape == shape
        assert world.max_episode_steps == limit
        np.testing.assert_array_equal(world.start, base.initial_state_distrib)
        for s in range(shape[0]):
            for a in range(shape[1]):
                expected: dict[tuple, float] = {}
                for p, *outcome in base.P[s][a]:
                    expected[tuple(outcome)] = expected.get(tuple(outcome), 0.0) + p
                found = {
                    (
                        int(world.next_state[s, a, k]),
                        float(world.reward[s, a, k]),
                        bool(world.terminated[s, a, k]),
                    ): float(world.probability[s, a, k])
                    for k in range(shape[2])
                    if world.probability[s, a, k] > 0.0
                }
                assert found == pytest.approx(expected, abs=1e-15)
        env.close()

    def test_frozen_lake_slips(self):
        world = TableWorld.from_gymnasium("FrozenLake-v1")
        # From the corner, left: it slips up or down as often as it obeys, and walls keep it.
        outcomes = np.bincount(world.next_state[0, 0], world.probability[0, 0], minlength=16)
        assert outcomes[[0, 4]] == pytest.approx([2 / 3, 1 / 3])
        dry = gymnasium.make("FrozenLake-v1", is_slippery=False)
        assert TableWorld.from_gymnasium(dry).num_outcomes == 1

    def test_the_time_limit_can_be_chosen(self):
        assert TableWorld.from_gymnasium(CLIFF_WALKING, 50).max_episode_steps == 50

    def test_takes_its_name_from_the_id(self):
        assert TableWorld.from_gymnasium("FrozenLake-v1").name == "FrozenLake-v1"

    @given(st.data())
    @settings(max_examples=40, deadline=None)
    def test_merges_equal_outcomes_and_drops_impossible_ones(self, data):
        world = data.draw(random_worlds())

        class Table:
            initial_state_distrib = world.start
            P = {  # noqa: RUF012
                s: {
                    a: [
                        (
                            world.probability[s, a, k],
                            world.next_state[s, a, k],
                            world.reward[s, a, k],
                            world.terminated[s, a, k],
                        )
                        for k in range(world.num_outcomes)
                    ]
                    for a in range(world.num_actions)
                }
                for s in range(world.num_states)
            }

        read = TableWorld.from_gymnasium(Table())
        assert read.name == "Table"
        possible = {
            (s, a, world.next_state[s, a, k], world.reward[s, a, k], world.terminated[s, a, k])
            for s, a, k in np.argwhere(world.probability > 0.0)
        }
        assert np.count_nonzero(read.probability) == len(possible)
        assert read.num_outcomes == max(Counter((s, a) for s, a, *_ in possible).values())
        policy = data.draw(random_policies(world))
        np.testing.assert_allclose(
            read.transition_matrix(policy), world.transition_matrix(policy), atol=1e-15
        )
        np.testing.assert_allclose(
            (read.probability * read.reward).sum(axis=2),
            (world.probability * world.reward).sum(axis=2),
            atol=1e-12,
        )

    def test_says_what_is_wrong(self):
        with pytest.raises(
            ValueError, match=r"env is CartPole-v1, which carries no table.*allowed"
        ):
            TableWorld.from_gymnasium("CartPole-v1")
        with pytest.raises(ValueError, match=r"env is object, which carries no table.*allowed"):
            TableWorld.from_gymnasium(object())


def possible(world):
    """Which outcomes there are, in the states that an episode comes to."""
    uniform = np.full((world.num_states, world.num_actions), 1 / world.num_actions)
    visited = state_occupancy(world, uniform, gamma=0.99) > 0.0
    return (world.probability > 0.0) & visited[:, None, None]


@pytest.mark.parametrize("name", WORLDS)
class TestKnown:
    """Every world that has a name is what is said of it."""

    def test_its_rewards(self, name):
        world = WORLDS[name].make()
        assert tuple(np.unique(world.reward[possible(world)])) == WORLDS[name].rewards

    def test_its_best_return_is_reached_within_its_time_limit(self, name):
        world = WORLDS[name].make()
        values = optimal_values(world, gamma=1.0, horizon=world.max_episode_steps)
        assert float(world.start @ values) == pytest.approx(WORLDS[name].best, abs=1e-12)

    def test_a_wrong_reward_would_be_noticed(self, name):
        world = WORLDS[name].make()
        for index in zip(*np.nonzero(possible(world)), strict=True):
            reward = world.reward.copy()
            reward[index] += 0.5
            assert tuple(np.unique(reward[possible(world)])) != WORLDS[name].rewards

    def test_it_has_a_function_of_its_own_in_the_package(self, name):
        import a3c_tut

        assert getattr(a3c_tut, WORLDS[name].make.__name__) is WORLDS[name].make
        assert WORLDS[name].make.__doc__
