"""Conversations, messages and sync over HTTP: a real front, real owners and real databases in one process."""

from pathlib import Path
from typing import Any

import pytest

from protocols.values import conversation_of
from tests.support.house import House, Person, open_house
from tests.support.waiting import eventually

V1 = "/api/v1"


def messages_of(one: Person, other: Person) -> str:
    return f"{V1}/conversations/{conversation_of(one.id, other.id)}/messages"


def unread_of(one: Person, other: Person) -> str:
    return f"{V1}/conversations/{conversation_of(one.id, other.id)}/unread"


async def say(person: Person, other: Person, number: str, body: str) -> tuple[int, dict[str, Any]]:
    status, answer = await person.call("POST", messages_of(person, other), {"client_id": number, "body": body})
    return status, answer


async def conversations(person: Person) -> list[dict[str, Any]]:
    status, answer = await person.call("GET", f"{V1}/conversations")
    assert status == 200, answer
    return list(answer["conversations"])


async def test_a_contact_is_a_conversation_before_anything_was_said(ann: Person, bob: Person) -> None:
    (item,) = await conversations(ann)
    assert item == {
        "id": conversation_of(ann.id, bob.id),
        "peer": {"id": bob.id, "username": "bob", "display_name": "Bob"},
        "relation": "contact",
        "last_message": None,
        "unread": 0,
        "unread_from": 0,
        "version": 0,
        "seq": 0,
        "my_read": 0,
        "my_delivered": 0,
        "peer_read": 0,
        "peer_delivered": 0,
    }
    assert await ann.call("GET", messages_of(ann, bob)) == (200, {"messages": [], "more": False})
    assert await ann.call("GET", f"{messages_of(ann, bob)}?since=0") == (
        200,
        {"messages": [], "more": False, "next": 0},
    )


async def test_a_message_is_stored_read_and_counted(ann: Person, bob: Person) -> None:
    status, stored = await say(ann, bob, "c1", "hello")
    assert (status, stored["seq"], stored["version"], stored["client_id"]) == (201, 1, 1, "c1")
    (item,) = await conversations(bob)
    assert (item["unread"], item["last_message"]["body"], item["last_message"]["sender"]) == (1, "hello", ann.id)
    status, page = await bob.call("GET", messages_of(bob, ann))
    assert (status, [message["message_id"] for message in page["messages"]]) == (200, [stored["message_id"]])
    assert await say(ann, bob, "c1", "hello") == (201, stored), "the same again is the same message"
    status, refused = await say(ann, bob, "c1", "something else")
    assert (status, refused["error"]["code"]) == (409, "client_id_reused")


async def test_history_comes_in_pages_both_ways(ann: Person, bob: Person) -> None:
    for number in range(1, 8):
        await say(ann, bob, f"c{number}", f"message {number}")
    path = messages_of(bob, ann)

    async def page(query: str) -> tuple[list[int], bool]:
        status, answer = await bob.call("GET", f"{path}?{query}")
        assert status == 200, answer
        return [message["seq"] for message in answer["messages"]], answer["more"]

    assert await page("limit=3") == ([5, 6, 7], True)
    assert await page("limit=3&before=5") == ([2, 3, 4], True)
    assert await page("limit=3&before=2") == ([1], False)
    _, first = await bob.call("GET", f"{path}?since=0&limit=4")
    assert ([message["version"] for message in first["messages"]], first["more"]) == ([1, 2, 3, 4], True)
    _, rest = await bob.call("GET", f"{path}?since={first['next']}&limit=4")
    assert ([message["version"] for message in rest["messages"]], rest["more"], rest["next"]) == ([5, 6, 7], False, 7)


async def test_syncing_from_the_lists_token_misses_nothing_and_repeats_nothing(ann: Person, bob: Person) -> None:
    await say(ann, bob, "c1", "before")
    _, answer = await bob.call("GET", f"{V1}/conversations")
    await say(ann, bob, "c2", "after")
    await say(bob, ann, "c3", "and back")
    status, page = await bob.call("GET", f"{V1}/sync?since={answer['sync']}&limit=1")
    assert (status, [change["body"] for change in page["changes"]], page["more"]) == (200, ["after"], True)
    _, rest = await bob.call("GET", f"{V1}/sync?since={page['next']}")
    assert [change["body"] for change in rest["changes"] if change["type"] == "message"] == ["and back"]
    assert not rest["more"]
    _, nothing = await bob.call("GET", f"{V1}/sync?since={rest['next']}")
    assert (nothing["changes"], nothing["more"]) == ([], False)


async def test_a_token_of_another_database_starts_from_the_beginning(ann: Person, bob: Person) -> None:
    await say(ann, bob, "c1", "hello")
    status, page = await bob.call("GET", f"{V1}/sync?since=00ff00ff00ff00ff.999")
    assert (status, [change["seq"] for change in page["changes"]]) == (200, [1])


async def test_the_latest_conversation_comes_first_and_old_ones_stay(house: House, ann: Person, bob: Person) -> None:
    cat = await house.person("cat")
    await house.befriend(ann, cat)
    await say(ann, bob, "c1", "hello")
    assert [item["peer"]["username"] for item in await conversations(ann)] == ["bob", "cat"]
    await say(ann, cat, "c2", "hello")
    assert [item["peer"]["username"] for item in await conversations(ann)] == ["cat", "bob"]
    await bob.call("PUT", f"{V1}/contacts/{ann.id}/block")
    await cat.call("DELETE", f"{V1}/contacts/{ann.id}")
    relations = {item["peer"]["username"]: item["relation"] for item in await conversations(ann)}
    assert relations == {"bob": "none", "cat": "none"}
    status, page = await ann.call("GET", messages_of(ann, bob))
    assert (status, len(page["messages"])) == (200, 1)
    for peer in (bob, cat):
        status, answer = await say(ann, peer, f"late-{peer.name}", "hello?")
        assert (status, answer["error"]["code"]) == (403, "not_a_contact")


async def test_lists_come_whole_or_in_pages(house: House, ann: Person, bob: Person) -> None:
    people = [bob, *[await house.person(name) for name in ("cat", "dan", "eve")]]
    for one in people[1:]:
        await house.befriend(ann, one)
    for path, kind in (("contacts", "contacts"), ("conversations", "conversations")):
        _, whole = await ann.call("GET", f"{V1}/{path}")
        assert len(whole[kind]) == 4
        assert whole["more"] is False
        _, first = await ann.call("GET", f"{V1}/{path}?limit=3")
        last = first[kind][-1]
        after = last["id"] if "id" in last else last["user"]["id"]
        _, second = await ann.call("GET", f"{V1}/{path}?limit=3&after={after}")
        assert (first["more"], second["more"]) == (True, False)
        assert first[kind] + second[kind] == whole[kind]
    for path in ("contacts", "conversations", "contacts/requests", "auth/sessions", "users?q=bob"):
        separator = "&" if "?" in path else "?"
        assert (await ann.call("GET", f"{V1}/{path}{separator}limit=200"))[0] == 200
        for limit in ("0", "201", "many"):
            status, answer = await ann.call("GET", f"{V1}/{path}{separator}limit={limit}")
            assert (status, list(answer["error"]["fields"])) == (400, ["limit"]), path


async def test_a_deleted_peer_stays_without_a_name(house: House, ann: Person, bob: Person) -> None:
    await say(ann, bob, "c1", "hello")
    await house.owners["auth"].database.run(lambda tx: tx.accounts.delete(bob.id))
    (item,) = await conversations(ann)
    assert item["peer"] == {"id": bob.id, "username": "", "display_name": "Deleted account", "deleted": True}
    status, answer = await say(ann, bob, "c2", "still there?")
    assert (status, answer["error"]["code"]) == (403, "not_a_contact")


async def test_while_router_is_away_a_message_is_queued_and_history_is_read(
    house: House, ann: Person, bob: Person
) -> None:
    await say(ann, bob, "c1", "hello")
    router = house.owners["router"]
    router.running.clear()
    router.beat("stopping")
    assert await say(ann, bob, "c2", "later") == (202, {"status": "queued", "client_id": "c2"})
    status, page = await bob.call("GET", messages_of(bob, ann))
    assert (status, [message["seq"] for message in page["messages"]]) == (200, [1])
    router.running.set()
    router.beat()

    async def both() -> Any:
        _, page = await bob.call("GET", messages_of(bob, ann))
        assert [message["body"] for message in page["messages"]] == ["hello", "later"]
        return page

    await eventually(both)
    status, stored = await say(ann, bob, "c2", "later")
    assert (status, stored["seq"]) == (201, 2)


async def test_the_senders_own_sockets_get_what_was_posted(ann: Person, bob: Person) -> None:
    async with ann.socket() as anns, bob.socket() as bobs:
        _, stored = await say(ann, bob, "c1", "hello")
        for socket in (anns, bobs):
            frame = await socket.next("message")
            assert (frame["message_id"], frame["client_id"]) == (stored["message_id"], "c1")


async def test_marked_as_unread_for_oneself_on_every_device_until_it_is_read_again(ann: Person, bob: Person) -> None:
    for number in range(1, 4):
        await say(ann, bob, f"c{number}", "hello")
    conversation = conversation_of(ann.id, bob.id)
    async with bob.socket() as phone, bob.socket() as tablet, ann.socket() as anns:
        await phone.send(type="read", id="1", conversation=conversation, seq=3)
        await phone.next("ok", id="1")
        assert await bob.call("PUT", unread_of(bob, ann), {"seq": 2}) == (204, None)
        for device in (phone, tablet):
            frame = await device.next("receipt", unread_from=2)
            assert (frame["user"], frame["read"]) == (bob.id, 3)
        (item,) = await conversations(bob)
        assert (item["unread"], item["unread_from"], item["my_read"]) == (2, 2, 3)
        (item,) = await conversations(ann)
        assert (item["peer_read"], item["unread_from"]) == (3, 0)
        await tablet.send(type="read", id="1", conversation=conversation, seq=3)
        assert "unread_from" not in await phone.next("receipt", read=3)
        (item,) = await conversations(bob)
        assert (item["unread"], item["unread_from"]) == (0, 0)
        await anns.send(type="ping", id="p")
        await anns.next("pong")
        assert [frame["read"] for frame in anns.aside if frame["type"] == "receipt"] == [3], "Ann hears of no mark"


async def test_a_mark_waits_for_router_too(house: House, ann: Person, bob: Person) -> None:
    await say(ann, bob, "c1", "hello")
    async with bob.socket() as phone:
        await phone.send(type="read", id="1", conversation=conversation_of(ann.id, bob.id), seq=1)
        await phone.next("ok", id="1")
        router = house.owners["router"]
        router.running.clear()
        router.beat("stopping")
        assert await bob.call("PUT", unread_of(bob, ann), {"seq": 1}) == (202, {"status": "queued"})
        router.running.set()
        await phone.next("receipt", unread_from=1)


@pytest.mark.parametrize(
    "body", [{}, {"seq": 0}, {"seq": -1}, {"seq": 2**53 + 1}, {"seq": "1"}, {"seq": 1, "for": "all"}]
)
async def test_a_mark_with_nonsense_in_it_is_refused(ann: Person, bob: Person, body: Any) -> None:
    await say(ann, bob, "c1", "hello")
    status, answer = await bob.call("PUT", unread_of(bob, ann), body)
    assert (status, answer["error"]["code"]) == (400, "invalid")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("before=0", "before"),
        ("since=-1", "since"),
        ("before=x", "before"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("before=3&since=1", "since"),
        ("user_id=ann", "user_id"),
        ("limit=1&limit=2", "limit"),
    ],
)
async def test_nonsense_in_a_query_is_named(ann: Person, bob: Person, query: str, field: str) -> None:
    status, answer = await ann.call("GET", f"{messages_of(ann, bob)}?{query}")
    assert (status, answer["error"]["code"], set(answer["error"]["fields"])) == (400, "invalid", {field})


@pytest.mark.parametrize(
    "body",
    [
        {"client_id": "c1", "body": ""},
        {"client_id": "c1", "body": "   "},
        {"client_id": "c1", "body": "x" * 8_001},
        {"client_id": "", "body": "hello"},
        {"client_id": "c 1", "body": "hello"},
        {"client_id": "c1"},
        {"client_id": "c1", "body": "hello", "sender": "bob"},
        {"client_id": "c1", "body": "hello", "seq": 9},
        {"client_id": "c1", "body": "hello", "reply_to": "no-such-message"},
        ["hello"],
    ],
)
async def test_a_bad_message_is_refused_and_nothing_is_stored(ann: Person, bob: Person, body: Any) -> None:
    status, answer = await ann.call("POST", messages_of(ann, bob), body)
    assert (status, answer["error"]["code"]) == (400, "invalid")
    assert (await ann.call("GET", messages_of(ann, bob)))[1]["messages"] == []


async def test_a_token_that_is_none_is_refused(ann: Person) -> None:
    status, answer = await ann.call("GET", f"{V1}/sync?since=yesterday")
    assert (status, answer["error"]["fields"].keys()) == (400, {"since"})


async def test_strangers_conversations_are_not_found_like_those_that_never_were(
    house: House, ann: Person, bob: Person
) -> None:
    await say(ann, bob, "c1", "for bob")
    eve = await house.person("eve")
    foreign = messages_of(ann, bob)
    invented = f"{V1}/conversations/{'0' * 32}/messages"
    own = messages_of(eve, ann)
    for method, body in (("GET", None), ("POST", {"client_id": "e1", "body": "hi"})):
        answers = [await eve.call(method, path, body) for path in (foreign, invented, own)]
        assert answers[0][0] == 404
        assert answers == [answers[0]] * 3
    assert (await eve.call("GET", f"{V1}/sync"))[1]["changes"] == []
    assert await conversations(eve) == []


async def test_too_fast_is_said_with_a_time(tmp_path: Path) -> None:
    async with open_house(tmp_path / "slow", limits={"messages_per_second": 1, "messages_burst": 2}) as house:
        ann, bob = await house.person("ann"), await house.person("bob")
        await house.befriend(ann, bob)
        house.stop_the_clock_of_limits()
        answers = [await say(ann, bob, f"c{number}", "hello") for number in range(3)]
        assert [status for status, _ in answers] == [201, 201, 429]
        assert 0 < answers[2][1]["error"]["retry_after"] <= 1
