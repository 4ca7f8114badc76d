"""Compiled code on disk: kept while the package is the same, made anew when a file changes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import a3c_tut
from a3c_tut.engine.atomics import COMPILED

pytestmark = pytest.mark.skipif(not COMPILED, reason="compares with compiled code")

PROBE = """
from a3c_tut import cliff_world, train
from a3c_tut.engine import turn
run = train(cliff_world(), total_steps=2_000)
print(float(run.theta.sum()), sum(turn.take_turns.stats.cache_hits.values()))
"""


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(Path(a3c_tut.__file__).parent, tmp_path / "a3c_tut",
                    ignore=shutil.ignore_patterns("__pycache__"))  # fmt: skip
    return tmp_path


def probe(folder):
    environment = os.environ | {"PYTHONPATH": str(folder), "NUMBA_CACHE_DIR": str(folder / "cache")}
    done = subprocess.run([sys.executable, "-c", PROBE], env=environment, cwd=folder,
                          capture_output=True, text=True, check=True)  # fmt: skip
    total, hits = done.stdout.split()
    return float(total), int(hits)


@pytest.mark.slow
def test_a_second_process_compiles_nothing_and_a_changed_file_is_noticed(copy):
    first, hits = probe(copy)
    assert hits == 0
    assert probe(copy) == (first, 1)
    # `take_turns` stands in turn.py; what it calls in kernels.py is compiled into it.
    kernels = copy / "a3c_tut" / "engine" / "kernels.py"
    text = kernels.read_text(encoding="utf-8")
    old = "gradient.theta[row, rollout.actions[t]] += advantage"
    assert text.count(old) == 1
    kernels.write_text(text.replace(old, old + " * 2.0"), encoding="utf-8")
    changed, hits = probe(copy)
    assert hits == 0
    assert changed != first
