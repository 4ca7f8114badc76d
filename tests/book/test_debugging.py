"""The debugging page: every planted fault is told by its check, and a healthy learner by none."""

import numpy as np
import pytest

from a3c_tut import A3CConfig, train
from a3c_tut.book import debugging
from a3c_tut.book.debugging import CHECKS, FAULTS, Check, diagnose, faulty, tiny_world
from a3c_tut.book.exercises import EXERCISES, find
from a3c_tut.book.exercises.exercise import SilentBug
from a3c_tut.book.plain import Parts

SEEDS = range(100, 103)


def test_all_silent_bugs_of_the_book_are_here():
    assert set(FAULTS) == {n for n, e in EXERCISES.items() if issubclass(e, SilentBug)}
    assert {debugging._TELLS[key] for key in debugging._TELLS} == set(FAULTS)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_healthy_learner_passes_every_check(seed):
    assert diagnose(Parts(), seed) is None


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_named(name, seed):
    assert diagnose(faulty(name), seed) == name


@pytest.mark.parametrize("name", [name for name in FAULTS if name != "hand_over"])
def test_it_fails_its_own_check_and_no_other(name):
    failed = [n for n, check in CHECKS.items() if not check.passes(faulty(name), seed=7)]
    assert len(failed) == 1
    assert name in {debugging._TELLS.get((failed[0], side)) for side in ("low", "high")}


def test_a_fault_mended_is_healthy():
    """The solution of each exercise in the place of its stub: nothing is found any more."""
    for name in ("hand_over", "goes_on", "what_follows"):
        place = {"hand_over": "hand_over", "goes_on": "goes_on", "what_follows": "bootstrap"}[name]
        assert diagnose(Parts()._replace(**{place: find(name).solution}), 0) is None


def test_a_reading_that_nobody_knows_is_something_else():
    halved = Parts()._replace(hand_over=lambda kept, gradient: gradient / 2)
    assert diagnose(halved, 0) == "something else"


def test_the_readings_are_those_of_the_package():
    """What a healthy reading is does not depend on the plain learner: the engine has the same."""
    settings = {"num_workers": 1, "optimizer": "sgd", "actor_lr": 0.0, "max_grad_norm": None}
    config = A3CConfig(rollout_length=5, gamma=0.9, critic_lr=0.1, **settings)
    assert np.isclose(train(tiny_world(ends=False), config, total_steps=900).values[0], 10.0)
    config = A3CConfig(rollout_length=1, gamma=0.0, critic_lr=0.1, **settings)
    assert np.isclose(train(tiny_world(ends=False), config, total_steps=2).values[0], 0.19)


def test_a_check_is_an_interval():
    check = Check("a number", lambda parts, seed: float(seed), 1.0, 2.0)
    assert [check.passes(Parts(), seed) for seed in range(4)] == [False, True, True, False]
