"""PyTorch modules that a user brings, as a run takes them (Section 3.3; extra `torch`).

A module says two things of what it is shown: what the actor's head reads, and the value. That is
all of the interface::

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.body = torch.nn.Sequential(torch.nn.Linear(4, 32), torch.nn.Tanh())
            self.actor, self.critic = torch.nn.Linear(32, 2), torch.nn.Linear(32, 1)

        def forward(self, observations):  # (T, D)
            h = self.body(observations)
            return self.actor(h), self.critic(h)  # logits (T, A), values (T,) or (T, 1)

    result = train("CartPole-v1", model=Net)

Where actions are numbers, the first is a pair, `(mu, log_sigma), values`: means (T, A), and log σ
as (A,) or (T, A). A run works on a copy of the module, on the processor, in float64, and in
evaluation mode: dropout is off, running means stay as they are. The parameters that want a gradient
stand in one flat vector, in the order of `module.named_parameters()`; the rest of a run does not
know that they are PyTorch's.

A run replays bit for bit on one machine and with one version of PyTorch, whose matrix products are
its own; a result says which (`TorchModel.library`). Nothing here imports PyTorch before a module is
given.
"""

from __future__ import annotations

import copy
import hashlib
import pickle
import platform
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from a3c_tut.checks import short
from a3c_tut.control import ControlWorld
from a3c_tut.networks import Layout

#: By how much what is said of an observation may depend on those beside it: rounding.
_SAME_ROW = 1e-9
#: PyTorch's chance is one for all threads of a process.
_DRAWING = threading.Lock()


def imported(asked: object = None) -> Any:
    """Return the library.

    Parameters
    ----------
    asked : what needs it, for the message

    Raises
    ------
    ImportError
        Where it is not installed, with what to install.

    Examples
    --------
    >>> imported().nn.Module.__name__
    'Module'
    """
    try:
        import torch
    except ImportError:
        raise ImportError(
            f"model is {short(asked)}, which needs PyTorch; install it with "
            "`pip install 'a3c_tut[torch]'`, or take an MLP of a3c_tut.networks"
        ) from None
    return torch


def library() -> str:
    """Return which PyTorch computes here, and what it computes on: what the bits depend on.

    Examples
    --------
    >>> library().split()[0]
    'PyTorch'
    """
    torch = imported()
    instructions = torch.backends.cpu.get_cpu_capability()
    return f"PyTorch {torch.__version__}, {platform.machine()} {instructions}"


class Heads(NamedTuple):
    """What a module says of T observations, as tensors.

    Examples
    --------
    >>> Heads(None, None, None).log_sigma is None
    True
    """

    outputs: Any  # (T, A): logits, or a Gaussian's means
    log_sigma: Any  # (T, A); None where there are actions to choose from
    values: Any  # (T,)


def heads(module: Any, observations: Any) -> Heads:
    """Ask a module what it says of some observations.

    Parameters
    ----------
    module : torch.nn.Module
    observations : (T, D) tensor

    Examples
    --------
    >>> torch = imported()
    >>> class Net(torch.nn.Module):
    ...     def forward(self, observations):
    ...         return (observations, torch.zeros(4)), observations.sum(1, keepdim=True)
    >>> said = heads(Net(), torch.ones(3, 4))
    >>> [tuple(each.shape) for each in said]
    [(3, 4), (3, 4), (3,)]
    """
    actor, values = module(observations)
    if not isinstance(actor, tuple):
        return Heads(actor, None, values.reshape(-1))
    mean, log_sigma = actor
    return Heads(mean, log_sigma.expand_as(mean), values.reshape(-1))


@dataclass(frozen=True, repr=False)
class TorchModel:
    """A PyTorch module as a run is asked to learn it; `torch_model` makes one.

    Two are equal whose modules look alike and come from the same library.

    Attributes
    ----------
    architecture : str
        How the module shows itself.
    shapes : tuple of (name, shape)
        Of the parameters that are learned, in the order of the flat vector.
    fixed : str
        A digest of all that is not learned: buffers, and parameters that want no gradient.
    library : str
        PyTorch's version, and the machine's kind: what the bits of a run depend on.
    module : torch.nn.Module, or None after a file was read, which keeps no module

    Examples
    --------
    >>> from a3c_tut.control import cart_pole
    >>> torch = imported()
    >>> class Net(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.both = torch.nn.Linear(4, 3)
    ...     def forward(self, observations):
    ...         said = self.both(observations)
    ...         return said[:, :2], said[:, 2]
    >>> model = torch_model(Net, cart_pole())
    >>> model
    TorchModel(Net, 15 parameters)
    >>> model.shapes, model.num_parameters, model.initial_parameters().shape
    ((('both.weight', (3, 4)), ('both.bias', (3,))), 15, (15,))
    >>> model.layout(cart_pole()).num_parameters
    15

    What a file keeps of it, and how the module is given back:

    >>> kept = TorchModel.from_dict(model.as_dict())
    >>> kept == model, kept.module is None, kept.given(Net, cart_pole()).module is None
    (True, True, False)
    >>> type(model.new_module()).__name__
    'Net'
    """

    architecture: str
    shapes: tuple[tuple[str, tuple[int, ...]], ...]
    fixed: str
    library: str
    module: Any = field(default=None, compare=False)

    def __repr__(self) -> str:
        name = self.architecture.split("(")[0]
        return f"TorchModel({name}, {self.num_parameters:,} parameters)"

    @property
    def num_parameters(self) -> int:
        """P: numbers that are learned."""
        return sum(int(np.prod(shape)) for _, shape in self.shapes)

    def layout(self, world: ControlWorld) -> Layout:
        """Return what the rest of a run wants to know: sizes, without layers.

        Parameters
        ----------
        world : ControlWorld
        """
        return Layout(
            sizes=np.array([world.observation_size], dtype=np.int64),
            hidden_at=np.zeros((1, 0), dtype=np.int64),
            policy_at=0,
            value_at=0,
            log_sigma_at=0,
            num_parameters=self.num_parameters,
            num_outputs=world.action_size,
            filters=0,
            image=np.zeros(3, dtype=np.int64),
        )

    def new_module(self) -> Any:
        """Return a copy of the module, to be changed at will.

        Raises
        ------
        ValueError
            When there is none, after a file was read, or a worker does not find its class.
        """
        if self.module is None:
            raise ValueError(
                f"module is None in {self!r}: a file keeps no module; allowed: "
                "TrainingResult.load(path, model=...)"
            )
        if isinstance(self.module, bytes):
            try:
                return pickle.loads(self.module)
            except (AttributeError, ImportError) as error:
                raise ValueError(
                    f"model is {self!r}, whose class a worker process does not find ({error}); "
                    "allowed: a class in a file that it can import, or start_method='fork'"
                ) from None
        return copy.deepcopy(self.module)

    def initial_parameters(self) -> NDArray[np.float64]:
        """Return the module's own parameters, (P,)."""
        own = [p.detach().numpy().ravel() for _, p in learned(self.new_module())]
        return np.concatenate(own)

    def given(
        self, module: Any, world: ControlWorld, seed: np.random.SeedSequence | None = None
    ) -> TorchModel:
        """Return this model with its module, which a file does not keep.

        Parameters
        ----------
        module : torch.nn.Module, or a function of nothing that makes one
        world : ControlWorld
        seed : SeedSequence, optional, as in `torch_model`

        Raises
        ------
        ValueError
            When it has other parameters, or other parts that are not learned.
        """
        found = torch_model(module, world, seed)
        for what in ("architecture", "shapes", "fixed"):
            mine, its = getattr(self, what), getattr(found, what)
            if mine != its:
                raise ValueError(
                    f"{what} of model is {its}; allowed: what the run had that is kept here, {mine}"
                )
        return replace(self, module=found.module)

    def as_dict(self) -> dict[str, Any]:
        """Return what a file keeps."""
        names = ("architecture", "shapes", "fixed", "library")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> TorchModel:
        """Return what a file kept, without a module."""
        shapes = tuple((name, tuple(shape)) for name, shape in kept["shapes"])
        return cls(**{**kept, "shapes": shapes})

    # A worker unpickles the module itself, where what goes wrong is heard. And PyTorch's own way of
    # sending tensors to other processes, which shares their memory, is not taken.
    def __getstate__(self) -> dict[str, Any]:
        ready = self.module is None or isinstance(self.module, bytes)
        sent = self.module if ready else pickle.dumps(self.module)
        return {**self.__dict__, "module": sent}


def learned(module: Any) -> list[tuple[str, Any]]:
    """Return names and parameters that are learned, in the order of the flat vector.

    Examples
    --------
    >>> [name for name, _ in learned(imported().nn.Linear(2, 1))]
    ['weight', 'bias']
    """
    return [(name, p) for name, p in module.named_parameters() if p.requires_grad]


def torch_model(
    given: Any, world: ControlWorld, seed: np.random.SeedSequence | None = None
) -> TorchModel:
    """Check a module, and return it as a run takes it.

    Parameters
    ----------
    given : torch.nn.Module, or a function of nothing that makes one, such as a class
        A module is copied, with its parameters; a function is called with PyTorch's chance seeded,
        so that what it makes depends on `seed` alone.
    world : ControlWorld
    seed : SeedSequence, optional

    Raises
    ------
    ImportError
        Where PyTorch is not installed.
    ValueError
        When it is no module, or what its `forward` says does not fit the world.

    Examples
    --------
    >>> from a3c_tut.control import cart_pole
    >>> torch = imported()
    >>> torch_model(torch.nn.Linear(4, 2), cart_pole())
    Traceback (most recent call last):
    ...
    ValueError: forward of Linear returned a Tensor; allowed: a pair, (logits, values)
    """
    torch = imported(given)
    seed = np.random.SeedSequence(0) if seed is None else seed
    with _DRAWING, torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(seed.generate_state(1, np.uint64)[0]))
        module = copy.deepcopy(given) if isinstance(given, torch.nn.Module) else given()
        if not isinstance(module, torch.nn.Module):
            raise ValueError(
                f"model is {short(given)}, which returned {short(module)}; allowed: a "
                "torch.nn.Module, or a function of nothing that returns one"
            )
        module = module.to("cpu", torch.float64).eval()
        said = _checked_heads(module, world)
    _check_gradients(module, said)
    shapes = tuple((name, tuple(p.shape)) for name, p in learned(module))
    return TorchModel(repr(module), shapes, _digest(module), library(), module)


def _digest(module: Any) -> str:
    """Return a digest of what a module is made of and does not learn."""
    names, digest = {name for name, _ in learned(module)}, hashlib.sha256()
    rest = [*module.named_buffers(), *module.named_parameters()]
    for name, tensor in rest:
        if name not in names:
            digest.update(name.encode() + tensor.detach().numpy().tobytes())
    return digest.hexdigest()[:16]


def _checked_heads(module: Any, world: ControlWorld) -> Heads:
    """Return what a module says of two observations, if it fits the world."""
    torch, name, D = imported(), type(module).__name__, world.observation_size
    shown = torch.linspace(0.1, 0.9, 2 * D, dtype=torch.float64).reshape(2, D)
    together = _said(module, shown.clone(), world)
    wanted = (2, world.action_size)
    for what, tensor in zip(_names(world), together, strict=True):
        shape = wanted if what != "values" else (2,)
        if tensor is None:
            continue
        if tuple(tensor.shape) != shape:
            raise ValueError(
                f"{what} of {name} have shape {tuple(tensor.shape)} for {2} observations; "
                f"allowed: {shape}"
            )
        if tensor.dtype != torch.float64:
            raise ValueError(
                f"{what} of {name} are {tensor.dtype}; allowed: torch.float64, as its parameters "
                "and observations are here"
            )
        if not torch.isfinite(tensor).all():
            raise ValueError(
                f"{what} of {name} hold {tensor[~torch.isfinite(tensor)][0].item()}; allowed: "
                "finite numbers"
            )
    for row in range(2):
        alone = _said(module, shown[row : row + 1].clone(), world)
        for what, one, both in zip(_names(world), alone, together, strict=True):
            if one is not None and not (one[0] - both[row]).abs().max() <= _SAME_ROW:
                raise ValueError(
                    f"{what} of {name} differ when an observation is shown alone, or again; "
                    "allowed: a function of the observation and the parameters"
                )
    return together


def _names(world: ControlWorld) -> tuple[str, str, str]:
    return ("mu" if world.continuous else "logits", "log_sigma", "values")


def _said(module: Any, shown: Any, world: ControlWorld) -> Heads:
    """Ask a module, and say what is wrong with the form of its answer."""
    name, size = type(module).__name__, tuple(shown.shape)
    try:
        said = module(shown)
    except Exception as error:
        raise ValueError(
            f"forward of {name} raised {type(error).__name__} for observations of shape {size}, "
            f"float64: {error}; allowed: a module that takes them"
        ) from error
    form = "((mu, log_sigma), values)" if world.continuous else "(logits, values)"
    if not isinstance(said, tuple) or len(said) != 2:
        raise ValueError(
            f"forward of {name} returned a {type(said).__name__}; allowed: a pair, {form}"
        )
    if isinstance(said[0], tuple) != world.continuous or (world.continuous and len(said[0]) != 2):
        raise ValueError(
            f"forward of {name} returned a {type(said[0]).__name__} for the actor; allowed in "
            f"{world.name}: {form}"
        )
    if said[1].numel() != size[0]:
        raise ValueError(
            f"values of {name} have shape {tuple(said[1].shape)} for {size[0]} observations; "
            f"allowed: {(size[0],)} or {(size[0], 1)}"
        )
    try:
        return heads(lambda _: said, shown)
    except RuntimeError:
        raise ValueError(
            f"log_sigma of {name} has shape {tuple(said[0][1].shape)}; allowed: "
            f"{(world.action_size,)} or {tuple(said[0][0].shape)}"
        ) from None


def _check_gradients(module: Any, said: Heads) -> None:
    """Check that there is something to learn, and that all of it has a gradient."""
    torch, name, own = imported(), type(module).__name__, learned(module)
    total = sum(each.sum() for each in said if each is not None)
    if not own or not total.requires_grad:
        raise ValueError(
            f"{name} has {len(own)} parameters that want a gradient, and what forward returns "
            f"has {'one' if total.requires_grad else 'none'}; allowed: some, and a gradient"
        )
    gradients = torch.autograd.grad(total, [p for _, p in own], allow_unused=True)
    for (parameter, _), gradient in zip(own, gradients, strict=True):
        if gradient is None:
            raise ValueError(
                f"parameter {parameter!r} of {name} has no gradient: nothing that forward returns "
                "depends on it; allowed: to use it, or requires_grad_(False)"
            )


def check_library(model: TorchModel) -> None:
    """Make sure that a run can come out bit for bit here.

    Parameters
    ----------
    model : TorchModel, of a result

    Raises
    ------
    ValueError
        When it ran with another version of PyTorch, or on another kind of machine.

    Examples
    --------
    >>> check_library(TorchModel("Net()", (), "", library()))
    >>> try:
    ...     check_library(TorchModel("Net()", (), "", "PyTorch 1.0, x86_64 SSE"))
    ... except ValueError as error:
    ...     print(str(error).split(" is here")[0].split(";")[0][:50])
    library is 'PyTorch 1.0, x86_64 SSE', and 'PyTorch
    """
    here = library()
    if model.library != here:
        raise ValueError(
            f"library is {model.library!r}, and {here!r} is here, whose matrix products may differ "
            "in the last bit; allowed: the same, or train(..., schedule=result.schedule), which "
            "comes out alike and not equal"
        )
