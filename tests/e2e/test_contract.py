"""The published contract from outside: a stranger's client against a whole installation, line by line."""

import base64
import http
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from websockets.exceptions import InvalidStatus

from drill.installation import Installation
from tests.support.stranger import PASSWORD, TIME, Line, Stranger, call, register, upgrade
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e

STATES = {"starting", "running", "stopping", "stopped", "backoff", "failing"}
NOWHERE = "0" * 32


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


@pytest.fixture
async def ann(installation: Installation, client: aiohttp.ClientSession) -> Stranger:
    return await register(installation.base, client, "ann")


@pytest.fixture
async def bob(installation: Installation, client: aiohttp.ClientSession) -> Stranger:
    return await register(installation.base, client, "bob")


@pytest.fixture
async def cat(installation: Installation, client: aiohttp.ClientSession) -> Stranger:
    """Knows nobody."""
    return await register(installation.base, client, "cat")


def code(answer: tuple[int, Any]) -> tuple[int, str]:
    """Status and code of an error, which has the one shape that errors have."""
    status, body = answer
    assert set(body) == {"error"}, body
    assert {"code", "message"} <= set(body["error"]) <= {"code", "message", "fields", "retry_after"}
    assert body["error"]["message"]
    return status, body["error"]["code"]


async def test_accounts_and_sessions(ann: Stranger) -> None:
    status, signed = await call(
        ann.http, "POST", f"{ann.base}/api/v1/auth/login", {"username": ann.username, "password": PASSWORD}
    )
    assert status == 200
    assert {"user", "access_token", "refresh_token", "expires_in"} == set(signed)
    assert signed["user"] == {"id": ann.id, "username": ann.username, "display_name": "Ann"}
    assert isinstance(signed["expires_in"], int)
    assert (await ann.call("GET", "/me"))[1]["user"] == signed["user"]
    _, listed = await ann.call("GET", "/auth/sessions")
    assert len(listed["sessions"]) == 2
    assert (await ann.call("PATCH", "/me", {"display_name": "Ann B."}))[1]["user"]["display_name"] == "Ann B."
    status, renewed = await call(
        ann.http, "POST", f"{ann.base}/api/v1/auth/refresh", {"refresh_token": signed["refresh_token"]}
    )
    assert (status, set(renewed)) == (200, set(signed))
    changed = {"current_password": PASSWORD, "new_password": "nine herons over the weir"}
    assert (await ann.call("PUT", "/auth/password", changed))[0] == 204
    assert (await ann.call("POST", "/auth/logout", {"refresh_token": ann.refresh_token}))[0] == 204
    await eventually(lambda: unauthenticated(ann), within=1.0)


async def unauthenticated(person: Stranger) -> bool:
    return (await person.call("GET", "/me"))[0] == http.HTTPStatus.UNAUTHORIZED


async def test_finding_asking_accepting_and_parting(ann: Stranger, bob: Stranger, cat: Stranger) -> None:
    _, found = await ann.call("GET", f"/users?q={bob.username}&limit=200")
    assert found == {
        "users": [{"id": bob.id, "username": bob.username, "display_name": "Bob", "relation": "none"}],
    }
    key = {"Idempotency-Key": "ask-bob"}
    status, asked = await ann.call("POST", "/contacts/requests", {"user_id": bob.id}, **key)
    assert status == 201
    assert await ann.call("POST", "/contacts/requests", {"user_id": bob.id}, **key) == (201, asked)
    again = await ann.call("POST", "/contacts/requests", {"user_id": cat.id}, **key)
    assert code(again) == (409, "client_id_reused")
    number = asked["request"]["id"]
    _, pending = await bob.call("GET", "/contacts/requests")
    (incoming,) = pending["incoming"]
    assert (incoming["id"], incoming["user"]["id"], pending["outgoing"]) == (number, ann.id, [])
    assert TIME.fullmatch(incoming["at"])
    assert code(await cat.call("POST", f"/contacts/requests/{number}/accept")) == (404, "not_found")
    assert (await bob.call("POST", f"/contacts/requests/{number}/accept"))[0] == 200
    _, hers = await ann.call("GET", "/contacts")
    _, listed = await ann.call("GET", "/conversations")
    assert [one["user"]["id"] for one in hers["contacts"]] == [bob.id]
    assert [(one["id"], one["peer"]["id"], one["last_message"], one["unread"]) for one in listed["conversations"]] == [
        (hers["contacts"][0]["conversation"], bob.id, None, 0)
    ]
    assert isinstance(listed["sync"], str)
    # Both ask, so both have accepted.
    await ann.call("POST", "/contacts/requests", {"user_id": cat.id})
    assert (await cat.call("POST", "/contacts/requests", {"user_id": ann.id}))[0] == 201
    assert len((await ann.call("GET", "/contacts"))[1]["contacts"]) == 2
    # Blocked and removed are one code to the other.
    async with bob.socket() as his:
        assert (await ann.call("PUT", f"/contacts/{bob.id}/block"))[0] == 200
        assert await refused(his, ann) == "not_a_contact"
        assert (await ann.call("DELETE", f"/contacts/{bob.id}/block"))[0] == 200
    async with cat.socket() as hers_too:
        assert (await ann.call("DELETE", f"/contacts/{cat.id}"))[0] == 200
        assert await refused(hers_too, ann) == "not_a_contact"


async def refused(line: Line, to: Stranger) -> str:
    answer = await line.command(type="send", client_id="refused", to=to.id, body="hello?")
    assert answer["type"] == "error", answer
    return str(answer["code"])


async def test_a_socket_is_opened_by_the_rules(installation: Installation, ann: Stranger) -> None:
    own, evil = {"Origin": installation.base}, {"Origin": "https://evil.example"}
    signed = await call_for_cookie(ann)
    refusals: list[tuple[int, tuple[str, ...], dict[str, str]]] = [
        (400, (), ann.bearer),
        (400, ("chat",), ann.bearer),
        (401, ("parley.v1",), {}),
        (401, ("parley.v1",), own),
        (401, ("parley.v1",), {"Authorization": "Bearer forged"}),
        (403, ("parley.v1",), {**ann.bearer, **evil}),
        (403, ("parley.v1",), {"Cookie": signed}),
        (403, ("parley.v1",), {"Cookie": signed, **evil}),
        (403, ("parley.v1",), {"Cookie": signed, "Origin": "null"}),
    ]
    for status, protocols, headers in refusals:
        with pytest.raises(InvalidStatus) as no:
            async with upgrade(installation.base, headers, protocols):
                pass
        assert no.value.response.status_code == status, (protocols, headers)
        assert code((status, json.loads(no.value.response.body or b"")))[0] == status
    for headers in (ann.bearer, {**ann.bearer, **own}, {"Cookie": signed, **own}):
        async with upgrade(installation.base, headers) as connection:
            assert connection.subprotocol == "parley.v1"
            hello = await Line(connection).receive()
            assert hello["type"] == "hello"
            assert hello["user"]["id"] == ann.id
            assert isinstance(hello["session"], str)
            assert isinstance(hello["sync"], str)


async def call_for_cookie(person: Stranger) -> str:
    """What a browser's Cookie header holds after a log-in on the page's origin."""
    credentials = {"username": person.username, "password": PASSWORD}
    async with person.http.post(
        f"{person.base}/api/v1/auth/login", json=credentials, headers={"Origin": person.base}
    ) as answer:
        assert answer.status == http.HTTPStatus.OK
        assert all(each["httponly"] and each["samesite"] for each in answer.cookies.values())
        return "; ".join(f"{name}={each.value}" for name, each in answer.cookies.items())


async def test_a_message_and_what_becomes_of_it(ann: Stranger, bob: Stranger, cat: Stranger) -> None:
    conversation = await ann.befriend(bob)
    async with ann.socket() as hers, ann.socket() as tablet, bob.socket() as his:
        send: dict[str, Any] = {"type": "send", "client_id": "c1", "to": bob.id, "body": "hello"}
        ok = await hers.command(**send)
        stored = {name: ok[name] for name in ("conversation", "seq", "version", "message_id", "at")}
        assert (ok["type"], stored["conversation"], stored["seq"]) == ("ok", conversation, 1)
        assert isinstance(stored["message_id"], str)
        assert TIME.fullmatch(stored["at"])
        for line in (his, tablet):
            message = await line.next("message")
            assert stored.items() <= message.items()
            assert (message["client_id"], message["sender"], message["body"]) == ("c1", ann.id, "hello")
        assert "message" not in {frame["type"] for frame in await hers.quiet()}
        again = await hers.command(**send)
        assert {**ok, "id": ""} == {**again, "id": ""}
        for other in ({"body": "something else"}, {"to": cat.id}):
            assert (await hers.command(**{**send, **other}))["code"] == "client_id_reused"

        reply = await his.command(
            type="send", client_id="c1", to=ann.id, body="hello yourself", reply_to=stored["message_id"]
        )
        assert (await hers.next("message", seq=2))["reply_to"] == stored["message_id"]
        await hers.send(type="delivered", conversation=conversation, seq=2)
        receipt = {"type": "receipt", "conversation": conversation, "user": ann.id}
        assert await his.next("receipt") == {**receipt, "delivered": 2, "read": 0}
        assert (await hers.command(type="read", conversation=conversation, seq=2))["type"] == "ok"
        assert await his.next("receipt") == {**receipt, "delivered": 2, "read": 2}
        assert (await hers.command(type="read", conversation=conversation, seq=1))["type"] == "ok"
        assert (await ann.call("GET", "/conversations"))[1]["conversations"][0]["unread"] == 0

        place = {"conversation": conversation, "message_id": stored["message_id"]}
        for change in ({"type": "edit", "body": "good morning"}, {"type": "react", "emoji": "👍", "on": True}):
            command: dict[str, Any] = {**change, **place, "client_id": f"the-{change['type']}"}
            assert (await hers.command(**command))["type"] == "ok"
        assert (await his.next("message_changed"))["body"] == "good morning"
        assert (await his.next("message_changed"))["reactions"] == [{"emoji": "👍", "users": [ann.id]}]
        assert (await his.command(type="edit", **place, client_id="mine", body="no"))["code"] == "forbidden"
        # A late copy of the send tells what is there now, to everybody.
        assert {**await hers.command(**send), "id": ""} == {**ok, "id": ""}
        assert (await his.next("message", seq=1, version=4))["body"] == "good morning"
        assert (await hers.command(type="delete", **place, client_id="gone"))["type"] == "ok"
        stub = await his.next("message_changed")
        assert (stub["deleted"], stub.get("body", ""), stub["seq"]) == (True, "", 1)
        assert {**await hers.command(**send), "id": ""} == {**ok, "id": ""}
        assert (await his.next("message", deleted=True)).get("body", "") == ""
        page = await bob.history(conversation)
        assert [(one["seq"], one.get("deleted", False)) for one in page["messages"]] == [(1, True), (2, False)]
        assert reply["seq"] == 2


async def test_history_and_sync_in_pages(ann: Stranger, bob: Stranger) -> None:
    conversation = await ann.befriend(bob)
    _, listed = await bob.call("GET", "/conversations")
    token = listed["sync"]
    async with ann.socket() as hers:
        for number in range(1, 61):
            await hers.send(type="send", id=f"s{number}", client_id=f"p{number}", to=bob.id, body=f"{number}")
        last = await hers.next("ok", id="s60", within=10)
        edit = {"conversation": conversation, "message_id": f"{last['message_id']}", "body": "sixty"}
        await hers.command(type="edit", client_id="edited", **edit)

    def places(page: Any) -> list[int]:
        return [one["seq"] for one in page["messages"]]

    newest = await bob.history(conversation)
    assert (places(newest), newest["more"]) == (list(range(11, 61)), True)
    older = await bob.history(conversation, "?before=11")
    assert (places(older), older["more"]) == (list(range(1, 11)), False)
    assert places(await bob.history(conversation, "?before=31&limit=5")) == list(range(26, 31))
    assert len(places(await bob.history(conversation, "?limit=200"))) == 60
    changed = await bob.history(conversation, "?since=58&limit=1")
    assert (places(changed), changed["next"], changed["more"]) == ([59], 59, True)
    changed = await bob.history(conversation, "?since=59")
    assert (places(changed), changed["next"], changed["more"]) == ([60], 61, False)

    seen: list[int] = []
    more = True
    while more:
        status, page = await bob.call("GET", f"/sync?since={token}&limit=25")
        assert status == 200
        seen += [change["seq"] for change in page["changes"] if change["type"] == "message"]
        token, more = page["next"], page["more"]
    assert seen == list(range(1, 61))
    async with bob.socket() as his:
        answer = await his.command(type="sync", since=token)
        assert (answer["changes"], answer["more"]) == ([], False)
        assert (await his.command(type="sync", since="no token"))["code"] == "invalid"


async def test_posting_while_router_is_there_and_while_it_is_not(
    installation: Installation, ann: Stranger, bob: Stranger
) -> None:
    conversation = await ann.befriend(bob)
    status, stored = await ann.post(conversation, "by HTTP", "h1")
    assert (status, stored["seq"]) == (201, 1)
    assert await ann.post(conversation, "by HTTP", "h1") == (201, stored)
    assert code(await ann.post(conversation, "otherwise", "h1")) == (409, "client_id_reused")
    async with bob.socket() as his:
        assert (await installation.parley("stop", "router"))[0] == 0
        try:
            down = await his.next("actor", name="router", state="down", within=15)
            assert down["state"] == "down"
            status, queued = await ann.post(conversation, "for later", "h2")
            assert (status, queued["status"]) == (202, "queued")
            assert len((await bob.history(conversation))["messages"]) == 1
        finally:
            assert (await installation.parley("start", "router"))[0] == 0
        assert (await his.next("message", within=15))["body"] == "for later"

    async def told() -> bool:
        status, stored = await ann.post(conversation, "for later", "h2")
        return status == http.HTTPStatus.CREATED and stored["seq"] == 2

    # Hers may be the other front, which hears of router a little later.
    await eventually(told)


async def test_what_is_others_is_not_there(ann: Stranger, bob: Stranger, cat: Stranger) -> None:
    conversation = await ann.befriend(bob)
    _, pending = await ann.call("POST", "/contacts/requests", {"user_id": cat.id})
    _, sessions = await ann.call("GET", "/auth/sessions")
    message = {"client_id": "x1", "body": "hello"}
    for method, path, body, theirs in (
        ("GET", "/conversations/{}/messages", None, conversation),
        ("POST", "/conversations/{}/messages", message, conversation),
        ("POST", "/contacts/requests/{}/decline", None, pending["request"]["id"]),
        ("DELETE", "/contacts/requests/{}", None, pending["request"]["id"]),
        ("DELETE", "/auth/sessions/{}", None, sessions["sessions"][0]["id"]),
    ):
        who = bob if "requests" in path else cat
        foreign, unknown = [await who.call(method, path.format(one), body) for one in (theirs, NOWHERE)]
        assert code(foreign) == (404, "not_found"), path
        assert foreign == unknown, path


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("/auth/register", b"{", (400, "invalid")),
        ("/auth/register", b'["a"]', (400, "invalid")),
        ("/auth/register", {"username": 5, "password": PASSWORD}, (400, "invalid")),
        ("/auth/register", {"username": "x", "password": "short"}, (400, "invalid")),
        ("/auth/login", {"username": "nobody.here", "password": PASSWORD}, (401, "wrong_credentials")),
        ("/auth/refresh", {"refresh_token": "forged"}, (401, "unauthenticated")),
        ("/contacts/requests", {"user_id": NOWHERE}, (404, "not_found")),
        ("/contacts/requests", {"user_id": "no such id!"}, (400, "invalid")),
        ("/contacts/requests", b"x" * 65_537, (413, "too_large")),
        ("/nothing/here", {}, (404, "not_found")),
    ],
)
async def test_bad_requests(ann: Stranger, path: str, body: Any, expected: tuple[int, str]) -> None:
    assert code(await ann.call("POST", path, body)) == expected


async def test_bad_messages_and_pages(ann: Stranger, bob: Stranger) -> None:
    conversation = await ann.befriend(bob)
    for text in ("", "x" * 8_001):
        status, answer = await ann.post(conversation, text, "bad")
        assert code((status, answer)) == (400, "invalid")
        assert "body" in answer["error"]["fields"]
    assert (await ann.post(conversation, "é" * 8_000, "long"))[0] == 201
    for query in ("limit=201", "limit=0", "limit=ten", "before=x", "since=-1", "user_id=1"):
        status, answer = await ann.call("GET", f"/conversations/{conversation}/messages?{query}")
        assert code((status, answer)) == (400, "invalid"), query
        assert query.partition("=")[0] in answer["error"]["fields"]
    assert code(await ann.call("GET", "/sync?since=nonsense")) == (400, "invalid")


async def test_bad_frames(ann: Stranger, bob: Stranger, cat: Stranger) -> None:
    await ann.befriend(bob)
    async with ann.socket() as hers:
        good: dict[str, Any] = {"type": "send", "client_id": "f1", "to": bob.id, "body": "hello"}
        for frame, expected in (
            ({**good, "type": "telepathy"}, "invalid"),
            ({**good, "body": 5}, "invalid"),
            ({**good, "body": ""}, "invalid"),
            ({**good, "body": "x" * 8_001}, "invalid"),
            ({**good, "sender": bob.id}, "invalid"),
            ({"type": "send", "client_id": "f1"}, "invalid"),
            ({**good, "to": ann.id}, "invalid"),
            ({**good, "client_id": "f2", "to": cat.id}, "not_a_contact"),
            ({**good, "client_id": "f3", "to": NOWHERE}, "not_a_contact"),
        ):
            answer = await hers.command(**frame)
            assert (answer["type"], answer["code"]) == ("error", expected), frame
            assert answer["message"]
        # Refused for itself alone: the socket stays, and a refused client_id is not spent by a frame that was none.
        assert (await hers.command(**{**good, "client_id": "f4"}))["seq"] == 1
        for text in ("{", "not JSON", "[]"):
            await hers.connection.send(text)
            assert (await hers.next("error", code="invalid"))["id"] is None
        assert await hers.closed() == 1008
    async with ann.socket() as hers:
        await hers.send(type="ping", id="x" * 65_536)
        assert await hers.closed() == 1009


async def test_tokens_that_are_not_good(ann: Stranger, bob: Stranger) -> None:
    head, payload, signature = ann.token.split(".")
    _, other, _ = bob.token.split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt"}').decode().rstrip("=")
    forged = ("x", f"{head}.{other}.{signature}", f"{none}.{payload}.", f"{head}.{payload}.{signature[::-1]}", "é")
    for token in forged:
        answer = await ann.call("GET", "/me", Authorization=f"Bearer {token}")
        assert code(answer) == (401, "unauthenticated"), token
    async with ann.socket() as hers:
        assert (await ann.call("POST", "/auth/logout", {}))[0] == 204
        assert await hers.closed(within=1.0) == 4001
    assert code(await ann.call("GET", "/me")) == (401, "unauthenticated")


async def test_what_stands_at_the_root(installation: Installation, client: aiohttp.ClientSession) -> None:
    async def get(path: str) -> tuple[int, str]:
        async with client.get(f"{installation.base}{path}") as answer:
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            return answer.status, await answer.text()

    assert (await get("/healthz"))[0] == 200
    status, text = await get("/readyz")
    assert status == 200
    assert {row["name"] for row in json.loads(text)["actors"]} >= {"auth", "contacts", "router"}
    status, text = await get("/metrics")
    assert status == 200
    assert 'parley_actor_up{actor="router"} 1' in text
    assert json.loads((await get("/api/v1/openapi.json"))[1])["openapi"].startswith("3.")
    assert json.loads((await get("/api/v1/asyncapi.json"))[1])["asyncapi"].startswith("3.")
    assert json.loads((await get("/.well-known/jwks.json"))[1])["keys"][0]["kty"] == "OKP"


async def test_the_command_line_for_scripts(installation: Installation) -> None:
    code, printed = await installation.parley("status", "--json")
    assert code == 0
    status = json.loads(printed)
    assert {"supervisor", "actors"} == set(status)
    for row in status["actors"]:
        assert {"name", "state", "pid", "uptime", "restarts", "last_exit", "depth", "memory"} <= set(row)
        assert row["state"] in STATES
    names = {row["name"] for row in status["actors"]}
    assert {"broker", "auth", "contacts", "router", "notifier", "file_chunker", "front.1", "front.2"} <= names
    assert (await installation.parley("stop", "nobody"))[0] == 1
    assert (await installation.parley("dance"))[0] == 2
    code, printed = await installation.parley("up")
    assert (code, "runs already" in printed) == (1, True)
