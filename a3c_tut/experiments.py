"""Many seeds: what the book's claims are measured with (Section 5).

The kernels run without the interpreter lock, so threads use every core, and what they return does
not depend on how many there are.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import fields, replace
from statistics import NormalDist
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from a3c_tut.checks import array_of_numbers, chances, finite, number, of_kind, short, whole
from a3c_tut.config import A3CConfig
from a3c_tut.control import OUTSIDE
from a3c_tut.engine.motion import control_arrays, numbers_for
from a3c_tut.engine.network import make_network_rollout
from a3c_tut.engine.network_turn import play_episode
from a3c_tut.engine.outside import Outside
from a3c_tut.engine.torch_turn import player
from a3c_tut.exact import greedy_path
from a3c_tut.names import check_names
from a3c_tut.results import NetworkResult, TrainingResult
from a3c_tut.training import train
from a3c_tut.worlds import TableWorld

Measure = TypeVar("Measure")


def run_seeds(
    world: TableWorld,
    config: A3CConfig | None = None,
    *,
    seeds: Sequence[int],
    measure: Callable[[TrainingResult], Measure],
    max_threads: int | None = None,
    progress: bool = False,
    **asked: Any,
) -> list[Measure]:
    """Train once per seed, on all cores, and keep one measurement of each run.

    Parameters
    ----------
    world, config : as in `train`
    seeds : sequence of int
    measure : function of a TrainingResult
        What to keep of a run; the run itself is dropped.
    max_threads : int, optional
        Default: the number of cores.
    progress : bool
        Show a progress bar.
    **asked
        Further arguments of `train`, such as `total_steps`.

    Returns
    -------
    list
        One measurement per seed, in the order of the seeds.

    Raises
    ------
    ValueError
        For a setting out of range, before the first run.

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> run_seeds(cliff_world(), seeds=[3, 4], total_steps=600, measure=lambda run: run.seed)
    [3, 4]
    """
    of_kind("world", world, "TableWorld")
    from tqdm.auto import tqdm

    seeds = _several(seeds)
    if max_threads is not None:
        whole("max_threads", max_threads, 1, also="None or ")

    def one(seed: int) -> Measure:
        return measure(train(world, config, seed=seed, **asked))

    with ThreadPoolExecutor(max_threads or os.cpu_count()) as pool:
        runs = pool.map(one, seeds)
        return list(tqdm(runs, total=len(seeds), unit="run", disable=not progress))


def _several(seeds: Any) -> Sequence[int]:
    if isinstance(seeds, (int, np.integer)):
        seeds = short(seeds)
        raise ValueError(f"seeds is {seeds}; allowed: a sequence of seeds, such as range({seeds})")
    try:
        return list(seeds)
    except TypeError:
        raise ValueError(f"seeds is {short(seeds)}; allowed: a sequence of seeds") from None


def each_seed(function: Callable[[int], Measure], seeds: Sequence[int]) -> list[Measure]:
    """Call a function once per seed, on all cores; `run_seeds` for what is not one run.

    Parameters
    ----------
    function : of one seed
    seeds : sequence of int

    Returns
    -------
    list
        What the function returned, in the order of the seeds.

    Examples
    --------
    >>> each_seed(lambda seed: seed + 1, [3, 4])
    [4, 5]
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(function, seeds))


def moving_average(values: ArrayLike, window: int) -> NDArray[np.float64]:
    """Return the means of all stretches of `window` neighbours.

    Parameters
    ----------
    values : (M,)
    window : int from 1

    Returns
    -------
    (M − window + 1,), empty where M < window

    Raises
    ------
    ValueError
        When the window is no whole number from 1.

    Examples
    --------
    >>> moving_average([1.0, 2.0, 6.0], 2).tolist()
    [1.5, 4.0]
    """
    window = whole("window", window, 1)
    series = finite("values", np.atleast_1d(values))
    if len(series) < window:
        return np.zeros(0)
    return np.lib.stride_tricks.sliding_window_view(series, window).mean(axis=1)


def recent_means(returns: ArrayLike, window: int) -> NDArray[np.float64]:
    """Return after each episode the mean of the last `window`, or of all while there are fewer.

    Parameters
    ----------
    returns : (E,), in the order of time
    window : int from 1

    Returns
    -------
    (E,) floats

    Examples
    --------
    >>> recent_means([1.0, 3.0, 5.0, 7.0], 2).tolist()
    [1.0, 2.0, 4.0, 6.0]
    """
    window = whole("window", window, 1)
    series = np.asarray(returns, dtype=float)
    first = series[: window - 1]
    begun = np.cumsum(first) / np.arange(1, len(first) + 1)
    return np.concatenate([begun, moving_average(series, window)])


def final_return(result: TrainingResult, episodes: int = 100) -> float:
    """Return the mean return of the last episodes of all workers, in the world's units.

    Parameters
    ----------
    result : TrainingResult
    episodes : int from 1
        All of them where there are fewer; NaN where there is none.

    Raises
    ------
    ValueError
        When that is no whole number from 1.

    Examples
    --------
    >>> from a3c_tut import cliff_world, train
    >>> final_return(train(cliff_world(), total_steps=60_000)) > -19
    True
    """
    of_kind("result", result, "TrainingResult")
    returns = result.episodes["total_return"][-whole("episodes", episodes, 1) :]
    return float(returns.mean()) if returns.size else np.nan


def steps_to_return(result: TrainingResult, target: float, window: int = 50) -> float:
    """Return the environment steps until the mean return over `window` episodes reaches `target`.

    Steps of all workers together; infinity where it never does.

    Parameters
    ----------
    result : TrainingResult
    target : float, in the world's units
    window : int from 1

    Raises
    ------
    ValueError
        When the window is no whole number from 1.

    Examples
    --------
    >>> from a3c_tut import cliff_world, train
    >>> steps_to_return(train(cliff_world(), total_steps=60_000), target=0.0)
    inf
    """
    of_kind("result", result, "TrainingResult")
    number("target", target, "a number", lambda x: True)
    means = moving_average(result.episodes["total_return"], window)
    reached = np.flatnonzero(means >= target)
    return float(result.episodes["step"][reached[0] + window - 1]) if reached.size else np.inf


def mean_interval(values: ArrayLike, confidence: float = 0.95) -> tuple[float, float, float]:
    """Return the mean of independent measurements and its bootstrap (BCa) confidence interval.

    Efron (1987), bias-corrected and accelerated: 9,999 resamples, always the same draws. SciPy's
    `bootstrap` gives the same interval; this one needs no SciPy.

    Parameters
    ----------
    values : (M,), one measurement per seed
    confidence : float in (0, 1)

    Returns
    -------
    mean, low, high : float
        The mean three times where all measurements are equal; NaN where one is not finite.

    Raises
    ------
    ValueError
        When there is no measurement, or the confidence is out of range.

    Examples
    --------
    >>> mean, low, high = mean_interval(np.arange(30.0))
    >>> low < mean < high
    True
    >>> mean_interval([1.0, np.nan])
    (nan, nan, nan)
    """
    sample = array_of_numbers("values", values)
    if sample.ndim != 1 or not sample.size:
        raise ValueError(f"values has the shape {sample.shape}; allowed: one measurement per seed")
    number("confidence", confidence, "above 0 and below 1", lambda x: 0.0 < x < 1.0)
    mean = float(sample.mean())
    if not np.isfinite(mean):
        return np.nan, np.nan, np.nan
    if np.ptp(sample) == 0.0:
        return float(sample[0]), float(sample[0]), float(sample[0])
    size, normal = len(sample), NormalDist()
    means = sample[np.random.default_rng(0).integers(0, size, (9_999, size))].mean(axis=1)
    below = (np.count_nonzero(means < mean) + np.count_nonzero(means <= mean)) / (2 * len(means))
    bias = normal.inv_cdf(below)
    leave_one_out = (sample.sum() - sample) / (size - 1)
    apart = leave_one_out.mean() - leave_one_out
    acceleration = (apart**3).sum() / (6.0 * (apart**2).sum() ** 1.5)

    def corrected(probability: float) -> float:
        z = bias + normal.inv_cdf(probability)
        return normal.cdf(bias + z / (1.0 - acceleration * z))

    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(means, [corrected(tail), corrected(1.0 - tail)])
    return mean, float(low), float(high)


class Outcome(NamedTuple):
    """What the investigation of Section 5 keeps of a run, in the world's units.

    Attributes
    ----------
    greedy : float
        The return of the most probable actions; −inf where they never arrive.
    final : float
        The mean return of the last 100 episodes of all workers, while learning.

    Examples
    --------
    >>> Outcome(greedy=-17.0, final=-17.2).greedy
    -17.0
    """

    greedy: float
    final: float


def outcome(result: TrainingResult, start: int | None = None) -> Outcome:
    """Return the greedy return and the final return of a run (Section 5).

    Parameters
    ----------
    result : TrainingResult
        On a world that is deterministic where the greedy path passes.
    start : int, optional
        Where the greedy path begins; default: the world's own start, if it has only one.

    Returns
    -------
    Outcome

    Examples
    --------
    >>> from a3c_tut import corridor_world, train
    >>> outcome(train(corridor_world(6), total_steps=10_000)).greedy
    1.0
    """
    of_kind("result", result, "TrainingResult")
    path = greedy_path(result.world, result.policy, start=start)
    return Outcome(path.total_return if path.terminated else -np.inf, final_return(result))


def evaluate(
    learned: TrainingResult | tuple[TableWorld, ArrayLike],
    *,
    episodes: int = 100,
    greedy: bool = False,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Return the returns of episodes under a policy that no longer learns.

    Works in every world, chance or not, for tables and networks. Of a table, `exact.policy_values`
    with γ = 1 and the time limit as its horizon has the mean of these returns, without an episode.

    Parameters
    ----------
    learned : TrainingResult, or a world and a policy, (S, A) floats
        A result's own policy, world and time limit.
    episodes : int from 1
    greedy : bool
        Take the most probable action of each state (of equals the first) rather than draw one.
    seed : int from 0
        The same seed gives the same episodes.

    Returns
    -------
    (episodes,) floats
        Undiscounted, in the world's units.

    Raises
    ------
    ValueError
        For an argument that is not allowed.

    Examples
    --------
    >>> from a3c_tut import cliff_world, train
    >>> result = train(cliff_world(), seed=1)
    >>> evaluate(result, episodes=3, greedy=True).tolist()
    [-13.0, -13.0, -13.0]
    >>> world = cliff_world()
    >>> bool(evaluate((world, np.full((48, 4), 0.25)), episodes=1_000).mean() < -1_000)
    True
    """
    if isinstance(learned, NetworkResult):
        return _played(learned, whole("episodes", episodes, 1), greedy, whole("seed", seed, 0))
    if isinstance(learned, TrainingResult):
        world, policy = learned.world, learned.policy
        limit = learned.config.max_episode_steps or world.max_episode_steps
    else:
        if not isinstance(learned, (tuple, list)) or len(learned) != 2:
            raise ValueError(
                f"learned is {short(learned)}; allowed: a TrainingResult, or (world, policy)"
            )
        world, given = learned
        of_kind("world", world, "TableWorld")
        policy = chances("policy", given, (world.num_states, world.num_actions), ("state",))
        limit = world.max_episode_steps
    count, rng = whole("episodes", episodes, 1), np.random.default_rng(whole("seed", seed, 0))

    def drawn(table: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return for each row the index that a uniform number picks."""
        bounds = np.cumsum(table, axis=-1)
        uniform = rng.random((len(table), 1)) * bounds[:, -1:]
        return np.asarray((bounds <= uniform).sum(axis=-1))

    state = drawn(np.broadcast_to(world.start, (count, world.num_states)))
    returns, going = np.zeros(count), np.arange(count)
    for _ in range(limit):
        action = policy[state].argmax(axis=1) if greedy else drawn(policy[state])
        outcome = drawn(world.probability[state, action])
        returns[going] += world.reward[state, action, outcome]
        on = ~world.terminated[state, action, outcome]
        going, state = going[on], world.next_state[state, action, outcome][on]
        if not going.size:
            break
    return returns


def _played(learned: NetworkResult, episodes: int, greedy: bool, seed: int) -> NDArray[np.float64]:
    """Return the returns of episodes under a network."""
    world = learned.world
    if world.motion == OUTSIDE:
        return _played_outside(learned, episodes, greedy, seed)
    model, arrays = learned.model, control_arrays(world, learned.config)
    where, rng = model.task.layout, np.random.default_rng(seed)
    room, walker = make_network_rollout(1, where), np.zeros(world.walker_size)
    at_start, per_step = (int(n) for n in numbers_for(world))
    numbers = at_start + per_step * arrays.max_episode_steps
    play = play_episode if model.network is None else player(model.network)
    return np.array([
        play(arrays, model.parameters, where, room, walker, rng.random(numbers), greedy)
        for _ in range(episodes)
    ])  # fmt: skip


def _played_outside(
    learned: NetworkResult, episodes: int, greedy: bool, seed: int
) -> NDArray[np.float64]:
    """Return the returns of episodes in an environment that steps in Python."""
    world, model = learned.world, learned.model
    own, drawn = np.random.SeedSequence(seed).spawn(2)
    rng, returns = np.random.default_rng(drawn), np.zeros(episodes)
    limit = learned.config.max_episode_steps or world.max_episode_steps
    with closing(Outside(world, own)) as outside:
        for episode in range(episodes):
            seen, ended, steps = outside.begin(), False, 0
            while not ended and steps < limit:
                policy, _ = model.told(seen)
                choice, force = 0, np.zeros(world.action_size)
                if world.continuous:
                    mean, deviation = policy
                    noise = 0.0 if greedy else deviation * rng.standard_normal(len(mean))
                    force = np.clip(mean + noise, -world.action_range, world.action_range)
                else:
                    choice = int(policy.argmax() if greedy else rng.choice(len(policy), p=policy))
                seen, reward, terminated, truncated = outside.step(choice, force)
                ended = terminated or truncated
                returns[episode] += reward
                steps += 1
    return returns


def compare(
    world: TableWorld,
    variants: Mapping[str, Mapping[str, Any]],
    *,
    seeds: Sequence[int],
    measure: Callable[[TrainingResult], Measure],
    **asked: Any,
) -> dict[str, list[Measure]]:
    """Run the same seeds for several variants of a run; `run_seeds` for each of them.

    Parameters
    ----------
    world : TableWorld
    variants : mapping of a name to arguments of `train`
        What distinguishes the variant: "config", "initial_theta", …; nothing: the default. In place
        of "config" there may be settings of it, by their names.
    seeds, measure : as in `run_seeds`
    **asked
        Further arguments of `train`, the same for all variants.

    Returns
    -------
    dict
        For each name one measurement per seed, in the order of the seeds.

    Raises
    ------
    ValueError
        For a setting out of range.
    TypeError
        For a name that is neither an argument of `train` nor a setting.

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> variants = {"default": {}, "no entropy": {"entropy_coef": 0.0}}
    >>> runs = compare(cliff_world(), variants, seeds=[0, 1], total_steps=600,
    ...                measure=lambda run: run.config.entropy_coef)
    >>> runs
    {'default': [0.01, 0.01], 'no entropy': [0.0, 0.0]}
    """
    settings = [each.name for each in fields(A3CConfig)]
    arguments = [*inspect.signature(train).parameters]

    def asked_of(variant: str, own: Mapping[str, Any]) -> dict[str, Any]:
        check_names(f"variant {variant!r}", own, [*arguments, *settings])
        changed = {name: own[name] for name in own if name in settings}
        given = {**asked, **{name: own[name] for name in own if name in arguments}}
        if changed:
            given["config"] = replace(given.get("config") or A3CConfig(), **changed)
        return given

    return {
        name: run_seeds(world, seeds=seeds, measure=measure, **asked_of(name, own))
        for name, own in variants.items()
    }


def learning_curve(result: TrainingResult, at: ArrayLike, window: int = 50) -> NDArray[np.float64]:
    """Return the mean return of the last `window` episodes at given steps of a run (Section 5).

    Parameters
    ----------
    result : TrainingResult
    at : (P,) environment steps, of all workers together
    window : int from 1

    Returns
    -------
    (P,) floats
        In the world's units; NaN where fewer episodes have ended.

    Raises
    ------
    ValueError
        When the window is no whole number from 1.

    Examples
    --------
    >>> from a3c_tut import corridor_world, train
    >>> learning_curve(train(corridor_world(6), total_steps=10_000), [0, 10_000])
    array([nan,  1.])
    """
    of_kind("result", result, "TrainingResult")
    window = whole("window", window, 1)
    means = moving_average(result.episodes["total_return"], window)
    ended = np.searchsorted(result.episodes["step"], array_of_numbers("at", at), side="right")
    if not means.size:
        return np.full(ended.shape, np.nan)
    return np.where(ended >= window, means[np.maximum(ended - window, 0)], np.nan)


def finite_differences(
    function: Callable[[NDArray[np.float64]], float], at: ArrayLike, step: float = 1e-5
) -> NDArray[np.float64]:
    """Return the gradient of a function of a table, by central differences (Section 4).

    The brute-force twin of a formula for a gradient: slow, and hard to get wrong.

    Parameters
    ----------
    function : from a table to a number
    at : array of any shape
    step : float above 0

    Returns
    -------
    array of the same shape
        The error is of the order of step².

    Raises
    ------
    ValueError
        When there is no function, the table holds something else than finite numbers, or the step
        is not above 0.

    Examples
    --------
    >>> finite_differences(lambda x: float((x * x).sum()), [1.0, 2.0]).round(6).tolist()
    [2.0, 4.0]
    """
    if not callable(function):
        raise ValueError(f"function is {short(function)}; allowed: a function of a table")
    step = number("step", step, "a number above 0", lambda x: x > 0)
    table = finite("at", at)
    gradient = np.zeros_like(table)
    for place in np.ndindex(*table.shape):
        here = table[place]
        table[place] = here + step
        above = function(table)
        table[place] = here - step
        gradient[place] = (above - function(table)) / (2.0 * step)
        table[place] = here
    return gradient
