"""Fan-out, outcomes, gaps and the states of owners, with a clock and delays in the test's hand."""

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from protocols.errors import Refusal
from protocols.mail import Beat, Command, FrontBeat, FrontItem, Outcome, Push, PushBatch, SessionsOver
from protocols.router import SendMessage
from settings.owners import OWNERS
from web.hub import Hub

SEND = SendMessage(to="bob", body="hello")


@dataclass(eq=False)
class FakePort:
    user: str
    session: str = "s"
    address: str | None = None
    frames: list[bytes] = field(default_factory=list)
    outcomes: list[tuple[int, Outcome]] = field(default_factory=list)
    events: list[str] = field(default_factory=list)

    def push(self, frame: bytes, /) -> None:
        self.frames.append(frame)

    def outcome(self, ticket: int, outcome: Outcome, /) -> None:
        self.outcomes.append((ticket, outcome))

    def resync(self, source: str, /) -> None:
        self.events.append(f"resync {source}".rstrip())

    def look(self) -> None:
        self.events.append("look")

    def over(self) -> None:
        self.events.append("over")

    def restart(self) -> None:
        self.events.append("restart")


class World:
    """A hub with its mail, its clock and its delays."""

    def __init__(self) -> None:
        self.now = 100.0
        self.mail: list[tuple[str, Command[Any], str, str, str]] = []
        self.dropped: set[str] = set()
        self.later: list[tuple[float, Callable[[], None]]] = []
        self.full = False
        self.taken = True
        self.hub = Hub(
            self,
            monotonic=lambda: self.now,
            later=lambda delay, call: self.later.append((delay, call)),
            spread=lambda _low, high: high,
            beat=2.0,
        )

    incarnation = "front.1:abc"

    def tell(self, to: str, command: Command[Any], *, id: str, person: str, correlation: str, after: str = "") -> None:  # noqa: A002, ARG002  (as Post; router looks at `after`)
        if self.full:
            raise Refusal("unavailable")
        self.mail.append((to, command, id, person, correlation))

    def drop(self, correlations: Iterable[str]) -> None:
        self.dropped |= set(correlations)

    async def kept(self, to: str, within: float) -> bool:  # noqa: ARG002  (the broker takes it at once, or never)
        return self.taken

    def port(self, user: str, session: str = "s", address: str | None = None) -> FakePort:
        port = FakePort(user, session, address)
        self.hub.join(port)
        return port

    def batch(self, number: int, *items: FrontItem, life: str = "1", source: str = "router") -> None:
        self.hub.receive(PushBatch(source=source, incarnation=life, number=number, items=list(items)))

    def beat(self, number: int = 0, state: str = "running", life: str = "1", source: str = "router") -> None:
        self.hub.receive(Beat(source=source, incarnation=life, number=number, state=state))

    def run_later(self) -> list[float]:
        due, self.later = self.later, []
        for _, call in due:
            call()
        return [delay for delay, _ in due]


@pytest.fixture
def world() -> World:
    return World()


def test_a_push_reaches_every_socket_of_its_people_and_nobody_else(world: World) -> None:
    ann, ann2, bob, cat = world.port("ann"), world.port("ann"), world.port("bob"), world.port("cat")
    world.batch(1, Push(to=["ann", "bob", "nobody"], frame=b"f"))
    assert [port.frames for port in (ann, ann2, bob, cat)] == [[b"f"], [b"f"], [b"f"], []]


@pytest.mark.parametrize("outcome_first", [True, False])
def test_the_socket_that_sent_gets_the_outcome_and_not_the_push(world: World, outcome_first: bool) -> None:
    ann, second, bob = world.port("ann"), world.port("ann"), world.port("bob")
    world.hub.tell(ann, 7, "router", SEND, "c1")
    [(to, command, name, person, correlation)] = world.mail
    assert (to, command, name, person) == ("router", SEND, "c1", "ann")
    assert correlation.startswith("front.1:abc/")
    outcome = Outcome(correlation=correlation)
    push = Push(to=["ann", "bob"], frame=b"f", correlation=correlation)
    items: list[FrontItem] = [outcome, push] if outcome_first else [push, outcome]
    world.batch(1, *items)
    assert (ann.frames, second.frames, bob.frames) == ([], [b"f"], [b"f"])
    assert ann.outcomes == [(7, outcome)]
    assert world.hub.waiting == 0


def test_outcomes_of_other_fronts_and_of_closed_sockets_are_dropped(world: World) -> None:
    ann = world.port("ann")
    world.hub.tell(ann, 1, "router", SEND, "c1")
    correlation = world.mail[0][4]
    world.hub.leave(ann)
    assert world.hub.waiting == 0
    world.batch(1, Outcome(correlation=correlation), Outcome(correlation="front.2:x/1"))
    assert ann.outcomes == []


def test_a_command_that_was_not_taken_is_not_waited_for(world: World) -> None:
    ann = world.port("ann")
    world.full = True
    with pytest.raises(Refusal, match="unavailable"):
        world.hub.tell(ann, 1, "router", SEND, "c1")
    assert world.hub.waiting == 0


def test_leaving_twice_is_leaving_once_and_counts_go_back(world: World) -> None:
    one, two = world.port("ann", address="203.0.113.7"), world.port("ann", address="203.0.113.7")
    assert (world.hub.of_person("ann"), world.hub.of_address("203.0.113.7")) == (2, 2)
    assert not world.hub.nobody.is_set()
    world.hub.leave(one)
    world.hub.leave(one)
    assert (world.hub.of_person("ann"), world.hub.of_address("203.0.113.7")) == (1, 1)
    world.hub.leave(two)
    assert (world.hub.of_person("ann"), world.hub.of_address("203.0.113.7")) == (0, 0)
    assert world.hub.nobody.is_set()


def test_consecutive_numbers_and_their_beats_resync_nobody(world: World) -> None:
    world.port("ann")
    world.beat(0)
    world.batch(1)
    world.batch(2)
    world.beat(2)
    world.batch(3)
    assert world.later == []


@pytest.mark.parametrize("gap", ["batch", "beat", "new life", "unknown owner"])
def test_whatever_may_have_been_missed_of_an_owner_resyncs_every_socket_once(world: World, gap: str) -> None:
    ann, bob = world.port("ann"), world.port("bob")
    world.beat(0)
    world.batch(1)
    match gap:
        case "batch":
            world.batch(3)
        case "beat":
            world.beat(2)
        case "new life":
            world.beat(0, life="2")
        case _:
            world.beat(5, source="contacts")
    world.batch(9, life="2")
    assert all(0 < delay <= 3.0 for delay in world.run_later())
    sources = ["resync contacts", "resync router"] if gap == "unknown owner" else ["resync router"]
    assert (ann.events, bob.events) == (sources, sources)
    world.hub.missed()
    world.run_later()
    assert ann.events == [*sources, "resync"]


def test_a_front_that_heard_nobody_says_so_once_whatever_else_is_missed(world: World) -> None:
    ann = world.port("ann")
    world.beat()
    world.beat(5)
    world.hub.missed()
    world.beat(3, source="contacts")
    assert len(world.run_later()) == 1
    assert ann.events == ["resync"]


@pytest.mark.parametrize("source", ["contacts", "notifier", "auth"])
def test_the_loss_of_another_owner_leaves_what_was_told_to_ours(world: World, source: str) -> None:
    ann = world.port("ann")
    world.beat(0)
    world.beat(0, source=source)
    world.hub.tell(ann, 1, "router", SEND, "c1")
    world.beat(0, life="2", source=source)
    world.run_later()
    assert ann.events == ([] if source == "auth" else [f"resync {source}"])
    outcome = Outcome(correlation=world.mail[0][4])
    world.batch(1, outcome)
    assert ann.outcomes == [(1, outcome)]


def test_a_batch_that_comes_twice_is_delivered_once(world: World) -> None:
    ann = world.port("ann")
    world.batch(1, Push(to=["ann"], frame=b"f"))
    world.batch(1, Push(to=["ann"], frame=b"f"))
    assert ann.frames == [b"f"]
    assert world.later == []


def test_a_resync_forgets_what_was_told_and_spares_those_who_left(world: World) -> None:
    ann, bob = world.port("ann"), world.port("bob")
    world.hub.tell(ann, 1, "router", SEND, "c1")
    world.hub.missed()
    world.hub.leave(bob)
    world.run_later()
    assert world.hub.waiting == 0
    assert world.dropped == {"front.1:abc/1"}, "a copy may take its place"
    assert (ann.events, bob.events) == (["resync"], [])


def test_resyncs_of_many_are_spread_but_not_without_end(world: World) -> None:
    for number in range(5_000):
        world.port(f"p{number}")
    world.hub.missed()
    assert {delay for delay, _ in world.later} == {3.0}


def test_an_ended_session_ends_its_sockets_only(world: World) -> None:
    one, other = world.port("ann", "s1"), world.port("ann", "s2")
    world.batch(1, SessionsOver(["s1", "s9"]), source="auth")
    assert (one.events, other.events) == (["over"], [])


def states(world: World) -> dict[str, str]:
    return {state.name: state.state for state in world.hub.states()}


def test_silence_of_three_beats_is_down_and_sockets_are_told_once(world: World) -> None:
    ann = world.port("ann")
    assert set(states(world).values()) == {"running"}
    for name in OWNERS:
        world.beat(source=name)
    world.now += 6.5
    world.beat(source="auth")
    world.hub.look()
    world.hub.look()
    assert states(world) == {name: "running" if name == "auth" else "down" for name in OWNERS}
    assert [json.loads(frame) for frame in ann.frames] == [
        {"type": "actor", "name": name, "state": "down"} for name in OWNERS if name != "auth"
    ]
    assert not world.hub.silent
    world.beat()
    assert json.loads(ann.frames[-1]) == {"type": "actor", "name": "router", "state": "running"}
    world.now += 60
    assert world.hub.silent


def test_owners_that_were_never_heard_are_down_after_a_while(world: World) -> None:
    assert states(world)["router"] == "running"
    world.now += 7
    assert states(world)["router"] == "down"


def test_figures_of_the_other_fronts_are_told_while_they_are_heard(world: World) -> None:
    port = FakePort("ann")
    world.hub.join(port)
    for source, sockets in (("front.1", 1), ("front.2", 2), ("front.3", 3)):
        world.hub.receive(FrontBeat(source=source, figures={f'parley_sockets{{front="{source}"}}': sockets}))
    assert world.hub.figures_of_others() == {
        'parley_sockets{front="front.2"}': 2,
        'parley_sockets{front="front.3"}': 3,
    }
    world.now += 5
    world.hub.receive(FrontBeat(source="front.2", figures={'parley_sockets{front="front.2"}': 4}))
    world.now += 5
    assert world.hub.figures_of_others() == {'parley_sockets{front="front.2"}': 4}
    assert port.events == []


def test_a_front_that_was_deaf_takes_nobodys_silence_amiss(world: World) -> None:
    port = FakePort("ann")
    world.hub.join(port)
    world.now += 60
    assert set(states(world).values()) == {"down"}
    world.hub.was_deaf()
    assert set(states(world).values()) == {"running"}
    world.now += 7
    assert set(states(world).values()) == {"down"}


def test_an_owner_that_starts_is_noticed_once(world: World) -> None:
    started: list[str] = []
    world.hub.started = started.append
    world.beat(3)
    world.beat(3)
    world.batch(4)
    world.batch(1, life="2")
    world.beat(1, life="2")
    world.beat(source="notifier")
    assert started == ["router", "router", "notifier"]


def test_what_a_beat_says_is_told_at_once(world: World) -> None:
    ann = world.port("ann")
    world.beat(state="degraded")
    world.beat(state="stopping")
    told = [json.loads(frame)["state"] for frame in ann.frames]
    assert told == ["degraded", "down"]


def test_a_push_of_a_new_life_says_that_its_owner_is_back(world: World) -> None:
    ann = world.port("ann")
    world.beat()
    world.beat(state="stopping")
    world.batch(1, Push(to=["ann"], frame=b"f"), life="2")
    assert [json.loads(frame)["state"] for frame in ann.frames[:2]] == ["down", "running"]
    assert ann.frames[2:] == [b"f"]


async def test_http_waits_for_an_outcome_or_learns_that_it_is_queued(world: World) -> None:
    world.beat()
    waiting = asyncio.ensure_future(world.hub.told("router", SEND, id="c", person="ann", within=5))
    await asyncio.sleep(0)
    outcome = Outcome(correlation=world.mail[0][4])
    world.batch(1, outcome)
    assert await waiting == outcome
    assert await world.hub.told("router", SEND, id="c", person="ann", within=0.001) is None
    world.now += 60
    assert await world.hub.told("router", SEND, id="c", person="ann", within=600) is None
    assert len(world.mail) == 3
    assert world.hub.waiting == 0
    assert {mail[4] for mail in world.mail[1:]} <= world.dropped, "a copy may take the place of what was given up"


@pytest.mark.parametrize("state", ["running", "stopping"])
async def test_a_program_is_promised_nothing_that_the_broker_does_not_have(world: World, state: str) -> None:
    world.beat(state=state)
    world.taken = False
    with pytest.raises(Refusal) as caught:
        await world.hub.told("router", SEND, id="c", person="ann", within=0.001)
    assert caught.value.code == "unavailable"
    assert not world.hub.waiting


def test_what_was_told_before_the_owner_was_ever_heard_is_told_again() -> None:
    world = World()
    ann = world.port("ann")
    world.beat(source="contacts")
    assert not world.run_later()
    world.hub.tell(ann, 1, "router", SEND, "m1")
    world.beat()
    world.run_later()
    assert ann.events == ["resync router"]
    assert not world.hub.waiting
