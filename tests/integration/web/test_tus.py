"""The tus protocol at the front, over a real file_chunker: each way in which a request can be right or wrong."""

import asyncio
import base64
import hashlib
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.house import House, Person, open_house
from tests.support.tus import BYTES, FILES, Tus, metadata
from tests.support.waiting import SCALE, eventually

CONTENT = os.urandom(600_000)


@pytest.fixture
def tus(ann: Person, bob: Person) -> Tus:
    """Ann's; she and Bob are in contact."""
    assert bob.id != ann.id
    return Tus(ann)


def checksum(algorithm: str, content: bytes) -> str:
    return f"{algorithm} {base64.b64encode(hashlib.new(algorithm, content).digest()).decode()}"


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    """A body whose length is not known before its end."""
    for part in parts:
        yield part


# What is offered.


async def test_it_says_what_it_speaks(house: House, tus: Tus) -> None:
    for headers in ({}, {"Tus_Resumable": None}):
        answer = await tus.request("OPTIONS", FILES, **headers)
        assert answer.status == 204
        assert answer.headers["Tus-Version"] == "1.0.0"
        assert answer.headers["Tus-Extension"] == "creation,creation-with-upload,termination,checksum,expiration"
        assert answer.headers["Tus-Max-Size"] == str(2048 * 1024 * 1024)
        assert answer.headers["Tus-Checksum-Algorithm"] == "sha1,sha256"
    async with house.http.options(f"{house.url}{FILES}") as anonymous:
        assert anonymous.status == 204


# Creation.


async def test_a_file_is_made_and_comes_in_parts(tus: Tus, bob: Person) -> None:
    made = await tus.create(bob, len(CONTENT), name="../größe.bin")
    assert (made.status, made.offset, made.headers["Tus-Resumable"]) == (201, 0, "1.0.0")
    assert "GMT" in made.headers["Upload-Expires"]
    path = made.headers["Location"]
    first = await tus.patch(path, 0, CONTENT[:100_000])
    assert (first.status, first.offset, first.headers["Tus-Resumable"]) == (204, 100_000, "1.0.0")
    head = await tus.head(path)
    assert (head.status, head.offset, head.headers["Upload-Length"]) == (200, 100_000, str(len(CONTENT)))
    assert head.headers["Cache-Control"] == "no-store"
    assert head.headers["Upload-Metadata"] == metadata(
        filename="../größe.bin", filetype="application/octet-stream", recipient=bob.id
    )
    last = await tus.patch(path, 100_000, CONTENT[100_000:])
    assert (last.status, last.offset) == (204, len(CONTENT))
    assert "Upload-Expires" not in last.headers
    assert await tus.content(path) == CONTENT


async def test_a_creation_may_bring_the_first_bytes_or_all(tus: Tus, bob: Person) -> None:
    for part in (CONTENT[:300_000], CONTENT):
        told = {"Upload_Length": str(len(CONTENT)), "Upload_Metadata": metadata(filename="a", recipient=bob.id)}
        made = await tus.request("POST", FILES, part, **{**told, "Content_Type": BYTES})
        assert (made.status, made.offset) == (201, len(part))
        if len(part) < len(CONTENT):
            rest = await tus.patch(made.headers["Location"], len(part), CONTENT[len(part) :])
            assert rest.status == 204
        assert await tus.content(made.headers["Location"]) == CONTENT


async def test_a_creation_whose_bytes_are_wrong_tells_where_the_file_is(tus: Tus, bob: Person) -> None:
    told = {"Upload_Length": "5", "Upload_Metadata": metadata(filename="a", recipient=bob.id), "Content_Type": BYTES}
    made = await tus.request("POST", FILES, b"right", **told, Upload_Checksum=checksum("sha1", b"wrong"))
    assert (made.status, (await tus.head(made.headers["Location"])).offset) == (460, 0)


async def test_an_empty_file_is_whole_at_once(tus: Tus, bob: Person) -> None:
    made = await tus.create(bob, 0)
    assert (made.status, made.offset) == (201, 0)
    head = await tus.head(made.headers["Location"])
    assert (head.offset, head.headers["Upload-Length"]) == (0, "0")
    assert await tus.content(made.headers["Location"]) == b""


NO_CREATIONS: list[tuple[dict[str, Any], int]] = [
    ({"Upload_Length": None}, 400),
    ({"Upload_Length": "abc"}, 400),
    ({"Upload_Length": "-1"}, 400),
    ({"Upload_Length": "+5"}, 400),
    ({"Upload_Length": str(2048 * 1024 * 1024 + 1)}, 413),
    ({"Upload_Length": str(2**63)}, 413),
    ({"Upload_Metadata": "filename !!!"}, 400),
    ({"Upload_Metadata": "filename YQ==,filename YQ=="}, 400),
    ({"Upload_Metadata": None}, 400),
    ({"Upload_Defer_Length": "1"}, 400),
    ({"Tus_Resumable": None}, 412),
    ({"Tus_Resumable": "0.2.2"}, 412),
]


async def test_what_is_no_creation_makes_nothing(tus: Tus, bob: Person, house: House) -> None:
    for headers, status in NO_CREATIONS:
        answer = await tus.create(bob, 5, **headers)
        assert answer.status == status, headers
        assert answer.headers["Tus-Resumable"] == "1.0.0"
        assert ("Tus-Version" in answer.headers) == (status == 412)
    assert await house.owners["file_chunker"].database.read(lambda tx: tx.uploads.by_state()) == []


async def test_only_for_contacts(tus: Tus, house: House) -> None:
    dan = await house.person("dan")
    answer = await tus.create(dan, 5)
    assert answer.status == 403
    assert b"not_a_contact" in answer.body


async def test_creations_count_as_messages(tmp_path: Path) -> None:
    async with open_house(tmp_path, limits={"messages_per_second": 1, "messages_burst": 2}) as house:
        ann, bob = await house.person("ann"), await house.person("bob")
        await house.befriend(ann, bob)
        house.stop_the_clock_of_limits()
        tus = Tus(ann)
        assert [(await tus.create(bob, 1)).status for _ in range(3)] == [201, 201, 429]


async def test_requests_beyond_the_rate_are_held_back_also_without_a_byte(tmp_path: Path) -> None:
    async with open_house(tmp_path, limits={"messages_per_second": 10, "messages_burst": 1}) as house:
        ann, bob = await house.person("ann"), await house.person("bob")
        await house.befriend(ann, bob)
        tus = Tus(ann)
        path = await tus.created(bob, 1)
        began = time.monotonic()
        assert [(await tus.patch(path, 0, b"")).status for _ in range(4)] == [204] * 4
        assert time.monotonic() - began > 0.25


async def test_one_creation_told_twice_makes_one_file(tus: Tus, bob: Person) -> None:
    first = await tus.create(bob, 10, Idempotency_Key="k1")
    assert (await tus.patch(first.headers["Location"], 0, b"12345")).status == 204
    again = await tus.create(bob, 10, Idempotency_Key="k1")
    assert (again.status, again.offset) == (201, 5)
    assert again.headers["Location"] == first.headers["Location"]
    other = await tus.create(bob, 10, Idempotency_Key="k2")
    assert other.headers["Location"] != first.headers["Location"]
    assert (await tus.create(bob, 11, Idempotency_Key="k1")).status == 409


# Bytes.


NO_PATCHES: list[tuple[int, dict[str, Any], int]] = [
    (3, {}, 409),
    (7, {}, 409),
    (11, {}, 409),
    (2**62, {}, 409),
    (5, {"Content_Type": "application/octet-stream"}, 415),
    (5, {"Content_Type": None}, 415),
    (5, {"Content_Encoding": "gzip"}, 415),
    (5, {"Tus_Resumable": "2.0.0"}, 412),
    (5, {"Tus_Resumable": None}, 412),
    (5, {"Upload_Offset": None}, 400),
    (5, {"Upload_Offset": "+5"}, 400),
    (5, {"Upload_Offset": "-5"}, 400),
    (5, {"Upload_Offset": "five"}, 400),
    (5, {"Upload_Checksum": "crc32 AAAA"}, 400),
    (5, {"Upload_Checksum": "sha1 short"}, 400),
]


async def test_what_is_no_patch_writes_nothing(tus: Tus, bob: Person) -> None:
    path = await tus.created(bob, 10)
    assert (await tus.patch(path, 0, b"01234")).offset == 5
    for offset, headers, status in NO_PATCHES:
        answer = await tus.patch(path, offset, b"x", **headers)
        assert (answer.status, answer.headers["Tus-Resumable"]) == (status, "1.0.0"), (offset, headers)
        assert ("Tus-Version" in answer.headers) == (status == 412)
        assert (await tus.head(path)).offset == 5
    assert (await tus.patch(path, 5, b"56789")).status == 204
    assert await tus.content(path) == b"0123456789"


async def test_more_than_there_is_to_be_is_refused(tus: Tus, bob: Person) -> None:
    path = await tus.created(bob, 10)
    assert (await tus.patch(path, 0, b"0123456789x")).status == 413
    assert (await tus.head(path)).offset == 0
    # The end of a body without Content-Length shows only when it is there.
    for parts in ((b"0123456789", b"x"), (b"01234", b"56789x"), (b"0" * 11,)):
        assert (await tus.patch(path, 0, pieces(*parts))).status == 413
        assert (await tus.state(path))["state"] == "open"
        assert (await tus.head(path)).offset == 0
    assert (await tus.patch(path, 0, pieces(b"01234", b"56789"))).status == 204
    assert await tus.content(path) == b"0123456789"


async def test_a_patch_without_bytes_changes_nothing(tus: Tus, bob: Person) -> None:
    path = await tus.created(bob, 10)
    answer = await tus.patch(path, 0, b"")
    assert (answer.status, answer.offset) == (204, 0)


async def test_a_whole_file_takes_no_more(tus: Tus, bob: Person) -> None:
    path = await tus.sent(bob, b"0123456789")
    for offset, body in ((10, b"x"), (10, b""), (0, b"0123456789")):
        assert (await tus.patch(path, offset, body)).status in {409, 413}
    assert await tus.content(path) == b"0123456789"


async def test_a_checksum_decides_about_its_body(tus: Tus, bob: Person) -> None:
    for algorithm in ("sha1", "sha256"):
        path = await tus.created(bob, len(CONTENT))
        lie = await tus.patch(path, 0, CONTENT, Upload_Checksum=checksum(algorithm, b"another"))
        assert (lie.status, lie.headers["Tus-Resumable"]) == (460, "1.0.0")
        assert (await tus.head(path)).offset == 0
        first, rest = CONTENT[:300_001], CONTENT[300_001:]
        half = await tus.patch(path, 0, first, Upload_Checksum=checksum(algorithm, first))
        assert (half.status, half.offset) == (204, 300_001)
        assert (await tus.patch(path, 300_001, b"garbage", Upload_Checksum=checksum(algorithm, b"x"))).status == 460
        whole = await tus.patch(path, 300_001, rest, Upload_Checksum=checksum(algorithm, rest))
        assert (whole.status, whole.offset) == (204, len(CONTENT))
        assert await tus.content(path) == CONTENT


async def test_a_body_that_is_cut_off_keeps_what_came(tus: Tus, bob: Person, house: House, ann: Person) -> None:
    path = await tus.created(bob, len(CONTENT))
    await cut_off(house, ann, path, CONTENT[:500_000], length=len(CONTENT))
    await eventually(lambda: offset_is(tus, path, 500_000))
    assert (await tus.patch(path, 500_000, CONTENT[500_000:])).status == 204
    assert await tus.content(path) == CONTENT


async def test_a_body_with_a_checksum_that_is_cut_off_leaves_nothing(
    tus: Tus, bob: Person, house: House, ann: Person
) -> None:
    path = await tus.created(bob, len(CONTENT))
    told = f"Upload-Checksum: {checksum('sha1', CONTENT)}\r\n"
    await cut_off(house, ann, path, CONTENT[:500_000], length=len(CONTENT), more=told)

    async def left() -> bool:
        return not (await tus.state(path))["active"]

    await eventually(left)
    assert (await tus.head(path)).offset == 0
    assert (await tus.patch(path, 0, CONTENT)).status == 204
    assert await tus.content(path) == CONTENT


async def test_who_asks_first_is_told_to_go_on(tus: Tus, bob: Person) -> None:
    path = await tus.created(bob, 10)
    answer = await tus.patch(path, 0, b"0123456789", Expect="100-continue")
    assert (answer.status, answer.offset) == (204, 10)
    assert await tus.content(path) == b"0123456789"


async def cut_off(house: House, person: Person, path: str, body: bytes, *, length: int, more: str = "") -> None:
    """A PATCH whose connection ends in the middle of its body."""
    _, writer = await half_sent(house, person, path, body, length=length, more=more)
    writer.close()
    await writer.wait_closed()


async def half_sent(
    house: House, person: Person, path: str, body: bytes, *, length: int, more: str = ""
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = house.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = (
        f"PATCH {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {person.access}\r\nTus-Resumable: 1.0.0\r\n"
        f"Upload-Offset: 0\r\nContent-Type: {BYTES}\r\nContent-Length: {length}\r\n{more}\r\n"
    )
    writer.write(head.encode() + body)
    await writer.drain()
    return reader, writer


async def test_who_comes_again_takes_over_from_a_request_that_hangs(
    tus: Tus, bob: Person, house: House, ann: Person
) -> None:
    path = await tus.created(bob, len(CONTENT))
    _, zombie = await half_sent(house, ann, path, CONTENT[:400_000], length=len(CONTENT))

    async def some() -> int:
        return (await tus.head(path)).offset

    # All of it: what the other had sent and was not counted yet would be refused later.
    await eventually(lambda: reached(some, 400_000))
    async with asyncio.timeout(2 * SCALE):
        again = await tus.patch(path, 400_000, CONTENT[400_000:550_000])
    assert again.status == 204
    # What the first one still sends is nobody's.
    zombie.write(os.urandom(150_000))
    await zombie.drain()
    zombie.close()
    await zombie.wait_closed()
    assert (await tus.patch(path, 550_000, CONTENT[550_000:])).status == 204
    assert await tus.content(path) == CONTENT


async def test_a_front_that_stops_counts_what_it_has_and_sends_away(
    tus: Tus, bob: Person, house: House, ann: Person
) -> None:
    path = await tus.created(bob, len(CONTENT))
    reader, writer = await half_sent(house, ann, path, CONTENT[:400_000], length=len(CONTENT))
    await eventually(lambda: offset_is(tus, path, 400_000))
    draining = asyncio.create_task(house.front.drain())
    async with asyncio.timeout(5 * SCALE):
        assert (await reader.readline()).startswith(b"HTTP/1.1 503 ")
    writer.close()
    await writer.wait_closed()
    await draining

    async def left() -> bool:
        (upload,) = await house.owners["file_chunker"].database.read(lambda tx: tx.uploads.changes(0, 2))
        assert upload.offset == 400_000
        return not upload.active

    await eventually(left)


async def reached(offset: Any, least: int) -> bool:
    return bool(await offset() >= least)


async def test_of_two_requests_at_once_one_goes_on(tus: Tus, bob: Person) -> None:
    path = await tus.created(bob, len(CONTENT))
    both = await asyncio.gather(*(tus.patch(path, 0, CONTENT) for _ in range(2)))
    statuses = sorted(answer.status for answer in both)
    assert statuses[-1] in {409, 423}
    if statuses[0] != 204:
        # Each has taken over from the other before it was done; whoever asks goes on.
        assert (await tus.patch(path, (await tus.head(path)).offset, CONTENT)).status in {204, 413}
    else:
        assert await tus.content(path) == CONTENT


async def test_no_more_than_so_many_at_a_time(tus: Tus, bob: Person, house: House, ann: Person) -> None:
    hanging = []
    for _ in range(4):
        path = await tus.created(bob, 100)
        _, writer = await half_sent(house, ann, path, b"0123", length=100)
        hanging.append(writer)
        await eventually(lambda path=path: offset_is(tus, path, 4))  # type: ignore[misc]
    fifth = await tus.created(bob, 100)
    answer = await tus.patch(fifth, 0, b"x" * 100)
    assert answer.status == 429
    assert int(answer.headers["Retry-After"]) >= 1
    for writer in hanging:
        writer.close()
        await writer.wait_closed()

    async def goes() -> bool:
        return bool((await tus.patch(fifth, 0, b"x" * 100)).status == 204)

    await eventually(goes)


async def offset_is(tus: Tus, path: str, expected: int) -> bool:
    return (await tus.head(path)).offset == expected


async def test_the_method_may_stand_in_a_header(tus: Tus, bob: Person) -> None:
    path = await tus.created(bob, 10)
    patched = await tus.request(
        "POST", path, b"01234", X_HTTP_Method_Override="PATCH", Upload_Offset="0", Content_Type=BYTES
    )
    assert (patched.status, patched.offset) == (204, 5)
    looked = await tus.request("POST", path, X_HTTP_Method_Override="head")
    assert (looked.status, looked.offset, looked.body) == (200, 5, b"")
    assert (await tus.request("POST", path)).status == 405
    assert (await tus.request("POST", path, X_HTTP_Method_Override="PUT")).status == 405
    assert (await tus.request("POST", path, X_HTTP_Method_Override="DELETE")).status == 204
    assert (await tus.head(path)).status == 410


# The end.


async def test_what_was_cancelled_is_gone(tus: Tus, bob: Person) -> None:
    for content in (b"0123456789", b"01234"):
        path = await tus.created(bob, 10)
        assert (await tus.patch(path, 0, content)).status == 204
        assert (await tus.request("DELETE", path)).status == 204
        assert (await tus.request("DELETE", path)).status == 410
        assert (await tus.head(path)).status == 410
        assert (await tus.patch(path, 5, b"56789")).status == 410
        assert (await tus.request("GET", path)).status == 410
        assert (await tus.state(path))["state"] == "cancelled"


async def test_only_who_it_concerns_knows_of_it(tus: Tus, bob: Person, house: House) -> None:
    path = await tus.created(bob, 10)
    dan, unknown = Tus(await house.person("dan")), f"{FILES}/{'0' * 32}"
    for method, body, headers in (
        ("HEAD", None, {}),
        ("GET", None, {}),
        ("DELETE", None, {}),
        ("PATCH", b"x", {"Upload_Offset": "0", "Content_Type": BYTES}),
        ("POST", b"x", {"Upload_Offset": "0", "Content_Type": BYTES, "X_HTTP_Method_Override": "PATCH"}),
    ):
        foreign = await dan.request(method, path, body, **headers)
        missing = await dan.request(method, unknown, body, **headers)
        assert (foreign.status, foreign.body) == (missing.status, missing.body)
        assert foreign.status == 404, method
    recipient = Tus(bob)
    assert (await recipient.head(path)).offset == 0
    assert (await recipient.patch(path, 0, b"0123456789")).status == 403
    assert (await tus.head(path)).offset == 0
    assert (await recipient.request("DELETE", path)).status == 204
    assert (await tus.head(path)).status == 410


async def test_while_the_owner_is_away_uploads_wait(tus: Tus, bob: Person, house: House) -> None:
    path = await tus.created(bob, 10)
    owner = house.owners["file_chunker"]
    owner.running.clear()
    owner.beat("stopping")
    for answer in (await tus.create(bob, 10), await tus.patch(path, 0, b"0123456789")):
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) >= 1
    assert (await tus.head(path)).offset == 0
    owner.running.set()
    owner.beat()
    assert (await tus.patch(path, 0, b"0123456789")).status == 204
