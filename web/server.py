"""One front: its readers, its hub, its application, and the look that it takes round every second."""

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Callable, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from aiohttp.http import HttpProcessingError

from actors.runtime import Environment, Post
from protocols.errors import Refusal
from settings import Settings, SettingsError
from storage import Reader
from storage.auth import AUTH
from storage.blobs import DirectoryBlobs
from storage.contacts import CONTACTS
from storage.files import FILES
from storage.notifier import NOTIFIER
from storage.router import ROUTER
from web.app import AccessLog, build
from web.assets import Assets
from web.authentication import Authenticator
from web.cookies import Cookies
from web.counters import Counters
from web.dispatch import failure
from web.files_download import DOWNLOADS_MOST, DOWNLOADS_WAITING
from web.files_news import FileNews
from web.files_room import Room, Seats
from web.files_upload import PIECES_MOST
from web.hub import Hub
from web.limits import Limits
from web.ops.desk import make_desk
from web.presence import Presence
from web.privacy import Privacy
from web.security import Security
from web.services import Services
from web.socket import Connection

LOOK: Final = 1.0
"""Seconds between two looks for sessions that have ended: the pushes that say so may be lost."""

KEEPALIVE: Final = 30.0
"""Seconds that an idle connection is kept, and that a request's head may take."""

BACKLOG: Final = 1024

LINGERING: Final = 2.0
"""Seconds in which the rest of a refused body is read and dropped, so that its sender gets to read the answer."""

GOODBYE: Final = 5.0
HANDLERS: Final = 3.0
"""Seconds in which sockets, and then requests, end when the front is drained."""

SESSIONS_PAGE: Final = 500

log: Final = logging.getLogger(__name__)


class Server:
    """Between `start` and `drain`."""

    def __init__(self, environment: Environment, post: Post) -> None:
        self._environment = environment
        self._post = post
        self._services: Services | None = None
        self._runner: web.AppRunner | None = None
        self._listening: list[asyncio.Server] = []
        self._watches: list[asyncio.Task[None]] = []
        self._ended = 0

    @property
    def services(self) -> Services:
        """Made at the first use, because the hub needs the running loop."""
        if self._services is None:
            self._services = make_services(self._environment, self._post)
        return self._services

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        """Serve on listening sockets, or on the configured address. Raises SettingsError when that cannot be."""
        settings = self._environment.settings
        # From here on, and not from before the first session that anybody brings along.
        self._ended = await self._ended_so_far()
        self._runner = web.AppRunner(build(self.services, Assets()), shutdown_timeout=HANDLERS)
        await self._runner.setup()
        factory = self._protocols(self._runner)
        context = tls(settings)
        loop = asyncio.get_running_loop()
        try:
            if sockets:
                self._listening = [await loop.create_server(factory, sock=each, ssl=context) for each in sockets]
            else:
                self._listening = [
                    await loop.create_server(
                        factory, settings.web.host, settings.web.port, ssl=context, backlog=BACKLOG
                    )
                ]
        except OSError as error:
            reason = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used: {error.strerror}"
            raise SettingsError("web.port", f"{settings.web.host}:{settings.web.port} {reason}") from error
        self._watches = [
            asyncio.create_task(self._look_round()),
            asyncio.create_task(self.services.ops.board.run()),
            asyncio.create_task(self.services.presence.run()),
        ]

    async def drain(self) -> None:
        """Accept nobody new, send sockets away to come back, finish requests that are under way."""
        services = self.services
        if services.counters.draining:
            return
        services.counters.draining = True
        for each in self._listening:
            each.close()
        for port in services.hub.ports:
            port.restart()
        await services.ops.close()
        try:
            async with asyncio.timeout(GOODBYE):
                await services.hub.nobody.wait()
        except TimeoutError:
            log.warning("%d sockets did not end in time", len(services.hub.ports))
        services.presence.goodbye()
        for watch in self._watches:
            watch.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)
        if self._runner is not None:
            await self._runner.cleanup()
        for reader in (services.auth, services.contacts, services.router, services.notifier, services.files):
            await reader.close()

    def _protocols(self, runner: web.AppRunner) -> Callable[[], web.RequestHandler]:
        security = self.services.security

        class Protocol(web.RequestHandler):
            """What cannot be read as HTTP reaches no application; its answer bears the same headers all the same."""

            def log_exception(self, *args: Any, **named: Any) -> None:
                if isinstance(named.get("exc_info"), HttpProcessingError):
                    # A line and no traceback: whoever reaches the port could fill the log with them.
                    log.info("refused what is no HTTP")
                else:
                    super().log_exception(*args, **named)

            def handle_error(self, *args: Any, **named: Any) -> web.StreamResponse:
                # The library's own answer repeats what was sent, and is no JSON.
                status = super().handle_error(*args, **named).status
                response = failure(Refusal("internal" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid"))
                response.force_close()
                security.stamp(response.headers)
                # The library would name itself and its version otherwise.
                response.headers["Server"] = "parley"
                return response

        def protocol() -> web.RequestHandler:
            if runner.server is None:
                raise RuntimeError("a connection came in before the server was set up, or after it was taken down")
            return Protocol(
                runner.server,
                loop=asyncio.get_running_loop(),
                keepalive_timeout=KEEPALIVE,
                lingering_time=LINGERING,
                access_log_class=AccessLog,
            )

        return protocol

    async def _look_round(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            for look in (self._look_at_ports, self._end_sessions, self._read_wishes):
                try:
                    await look()
                except Refusal as refusal:
                    log.debug("cannot look round now: %s", refusal)
                except Exception:
                    # This loop must outlive whatever it meets: it is what ends revoked sessions.
                    log.exception("looking round failed")

    async def _look_at_ports(self) -> None:
        self.services.hub.look()
        for port in self.services.hub.ports:
            port.look()

    async def _read_wishes(self) -> None:
        await self.services.privacy.look({port.user for port in self.services.hub.ports})

    async def _end_sessions(self) -> None:
        services = self.services
        more = True
        while more:
            since = self._ended
            ended, self._ended = await services.auth.read(
                lambda tx: tx.sessions.ended_since(since, SESSIONS_PAGE)  # noqa: B023  (read at once)
            )
            services.hub.end_sessions(ended)
            more = len(ended) == SESSIONS_PAGE
        now = self._environment.now()
        for port in services.hub.ports:
            if isinstance(port, Connection) and port.ends_at <= now:
                # A session that was refreshed since lives longer than this socket knew.
                session = await services.authenticator.session(port.session)
                if session is None:
                    port.over()
                else:
                    port.ends_at = session.ends_at

    async def _ended_so_far(self) -> int:
        try:
            return await self.services.auth.read(lambda tx: tx.journal.change())
        except Refusal:
            return 0


def make_services(environment: Environment, post: Post) -> Services:
    """What routes and sockets of one front have at hand. Called with a running loop."""
    settings, databases = environment.settings, environment.paths.databases
    loop = asyncio.get_running_loop()
    hub = Hub(post, monotonic=environment.monotonic, later=loop.call_later, beat=settings.runtime.beat)
    presence = Presence(environment, post, lambda: hub.state("notifier") == "down")
    hub.started = presence.started
    auth, notifier = Reader(AUTH, databases), Reader(NOTIFIER, databases)
    cookies = Cookies(settings)
    return Services(
        environment=environment,
        post=post,
        auth=auth,
        contacts=Reader(CONTACTS, databases),
        router=Reader(ROUTER, databases),
        notifier=notifier,
        files=Reader(FILES, databases),
        blobs=DirectoryBlobs(environment.paths.blobs),
        news=FileNews(),
        pieces=Room(PIECES_MOST),
        downloads=Seats(DOWNLOADS_MOST, DOWNLOADS_WAITING),
        hub=hub,
        limits=Limits(settings.limits),
        cookies=cookies,
        security=Security(settings),
        counters=Counters(),
        authenticator=Authenticator(environment, cookies, auth, lambda: hub.state("auth") == "down"),
        ops=make_desk(environment, hub, post),
        presence=presence,
        privacy=Privacy(notifier),
    )


def tls(settings: Settings) -> ssl.SSLContext | None:
    """What serves TLS with the configured files, or None. Raises SettingsError."""
    if not settings.web.tls:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(_file(settings, settings.web.tls_certificate), _file(settings, settings.web.tls_key))
    except (OSError, ssl.SSLError) as error:
        raise SettingsError("web.tls_certificate", f"cannot be used: {error}") from error
    return context


def _file(settings: Settings, name: str) -> Path:
    return Path(settings.base, name).expanduser()
