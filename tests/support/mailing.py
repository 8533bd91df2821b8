"""Mail for a test alone: names of its own on the shared node, an owner as a process, and a front that records."""

import asyncio
import contextlib
import itertools
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from actors.runtime import Environment
from actors.runtime.amqp import AmqpBroker
from actors.runtime.broker import Subscriptions
from actors.runtime.postroom import PostRoom
from protocols.errors import Refusal
from protocols.mail import Beat, Outcome, Push, PushBatch, decode_front_mail
from settings import Paths, Settings
from settings.endpoint import Endpoint, broker_url, broker_user, endpoint_file
from storage import Reader
from tests.support.node import installation
from tests.support.tally import SCHEMA, Write
from tests.support.waiting import SCALE, eventually

_numbers = itertools.count(1)


def ground(folder: Path, node: tuple[Settings, Paths], port: int = 0, **sections: dict[str, object]) -> Environment:
    """An installation in `folder` that shares the node, its users and its secrets, and no queue with other tests.

    `port`: of a proxy in front of the node.
    """
    namespace = f"parley.t{os.getpid()}-{next(_numbers)}"
    sections["broker"] = {"namespace": namespace, **sections.get("broker", {})}
    sections["runtime"] = {"beat": 0.2, **sections.get("runtime", {})}
    settings = installation(folder, **sections)
    paths = Paths.of(settings)
    paths.secrets.symlink_to(node[1].secrets)
    if port:
        paths.broker.mkdir()
        endpoint = msgspec.json.decode(endpoint_file(node[1]).read_bytes(), type=Endpoint)
        endpoint_file(paths).write_bytes(msgspec.json.encode(msgspec.structs.replace(endpoint, port=port)))
    else:
        paths.broker.symlink_to(node[1].broker)
    # Not all of them: nobody supervises here, so a run directory would only be left behind.
    for one in (paths.databases, paths.logs, paths.blobs):
        one.mkdir(parents=True, exist_ok=True)
    return Environment(settings, paths)


@dataclass
class Recorder:
    """A front that writes down what is pushed. `outcomes` by correlation, every one of them."""

    post: PostRoom
    broker: AmqpBroker
    pushes: list[Push] = field(default_factory=list)
    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)
    beats: list[Beat] = field(default_factory=list)
    batches: list[PushBatch] = field(default_factory=list)
    missed: int = 0

    def receive(self, body: bytes, _user: str) -> None:
        mail = decode_front_mail(body)
        if isinstance(mail, Beat):
            self.beats.append(mail)
            return
        self.batches.append(mail)
        for item in mail.items:
            if isinstance(item, Push):
                self.pushes.append(item)
            elif isinstance(item, Outcome):
                self.outcomes.setdefault(item.correlation, []).append(item)


async def words(environment: Environment) -> list[str]:
    """What the tally has written so far."""
    reader = Reader(SCHEMA, environment.paths.databases)
    try:
        return await reader.read(lambda tx: tx.words())
    except Refusal:
        return []
    finally:
        await reader.close()


def tell_words(front: Recorder, sent: Iterable[str]) -> None:
    """Tell the tally to write these words; each is the id of its command, too."""
    for word in sent:
        correlation = f"{front.post.incarnation}/{word}"
        front.post.tell("router", Write(word=word), id=word, person="ann", correlation=correlation)


async def all_answered(environment: Environment, front: Recorder, sent: Sequence[str], within: float) -> None:
    """Wait until these words are written, once and in order, and all are answered.

    A front that lost its connection may have missed answers. Its clients then send again what is unanswered, and so
    does this.
    """

    async def written() -> bool:
        return await words(environment) == list(sent)

    def unanswered() -> list[str]:
        return [word for word in sent if f"{front.post.incarnation}/{word}" not in front.outcomes]

    await eventually(written, within)
    tell_words(front, unanswered())
    await eventually(lambda: not unanswered(), within)
    assert await written()


@contextlib.asynccontextmanager
async def recording_front(environment: Environment) -> AsyncIterator[Recorder]:
    """A connected front of this installation."""
    post = PostRoom(environment, "front.1")

    def pushed(body: bytes, user: str) -> None:
        recorder.receive(body, user)

    def missed(_: int) -> None:
        recorder.missed += 1

    broker = AmqpBroker(
        environment.settings.broker,
        name="front.1",
        user=broker_user(environment.settings, "front"),
        url=lambda: broker_url(environment.settings, environment.paths, "front"),
        subscriptions=Subscriptions(
            on_push=pushed,
            on_reply=post.replied,
            on_up=missed,
            on_down=post.lost,
        ),
        random=random.random,
    )
    recorder = Recorder(post, broker)
    post.attach(broker)
    tasks = [asyncio.create_task(broker.run()), asyncio.create_task(post.run())]
    try:
        assert await broker.wait_up(10 * SCALE)
        yield recorder
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Owner:
    """An actor as a process of its own, started, killed and stopped by its pid; it writes to `log`."""

    def __init__(self, environment: Environment, module: str) -> None:
        self.log = environment.paths.logs / "owner.log"
        self._folder = environment.paths.data
        self._module = module
        self._process: asyncio.subprocess.Process | None = None
        (self._folder / "settings.json").write_bytes(msgspec.json.encode(environment.settings))

    async def start(self) -> None:
        with self.log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", self._module, str(self._folder), stdout=output, stderr=output
            )

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def kill(self) -> None:
        """As a crash would."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """In an orderly way; returns the exit code."""
        return await self._end(signal.SIGTERM)

    async def ended(self, within: float = 10.0) -> int:
        """Wait until it has ended by itself; returns the exit code."""
        assert self._process is not None
        async with asyncio.timeout(within * SCALE):
            return await self._process.wait()

    async def _end(self, number: signal.Signals) -> int:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(number)
        return await self.ended(15.0)


@contextlib.asynccontextmanager
async def running_owner(environment: Environment, module: str = "tests.support.tally") -> AsyncIterator[Owner]:
    """A started owner, ended in any case."""
    owner = Owner(environment, module)
    await owner.start()
    try:
        yield owner
    finally:
        await owner.kill()
