"""A WebSocket around the session: one task reads, what is to be written is written at once, and what waits is bounded.

A task writes only while the reader is behind, and at the end: an idle socket has none.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Sequence
from typing import Final

import msgspec
from aiohttp import WSMsgType, hdrs, web

from protocols.errors import Refusal
from protocols.frames import SUBPROTOCOL, Close, Hello
from protocols.mail import Outcome
from protocols.values import FRAME_BYTES
from web import api_notices, catching_up
from web.authentication import Caller
from web.bell import Bell
from web.dispatch import SERVICES, shown
from web.framing import text_frames
from web.limits import address_key
from web.services import Services
from web.session import OWNER, Action, Attends, Hangup, Mention, ReadOn, Session, Tell, Transmit, Types

OUTBOX_FRAMES: Final = 256
OUTBOX_BYTES: Final = 512 * 1024
"""More than this may wait for a moment, because a whole batch arrives at once; not while the reader has stalled."""

OUTBOX_FRAMES_MOST: Final = 4_096
OUTBOX_BYTES_MOST: Final = 4 * 1024 * 1024
STALLED: Final = 1.0
"""Seconds after which a send that has not ended means a reader too slow for what waits."""

READ_BYTES: Final = 4 * FRAME_BYTES
"""A larger frame is not even read."""

SEND_DEADLINE: Final = 10.0
BURST: Final = 64
WRITER_LIMIT: Final = 32 * 1024
"""Seconds for so many frames, or about so many bytes, to leave; with more than that in the transport it is behind."""

CLOSE_DEADLINE: Final = 2.0
ROOM_DEADLINE: Final = 30.0
HEARTBEAT: Final = 20.0
PONG_WITHIN: Final = 20.0
"""Who says nothing for HEARTBEAT seconds is pinged, and gone after so many more."""

_PING: Final = b"\x89\x00"

log: Final = logging.getLogger(__name__)


async def serve_socket(request: web.Request) -> web.StreamResponse:
    """GET /ws. Everything that can be refused is refused before the upgrade."""
    services = request.app[SERVICES]
    if services.counters.draining:
        raise Refusal("unavailable")
    if not services.security.may_upgrade(request):
        if hdrs.ORIGIN not in request.headers and not services.cookies.sent(request):
            # Neither a browser nor a token: whoever it is did not sign in.
            raise Refusal("unauthenticated")
        raise Refusal("forbidden", "Sockets are opened by our own page, or with a Bearer token.")
    caller = await services.authenticator.caller(request)
    if caller is None:
        raise Refusal("unauthenticated")
    if request.query:
        raise Refusal("invalid", fields=dict.fromkeys(request.query, "This is not asked for."))
    offered = [name.strip() for name in request.headers.get(hdrs.SEC_WEBSOCKET_PROTOCOL, "").split(",")]
    if SUBPROTOCOL not in offered:
        raise Refusal("invalid", f"The subprotocol {SUBPROTOCOL} is required.")
    address = address_key(services.security.address(request))
    _guard_count(services, caller.user, address)
    if services.counters.draining:
        # Since this was asked first: those who are there have been sent away, and nobody would tell this one.
        raise Refusal("unavailable")
    connection = Connection(services, request, caller, address)
    # Before anything is read for hello: what is pushed meanwhile waits behind it.
    services.hub.join(connection)
    try:
        await connection.run(request)
    finally:
        services.hub.leave(connection)
        services.presence.leave(connection.seat)
    return connection.response


def _guard_count(services: Services, user: str, address: str | None) -> None:
    limits, hub = services.limits, services.hub
    if limits.sockets_per_person and hub.of_person(user) >= limits.sockets_per_person:
        raise Refusal("rate_limited", "You have too many connections open.", retry_after=5)
    if address and limits.sockets_per_address and hub.of_address(address) >= limits.sockets_per_address:
        raise Refusal("rate_limited", "Too many connections from your address.", retry_after=5)


class Connection:
    """A Port of the hub. Its own methods never wait; the reader and the writer do."""

    # Thousands of them do nothing most of the time.
    __slots__ = (
        "__weakref__",
        "_asked",
        "_bytes",
        "_closing",
        "_cut",
        "_due",
        "_greeted",
        "_heard",
        "_loop",
        "_machine",
        "_outbox",
        "_room",
        "_sending_since",
        "_services",
        "_transport",
        "_writer",
        "address",
        "ends_at",
        "response",
        "seat",
        "session",
        "user",
    )

    def __init__(self, services: Services, request: web.Request, caller: Caller, address: str | None) -> None:
        self._services = services
        self._transport = request.transport
        self._loop = asyncio.get_running_loop()
        self.user = caller.user
        self.session = caller.session
        self.ends_at = caller.ends_at
        self.address = address
        self.seat = services.presence.enter(caller.user, caller.session)
        self.response = web.WebSocketResponse(
            protocols=(SUBPROTOCOL,),
            # One look a second at all sockets does for pings, instead of a timer each.
            autoping=False,
            compress=False,
            # Larger ones and text that is no UTF-8 would make aiohttp reset the connection, and the close code is lost
            # with it when more is on its way: what is a little too large is refused here.
            max_msg_size=READ_BYTES,
            decode_text=False,
            # Whether the reader is behind is asked with each frame that goes through aiohttp.
            writer_limit=0,
            timeout=CLOSE_DEADLINE,
        )
        self._machine = Session(
            window=services.environment.settings.limits.in_flight,
            person=caller.user,
            admit=services.admit,
            private=services.privacy.hides,
        )
        # Not a deque, which is large while it is empty, as it is in nearly all sockets at nearly all times.
        self._outbox: list[bytes] = []
        self._bytes = 0
        self._room = Bell()
        self._writer: asyncio.Task[None] | None = None
        self._greeted = False
        self._due = False
        self._heard = self._loop.time()
        self._asked = False
        self._sending_since: float | None = None
        self._closing: tuple[int, str] | None = None
        self._cut = False

    # The hub's side.

    def push(self, frame: bytes, /) -> None:
        """Let a frame out; a reader who is too slow for it is cut off."""
        if self._cut or self._closing:
            return
        self._outbox.append(frame)
        self._bytes += len(frame)
        self._wake()
        if (len(self._outbox) > OUTBOX_FRAMES or self._bytes > OUTBOX_BYTES) and self._overflows():
            self._services.counters.cut += 1
            log.info("a socket reads too slowly; cut off", extra={"user": self.user, "waiting": len(self._outbox)})
            self.cut()

    def outcome(self, ticket: int, outcome: Outcome, /) -> None:
        self._do(self._machine.outcome(ticket, outcome))

    def resync(self, source: str = "") -> None:
        self._do(self._machine.resync(source))

    def look(self) -> None:
        """Ask who is silent for a sign of life, and end what gave none."""
        now = self._loop.time()
        if self._machine.full or not self._greeted:
            # Not read, so nothing can be heard; of an end only the transport knows.
            self._heard = now
            if self._transport is not None and self._transport.is_closing():
                self.cut()
        elif now - self._heard > HEARTBEAT + PONG_WITHIN:
            self.cut()
        elif now - self._heard > HEARTBEAT and not self._asked and not self.response.closed:
            self._asked = True
            if self._transport is not None:
                self._transport.write(_PING)

    def over(self) -> None:
        self._outbox.clear()
        self.close(Close.SESSION_OVER, "session over")

    def restart(self) -> None:
        self.close(Close.RESTART, "restart; come back after a random moment of up to 3 s")

    def close(self, code: int, reason: str) -> None:
        """End the socket: what waits goes out, then the close frame, and 2 s later the connection is gone anyway."""
        if self._closing is None:
            self._machine.over = True
            self._closing = (code, reason)
            self._wake()
            self._room.set()
            self._loop.call_later(CLOSE_DEADLINE, self.cut)

    def cut(self) -> None:
        """End the connection now. After a send that did not end nothing else is safe to do with it."""
        self._cut = True
        self._machine.over = True
        self._outbox.clear()
        self._room.set()
        if self._transport is not None:
            self._transport.abort()

    def _overflows(self) -> bool:
        if len(self._outbox) > OUTBOX_FRAMES_MOST or self._bytes > OUTBOX_BYTES_MOST:
            return True
        return self._sending_since is not None and self._loop.time() - self._sending_since > STALLED

    # The socket's side.

    async def run(self, request: web.Request) -> None:
        """Greet, then read and write until either side ends it."""
        await self.response.prepare(request)
        # Sent, and as large as all the rest of an idle socket of ours.
        self.response.headers.clear()
        try:
            # Not kept in this frame, which lives as long as the socket.
            self._outbox.insert(0, msgspec.json.encode(await self._hello()))
        except Refusal as refusal:
            code = Close.SESSION_OVER if refusal.code == "unauthenticated" else Close.RESEND
            await self.response.close(code=code, message=refusal.code.encode())
            return
        self._greeted = True
        self._wake()
        try:
            await self._read()
        finally:
            self._machine.over = True
            if self._closing is None:
                self._closing = (1000, "")
            writer = self._writer or asyncio.create_task(self._write())
            try:
                # The deadlines of its sends and of the close end it.
                await writer
            except BaseException:
                writer.cancel()
                self.cut()
                raise

    async def _hello(self) -> Hello:
        services = self._services
        # It may have ended after it was looked at and before this socket could be told.
        services.authenticator.forget(self.session)
        if await services.authenticator.session(self.session) is None:
            raise Refusal("unauthenticated")
        # An idle socket does not ask again.
        services.authenticator.forget(self.session)
        users = await services.auth.read(lambda tx: tx.accounts.users([self.user]))
        await services.privacy.enter(self.user)
        return Hello(
            user=users[self.user],
            session=self.session,
            sync=await catching_up.present(services),
            in_flight=services.environment.settings.limits.in_flight,
            actors=services.hub.states(),
            notices=await api_notices.present(services, self.user),
        )

    async def _read(self) -> None:
        while not self._machine.over:
            message = await self.response.receive()
            self._heard = self._loop.time()
            self._asked = False
            if message.type is WSMsgType.TEXT:
                if len(message.data) > FRAME_BYTES:
                    self.close(Close.TOO_BIG, "too big")
                    return
                actions = self._machine.received(message.data)
            elif message.type is WSMsgType.BINARY:
                actions = self._machine.received_binary()
            elif message.type is WSMsgType.PING:
                await self.response.pong(message.data)
                continue
            elif message.type is WSMsgType.PONG:
                continue
            else:
                return
            self._services.counters.frames_in += 1
            await self._carry_out(actions)
            if self._machine.full:
                await self._until_room()

    async def _carry_out(self, actions: Sequence[Action]) -> None:
        self._do(actions)
        for action in actions:
            if isinstance(action, ReadOn):
                await self._read_on(action)

    async def _read_on(self, wanted: ReadOn) -> None:
        try:
            page = await catching_up.page(self._services, self.user, wanted.since)
        except Refusal as refusal:
            self._do(self._machine.cannot_read_on(wanted.id, shown(refusal.body)))
        else:
            self._do(self._machine.read_on(wanted.id, page.changes, page.next, more=page.more))

    async def _until_room(self) -> None:
        try:
            async with asyncio.timeout(ROOM_DEADLINE):
                # What is held when the socket ends is held for ever: whoever is cut off must not count as here.
                while self._machine.full and not self._machine.over:
                    self._room.clear()
                    if self._machine.pause:
                        await asyncio.sleep(self._machine.pause)
                        await self._carry_out(self._machine.go_on())
                    else:
                        await self._room.wait()
        except TimeoutError:
            self._do(self._machine.stalled())

    def _wake(self) -> None:
        # At the end of this turn of the loop: what one push batch brings leaves in one piece.
        if self._greeted and not self._due and self._writer is None:
            self._due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Write what waits, as far as the transport takes it; the rest, and the end, are a task's."""
        self._due = False
        if self._cut or self._writer is not None:
            return
        transport = self._transport
        # After a close frame nothing may follow.
        if transport is not None and not self.response.closed:
            while self._outbox and transport.get_write_buffer_size() <= WRITER_LIMIT:
                frames = self._burst()
                self._services.counters.frames_out += len(frames)
                transport.write(text_frames(frames))
        if self._outbox or self._closing:
            self._writer = asyncio.create_task(self._write())

    async def _write(self) -> None:
        try:
            while self._outbox and not self._cut:
                async with asyncio.timeout(SEND_DEADLINE):
                    await self._send_some()
            if self._closing and not self._cut:
                code, reason = self._closing
                async with asyncio.timeout(CLOSE_DEADLINE):
                    await self.response.close(code=code, message=reason.encode(), drain=False)
        except (TimeoutError, ConnectionError, RuntimeError):
            # RuntimeError is what aiohttp says of a socket that closed under the writer.
            self.cut()
        finally:
            self._writer = None

    async def _send_some(self) -> None:
        """Let a burst out: all but its last frame in one piece, because each write of aiohttp's is a system call.

        The last one goes through aiohttp, which waits there while the reader is behind, and refuses when it is gone.
        """
        *ahead, last = self._burst()
        self._sending_since = self._loop.time()
        self._services.counters.frames_out += len(ahead) + 1
        # After a close frame nothing may follow.
        if ahead and self._transport is not None and not self.response.closed:
            self._transport.write(text_frames(ahead))
        await self.response.send_frame(last, WSMsgType.TEXT)
        self._sending_since = None

    def _burst(self) -> list[bytes]:
        """Take what waits, up to BURST frames or a little over WRITER_LIMIT bytes; at least one frame."""
        count = size = 0
        for frame in self._outbox[:BURST]:
            if size >= WRITER_LIMIT:
                break
            count += 1
            size += len(frame)
        frames = self._outbox[:count]
        del self._outbox[:count]
        self._bytes -= size
        return frames

    def _do(self, actions: Sequence[Action]) -> None:
        queue = deque(actions)
        while queue:
            match queue.popleft():
                case Transmit(frame):
                    self.push(frame)
                case Tell(ticket, command, name, after):
                    try:
                        self._services.hub.tell(self, ticket, OWNER, command, name or self._fresh(), after=after)
                    except Refusal as refusal:
                        queue.extend(self._machine.refused(ticket, refusal))
                case Mention(command):
                    # Receipts are cumulative and are told again: one that finds the lane full may be lost.
                    with contextlib.suppress(Refusal):
                        self._services.hub.mention(OWNER, command, id=self._fresh(), person=self.user)
                case Types() | Attends() as sign:
                    self._signal(sign)
                case Hangup(code, reason):
                    self.close(code, reason)
                case ReadOn():
                    """The reader does that: it has to wait for it."""
        if not self._machine.full:
            self._room.set()

    def _signal(self, sign: Types | Attends) -> None:
        presence = self._services.presence
        if isinstance(sign, Types):
            presence.types(self.user, sign.conversation)
        else:
            presence.attend(self.seat, sign.viewing, visible=sign.visible)

    def _fresh(self) -> str:
        return self._services.environment.new_id()
