"""The measurements behind C10 to C18, on data where the answer is known."""

from dataclasses import replace

import numpy as np
import pytest

from a3c_tut import A3CConfig, DivergenceError, cliff_world, corridor_world, exact, train
from a3c_tut import evidence_applications as evidence
from a3c_tut.book.claim_pages import claim_link, claim_sheet, verdict_table
from a3c_tut.book.claims import CONDITIONAL, NOT_SUPPORTED, SUPPORTED, Interval, Ledger
from a3c_tut.evidence_applications import Watched
from a3c_tut.experiments import row_policy
from a3c_tut.monitoring import GradientNormMonitor, calibrated_high, norm_warnings

WORLD = cliff_world()


def wild_run():
    wild = replace(evidence.unclipped(0.7), actor_lr=2.0, critic_lr=2.0)
    for seed in range(20):
        try:
            train(WORLD, wild, seed=seed)
        except DivergenceError as error:
            return error.result
    raise AssertionError("no run diverged")


# --- The monitor --------------------------------------------------------------------------------


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


def test_a_real_divergence_is_announced_before_it_happens():
    run = wild_run()
    high = calibrated_high([train(WORLD, evidence.unclipped(0.1), seed=seed) for seed in range(3)])
    (warning, *_) = norm_warnings(run, high=high)
    assert warning.kind == "high"
    assert warning.update < len(run.updates) - 1
    assert "critic_lr" in str(warning)


def test_a_low_warning_says_what_to_do():
    assert "entropy_coef" in str(GradientNormMonitor(high=1.0, low=0.5, window=1).see(0.1))


# --- Statistics ---------------------------------------------------------------------------------


def test_ratio_finds_a_planted_ratio():
    rng = np.random.default_rng(0)
    below = rng.uniform(1.0, 3.0, size=60)
    found = evidence.ratio(1.5 * below + rng.normal(0, 0.05, size=60), below)
    assert found.low < 1.5 < found.high
    assert found.high - found.low < 0.05


def test_ratio_of_nothing_special_contains_one():
    rng = np.random.default_rng(1)
    found = evidence.ratio(rng.uniform(1, 3, 60), rng.uniform(1, 3, 60))
    assert found.low < 1.0 < found.high


def test_steps_needed_ends_at_the_run():
    assert evidence.steps_needed(train(WORLD, total_steps=2_000)) == 2_000
    assert 2_000 < evidence.steps_needed(train(WORLD, total_steps=20_000)) < 20_000


def test_successes_are_what_did_not_hit_the_limit():
    run = train(corridor_world(4), total_steps=2_000)
    assert evidence.successes(run) == (run.episodes["total_return"] == 1.0).sum() > 0
    assert evidence.first_success(run) == run.episodes["step"][run.episodes["total_return"] == 1][0]


def test_tuning_takes_the_best():
    assert evidence.tuned(A3CConfig(), lambda c: (c.actor_lr - 0.2) ** 2).actor_lr == 0.2


# --- The synchronous control ----------------------------------------------------------------------


def test_a_round_uses_the_same_parameters():
    """With one seed for all, the gradients of a round are equal; asynchronously they are not."""
    config = A3CConfig(num_workers=4)
    asked = {"total_steps": 2_000, "seed": (7,) * 4}
    norms = evidence.train_synchronously(WORLD, config, **asked).updates["grad_norm"]
    rounds = norms[: len(norms) // 4 * 4].reshape(-1, 4)
    assert (rounds == rounds[:, :1]).all()
    other = train(WORLD, config, **asked).updates["grad_norm"]
    rounds = other[: len(other) // 4 * 4].reshape(-1, 4)
    assert not (rounds == rounds[:, :1]).all()


def test_staleness_in_a_round():
    config = A3CConfig(num_workers=4)
    run = evidence.train_synchronously(WORLD, config, total_steps=2_000, seed=0)
    assert run.updates["staleness"][:8].tolist() == [0, 1, 2, 3] * 2


# --- C10, C14, C16, C17 -------------------------------------------------------------------------


def test_memory_grows_with_the_buffer_and_the_workers():
    assert evidence.pixel_memory().buffer > 7e9
    assert evidence.table_memory(32).workers == pytest.approx(2 * evidence.table_memory(16).workers)
    assert evidence.table_memory(transitions=10).buffer == 180


def test_a_missing_record_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"throughput\.json"):
        evidence.throughput(tmp_path)


def planted(end, lead, high, count):
    return [Watched(end, lead, high, False)] * count


@pytest.mark.parametrize(
    "lead, alarms, verdict",
    [(20.0, 0, SUPPORTED), (5.0, 0, CONDITIONAL), (20.0, 30, CONDITIONAL)],
)
def test_c14_on_planted_runs(lead, alarms, verdict):
    runs = {
        "blows up": planted("blows up", lead, True, 40),
        "collapses": planted("collapses", np.nan, True, 40),
        "works": planted("works", np.nan, True, alarms) + planted("works", np.nan, False, 30),
    }
    assert Ledger().claims["C14"].rule(evidence.c14(runs)) == verdict


def test_c14_without_any_warning_fails():
    runs = {
        "blows up": planted("blows up", np.nan, False, 40),
        "collapses": planted("collapses", np.nan, False, 40),
        "works": planted("works", np.nan, True, 40),
    }
    assert Ledger().claims["C14"].rule(evidence.c14(runs)) == NOT_SUPPORTED


def test_a_blow_up_is_seen():
    ended = evidence.watched(wild_run(), high=150.0)
    assert ended.end == "blows up"
    assert ended.lead > 0


def test_reading_a_policy_that_is_right():
    soft = 0.9 * exact.optimal_policy(WORLD, 0.99) + 0.1 / 4
    reading = evidence.read_policy(WORLD, soft)
    assert reading.optimal == reading.optimal_elsewhere == 1.0


def test_reading_a_policy_that_is_wrong():
    backwards = row_policy(WORLD, 2)[:, [2, 3, 0, 1]]
    reading = evidence.read_policy(WORLD, 0.9 * backwards + 0.1 / 4)
    assert reading.optimal == reading.optimal_elsewhere == 0.0


def test_ranks_of_a_policy_that_follows_its_values():
    graded = exact.softmax_policy(exact.optimal_action_values(WORLD, 0.99))
    assert evidence.read_policy(WORLD, graded).rank > 0.9
    assert evidence.read_policy(WORLD, graded[:, [2, 3, 0, 1]]).rank < 0.5


def test_rank_correlation():
    assert evidence.rank_correlation([1, 2, 3], [9, 5, 1]) == -1.0
    assert np.isnan(evidence.rank_correlation([1, 1], [1, 2]))


def test_noise_falls_with_the_root_of_the_samples():
    few = evidence.gradient_noise(5, samples=500, groups=10).mean()
    many = evidence.gradient_noise(5, samples=8_000, groups=10).mean()
    assert many < 0.5 * few


# --- The pages made of the ledger ---------------------------------------------------------------

ENTRY = """
[[claim]]
id = "C00"
section = "1"
page = "water"
says = "Water is wet."
hypothesis = "Wetness is above 1."
metric = "wet: cups of rain_water. dry: none. A wet: no"
protocol = "30 cups"
when = "it is liquid"
verdict = "supported only when"
conditions = [{ name = "wet", at_least = 1.0 }, { name = "dry", at_most = 2.0 }]
"""


@pytest.fixture
def ledger(tmp_path):
    (tmp_path / "claims.toml").write_text(ENTRY)
    ledger = Ledger(tmp_path)
    measured = {"wet": Interval(2.0, 1.5, 2.5), "dry": Interval(3.0, 2.5, 3.5)}
    ledger.settle("C00", measured, refresh=True)
    return ledger


def test_a_sheet_says_what_holds(ledger):
    sheet = claim_sheet(ledger, "C00")
    assert "| wet ≥ 1 | 2.0 [1.5, 2.5] | yes |" in sheet.replace("\N{NO-BREAK SPACE}", " ")
    assert "| dry ≤\N{NO-BREAK SPACE}2 | 3.0 [2.5,\N{NO-BREAK SPACE}3.5] | no |" in sheet
    assert "**supported only when** it is liquid" in sheet
    assert "*wet:* cups of `rain_water`. *dry:* none. A wet: no" in sheet


@pytest.mark.parametrize(
    "source, link",
    [("(claim-c00)=", "[C00](#claim-c00)"), ("no label", "[C00](water.md)"), (None, "C00")],
)
def test_links_lead_to_the_very_section(ledger, source, link):
    if source is not None:
        (ledger.folder / "water.md").write_text(source)
    assert claim_link(ledger, ledger.claims["C00"]) == link
    assert f"| {link} | Water is wet. (1) |" in verdict_table(ledger)
