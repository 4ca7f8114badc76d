"""Build the book: what `make book` runs, and what the site's tests run when it is out of date.

    python book/tools/build.py

Pages are made of the outputs that their notebooks hold; `make notebooks` computes them, and nbval
(`make test`) proves that they still come out. What Sphinx says goes into a log; here only the
progress is shown, and what went wrong.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from a3c_tut.files import print_what_can_be
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "_build"
SITE = BUILD / "html"
LOG = BUILD / "build.log"
STAMP = BUILD / ".built"  # written after a build without a single warning

# The program that stands beside this Python, whether or not its environment is activated.
JUPYTER_BOOK = shutil.which("jupyter-book", path=Path(sys.executable).parent)
COMMAND = [JUPYTER_BOOK, "build", ".", "-W", "-n", "--keep-going"]

# What pages depend on and Sphinx does not see: a change builds them all anew.
INPUTS = ["a3c_tut", "_toc.yml", "_config.yml", "book/tools", "book/static", "requirements.txt"]
CACHES = [".doctrees", "html"]

PROGRESS = re.compile(r"(reading sources|writing output)\.\.\. \[ *(\d+)%\]")
PHASES = {"reading sources": 0, "writing output": 100}
BAD = re.compile(r"WARNING|ERROR|CRITICAL|Error:|Exception")
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def files_below(*names):
    """All source files in the given files and folders, sorted."""
    for name in names:
        path = ROOT / name
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                yield file


def fingerprint(*names):
    """Hash the names and contents of the given files and folders."""
    digest = hashlib.sha256()
    for file in files_below(*names):
        digest.update(file.relative_to(ROOT).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def is_fresh():
    """Whether the last good build is younger than everything that it was made of."""
    if not STAMP.exists():
        return False
    sources = files_below("book", *INPUTS)
    return max(file.stat().st_mtime for file in sources) <= STAMP.stat().st_mtime


def forget_what_is_stale():
    """Drop Sphinx's memory of the pages when something has changed that it does not look at."""
    record, now = BUILD / ".inputs", fingerprint(*INPUTS)
    if not record.exists() or record.read_text() != now:
        for cache in CACHES:
            shutil.rmtree(BUILD / cache, ignore_errors=True)
        record.write_text(now)


def run_logged():
    """Run Jupyter Book, write what it says into the log, show how far it is; return its code."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with (
        LOG.open("w", encoding="utf-8") as log,
        tqdm(total=200, desc="Building the book", bar_format="{desc}: {percentage:3.0f}%",
             mininterval=1.0) as bar,
        subprocess.Popen(
            COMMAND, cwd=ROOT, env=environment, text=True, encoding="utf-8", errors="replace",
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as process,
    ):  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            plain = COLOURS.sub("", line)
            log.write(plain)
            if found := PROGRESS.search(plain):
                bar.update(PHASES[found[1]] + int(found[2]) - bar.n)
        bar.update(200 - bar.n)
    return process.returncode


def build():
    """Build the site, unless it is as it should be; return the exit code."""
    if is_fresh():
        print(f"The book is up to date: open {SITE.relative_to(ROOT) / 'index.html'}")
        return 0
    if JUPYTER_BOOK is None:
        sys.exit("jupyter-book is not installed here: pip install -r requirements.txt")
    BUILD.mkdir(exist_ok=True)
    STAMP.unlink(missing_ok=True)
    forget_what_is_stale()
    code = run_logged()
    shown = LOG.relative_to(ROOT)
    if code == 0:
        STAMP.touch()
        print(f"The book is ready: open {SITE.relative_to(ROOT) / 'index.html'}")
    else:
        lines = LOG.read_text(encoding="utf-8").splitlines()
        print("\n".join([line for line in lines if BAD.search(line)][-40:] or lines[-40:]))
        print(f"The book was not built; all that was said is in {shown}")
    return code


if __name__ == "__main__":
    print_what_can_be()
    sys.exit(build())
