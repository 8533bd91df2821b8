"""router and the fronts as processes that can end at any moment: the product's own parts, wired as it wires them."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextvars import ContextVar
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import patch

from aiohttp import WSMessage, WSMsgType, web

from actors.front import Front
from actors.router import Router
from actors.runtime import Environment, serving
from actors.runtime.broker import Subscriptions
from actors.runtime.postroom import PostRoom
from protocols.values import User
from settings.endpoint import broker_user
from storage import Reader
from storage.auth import AuthUnit
from storage.contacts import ContactsUnit
from storage.router import RouterUnit
from tests.simulation.node import Link
from tests.simulation.store import Died, Store, Trouble
from tests.simulation.ways import Way
from web.authentication import Authenticator, Caller
from web.server import Server, make_services
from web.services import Services
from web.socket import Connection

if TYPE_CHECKING:
    from tests.simulation.device import Device
    from tests.simulation.world import World

NEVER = 2**53
"""The end of every session here, Unix ms."""

PING = b"\x89\x00"
EXTENDED = 126
"""From here on the second byte of a frame is no length, and says how many bytes the length has."""


class Process:
    """One run of a program. After `crash` nothing that its code still does has an effect."""

    def __init__(self, world: "World", name: str) -> None:
        self.world = world
        self.name = name
        self.alive = True
        self.troubles: deque[Trouble] = deque()
        self.store = Store(self, world.log, world.databases)
        self.link: Link | None = None
        self._stop: Callable[[], None] = lambda: None
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self.environment = Environment(
            world.settings, world.paths, now=world.wall, monotonic=world.loop.time, random_bytes=world.rng.randbytes
        )

    def begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task of this process, and of all that it begins."""
        task = self.world.loop.create_task(_as(self, work))
        self._tasks[task] = None
        task.add_done_callback(self._done)
        return task

    def run(self, program: Coroutine[Any, Any, None]) -> None:
        """What the process is there for: with it the process ends."""
        self.begin(program).add_done_callback(self._ended)

    def connect(self, user: str, subscriptions: Subscriptions) -> Link:
        self.link = Link(self.world, self.name, user, subscriptions)
        return self.link

    def on_stop(self, call: Callable[[], None]) -> None:
        self._stop = call

    def stop(self) -> None:
        """SIGTERM."""
        self.world.note(self.name, "told to stop")
        self._stop()

    def crash(self) -> None:
        """End as by SIGKILL."""
        if self.alive:
            self.world.note(self.name, "killed")
            self._end()
            for task in self._tasks:
                task.cancel()

    def _end(self) -> None:
        self.alive = False
        if self.link is not None:
            self.link.die()
        self.store.drop()
        self.world.ended(self)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and (error := task.exception()) and self.alive and not isinstance(error, Died):
            self.world.complain(f"{self.name} failed: {error!r}")

    def _ended(self, _task: asyncio.Task[None]) -> None:
        if self.alive:
            self.world.note(self.name, "ended")
            self._end()

    @property
    def gone(self) -> bool:
        return not self._tasks


_current: ContextVar[Process] = ContextVar("process")


async def _as(process: Process, work: Coroutine[Any, Any, None]) -> None:
    _current.set(process)
    await work


@contextlib.contextmanager
def in_memory() -> Iterator[None]:
    """What the product's own programs reach outside for, they find in the simulation: signals, and the broker."""

    def connect(environment: Environment, _instance: str, actor: str, subscriptions: Subscriptions) -> Link:
        return _current.get().connect(broker_user(environment.settings, actor), subscriptions)

    with (
        patch.object(serving, "_broker", connect),
        patch.object(serving, "on_stop", lambda call: _current.get().on_stop(call)),
        patch.object(serving, "_listening_sockets", list),
    ):
        yield


class RouterProcess(Process):
    """router, as the command line runs it."""

    def __init__(self, world: "World") -> None:
        super().__init__(world, "router")
        self.run(serving.serve_owner(Router(self.environment), self._open, self.environment))

    async def _open(self) -> Store:
        return self.store


class Wire:
    """One socket between a device and a front. `deaf`: nothing gets through any more, and neither end knows."""

    def __init__(self, device: "Device", front: "FrontProcess") -> None:
        world = device.world
        self.device = device
        self.front = front
        self.over = False
        self.deaf = False
        self.code = 1006
        self.up: Way[str] = Way(self._arrived, world.wireless)
        self.down: Way[bytes | int] = Way(self._shown, world.wireless)
        self.served = Served(self)
        self.transport = SimpleNamespace(
            abort=self.cut, write=self._written, get_write_buffer_size=lambda: 0, is_closing=lambda: self.over
        )

    def _arrived(self, text: str) -> None:
        if not self.deaf and not self.over:
            self.front.world.point(self.front.name, "heard")
            self.served.put(WSMessage(WSMsgType.TEXT, text, None))

    def _written(self, data: bytes) -> None:
        """Whole text frames and pings as a server sends them (RFC 6455, 5.2), past aiohttp's response."""
        at = 0
        while at < len(data) and not self.over:
            if data[at : at + 2] == PING and not self.deaf:
                self.front.world.loop.call_later(self.front.world.wireless(), self._answer_ping)
            size, at = data[at + 1], at + 2
            if size >= EXTENDED:
                wide = 2 if size == EXTENDED else 8
                size, at = int.from_bytes(data[at : at + wide], "big"), at + wide
            if size:
                self.down.put(bytes(data[at : at + size]))
            at += size

    def _answer_ping(self) -> None:
        if not self.over and not self.deaf:
            self.served.put(WSMessage(WSMsgType.PONG, b"", None))

    def _shown(self, frame: bytes | int) -> None:
        if self.deaf:
            return
        if isinstance(frame, int):
            self.code = frame
            self.cut()
        else:
            self.device.received(self, frame)

    def cut(self) -> None:
        """Reset: what is on its way is lost."""
        if self.over:
            return
        self.over = True
        self.up.cut()
        self.down.cut()
        self.served.put(WSMessage(WSMsgType.CLOSED, None, None))
        self.front.world.loop.call_later(0.0 if self.deaf else self.front.world.wireless(), self.device.closed, self)


class Served:
    """What aiohttp's response is to the front's side of a socket."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.headers: dict[str, str] = {}
        self._arrived: deque[WSMessage] = deque()
        self._some = asyncio.Event()

    @property
    def closed(self) -> bool:
        return self._wire.over

    def put(self, message: WSMessage) -> None:
        self._arrived.append(message)
        self._some.set()

    async def prepare(self, _request: object) -> None:
        await asyncio.sleep(0)

    async def receive(self) -> WSMessage:
        while not self._arrived:
            self._some.clear()
            await self._some.wait()
        return self._arrived.popleft()

    async def send_frame(self, frame: bytes, _kind: WSMsgType) -> None:
        if self._wire.over:
            raise ConnectionResetError
        self._wire.down.put(frame)

    async def close(self, *, code: int, message: bytes, drain: bool = True) -> None:
        del message, drain
        if not self._wire.over:
            self._wire.down.put(code)


class Socket(Connection):
    """The front's own socket, over a wire in memory."""

    def __init__(self, number: int, front: "FrontProcess", wire: Wire) -> None:
        request = cast("web.Request", SimpleNamespace(transport=wire.transport))
        caller = Caller(wire.device.person, f"session-{number}", False, NEVER)
        super().__init__(front.services, request, caller, None)
        self._number = number
        self.response = cast("web.WebSocketResponse", wire.served)

    def __hash__(self) -> int:
        # The hub keeps sockets in sets; by their addresses two runs of a seed would differ.
        return self._number


class FrontProcess(Process):
    """A front, as the command line runs it, but for HTTP. Everybody is signed in, and accounts are not looked up."""

    def __init__(self, world: "World", name: str) -> None:
        super().__init__(world, name)
        self.server: _Server
        self.run(serving.serve_front(self._build, self.environment, name))

    def _build(self, post: PostRoom) -> Front:
        front = Front(self.environment, post)
        front._server = self.server = _Server(self, post)
        return front

    @property
    def services(self) -> Services:
        return self.server.services

    @property
    def accepting(self) -> bool:
        return self.alive and self.server.listens

    def serve(self, wire: Wire, number: int) -> None:
        """As web.socket's serve_socket does, once the person is known."""
        self.begin(self._serve(wire, number))

    async def _serve(self, wire: Wire, number: int) -> None:
        socket = Socket(number, self, wire)
        self.services.hub.join(socket)
        try:
            await socket.run(cast("web.Request", None))
        finally:
            self.services.presence.leave(socket.seat)
            self.services.hub.leave(socket)


class _Server(Server):
    """The front's server, without its listening sockets."""

    def __init__(self, process: FrontProcess, post: PostRoom) -> None:
        super().__init__(process.environment, post)
        self._services = replace(
            make_services(process.environment, post),
            auth=cast("Reader[AuthUnit]", _People()),
            contacts=cast("Reader[ContactsUnit]", _People()),
            router=cast("Reader[RouterUnit]", process.store),
            authenticator=cast("Authenticator", _SignedIn()),
        )
        self.listens = False

    async def start(self, _sockets: object) -> None:
        self._watches = [asyncio.create_task(self._look_round()), asyncio.create_task(self.services.presence.run())]
        self.listens = True

    async def drain(self) -> None:
        self.listens = False
        await super().drain()

    async def _end_sessions(self) -> None:
        """Nobody signs out here."""


class _People:
    """Accounts: everybody is there."""

    async def read(self, _work: object) -> Any:
        return _Names()

    async def close(self) -> None:
        """Nothing is open."""


class _Names:
    def __getitem__(self, user: str) -> User:
        return User(user, user, user)


class _SignedIn:
    """Sessions: all live."""

    def forget(self, _session: str) -> None:
        pass

    async def session(self, session: str) -> str:
        return session
