"""Who is an operator: read from auth's database each time, like a session, and from no token."""

from aiohttp import web

from protocols.errors import Refusal
from storage.auth import Account
from web.authentication import Caller
from web.ops.audit import Operator
from web.services import Services


async def operator(services: Services, request: web.Request, *, late: bool = False) -> Caller:
    """The operator who asks. `late`: as for Authenticator.caller.

    Raises Refusal("not_found") for everybody else, as if there were nothing here, and Refusal("unauthenticated") only
    for an operator whose token has run out and can be refreshed.
    """
    try:
        caller = await services.authenticator.caller(request, late=True)
    except Refusal as refusal:
        if refusal.code != "unauthenticated":
            raise
        raise Refusal("not_found") from refusal
    if caller is None or await account(services, caller.user) is None:
        raise Refusal("not_found")
    if not late:
        await services.authenticator.caller(request)
    return caller


async def account(services: Services, user: str) -> Account | None:
    """The account if it is an operator's. Raises Refusal("unavailable")."""
    found = await services.auth.read(lambda tx: tx.accounts.get(user))
    return found if found is not None and found.active and found.operator else None


async def named(services: Services, caller: Caller, request: web.Request) -> Operator:
    """The operator as the audit log names them. Raises Refusal."""
    found = await account(services, caller.user)
    if found is None:
        raise Refusal("not_found")
    return Operator(found.id, found.username, services.security.address(request))
