"""The HTTP contract as an OpenAPI document, generated from the declared routes, their structs and the error table.

Pure: the same routes give the same document. Nothing in it is written by hand but the few addresses that are no
declared routes.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec

from protocols.errors import TABLE, status_of
from protocols.values import ClientId, Id
from web.dispatch import Failure
from web.routing import API, Route

Json = dict[str, Any]

REFERENCES: Final = "#/components/schemas/{name}"

DESCRIPTION: Final = (
    "Ids are strings, and opaque. Times are RFC 3339, UTC, with milliseconds. Unknown fields in a body or a query are "
    "refused. A command takes an Idempotency-Key: the same one again is answered as the first was, and done once. "
    "What belongs to others is not found, like what does not exist."
)

# Addresses that are no declared routes: (tag, summary, media type).
OTHERS: Final[Mapping[str, tuple[str, str, str]]] = {
    f"{API}/openapi.json": ("documents", "This document.", "application/json"),
    f"{API}/asyncapi.json": ("documents", "The socket's contract, as AsyncAPI.", "application/json"),
    "/metrics": ("health", "Figures of the whole installation, for Prometheus.", "text/plain"),
}


def document(routes: Iterable[Route]) -> Json:
    """The whole document for those routes."""
    declared = list(routes)
    schemas = _schemas(declared)
    paths: dict[str, Json] = {}
    for route in declared:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    paths |= {path: {"get": _other(path, *other)} for path, other in OTHERS.items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Parley over HTTP", "version": "1", "description": DESCRIPTION},
        "security": [{"bearer": []}, {"cookie": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(schemas.components.items())),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "cookie": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "parley_access",
                    "description": "For the browser; behind TLS its name begins with __Host-. Origins are checked.",
                },
            },
        },
        "x-error-codes": error_codes(),
    }


def error_codes() -> Json:
    """The table of errors, for both documents. `final`: repeating the same command cannot succeed."""
    return {
        code: {"status": int(kind.status), "message": kind.message, "final": kind.final} for code, kind in TABLE.items()
    }


class _Schemas:
    """Where each type's schema stands: inline for plain values, among the components for structs."""

    def __init__(self, types: Sequence[Any]) -> None:
        found, components = msgspec.json.schema_components(types, ref_template=REFERENCES)
        self.components: Json = components
        self._of = dict(zip(types, found, strict=True))

    def __getitem__(self, kind: Any) -> Json:
        schema: Json = self._of[kind]
        return schema


def _schemas(routes: Sequence[Route]) -> _Schemas:
    types: dict[Any, None] = {Failure: None}
    for route in routes:
        answers = [route.answer, *route.also.values(), route.body]
        types.update(dict.fromkeys(kind for kind in answers if kind is not None))
    return _Schemas(list(types))


def _operation(route: Route, schemas: _Schemas) -> Json:
    operation: Json = {
        "operationId": _operation_id(route.method, route.path),
        "summary": route.summary,
        "tags": [route.tag or "other"],
        "responses": _responses(route, schemas),
    }
    if parameters := _parameters(route):
        operation["parameters"] = parameters
    if route.who == "anyone":
        operation["security"] = []
    if route.body is not None:
        content = {"application/json": {"schema": schemas[route.body]}}
        operation["requestBody"] = {"required": not route.body_optional, "content": content}
    if route.takes:
        operation["requestBody"] = {"required": not route.body_optional, "content": _bytes(route.takes)}
    return operation


def _bytes(types: Iterable[str]) -> Json:
    return {media: {"schema": {"type": "string", "format": "binary"}} for media in types}


def _operation_id(method: str, path: str) -> str:
    """Names the method and the path: stable for generated clients, and unique because those two are."""
    words = re.findall(r"[A-Za-z0-9]+", path.removeprefix(API))
    return method.lower() + "".join(word.capitalize() for word in words)


def _parameters(route: Route) -> list[Json]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": msgspec.json.schema(Id)}
        for name in re.findall(r"{(\w+)}", route.path)
    ]
    if route.query is not None:
        schema = msgspec.json.schema(route.query)
        struct = schema["$defs"][schema["$ref"].rpartition("/")[2]]
        required = struct.get("required", [])
        parameters += [
            {"name": name, "in": "query", "required": name in required, "schema": _given(field)}
            for name, field in struct["properties"].items()
        ]
    if not route.safe:
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "Minted once a command and kept across retries.",
                "schema": msgspec.json.schema(ClientId),
            }
        )
    parameters += [
        {
            "name": name.rstrip("!"),
            "in": "header",
            "required": name.endswith("!"),
            "description": text,
            "schema": {"type": "string"},
        }
        for name, text in route.asks.items()
    ]
    return parameters


def _given(schema: Json) -> Json:
    """The schema of a parameter that is given: leaving it out is how a client says null."""
    if schema.get("default", "") is not None:
        return schema
    (one,) = [choice for choice in schema["anyOf"] if choice != {"type": "null"}]
    return dict(one)


def _responses(route: Route, schemas: _Schemas) -> Json:
    responses: Json = {}
    for status, kind in ((route.success, route.answer), *route.also.items()):
        responses[str(status)] = {"description": HTTPStatus(status).phrase}
        if kind is not None:
            responses[str(status)]["content"] = {"application/json": {"schema": schemas[kind]}}
        elif route.gives and status in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
            responses[str(status)]["content"] = _bytes(route.gives)
        if route.tells:
            responses[str(status)]["headers"] = {
                name: {"description": text, "schema": {"type": "string"}} for name, text in route.tells.items()
            }
    codes: dict[int, list[str]] = {}
    for code in route.codes:
        codes.setdefault(int(status_of(code)), []).append(code)
    for status, names in sorted(codes.items()):
        described = " ".join(f"`{name}`: {TABLE[name].message}" for name in names)
        response: Json = {
            "description": described,
            "content": {"application/json": {"schema": schemas[Failure]}},
            "x-codes": names,
        }
        if any(not TABLE[name].final for name in names):
            response["headers"] = {"Retry-After": {"description": "In seconds.", "schema": {"type": "integer"}}}
        responses[str(status)] = response
    return responses


def _other(path: str, tag: str, summary: str, media: str) -> Json:
    schema = {"type": "object" if media == "application/json" else "string"}
    return {
        "operationId": _operation_id("get", path),
        "summary": summary,
        "tags": [tag],
        "security": [],
        "responses": {"200": {"description": "OK", "content": {media: {"schema": schema}}}},
    }
