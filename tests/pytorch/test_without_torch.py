"""Where PyTorch is not installed: all but a user's own module works, and that says what to do."""

import sys

import pytest

from a3c_tut import train


@pytest.fixture(autouse=True)
def _no_torch(monkeypatch):
    """Python takes this for a module that cannot be imported."""
    monkeypatch.setitem(sys.modules, "torch", None)


def test_the_error_says_what_to_install():
    with pytest.raises(
        ImportError, match=r"needs PyTorch; install it with `pip install 'a3c_tut\["
    ):
        train("CartPole-v1", model=lambda: None, total_steps=100)


def test_everything_else_needs_none():
    assert len(train("CartPole-v1", total_steps=100).updates) > 5
    with pytest.raises(ValueError, match="model is 3; allowed: an MLP"):
        train("CartPole-v1", model=3, total_steps=100)
