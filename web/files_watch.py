"""Whether a request that takes long may go on: the front may be asked to stop, and a session may end meanwhile."""

from typing import Final

from protocols.errors import Refusal
from web.authentication import Caller
from web.services import Services

EVERY: Final = 1.0
"""Seconds between two looks."""


class Watch:
    """Of one request, from when its caller was found to be signed in."""

    def __init__(self, services: Services, caller: Caller) -> None:
        self._services = services
        self._caller = caller
        self._looked = services.environment.monotonic()

    async def look(self) -> None:
        """Raise Refusal("unavailable") when this front stops, Refusal("unauthenticated") when the session is over."""
        services = self._services
        if services.counters.draining:
            raise Refusal("unavailable", retry_after=1)
        now = services.environment.monotonic()
        if now - self._looked < EVERY:
            return
        self._looked = now
        if await services.authenticator.session(self._caller.session) is None:
            raise Refusal("unauthenticated")
