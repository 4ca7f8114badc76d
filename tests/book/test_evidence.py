"""What the pages' measurements come to on data where the answer is known."""

from dataclasses import replace

import numpy as np
import pytest

from a3c_tut import A3CConfig, DivergenceError, cliff_world, corridor_world, exact, train
from a3c_tut.book.claims import CONDITIONAL, NOT_SUPPORTED, SUPPORTED, Ledger
from a3c_tut.book.evidence import best_practices, cpu_training, sparse_rewards, summary, tuning
from a3c_tut.book.evidence.best_practices import MonitoredRun
from a3c_tut.book.evidence.common import bca_ratio, percentile_ratio
from a3c_tut.book.evidence.controls import train_synchronously
from a3c_tut.book.evidence.records import throughput
from a3c_tut.book.evidence.result import row_policy
from a3c_tut.monitoring import calibrated_high, norm_warnings

WORLD = cliff_world()


# --- Statistics ---------------------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [percentile_ratio, bca_ratio])
def test_ratio_finds_a_planted_ratio(ratio):
    rng = np.random.default_rng(0)
    below = rng.uniform(1.0, 3.0, size=60)
    found = ratio(1.5 * below + rng.normal(0, 0.05, size=60), below)
    assert found.low < 1.5 < found.high
    assert found.high - found.low < 0.05


@pytest.mark.parametrize("ratio", [percentile_ratio, bca_ratio])
def test_ratio_of_nothing_special_contains_one(ratio):
    rng = np.random.default_rng(1)
    found = ratio(rng.uniform(1, 3, 60), rng.uniform(1, 3, 60))
    assert found.low < 1.0 < found.high


def test_steps_needed_ends_at_the_run():
    assert tuning.steps_needed(train(WORLD, total_steps=2_000)) == 2_000
    assert 2_000 < tuning.steps_needed(train(WORLD, total_steps=20_000)) < 20_000


def test_successes_are_what_did_not_hit_the_limit():
    run = train(corridor_world(4), total_steps=2_000)
    assert tuning.successes(run) == (run.episodes["total_return"] == 1.0).sum() > 0
    assert (
        sparse_rewards.first_success(run)
        == run.episodes["step"][run.episodes["total_return"] == 1][0]
    )


def test_tuning_takes_the_best():
    assert tuning.tuned(A3CConfig(), lambda c: (c.actor_lr - 0.2) ** 2).actor_lr == 0.2


# --- The synchronous control ----------------------------------------------------------------------


def test_a_round_uses_the_same_parameters():
    """With one seed for all, the gradients of a round are equal; asynchronously they are not."""
    config = A3CConfig(num_workers=4)
    asked = {"total_steps": 2_000, "seed": (7,) * 4}
    norms = train_synchronously(WORLD, config, **asked).updates["grad_norm"]
    rounds = norms[: len(norms) // 4 * 4].reshape(-1, 4)
    assert (rounds == rounds[:, :1]).all()
    other = train(WORLD, config, **asked).updates["grad_norm"]
    rounds = other[: len(other) // 4 * 4].reshape(-1, 4)
    assert not (rounds == rounds[:, :1]).all()


def test_staleness_in_a_round():
    config = A3CConfig(num_workers=4)
    run = train_synchronously(WORLD, config, total_steps=2_000, seed=0)
    assert run.updates["staleness"][:8].tolist() == [0, 1, 2, 3] * 2


# --- C10, C14, C16, C17 -------------------------------------------------------------------------


def wild_run():
    wild = replace(best_practices.unclipped(0.7), actor_lr=2.0, critic_lr=2.0)
    for seed in range(20):
        try:
            train(WORLD, wild, seed=seed)
        except DivergenceError as error:
            return error.result
    raise AssertionError("no run diverged")


def test_a_real_divergence_is_announced_before_it_happens():
    run = wild_run()
    high = calibrated_high(
        [train(WORLD, best_practices.unclipped(0.1), seed=seed) for seed in range(3)]
    )
    (warning, *_) = norm_warnings(run, high=high)
    assert warning.kind == "high"
    assert warning.update < len(run.updates) - 1
    assert "critic_lr" in str(warning)


def test_memory_grows_with_the_buffer_and_the_workers():
    assert cpu_training.pixel_memory().buffer > 7e9
    assert cpu_training.table_memory(32).workers == pytest.approx(
        2 * cpu_training.table_memory(16).workers
    )
    assert cpu_training.table_memory(transitions=10).buffer == 180


def test_a_missing_record_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"throughput\.json"):
        throughput()


def planted(end, lead, high, count):
    return [MonitoredRun(end, lead, high, False)] * count


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
    assert Ledger().claims["C14"].rule(best_practices.c14(runs)) == verdict


def test_c14_without_any_warning_fails():
    runs = {
        "blows up": planted("blows up", np.nan, False, 40),
        "collapses": planted("collapses", np.nan, False, 40),
        "works": planted("works", np.nan, True, 40),
    }
    assert Ledger().claims["C14"].rule(best_practices.c14(runs)) == NOT_SUPPORTED


def test_a_blow_up_is_seen():
    ended = best_practices.monitored(wild_run(), high=150.0)
    assert ended.end == "blows up"
    assert ended.lead > 0


def test_reading_a_policy_that_is_right():
    soft = 0.9 * exact.optimal_policy(WORLD, 0.99) + 0.1 / 4
    reading = summary.read_policy(WORLD, soft)
    assert reading.optimal == reading.optimal_elsewhere == 1.0


def test_reading_a_policy_that_is_wrong():
    backwards = row_policy(WORLD, 2)[:, [2, 3, 0, 1]]
    reading = summary.read_policy(WORLD, 0.9 * backwards + 0.1 / 4)
    assert reading.optimal == reading.optimal_elsewhere == 0.0


def test_ranks_of_a_policy_that_follows_its_values():
    graded = exact.softmax_policy(exact.optimal_action_values(WORLD, 0.99))
    assert summary.read_policy(WORLD, graded).rank > 0.9
    assert summary.read_policy(WORLD, graded[:, [2, 3, 0, 1]]).rank < 0.5


def test_rank_correlation():
    assert summary.rank_correlation([1, 2, 3], [9, 5, 1]) == -1.0
    assert np.isnan(summary.rank_correlation([1, 1], [1, 2]))


def test_noise_falls_with_the_root_of_the_samples():
    few = summary.gradient_noise(5, samples=500, groups=10).mean()
    many = summary.gradient_noise(5, samples=8_000, groups=10).mean()
    assert many < 0.5 * few
