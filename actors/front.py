"""The front as the runtime runs it: `python -m actors front.1`. What it serves lies in web/."""

import socket
from collections.abc import Sequence
from typing import ClassVar

from actors.runtime import Environment, Post
from protocols.mail import FrontMail
from web.health import figures
from web.server import Server


class Front:
    """Owns no data: it acts for signed-in people, and shows them what the owners keep and push."""

    name: ClassVar[str] = "front"

    def __init__(self, environment: Environment, post: Post) -> None:
        self._server = Server(environment, post)

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        """Serve on these listening sockets, or on the configured address when there are none."""
        await self._server.start(sockets)

    def receive(self, mail: FrontMail) -> None:
        """A push batch or a beat, in order; nothing in here waits."""
        self._server.services.hub.receive(mail)
        self._server.services.news.receive(mail)

    def figures(self) -> dict[str, int]:
        """What this front counts, for the others to tell."""
        return figures(self._server.services)

    def missed(self) -> None:
        """Pushes may have been missed: every socket reads on from the logs."""
        self._server.services.hub.was_deaf()

    async def drain(self) -> None:
        """Accept nobody new, send those who are there away to come back, finish what is in hand."""
        await self._server.drain()
