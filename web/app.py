"""The aiohttp application: routes, pages, static files and the socket, with what every answer bears."""

import functools
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import hdrs, web
from aiohttp.abc import AbstractAccessLogger

from protocols.values import FRAME_BYTES
from web import api_tus, documents, health, templates
from web.assets import PREFIX, Assets
from web.dispatch import SERVICES, serve
from web.errors import answer_errors, template
from web.ops.socket import serve_ops_socket
from web.pages import ASSETS, PAGES
from web.routes import ROUTES
from web.routing import API
from web.services import Services
from web.socket import serve_socket

log: Final = logging.getLogger("web.access")

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def build(services: Services, assets: Assets) -> web.Application:
    """An application that serves everything there is."""
    app = web.Application(middlewares=[_count, answer_errors], client_max_size=FRAME_BYTES)
    app[SERVICES] = services
    app[ASSETS] = assets
    templates.set_up(app, assets)
    app.on_response_prepare.append(_stamp)
    app.on_response_prepare.append(api_tus.stamp)
    heads = {route.path for route in ROUTES if route.method == "HEAD"}
    for route in ROUTES:
        _add(app, route.method, route.path, functools.partial(serve, route), head=route.path not in heads)
    for method, path, page in PAGES:
        _add(app, method, path, page)
    app.router.add_get(f"{API}/openapi.json", documents.serve_openapi)
    app.router.add_get(f"{API}/asyncapi.json", documents.serve_asyncapi)
    app.router.add_get("/metrics", health.metrics)
    app.router.add_get("/ws", serve_socket, allow_head=False)
    app.router.add_get("/ws/ops", serve_ops_socket, allow_head=False)
    app.router.add_get(f"{PREFIX}/{{name:.+}}", assets.serve)
    app.router.add_get("/favicon.ico", _favicon)
    return app


def _add(app: web.Application, method: str, path: str, handler: _Handler, *, head: bool = True) -> None:
    if method == "GET":
        # What can be read can be asked for without its body, where that means nothing else.
        app.router.add_get(path, handler, allow_head=head)
    else:
        app.router.add_route(method, path, handler)


async def _favicon(request: web.Request) -> web.StreamResponse:
    raise web.HTTPFound(request.app[ASSETS].url("favicon.svg"))


async def _stamp(request: web.Request, response: web.StreamResponse) -> None:
    request.app[SERVICES].security.stamp(response.headers)


@web.middleware
async def _count(request: web.Request, handler: _Handler) -> web.StreamResponse:
    status = 500
    try:
        response = await handler(request)
        status = response.status
    except web.HTTPException as answer:
        status = answer.status
        raise
    finally:
        # The parser takes three dozen methods, and nobody needs a row for each of them.
        method = request.method if request.method in hdrs.METH_ALL else "OTHER"
        request.app[SERVICES].counters.requests[method, template(request), status] += 1
    return response


class AccessLog(AbstractAccessLogger):
    """One line a request: the path as declared, because real ones hold ids; neither query nor headers."""

    @property
    def enabled(self) -> bool:
        return log.isEnabledFor(logging.INFO)

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        try:
            path = template(request) if isinstance(request, web.Request) else "unknown"
        except AssertionError:
            # aiohttp's way to say that a broken request never came to a route.
            path = "unknown"
        log.info(
            "%s %s %d",
            request.method,
            path,
            response.status,
            extra={"method": request.method, "path": path, "status": response.status, "ms": round(time * 1000, 1)},
        )
