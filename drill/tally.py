"""Counters for the eye while a drill runs; the account at its end is the ledger's. Pure.

A message counts as missing as soon as a later one of its conversation is on the screen: order is promised, so it can
no longer come rightly.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec import Struct

from drill.screen import Shown


class Counts(Struct, frozen=True):
    """`shown` counts what appeared on the recipients' screens."""

    sent: int = 0
    stored: int = 0
    shown: int = 0
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0


@dataclass
class Tally:
    """Of one person's screen, which only grows; `take` reads on from where it was."""

    person: str
    shown: int = 0
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    _at: int = 0
    _last: dict[str, int] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)

    def take(self, screen: Sequence[Shown]) -> None:
        for one in screen[self._at :]:
            last = self._last.get(one.conversation, 0)
            if one.client_id in self._seen:
                self.duplicated += 1
            elif one.seq <= last:
                self.reordered += 1
            else:
                self.lost += one.seq - last - 1
            self._seen.add(one.client_id)
            self._last[one.conversation] = max(last, one.seq)
            self.shown += one.sender != self.person
        self._at = len(screen)
