"""Messages with files, as two people see them: over sockets, in pages of history, of sync and of conversations."""

from typing import Any

import pytest
from msgspec import json

from protocols.mail import Push, PushBatch
from protocols.rendering import file_frame
from protocols.values import conversation_of
from storage.file_uploads import Upload
from storage.files import FILES
from tests.support.house import House, Person
from tests.support.uploads import upload

V1 = "/api/v1"

STATIC = {"id": "u1", "name": "a.txt", "type": "text/plain", "size": 100}


async def two(house: House) -> tuple[Person, Person]:
    ann, bob = await house.person("ann"), await house.person("bob")
    await house.befriend(ann, bob)
    return ann, bob


async def write(house: House, one: Upload) -> None:
    """Have the ledger say this, whatever its owner knows."""
    await house.owners["file_chunker"].database.run(lambda tx: tx.uploads.put(one))


async def pages(person: Person, peer: Person) -> list[dict[str, Any]]:
    """The latest message of the two as each kind of page shows it."""
    conversation = f"{V1}/conversations/{conversation_of(person.id, peer.id)}/messages"
    _, history = await person.call("GET", conversation)
    _, changed = await person.call("GET", f"{conversation}?since=0")
    _, synced = await person.call("GET", f"{V1}/sync")
    _, listed = await person.call("GET", f"{V1}/conversations")
    messages = [page["messages"][-1] for page in (history, changed)]
    messages.append([one for one in synced["changes"] if one["type"] == "message"][-1])
    return [*messages, listed["conversations"][0]["last_message"]]


@pytest.mark.parametrize("body", ["", "Look at this"])
async def test_the_card_appears_on_both_sides_at_once(house: House, body: str) -> None:
    ann, bob = await two(house)
    await write(house, upload(owner=ann.id, recipient=bob.id))
    async with ann.socket() as hers, ann.socket() as second, bob.socket() as his:
        await hers.send(type="send", id="f1", client_id="c1", to=bob.id, body=body, file="u1")
        ok = await hers.next("ok", id="f1")
        for socket in (second, his):
            message = await socket.next("message")
            assert (message.get("body", ""), message["file"], message["seq"]) == (body, STATIC, ok["seq"])


async def test_pages_say_how_a_file_is_at_the_moment(house: House) -> None:
    """Bob was away, and reads on when he comes back."""
    ann, bob = await two(house)
    mine = {"owner": ann.id, "recipient": bob.id}
    await write(house, upload(**mine))
    path = f"{V1}/conversations/{conversation_of(ann.id, bob.id)}/messages"
    status, stored = await ann.call("POST", path, {"client_id": "c1", "body": "", "file": "u1"})
    assert (status, stored["seq"]) == (201, 1)
    await write(house, upload(**mine, offset=40, active=True))
    for message in await pages(bob, ann):
        assert message["file"] == {**STATIC, "state": "open", "offset": 40, "active": True}
    await write(house, upload(**mine, offset=100, state="ready", verified=True, preview="image/png"))
    async with bob.socket() as his:
        await his.send(type="sync", id="s1", since="")
        page = await his.next("ok", id="s1")
    (synced,) = [one for one in page["changes"] if one["type"] == "message"]
    for message in (synced, *await pages(ann, bob)):
        assert message["file"] == {**STATIC, "state": "ready", "offset": 100, "verified": True, "preview": True}


async def test_without_the_ledger_pages_come_without_states(house: House) -> None:
    ann, bob = await two(house)
    await write(house, upload(owner=ann.id, recipient=bob.id))
    async with ann.socket() as hers:
        await hers.send(type="send", id="f1", client_id="c1", to=bob.id, body="", file="u1")
        await hers.next("ok", id="f1")
    (house.environment.paths.databases / f"{FILES.name}.db").unlink()
    for message in await pages(bob, ann):
        assert message["file"] == STATIC
    async with ann.socket() as hers:
        await hers.send(type="send", id="f2", client_id="c2", to=bob.id, body="", file="u2")
        await hers.send(type="send", id="f3", client_id="c3", to=bob.id, body="text goes on")
        assert (await hers.next("error", id="f2"))["code"] == "files_unavailable"
        assert (await hers.next("ok", id="f3"))["seq"] == 2


async def test_what_is_no_file_of_mine_for_this_person_is_refused(house: House) -> None:
    ann, bob = await two(house)
    await write(house, upload(owner=bob.id, recipient=ann.id))
    path = f"{V1}/conversations/{conversation_of(ann.id, bob.id)}/messages"
    for number, file in enumerate(("u1", "u0")):
        status, answer = await ann.call("POST", path, {"client_id": f"c{number}", "body": "", "file": file})
        assert (status, answer["error"]["code"]) == (404, "not_found")
        assert list(answer["error"]["fields"]) == ["file"]
    status, answer = await ann.call("POST", path, {"client_id": "c3", "body": ""})
    assert (status, list(answer["error"]["fields"])) == (400, ["body"])


async def test_how_a_file_comes_along_is_passed_on(house: House) -> None:
    ann, bob = await two(house)
    one = upload(owner=ann.id, recipient=bob.id, offset=40, active=True)
    push = Push(to=[ann.id, bob.id], frame=json.encode(file_frame(one)))
    async with ann.socket() as hers, bob.socket() as his:
        house.front.receive(PushBatch(source="file_chunker", incarnation="1", number=1, items=[push]))
        for socket in (hers, his):
            frame = await socket.next("file")
            assert frame == {"type": "file", "id": "u1", "state": "open", "offset": 40, "size": 100, "active": True}
