"""Sockets over a real front, real owners and real databases."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.house import House, open_house


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as opened:
        yield opened


async def test_a_message_reaches_the_other_and_its_sender_is_told(house: House) -> None:
    ann, bob = await house.person("ann.smith"), await house.person("bob.jones")
    await house.befriend(ann, bob)
    async with ann.socket() as hers, ann.socket() as second, bob.socket() as his:
        await hers.send(type="send", id="1", client_id="c1", to=bob.id, body="Good morning")
        ok = await hers.next("ok", id="1")
        message = await his.next("message")
        assert (message["body"], message["sender"], message["seq"]) == ("Good morning", ann.id, 1)
        assert {name: message[name] for name in ("conversation", "seq", "version", "message_id", "at")} == {
            name: ok[name] for name in ("conversation", "seq", "version", "message_id", "at")
        }
        assert (await second.next("message"))["client_id"] == "c1"
        assert not [frame for frame in hers.aside if frame["type"] == "message"]
