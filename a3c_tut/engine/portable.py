"""`exp`, `log`, `tanh`, `sin` and `cos` that give the same bits everywhere (Sections 2.2 and 3.3).

IEEE 754 fixes `+ - * /` and `sqrt` to the last bit. It does not fix `exp` and its like: each maths
library has its own, and the same library takes another path on another processor. A last bit is
enough: a learner amplifies it until, thousands of steps later, another action is taken. So the
kernels use these, made of nothing but `+ - * /` and exact powers of two.

They reduce their argument and sum a series whose coefficients anybody can compute: 1/k! and
2/(2k+1). The reduction is that of Cody and Waite, *Software Manual for the Elementary Functions*
(1980): a multiple of ln 2, or of π/2, is taken away in parts, all but the last of which have so few
digits that their multiples are exact. What is said of errors counts units in the last place (ulp)
of the result.
"""

from __future__ import annotations

import math

import numpy as np

from a3c_tut.engine.compiling import kernel

#: ln 2 = LN2_HIGH + LN2_LOW to 85 bits. The first has 32 bits: times a whole number below 2²¹ it
#: is exact.
LN2_HIGH, LN2_LOW = float.fromhex("0x1.62e42feep-1"), float.fromhex("0x1.a39ef35793c76p-33")
PER_LN2 = 1.4426950408889634  # 1 / ln 2
SQRT2 = 1.4142135623730951
#: Below this, e^x is less than half the smallest number above 0.
SMALLEST = -746.0
#: 2^0, 2^−1, …: halves are exact, down to the smallest number that is not subnormal.
HALVES = np.concatenate([[1.0], np.full(1022, 0.5)]).cumprod()

#: π/2 in three parts, the first two of 33 bits: times a whole number below 2²⁰ they are exact.
HALF_PI_1 = float.fromhex("0x1.921fb54400000p+0")
HALF_PI_2 = float.fromhex("0x1.0b4611a600000p-34")
HALF_PI_3 = float.fromhex("0x1.3198a2e037073p-69")
PER_HALF_PI = 0.6366197723675814  # 2 / π

#: The series of e^r: 1/k! for k from 2.
E2, E3, E4, E5, E6, E7, E8, E9, E10, E11, E12, E13 = (1.0 / math.factorial(k) for k in range(2, 14))
#: The series of ln((1 + s)/(1 − s)) = 2s + s (L1 s² + L2 s⁴ + …): 2/(2k+1) for k from 1.
L1, L2, L3, L4, L5, L6, L7, L8, L9, L10 = (2.0 / (2 * k + 1) for k in range(1, 11))
#: The series of sin r and cos r: ±1/k! for odd and for even k.
S3, S5, S7, S9, S11, S13, S15, S17 = (
    (-1.0) ** (k // 2) / math.factorial(k) for k in range(3, 18, 2)
)
C4, C6, C8, C10, C12, C14, C16 = ((-1.0) ** (k // 2) / math.factorial(k) for k in range(4, 17, 2))


@kernel
def exp(x):  # type: ignore[no-untyped-def]
    """Return e^x for x ≤ 0, the same bits everywhere; at most 1 ulp from the truth.

    With k the whole number nearest to −x/ln 2, e^x = 2^−k e^r, where r = x + k ln 2 lies within
    ±½ ln 2. There the series ends after r¹³/13!, with a rest below r¹⁴/14! < 5·10⁻¹⁸ (0.05 ulp).
    Half an ulp is the rounding of 1 + (r + …); the rest is that of r and of r + … before it.

    Parameters
    ----------
    x : float, at most 0; NaN gives NaN

    Examples
    --------
    >>> exp(0.0), float(exp(-1e308)), abs(exp(-1.0) - math.exp(-1.0)) < 1e-16
    (1.0, 0.0, True)
    """
    if x != x:
        return x
    if x < SMALLEST:
        return 0.0
    k = int(0.5 - x * PER_LN2)
    r = (x + k * LN2_HIGH) + k * LN2_LOW
    r2 = r * r
    r4 = r2 * r2
    series = ((E2 + r * E3) + r2 * (E4 + r * E5)) + r4 * (
        ((E6 + r * E7) + r2 * (E8 + r * E9)) + r4 * ((E10 + r * E11) + r2 * (E12 + r * E13))
    )
    power = 1.0 + (r + r2 * series)
    if k <= 1022:
        return power * HALVES[k]
    return (power * HALVES[1022]) * HALVES[k - 1022]  # subnormal: rounded once, here


@kernel
def log(x):  # type: ignore[no-untyped-def]
    """Return ln x for x ≥ 1, the same bits everywhere; at most 1 ulp from the truth.

    Halved e times, x = 2^e (1 + f) with 1 + f between √½ and √2 (f is exact). With s = f/(2 + f),
    ln(1 + f) = 2s + s R, where R is a series in s² < 0.0295 that ends after 2/21 s²⁰, with a rest
    below 10⁻¹⁷ of s. 2s is f − (½f² − s ½f²), whose first term is exact: what is rounded before the
    end is less than a tenth of the result.

    Parameters
    ----------
    x : float, at least 1; NaN gives NaN

    Examples
    --------
    >>> log(1.0), abs(log(4.0) - math.log(4.0)) < 1e-15
    (0.0, True)
    """
    e = 0
    while x > SQRT2 and x < math.inf:
        x *= 0.5
        e += 1
    f = x - 1.0
    s = f / (2.0 + f)
    z = s * s
    z2 = z * z
    z4 = z2 * z2
    R = z * (
        ((L1 + z * L2) + z2 * (L3 + z * L4))
        + z4 * (((L5 + z * L6) + z2 * (L7 + z * L8)) + z4 * (L9 + z * L10))
    )
    half = 0.5 * f * f
    return e * LN2_HIGH + (f - (half - (s * (half + R) + e * LN2_LOW)))


@kernel
def tanh(x):  # type: ignore[no-untyped-def]
    """Return tanh x = (1 − e) / (1 + e) with e = exp(−2|x|) and the sign of x.

    Where x is small, 1 − e loses digits: the error is at most 2.3·10⁻¹⁶ (an ulp of 1) whatever x
    is, and not an ulp of the result. A neuron's output is compared with 1, not with itself.

    Parameters
    ----------
    x : float; NaN gives NaN

    Examples
    --------
    >>> tanh(0.0), tanh(-400.0), abs(tanh(0.5) - math.tanh(0.5)) < 2.3e-16
    (0.0, -1.0, True)
    """
    e = exp(-2.0 * abs(x))
    y = (1.0 - e) / (1.0 + e)
    return -y if x < 0.0 else y


@kernel
def sin(x):  # type: ignore[no-untyped-def]
    """Return sin x for |x| up to a million; at most 2.3·10⁻¹⁶ from the truth.

    With k the whole number nearest to x/(π/2), r = x − k π/2 lies within ±π/4, where the series of
    sin r ends after r¹⁷/17! with a rest below 10⁻¹⁹, and that of cos r after r¹⁶/16! with a rest
    below 3·10⁻¹⁸. Which of the two, and its sign, follows from k modulo 4.

    Parameters
    ----------
    x : float

    Examples
    --------
    >>> sin(0.0), abs(sin(100.0) - math.sin(100.0)) < 2.3e-16
    (0.0, True)
    """
    return _sin_of(x, 0)


@kernel
def cos(x):  # type: ignore[no-untyped-def]
    """Return cos x = sin(x + π/2) for |x| up to a million; see `sin`.

    Parameters
    ----------
    x : float

    Examples
    --------
    >>> cos(0.0), abs(cos(100.0) - math.cos(100.0)) < 2.3e-16
    (1.0, True)
    """
    return _sin_of(x, 1)


@kernel
def _sin_of(x, quarters):  # type: ignore[no-untyped-def]
    """Return sin(x + quarters · π/2)."""
    k = math.floor(x * PER_HALF_PI + 0.5)
    r = ((x - k * HALF_PI_1) - k * HALF_PI_2) - k * HALF_PI_3
    z = r * r
    quarter = (int(k) + quarters) & 3
    if quarter & 1:
        tail = z * (C8 + z * (C10 + z * (C12 + z * (C14 + z * C16))))
        y = 1.0 - (0.5 * z - z * z * (C4 + z * (C6 + tail)))
    else:
        tail = z * (S9 + z * (S11 + z * (S13 + z * (S15 + z * S17))))
        y = r + r * (z * (S3 + z * (S5 + z * (S7 + tail))))
    return -y if quarter >= 2 else y
