"""Files that are written whole or not at all, and what can be printed anywhere."""

from __future__ import annotations

import atexit
import os
import secrets
import sys
import tempfile
from pathlib import Path

#: Temporary files that may exist. Whatever an interrupt leaves here is removed as Python ends: it
#: may come between two lines of `written_whole`, where no `finally` catches it.
_LEFT: set[Path] = set()


if hasattr(os, "register_at_fork"):  # a child must not remove what its parent writes
    os.register_at_fork(after_in_child=_LEFT.clear)


@atexit.register
def _remove_leftovers() -> None:
    for path in list(_LEFT):
        path.unlink(missing_ok=True)
        _LEFT.discard(path)


def print_what_can_be() -> None:
    """Let this program print a question mark where its output has no letter for what it says.

    An output may be ASCII, and a "×" is no reason to stop.

    Examples
    --------
    >>> import io
    >>> from unittest.mock import patch
    >>> plain = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    >>> with patch("sys.stdout", plain):
    ...     print_what_can_be()
    ...     print("4 × 12", flush=True)
    >>> plain.buffer.getvalue().decode().strip()
    '4 ? 12'
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


class written_whole:  # noqa: N801  (reads like a function)
    """Give a temporary path to write to; put it in place only when all went well.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> try:
    ...     with written_whole(folder / "half.txt") as temporary:
    ...         _ = temporary.write_text("half"); raise KeyboardInterrupt
    ... except KeyboardInterrupt:
    ...     list(folder.iterdir())
    []
    """

    def __init__(self, path: str | os.PathLike[str]):
        self._path = Path(path)

    def __enter__(self) -> Path:
        given = os.fspath(self._path)
        if self._path.is_dir():
            raise IsADirectoryError(f"path is {given!r}, a folder; allowed: a file's path")
        own = f".{self._path.name}.{secrets.token_hex(4)}{self._path.suffix}"
        self._temporary = self._path.parent / own
        _LEFT.add(self._temporary)
        try:
            os.close(os.open(self._temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except OSError as error:
            _LEFT.discard(self._temporary)
            raise type(error)(
                f"path is {given!r}, whose folder cannot be written ({error.strerror}); allowed: a "
                "path in a folder that exists and can be written"
            ) from None
        return self._temporary

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                os.replace(self._temporary, self._path)
        finally:
            self._temporary.unlink(missing_ok=True)
            _LEFT.discard(self._temporary)


def check_folder(folder: str | os.PathLike[str]) -> Path:
    """Make a folder if need be, and make sure that it can be written, before any work is done.

    Raises
    ------
    ValueError
        When it cannot be made or written; the message names it and the reason.

    Examples
    --------
    >>> check_folder(__file__)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    ValueError: ...
    """
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise ValueError(
            f"folder is {os.fspath(folder)!r}, which cannot be written ({error.strerror}); "
            "allowed: a folder with write permission, or a place to make one"
        ) from error
    return path
