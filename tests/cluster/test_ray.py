"""Runs on clusters of two and three nodes, all on this machine: replay, faults, nothing left."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
import ray
from ray.cluster_utils import Cluster

from a3c_tut import A3CConfig, ServerError, TrainingResult, WorkerError, cliff_world, replay, train
from a3c_tut.control import cart_pole
from a3c_tut.engine.runners import ray as runner
from a3c_tut.networks import network_config

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(150)]
NODE = {"num_cpus": 1, "object_store_memory": 80_000_000, "include_dashboard": False}
ACTORS = ("ray::WorkerActor", "ray::ServerActor")


@pytest.fixture(scope="module")
def cluster():
    """Two nodes with a core each: two workers are on both."""
    made = Cluster(initialize_head=True, head_node_args=NODE)
    made.add_node(**NODE)
    yield made
    made.shutdown()


@pytest.fixture
def third(cluster):
    """A third node, to be lost or not."""
    node = cluster.add_node(**NODE)
    yield node
    if node in cluster.worker_nodes:
        cluster.remove_node(node, allow_graceful=False)
    # A run that begins before the cluster knows would be given a place on it.
    wait_until(lambda: sum(each["Alive"] for each in cluster.global_state.node_table()) == 2, 60.0)


def actors(*kinds):
    """Return the processes of actors of some kinds on this machine: parent by id."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if folder.joinpath("cmdline").read_bytes().startswith(tuple(k.encode() for k in kinds)):
                stat = folder.joinpath("stat").read_text().rsplit(")", 1)[1].split()
                if stat[0] != "Z":
                    found[int(folder.name)] = int(stat[1])
        except OSError:
            pass  # it has ended meanwhile
    return found


def wait_until(true, seconds=30.0):
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, f"not within {seconds} s"
        time.sleep(0.1)


@pytest.fixture(autouse=True)
def _nothing_is_left():
    yield
    wait_until(lambda: not actors(*ACTORS))
    assert not ray.is_initialized()


class At:
    """A callback that does something once, at so many steps, and notes how far the run was."""

    def __init__(self, steps, what):
        self._steps, self._what, self.seen = steps, what, None

    def __call__(self, so_far):
        if self.seen is None and so_far.steps >= self._steps:
            self.seen = so_far
            self._what()


def run_and_replay(cluster, nodes, seed):
    """Run with a worker on every node: each has one core, and each worker asks for one."""
    if seed % 2:
        config = network_config(cart_pole(), num_workers=nodes)
        world, total_steps = cart_pole(), 6_000
    else:
        changed = ({}, {"shared_statistics": False}, {"critic": "global"}, {"sync_every": 3})
        config = A3CConfig(num_workers=nodes, **changed[seed // 2 % 4])
        world, total_steps = cliff_world(), 3_000
    result = train(world, config, total_steps=total_steps, seed=seed, runner="ray",
                   ray_address=cluster.address)  # fmt: skip
    assert set(result.schedule) == set(range(nodes))
    assert (np.diff(result.schedule) != 0).sum() >= 30
    assert replay(result) == result
    assert 0 <= result.steps - total_steps < max(config.per_worker("rollout_length"))
    assert result.failures == ()
    assert result.traffic["pushes"] == len(result.updates)
    assert 0.0 < result.traffic["busy_share"] <= 1.0


@pytest.mark.parametrize("seed", range(5))
def test_a_run_on_two_nodes_replays_bit_for_bit(cluster, seed):
    run_and_replay(cluster, 2, seed)


def test_a_result_keeps_its_traffic(cluster, tmp_path):
    result = train(cliff_world(), A3CConfig(num_workers=2), total_steps=600, runner="ray",
                   ray_address=cluster.address)  # fmt: skip
    result.save(tmp_path / "run.npz")
    loaded = TrainingResult.load(tmp_path / "run.npz")
    assert loaded == result
    assert loaded.traffic == result.traffic


def test_a_run_ends_where_its_callback_says(cluster):
    seen = []

    def enough(so_far):
        seen.append(so_far)
        return len(seen) == 2

    result = train(cliff_world(), A3CConfig(num_workers=2), total_steps=10**9, runner="ray",
                   ray_address=cluster.address, callback=enough, callback_every=500)  # fmt: skip
    assert result == seen[-1]
    assert replay(result) == result


@pytest.mark.parametrize("kind", ["tables", "network"])
def test_losing_a_node_loses_no_push(cluster, third, kind):
    world = cliff_world() if kind == "tables" else cart_pole()
    config = A3CConfig(num_workers=3) if kind == "tables" else network_config(world, num_workers=3)
    killed = At(1_500, lambda: cluster.remove_node(third, allow_graceful=False))
    result = train(world, config, total_steps=12_000, seed=3, runner="ray",
                   ray_address=cluster.address, on_worker_failure="continue", callback=killed,
                   callback_every=500)  # fmt: skip
    before = killed.seen
    (failure,) = result.failures
    assert failure["update"] >= len(before.updates)
    assert failure["worker"] in before.schedule
    assert (result.updates[: len(before.updates)] == before.updates).all()
    assert failure["worker"] not in result.schedule[-100:]
    assert result.steps >= 12_000
    assert replay(result) == result


def test_twenty_kills_of_workers(cluster):
    kills = 0
    for seed in range(4):
        config = A3CConfig(num_workers=6)

        def kill(so_far):
            nonlocal kills
            alive = actors("ray::WorkerActor")
            if len(so_far.failures) < 5 and len(alive) == 6 - len(so_far.failures):
                os.kill(sorted(alive)[seed % len(alive)], signal.SIGKILL)  # noqa: B023
                kills += 1
            return len(so_far.failures) == 5

        result = train(cliff_world(), config, total_steps=10**7, seed=seed, runner="ray",
                       ray_address=cluster.address, on_worker_failure="continue", callback=kill,
                       callback_every=60)  # fmt: skip
        assert len(result.failures) == 5
        assert replay(result) == result
        wait_until(lambda: not actors(*ACTORS))
    assert kills == 20


def test_a_killed_worker_ends_the_run_where_that_is_asked_for(cluster):
    kill = At(300, lambda: os.kill(min(actors("ray::WorkerActor")), signal.SIGKILL))
    with pytest.raises(WorkerError, match="died"):
        train(cliff_world(), A3CConfig(num_workers=2), total_steps=10**7, runner="ray",
              ray_address=cluster.address, callback=kill, callback_every=100)  # fmt: skip


def test_a_dead_server_leaves_the_last_checkpoint(cluster, tmp_path):
    path = tmp_path / "checkpoint.npz"
    config = A3CConfig(num_workers=2)
    asked = {"total_steps": 20_000, "seed": 4, "runner": "ray", "ray_address": cluster.address}
    when = []

    def kill():
        when.append(time.monotonic())
        os.kill(min(actors("ray::ServerActor")), signal.SIGKILL)

    with pytest.raises(ServerError):
        train(cliff_world(), config, **asked, callback=At(1_500, kill), callback_every=300,
              checkpoint_path=path, checkpoint_every=300)  # fmt: skip
    assert time.monotonic() - when[0] < runner.PATIENCE + 15.0
    saved = TrainingResult.load(path)
    assert 300 <= saved.steps < 20_000
    whole = train(cliff_world(), config, **asked, resume_from=path)
    assert (whole.updates[: len(saved.updates)] == saved.updates).all()
    assert whole.steps >= 20_000
    assert replay(whole) == whole


def test_a_driver_that_is_killed_takes_its_actors_with_it(cluster, tmp_path):
    script = tmp_path / "lost.py"
    script.write_text(
        textwrap.dedent(f"""
        from a3c_tut import A3CConfig, cliff_world, train
        train(cliff_world(), A3CConfig(num_workers=2), total_steps=10**9, runner="ray",
              ray_address={cluster.address!r}, callback=lambda so_far: print("on", flush=True),
              callback_every=100)
    """)
    )
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as driver:
        while driver.stdout.readline().strip() != "on":
            assert driver.poll() is None
        assert len(actors(*ACTORS)) == 3
        driver.kill()
    wait_until(lambda: not actors(*ACTORS), 60.0)
    assert train(cliff_world(), A3CConfig(num_workers=2), total_steps=300, runner="ray",
                 ray_address=cluster.address).steps >= 300  # fmt: skip


def test_a_cluster_of_its_own_ends_with_the_run():
    def raylets():
        mine = set()
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                parent = int(folder.joinpath("stat").read_text().rsplit(")", 1)[1].split()[1])
                if parent == os.getpid() and b"raylet" in folder.joinpath("cmdline").read_bytes():
                    mine.add(folder.name)
            except OSError:
                pass
        return mine

    before = raylets()
    result = train(cliff_world(), A3CConfig(num_workers=2), total_steps=600, runner="ray")
    assert replay(result) == result
    wait_until(lambda: raylets() <= before)


def test_a_connection_that_was_there_stays(cluster):
    ray.init(address=cluster.address, log_to_driver=False)
    try:
        train(cliff_world(), A3CConfig(num_workers=2), total_steps=300, runner="ray")
        assert ray.is_initialized()
        with pytest.raises(RuntimeError, match="is connected to a cluster already"):
            train(cliff_world(), total_steps=300, runner="ray", ray_address=cluster.address)
    finally:
        ray.shutdown()


@pytest.fixture(scope="module")
def all_three(cluster):
    """The third node of the tests below: from here on the cluster keeps it."""
    cluster.add_node(**NODE)


@pytest.mark.usefixtures("all_three")
@pytest.mark.parametrize("seed", range(5, 10))
def test_a_run_on_three_nodes_replays_bit_for_bit(cluster, seed):
    run_and_replay(cluster, 3, seed)
