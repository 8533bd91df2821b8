"""Who asks: a Bearer token or the browser's cookie, checked against keys and against the session's row."""

from aiohttp import web
from msgspec import Struct

from protocols.errors import Refusal


class Caller(Struct, frozen=True):
    """A signed-in person. `cookie`: the browser sent the token by itself, so the request's origin matters."""

    user: str
    session: str
    cookie: bool
    ends_at: int


class Authenticator:
    """Placeholder."""

    async def caller(self, request: web.Request) -> Caller | None:
        """Who asks, or None without a token. Raises Refusal("unauthenticated")."""
        raise Refusal("unauthenticated")
