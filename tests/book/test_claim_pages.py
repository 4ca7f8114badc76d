"""The pages that are made of the ledger."""

import re
from pathlib import Path

import pytest

from a3c_tut.book.claim_pages import chip, claim_link, claim_sheet, verdict_table
from a3c_tut.book.claims import HOLDS, OPEN, VERDICTS, Interval, Ledger

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
