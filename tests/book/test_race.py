"""The race: what is lost and torn without a lock, and that nothing is with one."""

import pytest

from a3c_tut import cliff_world, train
from a3c_tut.book.race import measure_race


@pytest.fixture(scope="module")
def trained():
    return train(cliff_world())


def test_with_a_lock_nothing_is_lost_and_nothing_is_torn(trained):
    race = measure_race(trained, num_updates=50_000, locked=True)
    assert race.additions > 500_000
    assert race.reads > 50_000
    assert (race.lost, race.torn) == (0, 0)


def test_without_a_lock_adding_in_place_loses_less_than_two_percent(trained):
    """Of all additions of several races: how often two meet is up to the machine, and varies."""
    races = [measure_race(trained, num_updates=100_000, seed=seed) for seed in range(7)]
    assert all(race.lost >= 0 and race.torn >= 0 for race in races)
    assert sum(race.lost for race in races) < 0.02 * sum(race.additions for race in races), races
    assert sum(race.torn for race in races) < 0.02 * sum(race.reads for race in races), races


def test_what_is_lost_can_be_counted(trained, monkeypatch):
    """Plant a loss: a push that is left out shows up as lost additions."""
    from a3c_tut.book import race as room

    race_once = room.race

    def forgetful(*arguments):
        additions, *rest = race_once(*arguments)
        return additions + 8, *rest

    monkeypatch.setattr(room, "race", forgetful)
    assert measure_race(trained, num_updates=2_000, locked=True).lost == 16
