"""The two cookies of a browser that is signed in. Neither can be read by scripts."""

from typing import Final

from aiohttp import web

from protocols.auth import SignedIn
from settings import Settings

_DAY: Final = 86_400


class Cookies:
    """Names and attributes follow from whether browsers reach us by TLS: prefixed names are refused without it."""

    def __init__(self, settings: Settings) -> None:
        secure = settings.web.secure
        self._secure = secure
        self._age = int(settings.auth.session_absolute_days * _DAY)
        self.access_name = "__Host-parley_access" if secure else "parley_access"
        self.refresh_name = "__Secure-parley_refresh" if secure else "parley_refresh"
        self.refresh_path = "/api/v1/auth"

    def access(self, request: web.Request) -> str | None:
        return request.cookies.get(self.access_name)

    def refresh(self, request: web.Request) -> str | None:
        return request.cookies.get(self.refresh_name)

    def sent(self, request: web.Request) -> bool:
        """Whether the browser sent one of ours along."""
        return self.access_name in request.cookies or self.refresh_name in request.cookies

    def set(self, response: web.StreamResponse, signed_in: SignedIn) -> None:
        """Sign the browser in. The access cookie outlives its token: an expired one is honoured while auth is down."""
        response.set_cookie(
            self.access_name,
            signed_in.access_token,
            max_age=self._age,
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="Lax",
        )
        response.set_cookie(
            self.refresh_name,
            signed_in.refresh_token,
            max_age=self._age,
            path=self.refresh_path,
            secure=self._secure,
            httponly=True,
            samesite="Strict",
        )

    def clear(self, response: web.StreamResponse) -> None:
        """Sign the browser out."""
        for name, path, samesite in (
            (self.access_name, "/", "Lax"),
            (self.refresh_name, self.refresh_path, "Strict"),
        ):
            response.del_cookie(name, path=path, secure=self._secure, httponly=True, samesite=samesite)
