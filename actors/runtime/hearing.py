"""Whether a front hears what goes to all fronts: its own beats, if nobody else's."""

import logging
from collections.abc import Callable
from dataclasses import replace

from actors.runtime.broker import Subscriptions

UNHEARD = 2
"""So many beats in a row may be on their way to the front that sent them."""

log = logging.getLogger(__name__)


class Hearing:
    """Notices that nothing comes any more though the connection is well.

    When the fronts' exchange is deleted, whoever needs it first makes it again, with nobody bound to it, and nothing
    tells those who were. A front that is merely slow goes on hearing something.
    """

    def __init__(self) -> None:
        self._unheard = 0

    def through(self, subscriptions: Subscriptions) -> Subscriptions:
        """The same, which also tell this of what comes and of each new connection."""
        on_push, on_up = subscriptions.on_push, subscriptions.on_up

        def pushed(body: bytes, user: str) -> None:
            self._unheard = 0
            if on_push:
                on_push(body, user)

        def connected(life: int) -> None:
            self._unheard = 0
            if on_up:
                on_up(life)

        return replace(subscriptions, on_push=pushed, on_up=connected)

    def spoke(self, renew: Callable[[], None]) -> None:
        """The broker has taken one more beat. Calls `renew`, for a new connection, when none of the last came back."""
        self._unheard += 1
        if self._unheard > UNHEARD:
            self._unheard = 0
            log.warning("nothing is heard any more, own beats neither; connecting anew")
            renew()
