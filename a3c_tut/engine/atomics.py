"""Atomic operations on integers in shared memory, and the lock that is made of them.

Compiled, they are the processor's own. Where Numba is missing, the plain ones stand in, which only
one process at a time may use; a lock between processes is then multiprocessing's.
"""

from __future__ import annotations

from typing import Any

from a3c_tut.engine.compiling import kernel, numba

#: Looks at a taken lock before giving the processor away. A push takes well under a microsecond.
SPINS = 10000

if numba is not None and not numba.config.DISABLE_JIT:
    from numba import types
    from numba.core import cgutils
    from numba.extending import intrinsic

    def _pointer(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array_type = signature.args[0]
        array = context.make_array(array_type)(context, builder, arguments[0])
        return cgutils.get_item_pointer(context, builder, array_type, array, [arguments[1]])

    @intrinsic
    def fetch_add(typing_context, array, index, value):  # type: ignore[no-untyped-def]
        """Add to `array[index]`; return what was there before.

        Parameters
        ----------
        array : (n,) ints
        index, value : int

        Examples
        --------
        Who adds 1 draws a number that nobody else draws, however many draw at once:

        >>> import numpy as np
        >>> @kernel
        ... def draw_number(counter):
        ...     return fetch_add(counter, 0, 1)
        >>> counter = np.zeros(1, dtype=np.int64)
        >>> draw_number(counter), draw_number(counter), int(counter[0])
        (0, 1, 2)
        """

        def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            pointer = _pointer(context, builder, signature, arguments)
            return builder.atomic_rmw("add", pointer, arguments[2], "seq_cst")

        return types.int64(array, types.intp, types.int64), generate

    @intrinsic
    def exchange(typing_context, array, index, value):  # type: ignore[no-untyped-def]
        """Write `array[index]`; nothing moves across it. Return what was there before.

        Parameters
        ----------
        array : (n,) ints
        index, value : int

        Examples
        --------
        >>> import numpy as np
        >>> @kernel
        ... def put_5(array):
        ...     return exchange(array, 0, 5)
        >>> array = np.array([3])
        >>> put_5(array), int(array[0])
        (3, 5)
        """

        def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            pointer = _pointer(context, builder, signature, arguments)
            return builder.atomic_rmw("xchg", pointer, arguments[2], "seq_cst")

        return types.int64(array, types.intp, types.int64), generate

    @intrinsic
    def compare_and_swap(typing_context, array, index, old, new):  # type: ignore[no-untyped-def]
        """Write `new` if `array[index]` is `old`; return whether it was.

        Parameters
        ----------
        array : (n,) ints
        index, old, new : int

        Examples
        --------
        Of two who want to put a 7 in the place of a 0, one comes too late:

        >>> import numpy as np
        >>> @kernel
        ... def put_7(array):
        ...     return compare_and_swap(array, 0, 0, 7)
        >>> array = np.zeros(1, dtype=np.int64)
        >>> put_7(array), put_7(array)
        (True, False)
        """

        def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            pointer = _pointer(context, builder, signature, arguments)
            swapped = builder.cmpxchg(pointer, arguments[2], arguments[3], "seq_cst", "monotonic")
            return builder.extract_value(swapped, 1)

        return types.boolean(array, types.intp, types.int64, types.int64), generate

    @intrinsic
    def load(typing_context, array, index):  # type: ignore[no-untyped-def]
        """Read `array[index]`; what is read later was written no earlier.

        Parameters
        ----------
        array : (n,) ints
        index : int

        Examples
        --------
        >>> import numpy as np
        >>> @kernel
        ... def second(array):
        ...     return load(array, 1)
        >>> second(np.array([10, 20]))
        20
        """

        def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            pointer = _pointer(context, builder, signature, arguments)
            return builder.load_atomic(pointer, "acquire", 8)

        return types.int64(array, types.intp), generate

    @intrinsic
    def store(typing_context, array, index, value):  # type: ignore[no-untyped-def]
        """Write `array[index]`; what was written before is seen before.

        Parameters
        ----------
        array : (n,) ints
        index, value : int

        Examples
        --------
        >>> import numpy as np
        >>> @kernel
        ... def finish(words):
        ...     store(words, 1, 9)
        >>> words = np.zeros(2, dtype=np.int64)
        >>> finish(words)
        >>> words.tolist()
        [0, 9]
        """

        def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            pointer = _pointer(context, builder, signature, arguments)
            builder.store_atomic(arguments[2], pointer, "release", 8)
            return context.get_dummy_value()

        return types.void(array, types.intp, types.int64), generate

    @kernel
    def acquire(lock, worker, spins):  # type: ignore[no-untyped-def]
        """Take the lock for a worker: `lock[0]` becomes its id + 1.

        Parameters
        ----------
        lock : (n,) ints; only entry 0 is used
        worker : int
        spins : int from 1, looks at a taken lock before giving up

        Returns
        -------
        taken, looks : bool, int
            False after so many looks at a lock that stayed taken.

        Examples
        --------
        Worker 2 has the lock; worker 0 looks five times and gives up:

        >>> import numpy as np
        >>> lock = np.zeros(1, dtype=np.int64)
        >>> acquire(lock, 2, 5), int(lock[0])
        ((True, 0), 3)
        >>> acquire(lock, 0, 5), int(lock[0])
        ((False, 5), 3)
        """
        for look in range(spins):
            if load(lock, 0) == 0 and compare_and_swap(lock, 0, 0, worker + 1):
                return True, look
        return False, spins

    @kernel
    def release(lock):  # type: ignore[no-untyped-def]
        """Give the lock back.

        Examples
        --------
        >>> import numpy as np
        >>> lock = np.array([3])  # worker 2 has it
        >>> release(lock)
        >>> int(lock[0])
        0
        """
        store(lock, 0, 0)

    @kernel
    def read(array, index):  # type: ignore[no-untyped-def]
        """Read a number that another process writes (for callers that are not compiled).

        Parameters
        ----------
        array : (n,) ints
        index : int

        Examples
        --------
        >>> import numpy as np
        >>> read(np.array([10, 20]), 1)
        20
        """
        return load(array, index)

    @kernel
    def store_word(array, index, value):  # type: ignore[no-untyped-def]
        """Write a number that another process reads (for callers that are not compiled).

        Parameters
        ----------
        array : (n,) ints
        index, value : int

        Examples
        --------
        >>> import numpy as np
        >>> words = np.zeros(2, dtype=np.int64)
        >>> store_word(words, 1, 9)
        >>> words.tolist()
        [0, 9]
        """
        exchange(array, index, value)

else:

    def fetch_add(array: Any, index: int, value: int) -> int:  # type: ignore[misc]
        """Add to `array[index]`; return what was there before.

        Parameters
        ----------
        array : (n,) ints
        index, value : int

        Examples
        --------
        >>> counter = [0]
        >>> fetch_add(counter, 0, 1), fetch_add(counter, 0, 1), counter
        (0, 1, [2])
        """
        old = int(array[index])
        array[index] = old + value
        return old

    def exchange(array: Any, index: int, value: int) -> int:  # type: ignore[misc]
        """Write `array[index]`; return what was there before.

        Parameters
        ----------
        array : (n,) ints
        index, value : int

        Examples
        --------
        >>> array = [3]
        >>> exchange(array, 0, 5), array
        (3, [5])
        """
        old = int(array[index])
        array[index] = value
        return old

    def load(array: Any, index: int) -> int:  # type: ignore[misc]
        """Read `array[index]`.

        Parameters
        ----------
        array : (n,) ints
        index : int

        Examples
        --------
        >>> load([10, 20], 1)
        20
        """
        return int(array[index])

    def store(array: Any, index: int, value: int) -> None:  # type: ignore[misc]
        """Write `array[index]`.

        Parameters
        ----------
        array : (n,) ints
        index, value : int

        Examples
        --------
        >>> words = [0, 0]
        >>> store(words, 1, 9)
        >>> words
        [0, 9]
        """
        array[index] = value

    def acquire(lock: Any, worker: int, spins: int) -> tuple[bool, int]:
        """Take the lock for a worker, waiting a little.

        Parameters
        ----------
        lock : `engine.worker.OwnedLock`
        worker : int
        spins : int, what is returned for `looks` where the lock stayed taken

        Returns
        -------
        taken, looks : bool, int

        Examples
        --------
        >>> import threading
        >>> from a3c_tut.engine.worker import OwnedLock
        >>> lock = OwnedLock(threading.Lock(), [0])
        >>> acquire(lock, 2, 5), lock.owner
        ((True, 0), [3])
        >>> acquire(lock, 0, 5), lock.owner
        ((False, 5), [3])
        """
        taken = lock.acquire(timeout=0.01)
        if taken:
            lock.owner[0] = worker + 1
        return taken, 0 if taken else spins

    def release(lock: Any) -> None:
        """Give the lock back.

        Examples
        --------
        >>> import threading
        >>> from a3c_tut.engine.worker import OwnedLock
        >>> lock = OwnedLock(threading.Lock(), [0])
        >>> taken, _ = acquire(lock, 2, 5)
        >>> release(lock)
        >>> lock.owner
        [0]
        """
        lock.owner[0] = 0
        lock.release()

    read, store_word = load, store  # type: ignore[assignment]

#: Whether the operations above are the processor's own.
COMPILED = numba is not None and not numba.config.DISABLE_JIT
