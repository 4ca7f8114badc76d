"""The pages that are made of the ledger: how every claim is checked, and the table of them all."""

from __future__ import annotations

import math
import re
from collections import Counter
from html import escape

from a3c_tut.book.claims import (
    CONDITIONAL,
    CONTRADICTED,
    HOLDS,
    NEGLIGIBLE,
    SUPPORTED,
    UNSETTLED,
    VERDICTS,
    Claim,
    Condition,
    Interval,
    Ledger,
    Past,
)

#: How `book/static/a3c.css` calls the chips.
_CHIPS = {SUPPORTED: "holds", HOLDS: "holds", CONDITIONAL: "partly", CONTRADICTED: "contradicted",
          NEGLIGIBLE: "negligible", UNSETTLED: "open"}  # fmt: skip
#: Pixels: how wide and high a row of the forest plot is.
_WIDE, _HIGH = 150, 18


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
    """Return the tutorial's claims that are on record, with their verdicts, as a Markdown table.

    Examples
    --------
    >>> rows = verdict_table(Ledger()).splitlines()
    >>> rows[0]
    '| claim | the tutorial says (section) | verdict |'
    >>> others = [claim for claim in Ledger().claims.values() if claim.source]
    >>> len(rows) - 2 == len(Ledger().record()) - len(others)  # head and rule, then a row per claim
    True
    """
    lines = ["| claim | the tutorial says (section) | verdict |", "|---|---|---|"]
    for claim in _of_the_tutorial(ledger):
        says = f"{claim.says} ({claim.section})"
        lines.append(f"| {claim_link(claim)} | {says} | {_verdict(ledger, claim)} |")
    return "\n".join(lines)


def _of_the_tutorial(ledger: Ledger) -> list[Claim]:
    record = ledger.record()
    return [one for one in ledger.claims.values() if one.id in record and not one.source]


def verdict_counts(ledger: Ledger) -> str:
    """Return how many of the tutorial's claims have which verdict, in Markdown, with its chip.

    Examples
    --------
    >>> counts = verdict_counts(Ledger())
    >>> counts.count("verdict-holds"), "supported only when" in counts
    (1, True)
    """
    found = Counter(claim.verdict for claim in _of_the_tutorial(ledger))
    return " ".join(f"{found[words]}\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}{chip(words)}"
                    for words in VERDICTS if found[words])  # fmt: skip


def on_one_scale(condition: Condition, value: float) -> float:
    """Return where a measured value stands on the scale that all conditions share.

    1 is the threshold. Of an effect, 0 is no effect and −1 the threshold's mirror image, and ratios
    are compared by their logarithms. Of a demand, 2 and 0 lie as far from the threshold as it is
    from nothing.

    Parameters
    ----------
    condition : Condition
    value : float, in the condition's own units

    Examples
    --------
    >>> faster = Condition("faster", at_least=2.0, no_effect=1)
    >>> [on_one_scale(faster, value) for value in (4.0, 2.0, 1.0, 0.5)]
    [2.0, 1.0, 0.0, -1.0]
    >>> alarms = Condition("alarms", at_most=0.1)
    >>> [on_one_scale(alarms, value) for value in (0.0, 0.1, 0.2)]
    [2.0, 1.0, 0.0]
    """
    bar = condition.threshold
    if condition.no_effect == 1:
        return math.log(value) / math.log(bar) if value > 0 else -math.inf
    if condition.no_effect == 0:
        return value / bar
    beyond = value - bar if condition.upward else bar - value
    return 1.0 + beyond / (abs(bar) or 1.0)


def forest(ledger: Ledger) -> str:
    """Return the forest plot of all conditions, as HTML: name, interval, effect, outcome.

    Parameters
    ----------
    ledger : Ledger

    Examples
    --------
    >>> plot = forest(Ledger())
    >>> plot.count("<svg") - 1 == sum(len(c.conditions) for c in Ledger().claims.values())
    True
    """
    groups = []
    for claim_id in ledger.record():
        claim, measured = ledger.claims[claim_id], ledger.measured(claim_id)
        outcomes = claim.outcomes(measured)
        rows = "".join(_forest_row(condition, measured.get(condition.name),
                                   outcomes[condition.name])
                       for condition in claim.conditions)  # fmt: skip
        groups.append(
            f'<li><a href="#sheet-{claim.id.lower()}" title="{escape(claim.says)}">{claim.id}</a>'
            f"<ul>{rows}</ul></li>"
        )
    scale = "".join(
        f'<text x="{_across(at) + 3:.1f}" y="12" text-anchor="{anchor}">{words}</text>'
        for at, words, anchor in ((-1, "opposite", "end"), (1, "threshold", "start"))
    )
    return (
        '<div class="a3c-forest">'
        f'<svg width="{_WIDE}" height="16" viewBox="0 0 {_WIDE} 16" aria-hidden="true">'
        f"{scale}</svg>"
        f"<ol>{''.join(groups)}</ol></div>"
    )


def _across(place: float) -> float:
    """Return how many pixels from the left a place on the common scale is; far ones come nearer."""
    least, most = math.asinh(-10.0), math.asinh(60.0)
    share = (math.asinh(min(max(place, -10.0), 60.0)) - least) / (most - least)
    return 4.0 + share * (_WIDE - 8.0)


def _forest_row(condition: Condition, measured: Interval | None, outcome: str) -> str:
    """Return a condition's row: the threshold a line, an effect's margin shaded, the interval."""
    middle = _HIGH / 2
    bar = _across(1.0)
    parts = [f'<path class="a3c-bar" d="M{bar:.1f} 0v{_HIGH}"/>']
    if condition.mirror is not None:
        other = _across(-1.0)
        parts.insert(0, f'<rect class="a3c-margin" x="{other:.1f}" y="0" '
                        f'width="{bar - other:.1f}" height="{_HIGH}"/>')  # fmt: skip
    effect = "not measured"
    if measured is not None:
        effect = measured.text().replace(", ", ",\N{NO-BREAK SPACE}")
        low, mean, high = (
            _across(on_one_scale(condition, value))
            for value in (measured.low, measured.mean, measured.high)
        )
        parts.append(f'<path class="a3c-interval" d="M{low:.1f} {middle}H{high:.1f}"/>')
        parts.append(f'<circle class="a3c-effect" cx="{mean:.1f}" cy="{middle}" r="4"/>')
    return (
        f'<li class="a3c-is-{_CHIPS.get(outcome, "open")}"><span>{_together(condition.name)} '
        f"<small>{_sign(condition)}</small></span>"
        f'<svg width="{_WIDE}" height="{_HIGH}" viewBox="0 0 {_WIDE} {_HIGH}" '
        f'aria-hidden="true">{"".join(parts)}</svg>'
        f"<span>{effect}</span>{chip(outcome)}</li>"
    )


def _together(name: str) -> str:
    """Escape a name for HTML, and part no "n = 5" at the end of a line."""
    return re.sub(r"(\b\w) = ", "\\1\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}", escape(name))


def claim_rows(ledger: Ledger) -> str:
    """Return all claims on record as rows that unfold, in Markdown: the sheet is inside.

    Parameters
    ----------
    ledger : Ledger

    Examples
    --------
    >>> rows = claim_rows(Ledger())
    >>> rows.count("{dropdown}") == len(Ledger().record())
    True
    """
    rows = []
    for claim_id in ledger.record():
        claim = ledger.claims[claim_id]
        rows.append(
            f"`````{{dropdown}} {claim.id}: {claim.says} {chip(claim.verdict)}\n\n"
            f'<span id="sheet-{claim.id.lower()}"></span>\n\n{claim_sheet(ledger, claim_id)}\n`````'
        )
    return "\n\n".join(rows)


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
    said_by = f"Section {claim.section} of the tutorial"
    if claim.source:
        said_by = f"Not of the tutorial, but of {claim.source}"
    return "\n\n".join(
        [
            _verdict(ledger, claim),
            f"**Hypothesis.** {_marked(claim, claim.hypothesis)}",
            f"**Metric.** {_marked(claim, claim.metric)}",
            f"**Protocol.** {_marked(claim, claim.protocol)}",
            "\n".join(rows),
            *(_earlier(claim, past) for past in claim.history),
            f"{said_by}; {claim_link(claim, 'where it is settled')}.",
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


def _sign(condition: Condition) -> str:
    sign = "≥" if condition.upward else "≤"
    return f"{sign}\N{NO-BREAK SPACE}{condition.threshold:g}".replace("-", "−")


def _threshold(condition: Condition) -> str:
    said = _sign(condition)
    if condition.mirror is not None:
        said += f" (mirror image: {condition.mirror:.3g})"
    return said.replace("-", "−")
