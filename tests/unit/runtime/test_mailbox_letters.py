"""What is not done as it comes: mail of the wrong sender, of nobody, of another version; and where it is kept.

On a broker and a database in memory and a clock that jumps.
"""

import asyncio
from itertools import repeat

import pytest
from msgspec import msgpack

from actors.runtime.broker import Outgoing
from protocols.mail import Command, Done, Envelope, decode_envelope, encoder
from tests.support.memory_house import QUEUE, House
from tests.support.tally import Decree, Write
from tests.support.virtual_time import run_virtually


class Strange(Command[Done], frozen=True, kw_only=True, tag="strange"):
    """A command of another version."""


def test_an_operators_command_is_taken_from_the_command_line_alone() -> None:
    async def test() -> None:
        house = House()
        for user, word in (("front", "evil"), ("cli", "good")):
            body = encoder.encode(Envelope(sender=f"{user}:x", items=[house.item(Decree(word=word))]))
            house.broker.put(Outgoing("", QUEUE, body, durable=True), user=user)
        house.told.clear()
        await house.ended()
        assert house.database.unit.words() == ["good"]
        assert [outcome.error.code if outcome.error else "" for outcome in house.outcomes()] == ["forbidden", ""]

    run_virtually(test())


def test_mail_that_nobody_may_send_is_kept_as_forged_and_not_done() -> None:
    async def test() -> None:
        house = House()
        body = encoder.encode(Envelope(sender="front.1:x", items=[house.item(Write(word="evil"))]))
        house.broker.put(Outgoing("", QUEUE, body, durable=True), user="contacts")
        house.broker.put(Outgoing("", QUEUE, body, durable=True), user="")
        house.told.clear()
        await house.ended()
        assert house.database.unit.words() == []
        assert house.reasons() == ["forged", "forged"]
        assert house.letters()[0].raw == body

    run_virtually(test())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        b"\x83\xa6sender\xa1a\xa5items\x91\x82\xa2id\xa1x\xa7command" + b"\x91" * 100_000,
        msgpack.encode({"sender": "a"}),
        msgpack.encode({"sender": "a", "items": [{"id": 5}]}),
        b"\x82\xa6sender\xa2\xff\xfe\xa5items\x90",
    ],
    ids=["empty", "unused byte", "deep", "no items", "wrong type", "bad utf-8"],
)
def test_what_cannot_be_decoded_is_kept_as_it_came_and_ends_nothing(body: bytes) -> None:
    async def test() -> None:
        house = House()
        house.broker.put(Outgoing("", QUEUE, body, durable=True))
        house.send("ann", 1)
        await house.ended()
        assert house.reasons() == ["undecodable"]
        assert house.letters()[0].raw == body
        assert house.database.unit.words() == ["ann1"]

    run_virtually(test())


def test_transient_mail_is_never_kept_because_it_may_hold_a_password() -> None:
    async def test() -> None:
        house = House()
        house.broker.put(Outgoing("", QUEUE, b"\xc1hunter2"))
        await house.ended()
        assert house.letters() == []

    run_virtually(test())


def test_a_command_of_another_version_is_answered_and_kept_and_its_neighbours_are_done() -> None:
    async def test() -> None:
        house = House()
        house.put([house.item(Write(word="a")), house.item(Strange()), house.item(Write(word="b"))])
        await house.ended()
        assert house.database.unit.words() == ["a", "b"]
        assert house.reasons() == ["not understood"]
        assert decode_envelope(house.letters()[0].raw).items[0].id == "2"
        codes = {outcome.correlation: outcome.error.code for outcome in house.outcomes() if outcome.error}
        assert codes == {"2": "invalid"}

    run_virtually(test())


def test_full_dead_letters_hold_the_mail_where_it_is_and_say_so() -> None:
    async def test() -> None:
        house = House()
        house.broker.fates.extend(repeat("busy", 10_000))
        house.broker.put(Outgoing("", QUEUE, b"\xc1", durable=True))
        await asyncio.sleep(60)
        assert (house.signs.state, "dead letters are full" in house.signs.note) == ("degraded", True)
        assert len(house.broker.unacknowledged) == 1
        house.send("ann", 1)
        await house.ended()
        assert house.reasons() == ["undecodable"]
        assert house.signs.state != "degraded"

    run_virtually(test())


def test_what_is_being_buried_is_not_acknowledged_with_the_batch_before_it() -> None:
    async def test() -> None:
        house = House()
        house.broker.blocked = asyncio.Event()
        house.send("ann", 1)
        await asyncio.sleep(1)
        house.broker.put(Outgoing("", QUEUE, b"\xc1", durable=True))
        await asyncio.sleep(1)
        house.broker.fates.append("taken")
        house.broker.fates.extend(repeat("busy", 10_000))
        house.broker.blocked.set()
        await asyncio.sleep(60)
        assert [outcome.correlation for outcome in house.outcomes()] == ["1"]
        assert house.letters() == []
        assert len(house.broker.unacknowledged) == 1
        await house.restart(orderly=True)
        await house.ended()
        assert house.reasons() == ["undecodable"]

    run_virtually(test())
