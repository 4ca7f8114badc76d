"""Environments that step in Python: any of Gymnasium's, with a network that stays compiled.

Such an environment cannot be a kernel, so the loop of turns around it is interpreted. It is the
same source as the compiled one, with another `collect_network_rollout`; what a turn computes is
compiled as ever. The environment's own steps are then most of the time.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType, SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from a3c_tut.control import ControlWorld
from a3c_tut.engine import network_turn, turn
from a3c_tut.engine.network import forward, observe_and_act

#: Seeds of environments: what Gymnasium's `reset` takes.
_LARGEST_SEED = 2**31


class Outside:
    """One worker's environment, and where it stands.

    Parameters
    ----------
    world : ControlWorld
        With a `make`.
    seed : SeedSequence
        Of the environment's own chance: the worker's.

    Raises
    ------
    ValueError
        When an observation or a reward is not what the world said it would be.

    Examples
    --------
    >>> from a3c_tut.control import from_gymnasium
    >>> outside = Outside(from_gymnasium("Acrobot-v1"), np.random.SeedSequence(0))
    >>> outside.begin().shape
    (6,)
    >>> observation, reward, terminated, truncated = outside.step(0, np.zeros(3))
    >>> reward, terminated
    (-1.0, False)
    >>> outside.close()
    """

    def __init__(self, world: ControlWorld, seed: np.random.SeedSequence):
        self._world, self._env = world, world.new_environment()
        self._seed: int | None = int(seed.generate_state(1)[0] % _LARGEST_SEED)
        self.observation = np.zeros(world.observation_size)

    def begin(self) -> NDArray[np.float64]:
        """Begin an episode; the first with the seed, so that all that follow are known too."""
        given, _ = self._env.reset(seed=self._seed)
        self._seed = None
        return self._seen(given)

    def step(
        self, choice: int, force: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], float, bool, bool]:
        """Take an action; return the observation, the reward, and whether and how it ended.

        Parameters
        ----------
        choice : int, the action where there are some to choose from
        force : (A,), the action where it is numbers

        Raises
        ------
        ValueError
            When the reward or the observation is not finite.
        """
        space = self._env.action_space
        if self._world.continuous:
            action: Any = force.reshape(space.shape).astype(space.dtype)
        else:
            action = int(choice) + int(space.start)
        given, reward, terminated, truncated, _ = self._env.step(action)
        reward = float(reward)
        if not np.isfinite(reward):
            raise ValueError(f"{self._world.name} gave reward {reward}; allowed: finite numbers")
        return self._seen(given), reward, bool(terminated), bool(truncated)

    def _seen(self, given: Any) -> NDArray[np.float64]:
        if self._world.observation_is_a_number:
            self.observation[:] = 0.0
            self.observation[int(given) - int(self._env.observation_space.start)] = 1.0
            return self.observation
        flat = np.asarray(given, dtype=np.float64).ravel()
        if flat.shape != self.observation.shape or not np.isfinite(flat).all():
            raise ValueError(
                f"{self._world.name} gave the observation {given!r}; allowed: "
                f"{self.observation.size} finite numbers"
            )
        self.observation[:] = flat * self._world.observation_scale
        return self.observation

    def close(self) -> None:
        """Close the environment."""
        self._env.close()


def collect_outside(run: Any, index: int, outside: Outside) -> turn.Walk:
    """Act for at most n steps in an environment that steps in Python.

    Parameters
    ----------
    run : Run, whose scratch takes the rollout, with V(s_0) to V(s_T)
    index : int, the worker's place in `me`
    outside : Outside, the worker's own

    Examples
    --------
    >>> from a3c_tut import A3CConfig
    >>> from a3c_tut.control import from_gymnasium
    >>> from a3c_tut.engine.crew import make_run
    >>> from a3c_tut.networks import MLP, Task
    >>> world = from_gymnasium("Acrobot-v1")
    >>> run = make_run(Task(world, MLP()), A3CConfig(rollout_length=5))
    >>> outside = Outside(world, np.random.SeedSequence(0))
    >>> collect_outside(run, 0, outside).total_reward
    -5.0
    >>> outside.close()
    """
    world, me, scratch = run.world, run.me, run.scratch
    rollout, where, parameters = scratch.rollout, scratch.where, me.theta[index, 0]
    uniforms, cursor = me.uniforms[index], int(me.cursor[index])
    rollout_length = int(run.settings.rollout_length[me.worker[index]])
    so_far = int(me.episode_steps[index])
    rollout.observations[0] = outside.begin() if so_far == 0 else outside.observation
    length, total_reward, terminated, truncated = 0, 0.0, False, False
    while length < rollout_length and not (terminated or truncated):
        cursor = observe_and_act(
            parameters, where, world.continuous, world.action_range, rollout, length, uniforms,
            cursor,
        )  # fmt: skip
        observation, reward, terminated, truncated = outside.step(
            rollout.actions[length], rollout.force
        )
        rollout.rewards[length] = reward * world.reward_scale
        total_reward += reward
        length += 1
        rollout.observations[length] = observation
        truncated = not terminated and (truncated or so_far + length >= world.max_episode_steps)
    forward(parameters, where, rollout, length)
    return turn.Walk(length, terminated, truncated, cursor, total_reward, 0)


def parts_of_a_turn(outsides: dict[int, Outside]) -> SimpleNamespace:
    """Return the functions of a turn, of which `prepare` steps in Python.

    Parameters
    ----------
    outsides : mapping of worker id to Outside

    Examples
    --------
    >>> parts_of_a_turn({}).push is turn.push
    True
    """

    def prepare(run: Any, index: int) -> tuple[turn.Walk, turn.Formed]:
        walk = collect_outside(run, index, outsides[int(run.me.worker[index])])
        return walk, network_turn.form_gradient(run, index, walk)

    return SimpleNamespace(**{**vars(network_turn), "prepare": prepare})


def interpreted(loop: Callable[..., Any], **hooks: Any) -> Callable[..., Any]:
    """Return a compiled loop's source, interpreted, with other parts in it.

    Parameters
    ----------
    loop : kernel
    **hooks
        What stands in the place of those of the same names.

    Examples
    --------
    >>> interpreted(turn.take_turns, prepare=None).__globals__["prepare"] is None
    True
    """
    plain: Any = getattr(loop, "py_func", loop)
    return FunctionType(plain.__code__, {**plain.__globals__, **hooks}, plain.__name__)
