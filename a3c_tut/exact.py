"""Ground truth: what a learner on a `TableWorld` should find, by dynamic programming (Section 5).

Nothing is sampled here and nothing is learned. The optimal values, the values and the state
occupancy of any policy, the true policy gradient and the expected gradient of one A3C rollout
follow from the world's arrays alone, so that everything that samples can be checked against them.

Conventions: the value of what follows a terminated outcome is 0, whatever number a table holds for
the state it leads to. Time limits play no part unless a horizon is given: the values are those of
the world without its limit, which is also what a learner estimates that bootstraps at truncation.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, log
from numbers import Integral
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from a3c_tut.checks import chances, finite, number, of_kind, whole
from a3c_tut.worlds import TableWorld

Floats = NDArray[np.float64]

#: Value iteration stops when no value changes by more, relative to the largest (at least 1).
_TOLERANCE = 1e-12
#: Actions whose values differ by less, relative to the largest (at least 1), count as equally good.
_TIE = 1e-9
#: The search for a balanced policy gives up after so many rounds.
_MOST_ROUNDS = 2_000
#: Without a discount nothing bounds the number of sweeps; this many are tried.
_MOST_UNDISCOUNTED_SWEEPS = 100_000


def optimal_values(world: TableWorld, gamma: float, horizon: int | None = None) -> Floats:
    """Return V*, the best value that any policy reaches in each state, by value iteration.

    Sutton & Barto, equation (4.10), swept over all states at once, starting at V = 0.

    Parameters
    ----------
    world : TableWorld
        The world.
    gamma : float
        The discount per step, from 0 to 1.
    horizon : int from 0, optional
        Count the rewards of so many steps only. With γ = 1 and the world's
        `max_episode_steps` these are the returns of episodes. Default: all steps to come.

    Returns
    -------
    (S,) floats
        In the world's own units. With a horizon, a sweep is a step. Without, the last sweep changed
        no value by more than 1e-12 (relative to the largest value, where that exceeds 1); for γ < 1
        the error is at most γ/(1 − γ) times that.

    Raises
    ------
    ValueError
        When gamma is not a number from 0 to 1, or is 1, without a horizon, and the values do not
        settle: an endless loop that pays has no finite value. When the horizon is no whole number
        from 0.

    Examples
    --------
    The shortest path along the cliff takes 13 steps.

    >>> from a3c_tut.worlds import cliff_world
    >>> float(optimal_values(cliff_world(), gamma=1.0)[36])
    -13.0
    >>> round(float(optimal_values(cliff_world(), gamma=0.99)[36]), 4)
    -12.2479
    >>> float(optimal_values(cliff_world(), gamma=1.0, horizon=5)[36])
    -5.0
    """
    of_kind("world", world, "TableWorld")
    gamma = _checked_gamma(gamma)
    values = np.zeros(world.num_states)
    pay, onward, next_state = _expected_reward(world), _continuing(world, gamma), world.next_state

    def backed_up(values: Floats) -> Floats:
        """Return the best values with one more step to go: equation (4.10)."""
        return np.asarray(_look_ahead(pay, onward, next_state, values).max(axis=1))

    if horizon is not None:
        return _repeated(backed_up, values, horizon)
    most = _MOST_UNDISCOUNTED_SWEEPS
    sweep, change = 0, 0.0
    while sweep < most:
        improved = backed_up(values)
        change = float(np.abs(improved - values).max())
        values = improved
        sweep += 1
        if change <= _TOLERANCE * max(1.0, float(np.abs(values).max())):
            return values
        if sweep == 1 and gamma < 1.0:
            # Each sweep shrinks the change by γ at least, so that this many must be enough.
            most = 3 + ceil(log(_TOLERANCE / max(1.0, change)) / log(max(gamma, 1e-12)))
    raise ValueError(
        f"gamma is {gamma}: the optimal values of {world.name} still change by {change:.3g} after "
        f"{sweep} sweeps; allowed: below 1, or 1 with a horizon or where no endless loop pays"
    )


def action_values(world: TableWorld, values: ArrayLike, gamma: float) -> Floats:
    """Return Q(s, a): the expected reward of an action plus the discounted value of what follows.

    One step of look-ahead, Sutton & Barto, equation (4.6).

    Parameters
    ----------
    world : TableWorld
        The world.
    values : (S,) floats
        The value of each state. Nothing follows a terminated outcome: there 0 is used instead.
    gamma : float
        The discount per step, from 0 to 1.

    Returns
    -------
    (S, A) floats
        In the world's own units.

    Raises
    ------
    ValueError
        When gamma is not a number from 0 to 1, or the values have the wrong shape or are not
        finite.

    Examples
    --------
    >>> from a3c_tut.worlds import corridor_world
    >>> action_values(corridor_world(3), [0.25, 0.5, 99.0], gamma=0.5)
    array([[0.125, 0.25 ],
           [0.125, 1.   ],
           [0.   , 0.   ]])
    """
    of_kind("world", world, "TableWorld")
    gamma = _checked_gamma(gamma)
    table = finite("values", values, (world.num_states,))
    return _look_ahead(_expected_reward(world), _continuing(world, gamma), world.next_state, table)


def optimal_action_values(world: TableWorld, gamma: float) -> Floats:
    """Return Q*(s, a): the value of each action when all that follows is optimal.

    Sutton & Barto, equation (4.6) at `optimal_values`.

    Parameters
    ----------
    world : TableWorld
        The world.
    gamma : float
        The discount per step, from 0 to 1.

    Returns
    -------
    (S, A) floats
        In the world's own units; the largest of a row is V*(s).

    Raises
    ------
    ValueError
        As `optimal_values` does.

    Examples
    --------
    In the start of the cliff-world: up, right (into the cliff), down and left (against the wall).

    >>> from a3c_tut.worlds import cliff_world
    >>> optimal_action_values(cliff_world(), gamma=1.0)[36].tolist()
    [-13.0, -113.0, -14.0, -14.0]
    """
    return action_values(world, optimal_values(world, gamma), gamma)


def optimal_policy(world: TableWorld, gamma: float) -> Floats:
    """Return an optimal policy; actions that are equally good share the probability equally.

    Sharing shows in a figure where there is a choice. It also keeps every action that makes
    progress: at γ = 1 a step against the wall may tie with the way to the goal, and a policy that
    took only the first of them would never arrive. `greedy_policy` of the result takes the first.

    Parameters
    ----------
    world : TableWorld
        The world.
    gamma : float
        The discount per step, from 0 to 1.

    Returns
    -------
    (S, A) floats
        Rows sum to 1. Actions tie when their values differ by less than 1e-9 (relative to the
        largest value, where that exceeds 1).

    Raises
    ------
    ValueError
        As `optimal_values` does.

    Examples
    --------
    In the upper left corner of a sparse grid, right and down are equally good.

    >>> from a3c_tut.worlds import sparse_grid_world
    >>> optimal_policy(sparse_grid_world(3, 3), gamma=0.9)[0].tolist()
    [0.0, 0.5, 0.5, 0.0]
    """
    table = optimal_action_values(world, gamma)
    best = table.max(axis=1, keepdims=True)
    ties = table >= best - _TIE * max(1.0, float(np.abs(table).max()))
    return np.asarray(ties / ties.sum(axis=1, keepdims=True))


def greedy_policy(preferences: ArrayLike) -> Floats:
    """Return the deterministic policy that takes the most preferred action of each state.

    Sutton & Barto, equation (4.9). The first action wins a tie.

    Parameters
    ----------
    preferences : (S, A) floats
        Action values, logits or a policy: what is largest in a row is taken.

    Returns
    -------
    (S, A) floats
        A single 1 in each row.

    Raises
    ------
    ValueError
        When the preferences are no table or not finite.

    Examples
    --------
    >>> greedy_policy([[0.2, 0.8], [0.5, 0.5]])
    array([[0., 1.],
           [1., 0.]])
    """
    table = finite("preferences", preferences)
    if table.ndim != 2 or 0 in table.shape:
        raise ValueError(
            f"preferences has shape {table.shape}; allowed: (states, actions), each at least 1"
        )
    policy = np.zeros_like(table)
    policy[np.arange(len(table)), table.argmax(axis=1)] = 1.0
    return policy


def softmax_policy(theta: ArrayLike) -> Floats:
    """Return π(a|s), proportional to the exponential of the logit θ[s, a].

    Sutton & Barto, equation (13.2). The largest logit of a row is subtracted first, so that no
    exponential overflows.

    Parameters
    ----------
    theta : (S, A) floats
        The logits; any finite size.

    Returns
    -------
    (S, A) floats
        Rows sum to 1.

    Raises
    ------
    ValueError
        When theta is no table or not finite.

    Examples
    --------
    >>> softmax_policy([[0.0, 0.0], [1000.0, -1000.0]])
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    logits = finite("theta", theta)
    if logits.ndim != 2 or 0 in logits.shape:
        raise ValueError(
            f"theta has shape {logits.shape}; allowed: (states, actions), each at least 1"
        )
    weight = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))


def policy_values(
    world: TableWorld, policy: ArrayLike, gamma: float, horizon: int | None = None
) -> Floats:
    """Return V^π: the expected discounted return from each state under a policy.

    The Bellman equation V = r_π + γ P_π V (Sutton & Barto, equation (4.4)), solved as the linear
    system it is. P_π counts only the steps after which the episode goes on.

    Parameters
    ----------
    world : TableWorld
        The world.
    policy : (S, A) floats
        π(a|s); rows sum to 1.
    gamma : float
        The discount per step, from 0 to 1.
    horizon : int from 0, optional
        Count the rewards of so many steps only. With γ = 1 and the world's
        `max_episode_steps` these are the returns of episodes. Default: all steps to come.

    Returns
    -------
    (S,) floats
        In the world's own units.

    Raises
    ------
    ValueError
        When an argument is not allowed, or gamma is 1, without a horizon, and there is a state from
        which the episode never ends: nothing then bounds the sum of its rewards.

    Examples
    --------
    >>> from a3c_tut.worlds import cliff_world
    >>> world = cliff_world()
    >>> uniform = np.full((48, 4), 0.25)
    >>> round(float(policy_values(world, uniform, gamma=0.99)[36]), 3)
    -1072.236
    >>> float(policy_values(world, uniform, gamma=1.0, horizon=1)[36])
    -25.75
    """
    of_kind("world", world, "TableWorld")
    gamma = _checked_gamma(gamma)
    table = _policy(world, policy)
    matrix = world.transition_matrix(table)
    pay = (table * _expected_reward(world)).sum(axis=1)
    if horizon is not None:
        return _repeated(lambda V: pay + gamma * (matrix @ V), np.zeros(len(pay)), horizon)
    if gamma == 1.0:
        stuck = ~_can_end(world, table, matrix)
        if stuck.any():
            raise _never_ends(int(stuck.argmax()))
    return _solve(np.eye(world.num_states) - gamma * matrix, pay)


def state_occupancy(world: TableWorld, policy: ArrayLike, gamma: float) -> Floats:
    """Return the discounted number of steps that an episode is expected to spend in each state.

    The sum over t of γ^t P(s_t = s) from the world's start states, which Sutton & Barto call η in
    equation (9.2). An episode that has ended is nowhere: a state that is only ever entered by
    ending has 0.

    Parameters
    ----------
    world : TableWorld
        The world.
    policy : (S, A) floats
        π(a|s); rows sum to 1.
    gamma : float
        The discount per step, from 0 to 1.

    Returns
    -------
    (S,) floats
        In steps. At γ = 1 they sum to the expected length of an episode.

    Raises
    ------
    ValueError
        When gamma or the policy is not allowed, or gamma is 1 and an episode can come to a state
        from which it never ends.

    Examples
    --------
    A uniform policy wanders about the cliff-world for thousands of steps:

    >>> from a3c_tut.worlds import cliff_world
    >>> uniform = np.full((48, 4), 0.25)
    >>> int(state_occupancy(cliff_world(), uniform, gamma=1.0).sum().round())
    6453
    """
    of_kind("world", world, "TableWorld")
    gamma = _checked_gamma(gamma)
    table = _policy(world, policy)
    matrix = world.transition_matrix(table)
    # Where no episode comes, an endless loop does no harm: those states are left out.
    visited = _spread(world.start > 0.0, matrix.T)
    if gamma == 1.0:
        stuck = visited & ~_can_end(world, table, matrix)
        if stuck.any():
            raise _never_ends(int(stuck.argmax()))
    among = matrix[np.ix_(visited, visited)]
    occupancy = np.zeros(world.num_states)
    occupancy[visited] = _solve(np.eye(len(among)) - gamma * among.T, world.start[visited])
    return occupancy


def policy_gradient(world: TableWorld, theta: ArrayLike, gamma: float) -> Floats:
    """Return the true gradient of J(θ), the expected discounted return from the start states.

    The policy gradient theorem (Sutton & Barto, equation (13.5)) for a softmax policy: entry (s, a)
    is d(s) π(a|s) (Q^π(s, a) − V^π(s)), where d is the discounted `state_occupancy`. It has the
    weights γ^t that A3C leaves out, and no entropy bonus; what A3C samples instead is
    `expected_rollout_gradient`.

    Parameters
    ----------
    world : TableWorld
        The world.
    theta : (S, A) floats
        The logits of the policy.
    gamma : float
        The discount per step, from 0 to 1.

    Returns
    -------
    (S, A) floats
        The direction of ascent, in the world's own units per unit of logit.

    Raises
    ------
    ValueError
        When gamma or theta is not allowed, or gamma is 1 and the policy never ends an episode.

    Examples
    --------
    In the start of the cliff-world, before anything is learned: up, right, down, left.

    >>> from a3c_tut.worlds import cliff_world
    >>> policy_gradient(cliff_world(), np.zeros((48, 4)), gamma=0.99)[36].round(2)
    array([ 489.96, -626.39,   68.21,   68.21])
    """
    of_kind("world", world, "TableWorld")
    policy = softmax_policy(finite("theta", theta, (world.num_states, world.num_actions)))
    values = policy_values(world, policy, gamma)
    advantages = action_values(world, values, gamma) - values[:, None]
    occupancy = state_occupancy(world, policy, gamma)
    return np.asarray(occupancy[:, None] * policy * advantages)


def expected_rollout_gradient(
    world: TableWorld,
    theta: ArrayLike,
    V: ArrayLike,
    n: int,
    gamma: float,
    beta: float,
    window: int | None = None,
    start: ArrayLike | None = None,
) -> tuple[Floats, Floats]:
    """Return the expectation of what one A3C rollout accumulates (Equations (1), (2) and (3)).

    The rollout takes T steps: n, or fewer when the episode terminates first. Step t looks ahead to
    `s_T`, or to `s_{t+window}` if that comes earlier, and bootstraps there with V, or with 0 after
    termination. The gradients of the steps are summed, without weights γ^t; nothing flows through
    the advantage in Equation (2), nothing through the bootstrap value in Equation (3).

    The start distribution is carried forward step by step; nothing is sampled. Time limits are
    ignored: truncation cuts a rollout short, and then the expectation is another one.

    Parameters
    ----------
    world : TableWorld
        The world.
    theta : (S, A) floats
        The logits of the policy.
    V : (S,) floats
        The critic's values, in the world's own units.
    n : int
        The length of a rollout, in steps; at least 1.
    gamma : float
        The discount per step, from 0 to 1.
    beta : float
        The entropy coefficient of Equation (2), at least 0.
    window : int, optional
        The fixed n that Equation (1) prints, in steps, at least 1. Default: look ahead to the end
        of the rollout.
    start : (S,) floats, optional
        The distribution of the rollout's first state. Default: the world's own. A rollout from the
        middle of an episode starts elsewhere.

    Returns
    -------
    grad_theta : (S, A) floats
        The ascent direction of Equation (2).
    grad_V : (S,) floats
        *Minus* the gradient of Equation (3): the sum of A_t over the visits of a state.

    Raises
    ------
    ValueError
        When an argument is not allowed; the message names it, its value and what is allowed.

    Examples
    --------
    Five steps from the start of the cliff-world, before anything is learned:

    >>> from a3c_tut.worlds import cliff_world
    >>> grad_theta, grad_V = expected_rollout_gradient(
    ...     cliff_world(), np.zeros((48, 4)), np.zeros(48), n=5, gamma=0.99, beta=0.0)
    >>> grad_theta[36].round(1)
    array([ 39.9, -69.6,  14.9,  14.9])
    """
    of_kind("world", world, "TableWorld")
    logits = finite("theta", theta, (world.num_states, world.num_actions))
    values = finite("V", V, (world.num_states,))
    n = whole("n", n, 1)
    reach = n if window is None else whole("window", window, 1)
    gamma = _checked_gamma(gamma)
    beta = number("beta", beta, "a finite number from 0", lambda x: x >= 0)
    first = world.start if start is None else chances("start", start, (world.num_states,))

    policy = softmax_policy(logits)
    bonus = beta * _entropy_gradient(policy)
    matrix = world.transition_matrix(policy)
    pay, onward = _expected_reward(world), _continuing(world, gamma)
    # returns[m - 1] is the (S, A) table of the expected m-step returns that bootstrap with V.
    returns: list[Floats] = []
    beyond = values
    for _ in range(min(reach, n)):
        returns.append(_look_ahead(pay, onward, world.next_state, beyond))
        beyond = (policy * returns[-1]).sum(axis=1)

    grad_theta, grad_V = np.zeros_like(logits), np.zeros_like(values)
    alive = np.array(first)  # P(s_t = s and the rollout still runs)
    for t in range(n):
        table = returns[min(reach, n - t) - 1]
        mean = (policy * table).sum(axis=1)
        # Averaged over the action, grad log π(a|s) A becomes π(b) (Q(b) − mean Q): a baseline that
        # does not depend on the action, V(s) too, drops out.
        grad_theta += alive[:, None] * (policy * (table - mean[:, None]) + bonus)
        grad_V += alive * (mean - values)
        alive = alive @ matrix
    return grad_theta, grad_V


def balanced_policy(
    world: TableWorld, gamma: float, beta: float, reward_scale: float = 1.0
) -> Floats:
    """Return a policy at which Equation (2) is in balance in every state (Section 5).

    The expected update of the logits of a state is π(a) (A^π(a) − β (log π(a) + H)). It is zero for
    all actions exactly when π(a|s) is proportional to exp(Q^π(s, a) / β): the entropy bonus spreads
    the choice among actions that are worth about the same, and hardly touches those that cost much
    more. Found by applying that equation again and again, halfway each time, from the uniform
    policy.

    Parameters
    ----------
    world : TableWorld
        The world.
    gamma : float
        The discount per step, from 0 to 1.
    beta : float
        The entropy coefficient of Equation (2), above 0.
    reward_scale : float
        What the learner multiplies rewards by: β counts against scaled rewards.

    Returns
    -------
    (S, A) floats
        Rows sum to 1. No probability is further than 1e-9 from what the balance demands.

    Raises
    ------
    ValueError
        When an argument is not allowed, or the balance is not found.

    Examples
    --------
    With the coefficient and the scale of the default configuration, the edge is still the way:

    >>> from a3c_tut.worlds import cliff_world
    >>> policy = balanced_policy(cliff_world(), gamma=0.99, beta=0.01, reward_scale=0.1)
    >>> greedy_path(cliff_world(), policy).total_return
    -13.0
    """
    of_kind("world", world, "TableWorld")
    above_0 = "a finite number above 0"
    temperature = number("beta", beta, above_0, lambda x: x > 0)
    temperature /= number("reward_scale", reward_scale, above_0, lambda x: x > 0)
    policy = np.full((world.num_states, world.num_actions), 1.0 / world.num_actions)
    for _ in range(_MOST_ROUNDS):
        table = action_values(world, policy_values(world, policy, gamma), gamma)
        demanded = softmax_policy(table / temperature)
        if float(np.abs(demanded - policy).max()) <= _TIE:
            return policy
        policy += 0.5 * (demanded - policy)
    raise ValueError(f"beta is {beta}: no balance after {_MOST_ROUNDS} rounds; allowed: larger")


class GreedyPath(NamedTuple):
    """The way of a deterministic walk: what `greedy_path` returns.

    Attributes
    ----------
    states : list of int
        The states, the first and the last included: one more than there are steps.
    total_return : float
        The sum of the rewards, undiscounted, in the world's own units.
    terminated : bool
        Whether the walk came to a terminal state within its steps.

    Examples
    --------
    >>> GreedyPath(states=[0, 1], total_return=1.0, terminated=True).total_return
    1.0
    """

    states: list[int]
    total_return: float
    terminated: bool


def greedy_path(
    world: TableWorld,
    policy: ArrayLike,
    max_steps: int | None = None,
    start: int | None = None,
) -> GreedyPath:
    """Follow the most probable action of each state until the episode ends (Section 5).

    Parameters
    ----------
    world : TableWorld
        The world. Where the walk passes it must be deterministic; elsewhere it need not be.
    policy : (S, A) floats
        π(a|s); rows sum to 1. Of equally probable actions the first is taken.
    max_steps : int, optional
        Where to stop a walk that goes round in circles. Default: the world's time limit.
    start : int, optional
        The first state. Default: the world's own, if it has only one.

    Returns
    -------
    GreedyPath
        The states, the undiscounted return, and whether the walk ended in a terminal state.

    Raises
    ------
    ValueError
        When an argument is not allowed, the world has several start states and none is given, or
        the walk comes to an action with a random outcome: such a policy has no one path, and
        `policy_values` is the answer.

    Examples
    --------
    >>> from a3c_tut.worlds import cliff_world
    >>> world = cliff_world()
    >>> path = greedy_path(world, optimal_policy(world, gamma=0.99))
    >>> path.states[:3], len(path.states) - 1, path.total_return, path.terminated
    ([36, 24, 25], 13, -13.0, True)
    """
    of_kind("world", world, "TableWorld")
    table = _policy(world, policy)
    limit = world.max_episode_steps if max_steps is None else whole("max_steps", max_steps, 1)
    if start is None:
        possible = np.flatnonzero(world.start)
        if len(possible) > 1:
            raise ValueError(
                f"start is None, but {world.name} has {len(possible)} start states; "
                "allowed: one of its states"
            )
        state = int(possible[0])
    else:
        is_index = isinstance(start, Integral) and not isinstance(start, bool)
        if not is_index or not 0 <= start < world.num_states:
            raise ValueError(f"start is {start!r}; allowed: 0 to {world.num_states - 1}")
        state = int(start)

    states, total, terminated = [state], 0.0, False
    while not terminated and len(states) <= limit:
        action = int(table[state].argmax())
        outcomes = np.flatnonzero(world.probability[state, action])
        if len(outcomes) > 1:
            raise ValueError(
                f"world is {world.name}, where action {action} in state {state} has "
                f"{len(outcomes)} outcomes; allowed: one wherever the greedy path passes"
            )
        chosen = (state, action, int(outcomes[0]))
        total += float(world.reward[chosen])
        terminated = bool(world.terminated[chosen])
        state = int(world.next_state[chosen])
        states.append(state)
    return GreedyPath(states, total, terminated)


def safe_detour(world: TableWorld) -> float | None:
    """Return what the way pays that keeps far from a cliff: up, along the edge, down to the goal.

    Parameters
    ----------
    world : TableWorld

    Returns
    -------
    float or None
        Without a discount. None where there is no cliff, or where that way is held up or does not
        end in a goal.

    Examples
    --------
    >>> from a3c_tut.worlds import cliff_world, sparse_grid_world
    >>> safe_detour(cliff_world()), safe_detour(sparse_grid_world())
    (-17.0, None)
    """
    if world.grid_shape is None or "C" not in world.marks.values():
        return None
    rows, columns = world.grid_shape
    state, total, last = int(world.start.argmax()), 0.0, False
    for action in np.repeat([0, 1, 2], [rows - 1, columns - 1, rows - 1]):
        here, state = state, int(world.next_state[state, action, 0])
        if last or state == here:  # over before its end, or held up by a wall
            return None
        total += float(world.reward[here, action, 0])
        last = bool(world.terminated[here, action, 0])
    return total if last and world.marks.get(state) == "G" else None


def _expected_reward(world: TableWorld) -> Floats:
    """Return the (S, A) expected reward of each action."""
    return np.asarray((world.probability * world.reward).sum(axis=2))


def _repeated(sweep: Callable[[Floats], Floats], values: Floats, horizon: int) -> Floats:
    """Return the values of so many steps to go: as many sweeps, or as many as change anything."""
    for _ in range(whole("horizon", horizon, 0)):
        improved = sweep(values)
        if np.array_equal(improved, values):
            break
        values = improved
    return values


def _continuing(world: TableWorld, gamma: float) -> Floats:
    """Return (S, A, K) weights of the values that follow: none after a terminated outcome."""
    return np.asarray(gamma * world.probability * ~world.terminated)


def _look_ahead(
    pay: Floats, onward: Floats, next_state: NDArray[np.int32], values: Floats
) -> Floats:
    """Return Q(s, a) from the parts that do not change from sweep to sweep."""
    return np.asarray(pay + (onward * values[next_state]).sum(axis=2))


def _entropy_gradient(policy: Floats) -> Floats:
    """Return dH(s)/dθ[s, a] = −π(a|s) (log π(a|s) + H(s)); 0 where the probability is 0."""
    log_policy = np.log(np.where(policy > 0.0, policy, 1.0))
    entropy = -(policy * log_policy).sum(axis=1, keepdims=True)
    return np.asarray(-policy * (log_policy + entropy))


def _spread(reached: NDArray[np.bool_], matrix: Floats) -> NDArray[np.bool_]:
    """Add the states with a nonzero entry to a reached one, until none is left to add."""
    linked = matrix > 0.0
    while True:
        further = reached | (linked & reached).any(axis=1)
        if (further == reached).all():
            return further
        reached = further


def _can_end(world: TableWorld, policy: Floats, matrix: Floats) -> NDArray[np.bool_]:
    """Return in which states an episode can still end."""
    ends = (policy[:, :, None] * world.probability * world.terminated).sum(axis=(1, 2)) > 0.0
    return _spread(ends, matrix)


def _never_ends(state: int) -> ValueError:
    return ValueError(
        f"gamma is 1, but under this policy an episode never ends from state {state}; "
        "allowed: below 1, or a policy that can end the episode from every state it comes to"
    )


def _solve(matrix: Floats, right: Floats) -> Floats:
    """Solve a linear system, or say why it has no answer in floating point."""
    try:
        solution = np.asarray(np.linalg.solve(matrix, right), dtype=np.float64)
    except np.linalg.LinAlgError:
        solution = np.full_like(right, np.nan)
    if not np.isfinite(solution).all():
        raise ValueError(
            "gamma is 1, and under this policy an episode ends too rarely to be told from never; "
            "allowed: below 1, or a policy that ends its episodes"
        )
    return solution


def _policy(world: TableWorld, policy: ArrayLike) -> Floats:
    return chances("policy", policy, (world.num_states, world.num_actions), ("state",))


def _checked_gamma(gamma: float) -> float:
    return number("gamma", gamma, "a number from 0 to 1", lambda x: 0.0 <= x <= 1.0)
