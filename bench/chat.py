"""Pairs who chat with a whole installation, or with a bare loop: messages a second, their times, and what they cost."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from bench.figures import milliseconds
from bench.fleet import Fleet
from bench.orders import Chat, Guest, Log, Open, Opened, Sending, Settle, Told
from bench.processes import cpu, spent
from bench.profiling import profile
from drill.ledger import Sent, settle
from drill.screen import Shown

WARM_UP = 1.0
"""Seconds of typing that count for nothing (no more than those that count): caches fill, batches find their size."""

SPREAD = 0.1
"""Of all sockets: by how many of them the fronts may differ."""
SPREAD_TRIES = 8

BEGIN_IN = 0.3
OPEN_WITHIN = 120.0
SETTLE_WITHIN = 60.0
SLACK = 120.0

Pairs = Sequence[tuple[Guest, Guest]]
Members = Callable[[], Awaitable[Mapping[str, Sequence[int]]]]
"""Gives the pids of each process whose cost is of interest."""


class BrokenPromiseError(Exception):
    """A message was lost, doubled or out of order; the text holds the account."""


class Place(Struct, frozen=True):
    """What pairs chat over. `before`: how many messages a conversation holds already.

    `sockets(count)` tells how many of so many open sockets each front has. With `profile` many_pairs looks where the
    time goes, and leaves what it saw in that folder.
    """

    port: int
    members: Members
    before: int = 0
    sockets: Callable[[int], Awaitable[Mapping[str, int]]] | None = None
    profile: Path | None = None


async def one_pair(fleet: Fleet, place: Place, pair: tuple[Guest, Guest], messages: int) -> dict[str, Any]:
    """One message at a time: the next is typed when the last has its tick and is on the other's screen.

    Milliseconds from send to the other person's socket.
    """
    ann, bob = pair
    sending = Sending(ann.id, bob.id, ann.id[-8:], outstanding=1, most=messages, shown=True)
    orders = [Open(place.port, [ann, bob]), *[Open(place.port, [])] * (fleet.size - 1)]
    await fleet.all(orders, Opened, OPEN_WITHIN)
    start = time.perf_counter() + BEGIN_IN
    stop = start + SLACK
    idle = Chat([], [], start, start)
    await fleet.all([Chat([sending], [bob.id], start, stop), *[idle] * (fleet.size - 1)], Told, 2 * SLACK)
    sent, shown = await _settled(fleet, place, [{bob.id: messages}, *[{}] * (fleet.size - 1)])
    await fleet.close()
    return milliseconds(_times(sent, shown.values()))


async def many_pairs(fleet: Fleet, place: Place, pairs: Pairs, outstanding: int, seconds: float) -> dict[str, Any]:
    """The first one of each pair keeps so many messages without an answer, for so many seconds after a warm-up.

    `delivered_a_second` counts messages that reached the other person's socket, the times are from send to there,
    and `cpu_ms_a_1000` is processor time, in milliseconds for 1,000 delivered messages, of each process.
    `cpu_allows_a_second` is what that would allow if all processors were busy with it: other work on the machine
    moves it much less than it moves what was delivered.
    """
    chats = _dealt(fleet, pairs)
    spread = await _open(fleet, place, chats)
    members = await place.members()
    start = time.perf_counter() + BEGIN_IN
    begin = start + min(WARM_UP, seconds)
    stop = begin + seconds
    told, before, after, _ = await asyncio.gather(
        fleet.all([_chat(one, outstanding, start, stop) for one in chats], Told, seconds + SLACK),
        _cpu_at(begin, members),
        _cpu_at(stop, members),
        _looked_into(place, members, begin, seconds),
    )
    counts = {name: count for one in told for name, count in one.counts.items()}
    waiting = [{bob.id: counts[bob.id] for _, bob in reading} for _, reading in chats]
    sent, shown = await _settled(fleet, place, waiting)
    await fleet.close()
    measured = [[one for one in screen if begin <= one.at < stop] for screen in shown.values()]
    total = sum(map(len, measured))
    costs = spent(before, after)
    return {
        "delivered_a_second": round(total / seconds),
        **milliseconds(_times(sent, measured)),
        "cpu_ms_a_1000": {name: round(cost / max(1, total) * 1e6, 1) for name, cost in costs.items()},
        "cpu_ms_a_1000_all": round(sum(costs.values()) / max(1, total) * 1e6, 1),
        "cpu_allows_a_second": round(total / max(1e-3, sum(costs.values())) * len(os.sched_getaffinity(0))),
        **({"sockets_of": dict(spread)} if spread else {}),
    }


async def _open(fleet: Fleet, place: Place, chats: Sequence[tuple[Pairs, Pairs]]) -> Mapping[str, int]:
    """Open all sockets, and again if they are spread too unevenly; returns how many each front has.

    Whichever front wakes up first takes a connection. Who comes over the hours is spread well by that; who comes
    within a tenth of a second may not be, and then one front would be measured, and not the installation.
    """
    people = [[*(ann for ann, _ in typing), *(bob for _, bob in reading)] for typing, reading in chats]
    orders = [Open(place.port, guests) for guests in people]
    count = sum(map(len, people))
    await fleet.all(orders, Opened, OPEN_WITHIN)
    if place.sockets is None:
        return {}
    spread = await place.sockets(count)
    for _ in range(SPREAD_TRIES):
        if max(spread.values()) - min(spread.values()) <= SPREAD * count:
            break
        await fleet.close()
        await place.sockets(0)
        await fleet.all(orders, Opened, OPEN_WITHIN)
        spread = await place.sockets(count)
    return spread


def _dealt(fleet: Fleet, pairs: Pairs) -> list[tuple[Pairs, Pairs]]:
    """For each worker, the pairs whose first one types there, and those whose second one reads there: other ones."""
    typing: list[list[tuple[Guest, Guest]]] = [[] for _ in range(fleet.size)]
    reading: list[list[tuple[Guest, Guest]]] = [[] for _ in range(fleet.size)]
    for at, pair in enumerate(pairs):
        typing[at % fleet.size].append(pair)
        reading[(at + 1) % fleet.size].append(pair)
    return list(zip(typing, reading, strict=True))


def _chat(part: tuple[Pairs, Pairs], outstanding: int, start: float, stop: float) -> Chat:
    typing, reading = part
    sendings = [Sending(ann.id, bob.id, ann.id[-8:], outstanding, most=2**40) for ann, bob in typing]
    return Chat(sendings, [bob.id for _, bob in reading], start, stop)


async def _cpu_at(moment: float, members: Mapping[str, Sequence[int]]) -> dict[str, float]:
    await asyncio.sleep(moment - time.perf_counter())
    return cpu(members)


async def _looked_into(place: Place, members: Mapping[str, Sequence[int]], begin: float, seconds: float) -> None:
    if place.profile is not None:
        await asyncio.sleep(begin - time.perf_counter())
        await profile(place.profile, members, seconds)


async def _settled(
    fleet: Fleet, place: Place, receivers: Sequence[dict[str, int]]
) -> tuple[dict[str, Sent], dict[str, list[Shown]]]:
    """All that was typed and shown, after a look at every message. Raises BrokenPromiseError."""
    orders = [Settle(some, place.before, SETTLE_WITHIN) for some in receivers]
    logs = await fleet.all(orders, Log, SETTLE_WITHIN + SLACK)
    sent = [one for log in logs for one in log.sent]
    shown = {name: screen for log in logs for name, screen in log.shown.items()}
    account = settle(sent, shown)
    if not account.kept or account.unanswered or account.refused:
        raise BrokenPromiseError(str(account)[:4000])
    return {one.client_id: one for one in sent}, shown


def _times(sent: Mapping[str, Sent], screens: Iterable[Sequence[Shown]]) -> list[float]:
    return [one.at - sent[one.client_id].at for screen in screens for one in screen]
