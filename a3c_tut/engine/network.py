"""A network's equations, one function each (Section 3.3).

Kernels like all others: explicit loops whose order is fixed, over `+ - * /`, `sqrt` and our own
`exp` and `tanh`. The inner loop runs over a layer's outputs, so that a compiler may do several at
once without changing the order in which anything is added.

Parameters are one flat vector; `networks.Layout` says where each layer stands. Functions take the
vector and a place in it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from a3c_tut.engine.compiling import called, kernel
from a3c_tut.engine.kernels import choose, entropy, softmax
from a3c_tut.engine.portable import cos, exp, log, tanh
from a3c_tut.networks import Layout

_HALF_LOG_2PI = 0.9189385332046727  # ½ ln 2π


class NetworkRollout(NamedTuple):
    """Room for one rollout of at most n steps of a worker with a network.

    Examples
    --------
    >>> from a3c_tut.control import cart_pole
    >>> from a3c_tut.networks import MLP, layout
    >>> room = make_network_rollout(5, layout(MLP(), cart_pole()))
    >>> room.observations.shape, room.hidden.shape, room.outputs.shape
    ((6, 4), (1, 6, 64), (5, 2))
    """

    states: NDArray[np.int64]  # (n + 1,): 0 … n, the rollout's own numbers
    observations: NDArray[np.float64]  # (n + 1, D)
    hidden: NDArray[np.float64]  # (towers, n + 1, H): what the hidden neurons said
    outputs: NDArray[np.float64]  # (n, A): logits, or a Gaussian's means
    policies: NDArray[np.float64]  # (n, A): π(·|s_t), where there are actions to choose from
    log_policies: NDArray[np.float64]  # (n, A)
    actions: NDArray[np.int64]  # (n,)
    noise: NDArray[np.float64]  # (n, A): (a − μ)/σ of a Gaussian's actions
    force: NDArray[np.float64]  # (A,): the action as the world takes it, within its range
    rewards: NDArray[np.float64]  # (n,), times the reward scale
    values: NDArray[np.float64]  # (n + 1,): V(s_t)
    advantages: NDArray[np.float64]  # (n,)


def make_network_rollout(n: int, where: Layout) -> NetworkRollout:
    """Make room for rollouts of at most `n` steps.

    Parameters
    ----------
    n : int from 1
    where : Layout

    Examples
    --------
    >>> from a3c_tut.control import pendulum
    >>> from a3c_tut.networks import MLP, layout
    >>> make_network_rollout(8, layout(MLP(), pendulum())).noise.shape
    (8, 1)
    """
    A = where.num_outputs
    return NetworkRollout(
        states=np.arange(n + 1, dtype=np.int64),
        observations=np.zeros((n + 1, int(where.sizes[0]))),
        hidden=np.zeros((len(where.hidden_at), n + 1, where.num_hidden)),
        outputs=np.zeros((n, A)),
        policies=np.zeros((n, A)),
        log_policies=np.zeros((n, A)),
        actions=np.zeros(n, dtype=np.int64),
        noise=np.zeros((n, A)),
        force=np.zeros(A),
        rewards=np.zeros(n),
        values=np.zeros(n + 1),
        advantages=np.zeros(n),
    )


@kernel
def dense(parameters, at, x, x_at, m, y, y_at, n):  # type: ignore[no-untyped-def]
    """Write y_j = b_j + Σ_i x_i W_ij, the sums of a dense layer.

    Parameters
    ----------
    parameters : (P,)
    at : int, where the layer begins: m · n weights, row by row, then n biases
    x, x_at, m : the array that holds the inputs, their place in it and how many they are
    y, y_at, n : the same for the outputs, written

    Examples
    --------
    Two inputs, two outputs, W = [[1, 2], [3, 4]], b = [10, 20]:

    >>> y = np.zeros(2)
    >>> dense(np.array([1.0, 2, 3, 4, 10, 20]), 0, np.array([1.0, 1]), 0, 2, y, 0, 2)
    >>> y.tolist()
    [14.0, 26.0]
    """
    for j in range(n):
        y[y_at + j] = parameters[at + m * n + j]
    for i in range(m):
        x_i = x[x_at + i]
        row = at + i * n
        for j in range(n):
            y[y_at + j] += x_i * parameters[row + j]


@kernel
def dense_gradient(gradient, at, x, x_at, m, delta, n):  # type: ignore[no-untyped-def]
    """Add ∂/∂W_ij = x_i δ_j and ∂/∂b_j = δ_j, where δ is the gradient of the layer's sums.

    Parameters
    ----------
    gradient : (P,), added to
    at : int, where the layer begins
    x, x_at, m : the array that holds the inputs, their place in it and how many they are
    delta, n : (≥ n,) and their number

    Examples
    --------
    >>> gradient = np.zeros(6)
    >>> dense_gradient(gradient, 0, np.array([1.0, 2]), 0, 2, np.array([10.0, 20]), 2)
    >>> gradient.tolist()
    [10.0, 20.0, 20.0, 40.0, 10.0, 20.0]
    """
    for i in range(m):
        x_i = x[x_at + i]
        row = at + i * n
        for j in range(n):
            gradient[row + j] += x_i * delta[j]
    for j in range(n):
        gradient[at + m * n + j] += delta[j]


@kernel
def dense_backward(turned, at, m, n, delta, below):  # type: ignore[no-untyped-def]
    """Write ∂/∂x_i = Σ_j W_ij δ_j, the gradient of a layer's inputs.

    Parameters
    ----------
    turned : (P,), with the layer's weights column by column; see `turn_weights`
    at, m, n : int, where the layer begins; its inputs and outputs
    delta : (≥ n,), the gradient of its sums
    below : (≥ m,), written

    Examples
    --------
    W = [[1, 2], [3, 4]], turned:

    >>> below = np.zeros(2)
    >>> dense_backward(np.array([1.0, 3, 2, 4, 0, 0]), 0, 2, 2, np.array([1.0, 10]), below)
    >>> below.tolist()
    [21.0, 43.0]
    """
    for i in range(m):
        below[i] = 0.0
    for j in range(n):
        delta_j = delta[j]
        column = at + j * m
        for i in range(m):
            below[i] += turned[column + i] * delta_j


@kernel
def convolve(parameters, at, x, image, y, n):  # type: ignore[no-untyped-def]
    """Write y_rcf = b_f + Σ x_{r+i, c+j, k} W_ijkf over the 3 × 3 pixels around each pixel.

    The same weights at every pixel; beyond the edge everything is 0.

    Parameters
    ----------
    parameters : (P,)
    at : int, where the layer begins: 9 · channels · n weights, the filter's number last, n biases
    x : (rows · columns · channels,), the image
    image : (3,), its rows, columns and channels
    y : (≥ rows · columns · n,), written
    n : int, the number of filters

    Examples
    --------
    One filter that adds up a pixel and its right neighbour:

    >>> parameters, y = np.zeros(10), np.zeros(3)
    >>> parameters[4:6] = 1.0  # the middle of the filter, and right of it
    >>> convolve(parameters, 0, np.array([1.0, 2.0, 4.0]), np.array([1, 3, 1]), y, 1)
    >>> y.tolist()
    [3.0, 6.0, 4.0]
    """
    rows, columns, channels = image[0], image[1], image[2]
    for r in range(rows):
        for c in range(columns):
            here = (r * columns + c) * n
            for f in range(n):
                y[here + f] = parameters[at + 9 * channels * n + f]
            for i in range(3):
                for j in range(3):
                    row, column = r + i - 1, c + j - 1
                    if 0 <= row < rows and 0 <= column < columns:
                        for k in range(channels):
                            x_k = x[(row * columns + column) * channels + k]
                            w = at + ((3 * i + j) * channels + k) * n
                            for f in range(n):
                                y[here + f] += x_k * parameters[w + f]


@kernel
def convolve_gradient(gradient, at, x, image, delta, n):  # type: ignore[no-untyped-def]
    """Add the gradient of `convolve`: at every pixel x δ, all to the same weights.

    Parameters
    ----------
    gradient : (P,), added to
    at, x, image, n : as in `convolve`
    delta : (≥ rows · columns · n,), the gradient of its sums

    Examples
    --------
    >>> gradient = np.zeros(10)
    >>> convolve_gradient(
    ...     gradient, 0, np.array([1.0, 2.0, 4.0]), np.array([1, 3, 1]), np.ones(3), 1)
    >>> gradient[4], gradient[5], gradient[9]  # 1 + 2 + 4, 2 + 4, and three pixels
    (np.float64(7.0), np.float64(6.0), np.float64(3.0))
    """
    rows, columns, channels = image[0], image[1], image[2]
    for r in range(rows):
        for c in range(columns):
            here = (r * columns + c) * n
            for i in range(3):
                for j in range(3):
                    row, column = r + i - 1, c + j - 1
                    if 0 <= row < rows and 0 <= column < columns:
                        for k in range(channels):
                            x_k = x[(row * columns + column) * channels + k]
                            w = at + ((3 * i + j) * channels + k) * n
                            for f in range(n):
                                gradient[w + f] += x_k * delta[here + f]
            for f in range(n):
                gradient[at + 9 * channels * n + f] += delta[here + f]


@kernel
def turn_weights(parameters, where, turned):  # type: ignore[no-untyped-def]
    """Write the weights of the upper hidden layers column by column: once a rollout.

    Parameters
    ----------
    parameters : (P,)
    where : Layout
    turned : (P,), written at the same places

    Examples
    --------
    >>> from a3c_tut.control import cart_pole
    >>> from a3c_tut.networks import MLP, layout
    >>> where = layout(MLP(hidden=(2, 2)), cart_pole())
    >>> turned = np.zeros(where.num_parameters)
    >>> turn_weights(np.arange(float(where.num_parameters)), where, turned)
    >>> turned[10:14].tolist()  # the second layer's weights are 10, 11, 12, 13
    [10.0, 12.0, 11.0, 13.0]
    """
    for tower in range(where.hidden_at.shape[0]):
        for layer in range(1, where.hidden_at.shape[1]):
            m, n, at = where.sizes[layer], where.sizes[layer + 1], where.hidden_at[tower, layer]
            for i in range(m):
                for j in range(n):
                    turned[at + j * m + i] = parameters[at + i * n + j]


@kernel
def hidden_layers(parameters, where, tower, observation, hidden):  # type: ignore[no-untyped-def]
    """Write what the hidden neurons of a tower say: tanh of their sums, layer by layer.

    Parameters
    ----------
    parameters : (P,)
    where : Layout
    tower : int
    observation : (D,)
    hidden : (H,), written: the layers one after the other

    Examples
    --------
    >>> from a3c_tut.control import cart_pole
    >>> from a3c_tut.networks import MLP, layout
    >>> where, said = layout(MLP(hidden=(1,)), cart_pole()), np.zeros(1)
    >>> parameters = np.zeros(where.num_parameters); parameters[4] = 0.5  # the bias
    >>> hidden_layers(parameters, where, 0, np.zeros(4), said)
    >>> round(float(said[0]), 6)
    0.462117
    """
    begin = 0
    for layer in range(where.hidden_at.shape[1]):
        m, n, at = where.sizes[layer], where.sizes[layer + 1], where.hidden_at[tower, layer]
        if layer == 0 and where.filters > 0:
            convolve(parameters, at, observation, where.image, hidden, where.filters)
        elif layer == 0:
            dense(parameters, at, observation, 0, m, hidden, 0, n)
        else:
            dense(parameters, at, hidden, begin, m, hidden, begin + m, n)
            begin += m
        for j in range(n):
            hidden[begin + j] = tanh(hidden[begin + j])


@called
def forward(parameters, where, rollout, t):  # type: ignore[no-untyped-def]
    """Write V(s_t) from the observation, and all that the hidden neurons say of it.

    Parameters
    ----------
    parameters : (P,)
    where : Layout
    rollout : NetworkRollout, with the observation of step `t`
    t : int

    Examples
    --------
    >>> from a3c_tut.control import cart_pole
    >>> from a3c_tut.networks import MLP, layout
    >>> where = layout(MLP(), cart_pole())
    >>> rollout, parameters = make_network_rollout(5, where), np.zeros(where.num_parameters)
    >>> parameters[where.value_at + 32] = 0.5  # the critic's bias
    >>> forward(parameters, where, rollout, 0)
    >>> float(rollout.values[0])
    0.5
    """
    towers = where.hidden_at.shape[0]
    for tower in range(towers):
        hidden_layers(parameters, where, tower, rollout.observations[t], rollout.hidden[tower, t])
    if where.hidden_at.shape[1] == 0:
        last, begin, width = rollout.observations[t], 0, where.sizes[0]
    else:
        last, width = rollout.hidden[towers - 1, t], where.sizes[-1]
        begin = last.shape[0] - width
    dense(parameters, where.value_at, last, begin, width, rollout.values, t, 1)


@called
def act(parameters, where, continuous, action_range, rollout, t, uniforms, cursor):  # type: ignore[no-untyped-def]
    """Write π(·|s_t) and draw an action; return the first random number that is not used.

    Parameters
    ----------
    parameters : (P,)
    where : Layout
    continuous : bool, whether actions are numbers; then they are drawn from a Gaussian
    action_range : float, the largest number that the world takes
    rollout : NetworkRollout, after `forward` of step `t`
    t : int
    uniforms : (B,) numbers from [0, 1)
    cursor : int, the first that is not used

    Examples
    --------
    >>> from a3c_tut.control import cart_pole
    >>> from a3c_tut.networks import MLP, layout
    >>> where = layout(MLP(), cart_pole())
    >>> rollout, parameters = make_network_rollout(5, where), np.zeros(where.num_parameters)
    >>> forward(parameters, where, rollout, 0)
    >>> act(parameters, where, False, 1.0, rollout, 0, np.array([0.7]), 0)
    1
    >>> rollout.policies[0].tolist(), int(rollout.actions[0])
    ([0.5, 0.5], 1)
    """
    width, n = where.sizes[-1], where.num_outputs
    if where.hidden_at.shape[1] == 0:
        last, begin = rollout.observations[t], 0
    else:
        last = rollout.hidden[0, t]
        begin = last.shape[0] - width
    dense(parameters, where.policy_at, last, begin, width, rollout.outputs[t], 0, n)
    return draw(
        continuous, action_range, parameters, where.log_sigma_at, rollout, t, uniforms, cursor
    )


@kernel
def draw(continuous, action_range, log_sigma, at, rollout, t, uniforms, cursor):  # type: ignore[no-untyped-def]
    """Draw an action from what the actor's last layer says; return the first number not used.

    Parameters
    ----------
    continuous : bool, whether actions are numbers; then they are drawn from a Gaussian
    action_range : float, the largest number that the world takes
    log_sigma, at : the array that holds ln σ, and its place in it; not read of actions to choose
    rollout : NetworkRollout, with its `outputs` of step `t`
    t : int
    uniforms : (B,) numbers from [0, 1)
    cursor : int, the first that is not used

    Examples
    --------
    >>> from a3c_tut.control import pendulum
    >>> from a3c_tut.networks import MLP, layout
    >>> rollout = make_network_rollout(1, layout(MLP(), pendulum()))
    >>> rollout.outputs[0] = 5.0  # the mean
    >>> draw(True, 2.0, np.zeros(1), 0, rollout, 0, np.array([0.5, 0.0]), 0)
    2
    >>> round(float(rollout.noise[0, 0]), 4), float(rollout.force[0])  # z, and what the world takes
    (1.1774, 2.0)
    """
    if not continuous:
        softmax(rollout.outputs, t, rollout.policies, rollout.log_policies, t)
        rollout.actions[t] = choose(rollout.policies, t, uniforms[cursor])
        return cursor + 1
    for a in range(rollout.outputs.shape[1]):
        z = gaussian(uniforms[cursor], uniforms[cursor + 1])
        cursor += 2
        rollout.noise[t, a] = z
        sampled = rollout.outputs[t, a] + sigma(log_sigma[at + a]) * z
        rollout.force[a] = min(max(sampled, -action_range), action_range)
    return cursor


@called
def observe_and_act(  # type: ignore[no-untyped-def]
    parameters, where, continuous, action_range, rollout, t, uniforms, cursor
):
    """Do `forward` and `act` in one call, for loops that are interpreted.

    Parameters
    ----------
    parameters, where, continuous, action_range, rollout, t, uniforms, cursor : as in `act`

    Examples
    --------
    >>> from a3c_tut.control import cart_pole
    >>> from a3c_tut.networks import MLP, layout
    >>> where = layout(MLP(), cart_pole())
    >>> rollout, parameters = make_network_rollout(5, where), np.zeros(where.num_parameters)
    >>> observe_and_act(parameters, where, False, 1.0, rollout, 0, np.array([0.2]), 0)
    1
    >>> int(rollout.actions[0])
    0
    """
    forward(parameters, where, rollout, t)
    return act(parameters, where, continuous, action_range, rollout, t, uniforms, cursor)


@kernel
def gaussian(u, v):  # type: ignore[no-untyped-def]
    """Return a standard normal number made of two uniform ones (Box and Muller, 1958).

    Parameters
    ----------
    u, v : float from [0, 1)

    Examples
    --------
    >>> round(float(gaussian(1.0 - math.exp(-0.5), 0.0)), 6)
    1.0
    """
    return math.sqrt(2.0 * log(1.0 / (1.0 - u))) * cos(2.0 * math.pi * v)


@kernel
def sigma(log_sigma):  # type: ignore[no-untyped-def]
    """Return e^log σ, for either sign: our `exp` takes what is not above 0.

    Examples
    --------
    >>> sigma(0.0), round(float(sigma(math.log(2.0))), 12)
    (1.0, 2.0)
    """
    return exp(log_sigma) if log_sigma <= 0.0 else 1.0 / exp(-log_sigma)


@kernel
def gaussian_log_probability(z, log_sigma):  # type: ignore[no-untyped-def]
    """Return ln p(a) = −½ z² − ln σ − ½ ln 2π of the number a = μ + σ z.

    As it was drawn: that the world cuts it to its range is the world's affair.

    Parameters
    ----------
    z : float, (a − μ)/σ
    log_sigma : float

    Examples
    --------
    μ = 0.5, σ = 0.8, a = 1.2:

    >>> round(float(gaussian_log_probability(0.7 / 0.8, math.log(0.8))), 6)
    -1.078607
    """
    return -0.5 * z * z - log_sigma - _HALF_LOG_2PI


@kernel
def gaussian_entropy(log_sigma):  # type: ignore[no-untyped-def]
    """Return H = ln σ + ½ ln 2πe of a Gaussian, in nats.

    Examples
    --------
    >>> round(float(gaussian_entropy(math.log(0.8))), 6)
    1.195795
    """
    return log_sigma + 0.5 + _HALF_LOG_2PI


@kernel
def actor_delta(parameters, where, continuous, rollout, t, entropy_coef, delta):  # type: ignore[no-untyped-def]
    """Write the gradient of Equation (2) at the actor's outputs of step t; return the entropy.

    Discrete: A (1[a = b] − π_b) − β π_b (ln π_b + H), as in a table. Gaussian: A z/σ for the means,
    because ∂ ln p/∂μ = (a − μ)/σ². What log σ gets, A (z² − 1) + β, stands in `delta` behind them.

    Parameters
    ----------
    parameters : (P,)
    where : Layout
    continuous : bool
    rollout : NetworkRollout, with its `advantages`
    t : int
    entropy_coef : float, β
    delta : (≥ 2 A,), written

    Examples
    --------
    π = (½, ½), action 0, advantage 2:

    >>> from a3c_tut.control import cart_pole
    >>> from a3c_tut.networks import MLP, layout
    >>> where, delta = layout(MLP(), cart_pole()), np.zeros(4)
    >>> rollout = make_network_rollout(1, where)
    >>> rollout.policies[:], rollout.log_policies[:], rollout.advantages[0] = 0.5, np.log(0.5), 2.0
    >>> h = actor_delta(np.zeros(where.num_parameters), where, False, rollout, 0, 0.0, delta)
    >>> delta[:2].tolist()
    [1.0, -1.0]
    """
    advantage, n = rollout.advantages[t], where.num_outputs
    if not continuous:
        h = entropy(rollout.policies, rollout.log_policies, t)
        for b in range(n):
            p = rollout.policies[t, b]
            delta[b] = 0.0
            if p > 0.0:
                delta[b] = -(p * advantage + entropy_coef * (p * (rollout.log_policies[t, b] + h)))
        delta[rollout.actions[t]] += advantage
        return h
    h = 0.0
    for a in range(n):
        z, log_sigma = rollout.noise[t, a], parameters[where.log_sigma_at + a]
        delta[a] = advantage * z / sigma(log_sigma)
        delta[n + a] = advantage * (z * z - 1.0) + entropy_coef
        h += gaussian_entropy(log_sigma)
    return h


@kernel
def backward_tower(  # type: ignore[no-untyped-def]
    where, turned, tower, observation, hidden, delta, below, gradient
):
    """Carry the gradient of a tower's last hidden neurons down through its layers.

    Parameters
    ----------
    where : Layout
    turned : (P,), from `turn_weights`
    tower : int
    observation, hidden : (D,) and (H,), what the layers read and said
    delta : (≥ widest layer,), the gradient of what the last hidden neurons said; changed
    below : room like `delta`
    gradient : (P,), added to

    Examples
    --------
    One neuron that says 0, whose tanh has slope 1:

    >>> from a3c_tut.control import cart_pole
    >>> from a3c_tut.networks import MLP, layout
    >>> where = layout(MLP(hidden=(1,)), cart_pole())
    >>> gradient, observation = np.zeros(where.num_parameters), np.array([1.0, 2, 3, 4])
    >>> backward_tower(where, gradient, 0, observation, np.zeros(1), np.array([10.0]), np.zeros(4),
    ...                gradient)
    >>> gradient[:5].tolist()
    [10.0, 20.0, 30.0, 40.0, 10.0]
    """
    begin = hidden.shape[0]
    for layer in range(where.hidden_at.shape[1] - 1, -1, -1):
        m, n, at = where.sizes[layer], where.sizes[layer + 1], where.hidden_at[tower, layer]
        begin -= n
        for j in range(n):
            said = hidden[begin + j]
            delta[j] *= 1.0 - said * said
        if layer == 0 and where.filters > 0:
            convolve_gradient(gradient, at, observation, where.image, delta, where.filters)
        elif layer == 0:
            dense_gradient(gradient, at, observation, 0, m, delta, n)
        else:
            dense_gradient(gradient, at, hidden, begin - m, m, delta, n)
            dense_backward(turned, at, m, n, delta, below)
            for i in range(m):
                delta[i] = below[i]


@called
def accumulate_network_gradient(  # type: ignore[no-untyped-def]
    parameters, where, continuous, rollout, length, entropy_coef, critic_weight, room, gradient
):
    """Sum the gradients of Equations (2) and (3) over a rollout, by backpropagation.

    One vector holds actor and critic, so the critic's part carries its weight, the ratio of the two
    step sizes: ascent on Equation (2), descent on Equation (3), as in a table. Without a hidden
    layer the biases stay as they are, so that what sees a state as a one-hot vector is a table.

    Parameters
    ----------
    parameters : (P,)
    where : Layout
    continuous : bool
    rollout : NetworkRollout, with its `advantages`
    length : int, T
    entropy_coef, critic_weight : float
    room : Backward
    gradient : (P,), written

    Returns
    -------
    float
        The mean entropy over the steps, in nats.

    Examples
    --------
    No advantage, no entropy bonus, no gradient:

    >>> from a3c_tut.control import cart_pole
    >>> from a3c_tut.networks import MLP, layout
    >>> where = layout(MLP(), cart_pole())
    >>> rollout, gradient = make_network_rollout(1, where), np.ones(where.num_parameters)
    >>> rollout.policies[:], rollout.log_policies[:] = 0.5, np.log(0.5)
    >>> h = accumulate_network_gradient(
    ...     gradient.copy(), where, False, rollout, 1, 0.0, 1.0, make_backward(where), gradient)
    >>> float(np.abs(gradient).max())
    0.0
    """
    for i in range(gradient.shape[0]):
        gradient[i] = 0.0
    turn_weights(parameters, where, room.turned)
    layers, towers, n = where.hidden_at.shape[1], where.hidden_at.shape[0], where.num_outputs
    width = where.sizes[-1]
    total_entropy = 0.0
    for t in range(length):
        outputs = room.outputs
        total_entropy += actor_delta(
            parameters, where, continuous, rollout, t, entropy_coef, outputs
        )
        room.value[0] = critic_weight * rollout.advantages[t]
        for tower in range(towers):
            if layers == 0:
                last, begin = rollout.observations[t], 0
            else:
                last = rollout.hidden[tower, t]
                begin = last.shape[0] - width
            for i in range(width):
                room.delta[i] = 0.0
            if tower == 0:
                dense_gradient(gradient, where.policy_at, last, begin, width, outputs, n)
                for i in range(width):
                    for b in range(n):
                        room.delta[i] += parameters[where.policy_at + i * n + b] * outputs[b]
            if tower == towers - 1:
                dense_gradient(gradient, where.value_at, last, begin, width, room.value, 1)
                for i in range(width):
                    room.delta[i] += parameters[where.value_at + i] * room.value[0]
            backward_tower(
                where, room.turned, tower, rollout.observations[t], rollout.hidden[tower, t],
                room.delta, room.below, gradient,
            )  # fmt: skip
        if continuous:
            for a in range(n):
                gradient[where.log_sigma_at + a] += outputs[n + a]
    if layers == 0:
        for b in range(n):
            gradient[where.policy_at + width * n + b] = 0.0
        gradient[where.value_at + width] = 0.0
    return total_entropy / length


class Backward(NamedTuple):
    """Room for backpropagation through one step.

    Examples
    --------
    >>> from a3c_tut.control import cart_pole
    >>> from a3c_tut.networks import MLP, layout
    >>> make_backward(layout(MLP(hidden=(32, 16)), cart_pole())).delta.shape
    (32,)
    """

    turned: NDArray[np.float64]  # (P,): weights column by column
    outputs: NDArray[np.float64]  # (2 A,): the gradient of the actor's outputs, and of log σ
    value: NDArray[np.float64]  # (1,): that of the value
    delta: NDArray[np.float64]  # (widest,): that of a layer's sums
    below: NDArray[np.float64]  # (widest,): that of its inputs


def make_backward(where: Layout) -> Backward:
    """Make room for backpropagation.

    Parameters
    ----------
    where : Layout

    Examples
    --------
    >>> from a3c_tut.control import pendulum
    >>> from a3c_tut.networks import MLP, layout
    >>> make_backward(layout(MLP(), pendulum())).outputs.shape
    (2,)
    """
    widest = int(where.sizes.max())
    return Backward(
        np.zeros(where.num_parameters), np.zeros(2 * where.num_outputs), np.zeros(1),
        np.zeros(widest), np.zeros(widest),
    )  # fmt: skip
