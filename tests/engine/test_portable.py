"""Our own exp and log: how true they are, and that they are the same however they run."""

import math

import mpmath
import numpy as np
import pytest

from a3c_tut.engine import portable
from a3c_tut.engine.compiling import kernel

LN2 = math.log(2.0)
TINY = math.ulp(0.0)
mpmath.mp.prec = 120


@kernel
def each_exp(x, y):
    for i in range(x.size):
        y[i] = portable.exp(x[i])


@kernel
def each_log(x, y):
    for i in range(x.size):
        y[i] = portable.log(x[i])


def values(function, x):
    y = np.empty_like(x)
    function(x, y)
    return y


def worst_error(y, truth, x):
    """The largest error, in ulps of the true result."""
    exact = [truth(mpmath.mpf(float(one))) for one in x]
    return max(
        float(abs(mpmath.mpf(float(got)) - right)) / (math.ulp(float(right)) or TINY)
        for got, right in zip(y, exact, strict=True)
    )


def exp_arguments(count):
    """From the whole range, from where it matters, and from where the reduction changes over."""
    random = np.random.default_rng(0)
    edges = -LN2 * (np.arange(1, 1075) + 0.5)
    return -np.abs(np.concatenate([
        random.uniform(0.0, 1.0, count),
        random.uniform(0.0, 40.0, count),
        random.uniform(0.0, 745.2, count),
        random.uniform(708.0, 745.2, count),  # subnormal results
        np.exp(random.uniform(-40.0, 0.0, count)),
        np.concatenate([edges + k * np.spacing(edges) for k in range(-2, 3)]),
        [0.0, TINY, 1e-300, 745.1332191019411, 745.1332191019412, 746.0, 1e3, 1e308, np.inf],
    ]))  # fmt: skip


def log_arguments(count):
    random = np.random.default_rng(1)
    edges = math.sqrt(2.0) * 2.0 ** np.arange(20)
    return np.concatenate([
        random.uniform(1.0, math.sqrt(2.0), count),
        random.uniform(1.0, 4.0, count),
        1.0 + np.exp(random.uniform(-36.0, 0.0, count)),
        np.exp(random.uniform(0.0, math.log(1e6), count)),
        np.concatenate([edges + k * np.spacing(edges) for k in range(-2, 3)]),
        [1.0, 2.0, 3.0, 1e6, 1.7e308],
    ])  # fmt: skip


def test_exp_is_true_to_the_last_digit():
    x = exp_arguments(20_000)
    assert worst_error(values(each_exp, x), mpmath.exp, x) <= 1.0


def test_log_is_true_to_the_last_digit():
    x = log_arguments(20_000)
    assert worst_error(values(each_log, x), mpmath.log, x) <= 1.0


def test_what_has_to_be_exact_is():
    assert values(each_exp, np.array([0.0, -0.0, -TINY])).tolist() == [1.0, 1.0, 1.0]
    assert values(each_exp, np.array([-746.0, -1e308, -np.inf])).tolist() == [0.0, 0.0, 0.0]
    assert values(each_exp, np.array([-745.1332191019411])).tolist() == [TINY]
    assert values(each_log, np.array([1.0])).tolist() == [0.0]
    assert np.isnan(values(each_exp, np.array([np.nan])))
    assert np.isnan(values(each_log, np.array([np.nan, np.inf]))).all()


def test_exp_rises_and_log_rises():
    """On a fine grid, and from one number to the next where the reduction changes over."""
    x = np.linspace(-3.0, 0.0, 3_000_001)
    assert (np.diff(values(each_exp, x)) >= 0.0).all()
    for edge in -LN2 * (np.arange(0, 1075) + 0.5):
        x = edge + np.arange(-300, 301) * np.spacing(edge)
        assert (np.diff(values(each_exp, np.sort(x))) >= 0.0).all(), edge
    x = np.linspace(1.0, 6.0, 3_000_001)
    assert (np.diff(values(each_log, x)) >= 0.0).all()
    for edge in math.sqrt(2.0) * 2.0 ** np.arange(12):
        x = edge + np.arange(-300, 301) * np.spacing(edge)
        assert (np.diff(values(each_log, x)) >= 0.0).all(), edge


@pytest.mark.parametrize("name", ["exp", "log"])
def test_compiled_and_interpreted_agree_to_the_bit(name):
    function = getattr(portable, name)
    if not hasattr(function, "py_func"):
        pytest.skip("interpreted only")
    x = (exp_arguments if name == "exp" else log_arguments)(2_000)
    compiled = values(each_exp if name == "exp" else each_log, x)
    # What exp and log call is arithmetic alone: the plain function is interpreted to its end.
    plain = np.array([function.py_func(one) for one in x])
    with np.errstate(all="ignore"):
        numbers = np.array([function.py_func(float(one)) for one in x])
    assert compiled.tobytes() == plain.tobytes() == numbers.tobytes()
