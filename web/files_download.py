"""A file on its way to a browser, also one that is still coming in: it follows what is counted."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web

from protocols.errors import Refusal
from protocols.files import PIECE_BYTES, UploadState
from storage.blobs import BlobReader
from web import files_answers as answers
from web.dispatch import failure
from web.files_finding import ENDED
from web.files_types import HEAD_BYTES, inline_type
from web.files_watch import Watch
from web.routing import Call

READ_BYTES: Final = 256 * 1024
"""Are in memory of one download at a time, and as many again on their way out."""

TAKEN_WITHIN: Final = 60.0
"""Seconds for a reader to take READ_BYTES: whoever is slower is cut off, and may go on where he was."""

LOOK: Final = 1.0
"""Most seconds between two looks at how far a file has come: news of it may be lost."""

DOWNLOADS_MOST: Final = 32
"""Of one person at a time, at one front: each has its bytes in memory, or looks once a second."""

DOWNLOADS_WAITING: Final = 256
SEAT_WITHIN: Final = 30.0
"""Seconds in which one of them must end for the next one to begin."""

PATIENCE: Final = 600.0
"""Seconds that an answer waits for a sender who has paused."""


class Follower:
    """How far a file may be handed out.

    `read` tells how its upload is now, `news` that it may have changed; `look` raises when all that is to end.
    """

    def __init__(
        self,
        upload: UploadState,
        read: Callable[[], Awaitable[UploadState | None]],
        news: asyncio.Event,
        look: Callable[[], Awaitable[None]],
        monotonic: Callable[[], float],
    ) -> None:
        self.upload = upload
        self._read = read
        self._news = news
        self._look = look
        self._monotonic = monotonic

    async def beyond(self, at: int) -> int:
        """Wait until there is more than `at` bytes; returns up to where.

        Raises Refusal("gone") when the file will never be there, Refusal("unavailable") when it does not come on.
        """
        began = self._monotonic()
        while (end := handed_out(self.upload)) <= at:
            if self.upload.state in ENDED:
                raise Refusal("gone")
            if self._monotonic() - began > PATIENCE:
                raise Refusal("unavailable", retry_after=LOOK)
            await self._look()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    await self._news.wait()
            self._news.clear()
            fresh = await self._read()
            if fresh is None:
                raise Refusal("gone")
            self.upload = fresh
        return end


def handed_out(upload: UploadState) -> int:
    """Bytes that may be handed out: the last piece waits until the whole is known to be what the sender has."""
    return upload.size if upload.state == "ready" else min(upload.offset, upload.size - PIECE_BYTES)


async def send(
    call: Call[Any, Any],
    upload: UploadState,
    read: Callable[[], Awaitable[UploadState | None]],
    *,
    attachment: bool,
) -> web.StreamResponse:
    """Answer with the file, or the part of it that is asked for; `read` tells how its upload is now.

    `attachment`: to be saved, whatever it is. Raises Refusal as Follower does; "rate_limited" at DOWNLOADS_MOST.
    """
    request, tag = call.request, answers.etag(upload)
    if answers.matches(request.headers.get("If-None-Match"), tag):
        return web.Response(status=304, headers={"ETag": tag, "Cache-Control": answers.CACHE})
    asked = request.headers.get("Range") if answers.range_counts(request.headers.get("If-Range"), tag) else None
    try:
        part = answers.part_asked(asked, upload.size)
    except Refusal as refusal:
        response = failure(refusal)
        response.headers["Content-Range"] = f"bytes */{upload.size}"
        return response
    if part.first == part.end:
        return web.Response(headers=answers.headers(upload, part, None, attachment=True))
    look = _watching(call)
    async with call.services.downloads.of(call.me.user, SEAT_WITHIN):
        await look()
        with call.services.news.of(upload.id) as news:
            follower = Follower(upload, read, news, look, call.services.environment.monotonic)
            return await _streamed(call, follower, part, look, attachment=attachment)


def _watching(call: Call[Any, Any]) -> Callable[[], Awaitable[None]]:
    """A look that raises as Watch's, and when whoever asked has gone: while the sender pauses nothing else tells it."""
    watch = Watch(call.services, call.me)

    async def look() -> None:
        transport = call.request.transport
        if transport is None or transport.is_closing():
            raise Refusal("unavailable")
        await watch.look()

    return look


async def _streamed(
    call: Call[Any, Any],
    follower: Follower,
    part: answers.Part,
    look: Callable[[], Awaitable[None]],
    *,
    attachment: bool,
) -> web.StreamResponse:
    request = call.request
    await follower.beyond(part.first)
    try:
        blob = await asyncio.to_thread(call.services.blobs.open, follower.upload.id)
    except FileNotFoundError as error:
        # Cancelled or collected a moment ago.
        raise Refusal("gone") from error
    with blob:
        head = await asyncio.to_thread(blob.read, 0, min(HEAD_BYTES, follower.upload.offset))
        headers = answers.headers(follower.upload, part, inline_type(head), attachment=attachment)
        answer = web.StreamResponse(status=200 if part.whole else 206, headers=headers)
        await answer.prepare(request)
        try:
            await _written(answer, blob, part, follower, look)
        except (Refusal, OSError):
            # The head has promised more: only a connection that breaks says that it did not come.
            if request.transport is not None:
                request.transport.abort()
        return answer


async def _written(
    response: web.StreamResponse,
    blob: BlobReader,
    part: answers.Part,
    follower: Follower,
    look: Callable[[], Awaitable[None]],
) -> None:
    at = part.first
    while at < part.end:
        end = min(part.end, await follower.beyond(at))
        while at < end:
            data = await asyncio.to_thread(blob.read, at, min(READ_BYTES, end - at))
            if not data:
                raise Refusal("unavailable", "Bytes that were counted are not there.")
            async with asyncio.timeout(TAKEN_WITHIN):
                await response.write(data)
            at += len(data)
            await look()
    await response.write_eof()
