"""What is given, checked once: each error names the thing, the value and what is allowed."""

from __future__ import annotations

import math
import numbers
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: Where Linux says what a container may have, in either version.
_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")

#: The largest whole numbers: what compiled code counts with has 64 bits, a page's numbers 53.
MOST = 2**53
#: By how much a probability, or a sum of them, may be off: the rounding of single precision.
ROUNDING = 1e-6


def short(value: Any) -> str:
    """Return a value as Python writes it; of a long one, the beginning and the end.

    Examples
    --------
    >>> short("adam"), short(10**60)
    ("'adam'", '100000000000000000 … 000000000000000000')
    """
    if isinstance(value, int) and value.bit_length() > 10_000:  # Python refuses to write it
        return f"a whole number of {value.bit_length()} bits"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:18]} … {text[-18:]}"


def whole(name: str, value: Any, least: int, most: int | None = None, also: str = "") -> int:
    """Return a whole number in range; otherwise raise a ValueError.

    Parameters
    ----------
    name : str, as the message is to call it
    value : what was given
    least, most : int; None: no upper end
    also : str
        What else is allowed, put before "a whole number": "None or ", say.

    Raises
    ------
    ValueError
        With name, value and range; for a boolean as well.

    Examples
    --------
    >>> whole("sync_every", np.int64(2), 1)
    2
    >>> whole("sync_every", 0, 1)
    Traceback (most recent call last):
    ...
    ValueError: sync_every is 0; allowed: a whole number from 1
    """
    fits = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not fits or value < least or (most is not None and value > most):
        upper = "" if most is None else f" to {most}"
        raise ValueError(
            f"{name} is {short(value)}; allowed: {also}a whole number from {least}{upper}"
        )
    return int(value)


def number(name: str, value: Any, allowed: str, fits: Callable[[float], bool]) -> float:
    """Return a finite number that fits; otherwise raise a ValueError.

    Parameters
    ----------
    name : str, as the message is to call it
    value : what was given
    allowed : str, what fits, in words
    fits : function from the number to whether it does

    Raises
    ------
    ValueError
        With name, value and what is allowed; for a boolean as well.

    Examples
    --------
    >>> number("gamma", 1, "a number from 0 to 1", lambda x: 0 <= x <= 1)
    1.0
    >>> number("gamma", 1.5, "a number from 0 to 1", lambda x: 0 <= x <= 1)
    Traceback (most recent call last):
    ...
    ValueError: gamma is 1.5; allowed: a number from 0 to 1
    """
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    try:
        if real and math.isfinite(value) and fits(float(value)):
            return float(value)
    except OverflowError:  # a whole number that is no float
        pass
    raise ValueError(f"{name} is {short(value)}; allowed: {allowed}")


def of_kind(name: str, value: Any, kind: str) -> None:
    """Raise a ValueError unless a value is of a class, or of one that is built on it.

    Parameters
    ----------
    name : str, as the message is to call it
    value : what was given
    kind : str, the name of the class, so that it need not be imported; or "Mapping"

    Raises
    ------
    ValueError
        With name, value and kind.

    Examples
    --------
    >>> of_kind("world", None, "TableWorld")
    Traceback (most recent call last):
    ...
    ValueError: world is None; allowed: a TableWorld
    """
    fits = kind in {each.__name__ for each in type(value).__mro__}
    if not fits and not (kind == "Mapping" and isinstance(value, Mapping)):
        raise ValueError(f"{name} is {short(value)}; allowed: a {kind}")


def several(name: str, values: Any, kind: str) -> tuple[Any, ...]:
    """Return what was given as a tuple, if each is of a class; otherwise raise a ValueError.

    Parameters
    ----------
    name : str, as the message is to call one of them
    values : iterable
    kind : str, the name of the class

    Raises
    ------
    ValueError
        With name, value and kind.

    Examples
    --------
    >>> several("results", [1.5], "TrainingResult")
    Traceback (most recent call last):
    ...
    ValueError: results[0] is 1.5; allowed: a TrainingResult
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ValueError(f"{name} is {short(values)}; allowed: several, each a {kind}")
    given = tuple(values)
    for number, value in enumerate(given):
        of_kind(f"{name}[{number}]", value, kind)
    return given


def plain(value: Any) -> Any:
    """Return a number as Python's own int, float or bool, which can be saved; others as they are.

    Examples
    --------
    >>> from fractions import Fraction
    >>> plain(np.float32(0.5)), plain(Fraction(1, 2)), plain("sgd")
    (0.5, 0.5, 'sgd')
    """
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, numbers.Real) and not isinstance(value, (int, float)):
        return float(value)
    return value


def one_of(name: str, value: Any, allowed: tuple[Any, ...]) -> None:
    """Raise a ValueError that names the setting unless the value is one of those allowed.

    Parameters
    ----------
    name : str, as the message is to call it
    value : what was given
    allowed : tuple of values

    Raises
    ------
    ValueError
        With name, value and what is allowed.

    Examples
    --------
    >>> one_of("optimizer", "adam", ("rmsprop", "sgd"))
    Traceback (most recent call last):
    ...
    ValueError: optimizer is 'adam'; allowed: 'rmsprop', 'sgd'
    """
    if not any(value is one or (isinstance(value, str) and value == one) for one in allowed):
        raise ValueError(f"{name} is {short(value)}; allowed: {', '.join(map(repr, allowed))}")


def array_of_numbers(name: str, given: ArrayLike) -> NDArray[np.float64]:
    """Return an array of floats; otherwise raise a ValueError.

    Parameters
    ----------
    name : str, as the message is to call it
    given : array

    Returns
    -------
    array of floats, a copy

    Raises
    ------
    ValueError
        When it holds something else.

    Examples
    --------
    >>> array_of_numbers("values", "a")
    Traceback (most recent call last):
    ...
    ValueError: values is 'a'; allowed: an array of numbers
    """
    try:
        return np.array(given, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} is {short(given)}; allowed: an array of numbers") from None


def finite(
    name: str, given: ArrayLike, shape: tuple[int, ...] | None = None
) -> NDArray[np.float64]:
    """Return an array of finite numbers, of a given shape; otherwise raise a ValueError.

    Parameters
    ----------
    name : str, as the message is to call it
    given : array
    shape : tuple of int, optional

    Returns
    -------
    array of floats, a copy

    Raises
    ------
    ValueError
        When it holds something else, or has another shape.

    Examples
    --------
    >>> finite("values", [1, 2], (2,))
    array([1., 2.])
    >>> finite("values", [1, float("nan")])
    Traceback (most recent call last):
    ...
    ValueError: values holds nan; allowed: finite numbers
    """
    array = array_of_numbers(name, given)
    if shape is not None and array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}; allowed: {shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds {array[~np.isfinite(array)][0]}; allowed: finite numbers")
    return array


def chances(
    name: str, given: ArrayLike, shape: tuple[int, ...] | None = None, axes: tuple[str, ...] = ()
) -> NDArray[np.float64]:
    """Return probabilities, whose sums over the last axis are 1; otherwise raise a ValueError.

    What is off by rounding, that of single precision included, is put right.

    Parameters
    ----------
    name : str, as the message is to call it
    given : array
    shape : tuple of int, optional
    axes : tuple of str
        What the axes but the last are called, for the message.

    Returns
    -------
    array of floats, a copy

    Raises
    ------
    ValueError
        When a number lies outside 0 to 1, or a sum is not 1, by more than rounding.

    Examples
    --------
    >>> chances("start", np.array([0.1, 0.2, 0.7], np.float32)).sum()
    np.float64(1.0)
    >>> chances("policy", [[0.5, 0.5], [0.5, 0.6]], axes=("state",))
    Traceback (most recent call last):
    ...
    ValueError: policy sums to 1.1 in state 1; allowed: 1
    """
    array = finite(name, given, shape)
    outside = np.argwhere((array < -ROUNDING) | (array > 1.0 + ROUNDING))
    if outside.size:
        value = float(array[tuple(outside[0])])
        raise ValueError(
            f"{name} holds {value}{_where(axes, outside[0])}; allowed: numbers from 0 to 1"
        )
    array = np.maximum(array, 0.0)
    sums = array.sum(axis=-1, keepdims=True)
    off = np.argwhere(np.abs(sums - 1.0) > ROUNDING)
    if off.size:
        value = float(sums[tuple(off[0])])
        raise ValueError(f"{name} sums to {value}{_where(axes, off[0])}; allowed: 1")
    # What was put right once is left as it is: a world that is loaded is the one that was saved.
    return array if (np.abs(sums - 1.0) <= 1e-12).all() else np.asarray(array / sums)


def _where(axes: tuple[str, ...], place: NDArray[np.int64]) -> str:
    parts = [f"{axis} {index}" for axis, index in zip(axes, place.tolist(), strict=False)]
    return f" in {', '.join(parts)}" if parts else ""


def readable(size: float) -> str:
    """Return a number of bytes as people write it.

    Examples
    --------
    >>> readable(1536), readable(24.4 * 2**30)
    ('1.5 KiB', '24.4 GiB')
    """
    units = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")
    place = 0
    while size >= 1024 and place < len(units) - 1:
        size, place = size / 1024, place + 1
    return f"{size:.3g} {units[place]}"


def memory_there() -> int | None:
    """Return the bytes of memory that this process may have, or None where nobody says.

    The machine's, or its container's, if that has less.

    Examples
    --------
    >>> there = memory_there()
    >>> there is None or there > 2**20
    True
    """
    limits = []
    if hasattr(os, "sysconf") and {"SC_PHYS_PAGES", "SC_PAGE_SIZE"} <= os.sysconf_names.keys():
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for path in _CGROUP_LIMITS:
        if os.path.exists(path):
            with open(path, encoding="ascii") as file:
                said = file.read().strip()
            if said.isdigit():
                limits.append(int(said))
    return min(limits, default=None)


def affordable(what: str, size: int) -> None:
    """Raise a MemoryError, before any array is made, when it cannot fit.

    Parameters
    ----------
    what : str
        What needs it, with the settings that make it so large.
    size : int, bytes

    Raises
    ------
    MemoryError
        With both numbers.

    Examples
    --------
    >>> affordable("a world", 1000)
    >>> affordable("a world of 10¹² states", 10**15)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    MemoryError: a world of 10¹² states needs 909 TiB of memory, and there are ...
    """
    there = memory_there()
    if there is not None and size > there:
        raise MemoryError(
            f"{what} needs {readable(size)} of memory, and there are {readable(there)}"
        )
