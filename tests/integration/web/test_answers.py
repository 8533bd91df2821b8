"""What every answer bears, and what is said to requests that are wrong."""

import asyncio
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from multidict import CIMultiDict

from protocols.errors import Refusal
from protocols.mail import FrontBeat
from settings.owners import OWNERS
from tests.support.house import PASSWORD, House, open_house
from tests.support.waiting import SCALE
from web.security import CSP

PAGE = {"Accept": "text/html,application/xhtml+xml"}


async def headers_of(house: House, method: str, path: str, **headers: str) -> tuple[int, CIMultiDict[str], str]:
    async with house.http.request(method, f"{house.url}{path}", headers=headers, allow_redirects=False) as answer:
        return answer.status, CIMultiDict(answer.headers), await answer.text()


def guarded(headers: Mapping[str, str]) -> None:
    assert headers["Content-Security-Policy"] == CSP
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Permissions-Policy" in headers
    assert "Cache-Control" in headers
    assert headers.get("Server", "parley") == "parley"
    assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 302),
        ("GET", "/login", 200),
        ("GET", "/register", 200),
        ("GET", "/chat", 302),
        ("GET", "/nowhere", 404),
        ("GET", "/api/v1/nowhere", 404),
        ("GET", "/api/v1/me", 401),
        ("DELETE", "/login", 405),
        ("TRACE", "/login", 405),
        ("GET", "/static/", 404),
        ("GET", "/static/css", 404),
        ("GET", "/static/icons.svg", 200),
        ("GET", "/static/..%2fapp.py", 404),
        ("GET", "/static/%2e%2e/app.py", 404),
        ("GET", "/static/x/../../app.py", 404),
        ("GET", "/healthz", 200),
        ("HEAD", "/healthz", 200),
        ("HEAD", "/login", 200),
        ("GET", "/readyz", 200),
        ("GET", "/metrics", 200),
        ("GET", "/.well-known/jwks.json", 200),
        ("GET", "/favicon.ico", 302),
        ("GET", "/ws", 401),
    ],
)
async def test_every_answer_is_guarded(house: House, method: str, path: str, status: int) -> None:
    for accept in ({}, PAGE):
        answered, headers, _ = await headers_of(house, method, path, **accept)
        assert answered == status
        guarded(headers)


@pytest.mark.parametrize("start", ["GET / HTTP/1.1\r\nbroken\x00header", "BROKEN / HTTP/1.1"])
async def test_sockets_and_broken_requests_are_guarded_too(
    house: House, start: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    ann = await house.person("ann.smith")
    async with ann.socket() as hers:
        guarded(hers.opened._response.headers)
    host, _, port = house.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(f"{start}\r\n\r\n".encode())
        async with asyncio.timeout(5 * SCALE):
            raw = (await reader.read()).decode()
    finally:
        writer.close()
        await writer.wait_closed()
    head, _, body = raw.partition("\r\n\r\n")
    lines = head.split("\r\n")
    assert " 400 " in lines[0]
    assert json.loads(body)["error"]["code"] == "invalid"
    assert "broken" not in raw.lower()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    guarded(dict(line.split(": ", 1) for line in lines[1:]))


async def test_a_fault_in_a_handler_tells_nothing_but_a_mark(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = await house.person("ann.smith")

    async def broken(*_: Any, **__: Any) -> None:
        raise KeyError("SELECT secret FROM /etc/passwd")

    monkeypatch.setattr(house.front._server.services.authenticator, "caller", broken)
    for path, accept in (("/api/v1/me", {}), ("/chat", PAGE)):
        status, headers, text = await headers_of(house, "GET", path, **ann.bearer, **accept)
        assert status == 500
        guarded(headers)
        assert "secret" not in text
        assert "Traceback" not in text


async def test_people_get_pages_and_programs_get_json(house: House) -> None:
    _, headers, text = await headers_of(house, "GET", "/nowhere", **PAGE)
    assert headers["Content-Type"].startswith("text/html")
    assert "404" in text
    for path in ("/nowhere", "/api/v1/nowhere"):
        status, answer = await house.call("GET", path)
        assert (status, answer["error"]["code"]) == (404, "not_found")
    status, answer = await house.call("DELETE", "/api/v1/contacts")
    assert (status, answer["error"]["code"]) == (405, "method_not_allowed")


async def post(house: House, data: bytes, **headers: str) -> tuple[int, str]:
    async with house.http.post(f"{house.url}/api/v1/auth/login", data=data, headers=headers) as answer:
        return answer.status, (await answer.json())["error"]["code"]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b'{"username": "a"}',
        b'{"username": 5, "password": "x"}',
        b'{"username": "\xff", "password": "x"}',
        b"[" * 20_000,
        b'{"username":' * 5_000,
        b"",
    ],
)
async def test_a_body_that_is_not_understood_is_refused(house: House, body: bytes) -> None:
    assert await post(house, body, **{"Content-Type": "application/json"}) == (400, "invalid")


async def test_other_content_types_and_large_bodies_are_refused(house: House) -> None:
    good = b'{"username": "ann", "password": "x"}'
    assert await post(house, good, **{"Content-Type": "text/plain"}) == (415, "unsupported")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert await post(house, good, **form) == (415, "unsupported")
    assert await post(house, b" " * 70_000, **{"Content-Type": "application/json"}) == (413, "too_large")


async def test_a_bad_field_is_named(house: House) -> None:
    status, answer = await house.call("POST", "/api/v1/auth/login", {"username": "ann", "password": 5})
    assert (status, list(answer["error"]["fields"])) == (400, ["password"])
    status, answer = await house.call("POST", "/api/v1/auth/login", {"username": "ann"})
    assert (status, list(answer["error"]["fields"])) == (400, ["password"])
    ann = await house.person("ann.smith")
    status, answer = await ann.call("PATCH", "/api/v1/me", {"display_name": "Ann"}, **{"Idempotency-Key": "no key!"})
    assert (status, list(answer["error"]["fields"])) == (400, ["Idempotency-Key"])
    status, answer = await ann.call("GET", "/api/v1/sync?since=a&since=b")
    assert (status, list(answer["error"]["fields"])) == (400, ["since"])


async def test_static_files_are_kept_for_ever_under_their_version_only(house: House) -> None:
    _, headers, text = await headers_of(house, "GET", "/login")
    path = next(part for part in text.split('"') if part.startswith("/static/") and part.endswith(".js"))
    status, headers, _ = await headers_of(house, "GET", path)
    assert (status, headers["Content-Type"]) == (200, "text/javascript; charset=utf-8")
    assert "immutable" in headers["Cache-Control"]
    tag = headers["ETag"]
    name = path.split("/", 3)[3]
    status, headers, _ = await headers_of(house, "GET", f"/static/{name}")
    assert (status, headers["Cache-Control"], headers["ETag"]) == (200, "no-cache", tag)
    status, headers, _ = await headers_of(house, "GET", f"/static/{name}", **{"If-None-Match": tag})
    assert status == 304
    # A page of an older version may still load its modules, but not for ever.
    status, headers, _ = await headers_of(house, "GET", f"/static/0123456789ab/{name}")
    assert (status, headers["Cache-Control"]) == (200, "no-cache")


async def test_readiness_follows_the_actors(house: House) -> None:
    status, answer = await house.call("GET", "/readyz")
    assert (status, answer["status"]) == (200, "ready")
    assert [row["name"] for row in answer["actors"]] == list(OWNERS)
    house.owners["contacts"].beat("degraded")
    status, answer = await house.call("GET", "/readyz")
    assert (status, answer["status"]) == (200, "degraded")
    assert [row["state"] for row in answer["actors"]] == [
        "degraded" if name == "contacts" else "running" for name in OWNERS
    ]
    for owner in house.owners.values():
        owner.beat("stopping")
    status, answer = await house.call("GET", "/readyz")
    assert (status, answer["status"]) == (200, "degraded")
    house.post.reachable = False
    status, answer = await house.call("GET", "/readyz")
    assert (status, answer["status"]) == (503, "cut off")
    assert (await house.call("GET", "/healthz"))[0] == 200


@pytest.mark.parametrize("name", OWNERS)
async def test_a_front_that_never_heard_an_owner_tells_of_it_all_the_same(house: House, name: str) -> None:
    services = house.front._server.services
    # As if the front had been started while that owner was stopped, and some beats ago.
    services.hub.sources.clear()
    services.hub._born -= 1_000
    for owner in house.owners.values():
        if owner.name != name:
            owner.beat()
    status, answer = await house.call("GET", "/readyz")
    assert (status, answer["status"]) == (200, "degraded")
    assert [row["name"] for row in answer["actors"] if row["state"] == "down"] == [name]


async def test_metrics_tell_of_actors_requests_and_sockets(house: House) -> None:
    ann = await house.person("ann.smith")
    await house.call("PROPFIND", "/chat")
    house.front.receive(FrontBeat(source="front.2", figures={'parley_sockets{front="front.2"}': 7}))
    async with ann.socket():
        _, headers, text = await headers_of(house, "GET", "/metrics")
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = text.splitlines()
    assert 'parley_actor_up{actor="router"} 1' in lines
    assert 'parley_sockets{front="front.1"} 1' in lines
    assert 'parley_sockets{front="front.2"} 7' in lines
    assert len([line for line in lines if line == "# TYPE parley_sockets gauge"]) == 1
    register = 'method="POST",path="/api/v1/auth/register",status="201"'
    assert f'parley_http_requests_total{{front="front.1",{register}}} 1' in lines
    assert 'parley_http_requests_total{front="front.1",method="OTHER",path="unknown",status="405"} 1' in lines
    assert ann.id not in text


async def test_a_dripped_body_is_cut_off(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.dispatch.BODY_DEADLINE", 0.05)
    host, _, port = house.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        head = "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n"
        writer.write(f"{head}\r\n{{".encode())
        async with asyncio.timeout(5 * SCALE):
            assert b" 400 " in await reader.readline()
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("drip", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n"])
async def test_a_head_that_does_not_come_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drip: bytes
) -> None:
    monkeypatch.setattr("web.server.KEEPALIVE", 0.1)
    async with open_house(tmp_path) as house:
        host, _, port = house.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            writer.write(drip)
            async with asyncio.timeout(5 * SCALE):
                assert b"200" not in await reader.read()
        finally:
            writer.close()
            await writer.wait_closed()


async def test_what_is_not_there_is_not_explained_to_strangers(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = await house.person("ann.smith")

    async def broken(*_: Any) -> None:
        raise Refusal("unavailable", "The database /var/parley/router.db cannot be used now: no such table")

    monkeypatch.setattr(house.front._server.services.router, "read", broken)
    status, answer = await ann.call("GET", "/api/v1/sync?since=")
    assert (status, answer["error"]["code"], answer["error"]["retry_after"]) == (503, "unavailable", 1)
    assert "router.db" not in answer["error"]["message"]
    async with ann.socket() as hers:
        assert hers.hello["sync"] == ""
        await hers.send(type="sync", id="s", since="")
        error = await hers.next("error", id="s")
        assert (error["code"], error["retry_after"]) == ("unavailable", 1)
        assert "router.db" not in error["message"]


async def test_under_tls_cookies_are_prefixed_and_the_browser_stays_with_it(tmp_path: Path) -> None:
    async with open_house(tmp_path, web={"public_url": "https://chat.example"}) as house:
        own = {"Origin": "https://chat.example"}
        body = {"username": "ann.smith", "password": PASSWORD}
        async with house.http.post(f"{house.url}/api/v1/auth/register", json=body, headers=own) as answer:
            cookies = answer.headers.getall("Set-Cookie")
            assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")
        access, refresh = sorted(cookies)
        assert access.startswith("__Host-parley_access=")
        assert refresh.startswith("__Secure-parley_refresh=")
        assert all("Secure" in cookie and "HttpOnly" in cookie for cookie in cookies)
        assert "Path=/;" in access
        assert "Domain" not in access
        assert "Path=/api/v1/auth" in refresh
        assert "SameSite=Strict" in refresh
        assert "SameSite=Lax" in access
