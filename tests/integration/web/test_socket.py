"""Sockets over a real front, real owners and real databases."""

import asyncio
import json
import logging
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from protocols.frames import SUBPROTOCOL
from protocols.mail import Push, PushBatch
from protocols.values import BODY_CHARACTERS
from tests.support.house import House, Person, Socket, open_house
from tests.support.waiting import SCALE, eventually
from web.authentication import Caller
from web.socket import OUTBOX_BYTES, Connection


async def two(house: House) -> tuple[Person, Person]:
    ann, bob = await house.person("ann.smith"), await house.person("bob.jones")
    await house.befriend(ann, bob)
    return ann, bob


async def say(socket: Socket, to: Person, number: int, body: str = "hello") -> None:
    await socket.send(type="send", id=f"f{number}", client_id=f"c{number}", to=to.id, body=body)


async def test_a_message_reaches_the_other_and_its_sender_is_told(house: House) -> None:
    ann, bob = await two(house)
    async with ann.socket() as hers, ann.socket() as second, bob.socket() as his:
        await say(hers, bob, 1, "Good morning")
        ok = await hers.next("ok", id="f1")
        message = await his.next("message")
        assert (message["body"], message["sender"], message["seq"]) == ("Good morning", ann.id, 1)
        same = ("conversation", "seq", "version", "message_id", "at")
        assert [message[name] for name in same] == [ok[name] for name in same]
        assert (await second.next("message"))["client_id"] == "c1"
        assert not [frame for frame in hers.aside if frame["type"] == "message"]


async def test_hello_comes_first_and_tells_who_one_is(house: House) -> None:
    ann, _ = await two(house)
    async with ann.socket() as hers:
        hello = hers.hello
        assert hello["user"] == {"id": ann.id, "username": "ann.smith", "display_name": "Ann.Smith"}
        assert hello["in_flight"] == 64
        assert {state["name"]: state["state"] for state in hello["actors"]} == dict.fromkeys(house.owners, "running")
        assert hello["notices"] == {"unread": 0, "change": 0}
        assert not hers.aside


async def test_the_same_client_id_gives_the_same_answer_and_another_body_none(house: House) -> None:
    ann, bob = await two(house)
    async with ann.socket() as hers, bob.socket() as his:
        await say(hers, bob, 1, "hello")
        first = await hers.next("ok", id="f1")
        await hers.send(type="send", id="again", client_id="c1", to=bob.id, body="hello")
        assert {**await hers.next("ok", id="again"), "id": "f1"} == first
        await hers.send(type="send", id="other", client_id="c1", to=bob.id, body="changed")
        assert (await hers.next("error", id="other"))["code"] == "client_id_reused"
        await say(hers, bob, 2, "last")
        bodies = [(await his.next("message"))["body"] for _ in range(2)]
        assert bodies[0] == "hello"
        assert "changed" not in bodies


async def test_edit_react_read_and_delete_reach_both_sides(house: House) -> None:
    ann, bob = await two(house)
    async with ann.socket() as hers, bob.socket() as his:
        await say(hers, bob, 1)
        ok = await hers.next("ok", id="f1")
        place = {"conversation": ok["conversation"], "message_id": ok["message_id"]}
        await hers.send(type="edit", id="e", client_id="e1", **place, body="better")
        assert (await hers.next("ok", id="e"))["version"] == 2
        assert (await his.next("message_changed"))["body"] == "better"
        await his.send(type="react", id="r", client_id="r1", **place, emoji="👍", on=True)
        await his.next("ok", id="r")
        assert (await hers.next("message_changed"))["reactions"] == [{"emoji": "👍", "users": [bob.id]}]
        await his.send(type="read", id="d", conversation=ok["conversation"], seq=1)
        await his.next("ok", id="d")
        receipt = await hers.next("receipt")
        assert (receipt["user"], receipt["delivered"], receipt["read"]) == (bob.id, 1, 1)
        await hers.send(type="delete", id="x", client_id="x1", **place)
        await hers.next("ok", id="x")
        changed = await his.next("message_changed", deleted=True)
        assert "body" not in changed


@pytest.mark.parametrize(
    "body",
    ["", " \n\t", "x" * 8001],
    ids=["empty", "blank", "too long"],
)
async def test_a_body_that_is_none_is_refused(house: House, body: str) -> None:
    ann, bob = await two(house)
    async with ann.socket() as hers:
        await say(hers, bob, 1, body)
        assert (await hers.next("error", id="f1"))["code"] == "invalid"
        await say(hers, bob, 2, "😀" * 8000)
        await hers.next("ok", id="f2")


async def test_a_message_to_oneself_is_refused(house: House) -> None:
    ann, _ = await two(house)
    async with ann.socket() as hers:
        await say(hers, ann, 1)
        assert (await hers.next("error", id="f1"))["code"] == "invalid"


async def test_who_sends_on_after_a_frame_that_is_too_big_hears_1009_all_the_same(house: House) -> None:
    ann = await house.person("ann.smith")
    async with ann.socket() as hers:
        for _ in range(3):
            await hers.opened.send_str("x" * 200_000)
        assert await hers.closed() == 1009


async def test_text_that_is_no_utf_8_is_answered_as_what_is_no_json(house: House) -> None:
    ann = await house.person("ann.smith")
    async with ann.socket() as hers:
        await hers.opened.send_frame(b'{"type":"ping","id":"\xff"}', aiohttp.WSMsgType.TEXT)
        assert (await hers.next("error"))["code"] == "invalid"
        await hers.send(type="ping", id="p")
        await hers.next("pong")


async def test_a_frame_over_64_kib_ends_the_socket_with_1009(house: House) -> None:
    ann, _ = await two(house)
    async with ann.socket() as hers:
        largest = '{"type":"ping","id":"p"}'.ljust(64 * 1024)
        await hers.opened.send_str(largest)
        await hers.next("pong", id="p")
        await hers.opened.send_str(f"{largest} ")
        assert await hers.closed() == 1009


async def test_what_is_no_frame_is_answered_and_the_third_ends_the_socket(house: House) -> None:
    ann, _ = await two(house)
    async with ann.socket() as hers:
        await hers.opened.send_str("{")
        assert (await hers.next("error"))["code"] == "invalid"
        await hers.opened.send_bytes(b"binary")
        assert (await hers.next("error"))["code"] == "invalid"
        await hers.opened.send_str('{"kind": "nonsense", "id": "n"}')
        assert (await hers.next("error"))["code"] == "invalid"
        assert await hers.closed() == 1008


async def test_types_that_are_not_known_end_no_socket(house: House) -> None:
    ann, _ = await two(house)
    async with ann.socket() as hers:
        for number in range(5):
            await hers.send(type="of a newer version", id=f"n{number}")
            assert (await hers.next("error", id=f"n{number}"))["code"] == "invalid"
        await hers.send(type="ping", id="p")
        await hers.next("pong", id="p")


async def test_many_sends_at_once_are_stored_in_their_order(tmp_path: Path) -> None:
    async with open_house(tmp_path, limits={"in_flight": 8}) as house:
        ann, bob = await two(house)
        async with ann.socket() as hers, bob.socket() as his:
            for number in range(200):
                await say(hers, bob, number, f"number {number}")
            assert [(await his.next("message"))["body"] for _ in range(200)] == [f"number {n}" for n in range(200)]
            assert sorted([(await hers.next("ok"))["seq"] for _ in range(200)]) == list(range(1, 201))


async def test_while_router_is_stopped_sends_wait_without_an_error_and_pings_are_answered(house: House) -> None:
    ann, bob = await two(house)
    async with ann.socket() as hers, bob.socket() as his:
        house.owners["router"].running.clear()
        for number in range(64):
            await say(hers, bob, number)
        await hers.send(type="ping", id="p")
        await hers.next("pong", id="p")
        assert not [frame for frame in hers.aside if frame["type"] in {"ok", "error"}]
        house.owners["router"].running.set()
        assert [(await his.next("message"))["seq"] for _ in range(64)] == list(range(1, 65))


@pytest.mark.parametrize("how", ["session over", "gone"])
async def test_a_socket_that_ends_while_its_window_is_full_is_gone_at_once(house: House, how: str) -> None:
    ann, bob = await two(house)
    hub = house.front._server.services.hub
    house.owners["router"].running.clear()
    async with ann.socket() as hers:
        for number in range(66):
            await say(hers, bob, number)
        await eventually(lambda: [one for one in hub.ports if isinstance(one, Connection) and one._machine.full])
        if how == "gone":
            transport: Any = hers.opened._response.connection.transport  # type: ignore[union-attr]
            transport.abort()
        else:
            hub.end_sessions([port.session for port in hub.ports])
        await eventually(lambda: not hub.ports)


async def test_what_was_sent_before_the_sender_left_arrives(house: House) -> None:
    ann, bob = await two(house)
    async with bob.socket() as his:
        house.owners["router"].running.clear()
        async with ann.socket() as hers:
            await say(hers, bob, 1, "and off")
            await hers.send(type="ping", id="p")
            await hers.next("pong", id="p")
        house.owners["router"].running.set()
        assert (await his.next("message"))["body"] == "and off"


async def test_a_full_lane_closes_with_1013(house: House) -> None:
    ann, bob = await two(house)
    async with ann.socket() as hers:
        house.post.full = True
        await say(hers, bob, 1)
        assert await hers.closed() == 1013


async def sync(socket: Socket, since: str, number: int = 0) -> dict[str, Any]:
    await socket.send(type="sync", id=f"sync{number}", since=since)
    return await socket.next("ok", id=f"sync{number}")


async def test_a_lost_push_is_noticed_and_read_from_the_log(house: House) -> None:
    ann, bob = await two(house)
    async with ann.socket() as hers, bob.socket() as his:
        token = his.hello["sync"]
        house.owners["router"].lose = 1
        await say(hers, bob, 1, "lost on its way")
        await eventually(lambda: house.owners["router"].number == 1)
        house.beat()
        await his.next("resync")
        page = await sync(his, token)
        assert [change["body"] for change in page["changes"]] == ["lost on its way"]
        assert page["more"] is False
        assert (await sync(his, page["next"], 1))["changes"] == []
        # The sender has no answer: told to resync it repeats itself, and nothing is doubled.
        await hers.next("resync")
        await hers.send(type="send", id="again", client_id="c1", to=bob.id, body="lost on its way")
        assert (await hers.next("ok", id="again"))["seq"] == 1


async def test_what_was_missed_comes_in_pages_that_fit_whatever_was_written(house: House) -> None:
    ann, bob = await two(house)
    async with bob.socket() as his:
        since = his.hello["sync"]
    longest = "\U0001f600" * BODY_CHARACTERS
    async with ann.socket() as hers:
        for number in range(140):
            await say(hers, bob, number, longest)
        for number in range(140):
            await hers.next("ok", id=f"f{number}")
    async with house.http.ws_connect(
        f"{house.url}/ws", headers=bob.bearer, protocols=(SUBPROTOCOL,), max_msg_size=0
    ) as opened:
        his, seen, more = Socket(opened), list[int](), True
        while more:
            page = await sync(his, since, len(seen))
            assert len(json.dumps(page["changes"], ensure_ascii=False).encode()) < OUTBOX_BYTES
            seen += [change["seq"] for change in page["changes"]]
            since, more = page["next"], page["more"]
        assert seen == list(range(1, 141))


async def test_a_router_that_was_replaced_resyncs_everybody(house: House) -> None:
    ann, _ = await two(house)
    async with ann.socket() as hers:
        owner = house.owners["router"]
        owner.life, owner.number = 2, 0
        owner.beat()
        await hers.next("resync")


@pytest.mark.parametrize("token", ["nonsense", "0" * 300, "é.1"])
async def test_a_token_that_is_none_is_refused_and_the_socket_stays(house: House, token: str) -> None:
    ann, _ = await two(house)
    async with ann.socket() as hers:
        await hers.send(type="sync", id="s", since=token)
        assert (await hers.next("error", id="s"))["code"] == "invalid"
        assert (await sync(hers, "ff.5"))["more"] is False


async def test_logging_out_ends_the_sockets_of_that_session_alone(house: House) -> None:
    ann, _ = await two(house)
    status, again = await house.call(
        "POST", "/api/v1/auth/login", {"username": "ann.smith", "password": "correct horse battery staple"}
    )
    assert status == 200
    other = Person(house, ann.id, ann.name, again["access_token"], again["refresh_token"])
    async with ann.socket() as hers, other.socket() as elsewhere:
        assert (await ann.call("POST", "/api/v1/auth/logout"))[0] == 204
        assert await hers.closed(within=1.0) == 4001
        assert (await ann.call("GET", "/api/v1/me"))[0] == 401
        await elsewhere.send(type="ping", id="p")
        await elsewhere.next("pong", id="p")


async def test_a_session_whose_end_was_not_pushed_ends_all_the_same(house: House) -> None:
    ann, _ = await two(house)
    async with ann.socket() as hers:
        house.owners["auth"].lose = 1
        await ann.call("POST", "/api/v1/auth/logout")
        assert await hers.closed(within=2.5) == 4001


async def test_a_reader_that_stalls_is_cut_off_and_the_others_are_not(house: House) -> None:
    ann, bob = await two(house)
    counters = house.front._server.services.counters
    frame = json.dumps({"type": "message", "body": "x" * 8000}).encode()
    async with bob.socket() as slow, ann.socket() as quick:
        transport: Any = slow.opened._response.connection.transport  # type: ignore[union-attr]
        transport.pause_reading()

        async def flood() -> None:
            while not counters.cut:
                owner = house.owners["router"]
                owner.number += 1
                push = Push(to=[bob.id, ann.id], frame=frame)
                house.front.receive(PushBatch(source="router", incarnation="1", number=owner.number, items=[push] * 10))
                for _ in range(10):
                    await quick.next("message")

        await asyncio.wait_for(flood(), 20 * SCALE)
        assert counters.cut == 1
        transport.resume_reading()
        await quick.send(type="ping", id="p")
        await quick.next("pong", id="p")


async def test_the_number_of_sockets_of_a_person_is_limited(tmp_path: Path) -> None:
    async with open_house(tmp_path, limits={"sockets_per_person": 2}) as house:
        ann = await house.person("ann.smith")
        async with ann.socket(), ann.socket():
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                async with ann.socket():
                    pass
            assert refused.value.status == 429
        await eventually(lambda: not house.front._server.services.hub.ports)
        async with ann.socket():
            pass


async def test_beyond_the_rate_a_socket_is_slowed_and_nothing_is_refused_or_overtaken(tmp_path: Path) -> None:
    async with open_house(tmp_path, limits={"messages_per_second": 20, "messages_burst": 3}) as house:
        ann, bob = await two(house)
        async with ann.socket() as hers:
            began = time.monotonic()
            for number in range(8):
                await say(hers, bob, number)
            answers = [await hers.next("ok", id=f"f{number}") for number in range(8)]
            assert [answer["seq"] for answer in answers] == list(range(1, 9))
            # Three at once, and five at twenty a second.
            assert time.monotonic() - began >= 0.2


async def test_a_drained_front_sends_its_sockets_elsewhere(house: House) -> None:
    ann, _ = await two(house)
    async with ann.socket() as hers:
        draining = asyncio.create_task(house.front.drain())
        assert await hers.closed() == 1012
        await draining
        with pytest.raises(aiohttp.ClientConnectionError):
            await ann.call("GET", "/healthz")


async def test_who_comes_just_when_a_front_is_drained_is_sent_elsewhere_too(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, _ = await two(house)
    services = house.front._server.services
    caller = services.authenticator.caller

    async def late(request: web.Request) -> Caller | None:
        found = await caller(request)
        services.counters.draining = True
        return found

    monkeypatch.setattr(services.authenticator, "caller", late)
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with ann.socket():
            pass
    services.counters.draining = False
    assert refused.value.status == 503
    assert not services.hub.ports


async def test_a_contact_hears_at_once_that_somebody_asked(house: House) -> None:
    ann, bob = await house.person("ann.smith"), await house.person("bob.jones")
    async with bob.socket() as his:
        await ann.call("POST", "/api/v1/contacts/requests", {"user_id": bob.id})
        frame = await his.next("contact")
        assert (frame["user"]["id"], frame["relation"]) == (ann.id, "incoming")


async def test_clients_that_give_up_in_the_handshake_are_no_faults(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    ann, _ = await two(house)
    port = int(house.url.rpartition(":")[2])
    lines = [
        "GET /ws HTTP/1.1",
        "Host: 127.0.0.1",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==",
        f"Sec-WebSocket-Protocol: {SUBPROTOCOL}",
        f"Authorization: {ann.bearer['Authorization']}",
    ]
    for steps in range(40):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write("\r\n".join([*lines, "", ""]).encode())
        # Somewhere in between its request has been read and is not answered yet.
        for _ in range(steps):
            await asyncio.sleep(0)
        writer.transport.abort()
    async with ann.socket() as hers:
        await hers.send(type="ping", id="p")
        await hers.next("pong")
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_the_subprotocol_is_named_and_frames_are_text(house: House) -> None:
    ann, _ = await two(house)
    async with house.http.ws_connect(f"{house.url}/ws", headers=ann.bearer, protocols=("other", SUBPROTOCOL)) as opened:
        assert opened.protocol == SUBPROTOCOL
        message = await opened.receive()
        assert json.loads(message.data)["type"] == "hello"


async def test_who_is_silent_is_asked_for_a_sign_of_life(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.socket.HEARTBEAT", 0.0)
    ann, _ = await two(house)
    async with house.http.ws_connect(
        f"{house.url}/ws", headers=ann.bearer, protocols=(SUBPROTOCOL,), autoping=False
    ) as opened:
        assert (await opened.receive()).json()["type"] == "hello"
        for _ in range(2):
            async with asyncio.timeout(5 * SCALE):
                while (message := await opened.receive()).type is aiohttp.WSMsgType.TEXT:
                    """How the owners are."""
            assert message.type is aiohttp.WSMsgType.PING
            # Without it no second one comes.
            await opened.pong()
        await opened.ping(b"and you?")
        async with asyncio.timeout(5 * SCALE):
            while (message := await opened.receive()).type is not aiohttp.WSMsgType.PONG:
                """Asked again in between."""
        assert message.data == b"and you?"


async def test_who_gives_no_sign_of_life_is_gone(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.socket.HEARTBEAT", 0.0)
    monkeypatch.setattr("web.socket.PONG_WITHIN", 0.5)
    ann, _ = await two(house)
    async with house.http.ws_connect(
        f"{house.url}/ws", headers=ann.bearer, protocols=(SUBPROTOCOL,), autoping=False
    ) as opened:
        async with asyncio.timeout(10 * SCALE):
            while not (await opened.receive()).type & 0x100:
                """Asked, and not answered."""
        assert opened.close_code == 1006
