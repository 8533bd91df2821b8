"""Files through a whole installation that is broken on the way, by senders who lie, and with strange names."""

import asyncio
import hashlib
import http.client
import itertools
import sqlite3
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import pytest
from msgspec import structs

from drill.installation import Installation
from drill.person import HttpError, Person
from drill.transfer import FILES, Transfer, checksum, insist
from storage.blobs import DirectoryBlobs
from tests.soak.file_kills import Arrived, Look, Sent, figure, look
from tests.soak.files import OTHERS, Break, Outcome, figures, interrupted, piece_of, plan
from tests.support.needs import is_root, lacking
from tests.support.small_disk import SmallDisk, why_not
from tests.support.uploading import Disk, Uploader, noise
from tests.support.waiting import eventually, eventually_sync

pytestmark = pytest.mark.e2e

MIB = 2**20
SEED = 2
BREAKS = 8
KEPT_FREE = 256
"""MiB that an installation keeps free on its disk, unless it is told otherwise."""


class Known(NamedTuple):
    """Somebody who has registered."""

    id: str
    bearer: dict[str, str]


@pytest.fixture(scope="module")
def pair(installation: Installation) -> tuple[Known, Known]:
    """Two who are in contact."""

    async def registered() -> tuple[Known, Known]:
        async with Person(installation.base, "files-ann") as ann, Person(installation.base, "files-bob") as bob:
            await ann.register()
            await bob.register()
            await ann.befriend(bob)
            return Known(ann.id, ann.bearer), Known(bob.id, bob.bearer)

    return asyncio.run(registered())


@pytest.fixture
def ann(pair: tuple[Known, Known]) -> Known:
    return pair[0]


@pytest.fixture
def bob(pair: tuple[Known, Known]) -> Known:
    return pair[1]


@pytest.fixture
def tus(installation: Installation, ann: Known) -> Iterator[Transfer]:
    with Transfer(installation.port, ann.bearer) as one:
        yield one


def fetched(installation: Installation, person: Known, upload: str) -> bytes:
    found = bytearray()
    with Transfer(installation.port, person.bearer) as transfer:
        transfer.fetch(upload, found.extend)
    return bytes(found)


async def test_a_file_that_is_interrupted_again_and_again_arrives(installation: Installation) -> None:
    outcome = await interrupted(installation, SEED, 8 * MIB, BREAKS, lambda _text: None)
    whole = figures(outcome)[0]
    assert whole.kept, f"{whole.measured} {outcome.troubles}"
    assert {one.kind for one in outcome.breaks} >= {"file_chunker killed", "front killed", *OTHERS}


async def test_two_clients_that_send_the_same_end_with_one_file(
    installation: Installation, tus: Transfer, ann: Known, bob: Known
) -> None:
    data = noise(3, 2 * MIB)
    upload = await asyncio.to_thread(tus.create, "twice.bin", len(data), bob.id)
    with Transfer(installation.port, ann.bearer) as other:
        both = [Uploader(transfer, upload, data, lambda: Disk(installation.paths)) for transfer in (tus, other)]
        for one in both:
            one.piece = 256 * 1024
        await asyncio.gather(*(asyncio.to_thread(one.run, 20.0) for one in both))
    assert [one.wrong for one in both] == [[], []]
    assert {code for one in both for code in one.answers} <= {"locked", "conflict", "unavailable"}
    assert await asyncio.to_thread(fetched, installation, bob, upload) == data


def lies(data: bytes) -> dict[str, tuple[dict[str, str], bytes, HTTPStatus | int]]:
    """What a sender may say, while half of `data` counts: (headers, body, the answer's status)."""
    half = len(data) // 2
    rest = data[half:]
    wrong = {"Upload-Checksum": checksum(b"others", "sha256")}
    return {
        "another checksum": ({"Upload-Offset": str(half), **wrong}, rest, 460),
        "an offset too low": ({"Upload-Offset": "0"}, data, HTTPStatus.CONFLICT),
        "an offset too high": ({"Upload-Offset": str(half + 1)}, rest[1:], HTTPStatus.CONFLICT),
        "more than there is to be": ({"Upload-Offset": str(half)}, rest + b"!", HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
        "no number": ({"Upload-Offset": "+5"}, rest, HTTPStatus.BAD_REQUEST),
    }


async def test_who_lies_writes_nothing(installation: Installation, tus: Transfer, bob: Known) -> None:
    data = noise(4, 600_000)
    half = len(data) // 2

    def lie() -> str:
        upload = tus.create("lies.bin", len(data), bob.id)
        assert tus.append(upload, 0, data[:half]) == half
        for what, (headers, body, status) in lies(data).items():
            told = {"Content-Type": "application/offset+octet-stream", "Content-Length": str(len(body)), **headers}
            with pytest.raises(HttpError) as caught:
                tus.request("PATCH", f"{FILES}/{upload}", told, [body])
            assert caught.value.status == status, what
            assert tus.offset(upload) == half, what
        return upload

    def promise_more() -> None:
        """A length that is longer than what comes: what came counts, and no more."""
        before = tus.offset(upload)
        with pytest.raises(OSError, match=r".+"):
            tus.append_from(upload, before, len(data) - before, torn(data[before : before + 1000]))
        eventually_sync(lambda: tus.offset(upload) == before + 1000, 10.0)

    def torn(some: bytes) -> Iterator[bytes]:
        yield some
        raise http.client.HTTPException("gone")

    upload = await asyncio.to_thread(lie)
    await asyncio.to_thread(promise_more)
    sender = Uploader(tus, upload, data, lambda: Disk(installation.paths))
    await asyncio.to_thread(sender.run, 10.0)
    assert not sender.wrong
    assert await asyncio.to_thread(fetched, installation, bob, upload) == data


async def test_an_empty_file_arrives(installation: Installation, tus: Transfer, bob: Known) -> None:
    upload = await asyncio.to_thread(tus.create, "empty.txt", 0, bob.id)
    state = await eventually(lambda: asyncio.to_thread(ready, tus, upload))
    assert state["sha256"] == hashlib.sha256().hexdigest()
    assert await asyncio.to_thread(fetched, installation, bob, upload) == b""


def ready(tus: Transfer, upload: str) -> dict[str, object]:
    state = tus.state(upload)
    return dict(state) if state and state["state"] == "ready" else {}


NAMES = {
    "255 bytes": "ü" * 126 + "tx.",
    "right to left": "photo\u202egpj.exe",
    "a way up": "../../../etc/passwd",
    "a way up in another system": "..\\..\\boot.ini",
    "a device": "CON",
    "a header": 'a"; filename="b.html',
    "a leading dot": ".htaccess",
}


async def test_names_are_shown_and_never_used(installation: Installation, tus: Transfer, bob: Known) -> None:
    def send(name: str) -> tuple[str, str]:
        upload = tus.create(name, 3, bob.id)
        tus.append(upload, 0, b"abc")
        with Transfer(installation.port, bob.bearer) as transfer:
            answer = transfer.fetch(upload, lambda _some: None)
        state = tus.state(upload)
        assert state is not None
        return str(state["name"]), answer.headers["content-disposition"]

    for what, name in NAMES.items():
        shown, disposition = await asyncio.to_thread(send, name)
        assert shown == name, what
        kind, plain, full = disposition.split("; ")
        assert (kind, full.partition("''")[0]) == ("attachment", "filename*=UTF-8"), what
        for part in (plain.partition("=")[2].strip('"'), unquote(full.partition("''")[2])):
            assert part, what
            assert not set(part) & set("/\\\0\r\n\u202e"), what
    stray = [path for path in installation.paths.data.rglob("*") if path.name in {"passwd", "boot.ini", "CON"}]
    assert stray == []


@pytest.mark.parametrize("name", ["a\0b", "line\nbreak", "", "x" * 256])
async def test_what_is_no_name_is_refused(tus: Transfer, bob: Known, name: str) -> None:
    with pytest.raises(HttpError) as caught:
        await asyncio.to_thread(tus.create, name, 3, bob.id)
    assert (caught.value.status, caught.value.code) == (HTTPStatus.BAD_REQUEST, "invalid")


@pytest.fixture
def disk(installation: Installation) -> Iterator[SmallDisk]:
    """Where the blobs of a running installation lie for as long as a test takes; nobody has a file open there."""
    if reason := why_not():
        lacking(reason, excused=not is_root())
    one = SmallDisk(installation.paths.blobs, KEPT_FREE + 32)
    one.mount()
    yield one
    one.unmount()


async def test_a_full_disk_is_said_in_words_and_an_upload_goes_on_when_there_is_room(
    installation: Installation, disk: SmallDisk, tus: Transfer, bob: Known
) -> None:
    data = noise(5, 4 * MIB)

    def send() -> bytes:
        upload = tus.create("full.bin", len(data), bob.id)
        half = tus.append(upload, 0, data[: len(data) // 2])
        disk.resize(KEPT_FREE)
        with pytest.raises(HttpError) as caught:
            tus.append(upload, half, data[half:])
        assert (caught.value.status, caught.value.code) == (HTTPStatus.INSUFFICIENT_STORAGE, "storage_full")
        assert "no room" in caught.value.message
        assert tus.offset(upload) == half
        # What is there already can be had all the while, and nothing new is begun.
        with pytest.raises(HttpError) as caught:
            tus.create("more.bin", 1, bob.id)
        assert caught.value.code == "storage_full"
        disk.resize(KEPT_FREE + 32)
        assert insist(lambda: tus.append(upload, half, data[half:]), 10.0) == len(data)
        found = fetched(installation, bob, upload)
        # Its blob goes with the disk.
        tus.cancel(upload)
        return found

    assert await asyncio.to_thread(send) == data
    assert (await installation.actors())["file_chunker"]["state"] == "running"


# What the soak's parts would notice.


def test_breaks_are_the_same_for_a_seed_and_apart_from_each_other() -> None:
    breaks = plan(1, 100 * MIB, 50)
    assert breaks == plan(1, 100 * MIB, 50) != plan(2, 100 * MIB, 50)
    kinds = [one.kind for one in breaks]
    assert (kinds.count("file_chunker killed"), kinds.count("front killed"), kinds.count("broker killed")) == (5, 5, 1)
    assert all(later.at - one.at >= piece_of(100 * MIB, 50) for one, later in itertools.pairwise(breaks))


def test_a_figure_is_broken_by_trouble_by_too_much_sent_again_and_by_a_break_without_effect() -> None:
    well = Outcome(
        size=8 * MIB,
        piece=MIB,
        breaks=[Break(MIB, "lost")],
        back={"lost": [0.1]},
        resent=[MIB],
        answers={},
        troubles=[],
    )
    assert figures(well)[0].kept
    assert not figures(structs.replace(well, troubles=["another SHA-256"]))[0].kept
    assert not figures(structs.replace(well, resent=[MIB + 1]))[0].kept
    assert not figures(structs.replace(well, back={}))[0].kept
    slow = structs.replace(well, back={"lost": [2.5]})
    assert [one.kept for one in figures(slow)] == [True, False]


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Of an upload of which three bytes count, and one that has come whole."""
    file = tmp_path / "ledger.db"
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE upload (id, offset, state)")
        database.executemany("INSERT INTO upload VALUES (?, ?, ?)", [("half", 3, "open"), ("whole", 6, "verifying")])
    database.close()
    return file


def test_a_look_finds_what_is_missing_and_tells_what_was_under_way(ledger: Path, tmp_path: Path) -> None:
    blobs = DirectoryBlobs(tmp_path / "blobs")
    (tmp_path / "blobs").mkdir()
    for upload in ("half", "whole"):
        blobs.cut(upload, 0)
        blobs.write(upload, 0, [b"abcdef"])
    blobs.finish("whole")
    half, whole = Sent("half", b"abcdefghi", 3), Sent("whole", b"abcdef", 6)
    assert look(ledger, blobs, [half, whole]) == Look(damage="", missing=[], ahead=1, renamed=1)
    told = Sent("half", half.data, 4)
    others = Sent("half", b"abXdef", 3)
    unknown = Sent("nowhere", b"abc", 1)
    found = look(ledger, blobs, [told, others, unknown])
    assert [text.split(" ")[3] for text in found.missing] == ["half", "half", "nowhere"]
    blobs.remove("half")
    assert len(look(ledger, blobs, [half]).missing) == 1


def test_kills_are_broken_by_what_is_missing_and_by_what_did_not_arrive() -> None:
    well, arrived = Look(damage="", missing=[], ahead=1, renamed=0), Arrived(files=1, bytes=1, strays=1, wrong=[])
    assert figure([well], [0.1], arrived, 1).kept
    assert not figure([well], [0.1], arrived, 2).kept
    assert not figure([structs.replace(well, damage="page 3")], [0.1], arrived, 1).kept
    assert not figure([structs.replace(well, missing=["3 bytes"])], [0.1], arrived, 1).kept
    assert not figure([well], [0.1], structs.replace(arrived, wrong=["left behind"]), 1).kept
    assert not figure([well], [0.1], structs.replace(arrived, files=0), 1).kept
