"""The worlds as Gymnasium environments (Section 4).

Importing this module registers three ids, each a `TableEnv` over the world of that name in
`a3c_tut.worlds`:

| id                       | arguments         | world                                      |
|--------------------------|-------------------|--------------------------------------------|
| `a3c_tut/CliffWorld-v0`  | `rows`, `columns` | `cliff_world`: short and dangerous or long |
| `a3c_tut/SparseGrid-v0`  | `rows`, `columns` | `sparse_grid_world`: only the goal pays    |
| `a3c_tut/Corridor-v0`    | `length`          | `corridor_world`: one wrong step, all lost |

`gymnasium.make("a3c_tut.envs:a3c_tut/CliffWorld-v0")` imports the module by itself. Any other
`TableWorld` becomes an environment with `TableEnv(world)`.

The time limit is part of the environment, because it depends on the world's size: a step that uses
it up returns `truncated=True`. `time_limit=` sets another one. What Gymnasium's own
`max_episode_steps=` adds can only end an episode earlier.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from a3c_tut.worlds import TableWorld, cliff_world, corridor_world, sparse_grid_world

#: The side of a cell of the "rgb_array" picture, in pixels.
_CELL = 24
_GRID_LINE = (200, 200, 200)
_WALKER = (0, 114, 178)
#: Colours that stay apart for every kind of colour vision: start, goal and cliff.
_COLOURS = {"S": (240, 228, 66), "G": (0, 158, 115), "C": (90, 90, 90), "#": (30, 30, 30)}


class TableEnv(gymnasium.Env[int, int]):
    """Any `TableWorld` as a Gymnasium environment (Section 4).

    ## Description
    The environment samples what the world's arrays say: from state `s`, action `a` has outcome `k`
    with probability `world.probability[s, a, k]`.

    ## Action space
    `Discrete(A)`: the world's actions, named in `world.action_names`.

    ## Observation space
    `Discrete(S)`: the number of the state.

    ## Starting state
    Drawn from `world.start`; `reset(options={"state": s})` begins an episode in state `s` instead.

    ## Rewards
    `world.reward[s, a, k]`, in the world's own units.

    ## Episode end
    - Termination: an outcome with `world.terminated[s, a, k]`.
    - Truncation: the time limit is used up and the last step did not terminate.

    ## Information
    `reset` and `step` return a dict with `"prob"`, the probability of the start or of the outcome.

    ## Version history
    - v0: first version.

    Parameters
    ----------
    world : TableWorld
        The world.
    render_mode : "ansi", "rgb_array" or None
        What `render` returns: text, a picture (24 pixels per cell), or nothing.
    time_limit : int, optional
        The number of steps after which an episode is truncated. Default:
        `world.max_episode_steps`.

    Attributes
    ----------
    world : TableWorld
        The world.
    time_limit : int
        The time limit, in steps.

    Raises
    ------
    ValueError
        When an argument is not allowed; the message names it, its value and what is allowed.

    Examples
    --------
    >>> from a3c_tut.worlds import corridor_world
    >>> env = TableEnv(corridor_world(3))
    >>> env.reset(seed=0)
    (0, {'prob': 1.0})
    >>> env.step(1)
    (1, 0.0, False, False, {'prob': 1.0})
    >>> env.step(1)
    (2, 1.0, True, False, {'prob': 1.0})
    """

    metadata = {"render_modes": ["ansi", "rgb_array"], "render_fps": 4}  # noqa: RUF012

    def __init__(
        self,
        world: TableWorld,
        render_mode: str | None = None,
        time_limit: int | None = None,
    ) -> None:
        if not isinstance(world, TableWorld):
            raise ValueError(f"world is {world!r}; allowed: a TableWorld")
        modes = self.metadata["render_modes"]
        if render_mode is not None and render_mode not in modes:
            raise ValueError(f"render_mode is {render_mode!r}; allowed: None, {modes}")
        if time_limit is not None and (
            not isinstance(time_limit, (int, np.integer))
            or isinstance(time_limit, bool)
            or time_limit < 1
        ):
            raise ValueError(f"time_limit is {time_limit!r}; allowed: a whole number from 1")
        self.world = world
        self.render_mode = render_mode
        self.time_limit = int(world.max_episode_steps if time_limit is None else time_limit)
        # Gymnasium's Discrete is generic in NumPy's integers, while states and actions are plain
        # numbers here, as they are in Gymnasium's own toy-text environments.
        self.action_space = gymnasium.spaces.Discrete(world.num_actions)  # type: ignore[assignment]
        self.observation_space = gymnasium.spaces.Discrete(world.num_states)  # type: ignore[assignment]
        self._state: int | None = None
        self._steps = 0
        self._ended = False

    @property
    def P(self) -> dict[int, dict[int, list[tuple[float, int, float, bool]]]]:  # noqa: N802
        """The world as the table that Gymnasium's toy-text environments carry.

        `P[s][a]` lists (probability, next state, reward, terminated). Outcomes of probability 0 are
        left out.

        Returns
        -------
        dict of dicts of lists

        Examples
        --------
        >>> from a3c_tut.worlds import corridor_world
        >>> TableEnv(corridor_world(3)).P[1]
        {0: [(1.0, 0, 0.0, False)], 1: [(1.0, 2, 1.0, True)]}
        """
        world = self.world
        arrays = (world.probability, world.next_state, world.reward, world.terminated)
        tables = [array.tolist() for array in arrays]
        return {
            s: {
                a: [row for row in zip(*(table[s][a] for table in tables), strict=True) if row[0]]
                for a in range(world.num_actions)
            }
            for s in range(world.num_states)
        }

    @property
    def initial_state_distrib(self) -> NDArray[np.float64]:
        """The (S,) distribution of the first state, under the name Gymnasium gives it.

        Returns
        -------
        (S,) floats

        Examples
        --------
        >>> from a3c_tut.worlds import corridor_world
        >>> TableEnv(corridor_world(3)).initial_state_distrib
        array([1., 0., 0.])
        """
        return self.world.start

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Begin an episode.

        Parameters
        ----------
        seed : int, optional
            Seeds the environment's random generator. Without one the generator goes on.
        options : dict, optional
            `{"state": s}` begins in state `s`; there is no other option.

        Returns
        -------
        observation : int
            The first state.
        info : dict
            `"prob"`: the probability of that start; 1 where the state was asked for.

        Raises
        ------
        ValueError
            When the state does not exist, or an option is not known.

        Examples
        --------
        >>> from a3c_tut.worlds import cliff_world
        >>> TableEnv(cliff_world()).reset(seed=1, options={"state": 0})
        (0, {'prob': 1.0})
        """
        super().reset(seed=seed)
        options = options or {}
        unknown = sorted(set(options) - {"state"}, key=str)
        if unknown:
            raise ValueError(f"options holds {unknown[0]!r}; allowed: 'state'")
        if "state" in options:
            state, chance = options["state"], 1.0
            if not self.observation_space.contains(state):
                raise ValueError(
                    f"options['state'] is {state!r}; allowed: 0 to {self.world.num_states - 1}"
                )
        else:
            state = self._draw(self.world.start)
            chance = float(self.world.start[state])
        self._state, self._steps, self._ended = int(state), 0, False
        return self._state, {"prob": chance}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        """Take an action.

        Parameters
        ----------
        action : int
            From 0 to A − 1.

        Returns
        -------
        observation : int
            The next state; after the episode's end the final one, never that of a new episode.
        reward : float
            In the world's own units.
        terminated : bool
            Whether the episode has ended: nothing of value follows.
        truncated : bool
            Whether the time limit cut it off: bootstrap from the observation.
        info : dict
            `"prob"`: the probability of the outcome.

        Raises
        ------
        ValueError
            When there is no such action.
        gymnasium.error.ResetNeeded
            When no episode has been begun, or it has ended.

        Examples
        --------
        >>> from a3c_tut.worlds import corridor_world
        >>> env = TableEnv(corridor_world(3), time_limit=1)
        >>> state, info = env.reset()
        >>> env.step(1)
        (1, 0.0, False, True, {'prob': 1.0})
        """
        if not self.action_space.contains(action):
            raise ValueError(
                f"action is {action!r}; allowed: 0 to {self.world.num_actions - 1} "
                f"({', '.join(self.world.action_names)})"
            )
        if self._state is None:
            raise ResetNeeded("step was called before reset; call reset to begin an episode")
        if self._ended:
            raise ResetNeeded("step was called after the episode's end; call reset to begin one")
        world = self.world
        cell = (self._state, int(action), self._draw(world.probability[self._state, int(action)]))
        self._state = int(world.next_state[cell])
        self._steps += 1
        terminated = bool(world.terminated[cell])
        truncated = not terminated and self._steps >= self.time_limit
        self._ended = terminated or truncated
        info = {"prob": float(world.probability[cell])}
        return self._state, float(world.reward[cell]), terminated, truncated, info

    def render(self) -> str | NDArray[np.uint8] | None:
        """Show the world and where the walker is, as `render_mode` says.

        A world without a grid is drawn as one row of cells.

        Returns
        -------
        str, (24 rows, 24 columns, 3) bytes, or None
            Text: `x` is the walker, letters are the world's marks, `.` is any other cell.
            Picture: red, green and blue; the walker is a blue square.

        Raises
        ------
        gymnasium.error.ResetNeeded
            When no episode has been begun.

        Examples
        --------
        >>> from a3c_tut.worlds import cliff_world
        >>> env = TableEnv(cliff_world(3, 5), render_mode="ansi")
        >>> state, info = env.reset()
        >>> state, *rest = env.step(0)
        >>> print(env.render(), end="")
        . . . . .
        x . . . .
        S C C C G
        """
        if self.render_mode is None:
            return None
        if self._state is None:
            raise ResetNeeded("render was called before reset; call reset to begin an episode")
        world = self.world
        rows, columns = world.grid_shape or (1, world.num_states)
        if self.render_mode == "ansi":
            letters = [world.marks.get(s, ".") for s in range(world.num_states)]
            letters[self._state] = "x"
            lines = (letters[row * columns : (row + 1) * columns] for row in range(rows))
            return "".join(" ".join(line) + "\n" for line in lines)
        picture = np.full((rows * _CELL, columns * _CELL, 3), 255, dtype=np.uint8)
        for s, mark in world.marks.items():
            row, column = np.array(divmod(s, columns)) * _CELL
            picture[row : row + _CELL, column : column + _CELL] = _COLOURS.get(mark, (255,) * 3)
        picture[::_CELL], picture[:, ::_CELL] = _GRID_LINE, _GRID_LINE
        row, column = np.array(divmod(self._state, columns)) * _CELL
        margin = _CELL // 4
        picture[row + margin : row + _CELL - margin, column + margin : column + _CELL - margin] = (
            _WALKER
        )
        return picture

    def _draw(self, probability: NDArray[np.float64]) -> int:
        """Draw an index; one of probability 0 never comes."""
        edges = np.cumsum(probability)
        # random() is below 1, so that the product is below the last edge even when rounded; and
        # side="right" passes over edges that do not rise.
        return int(np.searchsorted(edges, self.np_random.random() * edges[-1], side="right"))


class CliffWorldEnv(TableEnv):
    """The cliff-world of Sutton & Barto, example 6.6 (Sections 4 and 5).

    ## Description
    A walker has to get from the lower left corner of a grid to the lower right one. Between them
    lies a cliff. A step into it costs 100 and puts the walker back to the start; the episode goes
    on.

    ## Action space
    `Discrete(4)`

    | action | move  |
    |--------|-------|
    | 0      | up    |
    | 1      | right |
    | 2      | down  |
    | 3      | left  |

    A move against a wall leaves the walker where it is.

    ## Observation space
    `Discrete(rows * columns)`: the walker's cell, `row * columns + column`, counted from the upper
    left.

    | observation (4 × 12) | cell                                                |
    |----------------------|-----------------------------------------------------|
    | 0 to 35              | the upper three rows                                |
    | 36                   | the start                                           |
    | 37 to 46             | the cliff, where the walker never stands            |
    | 47                   | the goal, seen only as the last of an episode       |

    ## Starting state
    The lower left corner.

    ## Rewards
    | step            | reward |
    |-----------------|--------|
    | into the cliff  | −100   |
    | any other       | −1     |

    ## Episode end
    - Termination: the walker comes to the goal.
    - Truncation: after 200 steps, more on large grids (five times the half circumference).
      Gymnasium's own CliffWalking has no limit; a random walk there takes 6,453 steps on average.

    ## Information
    `{"prob": 1.0}`: nothing is random.

    ## Arguments
    `gymnasium.make("a3c_tut/CliffWorld-v0", rows=4, columns=12, time_limit=None)`

    ## Version history
    - v0: first version. On reachable states the same transitions as Gymnasium's CliffWalking.

    Parameters
    ----------
    rows, columns : int
        The grid; at least 2 rows and 3 columns.
    render_mode : "ansi", "rgb_array" or None
        What `render` returns.
    time_limit : int, optional
        The number of steps after which an episode is truncated. Default: the world's own.

    Raises
    ------
    ValueError
        When an argument is not allowed.

    Examples
    --------
    >>> env = gymnasium.make("a3c_tut/CliffWorld-v0")
    >>> env.reset(seed=0)
    (36, {'prob': 1.0})
    >>> env.step(1)  # right: into the cliff, back to the start
    (36, -100.0, False, False, {'prob': 1.0})
    """

    def __init__(
        self,
        rows: int = 4,
        columns: int = 12,
        render_mode: str | None = None,
        time_limit: int | None = None,
    ) -> None:
        super().__init__(cliff_world(rows, columns), render_mode, time_limit)


class SparseGridEnv(TableEnv):
    """A grid where nothing but the goal pays (Section 3, sparse rewards).

    ## Description
    A walker has to find its way from the upper left corner of a grid to the lower right one. Until
    it arrives there is no reward to learn from.

    ## Action space
    `Discrete(4)`

    | action | move  |
    |--------|-------|
    | 0      | up    |
    | 1      | right |
    | 2      | down  |
    | 3      | left  |

    A move against a wall leaves the walker where it is.

    ## Observation space
    `Discrete(rows * columns)`: the walker's cell, `row * columns + column`, counted from the upper
    left.

    ## Starting state
    The upper left corner.

    ## Rewards
    | step          | reward |
    |---------------|--------|
    | into the goal | 1      |
    | any other     | 0      |

    ## Episode end
    - Termination: the walker comes to the goal.
    - Truncation: after `4 * (rows + columns)` steps.

    ## Information
    `{"prob": 1.0}`: nothing is random.

    ## Arguments
    `gymnasium.make("a3c_tut/SparseGrid-v0", rows=6, columns=6, time_limit=None)`

    ## Version history
    - v0: first version.

    Parameters
    ----------
    rows, columns : int
        The grid; at least 2 of each.
    render_mode : "ansi", "rgb_array" or None
        What `render` returns.
    time_limit : int, optional
        The number of steps after which an episode is truncated. Default: the world's own.

    Raises
    ------
    ValueError
        When an argument is not allowed.

    Examples
    --------
    >>> env = gymnasium.make("a3c_tut/SparseGrid-v0", rows=2, columns=2)
    >>> env.reset(seed=0)
    (0, {'prob': 1.0})
    >>> env.step(1), env.step(2)
    ((1, 0.0, False, False, {'prob': 1.0}), (3, 1.0, True, False, {'prob': 1.0}))
    """

    def __init__(
        self,
        rows: int = 6,
        columns: int = 6,
        render_mode: str | None = None,
        time_limit: int | None = None,
    ) -> None:
        super().__init__(sparse_grid_world(rows, columns), render_mode, time_limit)


class CorridorEnv(TableEnv):
    """A corridor that forgets: a step to the left leads back to its beginning (Section 3).

    ## Description
    A walker stands at the beginning of a corridor and has to reach its last cell. A uniform policy
    gets there in one try out of 2^(length − 1).

    ## Action space
    `Discrete(2)`

    | action | move                  |
    |--------|-----------------------|
    | 0      | left, back to cell 0  |
    | 1      | right, one cell on    |

    ## Observation space
    `Discrete(length)`: the walker's cell.

    ## Starting state
    Cell 0.

    ## Rewards
    | step               | reward |
    |--------------------|--------|
    | into the last cell | 1      |
    | any other          | 0      |

    ## Episode end
    - Termination: the walker comes to the last cell.
    - Truncation: after `4 * length` steps.

    ## Information
    `{"prob": 1.0}`: nothing is random.

    ## Arguments
    `gymnasium.make("a3c_tut/Corridor-v0", length=12, time_limit=None)`

    ## Version history
    - v0: first version.

    Parameters
    ----------
    length : int
        The number of cells, at least 2.
    render_mode : "ansi", "rgb_array" or None
        What `render` returns.
    time_limit : int, optional
        The number of steps after which an episode is truncated. Default: the world's own.

    Raises
    ------
    ValueError
        When an argument is not allowed.

    Examples
    --------
    >>> env = gymnasium.make("a3c_tut/Corridor-v0", length=3)
    >>> env.reset(seed=0)
    (0, {'prob': 1.0})
    >>> env.step(1)
    (1, 0.0, False, False, {'prob': 1.0})
    """

    def __init__(
        self,
        length: int = 12,
        render_mode: str | None = None,
        time_limit: int | None = None,
    ) -> None:
        super().__init__(corridor_world(length), render_mode, time_limit)


def register_envs() -> None:
    """Register the ids of this module with Gymnasium; importing the module does it.

    A second call changes nothing: Gymnasium warns when an id is registered again.

    Examples
    --------
    >>> register_envs()
    >>> gymnasium.spec("a3c_tut/Corridor-v0").id
    'a3c_tut/Corridor-v0'
    """
    for name, entry_point in (
        ("CliffWorld", CliffWorldEnv),
        ("SparseGrid", SparseGridEnv),
        ("Corridor", CorridorEnv),
    ):
        env_id = f"a3c_tut/{name}-v0"
        if env_id not in gymnasium.registry:
            gymnasium.register(env_id, entry_point=f"{__name__}:{entry_point.__name__}")


register_envs()
