"""Checks around a release, by tools that the lock does not hold: workflows, and known holes.

    python tests/release.py

Makes an environment of its own and installs the tools there. `check-jsonschema` reads the workflows
as GitHub would, `zizmor` looks for what is dangerous in them, and `pip-audit` asks a database for
holes that are known in the versions of requirements.txt. Where the tools or the database cannot be
reached it says so, and fails only with A3C_REQUIRE_AUDIT=1.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ("check-jsonschema", "zizmor", "pip-audit")
WORKFLOWS = sorted(ROOT.glob(".github/workflows/*.yml"))
SCHEMAS = {
    "vendor.github-workflows": WORKFLOWS,
    "vendor.dependabot": [ROOT / ".github" / "dependabot.yml"],
}
AUDIT_SECONDS = 600


class MissingError(Exception):
    """Something that is needed cannot be reached; the text says what."""


def run(*command: str | Path, timeout: float | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command in the repository and return how it ended."""
    return subprocess.run(
        list(map(str, command)), cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, encoding="utf-8", errors="replace", check=False, timeout=timeout,
    )  # fmt: skip


def install(folder: Path) -> Path:
    """Install the tools; return the folder they are in."""
    venv.create(folder, with_pip=True)
    place = folder / ("Scripts" if os.name == "nt" else "bin")
    quiet = ("install", "--quiet", "--disable-pip-version-check")
    done = run(place / "python", "-m", "pip", *quiet, *TOOLS)
    if done.returncode != 0:
        raise MissingError(f"the tools cannot be installed: {done.stderr.strip()[-300:]}")
    return place


def workflow_problems(place: Path) -> list[str]:
    """Return what is wrong with the workflows, and with Dependabot's settings."""
    checks = [
        (place / "check-jsonschema", "--builtin-schema", schema, *files)
        for schema, files in SCHEMAS.items()
    ]
    checks.append((place / "zizmor", "--offline", "--no-progress", ".github"))
    ended = [run(*command) for command in checks]
    return [done.stdout + done.stderr for done in ended if done.returncode != 0]


def known_holes(place: Path) -> list[str]:
    """Return the holes that are known in what the lock names; MissingError where nobody says."""
    wanted = ROOT / "requirements.txt"
    with tempfile.TemporaryDirectory() as name:
        pins = Path(name, "pins.txt")
        lines = wanted.read_text(encoding="utf-8").splitlines()
        pins.write_text("\n".join(line for line in lines if "==" in line), encoding="utf-8")
        options = ("--no-deps", "--disable-pip", "--format", "json", "--progress-spinner", "off")
        try:
            done = run(place / "pip-audit", "-r", pins, *options, timeout=AUDIT_SECONDS)
            found = json.loads(done.stdout)["dependencies"]
        except subprocess.TimeoutExpired:
            raise MissingError(f"no answer from the database in {AUDIT_SECONDS} s") from None
        except (ValueError, KeyError):
            raise MissingError(f"no answer from the database: {done.stderr[-300:]}") from None
    known = [package for package in found if "skip_reason" not in package]
    if len(known) < len(found) / 2:
        raise MissingError(f"the database knows {len(known)} of {len(found)} packages")
    return [
        f"{package['name']} {package['version']}: {hole['id']}, put right in {hole['fix_versions']}"
        for package in known
        for hole in package["vulns"]
    ]


def main() -> int:
    """Run every check; return the exit code."""
    strict = os.environ.get("A3C_REQUIRE_AUDIT") == "1"
    problems = []
    try:
        with tempfile.TemporaryDirectory(prefix="tools-") as name:
            place = install(Path(name))
            problems += workflow_problems(place)
            print(f"{len(WORKFLOWS)} workflows read", flush=True)
            problems += known_holes(place)
            print("the lock was audited")
    except MissingError as error:
        print(f"skipped: {error}")
        if strict:
            return 1
    print("\n".join(problems) or "nothing found")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="replace")  # what tools say may be any text
    sys.exit(main())
