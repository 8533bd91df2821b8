"""What people and the operator do with accounts."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from protocols.auth import (
    AddUser,
    ChangePassword,
    ChangeProfile,
    DeleteAccount,
    DisableUser,
    EndSession,
    Invite,
    LogIn,
    Register,
    ResetPassword,
    SetOperator,
)
from protocols.mail import Command, Done
from protocols.values import User
from tests.support.auth_desk import OTHER_PASSWORD, PASSWORD, Desk, open_desk


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(tmp_path, auth={"registration": "closed"}) as one:
        yield one


async def added(desk: Desk, username: str = "ann") -> User:
    return await desk.do(AddUser(username=username, password=PASSWORD, display_name=username.capitalize()))


async def test_the_operator_adds_people_though_registration_is_closed(desk: Desk) -> None:
    ann = await added(desk)
    assert (ann.username, ann.display_name) == ("ann", "Ann")
    assert (await desk.log_in("ann")).user == ann


async def test_adding_somebody_twice_is_refused_unless_it_is_the_same_command(desk: Desk) -> None:
    command = AddUser(username="ann", password=PASSWORD)
    first = await desk.do(command, number="add-1")
    assert await desk.do(command, number="add-1") == first
    assert (await desk.refused(command, number="add-2")).code == "username_taken"
    assert (await desk.refused(AddUser(username="b", password="weak"))).code == "invalid"


async def test_a_reset_password_replaces_the_old_one(desk: Desk) -> None:
    await added(desk)
    ann = await desk.log_in("ann")
    assert (await desk.refused(ResetPassword(username="ann", password="weak"))).code == "invalid"
    await desk.do(ResetPassword(username="ANN", password=OTHER_PASSWORD))
    assert not await desk.live(ann.session)
    await desk.refused(LogIn(username="ann", password=PASSWORD))
    await desk.log_in("ann", OTHER_PASSWORD)


@pytest.mark.parametrize(
    "command",
    [
        AddUser(username="eve", password=PASSWORD),
        ResetPassword(username="ann", password=OTHER_PASSWORD),
        DisableUser(username="ann"),
        SetOperator(username="ann"),
        Invite(),
    ],
)
async def test_a_signed_in_person_is_no_operator(desk: Desk, command: Command[object]) -> None:
    ann = await added(desk)
    assert (await desk.refused(command, ann.id)).code == "forbidden"
    await desk.log_in("ann")


@pytest.mark.parametrize(
    "command",
    [
        ResetPassword(username="nobody", password=OTHER_PASSWORD),
        DisableUser(username="nobody"),
        SetOperator(username="nobody"),
    ],
)
async def test_the_operator_is_told_that_there_is_no_such_user(desk: Desk, command: Command[User]) -> None:
    assert (await desk.refused(command)).code == "not_found"


async def test_operators_are_made_and_unmade_and_deletion_unmakes_them(desk: Desk) -> None:
    async def operator() -> bool:
        account = await desk.database.read(lambda tx: tx.accounts.get(ann.id))
        assert account is not None
        return account.operator

    ann = await added(desk)
    assert not await operator()
    await desk.do(SetOperator(username="Ann"))
    assert await operator()
    await desk.do(SetOperator(username="ann", on=False))
    assert not await operator()
    await desk.do(SetOperator(username="ann"))
    await desk.do(DeleteAccount(password=PASSWORD), ann.id)
    assert not await operator()


@pytest.mark.parametrize("days", [0, -1, 366])
async def test_an_invitation_has_an_end(desk: Desk, days: int) -> None:
    assert (await desk.refused(Invite(days=days))).code == "invalid"


async def test_a_person_changes_their_name(desk: Desk) -> None:
    ann = await added(desk)
    assert await desk.do(ChangeProfile(display_name=" Ann  Lee "), ann.id) == User(ann.id, "ann", "Ann Lee")
    assert (await desk.refused(ChangeProfile(display_name="\u202e"), ann.id)).code == "invalid"
    assert await desk.database.read(lambda tx: tx.accounts.search("ann lee", 5)) == [User(ann.id, "ann", "Ann Lee")]


async def test_deleting_an_account_needs_the_password_and_leaves_only_its_id(desk: Desk) -> None:
    await added(desk)
    ann = await desk.log_in("ann", agent="Firefox", address="198.51.100.7")
    wrong = await desk.refused(DeleteAccount(password=OTHER_PASSWORD), ann.user.id)
    assert (wrong.code, set(wrong.body.fields or {})) == ("invalid", {"password"})
    assert await desk.do(DeleteAccount(password=PASSWORD), ann.user.id, "delete-1") == Done()
    assert desk.told == [ann.session]
    gone = User(ann.user.id, "", "Deleted account", deleted=True)
    assert await desk.database.read(lambda tx: tx.accounts.users([ann.user.id])) == {ann.user.id: gone}
    assert await desk.database.read(lambda tx: tx.accounts.search("ann", 5)) == []
    session = await desk.database.read(lambda tx: tx.sessions.get(ann.session))
    assert session is not None
    assert (session.agent, session.address) == ("", "")
    assert await desk.do(DeleteAccount(password=PASSWORD), ann.user.id, "delete-1") == Done()


async def test_a_deleted_persons_name_is_never_given_out_again(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        ann = await desk.register("ann")
        await desk.do(DeleteAccount(password=PASSWORD), ann.user.id)
        assert (await desk.refused(Register(username="Ann", password=PASSWORD))).code == "username_taken"
        assert (await desk.refused(AddUser(username="ann", password=PASSWORD))).code == "username_taken"
        assert (await desk.refused(ResetPassword(username="ann", password=OTHER_PASSWORD))).code == "not_found"
        assert (await desk.refused(LogIn(username="ann", password=PASSWORD))).code == "wrong_credentials"


@pytest.mark.parametrize("person", ["", "nobody"])
@pytest.mark.parametrize(
    "command",
    [
        ChangePassword(session="s", current=PASSWORD, new=OTHER_PASSWORD),
        ChangeProfile(display_name="Ann"),
        DeleteAccount(password=PASSWORD),
    ],
)
async def test_strangers_have_no_account_to_change(desk: Desk, command: Command[object], person: str) -> None:
    assert (await desk.refused(command, person)).code == "unauthenticated"


async def test_strangers_have_no_session_to_end(desk: Desk) -> None:
    assert (await desk.refused(EndSession(session="s"))).code == "not_found"
