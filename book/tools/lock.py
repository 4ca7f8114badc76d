"""Write requirements.txt: the exact versions of everything that pyproject.toml asks for.

    make lock

One file serves Linux, macOS and Windows on every supported Python. Needs the package `uv`.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEADER = """\
# Exact versions for the book, the lab and the checks; written by `make lock`.
# From the repository's root: pip install -r requirements.txt
"""
COMMAND = [
    *(sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "--quiet"),
    *("--extra", "book", "--extra", "lab", "--extra", "test"),
    *("--universal", "--python-version", "3.11", "--fork-strategy", "fewest"),
    *("--upgrade", "--no-header", "--no-annotate"),
]
# Gigabytes that nothing in this lock may bring in: they come by their own extras.
UNWANTED = ("torch", "ray", "jax", "tensorflow")

locked = subprocess.run(COMMAND, cwd=ROOT, check=True, capture_output=True, text=True).stdout
names = {line.split("==")[0] for line in locked.splitlines()}
if found := names.intersection(UNWANTED):
    sys.exit(f"these must not be in requirements.txt: {', '.join(sorted(found))}")
(ROOT / "requirements.txt").write_text(f"{HEADER}{locked}-e .\n", encoding="utf-8")
