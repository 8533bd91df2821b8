"""HTTP routes of the operator's page. For everybody else there is nothing here."""

from typing import Annotated, Final

from msgspec import Meta

from protocols.errors import Refusal
from protocols.ops import Acted, Action, ActorName, LetterBody, Letters, Overview
from settings.owners import OWNERS
from web.ops.rights import named
from web.routing import API, Call, Route, Strict

ROOT: Final = f"{API}/ops"


class Act(Strict, frozen=True):
    """`actor`: router, front (every copy), front.2, broker."""

    action: Action
    actor: ActorName


class WhoseLetters(Strict, frozen=True):
    actor: Annotated[str, Meta(max_length=32)]


async def _overview(call: Call[None, None]) -> Overview:
    return await call.services.ops.board.overview()


async def _act(call: Call[Act, None]) -> Acted:
    who = await named(call.services, call.me, call.request)
    return await call.services.ops.actions.act(who, call.body.action, call.body.actor, call.command_id)


async def _letters(call: Call[None, WhoseLetters]) -> Letters:
    return await call.services.ops.letters.all_of(_owner(call))


async def _letter(call: Call[None, WhoseLetters]) -> LetterBody:
    actor, mark = _owner(call), call.params["id"]
    who = await named(call.services, call.me, call.request)
    found = await call.services.ops.letters.body(actor, mark)
    # It may hold what two people wrote to each other: whoever reads that leaves a trace.
    await call.services.ops.audit.write(who, f"read letter {mark} of {actor}", "done", call.command_id)
    return found


def _owner(call: Call[None, WhoseLetters]) -> str:
    if call.query.actor not in OWNERS:
        raise Refusal("invalid", fields={"actor": f"One of {', '.join(OWNERS)}."})
    return call.query.actor


ROUTES: Final = (
    Route(
        "GET",
        ROOT,
        _overview,
        Overview,
        who="operator",
        summary="Every actor: state, uptime, restarts, mailbox, memory. For operators.",
        tag="ops",
    ),
    Route(
        "POST",
        f"{ROOT}/actions",
        _act,
        Acted,
        who="operator",
        body=Act,
        errors=("conflict", "rate_limited"),
        summary="Start, stop, restart or kill an actor, where that is allowed. For operators.",
        tag="ops",
    ),
    Route(
        "GET",
        f"{ROOT}/letters",
        _letters,
        Letters,
        who="operator",
        query=WhoseLetters,
        summary="Mail that an actor could not handle. For operators.",
        tag="ops",
    ),
    Route(
        "GET",
        f"{ROOT}/letters/{{id}}",
        _letter,
        LetterBody,
        who="operator",
        query=WhoseLetters,
        summary="What one such letter carries; that it was read is written down. For operators.",
        tag="ops",
    ),
)
