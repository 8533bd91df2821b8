"""An upload as the ledger has it, for those whom it concerns; and asking its owner."""

from typing import Any, Final

from protocols.errors import Refusal
from protocols.files import UploadState
from protocols.mail import Command
from web.asking import R, ask
from web.files_news import OWNER
from web.routing import Call

ENDED: Final = frozenset({"failed", "cancelled", "expired"})
"""States in which there are no bytes any more."""


async def ask_owner(call: Call[Any, Any], command: Command[R]) -> R:
    """What file_chunker replies. Raises Refusal as web.asking.ask does."""
    return await ask(call, OWNER, command, call.services.post.bulk)


async def read_upload(call: Call[Any, Any], upload: str) -> UploadState | None:
    """The upload whoever asks. Raises Refusal("unavailable")."""
    return await call.services.files.read(lambda tx: tx.uploads.get(upload))


async def found(call: Call[Any, Any], upload: str = "") -> UploadState:
    """The upload, for its owner and its recipient; to everybody else it is not there."""
    one = await read_upload(call, upload or call.params["id"])
    if one is None or not concerns(one, call.me.user):
        raise Refusal("not_found")
    return one


async def own(call: Call[Any, Any]) -> UploadState:
    """The upload that the route names, for its owner."""
    upload = await found(call)
    if upload.owner != call.me.user:
        raise Refusal("forbidden", "Only its sender may do this.")
    return upload


def living(upload: UploadState) -> UploadState:
    """The same, unless its bytes are gone: then that is raised."""
    if upload.state in ENDED:
        raise Refusal("gone")
    return upload


def concerns(upload: UploadState, person: str) -> bool:
    """Whether a person may know of it."""
    return person in {upload.owner, upload.recipient}
