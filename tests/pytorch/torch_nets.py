"""Modules that the tests bring; worker processes import this file."""

import numpy as np
import torch
from torch import nn

from a3c_tut.networks import MLP


class Net(nn.Module):
    """What a user writes: cart-pole, two layers of 32 neurons."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh())
        self.actor, self.critic = nn.Linear(32, 2), nn.Linear(32, 1)

    def forward(self, observations):
        h = self.body(observations)
        return self.actor(h), self.critic(h)


class Swing(nn.Module):
    """Pendulum: a mean, a spread that depends on what is seen, and a value."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 16), nn.Tanh())
        self.mean, self.spread, self.critic = (nn.Linear(16, 1) for _ in range(3))

    def forward(self, observations):
        h = self.body(observations)
        return (self.mean(h), self.spread(h)), self.critic(h)[:, 0]


class Picture(nn.Module):
    """A grid of pixels: PyTorch's own convolution, of channels first."""

    def __init__(self, rows=6, columns=6):
        super().__init__()
        self.shape = (rows, columns, 3)
        self.convolution = nn.Conv2d(3, 4, 3, padding=1)
        self.actor = nn.Linear(4 * rows * columns, 4)
        self.critic = nn.Linear(4 * rows * columns, 1)

    def forward(self, observations):
        pixels = observations.reshape(-1, *self.shape).permute(0, 3, 1, 2)
        h = torch.tanh(self.convolution(pixels)).flatten(1)
        return self.actor(h), self.critic(h)


class Kernels(nn.Module):
    """The layers of one of our networks, in the order of its flat vector, computed by PyTorch."""

    def __init__(self, where, continuous):
        super().__init__()
        self.where, self.continuous = where, continuous
        self.flat = nn.Parameter(torch.zeros(where.num_parameters, dtype=torch.float64))

    def layer(self, x, at, m, n):
        W = self.flat[at : at + m * n].reshape(m, n)
        return x @ W + self.flat[at + m * n : at + (m + 1) * n]

    def convolved(self, x, at):
        rows, columns, channels = (int(each) for each in self.where.image)
        n = self.where.filters
        W = self.flat[at : at + 9 * channels * n].reshape(3, 3, channels, n).permute(3, 2, 0, 1)
        bias = self.flat[at + 9 * channels * n : at + (9 * channels + 1) * n]
        pixels = x.reshape(-1, rows, columns, channels).permute(0, 3, 1, 2)
        said = nn.functional.conv2d(pixels, W, bias, padding=1)
        return said.permute(0, 2, 3, 1).flatten(1)

    def tower(self, x, places):
        sizes = [int(size) for size in self.where.sizes]
        for layer, at in enumerate(int(place) for place in places):
            if layer == 0 and self.where.filters:
                x = torch.tanh(self.convolved(x, at))
            else:
                x = torch.tanh(self.layer(x, at, sizes[layer], sizes[layer + 1]))
        return x

    def forward(self, observations):
        where, width = self.where, int(self.where.sizes[-1])
        towers = [self.tower(observations, places) for places in where.hidden_at]
        outputs = self.layer(towers[0], where.policy_at, width, where.num_outputs)
        value = self.layer(towers[-1], where.value_at, width, 1)
        if self.continuous:
            return (outputs, self.flat[where.log_sigma_at :]), value
        return outputs, value


def thawed(module, parameters):
    """Return a module of `Kernels` with these parameters in it."""
    with torch.no_grad():
        module.flat.copy_(torch.tensor(np.asarray(parameters)))
    return module


#: A network that PyTorch and the kernels both are asked for.
SAME = MLP(hidden=(16, 16))
