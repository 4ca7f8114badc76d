"""What is committed: nothing built, nothing big, and no trace of the machine it was made on."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Written so that this file does not contain what it looks for.
TRACES = {
    "a path of somebody's machine": r"(?<![\w.:/$}])/(?:work|root|home|tmp|Users)/\w",
    "a package index": r"index-" + r"url|find-" + r"links|files\.python" + r"hosted\.org",
    "a shared folder outside the repository": r"\.\./shared" + r"\b",
}
LARGEST = 600_000


@pytest.fixture(scope="module")
def tracked():
    """What is committed or about to be: everything that .gitignore does not exclude."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git repository")
    names = [name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]
    assert len(names) > 10
    return names


def traces_in(text):
    return [what for what, pattern in TRACES.items() if re.search(pattern, text)]


def test_no_trace_of_a_machine(tracked):
    found = {}
    for name in tracked:
        text = (ROOT / name).read_bytes().decode("utf-8", errors="replace")
        if traces := traces_in(text):
            found[name] = traces
    assert found == {}


def test_files_are_small(tracked):
    sizes = {name: (ROOT / name).stat().st_size for name in tracked}
    assert {name: size for name, size in sizes.items() if size > LARGEST} == {}


def test_nothing_built_is_tracked(tracked):
    built = re.compile(r"(^|/)(_build|\.venv|__pycache__|\.jupyter_cache|.*\.egg-info)/")
    assert [name for name in tracked if built.search(name)] == []


def test_lock_holds_what_pyproject_asks_for():
    """Every requirement is pinned exactly, and the package itself comes last."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if line and not line.startswith("#")]
    assert lines.pop() == "-e ."
    assert [line for line in lines if not re.match(r"[a-z0-9._-]+==[\w.+!]+( ;.*)?$", line)] == []
    pinned = {line.split("==")[0] for line in lines}
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    wanted = re.findall(r'^\s*"([A-Za-z0-9_-]+)[><=~]=', project, re.M)
    wanted = {name.lower().replace("_", "-") for name in wanted}
    assert wanted - pinned - {"setuptools"} == set()
    assert pinned.isdisjoint({"torch", "ray", "tensorflow", "jax"})


@pytest.mark.parametrize("text", ["open('/ho" + "me/me/x')", "--extra-index-" + "url x"])
def test_traces_are_seen(text):
    assert traces_in(text)
    assert not traces_in("see https://example.org/home/x, $HOME/home and a relative book/tmp/x")
