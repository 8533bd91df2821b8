"""How this front and the installation are: for load balancers, for Prometheus, and for people in a hurry."""

from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal

from aiohttp import web
from msgspec import Struct

from protocols.errors import Refusal
from settings.owners import OWNERS
from storage import Reader
from web.dispatch import SERVICES
from web.routing import Call, Reply, Route
from web.services import Services

PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"


class Alive(Struct, frozen=True):
    status: Literal["ok"] = "ok"


class ActorRow(Struct, frozen=True):
    """`state`: "running", "degraded", "down", or "starting" for one that was never ready. `depth`: mail waiting."""

    name: str
    state: str
    note: str
    depth: int


class Readiness(Struct, frozen=True):
    """`status`: "ready", "degraded" (an actor is not running), or why not: "starting", "draining", "cut off"."""

    status: str
    actors: list[ActorRow]


async def readiness(services: Services) -> Readiness:
    """Whether this front can take messages, and how the actors are."""
    await _see_who_was_ready(services)
    rows = [_row(services, name) for name in OWNERS]
    return Readiness(_status(services, rows), rows)


async def metrics(request: web.Request) -> web.Response:
    """GET /metrics, in Prometheus' text format."""
    lines = "\n".join(_lines(request.app[SERVICES]))
    return web.Response(body=f"{lines}\n".encode(), headers={"Content-Type": PROMETHEUS})


async def _alive(_: Call[None, None]) -> Alive:
    return Alive()


async def _ready(call: Call[None, None]) -> Reply:
    answer = await readiness(call.services)
    return Reply(answer, 200 if answer.status in {"ready", "degraded"} else 503)


async def _see_who_was_ready(services: Services) -> None:
    """An owner was ready once when it was heard, or when by now it is silent but has left its database."""
    ready = services.counters.ready_once
    readers: dict[str, Reader[Any]] = {
        "auth": services.auth,
        "contacts": services.contacts,
        "router": services.router,
        "notifier": services.notifier,
        "file_chunker": services.files,
    }
    for name in OWNERS:
        if name in services.hub.sources:
            ready.add(name)
        elif name not in ready and services.hub.state(name) == "down":
            try:
                await readers[name].read(lambda tx: tx.journal.change())
            except Refusal:
                continue
            ready.add(name)


def _status(services: Services, rows: Iterable[ActorRow]) -> str:
    if services.counters.draining:
        return "draining"
    states = {row.state for row in rows}
    if "starting" in states:
        return "starting"
    if services.hub.silent and not services.post.connected:
        return "cut off"
    return "ready" if states == {"running"} else "degraded"


def _row(services: Services, name: str) -> ActorRow:
    source = services.hub.sources.get(name)
    state = services.hub.state(name) if name in services.counters.ready_once else "starting"
    return ActorRow(name, state, source.note if source else "", source.depth if source else 0)


def _lines(services: Services) -> Iterator[str]:
    hub = services.hub
    yield from _family(
        "parley_actor_up",
        "gauge",
        "1 while an actor is heard and can work.",
        ((f'{{actor="{row.name}"}}', int(row.state != "down")) for row in hub.states()),
    )
    sources = hub.sources.items()
    yield from _family(
        "parley_mailbox_depth",
        "gauge",
        "Messages that wait in an actor's mailbox.",
        ((f'{{actor="{name}"}}', source.depth) for name, source in sources),
    )
    yield from _family(
        "parley_pushes_total",
        "counter",
        "Batches an actor has pushed since its start.",
        ((f'{{actor="{name}"}}', source.number) for name, source in sources),
    )
    samples = {**hub.figures_of_others(), **figures(services)}
    for name, kind, text in _FAMILIES:
        rows = sorted((sample, value) for sample, value in samples.items() if sample.partition("{")[0] == name)
        yield from _family(name, kind, text, ((sample.removeprefix(name), value) for sample, value in rows))


_FAMILIES: Final = (
    ("parley_gaps_total", "counter", "Times a front has missed pushes of an actor."),
    ("parley_sockets", "gauge", "Open sockets."),
    ("parley_commands_waiting", "gauge", "Commands whose outcome is waited for."),
    ("parley_frames_received_total", "counter", "Frames from clients."),
    ("parley_frames_sent_total", "counter", "Frames to clients."),
    ("parley_sockets_cut_total", "counter", "Sockets cut off for reading too slowly."),
    ("parley_http_requests_total", "counter", "Requests answered, by declared path."),
)
"""What every front counts by itself: each sample is labelled with its front."""


def figures(services: Services) -> dict[str, int]:
    """What this front counts, by sample."""
    hub, counters = services.hub, services.counters
    front = services.post.incarnation.partition(":")[0]
    own = f'{{front="{front}"}}'
    return {
        f"parley_sockets{own}": len(hub.ports),
        f"parley_commands_waiting{own}": hub.waiting,
        f"parley_frames_received_total{own}": counters.frames_in,
        f"parley_frames_sent_total{own}": counters.frames_out,
        f"parley_sockets_cut_total{own}": counters.cut,
        **{
            f'parley_gaps_total{{front="{front}",actor="{name}"}}': source.missed
            for name, source in hub.sources.items()
        },
        **{
            f'parley_http_requests_total{{front="{front}",method="{method}",path="{path}",status="{status}"}}': count
            for (method, path, status), count in counters.requests.items()
        },
    }


def _family(name: str, kind: str, text: str, rows: Iterable[tuple[str, int]]) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"
    for labels, value in rows:
        yield f"{name}{labels} {value}"


ROUTES: Final = (
    Route("GET", "/healthz", _alive, Alive, who="anyone", summary="This front lives.", tag="health"),
    Route(
        "GET",
        "/readyz",
        _ready,
        Readiness,
        who="anyone",
        also={503: Readiness},
        summary="Whether this front can take messages; a row an actor.",
        tag="health",
    ),
)
