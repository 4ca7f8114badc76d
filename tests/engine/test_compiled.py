"""One source, three ways to run it: compiled, interpreted, and where there is no Numba at all.

Run as a script, this file trains all cases and saves what came out.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from a3c_tut import A3CConfig, TableWorld, cliff_world, train
from a3c_tut.engine import kernels

#: World, settings, further arguments of `train`.
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "defaults": ("cliff", {}, {}),
    "listing 1": (
        "cliff",
        {"optimizer": "sgd", "critic": "global", "max_grad_norm": None, "actor_lr": 0.01},
        {"seed": 5},
    ),
    "chance": ("lake", {"entropy_coef": 0.05}, {"schedule": "random", "seed": 2}),
    "own statistics": (
        "lake",
        {"shared_statistics": False, "lr_anneal": "per_worker", "rollout_length": (2, 7, 20)},
        {"schedule": "random"},
    ),
    "step sizes by points": ("lake", {"lr_anneal": ((0, 0.3), (0.7, 1.1), (1, 0.2))}, {"seed": 6}),
    "window": ("cliff", {"window": 3, "sync_every": 4, "lr_anneal": "global"}, {"seed": 9}),
    "limit": (
        "large cliff",
        {"max_episode_steps": 33, "num_workers": 5, "gamma": 1.0},
        {"seed": 3},
    ),
}
STEPS = 3_000


def run(case: str) -> dict[str, np.ndarray]:
    """Train one case; return all that it computed."""
    world_name, asked, further = CASES[case]
    world = {
        "cliff": cliff_world,
        "lake": lambda: TableWorld.from_gymnasium("FrozenLake-v1"),
        "large cliff": lambda: cliff_world(9, 20),
    }[world_name]()
    result = train(world, A3CConfig(**asked), total_steps=STEPS, **further)
    arrays = {f"state.{name}": array for name, array in result.state.items()}
    for rows, kind in ((result.episodes, "episodes"), (result.updates, "updates")):
        arrays |= {f"{kind}.{name}": rows[name] for name in rows.dtype.names}
    return arrays | {"schedule": result.schedule, "policy": result.policy}


def is_compiled() -> bool:
    return hasattr(kernels.softmax, "py_func")


WAYS = {
    "compiled": ("", {"NUMBA_DISABLE_JIT": "0"}),
    "interpreted": ("", {"NUMBA_DISABLE_JIT": "1"}),
    "no numba": ("sys.modules['numba'] = None", {}),
}


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Every case in every way: way → name of an array → the array."""
    pytest.importorskip("numba")
    folder = tmp_path_factory.mktemp("outcomes")
    running = {}
    for way, (first, environment) in WAYS.items():
        code = f"import sys; {first}\nimport test_compiled\ntest_compiled.main(sys.argv[1])"
        running[way] = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", code, str(folder / f"{way}.npz")],
            env={**os.environ, **environment},
            cwd=Path(__file__).parent,
        )
    for way, process in running.items():
        assert process.wait(timeout=300) == 0, way
    loaded = {}
    for way in WAYS:
        with np.load(folder / f"{way}.npz") as file:
            loaded[way] = {name: file[name] for name in file.files}
    return loaded


def test_each_way_is_what_it_says(outcomes):
    assert {way: bool(arrays["compiled"]) for way, arrays in outcomes.items()} == {
        "compiled": True,
        "interpreted": False,
        "no numba": False,
    }


@pytest.mark.parametrize("way", ["interpreted", "no numba"])
@pytest.mark.parametrize("case", CASES)
def test_bit_for_bit(outcomes, case, way):
    """Schedule, episodes, updates, parameters and every worker's own memory."""
    compiled = {
        name: array for name, array in outcomes["compiled"].items() if name.startswith(f"{case}/")
    }
    assert len(compiled) > 20
    assert len(compiled[f"{case}/schedule"]) >= STEPS / 20
    assert len(compiled[f"{case}/episodes.length"]) > 0
    for name, array in compiled.items():
        other = outcomes[way][name]
        assert (other.dtype, other.shape) == (array.dtype, array.shape), name
        assert other.tobytes() == array.tobytes(), name


def main(path: str) -> None:
    arrays = {f"{case}/{name}": array for case in CASES for name, array in run(case).items()}
    np.savez(path, compiled=np.array(is_compiled()), **arrays)


if __name__ == "__main__":
    main(sys.argv[1])
