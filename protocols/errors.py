"""Errors that a client can see: one table of stable code, HTTP status and sentence.

Refusal     a command or request that is definitely not carried out; carries a code of TABLE
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec


class Kind(msgspec.Struct, frozen=True):
    """A row of the table. `final` tells that repeating the same command cannot succeed."""

    status: int
    message: str
    final: bool = True


CHECKSUM_MISMATCH: Final = 460
"""Of tus, unknown to HTTP."""

TABLE: Final[Mapping[str, Kind]] = {
    "invalid": Kind(HTTPStatus.BAD_REQUEST, "The request is not understood."),
    "unauthenticated": Kind(HTTPStatus.UNAUTHORIZED, "Please sign in."),
    "wrong_credentials": Kind(HTTPStatus.UNAUTHORIZED, "Username or password is wrong."),
    "forbidden": Kind(HTTPStatus.FORBIDDEN, "This is not allowed."),
    "registration_closed": Kind(HTTPStatus.FORBIDDEN, "Registration is closed here."),
    "invitation_required": Kind(HTTPStatus.FORBIDDEN, "A valid invitation is needed to register here."),
    "not_a_contact": Kind(HTTPStatus.FORBIDDEN, "You and this person are not in contact."),
    "not_found": Kind(HTTPStatus.NOT_FOUND, "There is no such thing here."),
    "method_not_allowed": Kind(HTTPStatus.METHOD_NOT_ALLOWED, "This method is not offered here."),
    "conflict": Kind(HTTPStatus.CONFLICT, "This contradicts what is stored already."),
    "username_taken": Kind(HTTPStatus.CONFLICT, "This username is taken."),
    "client_id_reused": Kind(HTTPStatus.CONFLICT, "This client_id was used for something else."),
    "out_of_order": Kind(
        HTTPStatus.CONFLICT, "What was sent before this has been lost; repeat that first.", final=False
    ),
    "locked": Kind(HTTPStatus.LOCKED, "Another request is sending this file now.", final=False),
    "gone": Kind(HTTPStatus.GONE, "This is no longer here."),
    "checksum_mismatch": Kind(CHECKSUM_MISMATCH, "The checksum is another than that of the bytes that arrived."),
    "wrong_version": Kind(HTTPStatus.PRECONDITION_FAILED, "This version of the protocol is not spoken here."),
    "quota_exceeded": Kind(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Your files take all the room that you have here."),
    "storage_full": Kind(
        HTTPStatus.INSUFFICIENT_STORAGE, "There is no room for this on the server at the moment.", final=False
    ),
    "range_unsatisfiable": Kind(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "The file has no such part."),
    "too_large": Kind(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "This is too large."),
    "unsupported": Kind(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "This content type is not accepted here."),
    "rate_limited": Kind(HTTPStatus.TOO_MANY_REQUESTS, "Too many requests; please wait.", final=False),
    "internal": Kind(HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong here."),
    # Final, unlike the next: what is repeated under its id holds up all that was said after it, and text must not wait
    # for files. Whoever wants it sent after all sends a new message.
    "files_unavailable": Kind(
        HTTPStatus.SERVICE_UNAVAILABLE, "Files cannot be looked up at the moment; send this as a new message later."
    ),
    "unavailable": Kind(HTTPStatus.SERVICE_UNAVAILABLE, "This is not available at the moment.", final=False),
}


class ErrorBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """What stands under "error" in an HTTP answer, in an error frame, and in a stored or mailed refusal.

    `fields` maps a field's name to what is wrong with it; `retry_after` is in seconds.
    """

    code: str
    message: str
    fields: dict[str, str] | None = None
    retry_after: float | None = None


class Refusal(Exception):  # noqa: N818  (the field calls a definite no a refusal)
    """A command that is not carried out. Raised by handlers and by whoever asked; nothing was changed."""

    def __init__(
        self,
        code: str,
        message: str = "",
        *,
        fields: dict[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.body = ErrorBody(code, message or TABLE[code].message, fields, retry_after)
        super().__init__(f"{code}: {self.body.message}")

    @property
    def code(self) -> str:
        return self.body.code

    @property
    def status(self) -> int:
        return status_of(self.code)

    @property
    def final(self) -> bool:
        """Whether repeating the same command is pointless."""
        return is_final(self.code)

    @classmethod
    def of(cls, body: ErrorBody) -> "Refusal":
        """The refusal that was mailed or stored. A code of a newer version is kept as it is."""
        refusal = cls.__new__(cls)
        Exception.__init__(refusal, f"{body.code}: {body.message}")
        refusal.body = body
        return refusal


def status_of(code: str) -> int:
    """The one HTTP status of a code; a code that this version does not know is a 500."""
    kind = TABLE.get(code)
    return kind.status if kind else HTTPStatus.INTERNAL_SERVER_ERROR


def is_final(code: str) -> bool:
    """Whether repeating the same command is pointless."""
    kind = TABLE.get(code)
    return kind is None or kind.final
