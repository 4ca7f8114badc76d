"""What "Where A3C leads" measures: each successor's one change, against A3C without it.

Claims C26 to C29 of the ledger: not the tutorial's, but those of the papers.

*Protocol.* Two worlds: the cliff-world and the sparse grid. *Speed* is the number of environment
steps, of all workers together, until 50 episodes in a row return −20 (grid: 0.9) on average; a run
of 40,000 steps that does not get there counts with all of them. Each arm takes the step size that
is fastest for it on seeds 1000–1029, among the default ones times 1/4 to 8 in doublings: without
that, a change that merely makes steps larger would look like a better algorithm. The effect is the
ratio of medians over the settling seeds, an arm over its control, paired, with a 95 % percentile
interval. Held equal: total samples, workers, worlds, seeds, tuning. It *matters* from a tenth fewer
steps on (ratio 0.9), and so from 1/0.9 the other way round.

*Power.* In a pilot on seeds 1000–1029 the paired logarithms of the ratio decide the number of seeds
(`pilot_seeds` returns what they ask for).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np

from a3c_tut import A3CConfig, TableWorld, TrainingResult, cliff_world, sparse_grid_world
from a3c_tut.book import lineage
from a3c_tut.book.claims import Condition, Interval
from a3c_tut.book.evidence.common import (
    LEARNED,
    Floats,
    median_ratio,
    scaled,
    seeds_needed,
    settling_seeds,
)
from a3c_tut.book.evidence.controls import take_synchronous_turns, train_variant
from a3c_tut.book.evidence.kept import kept, kept_runs, one_run
from a3c_tut.book.evidence.tuning import TOTAL_STEPS, TUNING_SEEDS, fastest, steps_needed
from a3c_tut.engine.streams import Seed
from a3c_tut.engine.turn import take_turns

#: The smallest ratio of steps that matters, and the seeds that settle.
MATTERS = 0.9
SEEDS = settling_seeds(400, first=300_000)
#: By what tuning multiplies the default step sizes.
STEP_FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
#: PPO's ε and its epochs, as in the paper's tables for small tasks; own pushes between two syncs
#: that make copies old enough for V-trace to have something to correct.
CLIP, EPOCHS, OLD = 0.2, 4, 20
#: The worlds, and from which return on a run has learned.
#:
#: :meta hide-value:
WORLDS: dict[str, tuple[TableWorld, float]] = {
    "cliff": (cliff_world(), LEARNED),
    "grid": (sparse_grid_world(10, 10), 0.9),
}


class Arm(NamedTuple):
    """One way to learn: settings, and which change of the turn.

    Examples
    --------
    >>> ARMS["A3C"]
    Arm(settings={}, change='none', options={})
    """

    settings: dict[str, Any]  # of `A3CConfig`, where they differ from the defaults
    change: str  # one of `train_changed`'s
    options: dict[str, Any]  # of `lineage.make_later`


#: What is compared.
#:
#: :meta hide-value:
ARMS: dict[str, Arm] = {
    "A3C": Arm({}, "none", {}),
    "A2C": Arm({}, "barrier", {}),
    "n = 20": Arm({"rollout_length": 20}, "none", {}),
    "n = 20, λ = 0.9": Arm({"rollout_length": 20, "gae_lambda": 0.9}, "none", {}),
    "V-trace": Arm({}, "V-trace", {}),
    "old copies": Arm({"sync_every": OLD}, "none", {}),
    "old copies, V-trace": Arm({"sync_every": OLD}, "V-trace", {}),
    "old copies, all ratios 1": Arm({"sync_every": OLD}, "V-trace", {"correct": False}),
    "PPO": Arm({}, "PPO", {"epochs": EPOCHS, "clip": CLIP}),
    "PPO, not clipped": Arm({}, "PPO", {"epochs": EPOCHS}),
}
#: What each successor is compared with.
#:
#: :meta hide-value:
EFFECTS: dict[str, tuple[str, str]] = {
    "A2C over A3C": ("A2C", "A3C"),
    "λ = 0.9 over λ = 1, n = 20": ("n = 20, λ = 0.9", "n = 20"),
    "V-trace over A3C": ("V-trace", "A3C"),
    "V-trace over A3C, old copies": ("old copies, V-trace", "old copies"),
    "V-trace over ratios of 1, old copies": ("old copies, V-trace", "old copies, all ratios 1"),
    "PPO over A3C": ("PPO", "A3C"),
    "PPO over PPO without clipping": ("PPO", "PPO, not clipped"),
}
_LOOPS = {
    "none": take_turns,
    "barrier": take_synchronous_turns,
    "V-trace": lineage.take_corrected_turns,
    "PPO": lineage.take_repeated_turns,
}


def train_changed(
    world: TableWorld, config: A3CConfig, *, total_steps: int, seed: Seed, change: str,
    **options: Any,
) -> TrainingResult:  # fmt: skip
    """Train with one change of the turn.

    Parameters
    ----------
    world, config, total_steps, seed : as in `train`
    change : "none", "barrier", "V-trace" or "PPO"
    **options
        Of `lineage.make_later`.

    Raises
    ------
    DivergenceError
        When a parameter is no longer finite.

    Examples
    --------
    PPO with one epoch is A3C, to the bit:

    >>> asked = {"total_steps": 600, "seed": 0}
    >>> ppo = train_changed(cliff_world(), A3CConfig(), **asked, change="PPO", epochs=1)
    >>> a3c = train_changed(cliff_world(), A3CConfig(), **asked, change="none")
    >>> bool((ppo.theta == a3c.theta).all())
    True
    """
    later = lineage.make_later(config, **options)
    return train_variant(
        world, config, total_steps=total_steps, seed=seed, loop=_LOOPS[change], extra=later
    )


@cache
def tuned_factor(arm: str, world: str) -> float:
    """Return by which factor of the default step sizes an arm is fastest, on the tuning seeds.

    Parameters
    ----------
    arm : one of `ARMS`
    world : one of `WORLDS`

    Examples
    --------
    With made-up steps, fewest at half the default step sizes:

    >>> from unittest.mock import patch
    >>> made_up = 1_000.0 * np.array([[9, 4, 5, 6, 7, 8]])
    >>> with patch(f"{__name__}.tuning_steps", lambda arm, world: made_up):
    ...     tuned_factor.__wrapped__("A3C", "cliff")
    0.5
    """
    return STEP_FACTORS[fastest(list(tuning_steps(arm, world).T))]


def tuning_steps(arm: str, world: str) -> Floats:
    """Return the steps that an arm needs at each factor of the step sizes, on the tuning seeds.

    Parameters
    ----------
    arm : one of `ARMS`
    world : one of `WORLDS`

    Returns
    -------
    (30, 6) floats
        Seeds by `STEP_FACTORS`.

    Examples
    --------
    >>> from unittest.mock import patch
    >>> def first(page, name, one, seeds, asked):
    ...     return np.array([one(seeds[0])])
    >>> with patch(f"{__name__}.kept", first):
    ...     tuning_steps("A3C", "cliff").shape
    (1, 6)
    """
    given = [_asked(arm, world, factor) for factor in STEP_FACTORS]
    runs = [one_run(**one) for one in given]
    return kept(
        "lineage", f"tuning: {arm}, {world}", lambda seed: [run(seed) for run in runs],
        TUNING_SEEDS, {"arm": ARMS[arm], "runs": given[0], "factors": STEP_FACTORS},
    )  # fmt: skip


@cache
def steps(arm: str, world: str) -> Floats:
    """Return the steps that an arm needs, with its tuned step size.

    Parameters
    ----------
    arm : one of `ARMS`
    world : one of `WORLDS`

    Returns
    -------
    (seeds,) floats

    Examples
    --------
    >>> from unittest.mock import patch
    >>> tuned = patch(f"{__name__}.tuned_factor", lambda arm, world: 2.0)
    >>> runs = patch(f"{__name__}.kept_runs", lambda page, name, seeds, **given: seeds)
    >>> with tuned, runs:
    ...     len(steps.__wrapped__("A3C", "cliff"))
    400
    """
    given = _asked(arm, world, tuned_factor(arm, world))
    return kept_runs("lineage", f"{arm}, {world}", seeds=SEEDS, **given)


def _asked(arm: str, world: str, factor: float) -> dict[str, Any]:
    settings, change, options = ARMS[arm]
    where, target = WORLDS[world]
    return {
        "measure": partial(steps_needed, target=target), "world": where,
        "config": scaled(replace(A3CConfig(), **settings), factor), "total_steps": TOTAL_STEPS,
        "learn": partial(train_changed, change=change, **options),
    }  # fmt: skip


def pilot_seeds(effect: str, world: str) -> int:
    """Return how many seeds a pilot on the tuning seeds asks for: power 0.9 for a tenth.

    Parameters
    ----------
    effect : one of `EFFECTS`
    world : one of `WORLDS`

    Examples
    --------
    Of two arms that are equally fast up to some chance:

    >>> from unittest.mock import patch
    >>> made_up = np.exp(np.random.default_rng(0).normal(9.0, 0.1, (2, 30, 6)))
    >>> tuned = patch(f"{__name__}.tuned_factor", lambda arm, world: 1.0)
    >>> runs = patch(f"{__name__}.tuning_steps", lambda arm, world: made_up[len(arm) % 2])
    >>> with tuned, runs:
    ...     2 <= pilot_seeds("PPO over PPO without clipping", "cliff") <= len(SEEDS)
    True
    """
    arm, control = EFFECTS[effect]
    above, below = (
        np.log(tuning_steps(one, world)[:, STEP_FACTORS.index(tuned_factor(one, world))])
        for one in (arm, control)
    )
    return seeds_needed(above - below, -math.log(MATTERS))


class Effect(NamedTuple):
    """A measured effect and what the ledger's rule says of it.

    Examples
    --------
    >>> Effect(Interval(0.8, 0.75, 0.85), "holds").outcome
    'holds'
    """

    ratio: Interval  # of the median steps, arm over control
    outcome: str


def measured_effect(effect: str, world: str) -> Effect:
    """Return the ratio of steps of an arm and its control, and whether it matters.

    Parameters
    ----------
    effect : one of `EFFECTS`
    world : one of `WORLDS`

    Examples
    --------
    With made-up steps, of which a barrier saves a fifth:

    >>> from unittest.mock import patch
    >>> def made_up(arm, world):
    ...     return np.full(5, 8_000.0 if arm == "A2C" else 10_000.0)
    >>> with patch(f"{__name__}.steps", made_up):
    ...     measured_effect("A2C over A3C", "cliff").outcome
    'holds'
    """
    arm, control = EFFECTS[effect]
    ratio = median_ratio(steps(arm, world), steps(control, world))
    return Effect(ratio, Condition(effect, at_most=MATTERS, no_effect=1).outcome(ratio))


def effects(world: str) -> Mapping[str, Effect]:
    """Return all measured effects in a world.

    Parameters
    ----------
    world : one of `WORLDS`

    Examples
    --------
    >>> from unittest.mock import patch
    >>> with patch(f"{__name__}.steps", lambda arm, world: np.full(5, 9_000.0)):
    ...     {effect.outcome for effect in effects("cliff").values()}
    {'no difference that matters'}
    """
    return {effect: measured_effect(effect, world) for effect in EFFECTS}


def _in_both_worlds(**compared: str) -> dict[str, Interval]:
    return {
        f"{name}, {world}": measured_effect(effect, world).ratio
        for name, effect in compared.items()
        for world in WORLDS
    }


def c26() -> dict[str, Interval]:
    """Return what a barrier is worth (claim C26).

    Examples
    --------
    With made-up steps, the same for every method:

    >>> from unittest.mock import patch
    >>> with patch(f"{__name__}.steps", lambda arm, world: np.full(5, 8_000.0)):
    ...     c26()["A2C, cliff"].mean
    1.0
    """
    return _in_both_worlds(A2C="A2C over A3C")


def c27() -> dict[str, Interval]:
    """Return what a mean over horizons is worth (claim C27).

    Examples
    --------
    With made-up steps, the same for every method:

    >>> from unittest.mock import patch
    >>> with patch(f"{__name__}.steps", lambda arm, world: np.full(5, 8_000.0)):
    ...     c27()["λ, grid"].mean
    1.0
    """
    return _in_both_worlds(λ="λ = 0.9 over λ = 1, n = 20")


def c28() -> dict[str, Interval]:
    """Return what V-trace is worth (claim C28): by itself, with old copies, and its ratios alone.

    Examples
    --------
    With made-up steps, the same for every method:

    >>> from unittest.mock import patch
    >>> with patch(f"{__name__}.steps", lambda arm, world: np.full(5, 8_000.0)):
    ...     c28()["correction alone, grid"].mean
    1.0
    """
    return _in_both_worlds(
        **{"V-trace": "V-trace over A3C", "old copies": "V-trace over A3C, old copies",
           "correction alone": "V-trace over ratios of 1, old copies"}
    )  # fmt: skip


def c29() -> dict[str, Interval]:
    """Return what PPO is worth, and its clipping by itself (claim C29).

    Examples
    --------
    With made-up steps, the same for every method:

    >>> from unittest.mock import patch
    >>> with patch(f"{__name__}.steps", lambda arm, world: np.full(5, 8_000.0)):
    ...     c29()["clipping, cliff"].mean
    1.0
    """
    return _in_both_worlds(PPO="PPO over A3C", clipping="PPO over PPO without clipping")
