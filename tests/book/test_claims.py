"""The claims ledger: that the rule decides, and that whatever disagrees with it fails.

The book's own ledger, its pages and its record are checked, too; and each of these checks is shown
to see what it looks for.
"""

import json
import re
from pathlib import Path

import nbformat
import pytest

from a3c_tut.book.claims import (
    CONDITIONAL,
    NOT_SUPPORTED,
    SUPPORTED,
    ClaimError,
    Condition,
    Interval,
    Ledger,
)

BOOK = Path(__file__).resolve().parents[2] / "book"

ENTRY = """
[[claim]]
id = "C00"
section = "1"
page = "introduction"
says = "Water is wet and warm."
hypothesis = "Both above their bars."
metric = "wetness, warmth"
protocol = "30 cups, seeds 0–29"
when = "{when}"
verdict = "{verdict}"
conditions = [{{ name = "wet", at_least = {bar} }}, {{ name = "warm", at_most = 5.0 }}]
"""

WET, DRY = Interval(2.0, 1.5, 2.5), Interval(2.0, 0.5, 3.5)
WARM, HOT = Interval(4.0, 3.0, 4.5), Interval(4.0, 3.0, 6.0)


def ledger(folder, verdict=SUPPORTED, when="", bar=1.0):
    text = ENTRY.format(verdict=verdict, when=when, bar=bar)
    (folder / "claims.toml").write_text(text, encoding="utf-8")
    return Ledger(folder)


# --- The rule ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wet, warm, verdict",
    [
        (WET, WARM, SUPPORTED),
        (DRY, WARM, CONDITIONAL),
        (WET, HOT, CONDITIONAL),
        (DRY, HOT, NOT_SUPPORTED),
    ],
)
def test_the_rule_gives_the_verdict(tmp_path, wet, warm, verdict):
    assert ledger(tmp_path).claims["C00"].rule({"wet": wet, "warm": warm}) == verdict


def test_the_whole_interval_counts():
    bar = Condition("wet", at_least=1.0)
    assert bar.holds(Interval(1.2, 1.0, 1.4))
    assert not bar.holds(Interval(1.2, 0.999, 1.4))


def test_a_measurement_of_something_else_is_refused(tmp_path):
    with pytest.raises(ClaimError, match="asks for"):
        ledger(tmp_path).settle("C00", {"wet": WET}, refresh=True)


# --- What has to fail --------------------------------------------------------------------------


def test_planted_disagreement_of_data_and_verdict_fails(tmp_path):
    with pytest.raises(ClaimError, match="the data say 'supported only when'"):
        ledger(tmp_path).settle("C00", {"wet": DRY, "warm": WARM}, refresh=True)


def test_planted_disagreement_of_numbers_and_record_fails(tmp_path):
    book = ledger(tmp_path)
    book.settle("C00", {"wet": WET, "warm": WARM}, refresh=True)
    assert book.settle("C00", {"wet": WET, "warm": WARM}, refresh=False) == SUPPORTED
    other = Interval(2.0001, 1.5, 2.5)
    with pytest.raises(ClaimError, match="on record is"):
        book.settle("C00", {"wet": other, "warm": WARM}, refresh=False)


def test_a_protocol_changed_after_the_data_fails(tmp_path):
    book = ledger(tmp_path)
    book.settle("C00", {"wet": WET, "warm": WARM}, refresh=True)
    changed = ledger(tmp_path, bar=0.5)
    with pytest.raises(ClaimError, match="protocol has changed"):
        changed.settle("C00", {"wet": WET, "warm": WARM}, refresh=False)
    with pytest.raises(ClaimError, match="protocol has changed"):
        changed.check_complete()


def test_an_unsettled_claim_fails(tmp_path):
    with pytest.raises(ClaimError, match="nothing on record"):
        ledger(tmp_path).check_complete()


def test_an_open_verdict_is_no_verdict(tmp_path):
    with pytest.raises(ClaimError, match="the ledger says 'open'"):
        ledger(tmp_path, verdict="open").settle("C00", {"wet": WET, "warm": WARM}, refresh=True)


# --- The book's ledger -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def book():
    return Ledger(BOOK)


def test_entries_are_sorted_and_complete(book):
    assert list(book.claims) == [f"C{n:02d}" for n in range(1, 20)]
    for claim in book.claims.values():
        assert re.search(r"seeds|record", claim.protocol), claim.id
        assert re.search(r"(?i)control|held equal", claim.protocol), claim.id
        assert (claim.verdict == CONDITIONAL) == bool(claim.when), claim.id


def test_every_claim_is_settled_as_its_verdict_says(book):
    book.check_complete()


def shifted(condition: Condition) -> Interval:
    """Return planted data on the wrong side of a threshold."""
    if condition.at_least is not None:
        return Interval(
            condition.at_least - 1.0, condition.at_least - 2.0, condition.at_least - 0.5
        )
    return Interval(condition.at_most + 1.0, condition.at_most + 0.5, condition.at_most + 2.0)


def test_every_threshold_fails_on_planted_data(book):
    """Not three of them: each."""
    record = book.record()
    assert len(record) >= 3
    for claim in (book.claims[name] for name in record):
        measured = {n: Interval(**v) for n, v in record[claim.id]["measured"].items()}
        for condition in claim.conditions:
            planted = {**measured, condition.name: shifted(condition)}
            assert not condition.holds(planted[condition.name])
            if condition.holds(measured[condition.name]):
                before, after = claim.rule(measured), claim.rule(planted)
                assert after != SUPPORTED
                if (
                    before == SUPPORTED
                    or sum(c.holds(measured[c.name]) for c in claim.conditions) == 1
                ):
                    assert after != before


# --- The pages ---------------------------------------------------------------------------------

SETTLES = re.compile(r"""\.settle\(\s*["'](C\d\d)["']""")
GLUED = re.compile(r"\{glue:text\}`[^`]*`")
#: What may be written with digits: references, quoted settings, formulas, code, tables of settings.
ALLOWED = re.compile(
    r"""\{[a-z:]+\}`[^`]*`       # roles: glue, numref, doc, cite
      | `[^`]*`                  # code
      | \$[^$]*\$                # formulas
      | C\d\d | Claim\ C\d\d | Section\ \d(\.\d)? | 95\ % | 30\ seeds""",
    re.VERBOSE,
)
#: A sentence about a result is one that quotes a claim's number or verdict. It may also name the
#: protocol's own numbers, which are fixed beforehand: those that stand in the ledger's entry.
RESULT = re.compile(r"\{glue:text\}`(C\d\d)-")


def cells(path, kind):
    notebook = nbformat.read(path, as_version=4)
    return [cell.source for cell in notebook.cells if cell.cell_type == kind]


def pages():
    return sorted(BOOK.glob("*.ipynb"))


def typed_numbers(text, claims):
    """Return the numbers typed by hand into sentences that quote a claim's measurement."""
    found = []
    for sentence in re.split(r"(?<=[.!?:])\s+|\n\n|\n(?=\|)", text):
        quoted = RESULT.findall(sentence)
        if not quoted:
            continue
        known = " ".join(
            f"{c.protocol} {c.metric} {c.hypothesis} {c.conditions}"
            for c in (claims[name] for name in quoted if name in claims)
        )
        fixed = set(re.findall(r"\d[\d,.]*\d|\d", known))
        for number in re.findall(r"\d[\d,.]*\d|\d", ALLOWED.sub("", sentence)):
            if number not in fixed and number not in ("0", "1"):
                found.append((number, sentence.strip()))
    return found


def test_every_claim_is_settled_in_one_cell_of_its_page(book):
    where = {}
    for path in pages():
        if path.stem == "claims":  # where a disagreement is planted, to be seen failing
            continue
        for source in cells(path, "code"):
            for name in SETTLES.findall(source):
                where.setdefault(name, []).append(path.stem)
    assert where == {claim.id: [claim.page] for claim in book.claims.values()}


def test_every_verdict_is_glued_where_it_is_settled(book):
    for claim in book.claims.values():
        prose = "\n".join(cells(BOOK / f"{claim.page}.ipynb", "markdown"))
        assert f"{{glue:text}}`{claim.id}-verdict`" in prose, claim.id


def test_no_number_about_a_result_is_typed_by_hand(book):
    found = {
        path.stem: numbers
        for path in pages()
        if (numbers := typed_numbers("\n\n".join(cells(path, "markdown")), book.claims))
    }
    assert found == {}


def test_typed_numbers_are_seen(book):
    typed = "It is {glue:text}`C04-late` %, so 17.3 % more."
    assert [number for number, _ in typed_numbers(typed, book.claims)] == ["17.3"]
    glued = "It is {glue:text}`C04-late` %, {glue:text}`x:.1f` % more."
    assert typed_numbers(glued, book.claims) == []


def test_the_record_holds_nothing_else(book):
    content = json.loads((BOOK / "data" / "claims.json").read_text(encoding="utf-8"))
    assert set(content) <= set(book.claims)
