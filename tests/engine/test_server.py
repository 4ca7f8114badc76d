"""A turn in two places, without a network between them: any order of pushes replays bit for bit."""

import ast
import sys
from pathlib import Path

import numpy as np
import pytest

import a3c_tut
from a3c_tut import A3CConfig, DivergenceError, cliff_world, replay, train
from a3c_tut.control import cart_pole, from_gymnasium, pendulum
from a3c_tut.engine.crew import Job
from a3c_tut.engine.server import ParameterServer, RemoteWorker
from a3c_tut.networks import MLP, Task, network_config
from a3c_tut.training import _Run

CONFIGS = {
    "default": {},
    "sgd": {"optimizer": "sgd", "actor_lr": 0.02, "critic_lr": 0.02},
    "own statistics": {"shared_statistics": False},
    "global critic": {"critic": "global"},
    "annealed": {"lr_anneal": "global"},
    "annealed per worker": {"lr_anneal": "per_worker"},
    "rare sync": {"sync_every": 7},
    "window": {"rollout_length": 8, "window": 3},
    "diverse": {"rollout_length": (3, 5, 20), "entropy_coef": (0.0, 0.01, 0.1)},
    "unclipped": {"max_grad_norm": None},
}


def run_apart(asked, config, total_steps, seed=0, start=None):
    """Run worker by worker in a random order, each with its parameters elsewhere."""
    job = Job.fresh(asked, config, total_steps, seed)
    initial = {"theta": job.theta, "values": job.V}
    if start is not None:
        job = Job(asked, config, total_steps, seed, job.theta, job.V, start.state)
    stop_at = total_steps if start is not None else total_steps // 2
    server = ParameterServer(job, stop_at)
    workers = [RemoteWorker(job, worker) for worker in range(config.num_workers)]
    order = np.random.default_rng(seed)
    in_hand = {worker: workers[worker].act() for worker in range(config.num_workers)}
    while in_hand:  # a gradient is formed before others push, as on a cluster
        worker = int(order.choice(list(in_hand)))
        if workers[worker].take(server.push(in_hand.pop(worker))):
            in_hand[worker] = workers[worker].act()
    for each in workers:
        each.close()
    episodes, updates = server.logged()
    run = _Run(job, "ray", "recorded", stop_at, initial, start)
    return run._result([episodes], [updates], server.state(), server.diverged, [],
                       server.traffic())  # fmt: skip


@pytest.mark.parametrize("name", CONFIGS)
def test_tables_replay_bit_for_bit(name):
    result = run_apart(cliff_world(), A3CConfig(**CONFIGS[name]), 20_000)
    assert len(set(result.schedule)) == 3
    assert result.updates["staleness"].max() > 2
    assert replay(result) == result


@pytest.mark.parametrize("name", CONFIGS)
def test_a_run_goes_on_as_if_it_had_never_stopped(name):
    config = A3CConfig(**CONFIGS[name])
    first = run_apart(cliff_world(), config, 8_000)
    whole = run_apart(cliff_world(), config, 8_000, start=first)
    assert whole.steps >= 8_000 > first.steps
    assert (whole.schedule[: len(first.schedule)] == first.schedule).all()
    assert replay(whole) == whole


@pytest.mark.parametrize("world", [cart_pole(), pendulum(), from_gymnasium("Acrobot-v1")],
                         ids=lambda world: world.name)  # fmt: skip
@pytest.mark.parametrize("changed", [{}, {"shared_statistics": False}, {"sync_every": 3}],
                         ids=["default", "own statistics", "rare sync"])  # fmt: skip
def test_networks_replay_bit_for_bit(world, changed):
    config = network_config(world, num_workers=2, **changed)
    total_steps = 2_000 if world.name == "Acrobot-v1" else 8_000
    result = run_apart(Task(world, MLP()), config, total_steps)
    assert len(set(result.schedule)) == 2
    assert replay(result) == result


def test_a_log_that_is_full_loses_nothing():
    config = A3CConfig(num_workers=2, rollout_length=1)
    result = run_apart(cliff_world(), config, 40_000)
    assert len(result.updates) == 20_000  # more than a log has room for
    assert replay(result) == result


def test_nothing_is_pushed_after_a_push_that_diverged():
    wild = A3CConfig(optimizer="sgd", actor_lr=1e300, critic_lr=1e300, reward_scale=1e10)
    with np.errstate(all="ignore"), pytest.raises(DivergenceError) as raised:
        run_apart(cliff_world(), wild, 2_000)
    assert raised.value.update == len(raised.value.result.updates) - 1


def test_a_difference_of_one_bit_is_seen():
    result = run_apart(cliff_world(), A3CConfig(), 4_000)
    theta = result.state["theta"]
    theta[0, 0] = np.nextafter(theta[0, 0], 1.0)
    assert replay(result) != result


def test_a_push_brings_a_network_whole_and_a_table_by_its_rows():
    for asked, rows in ((cliff_world(100, 100), 3), (Task(cart_pole(), MLP()), 1)):
        job = Job.fresh(asked, A3CConfig(num_workers=1, rollout_length=3))
        server, worker = ParameterServer(job, 10_000), RemoteWorker(job, 0)
        answer = server.push(worker.act())
        assert 1 <= len(answer.rows) <= rows
        assert answer.theta.shape == (len(answer.rows), job.theta.shape[1])


def test_traffic_is_what_the_worker_and_the_server_timed(monkeypatch):
    job = Job.fresh(cliff_world(), A3CConfig(num_workers=1))
    clock = iter(np.arange(1000.0))
    server, worker = ParameterServer(job, 10_000), RemoteWorker(job, 0)
    monkeypatch.setattr("a3c_tut.engine.server.perf_counter", lambda: next(clock))
    for _ in range(3):
        worker.take(server.push(worker.act()))
    # Every look at this clock takes a second: two in a rollout, two in a push, one after it, and
    # one more at the first push, which so is under way for 3 seconds, the next for 2.
    told = server.traffic()
    assert (told["pushes"], told["rollout"], told["service"]) == (3.0, 1.0, 1.0)
    assert told["way"] == 2.0
    assert told["queue_wait"] == 0.5


def imports(source):
    """Return the packages that a source imports, by their first names."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module.split(".")[0])
    return found


def test_one_module_imports_ray_and_that_when_it_is_asked_to():
    room = Path(a3c_tut.__file__).parent
    those = [path.relative_to(room).as_posix() for path in room.rglob("*.py")
             if "ray" in imports(path.read_text(encoding="utf-8"))]  # fmt: skip
    assert those == ["engine/runners/ray.py"]
    tree = ast.parse((room / those[0]).read_text(encoding="utf-8"))
    outside = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert "ray" not in imports("\n".join(map(ast.unparse, outside)))
    assert imports("def f():\n    import ray.util") == {"ray"}


def test_without_ray_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match=r"pip install 'a3c_tut\[ray\]'"):
        train(cliff_world(), total_steps=100, runner="ray")


@pytest.mark.parametrize(
    "asked, complaint",
    [
        ({"runner": "processes", "ray_address": "auto"}, "ray_address is 'auto' with"),
        ({"runner": "ray", "ray_address": 8265}, "ray_address is 8265; allowed: None"),
        ({"runner": "ray", "schedule": [0, 1]}, "with runner='ray', which records its own"),
        ({"runner": "ray", "config": A3CConfig(update_mode="hogwild")}, "'hogwild' with"),
    ],
)
def test_refused(asked, complaint):
    with pytest.raises(ValueError, match=complaint):
        train(cliff_world(), total_steps=100, **asked)
