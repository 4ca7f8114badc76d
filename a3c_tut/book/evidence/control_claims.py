"""What the claims come to with a network (Section 3.3): C20 to C25."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import fsum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from a3c_tut import A3CConfig, DivergenceError, sparse_grid_world
from a3c_tut.book.claims import Interval
from a3c_tut.book.evidence.common import (
    Floats,
    interval,
    median_interval,
    percentile_ratio,
    restricted_ratio,
    scaled,
    settling_seeds,
)
from a3c_tut.book.evidence.kept import kept
from a3c_tut.book.evidence.network_controls import CART_POLE_LIMITS, watch_network
from a3c_tut.book.evidence.network_records import networks_record
from a3c_tut.book.evidence.tuning import TUNING_SEEDS
from a3c_tut.control import ControlWorld, as_image, cart_pole
from a3c_tut.engine.buffers import COUNTERS
from a3c_tut.engine.compiling import kernel
from a3c_tut.engine.crew import Job, TableCrew, make_run
from a3c_tut.engine.network_turn import prepare
from a3c_tut.engine.runners import emulated
from a3c_tut.experiments import each_seed, final_return, steps_to_return
from a3c_tut.networks import MLP, Convolutional, Task, network_config
from a3c_tut.schedules import Given

PAGE = "control_claims"
#: How many seeds settle a comparison of speeds, one of ranges, and one with a buffer.
SPEED_SEEDS, RANGE_SEEDS, BUFFER_SEEDS = 66, 40, 20
#: How many settle what age adds to the noise, and what is tried: fresh ones, after fewer were open.
NOISE_SEEDS, TRIED_SEEDS = 300, 437


class Setting(NamedTuple):
    """A world, how long a run there is, and what counts as having learned it.

    Examples
    --------
    >>> CART_POLE.steps, CART_POLE.target
    (150000, 475.0)
    """

    world: ControlWorld
    steps: int  # of a run, all workers together
    horizon: int  # up to which steps count in a restricted mean
    target: float  # the mean return ...
    episodes: int  # ... of so many episodes, of all workers, while they learn
    settings: Mapping[str, Any]  # that differ from those of `network_config`


#: Three workers on the cart-pole, as on the tables of Section 2.3.
#:
#: :meta hide-value:
CART_POLE = Setting(cart_pole(), 150_000, 100_000, 475.0, 100, {"num_workers": 3})
#: The sparse grid as a picture; settings as `network_config` had them when this was settled.
#:
#: :meta hide-value:
PIXELS = Setting(
    as_image(sparse_grid_world(6, 6)), 6_000, 5_000, 0.9, 50,
    {"num_workers": 3, "entropy_coef": 0.01, "gamma": 0.98, "gae_lambda": 0.9, "actor_lr": 0.002,
     "critic_lr": 0.001, "max_grad_norm": 40.0, "reward_scale": 1.0},
)  # fmt: skip


class Arm(NamedTuple):
    """What is compared: settings that differ, and further arguments of `watch_network`.

    Examples
    --------
    >>> ARMS["one worker and a buffer"].asked
    {'remember': 200}
    """

    settings: Mapping[str, Any] = {}
    asked: Mapping[str, Any] = {}
    setting: Setting = CART_POLE


_ALONE = {"num_workers": 1}
#: The arms of C21 to C25.
#:
#: :meta hide-value:
ARMS: dict[str, Arm] = {
    "three workers": Arm(),
    "three, fresh copies": Arm({}, {"copies": "fresh"}),
    "three, a barrier": Arm({}, {"copies": "barrier"}),
    "one worker": Arm(_ALONE),
    "one worker and a buffer": Arm(_ALONE, {"remember": 200}),
    "one worker and a buffer, corrected": Arm(_ALONE, {"remember": 200, "corrected": True}),
    "own statistics": Arm({"shared_statistics": False}),
    "SGD": Arm({"optimizer": "sgd"}),
    "separate": Arm({}, {"model": MLP(shared=False)}),
    "pixels, shared": Arm({}, {"model": Convolutional()}, PIXELS),
    "pixels, separate": Arm({}, {"model": Convolutional(shared=False)}, PIXELS),
}


def config_of(arm: Arm, factor: float = 1.0) -> A3CConfig:
    """Return an arm's configuration, with both step sizes multiplied.

    Parameters
    ----------
    arm : Arm
    factor : float

    Examples
    --------
    >>> config_of(ARMS["own statistics"], 2.0).actor_lr
    0.004
    """
    given = {**arm.setting.settings, **arm.settings}
    return scaled(network_config(arm.setting.world, **given), factor)


def outcome(arm: Arm, factor: float, seed: int) -> list[float]:
    """Return the steps until the target is reached, at most all, and the last 100 episodes' return.

    Parameters
    ----------
    arm : Arm
    factor : float, of both step sizes
    seed : int from 0
        A run that diverges has reached nothing, and returns 0.

    Examples
    --------
    >>> steps, final = outcome(ARMS["three workers"], 1.0, seed=0)
    >>> steps < 150_000, final > 475
    (True, True)
    """
    setting = arm.setting
    try:
        run = watch_network(
            setting.world, config_of(arm, factor), seed=seed, total_steps=setting.steps, **arm.asked
        ).result
    except DivergenceError:
        return [float(setting.steps), 0.0]
    reached = steps_to_return(run, setting.target, window=setting.episodes)
    return [float(min(reached, setting.steps)), final_return(run)]


def outcomes(name: str, factor: float = 1.0, seeds: Sequence[int] | None = None) -> Floats:
    """Return `outcome`, seed by seed; kept from run to run.

    Parameters
    ----------
    name : str
        One of the `ARMS`.
    factor : float
    seeds : sequence of int, optional
        Default: those of the speeds.

    Returns
    -------
    (seeds, 2) floats

    Examples
    --------
    >>> from unittest.mock import patch
    >>> with patch(f"{__name__}.kept", lambda page, name, one, seeds, asked: (name, len(seeds))):
    ...     outcomes("SGD", 16.0)
    ('SGD, 16', 66)
    """
    arm = ARMS[name]
    asked = {
        "what": outcome, "setting": arm.setting, "config": config_of(arm, factor), **arm.asked,
    }  # fmt: skip
    seeds = settling_seeds(SPEED_SEEDS) if seeds is None else seeds
    return kept(PAGE, f"{name}, {factor:g}", partial(outcome, arm, factor), seeds, asked)


# --- Step sizes of its own for each ---------------------------------------------------------------

#: By what tuning multiplies the step sizes of `network_config`; those of SGD mean something else.
TRIED, TRIED_WITH_SGD = (1.0, 2.0, 4.0), (8.0, 16.0, 32.0)
#: The seeds on which step sizes are tuned.
FIRST_TUNING_SEEDS = TUNING_SEEDS[:8]
#: What came out, by the mean steps, restricted to the horizon; see `tuned_factor`.
TUNED = {
    "three workers": 2.0, "separate": 1.0, "pixels, shared": 4.0, "pixels, separate": 2.0,
    "own statistics": 2.0, "SGD": 8.0,
}  # fmt: skip


def tuned_factor(name: str, tried: Sequence[float] = TRIED) -> float:
    """Return the factor at which an arm reaches its target first, on the tuning seeds; see `TUNED`.

    Parameters
    ----------
    name : str
        One of the `ARMS`.
    tried : sequence of float

    Examples
    --------
    With made-up runs:

    >>> from unittest.mock import patch
    >>> with patch(f"{__name__}.outcome", lambda arm, factor, seed: [abs(factor - 3.0), 0.0]):
    ...     tuned_factor("SGD")
    2.0
    """
    arm = ARMS[name]

    def mean_steps(factor: float) -> float:
        found = each_seed(lambda seed: outcome(arm, factor, seed)[0], FIRST_TUNING_SEEDS)
        return float(np.minimum(found, arm.setting.horizon).mean())

    return min(tried, key=mean_steps)


# --- C22: what age does to a gradient -----------------------------------------------------------


class NetworkDrift(NamedTuple):
    """Of one gradient: how noisy it is by chance, and what its age adds.

    Attributes
    ----------
    chance : float
        The variance of a rollout's gradient at the shared parameters.
    age : float
        The squared distance between the expected gradient at the worker's copy and at the shared
        parameters.

    Examples
    --------
    >>> one = NetworkDrift(chance=50.0, age=0.5)
    >>> one.age / one.chance
    0.01
    """

    chance: float
    age: float


@kernel
def draw_gradients(run, index, needed, gradients):  # type: ignore[no-untyped-def]
    """Write the gradients of rollouts from where a worker is, each with its own random numbers.

    Parameters
    ----------
    run : Run, of a network
    index : int, the worker's place in `me`
    needed : int, random numbers that a rollout may use
    gradients : (K, P), written

    Examples
    --------
    >>> run = make_run(Task(cart_pole(), MLP()), A3CConfig())
    >>> gradients = np.zeros((2, 1315))
    >>> draw_gradients(run, 0, 10, gradients)
    >>> bool((gradients[0] != gradients[1]).any())
    True
    """
    for k in range(gradients.shape[0]):
        run.me.cursor[index] = k * needed
        prepare(run, index)
        for i in range(gradients.shape[1]):
            gradients[k, i] = run.scratch.gradient.theta[0, i]


def squared_length(drawn: Floats) -> float:
    """Return an estimate of the squared length of a mean vector, which chance does not lengthen.

    The mean over all pairs of different draws of their inner product.

    Parameters
    ----------
    drawn : (K, P) floats

    Examples
    --------
    Two draws that have nothing in common:

    >>> squared_length(np.array([[1.0, 0.0], [0.0, 1.0]]))
    0.0
    >>> squared_length(np.array([[3.0, 4.0], [3.0, 4.0]]))
    25.0
    """
    count, total = len(drawn), drawn.sum(axis=0)
    return float(((total**2).sum() - (drawn**2).sum()) / (count * (count - 1)))


def network_drift(
    seed: int, moments: Sequence[int], draws: int = 40, fresh: bool = False
) -> list[NetworkDrift]:
    """Look at the gradient that is about to be pushed, at some moments of a run (Section 3.3).

    Both gradients are drawn with the same random numbers, from where the worker is, so that what
    differs is the parameters.

    Parameters
    ----------
    seed : int from 0
    moments : sequence of int, rising
        The updates before which to look.
    draws : int from 2
        Rollouts from which expectations and the variance are estimated.
    fresh : bool
        The control: the shared parameters take the place of the worker's copy.

    Returns
    -------
    list of NetworkDrift, one per moment

    Examples
    --------
    >>> (one,), (control,) = (network_drift(0, [30], 10, fresh) for fresh in (False, True))
    >>> one.age != 0.0, control.age, one.chance == control.chance
    (True, 0.0, True)
    """
    task, config = Task(CART_POLE.world, MLP()), config_of(ARMS["three workers"])
    crew = TableCrew(Job.fresh(task, config, CART_POLE.steps, seed))
    # Gradients as they are before they are clipped.
    run = make_run(task, replace(config, max_grad_norm=None))
    needed = run.settings.numbers_at_start + run.settings.numbers_per_step * config.longest_rollout
    found, done = [], 0
    for moment in moments:
        order = Given(np.arange(done, moment) % config.num_workers)
        emulated.run(crew, order, np.iinfo(np.int64).max, lambda steps: None)
        done, worker, state = moment, moment % config.num_workers, crew.state()
        shared, copy = state["theta"], state["local_theta"][worker]
        begun = state["local_counters"][worker][COUNTERS.index("episode_steps")]
        uniforms = np.random.default_rng([seed, moment]).random(draws * needed)
        drawn = np.zeros((2, draws, task.num_actions))
        for index, parameters in enumerate((shared, shared if fresh else copy)):
            run.me.theta[index] = parameters
            run.me.walker[index] = state["walker"][worker]
            run.me.episode_steps[index] = begun
            run.me.uniforms[index, : len(uniforms)] = uniforms
            draw_gradients(run, index, needed, drawn[index])
        now, old = drawn
        chance = float(now.var(axis=0, ddof=1).sum())
        found.append(NetworkDrift(chance, squared_length(old - now)))
    return found


#: The updates before which gradients are looked at: while learning, and when that is over.
WHILE_LEARNING, AFTER_LEARNING = (500, 1_000, 2_000, 3_000), (6_000, 7_000, 8_000)


def noise(seed: int) -> list[float]:
    """Return what age adds to the gradients of one run, while it learns and late.

    Parameters
    ----------
    seed : int from 0

    Returns
    -------
    [learning, late] : floats
        The squared distance that age makes, in percent of the variance that chance makes: means
        over the moments.

    Examples
    --------
    With a made-up look:

    >>> from unittest.mock import patch
    >>> with patch(f"{__name__}.network_drift", lambda seed, moments: [NetworkDrift(2, 1)] * 7):
    ...     noise(seed=0)
    [50.0, 50.0]
    """
    found = network_drift(seed, WHILE_LEARNING + AFTER_LEARNING)
    parts = found[: len(WHILE_LEARNING)], found[len(WHILE_LEARNING) :]
    # fsum: `sum` rounds otherwise from Python 3.12 on.
    return [100.0 * fsum(one.age / one.chance for one in part) / len(part) for part in parts]


def noises() -> Floats:
    """Return `noise`, seed by seed; kept from run to run.

    Returns
    -------
    (seeds, 2) floats

    Examples
    --------
    >>> from unittest.mock import patch
    >>> with patch(f"{__name__}.kept", lambda page, name, one, seeds, asked: (name, len(seeds))):
    ...     noises()
    ('noise', 300)
    """
    asked = {"what": noise, "setting": CART_POLE, "config": config_of(ARMS["three workers"]),
             "moments": [WHILE_LEARNING, AFTER_LEARNING]}  # fmt: skip
    return kept(PAGE, "noise", noise, settling_seeds(NOISE_SEEDS, first=200_000), asked)


def c22(
    added: Floats | None = None, steps: Mapping[str, Floats] | None = None
) -> dict[str, Interval]:
    """Does asynchrony increase gradient noise, and does it cost anything? (Section 3.3).

    Parameters
    ----------
    added : (seeds, 2) floats
        Default: `noises()`.
    steps : mapping
        Default: steps of `outcomes` of "three workers" and "three, fresh copies".

    Examples
    --------
    >>> added = np.array([[2.0, 3.0]] * 2)
    >>> steps = {"three workers": np.full(2, 6e4), "three, fresh copies": np.full(2, 5e4)}
    >>> {name: found.mean for name, found in c22(added, steps).items()}
    {'learning': 2.0, 'late': 3.0, 'steps, stale over fresh': 1.2}
    """
    added = noises() if added is None else added
    if steps is None:
        steps = {name: outcomes(name)[:, 0] for name in ("three workers", "three, fresh copies")}
    return {
        "learning": median_interval(added[:, 0]),
        "late": median_interval(added[:, 1]),
        "steps, stale over fresh": restricted_ratio(
            steps["three workers"], steps["three, fresh copies"], CART_POLE.horizon
        ),
    }


# --- C23 and C25: at which step sizes a run works ------------------------------------------------

#: The factors by which both step sizes of `network_config` are multiplied.
FACTORS = (1.0, 2.0, 4.0, 8.0)


def works(name: str) -> NDArray[np.bool_]:
    """Return at which of the `FACTORS` a run of an arm works, seed by seed (Section 3.3).

    With a buffer, whose runs are the slowest, at the first two of them, and on fewer seeds.

    Parameters
    ----------
    name : str
        One of the `ARMS`.

    Returns
    -------
    (seeds, factors) bools
        Whether the last 100 episodes returned at least 475 on average.

    Examples
    --------
    With made-up runs that work up to a factor of 4:

    >>> from unittest.mock import patch
    >>> def made_up(name, factor, seeds):
    ...     return np.array([[1.0, 500.0 if factor <= 4.0 else 9.0]])
    >>> with patch(f"{__name__}.outcomes", made_up):
    ...     works("SGD").tolist()
    [[True, True, True, False]]
    """
    buffer = "remember" in ARMS[name].asked
    seeds = settling_seeds(BUFFER_SEEDS if buffer else RANGE_SEEDS)
    finals = [outcomes(name, factor, seeds)[:, 1] for factor in FACTORS[: 2 if buffer else None]]
    return np.transpose(finals) >= CART_POLE.target


def more(this: NDArray[np.bool_], than: NDArray[np.bool_]) -> Interval:
    """Return how many doublings more one arm stands than another, at the factors that both have.

    Parameters
    ----------
    this, than : (seeds, factors) bools
        As `works` returns them; the seeds that both have count.

    Examples
    --------
    >>> more(np.array([[True, True, True]] * 3), np.array([[True, False]] * 2))
    Interval(mean=1.0, low=1.0, high=1.0)
    """
    seeds, factors = np.minimum(this.shape, than.shape)
    stood = (table[:seeds, :factors].sum(axis=1) for table in (this, than))
    return interval(np.subtract(*stood).astype(float))


def c23(
    stood: Mapping[str, NDArray[np.bool_]] | None = None, final: Floats | None = None
) -> dict[str, Interval]:
    """Is learning stable without a replay buffer, with a network? (Section 3.3).

    Parameters
    ----------
    stood : mapping
        Default: `works` of "three workers", of one, and of one with a buffer, corrected or not.
    final : (seeds,) floats
        Default: what the last 100 episodes of "three workers" return, by `outcomes`.

    Examples
    --------
    >>> stood = {"three workers": np.ones((2, 4), dtype=bool)}
    >>> stood |= {name: np.zeros((2, 4), dtype=bool) for name in ALONE}
    >>> {name: found.mean for name, found in c23(stood, np.full(2, 490.0)).items()}
    {'learns': 490.0, 'over one worker': 4.0, 'over a buffer': 4.0, 'over a corrected buffer': 4.0}
    """
    stood = {name: works(name) for name in ("three workers", *ALONE)} if stood is None else stood
    final = outcomes("three workers")[:, 1] if final is None else final
    three = stood["three workers"]
    return {
        "learns": interval(final),
        **{over: more(three, stood[name]) for name, over in ALONE.items()},
    }


#: What three workers are compared with in C23, and how the ledger calls that.
ALONE = {
    "one worker": "over one worker",
    "one worker and a buffer": "over a buffer",
    "one worker and a buffer, corrected": "over a corrected buffer",
}


# --- C24: what is tried ---------------------------------------------------------------------------

#: Over how many steps, all workers together, actions are counted.
COUNTED_STEPS = 50_000
EXPLORERS = ("one worker", "three, fresh copies", "three workers")


def tried(name: str) -> Floats:
    """Return the effective number of actions tried in so many kinds of states, seed by seed; kept.

    e to the entropy of the counts, as in C05; an observation's four numbers are cut into eight
    parts each, and each cell has two actions.

    Parameters
    ----------
    name : str
        One of the `EXPLORERS`.

    Returns
    -------
    (seeds,) floats

    Examples
    --------
    >>> from unittest.mock import patch
    >>> with patch(f"{__name__}.kept", lambda page, name, one, seeds, asked: one(0)):
    ...     1.0 < tried("one worker") < 8**4 * 2
    True
    """
    arm = ARMS[name]
    given: dict[str, Any] = {
        "total_steps": CART_POLE.steps, "stop_after": COUNTED_STEPS, "limits": CART_POLE_LIMITS,
        **arm.asked,
    }  # fmt: skip

    def one(seed: int) -> float:
        visits = watch_network(CART_POLE.world, config_of(arm), seed=seed, **given).visits
        share = visits[visits > 0] / visits.sum()
        return float(np.exp(-(share * np.log(share)).sum()))

    asked = {"what": tried, "world": CART_POLE.world, "config": config_of(arm), **given}
    return kept(PAGE, f"tried: {name}", one, settling_seeds(TRIED_SEEDS, first=200_000), asked)


def c24(counts: Mapping[str, Floats] | None = None) -> dict[str, Interval]:
    """Does asynchrony improve exploration, with a network? (Section 3.3).

    Parameters
    ----------
    counts : mapping
        Default: `tried` of the `EXPLORERS`.

    Examples
    --------
    >>> counts = {"one worker": np.full(2, 200.0), "three, fresh copies": np.full(2, 300.0),
    ...           "three workers": np.full(2, 330.0)}
    >>> {name: found.text(1) for name, found in c24(counts).items()}
    {'asynchronous': '1.1', 'several': '1.5'}
    """
    counts = {name: tried(name) for name in EXPLORERS} if counts is None else counts
    return {
        "asynchronous": percentile_ratio(counts["three workers"], counts["three, fresh copies"]),
        "several": percentile_ratio(counts["three, fresh copies"], counts["one worker"]),
    }


# --- C21 and C25: speeds, each at its own step sizes ----------------------------------------------

#: What C21 compares: two encoders, and one.
ENCODERS = {
    "cart-pole": ("separate", "three workers"), "pixels": ("pixels, separate", "pixels, shared")
}  # fmt: skip


def tuned_steps(name: str) -> Floats:
    """Return the steps until an arm reaches its target, at the factor in `TUNED`; kept.

    Parameters
    ----------
    name : str
        One of the `ARMS`.

    Examples
    --------
    >>> from unittest.mock import patch
    >>> with patch(f"{__name__}.outcomes", lambda name, factor: np.array([[factor, 500.0]])):
    ...     bool(tuned_steps("three workers")[0] == TUNED["three workers"])
    True
    """
    return outcomes(name, TUNED[name])[:, 0]


def c21(steps: Mapping[str, Floats] | None = None) -> dict[str, Interval]:
    """Does an encoder that actor and critic share learn faster than one for each? (Section 3.3).

    Parameters
    ----------
    steps : mapping
        Default: `tuned_steps` of the four arms.

    Examples
    --------
    >>> steps = {"three workers": np.full(2, 5e4), "separate": np.full(2, 6e4),
    ...          "pixels, shared": np.full(2, 4e3), "pixels, separate": np.full(2, 2e3)}
    >>> {name: found.mean for name, found in c21(steps).items()}
    {'cart-pole, separate over shared': 1.2, 'pixels, separate over shared': 0.5}
    """
    if steps is None:
        steps = {name: tuned_steps(name) for pair in ENCODERS.values() for name in pair}
    return {
        f"{where}, separate over shared": restricted_ratio(
            steps[two], steps[one], ARMS[one].setting.horizon
        )
        for where, (two, one) in ENCODERS.items()
    }


def c25(
    stood: Mapping[str, NDArray[np.bool_]] | None = None, steps: Mapping[str, Floats] | None = None
) -> dict[str, Interval]:
    """Is RMSprop with shared statistics better than with own ones, or than SGD? (Section 3.3).

    Parameters
    ----------
    stood : mapping
        Default: `works` of "three workers" and "own statistics".
    steps : mapping
        Default: `tuned_steps` of these, and of "SGD".

    Examples
    --------
    >>> stood = dict.fromkeys(("three workers", "own statistics"), np.ones((2, 4), dtype=bool))
    >>> steps = {"three workers": np.full(2, 5e4), "own statistics": np.full(2, 5e4),
    ...          "SGD": np.full(2, 8e4)}
    >>> {name: found.mean for name, found in c25(stood, steps).items()}
    {'over own statistics': 0.0, 'steps of own statistics': 1.0, 'steps of SGD': 1.6}
    """
    names = ("three workers", "own statistics", "SGD")
    stood = {name: works(name) for name in names[:2]} if stood is None else stood
    steps = {name: tuned_steps(name) for name in names} if steps is None else steps
    shared, own, sgd = (steps[name] for name in names)
    return {
        "over own statistics": more(stood["three workers"], stood["own statistics"]),
        "steps of own statistics": restricted_ratio(own, shared, CART_POLE.horizon),
        "steps of SGD": restricted_ratio(sgd, shared, CART_POLE.horizon),
    }


# --- C20: many cores ------------------------------------------------------------------------------


def c20() -> dict[str, Interval]:
    """Do worker processes with networks use more than one core? From the record (Section 3.3).

    Examples
    --------
    >>> list(c20())
    ['steps a second, two over one', 'two over two unrelated runs', 'seconds to 475, one over two']
    """
    record = networks_record()
    rates, seconds = record["steps_per_second"], record["seconds_to_475"]
    return {
        "steps a second, two over one": percentile_ratio(rates["2"], rates["1"]),
        "two over two unrelated runs": percentile_ratio(rates["2"], rates["side by side"]),
        "seconds to 475, one over two": percentile_ratio(seconds["1"], seconds["2"]),
    }
