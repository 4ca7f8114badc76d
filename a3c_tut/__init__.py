"""Asynchronous Advantage Actor-Critic, taught, tested and replayed bit for bit.

A run of A3C is a pure function of what was asked for (world, config, seed, total_steps) and of the
schedule, the order in which its workers pushed.

>>> from a3c_tut import A3CConfig, cliff_world, train
>>> result = train(cliff_world(), A3CConfig(num_workers=3), total_steps=2_000, seed=0)
>>> result.policy.shape
(48, 4)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from a3c_tut.config import A3CConfig
    from a3c_tut.errors import DivergenceError, WorkerError
    from a3c_tut.results import TrainingResult
    from a3c_tut.schedules import RandomSchedule
    from a3c_tut.training import replay, train
    from a3c_tut.worlds import TableWorld, cliff_world, corridor_world, sparse_grid_world

__version__ = "0.1.0"

__all__ = [
    "A3CConfig",
    "DivergenceError",
    "RandomSchedule",
    "TableWorld",
    "TrainingResult",
    "WorkerError",
    "cliff_world",
    "corridor_world",
    "replay",
    "sparse_grid_world",
    "train",
]

_ROOMS = {
    "A3CConfig": "config",
    "DivergenceError": "errors",
    "RandomSchedule": "schedules",
    "TableWorld": "worlds",
    "TrainingResult": "results",
    "WorkerError": "errors",
    "cliff_world": "worlds",
    "corridor_world": "worlds",
    "replay": "training",
    "sparse_grid_world": "worlds",
    "train": "training",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: Numba costs nothing to who only reads worlds."""
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
