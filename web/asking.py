"""Asking an owner for what a person waits for, on behalf of whoever is signed in."""

from typing import Any, Final, TypeVar

from actors.runtime import Asker
from protocols.errors import Refusal
from protocols.mail import Command
from web.routing import Call
from web.services import Services

WITHIN: Final = 5.0
"""Seconds that a person waits."""

AGAIN: Final = 2.0
"""Seconds after which to try again while the owner is known to be away."""

R = TypeVar("R")


def refuse_without(services: Services, owner: str) -> None:
    """Raise Refusal("unavailable") when it is known that an owner will not answer now.

    A definite no at once is worth more to a person than a command that is done behind their back later.
    """
    if services.gone(owner):
        raise Refusal("unavailable", retry_after=AGAIN)


async def ask(call: Call[Any, Any], owner: str, command: Command[R], by: Asker | None = None) -> R:
    """The owner's reply, by the front's post if by nothing else.

    Raises Refusal: what the owner refuses; "rate_limited"; "unavailable".
    """
    services, me = call.services, call.me.user
    # Even a command that changes nothing is remembered for days and may be pushed to others.
    wait = services.limits.message(me, services.environment.monotonic())
    if wait:
        raise Refusal("rate_limited", retry_after=wait)
    refuse_without(services, owner)
    return await (by or services.post).ask(owner, command, within=WITHIN, id=call.command_id, person=me)
