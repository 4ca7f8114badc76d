"""What a user installs: both archives, in fresh environments, on every Python that is here.

    python tests/install.py [--keep FOLDER]

`python -m build` makes a source archive and a wheel of what git knows of this folder. For each
supported Python an environment is made; in it the wheel is installed without extras, the README's
examples run, then the same with the source archive, then the wheel's extra `lab`. One of the book's
notebooks is opened where nothing but Jupyter is: its first cell brings the package. At the end it
says which Pythons were not here. A Python is looked for on the path and among pyenv's.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SUPPORTED = ("3.11", "3.12", "3.13")
PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
#: Nothing of this folder may be found instead of what was installed.
CLEAN = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)

#: What extras bring is not there without them, and what they are for works with them.
WITHOUT = (
    "import a3c_tut, importlib.util as u; print(a3c_tut.__version__, u.find_spec('ipywidgets'))"
)
NOTEBOOK = "primer.ipynb"
WITH_LAB = "from a3c_tut import lab; print(type(lab.Lab()).__name__)"


class FailedError(Exception):
    """A command failed; the text is all that it said."""


def run(*command: str | Path, cwd: Path, env: dict[str, str] = CLEAN) -> str:
    """Run a command in a folder and return what it printed."""
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=env, stdin=subprocess.DEVNULL, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8",
        errors="replace",
    )  # fmt: skip
    if done.returncode != 0:
        raise FailedError(f"{' '.join(map(str, command))}\n{done.stdout}")
    return done.stdout


def python_of(folder: Path) -> Path:
    """Return an environment's Python."""
    inside = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
    return folder.joinpath(*inside)


def pythons() -> dict[str, str]:
    """Return the supported Pythons that are here, by version."""
    found = {f"{sys.version_info.major}.{sys.version_info.minor}": sys.executable}
    for version in SUPPORTED:
        kept = sorted(PYENV.glob(f"{version}.*/bin/python{version}"))
        on_path = shutil.which(f"python{version}")
        for candidate in (on_path, *map(str, kept)):
            if candidate and version not in found and works(candidate):
                found[version] = candidate
    return {version: found[version] for version in SUPPORTED if version in found}


def works(python: str) -> bool:
    """Return whether this is a Python that can make environments: pyenv's shims may not be."""
    tried = subprocess.run(
        [python, "-c", "import ensurepip, venv"], capture_output=True, check=False
    )
    return tried.returncode == 0


def make_archives(folder: Path) -> list[Path]:
    """Build both archives of what git knows, with changes that are not committed; return them."""
    source = folder / "source"
    names = run("git", "ls-files", "-z", cwd=ROOT).split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    venv.create(folder / "build", with_pip=True)
    builder = python_of(folder / "build")
    run(builder, "-m", "pip", "install", "--quiet", "build", cwd=folder)
    run(builder, "-m", "build", "--outdir", folder / "dist", source, cwd=folder)
    archives = sorted((folder / "dist").iterdir(), key=lambda path: path.suffix, reverse=True)
    if [path.suffix for path in archives] != [".whl", ".gz"]:
        raise FailedError(f"expected a wheel and a source archive, got {archives}")
    return archives


def examples(folder: Path) -> Iterator[Path]:
    """Write each of the README's examples that is a program into a file; yield the files."""
    blocks = BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    if len(blocks) < 2:
        raise FailedError("the README has lost its examples")
    for number, block in enumerate(blocks):
        path = folder / f"example_{number}.py"
        path.write_text(block, encoding="utf-8")
        yield path


def check(python: str, archives: list[Path], folder: Path) -> None:
    """Install the archives with one Python and use them."""
    run(python, "-m", "venv", folder, cwd=folder.parent)
    own = python_of(folder)
    pip = (own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    wheel = next(path for path in archives if path.suffix == ".whl")
    for archive in archives:
        again = ("--force-reinstall", "--no-deps") if archive is not archives[0] else ()
        run(*pip, *again, archive, cwd=folder)
        said = run(own, "-c", WITHOUT, cwd=folder).split()
        if said != [wheel.name.split("-")[1], "None"]:
            raise FailedError(f"{archive.name} without extras: {said}")
        for example in examples(folder):
            run(own, example, cwd=folder)
    run(*pip, f"a3c_tut[lab] @ {wheel.as_uri()}", cwd=folder)
    run(own, "-c", WITH_LAB, cwd=folder)


def open_a_notebook(python: str, archives: list[Path], folder: Path) -> None:
    """Run a notebook alone in a folder, as on Colab: no package, no repository."""
    run(python, "-m", "venv", folder, cwd=folder.parent)
    own = python_of(folder)
    run(own, "-m", "pip", "install", "--quiet", "nbclient", "ipykernel", cwd=folder)
    shutil.copy(ROOT / "book" / NOTEBOOK, folder)
    # What is not yet in the index is found beside the archives.
    environment = CLEAN | {"PIP_FIND_LINKS": str(archives[0].parent), "A3C_QUIET": "1"}
    run(own, "-m", "jupyter", "execute", NOTEBOOK, cwd=folder, env=environment)
    run(own, "-c", WITHOUT, cwd=folder)


def main() -> int:
    """Check every Python that is here; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, help="put the archives into this folder")
    keep = parser.parse_args().keep
    found = pythons()
    with tempfile.TemporaryDirectory(prefix="install-") as name:
        folder = Path(name)
        try:
            archives = make_archives(folder)
            print("built", *(path.name for path in archives), flush=True)
            for version, python in found.items():
                check(python, archives, folder / version)
                print(f"Python {version}: installed and ran, without extras and with", flush=True)
            open_a_notebook(sys.executable, archives, folder / "alone")
            print(f"{NOTEBOOK}: brought the package itself, and ran", flush=True)
        except FailedError as error:
            print(f"failed: {error}")
            return 1
        if keep:
            shutil.copytree(folder / "dist", keep, dirs_exist_ok=True)
    for version in SUPPORTED:
        if version not in found:
            print(f"Python {version}: skipped, it is not on this machine")
    return 0


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="replace")  # what tools say may be any text
    sys.exit(main())
