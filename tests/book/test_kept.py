"""Kept measurements: whatever no longer comes out, or was not asked for like this, is seen."""

import json
import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from a3c_tut import A3CConfig, RandomSchedule, cliff_world
from a3c_tut.book.evidence import kept as room
from a3c_tut.book.evidence.kept import KeptError, described, kept, kept_runs
from a3c_tut.experiments import final_return, steps_to_return

SEEDS = range(100, 140)
ASKED = {"metric": "of a seed", "total_steps": 600}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "DATA", tmp_path)
    for name in ("A3C_REFRESH", "A3C_RECOMPUTE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "evidence" / "page.json"


@pytest.fixture
def refresh(monkeypatch):
    """Ask as `make notebooks` does."""

    def asked(*given, **named):
        with monkeypatch.context() as patched:
            patched.setenv("A3C_REFRESH", "1")
            return kept(*given, **named)

    return asked


def counting(function):
    """Return the function, and the list of seeds that it was called with."""
    calls = []

    def one(seed):
        calls.append(seed)
        return function(seed)

    return one, calls


def plant(path, seed, value, name="roots"):
    content = json.loads(path.read_text())
    content[name]["values"][seed - SEEDS[0]] = value
    path.write_text(json.dumps(content))


def test_three_seeds_at_most_are_computed_again(refresh):
    one, calls = counting(math.sqrt)
    whole = refresh("page", "roots", one, SEEDS, ASKED)
    assert sorted(calls) == list(SEEDS)
    calls.clear()
    assert kept("page", "roots", one, SEEDS, ASKED).tolist() == whole.tolist()
    assert calls
    assert set(calls) <= set(SEEDS)
    assert min(calls) == SEEDS[0]
    assert len(calls) <= 3


def test_every_seed_has_its_day(monkeypatch):
    """The first is looked at every day, others come and go; where one is, each has its day."""
    chosen, alone = set(), set()
    for day in range(400):
        date = type("Date", (), {"today": staticmethod(lambda day=day: _Day(day))})
        monkeypatch.setattr(room.datetime, "date", date)
        sample = room._sample("page", "roots", list(SEEDS), again=3)
        assert sample[0] == SEEDS[0]
        chosen |= set(sample)
        (one,) = room._sample("page", "roots", list(SEEDS), again=1)
        alone.add(one)
    assert chosen == alone == set(SEEDS)


class _Day(int):
    def isoformat(self):
        return str(int(self))


def test_a_changed_value_is_seen(refresh, folder):
    refresh("page", "roots", math.sqrt, SEEDS, ASKED)
    last_bit = math.nextafter(math.sqrt(100), 0.0)
    plant(folder, 100, last_bit)
    with pytest.raises(
        KeptError, match=rf"page, roots, seed 100: kept is {last_bit}, computed is 10"
    ):
        kept("page", "roots", math.sqrt, SEEDS, ASKED)


def test_a_changed_value_anywhere_is_seen_when_all_is_computed_again(refresh, folder, monkeypatch):
    refresh("page", "roots", math.sqrt, SEEDS, ASKED)
    monkeypatch.setenv("A3C_RECOMPUTE", "all")
    one, calls = counting(math.sqrt)
    kept("page", "roots", one, SEEDS, ASKED)
    assert sorted(calls) == list(SEEDS)
    for seed in SEEDS:
        before = folder.read_text()
        plant(folder, seed, 1.5)
        with pytest.raises(KeptError, match=f"seed {seed}: kept is 1.5"):
            kept("page", "roots", math.sqrt, SEEDS, ASKED)
        folder.write_text(before)


def test_a_change_of_what_computes_it_is_seen_and_mended(refresh):
    refresh("page", "roots", math.sqrt, SEEDS, ASKED)
    with pytest.raises(KeptError, match="seed 100: kept is 10, computed is 2"):
        kept("page", "roots", math.log10, SEEDS, ASKED)
    assert refresh("page", "roots", math.log10, SEEDS, ASKED)[0] == 2.0
    assert kept("page", "roots", math.log10, SEEDS, ASKED)[-1] == 2.14301


def test_a_changed_setting_is_refused(refresh):
    refresh("page", "roots", math.sqrt, SEEDS, ASKED)
    with pytest.raises(KeptError, match="stale, total_steps was 600 and is 700; to measure"):
        kept("page", "roots", math.sqrt, SEEDS, ASKED | {"total_steps": 700})


def test_what_is_missing_is_named(refresh):
    with pytest.raises(KeptError, match=r"page, roots: nothing is kept.*book/page\.ipynb"):
        kept("page", "roots", math.sqrt, SEEDS, ASKED)
    refresh("page", "roots", math.sqrt, SEEDS, ASKED)
    with pytest.raises(KeptError, match="nothing is kept for 5 seeds, 140 first"):
        kept("page", "roots", math.sqrt, range(100, 145), ASKED)


def test_refreshing_computes_what_is_missing_and_no_more(refresh, folder):
    refresh("page", "roots", math.sqrt, SEEDS, ASKED)
    refresh("page", "others", math.sqrt, SEEDS, ASKED)
    one, calls = counting(math.sqrt)
    refresh("page", "roots", one, range(95, 150), ASKED)
    assert set(calls) - set(SEEDS) == set(range(95, 100)) | set(range(140, 150))
    assert len(calls) <= 15 + 3
    before = folder.read_text()
    refresh("page", "roots", math.sqrt, SEEDS, ASKED)
    assert folder.read_text() == before
    assert json.loads(before)["roots"]["seeds"] == [[95, 55]]
    assert json.loads(before)["others"]["seeds"] == [[100, 40]]


def test_numbers_come_back(refresh, folder):
    """Whole ones to the bit, others to six digits: the last of a NumPy sum are the machine's."""
    given = [0.3, -0.0, math.inf, -math.inf, math.nan, 5e-324, 2.0**60, -7.0, True, 1e300]
    refresh("page", "bits", lambda seed: given, range(2), None)
    found = kept("page", "bits", lambda seed: given, range(2), None)
    assert found.tobytes() == np.array([given, given], dtype=float).tobytes()
    json.loads(folder.read_text(), parse_constant=pytest.fail)  # JSON that everybody can read
    nearly = [0.1 + 0.2, *given[1:]]
    assert kept("page", "bits", lambda seed: nearly, range(2), None).tobytes() == found.tobytes()
    with pytest.raises(KeptError, match="seed 0"):
        kept("page", "bits", lambda seed: [0.300001, *given[1:]], range(2), None)
    with pytest.raises(KeptError, match="seed 0"):
        kept("page", "bits", lambda seed: [0.3, 0.0, *given[2:]], range(2), None)
    with pytest.raises(ValueError, match="flat"):
        refresh("page", "table", lambda seed: [[1.0]], range(2), None)


def test_other_seeds_keep_nothing(monkeypatch, folder):
    monkeypatch.setattr(room, "SEED_OFFSET", 1_000_000)
    assert kept("page", "roots", math.sqrt, [4, 9], ASKED).tolist() == [2.0, 3.0]
    assert not folder.exists()


# --- What was asked for --------------------------------------------------------------------------

WORLD, CONFIG = cliff_world(), A3CConfig()


def test_a_run_is_kept_with_all_that_it_depends_on(monkeypatch):
    def ask(measure=final_return, world=WORLD, config=CONFIG, steps=600, **asked):
        return kept_runs("page", "run", measure, world, config, range(4), steps, **asked)

    with monkeypatch.context() as patched:
        patched.setenv("A3C_REFRESH", "1")
        first = ask()
    assert ask().tolist() == first.tolist()
    for change in (
        {"measure": partial(steps_to_return, target=-20.0)},
        {"world": cliff_world(columns=11)},
        {"world": replace(WORLD, reward=2.0 * WORLD.reward)},
        {"config": replace(CONFIG, critic_lr=0.05)},
        {"steps": 700},
        {"equal_seeds": True},
        {"schedule": RandomSchedule((1.0, 1.0, 0.1))},
    ):
        with pytest.raises(KeptError, match="stale"):
            ask(**change)


def test_what_cannot_be_told_apart_later_is_refused():
    for asked in (lambda run: 1.0, {"measure": partial(lambda run: 1.0)}, object()):
        with pytest.raises(TypeError):
            described(asked)


def test_long_arrays_are_told_apart():
    long = np.arange(1_000)
    assert described(long) == described(long.copy())
    assert described(long) != described(np.where(long == 500, 0, long))
    assert described(np.float64(0.5)) == 0.5
