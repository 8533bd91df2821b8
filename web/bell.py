"""What one task waits for. An asyncio.Event can be waited for by many and keeps a queue for them: 760 bytes."""

import asyncio


class Bell:
    """As asyncio.Event, for one waiter at a time; each socket has two, nearly always silent."""

    __slots__ = ("_rung", "_waiter")

    def __init__(self) -> None:
        self._rung = False
        self._waiter: asyncio.Future[None] | None = None

    def set(self) -> None:
        self._rung = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def clear(self) -> None:
        self._rung = False

    async def wait(self) -> None:
        """Return once it is set. Raises RuntimeError when somebody else waits already."""
        if self._rung:
            return
        if self._waiter is not None:
            raise RuntimeError("a bell is for one who waits")
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
