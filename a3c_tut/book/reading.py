"""How long the pages take to read, for those that add them up."""

from __future__ import annotations

#: Minutes to read, without exercises, as the opening of each page says it; a test compares.
#:
#: :meta hide-value:
MINUTES = {
    "introduction": 20, "objective": 30, "updates": 40, "stability": 30, "cpu_training": 10,
    "sparse_rewards": 8, "best_practices": 12, "python_practice": 30, "result": 30, "summary": 15,
}  # fmt: skip


def minutes_to_read(*pages: str) -> int:
    """Return the minutes that some pages take together.

    Parameters
    ----------
    *pages : names of pages, such as "introduction"

    Examples
    --------
    >>> minutes_to_read("result", "summary") == MINUTES["result"] + MINUTES["summary"]
    True
    """
    return sum(MINUTES[page] for page in pages)
