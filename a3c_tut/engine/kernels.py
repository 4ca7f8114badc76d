"""The algorithm, one function per equation (Sections 2.1 to 2.3).

Plain Python on arrays: compiled by Numba where Numba is installed, interpreted where it is not,
with the same results bit for bit, on every processor and operating system. That holds because every
function is an explicit loop over `+ - * /` and `sqrt`, which IEEE 754 fixes to the last bit, and
over `exp` and `log` made of them (`engine.portable`); array expressions, `**` and the `exp` of a
maths library round differently from one machine to the next.

Time index, everywhere: a rollout of T steps has states `s_0 .. s_T` (T + 1 of them) and actions
and rewards `0 .. T-1`; `rewards[t]` is the reward that follows `actions[t]`, the r_{t+1} of
Equation (1). Functions write into arrays that the caller made once (no allocation per step) and
index rows instead of slicing them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from a3c_tut.engine.compiling import fetch_early, kernel
from a3c_tut.engine.portable import exp, log

#: Tables of fewer states, some 100 bytes each, are at hand in a core's own cache.
CACHED_STATES = 4096


class WorldArrays(NamedTuple):
    """What a worker needs of a world; `cumulative` is the running sum of the probabilities.

    Examples
    --------
    A coin that shows its second side three times in four:

    >>> coin = WorldArrays(
    ...     next_state=np.zeros((1, 1, 2), np.int32), cumulative=np.array([[[0.25, 1.0]]]),
    ...     reward=np.array([[[0.0, 1.0]]]), terminated=np.ones((1, 1, 2), bool),
    ...     start_states=np.array([0]), start_cumulative=np.array([1.0]),
    ...     max_episode_steps=1, reward_scale=1.0)
    >>> float(np.diff(coin.cumulative[0, 0])[0])
    0.75
    """

    next_state: NDArray[np.int32]  # (S, A, K)
    cumulative: NDArray[np.float64]  # (S, A, K)
    reward: NDArray[np.float64]  # (S, A, K), in the world's own units
    terminated: NDArray[np.bool_]  # (S, A, K)
    start_states: NDArray[np.int64]  # (M,) states in which an episode may begin
    start_cumulative: NDArray[np.float64]  # (M,)
    max_episode_steps: int
    reward_scale: float  # multiplies rewards for learning only


class Rollout(NamedTuple):
    """Room for one rollout of at most n steps.

    Examples
    --------
    Five steps pass through six states:

    >>> room = make_rollout(5, 4)
    >>> len(room.states), len(room.actions), room.policies.shape
    (6, 5, (5, 4))
    """

    states: NDArray[np.int64]  # (n + 1,)
    actions: NDArray[np.int64]  # (n,)
    rewards: NDArray[np.float64]  # (n,), times the reward scale
    policies: NDArray[np.float64]  # (n, A): π(·|s_t) at the time of acting
    log_policies: NDArray[np.float64]  # (n, A)
    advantages: NDArray[np.float64]  # (n,)


class Gradient(NamedTuple):
    """Room for the gradient of one rollout: the rows it touches, each once.

    Examples
    --------
    At most five rows, whatever the number of states; no state has a row yet:

    >>> room = make_gradient(5, 48, 4)
    >>> room.theta.shape, room.V.shape, room.place.shape, int(room.place.max())
    ((5, 4), (5,), (48,), -1)
    """

    rows: NDArray[np.int64]  # (n,): the distinct states, in the order of their first visit
    theta: NDArray[np.float64]  # (n, A): ascent direction of Equation (2), row by row
    V: NDArray[np.float64]  # (n,): descent direction of Equation (3)
    place: NDArray[np.int64]  # (S,): where a state's row stands, −1 if it has none


def make_rollout(n: int, num_actions: int) -> Rollout:
    """Make room for rollouts of at most `n` steps.

    Parameters
    ----------
    n, num_actions : int from 1

    Examples
    --------
    >>> make_rollout(5, 4).policies.shape
    (5, 4)
    """
    return Rollout(
        states=np.zeros(n + 1, dtype=np.int64),
        actions=np.zeros(n, dtype=np.int64),
        rewards=np.zeros(n),
        policies=np.zeros((n, num_actions)),
        log_policies=np.zeros((n, num_actions)),
        advantages=np.zeros(n),
    )


def make_gradient(n: int, num_states: int, num_actions: int) -> Gradient:
    """Make room for the gradients of rollouts of at most `n` steps.

    Parameters
    ----------
    n, num_states, num_actions : int from 1

    Examples
    --------
    >>> make_gradient(5, 48, 4).theta.shape
    (5, 4)
    """
    return Gradient(
        rows=np.zeros(n, dtype=np.int64),
        theta=np.zeros((n, num_actions)),
        V=np.zeros(n),
        place=np.full(num_states, -1, dtype=np.int64),
    )


@kernel
def softmax(theta, state, policies, log_policies, t):  # type: ignore[no-untyped-def]
    """Write π(·|s) = exp θ(s,·) / Σ exp θ(s,b) and its logarithm into row `t` (Section 2.2).

    Subtracting the largest logit first changes nothing in exact arithmetic and keeps `exp` from
    overflowing: logits of ±1000 give exactly 0 and 1.

    Parameters
    ----------
    theta : (S, A) logits
    state : int, the row of `theta`
    policies, log_policies : (n, A), written
    t : int, the row that is written

    Examples
    --------
    >>> p, log_p = np.zeros((1, 2)), np.zeros((1, 2))
    >>> softmax(np.array([[1000.0, -1000.0]]), 0, p, log_p, 0)
    >>> p[0].tolist(), log_p[0].tolist()
    ([1.0, 0.0], [0.0, -2000.0])
    """
    num_actions = theta.shape[1]
    largest = theta[state, 0]
    for a in range(1, num_actions):
        if theta[state, a] > largest:
            largest = theta[state, a]
    total = 0.0
    for a in range(num_actions):
        weight = exp(theta[state, a] - largest)
        policies[t, a] = weight
        total += weight
    log_total = log(total)
    for a in range(num_actions):
        policies[t, a] /= total
        log_policies[t, a] = (theta[state, a] - largest) - log_total


@kernel
def entropy(policies, log_policies, t):  # type: ignore[no-untyped-def]
    """Return H[π] = −Σ π log π of row `t`, in nats; a probability of 0 adds 0 (Equation 2).

    Parameters
    ----------
    policies, log_policies : (n, A)
    t : int

    Examples
    --------
    >>> p = np.array([[0.5, 0.5, 0.0]])
    >>> with np.errstate(divide="ignore"):
    ...     round(float(entropy(p, np.log(p), 0)), 6)
    0.693147
    """
    total = 0.0
    for a in range(policies.shape[1]):
        if policies[t, a] > 0.0:
            total -= policies[t, a] * log_policies[t, a]
    return total


@kernel
def choose(policies, t, uniform):  # type: ignore[no-untyped-def]
    """Return the action that the uniform number picks from row `t`; never one of probability 0.

    Parameters
    ----------
    policies : (n, A)
    t : int
    uniform : float from [0, 1)

    Examples
    --------
    >>> p = np.array([[0.25, 0.0, 0.75]])
    >>> [choose(p, 0, u) for u in (0.0, 0.2499, 0.25, 0.9999)]
    [0, 0, 2, 2]
    """
    cumulative = 0.0
    action = 0
    for a in range(policies.shape[1]):
        if policies[t, a] > 0.0:
            action = a
            cumulative += policies[t, a]
            if uniform < cumulative:
                break
    return action


@kernel
def choose_start(world, uniform):  # type: ignore[no-untyped-def]
    """Return the start state that the uniform number picks.

    Parameters
    ----------
    world : WorldArrays
    uniform : float from [0, 1)

    Examples
    --------
    >>> from a3c_tut import A3CConfig, cliff_world
    >>> from a3c_tut.engine.buffers import world_arrays
    >>> int(choose_start(world_arrays(cliff_world(), A3CConfig()), 0.5))
    36
    """
    m = 0
    while m < world.start_states.shape[0] - 1 and uniform >= world.start_cumulative[m]:
        m += 1
    return world.start_states[m]


@kernel
def step(world, state, action, uniform):  # type: ignore[no-untyped-def]
    """Return (next state, reward, terminated) of the outcome that the uniform number picks.

    Parameters
    ----------
    world : WorldArrays
    state, action : int
    uniform : float from [0, 1)

    Returns
    -------
    next_state, reward, terminated : int, float, bool
        The reward in the world's own units.

    Examples
    --------
    >>> from a3c_tut import A3CConfig, cliff_world
    >>> from a3c_tut.engine.buffers import world_arrays
    >>> cliff = world_arrays(cliff_world(), A3CConfig())
    >>> [float(x) for x in step(cliff, 35, 2, 0.0)]  # down to the goal
    [47.0, -1.0, 1.0]
    """
    k = 0
    while k < world.cumulative.shape[2] - 1 and uniform >= world.cumulative[state, action, k]:
        k += 1
    return (
        world.next_state[state, action, k],
        world.reward[state, action, k],
        world.terminated[state, action, k],
    )


@kernel
def fetch_neighbours(world, theta, state):  # type: ignore[no-untyped-def]
    """Ask for what the next step reads, wherever it leads; nothing changes but the waiting.

    Only in a large world: the tables of a small one are at hand anyway.

    Parameters
    ----------
    world : WorldArrays
    theta : (S, A) logits
    state : int

    Examples
    --------
    >>> from a3c_tut import A3CConfig, cliff_world
    >>> from a3c_tut.engine.buffers import world_arrays
    >>> fetch_neighbours(world_arrays(cliff_world(), A3CConfig()), np.zeros((48, 4)), 36)
    """
    if world.next_state.shape[0] < CACHED_STATES:
        return
    for a in range(world.next_state.shape[1]):
        neighbour = world.next_state[state, a, 0]
        fetch_early(theta, neighbour)
        fetch_early(world.next_state, neighbour)
        fetch_early(world.reward, neighbour)
        fetch_early(world.terminated, neighbour)


@kernel
def collect_rollout(  # type: ignore[no-untyped-def]
    world, theta, state, episode_steps, rollout_length, uniforms, cursor, rollout
):
    """Act for at most n steps with a fixed policy, and stop early where the episode ends.

    Terminated (the world says: it is over) and truncated (the time limit) are two things: what
    follows a terminal state is worth 0, what follows a time limit is worth V of the state that was
    reached.

    Parameters
    ----------
    world : WorldArrays
    theta : (S, A) logits, the worker's local copy (Section 2.1)
    state : int, where the walker stands; ignored at the beginning of an episode
    episode_steps : int, steps of this episode so far; 0: an episode begins here
    rollout_length : int, n
    uniforms : (B,) numbers from [0, 1), the worker's own random stream
    cursor : int, the first that is not used; a step uses one for the action and, in a stochastic
        world, one for the outcome; a start uses one where several start states exist
    rollout : Rollout, written

    Returns
    -------
    length, terminated, truncated, cursor, total_reward : int, bool, bool, int, float
        The steps taken, how the rollout ended, the first unused number, and the sum of the rewards
        in the world's own units.

    Examples
    --------
    Down from the cell above the goal, with a policy that is sure of it:

    >>> from a3c_tut import A3CConfig, cliff_world
    >>> from a3c_tut.engine.buffers import world_arrays
    >>> theta = np.zeros((48, 4)); theta[:, 2] = 1000.0
    >>> rollout = make_rollout(5, 4)
    >>> ended = collect_rollout(
    ...     world_arrays(cliff_world(), A3CConfig()), theta, 35, 1, 5, np.full(9, 0.5), 0, rollout)
    >>> [int(x) for x in ended], rollout.states[:2].tolist()
    ([1, 1, 0, 1, -1], [35, 47])
    """
    if episode_steps == 0:
        uniform = 0.0
        if world.start_states.shape[0] > 1:
            uniform = uniforms[cursor]
            cursor += 1
        state = choose_start(world, uniform)
    rollout.states[0] = state
    length = 0
    total_reward = 0.0
    terminated = False
    truncated = False
    while length < rollout_length and not (terminated or truncated):
        fetch_neighbours(world, theta, state)
        softmax(theta, state, rollout.policies, rollout.log_policies, length)
        action = choose(rollout.policies, length, uniforms[cursor])
        cursor += 1
        uniform = 0.0
        if world.cumulative.shape[2] > 1:
            uniform = uniforms[cursor]
            cursor += 1
        state, reward, terminated = step(world, state, action, uniform)
        rollout.actions[length] = action
        rollout.rewards[length] = reward * world.reward_scale
        total_reward += reward
        length += 1
        rollout.states[length] = state
        out_of_time = episode_steps + length >= world.max_episode_steps
        truncated = out_of_time and not terminated
    return length, terminated, truncated, cursor, total_reward


@kernel
def compute_n_step_advantages(  # type: ignore[no-untyped-def]
    states, rewards, length, terminated, V, gamma, window, advantages
):
    """Write the multi-step advantages of a rollout: Equation (1), Section 2.1.

    A_t = Σ_{k<h} γ^k r_{t+k+1} + γ^h V(s_{t+h}) − V(s_t), where V of a terminal state is 0.

    Which h? The default (`window=0`) is that of Algorithm S3 of Mnih et al. (2016): h = T − t, so
    that every step looks ahead to the same last state s_T. `window=n` is Equation (1) as printed,
    h = n, shortened to T − t where the rollout ends sooner.

    Parameters
    ----------
    states : (≥ T + 1,) ints
    rewards : (≥ T,) floats
    length : int, T
    terminated : bool, whether s_T is terminal
    V : (S,) state values: the worker's own copy (Section 2.1) or the shared one (Listing 1)
    gamma : float, the discount
    window : int, 0 or the fixed n
    advantages : (≥ T,), written

    Examples
    --------
    >>> advantages = np.zeros(3)
    >>> states, rewards = np.array([0, 1, 2, 3]), np.array([-1.0, -1.0, -1.0])
    >>> V = np.array([0.0, 0.0, 0.0, -10.0])
    >>> compute_n_step_advantages(states, rewards, 3, False, V, 1.0, 0, advantages)
    >>> advantages.tolist()
    [-13.0, -12.0, -11.0]
    >>> compute_n_step_advantages(states, rewards, 3, False, V, 1.0, 1, advantages)
    >>> advantages.tolist()
    [-1.0, -1.0, -11.0]
    """
    bootstrap = 0.0 if terminated else V[states[length]]
    if window == 0:
        n_step_return = bootstrap
        for t in range(length - 1, -1, -1):
            n_step_return = rewards[t] + gamma * n_step_return
            advantages[t] = n_step_return - V[states[t]]
    else:
        for t in range(length):
            last = min(t + window, length)
            n_step_return = bootstrap if last == length else V[states[last]]
            for k in range(last - 1, t - 1, -1):
                n_step_return = rewards[k] + gamma * n_step_return
            advantages[t] = n_step_return - V[states[t]]


@kernel
def compute_lambda_advantages(  # type: ignore[no-untyped-def]
    states, rewards, length, terminated, V, gamma, gae_lambda, advantages
):
    """Write generalised advantages (Schulman et al., 2016): a mean over all horizons.

    A_t = δ_t + γλ A_{t+1} with δ_t = r_{t+1} + γ V(s_{t+1}) − V(s_t), where V of a terminal state
    is 0 and A_T = 0. With λ = 1 it is Equation (1), added up in another order; with λ = 0 each step
    looks one step ahead.

    Parameters
    ----------
    states, rewards, length, terminated, V, gamma : as in `compute_n_step_advantages`
    gae_lambda : float from 0 to 1, λ
    advantages : (≥ T,), written

    Examples
    --------
    >>> advantages, V = np.zeros(2), np.array([0.0, -4.0, -10.0])
    >>> states, rewards = np.array([0, 1, 2]), np.array([-1.0, -1.0])
    >>> compute_lambda_advantages(states, rewards, 2, False, V, 1.0, 0.5, advantages)
    >>> advantages.tolist()
    [-8.5, -7.0]
    """
    advantage = 0.0
    following = 0.0 if terminated else V[states[length]]
    for t in range(length - 1, -1, -1):
        value = V[states[t]]
        surprise = rewards[t] + gamma * following - value
        advantage = surprise + gamma * gae_lambda * advantage
        advantages[t] = advantage
        following = value


@kernel
def accumulate_gradients(rollout, length, entropy_coef, gradient):  # type: ignore[no-untyped-def]
    """Sum the gradients of Equations (2) and (3) over a rollout (Section 2.2).

    For softmax logits, ∂ log π(a|s) / ∂θ(s,b) = 1[a=b] − π(b|s) and
    ∂H / ∂θ(s,b) = −π(b|s) (log π(b|s) + H). `theta` is an ascent direction. The critic's loss is
    ½ A², ∂/∂V(s_t) = −A_t; `V` is *minus* that, A_t, because Listing 1 adds it. The advantage is a
    constant in (2), the bootstrap value a constant in (3): nothing flows through either. There is
    no weight γ^t, as in A3C itself.

    Parameters
    ----------
    rollout : Rollout, with its `advantages`
    length : int, T
    entropy_coef : float, β
    gradient : Gradient, written: sums over the visits, one row per distinct state

    Returns
    -------
    num_rows, mean_entropy : int, float
        The number of distinct states, and the mean of H over the steps, in nats.

    Examples
    --------
    One step with π = (½, ½), action 0 and advantage 2:

    >>> rollout, gradient = make_rollout(1, 2), make_gradient(1, 3, 2)
    >>> rollout.policies[:], rollout.log_policies[:], rollout.advantages[0] = 0.5, np.log(0.5), 2.0
    >>> num_rows, mean_entropy = accumulate_gradients(rollout, 1, 0.0, gradient)
    >>> gradient.theta[0].tolist(), gradient.V[0]
    ([1.0, -1.0], np.float64(2.0))
    """
    num_actions = rollout.policies.shape[1]
    num_rows = 0
    total_entropy = 0.0
    for t in range(length):
        state = rollout.states[t]
        row = gradient.place[state]
        if row < 0:
            row = num_rows
            num_rows += 1
            gradient.place[state] = row
            gradient.rows[row] = state
            gradient.V[row] = 0.0
            for b in range(num_actions):
                gradient.theta[row, b] = 0.0
        advantage = rollout.advantages[t]
        h = entropy(rollout.policies, rollout.log_policies, t)
        total_entropy += h
        for b in range(num_actions):
            p = rollout.policies[t, b]
            if p > 0.0:
                gradient.theta[row, b] -= p * advantage + entropy_coef * (
                    p * (rollout.log_policies[t, b] + h)
                )
        gradient.theta[row, rollout.actions[t]] += advantage
        gradient.V[row] += advantage
    for row in range(num_rows):
        gradient.place[gradient.rows[row]] = -1
    return num_rows, total_entropy / length


@kernel
def gradient_norm(gradient, num_rows):  # type: ignore[no-untyped-def]
    """Return the Euclidean norm over both gradients together (Section 2.3).

    Parameters
    ----------
    gradient : Gradient
    num_rows : int, how many of its rows count

    Examples
    --------
    >>> gradient = make_gradient(1, 3, 2)
    >>> gradient.theta[0], gradient.V[0] = (2.0, 1.0), 2.0
    >>> gradient_norm(gradient, 1)
    3.0
    """
    total = 0.0
    for row in range(num_rows):
        total += gradient.V[row] * gradient.V[row]
        for b in range(gradient.theta.shape[1]):
            total += gradient.theta[row, b] * gradient.theta[row, b]
    return math.sqrt(total)


@kernel
def clip_gradients(gradient, num_rows, norm, max_grad_norm):  # type: ignore[no-untyped-def]
    """Shorten the gradient to `max_grad_norm` where it is longer (Section 2.3).

    Parameters
    ----------
    gradient : Gradient, changed
    num_rows : int, how many of its rows count
    norm : float, its `gradient_norm`
    max_grad_norm : float above 0; infinity: no clipping

    Examples
    --------
    >>> gradient = make_gradient(1, 3, 2)
    >>> gradient.theta[0], gradient.V[0] = (2.0, 1.0), 2.0
    >>> clip_gradients(gradient, 1, 3.0, 1.5)
    >>> gradient.theta[0].tolist()
    [1.0, 0.5]
    """
    if norm > max_grad_norm:
        scale = max_grad_norm / norm
        for row in range(num_rows):
            gradient.V[row] *= scale
            for b in range(gradient.theta.shape[1]):
                gradient.theta[row, b] *= scale


@kernel
def is_finite(theta, V, state):  # type: ignore[no-untyped-def]
    """Return whether a state's logits and value are finite numbers: then so is their sum.

    Parameters
    ----------
    theta, V : (S, A) and (S,)
    state : int

    Examples
    --------
    >>> bool(is_finite(np.array([[1.0, -1.0]]), np.array([np.inf]), 0))
    False
    """
    total = V[state]
    for b in range(theta.shape[1]):
        total += theta[state, b]
    return abs(total) < math.inf


@kernel
def apply_sgd(theta, V, gradient, num_rows, actor_lr, critic_lr):  # type: ignore[no-untyped-def]
    """Add the gradient, in place, to the rows it touches: `theta_global += actor_lr * grad_theta`.

    Parameters
    ----------
    theta, V : (S, A) and (S,), the shared parameters
    gradient, num_rows : the gradient and the number of its rows
    actor_lr, critic_lr : floats

    Returns
    -------
    bool
        Whether all new values are finite.

    Examples
    --------
    >>> gradient = make_gradient(1, 1, 2)
    >>> gradient.theta[0], gradient.V[0] = (2.0, 1.0), 2.0
    >>> theta, V = np.zeros((1, 2)), np.zeros(1)
    >>> bool(apply_sgd(theta, V, gradient, 1, 0.5, 0.25))
    True
    >>> theta.tolist(), V.tolist()
    ([[1.0, 0.5]], [0.5])
    """
    finite = True
    for row in range(num_rows):
        state = gradient.rows[row]
        for b in range(theta.shape[1]):
            theta[state, b] += actor_lr * gradient.theta[row, b]
        V[state] += critic_lr * gradient.V[row]
        finite = finite and is_finite(theta, V, state)
    return finite


@kernel
def decay_power(decay, count):  # type: ignore[no-untyped-def]
    """Return decay^count by repeated squaring, the same bits compiled and interpreted.

    Examples
    --------
    >>> decay_power(0.5, 3)
    0.125
    """
    power = 1.0
    while count > 0:
        if count & 1:
            power *= decay
        decay *= decay
        count >>= 1
    return power


@kernel
def apply_rmsprop(  # type: ignore[no-untyped-def]
    theta, V, square_theta, square_V, last_update, now, gradient, num_rows, actor_lr, critic_lr,
    decay, epsilon
):  # fmt: skip
    """Take an RMSprop step, in place, in the rows the gradient touches (Section 2.3).

    As in Mnih et al. (2016): s ← α s + (1 − α) g², θ ← θ + lr · g / sqrt(s + ε), with ε inside the
    root. A row without a gradient only decays, s ← α s, and that can wait: the number of updates
    that a row missed is made up for, α^missed at once, when it is touched again.

    Parameters
    ----------
    theta, V : (S, A) and (S,), the shared parameters
    square_theta, square_V : (S, A) and (S,), the statistics s
    last_update : (S,) ints, the number of the update after which a row's statistics stand
    now : int, the number of this update, from 1
    gradient, num_rows : the gradient (ascent direction) and the number of its rows
    actor_lr, critic_lr, decay, epsilon : floats

    Returns
    -------
    bool
        Whether all new values are finite.

    Examples
    --------
    >>> gradient = make_gradient(1, 1, 1)
    >>> gradient.theta[0], gradient.V[0] = 3.0, 0.0
    >>> theta, V, s, s_V = np.zeros((1, 1)), np.zeros(1), np.zeros((1, 1)), np.zeros(1)
    >>> last = np.zeros(1, int)
    >>> bool(apply_rmsprop(theta, V, s, s_V, last, 1, gradient, 1, 0.5, 0.5, 0.0, 7.0))
    True
    >>> float(theta[0, 0])
    0.375
    """
    finite = True
    for row in range(num_rows):
        state = gradient.rows[row]
        kept = decay * decay_power(decay, now - 1 - last_update[state])
        last_update[state] = now
        for b in range(theta.shape[1]):
            g = gradient.theta[row, b]
            s = kept * square_theta[state, b] + (1.0 - decay) * g * g
            square_theta[state, b] = s
            theta[state, b] += actor_lr * g / math.sqrt(s + epsilon)
        g = gradient.V[row]
        s = kept * square_V[state] + (1.0 - decay) * g * g
        square_V[state] = s
        V[state] += critic_lr * g / math.sqrt(s + epsilon)
        finite = finite and is_finite(theta, V, state)
    return finite
