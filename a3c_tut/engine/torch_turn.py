"""One turn of a worker with a PyTorch module: the same sources, with its functions in them.

Rollout, gradient and loop are those of `engine.network_turn` and `engine.outside`, interpreted; in
the places of `forward`, `act` and `accumulate_network_gradient` stand the methods of a
`TorchNetwork`. Random numbers, push, sync, log and journal stay the kernels'.

Bits: a matrix product of PyTorch's may depend on the number of threads, and on where its numbers
lie: of 32 × 32 weights that began 8 bytes further on, 20 products of 20 with a vector came out
different in the last bits. So it computes with one thread, and before each turn the flat vector is
copied into the module's own tensors, all of which PyTorch puts at addresses of one alignment.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from a3c_tut.engine import network_turn
from a3c_tut.engine.network import NetworkRollout, draw
from a3c_tut.engine.outside import Outside, collect_outside, interpreted
from a3c_tut.networks import Layout
from a3c_tut.torch_modules import Heads, TorchModel, heads, imported, learned

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


class TorchNetwork:
    """A module with parameters of its own, as a turn calls it.

    Its methods take what the kernels of the same names take.

    Parameters
    ----------
    model : TorchModel

    Examples
    --------
    >>> from a3c_tut.control import cart_pole
    >>> from a3c_tut.engine.network import make_network_rollout
    >>> from a3c_tut.torch_modules import torch_model
    >>> torch = imported()
    >>> class Net(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.both = torch.nn.Linear(4, 3)
    ...     def forward(self, observations):
    ...         said = self.both(observations)
    ...         return said[:, :2], said[:, 2]
    >>> model = torch_model(Net, cart_pole())
    >>> network, where = TorchNetwork(model), model.layout(cart_pole())
    >>> network.load(np.arange(15.0) / 10)  # biases 1.2, 1.3 and, of the value, 1.4
    >>> rollout = make_network_rollout(1, where)
    >>> network.forward(None, where, rollout, 0)
    >>> round(float(rollout.values[0]), 6)
    1.4
    >>> network.act(None, where, False, 1.0, rollout, 0, np.array([0.9]), 0)
    1
    >>> rollout.policies[0].round(4).tolist(), int(rollout.actions[0])
    ([0.475, 0.525], 1)

    The same two in one call, and the gradient of an advantage of 1:

    >>> network.observe_and_act(None, where, False, 1.0, rollout, 0, np.array([0.9]), 0)
    1
    >>> rollout.advantages[0], gradient = 1.0, np.zeros(15)
    >>> entropy = network.accumulate(None, where, False, rollout, 1, 0.0, 0.5, None, gradient)
    >>> gradient[12:].round(4).tolist(), round(entropy, 2)
    ([-0.475, 0.475, 0.5], 0.69)
    """

    def __init__(self, model: TorchModel):
        self._torch, self._name = imported(model), repr(model)
        self.module = model.new_module()
        self._parameters = [p for _, p in learned(self.module)]
        for each in self._parameters:  # wherever they were sent from: see above, on bits
            each.data = each.detach().clone()
        self._sizes = [p.numel() for p in self._parameters]
        self._outputs: Any = None
        self.log_sigma = np.zeros(0)  # (A,), of the last observation

    def load(self, parameters: NDArray[np.float64]) -> None:
        """Copy a flat vector of parameters into the module.

        Parameters
        ----------
        parameters : (P,)
        """
        pieces = self._torch.tensor(parameters).split(self._sizes)
        with self._torch.no_grad():
            for own, piece in zip(self._parameters, pieces, strict=True):
                own.copy_(piece.view_as(own))

    def forward(self, parameters: Any, where: Layout, rollout: NetworkRollout, t: int) -> None:
        """Write V(s_t); keep what the actor's head reads for `act`.

        Parameters
        ----------
        parameters, where : not used
        rollout, t : as in `engine.network.forward`

        Raises
        ------
        ValueError
            When it is not a number.
        """
        with self._torch.no_grad():
            said = heads(self.module, self._torch.tensor(rollout.observations[t : t + 1]))
        rollout.values[t] = said.values.item()
        self._outputs = said.outputs[0].detach().numpy()
        if said.log_sigma is not None:
            self.log_sigma = said.log_sigma[0].detach().numpy()
        numbers = (rollout.values[t], self._outputs, self.log_sigma)
        if not all(np.isfinite(each).all() for each in numbers):
            raise ValueError(
                f"{self._name} said {numbers} of the observation {rollout.observations[t]}; "
                "allowed: finite numbers"
            )

    def act(
        self, parameters: Any, where: Layout, continuous: bool, action_range: float,
        rollout: NetworkRollout, t: int, uniforms: NDArray[np.float64], cursor: int,
    ) -> int:  # fmt: skip
        """Write the policy of step t, after `forward`, and draw an action.

        Parameters
        ----------
        parameters, where : not used
        continuous, action_range, rollout, t, uniforms, cursor : as in `engine.network.act`
        """
        rollout.outputs[t] = self._outputs
        return draw(continuous, action_range, self.log_sigma, 0, rollout, t, uniforms, cursor)

    def observe_and_act(
        self, parameters: Any, where: Layout, continuous: bool, action_range: float,
        rollout: NetworkRollout, t: int, uniforms: NDArray[np.float64], cursor: int,
    ) -> int:  # fmt: skip
        """Do `forward` and `act`.

        Parameters
        ----------
        parameters, where, continuous, action_range, rollout, t, uniforms, cursor : as there
        """
        self.forward(parameters, where, rollout, t)
        return self.act(parameters, where, continuous, action_range, rollout, t, uniforms, cursor)

    def accumulate(
        self, parameters: Any, where: Layout, continuous: bool, rollout: NetworkRollout,
        length: int, entropy_coef: float, critic_weight: float, room: Any,
        gradient: NDArray[np.float64],
    ) -> float:  # fmt: skip
        """Write the gradient of Equation (2) minus the loss of Equation (3), by autograd.

        Parameters
        ----------
        parameters, where, room : not used
        continuous, rollout, length, entropy_coef, critic_weight, gradient
            As in `engine.network.accumulate_network_gradient`.

        Returns
        -------
        float
            The mean entropy over the steps, in nats.
        """
        tensor = self._torch.tensor
        said = heads(self.module, tensor(rollout.observations[:length]))
        score = self._gaussian if continuous else self._categorical
        log_p, entropy = score(said, rollout, length)
        advantages = tensor(rollout.advantages[:length])
        targets = tensor(rollout.values[:length]) + advantages  # constants
        loss = 0.5 * (targets - said.values) ** 2
        objective = advantages * log_p + entropy_coef * entropy - critic_weight * loss
        # Handed over by value: see the book on what `.grad` does instead.
        gradients = self._torch.autograd.grad(
            objective.sum(), self._parameters, materialize_grads=True
        )
        gradient[:] = self._torch.cat([each.reshape(-1) for each in gradients]).numpy()
        return entropy.detach().mean().item()

    def _categorical(self, said: Heads, rollout: NetworkRollout, length: int) -> tuple[Any, Any]:
        """Return ln π(a_t|s_t) and H(s_t) of actions to choose from, (T,) each."""
        log_pi = self._torch.log_softmax(said.outputs, dim=1)
        chosen = self._torch.tensor(rollout.actions[:length])[:, None]
        return log_pi.gather(1, chosen)[:, 0], -(log_pi.exp() * log_pi).sum(1)

    def _gaussian(self, said: Heads, rollout: NetworkRollout, length: int) -> tuple[Any, Any]:
        """Return ln p(a_t|s_t) and H(s_t) of actions that are numbers, (T,) each."""
        deviation, log_sigma = said.log_sigma.exp(), said.log_sigma
        noise = self._torch.tensor(rollout.noise[:length])
        drawn = (said.outputs + deviation * noise).detach()
        z = (drawn - said.outputs) / deviation
        log_p = -0.5 * z**2 - log_sigma - _HALF_LOG_2PI
        return log_p.sum(1), (log_sigma + 0.5 + _HALF_LOG_2PI).sum(1)


def parts_of_a_turn(network: TorchNetwork, outsides: dict[int, Outside]) -> SimpleNamespace:
    """Return the functions of a turn, of which `prepare` asks a module.

    Parameters
    ----------
    network : TorchNetwork
        One serves all workers of a process: each loads its own parameters first.
    outsides : mapping of worker id to Outside; empty where the world is compiled

    Examples
    --------
    >>> from a3c_tut.engine import turn
    >>> model = TorchModel("Linear()", (), "", "", imported().nn.Linear(1, 1))
    >>> parts_of_a_turn(TorchNetwork(model), {}).push is turn.push
    True
    """
    walk_inside = interpreted(
        network_turn.collect_network_rollout, forward=network.forward, act=network.act
    )
    walk_outside = interpreted(
        collect_outside, observe_and_act=network.observe_and_act, forward=network.forward
    )
    form_gradient = interpreted(
        network_turn.form_gradient, accumulate_network_gradient=network.accumulate
    )

    def prepare(run: Any, index: int) -> Any:
        with one_thread():
            network.load(run.me.theta[index, 0])
            if outsides:
                walk = walk_outside(run, index, outsides[int(run.me.worker[index])])
            else:
                walk = walk_inside(run, index)
            return walk, form_gradient(run, index, walk)

    return SimpleNamespace(**{**vars(network_turn), "prepare": prepare})


def player(network: TorchNetwork) -> Callable[..., float]:
    """Return `network_turn.play_episode` with a module in it.

    Parameters
    ----------
    network : TorchNetwork

    Examples
    --------
    >>> model = TorchModel("Linear()", (), "", "", imported().nn.Linear(1, 1))
    >>> player(TorchNetwork(model)).__name__
    'play_episode'
    """
    return interpreted(network_turn.play_episode, forward=network.forward, act=network.act)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let PyTorch compute with one thread: in the same order everywhere, and safe after a fork.

    Examples
    --------
    >>> with one_thread():
    ...     imported().get_num_threads()
    1
    """
    torch = imported()
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
