"""file_chunker told by hand: somebody who sends a file in pieces, and the actor in this process, without a mailbox."""

import asyncio
import contextlib
import hashlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest
from msgspec import json, msgpack, structs

from actors.file_chunker import FileChunker
from actors.runtime import Effect, Environment, Mail
from actors.runtime.dispatch import Result, Work, dispatch
from protocols.errors import Refusal
from protocols.files import (
    PIECE_BYTES,
    Append,
    Appended,
    CommitPieces,
    CreateUpload,
    DeclareDigest,
    LeaveUpload,
    Opened,
    OpenUpload,
    UploadState,
)
from protocols.frames import FileFrame
from protocols.mail import Command, Push, reply_type
from settings import Paths
from storage import Database
from storage.file_uploads import Upload
from storage.files import FILES, FilesUnit
from tests.support.chat import relate
from tests.support.errands import run_errands
from tests.support.node import installation
from tests.support.people import ANN, BOB, CAT, DAN, make_people
from tests.support.waiting import SCALE, eventually

R = TypeVar("R")
NOW = 1_700_000_000_000
_numbers = itertools.count(1)


class Asks(Protocol):
    """Whoever can ask the actor: a front's post, or a Desk."""

    async def ask(self, to: str, command: Command[R], *, within: float, id: str = "", person: str = "") -> R: ...  # noqa: A002


class Sender:
    """Sends one file of its own to Bob, as a front does for a person."""

    def __init__(self, post: Asks, content: bytes, person: str = ANN, upload: str = "") -> None:
        self.id = upload or f"upload-{next(_numbers):012}"
        self.content = content
        self.generation = 0
        self._post = post
        self._person = person

    async def ask(self, command: Command[R], within: float = 20.0) -> R:
        return await self._post.ask("file_chunker", command, within=within * SCALE, person=self._person)

    async def create(self, *, promised: bool = False, to: str = BOB) -> UploadState:
        return await self.ask(
            CreateUpload(
                upload=self.id,
                recipient=to,
                name="a.bin",
                type="application/octet-stream",
                size=len(self.content),
                promised=promised,
            )
        )

    async def open(self, offset: int = 0) -> Opened:
        opened = await self.ask(OpenUpload(upload=self.id, offset=offset))
        self.generation = opened.generation
        return opened

    async def append(
        self, offset: int, end: int, *, hold: bool = False, generation: int = 0, within: float = 20.0
    ) -> Appended:
        return await self.ask(
            Append(
                upload=self.id,
                generation=generation or self.generation,
                offset=offset,
                data=self.content[offset:end],
                hold=hold,
            ),
            within,
        )

    async def send(self, offset: int, end: int, *, piece: int = PIECE_BYTES, hold: bool = False) -> Appended:
        """Bytes from `offset` to `end`, all pieces in flight at once; the answer of the last."""
        starts = range(offset, end, piece)
        answers = await asyncio.gather(
            *(self.append(start, min(start + piece, end), hold=hold) for start in starts), return_exceptions=True
        )
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return answers[-1]  # type: ignore[return-value]  # the others were raised

    async def commit(self, offset: int) -> Appended:
        return await self.ask(CommitPieces(upload=self.id, generation=self.generation, offset=offset))

    async def leave(self) -> None:
        await self.ask(LeaveUpload(upload=self.id, generation=self.generation))

    async def declare(self, sha256: str = "") -> UploadState:
        return await self.ask(DeclareDigest(upload=self.id, sha256=sha256 or self.sha256))

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


class Desk:
    """The actor over real databases and a real folder. Ann is in contact with Bob and Cat, Dan with nobody.

    `now` is the clock of the wall (ms), `clock` the other one (s). `frames`: what was pushed, in order.
    """

    def __init__(self, actor: FileChunker, database: Database[FilesUnit]) -> None:
        self.actor = actor
        self.database = database
        self.now = NOW
        self.clock = 1_000.0
        self.pushes: list[Push] = []

    @property
    def frames(self) -> list[FileFrame]:
        return [json.decode(push.frame, type=FileFrame) for push in self.pushes]

    async def ask(self, to: str, command: Command[R], *, within: float, id: str = "", person: str = "") -> R:  # noqa: A002
        assert to == self.actor.name
        handler = self.actor.handlers()[type(command)]
        expires = self.now + int(within * 1000)
        mail: Mail[Any] = Mail(id or f"id-{next(_numbers)}", person, command, self.now, expires=expires)
        if handler.prepare is not None:
            prepared = await handler.prepare(self.actor, mail)
            mail = Mail(mail.id, person, command, self.now, prepared=prepared, expires=expires)
        work = Work(handler, mail, msgpack.encode(command))
        results: list[Result] = await self.database.run(lambda tx: dispatch(self.actor, tx, [work]))
        self._let_out(results[0].effects)
        if results[0].error is not None:
            raise Refusal.of(results[0].error)
        reply: R = msgpack.decode(results[0].value or b"", type=reply_type(type(command)))
        return reply

    async def row(self, upload: str) -> Upload:
        row = await self.database.read(lambda tx: tx.uploads.row(upload))
        assert row is not None
        return row

    async def bend(self, upload: str, **fields: Any) -> None:
        """Write into the ledger what took its time to come about."""
        row = await self.row(upload)
        await self.database.run(lambda tx: tx.uploads.put(structs.replace(row, **fields)))

    async def quiet(self) -> None:
        """What the actor does by itself every second."""
        self._let_out(await self.database.run(lambda tx: list(self.actor.quiet(tx, self.now))))

    async def run_errands(self) -> None:
        await run_errands(self.actor.errands, self.database, lambda: self.now, self._let_out)

    def _let_out(self, effects: Sequence[Effect]) -> None:
        self.pushes += [effect for effect in effects if isinstance(effect, Push)]


async def make_contacts(databases: Path) -> None:
    """The databases of auth and of contacts that file_chunker reads."""
    await make_people(databases, ANN, BOB, CAT, DAN)
    await relate(databases, [(ANN, BOB), (ANN, CAT), (CAT, BOB)])


@contextlib.asynccontextmanager
async def open_desk(folder: Path, **files: object) -> AsyncIterator[Desk]:
    """A desk in `folder`, which may be one that was there before; `files`: settings of that section."""
    settings = installation(folder, files={"rate_mib": 0, "keep_free_mib": 0, **files})
    paths = Paths.of(settings)
    fresh = not paths.databases.exists()
    for one in (paths.databases, paths.blobs):
        one.mkdir(parents=True, exist_ok=True)
    if fresh:
        await make_contacts(paths.databases)
    environment = Environment(settings, paths, now=lambda: desk.now, monotonic=lambda: desk.clock)
    database = await Database.open(FILES, paths.databases)
    actor = FileChunker.__new__(FileChunker)
    desk = Desk(actor, database)
    actor.__init__(environment)  # type: ignore[misc]  # it asks for the time while it is made
    actor.read = database.read
    errands = asyncio.create_task(desk.run_errands())
    try:
        await actor.started()
        yield desk
    finally:
        await actor.stopped()
        errands.cancel()
        await asyncio.gather(errands, return_exceptions=True)
        await database.close()


async def code(wanted: Awaitable[Any]) -> str:
    """Of the refusal that this ends in."""
    with pytest.raises(Refusal) as caught:
        await wanted
    return caught.value.code


async def ended(desk: Desk, upload: str) -> str:
    """The state of an upload, once it is neither open nor being verified."""

    async def over() -> bool:
        return (await desk.row(upload)).state not in {"open", "verifying"}

    await eventually(over, within=10)
    return (await desk.row(upload)).state


async def sent(desk: Desk, content: bytes, *, promised: bool = False) -> Sender:
    """A sender all of whose bytes have arrived."""
    ann = Sender(desk, content)
    await ann.create(promised=promised)
    await ann.open()
    await ann.send(0, len(content))
    return ann


def there(desk: Desk, upload: str) -> bool:
    """Whether its bytes are kept."""
    return upload in {one.id for one in desk.actor.blobs.stored()}
