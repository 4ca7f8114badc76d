"""What an exercise is: a stub, a solution, the usual mistakes, and what to say to each.

The pages, the checks behind them and the tests are all made from these classes: a stub or a
solution stands in one place only.
"""

from __future__ import annotations

import copy
import inspect
import re
import textwrap
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from a3c_tut.book.exercises import a3c_from_scratch

Answer = Callable[..., Any]


def mistake(hint: str) -> Callable[[Answer], Any]:
    """Mark a function of an `Exercise` as a usual mistake, with what to say to its maker.

    Parameters
    ----------
    hint : str
        One sentence to the reader; it names the mistake, not the cure.

    Examples
    --------
    >>> class Halve(Exercise):
    ...     @mistake("That is twice as much, not half.")
    ...     def twice(x):
    ...         return 2 * x
    >>> [hint for hint, function in Halve.mistakes()]
    ['That is twice as much, not half.']
    """

    def mark(function: Answer) -> Any:
        function.hint = hint  # type: ignore[attr-defined]
        return staticmethod(function)

    return mark


class Exercise:
    """An exercise of the book; its docstring is the task, in the book's markup.

    Subclasses define the static functions `stub` (what the reader begins with), `solution` and
    `cases` (a list of tuples of arguments to try), and one function per usual `mistake`.

    Attributes
    ----------
    page : str
        The page of the book that asks it.
    title : str
    begin : str
        What to say to the stub as it stands.
    right : str
        What to say to a right answer; begins with "Right".

    Examples
    --------
    >>> class Halve(Exercise):
    ...     begin, right = "Nothing is halved yet.", "Right: two of them make the whole."
    ...     @staticmethod
    ...     def cases():
    ...         return [(3.0,), (0.5,)]
    ...     @staticmethod
    ...     def stub(x):
    ...         return x
    ...     @staticmethod
    ...     def solution(x):
    ...         return x / 2
    ...     @mistake("That rounds down: 3 / 2 is 1.5.")
    ...     def floor(x):
    ...         return x // 2
    >>> Halve.check(lambda x: x // 2)
    'That rounds down: 3 / 2 is 1.5.'
    >>> Halve.check(lambda x: 0.5 * x)
    'Right: two of them make the whole.'
    >>> Halve.check(lambda x: x - 1)
    'For x = 3.0 the answer should be 1.5 and is 2.0.'
    """

    page: ClassVar[str]
    title: ClassVar[str]
    begin: ClassVar[str]
    right: ClassVar[str]
    stub: ClassVar[Answer]
    solution: ClassVar[Answer]
    cases: ClassVar[Callable[[], Iterable[tuple[Any, ...]]]]

    @classmethod
    def name(cls) -> str:
        """Return the class's name in snake case: `OneRecursion` is asked for as "one_recursion"."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    @classmethod
    def given(cls) -> dict[str, Any]:
        """Return what an answer may use besides NumPy, by its name on the page: nothing."""
        return {}

    @classmethod
    def mistakes(cls) -> list[tuple[str, Answer]]:
        """Return the usual mistakes: what to say, and the function that makes it."""
        functions = (getattr(cls, name) for name in vars(cls))
        return [(f.hint, f) for f in functions if hasattr(f, "hint")]

    @classmethod
    def task(cls) -> str:
        """Return what is asked, in the book's markup."""
        return inspect.cleandoc(cls.__doc__ or "")

    @classmethod
    def check(cls, function: Answer) -> str:
        """Say whether a function is right, or which usual mistake it makes.

        Parameters
        ----------
        function : callable
            With the arguments of the stub.

        Returns
        -------
        str
            One sentence. It begins with "Right" if, and only if, every case comes out.
        """
        cases = list(cls.cases())
        wanted = cls._outcomes(cls.solution, cases)
        try:
            given, again = cls._outcomes(function, cases), cls._outcomes(function, cases)
        except Exception as error:
            return f"The function raises {type(error).__name__}: {error}"
        if not _same(given, again):
            return (
                "Asked twice the same, the function gives two answers: nothing could be repeated."
            )
        if cls._is_right(given, wanted):
            return cls.right
        if _same(given, cls._outcomes(cls.stub, cases)):
            return cls.begin
        return cls._what_is_wrong(given, wanted, cases)

    @classmethod
    def _outcomes(cls, function: Answer, cases: list[tuple[Any, ...]]) -> list[Any]:
        """Return what is compared, here what comes back; a function may write into its cases."""
        return [function(*copy.deepcopy(case)) for case in cases]

    @classmethod
    def _is_right(cls, given: list[Any], wanted: list[Any]) -> bool:
        return _same(given, wanted)

    @classmethod
    def _what_is_wrong(
        cls, given: list[Any], wanted: list[Any], cases: list[tuple[Any, ...]]
    ) -> str:
        for hint, wrong in cls.mistakes():
            if _same(given, cls._outcomes(wrong, cases)):
                return hint
        return next(
            _difference(cls.solution, case, one, other) + _pattern(given, wanted)
            for case, one, other in zip(cases, given, wanted, strict=True)
            if not _equal(one, other)
        )


class Curves(NamedTuple):
    """A symptom to be seen: a curve for each of several programs, over seeds.

    Examples
    --------
    >>> Curves(np.arange(2), {"right": np.zeros((3, 2))}, "steps", "return").ylabel
    'return'
    """

    x: ArrayLike  # (P,)
    curves: dict[str, ArrayLike]  # (M, P): a row per seed
    xlabel: str
    ylabel: str


class SilentBug(Exercise):
    """An exercise whose stub is a program that runs, learns something, and is wrong.

    Besides what an `Exercise` has: `symptom` runs the faulty and the right program and returns
    `Curves`; `test` is the test that would have caught it, which asserts something about the
    function it is given.

    Attributes
    ----------
    found_in : str
        Where it was found in public code.
    caption, alt : str
        Of the picture of the symptom: what it is, and what is to be seen.
    """

    found_in: ClassVar[str]
    caption: ClassVar[str]
    alt: ClassVar[str]
    symptom: ClassVar[Callable[[], Curves]]
    test: ClassVar[Callable[[Answer], None]]

    @classmethod
    def both(cls, measured: Callable[[Answer], ArrayLike]) -> dict[str, ArrayLike]:
        """Return what is measured of the faulty answer and of the right one, by their labels."""
        return {"as below": measured(cls.stub), "as it should be": measured(cls.solution)}


class Step(Exercise):
    """A step of the capstone: later steps call it, and right means equal to the last bit.

    Besides what an `Exercise` has: `outcome` calls a function with the arguments of a case, and
    returns what is compared: what came back, and what was done to the arguments.

    Attributes
    ----------
    parts : tuple of str
        What the parts of an outcome are called.
    nearly : str
        What to say to an answer that is right to six digits, but not in the last bits.

    Examples
    --------
    >>> class Third(Step):
    ...     begin, right, nearly = "Not yet.", "Right.", "Right to six digits: divide once."
    ...     parts = ("a third",)
    ...     @staticmethod
    ...     def outcome(function, x):
    ...         return [function(x)]
    ...     @staticmethod
    ...     def cases():
    ...         return [(5.0,), (1.0,)]
    ...     @staticmethod
    ...     def stub(x):
    ...         return x
    ...     @staticmethod
    ...     def solution(x):
    ...         return x / 3
    >>> Third.check(lambda x: x * 0.3333333333333)
    'Right to six digits: divide once.'
    >>> Third.check(lambda x: x / 4)
    'Here a third should be 1.667, not 1.25.'
    """

    parts: ClassVar[tuple[str, ...]]
    nearly: ClassVar[str]
    outcome: ClassVar[Callable[..., list[Any]]]

    @classmethod
    def given(cls) -> dict[str, Any]:
        """Return what the page gives, and what the steps before this one are called."""
        return {name: value for name, value in vars(a3c_from_scratch).items() if name[0] != "_"}

    @classmethod
    def _outcomes(cls, function: Answer, cases: list[tuple[Any, ...]]) -> list[Any]:
        """Return the outcomes of all cases in one list."""
        return [part for case in copy.deepcopy(cases) for part in cls.outcome(function, *case)]

    @classmethod
    def _is_right(cls, given: list[Any], wanted: list[Any]) -> bool:
        return _exact(given, wanted)

    @classmethod
    def _what_is_wrong(
        cls, given: list[Any], wanted: list[Any], cases: list[tuple[Any, ...]]
    ) -> str:
        wrong = [(hint, cls._outcomes(function, cases)) for hint, function in cls.mistakes()]
        for equal in (_exact, _same):
            for hint, outcome in wrong:
                # What is right to six digits is told from others of its kind by its bits alone.
                if equal(given, outcome) and (equal is _exact or not _same(outcome, wanted)):
                    return hint
        if _same(given, wanted):
            return cls.nearly
        pairs = zip(cls.parts * len(cases), given, wanted, strict=True)
        part, one, other = next(each for each in pairs if not _equal(*each[1:]))
        if np.shape(one) != np.shape(other):
            return f"Here {part} should have shape {np.shape(other)}, not {np.shape(one)}."
        if not np.isfinite(np.asarray(one, dtype=float)).all():
            return f"Not finite, {part}: something overflows, or is divided by 0."
        return f"Here {part} should be {_short(other)}, not {_short(one)}."


def source_of(function: Answer, name: str) -> str:
    """Return the source of a function of an exercise, as a function that stands alone.

    Parameters
    ----------
    function : function
        `stub`, `solution` or `test` of an exercise.
    name : str
        What it is to be called.

    Examples
    --------
    >>> from a3c_tut.book.exercises import find
    >>> print(source_of(find("staleness").stub, "my_staleness"))
    def my_staleness(schedule, num_workers):
        return [0] * len(schedule)  # yours
    """
    lines = textwrap.dedent(inspect.getsource(function)).splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("def "))
    head = re.sub(r"^def \w+", f"def {name}", lines[first])
    return "\n".join([head, *lines[first + 1 :]])


def _same(given: list[Any], wanted: list[Any]) -> bool:
    return all(_equal(one, other) for one, other in zip(given, wanted, strict=True))


def _equal(given: Any, wanted: Any) -> bool:
    try:
        one, other = np.asarray(given, dtype=float), np.asarray(wanted, dtype=float)
    except (TypeError, ValueError):
        return bool(type(given) is type(wanted) and given == wanted)
    return one.shape == other.shape and np.allclose(one, other, atol=1e-6, equal_nan=True)


def _exact(given: list[Any], wanted: list[Any]) -> bool:
    """Return whether all numbers are equal to the last bit."""
    return all(
        np.shape(one) == np.shape(other)
        and np.array_equal(np.asarray(one, float), np.asarray(other, float), equal_nan=True)
        for one, other in zip(given, wanted, strict=True)
    )


def _difference(function: Answer, case: tuple[Any, ...], given: Any, wanted: Any) -> str:
    if given is None:
        return "The function returns nothing."
    shapes = np.shape(given), np.shape(wanted)
    if shapes[0] != shapes[1]:
        return f"The answer has shape {shapes[0]}; it should have {shapes[1]}."
    names = inspect.signature(function).parameters
    arguments = ", ".join(f"{n} = {_short(v)}" for n, v in zip(names, case, strict=False))
    return f"For {arguments} the answer should be {_short(wanted)} and is {_short(given)}."


def _pattern(given: list[Any], wanted: list[Any]) -> str:
    """Return a second hint, where what is wrong is of one kind: a factor, a summand, a place."""
    try:
        pairs = [(np.asarray(g, float), np.asarray(w, float))
                 for g, w in zip(given, wanted, strict=True)]  # fmt: skip
    except (TypeError, ValueError):
        return ""
    if any(g.shape != w.shape for g, w in pairs):
        return ""
    one, other = (
        np.concatenate([np.ravel(side) for side in sides]) for sides in zip(*pairs, strict=True)
    )
    if not np.isfinite([one, other]).all():
        return ""
    ratio = one[other != 0.0] / other[other != 0.0]
    if len(ratio) > 1 and np.allclose(one, ratio[:1] * other, atol=1e-6):
        return f" Every answer is {ratio[0]:.4g} times what it should be."
    if len(one) > 1 and np.allclose(one - other, one[0] - other[0], atol=1e-6):
        return f" Every answer differs by {one[0] - other[0]:.4g} from what it should be."
    right = [_equal(g, w) for g, w in pairs]
    if any(right):
        return f" {sum(right)} of {len(right)} cases are right."
    wrong = [set(np.flatnonzero(~np.isclose(g.ravel(), w.ravel(), atol=1e-6))) for g, w in pairs]
    places = set.union(*wrong)
    if pairs[0][0].ndim == 1 and len(places) == 1 and len(one) > len(pairs):
        return f" Right except at index {places.pop()}."
    return ""


def _short(value: Any) -> str:
    if isinstance(value, (int, float, np.number)):
        return f"{float(value):.4g}" if not isinstance(value, float) else f"{value:.4}"
    text = np.array2string(np.asarray(value), precision=4, threshold=12, separator=", ")
    return re.sub(r"\s+", " ", text)
