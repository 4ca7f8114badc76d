"""The pages that are made of the ledger: how every claim is checked, and the table of them all."""

from __future__ import annotations

from typing import Any

from a3c_tut.claims import Claim, Condition, Interval, Ledger


def claim_link(ledger: Ledger, claim: Claim) -> str:
    """Return a Markdown link to where a claim is settled, to the very section if it has a label.

    A section is labelled `(claim-c10)=`, and so on.

    Parameters
    ----------
    ledger : Ledger, which knows the book's folder
    claim : Claim, which knows its page

    Returns
    -------
    str
        The claim's id alone where the page does not exist.

    Examples
    --------
    >>> ledger = Ledger()  # the book's own
    >>> claim_link(ledger, ledger.claims["C10"])
    '[C10](#claim-c10)'
    >>> import dataclasses
    >>> claim_link(ledger, dataclasses.replace(ledger.claims["C10"], page="no_such_page"))
    'C10'
    """
    label = f"claim-{claim.id.lower()}"
    for kind in (".ipynb", ".md"):
        source = ledger.folder / f"{claim.page}{kind}"
        if source.exists():
            if f"({label})=" in source.read_text(encoding="utf-8"):
                return f"[{claim.id}](#{label})"
            return f"[{claim.id}]({source.name})"
    return claim.id


def verdict_table(ledger: Ledger) -> str:
    """Return all claims of a ledger that are on record, with their verdicts, as a Markdown table.

    Examples
    --------
    >>> rows = verdict_table(Ledger()).splitlines()
    >>> rows[0]
    '| claim | the seed says | verdict |'
    >>> len(rows) - 2 == len(Ledger().record())  # head and rule, then a row per claim
    True
    """
    lines = ["| claim | the seed says | verdict |", "|---|---|---|"]
    for claim in _settled(ledger):
        says = f"{claim.says} ({claim.section})"
        lines.append(f"| {claim_link(ledger, claim)} | {says} | **{claim.verdict_text()}** |")
    return "\n".join(lines)


def claim_sheets(ledger: Ledger) -> str:
    """Return a section per claim of a ledger that is on record, in Markdown.

    Each says hypothesis, metric, protocol, thresholds, what was measured, and the verdict.

    Examples
    --------
    >>> sheets = claim_sheets(Ledger())
    >>> sheets.count("*Protocol.*") == sheets.count("*Verdict:*") == len(Ledger().record())
    True
    """
    return "\n\n".join(_sheet(ledger, claim) for claim in _settled(ledger))


def _settled(ledger: Ledger) -> list[Claim]:
    record = ledger.record()
    return [claim for claim in ledger.claims.values() if claim.id in record]


def _sheet(ledger: Ledger, claim: Claim) -> str:
    entry: dict[str, Any] = ledger.record()[claim.id]["measured"]
    rows = [
        "| measured | has to be | effect, 95 % interval | holds |",
        "|---|---|---|---|",
    ]
    for condition in claim.conditions:
        found = Interval(**entry[condition.name])
        holds = "yes" if condition.holds(found) else "no"
        rows.append(f"| {condition.name} | {_threshold(condition)} | {found.text()} | {holds} |")
    return "\n\n".join(
        [
            f"**{claim.id}. {claim.says}** (Section {claim.section} of the seed; settled in "
            f"{claim_link(ledger, claim)})",
            f"*Hypothesis.* {claim.hypothesis}",
            f"*Metric.* {claim.metric}",
            f"*Protocol.* {claim.protocol}",
            "\n".join(rows),
            f"*Verdict:* **{claim.verdict_text()}**",
        ]
    )


def _threshold(condition: Condition) -> str:
    if condition.at_least is not None:
        return f"at least {condition.at_least:g}"
    return f"at most {condition.at_most:g}"
