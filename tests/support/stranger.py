"""A client as somebody writes it who knows nothing of Parley but its published contract.

On purpose it imports nothing of the project's: what it needs, the contract has to say.
"""

import asyncio
import contextlib
import itertools
import json
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.support.waiting import SCALE

PASSWORD = "seven herons over the weir"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

_numbers = itertools.count(1)


class Stranger:
    """Somebody with an account, signed in by Bearer. `base` is the installation's address."""

    def __init__(self, base: str, http: aiohttp.ClientSession, signed: Mapping[str, Any]) -> None:
        self.base = base
        self.http = http
        self.id: str = signed["user"]["id"]
        self.username: str = signed["user"]["username"]
        self.token: str = signed["access_token"]
        self.refresh_token: str = signed["refresh_token"]

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """(status, answer) of a request under /api/v1."""
        return await call(self.http, method, f"{self.base}/api/v1{path}", body, **{**self.bearer, **headers})

    async def befriend(self, other: "Stranger") -> str:
        """In contact with the other from now on. Returns the conversation's id."""
        status, asked = await self.call("POST", "/contacts/requests", {"user_id": other.id})
        assert status == 201, asked
        status, answer = await other.call("POST", f"/contacts/requests/{asked['request']['id']}/accept")
        assert status == 200, answer
        _, contacts = await self.call("GET", "/contacts")
        (found,) = [one["conversation"] for one in contacts["contacts"] if one["user"]["id"] == other.id]
        return str(found)

    async def post(self, conversation: str, body: str, client_id: str) -> tuple[int, Any]:
        return await self.call(
            "POST", f"/conversations/{conversation}/messages", {"client_id": client_id, "body": body}
        )

    async def history(self, conversation: str, query: str = "") -> Any:
        status, page = await self.call("GET", f"/conversations/{conversation}/messages{query}")
        assert status == 200, page
        return page

    @contextlib.asynccontextmanager
    async def socket(self) -> AsyncIterator["Line"]:
        """An open socket whose hello has come."""
        async with upgrade(self.base, self.bearer) as connection:
            line = Line(connection)
            line.hello = await line.receive()
            yield line


class Line:
    """One end of a socket. What comes while something else is waited for is put aside."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.hello: dict[str, Any] = {}
        self.aside: list[dict[str, Any]] = []

    async def send(self, **frame: Any) -> None:
        await self.connection.send(json.dumps(frame))

    async def receive(self, within: float = 5.0) -> dict[str, Any]:
        async with asyncio.timeout(within * SCALE):
            return dict(json.loads(await self.connection.recv()))

    async def next(self, kind: str, within: float = 5.0, **fields: Any) -> dict[str, Any]:
        """The next frame of that type with those fields."""

        def fits(frame: dict[str, Any]) -> bool:
            return frame["type"] == kind and all(frame.get(name) == value for name, value in fields.items())

        found = next((frame for frame in self.aside if fits(frame)), None)
        if found is not None:
            self.aside.remove(found)
            return found
        async with asyncio.timeout(within * SCALE):
            while not fits(frame := await self.receive(within)):
                self.aside.append(frame)
        return frame

    async def command(self, **frame: Any) -> dict[str, Any]:
        """Send a command under a fresh id, and again after a `resync`, which may have cost the answer.

        Its one `ok` or `error`.
        """
        number = f"n{next(_numbers)}"
        await self.send(id=number, **frame)
        async with asyncio.timeout(5 * SCALE):
            while (answer := await self.receive()).get("id") != number:
                self.aside.append(answer)
                if answer["type"] == "resync":
                    await self.send(id=number, **frame)
        return answer

    async def quiet(self) -> list[dict[str, Any]]:
        """What has come, and was not asked for, up to now: whatever was sent before a pong is here before it."""
        number = f"n{next(_numbers)}"
        await self.send(type="ping", id=number)
        await self.next("pong", id=number)
        return self.aside

    async def closed(self, within: float = 5.0) -> int | None:
        """The close code, once the server closes."""
        async with asyncio.timeout(within * SCALE):
            with contextlib.suppress(ConnectionClosed):
                while True:
                    self.aside.append(json.loads(await self.connection.recv()))
            return self.connection.close_code


@contextlib.asynccontextmanager
async def upgrade(
    base: str, headers: Mapping[str, str], protocols: tuple[str, ...] = ("parley.v1",)
) -> AsyncIterator[ClientConnection]:
    """GET /ws. Raises websockets' InvalidStatus when the server refuses."""
    address = base.replace("http", "ws", 1) + "/ws"
    offered = [Subprotocol(name) for name in protocols] or None
    # Without a proxy from the environment, and without a User-Agent that nobody asked for.
    async with connect(
        address, subprotocols=offered, additional_headers=headers, user_agent_header=None, proxy=None, close_timeout=2
    ) as connection:
        yield connection


async def call(http: aiohttp.ClientSession, method: str, url: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    """(status, decoded JSON or None). Bytes are sent as they are, everything else as JSON."""
    if isinstance(body, bytes):
        sent: dict[str, Any] = {"data": body, "headers": {"Content-Type": "application/json", **headers}}
    else:
        sent = {"json": body, "headers": headers}
    async with http.request(method, url, **sent) as answer:
        raw = await answer.read()
        return answer.status, json.loads(raw) if raw else None


async def register(base: str, http: aiohttp.ClientSession, name: str) -> Stranger:
    """Somebody new; the name is made unique."""
    body = {"username": f"{name}.{next(_numbers)}", "password": PASSWORD, "display_name": name.title()}
    status, answer = await call(http, "POST", f"{base}/api/v1/auth/register", body)
    assert status == 201, answer
    return Stranger(base, http, answer)
