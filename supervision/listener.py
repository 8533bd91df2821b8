"""The front's listening socket. It outlives every front, so connections wait in it while fronts come and go."""

import ipaddress
import socket
from errno import EACCES, EADDRINUSE, EADDRNOTAVAIL

from settings import Settings

BACKLOG = 1024


class ListenError(Exception):
    """The address cannot be listened on; the text says which and what to set."""


def listen(settings: Settings) -> socket.socket:
    """Bind web.host and web.port. Names are not looked up, because a name server may not answer. Raises ListenError."""
    host, port = settings.web.host, settings.web.port
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError as error:
        raise ListenError(f"web.host must be an address such as 127.0.0.1 or 0.0.0.0, not {host!r}") from error
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004  (IP version 4)
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Lets a restart bind while old connections linger; it does not let two listen on one port.
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind((str(address), port))
        one.listen(BACKLOG)
    except OSError as error:
        one.close()
        raise ListenError(_sentence(error, host, port)) from error
    return one


def _sentence(error: OSError, host: str, port: int) -> str:
    if error.errno == EADDRINUSE:
        return f"port {port} on {host} is in use by another program; set PARLEY_WEB__PORT to a free one"
    if error.errno == EACCES:
        return f"port {port} needs more rights than this user has; set PARLEY_WEB__PORT to one above 1023"
    if error.errno == EADDRNOTAVAIL:
        return f"{host} is not an address of this machine; set PARLEY_WEB__HOST to one that is"
    return f"cannot listen on {host} port {port}: {error.strerror}"
