"""`arm.py` says what is missing and passes on what it finds. `make test-arm` runs it in earnest."""

import os
import re
import sys

import arm
import pytest


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch):
    """Another processor than an ARM, whatever this one is."""
    monkeypatch.setattr(arm.platform, "machine", lambda: "x86_64")
    monkeypatch.delenv("A3C_REQUIRE_ARM", raising=False)


@pytest.mark.parametrize("required", ["", "1"])
def test_what_is_missing_is_said_in_one_line(monkeypatch, tmp_path, capsys, required):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("A3C_REQUIRE_ARM", required)
    assert arm.main(str(tmp_path / "arm")) == (1 if required else 0)
    said = capsys.readouterr().out.splitlines()
    assert said[-1].startswith("FAILED" if required else "skipped")
    assert said[-1].endswith("there is no dpkg here")


def test_a_failing_command_is_quoted():
    command = [sys.executable, "-c", "import sys; sys.exit('first\\nno such package')"]
    with pytest.raises(arm.MissingError, match=r"^a package: no such package$"):
        arm.fetch("a package", *command)


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
@pytest.mark.parametrize("code", [0, 1])
def test_the_script_s_verdict_is_passed_on(monkeypatch, tmp_path, code):
    """With a stand-in for the emulator, which is given all the rest as arguments."""
    monkeypatch.setattr(arm, "set_up", lambda folder: None)
    emulator = tmp_path / "emulator"
    emulator.write_text(f"#!/bin/sh\nexit {code}\n", encoding="utf-8")
    emulator.chmod(0o755)
    assert arm.main(str(tmp_path)) == code


def test_what_is_there_is_used_again(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "holds").write_text(arm.asked(), encoding="utf-8")
    arm.set_up(tmp_path)
    (tmp_path / "holds").write_text(arm.asked().replace("numpy==", "numpy==0."), encoding="utf-8")
    with pytest.raises(arm.MissingError):
        arm.set_up(tmp_path)


def test_versions_are_those_of_the_lock():
    lock = (arm.ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = arm.pins()
    assert [re.split("==", pin)[0] for pin in pins] == sorted(arm.WHEELS)
    assert set(pins) <= {line.split(" ;")[0] for line in lock}
