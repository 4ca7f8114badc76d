"""The pages that are made of the ledger."""

import re
from pathlib import Path

import pytest

from a3c_tut.book.claim_pages import (
    chip,
    claim_link,
    claim_rows,
    claim_sheet,
    forest,
    on_one_scale,
    verdict_counts,
    verdict_table,
)
from a3c_tut.book.claims import CONTRADICTED, HOLDS, OPEN, VERDICTS, Interval, Ledger

ROOT = Path(__file__).resolve().parents[2]

ENTRY = """
[[claim]]
id = "C00"
section = "1"
page = "water"
says = "Water is wet."
hypothesis = "Wetness is above 1."
metric = "wet: cups of rain_water. dry: none. A wet: no"
protocol = "30 cups"
verdict = "supported only when"
conditions = [
  { name = "wet", at_least = 1.0, when = "it is liquid" },
  { name = "dry", at_most = -2.0, no_effect = 0 },
]

[[claim.history]]
protocol = "3 cups"
verdict = "not supported"
reason = "They were too few."
"""


@pytest.fixture
def ledger(tmp_path):
    (tmp_path / "claims.toml").write_text(ENTRY)
    ledger = Ledger(tmp_path)
    measured = {"wet": Interval(2.0, 1.5, 2.5), "dry": Interval(3.0, 2.5, 3.5)}
    ledger.settle("C00", measured, refresh=True)
    return ledger


def test_a_sheet_says_what_holds(ledger):
    sheet = claim_sheet(ledger, "C00").replace("\N{NO-BREAK SPACE}", " ")
    assert sheet.startswith(f"{chip('supported only when')} it is liquid\n")
    assert f"| wet ≥ 1 | 2.0 [1.5, 2.5] | {chip('holds')} |" in sheet
    assert f"| dry ≤ −2 (mirror image: 2) | 3.0 [2.5, 3.5] | {chip('contradicted')} |" in sheet
    assert "*wet:* cups of `rain_water`. *dry:* none. A wet: no" in sheet
    assert "**Earlier:** not supported. *Protocol then:* 3 cups" in sheet
    assert "They were too few." in sheet


def test_links_lead_to_the_very_section(ledger):
    assert claim_link(ledger.claims["C00"]) == "[C00](#claim-c00)"
    assert "| [C00](#claim-c00) | Water is wet. (1) |" in verdict_table(ledger)


def test_every_word_has_a_chip_of_its_style():
    style = (ROOT / "book" / "static" / "a3c.css").read_text(encoding="utf-8")
    for words in (*VERDICTS, HOLDS, OPEN):
        name = re.search(r"verdict-(\w+)", chip(words))[1]
        assert name == "negligible" or f".verdict-{name} " in style, words
        assert f">{words}<" in chip(words)


def places_in(plot):
    """The lower end, the middle and the upper end of every interval, the bar and the margin.

    No ends where nothing was measured.
    """
    rows = []
    for row in re.findall(r'<li class="a3c-is-.*?</li>', plot):
        ends = []
        if "not measured" not in row:
            ends = [*re.search(r'"a3c-interval" d="M([\d.]+) [\d.]+H([\d.]+)"', row).groups()]
            ends.insert(1, re.search(r'"a3c-effect" cx="([\d.]+)"', row)[1])
        bar = re.search(r'"a3c-bar" d="M([\d.]+) ', row)[1]
        margin = re.search(r'"a3c-margin" x="([\d.]+)"', row)
        other = float(margin[1]) if margin else None
        rows.append(([float(x) for x in ends], float(bar), other))
    return rows


def test_the_forest_plot_shows_what_the_outcomes_say():
    """An interval that holds lies beyond the bar, a contradicted effect beyond the mirror image."""
    ledger = Ledger()
    rows, checked = (
        iter(places_in(forest(ledger))),
        dict.fromkeys(VERDICTS, 0) | {HOLDS: 0, OPEN: 0},
    )
    for claim in ledger.claims.values():
        measured = ledger.measured(claim.id)
        outcomes = claim.outcomes(measured)
        for condition in claim.conditions:
            ends, bar, other = next(rows)
            assert (ends == []) == (condition.name not in measured)
            if not ends:
                assert outcomes[condition.name] == OPEN
                continue
            low, high = min(ends), max(ends)
            outcome = outcomes[condition.name]
            checked[outcome] += 1
            assert (other is None) == (condition.mirror is None)
            if outcome == HOLDS:
                assert low >= bar - 0.1
            elif outcome == CONTRADICTED:
                assert high <= (bar if other is None else other) + 0.1
            elif outcome == OPEN:
                crossed = [line for line in (bar, other) if line is not None]
                assert any(low - 0.1 <= line <= high + 0.1 for line in crossed)
            else:
                assert other - 0.1 <= low <= high <= bar + 0.1
    assert next(rows, None) is None
    assert min(checked[outcome] for outcome in (HOLDS, CONTRADICTED, OPEN)) > 3


def test_the_forest_plot_says_every_effect_in_words(ledger):
    plot = forest(ledger).replace("\N{NO-BREAK SPACE}", " ")
    for words in ("wet <small>≥ 1</small>", "2.0 [1.5, 2.5]", chip(HOLDS),
                  "dry <small>≤ −2</small>", "3.0 [2.5, 3.5]", chip(CONTRADICTED)):  # fmt: skip
        assert f"{words}" in plot
    assert 'href="#sheet-c00" title="Water is wet."' in plot


def test_one_scale_for_all(ledger):
    wet, dry = ledger.claims["C00"].conditions
    assert [on_one_scale(wet, x) for x in (0.0, 1.0, 2.0)] == [0.0, 1.0, 2.0]
    assert [on_one_scale(dry, x) for x in (-4.0, -2.0, 0.0, 2.0)] == [2.0, 1.0, 0.0, -1.0]


def test_rows_unfold_to_the_sheets(ledger):
    rows = claim_rows(ledger)
    assert rows.startswith("`````{dropdown} C00: Water is wet. " + chip("supported only when"))
    assert claim_sheet(ledger, "C00") in rows
    assert 'id="sheet-c00"' in rows
    assert verdict_counts(ledger).replace("\N{NO-BREAK SPACE}", " ") == (
        f"1 × {chip('supported only when')}"
    )
