"""The runtime while its RabbitMQ is killed, started again, or out of memory: a node of these tests' own."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from actors.runtime import Environment
from actors.runtime.amqp import life
from protocols.errors import Refusal
from settings import Paths, Settings
from tests.support.mailing import (
    Owner,
    Recorder,
    all_answered,
    ground,
    running_owner,
    tell_words,
    words,
)
from tests.support.node import Node, running_node
from tests.support.rabbitmqctl import rabbitmqctl
from tests.support.tally import Write, Written
from tests.support.waiting import SCALE, eventually

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def node(broker_node: tuple[Settings, Paths], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    # The shared node is asked for only to skip where there is no RabbitMQ; killing it would disturb other tests.
    del broker_node
    with running_node(tmp_path_factory.mktemp("mortal")) as one:
        yield one


@pytest.fixture
def environment(node: Node, tmp_path: Path) -> Environment:
    return ground(tmp_path, (node.settings, node.paths))


@pytest.fixture
async def owner(environment: Environment) -> AsyncIterator[Owner]:
    async with running_owner(environment) as one:
        yield one


def numbered(first: int, end: int) -> list[str]:
    return [f"w{number}" for number in range(first, end)]


async def test_a_broker_out_of_memory_is_waited_for_and_what_was_sent_meanwhile_is_done_once(
    node: Node, environment: Environment, front: Recorder, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life, "CONFIRM_TIMEOUT", 0.5)
    assert await front.post.ask("router", Write(word="first"), within=10 * SCALE, person="ann") == Written(place=1)
    await rabbitmqctl(node.paths, "set_vm_memory_high_watermark", "absolute", "1MB")
    try:
        sent = numbered(0, 100)
        tell_words(front, sent)
        # Several confirms do not come in time, and copies gather in the connection's buffers.
        assert not await front.post.flush(2)
        # Who declares and asks does so on the other connection, which the broker goes on reading.
        assert await front.broker.depth("router") == 0
    finally:
        await rabbitmqctl(
            node.paths, "set_vm_memory_high_watermark", "absolute", f"{node.settings.broker.memory_mib}MiB"
        )
    await eventually(lambda: len(front.outcomes) == 100, within=20)
    assert await words(environment) == ["first", *sent]
    assert front.missed == 1
    assert await owner.stop() == 0


async def test_nothing_is_lost_or_done_twice_when_the_broker_is_killed_and_started(
    node: Node, environment: Environment, front: Recorder, owner: Owner
) -> None:
    sent = numbered(0, 250)
    tell_words(front, sent[:100])
    await eventually(lambda: front.outcomes)
    tell_words(front, sent[100:200])
    await asyncio.sleep(0)
    node.kill()
    tell_words(front, sent[200:])
    # An ask does not outlive its deadline meanwhile, and is done once when it is asked again with its id.
    with pytest.raises(Refusal) as caught:
        await front.post.ask("router", Write(word="asked"), within=0.3, id="asked", person="bob")
    assert caught.value.code == "unavailable"
    await asyncio.to_thread(node.start)
    await all_answered(environment, front, sent, within=30)
    await front.post.ask("router", Write(word="asked"), within=10 * SCALE, id="asked", person="bob")
    assert await words(environment) == [*sent, "asked"]
    assert await owner.stop() == 0
