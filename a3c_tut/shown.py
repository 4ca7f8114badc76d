"""What worlds, settings and results look like in a prompt and in a notebook: a few lines."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from html import escape


def text(title: str, rows: Mapping[str, str]) -> str:
    """Return a title and a line per row, its name in front.

    Parameters
    ----------
    title : str
    rows : mapping of a name to what is to be said

    Examples
    --------
    >>> print(text("A coin", {"states": "1", "actions": "2"}))
    A coin
      states   1
      actions  2
    """
    width = max(map(len, rows), default=0)
    return "\n".join([title, *(f"  {name:<{width}}  {said}" for name, said in rows.items())])


def html(title: str, rows: Mapping[str, str], png: bytes = b"", alt: str = "") -> str:
    """Return the same as a small table, with a picture below it if there is one.

    Parameters
    ----------
    title, rows : as in `text`
    png : bytes, the picture's file
    alt : str, what it shows

    Examples
    --------
    >>> html("A coin", {"states": "1"})
    '<table><caption>A coin</caption><tr><th scope="row">states</th><td>1</td></tr></table>'
    """
    lines = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(said)}</td></tr>'
        for name, said in rows.items()
    )
    picture = ""
    if png:
        source = base64.b64encode(png).decode()
        picture = f'<img alt="{escape(alt)}" src="data:image/png;base64,{source}">'
    return f"<table><caption>{escape(title)}</caption>{lines}</table>{picture}"
