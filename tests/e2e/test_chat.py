"""Two people chat through a whole installation while parts of it are killed, stopped and started again."""

import asyncio
import itertools
import os
import signal
from collections.abc import AsyncIterator

import pytest

from drill.installation import Installation
from drill.ledger import settle
from drill.person import HttpError, Person
from tests.support.waiting import SCALE, eventually

pytestmark = pytest.mark.e2e

_names = itertools.count(1)


class Pair:
    """Ann and Bob, in contact and connected."""

    def __init__(self, ann: Person, bob: Person) -> None:
        self.ann = ann
        self.bob = bob
        self._running: dict[str, asyncio.Task[None]] = {}

    async def connect(self, *people: Person) -> None:
        for person in people:
            self._running[person.username] = asyncio.create_task(person.run())
        async with asyncio.timeout(15 * SCALE):
            for person in people:
                await person.connected.wait()

    async def disconnect(self, *people: Person) -> None:
        for person in people:
            task = self._running.pop(person.username, None)
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def all_shown(self, within: float = 30.0) -> None:
        """Wait until everything typed is on the other's screen, and hold one against the other."""

        def incoming(person: Person) -> int:
            return sum(1 for one in person.screen.shown if one.sender != person.id)

        await eventually(
            lambda: (
                not self.ann.unanswered
                and not self.bob.unanswered
                and incoming(self.bob) >= len(self.ann.sent)
                and incoming(self.ann) >= len(self.bob.sent)
            ),
            within,
        )
        account = settle(
            [*self.ann.sent.values(), *self.bob.sent.values()],
            {person.id: person.screen.shown for person in (self.ann, self.bob)},
        )
        assert account.kept, account
        assert account.stored == account.shown == len(self.ann.sent) + len(self.bob.sent)


async def registered(person: Person) -> bool:
    """Whether it worked: what the test before has killed may still be on its way back."""
    try:
        await person.register()
    except HttpError as error:
        if error.code != "unavailable":
            raise
        return False
    return True


@pytest.fixture
async def pair(installation: Installation) -> AsyncIterator[Pair]:
    number = next(_names)
    async with Person(installation.base, f"ann{number}") as ann, Person(installation.base, f"bob{number}") as bob:
        await eventually(lambda: registered(ann), 20)
        await bob.register()
        await ann.befriend(bob)
        two = Pair(ann, bob)
        await two.connect(ann, bob)
        try:
            yield two
        finally:
            await two.disconnect(ann, bob)


def chatter(pair: Pair, count: int, tag: str) -> None:
    for number in range(count):
        pair.ann.say(pair.bob.id, f"{tag} {number} from Ann")
        pair.bob.say(pair.ann.id, f"{tag} {number} from Bob")


async def test_what_both_type_is_shown_once_and_in_order(pair: Pair) -> None:
    chatter(pair, 100, "plain")
    await pair.all_shown()


@pytest.mark.parametrize("victim", ["router", "front.1", "front.2", "contacts", "auth"])
async def test_nothing_is_lost_or_doubled_when_an_actor_is_killed_while_both_type(
    installation: Installation, pair: Pair, victim: str
) -> None:
    for burst in range(3):
        chatter(pair, 20, f"burst {burst}")
        await eventually(lambda: pair.ann.unanswered < 20)
        pid = await installation.signal(victim, signal.SIGKILL)
        chatter(pair, 20, f"after kill {burst}")
        await installation.running(victim, other_than=pid)
    await pair.all_shown()


async def test_what_was_sent_while_router_was_stopped_arrives_when_it_starts(
    installation: Installation, pair: Pair
) -> None:
    assert await installation.parley("stop", "router") == (
        0,
        "router is stopped until `parley start router`\n",
    )
    try:
        chatter(pair, 5, "while stopped")
        queued = await pair.ann.call(
            "POST",
            f"/conversations/{await conversation(pair)}/messages",
            {"client_id": "by-http", "body": "by HTTP"},
        )
        assert "queued" in str(queued)
        # Bob leaves: it must reach him without his having been there.
        await pair.disconnect(pair.bob)
    finally:
        assert (await installation.parley("start", "router"))[0] == 0
    await pair.connect(pair.bob)
    await eventually(lambda: any(one.body == "by HTTP" for one in pair.bob.screen.shown), within=15)
    await eventually(lambda: not pair.ann.unanswered and not pair.bob.unanswered, within=15)


async def conversation(pair: Pair) -> str:
    contacts = await pair.ann.call("GET", "/contacts")
    return str(contacts["contacts"][0]["conversation"])


async def test_the_broker_is_killed_and_everything_arrives(installation: Installation, pair: Pair) -> None:
    chatter(pair, 20, "before")
    pid = await installation.signal("broker", signal.SIGKILL)
    chatter(pair, 20, "without a broker")
    await installation.running("broker", other_than=pid, within=60)
    await pair.all_shown(within=60)


async def test_a_push_that_is_lost_on_purpose_is_shown_all_the_same(installation: Installation, pair: Pair) -> None:
    await pair.disconnect(pair.ann, pair.bob)
    # Bob's socket is at front.2, the only one there is; Ann's is at front.1, because the other one is frozen.
    await installation.parley("stop", "front.1")
    await pair.connect(pair.bob)
    await installation.parley("start", "front.1")
    frozen = await installation.signal("front.2", signal.SIGSTOP)
    try:
        await pair.connect(pair.ann)
        pair.ann.say(pair.bob.id, "the last words before the crash")
        await eventually(lambda: not pair.ann.unanswered, within=10)
        # Router has committed and pushed; what front.2 has not read of it dies with the broker.
        broker = await installation.signal("broker", signal.SIGKILL)
        router = await installation.signal("router", signal.SIGKILL)

        async def both_are_gone() -> bool:
            rows = await installation.actors()
            return bool(rows["broker"]["pid"] != broker and rows["router"]["pid"] != router)

        await eventually(both_are_gone)
        assert not pair.bob.screen.shown
    finally:
        os.kill(frozen, signal.SIGCONT)
    await installation.running("broker", other_than=broker, within=60)
    await eventually(lambda: bool(pair.bob.screen.shown), within=30)
    await pair.all_shown()


async def test_an_expelled_session_ends_within_a_second(pair: Pair) -> None:
    socket_was = pair.ann.connected.is_set()
    assert socket_was
    await pair.ann.call("POST", "/auth/logout", {})
    await eventually(lambda: not pair.ann.connected.is_set(), within=1.0)


async def test_whose_token_has_expired_comes_back_with_a_new_one(pair: Pair) -> None:
    pair.ann._token = "expired"
    pair.ann.vanish()
    await eventually(lambda: pair.ann.reconnects and pair.ann.connected.is_set(), within=15)
    chatter(pair, 2, "again")
    await pair.all_shown()
