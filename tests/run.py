"""Every check, one after the other, each in a line: what `make test` runs.

    python tests/run.py [TARGET ...]        (default: all)

A target is one of the Makefile's (`test-unit`, say). All that the checks say goes into a log.
"""

import re
import subprocess
import sys
import time
from pathlib import Path

from tqdm import tqdm

from a3c_tut.files import print_what_can_be

ROOT = Path(__file__).resolve().parents[1]
LOG = ROOT / "_build" / "test.log"

#: The Makefile's targets, in order, and what each is called here.
CHECKS = {
    "test-lint": "style",
    "test-types": "types",
    "test-words": "spelling",
    "test-docs": "docstrings",
    "test-unit": "the package",
    "test-processes": "real worker processes",
    "test-browser": "the twin in a browser",
    "test-notebooks": "the notebooks",
    "book": "building the book",
    "test-site": "the site in a browser",
}

PERCENT = re.compile(r"\[ *(\d+)%\]")
SUMMARY = re.compile(r"=+ (.*(?:passed|failed|error).*) in [\d.]+s.* =+")


def run(target, log):
    """Run one target; return its code, its last summary line and all that it said."""
    said, summary = [], ""
    shape = "{desc:<24}{percentage:3.0f}% {elapsed}"
    with (
        tqdm(total=100, desc=CHECKS[target], bar_format=shape, leave=False) as bar,
        subprocess.Popen(
            ["make", "--no-print-directory", target], cwd=ROOT, text=True, encoding="utf-8",
            errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as process,
    ):  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            log.write(line)
            said.append(line)
            if found := PERCENT.findall(line):
                bar.update(int(found[-1]) - bar.n)
            if found := SUMMARY.search(line):
                summary = found[1]
    return process.returncode, summary, said


def main(chosen):
    LOG.parent.mkdir(exist_ok=True)
    shown = LOG.relative_to(ROOT)
    with LOG.open("w", encoding="utf-8", buffering=1) as log:
        print(f"All that is said goes into {shown}", flush=True)
        for target in chosen or CHECKS:
            began = time.monotonic()
            code, summary, said = run(target, log)
            took = f"{time.monotonic() - began:.0f} s"
            if code != 0:
                print("".join(said[-60:]))
                print(f"{CHECKS[target]}: failed after {took}; see {shown}, or `make {target}`")
                return 1
            print(f"{CHECKS[target]:<24}{took:>6}   {summary}", flush=True)
    print("All checks passed.")
    return 0


if __name__ == "__main__":
    print_what_can_be()
    sys.exit(main(sys.argv[1:]))
