"""The operator's page, its socket and its API: who may, what they see, what they do, and what is left of it on disk."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from protocols.auth import DisableUser, SetOperator
from protocols.errors import Refusal
from protocols.ops import SUBPROTOCOL, Letter, LetterBody, Letters
from supervision.tree import RefusedError
from tests.support.control import Invented, invented_supervisor
from tests.support.house import House, Person, open_house
from tests.support.waiting import SCALE, eventually
from web.ops.board import ALONE, EXPOSED

OPS = "/api/v1/ops"
ACTIONS = f"{OPS}/actions"
KILL = {"action": "kill", "actor": "router"}


async def operator(house: House, name: str = "olga.ops") -> Person:
    person = await house.person(name)
    await house.post.ask("auth", SetOperator(username=name), within=5 * SCALE)
    return person


def audited(house: House) -> list[tuple[str, str, str]]:
    file = house.environment.paths.logs / "audit.log"
    lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    return [(line["who"], line["what"], line["outcome"]) for line in lines]


class Page:
    """The page's end of its socket."""

    def __init__(self, opened: aiohttp.ClientWebSocketResponse) -> None:
        self.opened = opened

    async def next(self, kind: str, within: float = 5.0) -> dict[str, Any]:
        async with asyncio.timeout(within * SCALE):
            while True:
                frame: dict[str, Any] = await self.opened.receive_json()
                if frame["type"] == kind:
                    return frame

    async def closed(self, within: float = 5.0) -> int | None:
        async with asyncio.timeout(within * SCALE):
            while (await self.opened.receive()).type is aiohttp.WSMsgType.TEXT:
                pass
            return self.opened.close_code


@asynccontextmanager
async def page(house: House, who: Person, **headers: str) -> AsyncIterator[Page]:
    async with house.http.ws_connect(
        f"{house.url}/ws/ops", headers={**who.bearer, **headers}, protocols=(SUBPROTOCOL,)
    ) as opened:
        yield Page(opened)


async def upgrade(house: House, protocol: str = SUBPROTOCOL, **headers: str) -> tuple[int, str]:
    wanted = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol": protocol,
    }
    status, answer = await house.call("GET", "/ws/ops", None, **{**wanted, **headers})
    return status, answer["error"]["code"]


@pytest.fixture
async def supervisor(house: House) -> AsyncIterator[Invented]:
    async with invented_supervisor(house.environment.paths) as one:
        yield one


async def test_for_everybody_else_there_is_nothing_here(house: House, supervisor: Invented) -> None:
    ann, olga = await house.person("ann.smith"), await operator(house)
    nowhere = await house.call("GET", "/nowhere", None, Accept="application/json")
    for headers in ({}, ann.bearer, {"Authorization": "Bearer forged"}):
        assert await house.call("GET", "/ops", None, Accept="application/json", **headers) == nowhere
        assert await house.call("GET", OPS, None, **headers) == nowhere
        assert await house.call("POST", ACTIONS, KILL, **headers) == nowhere
        assert await house.call("GET", f"{OPS}/letters?actor=router", None, **headers) == nowhere
        assert await upgrade(house, **headers) == (404, "not_found")
        assert await upgrade(house, Origin="https://evil.example", **headers) == (404, "not_found")
    assert supervisor.asked == []
    assert (await olga.call("GET", OPS))[0] == 200
    async with house.http.get(f"{house.url}/ops", headers=olga.bearer) as answer:
        assert answer.status == 200
        assert "olga.ops" in await answer.text()


async def test_the_right_is_read_each_time(house: House) -> None:
    olga = await operator(house)
    assert (await olga.call("GET", OPS))[0] == 200
    async with page(house, olga) as open_page:
        await open_page.next("overview")
        await house.post.ask("auth", SetOperator(username=olga.name, on=False), within=5 * SCALE)
        assert (await olga.call("GET", OPS))[0] == 404
        assert await open_page.closed() == 4001
    assert (await olga.call("GET", "/api/v1/me"))[0] == 200


async def test_an_ended_session_ends_the_page(house: House) -> None:
    olga = await operator(house)
    async with page(house, olga) as open_page:
        await open_page.next("overview")
        await house.post.ask("auth", DisableUser(username=olga.name), within=5 * SCALE)
        assert await open_page.closed() == 4001
    await house.post.ask("auth", DisableUser(username=olga.name, disabled=False), within=5 * SCALE)
    assert (await olga.call("GET", OPS))[0] == 404


async def test_an_operators_expired_token_is_to_be_refreshed(tmp_path: Path) -> None:
    async with open_house(tmp_path, auth={"access_ttl": 5}) as house:
        ann, olga = await house.person("ann.smith"), await operator(house)
        clock = house.environment.now
        object.__setattr__(house.environment, "now", lambda: clock() + 60_000)
        assert (await olga.call("GET", OPS))[0] == 401
        assert (await ann.call("GET", OPS))[0] == 404
        async with house.http.get(f"{house.url}/ops", headers=olga.bearer) as answer:
            assert answer.status == 200, "the page itself refreshes the token"


async def test_another_site_opens_no_socket_with_an_operators_cookie(house: House) -> None:
    olga = await operator(house)
    cookie = {"Cookie": f"parley_access={olga.access}"}
    origin = {"Origin": house.environment.settings.web.origin}
    assert await upgrade(house, **cookie) == (403, "forbidden")
    assert await upgrade(house, **cookie, Origin="https://evil.example") == (403, "forbidden")
    assert await upgrade(house, protocol="parley.v1", **cookie, **origin) == (400, "invalid")
    status, answer = await house.call(
        "POST", ACTIONS, KILL, **cookie, Origin="https://evil.example", **{"Sec-Fetch-Site": "cross-site"}
    )
    assert (status, answer["error"]["code"]) == (403, "forbidden")
    assert audited(house) == []


async def test_the_page_is_told_what_was_and_what_is(house: House, supervisor: Invented) -> None:
    supervisor.rows[1] = Invented.row("router", state="backoff", pid=None, restarts=3, last_exit="SIGKILL", depth=8)
    olga = await operator(house)
    async with page(house, olga) as open_page:
        assert (await open_page.next("history"))["span"] == 900
        first = await open_page.next("overview")
        rows = {row["name"]: row for row in first["actors"]}
        assert list(rows) == ["broker", "router", "front.1"]
        router = rows["router"]
        assert (router["state"], router["restarts"], router["last_exit"]) == ("backoff", 3, "SIGKILL")
        assert (router["depth"], router["heard"]) == (0, "running"), "its mail is counted where it waits"
        assert (first["why_not"], len(first["actions"])) == ("", 4)
        supervisor.rows[1] = Invented.row("router", restarts=4)

        async def again() -> bool:
            rows = (await open_page.next("overview"))["actors"]
            return bool(rows[1]["state"] == "running" and rows[1]["restarts"] == 4)

        await eventually(again)
    _, answer = await olga.call("GET", OPS)
    assert [row["name"] for row in answer["actors"]] == ["broker", "router", "front.1"]


async def test_without_a_supervisor_it_says_so_and_shows_the_beats(house: House) -> None:
    olga = await operator(house)
    _, answer = await olga.call("GET", OPS)
    assert (answer["supervisor"], answer["actions"], answer["why_not"]) == (None, [], ALONE)
    assert {row["name"]: row["state"] for row in answer["actors"]} == dict.fromkeys(house.owners, "running")
    status, answer = await olga.call("POST", ACTIONS, KILL)
    assert (status, answer["error"]["code"]) == (503, "unavailable")
    assert audited(house) == [
        ("olga.ops", "kill router", "asked"),
        ("olga.ops", "kill router", "refused: The supervisor does not answer."),
    ]


async def test_an_action_is_written_down_and_done_once(house: House, supervisor: Invented) -> None:
    olga = await operator(house)
    for _ in range(2):
        status, answer = await olga.call("POST", ACTIONS, KILL, **{"Idempotency-Key": "k1"})
        assert (status, answer) == (200, {"outcome": "done"})
    assert supervisor.asked == [("kill", "router")]
    assert audited(house) == [("olga.ops", "kill router", "asked"), ("olga.ops", "kill router", "done")]
    file = house.environment.paths.logs / "audit.log"
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("code", "status", "shown"),
    [("unknown_actor", 404, "not_found"), ("not_running", 409, "conflict"), ("busy", 503, "unavailable")],
)
async def test_what_the_supervisor_refuses_is_told(
    house: House, supervisor: Invented, code: str, status: int, shown: str
) -> None:
    olga = await operator(house)
    supervisor.refuses = RefusedError(code, "no, because")
    got, answer = await olga.call("POST", ACTIONS, KILL)
    assert (got, answer["error"]["code"]) == (status, shown)
    assert audited(house)[-1] == ("olga.ops", "kill router", "refused: no, because")


async def test_a_slow_action_is_under_way_and_ends_in_the_audit_log(house: House, supervisor: Invented) -> None:
    olga = await operator(house)
    supervisor.go.clear()
    status, answer = await olga.call("POST", ACTIONS, {"action": "restart", "actor": "front"})
    assert (status, answer) == (200, {"outcome": "under_way"})
    assert audited(house) == [("olga.ops", "restart front", "asked")]
    supervisor.go.set()
    await eventually(lambda: audited(house)[-1] == ("olga.ops", "restart front", "done"))


@pytest.mark.parametrize(
    "body",
    [
        {"action": "down", "actor": "router"},
        {"action": "kill", "actor": "../router"},
        {"action": "kill", "actor": "router", "as": "x"},
        {"action": "kill"},
    ],
)
async def test_nonsense_is_refused_before_anything_is_written(
    house: House, supervisor: Invented, body: dict[str, str]
) -> None:
    olga = await operator(house)
    assert (await olga.call("POST", ACTIONS, body))[0] == 400
    assert supervisor.asked == []
    assert audited(house) == []


@pytest.mark.parametrize(
    ("sections", "allowed"),
    [
        ({"ops": {"actions": "never"}}, False),
        ({"web": {"allowed_origins": ["http://192.168.1.10:8080"]}}, False),
        ({"web": {"allowed_origins": ["http://192.168.1.10:8080"]}, "ops": {"actions": "always"}}, True),
    ],
)
async def test_actions_are_off_where_others_reach_the_page(
    tmp_path: Path, sections: dict[str, dict[str, object]], allowed: bool
) -> None:
    async with open_house(tmp_path, **sections) as house, invented_supervisor(house.environment.paths) as supervisor:
        olga = await operator(house)
        _, overview = await olga.call("GET", OPS)
        assert bool(overview["actions"]) is allowed
        assert len(overview["actors"]) == 3, "the table is there in any case"
        status, answer = await olga.call("POST", ACTIONS, KILL)
        if allowed:
            assert status == 200
        else:
            assert (status, answer["error"]["message"]) == (403, overview["why_not"])
            assert supervisor.asked == []
        if "web" in sections and not allowed:
            assert overview["why_not"] == EXPOSED


class FewLetters:
    """A broker with one letter."""

    letter = Letter(mark="abcdef012345", actor="router", at="2026-01-01T00:00:00.000Z", reason="poison", command_id="c")

    async def all_of(self, actor: str) -> Letters:
        return Letters([self.letter] if actor == "router" else [], more=False)

    async def body(self, actor: str, mark: str) -> LetterBody:
        if (actor, mark) != ("router", self.letter.mark):
            raise Refusal("not_found", "This letter is not there any more.")
        return LetterBody(letter=self.letter, sender="front.1:x", text='{"body": "hello"}')


async def test_letters_are_listed_and_one_that_is_read_leaves_a_trace(house: House) -> None:
    house.front._server.services.ops.letters = FewLetters()
    olga = await operator(house)
    _, listed = await olga.call("GET", f"{OPS}/letters?actor=router")
    assert [letter["mark"] for letter in listed["letters"]] == ["abcdef012345"]
    assert "text" not in listed["letters"][0]
    assert (await olga.call("GET", f"{OPS}/letters?actor=nobody"))[0] == 400
    assert (await olga.call("GET", f"{OPS}/letters/ffffff012345?actor=router"))[0] == 404
    assert audited(house) == []
    status, shown = await olga.call("GET", f"{OPS}/letters/abcdef012345?actor=router")
    assert (status, shown["text"]) == (200, '{"body": "hello"}')
    assert audited(house) == [("olga.ops", "read letter abcdef012345 of router", "done")]


async def test_a_log_is_followed_one_at_a_time(house: House) -> None:
    logs = house.environment.paths.logs
    (logs / "router.log").write_text("one\ntwo\n")
    olga = await operator(house)
    async with page(house, olga) as open_page:
        await open_page.opened.send_json({"type": "follow", "name": "router"})
        first = await open_page.next("log")
        assert (first["name"], first["lines"], first["fresh"]) == ("router", ["one", "two"], True)
        with (logs / "router.log").open("a") as more:
            more.write("three\n")
        added = await open_page.next("log")
        assert (added["lines"], added["fresh"]) == (["three"], False)
        await open_page.opened.send_json({"type": "follow", "name": "auth"})
        none_yet = await open_page.next("log")
        assert (none_yet["name"], none_yet["lines"], none_yet["fresh"]) == ("auth", [], True)
        (logs / "auth.log").write_text("here\n")
        assert (await open_page.next("log"))["lines"] == ["here"]


@pytest.mark.parametrize(
    "text", ["nonsense", '{"type": "follow", "name": "../secrets"}', '{"type": "kill"}', "[" * 900]
)
async def test_what_is_not_understood_closes_the_page(house: House, text: str) -> None:
    olga = await operator(house)
    async with page(house, olga) as open_page:
        await open_page.opened.send_str(text)
        assert await open_page.closed() == 1008


async def test_a_front_that_goes_away_sends_the_page_to_another(house: House) -> None:
    olga = await operator(house)
    async with page(house, olga) as open_page:
        await open_page.next("overview")
        draining = asyncio.create_task(house.front.drain())
        assert await open_page.closed() == 1012
        await draining


async def test_only_so_many_pages_are_open(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.ops.desk.WATCHERS", 1)
    olga = await operator(house)
    async with page(house, olga):
        assert await upgrade(house, **olga.bearer) == (429, "rate_limited")
