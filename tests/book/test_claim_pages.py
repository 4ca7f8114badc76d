"""The pages that are made of the ledger."""

import pytest

from a3c_tut.book.claim_pages import claim_link, claim_sheet, verdict_table
from a3c_tut.book.claims import Interval, Ledger

ENTRY = """
[[claim]]
id = "C00"
section = "1"
page = "water"
says = "Water is wet."
hypothesis = "Wetness is above 1."
metric = "wet: cups of rain_water. dry: none. A wet: no"
protocol = "30 cups"
when = "it is liquid"
verdict = "supported only when"
conditions = [{ name = "wet", at_least = 1.0 }, { name = "dry", at_most = 2.0 }]
"""


@pytest.fixture
def ledger(tmp_path):
    (tmp_path / "claims.toml").write_text(ENTRY)
    ledger = Ledger(tmp_path)
    measured = {"wet": Interval(2.0, 1.5, 2.5), "dry": Interval(3.0, 2.5, 3.5)}
    ledger.settle("C00", measured, refresh=True)
    return ledger


def test_a_sheet_says_what_holds(ledger):
    sheet = claim_sheet(ledger, "C00")
    assert "| wet ≥ 1 | 2.0 [1.5, 2.5] | yes |" in sheet.replace("\N{NO-BREAK SPACE}", " ")
    assert "| dry ≤\N{NO-BREAK SPACE}2 | 3.0 [2.5,\N{NO-BREAK SPACE}3.5] | no |" in sheet
    assert "**supported only when** it is liquid" in sheet
    assert "*wet:* cups of `rain_water`. *dry:* none. A wet: no" in sheet


@pytest.mark.parametrize(
    "source, link",
    [("(claim-c00)=", "[C00](#claim-c00)"), ("no label", "[C00](water.md)"), (None, "C00")],
)
def test_links_lead_to_the_very_section(ledger, source, link):
    if source is not None:
        (ledger.folder / "water.md").write_text(source)
    assert claim_link(ledger, ledger.claims["C00"]) == link
    assert f"| {link} | Water is wet. (1) |" in verdict_table(ledger)
