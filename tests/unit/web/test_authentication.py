"""How long a session's row and a set of keys are believed, with a clock in the test's hand."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from actors.auth import signing
from actors.runtime import Environment
from protocols.errors import Refusal
from settings import Paths
from storage import Database, Reader
from storage.auth import AUTH, AuthUnit, Chain, Session
from tests.support.node import installation
from tests.support.people import ANN, BOB, add_people
from web.authentication import Authenticator, Caller
from web.cookies import Cookies

NOW = 1_700_000_000_000
DAY = 86_400_000


class CountingReader(Reader[AuthUnit]):
    """Reads the real database, and counts how often."""

    count = 0

    async def read(self, work: Any) -> Any:
        self.count += 1
        return await super().read(work)


@dataclass
class World:
    database: Database[AuthUnit]
    reader: CountingReader
    secrets: Path
    signer: signing.Signer
    seconds: float = 0.0
    auth_is_down: bool = False

    def __post_init__(self) -> None:
        settings = installation(self.secrets)
        environment = Environment(
            settings, Paths.of(settings), now=lambda: NOW + int(self.seconds * 1000), monotonic=lambda: self.seconds
        )
        self.authenticator = Authenticator(environment, Cookies(settings), self.reader, lambda: self.auth_is_down)

    def token(self, session: str = "s1", user: str = ANN, signer: signing.Signer | None = None) -> str:
        return (signer or self.signer).sign(row(session, user), "j", NOW, 600)[0]

    async def caller(self, token: str, *, late: bool = False) -> Caller | None:
        return await self.authenticator.caller(asking(Authorization=f"Bearer {token}"), late=late)

    async def code(self, token: str, *, late: bool = False) -> str:
        with pytest.raises(Refusal) as refused:
            await self.caller(token, late=late)
        return refused.value.code

    async def end(self, session: str) -> None:
        await self.database.run(lambda tx: tx.sessions.end([session], NOW))


def row(session: str, user: str = ANN) -> Session:
    return Session(id=session, user=user, agent="", address="", created_at=NOW, last_used_at=NOW, ends_at=NOW + DAY)


def asking(**headers: str) -> web.Request:
    return make_mocked_request("GET", "/", headers=headers)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    database = await Database.open(AUTH, tmp_path)
    signer = signing.load(signing.generate(tmp_path / "secrets", NOW))

    def fill(tx: AuthUnit) -> None:
        add_people(tx, [ANN, BOB])
        tx.sessions.begin(row("s1"), b"family", Chain(link=b"link", previous=None, rotated_at=NOW))
        tx.keys.ensure(signer.public, NOW)

    await database.run(fill)
    reader = CountingReader(AUTH, tmp_path)
    try:
        yield World(database, reader, tmp_path, signer)
    finally:
        await reader.close()
        await database.close()


async def test_a_genuine_token_of_a_live_session_names_its_person(world: World) -> None:
    token = world.token()
    assert await world.caller(token) == Caller(user=ANN, session="s1", cookie=False, ends_at=NOW + DAY)
    by_cookie = await world.authenticator.caller(asking(Cookie=f"parley_access={token}"))
    assert by_cookie == Caller(user=ANN, session="s1", cookie=True, ends_at=NOW + DAY)
    assert await world.authenticator.caller(asking()) is None


async def test_a_token_in_the_header_counts_more_than_the_cookie(world: World) -> None:
    both = asking(Authorization="Bearer forged", Cookie=f"parley_access={world.token()}")
    with pytest.raises(Refusal, match="unauthenticated"):
        await world.authenticator.caller(both)


async def test_an_ended_session_is_believed_for_half_a_second_at_most(world: World) -> None:
    token = world.token()
    await world.caller(token)
    await world.end("s1")
    world.seconds = 0.4
    assert await world.caller(token)
    world.seconds = 0.6
    assert await world.code(token) == "unauthenticated"


async def test_a_session_that_is_forgotten_is_read_again(world: World) -> None:
    token = world.token()
    await world.caller(token)
    await world.end("s1")
    world.authenticator.forget("s1")
    assert await world.code(token) == "unauthenticated"


async def test_a_busy_session_is_read_twice_a_second_and_not_for_each_request(world: World) -> None:
    token = world.token()
    await world.caller(token)
    before = world.reader.count
    for _ in range(50):
        await world.caller(token)
    assert world.reader.count == before


async def test_a_session_of_another_person_or_of_nobody_is_refused(world: World) -> None:
    assert await world.code(world.token(user=BOB)) == "unauthenticated"
    assert await world.code(world.token(session="s9")) == "unauthenticated"


async def test_a_session_ends_with_its_time(world: World) -> None:
    world.seconds = DAY / 1000
    assert await world.code(world.token(), late=True) == "unauthenticated"


async def test_an_expired_token_is_good_while_auth_is_down_or_where_lateness_is_no_matter(world: World) -> None:
    token = world.token()
    world.seconds = 601
    assert await world.code(token) == "unauthenticated"
    assert await world.caller(token, late=True)
    world.auth_is_down = True
    assert await world.caller(token)
    await world.end("s1")
    world.authenticator.forget("s1")
    assert await world.code(token) == "unauthenticated"


async def test_a_new_key_is_found_and_an_invented_one_is_looked_for_once_a_second(world: World) -> None:
    await world.caller(world.token())
    newer = signing.load(signing.generate(world.secrets / "secrets", NOW + 1))
    await world.database.run(lambda tx: tx.keys.ensure(newer.public, NOW + 1))
    world.seconds = 1.5
    assert await world.caller(world.token(signer=newer))
    eves = world.token(signer=signing.load(signing.generate(world.secrets / "eve", NOW)))
    before = world.reader.count
    for _ in range(20):
        assert await world.code(eves) == "unauthenticated"
    assert world.reader.count == before
    world.seconds = 3.0
    for _ in range(20):
        assert await world.code(eves) == "unauthenticated"
    assert world.reader.count == before + 1


async def test_who_was_signed_in_here_is_known_by_a_token_of_any_age(world: World) -> None:
    token = world.token()
    world.seconds = 10**6
    assert await world.authenticator.known_session(asking(Cookie=f"parley_access={token}")) == "s1"
    assert await world.authenticator.known_session(asking(Cookie="parley_access=forged")) == ""
    assert await world.authenticator.known_session(asking()) == ""


async def test_while_the_database_is_away_nobody_is_believed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    token = world.token()
    await world.caller(token)

    async def away(*_: Any) -> None:
        raise Refusal("unavailable")

    monkeypatch.setattr(world.reader, "read", away)
    world.seconds = 0.6
    assert await world.code(token) == "unavailable"


async def test_what_is_remembered_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.authentication.REMEMBERED", 3)
    for number in range(10):
        assert await world.authenticator.session(f"x{number}") is None
    assert len(world.authenticator._rows) <= 3
