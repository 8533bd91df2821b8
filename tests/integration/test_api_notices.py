"""Notices, preferences, mutes and private reading over HTTP and on every device: a real front and real owners."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from protocols.notifier import Notice, NoticeData, Preferences
from storage.notifier import NotifierUnit
from tests.support.house import House, Person, Socket
from tests.support.waiting import eventually

V1 = "/api/v1"
NOTICES, PREFERENCES = f"{V1}/notices", f"{V1}/me/preferences"

WITHIN = 1.0
"""Seconds in which all devices of a person show the same."""


async def keep(house: House, person: Person, count: int, *, kind: str = "request", listed: bool = True) -> list[str]:
    """Notices of a person, as notifier keeps them; their ids."""
    ids = [f"{kind}{number}" for number in range(count)]

    def add(tx: NotifierUnit) -> None:
        for one in ids:
            notice = Notice(id=one, person=person.id, kind=kind, change=0, at=1, read=False, data=NoticeData(user="x"))
            tx.notices.add(notice, "x", listed=listed)

    await house.owners["notifier"].database.run(add)
    return ids


async def notices(person: Person, query: str = "") -> dict[str, Any]:
    status, answer = await person.call("GET", f"{NOTICES}{query}")
    assert status == 200, answer
    return dict(answer)


async def test_a_test_notice_comes_to_every_device_and_stands_in_the_list(ann: Person, bob: Person) -> None:
    async with ann.socket() as phone, ann.socket() as tablet, bob.socket() as bobs:
        status, answer = await ann.call("POST", f"{NOTICES}/test")
        assert status == 201
        for device in (phone, tablet):
            assert await device.next("notice", WITHIN) == answer["notice"]
        assert await notices(ann) == {
            "notices": [answer["notice"]],
            "next": answer["notice"]["change"],
            "more": False,
            "unread": 1,
        }
        assert await silent(bobs, "notice")
    async with ann.socket() as later:
        assert later.hello["notices"]["unread"] == 1
        assert later.hello["notices"]["change"] >= answer["notice"]["change"]
    _, reasons = await ann.call("GET", f"{NOTICES}/decisions")
    (reason,) = reasons["decisions"]
    assert (reason["source"], reason["subject"], reason["at"]) == ("notifier", "test", answer["notice"]["at"])
    assert reason["reason"].endswith(".")
    assert (await bob.call("GET", f"{NOTICES}/decisions"))[1] == {"decisions": []}


async def test_the_same_key_is_the_same_notice(ann: Person) -> None:
    first = await ann.call("POST", f"{NOTICES}/test", **{"Idempotency-Key": "once"})
    assert await ann.call("POST", f"{NOTICES}/test", **{"Idempotency-Key": "once"}) == first
    assert len((await notices(ann))["notices"]) == 1


async def test_what_one_device_reads_is_read_on_all(house: House, ann: Person, bob: Person) -> None:
    ids = await keep(house, ann, 3)
    async with ann.socket() as phone, ann.socket() as tablet, bob.socket() as bobs:
        assert await ann.call("POST", f"{NOTICES}/read", {"ids": [ids[2], "nobody's"]}) == (204, None)
        for device in (phone, tablet):
            assert (await device.next("notices_read", WITHIN))["ids"] == [ids[2]]
        page = await notices(ann)
        assert ({one["id"]: one["read"] for one in page["notices"]}, page["unread"]) == (
            {ids[0]: False, ids[1]: False, ids[2]: True},
            2,
        )
        change = next(one["change"] for one in page["notices"] if one["id"] == ids[0])
        assert await ann.call("POST", f"{NOTICES}/read", {"up_to": change}) == (204, None)
        for device in (phone, tablet):
            assert (await device.next("notices_read", WITHIN))["up_to"] == change
        page = await notices(ann)
        assert ([one["id"] for one in page["notices"] if not one["read"]], page["unread"]) == ([ids[1]], 1)
        assert await silent(bobs, "notices_read")


async def test_nobody_reads_the_notices_of_others(house: House, ann: Person, bob: Person) -> None:
    ids = await keep(house, ann, 1)
    assert await bob.call("POST", f"{NOTICES}/read", {"ids": ids, "up_to": 2**53}) == (204, None)
    assert (await notices(ann))["unread"] == 1
    assert (await notices(bob))["notices"] == []


async def test_notices_in_pages_both_ways(house: House, ann: Person) -> None:
    missed = await keep(house, ann, 1, kind="messages", listed=False)
    ids = await keep(house, ann, 5)
    first = await notices(ann, "?limit=3")
    assert ([one["id"] for one in first["notices"]], first["more"], first["unread"]) == (ids[:1:-1], True, 5)
    rest = await notices(ann, f"?limit=3&before={first['next']}")
    assert ([one["id"] for one in rest["notices"]], rest["more"]) == (ids[1::-1], False)
    assert (await notices(ann, f"?before={rest['next']}"))["notices"] == []

    since = await notices(ann, "?since=0&limit=4")
    assert ([one["id"] for one in since["notices"]], since["more"]) == ([*missed, *ids[:3]], True)
    since = await notices(ann, f"?since={since['next']}&limit=4")
    assert ([one["id"] for one in since["notices"]], since["more"]) == (ids[3:], False)
    await ann.call("POST", f"{NOTICES}/read", {"ids": ids[:1]})
    since = await notices(ann, f"?since={since['next']}")
    assert [(one["id"], one["read"]) for one in since["notices"]] == [(ids[0], True)], "read is a change"
    assert (await notices(ann, f"?since={since['next']}"))["notices"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [("since=-1", "since"), ("before=0", "before"), ("since=x", "since"), ("since=1&before=2", "since"),
     ("limit=0", "limit"), ("limit=201", "limit"), ("user=bob", "user")],
)  # fmt: skip
async def test_nonsense_in_a_query_is_named(ann: Person, query: str, field: str) -> None:
    status, answer = await ann.call("GET", f"{NOTICES}?{query}")
    assert (status, answer["error"]["code"], set(answer["error"]["fields"])) == (400, "invalid", {field})


@pytest.mark.parametrize(
    "body", [{}, {"ids": []}, {"up_to": -1}, {"ids": ["x"] * 201}, {"ids": ["x" * 129]}, {"ids": "x"}, {"all": True}]
)
async def test_reading_nothing_or_nonsense_is_refused(ann: Person, body: Any) -> None:
    status, answer = await ann.call("POST", f"{NOTICES}/read", body)
    assert (status, answer["error"]["code"]) == (400, "invalid")


async def test_preferences_are_the_same_on_every_device(ann: Person, bob: Person) -> None:
    status, answer = await ann.call("GET", PREFERENCES)
    assert (status, answer["mutes"]) == (200, [])
    before = answer["preferences"]
    assert (before["presence"], before["read_receipts"], before["desktop"], before["quiet_from"]) == (
        *(True, True, False, ""),
    )
    wanted = {"desktop": True, "quiet_from": "22:00", "quiet_to": "07:30", "zone": "Europe/Berlin"}
    async with ann.socket() as phone, ann.socket() as tablet, bob.socket() as bobs:
        status, answer = await ann.call("PATCH", PREFERENCES, wanted)
        assert (status, answer) == (200, {"preferences": {**before, **wanted}})
        for device in (phone, tablet):
            assert await device.next("preferences", WITHIN) == {"type": "preferences", **before, **wanted}
        assert await silent(bobs, "preferences")
    assert (await ann.call("GET", PREFERENCES))[1]["preferences"] == {**before, **wanted}
    assert (await bob.call("GET", PREFERENCES))[1]["preferences"] == before


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"presence": "yes"}, "presence"),
        ({"sound": None}, "sound"),
        ({"quiet_from": "25:00"}, "quiet_from"),
        ({"quiet_to": "7:00"}, "quiet_to"),
        ({"quiet_from": "22:00\n"}, "quiet_from"),
        ({"zone": "Europe/Nowhere"}, "zone"),
        ({"zone": "../../etc/passwd"}, "zone"),
        ({"zone": "x" * 65}, "zone"),
        ({"colour": "blue"}, "colour"),
    ],
)
async def test_preferences_with_nonsense_in_them_change_nothing(ann: Person, body: Any, field: str) -> None:
    before = await ann.call("GET", PREFERENCES)
    status, answer = await ann.call("PATCH", PREFERENCES, {"desktop": True, **body})
    assert (status, answer["error"]["code"]) == (400, "invalid")
    assert field in str(answer["error"])
    assert await ann.call("GET", PREFERENCES) == before


async def test_a_contact_is_muted_for_a_while_for_ever_and_no_longer(house: House, ann: Person, bob: Person) -> None:
    path = f"{V1}/contacts/{bob.id}/mute"
    moment = datetime.fromtimestamp(house.environment.now() / 1000, UTC) + timedelta(hours=8)
    until = f"{moment:%Y-%m-%dT%H:%M:%S}.000Z"
    async with ann.socket() as phone, bob.socket() as bobs:
        assert await ann.call("PUT", path, {"until": until}) == (200, {"mute": {"user": bob.id, "until": until}})
        assert (await phone.next("mute", WITHIN)) == {"type": "mute", "user": bob.id, "until": until}
        status, answer = await ann.call("PUT", path, {"seconds": 3_600})
        assert (status, answer["mute"]["until"] < until) == (200, True)
        assert await ann.call("PUT", path, {"forever": True}) == (200, {"mute": {"user": bob.id, "forever": True}})
        assert (await ann.call("GET", PREFERENCES))[1]["mutes"] == [{"user": bob.id, "forever": True}]
        assert (await phone.next("mute", WITHIN, forever=True))["user"] == bob.id
        assert await ann.call("DELETE", path) == (200, {"mute": {"user": bob.id}})
        assert (await ann.call("GET", PREFERENCES))[1]["mutes"] == []
        assert await silent(bobs, "mute"), "who is muted does not learn of it"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"seconds": 0},
        {"seconds": -1},
        {"seconds": 2**40},
        {"forever": False},
        {"seconds": 60, "forever": True},
        {"until": "2020-01-01T00:00:00Z"},
        {"until": "2999-01-01T00:00:00Z"},
        {"until": "2030-01-01T00:00:00"},
        {"until": "tomorrow"},
        {"until": -1},
    ],
)
async def test_a_mute_with_nonsense_in_it_is_refused(ann: Person, bob: Person, body: Any) -> None:
    status, answer = await ann.call("PUT", f"{V1}/contacts/{bob.id}/mute", body)
    assert (status, answer["error"]["code"]) == (400, "invalid")
    assert (await ann.call("GET", PREFERENCES))[1]["mutes"] == []


async def test_strangers_cannot_be_muted_and_look_like_nobody(house: House, ann: Person) -> None:
    eve = await house.person("eve")
    for method, body in (("PUT", {"forever": True}), ("DELETE", None)):
        stranger = await ann.call(method, f"{V1}/contacts/{eve.id}/mute", body)
        assert stranger[0] == 404
        assert stranger == await ann.call(method, f"{V1}/contacts/nobody/mute", body)


async def test_without_notifier_what_was_there_is_read_and_nothing_is_changed(
    house: House, ann: Person, bob: Person
) -> None:
    await keep(house, ann, 1)
    notifier = house.owners["notifier"]
    notifier.running.clear()
    notifier.beat("stopping")
    assert len((await notices(ann))["notices"]) == 1
    for path in (PREFERENCES, f"{NOTICES}/decisions"):
        assert (await ann.call("GET", path))[0] == 200
    commands: list[tuple[str, str, Any]] = [
        ("POST", f"{NOTICES}/read", {"up_to": 1}),
        ("POST", f"{NOTICES}/test", None),
        ("PATCH", PREFERENCES, {"sound": False}),
        ("PUT", f"{V1}/contacts/{bob.id}/mute", {"forever": True}),
        ("DELETE", f"{V1}/contacts/{bob.id}/mute", None),
    ]
    for method, path, body in commands:
        status, answer = await ann.call(method, path, body)
        assert (status, answer["error"]["code"]) == (503, "unavailable")
        assert answer["error"]["retry_after"] == 2, "known at once, without waiting for an answer"
    async with ann.socket() as socket:
        assert socket.hello["notices"]["unread"] == 1


async def test_without_notifiers_database_everything_else_goes_on(house: House, ann: Person, bob: Person) -> None:
    house.environment.paths.databases.joinpath("notifier.db").unlink()
    async with ann.socket() as anns, bob.socket() as bobs:
        assert "notices" not in anns.hello
        await exchange(anns, bobs, bob, "c1")
        assert (await anns.next("receipt", read=1))["user"] == bob.id
    for path in (NOTICES, PREFERENCES, f"{NOTICES}/decisions"):
        status, answer = await ann.call("GET", path)
        assert (status, answer["error"]["code"]) == (503, "unavailable")


async def test_who_keeps_to_themselves_what_they_read_is_not_seen_reading(ann: Person, bob: Person) -> None:
    async with ann.socket() as anns, bob.socket() as phone, bob.socket() as tablet:
        await bob.call("PATCH", PREFERENCES, {"read_receipts": False})
        await exchange(anns, phone, bob, "c1")
        assert (await tablet.next("receipt", WITHIN))["read"] == 1
        assert (await anns.next("receipt"))["read"] == 0, "it was delivered"
        _, page = await ann.call("GET", f"{V1}/sync")
        assert [(one["user"], one["read"]) for one in page["changes"] if one["type"] == "receipt"] == [(bob.id, 0)]
        _, listed = await ann.call("GET", f"{V1}/conversations")
        assert (listed["conversations"][0]["peer_delivered"], listed["conversations"][0]["peer_read"]) == (1, 0)

        await bob.call("PATCH", PREFERENCES, {"read_receipts": True})
        await exchange(anns, tablet, bob, "c2")
        assert (await anns.next("receipt", read=2))["user"] == bob.id


async def test_what_was_set_by_another_front_holds_within_a_second_or_so(
    house: House, ann: Person, bob: Person
) -> None:
    hiding = Preferences(read_receipts=False)
    privacy = house.front._server.services.privacy
    async with ann.socket() as anns, bob.socket() as bobs:
        await house.owners["notifier"].database.run(lambda tx: tx.wishes.prefer(bob.id, hiding))
        await eventually(lambda: privacy.hides(bob.id), within=2)
        await exchange(anns, bobs, bob, "c1")
        assert (await anns.next("receipt"))["read"] == 0


async def exchange(anns: Socket, bobs: Socket, bob: Person, client_id: str) -> None:
    """Ann writes to Bob, who reads it."""
    await anns.send(type="send", id=client_id, client_id=client_id, to=bob.id, body="hello")
    stored = await anns.next("ok", id=client_id)
    await bobs.send(type="read", id=client_id, conversation=stored["conversation"], seq=stored["seq"])
    await bobs.next("ok", id=client_id)


async def silent(socket: Socket, kind: str) -> bool:
    """Whether nothing of that kind has come so far."""
    await socket.send(type="ping", id="silence")
    await socket.next("pong", id="silence")
    return not [frame for frame in socket.aside if frame["type"] == kind]
