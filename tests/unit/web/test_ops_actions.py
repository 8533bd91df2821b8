"""Actions: allowed, written down before they are done, and each done once. No supervisor, no disk."""

import asyncio

import pytest

from protocols.errors import Refusal
from protocols.ops import Acted, Action
from tests.support.virtual_time import run_virtually
from web.ops.actions import AT_ONCE, REMEMBERED, WAIT, Actions
from web.ops.audit import Operator

OLGA = Operator("u1", "olga", "127.0.0.1")


class World:
    """What is written and what is done, in one list; `lasts` is how long an action takes, in seconds."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.lasts = 0.1
        self.refuses: Refusal | None = None
        self.full = False

    async def carry_out(self, action: Action, name: str) -> None:
        self.seen.append(f"do {action} {name}")
        await asyncio.sleep(self.lasts)
        if self.refuses:
            raise self.refuses

    async def write(self, who: Operator, what: str, outcome: str, id: str, /) -> None:  # noqa: A002
        if self.full:
            raise Refusal("unavailable", "The audit log cannot be written.")
        self.seen.append(f"{who.username} {what}: {outcome} ({id})")


def actions(world: World, why_not: str = "") -> Actions:
    return Actions(world, world, why_not)


def refused(refusal: Refusal) -> tuple[str, str]:
    return refusal.code, refusal.body.message


def test_it_is_written_down_before_and_after() -> None:
    world = World()
    assert run_virtually(actions(world).act(OLGA, "kill", "router", "c1")) == Acted("done")
    assert world.seen == ["olga kill router: asked (c1)", "do kill router", "olga kill router: done (c1)"]


def test_it_is_an_event_for_whoever_guards_the_installation(caplog: pytest.LogCaptureFixture) -> None:
    run_virtually(actions(World()).act(OLGA, "kill", "router", "c1"))
    (record,) = [record for record in caplog.records if record.name == "parley.security"]
    told = {name: vars(record)[name] for name in ("message", "user", "what", "outcome")}
    assert told == {"message": "operator_acted", "user": "u1", "what": "kill router", "outcome": "done"}


def test_what_cannot_be_written_down_is_not_done() -> None:
    world = World()
    world.full = True
    with pytest.raises(Refusal) as caught:
        run_virtually(actions(world).act(OLGA, "kill", "router", "c1"))
    assert caught.value.code == "unavailable"
    assert world.seen == []


def test_what_is_not_allowed_is_refused_and_says_why() -> None:
    world = World()
    with pytest.raises(Refusal) as caught:
        run_virtually(actions(world, "Not here.").act(OLGA, "kill", "router", "c1"))
    assert refused(caught.value) == ("forbidden", "Not here.")
    assert world.seen == []


def test_a_refusal_of_the_supervisor_is_told_and_written_down() -> None:
    world = World()
    world.refuses = Refusal("conflict", "router is not running")
    with pytest.raises(Refusal) as caught:
        run_virtually(actions(world).act(OLGA, "kill", "router", "c1"))
    assert refused(caught.value) == ("conflict", "router is not running")
    assert world.seen[-1] == "olga kill router: refused: router is not running (c1)"


def test_a_repeated_command_is_done_once_and_told_again() -> None:
    async def repeat() -> None:
        world = World()
        one = actions(world)
        answers = await asyncio.gather(*(one.act(OLGA, "kill", "router", "c1") for _ in range(3)))
        assert answers == [Acted("done")] * 3
        assert await one.act(OLGA, "kill", "router", "c1") == Acted("done")
        assert world.seen.count("do kill router") == 1
        with pytest.raises(Refusal) as caught:
            await one.act(OLGA, "kill", "auth", "c1")
        assert caught.value.code == "conflict"
        await one.act(Operator("u2", "otto", ""), "kill", "router", "c1")
        assert world.seen.count("do kill router") == 2, "another person's command is another one"

    run_virtually(repeat())


def test_what_takes_long_goes_on_while_the_answer_says_so() -> None:
    async def wait() -> None:
        world = World()
        world.lasts = 3 * WAIT
        one = actions(world)
        assert await one.act(OLGA, "restart", "front", "c1") == Acted("under_way")
        await asyncio.sleep(3 * WAIT)
        assert world.seen[-1] == "olga restart front: done (c1)"

    run_virtually(wait())


def test_a_front_that_ends_leaves_what_it_does_not_know() -> None:
    async def end() -> None:
        world = World()
        world.lasts = 60.0
        one = actions(world)
        answering = asyncio.create_task(one.act(OLGA, "restart", "front", "c1"))
        await asyncio.sleep(WAIT / 2)
        await one.close()
        assert await answering == Acted("under_way")
        assert world.seen[-1] == "olga restart front: not known: this front ended first (c1)"

    run_virtually(end())


def test_only_so_many_are_under_way_and_remembered() -> None:
    async def flood() -> None:
        world = World()
        world.lasts = 60.0
        one = actions(world)
        began = [asyncio.create_task(one.act(OLGA, "kill", "router", f"c{number}")) for number in range(AT_ONCE)]
        await asyncio.sleep(WAIT / 2)
        with pytest.raises(Refusal) as caught:
            await one.act(OLGA, "kill", "router", "one more")
        assert caught.value.code == "rate_limited"
        await asyncio.gather(*began)
        await asyncio.sleep(60)
        world.lasts = 0.0
        for number in range(2 * REMEMBERED):
            await one.act(OLGA, "kill", "router", f"d{number}")
        assert len(one._begun) == REMEMBERED

    run_virtually(flood())
