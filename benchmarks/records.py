"""What both benchmarks need: interleaved samples, the machine, records and tables."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from tqdm import tqdm

FOLDER = Path(__file__).resolve().parent
# The records are read by pages, and travel with the package.
RECORDS = FOLDER.parent / "a3c_tut" / "book" / "data"

Samples = dict[str, list[float]]


@dataclass
class Line:
    """One row of the table: a ratio, or a number that goes with one.

    `bar` is what the number must reach (stay under, where `lower` is better). Only ratios (unit ×)
    are compared with the record before: absolute numbers are the machine's.
    """

    part: str
    name: str
    value: float | None
    unit: str = "×"
    bar: float | None = None
    lower: bool = False
    note: str = ""
    raw: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return f"{self.part}: {self.name}"

    @property
    def met(self) -> bool | None:
        if self.bar is None or self.value is None:
            return None
        return self.value <= self.bar if self.lower else self.value >= self.bar

    def fell(self, before: float | None) -> bool:
        """Return whether a ratio has become worse by more than a fifth."""
        if self.unit != "×" or not self.value or not before:
            return False
        change = before / self.value if self.lower else self.value / before
        return change < 0.8


def interleaved(part: str, repeats: int, samplers: Mapping[str, Callable[[], float]]) -> Samples:
    """Take samples in turn, A B A B: what else the machine is doing hits all of them alike."""
    samples: Samples = {name: [] for name in samplers}
    for _ in tqdm(range(repeats), desc=part, leave=False, file=sys.stderr):
        for name, sample in samplers.items():
            samples[name].append(sample())
    return samples


def ratio(samples: Samples, over: str, under: str) -> float:
    """Return the median of the ratios of samples that were taken one after the other."""
    return median(a / b for a, b in zip(samples[over], samples[under], strict=True))


def machine(packages: Iterable[str]) -> dict[str, Any]:
    """Say on what this was measured, and how busy that was."""
    from importlib.metadata import PackageNotFoundError, version

    def installed(name: str) -> str | None:
        try:
            return version(name)
        except PackageNotFoundError:
            return None

    has_cores = hasattr(os, "sched_getaffinity")
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if has_cores else os.cpu_count(),
        "system": _system(),
        "python": platform.python_version(),
        **{name: installed(name) for name in packages},
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "load average at start": round(os.getloadavg()[0], 2)
        if hasattr(os, "getloadavg")
        else None,
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _system() -> str:
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        name = f"{platform.system()} {platform.release()}"
    return f"{name}, {platform.machine()}"


def last_record(name: str) -> dict[str, Any] | None:
    """Return the record that is committed, or else the one that lies there."""
    committed = subprocess.run(
        ["git", "show", f"HEAD:./{name}"], cwd=RECORDS, capture_output=True, check=False
    )
    text = committed.stdout
    if committed.returncode != 0:
        if not (RECORDS / name).exists():
            return None
        text = (RECORDS / name).read_bytes()
    try:
        return dict(json.loads(text))
    except ValueError:
        return None


def shown(number: float | None, unit: str) -> str:
    """Write a number with three figures that count."""
    if number is None:
        return "–"
    digits = f"{number:,.0f}" if abs(number) >= 100 else f"{number:#.3g}".rstrip(".")
    if float(number).is_integer() and abs(number) < 100:
        digits = f"{number:g}"
    return f"{digits} {unit}".strip()


def rows(lines: Sequence[Line], last: Mapping[str, Any] | None) -> list[list[str]]:
    """Return the table, the last record's numbers beside the new ones."""
    before = {line["key"]: line["value"] for line in (last or {}).get("lines", [])}
    table = []
    for line in lines:
        old = before.get(line.key)
        bar = "" if line.bar is None else f"{'≤' if line.lower else '≥'} {shown(line.bar, '')}"
        verdict = {True: "met", False: "MISSED", None: ""}[line.met]
        if line.fell(old):
            verdict = f"{verdict} FELL by more than a fifth".strip()
        name = f"{line.name} ({line.note})" if line.note else line.name
        new = shown(line.value, line.unit)
        table.append([line.part, name, new, bar, verdict, shown(old, line.unit) if old else ""])
    return table


HEADER = ["part", "what", "this run", "bar", "so", "last record"]


def print_table(lines: Sequence[Line], last: Mapping[str, Any] | None) -> None:
    """Print the table for a terminal."""
    table = [HEADER, *rows(lines, last)]
    print(aligned(table, right=(2, 3)))


def aligned(table: Sequence[Sequence[str]], right: Iterable[int]) -> str:
    """Return a table for a terminal, an empty line before each new entry in its first column."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    printed, before = [], table[0][0]
    for row in table:
        if row[0] != before:
            printed.append("")
        before = row[0]
        cells = [
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        printed.append("  ".join(cells).rstrip())
    return "\n".join(printed)


def write(
    name: str,
    machine: Mapping[str, Any],
    lines: Sequence[Line],
    last: Mapping[str, Any] | None,
    further: str = "",
    raw: Mapping[str, Any] | None = None,
) -> None:
    """Write `name.json`, with every sample, and `name.md`, for the book to show."""
    record = {
        "machine": dict(machine),
        "lines": [{"key": line.key, **asdict(line), "met": line.met} for line in lines],
        "raw": dict(raw or {}),
        "last": last
        and {
            "machine": last.get("machine"),
            "lines": [{k: line[k] for k in ("key", "value", "unit")} for line in last["lines"]],
        },
    }
    text = json.dumps(_rounded(record), indent=1, ensure_ascii=False)
    (RECORDS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    where = ", ".join(f"{key} {value}" if key not in ("processor", "system") else str(value)
                      for key, value in machine.items() if value is not None)  # fmt: skip
    body = [f"Measured on: {where}.", "", *markdown(HEADER, rows(lines, last))]
    (RECORDS / f"{name}.md").write_text(
        "\n".join([*body, further]).rstrip() + "\n", encoding="utf-8"
    )


def markdown(header: Sequence[str], table: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table."""
    return [
        f"| {' | '.join(header)} |",
        f"|{'---|' * len(header)}",
        *(f"| {' | '.join(row)} |" for row in table),
    ]


def _rounded(value: Any) -> Any:
    """Keep six figures: more is noise, and makes differences hard to read."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value
