"""Times as figures, and several runs as one. Pure."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any


def milliseconds(seconds: Sequence[float]) -> dict[str, Any]:
    """Percentiles, in milliseconds, of times in seconds; and how many there were."""
    ordered = sorted(seconds)
    if not ordered:
        return {"count": 0}
    return {
        "count": len(ordered),
        "p50_ms": round(percentile(ordered, 0.50) * 1000, 3),
        "p95_ms": round(percentile(ordered, 0.95) * 1000, 3),
        "p99_ms": round(percentile(ordered, 0.99) * 1000, 3),
    }


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value that `share` of the ordered, non-empty values do not exceed."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


Figures = Mapping[str, Any]
"""By name: a number, a text, or figures again."""


def merged(runs: Sequence[Figures]) -> dict[str, Any]:
    """The same figures of several runs as one: each number becomes its median."""
    return {
        name: merged([run[name] for run in runs])
        if isinstance(value, Mapping)
        else _median([run[name] for run in runs])
        for name, value in runs[0].items()
    }


def spans(runs: Sequence[Figures]) -> dict[str, Any]:
    """As `merged`, but each number becomes the smallest and the largest; texts are left out."""
    return {
        name: spans([run[name] for run in runs]) if isinstance(value, Mapping) else _span([run[name] for run in runs])
        for name, value in runs[0].items()
        if isinstance(value, Mapping | int | float)
    }


def with_ratios(figures: dict[str, Any]) -> dict[str, Any]:
    """Set beside each figure that a bare loop has too how much of the bare loop it is: 1 is as good, 0.6 the aim.

    `of_bare_loop` compares messages a second, or median times where the pace is given by the times;
    `of_bare_loop_by_cpu` what the processor time a message would allow, which other work on the machine hardly moves.
    """
    for name, bare in list(figures.items()):
        ours = figures.get(name.removeprefix(BARE))
        if not name.startswith(BARE) or ours is None:
            continue
        if "delivered_a_second" in ours:
            ratio = ours["delivered_a_second"] / max(1, bare["delivered_a_second"])
        else:
            ratio = bare["p50_ms"] / ours["p50_ms"]
        ours["of_bare_loop"] = round(ratio, 2)
        if "cpu_allows_a_second" in bare and "cpu_allows_a_second" in ours:
            ours["of_bare_loop_by_cpu"] = round(ours["cpu_allows_a_second"] / max(1, bare["cpu_allows_a_second"]), 2)
    return figures


def with_bare_handler(figures: dict[str, Any]) -> dict[str, Any]:
    """Set beside each transfer how much of the plain handler's speed it has: of the one that syncs each piece, too."""
    for ours, bare in HANDLERS:
        if ours in figures and bare in figures:
            share = figures[ours]["mb_a_second"] / max(1, figures[bare]["mb_a_second"])
            figures[ours]["of_bare_handler"] = round(share, 2)
    return figures


def with_stages(figures: dict[str, Any]) -> dict[str, Any]:
    """Add what one message's way is made of: the medians of the limits that it meets, and what remains for us."""
    if not all(name in figures for name, _ in STAGES) or "one pair" not in figures:
        return figures
    stages = {text: figures[name]["p50_ms"] for name, text in STAGES}
    rest = figures["one pair"]["p50_ms"] - sum(stages.values())
    return {**figures, "where one message's time goes, ms": {**stages, "everything else": round(rest, 3)}}


STAGES = (
    ("bare WebSocket echo", "both socket ends"),
    ("bare AMQP hop", "front to router"),
    ("bare commit with fsync", "commit"),
    ("bare AMQP hop, transient", "router to front"),
)


HANDLERS = (
    ("one upload", "bare handler, fdatasync of each piece: one upload"),
    ("one download", "bare handler, sendfile: one download"),
)

BARE = "bare loop: "


def _median(values: Sequence[Any]) -> Any:
    if not isinstance(values[0], int | float):
        return values[0]
    middle = statistics.median(values)
    return round(middle) if all(isinstance(value, int) for value in values) else round(middle, 4)


def _span(values: Sequence[Any]) -> list[Any]:
    return [min(values), max(values)]
