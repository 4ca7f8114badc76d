"""Where the book's data are: in the package, so that a notebook runs from any folder."""

from __future__ import annotations

from pathlib import Path

#: The folder of claims, kept measurements and records.
#:
#: :meta hide-value:
DATA = Path(__file__).resolve().parent / "data"


def in_data(name: str) -> Path:
    """Return the path of a file of the book's data, such as "claims.toml" or "record.md".

    Parameters
    ----------
    name : str
        The path in the folder `DATA`.

    Returns
    -------
    Path

    Raises
    ------
    FileNotFoundError
        When there is no such file.

    Examples
    --------
    >>> in_data("claims.toml").name
    'claims.toml'
    >>> in_data("no_such.file")
    Traceback (most recent call last):
    ...
    FileNotFoundError: no_such.file is not among the book's data
    """
    path = DATA / name
    if not path.exists():
        raise FileNotFoundError(f"{name} is not among the book's data")
    return path
