"""The generated documents: served by every front, and kept as files for readers of the project.

`python -m web.documents docs/api` writes the files anew.
"""

import functools
import sys
from pathlib import Path
from typing import Final

import msgspec
from aiohttp import web

from web import asyncapi, openapi
from web.routes import ROUTES

JSON: Final = "application/json"


@functools.cache
def openapi_json() -> bytes:
    """The document of HTTP, made at its first use: most fronts are never asked for it."""
    return _text(openapi.document(ROUTES))


@functools.cache
def asyncapi_json() -> bytes:
    """The document of the socket."""
    return _text(asyncapi.document())


async def serve_openapi(_: web.Request) -> web.Response:
    """GET /api/v1/openapi.json."""
    return web.Response(body=openapi_json(), content_type=JSON)


async def serve_asyncapi(_: web.Request) -> web.Response:
    """GET /api/v1/asyncapi.json."""
    return web.Response(body=asyncapi_json(), content_type=JSON)


def write(folder: Path) -> None:
    """Write both documents into a folder, which is made when it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "openapi.json").write_bytes(openapi_json())
    (folder / "asyncapi.json").write_bytes(asyncapi_json())


def _text(document: openapi.Json) -> bytes:
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


if __name__ == "__main__":
    write(Path(sys.argv[1]))
