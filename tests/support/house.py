"""A front over real sockets, and the real owners over real databases, in one process and without a broker.

Mail goes straight from the front's post into the owners' transactions, and back as push batches with numbers. An
owner can be stopped (mail waits), and a push can be lost on purpose.
"""

import asyncio
import contextlib
import json
import socket
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
from msgspec import Raw, msgpack

from actors.auth import Auth
from actors.contacts import Contacts
from actors.file_chunker import FileChunker
from actors.front import Front
from actors.notifier import Notifier
from actors.router import Router
from actors.runtime import Actor, Environment, Mail, Post
from actors.runtime.dispatch import Result, Work, dispatch
from protocols.contacts import RequestContact
from protocols.errors import Refusal
from protocols.frames import SUBPROTOCOL
from protocols.mail import Beat, Command, FrontItem, Outcome, PushBatch, reply_type
from settings import Paths
from storage import Database, Schema
from storage.auth import AUTH
from storage.contacts import CONTACTS
from storage.files import FILES
from storage.notifier import NOTIFIER
from storage.router import ROUTER
from tests.support.errands import run_errands
from tests.support.node import installation
from tests.support.waiting import SCALE

R = TypeVar("R")

PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class _Told:
    item: Work
    correlation: str
    waiter: asyncio.Future[Result] | None = None


@dataclass
class Owner:
    """One actor with its database. `running` false: mail waits."""

    actor: Actor[Any]
    database: Database[Any]
    let_out: Callable[[PushBatch | Beat], None]
    running: asyncio.Event = field(default_factory=asyncio.Event)
    life: int = 1
    number: int = 0
    lose: int = 0
    told: "asyncio.Queue[_Told]" = field(default_factory=asyncio.Queue)

    @property
    def name(self) -> str:
        return self.actor.name

    async def work(self) -> None:
        while True:
            first = await self.told.get()
            await self.running.wait()
            batch = deque([first])
            while not self.told.empty():
                batch.append(self.told.get_nowait())
            self.tell_of(batch, await self._done([told.item for told in batch]))

    async def _done(self, works: list[Work]) -> list[Result]:
        results: list[Result] = await self.database.run(lambda tx: dispatch(self.actor, tx, works))
        return results

    async def run_errands(self) -> None:
        await run_errands(self.actor.errands, self.database, self.actor.environment.now, self._let_out)

    def tell_of(self, batch: "deque[_Told]", results: list[Result]) -> None:
        items: list[FrontItem] = []
        for told, result in zip(batch, results, strict=True):
            if told.waiter is not None:
                if not told.waiter.done():
                    told.waiter.set_result(result)
            elif told.correlation:
                value = None if result.value is None else Raw(result.value)
                items.append(Outcome(correlation=told.correlation, value=value, error=result.error))
            items.extend(result.effects)
        self._let_out(items)

    def _let_out(self, items: Sequence[FrontItem]) -> None:
        if items:
            self.number += 1
            if self.lose:
                self.lose -= 1
                return
            self.let_out(PushBatch(source=self.name, incarnation=str(self.life), number=self.number, items=list(items)))

    def beat(self, state: str = "running") -> None:
        self.let_out(Beat(source=self.name, incarnation=str(self.life), number=self.number, state=state))


class LocalPost(Post):
    """Mail of one front to owners in this process."""

    def __init__(self, environment: Environment, owners: Mapping[str, Owner], name: str) -> None:
        self._environment = environment
        self._owners = owners
        self._incarnation = f"{name}:test"
        self.reachable = True
        self.full = False

    @property
    def incarnation(self) -> str:
        return self._incarnation

    @property
    def connected(self) -> bool:
        return self.reachable

    def tell(self, to: str, command: Command[Any], *, id: str, person: str, correlation: str, after: str = "") -> None:  # noqa: A002  (as Post)
        if self.full:
            raise Refusal("unavailable")
        self._owners[to].told.put_nowait(
            _Told(self._work(to, command, id, person, correlation, after=after), correlation)
        )

    def drop(self, correlations: Iterable[str]) -> None:
        """Mail in memory is with its owner at once."""

    async def kept(self, to: str, within: float) -> bool:  # noqa: ARG002  (mail in memory is there at once)
        return self.reachable

    async def ask(self, to: str, command: Command[R], *, within: float, id: str = "", person: str = "") -> R:  # noqa: A002  (as Post)
        owner = self._owners[to]
        work = self._work(to, command, id or self._environment.new_id(), person, "")
        if not owner.running.is_set():
            raise Refusal("unavailable", retry_after=1)
        if work.handler.prepare is not None:
            prepared = await work.handler.prepare(owner.actor, work.mail)
            mail = work.mail
            work = Work(work.handler, Mail(mail.id, mail.person, mail.command, mail.now, "", prepared), work.raw)
        waiter: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        owner.told.put_nowait(_Told(work, "", waiter))
        result = await asyncio.wait_for(waiter, within)
        if result.error is not None:
            raise Refusal.of(result.error)
        reply: R = msgpack.decode(result.value or b"", type=reply_type(type(command)))
        return reply

    def signal(self, to: str, command: Command[Any], *, person: str = "", within: float) -> None:  # noqa: ARG002  (mail in memory does not grow old)
        owner = self._owners.get(to)
        if owner is not None and owner.running.is_set():
            owner.told.put_nowait(_Told(self._work(to, command, self._environment.new_id(), person, ""), ""))

    async def depth(self, of: str, within: float) -> int:  # noqa: ARG002  (a queue in memory counts at once)
        return self._owners[of].told.qsize()

    def _work(
        self, to: str, command: Command[Any], number: str, person: str, correlation: str, *, after: str = ""
    ) -> Work:
        handler = self._owners[to].actor.handlers()[type(command)]
        now = self._environment.now()
        return Work(handler, Mail(number, person, command, now, correlation, after=after), msgpack.encode(command))


@dataclass
class Person:
    """Somebody who registered, with tokens for a program."""

    house: "House"
    id: str
    name: str
    access: str
    refresh: str

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access}"}

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        return await self.house.call(method, path, body, **{**self.bearer, **headers})

    @contextlib.asynccontextmanager
    async def socket(self) -> AsyncIterator["Socket"]:
        async with self.house.http.ws_connect(
            f"{self.house.url}/ws", headers=self.bearer, protocols=(SUBPROTOCOL,)
        ) as opened:
            one = Socket(opened)
            one.hello = await one.next("hello")
            yield one


class Socket:
    """A program's end of a socket. Frames that a test does not ask for by type are put aside."""

    def __init__(self, opened: aiohttp.ClientWebSocketResponse) -> None:
        self.opened = opened
        self.hello: dict[str, Any] = {}
        self.aside: list[dict[str, Any]] = []

    async def send(self, **frame: Any) -> None:
        # As browsers write it: with escapes a long text of emoji would not fit into a frame.
        await self.opened.send_str(json.dumps(frame, ensure_ascii=False))

    async def next(self, kind: str, within: float = 5.0, **fields: Any) -> dict[str, Any]:
        """The next frame of that type with those fields."""

        def fits(frame: dict[str, Any]) -> bool:
            return frame["type"] == kind and all(frame.get(name) == value for name, value in fields.items())

        for frame in self.aside:
            if fits(frame):
                self.aside.remove(frame)
                return frame
        async with asyncio.timeout(within * SCALE):
            while True:
                message = await self.opened.receive()
                assert message.type is aiohttp.WSMsgType.TEXT, f"{message} instead of {kind}; aside: {self.aside}"
                frame = message.json()
                if fits(frame):
                    return dict(frame)
                self.aside.append(frame)

    async def closed(self, within: float = 5.0) -> int | None:
        """The close code, once the server closes; frames before it are put aside."""
        async with asyncio.timeout(within * SCALE):
            while True:
                message = await self.opened.receive()
                if message.type is not aiohttp.WSMsgType.TEXT:
                    return self.opened.close_code
                self.aside.append(message.json())


@dataclass
class House:
    """A front at `url`, its owners, and an HTTP client without a cookie jar."""

    environment: Environment
    owners: dict[str, Owner]
    front: Front
    post: LocalPost
    url: str
    http: aiohttp.ClientSession

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """(status, decoded JSON or None) of one request."""
        async with self.http.request(method, f"{self.url}{path}", json=body, headers=headers) as answer:
            raw = await answer.read()
            return answer.status, await answer.json() if raw else None

    async def person(self, name: str) -> Person:
        """Register somebody."""
        status, answer = await self.call(
            "POST", "/api/v1/auth/register", {"username": name, "password": PASSWORD, "display_name": name.title()}
        )
        assert status == 201, answer
        return Person(self, answer["user"]["id"], name, answer["access_token"], answer["refresh_token"])

    async def befriend(self, one: Person, other: Person) -> None:
        """Both ask each other, which is acceptance."""
        await self.request(one, other)
        await self.request(other, one)

    async def request(self, one: Person, other: Person) -> None:
        """One asks the other to be in contact."""
        await self.post.ask("contacts", RequestContact(to=other.id), within=5 * SCALE, person=one.id)

    def stop_the_clock_of_limits(self) -> None:
        """For the limits of how often no time passes from now on, however slow the machine is."""
        limits, then = self.front._server.services.limits, self.environment.monotonic()
        message = limits.message
        limits.message = lambda person, now: message(person, then)  # type: ignore[method-assign]  # noqa: ARG005  (of this one)

    def beat(self) -> None:
        """A beat of every owner that runs."""
        for owner in self.owners.values():
            if owner.running.is_set():
                owner.beat()


_OWNERS: tuple[tuple[type[Actor[Any]], Schema[Any]], ...] = (
    (Auth, AUTH),
    (Contacts, CONTACTS),
    (Router, ROUTER),
    (Notifier, NOTIFIER),
    (FileChunker, FILES),
)


@contextlib.asynccontextmanager
async def open_house(folder: Path, **sections: dict[str, object]) -> AsyncIterator[House]:
    """A running house in `folder`, its settings overridden by section; all of it is ended in any case."""
    sections["auth"] = {"bcrypt_cost": 4, **sections.get("auth", {})}
    # Nobody beats here by itself, and an owner that is silent for some beats would be taken for down.
    sections["runtime"] = {"beat": 10.0 * SCALE, **sections.get("runtime", {})}
    settings = installation(folder, **sections)
    environment = Environment(settings, Paths.of(settings))
    environment.paths.make()
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(_remove, environment.paths.run)
        owners: dict[str, Owner] = {}
        post = LocalPost(environment, owners, "front.1")
        front = Front(environment, post)
        for kind, schema in _OWNERS:
            database = await Database.open(schema, environment.paths.databases)
            stack.push_async_callback(database.close)
            owner = Owner(kind(environment), database, front.receive)
            owner.actor.read = database.read
            await owner.actor.started()
            stack.push_async_callback(owner.actor.stopped)
            owner.running.set()
            owners[owner.name] = owner
            stack.push_async_callback(_end, asyncio.create_task(owner.work()))
            stack.push_async_callback(_end, asyncio.create_task(owner.run_errands()))
        listener = socket.create_server(("127.0.0.1", 0))
        await front.start([listener])
        stack.push_async_callback(front.drain)
        http = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        house = House(environment, owners, front, post, url, http)
        house.beat()
        yield house


def _remove(folder: Path) -> None:
    # It lies outside the test's own folder, which pytest removes.
    with contextlib.suppress(OSError):
        folder.rmdir()


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
