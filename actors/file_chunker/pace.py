"""The cap on the bytes a second that all uploads take together, shared fairly. Pure: time comes from outside."""

from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Final

LEAST: Final = 512 * 1024
"""Bytes that may go at once, whatever the cap: a piece is never held up by its own size."""
BURST: Final = 1 / 16
"""Seconds of the cap that may go at once after a pause: little, so that text does not feel it."""
TURN: Final = 1024 * 1024
"""Most bytes of one upload in its turn: pieces that go together are synced together, and text waits for fewer syncs."""


@dataclass(slots=True, eq=False)
class Ticket:
    """Bytes of one upload that want to go."""

    person: str
    upload: str
    bytes: int


class Pace:
    """A token bucket. People take turns, of a person his uploads take turns, and of an upload pieces keep their order.

    `rate` is in bytes a second. A ticket goes when there is any credit, and what is too much is owed: so the mean is
    exact, whatever the sizes.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._most = max(LEAST, rate * BURST)
        self._credit = self._most
        self._at = 0.0
        self._people: OrderedDict[str, OrderedDict[str, deque[Ticket]]] = OrderedDict()

    def add(self, ticket: Ticket) -> None:
        uploads = self._people.setdefault(ticket.person, OrderedDict())
        uploads.setdefault(ticket.upload, deque()).append(ticket)

    def drop(self, ticket: Ticket) -> None:
        """It is not wanted any more; one that has gone is passed over."""
        tickets = self._people.get(ticket.person, OrderedDict()).get(ticket.upload, deque())
        if ticket in tickets:
            tickets.remove(ticket)
            self._tidy(ticket.person, ticket.upload)

    def due(self, now: float) -> list[Ticket]:
        """Who goes now. `now` is in seconds, of any clock that only moves forward."""
        self._credit = min(self._most, self._credit + (now - self._at) * self._rate)
        self._at = now
        gone: list[Ticket] = []
        while self._people and self._credit > 0:
            for ticket in self._next():
                self._credit -= ticket.bytes
                gone.append(ticket)
        return gone

    def wait(self) -> float | None:
        """Seconds after the last `due` until the next one goes; None when nobody waits."""
        if not self._people:
            return None
        # A little more than nothing, or rounding would make it come in vain.
        return max(0.0, -self._credit / self._rate) + 0.000_1

    def _next(self) -> list[Ticket]:
        person, uploads = next(iter(self._people.items()))
        upload, tickets = next(iter(uploads.items()))
        turn: list[Ticket] = []
        size = 0
        while tickets and (not turn or size + tickets[0].bytes <= TURN):
            turn.append(tickets.popleft())
            size += turn[-1].bytes
        uploads.move_to_end(upload)
        self._people.move_to_end(person)
        self._tidy(person, upload)
        return turn

    def _tidy(self, person: str, upload: str) -> None:
        uploads = self._people[person]
        if not uploads[upload]:
            del uploads[upload]
        if not uploads:
            del self._people[person]
