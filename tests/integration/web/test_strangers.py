"""Every declared route and every socket command, tried by those who may not: identity comes from the session alone."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocols.frames import SUBPROTOCOL
from protocols.tokens import AUDIENCE, ISSUER, TYPE
from protocols.values import conversation_of
from tests.support.house import House, Person
from tests.support.tus import Tus
from web.routes import ROUTES
from web.routing import Route

BODIES: dict[str, dict[str, Any]] = {
    "/api/v1/auth/register": {"username": "eve.smith", "password": "correct horse battery staple"},
    "/api/v1/auth/login": {"username": "ann.smith", "password": "not the right password"},
    "/api/v1/auth/refresh": {"refresh_token": "forged"},
    "/api/v1/auth/logout": {"refresh_token": "forged"},
    "/api/v1/auth/password": {"current_password": "not the right one", "new_password": "another long password"},
    "/api/v1/me": {"display_name": "Eve", "password": "not the right one"},
    "/api/v1/contacts/requests": {"user_id": "nobody"},
    "/api/v1/conversations/{id}/messages": {"client_id": "c1", "body": "hello"},
    "/api/v1/conversations/{id}/unread": {"seq": 1},
    "/api/v1/notices/read": {"up_to": 1},
    "/api/v1/me/preferences": {"sound": False},
    "/api/v1/contacts/{user_id}/mute": {"forever": True},
    "/api/v1/files/{id}/digest": {"sha256": "0" * 64},
    "/api/v1/ops/actions": {"action": "kill", "actor": "router"},
}
"""A body for each path that takes one; fields that a method does not take are left out."""

OPEN = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/.well-known/jwks.json"),
    ("POST", "/api/v1/auth/register"),
    ("POST", "/api/v1/auth/login"),
    ("POST", "/api/v1/auth/refresh"),
    ("POST", "/api/v1/auth/logout"),
    ("OPTIONS", "/api/v1/files"),
}
"""What is open to everybody, on purpose. A new route that is open must be written down here as well."""


def body_of(route: Route) -> dict[str, Any] | None:
    if route.body is None:
        return None
    given = BODIES[route.path]
    return {name: given[name] for name in route.body.__struct_fields__ if name in given}


def refused_as(route: Route) -> tuple[int, str]:
    """What strangers are answered: on what only operators may see, as if it were not there."""
    return (404, "not_found") if route.who == "operator" else (401, "unauthenticated")


def told(status: int, answer: Any) -> tuple[int, str]:
    """Status and error code. What answers HEAD has no body, and only its status."""
    without = {400: "invalid", 401: "unauthenticated", 403: "forbidden", 404: "not_found"}
    return status, without[status] if answer is None else answer["error"]["code"]


def name_of(route: Route) -> str:
    return f"{route.method} {route.path}"


def forged(person: Person) -> Iterator[tuple[str, str]]:
    """Tokens that look like Ann's and are not."""
    real = jwt.decode(person.access, options={"verify_signature": False})
    header = jwt.get_unverified_header(person.access)
    eves = Ed25519PrivateKey.generate()
    yield "another key under our key's id", jwt.encode(real, eves, "EdDSA", headers=header)
    yield "an unknown key", jwt.encode(real, eves, "EdDSA", headers={**header, "kid": "eves"})
    yield "no algorithm", jwt.encode(real, "", "none", headers={**header, "alg": "none"})
    yield "a shared secret", jwt.encode(real, "x" * 64, "HS256", headers={"typ": TYPE, "kid": header["kid"]})
    head, payload, signature = person.access.split(".")
    changed = base64.urlsafe_b64encode(json.dumps({**real, "sub": "eve"}).encode()).rstrip(b"=").decode()
    yield "another person in it", f"{head}.{changed}.{signature}"
    yield "cut off", f"{head}.{payload}."
    yield "nonsense", "nonsense"
    assert real["iss"] == ISSUER
    assert real["aud"] == AUDIENCE


def test_what_is_open_is_written_down() -> None:
    assert {(route.method, route.path) for route in ROUTES if route.who == "anyone"} == OPEN


async def test_every_route_refuses_who_is_not_signed_in(house: House) -> None:
    ann = await house.person("ann.smith")
    bad = {"": {}, "empty": {"Authorization": ""}, "basic": {"Authorization": "Basic YW5uOmFubg=="}}
    bad |= {name: {"Authorization": f"Bearer {token}"} for name, token in forged(ann)}
    for route in ROUTES:
        if route.who == "anyone":
            continue
        path = route.path.replace("{id}", "x").replace("{user_id}", ann.id)
        for name, headers in bad.items():
            status, answer = await house.call(route.method, path, body_of(route), **headers)
            assert told(status, answer) == refused_as(route), (name_of(route), name)
    status, _ = await ann.call("GET", "/api/v1/me")
    assert status == 200


async def test_a_user_id_in_the_query_is_refused_and_changes_nobody(house: House) -> None:
    ann, bob = await house.person("ann.smith"), await house.person("bob.jones")
    for route in ROUTES:
        path = route.path.replace("{id}", "x").replace("{user_id}", ann.id)
        for name in ("user_id", "user", "as", "token", "access_token"):
            status, answer = await bob.call(route.method, f"{path}?{name}={ann.id}", body_of(route))
            if route.who == "operator":
                assert told(status, answer) == (404, "not_found"), name_of(route)
                continue
            assert told(status, answer) == (400, "invalid"), name_of(route)
            assert answer is None or name in answer["error"]["fields"], name_of(route)
    assert (await bob.call("GET", "/api/v1/me"))[1]["user"]["id"] == bob.id
    assert (await ann.call("GET", "/api/v1/me"))[1]["user"]["username"] == "ann.smith"


async def test_what_is_others_looks_like_what_is_not_there(house: House) -> None:
    ann, bob, dan = [await house.person(name) for name in ("ann.smith", "bob.jones", "dan.brown")]
    await house.befriend(ann, bob)
    async with ann.socket() as hers:
        await hers.send(type="send", id="1", client_id="c1", to=bob.id, body="private")
        message = await hers.next("ok", id="1")
    await house.request(ann, await house.person("cat.white"))
    _, requests = await ann.call("GET", "/api/v1/contacts/requests")
    _, sessions = await ann.call("GET", "/api/v1/auth/sessions")
    theirs = {
        "/api/v1/auth/sessions/{id}": sessions["sessions"][0]["id"],
        "/api/v1/contacts/requests/{id}": requests["outgoing"][0]["id"],
        "/api/v1/contacts/requests/{id}/accept": requests["outgoing"][0]["id"],
        "/api/v1/contacts/requests/{id}/decline": requests["outgoing"][0]["id"],
        "/api/v1/conversations/{id}/messages": message["conversation"],
        "/api/v1/conversations/{id}/unread": message["conversation"],
        **dict.fromkeys(
            ("/api/v1/files/{id}", "/api/v1/files/{id}/preview", "/api/v1/files/{id}/digest"),
            (await Tus(ann).created(bob, 10)).rpartition("/")[2],
        ),
        "/api/v1/ops/letters/{id}": "abcdef012345",
    }
    tried = [route for route in ROUTES if "{id}" in route.path]
    assert {route.path for route in tried} == set(theirs)
    for route in tried:
        # A POST on a file stands for another method, or it would be none.
        told_to = {"X-HTTP-Method-Override": "PATCH"}
        theirs_at = route.path.replace("{id}", theirs[route.path])
        foreign = await dan.call(route.method, theirs_at, body_of(route), **told_to)
        unknown = await dan.call(route.method, route.path.replace("{id}", "0" * 32), body_of(route), **told_to)
        assert foreign == unknown, name_of(route)
        # Ending a session that is not one's own is the one that answers as if it were done.
        assert foreign[0] in ({404, 204} if route.path.endswith("sessions/{id}") else {404}), name_of(route)
    assert (await ann.call("GET", "/api/v1/me"))[0] == 200
    assert (await ann.call("GET", "/api/v1/contacts/requests"))[1] == requests
    _, page = await ann.call("GET", f"/api/v1/conversations/{message['conversation']}/messages")
    assert [each["body"] for each in page["messages"]] == ["private"]


async def test_ids_that_are_none_are_not_found(house: House) -> None:
    ann = await house.person("ann.smith")
    for route in ROUTES:
        if "{" not in route.path:
            continue
        for bad in ("..%2f..%2fetc", "%00", "a" * 65, "%f0%9f%98%80", "'"):
            path = route.path.replace("{id}", bad).replace("{user_id}", bad)
            status, answer = await ann.call(route.method, path, body_of(route))
            assert told(status, answer) == (404, "not_found"), name_of(route)


async def test_fields_that_nobody_declared_are_refused(house: House) -> None:
    ann = await house.person("ann.smith")
    for route in ROUTES:
        if route.body is None:
            continue
        path = route.path.replace("{id}", "x").replace("{user_id}", ann.id)
        for extra in ("sender", "user_id", "is_admin", "created_at", "seq"):
            if extra in route.body.__struct_fields__:
                continue
            status, answer = await ann.call(route.method, path, {**(body_of(route) or {}), extra: ann.id})
            expected = (404, "not_found") if route.who == "operator" else (400, "invalid")
            assert (status, answer["error"]["code"]) == expected, (name_of(route), extra)


async def connect(house: House, **headers: str) -> tuple[int, str]:
    """Status and error code of an upgrade that is refused."""
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol": SUBPROTOCOL,
    }
    status, answer = await house.call("GET", "/ws", None, **{**upgrade, **headers})
    return status, answer["error"]["code"]


async def test_sockets_are_refused_before_the_upgrade(house: House) -> None:
    ann = await house.person("ann.smith")
    cookie = {"Cookie": f"parley_access={ann.access}"}
    origin = {"Origin": house.environment.settings.web.origin}
    assert await connect(house) == (401, "unauthenticated")
    assert await connect(house, **cookie) == (403, "forbidden")
    assert await connect(house, **cookie, Origin="https://evil.example") == (403, "forbidden")
    assert await connect(house, **cookie, Origin="null") == (403, "forbidden")
    assert await connect(house, **ann.bearer, Origin="https://evil.example") == (403, "forbidden")
    assert await connect(house, **origin) == (401, "unauthenticated")
    for name, token in forged(ann):
        assert await connect(house, Authorization=f"Bearer {token}") == (401, "unauthenticated"), name
        assert await connect(house, Cookie=f"parley_access={token}", **origin) == (401, "unauthenticated"), name
    assert await connect(house, **ann.bearer, **{"Sec-WebSocket-Protocol": "chat"}) == (400, "invalid")
    status, answer = await house.call("GET", f"/ws?user_id={ann.id}", None, **ann.bearer)
    assert (status, answer["error"]["code"]) == (400, "invalid")
    async with house.http.ws_connect(
        f"{house.url}/ws", headers={**cookie, **origin}, protocols=(SUBPROTOCOL,)
    ) as opened:
        assert (await opened.receive_json())["user"]["id"] == ann.id
        assert opened.protocol == SUBPROTOCOL


async def test_no_socket_command_lets_a_stranger_in(house: House) -> None:
    ann, bob, dan = [await house.person(name) for name in ("ann.smith", "bob.jones", "dan.brown")]
    await house.befriend(ann, bob)
    async with ann.socket() as hers, dan.socket() as his:
        await hers.send(type="send", id="1", client_id="c1", to=bob.id, body="private")
        message = await hers.next("ok", id="1")
        place = {"conversation": message["conversation"], "message_id": message["message_id"]}
        commands: list[tuple[str, dict[str, Any]]] = [
            ("not_a_contact", {"type": "send", "to": ann.id, "body": "hello"}),
            ("not_found", {"type": "edit", **place, "body": "changed"}),
            ("not_found", {"type": "delete", **place}),
            ("not_found", {"type": "react", **place, "emoji": "👍", "on": True}),
            ("not_found", {"type": "read", "conversation": message["conversation"], "seq": 1}),
            ("not_found", {"type": "delivered", "conversation": message["conversation"], "seq": 1}),
        ]
        for number, (code, command) in enumerate(commands):
            key = {} if "seq" in command else {"client_id": f"d{number}"}
            await his.send(id=f"x{number}", **command, **key)
            answer = await his.next("error", id=f"x{number}")
            assert answer["code"] == code, command
        await his.send(type="sync", id="s", since="")
        assert (await his.next("ok", id="s"))["changes"] == []
        await his.send(type="send", id="u", client_id="d9", to="nobody", body="hello")
        assert (await his.next("error", id="u"))["code"] == "not_a_contact"
        assert not [frame for frame in his.aside if frame["type"] not in {"resync", "contact"}]
    _, page = await ann.call("GET", f"/api/v1/conversations/{conversation_of(ann.id, bob.id)}/messages")
    assert [(each["body"], each["version"]) for each in page["messages"]] == [("private", 1)]


async def test_another_site_cannot_make_a_browser_change_anything(house: House) -> None:
    ann = await house.person("ann.smith")
    own = house.environment.settings.web.origin
    cookies = {"Cookie": f"parley_access={ann.access}; parley_refresh={ann.refresh}"}
    foreign = [
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "same-site", "Origin": "https://evil.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {},
    ]
    pages = [("POST", "/login"), ("POST", "/register")]
    unsafe = [
        (route.method, route.path.replace("{id}", "x").replace("{user_id}", "x")) for route in ROUTES if not route.safe
    ]
    for method, path in [*unsafe, *pages]:
        for headers in foreign:
            status, answer = await house.call(method, path, {}, **cookies, **headers)
            assert (status, answer["error"]["code"]) == (403, "forbidden"), (method, path, headers)
    for headers in ({"Sec-Fetch-Site": "same-origin", "Origin": own}, {"Origin": own}):
        status, _ = await house.call("PATCH", "/api/v1/me", {"display_name": "Ann"}, **cookies, **headers)
        assert status == 200
    status, _ = await house.call("GET", "/api/v1/me", None, **cookies, Origin="https://evil.example")
    assert status == 200


async def test_a_foreign_refresh_token_opens_nothing(house: House) -> None:
    ann = await house.person("ann.smith")
    for token in ("", "x", ann.access, "é", "a" * 5_000):
        status, answer = await house.call("POST", "/api/v1/auth/refresh", {"refresh_token": token})
        assert (status, answer["error"]["code"]) == (401, "unauthenticated"), token[:20]


async def test_the_socket_of_one_person_hears_nothing_of_others(house: House) -> None:
    ann, bob, dan = [await house.person(name) for name in ("ann.smith", "bob.jones", "dan.brown")]
    await house.befriend(ann, bob)
    async with ann.socket() as hers, bob.socket() as his, dan.socket() as stranger:
        await hers.send(type="send", id="1", client_id="c1", to=bob.id, body="private")
        await his.next("message")
        await stranger.send(type="ping", id="p")
        await stranger.next("pong", id="p")
        assert not [frame for frame in stranger.aside if frame["type"] != "resync"]
