"""How worlds that are no tables move, as kernels (Section 3.3).

A walker is a few numbers. The functions write into it and into the observation, and tell one world
from another by a number, so that one compiled loop serves all.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from a3c_tut.config import A3CConfig
from a3c_tut.control import CART_POLE, PENDULUM, TABLE, ControlWorld
from a3c_tut.engine.buffers import world_arrays
from a3c_tut.engine.compiling import kernel
from a3c_tut.engine.kernels import WorldArrays, choose_start
from a3c_tut.engine.kernels import step as table_step
from a3c_tut.engine.portable import cos, sin

# Barto, Sutton and Anderson (1983), with Gymnasium's numbers: in kilograms, metres and seconds.
_GRAVITY, _CART, _POLE, _HALF_LENGTH, _PUSH, _TICK = 9.8, 1.0, 0.1, 0.5, 10.0, 0.02
_FARTHEST, _LARGEST_ANGLE = 2.4, 12.0 * 2.0 * math.pi / 360.0
# Gymnasium's pendulum: gravity 10, mass 1, length 1.
_TICK_PENDULUM, _FASTEST = 0.05, 8.0


class ControlArrays(NamedTuple):
    """What a worker with a network needs of a world.

    Examples
    --------
    >>> from a3c_tut.control import pendulum
    >>> control_arrays(pendulum(), A3CConfig()).max_episode_steps
    200
    """

    motion: int
    continuous: bool
    action_range: float
    max_episode_steps: int
    reward_scale: float
    table: WorldArrays
    backdrop: NDArray[np.float64]  # (D,): what a table's observation shows besides the walker
    channels: int  # numbers per state in it


def control_arrays(world: ControlWorld, config: A3CConfig) -> ControlArrays:
    """Turn a world into what the kernels read.

    Parameters
    ----------
    world : ControlWorld
    config : A3CConfig
        For its reward scale and its time limit, if it has one.

    Examples
    --------
    >>> from a3c_tut.control import cart_pole
    >>> control_arrays(cart_pole(), A3CConfig(max_episode_steps=50)).max_episode_steps
    50
    """
    channels = world.image_shape[2] if world.image_shape and world.motion == TABLE else 1
    backdrop = np.zeros(world.observation_size)
    if channels == 3:
        for channel, letter in ((1, "C"), (2, "G")):
            marked = [state for state, mark in world.table.marks.items() if mark == letter]
            backdrop[[3 * state + channel for state in marked]] = 1.0
    return ControlArrays(
        motion=world.motion,
        continuous=world.continuous,
        action_range=float(world.action_range),
        max_episode_steps=int(config.max_episode_steps or world.max_episode_steps),
        reward_scale=float(config.reward_scale),
        table=world_arrays(world.table, config),
        backdrop=backdrop,
        channels=channels,
    )


@kernel
def reset(world, walker, uniforms, cursor):  # type: ignore[no-untyped-def]
    """Put the walker where an episode begins; return the first number that is not used.

    Cart-pole: all four numbers from −0.05 to 0.05. Pendulum: any angle, a velocity from −1 to 1.

    Parameters
    ----------
    world : ControlArrays
    walker : (K,), written
    uniforms : (B,) numbers from [0, 1)
    cursor : int, the first that is not used

    Examples
    --------
    >>> from a3c_tut.control import cart_pole
    >>> walker = np.zeros(4)
    >>> reset(control_arrays(cart_pole(), A3CConfig()), walker, np.full(4, 0.75), 0)
    4
    >>> walker.round(6).tolist()
    [0.025, 0.025, 0.025, 0.025]
    """
    if world.motion == CART_POLE:
        for i in range(4):
            walker[i] = 0.1 * uniforms[cursor + i] - 0.05
        return cursor + 4
    if world.motion == PENDULUM:
        walker[0] = math.pi * (2.0 * uniforms[cursor] - 1.0)
        walker[1] = 2.0 * uniforms[cursor + 1] - 1.0
        return cursor + 2
    uniform = 0.0
    if world.table.start_states.shape[0] > 1:
        uniform = uniforms[cursor]
        cursor += 1
    walker[0] = choose_start(world.table, uniform)
    return cursor


@kernel
def observe(world, walker, observation):  # type: ignore[no-untyped-def]
    """Write what a network sees of the walker.

    Parameters
    ----------
    world : ControlArrays
    walker : (K,)
    observation : (D,), written

    Examples
    --------
    >>> from a3c_tut.control import pendulum
    >>> seen = np.zeros(3)
    >>> observe(control_arrays(pendulum(), A3CConfig()), np.array([0.0, 4.0]), seen)
    >>> seen.tolist()
    [1.0, 0.0, 0.5]
    """
    if world.motion == CART_POLE:
        for i in range(4):
            observation[i] = walker[i]
    elif world.motion == PENDULUM:
        observation[0] = cos(walker[0])
        observation[1] = sin(walker[0])
        observation[2] = walker[1] / _FASTEST
    else:
        for i in range(observation.shape[0]):
            observation[i] = world.backdrop[i]
        observation[int(walker[0]) * world.channels] = 1.0


@kernel
def move(world, walker, choice, force, uniform):  # type: ignore[no-untyped-def]
    """Take one step; return its reward, and whether the episode has ended with it.

    Parameters
    ----------
    world : ControlArrays
    walker : (K,), changed
    choice : int, the action where there are some to choose from
    force : (A,), the action where it is numbers, within the world's range
    uniform : float from [0, 1), for a world in which chance has a part

    Returns
    -------
    reward, terminated : float, bool
        The reward in the world's own units.

    Examples
    --------
    A pendulum that hangs still costs π² a step:

    >>> from a3c_tut.control import pendulum
    >>> walker = np.array([math.pi, 0.0])
    >>> reward, ended = move(control_arrays(pendulum(), A3CConfig()), walker, 0, np.zeros(1), 0.0)
    >>> round(float(reward), 6), ended
    (-9.869604, False)
    """
    if world.motion == CART_POLE:
        return move_cart(walker, choice)
    if world.motion == PENDULUM:
        return move_pendulum(walker, force[0]), False
    state, reward, terminated = table_step(world.table, int(walker[0]), choice, uniform)
    walker[0] = state
    return reward, terminated


@kernel
def move_cart(walker, choice):  # type: ignore[no-untyped-def]
    """Push the cart for a fiftieth of a second (Euler's method, as Gymnasium does it).

    Parameters
    ----------
    walker : (4,), changed: position, velocity, angle, angular velocity
    choice : int, 0 pushes to the left, 1 to the right

    Returns
    -------
    reward, terminated : float, bool

    Examples
    --------
    >>> cart = np.zeros(4)
    >>> move_cart(cart, 1)
    (1.0, False)
    >>> bool(cart[1] > 0.0 > cart[3])  # the cart gains speed, the pole falls back
    True
    """
    total = _CART + _POLE
    push = _PUSH if choice == 1 else -_PUSH
    angle, spin = walker[2], walker[3]
    cosine, sine = cos(angle), sin(angle)
    forced = (push + _POLE * _HALF_LENGTH * (spin * spin) * sine) / total
    angular = (_GRAVITY * sine - cosine * forced) / (
        _HALF_LENGTH * (4.0 / 3.0 - _POLE * (cosine * cosine) / total)
    )
    linear = forced - _POLE * _HALF_LENGTH * angular * cosine / total
    walker[0] += _TICK * walker[1]
    walker[1] += _TICK * linear
    walker[2] += _TICK * spin
    walker[3] += _TICK * angular
    return 1.0, abs(walker[0]) > _FARTHEST or abs(walker[2]) > _LARGEST_ANGLE


@kernel
def move_pendulum(walker, torque):  # type: ignore[no-untyped-def]
    """Turn the motor for a twentieth of a second; return the reward, minus the cost.

    Parameters
    ----------
    walker : (2,), changed: angle (0: upright) and velocity
    torque : float

    Examples
    --------
    >>> upright = np.zeros(2)
    >>> bool(move_pendulum(upright, 0.0) == 0.0), upright.tolist()
    (True, [0.0, 0.0])
    """
    angle, speed = walker[0], walker[1]
    turns = math.floor((angle + math.pi) / (2.0 * math.pi))
    leaning = angle - turns * (2.0 * math.pi)
    cost = leaning * leaning + 0.1 * (speed * speed) + 0.001 * (torque * torque)
    speed += (15.0 * sin(angle) + 3.0 * torque) * _TICK_PENDULUM
    speed = min(max(speed, -_FASTEST), _FASTEST)
    walker[0] = angle + speed * _TICK_PENDULUM
    walker[1] = speed
    return -cost


def numbers_for(world: ControlWorld) -> NDArray[np.int64]:
    """Return how many random numbers a turn may use: at the start of an episode, and a step.

    A Gaussian action needs two for each of its numbers; a choice one, and its outcome one where
    chance has a part in it.

    Parameters
    ----------
    world : ControlWorld

    Examples
    --------
    >>> from a3c_tut.control import cart_pole, pendulum
    >>> numbers_for(cart_pole()).tolist(), numbers_for(pendulum()).tolist()
    ([4, 2], [2, 2])
    """
    starts = {CART_POLE: 4, PENDULUM: 2}.get(world.motion, 1)
    return np.array([starts, 2 * world.action_size if world.continuous else 2], dtype=np.int64)
