"""From a declared route to an aiohttp handler: origin, session, query, body and answer are dealt with here, once."""

import asyncio
import math
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from aiohttp import web
from msgspec import Struct

from protocols.errors import TABLE, ErrorBody, Refusal
from protocols.values import FRAME_BYTES, Id
from web.authentication import Caller
from web.ops.rights import operator
from web.routing import Call, Reply, Route, command_key
from web.services import Services

BODY_DEADLINE: Final = 15.0
"""Seconds for a request's body to arrive: a dripped one is cut off."""

RETRY_AFTER: Final = 1.0
"""Seconds after which to try again what is not available, when nobody knows better."""

JSON: Final = "application/json"

SERVICES: Final = web.AppKey("services", Services)

_encode = msgspec.json.Encoder().encode


class Failure(Struct, frozen=True):
    """The body of every answer that is an error."""

    error: ErrorBody


async def serve(route: Route, request: web.Request) -> web.StreamResponse:
    """Answer one request. Raises Refusal for everything that is wrong with it."""
    services = request.app[SERVICES]
    guard_origin(route.safe, request)
    params = _params(request)
    caller = await _caller(route, services, request)
    call = Call(
        services=services,
        request=request,
        caller=caller,
        params=params,
        query=_query(route, request),
        body=await _body(route, request),
        command_id=command_key(request.headers.get("Idempotency-Key"), services.environment.new_id),
    )
    return _response(route, await route.handler(call))


def guard_origin(safe: bool, request: web.Request) -> None:
    """Raise Refusal("forbidden") when another site made a browser send something that changes data."""
    cookies = request.app[SERVICES].cookies.sent(request)
    if not safe and request.app[SERVICES].security.cross_site(request, cookies=cookies):
        raise Refusal("forbidden", "This request comes from another site.")


def failure(refusal: Refusal) -> web.Response:
    """A refusal as an answer."""
    body = shown(refusal.body)
    response = web.Response(status=refusal.status, body=_encode(Failure(body)), content_type=JSON)
    if body.retry_after is not None:
        response.headers["Retry-After"] = str(max(1, math.ceil(body.retry_after)))
    if refusal.code == "unauthenticated":
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def shown(error: ErrorBody) -> ErrorBody:
    """What clients are told of an error: what is not there now, and why, is the operator's business."""
    if error.code != "unavailable":
        return error
    return ErrorBody("unavailable", TABLE["unavailable"].message, retry_after=error.retry_after or RETRY_AFTER)


async def read_body(request: web.Request) -> bytes:
    """The whole body. Raises Refusal("too_large"), or Refusal("invalid") when it does not arrive in time."""
    try:
        async with asyncio.timeout(BODY_DEADLINE):
            return await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise Refusal("too_large", f"A request's body has at most {FRAME_BYTES} bytes.") from error
    except TimeoutError as error:
        raise Refusal("invalid", "The request's body did not arrive in time.") from error


def refused_fields(error: msgspec.ValidationError) -> dict[str, str]:
    """What is wrong, by the name of the field."""
    text = str(error)
    sentence, _, place = text.partition(" - at `")
    if place:
        return {place.rstrip("`").removeprefix("$").lstrip(".") or "body": sentence}
    # "Object missing required field `x`", "Object contains unknown field `x`"
    parts = text.split("`")
    return {parts[1] if "field" in text and len(parts) > 1 else "body": sentence}


async def _caller(route: Route, services: Services, request: web.Request) -> Caller | None:
    if route.who == "operator":
        return await operator(services, request)
    if route.who == "person":
        caller = await services.authenticator.caller(request)
        if caller is None:
            raise Refusal("unauthenticated")
        return caller
    try:
        return await services.authenticator.caller(request, late=True)
    except Refusal:
        # Nobody needs to be signed in here, so a token that is no good is as good as none.
        return None


def _params(request: web.Request) -> Mapping[str, str]:
    params = dict(request.match_info)
    try:
        return msgspec.convert(params, dict[str, Id])
    except msgspec.ValidationError as error:
        # What cannot be an id is the id of nothing.
        raise Refusal("not_found") from error


def _query(route: Route, request: web.Request) -> Any:
    fields = {name: "This is given twice." for name in request.query if len(request.query.getall(name)) > 1}
    if fields:
        raise Refusal("invalid", fields=fields)
    if route.query is None:
        if request.query:
            raise Refusal("invalid", fields=dict.fromkeys(request.query, "This is not asked for."))
        return None
    try:
        return msgspec.convert(dict(request.query), route.query, strict=False)
    except msgspec.ValidationError as error:
        raise Refusal("invalid", fields=refused_fields(error)) from error


async def _body(route: Route, request: web.Request) -> Any:
    if route.body is None:
        return None
    raw = await read_body(request)
    if not raw and route.body_optional:
        return route.body()
    if request.content_type != JSON:
        raise Refusal("unsupported", f"The body must be {JSON}.")
    try:
        return msgspec.json.decode(raw, type=route.body)
    except msgspec.ValidationError as error:
        raise Refusal("invalid", fields=refused_fields(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal("invalid", "The body is not valid JSON.") from error


def _response(route: Route, answer: Struct | Reply | web.StreamResponse | None) -> web.StreamResponse:
    if isinstance(answer, web.StreamResponse):
        return answer
    reply = answer if isinstance(answer, Reply) else Reply(answer)
    if reply.answer is None:
        response = web.Response(status=reply.status or 204)
    else:
        response = web.Response(status=reply.status or route.success, body=_encode(reply.answer), content_type=JSON)
    if reply.finish is not None:
        reply.finish(response)
    return response
