"""A body on its way to file_chunker: in order, a few pieces at a time, so that the disk sets the pace."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from actors.runtime import Asker
from protocols.errors import Refusal
from protocols.files import Append, Appended, CommitPieces, LeaveUpload, Opened, OpenUpload, UploadState
from web.asking import refuse_without
from web.files_body import Body
from web.files_news import OWNER
from web.files_room import Room
from web.files_tus import Portion, beyond
from web.files_watch import Watch
from web.limits import Limits
from web.routing import Call

WINDOW: Final = 16
"""Pieces of one body that are on their way at a time, 4 MiB: disk and broker never wait for each other."""

PIECES_MOST: Final = 64
"""Pieces of all bodies together: 16 MiB, a second's worth at the default cap, whoever may send at a time."""

PIECE_WITHIN: Final = 10.0
"""Seconds for a piece to be on disk."""

TURN_WITHIN: Final = 5.0
"""Seconds that a request is held back when a person makes more of them than the rate allows."""

OPEN_WITHIN: Final = 5.0
LEAVE_WITHIN: Final = 5.0


async def receive(call: Call[Any, Any], upload: UploadState, part: Portion) -> Appended:
    """Hand the request's body over; returns when all of it is on disk and counted.

    Whatever ends it before its time, what was counted stays. Raises Refusal: what file_chunker refuses;
    "checksum_mismatch", "too_large", "unavailable"; and ConnectionError when the client has gone.
    """
    services, person = call.services, call.me.user
    refuse_without(services, OWNER)
    await in_turn(services.limits, person, services.environment.monotonic)
    opened = await services.post.bulk.ask(
        OWNER, OpenUpload(upload=upload.id, offset=part.offset), within=OPEN_WITHIN, person=person
    )
    hold = part.checksum is not None
    window = Window(services.post.bulk, services.pieces, person, upload.id, opened, hold=hold)
    body = _body(call, opened, part)
    try:
        return await _pumped(body, window, part)
    except BaseException:
        window.leave()
        raise


async def in_turn(limits: Limits, person: str, monotonic: Callable[[], float]) -> None:
    """Return when a person may begin one more: each, also without a byte, is a commit, and news to the pages of two.

    Held back rather than refused, because clients of tus take a refusal for the end. Raises Refusal("rate_limited").
    """
    deadline = monotonic() + TURN_WITHIN
    while wait := limits.upload(person, monotonic()):
        if monotonic() + wait > deadline:
            raise Refusal("rate_limited", retry_after=wait)
        await asyncio.sleep(wait)


async def _pumped(body: Body, window: "Window", part: Portion) -> Appended:
    digest = part.checksum.begin() if part.checksum else None
    while piece := await body.next():
        if digest is not None:
            digest.update(piece)
        await window.put(piece)
    appended = await window.settle()
    if body.broken is not None:
        if isinstance(body.broken, ConnectionError):
            raise body.broken
        raise Refusal("invalid", "The body ended before its time.") from body.broken
    if part.checksum is None or digest is None:
        return appended
    if digest.digest() != part.checksum.digest:
        raise Refusal("checksum_mismatch")
    return await window.commit()


def _body(call: Call[Any, Any], opened: Opened, part: Portion) -> Body:
    watch = Watch(call.services, call.me)
    return Body(
        call.request.content,
        opened.size - opened.offset,
        exact=part.length is not None,
        too_much=beyond(opened.size),
        look=watch.look,
        monotonic=call.services.environment.monotonic,
    )


class Window:
    """Pieces in flight, of one request; `room` is shared by all. `hold`: they do not count before `commit`."""

    def __init__(self, bulk: Asker, room: Room, person: str, upload: str, opened: Opened, *, hold: bool) -> None:
        self._bulk = bulk
        self._room = room
        self._person = person
        self._upload = upload
        self._generation = opened.generation
        self._next = opened.offset
        self._hold = hold
        self._last = Appended(offset=opened.offset, state="open")
        self._flying: deque[asyncio.Task[Appended]] = deque()

    async def put(self, piece: bytes) -> None:
        """Send one more, as soon as there is room for it. Raises what one before it was refused with."""
        while self._flying and (len(self._flying) >= WINDOW or self._flying[0].done()):
            await self._landed()
        await self._room.enter(self._person)
        command = Append(
            upload=self._upload, generation=self._generation, offset=self._next, data=piece, hold=self._hold
        )
        self._next += len(piece)
        # Tasks begin in the order in which they are made, and mail leaves in the order of the asking.
        task = asyncio.create_task(self._bulk.ask(OWNER, command, within=PIECE_WITHIN, person=self._person))
        task.add_done_callback(lambda _: self._room.leave(self._person))
        self._flying.append(task)

    async def settle(self) -> Appended:
        """Wait for all of them. Raises what one was refused with."""
        while self._flying:
            await self._landed()
        return self._last

    async def commit(self) -> Appended:
        """Let count what was held."""
        command = CommitPieces(upload=self._upload, generation=self._generation, offset=self._next)
        return await self._bulk.ask(OWNER, command, within=PIECE_WITHIN, person=self._person)

    def leave(self) -> None:
        """Wait for nothing any more, and let the owner know that nothing more comes."""
        for task in self._flying:
            task.cancel()
            task.add_done_callback(_looked_at)
        self._flying.clear()
        command = LeaveUpload(upload=self._upload, generation=self._generation)
        self._bulk.signal(OWNER, command, person=self._person, within=LEAVE_WITHIN)

    async def _landed(self) -> None:
        try:
            self._last = await self._flying[0]
        except Refusal as refusal:
            if refusal.code == "conflict":
                # A piece before it was lost on the way, or it came twice: where to go on, the client has to ask.
                raise Refusal("unavailable", retry_after=1) from refusal
            raise
        finally:
            self._flying.popleft()


def _looked_at(task: "asyncio.Task[Appended]") -> None:
    if not task.cancelled():
        task.exception()
