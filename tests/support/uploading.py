"""A sender who never gives up, and a look at what an installation has of a file: in its ledger and on its disk."""

import contextlib
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

from drill.person import HttpError
from drill.transfer import AGAIN, PAUSE, PIECE, Transfer
from settings import Paths
from storage.blobs import DirectoryBlobs
from storage.file_uploads import ENDED
from storage.files import FILES
from storage.sibling import Sibling
from tests.support.waiting import SCALE

CHUNK = 64 * 1024
FAULTS_MOST = 8
"""Times that the page begins again after an error inside the installation."""


class Disk:
    """What an installation has kept of uploads, read beside it; used on one thread."""

    def __init__(self, paths: Paths) -> None:
        self._ledger = Sibling(FILES, paths.databases)
        self._blobs = DirectoryBlobs(paths.blobs)

    def wrong_claim(self, upload: str, claimed: int) -> str:
        """What is wrong with the answer that so many bytes count, "" when it is true.

        Both numbers only grow, and they are read after the claim was made, the file's size last.
        """
        row = self._ledger.read(lambda tx: tx.uploads.get(upload))
        if row is None or row.state in ENDED:
            return f"{claimed} bytes are told of an upload that is {row.state if row else 'unknown'}"
        there = 0
        # The file comes to be with its first byte.
        with contextlib.suppress(FileNotFoundError), self._blobs.open(upload) as blob:
            there = blob.size()
        if claimed <= row.offset <= there:
            return ""
        return f"{claimed} bytes are told, {row.offset} stand in the ledger, {there} are in the file"

    def close(self) -> None:
        self._ledger.close()


class Uploader:
    """Sends one file piece by piece until all of it counts, whatever happens on the way. `run` is for a thread.

    `passing` is called with how many bytes were handed to the connection, again and again in the midst of a body. What
    is found out: `wrong` claims, in words; `resent`, the bytes that had to be sent once more after each break;
    `answers`, the codes of refusals; `confirmed`, the bytes of which was told that they count.
    """

    def __init__(self, transfer: Transfer, upload: str, data: bytes, disk: Callable[[], Disk]) -> None:
        self.transfer = transfer
        self.upload = upload
        self.data = data
        self.passing: Callable[[int], object] = lambda _handed: None
        self.on_confirmed: Callable[[int], object] = lambda _offset: None
        self.piece = PIECE
        self.wrong: list[str] = []
        self.resent: list[int] = []
        self.answers: Counter[str] = Counter()
        self.breaks = 0
        self.confirmed = 0
        self._disk = disk
        self._handed = 0
        self._pause = threading.Event()

    def run(self, within: float) -> None:
        """Raises AssertionError when it takes longer than so many seconds, HttpError for what is refused for good."""
        deadline = time.monotonic() + within * SCALE
        disk = self._disk()
        try:
            while self.confirmed < len(self.data):
                assert time.monotonic() < deadline, (
                    f"{self.confirmed} of {len(self.data)} bytes after {within * SCALE:g} s; refusals: {self.answers}"
                )
                self.attempt(disk)
        finally:
            disk.close()

    def attempt(self, disk: Disk, most: int = sys.maxsize) -> None:
        """Ask how far it has come, and go on from there for `most` pieces, or until something breaks."""
        try:
            offset = self.transfer.offset(self.upload)
            self._resume(offset, disk)
            while offset < len(self.data) and most:
                most -= 1
                end = min(offset + self.piece, len(self.data))
                offset = self.transfer.append_from(self.upload, offset, end - offset, self._body(offset, end))
                self._claimed(offset, disk)
        except HttpError as error:
            self.answers[error.code] += 1
            # Mail that was in hand at three deaths is set aside with this word, whoever was to blame.
            again = error.code == "internal" and self.answers["internal"] <= FAULTS_MOST
            if error.status not in AGAIN and not again:
                raise
            self._wait()
        except OSError:
            self.breaks += 1
            self._wait()

    def _body(self, offset: int, end: int) -> Iterator[memoryview]:
        view = memoryview(self.data)
        for at in range(offset, end, CHUNK):
            yield view[at : min(at + CHUNK, end)]
            self._handed = min(at + CHUNK, end)
            self.passing(self._handed)

    def _resume(self, offset: int, disk: Disk) -> None:
        if self._handed > offset:
            self.resent.append(self._handed - offset)
        self._handed = offset
        self._claimed(offset, disk)

    def _claimed(self, offset: int, disk: Disk) -> None:
        if offset < self.confirmed:
            self.wrong.append(f"{self.confirmed} bytes counted, and then {offset}")
        if wrong := disk.wrong_claim(self.upload, offset):
            self.wrong.append(wrong)
        if offset > self.confirmed:
            self.confirmed = offset
            self.on_confirmed(offset)

    def _wait(self) -> None:
        # Not in step with others who send the same.
        self._pause.wait(random.uniform(PAUSE / 2, PAUSE))  # noqa: S311  (no secret)


def noise(seed: int, size: int) -> bytes:
    """So many bytes that no two of are alike for long; the same for each seed."""
    return random.Random(seed).randbytes(size)  # noqa: S311  (reproducible on purpose)
