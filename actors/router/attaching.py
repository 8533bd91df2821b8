"""The file that a message is sent with: looked up in its owner's ledger at the moment when the message is stored."""

from protocols.errors import Refusal
from protocols.files import UploadState
from protocols.frames import FileInfo
from protocols.rendering import file_info
from protocols.router import SendMessage
from storage.router import RouterUnit

SENDABLE = frozenset({"open", "verifying", "ready"})
"""States of an upload that has bytes, or gets them."""


def attached(tx: RouterUnit, person: str, command: SendMessage, now: int) -> FileInfo:
    """What the message keeps of its file. `now` is in Unix ms.

    Raises Refusal: "not_found", the same for what is not there, is another's, is for somebody else or was given up;
    "conflict" when a message was sent with it; "files_unavailable" when the ledger cannot be read now.
    """
    try:
        upload = tx.files.read(lambda files: files.uploads.get(command.file))
    except Refusal as refusal:
        # Not "unavailable", at which the whole batch would wait, and nothing to be repeated, at which all that this
        # person writes would: files must not hold up text.
        raise Refusal("files_unavailable") from refusal
    if upload is None or not _fits(upload, person, command.to, now):
        raise Refusal("not_found", fields={"file": "There is no such file of yours for this person."})
    if tx.messages.files_referred([upload.id]):
        raise already_sent()
    return file_info(upload)


def already_sent() -> Refusal:
    """A file goes with one message: whoever deletes that one knows it gone."""
    return Refusal("conflict", fields={"file": "This file was sent already."})


def _fits(upload: UploadState, person: str, to: str, now: int) -> bool:
    # One whose time is over may be in the hands of the sweep, which has seen that no message refers to it.
    if upload.expires <= now:
        return False
    return upload.owner == person and upload.recipient == to and upload.state in SENDABLE
