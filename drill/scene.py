"""Pairs of people who type to each other at a rate, and the account of everything that they typed."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable

import aiohttp

from drill.gathering import Gathering, name_of
from drill.ledger import Account, Logged, Sent, settle
from drill.person import HttpError, Person
from drill.tally import Counts, Tally
from drill.waiting import until

CONNECTED_WITHIN = 30.0
PAGE = 200
PHRASES = (
    "hello", "are you there?", "all is well", "half past eight", "I would not bet on it", "señor, ¿qué tal?",
    "naïve, but true", "看起来不错", "добрый вечер", "see you 👋🏽", "no", "yes\nand a second line",
    "“quoted”", "0" * 400,
)  # fmt: skip


class Scene(Gathering):
    """`pairs` of people, who together type `rate` messages a second, on average, until told to stop.

    The seed decides who types what and when; times are of `clock`, in seconds.
    """

    def __init__(
        self, base: str, *, pairs: int, rate: float, seed: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._rate = rate
        self._seed = seed
        self._clock = clock
        self.people = [Person(base, f"{name_of(at)}{seed}", clock=clock) for at in range(2 * pairs)]
        self._tallies: list[Tally] = []

    async def _come(self) -> None:
        for person in self.people:
            await self._exits.enter_async_context(person)
            await person.register()
        for one, other in self._pairs():
            await one.befriend(other)
        self._tallies = [Tally(person.id) for person in self.people]
        await self._join(self.people, CONNECTED_WITHIN)

    def _pairs(self) -> list[tuple[Person, Person]]:
        return list(zip(self.people[::2], self.people[1::2], strict=True))

    # Typing.

    def type_on(self) -> None:
        """Everybody begins to type."""
        if not self._typing:
            self._typing = [
                asyncio.create_task(self._type(one, other, number))
                for number, pair in enumerate(self._pairs())
                for one, other in (pair, pair[::-1])
            ]

    def wander(self, every: float) -> None:
        """From now on somebody loses their connection every so many seconds, on average, until all are quiet.

        Without it everybody ends up at one front: the one that was not killed last.
        """
        self._typing.append(asyncio.create_task(self._wander(every)))

    async def _wander(self, every: float) -> None:
        dice = random.Random(f"{self._seed} wander")  # noqa: S311  (reproducible on purpose)
        while True:
            await asyncio.sleep(dice.expovariate(1 / every))
            dice.choice(self.people).vanish()

    async def _type(self, one: Person, other: Person, number: int) -> None:
        dice = random.Random(f"{self._seed} {number} {one.username}")  # noqa: S311  (reproducible on purpose)
        each = self._rate / len(self.people)
        due = self._clock()
        while True:
            # By the clock, not by pauses: a loop that is late must not make people type less.
            due += dice.expovariate(each)
            await asyncio.sleep(max(0.0, due - self._clock()))
            one.say(other.id, f"{dice.choice(PHRASES)} ({len(one.sent) + 1})")

    # What is seen of it.

    @property
    def sent(self) -> list[Sent]:
        return [sent for person in self.people for sent in person.sent.values()]

    @property
    def connected(self) -> int:
        return sum(person.connected.is_set() for person in self.people)

    def counts(self) -> Counts:
        """How it stands now."""
        for person, tally in zip(self.people, self._tallies, strict=False):
            tally.take(person.screen.shown)
        return Counts(
            sent=sum(len(person.sent) for person in self.people),
            stored=sum(len(person.sent) - person.unanswered for person in self.people),
            shown=sum(tally.shown for tally in self._tallies),
            lost=sum(tally.lost for tally in self._tallies),
            duplicated=sum(tally.duplicated for tally in self._tallies),
            reordered=sum(tally.reordered for tally in self._tallies),
        )

    def shown_at(self) -> dict[str, float]:
        """When each message first appeared on its recipient's screen."""
        times: dict[str, float] = {}
        for person in self.people:
            for one in person.screen.shown:
                if one.sender != person.id:
                    times.setdefault(one.client_id, one.at)
        return times

    async def quiesce(self, within: float) -> bool:
        """Wait until all that was typed has its answer and is shown; whether that came in time. Nobody may type."""
        return await until(self._all_shown, within)

    def _all_shown(self) -> bool:
        now = self.counts()
        refused = sum(1 for one in self.sent if one.refused)
        return not any(person.unanswered for person in self.people) and now.shown >= now.sent - refused

    async def account(self) -> Account:
        """Hold what was typed against all screens, and against the log as it is told to somebody who has seen nothing.

        When the log cannot be read, that part is left out.
        """
        log: list[Logged] | None
        try:
            log = [logged for one, _ in self._pairs() async for logged in _log_of(one)]
        except (HttpError, aiohttp.ClientError, TimeoutError):
            log = None
        screens = {person.id: person.screen.shown for person in self.people if person.id}
        return settle(self.sent, screens, log)


async def _log_of(person: Person) -> AsyncIterator[Logged]:
    """Every message of the person's conversations."""
    for conversation in (await person.call("GET", "/conversations"))["conversations"]:
        before = ""
        while True:
            page = await person.call("GET", f"/conversations/{conversation['id']}/messages?limit={PAGE}{before}")
            for one in page["messages"]:
                yield Logged(one["seq"], one["client_id"], one["sender"], one["body"])
            if not page["more"]:
                break
            before = f"&before={page['messages'][0]['seq']}"
