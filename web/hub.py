"""Who is connected to this front, what its commands wait for, and how the owners are.

No sockets and no aiohttp in here: what arrives by push goes to Ports, and delays go through an injected `later`.
Single-threaded: every method is called from the event loop.
"""

import asyncio
import random
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

import msgspec

from protocols.errors import Refusal
from protocols.frames import ActorFrame, ActorState
from protocols.mail import Beat, Command, FrontBeat, FrontMail, Outcome, Push, PushBatch
from settings.owners import OWNERS
from web.session import OWNER

BEATS_MISSED: Final = 3
"""An owner that is silent for so many beats is down."""

KEPT_WITHIN: Final = 2.0
"""Seconds for the broker to take what nobody waits for any longer."""

RESYNC_SPREAD: Final = 3.0
RESYNC_STEP: Final = 0.002
"""Resyncs are spread over RESYNC_STEP seconds a socket, RESYNC_SPREAD at most: a thousand must not read at once."""

UNSEEN: Final = frozenset({"auth"})
"""Owners that push nothing to a page. What auth pushes, ends of sessions, each front reads from its database anyway."""


class Waiter(Protocol):
    """Whoever wants to know what became of a command. It neither waits nor raises."""

    def outcome(self, ticket: int, outcome: Outcome, /) -> None:
        """What became of the command that was told under `ticket`."""


class Port(Waiter, Protocol):
    """One open socket as the hub sees it. None of its methods waits or raises."""

    @property
    def user(self) -> str: ...
    @property
    def session(self) -> str: ...
    @property
    def address(self) -> str | None: ...

    def push(self, frame: bytes, /) -> None:
        """Send a frame, JSON text, as it is."""

    def resync(self, source: str, /) -> None:
        """Something that `source` pushed may have been missed, or any owner where it is "".

        What the port had told an owner of whom something was missed may never be answered.
        """

    def look(self) -> None:
        """A second has passed: time to see whether whoever is at the other end is still there."""

    def over(self) -> None:
        """The session has ended."""

    def restart(self) -> None:
        """This front goes away; another one, or this one's successor, is there."""


class Teller(Protocol):
    """The part of a Post that the hub needs."""

    @property
    def incarnation(self) -> str: ...

    def tell(self, to: str, command: Command[Any], *, id: str, person: str, correlation: str, after: str = "") -> None:  # noqa: A002  (as Post)
        """As Post."""

    def drop(self, correlations: Iterable[str]) -> None: ...
    async def kept(self, to: str, within: float) -> bool: ...


class _Answer:
    """The waiter of one HTTP request."""

    def __init__(self) -> None:
        self.future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    def outcome(self, _ticket: int, outcome: Outcome, /) -> None:
        if not self.future.done():
            self.future.set_result(outcome)


class Source(msgspec.Struct):
    """What is known of one process that pushes: its latest number, and its latest beat."""

    incarnation: str
    number: int
    state: str = "running"
    note: str = ""
    depth: int = 0
    seen: float = 0.0
    missed: int = 0


class Hub:
    """`later(seconds, call)` runs a call once; `spread(low, high)` picks a moment between; `beat` is in seconds.

    `nobody` is set while no socket is open. `started(name)` is called when an owner is heard that knows nothing yet.
    """

    def __init__(
        self,
        teller: Teller,
        *,
        monotonic: Callable[[], float],
        later: Callable[[float, Callable[[], None]], object],
        spread: Callable[[float, float], float] = random.uniform,
        beat: float = 2.0,
    ) -> None:
        self._teller = teller
        self._monotonic = monotonic
        self._later = later
        self._spread = spread
        self._silence = BEATS_MISSED * beat
        self._born = monotonic()
        self._number = 0
        # Not sets, which are large while they hold one, as nearly all do.
        self._people: dict[str, tuple[Port, ...]] = {}
        self._ports: dict[Port, None] = {}
        self._addresses: dict[str, int] = {}
        self._told: dict[Port, set[str]] = {}
        self._waiting: dict[str, tuple[Waiter, int]] = {}
        self._due: dict[Port, set[str]] = {}
        self._announced: dict[str, str] = {}
        self.sources: dict[str, Source] = {}
        self._fronts: dict[str, tuple[float, dict[str, int]]] = {}
        self.started: Callable[[str], None] = lambda _: None
        self.nobody = asyncio.Event()
        self.nobody.set()

    # Sockets.

    def join(self, port: Port) -> None:
        """From now on `port` gets what is pushed to its person."""
        self._people[port.user] = (*self._people.get(port.user, ()), port)
        self._ports[port] = None
        self.nobody.clear()
        if port.address is not None:
            self._addresses[port.address] = self._addresses.get(port.address, 0) + 1

    def leave(self, port: Port) -> None:
        """Forget a port and what it waits for; a second call does nothing."""
        if port not in self._ports:
            return
        self.forget(port)
        del self._ports[port]
        self._due.pop(port, None)
        ports = tuple(one for one in self._people[port.user] if one is not port)
        if ports:
            self._people[port.user] = ports
        else:
            del self._people[port.user]
        if port.address is not None:
            self._addresses[port.address] -= 1
            if not self._addresses[port.address]:
                del self._addresses[port.address]
        if not self._ports:
            self.nobody.set()

    @property
    def ports(self) -> tuple[Port, ...]:
        return tuple(self._ports)

    @property
    def waiting(self) -> int:
        """Commands whose outcome somebody here waits for."""
        return len(self._waiting)

    def of_person(self, user: str) -> int:
        """How many sockets a person has open here."""
        return len(self._people.get(user, ()))

    def of_address(self, address: str) -> int:
        """How many sockets are open from an address here."""
        return self._addresses.get(address, 0)

    # Commands.

    def tell(
        self,
        port: Port,
        ticket: int,
        to: str,
        command: Command[Any],
        id: str,  # noqa: A002  (as Post)
        *,
        after: str = "",
    ) -> None:
        """Tell an owner a command of the port's person; its outcome comes to `port.outcome(ticket, ...)`.

        Raises Refusal("unavailable") when the lane is full; nothing was told then.
        """
        correlation = self._correlation()
        self._teller.tell(to, command, id=id, person=port.user, correlation=correlation, after=after)
        self._waiting[correlation] = (port, ticket)
        self._told.setdefault(port, set()).add(correlation)

    def mention(self, to: str, command: Command[Any], *, id: str, person: str) -> None:  # noqa: A002  (as Post)
        """Tell an owner something whose outcome nobody waits for. Raises Refusal("unavailable") at the lane's bound."""
        self._teller.tell(to, command, id=id, person=person, correlation="")

    async def told(
        self,
        to: str,
        command: Command[Any],
        *,
        id: str,  # noqa: A002  (as Post)
        person: str,
        within: float,
    ) -> Outcome | None:
        """Tell an owner a durable command and wait `within` seconds for its outcome; not while the owner is down.

        None: the broker has it, and it will be done. Raises Refusal("unavailable") when the broker does not take it,
        for now: it may be done later all the same, so repeat it with the same id.
        """
        answer = _Answer()
        correlation = self._correlation()
        self._teller.tell(to, command, id=id, person=person, correlation=correlation)
        try:
            if self.state(to) != "down":
                self._waiting[correlation] = (answer, 0)
                return await asyncio.wait_for(answer.future, within)
        except TimeoutError:
            """Nobody knows yet what becomes of it."""
        finally:
            self._waiting.pop(correlation, None)
            # Programs come again and again, too.
            self._teller.drop((correlation,))
        # What is in this process alone must not be promised: it ends with the process.
        if not await self._teller.kept(to, KEPT_WITHIN):
            raise Refusal("unavailable")
        return None

    def forget(self, port: Port) -> None:
        """Outcomes that the port waits for are no longer wanted."""
        told = self._told.pop(port, None)
        if told:
            for correlation in told:
                self._waiting.pop(correlation, None)
            self._teller.drop(told)

    def _correlation(self) -> str:
        self._number += 1
        return f"{self._teller.incarnation}/{self._number}"

    # What arrives.

    def receive(self, mail: FrontMail) -> None:
        """Take a push batch or a beat, in the order of their arrival."""
        if isinstance(mail, FrontBeat):
            self._fronts[mail.source] = (self._monotonic(), mail.figures)
        elif isinstance(mail, PushBatch):
            known = self.sources.get(mail.source)
            # An owner that did not learn whether the broker took a batch sends it again.
            if known and known.incarnation == mail.incarnation and mail.number <= known.number:
                return
            self._follow(mail.source, mail.incarnation, mail.number, skips=1)
            if self._announced.get(mail.source) == "down":
                # What pushes is back, though its next beat may be two seconds away.
                self.look()
            self._deliver(mail)
        else:
            source = self._follow(mail.source, mail.incarnation, mail.number, skips=0)
            self._hear(source, mail)

    def was_deaf(self) -> None:
        """This front could hear nobody for a while: silence tells nothing of the owners, and pushes were missed."""
        self._born = self._monotonic()
        for source in self.sources.values():
            source.seen = self._born
        self.missed()

    def missed(self, source: str = "") -> None:
        """Pushes of `source` may have been lost, "" for any: every socket reads on from its log."""
        if source in UNSEEN:
            return
        span = min(RESYNC_SPREAD, RESYNC_STEP * len(self._ports))
        for port in self._ports:
            due = self._due.get(port)
            if due is not None:
                due.add(source)
            else:
                self._due[port] = {source}
                self._later(self._spread(0.0, span), lambda port=port: self._resync(port))  # type: ignore[misc]  # (lambda default)

    def end_sessions(self, sessions: Iterable[str]) -> None:
        """Close the sockets of sessions that have ended."""
        ended = frozenset(sessions)
        for port in self.ports:
            if port.session in ended:
                port.over()

    def _resync(self, port: Port) -> None:
        sources = self._due.pop(port, set())
        if "" in sources:
            sources = {""}
        if not sources.isdisjoint(("", OWNER)):
            self.forget(port)
        for source in sorted(sources):
            port.resync(source)

    def _deliver(self, batch: PushBatch) -> None:
        # A push names the command that caused it, and the outcome of that command may stand before or after it:
        # whose they are is looked up before the first outcome is handed out.
        origins: dict[str, tuple[Waiter, int]] = {}
        waiting = self._waiting
        for item in batch.items:
            if isinstance(item, Outcome):
                origin = waiting.pop(item.correlation, None)
                if origin is not None:
                    origins[item.correlation] = origin
        for item in batch.items:
            if isinstance(item, Push):
                self._fan_out(item, origins)
            elif isinstance(item, Outcome):
                origin = origins.get(item.correlation)
                if origin is not None:
                    waiter, ticket = origin
                    told = self._told.get(waiter)  # type: ignore[call-overload]  # (an HTTP waiter is in no table)
                    if told is not None:
                        told.discard(item.correlation)
                    waiter.outcome(ticket, item)
            else:
                self.end_sessions(item.sessions)

    def _fan_out(self, push: Push, origins: dict[str, tuple[Waiter, int]]) -> None:
        origin: Waiter | None = None
        if push.correlation:
            entry = origins.get(push.correlation) or self._waiting.get(push.correlation)
            origin = entry[0] if entry else None
        for user in push.to:
            for port in self._people.get(user, ()):
                if port is not origin:
                    port.push(push.frame)

    def _follow(self, name: str, incarnation: str, number: int, *, skips: int) -> Source:
        """Note how far a source is. `skips`: 1 for a batch, which carries the next number, 0 for a beat."""
        source = self.sources.get(name)
        fresh = source is None or source.incarnation != incarnation
        if source is None:
            source = self.sources[name] = Source(incarnation, number)
            # What was told before anything was heard of it may have been in a mailbox that is gone.
            lost = number > skips or bool(self._waiting)
        elif source.incarnation != incarnation:
            source.incarnation, source.number, source.state = incarnation, number, "running"
            lost = True
        else:
            lost = number > source.number + skips
            source.number = max(source.number, number)
        source.seen = self._monotonic()
        if fresh:
            self.started(name)
        if lost:
            source.missed += 1
            self.missed(name)
        return source

    # How the owners are.

    def state(self, actor: str) -> str:
        """`running`, `degraded` or `down`. Shortly after the start, who was not heard yet is running."""
        source = self.sources.get(actor)
        last = source.seen if source else self._born
        if self._monotonic() - last > self._silence or (source and source.state == "stopping"):
            return "down"
        return source.state if source else "running"

    def figures_of_others(self) -> dict[str, int]:
        """What the other fronts counted, as far as they were heard of late."""
        own = self._teller.incarnation.partition(":")[0]
        heard = self._monotonic() - self._silence
        self._fronts = {name: told for name, told in self._fronts.items() if told[0] > heard and name != own}
        return {sample: value for _, figures in self._fronts.values() for sample, value in figures.items()}

    def states(self) -> list[ActorState]:
        return [ActorState(name, self.state(name)) for name in self._owners()]

    @property
    def silent(self) -> bool:
        """Whether no owner at all is heard: then it is the broker, or this front's way to it, that is gone."""
        return all(self.state(name) == "down" for name in OWNERS)

    def look(self) -> None:
        """Tell every socket of owners whose state has changed; called each second, because silence makes no call."""
        for name in self._owners():
            state = self.state(name)
            if state != self._announced.get(name, "running"):
                self._announced[name] = state
                frame = msgspec.json.encode(ActorFrame(name=name, state=state))
                for port in self.ports:
                    port.push(frame)

    def _hear(self, source: Source, beat: Beat) -> None:
        changed = source.state != beat.state
        source.state, source.note, source.depth = beat.state, beat.note, beat.depth
        if changed or self._announced.get(beat.source) == "down":
            self.look()

    def _owners(self) -> list[str]:
        return [*OWNERS, *(name for name in self.sources if name not in OWNERS)]
