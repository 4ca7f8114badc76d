"""Measurements over hundreds of seeds: computed once, kept, and held against the engine again.

A run is a pure function, the same bits on every machine. So what was measured once per seed can be
kept (`a3c_tut/book/data/evidence`, a file per page), whole numbers as they are and others to six
significant digits, and any of it can be computed again and has to come out the same. That happens
to three seeds of each measurement whenever a page runs: the first, and two that change from day to
day.

| environment | a page |
|---|---|
| nothing | computes three seeds again, and fails if one differs |
| `A3C_REFRESH=1` (`make notebooks`) | computes what is missing or stale, and keeps it |
| `A3C_RECOMPUTE=all` (`make evidence`) | computes every seed again, and fails if one differs |
| `A3C_SEED_OFFSET` (`make resettle`) | computes everything, on other seeds, and keeps nothing |

With each measurement is kept what was asked for. If that is no longer what the page asks for, the
measurement is stale, and refused.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from a3c_tut import A3CConfig, DivergenceError, TableWorld, TrainingResult, train
from a3c_tut.book.evidence.common import SEED_OFFSET, Floats
from a3c_tut.book.places import DATA
from a3c_tut.engine.streams import Seed
from a3c_tut.experiments import each_seed
from a3c_tut.files import written_whole

Measure = TypeVar("Measure")


class KeptError(AssertionError):
    """What is kept is missing, is stale, or does not come out again.

    Examples
    --------
    >>> try:
    ...     kept("summary", "no such thing", lambda seed: seed**2.0, [1, 2], asked="squares")
    ... except KeptError as error:
    ...     print(str(error).replace("; ", ";\\n"))
    summary, no such thing: nothing is kept;
    to measure it, run `python book/tools/refresh_notebooks.py book/summary.ipynb`
    """


def kept(
    page: str, name: str, one: Callable[[int], ArrayLike], seeds: Sequence[int], asked: Any,
    again: int = 3,
) -> Floats:  # fmt: skip
    """Return one measurement per seed: what is kept, checked by computing a sample again.

    Parameters
    ----------
    page : str
        Whose measurement it is: its file in `a3c_tut/book/data/evidence`.
    name : str
        Of the measurement, among those of the page.
    one : function of a seed
        Returns a number, or a flat sequence of numbers, always as many; infinity and NaN, too. It
        runs in threads.
    seeds : sequence of int
        See `settling_seeds`.
    asked : anything that `described` understands
        All that the measurement depends on but the seed.
    again : int from 1 to 3
        How many seeds are computed again: fewer where one takes seconds.

    Returns
    -------
    (M,) or (M, D) floats
        In the order of the seeds.

    Raises
    ------
    KeptError
        When something is missing or stale, or a seed that was computed again differs.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from unittest.mock import patch
    >>> def ask(factor):
    ...     return kept("page", "roots", lambda s: [s, factor * s**0.5], [1, 2], {"factor": factor})
    >>> folder = patch(f"{__name__}.DATA", Path(tempfile.mkdtemp()))
    >>> with folder, patch.dict(os.environ, {"A3C_REFRESH": "1"}):
    ...     ask(factor=1.0).round(3).tolist()
    [[1.0, 1.0], [2.0, 1.414]]
    >>> with folder:
    ...     ask(factor=1.0).shape
    (2, 2)
    >>> with folder:
    ...     ask(factor=2.0)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    a3c_tut.book.evidence.kept.KeptError: page, roots: stale, factor was 1.0 and is 2.0; ...
    """
    seeds = [int(seed) for seed in seeds]

    def compute(chosen: Sequence[int]) -> dict[int, Any]:
        return dict(zip(chosen, each_seed(lambda seed: _encoded(one(seed)), chosen), strict=True))

    if SEED_OFFSET:
        found = compute(seeds)
    elif os.environ.get("A3C_REFRESH") == "1":
        sample = _sample(page, name, seeds, again)
        asked = json.loads(json.dumps(described(asked)))
        found = _refreshed(page, name, seeds, asked, sample, compute)
    else:
        found = _looked_up(page, name, seeds, json.loads(json.dumps(described(asked))))
        every = os.environ.get("A3C_RECOMPUTE") == "all"
        chosen = seeds if every else _sample(page, name, seeds, again)
        _compare(page, name, found, compute(chosen))
    return np.array([_decoded(found[seed]) for seed in seeds], dtype=float)


def kept_runs(
    page: str, name: str, measure: Callable[[TrainingResult], ArrayLike], world: TableWorld,
    config: A3CConfig, seeds: Sequence[int], total_steps: int, equal_seeds: bool = False,
    learn: Callable[..., TrainingResult] = train, **asked: Any,
) -> Floats:  # fmt: skip
    """Return one measurement per run and seed; `kept`, where what is asked for is a run.

    Parameters
    ----------
    page, name : str
        As in `kept`.
    measure : function of a TrainingResult
        A number, or several; one with a name, which is kept with the rest.
    world, config, seeds, total_steps, equal_seeds, learn : as in `one_run`
    **asked
        Further arguments of `learn`.

    Returns
    -------
    (M,) or (M, D) floats

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from unittest.mock import patch
    >>> from a3c_tut import cliff_world
    >>> from a3c_tut.experiments import final_return
    >>> folder = patch(f"{__name__}.DATA", Path(tempfile.mkdtemp()))
    >>> asked = final_return, cliff_world(), A3CConfig(), range(3), 600
    >>> with folder, patch.dict(os.environ, {"A3C_REFRESH": "1"}):
    ...     kept_runs("page", "default", *asked).shape
    (3,)
    """
    run = one_run(measure, world, config, total_steps, equal_seeds, learn, **asked)
    given = {
        "measure": measure, "world": world, "config": config, "total_steps": total_steps,
        "equal_seeds": equal_seeds, "learn": learn, **asked,
    }  # fmt: skip
    return kept(page, name, run, seeds, given)


def one_run(
    measure: Callable[[TrainingResult], Measure], world: TableWorld, config: A3CConfig,
    total_steps: int, equal_seeds: bool = False, learn: Callable[..., TrainingResult] = train,
    **asked: Any,
) -> Callable[[int], Measure]:  # fmt: skip
    """Return the function that measures the run of a seed; one that diverges, up to there.

    Parameters
    ----------
    measure : function of a TrainingResult
    world, config, total_steps : as in `train`
    equal_seeds : bool
        Whether all workers of a run see the same random numbers.
    learn : function
        `train`, or another that is asked in the same way.
    **asked
        Further arguments of that function.

    Examples
    --------
    >>> from a3c_tut import cliff_world
    >>> one_run(lambda run: run.steps >= 600, cliff_world(), A3CConfig(), 600)(7)
    True
    """

    def one(seed: int) -> Measure:
        given: Seed = (seed,) * config.num_workers if equal_seeds else seed
        try:
            return measure(learn(world, config, seed=given, total_steps=total_steps, **asked))
        except DivergenceError as error:
            return measure(error.result)

    return one


def described(asked: Any) -> Any:
    """Return what was asked for in terms of JSON, for comparing it later.

    Parameters
    ----------
    asked : None, a bool, number or string; an array; a world, a configuration or another dataclass;
        a function with a name, or a `partial` of one; sequences and mappings of these

    Raises
    ------
    TypeError
        For anything else: a lambda, say, which does not tell what it does.

    Examples
    --------
    >>> described({"measure": described, "seeds": range(3), "rates": np.array([0.5, 1.0])})
    {'measure': 'a3c_tut.book.evidence.kept.described', 'seeds': [0, 1, 2], 'rates': [0.5, 1.0]}
    >>> described(lambda run: run.steps)
    Traceback (most recent call last):
    ...
    TypeError: a lambda does not say what it measures; allowed: a function with a name
    """
    if asked is None or isinstance(asked, bool | int | float | str):
        return asked
    if isinstance(asked, np.generic):
        return asked.item()
    if isinstance(asked, np.ndarray):
        if asked.size <= 20:
            return asked.tolist()
        digest = hashlib.sha256(np.ascontiguousarray(asked).tobytes()).hexdigest()[:16]
        return f"{asked.dtype} array {asked.shape} {digest}"
    if isinstance(asked, Mapping):
        return {str(key): described(value) for key, value in asked.items()}
    if isinstance(asked, Sequence):
        return [described(value) for value in asked]
    if isinstance(asked, partial):
        return [described(asked.func), described(asked.args), described(asked.keywords)]
    if isinstance(asked, TableWorld):
        tables = json.dumps({field.name: described(getattr(asked, field.name))
                             for field in fields(asked)})  # fmt: skip
        return f"{asked.name} {hashlib.sha256(tables.encode()).hexdigest()[:16]}"
    if is_dataclass(asked) and not isinstance(asked, type):
        settings = {field.name: described(getattr(asked, field.name)) for field in fields(asked)}
        return {"what": type(asked).__name__, **settings}
    name = getattr(asked, "__qualname__", "")
    if not name:
        raise TypeError(f"{asked!r} cannot be kept as what was asked for")
    if "<lambda>" in name:
        raise TypeError("a lambda does not say what it measures; allowed: a function with a name")
    return f"{asked.__module__}.{name}"


# --- The file. For each name: what was asked, first and count of stretches of seeds, the values ---


def _read(page: str) -> dict[str, Any]:
    path = DATA / "evidence" / f"{page}.json"
    content: dict[str, Any] = {}
    if path.exists():
        content = json.loads(path.read_text(encoding="utf-8"))
    return content


def _by_seed(entry: Mapping[str, Any]) -> dict[int, Any]:
    seeds = [first + k for first, count in entry["seeds"] for k in range(count)]
    return dict(zip(seeds, entry["values"], strict=True))


def _write(page: str, name: str, asked: Any, values: Mapping[int, Any]) -> None:
    seeds = sorted(values)
    stretches: list[list[int]] = []
    for seed in seeds:
        if stretches and seed == sum(stretches[-1]):
            stretches[-1][1] += 1
        else:
            stretches.append([seed, 1])
    entry = {"asked": asked, "seeds": stretches, "values": [values[seed] for seed in seeds]}
    everything = _read(page) | {name: entry}
    lines = (
        f"{json.dumps(key, ensure_ascii=False)}: "
        + json.dumps(everything[key], ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        for key in sorted(everything)
    )
    path = DATA / "evidence" / f"{page}.json"
    path.parent.mkdir(exist_ok=True)
    with written_whole(path) as temporary:
        temporary.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _encoded(value: ArrayLike) -> Any:
    """Return numbers as they are kept: whole ones all, others to six significant digits."""
    numbers = np.asarray(value, dtype=float)
    if numbers.ndim > 1:
        raise ValueError(
            f"a measurement of shape {numbers.shape}; allowed: a number or a flat list"
        )
    if numbers.ndim == 1:
        return [_encoded(number) for number in numbers]
    number = float(numbers)
    if not math.isfinite(number):
        return repr(number)
    # The last digits of a sum, a logarithm or a product of matrices are NumPy's, and the machine's.
    rounded = number if number.is_integer() else float(f"{number:.6g}")
    signed_zero = rounded == 0.0 and math.copysign(1.0, rounded) < 0.0
    whole = rounded.is_integer() and abs(rounded) < 2.0**53 and not signed_zero
    return int(rounded) if whole else rounded


def _decoded(value: Any) -> Any:
    return [float(number) for number in value] if isinstance(value, list) else float(value)


# --- Missing, stale, different -----------------------------------------------------------------


def _sample(page: str, name: str, seeds: Sequence[int], again: int) -> list[int]:
    """Return two seeds of the day, and the first."""
    today = datetime.date.today().isoformat()
    digest = hashlib.sha256(f"{page} {name} {today}".encode()).digest()
    drawn = (int.from_bytes(digest[i : i + 8], "big") % len(seeds) for i in (0, 8))
    return [seeds[k] for k in sorted({*[*drawn, 0][:again]})]


def _different(before: Any, now: Any) -> bool:
    return json.dumps(before) != json.dumps(now)  # 0.0 and −0.0 are equal, and not the same bits


def _compare(page: str, name: str, before: Mapping[int, Any], now: Mapping[int, Any]) -> None:
    for seed, value in now.items():
        if _different(before[seed], value):
            raise KeptError(
                f"{page}, {name}, seed {seed}: kept is {before[seed]}, computed is {value}"
            )


def _looked_up(page: str, name: str, seeds: Sequence[int], asked: Any) -> dict[int, Any]:
    entry = _read(page).get(name)
    if entry is None:
        raise _refusal(page, name, "nothing is kept")
    if entry["asked"] != asked:
        raise _refusal(page, name, f"stale, {_change(entry['asked'], asked)}")
    values = _by_seed(entry)
    missing = [seed for seed in seeds if seed not in values]
    if missing:
        raise _refusal(page, name, f"nothing is kept for {len(missing)} seeds, {missing[0]} first")
    return {seed: values[seed] for seed in seeds}


def _refreshed(
    page: str, name: str, seeds: Sequence[int], asked: Any, sample: Sequence[int],
    compute: Callable[[Sequence[int]], dict[int, Any]],
) -> dict[int, Any]:  # fmt: skip
    entry = _read(page).get(name)
    values = _by_seed(entry) if entry is not None and entry["asked"] == asked else {}
    known = [seed for seed in sample if seed in values]
    if any(_different(values[seed], value) for seed, value in compute(known).items()):
        values = {}  # the same was asked for, and what computes it has changed
    missing = [seed for seed in seeds if seed not in values]
    if missing:
        values |= compute(missing)
        _write(page, name, asked, values)
    return {seed: values[seed] for seed in seeds}


def _refusal(page: str, name: str, why: str) -> KeptError:
    command = f"python book/tools/refresh_notebooks.py book/{page}.ipynb"
    return KeptError(f"{page}, {name}: {why}; to measure it, run `{command}`")


def _change(before: Any, now: Any, where: str = "what is asked") -> str:
    """Say what differs, as deep as two mappings have the same keys."""
    if isinstance(before, dict) and isinstance(now, dict) and before.keys() == now.keys():
        key = next(key for key in now if before[key] != now[key])
        return _change(before[key], now[key], key)
    return f"{where} was {before} and is {now}"
