"""An upload through any sequence of requests, copies, lies and crashes, against the plainest model: what was counted.

Writing to disk and counting in the ledger are steps of their own here, so that anything may come between them: another
request that takes over, a cancellation, the end of the process.
"""

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.file_chunker import rules
from actors.file_chunker.writing import Writing, Written
from protocols.errors import Refusal
from protocols.files import CreateUpload
from storage.file_uploads import ENDED, Upload
from tests.support.memory_blobs import MemoryBlobs
from tests.support.people import ANN, BOB

T = TypeVar("T")

ID = "upload-0123456789"
BOUNDS = rules.Bounds(largest=1_000, quota=0, expire=10_000, keep_free=0, transfers=2)
ROOM = rules.Room(taken=0, free=1 << 40)


@dataclass
class OnDisk:
    """A piece that is written, and not counted yet."""

    generation: int
    offset: int
    data: bytes
    hold: bool
    written: Written


def seldom(usual: T, *others: T) -> st.SearchStrategy[T]:
    """One of the others now and then."""
    return st.sampled_from([usual] * 5 * len(others) + list(others))


def attempt(step: Callable[[], T], otherwise: T) -> tuple[T, str]:
    """What comes of it, and the code of the refusal, if there is one."""
    try:
        return step(), ""
    except Refusal as refusal:
        return otherwise, refusal.code


class UploadMachine(RuleBasedStateMachine):
    """`counted`: what the ledger has taken, byte by byte. Each request sends bytes that nobody else sends."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.blobs = MemoryBlobs()
        self.counted = b""
        self.now = 1
        self.on_disk: deque[OnDisk] = deque()
        self.row: Upload

    def teardown(self) -> None:
        self.runner.close()

    @initialize(size=st.sampled_from([0, 9, 20, 40, 40]), promised=st.booleans())
    def create(self, size: int, *, promised: bool) -> None:
        command = CreateUpload(upload=ID, recipient=BOB, name="a", type="", size=size, promised=promised)
        self.row = rules.created(ANN, command, BOUNDS, ROOM, self.now)
        self.start()

    def start(self) -> None:
        """The process begins anew, and knows the ledger and the disk alone."""
        self.on_disk.clear()

        async def read(_: str) -> Upload:
            return self.row

        async def damaged(_: str) -> None:
            raise AssertionError("counted bytes are gone")

        self.writing = Writing(self.blobs, 0, read, damaged, lambda: 0.0)

    @rule(off=seldom(0, 1, -1), others=seldom(0, 2))
    def open(self, off: int, others: int) -> None:
        was = self.row
        self.row, code = attempt(
            lambda: rules.opened(was, ANN, was.offset + off, others=others, bounds=BOUNDS, now=self.now), was
        )
        if was.state != "open":
            assert code == ("gone" if was.state in ENDED else "conflict")
        else:
            assert code == ("conflict" if off else "rate_limited" if others == 2 else "")

    @rule(
        older=seldom(0, 1),
        off=seldom(0, -3, 3),
        length=st.integers(1, 9),
        hold=st.booleans(),
        full=seldom(False, True),
    )
    def send(self, older: int, off: int, length: int, *, hold: bool, full: bool) -> None:
        """A piece goes to the disk: mostly the one that is next, sometimes a copy, one too far, a dead request's.

        `full`: the disk refuses it, after which what is there of it is unknown.
        """
        generation = self.row.generation - older
        offset = max(0, self.next_offset() + off)
        data = bytes([generation % 256]) * length
        _, unknown = attempt(lambda: self.writing.written(ID, (ANN, generation)), None)
        self.blobs.full = full
        written, code = attempt(lambda: self.runner.run(self.writing.write(ID, (ANN, generation), offset, data)), None)
        self.blobs.full = False
        assert code in {"", "conflict", "locked", "gone", *(["storage_full"] if full else [])}
        if written is not None:
            # A dead request's piece may still go to the disk, but takes nothing over.
            assert not (older and unknown)
            self.on_disk.append(OnDisk(generation, offset, data, hold, written))

    def next_offset(self) -> int:
        """Behind all that is on its way."""
        written, _ = attempt(lambda: self.writing.written(ID, (ANN, self.row.generation)), None)
        return self.row.offset if written is None else written.end

    @precondition(lambda self: self.on_disk)
    @rule()
    def count(self) -> None:
        """The oldest piece that is on disk comes to the ledger."""
        one = self.on_disk.popleft()
        if not self.writing.stands(ID, one.written):
            return
        apply = rules.held if one.hold else rules.appended
        was = self.row
        self.row, code = attempt(lambda: apply(was, ANN, one.generation, one.offset, len(one.data)), was)
        assert code in {"", "conflict", "locked", "gone"}
        assert code or one.generation == was.generation
        if self.row.offset > was.offset:
            self.counted += one.data

    @rule(back=seldom(0, 1, -1))
    def commit(self, back: int) -> None:
        """A request says that what it has held back is right."""
        was = self.row
        written, code = attempt(lambda: self.writing.written(ID, (ANN, was.generation)), None)
        if written is not None:
            end = written.end
            self.row, code = attempt(lambda: rules.committed(was, ANN, was.generation, end - back, end), was)
        assert code in {"", "conflict", "locked", "gone"}
        if self.row is not was:
            self.counted += bytes(self.blobs.parts[ID][was.offset : self.row.offset])

    def leave(self) -> None:
        left = rules.left(self.row, ANN, self.row.generation)
        assert left is not None
        assert not left.active
        self.row = left

    def cancel(self, person: str) -> None:
        was = self.row
        self.row, code = attempt(lambda: rules.cancelled(was, person, self.now), was)
        if person == "eve":
            assert code == "not_found"
        elif was.state in ENDED:
            assert code == "gone"
        else:
            assert code == ("" if person == ANN or was.state == "open" else "forbidden")
        if not code:
            self.blobs.remove(ID)

    def wait(self, ms: int) -> None:
        self.now += ms
        before = self.row
        self.row = rules.expired(self.row, self.now)
        if self.row is not before:
            assert before.expires < self.now
            self.blobs.remove(ID)

    def declare(self, *, right: bool) -> None:
        digest = hashlib.sha256(self.counted if right else b"another").hexdigest()
        was = self.row
        self.row, code = attempt(lambda: rules.declared(was, ANN, digest), was)
        assert code in {"", "conflict", "gone", "checksum_mismatch"}

    def settle(self) -> None:
        """What finishing does when it finds the row so; a crash before or behind any of its steps repeats it."""
        if self.row.state != "verifying" or (self.row.promised and not self.row.declared):
            return
        if not self.row.size:
            self.blobs.cut(ID, 0)
        with self.blobs.open(ID) as reader:
            digest = hashlib.sha256(reader.read(0, self.row.size)).hexdigest()
        if not rules.mismatched(self.row, digest):
            self.blobs.finish(ID)
        self.row = rules.settled(self.row, digest, BOUNDS, self.now)
        assert self.row.state in {"ready", "failed"}
        if self.row.state == "failed":
            assert self.row.reason == "checksum_mismatch"
            self.blobs.remove(ID)

    @rule(what=st.integers(0, 11))
    def happen(self, what: int) -> None:
        """Something that comes seldom."""
        match what:
            case 0 | 1 | 2:
                self.start()
            case 3:
                self.leave()
            case 4 | 5:
                self.declare(right=what == 4)
            case 6:
                self.cancel([ANN, BOB, "eve"][self.now % 3])
            case 7:
                self.wait(20_000)
            case _:
                self.wait(1)
                self.settle()

    @invariant()
    def nothing_counts_that_is_not_there(self) -> None:
        if not hasattr(self, "row"):
            return
        assert self.row.offset == len(self.counted) <= self.row.size
        if self.row.state in {"open", "verifying"} and self.counted:
            blob = self.blobs.parts.get(ID)
            there = bytes(blob) if blob is not None else self.blobs.finished[ID]
            assert there[: len(self.counted)] == self.counted
        if self.row.state == "ready":
            assert self.blobs.finished[ID] == self.counted
            assert self.row.sha256 == hashlib.sha256(self.counted).hexdigest()
            assert self.row.verified == (self.row.declared == self.row.sha256)
        if self.row.state in {"failed", "cancelled", "expired"}:
            assert not self.row.active
            assert not self.row.preview
        if self.row.size and self.row.offset == self.row.size:
            assert self.row.state != "open"


TestUpload = UploadMachine.TestCase
TestUpload.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
