"""The socket of the operator's page: everything every second, and the log that is followed. One task writes."""

import asyncio
import contextlib
import logging
from typing import Final

import msgspec
from aiohttp import WSMsgType, hdrs, web
from msgspec import Struct

from protocols.errors import Refusal
from protocols.frames import Close
from protocols.ops import SUBPROTOCOL, LogLines, OpsClientFrame
from web.authentication import Caller
from web.dispatch import SERVICES
from web.ops.rights import account, operator
from web.ops.tail import Tail, log_of
from web.services import Services

PERIOD: Final = 1.0
SEND_DEADLINE: Final = 10.0
CLOSE_DEADLINE: Final = 2.0
HEARTBEAT: Final = 20.0
FRAME_BYTES: Final = 1024

log: Final = logging.getLogger(__name__)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(OpsClientFrame).decode


async def serve_ops_socket(request: web.Request) -> web.StreamResponse:
    """GET /ws/ops. Everything that can be refused is refused before the upgrade."""
    services = request.app[SERVICES]
    caller = await operator(services, request)
    if services.counters.draining:
        raise Refusal("unavailable")
    if not services.security.may_upgrade(request):
        raise Refusal("forbidden", "Sockets are opened by our own page, or with a Bearer token.")
    if request.query:
        raise Refusal("invalid", fields=dict.fromkeys(request.query, "This is not asked for."))
    offered = [name.strip() for name in request.headers.get(hdrs.SEC_WEBSOCKET_PROTOCOL, "").split(",")]
    if SUBPROTOCOL not in offered:
        raise Refusal("invalid", f"The subprotocol {SUBPROTOCOL} is required.")
    page = OpenPage(services, caller)
    async with services.ops.watched_by(page):
        await page.run(request)
    return page.response


class OpenPage:
    """A Watcher of the desk. The reader only notes what is wanted, the writer does it at its next turn."""

    def __init__(self, services: Services, caller: Caller) -> None:
        self._services = services
        self._caller = caller
        self._followed = ""
        self._tail: Tail | None = None
        self._fresh = False
        self._turn = asyncio.Event()
        self._closing: tuple[int, str] | None = None
        self.response = web.WebSocketResponse(
            protocols=(SUBPROTOCOL,),
            heartbeat=HEARTBEAT,
            compress=False,
            max_msg_size=FRAME_BYTES,
            timeout=CLOSE_DEADLINE,
        )

    def restart(self) -> None:
        self._close(Close.RESTART, "restart; come back after a random moment of up to 3 s")

    async def run(self, request: web.Request) -> None:
        """Tell what was, then what is, until either side ends it."""
        await self.response.prepare(request)
        writer = asyncio.create_task(self._write(request))
        try:
            await self._read()
        finally:
            self._close(1000, "")
            try:
                # The deadlines of its sends and of the close end it.
                await writer
            except BaseException:
                writer.cancel()
                raise

    def _close(self, code: int, reason: str) -> None:
        self._closing = self._closing or (code, reason)
        self._turn.set()

    async def _read(self) -> None:
        while self._closing is None:
            message = await self.response.receive()
            if message.type is not WSMsgType.TEXT:
                return
            try:
                wanted = _decode(message.data)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                self._close(Close.POLICY, "not understood")
                return
            self._followed, self._tail, self._fresh = wanted.name or "", None, True
            self._turn.set()

    async def _write(self, request: web.Request) -> None:
        try:
            await self._send(self._services.ops.board.history())
            while self._closing is None:
                await self._tell()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(PERIOD):
                        await self._turn.wait()
                self._turn.clear()
            code, reason = self._closing
            async with asyncio.timeout(CLOSE_DEADLINE):
                await self.response.close(code=code, message=reason.encode(), drain=False)
        except (TimeoutError, ConnectionError, RuntimeError):
            # RuntimeError is what aiohttp says of a socket that closed under the writer.
            self._closing = self._closing or (1006, "")
            if request.transport is not None:
                request.transport.abort()

    async def _tell(self) -> None:
        """One turn, after a look whether this is an operator still."""
        try:
            session = await self._services.authenticator.session(self._caller.session)
            right = await account(self._services, self._caller.user)
        except Refusal:
            # What cannot be known now is not taken for granted.
            self._close(Close.RESEND, "it cannot be known now who this is")
            return
        if session is None or right is None:
            self._close(Close.SESSION_OVER, "session over")
            return
        await self._send(await self._services.ops.board.overview())
        await self._tell_of_log()

    async def _tell_of_log(self) -> None:
        name = self._followed
        if not name:
            return
        if self._tail is None:
            # There may be none yet: it is looked for at each turn.
            file = await asyncio.to_thread(log_of, self._services.ops.logs, name)
            tail = Tail(file) if file else None
        else:
            tail = self._tail
        lines = await asyncio.to_thread(tail.read) if tail else []
        if name != self._followed:
            # Another one is wanted since; the next turn, which has been called, tells of that one.
            return
        self._tail = tail
        if lines or self._fresh:
            fresh, self._fresh = self._fresh, False
            await self._send(LogLines(name=name, lines=lines, fresh=fresh))

    async def _send(self, frame: Struct) -> None:
        async with asyncio.timeout(SEND_DEADLINE):
            await self.response.send_frame(_encode(frame), WSMsgType.TEXT)
