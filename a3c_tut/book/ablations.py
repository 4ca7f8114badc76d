"""What each difference from the paper amounts to, measured (appendix: Paper concordance).

Not claims of anybody's, so without thresholds: one setting at a time is changed, on the same seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import ndiff
from inspect import getsource
from textwrap import dedent
from typing import NamedTuple

import numpy as np

from a3c_tut import A3CConfig, cliff_world
from a3c_tut.book.claims import Interval
from a3c_tut.book.evidence.common import interval, percentile_ratio
from a3c_tut.book.evidence.tuning import steps_needed
from a3c_tut.experiments import compare, final_return
from a3c_tut.gen_a3c_figures import listing_1

_TWICE = 2 * A3CConfig().per_worker("critic_lr")[0]

#: What is changed, in words, and the setting: the paper's way or the tutorial's, where ours is
#: another.
#:
#: :meta hide-value:
ABLATIONS: dict[str, dict[str, object]] = {
    "rollouts of 5 steps": {"rollout_length": 5},
    "rollouts of 20 steps": {"rollout_length": 20},
    "rollouts of 20 steps, each step looking 5 ahead": {"rollout_length": 20, "window": 5},
    "advantages from the shared critic": {"critic": "global"},
    "plain SGD": {"optimizer": "sgd"},
    "RMSprop, statistics per worker": {"shared_statistics": False},
    "annealed by the shared counter": {"lr_anneal": "global"},
    "annealed per worker": {"lr_anneal": "per_worker"},
    "no clipping": {"max_grad_norm": None},
    "copies refreshed after ten pushes": {"sync_every": 10},
    "(R − V)² instead of half of it": {"critic_lr": _TWICE},
    "sixteen workers": {"num_workers": 16},
    "annealed, no clipping, (R − V)², sixteen workers": {
        "lr_anneal": "global", "max_grad_norm": None, "critic_lr": _TWICE, "num_workers": 16,
    },
}  # fmt: skip

#: Listing 1 as the tutorial prints it.
PRINTED_LISTING = """\
for worker in range(num_workers):
    states, actions, rewards = collect_rollout(theta_local[worker],
        V_local[worker])
    advantages = compute_n_step_advantages(states, rewards, V_global)
    grad_theta, grad_V = accumulate_gradients(states, actions,
        advantages)
    theta_global += actor_lr * grad_theta
    V_global += critic_lr * grad_V
"""


def compared_listings() -> list[str]:
    """Return Listing 1 as printed and as it runs, line by line, the differences marked.

    Returns
    -------
    list of str
        With "- " in front of what is only printed, "+ " of what only runs, two blanks otherwise.

    Examples
    --------
    >>> for line in compared_listings()[:4]:
    ...     print(line)
      for worker in range(num_workers):
          states, actions, rewards = collect_rollout(theta_local[worker],
    -         V_local[worker])
    +         walkers[worker])
    """
    running = getsource(listing_1).split("# [listing-1-begin]\n")[1]
    running = dedent(running.split("        # [listing-1-end]")[0])
    both = ndiff(PRINTED_LISTING.splitlines(), running.splitlines())
    return [line for line in both if not line.startswith("?")]


class Effect(NamedTuple):
    """What a change does, over seeds.

    Examples
    --------
    >>> Effect(Interval(1.2, 1.1, 1.3), Interval(-17.0, -17.1, -16.9)).steps.mean
    1.2
    """

    steps: Interval  # steps until 50 episodes return −20, over ours on the same seeds
    final: Interval  # mean return of the last 100 episodes


def measure_ablations(
    seeds: Sequence[int] = range(30),
    ablations: Mapping[str, Mapping[str, object]] = ABLATIONS,
    total_steps: int = 60_000,
) -> dict[str, Effect]:
    """Train on the cliff-world with one setting changed at a time.

    Parameters
    ----------
    seeds : sequence of int
    ablations : mapping of a name to settings of `A3CConfig`
    total_steps : int
        Of all workers together.

    Returns
    -------
    dict
        For "ours" and each ablation its `Effect`. A run that never gets to −20 counts with all
        its steps.

    Raises
    ------
    ValueError
        For a setting out of range.

    Examples
    --------
    >>> effects = measure_ablations([0, 1], {"no clipping": {"max_grad_norm": None}}, 9_000)
    >>> list(effects), effects["ours"].steps.text()
    (['ours', 'no clipping'], '1.00')
    """
    variants = {
        name: {"config": replace(A3CConfig(), **settings)}  # type: ignore[arg-type]
        for name, settings in {"ours": {}, **ablations}.items()
    }
    runs = compare(
        cliff_world(), variants, seeds=seeds, total_steps=total_steps,
        measure=lambda run: (steps_needed(run), final_return(run)),
    )  # fmt: skip
    table = {name: np.array(measured) for name, measured in runs.items()}
    return {
        name: Effect(
            percentile_ratio(measured[:, 0], table["ours"][:, 0]), interval(measured[:, 1])
        )
        for name, measured in table.items()
    }


def ablation_table(effects: Mapping[str, Effect]) -> str:
    """Return the effects as a Markdown table.

    Examples
    --------
    >>> print(ablation_table({"ours": Effect(Interval(1, 1, 1), Interval(-17, -18, -16))}))
    | changed | steps to −20, ours = 1 | return of the last 100 episodes |
    |---|---|---|
    | ours | 1.00 | −17.0 [−18.0, −16.0] |
    """
    lines = [
        "| changed | steps to −20, ours = 1 | return of the last 100 episodes |",
        "|---|---|---|",
    ]
    lines += [f"| {name} | {e.steps.text()} | {e.final.text()} |" for name, e in effects.items()]
    return "\n".join(lines)
