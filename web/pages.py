"""The pages that people open. Everything on them beyond signing in comes by the API and the socket."""

from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from protocols.auth import SignedIn
from protocols.errors import ErrorBody, Refusal
from protocols.values import BODY_CHARACTERS, Id
from settings.owners import OWNERS
from web import api_auth
from web.assets import Assets
from web.authentication import Caller
from web.dispatch import SERVICES, guard_origin, read_body, shown
from web.ops.rights import account, named, operator
from web.routing import Call
from web.templates import page

ASSETS: Final = web.AppKey("assets", Assets)

HOME: Final = "/chat"
FORM: Final = "application/x-www-form-urlencoded"
MIB: Final = 1024 * 1024


async def _root(request: web.Request) -> web.StreamResponse:
    raise web.HTTPFound(HOME if await _caller(request) else "/login")


async def _login(request: web.Request) -> web.StreamResponse:
    return await _entry(request, "login.html")


async def _register(request: web.Request) -> web.StreamResponse:
    return await _entry(request, "register.html")


async def _post_login(request: web.Request) -> web.StreamResponse:
    form = await _form(request)
    try:
        signed_in = await api_auth.log_in(_call(request), form.get("username", ""), form.get("password", ""))
    except Refusal as refusal:
        return _form_again(request, "login.html", form, refusal)
    return _enter(request, form, signed_in)


async def _post_register(request: web.Request) -> web.StreamResponse:
    form = await _form(request)
    try:
        signed_in = await api_auth.register(
            _call(request),
            form.get("username", ""),
            form.get("password", ""),
            display_name=form.get("display_name", ""),
            invitation=form.get("invitation", ""),
        )
    except Refusal as refusal:
        return _form_again(request, "register.html", form, refusal)
    return _enter(request, form, signed_in)


async def _chat(request: web.Request) -> web.StreamResponse:
    return await _shell(request, "chat")


async def _conversation(request: web.Request) -> web.StreamResponse:
    try:
        wanted = msgspec.convert(request.match_info["id"], Id)
    except msgspec.ValidationError as error:
        raise Refusal("not_found") from error
    return await _shell(request, "chat", wanted)


async def _contacts(request: web.Request) -> web.StreamResponse:
    return await _shell(request, "contacts")


async def _settings(request: web.Request) -> web.StreamResponse:
    return await _shell(request, "settings")


async def _ops(request: web.Request) -> web.StreamResponse:
    services = request.app[SERVICES]
    caller = await operator(services, request, late=True)
    who = await named(services, caller, request)
    boot = {"username": who.username, "actors": list(OWNERS)}
    return page(request, "ops.html", {"boot": boot})


async def _worker(request: web.Request) -> web.StreamResponse:
    """The service worker: what it may see of the origin ends at its own folder, so it stands at the root."""
    return request.app[ASSETS].answer(request, "sw.js", versioned=False)


def relative(target: str) -> str:
    """Where to go after signing in: a path of ours, or home. Pure.

    Browsers read a backslash as a slash and drop tabs and line ends: either could make a path leave us.
    """
    plain = target.startswith("/") and not target.startswith("//")
    return target if plain and "\\" not in target and target.isprintable() else HOME


async def _caller(request: web.Request) -> Caller | None:
    """Who is signed in, by an expired token as well: the page refreshes it by itself."""
    try:
        return await request.app[SERVICES].authenticator.caller(request, late=True)
    except Refusal as refusal:
        if refusal.code == "unauthenticated":
            return None
        raise


async def _shell(request: web.Request, name: str, conversation_id: str | None = None) -> web.StreamResponse:
    caller = await _caller(request)
    if caller is None:
        raise web.HTTPFound(f"/login?{urlencode({'next': request.path})}")
    found = await request.app[SERVICES].auth.read(lambda tx: tx.accounts.users([caller.user]))
    user = found.get(caller.user)
    if user is None:
        raise web.HTTPFound("/login")
    files = request.app[SERVICES].environment.settings.files
    boot = {
        "user": {"id": user.id, "username": user.username, "display_name": user.display_name},
        "operator": await account(request.app[SERVICES], caller.user) is not None,
        "page": name,
        "conversation": conversation_id,
        "asset_version": request.app[ASSETS].version,
        "limits": {"body": BODY_CHARACTERS, "file": files.largest_mib * MIB},
    }
    return page(request, "app.html", {"boot": boot})


async def _entry(request: web.Request, template: str) -> web.StreamResponse:
    target = relative(request.query.get("next", HOME))
    if await _caller(request):
        raise web.HTTPFound(target)
    form = {"next": target, "invitation": request.query.get("invitation", "")}
    return page(request, template, _context(request, form, None))


def _context(request: web.Request, form: dict[str, str], error: ErrorBody | None) -> dict[str, Any]:
    return {
        "registration": request.app[SERVICES].environment.settings.auth.registration,
        "next": relative(form.get("next", HOME)),
        "invitation": form.get("invitation", ""),
        "error": error,
        "values": {"username": form.get("username", ""), "display_name": form.get("display_name", "")},
    }


def _form_again(request: web.Request, template: str, form: dict[str, str], refusal: Refusal) -> web.StreamResponse:
    response = page(request, template, _context(request, form, shown(refusal.body)))
    response.set_status(refusal.status)
    return response


def _enter(request: web.Request, form: dict[str, str], signed_in: SignedIn) -> web.StreamResponse:
    response = web.HTTPSeeOther(relative(form.get("next", HOME)))
    request.app[SERVICES].cookies.set(response, signed_in)
    raise response


async def _form(request: web.Request) -> dict[str, str]:
    guard_origin(safe=False, request=request)
    if request.content_type != FORM:
        raise Refusal("unsupported", f"A form's content type is {FORM}.")
    await read_body(request)
    return {name: value for name, value in (await request.post()).items() if isinstance(value, str)}


def _call(request: web.Request) -> Call[Any, Any]:
    services = request.app[SERVICES]
    return Call(services, request, None, {}, None, None, services.environment.new_id())


PAGES: Final = (
    ("GET", "/", _root),
    ("GET", "/login", _login),
    ("POST", "/login", _post_login),
    ("GET", "/register", _register),
    ("POST", "/register", _post_register),
    ("GET", "/chat", _chat),
    ("GET", "/chat/{id}", _conversation),
    ("GET", "/contacts", _contacts),
    ("GET", "/settings", _settings),
    ("GET", "/ops", _ops),
    ("GET", "/sw.js", _worker),
)
"""Method, path and handler. None of the pages changes data but by signing in."""
