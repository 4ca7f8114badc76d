"""How a kernel is compiled: one source, with Numba or without it, to the same bits."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast

numba: Any
try:
    import numba
except ImportError:  # WebAssembly, or a Python that Numba does not know yet
    numba = None

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function) -> Function:
    """Compile a function with Numba where it is installed; otherwise return it as it is.

    `error_model="numpy"` spares a test for zero at each division (none here divides by zero).
    `forceinline` lets the small functions below read like equations and cost nothing. `_nrt=False`:
    the kernels make no arrays, so none need be counted; counting took four fifths of the time.
    Compiled code is cached on disk, once per machine, and runs without the interpreter lock, so
    that threads run side by side. Numba's own switch `NUMBA_DISABLE_JIT=1` interprets.

    Examples
    --------
    >>> @kernel
    ... def double(x):
    ...     return 2 * x
    >>> double(21)
    42
    """
    if numba is None:
        return function
    has_file = os.path.exists(function.__code__.co_filename)  # nowhere to keep it otherwise
    jit = numba.njit(cache=has_file, error_model="numpy", forceinline=True, nogil=True, _nrt=False)
    compiled: Any = jit(function)
    if has_file and hasattr(compiled, "_cache"):
        # Numba notices when a kernel's own file has changed, but not the files of those it calls.
        index = compiled._cache._cache_file
        index._source_stamp = (index._source_stamp, _sources())
    return cast(Function, compiled)


@lru_cache(maxsize=1)
def _sources() -> str:
    """Return a digest of the package's source: what compiled code may depend on."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


if numba is not None and not numba.config.DISABLE_JIT:
    from llvmlite import ir
    from numba import types
    from numba.core import cgutils
    from numba.extending import intrinsic

    @intrinsic
    def fetch_early(typing_context, array, index):  # type: ignore[no-untyped-def]
        """Ask for a row of an array before it is needed; nothing changes but the waiting.

        In a large world every state is a walk to main memory, and a walk per array if each is
        begun only when the one before has arrived.

        Parameters
        ----------
        array : of any shape
        index : int, along its first axis

        Examples
        --------
        >>> @kernel
        ... def entry(table, state):
        ...     fetch_early(table, state)
        ...     return table[state, 1]
        >>> entry(np.array([[1.0, 2.0], [3.0, 4.0]]), 1)
        4.0
        """

        def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            array_type = signature.args[0]
            rows = context.make_array(array_type)(context, builder, arguments[0])
            first = [context.get_constant(types.intp, 0)] * (array_type.ndim - 1)
            place = cgutils.get_item_pointer(
                context, builder, array_type, rows, [arguments[1], *first]
            )
            byte, word = ir.PointerType(ir.IntType(8)), ir.IntType(32)
            ask = builder.module.declare_intrinsic(
                "llvm.prefetch", [byte], ir.FunctionType(ir.VoidType(), [byte, word, word, word])
            )
            # To read; keep it close; data.
            builder.call(ask, [builder.bitcast(place, byte), word(0), word(3), word(1)])
            return context.get_dummy_value()

        return types.void(array, types.intp), generate

else:

    def fetch_early(array: Any, index: int) -> None:  # type: ignore[misc]
        """Do nothing: without a compiler there is nothing to wait for.

        Parameters
        ----------
        array : of any shape
        index : int, along its first axis

        Examples
        --------
        >>> fetch_early(np.zeros((2, 2)), 1)
        """
