"""What a front tells notifier of its people: leases that say who is here, and who is writing.

All of it is worth nothing later, so none of it waits for anything: while notifier or the broker is away it is dropped.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol

from actors.runtime import Environment
from protocols.mail import Command
from protocols.notifier import Typing
from web.leases import ROUND, Leases, Seat
from web.limits import Gcra

TO: Final = "notifier"

TYPING_EVERY: Final = 3.0
"""Seconds between two signals that somebody is writing somewhere; what comes in between is dropped."""

TYPING_WITHIN: Final = 5.0
LEASE_WITHIN: Final = 2 * ROUND
"""Seconds after which they are worth nothing: a later one says more."""


class Signaller(Protocol):
    """The part of a Post that this needs."""

    @property
    def incarnation(self) -> str: ...

    def signal(self, to: str, command: Command[Any], *, person: str = "", within: float) -> None: ...


class Presence:
    """`down()`: whether it is known that notifier hears nothing now. `run` sends leases until it is cancelled."""

    def __init__(self, environment: Environment, post: Signaller, down: Callable[[], bool]) -> None:
        self._environment = environment
        self._post = post
        self._down = down
        self._leases = Leases(post.incarnation)
        self._typing = Gcra(1 / TYPING_EVERY, 1)
        self._some = asyncio.Event()

    def enter(self, user: str, session: str) -> Seat:
        """A socket has opened."""
        seat = self._leases.enter(user, session, self._environment.monotonic())
        self._some.set()
        return seat

    def attend(self, seat: Seat, viewing: str, *, visible: bool) -> None:
        """A socket says what its device shows."""
        if self._leases.attend(seat, viewing, visible=visible):
            self._some.set()

    def leave(self, seat: Seat) -> None:
        """A socket has closed."""
        self._leases.leave(seat)
        self._some.set()

    def types(self, user: str, conversation: str) -> None:
        """Somebody is writing. Who that may be told to is notifier's to say."""
        if self._down() or self._typing.take((user, conversation), self._environment.monotonic()):
            return
        self._post.signal(TO, Typing(conversation=conversation), person=user, within=TYPING_WITHIN)

    def started(self, actor: str) -> None:
        """An owner is heard that knows nothing yet: if it is notifier, name everybody to it."""
        if actor == TO:
            self._leases.renew()
            self._some.set()

    async def run(self) -> None:
        """Send each lease when it is due."""
        while True:
            self._some.clear()
            lease = self._leases.take(self._environment.monotonic(), self._environment.now())
            if lease is not None and not self._down():
                self._post.signal(TO, lease, within=LEASE_WITHIN)
            try:
                async with asyncio.timeout(max(0.0, self._leases.due() - self._environment.monotonic())):
                    await self._some.wait()
            except TimeoutError:
                continue

    def goodbye(self) -> None:
        """Everybody has left, because this front goes away."""
        if not self._down():
            self._post.signal(TO, self._leases.goodbye(self._environment.now()), within=LEASE_WITHIN)
