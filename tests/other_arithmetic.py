"""Run a command as on a processor without FMA and AVX, as far as an x86-64 one can be told to be.

    python tests/other_arithmetic.py COMMAND [ARGUMENT ...]

Stored outputs come from an ordinary machine, so each run of the notebooks under these variables
compares two kinds of arithmetic. On other processors they mean nothing, and the command runs as it
would have.
"""

import os
import platform
import sys
from pathlib import Path

CACHE = Path(__file__).resolve().parents[1] / "_build" / "other_arithmetic"

VARIABLES = {
    # The C library's exp, log and the like.
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4",
    # Compiled kernels, kept apart from the ordinary ones.
    "NUMBA_CPU_NAME": "x86-64",
    "NUMBA_CPU_FEATURES": "",
    "NUMBA_CACHE_DIR": str(CACHE),
    # NumPy's loops, and the BLAS below it.
    "NPY_DISABLE_CPU_FEATURES": "X86_V3",
    "OPENBLAS_CORETYPE": "NEHALEM",
}


def main(command):
    if platform.machine() in ("x86_64", "AMD64"):
        os.environ.update(VARIABLES)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
