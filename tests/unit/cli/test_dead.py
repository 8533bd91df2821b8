"""`parley dead`: naming letters, choosing among them, and what may be sent again. The broker is elsewhere."""

import argparse
from typing import Any

import pytest
from msgspec import Raw, msgpack

from actors.runtime.letters import Found, described, mark_of
from cli import dead
from cli.dead import chosen, renewed
from cli.exits import CommandError
from protocols.mail import DeadLetter, Envelope, Item, decode_envelope, encoder
from protocols.router import SendMessage


async def stay(_away: bool) -> None:
    raise AssertionError("nothing is settled here")


def letter(reason: str = "poison: ValueError", body: str = "hello", raw: bytes | None = None) -> Found:
    command = Raw(msgpack.encode(SendMessage(to="bob", body=body)))
    item = Item(id="c1", person="ann", command=command, correlation="front/1", expires=5)
    kept = DeadLetter(
        actor="router",
        reason=reason,
        at=1_700_000_000_000,
        raw=encoder.encode(Envelope(sender="front.1:x", items=[item])) if raw is None else raw,
        command_id="c1",
        sender="front.1:x",
    )
    return Found(mark_of(encoder.encode(kept)), kept, stay)


def parsed(*arguments: str) -> argparse.Namespace:
    top = argparse.ArgumentParser()
    dead.add_parser(top.add_subparsers(required=True))
    return top.parse_args(["dead", *arguments])


def test_a_replayed_command_has_a_new_id_and_is_otherwise_the_same() -> None:
    found = letter()
    (item,) = decode_envelope(renewed(found)).items
    assert item.id == f"replay-{found.mark}-0"
    assert (item.person, item.correlation, item.expires) == ("ann", "", 0)
    assert msgpack.decode(bytes(item.command)) == {"kind": "send", "to": "bob", "body": "hello"}
    assert renewed(found) == renewed(letter()), "two replays of one letter are one command"
    assert renewed(found) != renewed(letter(body="other"))


def test_what_was_forged_is_never_sent_in_our_name() -> None:
    with pytest.raises(CommandError, match="forged"):
        renewed(letter(reason="forged: published by broker user 'mallory'"))


def test_what_is_not_understood_goes_again_as_it_came() -> None:
    assert renewed(letter(reason="undecodable: nonsense", raw=b"\xc1nonsense")) == b"\xc1nonsense"


def test_letters_are_described_with_their_commands_or_their_bytes() -> None:
    told = described(letter())
    assert (told["reason"], told["at"], told["command_id"]) == ("poison: ValueError", "2023-11-14T22:13:20.000Z", "c1")
    assert told["commands"] == [
        {"id": "c1", "person": "ann", "command": {"kind": "send", "to": "bob", "body": "hello"}}
    ]
    assert described(letter(raw=b"\xc1"))["raw"] == "c1"


def test_letters_are_chosen_by_their_marks() -> None:
    first, second = letter(), letter(body="other")
    assert chosen([first, second], [second.mark[:8]], every=False) == [second]
    assert chosen([first, second], [first.mark, first.mark[:6]], every=False) == [first]
    assert chosen([first, second], [], every=True) == [first, second]
    with pytest.raises(CommandError, match="no letter"):
        chosen([first, second], ["zzz"], every=False)
    with pytest.raises(CommandError, match="more than one"):
        chosen([first, second], [""], every=False)


@pytest.mark.parametrize(
    "arguments",
    [
        ("list", "front"),
        ("show",),
        ("show", "router"),
        ("replay", "router"),
        ("purge", "router"),
        ("purge", "router", "abc", "--all"),
    ],
)
def test_wrong_uses_are_refused(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parsed(*arguments)
    assert caught.value.code == 2
    assert "usage" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("replay", "router", "--all"), {"all": True, "marks": []}),
        (("purge", "auth", "abc", "def"), {"all": False, "marks": ["abc", "def"]}),
        (("list", "contacts", "--json"), {"json": True, "actor": "contacts"}),
        (("list",), {"actor": None}),
    ],
)
def test_right_uses_are_understood(arguments: tuple[str, ...], expected: dict[str, Any]) -> None:
    assert expected.items() <= vars(parsed(*arguments)).items()
