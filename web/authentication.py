"""Who asks: a Bearer token or the browser's cookie, checked against auth's keys and against the session's row.

A session that was ended must be refused everywhere within a second, so its row is read from auth's database and
believed for half a second at most.
"""

from collections.abc import Callable
from typing import Final

from aiohttp import web
from msgspec import Struct

from actors.runtime import Environment
from protocols.errors import Refusal
from storage import Reader
from storage.auth import AuthUnit, Session
from web.cookies import Cookies
from web.tokens import Claims, Verifier

BELIEVED: Final = 0.5
"""Seconds for which a session's row is not read again."""

REMEMBERED: Final = 10_000
KEYS_AGAIN: Final = 1.0
"""Seconds between two looks for a key that a token names and nobody knows."""


class Caller(Struct, frozen=True):
    """A signed-in person. `cookie`: the browser sent the token by itself. `ends_at`: the session's end, Unix ms."""

    user: str
    session: str
    cookie: bool
    ends_at: int


class Authenticator:
    """`auth_is_down` tells whether nobody can refresh a token now."""

    def __init__(
        self,
        environment: Environment,
        cookies: Cookies,
        auth: Reader[AuthUnit],
        auth_is_down: Callable[[], bool],
    ) -> None:
        self._environment = environment
        self._cookies = cookies
        self._auth = auth
        self._auth_is_down = auth_is_down
        self._verifier: Verifier | None = None
        self._looked = float("-inf")
        self._rows: dict[str, tuple[float, Session | None]] = {}

    async def caller(self, request: web.Request, *, late: bool = False) -> Caller | None:
        """Who asks, or None without a token.

        `late`: an expired token of a live session is good enough, as it always is while auth is down. Raises
        Refusal("unauthenticated") for a token that is none of ours or of a session that has ended, and
        Refusal("unavailable") when that cannot be known now.
        """
        token, cookie = self._token(request)
        if token is None:
            return None
        claims = await self._claims(token)
        if claims.expired(self._environment.now()) and not (late or self._auth_is_down()):
            raise Refusal("unauthenticated")
        session = await self.session(claims.session)
        if session is None or session.user != claims.user:
            raise Refusal("unauthenticated")
        return Caller(session.user, session.id, cookie, session.ends_at)

    async def known_session(self, request: web.Request) -> str:
        """The session, live or not, for which this browser once had a genuine token; "" without one."""
        token, _ = self._token(request)
        if token is None:
            return ""
        try:
            return (await self._claims(token)).session
        except Refusal:
            return ""

    async def session(self, session_id: str) -> Session | None:
        """The session of that id if it lives. Raises Refusal("unavailable")."""
        now = self._environment.monotonic()
        at, session = self._rows.get(session_id, (float("-inf"), None))
        if now - at > BELIEVED:
            session = await self._auth.read(lambda tx: tx.sessions.get(session_id))
            if len(self._rows) >= REMEMBERED:
                self._rows.clear()
            self._rows[session_id] = (now, session)
        return session if session and session.live(self._environment.now()) else None

    def forget(self, session_id: str) -> None:
        """Read that session's row again at its next use."""
        self._rows.pop(session_id, None)

    def _token(self, request: web.Request) -> tuple[str | None, bool]:
        header = request.headers.get("Authorization")
        if header is not None:
            scheme, _, token = header.partition(" ")
            if scheme.lower() != "bearer" or not token.strip():
                raise Refusal("unauthenticated")
            return token.strip(), False
        return self._cookies.access(request), True

    async def _claims(self, token: str) -> Claims:
        now = self._environment.monotonic()
        # A key that is not known yet is a new one or an invented one: looked for once a second at most.
        if self._verifier is None or (not self._verifier.knows(token) and now - self._looked > KEYS_AGAIN):
            self._verifier = Verifier(await self._auth.read(lambda tx: tx.keys.public()))
            self._looked = now
        return self._verifier.verify_expired_too(token, self._environment.now())
