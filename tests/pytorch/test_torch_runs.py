"""Runs with PyTorch modules: learned, replayed, saved; in one process and in several."""

import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gymnasium
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="no PyTorch: `make test-torch` brings it")

from torch_nets import SAME, Kernels, Net, Picture, Swing, thawed  # noqa: E402

from a3c_tut import TrainingResult, replay, sparse_grid_world, train  # noqa: E402
from a3c_tut.control import as_image, cart_pole, from_gymnasium, pendulum  # noqa: E402
from a3c_tut.experiments import evaluate, steps_to_return  # noqa: E402
from a3c_tut.networks import layout, network_config  # noqa: E402
from a3c_tut.torch_modules import torch_model  # noqa: E402

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings(
        "ignore:num_workers is:RuntimeWarning",
        "ignore:.*multi-threaded.*fork:DeprecationWarning",
    ),
]
SGD = {"optimizer": "sgd", "actor_lr": 0.02, "critic_lr": 0.01, "max_grad_norm": 0.5}
METHODS = [m for m in ("spawn", "fork") if m in multiprocessing.get_all_start_methods()]
SHM = Path("/dev/shm")


@pytest.fixture(autouse=True)
def _nothing_is_left():
    """No process and no shared memory outlives a run: psm_ is ours, torch_ is PyTorch's."""

    def left():
        found = {*SHM.glob("psm_*"), *SHM.glob("torch_*")} if SHM.is_dir() else set()
        return {path for path in found if str(path) in Path("/proc/self/maps").read_text()}

    before, children = left(), set(multiprocessing.active_children())
    threads = torch.get_num_threads()
    yield
    assert left() == before
    assert set(multiprocessing.active_children()) <= children
    assert torch.get_num_threads() == threads


def test_what_a_user_writes():
    """The whole interface: a module, and everything that a result is asked for."""
    result = train("CartPole-v1", model=Net, total_steps=3_000, seed=1)
    policy, value = result.model([0.0, 0.0, 0.1, 0.0])
    assert policy.shape == (2,)
    assert policy.sum() == pytest.approx(1.0)
    assert np.isfinite(value)
    assert evaluate(result, episodes=3, greedy=True).shape == (3,)
    assert result.parameters.shape == (sum(p.numel() for p in Net().parameters()),)
    assert replay(result) == result
    learned = result.model.network.module  # a module again, with what was learned
    flat = torch.nn.utils.parameters_to_vector(learned.parameters()).detach().numpy()
    assert np.array_equal(flat, result.parameters)
    assert not np.array_equal(result.parameters, result.initial["theta"][0])


@pytest.mark.parametrize(
    "world, model, config",
    [
        (cart_pole(), Net, {"num_workers": 3}),
        (cart_pole(), Net, {"optimizer": "sgd", "sync_every": 3, "lr_anneal": "per_worker"}),
        (cart_pole(), Net, {"shared_statistics": False, "rollout_length": (3, 20)}),
        (cart_pole(), Net, {"gae_lambda": 1.0, "window": 3, "max_grad_norm": None}),
        (pendulum(), Swing, {}),
        (as_image(sparse_grid_world(6, 6)), Picture, {}),
        (from_gymnasium("CartPole-v1"), Net, {}),
        (from_gymnasium("Pendulum-v1"), Swing, {}),
    ],
)
def test_a_run_replays_bit_for_bit(world, model, config):
    asked = network_config(world, **config)
    result = train(world, asked, model=model, total_steps=1_500, seed=4, schedule="random")
    assert len(result.updates) > 50
    assert np.isfinite(result.updates["grad_norm"]).all()
    assert replay(result) == result
    other = train(world, asked, model=model, total_steps=1_500, seed=4)  # in another order
    assert not np.array_equal(other.parameters, result.parameters)


@pytest.mark.parametrize("world", [cart_pole(), pendulum()], ids=lambda world: world.name)
@pytest.mark.parametrize("config", [{}, SGD], ids=["rmsprop", "sgd"])
def test_the_same_layers_give_the_run_of_the_kernels(world, config):
    """Other arithmetic, the same run: what differs is rounding, which a run enlarges slowly."""
    asked = network_config(world, **config)
    ours = train(world, asked, model=SAME, total_steps=320, seed=2)
    module = thawed(Kernels(layout(SAME, world), world.continuous), ours.initial["theta"][0])
    theirs = train(world, asked, model=module, total_steps=320, seed=2)
    assert len(ours.updates) >= 20
    assert np.array_equal(ours.initial["theta"], theirs.initial["theta"])
    assert np.array_equal(ours.schedule, theirs.schedule)
    assert np.array_equal(ours.episodes["length"], theirs.episodes["length"])
    assert np.abs(ours.parameters - ours.initial["theta"][0]).max() > 0.01  # they have learned
    assert np.abs(ours.parameters - theirs.parameters).max() < 1e-6
    assert np.allclose(ours.updates["grad_norm"], theirs.updates["grad_norm"], rtol=1e-6)
    assert np.allclose(ours.updates["entropy"], theirs.updates["entropy"], rtol=1e-9)
    seen = np.full(world.observation_size, 0.1)
    assert np.allclose(np.hstack(ours.model(seen)[0]), np.hstack(theirs.model(seen)[0]), atol=1e-6)
    assert np.allclose(*(evaluate(run, episodes=2, greedy=True) for run in (ours, theirs)))


def test_threads_draw_what_their_seeds_say():
    """PyTorch's chance is one for the whole process; `each_seed` runs seeds side by side."""

    def drawn(seed):
        return torch_model(Net, cart_pole(), np.random.SeedSequence(seed)).initial_parameters()

    alone = [drawn(seed) for seed in range(40)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(drawn, range(40)))
    assert all(np.array_equal(*each) for each in zip(alone, together, strict=True))


def test_what_a_function_makes_is_drawn_from_the_seed_and_a_module_is_as_it_is():
    state = torch.random.get_rng_state()
    one, same, other = (
        train("CartPole-v1", model=Net, total_steps=20, seed=seed).initial["theta"]
        for seed in (1, 1, 2)
    )
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert torch.equal(torch.random.get_rng_state(), state)  # the user's chance is left alone
    mine = Net()
    before = {name: p.clone() for name, p in mine.state_dict().items()}
    runs = [train("CartPole-v1", model=mine, total_steps=200, seed=s) for s in (1, 2)]
    own = torch.nn.utils.parameters_to_vector(mine.parameters()).detach().double().numpy()
    assert all(np.array_equal(run.initial["theta"][0], own) for run in runs)
    assert all(torch.equal(p, before[name]) for name, p in mine.state_dict().items())
    assert not np.array_equal(runs[0].parameters, runs[1].parameters)


@pytest.mark.processes
@pytest.mark.parametrize("start_method", METHODS)
@pytest.mark.parametrize("world, model", [("CartPole-v1", Net), ("Pendulum-v1", Swing)])
def test_real_processes_replay_bit_for_bit(world, model, start_method):
    # The parent's own threads have been at work: what a fork must not stumble over.
    large = torch.ones(500, 500)
    assert (large @ large)[0, 0].item() == 500.0
    torch.autograd.grad((large.requires_grad_() ** 2).sum(), large)
    result = train(
        world, model=model, total_steps=12_000, seed=3, runner="processes",
        start_method=start_method,
    )  # fmt: skip
    share = np.bincount(result.schedule, minlength=2) / len(result.schedule)
    changes = int((np.diff(result.schedule) != 0).sum())
    assert share.min() > 0.05, share
    assert changes >= 30
    assert result.updates["staleness"].max() >= 1
    assert replay(result) == result


@pytest.mark.processes
@pytest.mark.parametrize("start_method", METHODS)
def test_an_environment_that_steps_in_python_replays_in_processes(start_method):
    result = train(
        gymnasium.envs.classic_control.CartPoleEnv, model=Net(), total_steps=2_000, seed=5,
        runner="processes", start_method=start_method,
    )  # fmt: skip
    assert replay(result) == result


@pytest.mark.processes
def test_a_real_run_stops_is_saved_and_goes_on(tmp_path):
    asked = {"model": Net, "total_steps": 6_000, "seed": 6}
    first = train("CartPole-v1", **asked, stop_after=3_000, runner="processes", start_method="fork")
    first.save(tmp_path / "run.npz")
    loaded = TrainingResult.load(tmp_path / "run.npz", model=Net)
    whole = train("CartPole-v1", **asked, resume_from=loaded)
    assert whole.steps >= 6_000
    assert replay(whole) == whole


def test_an_emulated_run_goes_on_as_if_it_had_never_stopped(tmp_path):
    asked = {"model": Net, "total_steps": 2_000, "seed": 6}
    first = train("CartPole-v1", **asked, stop_after=900)
    first.save(tmp_path / "run.npz")
    whole = train("CartPole-v1", **asked, resume_from=tmp_path / "run.npz")
    assert whole == train("CartPole-v1", **asked)


def test_a_file_keeps_parameters_and_the_module_is_given_back(tmp_path):
    result = train("CartPole-v1", model=Net, total_steps=400)
    result.save(tmp_path / "run.npz")
    loaded = TrainingResult.load(tmp_path / "run.npz")
    assert loaded == result
    assert np.array_equal(loaded.parameters, result.parameters)
    with pytest.raises(ValueError, match=r"a file keeps no module; .*load\(path, model="):
        replay(loaded)
    with pytest.raises(ValueError, match="a file keeps no module"):
        _ = loaded.model
    assert replay(TrainingResult.load(tmp_path / "run.npz", model=Net)) == result
    wider = torch.nn.Sequential(torch.nn.Linear(4, 3))
    with pytest.raises(ValueError, match="forward of Sequential returned a Tensor"):
        TrainingResult.load(tmp_path / "run.npz", model=wider)


class Encoded(Net):
    """Reads through an encoder that is drawn and never learned, and a scale."""

    def __init__(self):
        super().__init__()
        self.encoder = torch.nn.Linear(4, 4).requires_grad_(False)
        self.register_buffer("scale", torch.tensor([1.0, 0.5, 1.0, 0.5]))

    def forward(self, observations):
        return super().forward(self.encoder(observations * self.scale))


def test_what_is_not_learned_has_to_come_back_as_it_was(tmp_path):
    result = train("CartPole-v1", model=Encoded, total_steps=400, seed=9)
    assert result.parameters.size == sum(p.numel() for p in Net().parameters())
    result.save(tmp_path / "run.npz")
    assert replay(TrainingResult.load(tmp_path / "run.npz", model=Encoded)) == result
    with pytest.raises(ValueError, match="fixed of model is"):
        TrainingResult.load(tmp_path / "run.npz", model=Encoded())  # drawn without the run's seed


@pytest.mark.slow
def test_learning_the_cart_pole():
    """The bar of the kernels' network, for the same layers as PyTorch makes and draws them."""
    result = train("CartPole-v1", model=Net, total_steps=150_000, seed=0)
    assert evaluate(result, episodes=20, greedy=True).mean() >= 475
    assert steps_to_return(result, 475.0, window=100) < 150_000


def run(code):
    command = [sys.executable, "-W", "error", "-c", code]
    quiet = os.environ | {"A3C_QUIET": "1"}
    return subprocess.run(command, env=quiet, capture_output=True, text=True, check=False)


def test_who_brings_no_module_imports_no_torch():
    """Here PyTorch is installed: what does not import it could."""
    code = (
        "import sys, a3c_tut\n"
        "from a3c_tut import cliff_world, replay, train\n"
        "from a3c_tut.experiments import evaluate\n"
        "for world in (cliff_world(), 'CartPole-v1', 'Acrobot-v1'):\n"
        "    result = train(world, total_steps=200)\n"
        "    assert replay(result) == result\n"
        "    evaluate(train('CartPole-v1', total_steps=200), episodes=1)\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = run(code)
    assert (done.returncode, done.stderr) == (0, "")
