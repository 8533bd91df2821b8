"""Log in to the broker once and say goodbye: for those who want to know what is wrong with it."""

import asyncio
import contextlib
from collections.abc import Mapping
from urllib.parse import urlsplit

import aiormq

from actors.runtime.amqp.faults import Transport, as_unreachable

_GOODBYE = 1.0


async def greet(url: str, within: float) -> str:
    """The broker's product and version, such as "RabbitMQ 3.10.8". Raises Unreachable with what was said instead."""
    transport = Transport(urlsplit(url).scheme)
    connection = aiormq.Connection(url, transport_factory=transport)
    try:
        async with as_unreachable(), asyncio.timeout(within):
            await connection.connect()
            # A user without rights in the virtual host is told so only now.
            await connection.channel()
        return _product(connection.server_properties)
    finally:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_GOODBYE):
                await connection.close()
        transport.abort()


def _product(properties: object) -> str:
    known: Mapping[str, object] = properties if isinstance(properties, Mapping) else {}
    return " ".join(str(known[key]) for key in ("product", "version") if key in known) or "a broker"
