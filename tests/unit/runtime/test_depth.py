"""How much mail waits for an owner, as a process that sends to it can tell."""

import asyncio
from pathlib import Path

import pytest

from actors.runtime import Environment
from actors.runtime.broker import Unreachable
from actors.runtime.postroom import PostRoom
from actors.runtime.topology import mailbox
from protocols.errors import Refusal
from settings import Paths, Settings
from tests.support.memory_mail import MemoryBroker
from tests.support.virtual_time import run_virtually

SETTINGS = Settings(base="/nowhere")
QUEUE = mailbox(SETTINGS.broker, "router")


class Counting(MemoryBroker):
    """Hangs, or has lost its connection, when told to."""

    hangs = False
    lost = False

    async def depth(self, actor: str) -> int:
        if self.lost:
            raise Unreachable("not connected")
        if self.hangs:
            await asyncio.sleep(60)
        return {"router": 3}[actor]


def post_at(broker: Counting) -> PostRoom:
    post = PostRoom(Environment(SETTINGS, Paths(data=Path("nowhere"), run=Path("nowhere"))), "front.1")
    post.attach(broker)
    return post


def test_mail_that_nobody_takes_is_counted() -> None:
    async def count() -> int:
        return await post_at(Counting(mailbox=QUEUE)).depth("router", 1.0)

    assert run_virtually(count()) == 3


@pytest.mark.parametrize("fault", ["hangs", "lost"])
def test_a_broker_that_does_not_answer_in_time_is_said(fault: str) -> None:
    async def count() -> None:
        broker = Counting(mailbox=QUEUE)
        post = post_at(broker)
        setattr(broker, fault, True)
        await post.depth("router", 1.0)

    with pytest.raises(Refusal) as caught:
        run_virtually(count())
    assert caught.value.code == "unavailable"
