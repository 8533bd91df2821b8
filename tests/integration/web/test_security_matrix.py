"""Who may do what to a conversation and its messages: every way in, by everybody there is, as one table.

Somebody new has no row by chance: what is missing in the table fails the test.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args

import pytest

from protocols import frames
from protocols.contacts import BlockUser, RemoveContact
from protocols.values import conversation_of
from tests.support.house import House, Person, Socket
from tests.support.waiting import SCALE
from web.routes import ROUTES

PEOPLE: Final = ("author", "peer", "removed", "remover", "blocked", "blocker", "stranger")
"""Author and peer are in contact. The others were the author's contact once, but for the stranger."""

Row = Mapping[str, str]

ALL_BUT_STRANGERS: Final[Row] = {**dict.fromkeys(PEOPLE, "ok"), "stranger": "not_found"}
CONTACTS: Final[Row] = {**dict.fromkeys(PEOPLE, "not_a_contact"), "author": "ok", "peer": "ok", "stranger": "not_found"}
AUTHOR: Final[Row] = {**dict.fromkeys(PEOPLE, "forbidden"), "author": "ok", "stranger": "not_found"}

MAY: Final[Mapping[str, Row]] = {
    "send": {**CONTACTS, "stranger": "not_a_contact"},
    "edit": AUTHOR,
    "delete": AUTHOR,
    "react": CONTACTS,
    "read": ALL_BUT_STRANGERS,
    "delivered": ALL_BUT_STRANGERS,
    "GET /api/v1/conversations/{id}/messages": ALL_BUT_STRANGERS,
    "POST /api/v1/conversations/{id}/messages": CONTACTS,
    # The author has read nothing that could be unread again.
    "PUT /api/v1/conversations/{id}/unread": {**ALL_BUT_STRANGERS, "author": "conflict"},
}


@dataclass
class Scene:
    """Ann wrote one message to `other`, before whatever happened between them."""

    house: House
    ann: Person
    other: Person
    place: dict[str, str]


async def make_scene(house: House, who: str) -> Scene:
    ann, other = await house.person("ann.smith"), await house.person("ben.other")
    await house.befriend(ann, other)
    async with ann.socket() as hers:
        await hers.send(type="send", id="1", client_id="first", to=other.id, body="between us")
        stored = await hers.next("ok", id="1")
    match who:
        case "removed":
            await house.post.ask("contacts", RemoveContact(user=other.id), within=5 * SCALE, person=ann.id)
        case "remover":
            await house.post.ask("contacts", RemoveContact(user=ann.id), within=5 * SCALE, person=other.id)
        case "blocked":
            await house.post.ask("contacts", BlockUser(user=other.id), within=5 * SCALE, person=ann.id)
        case "blocker":
            await house.post.ask("contacts", BlockUser(user=ann.id), within=5 * SCALE, person=other.id)
    place = {"conversation": stored["conversation"], "message_id": stored["message_id"]}
    return Scene(house, ann, other, place)


async def actor_of(scene: Scene, who: str) -> tuple[Person, Person]:
    """(who acts, whom they write to)."""
    if who == "author":
        return scene.ann, scene.other
    if who == "stranger":
        return await scene.house.person("dan.brown"), scene.ann
    return scene.other, scene.ann


async def by_socket(scene: Scene, way: str, me: Person, to: Person) -> str:
    fields: dict[str, dict[str, Any]] = {
        "send": {"client_id": "s", "to": to.id, "body": "hello"},
        "edit": {**scene.place, "client_id": "e", "body": "changed"},
        "delete": {**scene.place, "client_id": "d"},
        "react": {**scene.place, "client_id": "r", "emoji": "👍", "on": True},
        "read": {"conversation": scene.place["conversation"], "seq": 1},
        "delivered": {"conversation": scene.place["conversation"], "seq": 1},
    }
    async with me.socket() as line:
        await line.send(type=way, id="x", **fields[way])
        return await outcome(line)


async def outcome(line: Socket) -> str:
    message: dict[str, Any] = {}
    while message.get("id") != "x":
        message = await line.opened.receive_json(timeout=5 * SCALE)
    return "ok" if message["type"] == "ok" else str(message["code"])


async def by_http(scene: Scene, way: str, me: Person, to: Person) -> str:
    method, _, template = way.partition(" ")
    bodies: dict[str, dict[str, Any]] = {"POST": {"client_id": "p", "body": "hello"}, "PUT": {"seq": 1}}
    status, answer = await me.call(
        method, template.replace("{id}", conversation_of(scene.ann.id, scene.other.id)), bodies.get(method)
    )
    assert to.id != me.id
    return "ok" if status < 300 else str(answer["error"]["code"])


def test_the_table_knows_every_way_in_and_everybody() -> None:
    # What is about no conversation, or is never answered.
    others = {"sync", "ping", "typing", "attention"}
    commands = {kind.__struct_config__.tag for kind in get_args(frames.ClientFrame)} - others
    routes = {f"{route.method} {route.path}" for route in ROUTES if "/conversations/{" in route.path}
    assert set(MAY) == commands | routes
    assert all(set(row) == set(PEOPLE) for row in MAY.values())


@pytest.mark.parametrize("who", PEOPLE)
async def test_everybody_may_what_the_table_says(house: House, who: str) -> None:
    scene = await make_scene(house, who)
    me, to = await actor_of(scene, who)
    found = {}
    # Last what takes the message away.
    for way in sorted(MAY, key=lambda each: each == "delete"):
        go: Callable[..., Awaitable[str]] = by_http if " " in way else by_socket
        found[way] = await go(scene, way, me, to)
    assert found == {way: row[who] for way, row in MAY.items()}


async def test_what_was_refused_left_no_trace(house: House) -> None:
    scene = await make_scene(house, "blocked")
    before = await house.owners["router"].database.read(lambda tx: tx.journal.change())
    for way, row in MAY.items():
        if row["blocked"] == "not_a_contact" or row["blocked"] == "forbidden":
            await (by_http if " " in way else by_socket)(scene, way, scene.other, scene.ann)
    assert await house.owners["router"].database.read(lambda tx: tx.journal.change()) == before
    _, page = await scene.ann.call("GET", f"/api/v1/conversations/{scene.place['conversation']}/messages")
    assert [(each["body"], each["version"]) for each in page["messages"]] == [("between us", 1)]
