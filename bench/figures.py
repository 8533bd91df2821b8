"""Times as figures. Pure."""

from collections.abc import Sequence
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
