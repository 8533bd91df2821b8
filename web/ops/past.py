"""What the actors were like in the last quarter of an hour, kept in memory. Pure: `now` is handed in."""

from collections import deque
from collections.abc import Iterable
from typing import Final, NamedTuple

from protocols.ops import ActorRow, History, Sample

SPAN: Final = 900.0
STEP: Final = 5.0
"""Seconds that are kept, and between two samples."""

ACTORS_MOST: Final = 64
"""More than run at once, with every copy of the front; the ones not seen for the longest time are forgotten."""


class _Seen(NamedTuple):
    at: float
    state: str
    depth: int | None
    restarts: int | None


class Past:
    """A bounded number of samples of each actor."""

    def __init__(self) -> None:
        self._actors: dict[str, deque[_Seen]] = {}
        self._latest = float("-inf")

    def due(self, now: float) -> bool:
        """Whether the next sample is to be taken. `now` in seconds."""
        # A timer that comes a moment early must not wait for a whole step.
        return now - self._latest >= STEP * 0.9

    def note(self, now: float, rows: Iterable[ActorRow]) -> None:
        """Take a sample."""
        self._latest = now
        for row in rows:
            # Taken out and put back: the one seen last stands last.
            seen = self._actors.pop(row.name, None) or deque(maxlen=int(SPAN / STEP))
            seen.append(_Seen(now, row.state, row.depth, row.restarts))
            self._actors[row.name] = seen
        for name in list(self._actors):
            if self._actors[name][-1].at < now - SPAN or len(self._actors) > ACTORS_MOST:
                del self._actors[name]

    def told(self, now: float) -> History:
        """All of it, by age."""
        return History(
            span=SPAN,
            step=STEP,
            actors={
                name: [
                    Sample(round(now - one.at, 1), one.state, one.depth, one.restarts)
                    for one in seen
                    if one.at >= now - SPAN
                ]
                for name, seen in self._actors.items()
            },
        )
