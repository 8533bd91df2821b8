"""Registering, logging in, and the limits on both."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import bcrypt
import pytest

from protocols.auth import ChangePassword, DeleteAccount, DisableUser, EndSession, Invite, LogIn, Register
from protocols.errors import Refusal
from storage.auth import Account
from tests.support.auth_desk import AWAY, NOW, OTHER_PASSWORD, PASSWORD, Desk, open_desk
from web.tokens import Verifier


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(tmp_path) as one:
        yield one


async def test_registering_makes_an_account_and_a_session(desk: Desk) -> None:
    signed_in = await desk.register("Ann", display_name="Ann Lee", agent="Firefox\n", address=AWAY)
    assert (signed_in.user.username, signed_in.user.display_name) == ("ann", "Ann Lee")
    session = await desk.database.read(lambda tx: tx.sessions.get(signed_in.session))
    assert session is not None
    assert (session.user, session.agent, session.address) == (signed_in.user.id, "Firefox ", AWAY)
    keys = await desk.database.read(lambda tx: tx.keys.public())
    claims = Verifier(keys).verify(signed_in.access_token, desk.now)
    assert (claims.user, claims.session) == (signed_in.user.id, signed_in.session)
    assert claims.expires_at == desk.now // 1000 + signed_in.expires_in == desk.now // 1000 + 600


async def test_without_a_display_name_the_username_is_shown(desk: Desk) -> None:
    assert (await desk.register("ann")).user.display_name == "ann"


async def test_every_bad_field_is_named(desk: Desk) -> None:
    refusal = await desk.refused(Register(username="a!", password="short", display_name="\u202e"))
    assert refusal.code == "invalid"
    assert set(refusal.body.fields or {}) == {"username", "password"}
    refusal = await desk.refused(Register(username="ann", password=PASSWORD, display_name="\u202e"))
    assert set(refusal.body.fields or {}) == {"display_name"}


@pytest.mark.parametrize("again", ["ann", "ANN", "\uff21nn"])
async def test_a_name_is_taken_in_every_spelling(desk: Desk, again: str) -> None:
    await desk.register("ann")
    refusal = await desk.refused(Register(username=again, password=OTHER_PASSWORD))
    assert refusal.code == "username_taken"


async def test_two_who_register_one_name_at_once_are_not_both_let_in(desk: Desk) -> None:
    one = await desk.prepare(Register(username="ann", password=PASSWORD))
    other = await desk.prepare(Register(username="ann", password=OTHER_PASSWORD))
    first, second = await desk.commit(one, other)
    assert first.error is None
    assert second.error is not None
    assert second.error.code == "username_taken"


async def test_a_registration_whose_answer_was_lost_can_be_repeated_by_who_knows_the_password(desk: Desk) -> None:
    first = await desk.register("ann", number="idem-1")
    again = await desk.register("ann", number="idem-1")
    assert again.user == first.user
    assert again.session != first.session
    stranger = Register(username="ann", password=OTHER_PASSWORD)
    assert (await desk.refused(stranger, number="idem-1")).code == "username_taken"


async def test_registration_can_be_closed(tmp_path: Path) -> None:
    async with open_desk(tmp_path, auth={"registration": "closed"}) as desk:
        refusal = await desk.refused(Register(username="ann", password=PASSWORD))
        assert refusal.code == "registration_closed"


async def test_an_invitation_lets_one_person_in_while_it_is_good(tmp_path: Path) -> None:
    async with open_desk(tmp_path, auth={"registration": "invitation"}) as desk:
        invitation = await desk.do(Invite(days=1))
        bad = await desk.refused(Register(username="ann", password=PASSWORD, invitation=invitation.code + "x"))
        assert bad.code == "invitation_required"
        one = await desk.prepare(Register(username="ann", password=PASSWORD, invitation=invitation.code))
        other = await desk.prepare(Register(username="bob", password=PASSWORD, invitation=invitation.code))
        first, second = await desk.commit(one, other)
        assert first.error is None
        assert second.error is not None
        assert second.error.code == "invitation_required"
        assert await desk.database.read(lambda tx: tx.accounts.by_username("bob")) is None
        late = await desk.do(Invite(days=1))
        desk.pass_time(days=1)
        command = Register(username="cat", password=PASSWORD, invitation=late.code)
        assert (await desk.refused(command)).code == "invitation_required"


async def test_registrations_an_address_are_limited(tmp_path: Path) -> None:
    async with open_desk(tmp_path, limits={"registrations_per_hour": 2}) as desk:
        await desk.register("ann", address=AWAY)
        await desk.register("bob", address=AWAY)
        refusal = await desk.refused(Register(username="cat", password=PASSWORD, address=AWAY))
        assert (refusal.code, refusal.body.retry_after) == ("rate_limited", 3600.0)
        await desk.register("cat", address="127.0.0.1")
        await desk.register("dan", address="198.51.100.8")
        desk.pass_time(seconds=3600)
        await desk.register("eve", address=AWAY)


async def test_each_log_in_is_a_session_of_its_own(desk: Desk) -> None:
    first = await desk.register()
    second = await desk.log_in("ANN")
    assert second.user == first.user
    assert second.session != first.session
    assert await desk.live(first.session)
    assert await desk.live(second.session)


async def test_the_same_person_again_in_the_same_browser_replaces_the_session(desk: Desk) -> None:
    first = await desk.register()
    bob = await desk.register("bob")
    second = await desk.log_in(known_session=first.session)
    assert second.session != first.session
    assert not await desk.live(first.session)
    assert desk.told == [first.session]
    await desk.log_in(known_session=bob.session)
    assert await desk.live(bob.session)


async def test_unknown_wrong_and_disabled_are_refused_alike_after_the_same_work(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.register("ann")
    await desk.register("bob")
    await desk.register("cat")
    await desk.do(DisableUser(username="bob"))
    cat = await desk.log_in("cat")
    await desk.do(DeleteAccount(password=PASSWORD), cat.user.id)
    work: list[bytes] = []
    check = bcrypt.checkpw

    def counting(password: bytes, hashed: bytes) -> bool:
        work.append(hashed[:7])
        return check(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", counting)
    answers = []
    for username, password in [
        ("nobody", PASSWORD),
        ("ann", OTHER_PASSWORD),
        ("bob", PASSWORD),
        ("cat", PASSWORD),
        ("no such name, ever", PASSWORD),
    ]:
        before = len(work)
        answers.append((await desk.refused(LogIn(username=username, password=password))).body)
        assert work[before:] == [b"$2b$04$"], username
    assert {(body.code, body.message, body.retry_after) for body in answers} == {
        ("wrong_credentials", "Username or password is wrong.", None)
    }


@pytest.mark.parametrize(
    ("username", "password"),
    [("ann", OTHER_PASSWORD), ("nobody", PASSWORD), ("no such name", PASSWORD), ("disabled", PASSWORD)],
)
async def test_guessing_is_limited_for_names_that_exist_and_for_others(
    desk: Desk, username: str, password: str
) -> None:
    await desk.register("ann")
    await desk.register("disabled")
    await desk.do(DisableUser(username="disabled"))
    guess = LogIn(username=username, password=password)
    for _ in range(5):
        assert (await desk.refused(guess)).code == "wrong_credentials"
    refusal = await desk.refused(LogIn(username=username, password=PASSWORD))
    assert (refusal.code, refusal.body.retry_after) == ("rate_limited", 900.0)
    desk.pass_time(seconds=900)
    assert (await desk.refused(guess)).code == "wrong_credentials"


async def test_the_owner_is_not_locked_out_of_a_browser_that_was_signed_in(desk: Desk) -> None:
    ann = await desk.register("ann")
    bob = await desk.register("bob")
    await desk.do(EndSession(session=ann.session), ann.user.id)
    for _ in range(5):
        await desk.refused(LogIn(username="ann", password=OTHER_PASSWORD))
    for known in ("", "invented", bob.session):
        refusal = await desk.refused(LogIn(username="ann", password=PASSWORD, known_session=known))
        assert refusal.code == "rate_limited", known
    await desk.log_in("ann", known_session=ann.session)
    # Such a browser may be in other hands: it has no more tries than anybody.
    for _ in range(5):
        await desk.refused(LogIn(username="ann", password=OTHER_PASSWORD, known_session=ann.session))
    refusal = await desk.refused(LogIn(username="ann", password=PASSWORD, known_session=ann.session))
    assert refusal.code == "rate_limited"


async def test_a_restart_hands_out_no_fresh_tries(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.register("ann")
        for _ in range(5):
            await desk.refused(LogIn(username="ann", password=OTHER_PASSWORD))
        await desk.tick()
    async with open_desk(tmp_path) as desk:
        assert (await desk.refused(LogIn(username="ann", password=PASSWORD))).code == "rate_limited"


async def test_log_ins_an_address_are_limited(tmp_path: Path) -> None:
    async with open_desk(tmp_path, limits={"logins_per_minute": 2}) as desk:
        await desk.register("ann")
        await desk.log_in("ann", address=AWAY)
        await desk.log_in("ann", address=AWAY)
        refusal = await desk.refused(LogIn(username="ann", password=PASSWORD, address=AWAY))
        assert (refusal.code, refusal.body.retry_after) == ("rate_limited", 60.0)
        for _ in range(3):
            await desk.log_in("ann", address="::1")


async def test_when_too_many_wait_for_the_hash_the_rest_come_back_later(tmp_path: Path) -> None:
    async with open_desk(tmp_path, limits={"logins_waiting": 1}) as desk:
        await desk.register("ann")
        tries = [desk.prepare(LogIn(username="ann", password=PASSWORD)) for _ in range(8)]
        results = await asyncio.gather(*tries, return_exceptions=True)
        refused = [result for result in results if isinstance(result, Refusal)]
        assert {refusal.code for refusal in refused} == {"rate_limited"}
        assert 1 <= len(refused) <= 7
        # Whoever was sent away has not used up a try.
        await desk.log_in("ann")


async def test_a_password_that_changes_while_it_is_checked_opens_nothing(desk: Desk) -> None:
    ann = await desk.register("ann")
    late = await desk.prepare(LogIn(username="ann", password=PASSWORD))
    change = ChangePassword(session=ann.session, current=PASSWORD, new=OTHER_PASSWORD)
    await desk.do(change, ann.user.id)
    (result,) = await desk.commit(late)
    assert result.error is not None
    assert result.error.code == "wrong_credentials"


async def test_logging_in_renews_a_hash_of_another_cost(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.register("ann")
    async with open_desk(tmp_path, auth={"bcrypt_cost": 5}) as desk:
        # Two at once: both were right, whoever renews first.
        works = [await desk.prepare(LogIn(username="ann", password=PASSWORD)) for _ in range(2)]
        assert [result.error for result in await desk.commit(*works)] == [None, None]
        credential = await desk.database.read(lambda tx: tx.accounts.credential("ann"))
        assert credential is not None
        assert credential.hash.startswith("v1$$2b$05$")
        await desk.log_in("ann")


async def test_the_least_used_of_too_many_sessions_is_ended(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.auth.foundation.SESSIONS_MOST", 2)
    sessions = [(await desk.register("ann")).session]
    for _ in range(2):
        desk.pass_time(seconds=1)
        sessions.append((await desk.log_in("ann")).session)
    assert [await desk.live(session) for session in sessions] == [False, True, True]
    assert sessions[0] in desk.told


async def test_no_log_line_holds_a_password_or_a_token(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        ann = await desk.register("ann")
        await desk.refused(LogIn(username="ann", password=OTHER_PASSWORD))
        again = await desk.log_in("ann")
    events = [record.getMessage() for record in caplog.records if record.name == "parley.security"]
    assert events == ["registered", "login_failed", "login_ok"]
    text = "\n".join(str(record.__dict__) for record in caplog.records)
    for canary in (PASSWORD, OTHER_PASSWORD, ann.access_token, again.access_token, again.refresh_token):
        assert canary not in text


async def test_the_database_holds_no_password_and_no_token(desk: Desk) -> None:
    ann = await desk.register("ann")
    dump = await desk.database.read(lambda tx: "\n".join(tx.connection.iterdump()))
    assert "ann" in dump
    for canary in (PASSWORD, ann.access_token, ann.refresh_token):
        assert canary not in dump
    # Ids are made of the injected clock, so that they sort by time.
    assert ann.user.id.startswith(f"{NOW:012x}")
    assert isinstance(await desk.database.read(lambda tx: tx.accounts.get(ann.user.id)), Account)
