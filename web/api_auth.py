"""HTTP routes of accounts and sessions."""

from typing import Any, Final, TypeVar

import msgspec
from aiohttp import hdrs, web
from msgspec import Struct

from protocols.auth import (
    ChangePassword,
    ChangeProfile,
    DeleteAccount,
    EndSession,
    LogIn,
    LogOut,
    Refresh,
    Register,
    SignedIn,
)
from protocols.errors import Refusal
from protocols.mail import Command
from protocols.values import User, rfc3339
from web.asking import refuse_without
from web.paging import Newest
from web.routing import API, Call, Reply, Route, Strict
from web.tokens import jwks

WITHIN: Final = 5.0
HASHING: Final = 15.0
"""Seconds that a person waits for auth; longer where a password is hashed, because those queue up."""

AGENT_CHARACTERS: Final = 200


class Registration(Strict, frozen=True):
    username: str
    password: str
    display_name: str = ""
    invitation: str = ""


class Credentials(Strict, frozen=True):
    """`display_name` belongs to registering, which takes the same body, and changes nothing here."""

    username: str
    password: str
    display_name: str = ""


class RefreshToken(Strict, frozen=True):
    """Programs send the token; a browser's is in its cookie."""

    refresh_token: str = ""


class NewPassword(Strict, frozen=True):
    current_password: str
    new_password: str


class Profile(Strict, frozen=True):
    display_name: str


class Password(Strict, frozen=True):
    password: str


class Signed(Struct, frozen=True):
    """`expires_in`: seconds for which the access token is good."""

    user: User
    access_token: str
    refresh_token: str
    expires_in: int


class Me(Struct, frozen=True):
    user: User
    session: str


class SessionItem(Struct, frozen=True):
    """A signed-in device. `current`: the one that asks."""

    id: str
    agent: str
    address: str
    created_at: str
    last_used_at: str
    current: bool


class PublicKeyItem(Struct, frozen=True):
    kty: str
    crv: str
    alg: str
    use: str
    kid: str
    x: str


class KeySet(Struct, frozen=True):
    """RFC 7517, RFC 8037."""

    keys: list[PublicKeyItem]


class SessionList(Struct, frozen=True):
    sessions: list[SessionItem]


async def _sign_up(call: Call[Registration, None]) -> Reply:
    body = call.body
    return signed(
        call,
        await register(call, body.username, body.password, display_name=body.display_name, invitation=body.invitation),
    )


async def _sign_in(call: Call[Credentials, None]) -> Reply:
    return signed(call, await log_in(call, call.body.username, call.body.password))


R = TypeVar("R")


async def _ask(call: Call[Any, Any], command: Command[R], within: float, person: str = "") -> R:
    services = call.services
    refuse_without(services, "auth")
    return await services.post.ask("auth", command, within=within, id=call.command_id, person=person)


async def register(
    call: Call[Any, Any], username: str, password: str, *, display_name: str, invitation: str
) -> SignedIn:
    """Ask auth for a new account and a session on this device. Raises Refusal."""
    command = Register(
        username=username,
        password=password,
        display_name=display_name,
        invitation=invitation,
        agent=_agent(call.request),
        address=call.services.security.address(call.request),
    )
    return await _ask(call, command, HASHING)


async def log_in(call: Call[Any, Any], username: str, password: str) -> SignedIn:
    """Ask auth for a session on this device. Raises Refusal."""
    command = LogIn(
        username=username,
        password=password,
        known_session=await call.services.authenticator.known_session(call.request),
        agent=_agent(call.request),
        address=call.services.security.address(call.request),
    )
    return await _ask(call, command, HASHING)


async def _refresh(call: Call[RefreshToken, None]) -> Reply:
    token = call.body.refresh_token or call.services.cookies.refresh(call.request)
    if not token:
        raise Refusal("unauthenticated")
    signed_in = await _ask(call, Refresh(token=token), WITHIN)
    return signed(call, signed_in)


async def _log_out(call: Call[RefreshToken, None]) -> Reply:
    """The session ends by whatever the caller holds: a token in the body, the session itself, or the cookie."""
    services, caller = call.services, call.caller
    token = call.body.refresh_token or ("" if caller else services.cookies.refresh(call.request))
    if token:
        await services.post.ask("auth", LogOut(token=token), within=WITHIN, id=call.command_id)
    elif caller:
        await _end(call, caller.user, caller.session)
    else:
        raise Refusal("unauthenticated")
    return Reply(None, finish=services.cookies.clear)


async def _end(call: Call[Any, Any], user: str, session: str) -> None:
    """End a session, now or as soon as auth is back: nobody is to stay signed in because it is away."""
    services, command = call.services, EndSession(session=session)
    if services.gone("auth"):
        services.hub.mention("auth", command, id=call.command_id, person=user)
    else:
        await services.post.ask("auth", command, within=WITHIN, id=call.command_id, person=user)
    services.authenticator.forget(session)


async def _sessions(call: Call[None, Newest]) -> SessionList:
    me, now = call.me, call.services.environment.now()
    rows = await call.services.auth.read(lambda tx: tx.sessions.of(me.user, now))
    return SessionList(
        [
            SessionItem(
                row.id,
                row.agent,
                row.address,
                rfc3339(row.created_at),
                rfc3339(row.last_used_at),
                current=row.id == me.session,
            )
            for row in rows[: call.query.limit]
        ]
    )


async def _end_session(call: Call[None, None]) -> None:
    await _end(call, call.me.user, call.params["id"])


async def _change_password(call: Call[NewPassword, None]) -> None:
    command = ChangePassword(session=call.me.session, current=call.body.current_password, new=call.body.new_password)
    try:
        await _ask(call, command, HASHING, call.me.user)
    except Refusal as refusal:
        body = refusal.body
        # The mail has names of its own for what the body's fields are called.
        fields = {f"{name}_password": wrong for name, wrong in (body.fields or {}).items()} or None
        raise Refusal(body.code, body.message, fields=fields, retry_after=body.retry_after) from refusal


async def _me(call: Call[None, None]) -> Me:
    return Me(await user_of(call), call.me.session)


async def _change_profile(call: Call[Profile, None]) -> Me:
    command = ChangeProfile(display_name=call.body.display_name)
    user = await _ask(call, command, WITHIN, call.me.user)
    return Me(user, call.me.session)


async def _delete_account(call: Call[Password, None]) -> Reply:
    command = DeleteAccount(password=call.body.password)
    await _ask(call, command, HASHING, call.me.user)
    call.services.authenticator.forget(call.me.session)
    return Reply(None, finish=call.services.cookies.clear)


async def _keys(call: Call[None, None]) -> Reply:
    keys = await call.services.auth.read(lambda tx: tx.keys.public())
    return Reply(msgspec.Raw(msgspec.json.encode(jwks(keys))))


async def user_of(call: Call[Any, Any]) -> User:
    """The signed-in person as others see them. Raises Refusal."""
    me = call.me
    found = await call.services.auth.read(lambda tx: tx.accounts.users([me.user]))
    if me.user not in found:
        raise Refusal("unauthenticated")
    return found[me.user]


def signed(call: Call[Any, Any], signed_in: SignedIn) -> Reply:
    """The answer that signs in: a browser gets its cookies with it, a program reads the tokens."""
    answer = Signed(signed_in.user, signed_in.access_token, signed_in.refresh_token, signed_in.expires_in)
    # Programs do not name an origin, and a cookie would sign them in where they mean to be nobody.
    browser = hdrs.ORIGIN in call.request.headers or "Sec-Fetch-Site" in call.request.headers
    return Reply(answer, finish=(lambda response: call.services.cookies.set(response, signed_in)) if browser else None)


def _agent(request: web.Request) -> str:
    return request.headers.get(hdrs.USER_AGENT, "")[:AGENT_CHARACTERS]


ROUTES: Final = (
    Route(
        "POST",
        f"{API}/auth/register",
        _sign_up,
        Signed,
        status=201,
        who="anyone",
        body=Registration,
        errors=("registration_closed", "invitation_required", "username_taken", "rate_limited"),
        summary="A new account, and its first session.",
        tag="auth",
    ),
    Route(
        "POST",
        f"{API}/auth/login",
        _sign_in,
        Signed,
        who="anyone",
        body=Credentials,
        errors=("wrong_credentials", "rate_limited"),
        summary="A session on this device.",
        tag="auth",
    ),
    Route(
        "POST",
        f"{API}/auth/refresh",
        _refresh,
        Signed,
        who="anyone",
        body=RefreshToken,
        body_optional=True,
        errors=("unauthenticated",),
        summary="New tokens for a session; the refresh token in the body, or the browser's cookie.",
        tag="auth",
    ),
    Route(
        "POST",
        f"{API}/auth/logout",
        _log_out,
        who="anyone",
        body=RefreshToken,
        body_optional=True,
        errors=("unauthenticated",),
        summary="End this session, by its refresh token or as who is signed in.",
        tag="auth",
    ),
    Route(
        "GET",
        f"{API}/auth/sessions",
        _sessions,
        SessionList,
        query=Newest,
        summary="Where you are signed in.",
        tag="auth",
    ),
    Route(
        "DELETE",
        f"{API}/auth/sessions/{{id}}",
        _end_session,
        summary="Sign another device out, or this one.",
        tag="auth",
    ),
    Route(
        "PUT",
        f"{API}/auth/password",
        _change_password,
        body=NewPassword,
        errors=("rate_limited",),
        summary="Another password; every other session ends.",
        tag="auth",
    ),
    Route("GET", f"{API}/me", _me, Me, summary="Who is signed in.", tag="me"),
    Route("PATCH", f"{API}/me", _change_profile, Me, body=Profile, summary="Another display name.", tag="me"),
    Route(
        "DELETE",
        f"{API}/me",
        _delete_account,
        body=Password,
        errors=("rate_limited",),
        summary="Delete your account, for ever.",
        tag="me",
    ),
    Route(
        "GET",
        "/.well-known/jwks.json",
        _keys,
        KeySet,
        who="anyone",
        summary="The public keys by which access tokens can be verified (RFC 7517).",
        tag="auth",
    ),
)
