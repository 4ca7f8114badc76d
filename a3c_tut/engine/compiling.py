"""How a kernel is compiled: one source, with Numba or without it, to the same bits."""

from __future__ import annotations

import gc
import hashlib
import multiprocessing
import os
import sys
import threading
import warnings
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


def kernel(function: Function, *built_on: Callable[..., Any]) -> Function:
    """Compile a function with Numba where it is installed; otherwise return it as it is.

    `error_model="numpy"` spares a test for zero at each division (none here divides by zero).
    `forceinline` lets the small functions below read like equations and cost nothing. `_nrt=False`:
    the kernels make no arrays, so none need be counted; counting took four fifths of the time.
    Compiled code is cached on disk, once per machine, and runs without the interpreter lock, so
    that threads run side by side. Numba's own switch `NUMBA_DISABLE_JIT=1` interprets.

    A kernel that another one calls is compiled for that alone: what would let Python call it too
    takes as long to compile as the kernel itself, and follows only when Python does.

    Parameters
    ----------
    function : to be compiled
    *built_on : functions outside the engine and the function's own file
        That are compiled into it: when their files change, it is compiled anew.

    Examples
    --------
    >>> @kernel
    ... def double(x):
    ...     return 2 * x
    >>> double(21)
    42
    """
    compiled = _compiled(function, built_on, forceinline=True)
    if hasattr(compiled, "get_call_template"):
        part = _compiled(function, built_on, "-part", forceinline=True, no_cpython_wrapper=True)
        _calls_within(compiled, part)
    return compiled


def _calls_within(compiled: Any, part: Any) -> None:
    """Let other kernels call `part` where they name `compiled`.

    A literal is passed as what it is, a number: otherwise the kernel is compiled for it alone, and
    once more for numbers.
    """

    def get_call_template(args: Any, kws: Any) -> Any:
        return part.get_call_template(tuple(map(types.unliteral, args)), kws)

    compiled.get_call_template = get_call_template
    compiled.get_overload = part.get_overload


def called(function: Function) -> Function:
    """Compile like `kernel`, but as a function that is called: for what is long and called twice.

    Examples
    --------
    >>> @called
    ... def double(x):
    ...     return 2 * x
    >>> double(21)
    42
    """
    return _compiled(function, ())


def inlined(function: Function) -> Function:
    """Compile like `kernel`, but as a part of whatever calls it: for the parts of a turn.

    To hand all of a run's arrays from function to function costs nothing at run time and much when
    it is compiled: more than the functions themselves. These are put into their caller's source
    first.

    Examples
    --------
    >>> @inlined
    ... def double(x):
    ...     return 2 * x
    >>> @kernel
    ... def quadruple(x):
    ...     return double(double(x))
    >>> quadruple(21)
    84
    """
    return _compiled(function, (), inline="always")


def _compiled(
    function: Function, built_on: tuple[Callable[..., Any], ...], suffix: str = "", **how: Any
) -> Function:
    if numba is None:
        return function
    options = {"error_model": "numpy", "nogil": True, "_nrt": False, "no_cfunc_wrapper": True}
    compiled: Any = numba.njit(**options, **how)(function)
    if hasattr(compiled, "_cache") and os.path.exists(function.__code__.co_filename):
        try:
            compiled._cache = _Cache(function, suffix)
        except RuntimeError as error:  # no folder that can be written
            _not_kept(error)
            return cast(Function, compiled)
        # Numba notices when a kernel's own file has changed, but not the files of those it calls.
        others = {getattr(other, "py_func", other).__code__.co_filename for other in built_on}
        index = compiled._cache._cache_file
        index._source_stamp = (index._source_stamp, _sources(), *map(_digest, sorted(others)))
    return cast(Function, compiled)


@lru_cache(maxsize=1)
def _sources() -> str:
    """Return a digest of the engine's source: what any compiled code may depend on."""
    return _digest(*sorted(Path(__file__).parent.rglob("*.py")))


def _digest(*paths: str | Path) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(Path(path).read_bytes())
    return digest.hexdigest()


_said: set[str] = set()


def _not_kept(error: BaseException) -> None:
    """Say once, and not in every worker, that compiled code is lost when the process ends."""
    if "not kept" in _said or multiprocessing.parent_process() is not None:
        return
    _said.add("not kept")
    warnings.warn(
        f"compiled code is not kept ({str(error).splitlines()[0]}): it takes some seconds in every "
        "new process; to keep it, set NUMBA_CACHE_DIR to a folder that can be written",
        RuntimeWarning,
        stacklevel=2,
    )


if numba is not None and not numba.config.DISABLE_JIT:
    from llvmlite import ir
    from numba import types
    from numba.core import cgutils, event
    from numba.core.caching import FunctionCache, IndexDataCacheFile
    from numba.extending import intrinsic

    class _Cache(FunctionCache):
        """Numba's cache on disk; where it cannot be used, what it was for is compiled all the same.

        A disk may be full, a file damaged, a folder not be ours.
        """

        def __init__(self, function: Callable[..., Any], suffix: str) -> None:
            super().__init__(function)
            stamp = self._impl.locator.get_source_stamp()
            name = self._impl.filename_base + suffix
            self._cache_file = IndexDataCacheFile(self._cache_path, name, stamp)

        def load_overload(self, sig: Any, target_context: Any) -> Any:
            try:
                return super().load_overload(sig, target_context)
            except Exception:
                return None

        def save_overload(self, sig: Any, data: Any) -> None:
            try:
                super().save_overload(sig, data)
            except OSError as error:
                _not_kept(error)
            except Exception:  # an index that cannot be read: a new one takes its place
                self._cache_file.flush()
                super().save_overload(sig, data)

    class _Patience(event.Listener):
        """Says what takes the time when the first compilation takes longer than a second."""

        def __init__(self) -> None:
            self._depth = 0  # a kernel compiles those that it calls
            self._timer: threading.Timer | None = None

        def on_start(self, event: Any) -> None:
            self._depth += 1
            ours = event.data["dispatcher"].py_func.__module__.startswith("a3c_tut.")
            if ours and self._depth == 1 and "compiles" not in _said:
                self._timer = threading.Timer(1.0, self._say)
                self._timer.daemon = True
                self._timer.start()

        def on_end(self, event: Any) -> None:
            self._depth -= 1
            if self._timer is not None and self._depth == 0:
                self._timer.cancel()

        @staticmethod
        def _say() -> None:
            _said.add("compiles")
            if sys.stderr is not None and multiprocessing.parent_process() is None:
                print("a3c_tut compiles its kernels: some seconds, once on this machine",
                      file=sys.stderr, flush=True)  # fmt: skip

    class _NoCollection(event.Listener):
        """Spares the search for garbage while a kernel is compiled: a twelfth of the time."""

        def __init__(self) -> None:
            self._depth = 0
            self._was_on = False

        def on_start(self, event: Any) -> None:
            if self._depth == 0:
                self._was_on = gc.isenabled()
                gc.disable()
            self._depth += 1

        def on_end(self, event: Any) -> None:
            self._depth -= 1
            if self._depth == 0 and self._was_on:
                gc.enable()

    event.register("numba:compile", _NoCollection())
    if os.environ.get("A3C_QUIET") != "1":
        event.register("numba:compile", _Patience())

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
        >>> import numpy as np
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
        >>> fetch_early([[0.0, 0.0], [0.0, 0.0]], 1)
        """
