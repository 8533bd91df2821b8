"""What the figures are to reach, on two processors with load generator and broker included. Pure."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from bench.figures import Figures


class Goal(Struct, frozen=True):
    """`figure` of the group of that name is to be at least, or with `most` at most, `bound`."""

    group: str
    figure: str
    bound: float
    most: bool = False


GOALS = (
    Goal("50 pairs x 20", "delivered_a_second", 15_000),
    Goal("50 pairs x 20", "of_bare_loop", 0.6),
    Goal("one pair", "p50_ms", 1.5, most=True),
    Goal("one pair", "p99_ms", 5.0, most=True),
    Goal("one pair", "of_bare_loop", 0.6),
    Goal("5000 idle sockets", "kb_a_socket", 20, most=True),
    Goal("5000 idle sockets", "opened_a_second", 1_000),
    Goal("offline, 1000 waiting", "seconds", 0.1, most=True),
    Goal("offline, 20000 waiting", "seconds", 2.0, most=True),
    Goal("one upload", "mb_a_second", 150),
    Goal("one upload", "memory_growth_mib", 64, most=True),
    Goal("one download", "mb_a_second", 500),
    Goal("text beside four uploads", "p99_of_alone", 2.0, most=True),
)

FLAT = 0.8
"""Of the messages a second with the shortest history: what a longer one, or more contacts, may leave."""


class Verdict(Struct, frozen=True):
    goal: str
    value: float
    met: bool


def verdicts(figures: Figures) -> list[Verdict]:
    """A verdict for each goal whose figure is there."""
    found = [
        _verdict(goal, group[goal.figure])
        for goal in GOALS
        if isinstance(group := figures.get(goal.group), Mapping) and goal.figure in group
    ]
    grown = [(name, group) for name, group in figures.items() if name.startswith("growth")]
    return found + [_flat(name, group, grown[0][1]) for name, group in grown[1:]]


def _verdict(goal: Goal, value: float) -> Verdict:
    met = value <= goal.bound if goal.most else value >= goal.bound
    return Verdict(f"{goal.group}: {goal.figure} {'<=' if goal.most else '>='} {goal.bound:g}", value, met)


def _flat(name: str, group: Mapping[str, Any], first: Mapping[str, Any]) -> Verdict:
    share = round(group["delivered_a_second"] / max(1, first["delivered_a_second"]), 2)
    return Verdict(f"{name}: >= {FLAT:g} of the shortest", share, share >= FLAT)
