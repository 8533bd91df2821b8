"""The operator's page before a real RabbitMQ: dead letters are looked at and stay, and mail that waits is counted."""

import msgspec
import pytest
from msgspec import Raw, msgpack

from actors.runtime import Environment
from actors.runtime.broker import Outgoing
from actors.runtime.topology import dead_letters
from protocols.errors import Refusal
from protocols.mail import DeadLetter, Envelope, Item, encoder
from tests.support.mailing import Recorder
from tests.support.tally import Write
from tests.support.waiting import eventually
from web.ops import letters
from web.ops.letters import LetterRoom

pytestmark = pytest.mark.integration


async def bury(environment: Environment, front: Recorder, word: str) -> None:
    item = Item(id=word, person="ann", command=Raw(msgpack.encode(Write(word=word))))
    raw = encoder.encode(Envelope(sender="front.1:gone", items=[item]))
    letter = DeadLetter(actor="router", reason="poison: ValueError", at=1, raw=raw, command_id=word, sender="front.1:x")
    await front.broker.declare_mailbox("router")
    queue = dead_letters(environment.settings.broker, "router")
    await front.broker.publish(Outgoing("", queue, encoder.encode(letter), durable=True, must_arrive=True))


async def test_letters_are_looked_at_and_stay(
    environment: Environment, front: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = LetterRoom(environment)
    assert (await room.all_of("router")).letters == []
    for word in ("a", "b", "c"):
        await bury(environment, front, word)
    found = await room.all_of("router")
    assert [letter.command_id for letter in found.letters] == ["a", "b", "c"]
    assert not found.more
    shown = await room.body("router", found.letters[1].mark)
    told = msgspec.json.decode(shown.text)
    assert told["commands"] == [{"id": "b", "person": "ann", "command": {"kind": "write", "word": "b"}}]
    assert shown.sender == "front.1:x"
    monkeypatch.setattr(letters, "MOST", 2)
    few = await room.all_of("router")
    assert ([letter.command_id for letter in few.letters], few.more) == (["a", "b"], True)
    with pytest.raises(Refusal) as caught:
        await room.body("router", "0" * 12)
    assert caught.value.code == "not_found"


async def test_mail_that_nobody_takes_is_counted(front: Recorder) -> None:
    assert await front.post.depth("router", 5.0) == 0
    for word in ("a", "b"):
        front.post.tell("router", Write(word=word), id=word, person="ann", correlation="")
        assert await front.post.flush(5.0)

    async def counted() -> bool:
        return await front.post.depth("router", 5.0) == 2

    await eventually(counted)
