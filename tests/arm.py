"""The runs of `fingerprints.py` on another kind of processor: an emulated ARM (aarch64).

`python tests/arm.py` sets up an emulator, Debian's Python for ARM and the wheels it needs, all in
`.arm`, and computes the fingerprints there, interpreted. `python tests/arm.py FOLDER` does so in
another folder. The folder is kept, and used again as long as it holds what is asked for.

Nothing is installed and nobody need be root: packages are fetched by an apt with lists of its own
and unpacked, not installed. Where that cannot be done, it says what is missing and returns 0, or 1
if A3C_REQUIRE_ARM=1. On an ARM processor the runs are computed on that, compiled.

What it can see: with `np.dot` or `math.cbrt` in the gradient's norm an ARM gives other bits, while
x86-64 gives the same with FMA and without. The C library's exp, pow, sin and cos are the other way
round: glibc's are the same on an ARM as on x86-64 with FMA, but not without. Hence both tests.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from a3c_tut.files import print_what_can_be

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = Path(__file__).with_name("fingerprints.py")

EMULATOR = ("qemu-user-static",)
#: base-files brings the folders in which the others expect to be.
PYTHON = ("base-files", "libstdc++6", "python3")
#: What the script imports. Numba is not among them: compiling would take much longer than the runs.
WHEELS = ("cloudpickle", "farama-notifications", "gymnasium", "numpy", "tqdm", "typing-extensions")
PLATFORM = "manylinux_2_28_aarch64"

#: An apt to which nothing is installed, and which runs none of this system's hooks.
APT = """\
APT::Architecture "{architecture}";
#clear APT::Architectures;
APT::Architectures "{architecture}";
APT::Install-Recommends "false";
APT::Sandbox::User "root";
#clear APT::Update;
#clear DPkg;
Dir::State "{folder}";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}";
"""


class MissingError(Exception):
    """Something that is needed cannot be had here; the text says what."""


def fetch(what: str, *command: str | Path) -> str:
    """Run a command that brings something; return what it printed."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
        )
    except FileNotFoundError as error:
        raise MissingError(f"{what}: there is no {command[0]} here") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip() or error.stdout.strip() or f"exit code {error.returncode}"
        raise MissingError(f"{what}: {said.splitlines()[-1]}") from error
    return done.stdout


def unpack(packages: Sequence[str], architecture: str, apt: Path, root: Path) -> None:
    """Fetch packages of Debian's with all that they depend on, and unpack them below `root`."""
    what = f"{' '.join(packages)} for {architecture}"
    for folder in (apt / "lists" / "partial", apt / "archives" / "partial", root):
        folder.mkdir(parents=True)
    (apt / "status").touch()
    settings = apt / "apt.conf"
    settings.write_text(APT.format(architecture=architecture, folder=apt), encoding="utf-8")
    fetch(what, "apt-get", "-c", settings, "-q", "update")
    fetch(what, "apt-get", "-c", settings, "-q", "-y", "--download-only", "install", *packages)
    for package in sorted((apt / "archives").glob("*.deb")):
        fetch(what, "dpkg-deb", "--extract", package, root)
    shutil.rmtree(apt)


def pins() -> list[str]:
    """Return the lock's line for each of the wheels, without its marker."""
    lock = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    found = re.findall(r"^([\w.-]+)(==[^\s;]+)", lock, re.M)
    return [name + version for name, version in found if name in WHEELS]


def asked() -> str:
    """Return what the folder has to hold."""
    return "\n".join([*EMULATOR, *PYTHON, PLATFORM, *pins()])


def python_of(folder: Path) -> Path:
    """Return the Python that was unpacked: bin/python3 is a link that ends in its version."""
    return (folder / "root" / "usr" / "bin" / "python3").resolve()


def set_up(folder: Path) -> None:
    """Bring everything into the folder, unless it is there already."""
    stamp = folder / "holds"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == asked():
        return
    print(f"setting up an emulated ARM in {folder}: about a minute, this once", flush=True)
    stamp.unlink(missing_ok=True)
    for name in ("apt", "host", "root", "site", "compiled"):
        shutil.rmtree(folder / name, ignore_errors=True)

    here = fetch("Debian's packages", "dpkg", "--print-architecture").strip()
    unpack(EMULATOR, here, folder / "apt", folder / "host")
    # There are emulators of thirty processors, 370 MB. From Debian 13 on this name is a link.
    emulator = folder / "host" / "usr" / "bin" / "qemu-aarch64-static"
    emulator.resolve(strict=True).replace(folder / "emulator")
    shutil.rmtree(folder / "host")

    unpack(PYTHON, "arm64", folder / "apt", folder / "root")
    fetch(
        "wheels for ARM", sys.executable, "-m", "pip", "install", "--quiet",
        "--disable-pip-version-check", "--target", folder / "site", "--platform", PLATFORM,
        "--python-version", python_of(folder).name.removeprefix("python"),
        "--only-binary=:all:", "--no-deps", "--no-compile", *pins(),
    )  # fmt: skip
    stamp.write_text(asked(), encoding="utf-8")


def compute(folder: Path) -> int:
    """Run the script in the emulator; return its exit code."""
    python = python_of(folder)
    print(f"computing on an emulated ARM, with {python.name}: another minute", flush=True)
    return subprocess.run(
        [folder / "emulator", "-L", folder / "root", python, SCRIPT],
        # Nothing of this machine's variables: they are about another processor.
        env={
            "PYTHONPATH": f"{ROOT}{os.pathsep}{folder / 'site'}",
            "PYTHONPYCACHEPREFIX": str(folder / "compiled"),
            "OPENBLAS_NUM_THREADS": "1",
        },
        check=False,
    ).returncode


def main(folder: str = ".arm") -> int:
    if platform.machine().lower() in ("aarch64", "arm64"):
        print("this is an ARM processor: computing on it", flush=True)
        return subprocess.run([sys.executable, SCRIPT], check=False).returncode
    try:
        set_up(Path(folder).resolve())
    except (MissingError, OSError) as missing:
        required = os.environ.get("A3C_REQUIRE_ARM") == "1"
        print(f"{'FAILED' if required else 'skipped'}, no emulated ARM: {missing}")
        return int(required)
    return compute(Path(folder).resolve())


if __name__ == "__main__":
    print_what_can_be()
    raise SystemExit(main(*sys.argv[1:]))
