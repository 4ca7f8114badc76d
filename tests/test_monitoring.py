"""The monitor of gradient norms: what it says, and when."""

import numpy as np
import pytest

from a3c_tut.monitoring import GradientNormMonitor


def test_high_norms_are_told_once():
    monitor = GradientNormMonitor(high=10.0)
    said = [monitor.see(norm) for norm in (1.0, 10.0, 10.5, 99.0)]
    assert said[:2] == [None, None]
    assert (said[2].update, said[2].kind, said[2].norm) == (2, "high", 10.5)
    assert said[3] is None


@pytest.mark.parametrize("norm", [np.nan, np.inf])
def test_what_is_no_number_is_high(norm):
    assert GradientNormMonitor(high=1e300).see(norm).kind == "high"


def test_low_norms_need_a_full_window():
    monitor = GradientNormMonitor(high=10.0, low=0.1, window=4)
    said = [monitor.see(norm) for norm in (5.0, 0.01, 0.01, 0.01, 0.01)]
    assert [w.kind if w else None for w in said] == [None, None, None, "low", None]


def test_a_single_low_norm_is_no_collapse():
    monitor = GradientNormMonitor(high=10.0, low=0.1, window=4)
    assert all(monitor.see(norm) is None for norm in (1.0, 1.0, 1.0, 0.01, 1.0, 0.01, 1.0))


@pytest.mark.parametrize("wrong", [{"high": 0.0}, {"high": 1.0, "low": 2.0},
                                   {"high": 1.0, "window": 0}])  # fmt: skip
def test_settings_are_checked(wrong):
    with pytest.raises(ValueError, match="allowed"):
        GradientNormMonitor(**wrong)


def test_a_low_warning_says_what_to_do():
    assert "entropy_coef" in str(GradientNormMonitor(high=1.0, low=0.5, window=1).see(0.1))
