"""The pages that are made of the ledger: how every claim is checked, and the table of them all."""

from __future__ import annotations

import re

from a3c_tut.book.claims import (
    CONDITIONAL,
    CONTRADICTED,
    HOLDS,
    NEGLIGIBLE,
    SUPPORTED,
    UNSETTLED,
    Claim,
    Condition,
    Ledger,
    Past,
)

#: How `book/static/a3c.css` calls the chips.
_CHIPS = {SUPPORTED: "holds", HOLDS: "holds", CONDITIONAL: "partly", CONTRADICTED: "contradicted",
          NEGLIGIBLE: "negligible", UNSETTLED: "open"}  # fmt: skip


def chip(words: str) -> str:
    """Return a verdict, or the outcome of a condition, as a small worded sign for a page.

    Parameters
    ----------
    words : str
        One of `VERDICTS`, or of the outcomes.

    Examples
    --------
    >>> chip("contradicted")
    '<span class="verdict verdict-contradicted">contradicted</span>'
    """
    return f'<span class="verdict verdict-{_CHIPS.get(words, "open")}">{words}</span>'


def claim_link(claim: Claim, words: str | None = None) -> str:
    """Return a Markdown link to the very section where a claim is settled.

    Such a section is labelled `(claim-c10)=`, and so on.

    Parameters
    ----------
    claim : Claim
    words : str, optional
        What the link says. Default: the claim's id.

    Examples
    --------
    >>> claim_link(Ledger().claims["C10"])
    '[C10](#claim-c10)'
    """
    return f"[{words or claim.id}](#claim-{claim.id.lower()})"


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
            lines.append(f"| {claim_link(claim)} | {says} | {_verdict(ledger, claim)} |")
    return "\n".join(lines)


def claim_sheet(ledger: Ledger, claim_id: str) -> str:
    """Return what there is to know about a claim that is on record, in Markdown.

    The verdict, hypothesis, metric, protocol, thresholds, what was measured, and earlier verdicts.

    Parameters
    ----------
    ledger : Ledger
    claim_id : str, such as "C01"

    Examples
    --------
    >>> claim_sheet(Ledger(), "C12").splitlines()[-1]
    'Section 3 of the tutorial; [where it is settled](#claim-c12).'
    """
    claim, measured = ledger.claims[claim_id], ledger.measured(claim_id)
    outcomes = claim.outcomes(measured)
    rows = ["| asked | effect, 95 % interval | outcome |", "|---|---|---|"]
    for condition in claim.conditions:
        found = measured.get(condition.name)
        effect = found.text() if found else "not measured"
        effect = effect.replace(", ", ",\N{NO-BREAK SPACE}")  # its brackets stay together
        asked = f"{condition.name} {_threshold(condition)}"
        rows.append(f"| {asked} | {effect} | {chip(outcomes[condition.name])} |")
    return "\n\n".join(
        [
            _verdict(ledger, claim),
            f"**Hypothesis.** {_marked(claim, claim.hypothesis)}",
            f"**Metric.** {_marked(claim, claim.metric)}",
            f"**Protocol.** {_marked(claim, claim.protocol)}",
            "\n".join(rows),
            *(_earlier(claim, past) for past in claim.history),
            f"Section {claim.section} of the tutorial; {claim_link(claim, 'where it is settled')}.",
        ]
    )


def _earlier(claim: Claim, past: Past) -> str:
    return (
        f"**Earlier:** {past.verdict}. *Protocol then:* {_marked(claim, past.protocol)} "
        f"*Why settled anew:* {past.reason}"
    )


def _marked(claim: Claim, text: str) -> str:
    """Set settings as code, and the measured rows' names apart where they begin a sentence."""
    text = re.sub(r"\b[a-z]+(_[a-z]+)+\b", r"`\g<0>`", text)
    for condition in claim.conditions:
        text = re.sub(rf"(^|[.;:] ){re.escape(condition.name)}:", rf"\1*{condition.name}:*", text)
    return text


def _verdict(ledger: Ledger, claim: Claim) -> str:
    text = claim.verdict_text(ledger.measured(claim.id))
    return f"{chip(claim.verdict)}{text.removeprefix(claim.verdict)}"


def _threshold(condition: Condition) -> str:
    sign = "≥" if condition.upward else "≤"
    said = f"{sign}\N{NO-BREAK SPACE}{condition.threshold:g}"
    if condition.mirror is not None:
        said += f" (mirror image: {condition.mirror:.3g})"
    return said.replace("-", "−")
