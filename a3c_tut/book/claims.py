"""The claims ledger: what the tutorial says, how it is measured, and what came out (Section 6).

A claim is settled by rule, not by taste. Its protocol and its thresholds are written into the
ledger (`book/claims.toml`) before anything is run. A measurement then passes each condition or
does not: passing all of them is "supported", some "supported only when …", none "not supported".
The ledger also holds the verdict that the prose was written for; if the rule says something else,
or the numbers are not those on record, the cell fails, and with it the build.
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

from a3c_tut.book.places import in_book
from a3c_tut.files import written_whole

SUPPORTED, CONDITIONAL, NOT_SUPPORTED = "supported", "supported only when", "not supported"
_FIELDS = ("id", "section", "page", "says", "hypothesis", "metric", "protocol", "conditions",
           "when", "verdict")  # fmt: skip


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
        >>> Interval(78.57, 78.57, 78.57).text()
        '78.6'
        """
        ends = (self.mean, self.low, self.high)
        digits = self._digits() if digits is None else digits
        # 0.0 is added because what rounds to −0 is 0.
        rounded = (round(x, digits) + 0.0 for x in ends)
        mean, low, high = (f"{x:,.{max(digits, 0)}f}".replace("-", "−") for x in rounded)
        return mean if self.low == self.high else f"{mean} [{low}, {high}]"

    def _digits(self) -> int:
        scale = self.high - self.low or abs(self.mean) / 10
        digits = 1 - math.floor(math.log10(scale)) if scale else 0
        hidden = any(x != 0 and round(x, digits) == 0 for x in (self.mean, self.low, self.high))
        return digits + hidden


@dataclass(frozen=True)
class Condition:
    """One thing that a claim demands of its measurement.

    Parameters
    ----------
    name : str
    at_least, at_most : float, one of the two
        The whole interval has to lie on this side of the threshold.

    Raises
    ------
    ClaimError
        When none or both of the thresholds are given.

    Examples
    --------
    >>> Condition("more noise", at_least=1.0).holds(Interval(1.5, 1.2, 1.8))
    True
    >>> Condition("more noise", at_least=1.0).holds(Interval(1.5, 0.9, 2.1))
    False
    """

    name: str
    at_least: float | None = None
    at_most: float | None = None

    def __post_init__(self) -> None:
        if (self.at_least is None) == (self.at_most is None):
            raise ClaimError(f"condition {self.name!r}: give one of at_least and at_most")

    def holds(self, measured: Interval) -> bool:
        """Return whether the whole interval lies on the right side."""
        if self.at_least is not None:
            return measured.low >= self.at_least
        assert self.at_most is not None
        return measured.high <= self.at_most


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
        The thresholds.
    when : str
        Completes the verdict "supported only when".
    verdict : str
        What the prose was written for.

    Examples
    --------
    >>> claim = Claim(
    ...     id="C00", section="1", page="introduction", says="Water is wet and warm.",
    ...     hypothesis="Both are above 1.", metric="cups", protocol="30 cups",
    ...     conditions=(Condition("wet", at_least=1.0), Condition("warm", at_least=1.0)),
    ...     when="it was heated", verdict="supported only when")
    >>> claim.rule({"wet": Interval(2.0, 1.5, 2.5), "warm": Interval(1.0, 0.5, 1.5)})
    'supported only when'
    >>> claim.verdict_text()
    'supported only when it was heated'

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
    when: str
    verdict: str

    def rule(self, measured: Mapping[str, Interval]) -> str:
        """Return the verdict that the thresholds give.

        Parameters
        ----------
        measured : mapping of condition name to Interval

        Returns
        -------
        str
            "supported", "supported only when" or "not supported": all, some or none of the
            conditions hold.

        Raises
        ------
        ClaimError
            When the measurement has other conditions than the ledger.
        """
        names = [condition.name for condition in self.conditions]
        if sorted(measured) != sorted(names):
            raise ClaimError(f"{self.id}: measured {sorted(measured)}, the ledger asks for {names}")
        holds = [condition.holds(measured[condition.name]) for condition in self.conditions]
        if all(holds):
            return SUPPORTED
        return CONDITIONAL if any(holds) else NOT_SUPPORTED

    def fingerprint(self) -> str:
        """Return a digest of what has to stand before the data: protocol and thresholds."""
        fixed = {name: value for name, value in asdict(self).items()
                 if name not in ("verdict", "when", "page")}  # fmt: skip
        return hashlib.sha256(json.dumps(fixed, sort_keys=True).encode()).hexdigest()[:16]

    def verdict_text(self) -> str:
        """Return the verdict as a sentence's end."""
        return f"{CONDITIONAL} {self.when}" if self.verdict == CONDITIONAL else self.verdict


class Ledger:
    """All claims, and the record of what was measured.

    Parameters
    ----------
    folder : path, optional
        Where `claims.toml` and `data/claims.json` lie. Default: the book's folder, found from
        where the notebook or the build stands.

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
    ... when = ""
    ... verdict = "supported"
    ... conditions = [{ name = "wet", at_least = 1.0 }]
    ... ''')
    >>> ledger = Ledger(folder)
    >>> ledger.settle("C00", {"wet": Interval(2.0, 1.5, 2.5)}, refresh=True)
    'supported'
    >>> ledger.settle("C00", {"wet": Interval(2.0, 0.5, 3.5)})
    Traceback (most recent call last):
    ...
    a3c_tut.book.claims.ClaimError: C00: the data say 'not supported', the ledger says 'supported'

    What is on record is complete:

    >>> ledger.check_complete()
    >>> ledger.record()["C00"]["measured"]
    {'wet': {'mean': 2.0, 'low': 1.5, 'high': 2.5}}
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None):
        self.folder = in_book("claims.toml").parent if folder is None else Path(folder)
        entries = tomllib.loads((self.folder / "claims.toml").read_text(encoding="utf-8"))["claim"]
        self.claims = {entry["id"]: _claim(entry) for entry in entries}
        if len(self.claims) != len(entries):
            raise ClaimError("an id stands twice in the ledger")

    @property
    def _record_path(self) -> Path:
        return self.folder / "data" / "claims.json"

    def record(self) -> dict[str, Any]:
        """Return what was measured, by claim."""
        if not self._record_path.exists():
            return {}
        content: dict[str, Any] = json.loads(self._record_path.read_text(encoding="utf-8"))
        return content

    def settle(
        self, claim_id: str, measured: Mapping[str, Interval], refresh: bool | None = None
    ) -> str:
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
        _glue(claim, measured)
        return claim.verdict_text()

    def _write(self, claim_id: str, entry: dict[str, Any]) -> None:
        record = self.record() | {claim_id: entry}
        self._record_path.parent.mkdir(exist_ok=True)
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
            measured = {name: Interval(**value) for name, value in entry["measured"].items()}
            if entry["protocol"] != claim.fingerprint():
                raise ClaimError(f"{claim.id}: the protocol has changed since the data were taken")
            if claim.rule(measured) != claim.verdict:
                raise ClaimError(f"{claim.id}: record and verdict disagree")
        extra = sorted(set(record) - set(self.claims))
        if extra:
            raise ClaimError(f"on record but not in the ledger: {extra}")


def _claim(entry: dict[str, Any]) -> Claim:
    missing, extra = set(_FIELDS) - set(entry), set(entry) - set(_FIELDS)
    if missing or extra:
        raise ClaimError(
            f"{entry.get('id')}: missing {sorted(missing)}, unknown {sorted(extra)} in the ledger"
        )
    if entry["verdict"] not in (SUPPORTED, CONDITIONAL, NOT_SUPPORTED, "open"):
        raise ClaimError(f"{entry['id']}: verdict is {entry['verdict']!r}")
    conditions = tuple(Condition(**condition) for condition in entry["conditions"])
    return Claim(**{**entry, "conditions": conditions})


def _glue(claim: Claim, measured: Mapping[str, Interval]) -> None:
    """Hand verdict and numbers to the prose, where there is a notebook to do so."""
    try:
        from IPython import get_ipython
        from myst_nb import glue
    except ImportError:
        return
    if get_ipython() is None:
        return
    glue(f"{claim.id}-verdict", _Plain(claim.verdict_text()), display=False)
    for name, interval in measured.items():
        key = f"{claim.id}-{name.replace(' ', '-')}"
        glue(key, _Plain(interval.text()), display=False)
        for part, value in asdict(interval).items():
            glue(f"{key}-{part}", value, display=False)


class _Plain(str):
    """Text that shows without quotes."""

    def __repr__(self) -> str:
        return str(self)
