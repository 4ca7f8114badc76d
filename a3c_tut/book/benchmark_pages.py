"""The tables that the book makes of the benchmarks' records (Section 3.1)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np

from a3c_tut.book.places import in_data
from a3c_tut.experiments import mean_interval

Record = Mapping[str, Any]


def load_record(name: str) -> dict[str, Any]:
    """Return a record that `make bench` or `make bench-peers` has written into the book's data.

    Parameters
    ----------
    name : str, "record" or "record-peers"

    Raises
    ------
    FileNotFoundError
        If there is none of this name.

    Examples
    --------
    >>> sorted(load_record("record"))
    ['last', 'lines', 'machine', 'raw']
    """
    content: dict[str, Any] = json.loads(in_data(f"{name}.json").read_text(encoding="utf-8"))
    return content


def worker_table(record: Record) -> str:
    """Return the speed by rollout length, way of pushing and number of workers, in Markdown.

    Parameters
    ----------
    record : mapping
        Of `make bench`: `record["raw"]["workers"]` has a row per combination, with `n`, `mode`,
        `workers`, `rate` in millions of environment steps a second of all workers together, and
        `looks_per_lock`: how often a lock was looked at in vain for each time it was taken; it is
        None without a lock, and stands in brackets.

    Examples
    --------
    >>> rows = [{"n": 5, "mode": "atomic", "workers": w, "rate": 0.5 * w, "looks_per_lock": 9 * w}
    ...         for w in (1, 2)]
    >>> print(worker_table({"raw": {"workers": rows}}))
    | n | pushes | 1 worker | 2 workers |
    |--:|---|--:|--:|
    | 5 | atomic | 0.5 (9) | 1.0 (18) |
    """
    shown = {
        (row["n"], row["mode"], row["workers"]): f"{row['rate']:.1f}"
        + ("" if row["looks_per_lock"] is None else f" ({row['looks_per_lock']:,.0f})")
        for row in record["raw"]["workers"]
    }
    lengths, modes, counts = (list(dict.fromkeys(key)) for key in zip(*shown, strict=True))
    heads = [f"{workers} worker" if workers == 1 else f"{workers} workers" for workers in counts]
    lines = [
        f"| n | pushes | {' | '.join(heads)} |",
        f"|--:|---|{'--:|' * len(counts)}",
    ]
    for n, mode in product(lengths, modes):
        row = " | ".join(shown[n, mode, workers] for workers in counts)
        lines.append(f"| {n} | {mode} | {row} |")
    return "\n".join(lines)


def rounded(value: float) -> str:
    """Return a speed with the two digits that a machine repeats.

    Examples
    --------
    >>> rounded(9_446_550.0), rounded(5_854.0)
    ('9,400,000', '5,900')
    """
    return f"{float(f'{value:.2g}'):,.0f}"


def peer_table(record: Record) -> str:
    """Return what each library took to a mean return of −20, in Markdown.

    Parameters
    ----------
    record : mapping
        Of `make bench-peers`: `record["raw"]` holds `rates` (environment steps a second, several
        per library) and `runs` (a list per library, with `steps`, `seconds` and `reached`).

    Examples
    --------
    >>> run = {"steps": 3_000, "seconds": 0.5, "reached": True}
    >>> print(peer_table({"raw": {"rates": {"x": [4_000.0]}, "runs": {"x": [run, run]}}}))
    | program | steps a second | mean steps to a return of −20 (95 %) | median | arrive | seconds |
    |---|--:|--:|--:|--:|--:|
    | x | 4,000 | 3,000 (3,000 to 3,000) | 3,000 | 2 of 2 | 0.5 |
    """
    lines = [
        "| program | steps a second | mean steps to a return of −20 (95 %) | median | arrive "
        "| seconds |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, runs in record["raw"]["runs"].items():
        steps = [run["steps"] for run in runs]
        mean, low, high = mean_interval(steps)
        rates = record["raw"]["rates"].get(name)
        lines.append(
            f"| {name} | {rounded(float(np.median(rates))) if rates else '–'} "
            f"| {mean:,.0f} ({low:,.0f} to {high:,.0f}) | {np.median(steps):,.0f} "
            f"| {sum(run['reached'] for run in runs)} of {len(runs)} "
            f"| {np.mean([run['seconds'] for run in runs]):.1g} |"
        )
    return "\n".join(lines)
