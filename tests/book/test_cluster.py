"""The queue in front of a parameter server, against a simulation of it, event by event."""

import heapq

import numpy as np
import pytest

from a3c_tut.book.cluster import expected_load, saturating_workers


def simulate(num_workers, away, service, draw, pushes=6_000, settling=1_500):
    """Let workers come, wait, be served and leave; return rate, busy share, wait and staleness."""
    coming = [(draw(away), worker) for worker in range(num_workers)]
    heapq.heapify(coming)
    free, began, busy, waited = 0.0, 0.0, 0.0, 0.0
    last, stale = [-1] * num_workers, []
    for push in range(settling + pushes):
        if push == settling:
            began, busy, waited, stale = free, 0.0, 0.0, []
        came, worker = heapq.heappop(coming)
        begins, takes = max(came, free), draw(service)
        waited, busy, free = waited + begins - came, busy + takes, begins + takes
        if last[worker] >= 0:
            stale.append(push - last[worker] - 1)
        last[worker] = push
        heapq.heappush(coming, (free + draw(away), worker))
    return pushes / (free - began), busy / (free - began), waited / pushes, np.mean(stale)


def simulated(num_workers, away, service, times=8):
    """Return mean and standard error of what so many independent simulations come to."""
    runs = [
        simulate(num_workers, away, service, np.random.default_rng(seed).exponential)
        for seed in range(times)
    ]
    return np.mean(runs, axis=0), np.std(runs, axis=0, ddof=1) / np.sqrt(times)


def fits(told, num_workers, away, service):
    """Whether each number of a load is within five standard errors of the simulation's."""
    mean, error = simulated(num_workers, away, service)
    # A server that rests less than once in all these pushes has not rested in any.
    close = 5.0 * error + np.array([1e-9, 1 / 48_000, 1e-9, 0.0])
    # Rounds begin before the look at them does, or end after it: one in sixty, at most.
    close[3] += told.staleness / 60
    return np.abs(np.array(told) - mean) <= close


@pytest.mark.parametrize("num_workers", [1, 2, 10, 100])
@pytest.mark.parametrize("away, service", [(0.01, 0.001), (0.001, 0.001), (0.2, 0.002)])
def test_the_model_is_what_a_simulation_comes_to(num_workers, away, service):
    assert fits(expected_load(num_workers, away, service), num_workers, away, service).all()


def test_one_worker_more_or_less_is_seen():
    for other in (9, 11):
        assert not fits(expected_load(other, 0.01, 0.001), 10, 0.01, 0.001).any()


def test_with_even_service_a_push_waits_less_and_never_more():
    told = expected_load(10, 0.01, 0.001)
    rng = np.random.default_rng(0)

    def draw(mean):
        return mean if mean == 0.001 else rng.exponential(mean)

    rate, _, wait, _ = simulate(10, 0.01, 0.001, draw)
    assert 0.5 * told.queue_wait < wait < told.queue_wait
    assert rate > told.rate


def test_a_server_saturates_where_it_never_rests():
    enough = saturating_workers(0.009, 0.001)
    assert expected_load(3 * int(enough), 0.009, 0.001).busy_share > 0.999
    assert expected_load(int(enough) // 3, 0.009, 0.001).busy_share < 0.35


@pytest.mark.parametrize("bad", [(0, 0.1, 0.1), (1, -0.1, 0.1), (1, 0.1, 0.0)])
def test_refused(bad):
    with pytest.raises(ValueError, match="allowed"):
        expected_load(*bad)
