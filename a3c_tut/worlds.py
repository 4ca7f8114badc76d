"""Worlds: finite Markov decision processes as arrays (Section 4).

A `TableWorld` holds what the textbook calls the model: for every state and action the possible
outcomes, each with a probability, a next state, a reward and a flag that says whether the episode
ends there. Learners only ever sample from it; `a3c_tut.exact` solves it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from a3c_tut.checks import MOST, affordable, chances, finite, number, one_of, short, whole
from a3c_tut.shown import html, text

#: The four moves of every grid world here, in Gymnasium's order for CliffWalking.
GRID_ACTIONS = ("up", "right", "down", "left")
_ROW_STEP = np.array([-1, 0, 1, 0])
_COLUMN_STEP = np.array([0, 1, 0, -1])
#: The letters of a map, and what they mean.
MAP_LETTERS = {"S": "start", "G": "goal", "C": "cliff", "#": "wall", ".": "floor"}


@dataclass(frozen=True, eq=False, repr=False)
class TableWorld:
    """A finite Markov decision process: `S` states, `A` actions, up to `K` outcomes per action.

    Parameters
    ----------
    next_state : (S, A, K) integers
        Where outcome `k` of action `a` in state `s` leads.
    probability : (S, A, K) floats
        Its probability; over `k` they sum to 1. Unused outcomes have probability 0.
    reward : (S, A, K) floats
        Its reward, in the world's own units.
    terminated : (S, A, K) booleans
        Whether the episode ends with it. The value of what follows is then 0.
    start : (S,) floats
        The distribution of the first state of an episode.
    max_episode_steps : int
        The time limit: an episode is truncated (not terminated) after so many steps.
    name : str
        How figures and messages call the world.
    action_names : sequence of A strings, optional
        Default: "0", "1", …
    grid_shape : (rows, columns), optional
        Given when state `s` is the grid cell `divmod(s, columns)`; the policy can then be drawn.
    marks : mapping of state to one letter, optional
        What stands in special cells, for figures: S start, G goal, C cliff, # wall.

    Raises
    ------
    ValueError
        When an array has the wrong shape, a probability is no probability, a next state does not
        exist or a number is not finite. The message names the setting, the value and what is
        allowed.

    Examples
    --------
    A coin that pays 1 for heads; each episode is one toss.

    >>> coin = TableWorld(
    ...     next_state=[[[0, 0]]], probability=[[[0.5, 0.5]]], reward=[[[1.0, 0.0]]],
    ...     terminated=[[[True, True]]], start=[1.0], max_episode_steps=1, name="coin")
    >>> coin.num_states, coin.num_actions, coin.num_outcomes
    (1, 1, 2)
    """

    next_state: NDArray[np.int32]
    probability: NDArray[np.float64]
    reward: NDArray[np.float64]
    terminated: NDArray[np.bool_]
    start: NDArray[np.float64]
    max_episode_steps: int
    name: str = "world"
    action_names: tuple[str, ...] = ()
    grid_shape: tuple[int, int] | None = None
    marks: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        try:
            given = np.asarray(self.next_state)
        except ValueError as error:
            raise ValueError(
                f"next_state is no array ({error}); allowed: (states, actions, outcomes)"
            ) from None
        if given.ndim != 3 or 0 in given.shape:
            raise ValueError(
                f"next_state has shape {given.shape}; allowed: (states, actions, outcomes), "
                "each at least 1"
            )
        if not np.issubdtype(given.dtype, np.integer):
            raise ValueError(f"next_state has dtype {given.dtype}; allowed: integers")
        num_states = given.shape[0]
        bad = np.argwhere((given < 0) | (given >= num_states))
        if bad.size:
            where = tuple(int(i) for i in bad[0])
            raise ValueError(
                f"next_state{list(where)} is {given[where]}; allowed: 0 to {num_states - 1}"
            )
        axes = ("state", "action")
        self._freeze("next_state", given.astype(np.int32))
        self._freeze("reward", finite("reward", self.reward, given.shape))
        self._freeze("terminated", finite("terminated", self.terminated, given.shape) != 0.0)
        self._freeze("probability", chances("probability", self.probability, given.shape, axes))
        self._freeze("start", chances("start", self.start, (num_states,)))
        most = whole("max_episode_steps", self.max_episode_steps, 1, most=MOST)
        object.__setattr__(self, "max_episode_steps", most)
        self._check_names()

    def _check_names(self) -> None:
        """Check what only people read: the names of the actions, the grid, the marks."""
        given = self.action_names
        if isinstance(given, str) or len(given) not in (0, self.num_actions):
            raise ValueError(
                f"action_names is {given!r}; allowed: nothing, or one name per action "
                f"({self.num_actions})"
            )
        names = tuple(given) or tuple(str(a) for a in range(self.num_actions))
        object.__setattr__(self, "action_names", names)
        grid = self.grid_shape
        if grid is not None:
            whole = isinstance(grid, (tuple, list)) and len(grid) == 2
            whole = whole and all(isinstance(n, (int, np.integer)) and n >= 1 for n in grid)
            if not whole or grid[0] * grid[1] != self.num_states:
                raise ValueError(
                    f"grid_shape is {grid!r}; allowed: None, or (rows, columns) with "
                    f"rows × columns = {self.num_states}"
                )
            object.__setattr__(self, "grid_shape", (int(grid[0]), int(grid[1])))
        for state in self.marks:
            if not 0 <= state < self.num_states:
                raise ValueError(
                    f"marks holds state {state!r}; allowed: 0 to {self.num_states - 1}"
                )

    def _freeze(self, name: str, array: NDArray[Any]) -> None:
        array = np.array(array, order="C")
        array.setflags(write=False)
        object.__setattr__(self, name, array)

    def __eq__(self, other: object) -> bool:
        """Return whether another world is the same in all that it holds."""
        if not isinstance(other, TableWorld):
            return NotImplemented
        return all(
            np.array_equal(mine, theirs) if isinstance(mine, np.ndarray) else mine == theirs
            for mine, theirs in (
                (getattr(self, each.name), getattr(other, each.name)) for each in fields(self)
            )
        )

    def __hash__(self) -> int:
        return hash((self.next_state.shape, self.start.tobytes(), self.max_episode_steps))

    def _about(self) -> tuple[str, dict[str, str]]:
        places = np.flatnonzero(self.start)
        chance = (
            "chance decides"
            if ((self.probability > 0) & (self.probability < 1)).any()
            else ("no chance")
        )
        low, high = float(self.reward.min()), float(self.reward.max())
        return f"TableWorld {self.name!r}", {
            "states": f"{self.num_states:,}"
            + (f", a grid of {' × '.join(map(str, self.grid_shape))}" if self.grid_shape else ""),
            "actions": f"{self.num_actions} ({', '.join(self.action_names)}); {chance}",
            "rewards": f"{low:g}" if low == high else f"{low:g} to {high:g}",
            "episodes": f"begin in state {places[0]}" * (len(places) == 1)
            + f"begin in one of {len(places):,} states" * (len(places) > 1)
            + f"; at most {self.max_episode_steps:,} steps",
        }

    def __repr__(self) -> str:
        return text(*self._about())

    def _repr_html_(self) -> str:
        """Return the same as a small table, for notebooks."""
        return html(*self._about())

    @property
    def num_states(self) -> int:
        """The number of states, S."""
        return int(self.next_state.shape[0])

    @property
    def num_actions(self) -> int:
        """The number of actions, A."""
        return int(self.next_state.shape[1])

    @property
    def num_outcomes(self) -> int:
        """The largest number of outcomes an action has, K; 1 for a deterministic world."""
        return int(self.next_state.shape[2])

    def transition_matrix(self, policy: ArrayLike) -> NDArray[np.float64]:
        """Return P(s, s') under a policy, counting only steps after which the episode goes on.

        Parameters
        ----------
        policy : (S, A) floats
            π(a|s); rows sum to 1.

        Returns
        -------
        (S, S) floats
            Row sums below 1 are the probability that the episode ends in that step.

        Raises
        ------
        ValueError
            When the policy has another shape.

        Examples
        --------
        >>> world = corridor_world(3)
        >>> uniform = np.full((3, 2), 0.5)
        >>> world.transition_matrix(uniform)[1]
        array([0.5, 0. , 0. ])
        """
        given = np.asarray(policy, dtype=float)
        if given.shape != (self.num_states, self.num_actions):
            raise ValueError(
                f"policy has shape {given.shape}; allowed: {(self.num_states, self.num_actions)}"
            )
        weight = given[:, :, None] * self.probability * ~self.terminated
        matrix = np.zeros((self.num_states, self.num_states))
        rows = np.broadcast_to(np.arange(self.num_states)[:, None, None], weight.shape)
        np.add.at(matrix, (rows, self.next_state), weight)
        return matrix

    @classmethod
    def from_arrays(
        cls,
        P: ArrayLike,
        R: ArrayLike,
        start: int | ArrayLike,
        *,
        max_episode_steps: int,
        terminal: ArrayLike = (),
        name: str = "world",
        action_names: Sequence[str] = (),
    ) -> TableWorld:
        """Make a world of the arrays that textbooks write: P(s' | s, a) and R.

        Parameters
        ----------
        P : (S, A, S) floats
            The probability of each next state; over the last axis they sum to 1.
        R : (S, A) or (S, A, S) floats
            The reward of an action, or of an action and where it led.
        start : int or (S,) floats
            The first state of an episode, or the distribution of it.
        max_episode_steps : int
            The time limit.
        terminal : sequence of int
            States that end the episode when they are entered.
        name : str
        action_names : sequence of A strings, optional

        Returns
        -------
        TableWorld

        Raises
        ------
        ValueError
            When an array has the wrong shape, or a sum is not 1.

        Examples
        --------
        A shop with up to two items on the shelf. Ordering fills it; each day nobody or somebody
        comes, with equal probability, buys one item for 3 and pays nothing where there is none. An
        order costs 1.

        >>> comes = 0.5
        >>> P = np.zeros((3, 2, 3))
        >>> for stock in range(3):
        ...     for order in range(2):
        ...         filled = 2 if order else stock
        ...         P[stock, order, filled] += 1 - comes
        ...         P[stock, order, max(filled - 1, 0)] += comes
        >>> R = [[0.0, comes * 3 - 1], [comes * 3, comes * 3 - 1], [comes * 3, comes * 3 - 1]]
        >>> shop = TableWorld.from_arrays(P, R, start=2, max_episode_steps=100, name="shop",
        ...                               action_names=("wait", "order"))
        >>> shop.num_states, shop.num_actions, shop.num_outcomes
        (3, 2, 2)
        """
        moves = np.asarray(P, dtype=float)
        if moves.ndim != 3 or moves.shape[0] != moves.shape[2] or 0 in moves.shape:
            raise ValueError(f"P has shape {moves.shape}; allowed: (states, actions, states)")
        num_states, num_actions, _ = moves.shape
        moves = chances("P", moves, axes=("state", "action"))
        pay = np.asarray(R, dtype=float)
        if pay.shape not in ((num_states, num_actions), moves.shape):
            raise ValueError(
                f"R has shape {pay.shape}; allowed: {(num_states, num_actions)} or {moves.shape}"
            )
        pay = np.broadcast_to(pay if pay.ndim == 3 else pay[:, :, None], moves.shape)
        ends = np.zeros(num_states, dtype=bool)
        for state in np.asarray(terminal).ravel().tolist():
            ends[whole("terminal", state, 0, most=num_states - 1)] = True
        # The possible outcomes first, in the order of the states; of the rest, as many as fit.
        num_outcomes = int((moves > 0.0).sum(axis=2).max())
        order = np.argsort(moves == 0.0, axis=2, kind="stable")[:, :, :num_outcomes]
        return cls(
            order.astype(np.int32), np.take_along_axis(moves, order, axis=2),
            np.take_along_axis(pay, order, axis=2), ends[order],
            _start(start, num_states), max_episode_steps, name=name,
            action_names=tuple(action_names),
        )  # fmt: skip

    @classmethod
    def from_gymnasium(
        cls, env: Any, max_episode_steps: int | None = None, start: int | ArrayLike | None = None
    ) -> TableWorld:
        """Read the transition table of a Gymnasium environment.

        Parameters
        ----------
        env : str or gymnasium.Env
            An environment id such as "FrozenLake-v1", or an environment. It must carry the table
            `P[s][a] = [(probability, next state, reward, terminated), ...]`, as Gymnasium's
            toy-text environments do.
        max_episode_steps : int, optional
            The time limit. Default: the one Gymnasium registers, or the environment's own
            (`time_limit`), or 200 where there is none (CliffWalking: under a random policy an
            episode takes thousands of steps).
        start : int or (S,) floats, optional
            The state in which episodes begin, or the distribution of it. Default: the environment's
            `initial_state_distrib`.

        Returns
        -------
        TableWorld

        Raises
        ------
        ValueError
            When the environment has no such table.

        Examples
        --------
        >>> lake = TableWorld.from_gymnasium("FrozenLake-v1")
        >>> lake.num_states, lake.num_actions, lake.num_outcomes, lake.max_episode_steps
        (16, 4, 3, 100)
        """
        import gymnasium

        made = gymnasium.make(env) if isinstance(env, str) else None
        source = made if made is not None else env
        try:
            return cls._from_table(source, max_episode_steps, start)
        finally:
            if made is not None:
                made.close()

    @classmethod
    def _from_table(
        cls, env: Any, max_episode_steps: int | None, given: int | ArrayLike | None
    ) -> TableWorld:
        base = getattr(env, "unwrapped", env)
        spec = getattr(env, "spec", None)
        name = spec.id if spec is not None else type(base).__name__
        table = getattr(base, "P", None)
        if table is None:
            raise ValueError(
                f"env is {name}, which carries no table of transitions; allowed: environments "
                "with the attribute P (CliffWalking, FrozenLake, Taxi)"
            )
        start = getattr(base, "initial_state_distrib", None) if given is None else given
        if start is None:
            raise ValueError(
                f"env is {name}, which has a table P, but does not say where episodes begin (no "
                "initial_state_distrib); allowed: start=, a state or a distribution"
            )
        num_states, num_actions = len(table), len(table[0])
        num_outcomes = max(
            len(_merged(table[s][a])) for s in range(num_states) for a in range(num_actions)
        )
        shape = (num_states, num_actions, num_outcomes)
        next_state = np.zeros(shape, dtype=np.int64)
        probability, reward = np.zeros(shape), np.zeros(shape)
        terminated = np.zeros(shape, dtype=bool)
        for s in range(num_states):
            for a in range(num_actions):
                for k, ((to, pay, end), p) in enumerate(_merged(table[s][a]).items()):
                    next_state[s, a, k], probability[s, a, k] = to, p
                    reward[s, a, k], terminated[s, a, k] = pay, end
        limit = max_episode_steps
        if limit is None:
            limit = getattr(spec, "max_episode_steps", None) or getattr(base, "time_limit", None)
        return cls(
            next_state.astype(np.int32),
            probability,
            reward,
            terminated,
            _start(start, num_states),
            200 if limit is None else limit,
            name=name,
        )


def _start(start: int | ArrayLike, num_states: int) -> NDArray[np.float64]:
    """Return a start as a distribution, be it a state or one already."""
    if np.ndim(start) > 0:
        return chances("start", start, (num_states,))
    return np.eye(num_states)[whole("start", start, 0, most=num_states - 1)]


def _merged(outcomes: list[tuple[float, int, float, bool]]) -> dict[tuple[int, float, bool], float]:
    """Add up the probabilities of outcomes that are the same (FrozenLake lists some twice)."""
    merged: dict[tuple[int, float, bool], float] = {}
    for p, to, pay, end in outcomes:
        key = (int(to), float(pay), bool(end))
        merged[key] = merged.get(key, 0.0) + float(p)
    return {key: p for key, p in merged.items() if p > 0.0}


def _affordable(what: str, num_states: int) -> None:
    """Refuse a grid that no memory here could hold: some 200 bytes a state while it is made."""
    affordable(what, 200 * num_states)


def _moves(rows: int, columns: int) -> NDArray[np.int64]:
    """Return the (S, 4) cells that the four moves lead to; the grid's edges stop a move."""
    row, column = np.divmod(np.arange(rows * columns), columns)
    to_row = np.clip(row[:, None] + _ROW_STEP, 0, rows - 1)
    to_column = np.clip(column[:, None] + _COLUMN_STEP, 0, columns - 1)
    return np.asarray(to_row * columns + to_column)


def grid_world(
    map: str | Sequence[str],
    *,
    step_reward: float = -1.0,
    fall_reward: float = -100.0,
    goal_reward: float = 0.0,
    fall_ends: bool = False,
    max_episode_steps: int | None = None,
    name: str | None = None,
) -> TableWorld:
    """Build a grid from a map: lines of letters, a letter per cell, as FrozenLake's are written.

    `S` is the start, `G` a goal, `C` a cliff, `#` a wall and `.` floor. There is one start, because
    a fall leads back to it; there may be several goals. Actions: up, right, down, left. A move into
    a wall, or over the grid's edge, stays where it is and is a step like any other. Goals are
    absorbing, worth 0, and so are walls, which nobody comes to.

    Parameters
    ----------
    map : str or sequence of str
        The lines, all of one length; spaces around them do not count.
    step_reward : float
        The reward of a step.
    fall_reward : float
        The reward of a step into the cliff, in place of a step's.
    goal_reward : float
        What the step into a goal pays, on top of a step's reward.
    fall_ends : bool
        Whether a fall ends the episode, as in FrozenLake. Otherwise it puts the walker back to the
        start, as in the cliff-world.
    max_episode_steps : int, optional
        The time limit. Default: 200, or on large grids five times the half circumference or the
        shortest way to a goal, whichever is more.
    name : str, optional
        Default: "grid", and its size.

    Returns
    -------
    TableWorld
        A state per cell, walls and cliffs too, numbered along the rows from the upper left.

    Raises
    ------
    ValueError
        When a letter is not known, lines differ in length, start or goal are missing, no goal can
        be reached from the start, or a number is not finite. Rows and columns are counted from 1.

    Examples
    --------
    The short way to the goal runs along the cliff, the long one behind the wall.

    >>> world = grid_world('''
    ...     ......
    ...     .####.
    ...     S....G
    ...     .CCCC.
    ... ''')
    >>> world.grid_shape, world.num_states, world.marks[12], world.marks[17]
    ((4, 6), 24, 'S', 'G')
    >>> # up from (3, 2): a wall; down: into the cliff, and back to the start
    >>> world.next_state[13, :, 0].tolist(), world.reward[13, :, 0].tolist()
    ([13, 14, 12, 12], [-1.0, -1.0, -100.0, -1.0])
    """
    letters = _read_map(map)
    (rows, columns), letter = letters.shape, letters.ravel()
    start = int((letter == "S").argmax())
    step, fall, goal = (
        number(f"{what}_reward of grid_world", value, "a finite number", lambda _: True)
        for what, value in (("step", step_reward), ("fall", fall_reward), ("goal", goal_reward))
    )
    one_of("fall_ends of grid_world", fall_ends, (False, True))
    next_state = _moves(rows, columns)
    own = np.arange(letter.size)[:, None]
    next_state = np.where(letter[next_state] == "#", own, next_state)
    entered = letter[next_state]
    reward = np.where(entered == "C", fall, np.where(entered == "G", step + goal, step))
    terminated = (entered == "G") | ((entered == "C") & fall_ends)
    if not fall_ends:
        next_state[entered == "C"] = start
    over = np.isin(letter, ["G", "#", "C"] if fall_ends else ["G", "#"])
    next_state[over], reward[over], terminated[over] = own[over], 0.0, True
    way = _steps_to_goal(next_state, letter == "G", start)
    if way is None:
        raise ValueError(
            f"map has no way from S, in {_place(start, columns)}, to a G; allowed: a map with a "
            "way around walls and cliffs"
        )
    limit = max(200, 5 * max(rows + columns, way))
    return TableWorld(
        next_state[:, :, None].astype(np.int32),
        np.ones((*next_state.shape, 1)),
        reward[:, :, None],
        terminated[:, :, None],
        _point(start, letter.size),
        limit if max_episode_steps is None else max_episode_steps,
        name=f"grid {rows} × {columns}" if name is None else name,
        action_names=GRID_ACTIONS,
        grid_shape=(rows, columns),
        marks={int(s): mark for mark in "SGC#" for s in np.flatnonzero(letter == mark)},
    )


def _read_map(given: str | Sequence[str]) -> NDArray[np.str_]:
    """Return the (rows, columns) letters of a map, of which one is an S and one at least a G."""
    lines = given.strip().splitlines() if isinstance(given, str) else given
    listed = isinstance(lines, (list, tuple)) and all(isinstance(line, str) for line in lines)
    if not listed or not "".join(lines).strip():
        raise ValueError(
            f"map is {short(given)}; allowed: lines of letters, as one text or a list of them"
        )
    lines = [line.strip() for line in lines]
    columns = len(lines[0])
    for row, line in enumerate(lines, 1):
        for column, letter in enumerate(line, 1):
            if letter not in MAP_LETTERS:
                known = ", ".join(f"{one} {what}" for one, what in MAP_LETTERS.items())
                raise ValueError(
                    f"map has {letter!r} in row {row}, column {column}; allowed: {known}"
                )
        if len(line) != columns:
            raise ValueError(
                f"map has {len(line)} cells in row {row}; allowed: {columns}, as in row 1"
            )
    letters = np.array([list(line) for line in lines])
    starts = np.flatnonzero(letters == "S")
    if len(starts) != 1:
        where = ", in " + " and in ".join(_place(s, columns) for s in starts[:2])
        many = "no S" if len(starts) == 0 else f"{len(starts)} S{where}"
        raise ValueError(f"map has {many}; allowed: one S, the start")
    if not (letters == "G").any():
        raise ValueError("map has no G; allowed: one G at least, the goal")
    return letters


def _place(state: int | np.integer[Any], columns: int) -> str:
    """Return where a cell is, as people count."""
    row, column = divmod(int(state), columns)
    return f"row {row + 1}, column {column + 1}"


def _steps_to_goal(
    next_state: NDArray[np.int64], goal: NDArray[np.bool_], start: int
) -> int | None:
    """Return how many steps the shortest way to a goal takes; None where there is no way."""
    reached = np.zeros(len(goal), dtype=bool)
    steps, ahead = 0, np.array([start])
    while ahead.size:
        if goal[ahead].any():
            return steps
        reached[ahead] = True
        further = np.unique(next_state[ahead])
        steps, ahead = steps + 1, further[~reached[further]]
    return None


def cliff_runs(world: TableWorld) -> list[list[int]]:
    """Return the cliff's states, those side by side in a row together; figures write on each run.

    Parameters
    ----------
    world : TableWorld
        On a grid.

    Examples
    --------
    >>> cliff_runs(grid_world(["S..G", "C.CC"]))
    [[4], [6, 7]]
    """
    assert world.grid_shape is not None
    columns, runs = world.grid_shape[1], list[list[int]]()
    for state in sorted(state for state, mark in world.marks.items() if mark == "C"):
        if runs and runs[-1][-1] == state - 1 and state % columns:
            runs[-1].append(state)
        else:
            runs.append([state])
    return runs


def cliff_world(rows: int = 4, columns: int = 12) -> TableWorld:
    """Build the cliff-world of Sutton & Barto, example 6.6 (Sections 4 and 5).

    The walker starts in the lower left corner and wants the lower right one; every step costs 1.
    Between the two lies the cliff: a step into it costs 100 and puts the walker back to the start,
    without ending the episode. Actions: up, right, down, left. The goal is absorbing, worth 0.

    Parameters
    ----------
    rows, columns : int
        The grid; at least 2 rows and 3 columns.

    Returns
    -------
    TableWorld
        `rows * columns` states, numbered along the rows from the upper left. The time limit is 200
        steps, more on large grids (five times the half circumference).

    Raises
    ------
    ValueError
        When the grid is too small.

    Examples
    --------
    >>> world = cliff_world()
    >>> int(world.start.argmax()), world.num_states, world.max_episode_steps
    (36, 48, 200)
    >>> # right: into the cliff
    >>> int(world.next_state[36, 1, 0]), float(world.reward[36, 1, 0])
    (36, -100.0)
    """
    whole("rows of cliff_world", rows, 2, most=MOST)
    whole("columns of cliff_world", columns, 3, most=MOST)
    _affordable(f"cliff_world of {rows:,} rows and {columns:,} columns", rows * columns)
    floor = ["." * columns] * (rows - 1)
    return grid_world(
        [*floor, "S" + "C" * (columns - 2) + "G"], name=f"cliff-world {rows} × {columns}"
    )


def sparse_grid_world(rows: int = 6, columns: int = 6) -> TableWorld:
    """Build a grid where nothing but the goal pays (Section 3, sparse rewards).

    The walker starts in the upper left corner; reaching the lower right one pays 1 and ends the
    episode; all else pays 0. Actions: up, right, down, left.

    Parameters
    ----------
    rows, columns : int
        The grid; at least 2 of each.

    Returns
    -------
    TableWorld
        `rows * columns` states; the time limit is four times the half circumference.

    Raises
    ------
    ValueError
        When the grid is too small.

    Examples
    --------
    >>> world = sparse_grid_world(3, 3)
    >>> # two ways in, and the goal's own
    >>> float(world.reward.sum()), int(world.terminated.sum())
    (2.0, 6)
    """
    whole("rows of sparse_grid_world", rows, 2, most=MOST)
    whole("columns of sparse_grid_world", columns, 2, most=MOST)
    _affordable(f"sparse_grid_world of {rows:,} rows and {columns:,} columns", rows * columns)
    floor = "." * (columns - 1)
    return grid_world(
        ["S" + floor, *["." + floor] * (rows - 2), floor + "G"],
        step_reward=0.0,
        goal_reward=1.0,
        max_episode_steps=4 * (rows + columns),
        name=f"sparse grid {rows} × {columns}",
    )


def corridor_world(length: int = 12) -> TableWorld:
    """Build a corridor that forgets: every step to the left leads back to its beginning.

    The walker starts in cell 0; the last cell pays 1 and ends the episode; all else pays 0.
    Actions: left (back to cell 0), right (one cell on). A uniform policy reaches the end in one
    try out of 2^(length − 1): the sparse-reward world in which undirected exploration is hopeless
    (Section 3).

    Parameters
    ----------
    length : int
        The number of cells, at least 2.

    Returns
    -------
    TableWorld
        `length` states; the time limit is four times the length.

    Raises
    ------
    ValueError
        When the corridor is too short.

    Examples
    --------
    >>> corridor_world(4).next_state[:, :, 0].tolist()
    [[0, 1], [0, 2], [0, 3], [3, 3]]
    """
    whole("length of corridor_world", length, 2, most=MOST)
    _affordable(f"corridor_world of length {length:,}", length)
    cells = np.arange(length)
    next_state = np.stack(
        [np.zeros(length, dtype=np.int64), np.minimum(cells + 1, length - 1)], axis=1
    )
    next_state[-1] = length - 1
    terminated = next_state == length - 1
    reward = terminated.astype(float)
    reward[-1] = 0.0
    return TableWorld(
        next_state[:, :, None].astype(np.int32),
        np.ones((length, 2, 1)),
        reward[:, :, None],
        terminated[:, :, None],
        _point(0, length),
        4 * length,
        name=f"corridor of {length}",
        action_names=("left", "right"),
        grid_shape=(1, length),
        marks={0: "S", length - 1: "G"},
    )


def _point(state: int, num_states: int) -> NDArray[np.float64]:
    """Return the distribution that always starts in one state."""
    start = np.zeros(num_states)
    start[state] = 1.0
    return start


class Known(NamedTuple):
    """A world that can be asked for by a name, and what is to be true of it.

    Attributes
    ----------
    make : function without arguments
    rewards : every reward that there is, from low to high
    best : float
        The best return from the start, without a discount.

    Examples
    --------
    >>> WORLDS["cliff"].make().name, WORLDS["cliff"].best
    ('cliff-world 4 × 12', -13.0)
    """

    make: Callable[[], TableWorld]
    rewards: tuple[float, ...]
    best: float


#: The worlds that the lab and the live elements offer, and that the tests hold to what stands here.
WORLDS = {
    "cliff": Known(cliff_world, rewards=(-100.0, -1.0), best=-13.0),
    "sparse-grid": Known(sparse_grid_world, rewards=(0.0, 1.0), best=1.0),
    "corridor": Known(corridor_world, rewards=(0.0, 1.0), best=1.0),
}
