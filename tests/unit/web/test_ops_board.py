"""The overview: what the supervisor tells and what this front hears, put together; and when nothing may be done."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from protocols.errors import Refusal
from protocols.mail import Beat
from protocols.ops import ActorRow, SupervisorRow
from tests.support.node import installation
from tests.support.virtual_time import run_virtually
from web.hub import Hub
from web.ops.board import ALONE, EXPOSED, NEVER, Board, forbidden
from web.ops.installation import Status
from web.ops.past import STEP


class Source:
    """A supervisor that answers as it is told, in no time."""

    def __init__(self) -> None:
        self.answer: Status | None = Status(
            SupervisorRow(pid=1, state="running", uptime=5.0, address="http://x"),
            [ActorRow(name="broker", state="running"), ActorRow(name="router", state="running", depth=3)],
        )
        self.asked: list[bool] = []
        self.fault: Exception | None = None

    async def status(self, *, memory: bool) -> Status | None:
        self.asked.append(memory)
        await asyncio.sleep(0)
        if self.fault:
            raise self.fault
        return self.answer


async def waiting(of: str, _within: float) -> int:
    """How much mail waits, as the broker counts it."""
    await asyncio.sleep(0)
    if of == "contacts":
        raise Refusal("unavailable")
    return 40


class Nobody:
    incarnation = "front.1:x"

    def tell(self, to: str, command: Any, *, id: str, person: str, correlation: str, after: str = "") -> None:  # noqa: A002  (as Post)
        raise AssertionError(f"told {to} {command} {id} {person} {correlation} {after}")

    def drop(self, correlations: Iterable[str]) -> None:
        raise AssertionError(f"dropped {correlations}")

    async def kept(self, to: str, within: float) -> bool:
        raise AssertionError(f"asked for {to} within {within}")


def made(source: Source, **ops: object) -> tuple[Board, Hub]:
    loop = asyncio.get_running_loop()
    settings = installation(Path("/nowhere"), ops=ops)
    hub = Hub(Nobody(), monotonic=loop.time, later=loop.call_later)
    return Board(settings, source, hub, waiting, monotonic=loop.time, now=lambda: 0), hub


def test_the_supervisors_rows_carry_what_the_front_hears() -> None:
    async def look() -> None:
        source = Source()
        board, hub = made(source)
        beat = Beat(source="router", incarnation="1", number=1, state="degraded", note="the disk is full", depth=9)
        hub.receive(beat)
        overview = await board.overview()
        broker, router = overview.actors
        assert (broker.heard, broker.note, broker.depth) == ("", "", None)
        assert (router.heard, router.note) == ("degraded", "the disk is full")
        assert overview.actions == ["start", "stop", "restart", "kill"]
        assert overview.why_not == ""

    run_virtually(look())


def test_whose_owner_is_away_has_its_mail_counted_by_the_broker() -> None:
    async def look() -> None:
        source = Source()
        board, hub = made(source)
        router = ActorRow(name="router", state="running", depth=3)
        stopped = ActorRow(name="auth", state="stopped", depth=None)
        unknown = ActorRow(name="contacts", state="backoff", depth=7)
        front = ActorRow(name="front.1", state="stopped", depth=1)
        assert source.answer is not None
        source.answer = Status(source.answer.supervisor, [router, stopped, unknown, front])
        for name in ("router", "auth", "contacts"):
            hub.receive(Beat(source=name, incarnation="1", number=1, state="running", depth=9))
        depths = {row.name: row.depth for row in (await board.overview()).actors}
        assert depths == {"router": 3, "auth": 40, "contacts": None, "front.1": 1}

    run_virtually(look())


def test_without_a_supervisor_the_beats_tell_what_they_can() -> None:
    async def look() -> None:
        source = Source()
        source.answer = None
        board, hub = made(source)
        hub.receive(Beat(source="router", incarnation="1", number=1, state="running", depth=9))
        overview = await board.overview()
        assert overview.supervisor is None
        assert (overview.actions, overview.why_not) == ([], ALONE)
        rows = {row.name: row for row in overview.actors}
        assert (rows["router"].state, rows["router"].depth, rows["router"].pid) == ("running", 9, None)
        assert {"auth", "contacts"} < rows.keys()

    run_virtually(look())


def test_many_who_look_at_once_share_one_answer() -> None:
    async def look() -> None:
        source = Source()
        board, _ = made(source)
        seen = await asyncio.gather(*(board.overview() for _ in range(20)))
        assert source.asked == [True]
        assert all(one is seen[0] for one in seen)
        await asyncio.sleep(1)
        await board.overview()
        assert source.asked == [True, True]

    run_virtually(look())


def test_samples_are_taken_while_nobody_looks_and_whatever_happens() -> None:
    async def look() -> None:
        source = Source()
        board, _ = made(source)
        running = asyncio.create_task(board.run())
        await asyncio.sleep(3.5 * STEP)
        assert source.asked == [False] * 4
        source.fault = ValueError("unforeseen")
        await asyncio.sleep(2 * STEP)
        source.fault = None
        await asyncio.sleep(2 * STEP)
        running.cancel()
        assert len(board.history().actors["router"]) == 6

    run_virtually(look())


@pytest.mark.parametrize(
    ("actions", "web", "why"),
    [
        ("loopback", {}, ""),
        ("loopback", {"host": "0.0.0.0"}, EXPOSED),  # noqa: S104  (compared, not bound)
        ("loopback", {"trusted_proxies": ["127.0.0.1/32"]}, EXPOSED),
        ("always", {"host": "0.0.0.0"}, ""),  # noqa: S104
        ("never", {}, NEVER),
    ],
)
def test_actions_are_for_loopback_or_by_explicit_setting(actions: str, web: dict[str, object], why: str) -> None:
    assert forbidden(installation(Path("/nowhere"), ops={"actions": actions}, web=web)) == why
