"""Which leases a front sends: who has sockets here, and what they show. No I/O; `now` is monotonic seconds.

Everybody is named each ROUND, so that nothing that was lost stays lost for longer; in between those who changed, at
once but not more often than each GAP. Whoever toggles a window fifty times a second costs no more than that.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

from protocols.notifier import Attention, Device, Lease

ROUND: Final = 5.0
GAP: Final = 0.25
SETTLE: Final = 1.0
"""Seconds in which a new socket says what it shows. Until then it is not told of: a reload would look like a leave."""


@dataclass(slots=True, eq=False)
class Seat:
    """One open socket. `visible` is None until it was said, `ready` is when that is taken for a no."""

    user: str
    session: str
    ready: float
    visible: bool | None = None
    viewing: str = ""


class Leases:
    """`front` is the incarnation that leases are sent under."""

    def __init__(self, front: str) -> None:
        self._front = front
        self._seats: dict[str, list[Seat]] = {}
        self._changed: set[str] = set()
        self._settling: deque[Seat] = deque()
        self._number = 0
        self._whole_at = 0.0
        self._last = -GAP

    def enter(self, user: str, session: str, now: float) -> Seat:
        """A socket has opened."""
        seat = Seat(user, session, now + SETTLE)
        self._seats.setdefault(user, []).append(seat)
        self._settling.append(seat)
        return seat

    def attend(self, seat: Seat, viewing: str, *, visible: bool) -> bool:
        """The socket says what its device shows; whether that is something new."""
        if (seat.visible, seat.viewing) == (visible, viewing):
            return False
        seat.visible, seat.viewing = visible, viewing
        self._changed.add(seat.user)
        return True

    def leave(self, seat: Seat) -> None:
        """The socket has closed. A second call does nothing."""
        seats = self._seats.get(seat.user, [])
        if seat in seats:
            seats.remove(seat)
            if not seats:
                del self._seats[seat.user]
            self._changed.add(seat.user)

    def renew(self) -> None:
        """Name everybody at the next occasion: whoever is told may know nothing of them."""
        self._whole_at = 0.0

    def due(self) -> float:
        """When the next lease is to be sent."""
        at = self._whole_at
        if self._changed:
            at = min(at, self._last)
        elif self._settling:
            at = min(at, self._settling[0].ready)
        return max(at, self._last + GAP)

    def take(self, now: float, at: int) -> Lease | None:
        """The lease to be sent now, at `at` (Unix ms); None before it is due."""
        self._settle(now)
        if now < self.due():
            return None
        whole = now >= self._whole_at
        named = list(self._seats) if whole else sorted(self._changed)
        if whole:
            self._whole_at = now + ROUND
        self._changed.clear()
        self._last = now
        self._number += 1
        people = [Attention(user=user, devices=self._devices(user, now)) for user in named]
        return Lease(front=self._front, number=self._number, at=at, people=people, whole=whole)

    def goodbye(self, at: int) -> Lease:
        """The lease that says that nobody is here any more."""
        self._number += 1
        return Lease(front=self._front, number=self._number, at=at, whole=True)

    def _settle(self, now: float) -> None:
        while self._settling and (self._settling[0].ready <= now or self._settling[0].visible is not None):
            seat = self._settling.popleft()
            if seat.visible is None and seat in self._seats.get(seat.user, ()):
                self._changed.add(seat.user)

    def _devices(self, user: str, now: float) -> list[Device]:
        return [
            Device(session=seat.session, visible=bool(seat.visible), viewing=seat.viewing)
            for seat in self._seats.get(user, ())
            if seat.visible is not None or seat.ready <= now
        ]
