"""Routes as declared data: the dispatcher, the OpenAPI document and the security tests read the same rows.

    ROUTES = (
        Route("GET", "/api/v1/contacts", contacts, answer=Contacts, summary="Everybody you are in contact with."),
        Route("POST", "/api/v1/contacts/requests", ask, body=Ask, answer=Asked, status=201, errors=("not_found",)),
    )

    async def ask(call: Call[Ask, None]) -> Asked:
        await call.services.post.ask("contacts", RequestContact(to=call.body.user_id), within=5,
                                     id=call.command_id, person=call.me.user)

A handler returns what its route declares as `answer`, a Reply for another status or for cookies, or None for an empty
204. It raises Refusal for everything else. Where bytes travel that are no JSON, it reads the request's body by itself
(`takes`), or returns aiohttp's own response (`gives`).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

import msgspec
from aiohttp import web
from msgspec import Struct

from protocols.errors import Refusal
from protocols.values import ClientId
from web.authentication import Caller
from web.services import Services

API = "/api/v1"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

Who = Literal["anyone", "person", "operator"]
"""`person`: signed in. `anyone`: no session is asked for, though one may be there.

`operator`: signed in as one; for everybody else there is nothing here.
"""

B = TypeVar("B")
Q = TypeVar("Q")


class Strict(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of bodies and queries: what nobody declared is refused, so that nothing is assigned by the way."""


@dataclass(frozen=True)
class Call(Generic[B, Q]):
    """A request that was checked: who asks, and body and query as the structs that the route declares.

    `params`: the path's variables, each a valid id. `command_id`: the Idempotency-Key, or a fresh id without one.
    """

    services: Services
    request: web.Request
    caller: Caller | None
    params: Mapping[str, str]
    body: B
    query: Q
    command_id: str

    @property
    def me(self) -> Caller:
        """Who is signed in: identity comes from the session and from nowhere else."""
        if self.caller is None:
            raise Refusal("unauthenticated")
        return self.caller


@dataclass(frozen=True)
class Reply:
    """An answer with another status than the route's, one that is JSON already (Raw), or one with cookies.

    `finish` sees the response before it is sent.
    """

    answer: Struct | msgspec.Raw | None
    status: int | None = None
    finish: Callable[[web.Response], None] | None = None


Handler = Callable[[Call[Any, Any]], Awaitable[Struct | Reply | web.StreamResponse | None]]


@dataclass(frozen=True)
class Route:
    """One method on one path.

    `body` and `query` are structs that refuse unknown fields; `query`'s values arrive as text. `status` goes with
    `answer`, 200 where it is not named, or 204 when there is no answer; `also` with others that the handler may give.
    `errors` are codes beyond those that `codes` adds.

    `takes`: media types of a body that is no JSON, which the handler reads and bounds. `gives`: those of an answer.
    `asks` and `tells`: headers of request and answer that belong to the contract, each with what it says; one that a
    request must have ends with an exclamation mark.
    """

    method: Literal["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    handler: Handler
    answer: Any = None
    who: Who = field(default="person", kw_only=True)
    body: type[Struct] | None = field(default=None, kw_only=True)
    body_optional: bool = field(default=False, kw_only=True)
    query: type[Struct] | None = field(default=None, kw_only=True)
    status: int | None = field(default=None, kw_only=True)
    also: Mapping[int, Any] = field(default_factory=dict, kw_only=True)
    takes: tuple[str, ...] = field(default=(), kw_only=True)
    gives: tuple[str, ...] = field(default=(), kw_only=True)
    asks: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    tells: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    errors: tuple[str, ...] = field(default=(), kw_only=True)
    summary: str = field(default="", kw_only=True)
    tag: str = field(default="", kw_only=True)

    @property
    def success(self) -> int:
        """The status of what goes well."""
        return self.status or (200 if self.answer is not None or self.gives else 204)

    @property
    def safe(self) -> bool:
        """Whether the method promises to change nothing."""
        return self.method in SAFE

    @property
    def codes(self) -> tuple[str, ...]:
        """Every error code that this route can answer with, those of the dispatcher included."""
        codes = ["invalid", "internal", "unavailable", *self.errors]
        if self.who != "anyone":
            codes.append("unauthenticated")
        if self.who == "operator":
            codes.append("not_found")
        if not self.safe:
            codes.append("forbidden")
        if self.body is not None or self.takes:
            codes += ["too_large", "unsupported"]
        if "{" in self.path:
            codes.append("not_found")
        return tuple(dict.fromkeys(codes))


def command_key(text: str | None, fresh: Callable[[], str]) -> str:
    """The id of a command: what Idempotency-Key says, or a fresh one. Raises Refusal("invalid")."""
    if text is None:
        return fresh()
    try:
        return msgspec.convert(text, ClientId)
    except msgspec.ValidationError as error:
        raise Refusal("invalid", fields={"Idempotency-Key": str(error)}) from error
