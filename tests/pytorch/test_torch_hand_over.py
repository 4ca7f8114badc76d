"""How a worker's gradient gets to the shared parameters, and how it silently does not.

Many programs let the shared parameters look at the worker's gradient: `shared._grad = local.grad`,
once. That rests on arrays that stay where they are. Since version 2, PyTorch's `zero_grad` throws
them away (`set_to_none=True`), and nothing says so.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="no PyTorch: `make test-torch` brings it")

from torch_nets import Net  # noqa: E402

from a3c_tut import train  # noqa: E402
from a3c_tut.book.exercises.pages.control import HandedOverOnce  # noqa: E402
from a3c_tut.control import cart_pole  # noqa: E402
from a3c_tut.engine.network import make_network_rollout  # noqa: E402
from a3c_tut.engine.torch_turn import TorchNetwork  # noqa: E402

pytestmark = pytest.mark.torch
PAGE = Path(__file__).resolve().parents[2] / "book" / "control.ipynb"
GRADIENTS = [1.0, 2.0, 3.0, -4.0]


def share_gradients(local, shared):
    """What is found in many programs, word for word but for the names."""
    for own, common in zip(local.parameters(), shared.parameters(), strict=True):
        if common.grad is not None:
            return
        common._grad = own.grad


def applied(empty):
    """Return what an optimizer of the shared parameter applies, when rollouts come to GRADIENTS.

    `empty` empties the gradients before each rollout: of the worker, or by the optimizer.
    """
    local, shared = (torch.nn.Linear(1, 1, bias=False, dtype=torch.float64) for _ in range(2))
    optimizer = torch.optim.SGD(shared.parameters(), lr=1.0)
    seen = []
    for gradient in GRADIENTS:
        local.load_state_dict(shared.state_dict())
        before = shared.weight.item()
        empty(local, optimizer)
        local(torch.tensor([[gradient]], dtype=torch.float64)).sum().backward()
        share_gradients(local, shared)
        optimizer.step()
        seen.append(before - shared.weight.item())
    return pytest.approx(seen, abs=1e-12)


def test_shared_by_reference_the_first_gradient_is_applied_for_ever():
    """The worker's `zero_grad` leaves the array behind that the shared parameter looks at."""
    assert applied(lambda local, _: local.zero_grad()) == [GRADIENTS[0]] * 4
    assert HandedOverOnce.solution(GRADIENTS) == [GRADIENTS[0]] * 4  # the page's exercise says it


def test_emptied_by_the_shared_optimizer_gradients_add_up():
    """Its `zero_grad` lets go of the array, and the worker goes on adding to it."""
    assert applied(lambda _, optimizer: optimizer.zero_grad()) == np.cumsum(GRADIENTS).tolist()


def test_with_zeros_in_the_same_array_it_worked():
    """Version 1's default."""
    assert applied(lambda local, _: local.zero_grad(set_to_none=False)) == GRADIENTS
    assert applied(lambda _, optimizer: optimizer.zero_grad(set_to_none=False)) == GRADIENTS


def test_here_every_gradient_is_handed_over():
    """By value: what stands in the flat vector after a rollout is that rollout's alone."""
    model = train("CartPole-v1", model=Net, total_steps=20).network
    network, where = TorchNetwork(model), model.layout(cart_pole())
    rollout, gradient = make_network_rollout(1, where), np.zeros(where.num_parameters)
    rollout.observations[0] = 0.1
    network.load(model.initial_parameters())
    network.observe_and_act(None, where, False, 1.0, rollout, 0, np.array([0.5]), 0)
    seen = []
    for advantage in GRADIENTS:
        rollout.advantages[0] = advantage
        network.accumulate(None, where, False, rollout, 1, 0.0, 1.0, None, gradient)
        seen.append(gradient.copy())
    for advantage, each in zip(GRADIENTS, seen, strict=True):
        assert np.allclose(each, advantage * seen[0], rtol=1e-12, atol=1e-15)
    assert np.abs(seen[0]).max() > 0.1


def test_the_pages_recipe_runs_as_it_stands_there(tmp_path):
    cells = json.loads(PAGE.read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    blocks = [part.split("```")[0] for part in text.split("```python\n")[1:]]
    recipes = [block for block in blocks if "import torch" in block]
    assert len(recipes) == 1
    assert "replay(result) == result" in recipes[0]
    script = tmp_path / "recipe.py"
    script.write_text(recipes[0], encoding="utf-8")
    command = [sys.executable, "-W", "error", str(script)]
    quiet = os.environ | {"A3C_QUIET": "1"}
    done = subprocess.run(command, env=quiet, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
