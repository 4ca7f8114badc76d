"""PyTorch's automatic gradients as a yardstick for the backward passes written by hand."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="no PyTorch: `make test-torch` brings it")

from torch.distributions import Categorical, Normal  # noqa: E402
from torch_nets import Kernels, thawed  # noqa: E402

from a3c_tut import sparse_grid_world  # noqa: E402
from a3c_tut.control import as_image, cart_pole, pendulum  # noqa: E402
from a3c_tut.engine import network  # noqa: E402
from a3c_tut.engine.torch_turn import TorchNetwork  # noqa: E402
from a3c_tut.networks import MLP, Convolutional, layout  # noqa: E402
from a3c_tut.torch_modules import torch_model  # noqa: E402

pytestmark = pytest.mark.torch

#: Of the largest number: both add some hundred numbers of about 1, each in an order of its own.
TOLERANCE = 1e-13


def drawn(*shape, seed=0):
    return torch.tensor(np.random.default_rng(seed).normal(size=shape), requires_grad=True)


def same(ours, theirs):
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    assert np.abs(theirs).max() > 0.01
    assert np.abs(ours - theirs).max() <= TOLERANCE * np.abs(theirs).max()


def flat(*tensors):
    return np.concatenate([each.detach().numpy().ravel() for each in tensors])


@pytest.mark.parametrize("m, n", [(1, 1), (5, 3), (32, 7)])
def test_a_dense_layer(m, n):
    x, W, b, delta = drawn(m, seed=1), drawn(m, n, seed=2), drawn(n, seed=3), drawn(n, seed=4)
    said = x @ W + b
    y, gradient, below = np.zeros(n), np.zeros((m + 1) * n), np.zeros(m)
    network.dense(flat(W, b), 0, flat(x), 0, m, y, 0, n)
    network.dense_gradient(gradient, 0, flat(x), 0, m, flat(delta), n)
    network.dense_backward(np.r_[flat(W.T), flat(b)], 0, m, n, flat(delta), below)
    same(y, said.detach())
    by_x, by_W, by_b = torch.autograd.grad(said, (x, W, b), delta)
    same(gradient, flat(by_W, by_b))
    same(below, by_x)


@pytest.mark.parametrize("rows, columns, channels, n", [(1, 1, 1, 1), (4, 3, 2, 5), (2, 7, 3, 4)])
def test_a_convolution(rows, columns, channels, n):
    x = drawn(rows, columns, channels, seed=1)
    W, b, delta = (
        drawn(3, 3, channels, n, seed=2),
        drawn(n, seed=3),
        drawn(rows, columns, n, seed=4),
    )
    image = np.array([rows, columns, channels])
    said = torch.nn.functional.conv2d(
        x.permute(2, 0, 1)[None], W.permute(3, 2, 0, 1), b, padding=1
    )[0].permute(1, 2, 0)
    y, gradient = np.zeros(rows * columns * n), np.zeros((9 * channels + 1) * n)
    network.convolve(flat(W, b), 0, flat(x), image, y, n)
    network.convolve_gradient(gradient, 0, flat(x), image, flat(delta), n)
    same(y, flat(said))
    same(gradient, flat(*torch.autograd.grad(said, (W, b), delta)))


@pytest.mark.parametrize("entropy_coef", [0.0, 0.4])
@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_the_head_of_a_categorical_actor(scale, entropy_coef):
    """Against PyTorch's own distribution: softmax, ln π, entropy and what they make of A_t."""
    where = layout(MLP(), cart_pole())
    rollout, delta = network.make_network_rollout(1, where), np.zeros(4)
    logits = (scale * drawn(2, seed=5)).detach().requires_grad_()
    rollout.outputs[0], rollout.advantages[0] = logits.detach().numpy(), -1.7
    network.draw(False, 1.0, np.zeros(0), 0, rollout, 0, np.array([0.3]), 0)
    rollout.actions[0] = rollout.policies[0].argmin()  # of the other little is to be learned
    entropy = network.actor_delta(
        np.zeros(where.num_parameters), where, False, rollout, 0, entropy_coef, delta
    )
    actor = Categorical(logits=logits)
    chosen = torch.tensor(int(rollout.actions[0]))
    objective = -1.7 * actor.log_prob(chosen) + entropy_coef * actor.entropy()
    same(delta[:2], torch.autograd.grad(objective, logits)[0])
    assert entropy == pytest.approx(actor.entropy().item(), rel=1e-12)


@pytest.mark.parametrize("entropy_coef", [0.0, 0.4])
def test_the_head_of_a_gaussian_actor(entropy_coef):
    where, log_sigma = layout(MLP(), pendulum()), drawn(1, seed=6)
    rollout, delta, mean = network.make_network_rollout(1, where), np.zeros(2), drawn(1, seed=7)
    parameters = np.zeros(where.num_parameters)
    parameters[where.log_sigma_at] = log_sigma.item()
    rollout.outputs[0], rollout.advantages[0] = mean.detach().numpy(), 2.3
    network.draw(True, 2.0, parameters, where.log_sigma_at, rollout, 0, np.array([0.3, 0.9]), 0)
    entropy = network.actor_delta(parameters, where, True, rollout, 0, entropy_coef, delta)
    actor = Normal(mean, log_sigma.exp())
    number = (mean + log_sigma.exp() * float(rollout.noise[0, 0])).detach()
    objective = 2.3 * actor.log_prob(number).sum() + entropy_coef * actor.entropy().sum()
    same(delta, flat(*torch.autograd.grad(objective, (mean, log_sigma))))
    assert entropy == pytest.approx(actor.entropy().item(), rel=1e-12)


PICTURE = as_image(sparse_grid_world(3, 4))
WHOLE = {
    "one layer": (MLP(hidden=(5,)), cart_pole()),
    "shared": (MLP(hidden=(32, 32)), cart_pole()),
    "separate": (MLP(hidden=(6, 5), shared=False), cart_pole()),
    "Gaussian": (MLP(hidden=(7, 4)), pendulum()),
    "Gaussian, separate": (MLP(hidden=(9,), shared=False), pendulum()),
    "convolution": (Convolutional(hidden=(5,), filters=3), PICTURE),
    "two convolutions": (Convolutional(hidden=(), filters=2, shared=False), PICTURE),
}


@pytest.mark.parametrize("name", WHOLE)
def test_the_whole_loss_with_entropy(name):
    """By hand, by PyTorch with distributions of its own, and as a turn with a module forms it."""
    model, world = WHOLE[name]
    where, rng, length, beta, weight = layout(model, world), np.random.default_rng(8), 6, 0.3, 0.7
    module = Kernels(where, world.continuous)
    parameters = rng.normal(0.0, 0.4, where.num_parameters)
    rollout = network.make_network_rollout(length, where)
    rollout.observations[:] = rng.normal(size=rollout.observations.shape)
    cursor, uniforms = 0, rng.random(4 * length)
    for t in range(length):
        cursor = network.observe_and_act(
            parameters, where, world.continuous, 1.0, rollout, t, uniforms, cursor
        )
    rollout.advantages[:] = rng.normal(size=length)
    ours, turns = np.zeros(where.num_parameters), np.zeros(where.num_parameters)
    entropy = network.accumulate_network_gradient(
        parameters, where, world.continuous, rollout, length, beta, weight,
        network.make_backward(where), ours,
    )  # fmt: skip

    outputs, values = thawed(module, parameters)(torch.tensor(rollout.observations[:length]))
    advantages = torch.tensor(rollout.advantages)
    if world.continuous:
        mean, log_sigma = outputs
        actor = Normal(mean, log_sigma.exp())
        taken = (mean + log_sigma.exp() * torch.tensor(rollout.noise)).detach()
        log_p, entropies = actor.log_prob(taken).sum(1), actor.entropy().sum(1)
    else:
        actor = Categorical(logits=outputs)
        log_p, entropies = actor.log_prob(torch.tensor(rollout.actions)), actor.entropy()
    targets = (values[:, 0] + advantages).detach()
    loss = 0.5 * (targets - values[:, 0]) ** 2
    objective = (advantages * log_p + beta * entropies - weight * loss).sum()
    same(ours, torch.autograd.grad(objective, module.flat)[0])
    assert entropy == pytest.approx(entropies.mean().item(), rel=1e-12)

    turn = TorchNetwork(torch_model(module, world))
    turn.load(parameters)
    told = turn.accumulate(None, None, world.continuous, rollout, length, beta, weight, None, turns)
    same(turns, ours)
    assert told == pytest.approx(entropy, rel=1e-12)
