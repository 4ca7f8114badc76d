"""Every knob of a run, its default and its range, validated once (Sections 2.3 and 3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from typing import Any, Literal

from a3c_tut.checks import MOST, number, one_of, plain, short, whole
from a3c_tut.names import check_names
from a3c_tut.shown import html

_MOST_WORKERS, _LONGEST = 10_000, 1_000_000


@dataclass(frozen=True, kw_only=True, repr=False)
class A3CConfig:
    """What a run of A3C is asked for, besides world, seed and number of steps.

    The defaults learn on every world of the book. They were chosen by a protocol that was written
    down first, and judged on seeds that had no part in the choice: `benchmarks/defaults.py`.

    Parameters
    ----------
    num_workers : int from 1 to 10,000
        N, the number of workers.
    rollout_length : int from 1 to 1,000,000, or one per worker
        n, the steps a worker acts before it pushes a gradient (Section 2.1).
    gamma : float in [0, 1]
        γ, the discount of Equation (1).
    gae_lambda : float in [0, 1]
        λ: 1 is Equation (1); below it, advantages are a mean over all horizons (Schulman et al.,
        2016), which lowers their variance and relies more on the critic.
    entropy_coef : float from 0, or one per worker
        β, the weight of the entropy in Equation (2).
    actor_lr, critic_lr : float from 0, or one per worker
        Step sizes of θ and V (Listing 1).
    max_grad_norm : float above 0, or None
        Longest gradient, as one norm over actor and critic (Section 2.3); None: no clipping.
    optimizer : "rmsprop" or "sgd"
        How a gradient is applied (Section 2.3). Listing 1 is "sgd".
    rmsprop_decay : float in [0, 1)
        α, how much of the mean square is kept per update.
    rmsprop_epsilon : float above 0
        ε, inside the root.
    shared_statistics : bool
        Whether all workers share one mean square (Section 2.3) or keep one each.
    lr_anneal : None, "global", "per_worker", or pairs (share of total_steps, factor)
        Linear annealing to 0 by the shared step counter (Section 2.3) or the worker's own
        (Section 3). Pairs draw a schedule of your own: straight lines between points, read by the
        shared counter, the shares rising from 0 to 1. The factor multiplies both step sizes.
    sync_every : int from 1
        Pushes between two refreshes of a worker's local copy (Section 3).
    window : None or int from 1
        The fixed n of Equation (1) as printed; None: every step of a rollout looks ahead to its
        end, as in Mnih et al. (2016). At most the rollout length.
    critic : "local" or "global"
        Whose V computes the advantages: the worker's copy (Section 2.1) or the shared one, at the
        push (Listing 1).
    update_mode : "atomic" or "hogwild"
        Pushes under one lock, or without any. An emulated run is always atomic.
    max_episode_steps : None or int from 1
        Time limit; None: the world's own. An episode cut by it is truncated, not terminated.
    reward_scale : float above 0
        Multiplies rewards for learning only; returns and values are reported in the world's units.

    Raises
    ------
    ValueError
        For a value outside its range; the message names the setting, the value and what is
        allowed.

    Examples
    --------
    >>> A3CConfig(num_workers=2, rollout_length=(5, 20)).per_worker("rollout_length")
    (5, 20)
    >>> A3CConfig(gamma=1.5)
    Traceback (most recent call last):
    ...
    ValueError: gamma is 1.5; allowed: a number from 0 to 1

    Full step sizes for the first half of the run, then falling to a tenth:

    >>> A3CConfig(lr_anneal=[(0, 1), (0.5, 1), (1, 0.1)]).lr_anneal
    ((0.0, 1.0), (0.5, 1.0), (1.0, 0.1))
    """

    num_workers: int = 3
    rollout_length: int | Sequence[int] = 3
    gamma: float = 0.99
    gae_lambda: float = 1.0
    entropy_coef: float | Sequence[float] = 0.01
    actor_lr: float | Sequence[float] = 0.05
    critic_lr: float | Sequence[float] = 0.03
    max_grad_norm: float | None = 0.7
    optimizer: Literal["rmsprop", "sgd"] = "rmsprop"
    rmsprop_decay: float = 0.99
    rmsprop_epsilon: float = 0.0012
    shared_statistics: bool = True
    lr_anneal: Literal["global", "per_worker"] | Sequence[tuple[float, float]] | None = None
    sync_every: int = 1
    window: int | None = None
    critic: Literal["local", "global"] = "local"
    update_mode: Literal["atomic", "hogwild"] = "atomic"
    max_episode_steps: int | None = None
    reward_scale: float = 1.0

    def __new__(cls, *args: Any, **given: Any) -> A3CConfig:
        """Say which setting a name of another library's stands for."""
        check_names(cls.__name__, given, tuple(field.name for field in fields(cls)))
        return super().__new__(cls)

    def __post_init__(self) -> None:
        whole("num_workers", self.num_workers, 1, most=_MOST_WORKERS)
        for name in ("rollout_length", "entropy_coef", "actor_lr", "critic_lr"):
            value = getattr(self, name)
            if isinstance(value, Sequence) and not isinstance(value, str):
                object.__setattr__(self, name, tuple(value))
                if len(value) != self.num_workers:
                    raise ValueError(
                        f"{name} is {tuple(value)!r}; allowed: one value, or one per worker "
                        f"({self.num_workers})"
                    )
        for n in self.per_worker("rollout_length"):
            whole("rollout_length", n, 1, most=_LONGEST)
        for name in ("entropy_coef", "actor_lr", "critic_lr"):
            for value in self.per_worker(name):
                number(name, value, "a number from 0", lambda x: x >= 0)
        number("gamma", self.gamma, "a number from 0 to 1", lambda x: 0 <= x <= 1)
        number("gae_lambda", self.gae_lambda, "a number from 0 to 1", lambda x: 0 <= x <= 1)
        if self.max_grad_norm is not None:
            number("max_grad_norm", self.max_grad_norm, "None or a number above 0", lambda x: x > 0)
        number(
            "rmsprop_decay", self.rmsprop_decay, "a number from 0, below 1", lambda x: 0 <= x < 1
        )
        number("rmsprop_epsilon", self.rmsprop_epsilon, "a number above 0", lambda x: x > 0)
        number("reward_scale", self.reward_scale, "a number above 0", lambda x: x > 0)
        whole("sync_every", self.sync_every, 1, most=MOST)
        if self.window is not None:
            whole(
                "window",
                self.window,
                1,
                most=min(self.per_worker("rollout_length")),
                also="None or ",
            )
            if self.gae_lambda < 1:
                raise ValueError(
                    f"window is {self.window} with gae_lambda={self.gae_lambda}; allowed: one of "
                    "window and a gae_lambda below 1"
                )
        if self.max_episode_steps is not None:
            whole("max_episode_steps", self.max_episode_steps, 1, most=MOST, also="None or ")
        one_of("optimizer", self.optimizer, ("rmsprop", "sgd"))
        if not isinstance(self.lr_anneal, str) or self.lr_anneal not in ("global", "per_worker"):
            object.__setattr__(self, "lr_anneal", _points(self.lr_anneal))
        one_of("critic", self.critic, ("local", "global"))
        one_of("update_mode", self.update_mode, ("atomic", "hogwild"))
        if not isinstance(self.shared_statistics, bool):
            raise ValueError(
                f"shared_statistics is {short(self.shared_statistics)}; allowed: True or False"
            )
        for setting in fields(self):  # NumPy's numbers become plain ones, and fractions floats
            value = getattr(self, setting.name)
            parts = value if isinstance(value, tuple) else (value,)
            kept = tuple(map(plain, parts))
            object.__setattr__(self, setting.name, kept if value is parts else kept[0])

    def __repr__(self) -> str:
        """Return the call that makes it: what differs from the defaults."""
        return f"A3CConfig({', '.join(f'{k}={v!r}' for k, v in self.changed().items())})"

    def _repr_html_(self) -> str:
        """Return all settings as a table, for notebooks."""
        rows = {
            name: f"{value!r}{' (changed)' if name in self.changed() else ''}"
            for name, value in self.as_dict().items()
        }
        return html("A3CConfig", rows)

    def changed(self) -> dict[str, Any]:
        """Return the settings that differ from the defaults.

        Examples
        --------
        >>> A3CConfig(gamma=0.9, num_workers=3).changed()
        {'gamma': 0.9}
        """
        return {
            setting.name: getattr(self, setting.name)
            for setting in fields(self)
            if getattr(self, setting.name) != setting.default
        }

    def per_worker(self, name: str) -> tuple[Any, ...]:
        """Return a setting as one value per worker.

        Examples
        --------
        >>> A3CConfig(num_workers=2, rollout_length=5).per_worker("rollout_length")
        (5, 5)
        """
        value = getattr(self, name)
        return value if isinstance(value, tuple) else (value,) * self.num_workers

    @property
    def longest_rollout(self) -> int:
        """Return the largest rollout length of any worker.

        Examples
        --------
        >>> A3CConfig(num_workers=2, rollout_length=(5, 20)).longest_rollout
        20
        """
        return int(max(self.per_worker("rollout_length")))

    def as_dict(self) -> dict[str, Any]:
        """Return all settings as a dictionary of plain values; `A3CConfig(**it)` is equal.

        Examples
        --------
        >>> A3CConfig(**A3CConfig(gamma=0.9).as_dict()).gamma
        0.9
        """
        return asdict(self)


def _points(given: Any) -> tuple[tuple[float, float], ...] | None:
    """Return a schedule of step sizes as plain pairs (share, factor), or say what is allowed."""
    if given is None:
        return None
    try:
        points = tuple((float(share), float(factor)) for share, factor in given)
    except (TypeError, ValueError):
        points = ()
    shares, factors = [p[0] for p in points], [p[1] for p in points]
    rises = all(one < other for one, other in pairwise(shares))
    if not (len(points) > 1 and rises and shares[0] == 0.0 and shares[-1] == 1.0) or not all(
        math.isfinite(factor) and factor >= 0 for factor in factors
    ):
        raise ValueError(
            f"lr_anneal is {short(given)}; allowed: None, 'global', 'per_worker', or pairs (share, "
            "factor), shares rising from 0 to 1"
        )
    return points
