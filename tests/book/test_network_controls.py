"""Controls with a network: what they leave alone, and what they change."""

import numpy as np
import pytest

from a3c_tut import DivergenceError, train
from a3c_tut.book.evidence import control_claims, network_records
from a3c_tut.book.evidence.control_claims import squared_length
from a3c_tut.book.evidence.network_controls import (
    CART_POLE_LIMITS,
    PARTS,
    cell_of,
    watch_network,
)
from a3c_tut.book.lineage import compute_vtrace_advantages
from a3c_tut.control import cart_pole
from a3c_tut.networks import MLP, network_config

WORLD, STEPS = cart_pole(), 6_000
#: Steps so large that the first of them overflows.
WILD = {"optimizer": "sgd", "max_grad_norm": None, "actor_lr": 1e308, "critic_lr": 1e308}
THREE, ALONE = (network_config(WORLD, num_workers=n) for n in (3, 1))


def watched(config=THREE, **asked):
    return watch_network(WORLD, config, seed=5, total_steps=STEPS, **asked)


def plain(config=THREE):
    return train(WORLD, config, seed=5, total_steps=STEPS)


# --- The loops ----------------------------------------------------------------------------------


def test_a_memory_of_one_rollout_changes_nothing():
    """It gives back the newest, and what it forms of that is the gradient, to the bit."""
    for corrected in (False, True):
        run = watched(ALONE, remember=1, corrected=corrected).result
        assert (run.state["theta"] == plain(ALONE).state["theta"]).all()


def test_a_memory_of_many_changes_the_run():
    thetas = [
        watched(ALONE, remember=50, corrected=corrected).result.state["theta"]
        for corrected in (False, True)
    ]
    assert (thetas[0] != thetas[1]).any()
    assert (thetas[0] != plain(ALONE).state["theta"]).any()


def test_fresh_copies_are_never_stale():
    assert set(watched().result.updates["staleness"][3:].tolist()) == {2}
    assert set(watched(copies="fresh").result.updates["staleness"].tolist()) == {0}


def test_a_barrier_makes_rounds():
    staleness = watched(copies="barrier").result.updates["staleness"]
    assert staleness[:9].tolist() == [0, 1, 2] * 3


def test_one_worker_alone_is_always_fresh():
    """All three loops are the same run then."""
    runs = [watched(ALONE, copies=copies).result for copies in ("in turn", "fresh", "barrier")]
    for run in runs:
        assert (run.state["theta"] == plain(ALONE).state["theta"]).all()


def test_every_step_is_counted_once():
    run = watched(limits=CART_POLE_LIMITS)
    assert run.visits.shape == (PARTS**4, 2)
    assert run.visits.sum() == run.result.steps
    assert np.count_nonzero(run.visits.sum(axis=1)) > 20


def test_a_run_can_stop_before_its_horizon():
    run = watched(stop_after=1_000).result
    assert 1_000 <= run.steps < 1_020
    assert run.updates["learning_rate"][-1] > 0.8 * run.updates["learning_rate"][0]


def test_a_run_that_diverges_says_so():
    wild = network_config(WORLD, **WILD)
    with pytest.raises(DivergenceError):
        watch_network(WORLD, wild, MLP(hidden=(4,)), seed=0, total_steps=STEPS)


# --- The equations ------------------------------------------------------------------------------


def test_cells_by_brute_force():
    rng = np.random.default_rng(0)
    limits = np.array(CART_POLE_LIMITS)
    for seen in rng.normal(0.0, 1.0, (200, 4)) * limits:
        edges = [np.linspace(-limit, limit, PARTS + 1)[1:-1] for limit in limits]
        parts = [
            int(np.searchsorted(edge, x, side="right")) for edge, x in zip(edges, seen, strict=True)
        ]
        expected = 0
        for part in parts:
            expected = PARTS * expected + part
        assert cell_of(seen, limits) == expected


@pytest.mark.parametrize("terminated", [False, True])
def test_corrected_advantages_by_brute_force(terminated):
    """A_t = Σ_k (γλ)^(k−t) (Π_{i=t..k} w_i) δ_k."""
    rng = np.random.default_rng(1)
    T, gamma, gae_lambda = 5, 0.9, 0.8
    rewards, values, weights = rng.normal(size=T), rng.normal(size=T + 1), rng.uniform(size=T)
    following = np.append(values[1:T], 0.0 if terminated else values[T])
    surprises = rewards + gamma * following - values[:T]
    expected = [
        sum(
            (gamma * gae_lambda) ** (k - t) * np.prod(weights[t : k + 1]) * surprises[k]
            for k in range(t, T)
        )
        for t in range(T)
    ]
    advantages = np.zeros(T)
    compute_vtrace_advantages(
        np.arange(T + 1), rewards, T, terminated, values, gamma, gae_lambda, weights, 1.0,
        advantages,
    )  # fmt: skip
    assert advantages == pytest.approx(expected, rel=1e-12)


def test_chance_does_not_lengthen_a_mean():
    """The square of the mean of ten draws is a tenth of the variance too large; this is not."""
    rng = np.random.default_rng(2)
    mean = np.array([0.3, -0.4, 0.0])
    drawn = rng.normal(mean, 1.0, (20_000, 10, 3))
    naive = (drawn.mean(axis=1) ** 2).sum(axis=1).mean()
    found = np.mean([squared_length(one) for one in drawn])
    assert abs(found - 0.25) < 0.02
    assert abs(naive - 0.55) < 0.02


# --- The evidence -------------------------------------------------------------------------------


def test_what_diverges_has_learned_nothing():
    arm = control_claims.Arm(WILD, {"model": MLP(hidden=(4,))})
    assert control_claims.outcome(arm, 1.0, seed=0) == [150_000.0, 0.0]


def test_a_gradient_at_the_shared_parameters_has_no_age():
    (control,), (stale,) = (
        control_claims.network_drift(3, [60], 10, fresh) for fresh in (True, False)
    )
    assert control.age == 0.0 != stale.age
    assert control.chance == stale.chance > 0.0


def test_a_busy_machine_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr("os.getloadavg", lambda: (0.8, 0.1, 0.1))
    with pytest.raises(RuntimeError, match=r"load is 0\.80"):
        network_records.record_networks(tmp_path / "record.json")
    assert not (tmp_path / "record.json").exists()


@pytest.mark.processes
def test_seconds_are_counted_in_real_processes():
    """Two workers; a hundred episodes of 475 take more steps than that, so all the time counts."""
    timed = network_records.timed_run(network_records.job(2, seed=0, total_steps=20_000))
    assert timed.looks[0][1] == 0
    assert timed.looks[-1][1] >= 20_000
    assert len(timed.episodes) >= 20_000 // 500 - 2  # none is longer than 500 steps
    assert network_records.seconds_to_target(timed) == timed.looks[-1][0] - timed.looks[0][0]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pixels, shared", "pixels, separate"])
def test_tuning_comes_out_as_it_is_on_record(name):
    """The quick ones."""
    assert control_claims.tuned_factor(name) == control_claims.TUNED[name]
