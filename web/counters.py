"""What this front counts of itself, and remembers of its own state."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Counters:
    """`requests`: by method, declared path and status. `ready_once`: owners that have been ready since any time."""

    requests: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    frames_in: int = 0
    frames_out: int = 0
    cut: int = 0
    ready_once: set[str] = field(default_factory=set)
    draining: bool = False
