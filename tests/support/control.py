"""A supervisor's control socket with an invented supervisor behind it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from settings import Paths
from supervision.control import ControlServer, Request, socket_path
from supervision.tree import RefusedError


class Invented:
    """`rows` is what its children are like; `asked` what it was asked for, but for the status. `hold` keeps actions."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.go = asyncio.Event()
        self.go.set()
        self.refuses: RefusedError | None = None
        self.rows: list[dict[str, Any]] = [self.row("broker"), self.row("router"), self.row("front.1")]

    @staticmethod
    def row(name: str, **fields: Any) -> dict[str, Any]:
        known = {"state": "running", "pid": 4, "uptime": 7.5, "restarts": 0, "last_exit": None, "depth": None}
        return {"name": name, **known, "rate": 0.5, "status": "fine", **fields}

    async def handle(self, request: Request) -> Any:
        if request.op == "status":
            # A process of nobody, so that its memory is not known.
            supervisor = {"pid": 2**22 + 1, "state": "running", "uptime": 9.0, "address": "http://x", "data": "/x"}
            return {"supervisor": supervisor, "actors": [{**row, "pid": 2**22 + 1} for row in self.rows]}
        self.asked.append((request.op, request.name))
        if self.refuses:
            raise self.refuses
        await self.go.wait()
        return None


@asynccontextmanager
async def invented_supervisor(paths: Paths) -> AsyncIterator[Invented]:
    """One that answers at the installation's control socket."""
    one = Invented()
    server = ControlServer(socket_path(paths), one.handle)
    await server.start()
    try:
        yield one
    finally:
        one.go.set()
        server.close()
        await server.finish()
