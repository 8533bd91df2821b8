"""What guards every answer and every request of a browser: headers, origins, and whose address it is."""

import ipaddress
from typing import Final
from urllib.parse import urlsplit

from aiohttp import hdrs, web
from multidict import CIMultiDict

from settings import Settings

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
    "worker-src 'self'; manifest-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'"
)

POLICY: Final = "Content-Security-Policy"

HEADERS: Final = {
    POLICY: CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(self), geolocation=()",
}

HSTS: Final = "max-age=31536000; includeSubDomains"

_LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "[::1]")
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Security:
    """`origins`: those that a page of ours may have."""

    def __init__(self, settings: Settings) -> None:
        self._hsts = settings.web.secure
        self.origins = frozenset(_origins(settings))
        self._proxies: tuple[_Network, ...] = tuple(
            ipaddress.ip_network(network) for network in settings.web.trusted_proxies
        )

    def stamp(self, headers: CIMultiDict[str]) -> None:
        """Put the headers on an answer that every answer bears; what it says of caching and of its content stands."""
        own = headers.get(POLICY, CSP)
        headers.update(HEADERS)
        headers[POLICY] = own
        if self._hsts:
            headers["Strict-Transport-Security"] = HSTS
        headers.setdefault(hdrs.CACHE_CONTROL, "no-store")
        headers.pop(hdrs.SERVER, None)

    def cross_site(self, request: web.Request, *, cookies: bool) -> bool:
        """Whether another site makes a browser send this.

        `cookies`: the browser sent ours along; then a request that says nothing of where it comes from is refused
        too. One with an Authorization header is never forged by a browser.
        """
        if hdrs.AUTHORIZATION in request.headers:
            return False
        origin = request.headers.get(hdrs.ORIGIN)
        site = request.headers.get("Sec-Fetch-Site")
        if site is not None:
            return site not in {"same-origin", "none"} and origin not in self.origins
        if origin is not None:
            return origin not in self.origins
        return cookies

    def may_upgrade(self, request: web.Request) -> bool:
        """Whether a socket may be opened from there: browsers name their origin, others bring a Bearer token."""
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None:
            return hdrs.AUTHORIZATION in request.headers
        return origin in self.origins

    def address(self, request: web.Request) -> str:
        """Whose request it is: the peer, or the last hop before proxies that are trusted. "" when unknown."""
        return behind(request.remote or "", request.headers.getall("X-Forwarded-For", []), self._proxies)


def behind(peer: str, forwarded: list[str], proxies: tuple[_Network, ...]) -> str:
    """The right-most address that no trusted proxy has, from X-Forwarded-For and the connection's peer. Pure."""
    hops = [hop.strip() for line in forwarded for hop in line.split(",")]
    address = peer
    while hops and _within(address, proxies):
        candidate = hops.pop()
        try:
            ipaddress.ip_address(candidate)
        except ValueError:
            # A proxy that we trust wrote nonsense or a port: stay with the last thing we know.
            break
        address = candidate
    return address


def _within(address: str, networks: tuple[_Network, ...]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)


def _origins(settings: Settings) -> list[str]:
    origins = [settings.web.origin, *(origin.rstrip("/") for origin in settings.web.allowed_origins)]
    parts = urlsplit(settings.web.origin)
    host = parts.netloc.removesuffix(f":{parts.port}") if parts.port else parts.netloc
    if host in _LOOPBACK_NAMES and not settings.web.public_url:
        # Three names of the same machine; people type any of them.
        port = f":{parts.port}" if parts.port else ""
        origins += [f"{parts.scheme}://{name}{port}" for name in _LOOPBACK_NAMES]
    return origins
