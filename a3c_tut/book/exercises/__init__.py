"""The book's exercises: stubs, solutions, and checks that say what is wrong.

    from a3c_tut.book.exercises import check
    check("staleness", my_staleness)

Each exercise knows the usual mistakes and recognises them by what they compute.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np

from a3c_tut.book.evidence.common import curve
from a3c_tut.book.exercises.exercise import Answer, Exercise, SilentBug, Step

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PAGES = ("introduction", "objective", "updates", "stability", "cpu_training", "sparse_rewards",
          "control", "best_practices", "python_practice", "capstone", "result",
          "summary")  # fmt: skip

#: All exercises by name, in the order of the pages.
#:
#: :meta hide-value:
EXERCISES: dict[str, type[Exercise]] = {
    value.name(): value
    for page in (import_module(f"{__name__}.pages.{name}") for name in _PAGES)
    for value in vars(page).values()
    if isinstance(value, type) and issubclass(value, Exercise) and value.__module__ == page.__name__
}


def find(name: str) -> type[Exercise]:
    """Return an exercise by its name.

    Raises
    ------
    ValueError
        If there is none of this name.

    Examples
    --------
    >>> find("staleness").title
    'staleness from the schedule'
    """
    if name not in EXERCISES:
        known = ", ".join(EXERCISES)
        raise ValueError(f"no exercise is called {name!r}; there are {known}")
    return EXERCISES[name]


def check(name: str, function: Answer) -> str:
    """Say whether a function solves an exercise, or which usual mistake it makes.

    Parameters
    ----------
    name : str
        The exercise's name, as the page gives it.
    function : callable
        With the arguments of the exercise's stub.

    Returns
    -------
    str
        One sentence; it begins with "Right" if every case comes out.

    Raises
    ------
    ValueError
        If there is no exercise of this name.

    Examples
    --------
    >>> check("staleness", lambda schedule, num_workers: range(len(schedule)))
    'You count from the beginning: a worker synchronises after each push of its own.'
    """
    return find(name).check(function)


def keep(name: str, function: Answer) -> Answer:
    """Check a step of the capstone aloud, and return the function that the next steps are to call.

    Parameters
    ----------
    name : str
        The step's name, as the page gives it.
    function : callable
        With the arguments of the step's stub.

    Returns
    -------
    callable
        The given one if it is right to the last bit, and the book's if not: those who are stuck
        in one step can go on to the next.

    Raises
    ------
    ValueError
        If there is no step of this name.

    Examples
    --------
    >>> judge = keep("judge", lambda states, rewards, terminated, V, gamma: rewards)
    Here the advantages should be [-2.025, 1.24 , 0.77 ], not [-1. , 2. , -0.5].
    """
    step = find(name)
    if not issubclass(step, Step):
        raise ValueError(f"{name!r} is no step of the capstone")
    said = step.check(function)
    print(said)
    return function if said == step.right else step.solution


def plot_symptom(name: str) -> Figure:
    """Draw what a silent bug does to learning: the faulty program beside the right one.

    Parameters
    ----------
    name : str
        Of an exercise that is a `SilentBug`.

    Returns
    -------
    Figure
        Means with 95 % intervals over seeds.

    Raises
    ------
    ValueError
        If there is no silent bug of this name.
    """
    from a3c_tut.figures import plot_curves

    exercise = find(name)
    if not issubclass(exercise, SilentBug):
        raise ValueError(f"{name!r} is no silent bug")
    seen = exercise.symptom()
    curves = {label: curve(np.asarray(rows).T) for label, rows in seen.curves.items()}
    return plot_curves(seen.x, curves, xlabel=seen.xlabel, ylabel=seen.ylabel)
