"""The private node as it is configured: who gets in, what they may touch, and what it listens on."""

import asyncio
import os
import signal
from pathlib import Path

import aiormq
import pytest
from aiormq.exceptions import AMQPConnectionError, ChannelAccessRefused

from settings import Paths, Settings
from settings.endpoint import broker_url, endpoint_file
from supervision import broker
from tests.support.connections import listening_addresses
from tests.support.node import Node, running_node
from tests.support.waiting import SCALE, eventually

pytestmark = pytest.mark.integration


async def _connect(settings: Settings, paths: Paths, user: str) -> aiormq.abc.AbstractConnection:
    return await asyncio.wait_for(aiormq.connect(broker_url(settings, paths, user)), 5 * SCALE)


async def test_each_actor_reaches_its_own_names_only(broker_node: tuple[Settings, Paths]) -> None:
    settings, paths = broker_node
    connection = await _connect(settings, paths, "router")
    try:
        channel = await connection.channel()
        await channel.queue_declare("parley.test", auto_delete=True, exclusive=True)
        reply = await channel.queue_declare(exclusive=True)
        confirmed = await channel.basic_publish(b"hello", routing_key="parley.test", mandatory=True, timeout=5 * SCALE)
        assert confirmed is not None
        assert reply.queue
        assert reply.queue.startswith("amq.gen-")
        with pytest.raises(ChannelAccessRefused):
            await channel.queue_declare("elsewhere")
    finally:
        await connection.close()


async def test_guest_and_wrong_passwords_stay_out(broker_node: tuple[Settings, Paths]) -> None:
    settings, paths = broker_node
    address = broker_url(settings, paths, "router").rpartition("@")[2]
    for user in ("guest:guest", "router:wrong"):
        with pytest.raises(AMQPConnectionError):
            await asyncio.wait_for(aiormq.connect(f"amqp://{user}@{address}"), 5 * SCALE)


async def test_mail_survives_kill_and_freeze_and_the_address_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "HANGING", 11)
    monkeypatch.setattr("settings.paths.RUN_HOME", tmp_path)
    with running_node(tmp_path / "Ann's data; für uns") as node:
        before = endpoint_file(node.paths).read_bytes()
        await _leave_a_letter(node)
        os.kill(node.pid, signal.SIGSTOP)
        # By its own watchdog, which looks every five seconds.
        await eventually(lambda: os.waitid(os.P_PID, node.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG), 20)
        node.kill()
        node.start()
        assert endpoint_file(node.paths).read_bytes() == before
        connection = await _connect(node.settings, node.paths, "front")
        channel = await connection.channel()
        letter = await channel.basic_get("parley.letters", no_ack=True)
        await connection.close()
        assert letter.body == b"kept"
        # It watches its disk, though no shell takes that folder's name as it is.
        assert "[error]" not in (node.paths.logs / "broker.log").read_text()
        addresses = listening_addresses(node.pid)
        assert len(addresses) >= 3
        assert {host for host, _ in addresses} <= {"127.0.0.1", "::1"}


async def _leave_a_letter(node: Node) -> None:
    connection = await _connect(node.settings, node.paths, "auth")
    channel = await connection.channel()
    await channel.queue_declare("parley.letters", durable=True)
    properties = aiormq.spec.Basic.Properties(delivery_mode=2)
    await channel.basic_publish(b"kept", routing_key="parley.letters", properties=properties, timeout=5 * SCALE)
    await connection.close()
    # RabbitMQ 3.10.8 calls a queue declared a moment before its database notes that it was decided: a node that is
    # killed between has forgotten the queue, and what was confirmed in it.
    [log] = (node.paths.broker / "mnesia").glob("*/LATEST.LOG")
    await eventually(lambda: (noted := log.read_bytes()).rfind(b"committed") >= noted.rfind(b"parley.letters"))
