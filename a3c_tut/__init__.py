"""Asynchronous Advantage Actor-Critic, taught, tested and replayed bit for bit.

A run of A3C is a pure function of what was asked for (world, config, seed, total_steps) and of the
schedule, the order in which its workers pushed.

>>> from a3c_tut import A3CConfig, cliff_world, train
>>> result = train(cliff_world(), A3CConfig(num_workers=3), total_steps=2_000, seed=0)
>>> result.policy.shape
(48, 4)

The package has three layers; each knows only those below it, and `book` stands on both others:

+ a3c_tut ---------------- what you import ---------------------------------+
| worlds · control · envs · exact  the worlds, and the truth about them      |
| config · schedules · networks    what a run is asked for                   |
| training · results · errors      train, replay, and what comes back        |
| experiments · monitoring         many runs, alarms                         |
| figures · lab · gen_a3c_figures  pictures, the lab, the tutorial's script  |
+ a3c_tut.engine --------- what runs ---------------------------------------+
| kernels · network · turn · crew  a function per equation, a turn, the loop |
| worker · team · shared · atomics processes that share memory               |
| runners                          who starts, orders, watches and stops     |
+ a3c_tut.book ----------- what only the pages import ----------------------+
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from a3c_tut.config import A3CConfig
    from a3c_tut.errors import DivergenceError, ServerError, WorkerError
    from a3c_tut.results import TrainingResult
    from a3c_tut.schedules import RandomSchedule
    from a3c_tut.training import replay, train
    from a3c_tut.worlds import (
        TableWorld,
        cliff_world,
        corridor_world,
        grid_world,
        sparse_grid_world,
    )

__version__ = "0.1.0"

__all__ = [
    "A3CConfig",
    "DivergenceError",
    "RandomSchedule",
    "ServerError",
    "TableWorld",
    "TrainingResult",
    "WorkerError",
    "cliff_world",
    "corridor_world",
    "grid_world",
    "replay",
    "sparse_grid_world",
    "train",
]

_ROOMS = {
    "A3CConfig": "config",
    "DivergenceError": "errors",
    "RandomSchedule": "schedules",
    "ServerError": "errors",
    "TableWorld": "worlds",
    "TrainingResult": "results",
    "WorkerError": "errors",
    "cliff_world": "worlds",
    "corridor_world": "worlds",
    "grid_world": "worlds",
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
