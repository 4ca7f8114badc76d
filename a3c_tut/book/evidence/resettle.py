"""Every claim once more, on other seeds: does the verdict stay?

    python -m a3c_tut.book.evidence.resettle [CLAIM ...]      (default: all; `make resettle`)

A verdict that turns with the seeds was none. Each claim is measured on two further sets of seeds,
disjoint from each other and from those on record, each in a process of its own that finds its seeds
shifted (`SEED_OFFSET`). Step sizes stay tuned on the seeds that the protocol names. Claims that are
read from records of real time do not depend on seeds; they are listed as such.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import import_module

from a3c_tut.book.claims import HOLDS, Claim, Interval, Ledger, Measured
from a3c_tut.files import print_what_can_be

#: By how much the seeds of the second and of the third set are shifted.
OFFSETS = (1_000_000, 2_000_000)


def measure(claim: Claim) -> dict[str, Interval]:
    """Measure a claim: the function of its name in the module of its page, `c12()` say.

    Parameters
    ----------
    claim : Claim, of the book's ledger

    Examples
    --------
    >>> measure(Ledger().claims["C03"]) == Ledger().measured("C03")
    True
    """
    page = import_module(f"a3c_tut.book.evidence.{claim.page}")
    found: dict[str, Interval] = getattr(page, claim.id.lower())()
    return found


def same(claim: Claim, sets: Sequence[Measured]) -> bool:
    """Return whether the verdict is the same on all sets, and for the same reason.

    Where a claim is supported only in part, the same conditions have to hold.

    Parameters
    ----------
    claim : Claim
    sets : sequence of mappings of condition name to Interval

    Examples
    --------
    >>> claim = Ledger().claims["C12"]
    >>> few, many = Interval(1.0, 0.9, 1.1), Interval(1.8, 1.5, 2.2)
    >>> once = {"steps, every 5 pushes": few, "steps, every 50 pushes": many}
    >>> same(claim, [once, once]), same(claim, [once, dict.fromkeys(once, many)])
    (True, False)
    """
    said = set()
    for measured in sets:
        outcomes = claim.outcomes(measured)
        holding = tuple(name for name, outcome in outcomes.items() if outcome == HOLDS)
        said.add((claim.rule(measured), holding))
    return len(said) == 1


def rows(ledger: Ledger, again: Sequence[Mapping[str, Measured]]) -> list[list[str]]:
    """Return the table: claim, verdict on record, on the further sets, and whether it is the same.

    Parameters
    ----------
    ledger : Ledger
    again : sequence of mappings of claim id to what was measured, one per further set
        A claim that a set does not hold is not in the table, unless it is read from a record.

    Examples
    --------
    >>> ledger = Ledger()
    >>> once = {"C12": ledger.measured("C12")}
    >>> turned = {"C12": dict.fromkeys(once["C12"], Interval(3.0, 2.9, 3.1))}
    >>> for row in rows(ledger, [once, turned]):
    ...     if row[0] == "C12":
    ...         print(" | ".join(row))
    C12 | supported | supported | supported only when | NO
    """
    table = []
    for claim in ledger.claims.values():
        if claim.timing:
            table.append([claim.id, claim.verdict, *["from a record"] * len(again), "-"])
        elif all(claim.id in one for one in again):
            sets = [ledger.measured(claim.id), *(one[claim.id] for one in again)]
            verdicts = [claim.rule(measured) for measured in sets]
            table.append([claim.id, *verdicts, "yes" if same(claim, sets) else "NO"])
    return table


def _print_measured(ids: Sequence[str]) -> None:
    claims = Ledger().claims
    found = {}
    for name in ids:
        began = time.monotonic()
        found[name] = {key: asdict(value) for key, value in measure(claims[name]).items()}
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    print(json.dumps(found))


def _measured_apart(offset: int, ids: Sequence[str]) -> dict[str, dict[str, Interval]]:
    """Measure in a process of its own, whose seeds are shifted from the start."""
    print(f"seeds shifted by {offset:,}", file=sys.stderr, flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "a3c_tut.book.evidence.resettle", "--measure", *ids],
        env=os.environ | {"A3C_SEED_OFFSET": str(offset)}, stdout=subprocess.PIPE, text=True,
        check=True,
    )  # fmt: skip
    return {
        claim: {name: Interval(**value) for name, value in measured.items()}
        for claim, measured in json.loads(done.stdout).items()
    }


def main(arguments: Sequence[str]) -> int:
    """Settle claims again and print the table; return 1 if a verdict differs, else 0.

    Parameters
    ----------
    arguments : sequence of str
        Ids of claims. Default: all that depend on seeds.

    Examples
    --------
    A claim that is read from a record has nothing to settle again:

    >>> main(["C03"])
    claim | on record           | second set    | third set     | same?
    C03   | supported only when | from a record | from a record | -
    0
    """
    if arguments[:1] == ["--measure"]:
        _print_measured(arguments[1:])
        return 0
    ledger = Ledger()
    chosen = list(arguments) or list(ledger.claims)
    ids = [name for name in chosen if not ledger.claims[name].timing]
    again = [_measured_apart(offset, ids) if ids else {} for offset in OFFSETS]
    table = [["claim", "on record", "second set", "third set", "same?"]]
    table += [row for row in rows(ledger, again) if row[0] in chosen]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print(" | ".join(cells).rstrip())
    return int(any(row[-1] == "NO" for row in table))


if __name__ == "__main__":
    print_what_can_be()
    sys.exit(main(sys.argv[1:]))
