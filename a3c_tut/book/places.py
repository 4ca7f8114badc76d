"""Where the book's files are, seen from wherever a notebook or a build stands."""

from __future__ import annotations

from pathlib import Path


def in_book(name: str) -> Path:
    """Return the path of a file of the book, such as "claims.toml" or "data/throughput.json".

    Parameters
    ----------
    name : str
        The path in the book's folder, which is the current one, `book` in it, or one above.

    Returns
    -------
    Path

    Raises
    ------
    FileNotFoundError
        When there is no such file.

    Examples
    --------
    >>> in_book("claims.toml").name
    'claims.toml'
    >>> in_book("no_such.file")
    Traceback (most recent call last):
    ...
    FileNotFoundError: no_such.file is in no folder above this one
    """
    for folder in (Path.cwd(), *Path.cwd().parents):
        for place in (folder / name, folder / "book" / name):
            if place.exists():
                return place
    raise FileNotFoundError(f"{name} is in no folder above this one")
