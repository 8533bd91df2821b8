"""Files on their way to a browser: in parts, under conditions, while they are still sent; and what is shown of them."""

import asyncio
import base64
import hashlib
import os
from typing import Any

import aiohttp
import pytest

from protocols.errors import Refusal
from protocols.files import PIECE_BYTES
from tests.support.house import House, Person
from tests.support.tus import FILES, Tus, metadata
from tests.support.waiting import SCALE, eventually

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
WEBP = b"RIFF\x10\0\0\0WEBPVP8 " + bytes(100)


@pytest.fixture
def tus(ann: Person, bob: Person) -> Tus:
    """Ann's; she and Bob are in contact."""
    assert bob.id != ann.id
    return Tus(ann)


async def ready(tus: Tus, bob: Person, content: bytes, *, name: str = "a.bin") -> str:
    """The address of a file that is whole."""
    return await tus.ready(await tus.sent(bob, content, name=name))


async def test_a_file_comes_whole_and_with_its_digest(tus: Tus, bob: Person) -> None:
    content = os.urandom(600_000)
    path = await ready(tus, bob, content, name='a"b/\u202eß.bin')
    answer = await tus.request("GET", path)
    assert (answer.status, answer.body) == (200, content)
    assert (await Tus(bob).request("GET", path)).body == content
    assert answer.headers["Content-Type"] == "application/octet-stream"
    names = "filename=\"a_b___.bin\"; filename*=UTF-8''a%22b__%C3%9F.bin"
    assert answer.headers["Content-Disposition"] == f"attachment; {names}"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert answer.headers["Accept-Ranges"] == "bytes"
    digest = hashlib.sha256(content).digest()
    assert answer.headers["Repr-Digest"] == f"sha-256=:{base64.b64encode(digest).decode()}:"
    assert "Tus-Resumable" not in answer.headers


async def test_parts_of_it(tus: Tus, bob: Person) -> None:
    content = os.urandom(1_000)
    path = await ready(tus, bob, content)
    parts = (("0-0", 0, 0), ("10-19", 10, 19), ("990-", 990, 999), ("-5", 995, 999), ("5-9999", 5, 999))
    for asked, first, last in parts:
        answer = await tus.request("GET", path, Range=f"bytes={asked}")
        assert (answer.status, answer.body) == (206, content[first : last + 1])
        assert answer.headers["Content-Range"] == f"bytes {first}-{last}/1000"
    for asked in ("1000-", "-0"):
        answer = await tus.request("GET", path, Range=f"bytes={asked}")
        assert (answer.status, answer.headers["Content-Range"]) == (416, "bytes */1000")
        assert b"range_unsatisfiable" in answer.body
    for asked in ("0-1,5-6", "x", "9-1"):
        assert (await tus.request("GET", path, Range=f"bytes={asked}")).status == 200
    tag = (await tus.request("GET", path)).headers["ETag"]
    assert (await tus.request("GET", path, Range="bytes=1-1", If_Range=tag)).status == 206
    assert (await tus.request("GET", path, Range="bytes=1-1", If_Range='"other"')).status == 200
    kept = await tus.request("GET", path, If_None_Match=tag)
    assert (kept.status, kept.body, kept.headers["ETag"]) == (304, b"", tag)


async def test_only_what_can_do_nothing_is_shown(tus: Tus, bob: Person) -> None:
    for content, kind, disposition in (
        (PNG, "image/png", "inline"),
        (b"<svg onload='alert(1)' xmlns='http://www.w3.org/2000/svg'/>", "application/octet-stream", "attachment"),
        (b"<!doctype html><script>alert(1)</script>", "application/octet-stream", "attachment"),
        (b"%PDF-1.7", "application/octet-stream", "attachment"),
    ):
        path = await ready(tus, bob, content, name="picture.png")
        answer = await tus.request("GET", path)
        assert answer.headers["Content-Type"] == kind
        assert answer.headers["Content-Disposition"].partition(";")[0] == disposition
        saved = await tus.request("GET", f"{path}?download=1")
        assert saved.headers["Content-Disposition"].startswith("attachment;")
        assert (await tus.request("GET", f"{path}?download=2")).status == 400
    assert (await tus.request("GET", await ready(tus, bob, b""))).body == b""


async def following(person: Person, path: str, first: bytes) -> aiohttp.ClientResponse:
    """An answer whose first bytes have come, and whose others have not."""
    answer = await person.house.http.get(f"{person.house.url}{path}", headers=person.bearer)
    async with asyncio.timeout(5 * SCALE):
        assert await answer.content.readexactly(len(first)) == first
    return answer


async def test_who_downloads_follows_who_sends(tus: Tus, bob: Person) -> None:
    content = os.urandom(PIECE_BYTES * 3)
    path = await tus.created(bob, len(content))
    assert (await tus.patch(path, 0, content[:PIECE_BYTES])).status == 204
    answer = await following(bob, path, content[:PIECE_BYTES])
    assert (answer.status, answer.headers["Content-Length"]) == (200, str(len(content)))
    assert "Repr-Digest" not in answer.headers
    assert (await tus.patch(path, PIECE_BYTES, content[PIECE_BYTES : PIECE_BYTES * 2])).status == 204
    async with asyncio.timeout(5 * SCALE):
        assert await answer.content.readexactly(PIECE_BYTES) == content[PIECE_BYTES : PIECE_BYTES * 2]
    assert (await tus.patch(path, PIECE_BYTES * 2, content[PIECE_BYTES * 2 :])).status == 204
    # The whole within 2 s of its sender's last byte.
    async with asyncio.timeout(2 * SCALE):
        assert await answer.read() == content[PIECE_BYTES * 2 :]


async def test_the_last_piece_waits_for_the_senders_word(tus: Tus, bob: Person, ann: Person) -> None:
    content = os.urandom(PIECE_BYTES + 1_000)
    path = await tus.created(bob, len(content), Upload_Metadata=promised(bob))
    assert (await tus.patch(path, 0, content)).status == 204
    answer = await following(bob, path, content[:1_000])
    assert (await tus.state(path))["state"] == "verifying"
    status, told = await ann.call("PUT", f"{path}/digest", {"sha256": hashlib.sha256(content).hexdigest()})
    assert (status, told["offset"]) == (200, len(content))
    assert await answer.read() == content[1_000:]
    assert (await tus.state(path))["verified"] is True


async def test_what_ends_badly_ends_with_a_broken_connection(tus: Tus, bob: Person, ann: Person) -> None:
    content = os.urandom(PIECE_BYTES * 2)
    for way in ("cancelled", "mismatch"):
        path = await tus.created(bob, len(content), Upload_Metadata=promised(bob))
        assert (await tus.patch(path, 0, content)).status == 204
        answer = await following(bob, path, content[:PIECE_BYTES])
        if way == "cancelled":
            assert (await tus.request("DELETE", path)).status == 204
        else:
            assert (await ann.call("PUT", f"{path}/digest", {"sha256": "0" * 64}))[0] == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()
        await eventually(lambda path=path: gone(tus, path))  # type: ignore[misc]


async def gone(tus: Tus, path: str) -> bool:
    return (await tus.request("GET", path)).status == 410


def promised(to: Person) -> str:
    return metadata(filename="a.bin", recipient=to.id, promised="1")


async def test_a_session_that_ends_ends_its_download(tus: Tus, bob: Person, house: House) -> None:
    path = await tus.created(bob, PIECE_BYTES * 2)
    assert (await tus.patch(path, 0, bytes(PIECE_BYTES + 1_000))).status == 204
    answer = await following(bob, path, bytes(1_000))
    status, _ = await bob.call("POST", "/api/v1/auth/logout", {"refresh_token": bob.refresh})
    assert status == 204
    with pytest.raises(aiohttp.ClientPayloadError):
        async with asyncio.timeout(5 * SCALE):
            await answer.read()
    assert house.url


@pytest.mark.parametrize("begun", [True, False])
async def test_who_has_gone_while_a_file_pauses_takes_no_seat_from_who_comes(
    tus: Tus, bob: Person, house: House, begun: bool
) -> None:
    path = await tus.created(bob, PIECE_BYTES * 2)
    if begun:
        assert (await tus.patch(path, 0, bytes(PIECE_BYTES + 1_000))).status == 204
    seats = house.front._server.services.downloads
    asking = asyncio.create_task(house.http.get(f"{house.url}{path}", headers=bob.bearer))
    await eventually(lambda: bob.id in seats._there)
    if begun:
        answer = await asking
        assert await answer.content.readexactly(1_000) == bytes(1_000)
        answer.close()
    else:
        asking.cancel()
    await eventually(lambda: not seats._there)


# Previews, digests, states.


async def test_a_preview_is_kept_and_shown(tus: Tus, bob: Person, ann: Person) -> None:
    path = await tus.created(bob, 100)
    assert (await tus.request("GET", f"{path}/preview")).status == 404
    for content, kind in ((PNG, "image/png"), (WEBP, "image/webp")):
        assert (await tus.request("PUT", f"{path}/preview", content, Content_Type=kind)).status == 204
        shown = await Tus(bob).request("GET", f"{path}/preview")
        assert (shown.status, shown.body, shown.headers["Content-Type"]) == (200, content, kind)
        assert shown.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert (await tus.state(path))["preview"] is True
        again = await tus.request("GET", f"{path}/preview", If_None_Match=shown.headers["ETag"])
        assert (again.status, again.body) == (304, b"")
    assert ann.id


NO_PREVIEWS: list[tuple[bytes, dict[str, Any], int]] = [
    (b"<svg/>", {"Content_Type": "image/svg+xml"}, 415),
    (b"GIF89a", {"Content_Type": "image/gif"}, 415),
    (WEBP, {"Content_Type": "image/png"}, 415),
    (PNG, {"Content_Type": "image/png", "Content_Encoding": "gzip"}, 415),
    (b"", {"Content_Type": "image/png"}, 415),
    (PNG + bytes(64 * 1024), {"Content_Type": "image/png"}, 413),
]


async def test_what_is_no_preview(tus: Tus, bob: Person) -> None:
    path = await tus.created(bob, 100)
    for content, headers, status in NO_PREVIEWS:
        answer = await tus.request("PUT", f"{path}/preview", content, **headers)
        assert answer.status == status, headers
    assert (await tus.request("GET", f"{path}/preview")).status == 404


async def test_only_the_sender_says_what_it_is(tus: Tus, bob: Person, ann: Person) -> None:
    content = b"0123456789"
    path = await ready(tus, bob, content)
    digest = {"sha256": hashlib.sha256(content).hexdigest()}
    recipient = Tus(bob)
    assert (await bob.call("PUT", f"{path}/digest", digest))[0] == 403
    assert (await recipient.request("PUT", f"{path}/preview", PNG, Content_Type="image/png")).status == 403
    for bad in ({"sha256": "x"}, {"sha256": "A" * 64}, {}, {**digest, "owner": bob.id}):
        assert (await ann.call("PUT", f"{path}/digest", bad))[0] == 400
    status, told = await ann.call("PUT", f"{path}/digest", digest)
    assert (status, told["state"], told["verified"], told["sha256"]) == (200, "ready", True, digest["sha256"])


async def test_states_of_mine_and_of_no_others(tus: Tus, bob: Person, ann: Person, house: House) -> None:
    dan = await house.person("dan")
    paths = [await tus.created(bob, 10), await tus.sent(bob, b"0123456789")]
    ids = [path.rpartition("/")[2] for path in paths]
    for person in (ann, bob):
        status, told = await person.call("GET", f"{FILES}?ids={','.join([*ids, '0' * 32])}")
        assert status == 200
        assert [one["id"] for one in told["files"]] == sorted(ids)
        assert {one["owner"] for one in told["files"]} == {ann.id}
    assert (await dan.call("GET", f"{FILES}?ids={','.join(ids)}"))[1] == {"files": []}
    for bad in ("", "ids=", "ids=a,,b", f"ids={','.join(['a'] * 201)}", "ids=..%2f"):
        status, answer = await ann.call("GET", f"{FILES}?{bad}")
        assert (status, list(answer["error"]["fields"])) == (400, ["ids"]), bad


async def test_without_the_ledger_nothing_is_known(tus: Tus, bob: Person, house: House, monkeypatch: Any) -> None:
    path = await tus.created(bob, 10)

    async def unreadable(_: object) -> None:
        raise Refusal("unavailable")

    monkeypatch.setattr(house.front._server.services.files, "read", unreadable)
    for method in ("GET", "HEAD", "PATCH", "DELETE"):
        answer = await tus.request(method, path)
        assert (answer.status, "Retry-After" in answer.headers) == (503, True), method
