"""Presence and typing between sockets of one front, through the real notifier."""

from typing import Any

from protocols.notifier import SetPreferences
from protocols.values import conversation_of
from tests.support.house import House, Person, Socket
from tests.support.waiting import SCALE, eventually


async def show(line: Socket, *, visible: bool, conversation: str | None = None) -> None:
    await line.send(type="attention", visible=visible, conversation=conversation)


async def presence(person: Person) -> dict[str, Any]:
    status, answer = await person.call("GET", "/api/v1/presence")
    assert status == 200
    return {one["user"]: one["state"] for one in answer["presence"]}


async def test_a_contact_is_told_who_comes_and_can_ask_who_is_there(house: House) -> None:
    ann, bob, dan = [await house.person(name) for name in ("ann.smith", "bob.jones", "dan.brown")]
    await house.befriend(ann, bob)
    assert await presence(ann) == {bob.id: "offline"}
    async with ann.socket() as hers, bob.socket() as his, dan.socket() as stranger:
        await show(his, visible=True)
        assert await hers.next("presence", user=bob.id) == {"type": "presence", "user": bob.id, "state": "online"}
        await show(hers, visible=False)
        assert (await his.next("presence", user=ann.id))["state"] == "away"
        assert await presence(ann) == {bob.id: "online"}
        assert await presence(bob) == {ann.id: "away"}
        assert await presence(dan) == {}
        await stranger.send(type="ping", id="p")
        await stranger.next("pong")
        assert not [frame for frame in stranger.aside if frame["type"] == "presence"]


async def test_a_socket_that_says_nothing_of_itself_is_away(house: House) -> None:
    ann, bob = [await house.person(name) for name in ("ann.smith", "bob.jones")]
    await house.befriend(ann, bob)
    async with ann.socket() as hers, bob.socket():
        assert (await hers.next("presence", user=bob.id))["state"] == "away"


async def test_who_hides_is_not_listed_and_is_unknown_to_who_is_there(house: House) -> None:
    ann, bob = [await house.person(name) for name in ("ann.smith", "bob.jones")]
    await house.befriend(ann, bob)
    async with ann.socket() as hers, bob.socket() as his:
        await show(his, visible=True)
        await hers.next("presence", user=bob.id, state="online")
        await house.post.ask("notifier", SetPreferences(presence=False), within=5 * SCALE, person=bob.id)
        await hers.next("presence", user=bob.id, state="unknown")
        assert await presence(ann) == {}
        await house.post.ask("notifier", SetPreferences(sound=False), within=5 * SCALE, person=bob.id)
        await house.post.ask("notifier", SetPreferences(presence=True), within=5 * SCALE, person=bob.id)
        await hers.next("presence", user=bob.id, state="online")
        assert not [frame for frame in hers.aside if frame["type"] == "presence"]
        assert await presence(ann) == {bob.id: "online"}


async def test_a_deleted_contact_is_not_listed(house: House) -> None:
    ann, bob = [await house.person(name) for name in ("ann.smith", "bob.jones")]
    await house.befriend(ann, bob)
    status, _ = await bob.call("DELETE", "/api/v1/me", {"password": "correct horse battery staple"})
    assert status == 204
    assert await presence(ann) == {}


async def test_typing_reaches_the_other_at_most_once_in_three_seconds(house: House) -> None:
    ann, bob, dan = [await house.person(name) for name in ("ann.smith", "bob.jones", "dan.brown")]
    await house.befriend(ann, bob)
    conversation = conversation_of(ann.id, bob.id)
    async with ann.socket() as hers, bob.socket() as his, dan.socket() as stranger:
        await show(his, visible=True)
        await hers.next("presence", user=bob.id)
        await stranger.send(type="typing", conversation=conversation)
        for _ in range(20):
            await hers.send(type="typing", conversation=conversation)
        await hers.send(type="typing", conversation=conversation_of(ann.id, dan.id))
        assert await his.next("typing") == {"type": "typing", "conversation": conversation, "user": ann.id}
        # Whoever is answered after it has been told all of it.
        for line in (hers, stranger):
            await line.send(type="ping", id="p")
            await line.next("pong")
        await house.post.ask("notifier", SetPreferences(sound=True), within=5 * SCALE, person=bob.id)
        await his.next("preferences")
        assert not [frame for line in (hers, his, stranger) for frame in line.aside if frame["type"] == "typing"]


async def test_without_notifier_presence_is_late_and_text_is_not(house: House) -> None:
    ann, bob = [await house.person(name) for name in ("ann.smith", "bob.jones")]
    await house.befriend(ann, bob)
    async with ann.socket() as hers, bob.socket() as his:
        await show(his, visible=True)
        await hers.next("presence", user=bob.id)
        house.owners["notifier"].beat("stopping")
        await hers.next("actor", name="notifier", state="down")
        assert await ann.call("GET", "/api/v1/presence") == (200, {"presence": [], "late": True})
        await his.send(type="typing", conversation=conversation_of(ann.id, bob.id))
        await hers.send(type="send", id="1", client_id="c1", to=bob.id, body="hello")
        await his.next("message", body="hello")
        house.owners["notifier"].beat()
        await hers.next("actor", name="notifier", state="running")

        async def back() -> bool:
            return await presence(ann) == {bob.id: "online"}

        await eventually(back)
