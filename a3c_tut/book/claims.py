"""The claims ledger: what the tutorial says, how it is measured, and what came out (Section 6).

A claim is settled by rule, not by taste. Its protocol and its thresholds are written into the
ledger (`a3c_tut/book/data/claims.toml`) before anything is run. Each condition of a claim is
measured with a 95 % interval, and has one of four outcomes. They depend on where the *whole*
interval lies.

*An effect* has a threshold, the smallest effect that matters, and a value that stands for no
effect: 0 for a difference, 1 for a ratio. The threshold's mirror image is the same effect the other
way round: −T for a difference, 1/T for a ratio.

- holds: the interval lies at the threshold or beyond it;
- contradicted: it lies at the mirror image or beyond it, so that the opposite is true;
- no difference that matters: it lies between the two, and reaches neither;
- open: it lies across one of them, or both. More runs would narrow it.

*A demand* ("at most one false alarm in ten") has a threshold and nothing that stands for no effect.
It holds when the interval lies at the threshold or on its right side, is contradicted when the
interval lies on the wrong side, and is open in between. What no run here could settle is open, too,
and says what would settle it.

The verdict follows from the outcomes:

- supported: all conditions hold;
- supported only when …: some hold, and these say when;
- contradicted: none holds, none is open, and at least one is contradicted;
- no difference that matters: that is what all of them say;
- cannot be settled here: anything else, and what would settle it.

The ledger also holds the verdict that the prose was written for; if the rule says something else,
or the numbers are not those on record, the cell fails, and with it the build. Verdicts that were
replaced stay in the ledger, with the reason.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from a3c_tut.book.places import DATA
from a3c_tut.files import written_whole

#: The outcomes of a condition.
HOLDS, CONTRADICTED, NEGLIGIBLE = "holds", "contradicted", "no difference that matters"
OPEN = "open"
#: The verdicts that are not the name of an outcome.
SUPPORTED, CONDITIONAL, UNSETTLED = "supported", "supported only when", "cannot be settled here"
#: All verdicts.
VERDICTS = (SUPPORTED, CONDITIONAL, CONTRADICTED, NEGLIGIBLE, UNSETTLED)
#: What stands in the ledger in place of a verdict while a protocol waits for its runs.
NOT_YET_RUN = "not yet run"


class ClaimError(AssertionError):
    """Prose, data and verdict disagree.

    Examples
    --------
    >>> Condition("more noise")
    Traceback (most recent call last):
    ...
    a3c_tut.book.claims.ClaimError: condition 'more noise': give one of at_least and at_most
    """


@dataclass(frozen=True)
class Interval:
    """A measured effect with its confidence interval.

    Attributes
    ----------
    mean, low, high : float
        The effect, and the ends of its 95 % interval, to six significant digits: the last digits
        of a mean depend on the machine, and nobody reads them.

    Examples
    --------
    >>> Interval(2 / 3, 0.1 + 0.2, 1234567.0)
    Interval(mean=0.666667, low=0.3, high=1234570.0)
    >>> Interval(1.5, 1.2, 1.8).text()
    '1.50 [1.20, 1.80]'
    """

    mean: float
    low: float
    high: float

    def __post_init__(self) -> None:
        for name in ("mean", "low", "high"):
            object.__setattr__(self, name, float(f"{getattr(self, name):.6g}"))

    def text(self, digits: int | None = None) -> str:
        """Return "mean [low, high]", with so many digits after the point.

        Parameters
        ----------
        digits : int, optional
            Negative ones round to tens, hundreds and so on. Default: two digits of the interval's
            width, and one more where an end would look like 0 without being it.

        Returns
        -------
        str
            The mean alone where the interval is a point: what was computed, or came out the same
            in every run.

        Examples
        --------
        >>> Interval(-1500.0, -1600.0, 0.5).text(digits=0)
        '−1,500 [−1,600, 0]'
        >>> Interval(8974.4, 5230.9, 14870.1).text(), Interval(0.035, 0.004, 0.066).text()
        ('9,000 [5,200, 14,900]', '0.035 [0.004, 0.066]')
        >>> Interval(78.57, 78.57, 78.57).text(), Interval(2.0, 1.5, math.inf).text()
        ('78.6', '2.00 [1.50, ∞]')
        """
        ends = (self.mean, self.low, self.high)
        digits = self._digits() if digits is None else digits
        # 0.0 is added because what rounds to −0 is 0.
        rounded = (round(x, digits) + 0.0 for x in ends)
        mean, low, high = (
            f"{x:,.{max(digits, 0)}f}".replace("-", "−").replace("inf", "∞") for x in rounded
        )
        return mean if self.low == self.high else f"{mean} [{low}, {high}]"

    def _digits(self) -> int:
        width, size = self.high - self.low, abs(self.mean) / 10
        scale = width if 0 < width < math.inf else size
        digits = 1 - math.floor(math.log10(scale)) if 0 < scale < math.inf else 0
        hidden = any(x != 0 and round(x, digits) == 0 for x in (self.mean, self.low, self.high))
        return digits + hidden


@dataclass(frozen=True)
class Condition:
    """One thing that a claim says about its measurement.

    Parameters
    ----------
    name : str
    at_least, at_most : float, one of the two
        The threshold: of an effect, the smallest that matters; of a demand, what is demanded.
    no_effect : 0 or 1, optional
        Of an effect: 0 for a difference, 1 for a ratio. Left out: a demand.
    when : str
        Completes the verdict "supported only when", if this condition is one of those that hold.
    cannot : str
        What would settle this condition, if no run here can. It is open, whatever was measured, and
        need not be measured.

    Raises
    ------
    ClaimError
        When none or both of the thresholds are given, `no_effect` is something else than 0 or 1, or
        an effect's threshold does not lie beyond it.

    Examples
    --------
    >>> Condition("buffer", at_least=1.0, no_effect=1)
    Traceback (most recent call last):
    ...
    a3c_tut.book.claims.ClaimError: condition 'buffer': the threshold 1.0 is not beyond no effect, 1
    """

    name: str
    at_least: float | None = None
    at_most: float | None = None
    no_effect: float | None = None
    when: str = ""
    cannot: str = ""

    def __post_init__(self) -> None:
        if (self.at_least is None) == (self.at_most is None):
            raise ClaimError(f"condition {self.name!r}: give one of at_least and at_most")
        if self.no_effect not in (None, 0, 1):
            raise ClaimError(f"condition {self.name!r}: no_effect is {self.no_effect}, not 0 or 1")
        beyond = self.threshold - (self.no_effect or 0.0)
        if self.no_effect is not None and (beyond if self.upward else -beyond) <= 0:
            raise ClaimError(
                f"condition {self.name!r}: the threshold {self.threshold} is not beyond no effect, "
                f"{self.no_effect}"
            )

    @property
    def upward(self) -> bool:
        """Whether more is asked for, not less.

        Examples
        --------
        >>> Condition("alarms", at_most=0.1).upward
        False
        """
        return self.at_least is not None

    @property
    def threshold(self) -> float:
        """The threshold, on whichever side.

        Examples
        --------
        >>> Condition("alarms", at_most=0.1).threshold
        0.1
        """
        value = self.at_least if self.at_least is not None else self.at_most
        assert value is not None
        return value

    @property
    def mirror(self) -> float | None:
        """The same effect the other way round; None for a demand.

        Examples
        --------
        >>> Condition("wider", at_least=0.02, no_effect=0).mirror
        -0.02
        >>> Condition("faster", at_least=1.25, no_effect=1).mirror
        0.8
        """
        if self.no_effect is None:
            return None
        return 1.0 / self.threshold if self.no_effect == 1 else -self.threshold

    def outcome(self, measured: Interval | None) -> str:
        """Return what an interval says about this condition.

        Parameters
        ----------
        measured : Interval
            Or None where the condition says that nothing here can settle it.

        Returns
        -------
        str
            `HOLDS`, `CONTRADICTED`, `NEGLIGIBLE` or `OPEN`, by the rule at the top of the module.

        Raises
        ------
        ClaimError
            When nothing was measured that could have been.

        Examples
        --------
        An effect, here a ratio that matters from 1.25 on, and so from 0.8 downwards:

        >>> faster = Condition("faster", at_least=1.25, no_effect=1)
        >>> faster.outcome(Interval(1.5, 1.25, 1.8))
        'holds'
        >>> faster.outcome(Interval(0.7, 0.6, 0.8))
        'contradicted'
        >>> faster.outcome(Interval(1.1, 1.05, 1.15))
        'no difference that matters'
        >>> faster.outcome(Interval(1.1, 0.9, 1.3)), faster.outcome(Interval(0.85, 0.75, 0.95))
        ('open', 'open')

        A demand knows right, wrong and open:

        >>> alarms = Condition("alarms", at_most=0.1)
        >>> for ends in (0.02, 0.08), (0.3, 0.5), (0.05, 0.15):
        ...     print(alarms.outcome(Interval(sum(ends) / 2, *ends)))
        holds
        contradicted
        open

        And some things need another machine:

        >>> Condition("faster", at_least=8.0, cannot="sixteen cores").outcome(None)
        'open'
        """
        if self.cannot:
            return OPEN
        if measured is None:
            raise ClaimError(f"condition {self.name!r}: nothing was measured")
        sign = 1.0 if self.upward else -1.0
        low, high = sorted((sign * measured.low, sign * measured.high))
        bar = sign * self.threshold
        if low >= bar:
            return HOLDS
        if self.mirror is None:
            return CONTRADICTED if high < bar else OPEN
        other = sign * self.mirror
        if high <= other:
            return CONTRADICTED
        return NEGLIGIBLE if other < low and high < bar else OPEN


@dataclass(frozen=True)
class Past:
    """A verdict that a claim once had.

    Attributes
    ----------
    protocol : str
        How it was measured then.
    verdict : str
        What came out, and with what numbers.
    reason : str
        Why it was settled anew.

    Examples
    --------
    >>> Past("30 cups", "not supported", "30 cups are too few to tell.").verdict
    'not supported'
    """

    protocol: str
    verdict: str
    reason: str


Measured = Mapping[str, Interval]


@dataclass(frozen=True)
class Claim:
    """An entry of the ledger (Section 6).

    Attributes
    ----------
    id, section, page : str
        "C01" and so on; the section of the tutorial that says it; the page that settles it.
    says : str
        What the tutorial says.
    hypothesis, metric, protocol : str
        What that would mean for a measurement, what is measured, and how.
    conditions : tuple of Condition
        What has to come out.
    verdict : str
        What the prose was written for.
    when : str
        Completes the verdict "supported only when". Default: what the conditions that hold say.
    timing : bool
        Whether it is read from records of real time, which seeds do not change.
    source : str
        Who says it, if not the tutorial: a paper. Then `section` is empty.
    history : tuple of Past
        Verdicts that were replaced, oldest first.

    Examples
    --------
    A claim with two conditions, and what each pair of outcomes comes to:

    >>> claim = Claim(
    ...     id="C00", section="1", page="introduction", says="Sugar makes water sweet and warm.",
    ...     hypothesis="Both rise.", metric="points, degrees", protocol="30 cups",
    ...     conditions=(Condition("sweet", at_least=1.0, no_effect=0, when="it is tasted"),
    ...                 Condition("warm", at_least=1.0, no_effect=0, when="it is touched")),
    ...     verdict="supported only when")
    >>> more, less = Interval(2.0, 1.5, 2.5), Interval(-2.0, -2.5, -1.5)
    >>> same, wide = Interval(0.0, -0.5, 0.5), Interval(0.0, -2.0, 2.0)
    >>> for pair in (more, more), (more, wide), (less, same), (same, same), (less, wide):
    ...     print(claim.rule(dict(zip(("sweet", "warm"), pair))))
    supported
    supported only when
    contradicted
    no difference that matters
    cannot be settled here

    As the end of a sentence:

    >>> claim.verdict_text({"sweet": more, "warm": wide})
    'supported only when it is tasted'
    >>> claim.verdict_text({"sweet": less, "warm": wide})
    'cannot be settled here (what would settle it: more runs for "warm")'

    The fingerprint changes with the protocol, and not with the verdict:

    >>> from dataclasses import replace
    >>> claim.fingerprint() == replace(claim, verdict="supported").fingerprint()
    True
    >>> claim.fingerprint() == replace(claim, protocol="3 cups").fingerprint()
    False
    """

    id: str
    section: str
    page: str
    says: str
    hypothesis: str
    metric: str
    protocol: str
    conditions: tuple[Condition, ...]
    verdict: str
    when: str = ""
    timing: bool = False
    source: str = ""
    history: tuple[Past, ...] = ()

    def outcomes(self, measured: Measured) -> dict[str, str]:
        """Return the outcome of each condition, by its name.

        Parameters
        ----------
        measured : mapping of condition name to Interval

        Raises
        ------
        ClaimError
            When the measurement has other conditions than the ledger.

        Examples
        --------
        >>> claim = Ledger().claims["C14"]
        >>> silent = dict.fromkeys((c.name for c in claim.conditions), Interval(0.0, 0.0, 0.0))
        >>> claim.outcomes(silent)["false alarms"]
        'holds'
        """
        names = [c.name for c in self.conditions]
        needed = [c.name for c in self.conditions if not c.cannot]
        if not set(needed) <= set(measured) <= set(names):
            raise ClaimError(f"{self.id}: measured {sorted(measured)}, the ledger asks for {names}")
        return {c.name: c.outcome(measured.get(c.name)) for c in self.conditions}

    def rule(self, measured: Measured) -> str:
        """Return the verdict that the outcomes give, one of `VERDICTS`.

        Parameters
        ----------
        measured : mapping of condition name to Interval

        Raises
        ------
        ClaimError
            When the measurement has other conditions than the ledger.
        """
        found = set(self.outcomes(measured).values())
        if HOLDS in found:
            return SUPPORTED if found == {HOLDS} else CONDITIONAL
        if OPEN in found:
            return UNSETTLED
        return CONTRADICTED if CONTRADICTED in found else NEGLIGIBLE

    def verdict_text(self, measured: Measured) -> str:
        """Return the verdict that the outcomes give, as a sentence's end.

        Raises
        ------
        ClaimError
            When it is "supported only when", and nothing says when.
        """
        verdict, outcomes = self.rule(measured), self.outcomes(measured)
        if verdict == CONDITIONAL:
            holding = [c.when for c in self.conditions if c.when and outcomes[c.name] == HOLDS]
            when = self.when or ", or when ".join(dict.fromkeys(holding))
            if not when:
                raise ClaimError(f"{self.id}: supported only when? The ledger does not say")
            return f"{verdict} {when}"
        if verdict == UNSETTLED:
            return f"{verdict} (what would settle it: {self._needed(outcomes)})"
        return verdict

    def _needed(self, outcomes: Mapping[str, str]) -> str:
        needed = list(dict.fromkeys(c.cannot for c in self.conditions if c.cannot))
        wide = [c.name for c in self.conditions if outcomes[c.name] == OPEN and not c.cannot]
        if wide:
            needed.append("more runs for " + " and ".join(f'"{name}"' for name in wide))
        return "; ".join(needed)

    def fingerprint(self) -> str:
        """Return a digest of what has to stand before the data: protocol and conditions."""
        later = {"verdict", "when", "page", "history", "timing", "source"}
        fixed = {name: value for name, value in asdict(self).items() if name not in later}
        return hashlib.sha256(json.dumps(fixed, sort_keys=True).encode()).hexdigest()[:16]


class Ledger:
    """All claims, and the record of what was measured.

    Parameters
    ----------
    folder : path, optional
        Where `claims.toml` and `claims.json` lie. Default: the package's own data.

    Raises
    ------
    ClaimError
        When a field of an entry is missing or unknown, a verdict is unknown, or an id stands twice.
    FileNotFoundError
        When there is no `claims.toml`.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "claims.toml").write_text('''
    ... [[claim]]
    ... id = "C00"
    ... section = "1"
    ... page = "introduction"
    ... says = "Water is wet."
    ... hypothesis = "Wetness is above 1."
    ... metric = "wetness"
    ... protocol = "30 cups, seeds 0–29"
    ... verdict = "supported"
    ... conditions = [{ name = "wet", at_least = 1.0 }]
    ... ''')
    >>> ledger = Ledger(folder)
    >>> ledger.settle("C00", {"wet": Interval(2.0, 1.5, 2.5)}, refresh=True)
    'supported'
    >>> ledger.settle("C00", {"wet": Interval(2.0, 0.5, 3.5)})
    Traceback (most recent call last):
    ...
    a3c_tut.book.claims.ClaimError: C00: the data say 'cannot be settled here', the ledger says \
'supported'

    What is on record is complete:

    >>> ledger.check_complete()
    >>> ledger.record()["C00"]["measured"]
    {'wet': {'mean': 2.0, 'low': 1.5, 'high': 2.5}}
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None):
        self.folder = DATA if folder is None else Path(folder)
        entries = tomllib.loads((self.folder / "claims.toml").read_text(encoding="utf-8"))["claim"]
        self.claims = {entry["id"]: _claim(entry) for entry in entries}
        if len(self.claims) != len(entries):
            raise ClaimError("an id stands twice in the ledger")

    @property
    def _record_path(self) -> Path:
        return self.folder / "claims.json"

    def record(self) -> dict[str, Any]:
        """Return what was measured, by claim."""
        if not self._record_path.exists():
            return {}
        content: dict[str, Any] = json.loads(self._record_path.read_text(encoding="utf-8"))
        return content

    def measured(self, claim_id: str) -> dict[str, Interval]:
        """Return what is on record for a claim, by condition.

        Parameters
        ----------
        claim_id : str, such as "C01"

        Examples
        --------
        >>> Ledger().measured("C12")["steps, every 50 pushes"].low > 1.0
        True
        """
        kept = self.record()[claim_id]["measured"]
        return {name: Interval(**value) for name, value in kept.items()}

    def settle(self, claim_id: str, measured: Measured, refresh: bool | None = None) -> str:
        """Hold a measurement against the ledger and the record.

        Parameters
        ----------
        claim_id : str
        measured : mapping of condition name to Interval
        refresh : bool, optional
            Write the record instead of comparing with it. Default: whether the environment says
            `A3C_REFRESH=1`, as `make notebooks` does.

        Returns
        -------
        str
            The verdict, as a sentence's end. In a notebook it is also glued as `C01-verdict`, and
            each condition's interval as `C01-name` (and `-mean`, `-low`, `-high`).

        Raises
        ------
        ClaimError
            When the rule gives another verdict than the ledger holds, the numbers are not those on
            record, or the protocol has changed since they were measured.
        """
        claim = self.claims[claim_id]
        by_rule = claim.rule(measured)
        entry = {
            "protocol": claim.fingerprint(),
            "verdict": by_rule,
            "measured": {name: asdict(value) for name, value in measured.items()},
        }
        if os.environ.get("A3C_REFRESH") == "1" if refresh is None else refresh:
            self._write(claim_id, entry)
        if by_rule != claim.verdict:
            raise ClaimError(
                f"{claim_id}: the data say {by_rule!r}, the ledger says {claim.verdict!r}"
            )
        self._compare(claim, entry)
        text = claim.verdict_text(measured)
        _glue(claim, measured, text)
        return text

    def _write(self, claim_id: str, entry: dict[str, Any]) -> None:
        record = self.record() | {claim_id: entry}
        with written_whole(self._record_path) as temporary:
            temporary.write_text(json.dumps(dict(sorted(record.items())), indent=1) + "\n")

    def _compare(self, claim: Claim, entry: dict[str, Any]) -> None:
        known = self.record().get(claim.id)
        if known is None:
            raise ClaimError(f"{claim.id}: nothing on record; run `make notebooks`")
        if known["protocol"] != entry["protocol"]:
            raise ClaimError(f"{claim.id}: the protocol has changed since the data were taken")
        for name, interval in entry["measured"].items():
            for key, value in interval.items():
                before = known["measured"][name][key]
                if value != before:
                    raise ClaimError(
                        f"{claim.id}: {name} ({key}) is {value}, on record is {before}"
                    )

    def check_complete(self) -> None:
        """Make sure that every claim is settled, as its verdict says.

        Raises
        ------
        ClaimError
            When one is missing from the record, or settled otherwise.
        """
        record = self.record()
        for claim in self.claims.values():
            entry = record.get(claim.id)
            if entry is None:
                raise ClaimError(f"{claim.id}: nothing on record")
            if entry["protocol"] != claim.fingerprint():
                raise ClaimError(f"{claim.id}: the protocol has changed since the data were taken")
            if claim.rule(self.measured(claim.id)) != claim.verdict:
                raise ClaimError(f"{claim.id}: record and verdict disagree")
        extra = sorted(set(record) - set(self.claims))
        if extra:
            raise ClaimError(f"on record but not in the ledger: {extra}")


_NEEDED = {"id", "section", "page", "says", "hypothesis", "metric", "protocol", "conditions",
           "verdict"}  # fmt: skip
_FURTHER = {"when", "timing", "source", "history"}


def _claim(entry: dict[str, Any]) -> Claim:
    missing, extra = _NEEDED - set(entry), set(entry) - _NEEDED - _FURTHER
    if missing or extra:
        raise ClaimError(
            f"{entry.get('id')}: missing {sorted(missing)}, unknown {sorted(extra)} in the ledger"
        )
    if entry["verdict"] not in (*VERDICTS, NOT_YET_RUN):
        raise ClaimError(f"{entry['id']}: verdict is {entry['verdict']!r}")
    conditions = tuple(Condition(**condition) for condition in entry["conditions"])
    history = tuple(Past(**past) for past in entry.get("history", ()))
    return Claim(**{**entry, "conditions": conditions, "history": history})


def _glue(claim: Claim, measured: Measured, text: str) -> None:
    """Hand verdict and numbers to the prose, where there is a notebook to do so."""
    try:
        from IPython import get_ipython
        from myst_nb import glue
    except ImportError:
        return
    if get_ipython() is None:
        return
    glue(f"{claim.id}-verdict", _Plain(text), display=False)
    for name, interval in measured.items():
        key = f"{claim.id}-{name.replace(' ', '-')}"
        glue(key, _Plain(interval.text()), display=False)
        for part, value in asdict(interval).items():
            glue(f"{key}-{part}", value, display=False)


class _Plain(str):
    """Text that shows without quotes."""

    def __repr__(self) -> str:
        return str(self)
