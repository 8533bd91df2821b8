"""The one place where what was raised becomes an answer: JSON for programs, a page for people."""

import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from protocols.errors import Refusal
from web.dispatch import failure, shown
from web.templates import page

CLIENT_GONE: Final = 499
"""What nginx counts such a request as."""

log: Final = logging.getLogger(__name__)

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def answer_errors(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Turn whatever a handler raises into an answer that tells nothing about our insides."""
    try:
        return await handler(request)
    except Refusal as refusal:
        return _answer(request, refusal)
    except web.HTTPException as error:
        if error.status < 400:  # noqa: PLR2004  (redirections are raised as well)
            raise
        return _answer(request, _refusal(error), allow=error.headers.get("Allow"))
    except ConnectionError:
        # The client has gone; nobody reads the answer. Raised on, it would be logged as a fault of ours.
        return web.Response(status=CLIENT_GONE)
    except Exception:
        mark = secrets.token_hex(6)
        log.exception("request failed", extra={"mark": mark, "method": request.method, "route": template(request)})
        return _answer(request, Refusal("internal", f"Something went wrong here; it is logged as {mark}."))


def template(request: web.Request) -> str:
    """The path as it was declared, so that no id and no secret gets into logs and metrics."""
    resource = request.match_info.route.resource
    return resource.canonical if resource else "unknown"


def wants_page(request: web.Request) -> bool:
    """Whether a person looks at the answer: not for the API, and only who accepts HTML."""
    return not request.path.startswith("/api/") and "text/html" in request.headers.get("Accept", "")


def _refusal(error: web.HTTPException) -> Refusal:
    codes = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 415: "unsupported"}
    default = "invalid" if error.status < 500 else "internal"  # noqa: PLR2004  (the status classes)
    return Refusal(codes.get(error.status, default))


def _answer(request: web.Request, refusal: Refusal, *, allow: str | None = None) -> web.Response:
    if wants_page(request):
        response = page(request, "error.html", {"status": int(refusal.status), "message": shown(refusal.body).message})
        response.set_status(refusal.status)
    else:
        response = failure(refusal)
    if allow:
        response.headers["Allow"] = allow
    return response
