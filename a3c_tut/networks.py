"""Small networks, and where each of their numbers stands in one flat vector (Section 3.3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from a3c_tut.checks import whole
from a3c_tut.config import A3CConfig
from a3c_tut.control import TABLE, ControlWorld, control_world

if TYPE_CHECKING:
    from a3c_tut.torch_modules import TorchModel


@dataclass(frozen=True)
class MLP:
    """A network of dense layers with tanh, read by the actor's and the critic's last layer.

    Parameters
    ----------
    hidden : sequence of up to 8 ints from 1 to 4096
        Neurons per hidden layer; empty: actor and critic are linear, without biases.
    shared : bool
        Whether actor and critic read the same hidden layers, or have some each.

    Raises
    ------
    ValueError
        For a layer of no neurons; the message names the value and what is allowed.

    Examples
    --------
    >>> MLP(hidden=(32, 32))
    MLP(hidden=(32, 32), shared=True)
    >>> MLP(hidden=(0,))
    Traceback (most recent call last):
    ...
    ValueError: hidden is 0; allowed: a whole number from 1 to 4096
    """

    hidden: Sequence[int] = (32, 32)
    shared: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.hidden, (str, int)) or len(self.hidden) > 8:
            raise ValueError(
                f"hidden is {self.hidden!r}; allowed: up to 8 whole numbers, such as (32, 32)"
            )
        sizes = tuple(whole("hidden", n, 1, most=4096) for n in self.hidden)
        object.__setattr__(self, "hidden", sizes)
        if not isinstance(self.shared, bool):
            raise ValueError(f"shared is {self.shared!r}; allowed: True or False")


@dataclass(frozen=True)
class Convolutional(MLP):
    """A network whose first layer convolves an image, before dense layers read it.

    Every pixel and its eight neighbours are read with the same weights, by so many filters; beyond
    the edge everything is 0.

    Parameters
    ----------
    hidden : sequence of ints from 1
        Neurons per dense hidden layer behind it.
    shared : bool
        Whether actor and critic read the same hidden layers, or have some each.
    filters : int from 1

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> from a3c_tut.control import as_image
    >>> layout(Convolutional(filters=8), as_image(cliff_world())).sizes.tolist()
    [144, 384, 32]
    """

    hidden: Sequence[int] = (32,)
    filters: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "filters", whole("filters", self.filters, 1, most=256))


class Layout(NamedTuple):
    """Where each layer stands in the flat vector of parameters.

    A layer of m inputs and n outputs has m · n weights, those of the first input first, and then n
    biases. The hidden layers come first, those of the critic after those of the actor where they
    are not shared; then the actor's last layer, the critic's, and log σ.

    Examples
    --------
    >>> from a3c_tut.control import cart_pole
    >>> where = layout(MLP(hidden=(3,)), cart_pole())
    >>> where.hidden_at.tolist(), where.policy_at, where.value_at, where.num_parameters
    ([[0]], 15, 23, 27)
    """

    sizes: NDArray[np.int64]  # (L + 1,): of the observation and of each hidden layer
    hidden_at: NDArray[np.int64]  # (towers, L)
    policy_at: int
    value_at: int
    log_sigma_at: int  # a Gaussian actor's; −1 where there is none
    num_parameters: int
    num_outputs: int  # A
    filters: int  # of a first layer that convolves; 0 where there is none
    image: NDArray[np.int64]  # (3,): rows, columns and channels of what it convolves

    @property
    def num_hidden(self) -> int:
        """Neurons in the hidden layers of one tower.

        Examples
        --------
        >>> from a3c_tut.control import cart_pole
        >>> layout(MLP(hidden=(8, 5)), cart_pole()).num_hidden
        13
        """
        return int(self.sizes[1:].sum())


def layout(model: MLP | TorchModel, world: ControlWorld) -> Layout:
    """Say where each layer of a network for this world stands in one flat vector.

    Parameters
    ----------
    model : MLP, or a TorchModel, which keeps its layers to itself
    world : ControlWorld

    Raises
    ------
    ValueError
        For a network that convolves in a world that shows no image.

    Examples
    --------
    Two layers of 32 neurons for the cart-pole:

    >>> from a3c_tut.control import cart_pole
    >>> layout(MLP(), cart_pole()).num_parameters
    1315
    """
    if not isinstance(model, MLP):
        return model.layout(world)
    filters = model.filters if isinstance(model, Convolutional) else 0
    image = world.image_shape if filters else (0, 0, 0)
    if filters and not image:
        raise ValueError(
            f"model is {model!r} for {world.name!r}, which shows no image; allowed: an MLP"
        )
    convolved = [image[0] * image[1] * filters] if filters else []
    sizes = [world.observation_size, *convolved, *model.hidden]
    at, towers = 0, []
    for _ in range(1 if model.shared else 2):
        places = []
        for layer, (m, n) in enumerate(pairwise(sizes)):
            places.append(at)
            at += (9 * image[2] + 1) * filters if filters and layer == 0 else (m + 1) * n
        towers.append(places)
    policy_at, value_at = at, at + (sizes[-1] + 1) * world.action_size
    end = value_at + sizes[-1] + 1
    return Layout(
        sizes=np.array(sizes, dtype=np.int64),
        hidden_at=np.array(towers, dtype=np.int64).reshape(len(towers), len(sizes) - 1),
        policy_at=policy_at,
        value_at=value_at,
        log_sigma_at=end if world.continuous else -1,
        num_parameters=end + (world.action_size if world.continuous else 0),
        num_outputs=world.action_size,
        filters=filters,
        image=np.array(image, dtype=np.int64),
    )


def initial_parameters(
    model: MLP | TorchModel, world: ControlWorld, seed: np.random.SeedSequence
) -> NDArray[np.float64]:
    """Draw the parameters that all workers start from.

    Weights are uniform within ±g √(3/m), m the layer's inputs, so that a neuron's sum varies about
    g times as much as its inputs do: g is 1.5 in the hidden layers, 1 in the critic's last, and
    0.01 in the actor's, so that all actions begin alike. Biases are 0 and so is log σ.

    Parameters
    ----------
    model : MLP, or a TorchModel, whose parameters are drawn already
    world : ControlWorld
    seed : SeedSequence

    Returns
    -------
    (P,) floats

    Examples
    --------
    >>> from a3c_tut.control import cart_pole
    >>> drawn = initial_parameters(MLP(), cart_pole(), np.random.SeedSequence(0))
    >>> drawn.shape, bool(np.abs(drawn[:128]).max() <= 1.5 * 0.75**0.5)
    ((1315,), True)
    """
    if not isinstance(model, MLP):
        return model.initial_parameters()
    where, random = layout(model, world), np.random.Generator(np.random.PCG64(seed))
    parameters = np.zeros(where.num_parameters)

    def draw(at: int, m: int, n: int, gain: float) -> None:
        bound = gain * math.sqrt(3.0 / m)
        parameters[at : at + m * n] = bound * (2.0 * random.random(m * n) - 1.0)

    for places in where.hidden_at:
        for layer, place in enumerate(places):
            m, n = int(where.sizes[layer]), int(where.sizes[layer + 1])
            if where.filters and layer == 0:
                m, n = 9 * int(where.image[2]), where.filters
            draw(int(place), m, n, 1.5)
    last = int(where.sizes[-1])
    draw(where.policy_at, last, where.num_outputs, 0.01)
    draw(where.value_at, last, 1, 1.0)
    return parameters


def network_config(world: ControlWorld | str, **changes: Any) -> A3CConfig:
    """Return the settings that `train` uses for a network where it is given none.

    The defaults of `A3CConfig` are those of tables, and learn little here: begin with these.

    Found by hand on cart-pole and pendulum, and judged on other seeds, and on Acrobot, by
    `benchmarks/network_defaults.py`. Rewards are scaled so that they are about 1. Pictures have
    settings of their own, found by chance on the cliff-world and judged in Section 3.3: a bonus for
    entropy that counts beside the rewards, and larger steps.

    Parameters
    ----------
    world : ControlWorld, or an environment's id
    **changes
        Settings that are to differ.

    Returns
    -------
    A3CConfig

    Raises
    ------
    ValueError
        For a world that is none, or a setting out of range.

    Examples
    --------
    >>> network_config("Pendulum-v1", num_workers=4).rollout_length
    16

    As a picture, the cliff-world's falls are −2 in learning units, and a step is −0.02:

    >>> from a3c_tut import cliff_world
    >>> from a3c_tut.control import as_image
    >>> asked = network_config(as_image(cliff_world()))
    >>> asked.reward_scale, asked.entropy_coef
    (0.02, 0.1)
    """
    world = control_world(world)
    given: dict[str, Any] = {**_DEFAULTS, "reward_scale": world.reward_scale}
    if world.image_shape:
        given |= _FOR_PICTURES
        largest = float(np.abs(world.table.reward).max())
        if world.motion == TABLE and largest > 0.0:
            given["reward_scale"] = 2.0 / largest
    return A3CConfig(**{**given, **changes})


_DEFAULTS: dict[str, Any] = {
    "num_workers": 2,
    "rollout_length": 16,
    "gamma": 0.98,
    "gae_lambda": 0.9,
    "entropy_coef": 0.001,
    "actor_lr": 0.002,
    "critic_lr": 0.001,
    "max_grad_norm": 40.0,
    "rmsprop_epsilon": 0.001,
    "lr_anneal": "global",
}
_FOR_PICTURES: dict[str, Any] = {
    "gamma": 0.99,
    "gae_lambda": 0.95,
    "entropy_coef": 0.1,
    "actor_lr": 0.004,
    "critic_lr": 0.002,
    "max_grad_norm": 5.0,
}


@dataclass(frozen=True)
class Task:
    """A world and the network that is to learn it: what a run with a network is asked for.

    Its parameters stand in a table of one row, so that all that moves, applies, counts and saves
    the rows of a table does the same for a network.

    Parameters
    ----------
    world : ControlWorld
    model : MLP or TorchModel

    Examples
    --------
    >>> from a3c_tut.control import cart_pole
    >>> task = Task(cart_pole(), MLP())
    >>> task.num_states, task.num_actions
    (1, 1315)
    """

    world: ControlWorld
    model: MLP | TorchModel

    @property
    def layout(self) -> Layout:
        """Where each layer stands.

        Examples
        --------
        >>> from a3c_tut.control import cart_pole
        >>> Task(cart_pole(), MLP()).layout.policy_at
        1216
        """
        return layout(self.model, self.world)

    @property
    def num_states(self) -> int:
        """Rows of the table of parameters: one.

        Examples
        --------
        >>> from a3c_tut.control import cart_pole
        >>> Task(cart_pole(), MLP()).num_states
        1
        """
        return 1

    @property
    def num_actions(self) -> int:
        """Columns of the table of parameters: all of them.

        Examples
        --------
        >>> from a3c_tut.control import cart_pole
        >>> Task(cart_pole(), MLP(hidden=())).num_actions
        15
        """
        return self.layout.num_parameters
