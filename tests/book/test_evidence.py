"""What the pages' measurements come to on data where the answer is known."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from a3c_tut import A3CConfig, DivergenceError, cliff_world, corridor_world, exact, train
from a3c_tut.book import places
from a3c_tut.book.claims import CONDITIONAL, CONTRADICTED, SUPPORTED, Ledger
from a3c_tut.book.evidence import best_practices, cpu_training, sparse_rewards, summary, tuning
from a3c_tut.book.evidence.best_practices import MonitoredRun
from a3c_tut.book.evidence.common import (
    bca_ratio,
    median_interval,
    median_ratio,
    percentile_interval,
    percentile_ratio,
    restricted_ratio,
    seeds_needed,
)
from a3c_tut.book.evidence.controls import train_synchronously
from a3c_tut.book.evidence.records import all_throughputs, throughput
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


def test_percentile_intervals_are_drawn_as_a_whole():
    """Drawing in parts, for the memory, gives what drawing at once gives."""
    rng = np.random.default_rng(2)
    a, b = rng.uniform(1, 3, (2, 60))
    drawn = np.random.default_rng(0).integers(60, size=(9_999, 60))
    ends = np.quantile(a[drawn].mean(axis=1) / b[drawn].mean(axis=1), [0.025, 0.975])
    found = percentile_ratio(a, b)
    assert (found.low, found.high) == tuple(float(f"{end:.6g}") for end in ends)
    with pytest.raises(ValueError, match="one length for all"):
        percentile_interval(lambda a, b: a.mean(axis=-1), a, b[1:])


def heavy_tailed(rng, count):
    """Log-normal steps; two runs of a hundred never get there."""
    return np.where(rng.uniform(size=count) < 0.02, np.inf, np.exp(rng.normal(0.0, 1.0, count)))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["medians", "restricted means"])
def test_intervals_of_heavy_tails_hold_the_truth(kind):
    """In 88 to 100 of a hundred experiments of 200 seeds, which 95 % intervals do."""
    rng = np.random.default_rng(3)
    above, below = 1.3 * heavy_tailed(rng, 400_000), heavy_tailed(rng, 400_000)
    if kind == "medians":
        ratio, truth = median_ratio, np.median(above) / np.median(below)
    else:
        ratio = partial(restricted_ratio, at=6.0)
        truth = np.minimum(above, 6.0).mean() / np.minimum(below, 6.0).mean()
    found = [ratio(1.3 * heavy_tailed(rng, 200), heavy_tailed(rng, 200)) for _ in range(100)]
    assert 88 <= sum(one.low <= truth <= one.high for one in found) <= 100
    assert np.mean([one.low > 1.0 for one in found]) > 0.1  # and they are not just wide


def test_a_median_does_not_see_how_late_the_last_runs_are():
    times = np.arange(1.0, 102.0)
    late = np.where(times > 90, np.inf, times)
    assert median_interval(times) == median_interval(late)
    assert median_ratio(late, times).mean == 1.0
    assert percentile_ratio(np.minimum(late, 1e6), times).mean > 100.0


@pytest.mark.parametrize("effect, power", [(0.5, 0.9), (0.2, 0.9), (0.3, 0.8)])
def test_so_many_seeds_find_the_effect_that_often(effect, power):
    """By brute force: 4,000 experiments whose mean is an effect away from the threshold."""
    rng = np.random.default_rng(4)
    count = seeds_needed(rng.normal(0.0, 2.0, 100_000), 2.0 * effect, power)
    drawn = rng.normal(effect, 1.0, (4_000, count))
    error = drawn.std(axis=1, ddof=1) / np.sqrt(count)
    found = np.mean(drawn.mean(axis=1) - 1.959964 * error > 0.0)
    assert abs(found - power) < 0.02
    assert np.mean(drawn[:, : count // 2].mean(axis=1) - 1.96 * error * 2**0.5 > 0) < power - 0.1


def test_an_effect_of_nothing_takes_no_number_of_seeds():
    with pytest.raises(ValueError, match="above 0"):
        seeds_needed([1.0, 2.0], 0.0)


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


def test_the_speed_is_measured_once_the_record_has_unrelated_runs(monkeypatch):
    rates = {"1": [4.0, 4.0], "2": [6.0, 6.0], "side by side": [8.0, 8.0]}
    record = {"steps_per_second": {"20": rates, "5": rates}}
    monkeypatch.setattr(cpu_training, "throughput", lambda: record)
    assert cpu_training.c10()["two workers over two unrelated runs"].mean == 0.75
    del rates["side by side"]
    assert len(cpu_training.c10()) == 2


def test_every_record_of_the_speed_is_kept():
    records = all_throughputs()
    assert len(records) >= 3
    assert "earlier" not in records[-1]
    assert [record["date"] for record in records] == sorted(record["date"] for record in records)
    for record in records:
        for rates in record["steps_per_second"].values():
            assert {len(measured) for measured in rates.values()} == {30}


def test_a_missing_record_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(places, "DATA", tmp_path)
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
    assert Ledger().claims["C14"].rule(best_practices.c14(runs)) == CONTRADICTED


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
