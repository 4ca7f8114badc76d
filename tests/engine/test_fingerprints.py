"""A dozen runs come out the same, to the last bit, however and wherever they are computed."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import fingerprints
import other_arithmetic
import pytest
from fingerprints import CASES, NETWORKS, STEPS, WORLDS, differences, fingerprint, taken
from twin import RUN

from a3c_tut import A3CConfig
from a3c_tut.book import live

SCRIPT = Path(fingerprints.__file__)


def elsewhere(environment):
    """Run the script with other variables; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", SCRIPT], env={**os.environ, **environment},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.strip() or done.stderr


SAME = f"{len(CASES) + len(NETWORKS)} runs came out the same, to the bit"


def test_here():
    assert differences(taken()) == []


@pytest.mark.slow
def test_interpreted():
    assert elsewhere({"NUMBA_DISABLE_JIT": "1"}) == SAME


@pytest.mark.slow
@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="the variables are those of x86-64"
)
def test_under_another_arithmetic(tmp_path):
    assert elsewhere({**other_arithmetic.VARIABLES, "NUMBA_CACHE_DIR": str(tmp_path)}) == SAME


@pytest.mark.browser
def test_in_the_page(twin):
    found = {}
    for name, (world, schedule, settings) in CASES.items():
        asked = {
            "world": live.world_data(WORLDS[world]()),
            "config": A3CConfig(**settings).as_dict(),
            "total_steps": STEPS,
            "seed": 5,
            "schedule": {} if schedule == "random" else "round_robin",
        }
        run = twin.evaluate(RUN, asked)
        found[name] = fingerprint(run["theta"], run["V"], run["episodes"], run["updates"])
    assert [each for each in differences(found) if each.split(":")[0] in CASES] == []


def test_a_last_bit_is_noticed(monkeypatch):
    found = taken()
    found["defaults"]["theta"] = fingerprints.digest([1.0 + 2**-52])
    assert differences(found) == ["defaults: theta"]
