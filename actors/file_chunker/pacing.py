"""Pieces wait here for their turn under the cap."""

import asyncio
from collections.abc import Callable

from actors.file_chunker.pace import Pace, Ticket
from protocols.errors import Refusal


class Pacing:
    """`rate` is in bytes a second, 0 for no cap. `monotonic` gives seconds."""

    def __init__(self, rate: int, monotonic: Callable[[], float]) -> None:
        self._pace = Pace(rate) if rate else None
        self._monotonic = monotonic
        self._turns: dict[Ticket, asyncio.Future[None]] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def turn(self, person: str, upload: str, size: int, within: float) -> None:
        """Return when it is this piece's turn. Raises Refusal("unavailable") when that takes longer than `within`."""
        if self._pace is None:
            return
        ticket = Ticket(person, upload, size)
        loop = asyncio.get_running_loop()
        turn = self._turns[ticket] = loop.create_future()
        self._pace.add(ticket)
        # Not at once: this one would go on before those whose turn has come and who have not been woken yet.
        loop.call_soon(self._serve, self._pace)
        try:
            async with asyncio.timeout(within):
                await turn
        except TimeoutError as error:
            raise Refusal("unavailable", "More is being sent here than may be at a time.", retry_after=1) from error
        finally:
            self._turns.pop(ticket, None)
            self._pace.drop(ticket)

    def _serve(self, pace: Pace) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for ticket in pace.due(self._monotonic()):
            turn = self._turns.pop(ticket, None)
            if turn is not None and not turn.done():
                turn.set_result(None)
        wait = pace.wait()
        if wait is not None:
            self._timer = asyncio.get_running_loop().call_later(wait, self._serve, pace)
