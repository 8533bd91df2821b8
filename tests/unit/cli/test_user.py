"""`parley user`: what it asks of auth, where it takes passwords from, and what it prints."""

import argparse
import asyncio
import getpass
import io
import json
from pathlib import Path
from typing import Any

import pytest

from cli import user
from cli.exits import CommandError
from protocols.auth import AddUser, DisableUser, Invitation, Invite, ResetPassword, SetOperator
from protocols.errors import Refusal
from protocols.mail import Command
from protocols.values import User
from tests.support.auth_desk import PASSWORD, open_desk
from tests.support.node import installation


class FakeAuth:
    """Answers as it is told, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Command[Any]] = []
        self.answer: object = User("u1", "ann", "Ann Lee")

    def __call__(self, command: Command[Any]) -> Any:
        self.asked.append(command)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def auth(monkeypatch: pytest.MonkeyPatch) -> FakeAuth:
    fake = FakeAuth()
    monkeypatch.setattr(user, "_ask", fake)
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\nanother line\n"))
    return fake


def parley(*arguments: str) -> int:
    top = argparse.ArgumentParser()
    user.add_parser(top.add_subparsers(required=True))
    args = top.parse_args(["user", *arguments])
    return int(args.run(args))


@pytest.mark.parametrize(
    ("arguments", "command", "printed"),
    [
        (("add", "ann"), AddUser(username="ann", password=PASSWORD), "ann (Ann Lee) can sign in now"),
        (
            ("add", "ann", "--display-name", "Ann Lee"),
            AddUser(username="ann", password=PASSWORD, display_name="Ann Lee"),
            "ann (Ann Lee) can sign in now",
        ),
        (("reset", "ann"), ResetPassword(username="ann", password=PASSWORD), "ann has a new password"),
        (("disable", "ann"), DisableUser(username="ann", disabled=True), "ann is signed out everywhere"),
        (("enable", "ann"), DisableUser(username="ann", disabled=False), "ann can sign in again"),
        (("operator", "ann"), SetOperator(username="ann"), "ann can open /ops now"),
        (("operator", "ann", "--off"), SetOperator(username="ann", on=False), "ann is no operator any more"),
    ],
)
def test_each_action_is_one_command_to_auth(
    auth: FakeAuth, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], command: object, printed: str
) -> None:
    assert parley(*arguments) == 0
    assert auth.asked == [command]
    assert capsys.readouterr().out.startswith(printed)


def test_an_invitation_is_printed_with_its_end(auth: FakeAuth, capsys: pytest.CaptureFixture[str]) -> None:
    auth.answer = Invitation("the-code", 1_700_000_000_000)
    assert parley("invite", "--days", "3") == 0
    assert auth.asked == [Invite(days=3)]
    assert capsys.readouterr().out == "the-code (good once, until 2023-11-14T22:13:20.000Z)\n"


@pytest.mark.parametrize(
    ("refusal", "sentence"),
    [
        (Refusal("invalid", fields={"password": "Too short.", "username": "Too long."}), "Too short. Too long."),
        (Refusal("not_found", "There is no such user."), "There is no such user."),
        (Refusal("unavailable", "Nobody answers."), "Nobody answers. `parley status` shows"),
    ],
)
def test_a_refusal_is_one_sentence(auth: FakeAuth, refusal: Refusal, sentence: str) -> None:
    auth.answer = refusal
    with pytest.raises(CommandError) as caught:
        parley("reset", "ann")
    assert str(caught.value).startswith(sentence)
    assert caught.value.code == 1


def test_no_password_on_standard_input_is_an_error(auth: FakeAuth, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(CommandError, match="holds no password"):
        parley("add", "ann")
    assert auth.asked == []


@pytest.mark.parametrize("second", [PASSWORD, PASSWORD + "x"])
def test_at_a_terminal_the_password_is_asked_for_twice(
    auth: FakeAuth, monkeypatch: pytest.MonkeyPatch, second: str
) -> None:
    typed = [PASSWORD, second]

    def ask(_prompt: str) -> str:
        return typed.pop(0)

    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr(getpass, "getpass", ask)
    if second == PASSWORD:
        assert parley("add", "ann") == 0
    else:
        with pytest.raises(CommandError, match="differ"):
            parley("add", "ann")
    assert len(auth.asked) == (second == PASSWORD)
    assert typed == []


def test_a_password_is_no_argument(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parley("add", "ann", "--password", PASSWORD)
    assert ended.value.code == 2
    assert "unrecognized" in capsys.readouterr().err


def test_the_list_needs_nothing_but_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(user, "load", lambda: installation(tmp_path))
    monkeypatch.setattr(user, "PAGE", 2)
    with pytest.raises(CommandError, match="no accounts yet"):
        parley("list")

    async def people() -> None:
        async with open_desk(tmp_path) as desk:
            for name in ("cat", "ann", "bob"):
                await desk.register(name, display_name=name.upper())
            await desk.do(DisableUser(username="bob"))
            await desk.do(SetOperator(username="cat"))

    asyncio.run(people())
    assert parley("list", "--json") == 0
    rows = json.loads(capsys.readouterr().out)["users"]
    assert [(row["username"], row["display_name"], row["state"], row["operator"]) for row in rows] == [
        ("ann", "ANN", "active", False),
        ("bob", "BOB", "disabled", False),
        ("cat", "CAT", "active", True),
    ]
    assert parley("list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [["ann", "active"], ["bob", "disabled"], ["cat", "active"]]
