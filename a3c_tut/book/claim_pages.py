"""The pages that are made of the ledger: how every claim is checked, and the table of them all."""

from __future__ import annotations

import re
from typing import Any

from a3c_tut.book.claims import Claim, Condition, Interval, Ledger


def claim_link(ledger: Ledger, claim: Claim, words: str | None = None) -> str:
    """Return a Markdown link to where a claim is settled, to the very section if it has a label.

    A section is labelled `(claim-c10)=`, and so on.

    Parameters
    ----------
    ledger : Ledger, which knows the book's folder
    claim : Claim, which knows its page
    words : str, optional
        What the link says. Default: the claim's id.

    Returns
    -------
    str
        The words alone where the page does not exist.

    Examples
    --------
    >>> ledger = Ledger()  # the book's own
    >>> claim_link(ledger, ledger.claims["C10"])
    '[C10](#claim-c10)'
    >>> import dataclasses
    >>> claim_link(ledger, dataclasses.replace(ledger.claims["C10"], page="no_such_page"))
    'C10'
    """
    words = words or claim.id
    label = f"claim-{claim.id.lower()}"
    for kind in (".ipynb", ".md"):
        source = ledger.folder / f"{claim.page}{kind}"
        if source.exists():
            if f"({label})=" in source.read_text(encoding="utf-8"):
                return f"[{words}](#{label})"
            return f"[{words}]({source.name})"
    return words


def verdict_table(ledger: Ledger) -> str:
    """Return all claims of a ledger that are on record, with their verdicts, as a Markdown table.

    Examples
    --------
    >>> rows = verdict_table(Ledger()).splitlines()
    >>> rows[0]
    '| claim | the tutorial says (section) | verdict |'
    >>> len(rows) - 2 == len(Ledger().record())  # head and rule, then a row per claim
    True
    """
    lines = ["| claim | the tutorial says (section) | verdict |", "|---|---|---|"]
    record = ledger.record()
    for claim in ledger.claims.values():
        if claim.id in record:
            says = f"{claim.says} ({claim.section})"
            lines.append(f"| {claim_link(ledger, claim)} | {says} | {_verdict(claim)} |")
    return "\n".join(lines)


def claim_sheet(ledger: Ledger, claim_id: str) -> str:
    """Return what there is to know about a claim that is on record, in Markdown.

    Hypothesis, metric, protocol, thresholds, what was measured, and the verdict.

    Parameters
    ----------
    ledger : Ledger
    claim_id : str, such as "C01"

    Examples
    --------
    >>> claim_sheet(Ledger(), "C12").splitlines()[0]
    'Section 3 of the tutorial; [where it is settled](#claim-c12).'
    """
    claim = ledger.claims[claim_id]
    entry: dict[str, Any] = ledger.record()[claim_id]["measured"]
    rows = ["| asked | effect, 95 % interval | holds |", "|---|---|---|"]
    for condition in claim.conditions:
        found = Interval(**entry[condition.name])
        holds = "yes" if condition.holds(found) else "no"
        effect = found.text().replace(", ", ",\N{NO-BREAK SPACE}")  # its brackets stay together
        rows.append(f"| {condition.name} {_threshold(condition)} | {effect} | {holds} |")
    return "\n\n".join(
        [
            f"Section {claim.section} of the tutorial; "
            f"{claim_link(ledger, claim, 'where it is settled')}.",
            f"**Hypothesis.** {_marked(claim, claim.hypothesis)}",
            f"**Metric.** {_marked(claim, claim.metric)}",
            f"**Protocol.** {_marked(claim, claim.protocol)}",
            "\n".join(rows),
            f"**Verdict:** {_verdict(claim)}.",
        ]
    )


def _marked(claim: Claim, text: str) -> str:
    """Set settings as code, and the measured rows' names apart where they begin a sentence."""
    text = re.sub(r"\b[a-z]+(_[a-z]+)+\b", r"`\g<0>`", text)
    for condition in claim.conditions:
        text = re.sub(rf"(^|[.;:] ){re.escape(condition.name)}:", rf"\1*{condition.name}:*", text)
    return text


def _verdict(claim: Claim) -> str:
    return f"**{claim.verdict}**{claim.verdict_text().removeprefix(claim.verdict)}"


def _threshold(condition: Condition) -> str:
    sign, value = "≥", condition.at_least
    if value is None:
        sign, value = "≤", condition.at_most
    return f"{sign}\N{NO-BREAK SPACE}{value:g}".replace("-", "−")
