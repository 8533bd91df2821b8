"""Ten thousand frames and thousands of mails that are nearly right, while two people chat and notice nothing."""

import asyncio
import contextlib
import itertools
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, get_args

import msgspec
import pytest
from msgspec import Struct
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from actors.auth import Auth
from actors.contacts import Contacts
from actors.file_chunker import FileChunker
from actors.notifier import Notifier
from actors.router import Router
from actors.runtime import Actor, Environment
from actors.runtime.amqp import AmqpBroker
from actors.runtime.broker import Outgoing
from actors.runtime.client import open_broker
from actors.runtime.topology import mailbox
from drill.installation import Installation, running_installation
from drill.person import Person
from drill.scene import Scene
from drill.waiting import until
from protocols.errors import TABLE
from protocols.frames import ClientFrame, ErrorFrame, Pong, ServerFrame, SyncOk
from protocols.mail import decode_dead_letter, decode_envelope
from protocols.values import conversation_of
from settings import load
from tests.soak.overload import UNLIMITED
from tests.support.mutations import Mutator, sample, to_json, to_msgpack
from tests.support.patience import PATIENT
from tests.support.standing import standing
from tests.support.waiting import SCALE, eventually
from web.asyncapi import CLOSE_CODES
from web.socket import READ_BYTES

pytestmark = pytest.mark.e2e

FRAMES = 10_000
MAILS = 1_000
"""To each owner."""

SOCKETS = 8
AT_A_TIME = 20
AT_ONCE = 50
RATE = 20.0
OWNERS: Sequence[type[Actor[Any]]] = (Auth, Contacts, Router, Notifier, FileChunker)
GARBAGE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_decode = msgspec.json.Decoder(ServerFrame).decode
_decode_sync = msgspec.json.Decoder(SyncOk).decode


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation of this file's own, without limits on how often."""
    with standing(running_installation(tmp_path_factory.mktemp("bad") / "data", **UNLIMITED, **PATIENT)) as one:
        yield one


async def processes(house: Installation) -> dict[str, tuple[int, int]]:
    """Every child's pid, and how often it was restarted."""
    return {name: (row["pid"], row["restarts"]) for name, row in (await house.actors()).items()}


@contextlib.asynccontextmanager
async def neighbours(house: Installation, seed: int) -> AsyncIterator[Scene]:
    """Two people who chat; in the end nothing of it is lost, doubled or out of order, and no process has ended."""
    before = await processes(house)
    async with Scene(house.base, pairs=1, rate=RATE, seed=seed) as scene:
        scene.type_on()
        assert await until(lambda: scene.counts().shown > 0, 10 * SCALE)
        yield scene
        await scene.be_quiet()
        assert await scene.quiesce(20 * SCALE)
        account = await scene.account()
        assert account.kept, account
        assert [account.refused, account.unanswered] == [[], []]
        assert account.shown > RATE
        assert scene.reconnects == 0
    assert await processes(house) == before


class Heard:
    """What a front answered: `codes` of errors and `closes`, and what should not have been said."""

    def __init__(self) -> None:
        self.sent = 0
        self.codes: Counter[str] = Counter()
        self.closes: Counter[int] = Counter()
        self.strange: list[str] = []

    def take(self, text: str | bytes) -> bool:
        """Whether it is the answer to the question that is right."""
        try:
            frame = _decode_sync(text) if b'"changes"' in _bytes(text) else _decode(text)
        except msgspec.DecodeError as error:
            self.strange.append(f"{error}: {text[:200]!r}")
            return False
        if isinstance(frame, ErrorFrame):
            self.codes[frame.code] += 1
        return isinstance(frame, Pong) and frame.id == "still there?"


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


async def pester(person: Person, frames: Iterator[bytes], heard: Heard) -> None:
    """Send frames, over a new socket whenever one was closed, until there are no more."""
    over = False
    while not over:
        async with person.dial() as socket:
            while (some := list(itertools.islice(frames, AT_A_TIME))) and await _told(socket, some, heard):
                """The front lives, and has taken them."""
            over = not some
        if not over:
            heard.closes[socket.close_code or 0] += 1


async def _told(socket: ClientConnection, some: Sequence[bytes], heard: Heard) -> bool:
    """Whether the front has taken these frames, and answers what is right; False when it has closed the socket."""
    heard.sent += len(some)
    with contextlib.suppress(ConnectionClosed):
        for number, frame in enumerate(some):
            # Now and then one that is not even text.
            await socket.send(frame, text=bool(number) or heard.sent % 10 > 0)
        await socket.send('{"type":"ping","id":"still there?"}')
        async with asyncio.timeout(20 * SCALE):
            while not heard.take(await socket.recv()):
                """Answers to what was wrong, and what others say."""
        return True
    return False


async def test_ten_thousand_mutated_frames_get_documented_answers_and_hurt_nobody(house: Installation) -> None:
    heard = Heard()
    async with neighbours(house, 1), contextlib.AsyncExitStack() as stack:
        eve, mallory = [await stack.enter_async_context(Person(house.base, name)) for name in ("eve", "mallory")]
        for one in (eve, mallory):
            await one.register()
        await eve.befriend(mallory)
        kinds: Sequence[type[Struct]] = get_args(ClientFrame)
        dice = random.Random(4711)  # noqa: S311  (reproducible on purpose)
        mutator = Mutator(dice, to_json, [str(kind.__struct_config__.tag) for kind in kinds])
        ids = itertools.count(1)

        def frames() -> Iterator[bytes]:
            for number in range(FRAMES):
                known = {
                    "id": f"f{next(ids)}", "client_id": f"c{number}", "to": mallory.id, "since": "",
                    "conversation": conversation_of(eve.id, mallory.id), "message_id": "m", "emoji": "👍",
                    "reply_to": None,
                }  # fmt: skip
                # What is larger still is not even read: the connection is reset, and no close code arrives.
                yield mutator.mutated(sample(kinds[number % len(kinds)], known))[: READ_BYTES - 1]

        stream = frames()
        async with asyncio.timeout(120 * SCALE):
            await asyncio.gather(*(pester(eve, stream, heard) for _ in range(SOCKETS)))
    assert heard.sent == FRAMES
    assert not heard.strange, heard.strange[:3]
    assert set(heard.closes) <= set(CLOSE_CODES), heard.closes
    assert set(heard.codes) <= set(TABLE) - {"internal"}, heard.codes
    assert heard.codes["invalid"] > FRAMES / 4
    for front in ("front.1", "front.2", "router"):
        assert "Traceback" not in (house.paths.logs / f"{front}.log").read_text()


async def letters(house: Installation, owner: str) -> list[tuple[str, bytes]]:
    """(reason, raw) of each dead letter."""
    settings = load(environ=house.environment)
    async with open_broker(Environment(settings, house.paths), "cli") as broker:
        return [(one.reason, one.raw) for one in await _taken(broker, owner)]


async def _taken(broker: AmqpBroker, owner: str) -> Sequence[Any]:
    return [decode_dead_letter(raw) for raw, _ in await broker.take_dead_letters(owner, 10 * MAILS)]


def mails(owner: Actor[Any], victim: str) -> Iterator[bytes]:
    """Envelopes to an owner, every second one whole but for the command in it, the others mutated anywhere."""
    kinds = list(owner.handlers())
    dice = random.Random(owner.name)  # noqa: S311  (reproducible on purpose)
    mutator = Mutator(dice, to_msgpack, [str(kind.__struct_config__.tag) for kind in kinds])
    for number in range(MAILS):
        command = sample(kinds[number % len(kinds)], {"source": "router", "to": victim, "user": victim})
        item = {"id": f"mail-{number}", "person": victim, "correlation": "front.1:gone/1"}
        if number % 2:
            yield to_msgpack({"sender": "x", "items": [{**item, "command": msgspec.Raw(mutator.mutated(command))}]})
        else:
            items = [{**item, "command": command}, {**item, "command": command, "id": f"more-{number}"}]
            yield mutator.mutated({"sender": "front.1:gone", "items": items})


def undecodable(raw: bytes) -> bool:
    try:
        decode_envelope(raw)
    except GARBAGE:
        return True
    return False


async def test_thousands_of_mutated_mails_are_kept_with_their_reasons_and_hurt_nobody(house: Installation) -> None:
    settings = load(environ=house.environment)
    environment = Environment(settings, house.paths)
    async with neighbours(house, 2) as scene, Person(house.base, "victim") as victim:
        await victim.register()
        sent: dict[str, list[bytes]] = {}
        async with open_broker(environment, "front") as broker:
            for owner in OWNERS:
                sent[owner.name] = list(mails(owner(environment), victim.id))
                queue = mailbox(settings.broker, owner.name)
                for start in range(0, MAILS, AT_ONCE):
                    some = sent[owner.name][start : start + AT_ONCE]
                    await asyncio.gather(*(broker.publish(Outgoing("", queue, raw, durable=True)) for raw in some))

        # What comes behind it in the same mailboxes is done.
        async with Person(house.base, "after") as after:
            await after.register()
            await after.befriend(scene.people[0])
            await after.call("POST", "/notices/test")
        typed = scene.people[0].say(scene.people[1].id, "and so on")
        await eventually(lambda: scene.people[0].sent[typed].seq, 30)
        for name, raws in sent.items():
            kept = await letters(house, name)
            expected = Counter(raw for raw in raws if undecodable(raw))
            assert Counter(raw for reason, raw in kept if reason.startswith("undecodable: ")) == expected
            assert len(expected) > MAILS / 10
            kinds = Counter(reason.partition(":")[0] for reason, _ in kept)
            assert set(kinds) <= {"undecodable", "not understood", "forged"}, (name, kinds, kept[-5:])
