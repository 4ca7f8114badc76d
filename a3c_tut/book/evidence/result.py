"""What the Result page measures with (Section 5): known ways past a cliff, and which is taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from a3c_tut import A3CConfig, TableWorld, TrainingResult, cliff_world
from a3c_tut.book.evidence.common import Floats, settling_seeds
from a3c_tut.book.evidence.kept import kept_runs
from a3c_tut.exact import action_values, policy_values
from a3c_tut.experiments import outcome
from a3c_tut.figures import BLACK, BLUE, ORANGE, SKY, WIDTH, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: The picture of many settings: a panel for each β, a column for each step size of the critic, a
#: row for each clipping norm, and the seeds of each cell.
BETAS = (0.0, 0.01)
CRITIC_STEPS = (0.003, 0.01, 0.03, 0.1, 0.3)
NORMS = (0.3, 0.7, 2.0, 7.0, 30.0, None)
SEEDS = settling_seeds(40, first=1000)
#: What the most probable paths of the cliff-world return: the edge, the middle, the wall.
WAYS = (-13.0, -15.0, -17.0)


def row_policy(world: TableWorld, row: int) -> NDArray[np.float64]:
    """Return the policy that crosses a cliff-world along one row (Section 5).

    From anywhere: to that row, along it to the last column, down to the goal.

    Parameters
    ----------
    world : TableWorld
        A `cliff_world` of R rows.
    row : int
        0, the row at the wall (the safe detour), to R − 2, the row along the edge (the optimum).

    Returns
    -------
    (S, 4) floats
        A single 1 in each row.

    Raises
    ------
    ValueError
        When the world is no cliff-world or has no such row above the cliff.

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> from a3c_tut.exact import greedy_path
    >>> [greedy_path(cliff_world(), row_policy(cliff_world(), row)).total_return
    ...  for row in (0, 1, 2)]
    [-17.0, -15.0, -13.0]
    """
    if world.grid_shape is None or "C" not in world.marks.values():
        raise ValueError(f"world is {world.name}; allowed: a cliff_world")
    rows, columns = world.grid_shape
    if not 0 <= row <= rows - 2:
        raise ValueError(f"row is {row!r}; allowed: a whole number from 0 to {rows - 2}")
    r, c = np.divmod(np.arange(world.num_states), columns)
    action = np.where(r > row, 0, np.where(r < row, 2, 1))  # up, down, right
    action[c == columns - 1] = 2
    policy = np.zeros((world.num_states, 4))
    policy[np.arange(world.num_states), action] = 1.0
    return policy


def soften_cliff(world: TableWorld, fall: float = -100.0, sends_back: bool = True) -> TableWorld:
    """Return a cliff-world whose falls cost something else (Section 5).

    Parameters
    ----------
    world : TableWorld
        A `cliff_world`.
    fall : float
        The reward of a step into the cliff.
    sends_back : bool
        Whether a fall leads back to the start; otherwise the walker stays where it stood.

    Returns
    -------
    TableWorld

    Examples
    --------
    A cliff that is nothing but a wall:

    >>> from a3c_tut import cliff_world
    >>> wall = soften_cliff(cliff_world(), fall=-1.0, sends_back=False)
    >>> int(wall.next_state[36, 1, 0]), float(wall.reward[36, 1, 0])
    (36, -1.0)
    >>> int(wall.next_state[25, 2, 0]), float(wall.reward.min())
    (25, -1.0)
    """
    falls = world.reward == world.reward.min()
    stands = np.arange(world.num_states)[:, None, None]
    return replace(
        world,
        next_state=np.where(falls & (not sends_back), stands, world.next_state),
        reward=np.where(falls, fall, world.reward),
    )


def ways_taken() -> dict[tuple[float, float, float | None], Floats]:
    """Return what the most probable path returns, per seed, for all settings of the picture.

    Returns
    -------
    dict
        By β, critic step and clipping norm; −∞ where a path never arrives.

    Examples
    --------
    >>> ways = ways_taken()
    >>> len(ways), ways[0.01, 0.03, 0.7].shape
    (60, (40,))
    """
    found = {}
    for beta in BETAS:
        for step in CRITIC_STEPS:
            for norm in NORMS:
                config = A3CConfig(entropy_coef=beta, critic_lr=step, max_grad_norm=norm)
                name = f"ways, β = {beta:g}, critic step {step:g}, norm {norm}"
                runs = kept_runs("result", name, outcome, cliff_world(), config, SEEDS, 60_000)
                found[beta, step, norm] = runs[:, 0]
    return found


def plot_ways(ways: Mapping[tuple[float, float, float | None], Floats]) -> Figure:
    """Draw `ways_taken`: a panel per β; in each cell the shares of the three ways, as areas.

    Parameters
    ----------
    ways : mapping of β, critic step and clipping norm to returns
        The number in a cell says how many seeds take the shortest way; a frame marks the default.

    Returns
    -------
    Figure

    Examples
    --------
    >>> ways = {(0.0, 0.1, None): np.array([-13.0, -17.0]), (0.0, 0.3, None): np.array([-15.0])}
    >>> [text.get_text() for text in plot_ways(ways).axes[0].texts]
    ['1', '0']
    """
    from matplotlib.patches import Patch, Rectangle

    betas, steps, norms = (list(dict.fromkeys(key[i] for key in ways)) for i in range(3))
    kinds = dict(zip((*WAYS, -np.inf), (BLUE, SKY, ORANGE, "#DDDDDD"), strict=True))
    figure = new_figure(WIDTH, 0.9 + len(betas) * (0.75 + 0.31 * len(norms)))
    panels = figure.subplots(len(betas), 1, squeeze=False)[:, 0]
    usual = A3CConfig()
    for axes, beta in zip(panels, betas, strict=True):
        for column, step in enumerate(steps):
            for row, norm in enumerate(norms):
                returns = ways[beta, step, norm]  # type: ignore[index]
                left = column - 0.47
                for value, color in kinds.items():
                    share = 0.94 * float((returns == value).mean())
                    axes.add_patch(Rectangle((left, row - 0.45), share, 0.9, color=color, lw=0))
                    left += share
                count = int((returns == WAYS[0]).sum())
                axes.text(column, row, str(count), ha="center", va="center", fontsize=9,
                          bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})  # fmt: skip
                if (step, norm) == (usual.critic_lr, usual.max_grad_norm):
                    axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False,
                                             edgecolor=BLACK, lw=2, zorder=3))  # fmt: skip
        axes.set_xlim(-0.55, len(steps) - 0.45)
        axes.set_ylim(len(norms) - 0.45, -0.55)
        axes.set_xticks(range(len(steps)), [f"{step:g}" for step in steps])
        labels = ["no clipping" if norm is None else f"{norm:g}" for norm in norms]
        axes.set_yticks(range(len(norms)), labels)
        axes.set_title(f"β = {beta:g}", fontsize=10)
        axes.set_ylabel("clipping norm")
    panels[-1].set_xlabel("step size of the critic")
    words = ("edge, −13", "middle, −15", "wall, −17", "none")
    patches = [Patch(color=color, label=word)
               for color, word in zip(kinds.values(), words, strict=True)]  # fmt: skip
    figure.legend(handles=patches, ncols=4, loc="outside upper center", frameon=False, fontsize=9,
                  columnspacing=1.0, handlelength=1.2)  # fmt: skip
    return figure


def beside_the_cliff(run: TrainingResult) -> tuple[float, float, float]:
    """Return how the way along the edge looks to a policy of the moment (Section 5).

    By how much *right* beats *up* in the ten cells beside the cliff, on average: exactly, for this
    policy; by the critic's values; and the mean probability of *right* there.

    Parameters
    ----------
    run : TrainingResult, of the cliff-world

    Examples
    --------
    >>> from a3c_tut import train
    >>> exactly, by_the_critic, right = beside_the_cliff(train(cliff_world(), total_steps=600))
    >>> exactly < 0 < by_the_critic, 0.2 < right < 0.3
    (True, True)
    """
    cells = np.arange(25, 35)
    values = policy_values(run.world, run.policy, 0.99)
    exactly, guessed = (
        action_values(run.world, guess, 0.99)[cells] for guess in (values, run.values)
    )
    return (
        float((exactly[:, 1] - exactly[:, 0]).mean()),
        float((guessed[:, 1] - guessed[:, 0]).mean()),
        float(run.policy[cells, 1].mean()),
    )
