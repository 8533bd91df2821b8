"""What every answer bears and no request can do, for all routes as they are declared, and the limits on accounts."""

import asyncio
import html.parser
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from actors.auth import signing
from protocols.auth import DisableUser
from tests.support.house import PASSWORD, House, open_house
from tests.support.waiting import SCALE, eventually
from web.pages import PAGES
from web.routes import ROUTES
from web.security import HEADERS

EVIL = "https://evil.example"
LOGIN = "/api/v1/auth/login"
PROXIED: dict[str, object] = {"trusted_proxies": ["127.0.0.1/32"]}


def declared() -> list[tuple[str, str]]:
    ways = [(route.method, route.path) for route in ROUTES] + [(method, path) for method, path, _ in PAGES]
    others = ["/metrics", "/api/v1/openapi.json", "/ws", "/static/x", "/favicon.ico", "/nothing/here"]
    return ways + [("GET", path) for path in others]


async def test_every_address_bears_the_headers_and_lets_no_other_site_read(house: House) -> None:
    ann = await house.person("ann.smith")
    for method, path in declared():
        address = house.url + path.replace("{id}", "x").replace("{user_id}", "x").replace("{conversation}", "x")
        for signed in ({}, ann.bearer):
            async with house.http.request(
                method, address, headers={"Origin": EVIL, **signed}, allow_redirects=False
            ) as answer:
                assert HEADERS.items() <= dict(answer.headers).items(), (method, path)
                assert not [name for name in answer.headers if name.startswith("Access-Control-")], (method, path)
                assert answer.status != 500, (method, path)


async def test_nothing_that_is_read_changes_anything(house: House) -> None:
    ann, bob = await house.person("ann.smith"), await house.person("bob.jones")
    await house.befriend(ann, bob)
    _, listed = await ann.call("GET", "/api/v1/conversations")
    conversation = listed["conversations"][0]["id"]

    async def numbers() -> list[int]:
        return [await owner.database.read(lambda tx: tx.journal.change()) for owner in house.owners.values()]

    before = await numbers()
    for method, path in declared():
        if method != "GET" or path == "/ws":
            continue
        address = house.url + path.replace("{id}", conversation).replace("{conversation}", conversation)
        query = {"q": "bob"} if path.endswith("/users") else {}
        for way in ("GET", "HEAD"):
            async with house.http.request(
                way, address, params=query, headers=ann.bearer, allow_redirects=False
            ) as answer:
                assert answer.status < 500, (way, path)
    assert await numbers() == before


@pytest.mark.parametrize("method", ["TRACE", "OPTIONS", "PUT"])
async def test_methods_that_are_not_offered(house: House, method: str) -> None:
    for path in ("/api/v1/conversations", "/", "/static/", "/metrics"):
        status, answer = await house.call(method, path)
        assert (status, answer["error"]["code"]) in {(405, "method_not_allowed"), (404, "not_found")}, path


async def test_directories_are_not_listed(house: House) -> None:
    for path in ("/static", "/static/", "/static/js/", "/static/..%2f..%2fconfig.toml", "/.git/config", "/data/"):
        status, _ = await house.call("GET", path)
        assert status == 404, path


async def test_depth_and_kind_of_json_do_not_matter(house: House) -> None:
    ann = await house.person("ann.smith")
    for body in (
        b'{"username":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b"[" * 60_000,
        b'{"username":"ann.smith","password":1e999}',
        b'{"username":"ann.smith","password":"\\ud800"}',
        b"\xff\xfe{}",
    ):
        async with house.http.post(
            f"{house.url}{LOGIN}", data=body, headers={**ann.bearer, "Content-Type": "application/json"}
        ) as answer:
            assert answer.status == 400
            assert (await answer.json())["error"]["code"] == "invalid"


async def test_any_password_of_128_signs_works_from_end_to_end(house: House) -> None:
    for number, password in enumerate(
        ("🚢🌊🐟🦀" * 8 + "ёжик" * 24, "  spaces before and behind  ", "ж" * 50 + "x" * 60)
    ):
        account: dict[str, Any] = {"username": f"user.{number}", "password": password}
        status, _ = await house.call("POST", "/api/v1/auth/register", account)
        assert status == 201, password
        assert (await house.call("POST", LOGIN, account))[0] == 200
        # Not one sign of it is left out or changed.
        for other in (password[:-1], password.strip() if password != password.strip() else password + "x"):
            assert (await house.call("POST", LOGIN, {**account, "password": other}))[0] == 401


async def test_guessing_ends_with_the_time_to_wait(house: House) -> None:
    await house.person("ann.smith")
    guess = {"username": "ann.smith", "password": "not the right one"}
    for _ in range(5):
        assert (await house.call("POST", LOGIN, guess))[0] == 401
    async with house.http.post(f"{house.url}{LOGIN}", json={**guess, "password": PASSWORD}) as answer:
        assert answer.status == 429
        assert 0 < int(answer.headers["Retry-After"]) <= 900
        assert (await answer.json())["error"]["code"] == "rate_limited"


async def test_a_disabled_account_is_out_within_a_second(house: House) -> None:
    ann = await house.person("ann.smith")
    async with ann.socket() as hers:
        await house.post.ask("auth", DisableUser(username="ann.smith"), within=5 * SCALE)
        assert await hers.closed(within=1.0) == 4001

    async def out() -> bool:
        return (await ann.call("GET", "/api/v1/me"))[0] == 401

    await eventually(out, within=1.0)
    refresh = {"refresh_token": ann.refresh}
    assert (await house.call("POST", "/api/v1/auth/refresh", refresh))[0] == 401


async def test_a_token_that_was_good_is_refused_everywhere(house: House) -> None:
    ann = await house.person("ann.smith")
    me = (await ann.call("GET", "/api/v1/me"))[1]
    session = await house.owners["auth"].database.read(lambda tx: tx.sessions.get(me["session"]))
    signer = signing.newest(house.environment.paths.secrets, 0)
    now = house.environment.now()
    for at, seconds, status in ((now, 60, 200), (now - 61_000, 60, 401), (now + 120_000, 60, 401)):
        token, _ = signer.sign(session, "j", at, seconds)
        bearer = {"Authorization": f"Bearer {token}"}
        assert (await house.call("GET", "/api/v1/me", None, **bearer))[0] == status
        ann.access = token
        if status == 200:
            async with ann.socket():
                continue
        with pytest.raises(aiohttp.WSServerHandshakeError) as no:
            async with ann.socket():
                pass
        assert no.value.status == status


async def test_registrations_are_limited_by_the_address_behind_a_proxy(tmp_path: Path) -> None:
    async with open_house(tmp_path, web=PROXIED, limits={"registrations_per_hour": 2}) as house:

        async def register(name: str, address: str) -> int:
            account = {"username": name, "password": PASSWORD}
            return (await house.call("POST", "/api/v1/auth/register", account, **{"X-Forwarded-For": address}))[0]

        assert [await register(f"one.{number}", "203.0.113.9") for number in range(3)] == [201, 201, 429]
        # What a client claims in front of what the proxy saw changes nothing.
        assert await register("two", "198.51.100.1, 203.0.113.9") == 429
        assert await register("three", "203.0.113.10") == 201


async def test_sockets_are_limited_by_the_address_behind_a_proxy(tmp_path: Path) -> None:
    async with open_house(tmp_path, web=PROXIED, limits={"sockets_per_address": 1}) as house:
        ann, bob = await house.person("ann.smith"), await house.person("bob.jones")
        there = {"X-Forwarded-For": "203.0.113.9"}
        wanted = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Protocol": "parley.v1",
        }
        async with house.http.ws_connect(
            f"{house.url}/ws", headers={**ann.bearer, **there}, protocols=("parley.v1",)
        ) as opened:
            assert (await opened.receive_json())["type"] == "hello"
            status, answer = await house.call("GET", "/ws", None, **{**bob.bearer, **there, **wanted})
            assert (status, answer["error"]["code"]) == (429, "rate_limited")
        async with bob.socket() as his:
            assert his.hello["user"]["id"] == bob.id


class Inputs(html.parser.HTMLParser):
    """The attributes of the inputs of a page, by id."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, dict[str, str | None]] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "input":
            given = dict(attrs)
            self.found[given.get("id") or ""] = given


@pytest.mark.parametrize(("path", "use"), [("/login", "current-password"), ("/register", "new-password")])
async def test_password_managers_can_fill_in(house: House, path: str, use: str) -> None:
    async with asyncio.timeout(5 * SCALE), house.http.get(f"{house.url}{path}") as answer:
        page = Inputs()
        page.feed(await answer.text())
    password = page.found["password"]
    assert (password["type"], password["autocomplete"]) == ("password", use)
    assert page.found["username"]["autocomplete"] == "username"
    # No pattern, no greatest length that cuts off what was pasted, nothing that forbids pasting.
    assert not {"pattern", "maxlength", "onpaste", "readonly"} & set(password)
