"""Refreshing, logging out, and what ends a session."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from msgspec import msgpack

from actors.auth import signing
from protocols.auth import (
    ChangePassword,
    DeleteAccount,
    DisableUser,
    EndSession,
    LogIn,
    LogOut,
    Refresh,
    ResetPassword,
    SignedIn,
)
from protocols.errors import Refusal
from storage import Reader
from storage.auth import AUTH, AuthUnit
from tests.support.auth_desk import OTHER_PASSWORD, PASSWORD, Desk, open_desk
from web.tokens import Verifier


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(tmp_path) as one:
        yield one


async def test_refreshing_yields_new_tokens_of_the_same_session(desk: Desk) -> None:
    ann = await desk.register()
    desk.pass_time(seconds=600)
    again = await desk.do(Refresh(token=ann.refresh_token))
    assert (again.user, again.session) == (ann.user, ann.session)
    assert again.refresh_token != ann.refresh_token
    verifier = Verifier(await desk.database.read(lambda tx: tx.keys.public()))
    with pytest.raises(Refusal):
        verifier.verify(ann.access_token, desk.now)
    assert verifier.verify(again.access_token, desk.now).session == ann.session
    session = await desk.database.read(lambda tx: tx.sessions.get(ann.session))
    assert session is not None
    assert session.last_used_at == desk.now


async def test_ten_refreshes_at_once_get_one_successor(desk: Desk) -> None:
    ann = await desk.register()
    works = [await desk.prepare(Refresh(token=ann.refresh_token)) for _ in range(10)]
    results = await desk.commit(*works[:4])
    results += await desk.commit(*works[4:])
    tokens = {decode(result.value).refresh_token for result in results}
    assert len(tokens) == 1
    assert await desk.live(ann.session)


async def test_a_spent_token_ends_its_session(desk: Desk) -> None:
    ann = await desk.register()
    other = await desk.log_in()
    desk.pass_time(seconds=1)
    first = await desk.do(Refresh(token=ann.refresh_token))
    second = await desk.do(Refresh(token=first.refresh_token))
    assert (await desk.refused(Refresh(token=ann.refresh_token))).code == "unauthenticated"
    assert desk.told == [ann.session]
    assert not await desk.live(ann.session)
    assert (await desk.refused(Refresh(token=second.refresh_token))).code == "unauthenticated"
    assert await desk.live(other.session)


async def test_after_the_grace_the_old_token_is_spent_though_the_new_one_was_never_used(desk: Desk) -> None:
    ann = await desk.register()
    first = await desk.do(Refresh(token=ann.refresh_token))
    desk.pass_time(seconds=30)
    assert (await desk.do(Refresh(token=ann.refresh_token))).refresh_token == first.refresh_token
    desk.pass_time(seconds=0.001)
    await desk.refused(Refresh(token=ann.refresh_token))
    assert not await desk.live(ann.session)


@pytest.mark.parametrize("token", ["", "x" * 64, "A" * 64, "no token"])
async def test_what_is_no_token_of_ours_refreshes_nothing(desk: Desk, token: str) -> None:
    await desk.register()
    assert (await desk.refused(Refresh(token=token))).code == "unauthenticated"
    assert desk.told == []


async def test_a_session_ends_after_a_week_without_use(desk: Desk) -> None:
    ann = await desk.register()
    desk.pass_time(days=6.9)
    ann = await desk.do(Refresh(token=ann.refresh_token))
    assert ann.expires_in == 600
    desk.pass_time(days=7, seconds=-1)
    assert await desk.live(ann.session)
    desk.pass_time(seconds=1)
    assert not await desk.live(ann.session)
    assert (await desk.refused(Refresh(token=ann.refresh_token))).code == "unauthenticated"
    await desk.tick()
    assert desk.told == [ann.session]


async def test_a_session_ends_after_a_month_however_it_is_used(desk: Desk) -> None:
    ann = await desk.register()
    for _ in range(5):
        desk.pass_time(days=5.9)
        ann = await desk.do(Refresh(token=ann.refresh_token))
    desk.pass_time(days=0.5, seconds=-100)
    last = await desk.do(Refresh(token=ann.refresh_token))
    assert last.expires_in == 100
    desk.pass_time(seconds=100)
    assert not await desk.live(ann.session)
    assert (await desk.refused(Refresh(token=last.refresh_token))).code == "unauthenticated"


async def test_logging_out_by_refresh_token_ends_the_session_and_may_be_repeated(desk: Desk) -> None:
    ann = await desk.register()
    await desk.do(LogOut(token=ann.refresh_token))
    assert desk.told == [ann.session]
    assert not await desk.live(ann.session)
    await desk.do(LogOut(token=ann.refresh_token))
    await desk.do(LogOut(token="none of ours"))


async def test_a_person_ends_their_own_sessions_and_nobody_elses(desk: Desk) -> None:
    ann, bob = await desk.register("ann"), await desk.register("bob")
    other = await desk.log_in("ann")
    for session in (ann.session, "invented"):
        assert (await desk.refused(EndSession(session=session), bob.user.id)).code == "not_found"
    assert await desk.live(ann.session)
    await desk.do(EndSession(session=ann.session), ann.user.id, "end-1")
    assert desk.told == [ann.session]
    assert [await desk.live(one.session) for one in (ann, other)] == [False, True]
    # The same command again tells the fronts again, who may have missed it.
    await desk.do(EndSession(session=ann.session), ann.user.id, "end-1")
    assert desk.told == [ann.session, ann.session]


async def test_fronts_read_which_sessions_ended_in_pages(desk: Desk, tmp_path: Path) -> None:
    sessions = [await desk.register("ann")] + [await desk.log_in("ann") for _ in range(4)]
    reader = Reader(AUTH, tmp_path / "db")
    try:
        cursor = await reader.read(lambda tx: tx.journal.change())
        await desk.do(ResetPassword(username="ann", password=OTHER_PASSWORD))
        seen: list[str] = []
        while True:
            page, cursor = await reader.read(partial(ended_since, cursor))
            if not page:
                break
            seen += page
    finally:
        await reader.close()
    assert sorted(seen) == sorted(one.session for one in sessions)
    assert sorted(desk.told) == sorted(seen)


async def test_changing_the_password_ends_every_other_session(desk: Desk) -> None:
    ann, other = await desk.register(), await desk.log_in()
    change = ChangePassword(session=ann.session, current=PASSWORD, new=OTHER_PASSWORD)
    await desk.do(change, ann.user.id, "change-1")
    assert [await desk.live(one.session) for one in (ann, other)] == [True, False]
    assert desk.told == [other.session]
    assert (await desk.refused(LogIn(username="ann", password=PASSWORD))).code == "wrong_credentials"
    fresh = await desk.log_in(password=OTHER_PASSWORD)
    # Its repetition, when the answer was lost, is no wrong password.
    await desk.do(change, ann.user.id, "change-1")
    assert await desk.live(fresh.session)


async def test_changing_the_password_needs_the_present_one_and_a_good_new_one(desk: Desk) -> None:
    ann, bob = await desk.register("ann"), await desk.register("bob")
    wrong = ChangePassword(session=ann.session, current=OTHER_PASSWORD, new=OTHER_PASSWORD)
    refusal = await desk.refused(wrong, ann.user.id)
    assert (refusal.code, set(refusal.body.fields or {})) == ("invalid", {"current"})
    weak = ChangePassword(session=ann.session, current=PASSWORD, new="password1234")
    refusal = await desk.refused(weak, ann.user.id)
    assert (refusal.code, set(refusal.body.fields or {})) == ("invalid", {"new"})
    foreign = ChangePassword(session=bob.session, current=PASSWORD, new=OTHER_PASSWORD)
    assert (await desk.refused(foreign, ann.user.id)).code == "unauthenticated"
    await desk.log_in("ann")


async def test_guessing_the_present_password_from_a_stolen_session_is_limited(desk: Desk) -> None:
    ann = await desk.register()
    change = ChangePassword(session=ann.session, current="a wrong password", new=OTHER_PASSWORD)
    for _ in range(5):
        assert (await desk.refused(change, ann.user.id)).code == "invalid"
    assert (await desk.refused(change, ann.user.id)).code == "rate_limited"
    assert (await desk.refused(DeleteAccount(password=PASSWORD), ann.user.id)).code == "rate_limited"
    await desk.log_in()


async def test_disabling_ends_all_sessions_and_enabling_brings_none_back(desk: Desk) -> None:
    ann = await desk.register()
    await desk.do(DisableUser(username="ann"))
    assert desk.told == [ann.session]
    assert (await desk.refused(Refresh(token=ann.refresh_token))).code == "unauthenticated"
    await desk.do(DisableUser(username="ann", disabled=False))
    assert not await desk.live(ann.session)
    await desk.log_in()


async def test_old_sessions_are_forgotten_in_the_end(desk: Desk) -> None:
    ann = await desk.register()
    await desk.do(LogOut(token=ann.refresh_token))
    desk.pass_time(days=30, seconds=1)
    await desk.tick()
    assert await desk.database.read(lambda tx: tx.sessions.get(ann.session)) is None


async def test_a_new_signing_key_leaves_tokens_of_the_one_before_good(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        ann = await desk.register()
    signing.generate(tmp_path / "secrets", desk.now + 1)
    async with open_desk(tmp_path) as desk:
        bob = await desk.register("bob")
        keys = await desk.database.read(lambda tx: tx.keys.public())
        assert len(keys) == 2
        verifier = Verifier(keys)
        assert verifier.verify(ann.access_token, desk.now).user == ann.user.id
        assert verifier.verify(bob.access_token, desk.now).user == bob.user.id
        assert (await desk.do(Refresh(token=ann.refresh_token))).session == ann.session


def ended_since(change: int, tx: AuthUnit) -> tuple[list[str], int]:
    return tx.sessions.ended_since(change, 2)


def decode(value: bytes | None) -> SignedIn:
    assert value is not None
    return msgpack.decode(value, type=SignedIn)
