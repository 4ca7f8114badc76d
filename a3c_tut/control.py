"""Worlds that a table does not hold: cart-pole, pendulum, or any table as one-hot vectors.

A `ControlWorld` says what a network sees and what it may do (Section 3.3). How the world moves is a
kernel (`engine.motion`), so that a run is compiled from end to end and gives the same bits
everywhere. `train("CartPole-v1")` makes one by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from a3c_tut.checks import MOST, short, whole
from a3c_tut.shown import html, text
from a3c_tut.worlds import TableWorld, corridor_world

#: How a world moves: the numbers by which `engine.motion` tells them apart.
TABLE, CART_POLE, PENDULUM, OUTSIDE = 0, 1, 2, 3


#: What stands in a world that is none.
_NO_TABLE = corridor_world(2)


@dataclass(frozen=True, repr=False)
class ControlWorld:
    """What a network sees of a world, and what it may do (Section 3.3).

    Made by `cart_pole`, `pendulum`, `one_hot` or `from_gymnasium`.

    Attributes
    ----------
    name : str
        How figures and messages call the world.
    motion : int
        Which of the motions in `engine.motion` it has.
    observation_size : int
        Numbers in an observation.
    action_size : int
        A: so many actions to choose from, or so many numbers in an action.
    continuous : bool
        Whether an action is numbers, from −`action_range` to `action_range`.
    max_episode_steps : int
        The time limit: an episode is truncated (not terminated) after so many steps.
    walker_size : int
        Numbers that say where a walker is.
    action_range : float
    reward_scale : float
        By which `network_config` multiplies rewards, so that they are about 1.
    observation_names : tuple of str
    table : TableWorld
        Which table it is, if it is one.
    image_shape : (rows, columns, channels), or ()
        Where an observation is an image, pixel by pixel, row by row.
    make : str, or function of nothing
        For an environment that steps in Python: its id, or what makes one.
    observation_is_a_number, observation_scale : bool, float
        Whether such an environment's observation is the number of a state, seen as a one-hot
        vector; and by what its numbers are multiplied otherwise.

    Examples
    --------
    >>> cart_pole().observation_names
    ('position', 'velocity', 'angle', 'angular velocity')
    >>> pendulum().continuous, pendulum().action_range
    (True, 2.0)
    """

    name: str
    motion: int
    observation_size: int
    action_size: int
    continuous: bool
    max_episode_steps: int
    walker_size: int
    action_range: float = 1.0
    reward_scale: float = 1.0
    observation_names: tuple[str, ...] = ()
    table: TableWorld = _NO_TABLE
    image_shape: tuple[int, ...] = ()
    make: Any = field(default=None, compare=False)
    observation_is_a_number: bool = False
    observation_scale: float = 1.0

    def new_environment(self) -> Any:
        """Return a new Gymnasium environment, for a world that steps in Python.

        Raises
        ------
        ValueError
            When the world is none, or was loaded from a file without what makes one.

        Examples
        --------
        >>> from_gymnasium("Acrobot-v1").new_environment().action_space.n
        np.int64(3)
        """
        if self.make is None:
            raise ValueError(
                f"make is None in {self.name!r}: a file keeps an environment's id, but no "
                "function; allowed: dataclasses.replace(result, world=from_gymnasium(function))"
            )
        import gymnasium

        return gymnasium.make(self.make) if isinstance(self.make, str) else self.make()

    def _about(self) -> tuple[str, dict[str, str]]:
        actions = (
            f"{self.action_size} number from −{self.action_range:g} to {self.action_range:g}"
            if self.continuous
            else f"{self.action_size} to choose from"
        )
        return f"ControlWorld {self.name!r}", {
            "observation": f"{self.observation_size} numbers"
            + (f": {', '.join(self.observation_names)}" if self.observation_names else ""),
            "action": actions,
            "steps": "in Python, the environment's own" if self.motion == OUTSIDE else "compiled",
            "time limit": "none"
            if self.max_episode_steps == MOST
            else f"{self.max_episode_steps:,} steps",
        }

    def __repr__(self) -> str:
        return text(*self._about())

    def _repr_html_(self) -> str:
        return html(*self._about())


def cart_pole(max_episode_steps: int = 500) -> ControlWorld:
    """Return the cart-pole, equal to Gymnasium's CartPole-v1 step for step (Section 3.3).

    A cart is pushed to the left (action 0) or to the right (1) so that the pole on it does not
    fall: Barto, Sutton and Anderson (1983). Every step pays 1; the episode ends when the pole leans
    more than 12° or the cart leaves ±2.4.

    Parameters
    ----------
    max_episode_steps : int from 1

    Examples
    --------
    >>> cart_pole().observation_size, cart_pole().action_size
    (4, 2)
    """
    return ControlWorld(
        "CartPole-v1", CART_POLE, 4, 2, False, _limit(max_episode_steps), 4, reward_scale=0.1,
        observation_names=("position", "velocity", "angle", "angular velocity"),
    )  # fmt: skip


def pendulum(max_episode_steps: int = 200) -> ControlWorld:
    """Return the pendulum, equal to Gymnasium's Pendulum-v1 step for step (Section 3.3).

    A motor that is too weak to lift the pendulum at once swings it up and holds it there. A step
    costs angle² + 0.1 velocity² + 0.001 torque²; nothing but the time limit ends an episode. The
    third number that a network sees, the velocity, is divided by 8, its largest value.

    Parameters
    ----------
    max_episode_steps : int from 1

    Examples
    --------
    >>> pendulum().observation_names
    ('cosine', 'sine', 'velocity / 8')
    """
    return ControlWorld(
        "Pendulum-v1", PENDULUM, 3, 1, True, _limit(max_episode_steps), 2, action_range=2.0,
        reward_scale=0.03, observation_names=("cosine", "sine", "velocity / 8"),
    )  # fmt: skip


def one_hot(world: TableWorld) -> ControlWorld:
    """Return a table as a network sees it: a vector with a 1 at the state's place.

    Parameters
    ----------
    world : TableWorld

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> one_hot(cliff_world()).observation_size
    48
    """
    return ControlWorld(
        world.name, TABLE, world.num_states, world.num_actions, False, world.max_episode_steps, 1,
        table=world,
    )  # fmt: skip


def as_image(world: TableWorld) -> ControlWorld:
    """Return a table on a grid as a picture: a pixel a cell, in three colours.

    The first colour shows the walker, the second the cliff, the third the goal; walls have none.

    Parameters
    ----------
    world : TableWorld
        With a `grid_shape`.

    Raises
    ------
    ValueError
        Where there is no grid.

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> as_image(cliff_world()).image_shape
    (4, 12, 3)
    """
    if world.grid_shape is None:
        raise ValueError(f"world {world.name!r} is on no grid; allowed: one with a grid_shape")
    return replace(
        one_hot(world), observation_size=3 * world.num_states, image_shape=(*world.grid_shape, 3)
    )


def from_gymnasium(make: str | Callable[[], Any], reward_scale: float = 0.1) -> ControlWorld:
    """Return any Gymnasium environment with a choice of actions, or with actions in a box.

    It steps in Python, while the network stays compiled: its own steps are then most of the time.
    Every worker has one of its own, whose chance is seeded by the worker's.

    Parameters
    ----------
    make : str, or function of nothing
        The environment's id, or a function that returns a new environment; with worker processes
        one that can be pickled, such as a function of a module. A saved result keeps an id, but no
        function: give it back with `dataclasses.replace(result, world=from_gymnasium(make))`.
    reward_scale : float above 0
        By which `network_config` multiplies rewards.

    Raises
    ------
    ValueError
        For an environment that there is not, or whose spaces a network here cannot take.

    Examples
    --------
    >>> from_gymnasium("Acrobot-v1").observation_size
    6
    >>> from_gymnasium("Blackjack-v1")
    Traceback (most recent call last):
    ...
    ValueError: observation_space of Blackjack-v1 is Tuple(Discrete(32), Discrete(11), Discrete(2)); allowed: Box or Discrete
    """  # noqa: E501
    import gymnasium

    if not isinstance(make, str) and not callable(make):
        raise ValueError(
            f"make is {make!r}; allowed: an id, or a function that returns a new environment, such "
            "as lambda: gymnasium.make('Acrobot-v1')"
        )
    try:
        env = gymnasium.make(make) if isinstance(make, str) else make()
    except gymnasium.error.Error as error:
        raise ValueError(
            f"make is {make!r}, of which Gymnasium says: {error}; allowed: an environment's id"
        ) from None
    name = make if isinstance(make, str) else env.spec.id if env.spec is not None else str(env)
    limit = env.spec.max_episode_steps if env.spec is not None else None
    env.close()
    return ControlWorld(
        name=name,
        motion=OUTSIDE,
        max_episode_steps=int(limit or MOST),
        walker_size=0,
        reward_scale=float(reward_scale),
        make=make,
        **_seen(name, env.observation_space),
        **_done(name, env.action_space),
    )


def _seen(name: str, space: Any) -> dict[str, Any]:
    """Return what a ControlWorld says of an observation space."""
    from gymnasium.spaces import Box, Discrete

    if isinstance(space, Discrete):
        return {"observation_size": int(space.n), "observation_is_a_number": True}
    if not isinstance(space, Box):
        raise ValueError(f"observation_space of {name} is {space}; allowed: Box or Discrete")
    return {
        "observation_size": int(np.prod(space.shape)),
        "image_shape": space.shape if len(space.shape) == 3 else (),
        "observation_scale": 1.0 / 255.0 if space.dtype == np.uint8 else 1.0,
    }


def _done(name: str, space: Any) -> dict[str, Any]:
    """Return what a ControlWorld says of an action space."""
    from gymnasium.spaces import Box, Discrete

    if isinstance(space, Discrete):
        return {"action_size": int(space.n), "continuous": False}
    if not isinstance(space, Box):
        raise ValueError(f"action_space of {name} is {space}; allowed: Box or Discrete")
    largest = float(space.high.flat[0])
    if not (
        np.isfinite(largest) and (space.high == largest).all() and (space.low == -largest).all()
    ):
        raise ValueError(
            f"action_space of {name} is {space}; allowed: a Box from −x to x, the same for all its "
            "numbers; see gymnasium.wrappers.RescaleAction"
        )
    return {
        "action_size": int(np.prod(space.shape)), "continuous": True, "action_range": largest
    }  # fmt: skip


def _asked_for(given: Any) -> Any:
    """Return what makes an environment like a given one: its id, if that says all, or a function.

    Whatever is no environment comes back as it is.
    """
    if isinstance(given, str):
        return given
    import gymnasium

    if not isinstance(given, gymnasium.Env):
        return given
    spec = given.spec
    if spec is None:
        raise ValueError(
            f"world is {short(given)}, which cannot be made again for every worker; allowed: its "
            "class, or a function that returns a new one"
        )
    if spec == gymnasium.spec(spec.id):
        return spec.id
    return partial(gymnasium.make, spec)


def _limit(max_episode_steps: Any) -> int:
    return whole("max_episode_steps", max_episode_steps, 1, most=MOST)


#: Gymnasium's ids, and the worlds that are the same.
COMPILED: dict[str, Callable[[], ControlWorld]] = {
    "CartPole-v1": cart_pole,
    "Pendulum-v1": pendulum,
}


def control_world(given: Any, compiled: bool = True) -> ControlWorld:
    """Return a world from its name: the compiled one if there is one, else Gymnasium's.

    Parameters
    ----------
    given : ControlWorld, an environment or its id, or a function or class that makes one
        Of an environment only its `spec` is read: every worker makes one of its own.
    compiled : bool
        False asks for Gymnasium's own in any case.

    Raises
    ------
    ValueError
        When it is none of these.

    Examples
    --------
    >>> control_world("CartPole-v1").motion == CART_POLE
    True
    >>> control_world("CartPole-v1", compiled=False).motion == OUTSIDE
    True
    >>> control_world(3)
    Traceback (most recent call last):
    ...
    ValueError: world is 3; allowed: a ControlWorld, the id of a Gymnasium environment, or a function that returns a new one
    """  # noqa: E501
    if isinstance(given, ControlWorld):
        return given
    given = _asked_for(given)
    if isinstance(given, str):
        return COMPILED[given]() if compiled and given in COMPILED else from_gymnasium(given)
    if callable(given) and not isinstance(given, TableWorld):
        return from_gymnasium(given)
    raise ValueError(
        f"world is {short(given)}; allowed: a ControlWorld, the id of a Gymnasium environment, or "
        "a function that returns a new one"
    )
