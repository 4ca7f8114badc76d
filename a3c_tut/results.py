"""What a run leaves behind, and the file that it fits in."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from importlib import import_module
from io import BytesIO
from typing import Any

import numpy as np
from numpy.lib.recfunctions import repack_fields
from numpy.typing import ArrayLike, NDArray

from a3c_tut.checks import finite, short
from a3c_tut.config import A3CConfig
from a3c_tut.control import ControlWorld
from a3c_tut.engine.buffers import STEPS
from a3c_tut.engine.kernels import make_rollout, softmax
from a3c_tut.engine.log import EPISODE_DTYPE, UPDATE_DTYPE
from a3c_tut.engine.network import act, forward, make_network_rollout, sigma
from a3c_tut.engine.streams import Seed, network_seed
from a3c_tut.engine.torch_turn import TorchNetwork
from a3c_tut.files import written_whole
from a3c_tut.networks import MLP, Convolutional, Task
from a3c_tut.schedules import RandomSchedule
from a3c_tut.shown import html, text
from a3c_tut.torch_modules import TorchModel
from a3c_tut.worlds import TableWorld

#: Raised when the meaning of a saved file changes. 2: networks, λ. 3: PyTorch modules.
FILE_VERSION = 3
#: The arrays of a world, as a file names them.
WORLD_ARRAYS = ("next_state", "probability", "reward", "terminated", "start")


@dataclass(frozen=True, eq=False, repr=False)
class TrainingResult:
    """What was asked for, what came out, and all that is needed to repeat it or to go on.

    Attributes
    ----------
    world, config, seed, total_steps : what was asked for
    runner : str
        Who ran it.
    episodes : structured array
        A row per finished episode: worker, total_return (in the world's units), length, step (the
        shared step counter after the push that brought it), truncated.
    updates : structured array
        A row per update, in push order: worker, step, staleness (pushes since the worker's last
        sync), grad_norm (before clipping), entropy (mean over the rollout, nats), learning_rate
        (the actor's, after annealing).
    state : mapping of arrays
        Shared tables, optimizer statistics, every worker's own memory, at the end of the run.
    failures : tuple of dict
        The workers that raised or died in a run that went on without them: worker, update, reason,
        inside_lock.
    order : str or RandomSchedule
        How the schedule came about: "round_robin", a RandomSchedule, "given" or "recorded".
    traffic : mapping of floats
        Of a run on a cluster: what its pushes cost, as `engine.server.Traffic.summary` says.
    initial : mapping of arrays
        The tables that all workers started from, "theta" and "values", in the world's units; a
        network's parameters are a table "theta" of one row.

    Examples
    --------
    >>> from a3c_tut import cliff_world, train
    >>> result = train(cliff_world(), total_steps=1_000)
    >>> result.theta.shape, result.values.shape, result.schedule[:4].tolist()
    ((48, 4), (48,), [0, 1, 2, 0])
    >>> result.steps, result.policy.shape  # the last rollout is not cut
    (1002, (48, 4))
    """

    world: TableWorld
    config: A3CConfig
    seed: Seed
    total_steps: int
    runner: str
    episodes: NDArray[Any]
    updates: NDArray[Any]
    state: Mapping[str, NDArray[Any]] = field(repr=False)
    initial: Mapping[str, NDArray[Any]] = field(repr=False)
    failures: tuple[dict[str, Any], ...] = ()
    order: str | RandomSchedule = "round_robin"
    traffic: Mapping[str, float] = field(default_factory=dict, repr=False)

    def __eq__(self, other: object) -> bool:
        """Return whether another result is of the same run: asked for and come out the same.

        Who ran it, and how its schedule came about, may differ: `replay(result) == result`.
        """
        if not isinstance(other, TrainingResult):
            return NotImplemented
        names = {each.name for each in fields(self)} - {
            "runner", "order", "failures", "traffic"
        }  # fmt: skip
        return all(_same(getattr(self, name), getattr(other, name)) for name in names)

    def __hash__(self) -> int:
        return hash((self.world, self.total_steps, len(self.updates)))

    _learned = ".policy .values"
    _file_version = 1

    @property
    def _table(self) -> TableWorld:
        """The table whose arrays a file holds."""
        return self.world

    def _about_world(self) -> dict[str, Any]:
        """Return what a file says of the world besides its arrays."""
        world = self._table
        return {
            "world": {
                "max_episode_steps": world.max_episode_steps,
                "name": world.name,
                "action_names": world.action_names,
                "grid_shape": world.grid_shape,
                "marks": sorted(world.marks.items()),
            }
        }

    def _about(self) -> tuple[str, dict[str, str]]:
        returns = self.episodes["total_return"][-100:]
        last = f"; the last {len(returns)} returned {returns.mean():.4g}" if len(returns) else ""
        return f"{type(self).__name__} of {self.world.name!r}", {
            "asked": f"{self.config!r}, seed {self.seed}, {self.total_steps:,} steps",
            "run": f"{self.steps:,} steps in {len(self.updates):,} updates, {self.runner}",
            "episodes": f"{len(self.episodes):,}{last}",
            "see": f"{self._learned} .episodes .updates .schedule, .save(path), replay(result)",
        }

    def __repr__(self) -> str:
        return text(*self._about())

    def _repr_html_(self) -> str:
        """Return the same as a small table, with Figure 1, for notebooks."""
        # Figures stand above results, so they are looked up by name, and only when one is drawn.
        figures, png = import_module("a3c_tut.figures"), BytesIO()
        figures.save_figure(figures.plot_returns(self), png, "png")
        return html(*self._about(), png.getvalue(), "The return of each episode, by step")

    @property
    def theta(self) -> NDArray[np.float64]:
        """The shared logits θ, (S, A)."""
        return self.state["theta"]

    @property
    def policy(self) -> NDArray[np.float64]:
        """The shared policy π(a|s), (S, A)."""
        return softmax_table(self.theta)

    @property
    def values(self) -> NDArray[np.float64]:
        """The shared state values, (S,), in the world's own units."""
        return self.state["V"] / self.config.reward_scale

    @property
    def schedule(self) -> NDArray[np.int64]:
        """The worker ids in push order, (U,): all the nondeterminism there was."""
        return self.updates["worker"].astype(np.int64)

    @property
    def steps(self) -> int:
        """Environment steps pushed, by all workers."""
        return int(self.state["counters"][STEPS])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the result to one file, all of it or nothing.

        Raises
        ------
        OSError
            When the path is a folder, or its folder is missing or cannot be written.

        Examples
        --------
        >>> import tempfile, pathlib
        >>> from a3c_tut import cliff_world, train
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder) / "run.npz"
        ...     train(cliff_world(), total_steps=500).save(path)
        ...     TrainingResult.load(path).steps >= 500
        True
        """
        about = {
            "format": "a3c_tut.TrainingResult",
            "version": self._file_version,
            "config": self.config.as_dict(),
            "seed": self.seed if isinstance(self.seed, int) else list(self.seed),
            "total_steps": self.total_steps,
            "runner": self.runner,
            "failures": self.failures,
            "traffic": dict(self.traffic),
            "order": self.order if isinstance(self.order, str) else {"weights": self.order.weights},
            **self._about_world(),
        }
        table = self._table
        arrays = {
            "about": np.frombuffer(json.dumps(about).encode(), dtype=np.uint8),
            # Without the gaps between their fields, which hold whatever memory held before: equal
            # runs are equal files.
            "episodes": repack_fields(self.episodes),
            "updates": repack_fields(self.updates),
            **{f"world.{name}": getattr(table, name) for name in WORLD_ARRAYS},
            **{f"state.{name}": array for name, array in self.state.items()},
            **{f"initial.{name}": array for name, array in self.initial.items()},
        }
        with written_whole(path) as temporary, open(temporary, "wb") as file:
            np.savez_compressed(file, **arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str], model: Any = None) -> TrainingResult:
        """Read a result that `save` wrote; nothing in the file is executed.

        Parameters
        ----------
        path : str or path
        model : torch.nn.Module, or a function of nothing that makes one; optional
            For a run that learned one: a file keeps its parameters, but no module.

        Raises
        ------
        FileNotFoundError
            When there is no such file.
        ValueError
            When the file is damaged, is something else, or comes from a newer version; when the
            module is not the one that the run learned.

        Examples
        --------
        >>> import tempfile, pathlib
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder) / "run.npz"
        ...     _ = path.write_bytes(b"something else")
        ...     try:
        ...         TrainingResult.load(path)
        ...     except ValueError as error:
        ...         print(str(error).split("' ")[1])
        is damaged or no saved TrainingResult
        """
        with open(path, "rb") as opened:
            try:
                with np.load(opened, allow_pickle=False) as file:
                    arrays = {name: file[name] for name in file.files}
                about = json.loads(bytes(arrays["about"]))
                version = int(about["version"])
                if about["format"] != "a3c_tut.TrainingResult":
                    raise KeyError("format")
            except Exception as e:  # zipfile, zlib and NumPy have many names for damage
                raise ValueError(
                    f"{os.fspath(path)!r} is damaged or no saved TrainingResult"
                ) from e
        if version > FILE_VERSION:
            raise ValueError(
                f"{os.fspath(path)!r} has file version {version}; allowed: up to "
                f"{FILE_VERSION}; update a3c_tut"
            )
        try:
            result = cls._from_file(about, arrays)
        except (ValueError, KeyError, TypeError) as e:
            raise ValueError(f"{os.fspath(path)!r} is damaged: {e}") from e
        return result if model is None else result._with_module(model)

    def _with_module(self, model: Any) -> TrainingResult:
        raise ValueError(
            f"model is {short(model)} for a {type(self).__name__} that learned none; allowed: None"
        )

    @classmethod
    def _from_file(cls, about: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> TrainingResult:
        seed, order = about["seed"], about["order"]
        kind = NetworkResult if "control" in about else TrainingResult
        return kind(
            **_world_of(about, arrays),
            config=A3CConfig(**about["config"]),
            seed=seed if isinstance(seed, int) else tuple(seed),
            total_steps=about["total_steps"],
            runner=about["runner"],
            episodes=arrays["episodes"].astype(EPISODE_DTYPE),
            updates=arrays["updates"].astype(UPDATE_DTYPE),
            state=_named(arrays, "state."),
            initial=_named(arrays, "initial."),
            failures=tuple(about["failures"]),
            traffic=about.get("traffic", {}),
            order=order if isinstance(order, str) else RandomSchedule(order["weights"]),
        )


def _world_of(about: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """Return the world that a file holds, and the network if there is one, by name."""
    grid = about["world"]["grid_shape"]
    table = TableWorld(
        **{name: arrays[f"world.{name}"] for name in WORLD_ARRAYS},
        max_episode_steps=about["world"]["max_episode_steps"],
        name=about["world"]["name"],
        action_names=tuple(about["world"]["action_names"]),
        grid_shape=None if grid is None else (grid[0], grid[1]),
        marks=dict(about["world"]["marks"]),
    )
    if "control" not in about:
        return {"world": table}
    own = {**about["control"], "table": table}
    for name in ("observation_names", "image_shape"):
        own[name] = tuple(own[name])
    return {"world": ControlWorld(**own), "network": _network_of(about["network"])}


def _network_of(about: dict[str, Any]) -> MLP | TorchModel:
    """Return the network that a file holds."""
    if "library" in about:
        return TorchModel.from_dict(about)
    return Convolutional(**about) if "filters" in about else MLP(**about)


class _NoTable:
    """Stands where a result of tables has one, and says what to take instead."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, result: object, kind: type) -> Any:
        if result is None:
            return self
        raise AttributeError(
            f"{self._name!r} is a table, and this run learned a network; allowed: parameters, model"
        )


@dataclass(frozen=True, eq=False, repr=False)
class NetworkResult(TrainingResult):
    """A result of a run that learned a network (Section 3.3).

    It has no tables: `theta`, `policy` and `values` raise an AttributeError.

    Attributes
    ----------
    world : ControlWorld
    network : MLP or TorchModel
        The network that was asked for (`train`'s `model`).
    model : LearnedNetwork
        The network that was learned: call it with an observation.
    parameters : (P,) floats
        Its parameters.

    Examples
    --------
    >>> from a3c_tut import train
    >>> result = train("CartPole-v1", total_steps=1_000)
    >>> result.parameters.shape
    (1315,)
    >>> result.policy
    Traceback (most recent call last):
    ...
    AttributeError: 'policy' is a table, and this run learned a network; allowed: parameters, model
    """

    world: ControlWorld  # type: ignore[assignment]
    network: MLP | TorchModel = MLP()  # noqa: RUF009

    _learned = ".model .parameters"

    @property
    def _file_version(self) -> int:  # type: ignore[override]
        return FILE_VERSION if isinstance(self.network, TorchModel) else 2

    @property
    def parameters(self) -> NDArray[np.float64]:
        """All parameters of the shared network, (P,).

        Examples
        --------
        >>> from a3c_tut import train
        >>> train("Pendulum-v1", total_steps=500).parameters.shape
        (1251,)
        """
        return self.state["theta"][0]

    @property
    def model(self) -> LearnedNetwork:
        """The shared network, to be called with an observation.

        Examples
        --------
        >>> from a3c_tut import train
        >>> policy, value = train("CartPole-v1", total_steps=500).model([0.0, 0.0, 0.1, 0.0])
        >>> policy.shape
        (2,)
        """
        return LearnedNetwork(
            Task(self.world, self.network), self.parameters, self.config.reward_scale
        )

    theta = _NoTable()
    policy = _NoTable()
    values = _NoTable()

    @property
    def _table(self) -> TableWorld:
        return self.world.table

    def _about_world(self) -> dict[str, Any]:
        own = {each.name: getattr(self.world, each.name) for each in fields(self.world)}
        del own["table"]
        if not isinstance(self.world.make, str):  # a function cannot be kept
            own["make"] = None
        network = self.network
        kept = network.as_dict() if isinstance(network, TorchModel) else asdict(network)
        return {**super()._about_world(), "control": own, "network": kept}

    def _with_module(self, model: Any) -> TrainingResult:
        if not isinstance(self.network, TorchModel):
            return super()._with_module(model)
        seed = network_seed(self.seed, self.config.num_workers)
        return replace(self, network=self.network.given(model, self.world, seed))


class LearnedNetwork:
    """A network with its parameters, to be called with an observation as the world gives it.

    Parameters
    ----------
    task : Task
    parameters : (P,) floats
    reward_scale : float, by which the rewards it learned from were multiplied

    Examples
    --------
    >>> from a3c_tut import train
    >>> model = train("CartPole-v1", total_steps=1_000).model
    >>> policy, value = model([0.0, 0.0, 0.0, 0.0])
    >>> policy.shape, bool(abs(policy.sum() - 1.0) < 1e-12)
    ((2,), True)

    For actions that are numbers, their means and standard deviations, in the world's units:

    >>> (mean, deviation), value = train("Pendulum-v1", total_steps=1_000).model([1.0, 0.0, 0.0])
    >>> mean.shape, deviation.shape
    ((1,), (1,))

    Attributes
    ----------
    network : TorchNetwork, or None where the network is made of kernels
        Its `module` is a PyTorch module with the parameters that were learned.
    """

    def __init__(self, task: Task, parameters: NDArray[np.float64], reward_scale: float = 1.0):
        self.task, self.parameters = task, parameters
        self._scale, self._where = reward_scale, task.layout
        self._room = make_network_rollout(1, self._where)
        self.network: TorchNetwork | None = None
        self._forward: Callable[..., Any] = forward
        self._act: Callable[..., Any] = act
        if isinstance(task.model, TorchModel):
            self.network = TorchNetwork(task.model)
            self.network.load(parameters)
            self._forward, self._act = self.network.forward, self.network.act

    def __repr__(self) -> str:
        return f"LearnedNetwork of {self.task.world.name!r}, {self.parameters.size:,} parameters"

    def __call__(self, observation: ArrayLike) -> tuple[Any, float]:
        """Return the policy in the state that is observed, and its value in the world's units.

        Parameters
        ----------
        observation : (D,) floats

        Returns
        -------
        policy, value : array and float
            The probabilities, (A,); of a Gaussian the means and the standard deviations, (A,) each.
        """
        world = self.task.world
        given = finite("observation", observation, (world.observation_size,))
        return self.told(given * world.observation_scale)

    def told(self, seen: NDArray[np.float64]) -> tuple[Any, float]:
        """Return the same for what the network sees of an observation, already scaled.

        Parameters
        ----------
        seen : (D,) floats

        Examples
        --------
        >>> from a3c_tut import train
        >>> policy, value = train("CartPole-v1", total_steps=500).model.told(np.zeros(4))
        >>> policy.shape
        (2,)
        """
        where, room, world = self._where, self._room, self.task.world
        room.observations[0] = seen
        self._forward(self.parameters, where, room, 0)
        unused = np.zeros(2 * world.action_size)
        self._act(self.parameters, where, world.continuous, 1.0, room, 0, unused, 0)
        value = float(room.values[0]) / self._scale
        if not world.continuous:
            return room.policies[0].copy(), value
        own = self.parameters[where.log_sigma_at :]
        log_sigma = own if self.network is None else self.network.log_sigma
        deviation = np.array([sigma(x) for x in log_sigma])
        return (room.outputs[0].copy(), deviation), value


def _same(mine: Any, theirs: Any) -> bool:
    """Return whether two parts of results are equal; NaN equals NaN."""
    if isinstance(mine, Mapping):
        return mine.keys() == theirs.keys() and all(_same(mine[k], theirs[k]) for k in mine)
    if not isinstance(mine, np.ndarray):
        return bool(mine == theirs)
    if mine.dtype.names is not None:
        return all(_same(mine[name], theirs[name]) for name in mine.dtype.names)
    return np.array_equal(mine, theirs, equal_nan=mine.dtype.kind == "f")


def _named(arrays: dict[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


def softmax_table(theta: ArrayLike) -> NDArray[np.float64]:
    """Return π(a|s) for a table of logits.

    Parameters
    ----------
    theta : (S, A)

    Returns
    -------
    (S, A)
        Rows sum to 1.

    Examples
    --------
    >>> softmax_table([[0.0, 0.0]]).tolist()
    [[0.5, 0.5]]
    """
    logits = np.ascontiguousarray(theta, dtype=np.float64)
    rows = make_rollout(len(logits), logits.shape[1])
    for state in range(len(logits)):
        softmax(logits, state, rows.policies, rows.log_policies, state)
    return rows.policies
