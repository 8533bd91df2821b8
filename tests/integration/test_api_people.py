"""Contacts and users over HTTP: a real front, real owners and real databases in one process."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from protocols.values import conversation_of
from tests.support.house import House, Person, open_house

V1 = "/api/v1"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path, limits={"requests_per_hour": 5}) as house:
        yield house


@pytest.fixture
async def ann(house: House) -> Person:
    return await house.person("ann")


@pytest.fixture
async def bob(house: House) -> Person:
    return await house.person("bob")


async def requests_of(person: Person) -> dict[str, list[str]]:
    status, answer = await person.call("GET", f"{V1}/contacts/requests")
    assert status == 200
    return {kind: [item["user"]["username"] for item in items] for kind, items in answer.items()}


async def test_find_ask_accept(ann: Person, bob: Person) -> None:
    status, found = await ann.call("GET", f"{V1}/users?q=bo")
    assert (status, found) == (
        200,
        {"users": [{"id": bob.id, "username": "bob", "display_name": "Bob", "relation": "none"}]},
    )
    status, asked = await ann.call("POST", f"{V1}/contacts/requests", {"user_id": bob.id})
    assert status == 201
    assert asked["request"]["relation"] == "outgoing"
    assert await requests_of(ann) == {"incoming": [], "outgoing": ["bob"]}
    assert await requests_of(bob) == {"incoming": ["ann"], "outgoing": []}
    status, accepted = await bob.call("POST", f"{V1}/contacts/requests/{asked['request']['id']}/accept")
    assert (status, accepted["contact"]["relation"]) == (200, "contact")
    for me, other in ((ann, bob), (bob, ann)):
        status, answer = await me.call("GET", f"{V1}/contacts")
        (contact,) = answer["contacts"]
        assert (contact["user"]["id"], contact["conversation"]) == (other.id, conversation_of(ann.id, bob.id))
        assert answer["blocked"] == []
    assert await requests_of(bob) == {"incoming": [], "outgoing": []}


async def test_both_sides_see_it_live(ann: Person, bob: Person) -> None:
    async with ann.socket() as anns, bob.socket() as bobs:
        await ann.call("POST", f"{V1}/contacts/requests", {"user_id": bob.id})
        outgoing = await anns.next("contact", relation="outgoing")
        incoming = await bobs.next("contact", relation="incoming")
        assert outgoing["request"] == incoming["request"]
        assert (outgoing["user"]["username"], incoming["user"]["username"]) == ("bob", "ann")
        await bob.call("POST", f"{V1}/contacts/requests/{incoming['request']}/accept")
        await anns.next("contact", relation="contact")
        await bobs.next("contact", relation="contact")
        await ann.call("DELETE", f"{V1}/contacts/{bob.id}")
        await anns.next("contact", relation="removed")
        await bobs.next("contact", relation="none")


async def test_a_decline_is_silent_and_a_block_too(ann: Person, bob: Person) -> None:
    _, asked = await ann.call("POST", f"{V1}/contacts/requests", {"user_id": bob.id})
    status, declined = await bob.call("POST", f"{V1}/contacts/requests/{asked['request']['id']}/decline")
    assert (status, declined["contact"]["relation"]) == (200, "none")
    assert await requests_of(ann) == {"incoming": [], "outgoing": ["bob"]}
    status, blocked = await bob.call("PUT", f"{V1}/contacts/{ann.id}/block")
    assert (status, blocked["contact"]["relation"]) == (200, "blocked")
    assert await requests_of(ann) == {"incoming": [], "outgoing": ["bob"]}
    _, answer = await bob.call("GET", f"{V1}/contacts")
    assert [item["user"]["username"] for item in answer["blocked"]] == ["ann"]
    status, cancelled = await ann.call("DELETE", f"{V1}/contacts/requests/{asked['request']['id']}")
    assert (status, cancelled["contact"]["relation"]) == (200, "none")
    status, freed = await bob.call("DELETE", f"{V1}/contacts/{ann.id}/block")
    assert (status, freed["contact"]["relation"]) == (200, "none")


async def test_asking_each_other_is_accepting(ann: Person, bob: Person) -> None:
    await ann.call("POST", f"{V1}/contacts/requests", {"user_id": bob.id})
    status, answer = await bob.call("POST", f"{V1}/contacts/requests", {"user_id": ann.id})
    assert (status, answer["request"]["relation"], answer["request"]["id"]) == (201, "contact", None)


async def test_the_same_key_is_the_same_command(ann: Person, bob: Person) -> None:
    key = {"Idempotency-Key": "key-1"}
    first = await ann.call("POST", f"{V1}/contacts/requests", {"user_id": bob.id}, **key)
    _, answer = await ann.call("DELETE", f"{V1}/contacts/requests/{first[1]['request']['id']}")
    assert answer["contact"]["relation"] == "none"
    assert await ann.call("POST", f"{V1}/contacts/requests", {"user_id": bob.id}, **key) == first
    assert await requests_of(ann) == {"incoming": [], "outgoing": []}, "a late duplicate brings nothing back"
    status, refused = await ann.call("POST", f"{V1}/contacts/requests", {"user_id": ann.id}, **key)
    assert (status, refused["error"]["code"]) == (409, "client_id_reused")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/users", None, 400, "invalid"),
        ("GET", "/users?q=b", None, 400, "invalid"),
        ("GET", "/users?q=%20%20b", None, 400, "invalid"),
        ("GET", "/users?q=bob&user_id=x", None, 400, "invalid"),
        ("GET", "/contacts?user_id=x", None, 400, "invalid"),
        ("POST", "/contacts/requests", {"user_id": "nobody"}, 404, "not_found"),
        ("POST", "/contacts/requests", {"user_id": "no body"}, 400, "invalid"),
        ("POST", "/contacts/requests", {"user_id": "nobody", "person": "x"}, 400, "invalid"),
        ("POST", "/contacts/requests", {}, 400, "invalid"),
        ("POST", "/contacts/requests/none/accept", None, 404, "not_found"),
        ("POST", "/contacts/requests/none/decline", None, 404, "not_found"),
        ("DELETE", "/contacts/requests/none", None, 404, "not_found"),
        ("DELETE", "/contacts/nobody", None, 404, "not_found"),
        ("PUT", "/contacts/nobody/block", None, 404, "not_found"),
        ("DELETE", "/contacts/nobody/block", None, 404, "not_found"),
    ],
)
async def test_bad_input_is_refused_with_its_code(
    ann: Person, method: str, path: str, body: dict[str, str] | None, *, status: int, code: str
) -> None:
    answered, answer = await ann.call(method, f"{V1}{path}", body)
    assert (answered, answer["error"]["code"]) == (status, code)


async def test_nobody_answers_for_somebody_else(house: House, ann: Person, bob: Person) -> None:
    eve = await house.person("eve")
    _, asked = await ann.call("POST", f"{V1}/contacts/requests", {"user_id": bob.id})
    request = f"{V1}/contacts/requests/{asked['request']['id']}"
    for person, method, path in (
        (eve, "POST", f"{request}/accept"),
        (eve, "DELETE", request),
        (bob, "DELETE", request),
    ):
        assert (await person.call(method, path))[0] == 404
    assert (await ann.call("POST", f"{request}/accept"))[0] == 404
    assert await requests_of(bob) == {"incoming": ["ann"], "outgoing": []}


async def test_searching_finds_neither_oneself_nor_the_deleted(house: House, ann: Person, bob: Person) -> None:
    await house.befriend(ann, bob)
    await house.person("bobby")
    _, found = await ann.call("GET", f"{V1}/users?q=BOB")
    assert [(user["username"], user["relation"]) for user in found["users"]] == [("bob", "contact"), ("bobby", "none")]
    _, found = await bob.call("GET", f"{V1}/users?q=bob&limit=1")
    assert [user["username"] for user in found["users"]] == ["bobby"]
    _, found = await ann.call("GET", f"{V1}/users?q=%25%25")
    assert found == {"users": []}


async def test_a_deleted_account_leaves_the_lists_of_requests(house: House, ann: Person, bob: Person) -> None:
    eve = await house.person("eve")
    await eve.call("POST", f"{V1}/contacts/requests", {"user_id": bob.id})
    await ann.call("POST", f"{V1}/contacts/requests", {"user_id": bob.id})
    await house.owners["auth"].database.run(lambda tx: tx.accounts.delete(eve.id))
    assert await requests_of(bob) == {"incoming": ["ann"], "outgoing": []}


async def test_too_many_requests_say_when_to_come_back(house: House, ann: Person) -> None:
    for number in range(5):
        other = await house.person(f"person{number}")
        assert (await ann.call("POST", f"{V1}/contacts/requests", {"user_id": other.id}))[0] == 201
    other = await house.person("one-more")
    status, answer = await ann.call("POST", f"{V1}/contacts/requests", {"user_id": other.id})
    assert status == 429
    assert answer["error"]["code"] == "rate_limited"
    assert 3_500 < answer["error"]["retry_after"] <= 3_600


async def test_commands_that_change_nothing_cannot_be_repeated_for_ever(tmp_path: Path) -> None:
    async with open_house(tmp_path / "slow", limits={"messages_per_second": 1, "messages_burst": 2}) as house:
        ann, bob = await house.person("ann"), await house.person("bob")
        answers = [await ann.call("PUT", f"{V1}/contacts/{bob.id}/block") for _ in range(3)]
        assert [status for status, _ in answers] == [200, 200, 429]
        assert 0 < answers[2][1]["error"]["retry_after"] <= 1


async def test_while_contacts_is_away_lists_are_served_and_commands_are_refused(
    house: House, ann: Person, bob: Person
) -> None:
    await house.befriend(ann, bob)
    house.owners["contacts"].running.clear()
    house.owners["contacts"].beat("stopping")
    status, answer = await ann.call("DELETE", f"{V1}/contacts/{bob.id}")
    assert (status, answer["error"]["code"]) == (503, "unavailable")
    status, answer = await ann.call("GET", f"{V1}/contacts")
    assert (status, len(answer["contacts"])) == (200, 1)
    house.owners["contacts"].running.set()
    house.owners["contacts"].beat()
    assert (await ann.call("DELETE", f"{V1}/contacts/{bob.id}"))[0] == 200
