"""Who is where, from the leases of the fronts. No I/O: `now` is monotonic seconds, `wall` is Unix milliseconds.

A lease lasts LASTS after it was sent; then whoever was at that front is gone. Who leaves a front in an orderly way, or
whose front has a successor, has GRACE to come to another one: a reload, a rolling restart and a crash of a front look
alike from outside, like nothing at all. The book judges nobody while it is deaf: when no front is heard, it is the line
or this process that was away, and not everybody at once.
"""

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from protocols.notifier import Device, Lease
from storage.notifier_presence import State

LASTS: Final = 30.0
GRACE: Final = 8.0
HIDE: Final = 3.0
"""Seconds until somebody who has hidden the page, or reloads one of several, is away."""

DEAF: Final = 6.0
"""Seconds without any lease, or in which each front is heard: it sends one each 5 s."""

FRESH: Final = 7.0
"""Seconds for which a lease tells what somebody looks at; later nobody is taken to have seen a thing."""

PROMPT: Final = 2.0
"""Seconds in which every front that is well answers to a notifier that starts."""

RETIRED: Final = 64


@dataclass(slots=True)
class _Front:
    """One run of a front. `at`: when it was last heard of, Unix ms; `until`, `heard`: by the clock of the book."""

    incarnation: str
    number: int = 0
    at: int = 0
    heard: float = 0.0
    until: float = 0.0
    people: dict[str, tuple[Device, ...]] = field(default_factory=dict)


@dataclass(slots=True)
class _Fading:
    """Until when somebody who left still counts as there, and as seen there."""

    there: float = -math.inf
    seen: float = -math.inf


class Book:
    """`touched`: people whose state may have changed; whoever looks at them takes them out."""

    def __init__(self) -> None:
        self._fronts: dict[str, _Front] = {}
        self._retired: deque[str] = deque(maxlen=RETIRED)
        self._fading: dict[str, _Fading] = {}
        self._seen: dict[str, int] = {}
        self._heard = -math.inf
        self._since = self._sure = math.inf
        # Stands still while the book is deaf.
        self._clock = 0.0
        self.touched: set[str] = set()

    def restore(self, people: Iterable[tuple[str, State]]) -> None:
        """These were there when the last run of this process ended. Whoever is not heard of soon has left since."""
        for person, state in people:
            self._fade(person, DEAF if state == "online" else 0.0, DEAF)

    def hear(self, lease: Lease, now: float, wall: int) -> None:
        """Take a lease; one that is too old, or was overtaken by another, says nothing."""
        # A front whose clock is ahead must not be there for longer.
        at = min(lease.at, wall)
        age = (wall - at) / 1000
        front = None if age >= LASTS else self._front(lease, at)
        if front is None:
            return
        deaf = now - self._heard - DEAF
        if deaf > 0:
            self._wait_for_all(now, min(deaf, DEAF))
        self._heard = self._clock = now
        front.number, front.at, front.heard, front.until = lease.number, at, now - age, now + LASTS - age
        named = {one.user: tuple(one.devices) for one in lease.people}
        if lease.whole:
            named |= dict.fromkeys(front.people.keys() - named, ())
        for person, devices in named.items():
            self._change(front, person, devices, wall)

    def look(self, now: float) -> None:
        """Let go of leases and of people whose time is over."""
        if now - self._heard > DEAF:
            return
        self._clock = now
        for instance, front in list(self._fronts.items()):
            if front.until <= now:
                del self._fronts[instance]
                for person, devices in front.people.items():
                    self.touched.add(person)
                    if _visible(devices):
                        self._seen[person] = max(front.at, self._seen.get(person, 0))
        for person, fading in list(self._fading.items()):
            if fading.seen <= now:
                self.touched.add(person)
            if max(fading.seen, fading.there) <= now:
                del self._fading[person]

    def state(self, person: str) -> State:
        """How somebody is by the latest look."""
        fading = self._fading.get(person) or _Fading()
        there = fading.there > self._clock
        if fading.seen > self._clock:
            return "online"
        for devices in self._devices(person):
            there = True
            if _visible(devices):
                return "online"
        return "away" if there else "offline"

    def seen(self, person: str) -> int | None:
        """When somebody who is not online any more was last seen to be, Unix ms; None when that is not known here."""
        return self._seen.get(person)

    def settled(self, person: str) -> None:
        """What is known of somebody's state was kept elsewhere."""
        if self.state(person) == "offline":
            self._seen.pop(person, None)

    def sure(self, now: float) -> bool:
        """Whether fronts are heard, and each has had the time to be."""
        return self._sure <= now <= self._heard + DEAF

    def informed(self, now: float) -> bool:
        """Whether every front that is well has said who is there, since this book is read or was deaf."""
        return now >= self._since + PROMPT

    def devices(self, person: str, now: float) -> Sequence[Device]:
        """What somebody has open, as far as that was heard of late."""
        return [
            device
            for front in self._fronts.values()
            if now - front.heard <= FRESH
            for device in front.people.get(person, ())
        ]

    def there(self, person: str) -> bool:
        """Whether somebody has a device at any front."""
        return any(True for _ in self._devices(person))

    # Inside.

    def _front(self, lease: Lease, at: int) -> _Front | None:
        """The front whose lease this is, or None when it says nothing new."""
        instance = lease.front.partition(":")[0]
        known = self._fronts.get(instance)
        if lease.front in self._retired:
            return None
        if known is not None and known.incarnation == lease.front:
            return known if lease.number > known.number else None
        if known is not None:
            if at < known.at:
                # Late mail of a run before the one that is known.
                return None
            self._retired.append(known.incarnation)
            for person in list(known.people):
                self._change(known, person, (), at)
        front = self._fronts[instance] = _Front(lease.front)
        return front

    def _change(self, front: _Front, person: str, devices: tuple[Device, ...], wall: int) -> None:
        before = front.people.get(person, ())
        if before == devices:
            return
        if devices:
            front.people[person] = devices
        else:
            del front.people[person]
        self.touched.add(person)
        fewer = len(devices) < len(before)
        hides = _visible(devices) < _visible(before)
        if hides:
            self._seen[person] = wall
        if hides or fewer:
            self._fade(person, (GRACE if fewer else HIDE) if hides else 0.0, GRACE if fewer else 0.0)

    def _fade(self, person: str, seen: float, there: float) -> None:
        fading = self._fading.setdefault(person, _Fading())
        fading.seen = max(fading.seen, self._clock + seen) if seen else fading.seen
        fading.there = max(fading.there, self._clock + there) if there else fading.there

    def _wait_for_all(self, now: float, seconds: float) -> None:
        """After a deafness nobody goes before every front could be heard again."""
        self._since, self._sure = now, now + seconds
        for front in self._fronts.values():
            front.until = max(front.until, self._sure)
        for fading in self._fading.values():
            fading.seen = max(fading.seen, self._sure) if fading.seen > self._clock else fading.seen
            fading.there = max(fading.there, self._sure) if fading.there > self._clock else fading.there

    def _devices(self, person: str) -> Iterator[tuple[Device, ...]]:
        return (front.people[person] for front in self._fronts.values() if person in front.people)


def _visible(devices: Iterable[Device]) -> int:
    return sum(device.visible for device in devices)
