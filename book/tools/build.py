"""Build the book: what `make book` runs, and what the site's tests run when it is out of date.

    python book/tools/build.py

Jupyter Book's caches know the pages, but not what the pages import or read. So what the
notebooks depend on is fingerprinted here, and a change empties the caches.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "_build"
SITE = BUILD / "html"
STAMP = BUILD / ".built"  # written after a build without a single warning

# The program that stands beside this Python, whether or not its environment is activated.
JUPYTER_BOOK = shutil.which("jupyter-book", path=Path(sys.executable).parent)
COMMAND = [JUPYTER_BOOK, "build", ".", "-W", "-n", "--keep-going"]

# What a page's outputs depend on, and what only the finished pages depend on.
INPUTS = {
    "outputs": ["a3c_tut", "book/data", "benchmarks", "requirements.txt"],
    "pages": ["_toc.yml", "_config.yml", "book/tools", "book/static"],
}
CACHES = {
    "outputs": [".jupyter_cache", "jupyter_execute", ".doctrees", "html"],
    "pages": [".doctrees", "html"],
}


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
    sources = files_below("book", *INPUTS["outputs"], *INPUTS["pages"])
    return max(file.stat().st_mtime for file in sources) <= STAMP.stat().st_mtime


def build():
    """Build the site; return the exit code."""
    if JUPYTER_BOOK is None:
        sys.exit("jupyter-book is not installed here: pip install -r requirements.txt")
    BUILD.mkdir(exist_ok=True)
    STAMP.unlink(missing_ok=True)
    for kind, names in INPUTS.items():
        record, now = BUILD / f".{kind}", fingerprint(*names)
        if not record.exists() or record.read_text() != now:
            for cache in CACHES[kind]:
                shutil.rmtree(BUILD / cache, ignore_errors=True)
            record.write_text(now)
    code = subprocess.run(COMMAND, cwd=ROOT, check=False).returncode
    if code == 0:
        STAMP.touch()
        print(f"The book is ready: open {SITE / 'index.html'}")
    return code


if __name__ == "__main__":
    sys.exit(build())
