"""What a soak has shown, as data, as text, and whether it is what was promised. Pure."""

import platform
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from drill.report import Spread


class Figure(Struct, frozen=True, kw_only=True):
    """One promise held against what was measured. `spreads` are in seconds, by whom they belong to."""

    name: str
    goal: str
    measured: str
    kept: bool
    spreads: Mapping[str, Spread] = {}


class Burden(Struct, frozen=True):
    """How busy the machine was: load averages over a minute before and after, and how much had to wait.

    `waiting` is the share of time, 0 to 1, in which something that could have run waited for a processor, as the
    kernel's pressure counter has it.
    """

    before: float
    after: float
    waiting: float


class Report(Struct, frozen=True, kw_only=True):
    """`burden` by part; it includes what the soak itself causes."""

    command: str
    seed: int
    began: str
    seconds: float
    versions: Mapping[str, str]
    cores: int
    burden: Mapping[str, Burden]
    figures: Sequence[Figure]

    @property
    def passed(self) -> bool:
        return all(figure.kept for figure in self.figures)


def seconds(value: float) -> str:
    """As people read a duration: 4 ms, 1.25 s."""
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


def within(name: str, limit: float, spreads: Mapping[str, Spread], *, worst: bool = False) -> Figure:
    """Whether the 95th percentile of each (`worst`: the slowest) kept to so many seconds."""
    measured = {key: one.max if worst else one.p95 for key, one in spreads.items()}
    slowest = max(measured, key=lambda key: measured[key], default="")
    said = f"{seconds(measured[slowest])} ({slowest})" if measured else "nothing was measured"
    return Figure(
        name=name,
        goal=f"{'at most' if worst else 'p95 within'} {seconds(limit)}",
        measured=said,
        kept=bool(measured) and measured[slowest] <= limit,
        spreads=spreads,
    )


def to_json(report: Report) -> bytes:
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"


def to_text(report: Report) -> str:
    """A line a figure, and below it who needed how long."""
    lines = [
        f"soak of {report.seconds:.0f} s, begun {report.began}, seed {report.seed}, {report.cores} cores",
        f"  {report.command}",
        "  " + ", ".join(f"{name} {version}" for name, version in report.versions.items()),
        "  the machine (load, share of time in which something waited for a processor): "
        + ", ".join(f"{part} {one.after:.1f}, {one.waiting:.0%}" for part, one in report.burden.items()),
        "",
    ]
    for figure in report.figures:
        lines.append(f"{'kept  ' if figure.kept else 'BROKEN'}  {figure.name}: {figure.measured}  [{figure.goal}]")
        lines += _table(figure.spreads)
    return "\n".join(lines)


def _table(spreads: Mapping[str, Spread]) -> list[str]:
    if not spreads:
        return []
    return [
        f"          {'':<12}{'times':>6}{'p50':>10}{'p95':>10}{'max':>10}",
        *(
            f"          {name:<12}{one.count:>6}{seconds(one.p50):>10}{seconds(one.p95):>10}{seconds(one.max):>10}"
            for name, one in spreads.items()
        ),
    ]


def versions(packages: Mapping[str, str]) -> dict[str, str]:
    """What ran."""
    return {"python": platform.python_version(), "kernel": platform.release(), **packages}
