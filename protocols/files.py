"""Mail to file_chunker, the owner of uploads and of the blobs that they become.

Pieces travel as transient mail with a deadline, answered one by one, a small window of them in flight: whoever sends
learns at once how far the disk has come, and nothing gathers at a broker. The acting person is the item's `person`.
"""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

from protocols.mail import Command, Done

PIECE_BYTES = 256 * 1024
"""Most bytes of one piece: far below what any broker takes for one message."""
NAME_BYTES = 255
"""Of a file's name, in UTF-8. It is shown, and never used as a path."""
PREVIEW_BYTES = 64 * 1024

UploadStateName = Literal["open", "verifying", "ready", "failed", "cancelled", "expired"]
"""`open`: bytes are missing. `verifying`: all are there, and the sender's digest or the owner's own is not yet.
`ready`: written for good. `failed`: refused for good, `reason` says why. The last four never change, except that what
was ready may be cancelled by its sender, and expires when no message refers to it."""

FailureReason = Literal["", "checksum_mismatch", "damaged"]

Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256 in lower-case hexadecimal."""

PreviewType = Literal["image/jpeg", "image/png", "image/webp"]


class UploadState(Struct, frozen=True, kw_only=True):
    """An upload as it is now. Times are Unix ms, sizes bytes.

    `offset` bytes are synced to disk and count; `generation` grows with every request that takes the upload over.
    `type` is what the sender's browser said, for display. `sha256` is the owner's own digest, once ready; `verified`
    that the sender's browser came to the same. `active`: somebody is sending now. `reason` of `failed`.
    """

    id: str
    owner: str
    recipient: str
    name: str
    type: str
    size: int
    offset: int
    generation: int
    state: UploadStateName
    created: int
    expires: int
    change: int
    sha256: str = ""
    verified: bool = False
    active: bool = False
    reason: FailureReason = ""
    width: int = 0
    height: int = 0
    preview: PreviewType | Literal[""] = ""


class CreateUpload(Command[UploadState], frozen=True, kw_only=True, tag="create_upload"):
    """`upload` is the id to be, minted by the front, never by the client. The recipient must be a contact.

    `promised`: the sender will tell its own SHA-256 (DeclareDigest), and the file is not ready before that agrees.
    `width` and `height` are an image's or video's, in pixels, 0 for unknown. Refused: not_a_contact, too_large,
    quota_exceeded, storage_full, invalid.
    """

    upload: str
    recipient: str
    name: str
    type: str
    size: int
    promised: bool = False
    width: int = 0
    height: int = 0


class SetPreview(Command[Done], frozen=True, kw_only=True, tag="set_preview"):
    """A small picture made in the sender's browser, at most PREVIEW_BYTES. It is never decoded here."""

    upload: str
    type: PreviewType
    data: bytes


class Opened(Struct, frozen=True, kw_only=True):
    generation: int
    offset: int
    size: int


class OpenUpload(Command[Opened], frozen=True, kw_only=True, tag="open_upload"):
    """A request is about to send bytes from `offset` on: it takes the upload over from any other.

    What an earlier request still sends is refused from now on. Refused: not_found, gone, conflict (another offset
    counts, or nothing is missing), rate_limited (too many transfers of this person at a time).
    """

    durable: ClassVar[bool] = False
    upload: str
    offset: int


class Appended(Struct, frozen=True, kw_only=True):
    """`offset` bytes of the upload are on disk; of held pieces they do not count yet."""

    offset: int
    state: UploadStateName


class Append(Command[Appended], frozen=True, kw_only=True, tag="append"):
    """One piece, at most PIECE_BYTES, at `offset`, by the request that holds `generation`.

    Synced to disk, then counted in the ledger, then answered. The last one finishes the upload. `hold`: written, but
    not counted before Commit, because the checksum of the whole body is still out. Refused: locked (a later request
    has taken over), conflict (another offset counts), storage_full, not_found, gone.
    """

    durable: ClassVar[bool] = False
    upload: str
    generation: int
    offset: int
    data: bytes
    hold: bool = False


class CommitPieces(Command[Appended], frozen=True, kw_only=True, tag="commit_pieces"):
    """The checksum of the held pieces up to `offset` is right: they count. Refused as Append is."""

    durable: ClassVar[bool] = False
    upload: str
    generation: int
    offset: int


class LeaveUpload(Command[Done], frozen=True, kw_only=True, tag="leave_upload"):
    """The request that holds `generation` has ended; what it held back does not count. Unanswered, may be lost."""

    durable: ClassVar[bool] = False
    upload: str
    generation: int


class DeclareDigest(Command[UploadState], frozen=True, kw_only=True, tag="declare_digest"):
    """What the sender's browser found the whole file to be. Refused with conflict when another one was declared."""

    upload: str
    sha256: Digest


class CancelUpload(Command[Done], frozen=True, kw_only=True, tag="cancel_upload"):
    """By its sender at any time, by its recipient while bytes are missing (forbidden later). Frees its bytes."""

    upload: str


class Swept(Struct, frozen=True, kw_only=True):
    """What a sweep took away: abandoned uploads, blobs that no message refers to, files that no row knows; bytes."""

    expired: int
    unreferenced: int
    strays: int
    freed: int


class SweepFiles(Command[Swept], frozen=True, kw_only=True, tag="sweep_files"):
    """Expire and collect now, as the hourly sweep does."""

    operator: ClassVar[bool] = True
