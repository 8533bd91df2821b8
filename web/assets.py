"""Static files: read once, served from memory under a name that changes with their content.

The version is one for all files, so that relative imports between modules stay within it.
"""

import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import hdrs, web

FOLDER: Final = Path(__file__).resolve().parent / "static"
PREFIX: Final = "/static"
FOR_EVER: Final = "public, max-age=31536000, immutable"

_TYPES: Final = {".js": "text/javascript", ".svg": "image/svg+xml", ".webmanifest": "application/manifest+json"}


@dataclass(frozen=True)
class _File:
    body: bytes
    type: str
    tag: str


class Assets:
    """The files below a folder, as they were when this was made."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._files = {
            path.relative_to(folder).as_posix(): _read(path)
            for path in sorted(folder.rglob("*"))
            if path.is_file() and not path.name.startswith(".")
        }
        digest = hashlib.sha256()
        for name, file in self._files.items():
            digest.update(f"{name}\n{file.tag}\n".encode())
        self.version = digest.hexdigest()[:12]

    def url(self, name: str) -> str:
        """Where a file is served, for ever the same content. Raises KeyError for one that is not there."""
        if name not in self._files:
            raise KeyError(f"there is no static file {name!r}")
        return f"{PREFIX}/{self.version}/{name}"

    async def serve(self, request: web.Request) -> web.Response:
        """GET /static/VERSION/NAME, or /static/NAME for what a script names without a version."""
        name = request.match_info["name"]
        version, _, rest = name.partition("/")
        versioned = version == self.version
        # A page of the version before this one may still load its modules: it gets today's.
        return self.answer(request, rest if rest in self._files else name, versioned=versioned)

    def answer(self, request: web.Request, name: str, *, versioned: bool) -> web.Response:
        """A file; `versioned` when its address changes with it. Raises HTTPNotFound for one that is not there."""
        file = self._files.get(name)
        if file is None:
            raise web.HTTPNotFound
        headers = {hdrs.ETAG: f'"{file.tag}"', hdrs.CACHE_CONTROL: FOR_EVER if versioned else "no-cache"}
        if request.headers.get(hdrs.IF_NONE_MATCH) == headers[hdrs.ETAG]:
            return web.Response(status=304, headers=headers)
        headers[hdrs.CONTENT_TYPE] = file.type
        return web.Response(body=file.body, headers=headers)


def _read(path: Path) -> _File:
    body = path.read_bytes()
    kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if kind.startswith("text/"):
        kind += "; charset=utf-8"
    return _File(body, kind, hashlib.sha256(body).hexdigest()[:20])
