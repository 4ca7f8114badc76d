"""Modules that do not fit: each error names the thing, the value and what is allowed."""

import inspect
import multiprocessing
import os
import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="no PyTorch: `make test-torch` brings it")

from torch import nn  # noqa: E402
from torch_nets import Net, Swing  # noqa: E402

from a3c_tut import (  # noqa: E402
    A3CConfig,
    DivergenceError,
    TrainingResult,
    WorkerError,
    cliff_world,
    replay,
    torch_modules,
    train,
)
from a3c_tut.control import cart_pole, pendulum  # noqa: E402
from a3c_tut.networks import MLP  # noqa: E402

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings(
        "ignore:num_workers is:RuntimeWarning",
        "ignore:.*multi-threaded.*fork:DeprecationWarning",
    ),
]


def module(forward, **parts):
    """Return a module made of two linear layers with this `forward`."""

    class Made(nn.Module):
        def __init__(self):
            super().__init__()
            self.actor, self.critic = nn.Linear(4, 2), nn.Linear(4, 1)
            for name, part in parts.items():
                setattr(self, name, part)

        def forward(self, x):
            return forward(self, x)

    return Made()


class Unused(Net):
    def __init__(self):
        super().__init__()
        self.forgotten = nn.Linear(3, 3)


class Drawing(Net):
    def forward(self, observations):
        logits, values = super().forward(observations)
        return logits + torch.randn_like(logits), values


class Averaging(Net):
    def forward(self, observations):
        return super().forward(observations - observations.mean(0))


class Frozen(Net):
    def __init__(self):
        super().__init__()
        self.requires_grad_(False)


BAD = {
    "no module": (lambda: "big", "which returned 'big'; allowed: a torch.nn.Module"),
    "a single tensor": (nn.Linear(4, 2), r"returned a Tensor; allowed: a pair, \(logits, values\)"),
    "inputs that do not fit": (
        module(lambda self, x: (self.actor(x[:, :3]), self.critic(x))),
        r"forward of Made raised RuntimeError for observations of shape \(2, 4\), float64: ",
    ),
    "another number of actions": (
        module(lambda self, x: (x[:, :3] * self.actor.bias[0], self.critic(x))),
        r"logits of Made have shape \(2, 3\) for 2 observations; allowed: \(2, 2\)",
    ),
    "values that do not fit": (
        module(lambda self, x: (self.actor(x), self.actor(x))),
        r"values of Made have shape \(2, 2\) for 2 observations; allowed: \(2,\) or \(2, 1\)",
    ),
    "a Gaussian where actions are chosen": (
        module(lambda self, x: ((self.actor(x), self.actor(x)), self.critic(x))),
        r"returned a tuple for the actor; allowed in CartPole-v1: \(logits, values\)",
    ),
    "not a number": (
        module(lambda self, x: (self.actor(x) * float("nan"), self.critic(x))),
        "logits of Made hold nan; allowed: finite numbers",
    ),
    "an infinite value": (
        module(lambda self, x: (self.actor(x), self.critic(x) + float("inf"))),
        "values of Made hold inf; allowed: finite numbers",
    ),
    "float32 in the middle": (
        module(lambda self, x: (self.actor(x.float()), self.critic(x))),
        "forward of Made raised RuntimeError .*float64: .*; allowed",
    ),
    "float32 at the end": (
        module(lambda self, x: (self.actor(x).float(), self.critic(x))),
        "logits of Made are torch.float32; allowed: torch.float64",
    ),
    "a parameter without gradient": (
        Unused,
        "parameter 'forgotten.weight' of Unused has no gradient: .*requires_grad_\\(False\\)",
    ),
    "nothing to learn": (Frozen, "Frozen has 0 parameters that want a gradient"),
    "cut off": (
        module(lambda self, x: (self.actor(x).detach(), self.critic(x).detach())),
        "Made has 4 parameters that want a gradient, and what forward returns has none",
    ),
    "chance of its own": (Drawing, "logits of Drawing differ when an observation is shown alone"),
    "rows that look at each other": (Averaging, "logits of Averaging differ when an observation"),
    "an MLP's class": (MLP, "model is .*; allowed: an MLP, such as .*, or a torch.nn.Module"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_does_not_fit_is_said(name):
    model, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        train("CartPole-v1", model=model, total_steps=100)


def test_a_gaussian_that_does_not_fit_is_said():
    class Wide(Swing):
        def forward(self, observations):
            (mean, _), value = super().forward(observations)
            return (mean, torch.zeros(5)), value

    with pytest.raises(ValueError, match=r"log_sigma of Wide has shape \(5,\); allowed: \(1,\) or"):
        train("Pendulum-v1", model=Wide, total_steps=100)
    with pytest.raises(ValueError, match=r"allowed: a pair, \(\(mu, log_sigma\), values\)"):
        train("Pendulum-v1", model=nn.Linear(3, 2), total_steps=100)


def test_tables_and_other_settings_say_the_same_as_ever():
    with pytest.raises(ValueError, match="with a TableWorld"):
        train(cliff_world(), model=Net, total_steps=100)
    with pytest.raises(ValueError, match="critic is 'global' with a network"):
        train("CartPole-v1", A3CConfig(critic="global"), model=Net, total_steps=100)
    with pytest.raises(ValueError, match="initial_parameters has shape"):
        train("CartPole-v1", model=Net, initial_parameters=np.zeros(3), total_steps=100)


def test_a_module_is_computed_in_float64_and_without_dropout():
    class Sparse(Net):
        def __init__(self):
            super().__init__()
            self.body.append(nn.Dropout(0.5))

    given = Sparse()
    result = train("CartPole-v1", model=given, total_steps=500)
    assert replay(result) == result
    assert {p.dtype for p in given.parameters()} == {torch.float32}
    assert given.training
    learned = result.model.network.module
    assert {p.dtype for p in learned.parameters()} == {torch.float64}
    assert not learned.training


class Dying(Net):
    """Says NaN from its hundredth call on: of parameters and observations that are numbers."""

    calls = 0

    def forward(self, observations):
        logits, values = super().forward(observations)
        self.calls += 1
        return logits * (float("nan") if self.calls > 100 else 1.0), values


def test_what_is_no_number_on_the_way_is_named():
    with pytest.raises(ValueError, match=r"TorchModel\(Dying, .* said .*nan.*; allowed: finite"):
        train("CartPole-v1", model=Dying, total_steps=1_000)


@pytest.mark.processes
def test_a_worker_whose_module_fails_says_so():
    with pytest.raises(WorkerError, match=r"TorchModel\(Dying, .*allowed: finite"):
        train("CartPole-v1", model=Dying, total_steps=1_000, runner="processes",
              start_method="fork")  # fmt: skip
    assert multiprocessing.active_children() == []


def test_a_run_that_diverges_ends_as_ever():
    config = A3CConfig(optimizer="sgd", actor_lr=1e200, critic_lr=1e250, max_grad_norm=None)
    with pytest.raises(DivergenceError) as caught:
        train("CartPole-v1", config, model=Net, total_steps=1_000)
    assert len(caught.value.result.updates) >= 1


def test_a_module_that_cannot_be_sent_is_named():
    asked = {"total_steps": 300, "runner": "processes"}
    with pytest.raises(ValueError, match=r"model is TorchModel\(Made, .* cannot be sent .*fork"):
        train("CartPole-v1", model=module(lambda self, x: (self.actor(x), self.critic(x))), **asked)


@pytest.mark.processes
def test_a_class_that_a_worker_does_not_find_is_named():
    """As in a notebook: it pickles here, and its name means nothing there."""
    call = "train('CartPole-v1', model=Net, total_steps=300, runner='processes')"
    code = f"from a3c_tut import train\nfrom torch import nn\n\n{inspect.getsource(Net)}\n{call}\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "WorkerError" in done.stderr
    assert "whose class a worker process does not find" in done.stderr
    assert "allowed: a class in a file that it can import, or start_method='fork'" in done.stderr


@pytest.mark.processes
@pytest.mark.skipif(os.name == "nt", reason="Windows has no fork")
def test_under_fork_it_need_not_be_sent():
    result = train(
        "CartPole-v1", model=module(lambda self, x: (self.actor(x), self.critic(x))),
        total_steps=300, runner="processes", start_method="fork",
    )  # fmt: skip
    assert replay(result) == result


def test_another_version_is_said_before_anything_runs(monkeypatch, tmp_path):
    result = train("CartPole-v1", model=Net, total_steps=200)
    assert result.network.library.startswith(f"PyTorch {torch.__version__}, ")
    result.save(tmp_path / "run.npz")
    monkeypatch.setattr(torch, "__version__", "9.9.9")
    with pytest.raises(ValueError, match=r"library is 'PyTorch .*', and 'PyTorch 9\.9\.9, "):
        replay(result)
    loaded = TrainingResult.load(tmp_path / "run.npz", model=Net)  # keeps what it was made with
    with pytest.raises(ValueError, match="allowed: the same, or train"):
        replay(loaded)
    with pytest.raises(ValueError, match="allowed with this resume_from"):
        train("CartPole-v1", model=Net, total_steps=200, resume_from=result)


def test_a_module_for_a_run_without_one_is_refused(tmp_path):
    for world in (cliff_world(), cart_pole()):
        train(world, total_steps=100).save(tmp_path / "run.npz")
        with pytest.raises(ValueError, match="that learned none; allowed: None"):
            TrainingResult.load(tmp_path / "run.npz", model=Net)


def test_another_module_than_the_files_is_refused(tmp_path):
    class Smaller(nn.Module):
        def __init__(self):
            super().__init__()
            self.actor, self.critic = nn.Linear(4, 2), nn.Linear(4, 1)

        def forward(self, x):
            return self.actor(x), self.critic(x)

    train("CartPole-v1", model=Net, total_steps=100).save(tmp_path / "run.npz")
    with pytest.raises(ValueError, match=r"architecture of model is Smaller\("):
        TrainingResult.load(tmp_path / "run.npz", model=Smaller)


def test_the_two_spellings_of_a_spread_are_one():
    """log σ as (A,) and as (T, A)."""
    torch.manual_seed(0)

    class Fixed(nn.Module):
        rows = False

        def __init__(self):
            super().__init__()
            self.mean, self.critic = nn.Linear(3, 1), nn.Linear(3, 1)
            self.log_sigma = nn.Parameter(torch.zeros(1))

        def forward(self, x):
            log_sigma = self.log_sigma.expand(len(x), 1) if self.rows else self.log_sigma
            return (self.mean(x), log_sigma), self.critic(x)

    class Rows(Fixed):
        rows = True

    given = Fixed()
    rows = Rows()
    rows.load_state_dict(given.state_dict())
    runs = [train(pendulum(), model=each, total_steps=500) for each in (given, rows)]
    assert np.array_equal(runs[0].parameters, runs[1].parameters)
    assert torch_modules.library() == runs[0].network.library
