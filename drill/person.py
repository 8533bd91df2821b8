"""A simulated person: signs up over HTTP, chats over a real WebSocket, and keeps at it as a browser page does.

What was typed stays in an outbox until its tick; after every reconnect the socket first reads on from its token and
then repeats, in order, what has no tick yet, with the same client_ids.
"""

import asyncio
import contextlib
import json
import random
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Self

import aiohttp
from msgspec import structs
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from drill.ledger import Sent
from drill.screen import Screen, Shown

SUBPROTOCOL = "parley.v1"
BACKOFF_BASE = 0.05
BACKOFF_CAP = 1.0
REPLY_WITHIN = 10.0
SILENCE = 5.0
UNAUTHENTICATED = 401
PASSWORD = "correct horse battery staple"  # noqa: S105  (of invented people on a loopback address)


class HttpError(Exception):
    """An answer that is not 2xx: `status`, the error's `code`, and its `message` for people."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message


class Person:
    """One person with one device. `base` is the installation's address, http://127.0.0.1:8080.

    `sent` holds what was typed, with its tick; `screen` what was shown. `clock` gives seconds. `device` begins the
    client_ids and tells a person's devices apart.
    """

    def __init__(
        self, base: str, username: str, *, device: str = "", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.base = base
        self.username = username
        self.device = device or username
        self.id = ""
        self.screen = Screen()
        self.sent: dict[str, Sent] = {}
        self.reconnects = 0
        self._clock = clock
        self._http: aiohttp.ClientSession | None = None
        self._token = ""
        self._refresh_token = ""
        self._sync_token = ""
        self._outbox: deque[str] = deque()
        self._under_way: dict[str, str] = {}
        self._window = 1
        self._frames = 0
        self._count = 0
        self._socket: ClientConnection | None = None
        self._syncing = ""
        self._sync_again = False
        self._changed = asyncio.Event()
        self._watchers: list[asyncio.Future[None]] = []
        self.connected = asyncio.Event()

    # HTTP.

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._http is not None:
            await self._http.close()

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """One request of the JSON API. Raises HttpError."""
        if self._http is None:
            raise RuntimeError("a person is used as an async context manager")
        if self._token:
            headers |= self.bearer
        async with self._http.request(method, f"{self.base}/api/v1{path}", json=body, headers=headers) as answer:
            text = await answer.text()
            if answer.status >= 300:  # noqa: PLR2004  (HTTP's own limit)
                code = message = ""
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    error = json.loads(text)["error"]
                    code, message = error["code"], error["message"]
                raise HttpError(answer.status, code, message)
            return json.loads(text) if text else None

    async def register(self) -> None:
        """Make an account and a session."""
        self._signed_in(await self.call("POST", "/auth/register", {"username": self.username, "password": PASSWORD}))

    async def sign_in(self) -> None:
        """Begin a session of an account that is there."""
        self._signed_in(await self.call("POST", "/auth/login", {"username": self.username, "password": PASSWORD}))

    @property
    def bearer(self) -> dict[str, str]:
        """The header that shows who this is."""
        return {"Authorization": f"Bearer {self._token}"}

    async def refresh(self) -> None:
        """Have a new access token, as a device does whose own has expired."""
        answer = await self.call("POST", "/auth/refresh", {"refresh_token": self._refresh_token})
        self._token = answer["access_token"]
        self._refresh_token = answer["refresh_token"]

    async def befriend(self, other: "Person") -> None:
        """Ask the other, who accepts."""
        asked = await self.call("POST", "/contacts/requests", {"user_id": other.id})
        await other.call("POST", f"/contacts/requests/{asked['request']['id']}/accept")

    def _signed_in(self, answer: dict[str, Any]) -> None:
        self._token = answer["access_token"]
        self._refresh_token = answer["refresh_token"]
        self.id = answer["user"]["id"]

    # Chat.

    def say(self, to: str, body: str) -> str:
        """Type a message; returns its client_id. It goes out as soon as there is a socket."""
        self._count += 1
        client_id = f"{self.device}-{self._count}"
        self.sent[client_id] = Sent(client_id, self.id, to, body, self._clock())
        self._outbox.append(client_id)
        self._changed.set()
        return client_id

    @property
    def unanswered(self) -> int:
        return len(self._outbox) + len(self._under_way)

    async def until(self, predicate: Callable[[], bool]) -> None:
        """Wait until something is so that a frame can make so. Bounded by whoever calls."""
        while not predicate():
            news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._watchers.append(news)
            await news

    def _tell_watchers(self) -> None:
        watchers, self._watchers = self._watchers, []
        for news in watchers:
            if not news.done():
                news.set_result(None)

    def vanish(self) -> None:
        """Lose the network for a moment: the connection is gone, without a goodbye."""
        if self._socket is not None:
            self._socket.transport.abort()

    def dial(self) -> connect:
        """A socket of this person's; entered, it is open."""
        return connect(
            self.base.replace("http", "ws", 1) + "/ws",
            subprotocols=[SUBPROTOCOL],  # type: ignore[list-item]  # a NewType of str
            additional_headers=self.bearer,
            open_timeout=REPLY_WITHIN,
            ping_interval=None,
            close_timeout=1,
            max_size=None,
            compression=None,
            proxy=None,
        )

    async def run(self) -> None:
        """Be connected, again and again, until cancelled."""
        failures = 0
        while True:
            try:
                async with self.dial() as socket:
                    failures = 0
                    await self._converse(socket)
            except (OSError, TimeoutError, InvalidHandshake, ConnectionClosed) as error:
                failures += 1
                if isinstance(error, InvalidStatus) and error.response.status_code == UNAUTHENTICATED:
                    with contextlib.suppress(HttpError, aiohttp.ClientError, TimeoutError):
                        await self.refresh()
            self.connected.clear()
            self.reconnects += 1
            await asyncio.sleep(random.random() * min(BACKOFF_CAP, BACKOFF_BASE * 2**failures))  # noqa: S311

    async def _converse(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._syncing = ""
        # What was under way has no answer; in front of what was never sent, in the order of typing.
        self._outbox.extendleft(reversed(list(self._under_way.values())))
        self._under_way.clear()
        speaking = asyncio.create_task(self._speak(socket))
        try:
            while True:
                frame = json.loads(await self._receive(socket))
                await self._on_frame(frame)
                self._tell_watchers()
        finally:
            self._socket = None
            speaking.cancel()
            await asyncio.gather(speaking, return_exceptions=True)

    async def _receive(self, socket: ClientConnection) -> str | bytes:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SILENCE):
                return await socket.recv()
        await self._transmit({"type": "ping"})
        async with asyncio.timeout(SILENCE):
            return await socket.recv()

    async def _speak(self, socket: ClientConnection) -> None:
        """Keep up to a window of sends under way, in order; this task alone sends them."""
        with contextlib.suppress(ConnectionClosed):
            await self.connected.wait()
            while True:
                self._changed.clear()
                while self._outbox and len(self._under_way) < self._window:
                    sent = self.sent[self._outbox.popleft()]
                    frame_id = self._frame_id()
                    self._under_way[frame_id] = sent.client_id
                    await self._send(socket, frame_id, sent)
                await self._changed.wait()

    async def _send(self, socket: ClientConnection, frame_id: str, sent: Sent) -> None:
        frame = {"type": "send", "id": frame_id, "client_id": sent.client_id, "to": sent.to, "body": sent.body}
        await socket.send(json.dumps(frame))

    async def _on_frame(self, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "hello":
                self._window = frame["in_flight"]
                await self._sync()
            case "message" | "message_changed":
                if not self.screen.receive(Shown.of(frame, self._clock())):
                    await self._sync()
            case "ok":
                await self._on_ok(frame)
            case "error":
                self._on_error(frame)
            case "resync" if frame.get("source", "router") == "router":
                self._outbox.extendleft(reversed(list(self._under_way.values())))
                self._under_way.clear()
                await self._sync()
                self._changed.set()
            case _:
                pass

    async def _on_ok(self, frame: dict[str, Any]) -> None:
        if frame["id"] == self._syncing:
            for change in frame["changes"]:
                if change["type"] == "message":
                    self.screen.catch_up(Shown.of(change, self._clock()))
            self._sync_token = frame["next"]
            self._syncing = ""
            if frame["more"] or self._sync_again:
                await self._sync()
            else:
                self.connected.set()
            return
        client_id = self._under_way.pop(frame["id"], None)
        if client_id is None:
            return
        self._changed.set()
        sent = self.sent[client_id]
        if not sent.seq:
            self.sent[client_id] = structs.replace(sent, seq=frame["seq"])
        own = {**frame, "client_id": client_id, "sender": self.id, "body": sent.body}
        if not self.screen.receive(Shown.of(own, self._clock())):
            await self._sync()

    def _on_error(self, frame: dict[str, Any]) -> None:
        client_id = self._under_way.pop(frame["id"] or "", None)
        if client_id is not None:
            self.sent[client_id] = structs.replace(self.sent[client_id], refused=frame["code"])
            self._changed.set()

    async def _sync(self) -> None:
        self._sync_again = bool(self._syncing)
        if not self._syncing:
            self._syncing = self._frame_id()
            await self._transmit({"type": "sync", "id": self._syncing, "since": self._sync_token})

    async def _transmit(self, frame: dict[str, Any]) -> None:
        if self._socket is not None:
            await self._socket.send(json.dumps(frame))

    def _frame_id(self) -> str:
        self._frames += 1
        return str(self._frames)
