"""The silent bugs of the chapters side by side: what each does to a run, and which check tells it.

A check is a run of a few hundred steps in a world so small that its outcome is known beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from a3c_tut import A3CConfig, TableWorld
from a3c_tut.book import plain
from a3c_tut.book.exercises import find
from a3c_tut.book.plain import Parts

#: The silent bugs, in the order of the pages: name of the exercise, and what is broken.
#:
#: :meta hide-value:
FAULTS = {
    "worker_seeds": "workers alike",
    "rollout_returns": "last reward lost",
    "policy_loss": "entropy punished",
    "rmsprop_step": "ε outside the root",
    "after_the_horizon": "step size below 0",
    "hand_over": "old gradients again",
    "goes_on": "two episodes in one",
    "what_follows": "time limit as end",
}

#: Where the step sizes of `after_the_horizon` reach 0 in the checks, in steps.
HORIZON = 1_000


class Check(NamedTuple):
    """A reading of a learner, and the interval in which that of a healthy one lies.

    Examples
    --------
    >>> check = CHECKS["two pushes"]
    >>> check.low < check.read(Parts(), seed=0) < check.high
    True
    """

    says: str  # what is read, in words
    read: Callable[..., float]  # of parts and seed
    low: float
    high: float

    def passes(self, parts: Parts, seed: int = 0) -> bool:
        """Return whether the reading of a learner of these parts is that of a healthy one.

        Parameters
        ----------
        parts : Parts
        seed : int from 0

        Examples
        --------
        >>> CHECKS["one step"].passes(faulty("goes_on"))
        False
        """
        return self.is_healthy(self.read(parts, seed=seed))

    def is_healthy(self, reading: float) -> bool:
        """Return whether a reading is that of a healthy learner.

        Parameters
        ----------
        reading : float

        Examples
        --------
        >>> CHECKS["one step"].is_healthy(1.0), CHECKS["one step"].is_healthy(3.0)
        (True, False)
        """
        return self.low <= reading <= self.high


def faulty(name: str) -> Parts:
    """Return the parts of the learner with one silent bug in it.

    Parameters
    ----------
    name : str
        One of `FAULTS`.

    Examples
    --------
    >>> faulty("what_follows").bootstrap(5.0, False, True)  # cut, and 5 are still to come
    0.0
    """
    stub: Any = find(name).stub
    exchanged: dict[str, tuple[str, Callable[..., Any]]] = {
        "worker_seeds": (
            "streams", lambda seed, n: [np.random.default_rng(one) for one in stub(seed, n)]
        ),
        "rollout_returns": (
            "keep", lambda reward, end: float(stub(np.array([reward]), 0.0, end, 1.0)[0])
        ),
        "policy_loss": (
            "policy_gradient",
            lambda policy, action, advantage, beta: plain.policy_gradient(
                policy, action, advantage, -beta
            ),
        ),
        "rmsprop_step": (
            "scaled", lambda gradient, square, epsilon: stub(gradient, square, 1.0, epsilon)
        ),
        "after_the_horizon": ("learning_rate", lambda rate, steps, _: stub(rate, steps, HORIZON)),
        "hand_over": ("hand_over", stub),
        "goes_on": ("goes_on", stub),
        "what_follows": ("bootstrap", stub),
    }  # fmt: skip
    return Parts()._replace(**dict([exchanged[name]]))


def tiny_world(rewards: ArrayLike = (1.0, 1.0), ends: bool = True) -> TableWorld:
    """Return a world of one state and two actions, whose every step pays, and ends or comes back.

    Parameters
    ----------
    rewards : (2,) floats
        What the two actions pay.
    ends : bool
        Whether a step ends the episode; if not, a time limit cuts it after five.

    Examples
    --------
    >>> tiny_world().terminated[0].ravel().tolist(), tiny_world(ends=False).max_episode_steps
    ([True, True], 5)
    """
    pays = np.array([rewards, (0.0, 0.0)], dtype=float)[:, :, None]
    leads = np.full((2, 2, 1), 1 if ends else 0, dtype=np.int32)
    leads[1] = 1
    return TableWorld(
        leads, np.ones((2, 2, 1)), pays, leads == 1, np.array([1.0, 0.0]), 5, name="tiny"
    )


def _plain(**changes: Any) -> A3CConfig:
    """Return settings in which a critic's value after a push is known by heart."""
    usual = {"num_workers": 1, "optimizer": "sgd", "actor_lr": 0.0, "critic_lr": 0.1}
    return A3CConfig(**{**usual, "max_grad_norm": None, "gamma": 0.0, **changes})


def alike(parts: Parts, seed: int = 0) -> float:
    """Return the share of rounds in which four workers earn the same, by 0 or 1 each a step.

    Parameters
    ----------
    parts : Parts
    seed : int from 0

    Examples
    --------
    >>> alike(faulty("worker_seeds"))
    1.0
    """
    config = _plain(num_workers=4, rollout_length=1)
    returns = plain.learn(tiny_world((0.0, 1.0)), config, 400, seed, parts).returns.reshape(-1, 4)
    return float((returns == returns[:, :1]).all(axis=1).mean())


def small_push(parts: Parts, seed: int = 0) -> float:
    """Return what RMSprop's first step makes of a gradient of 0.01, in step sizes.

    Parameters
    ----------
    parts : Parts
    seed : int from 0

    Examples
    --------
    >>> 0.01 / np.sqrt(0.01 * 0.01**2 + 0.0012) - small_push(Parts()) < 1e-6
    np.True_
    """
    config = _plain(optimizer="rmsprop", rollout_length=1)
    world = tiny_world((0.01, 0.01), ends=False)
    return float(plain.learn(world, config, 1, seed, parts).V[0] / config.critic_lr)


def two_pushes(parts: Parts, seed: int = 0) -> float:
    """Return V after two steps that pay 1, by plain steps of 0.1: 0.1 and then 0.1 of the rest.

    Parameters
    ----------
    parts : Parts
    seed : int from 0

    Examples
    --------
    >>> round(two_pushes(Parts()), 6), round(two_pushes(faulty("hand_over")), 6)
    (0.19, 0.29)
    """
    world = tiny_world(ends=False)
    return float(plain.learn(world, _plain(rollout_length=1), 2, seed, parts).V[0])


def one_step(parts: Parts, seed: int = 0) -> float:
    """Return V where every step pays 1 and ends the episode, learned with rollouts up to five.

    Parameters
    ----------
    parts : Parts
    seed : int from 0

    Examples
    --------
    >>> round(one_step(Parts()), 3), round(one_step(faulty("rollout_returns")), 3)
    (1.0, 0.0)
    """
    config = _plain(rollout_length=5, gamma=1.0, critic_lr=0.05)
    return float(plain.learn(tiny_world(), config, 400, seed, parts).V[0])


def no_end(parts: Parts, seed: int = 0) -> float:
    """Return V where every step pays 1 and none is the last, with γ = 0.9 and a limit of five.

    Parameters
    ----------
    parts : Parts
    seed : int from 0

    Examples
    --------
    >>> round(no_end(Parts()), 1)
    10.0
    """
    config = _plain(rollout_length=5, gamma=0.9, critic_lr=0.1)
    return float(plain.learn(tiny_world(ends=False), config, 900, seed, parts).V[0])


def surest(parts: Parts, seed: int = 0) -> float:
    """Return the larger probability of two actions that pay the same, with an entropy bonus.

    Parameters
    ----------
    parts : Parts
    seed : int from 0

    Examples
    --------
    >>> surest(Parts()) < 0.55 < 0.95 < surest(faulty("policy_loss"))
    True
    """
    config = _plain(rollout_length=1, actor_lr=0.5, entropy_coef=0.2)
    theta = plain.learn(tiny_world(), config, 400, seed, parts).theta[0]
    return float(1.0 / (1.0 + np.exp(-abs(theta[0] - theta[1]))))


def largest(parts: Parts, seed: int = 0) -> float:
    """Return the largest |V| in a run of twice the horizon in which every step pays 0 or 1.

    Parameters
    ----------
    parts : Parts
    seed : int from 0

    Examples
    --------
    >>> largest(Parts()) <= 1.0, largest(faulty("after_the_horizon")) > 100.0
    (True, True)
    """
    world = tiny_world((0.0, 1.0), ends=False)
    values = plain.learn(world, _plain(rollout_length=1), 2 * HORIZON, seed, parts).values
    return float(np.abs(values).max())


#: The checks, in the order in which to go through them; the first that fails names the fault.
#:
#: :meta hide-value:
CHECKS = {
    "four workers": Check("share of rounds in which four workers earn the same", alike, 0.0, 0.4),
    "a small push": Check("RMSprop's first step, in step sizes", small_push, 0.28, 0.30),
    "two pushes": Check("V after two steps of 0.1 towards 1", two_pushes, 0.185, 0.195),
    "one step": Check("V, if each step pays 1 and ends the episode", one_step, 0.95, 1.05),
    "no end": Check("V, if each step pays 1 for ever, γ = 0.9", no_end, 9.8, 10.2),
    "two equals": Check("probability of the likelier of two equals", surest, 0.5, 0.7),
    "past the end": Check("largest |V|, if each step pays 0 or 1", largest, 0.0, 1.0),
}

#: What each check tells when it is the first to fail, by whether its reading is low or high.
_TELLS = {
    ("four workers", "high"): "worker_seeds",
    ("a small push", "high"): "rmsprop_step",
    ("two pushes", "high"): "hand_over",
    ("one step", "low"): "rollout_returns",
    ("one step", "high"): "goes_on",
    ("no end", "low"): "what_follows",
    ("two equals", "high"): "policy_loss",
    ("past the end", "high"): "after_the_horizon",
}


def diagnose(parts: Parts, seed: int = 0) -> str | None:
    """Go through the checks in their order, and return the silent bug that the first failure tells.

    Parameters
    ----------
    parts : Parts
    seed : int from 0

    Returns
    -------
    str or None
        One of `FAULTS`; "something else" if the reading is none that is known; None if all pass.

    Examples
    --------
    >>> diagnose(Parts()) is None, diagnose(faulty("goes_on"))
    (True, 'goes_on')
    """
    for name, check in CHECKS.items():
        reading = check.read(parts, seed=seed)
        if not check.is_healthy(reading):
            side = "low" if reading < check.low else "high"
            return _TELLS.get((name, side), "something else")
    return None


def reading_table(seeds: Iterable[int] = range(5)) -> str:
    """Return, as a Markdown table, what each check reads of each learner: the mean over seeds.

    Parameters
    ----------
    seeds : iterable of ints

    Examples
    --------
    >>> print(reading_table([0]).splitlines()[2][:39])
    | healthy | 0.14 | 0.29 | 0.19 | 1.00 |
    """
    seeds = list(seeds)
    lines = ["| learner | " + " | ".join(CHECKS) + " |", "|---" * (1 + len(CHECKS)) + "|"]
    for name in (None, *FAULTS):
        parts = faulty(name) if name else Parts()
        cells = []
        for check in CHECKS.values():
            mean = float(np.mean([check.read(parts, seed=seed) for seed in seeds]))
            text = f"{mean:.2f}" if abs(mean) < 100 else "over 100"
            cells.append(text if check.is_healthy(mean) else f"**{text}**")
        lines.append(f"| {FAULTS[name] if name else 'healthy'} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def symptoms(names: Iterable[str] = tuple(FAULTS)) -> dict[str, Any]:
    """Run the faulty and the healthy program of some silent bugs, and return what is seen of them.

    Parameters
    ----------
    names : iterable of str
        Of `FAULTS`.

    Returns
    -------
    dict of a name to `Curves`

    Examples
    --------
    >>> symptoms([])
    {}
    """
    return {name: find(name).symptom() for name in names}  # type: ignore[attr-defined]


def plot_symptoms(seen: Mapping[str, Any]) -> Any:
    """Draw small multiples: the healthy run against each fault, means and 95 % intervals.

    Parameters
    ----------
    seen : mapping of a name of `FAULTS` to `Curves`

    Returns
    -------
    Figure

    Examples
    --------
    >>> from a3c_tut.book.exercises.exercise import Curves
    >>> rows = np.array([[0.0, 1.0], [0.0, 0.8]])
    >>> curves = Curves([0, 10], {"as below": rows, "as it should be": rows + 1}, "steps", "return")
    >>> figure = plot_symptoms({"goes_on": curves, "hand_over": curves})
    >>> [axes.get_title() for axes in figure.axes]
    ['two episodes in one', 'old gradients again']
    """
    from a3c_tut.book.evidence.common import curve
    from a3c_tut.figures import BLACK, GREEN, NARROW, new_figure

    figure = new_figure(NARROW, 0.5 + 1.55 * ((len(seen) + 1) // 2))
    for place, (name, curves) in enumerate(seen.items()):
        axes = figure.add_subplot((len(seen) + 1) // 2, 2, place + 1)
        x = np.asarray(curves.x, dtype=float) / 1_000
        styles = (("fault", BLACK, "-"), ("healthy", GREEN, "--"))
        for rows, (label, color, line) in zip(curves.curves.values(), styles, strict=True):
            table = curve(np.asarray(rows, dtype=float).T)
            axes.plot(x, table[:, 0], line, color=color, linewidth=1.6, label=label)
            axes.fill_between(x, table[:, 1], table[:, 2], color=color, alpha=0.2, linewidth=0)
        axes.set_title(FAULTS[name], fontsize=9)
        axes.set_ylabel(curves.ylabel.replace(" of the ", "\nof the "), fontsize=8)
        axes.tick_params(labelsize=8)
        axes.locator_params(nbins=4)
    figure.supxlabel("thousands of steps of all workers", fontsize=9)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), fontsize=9, ncols=2, frameon=False,
                  loc="outside upper center")  # fmt: skip
    return figure
