"""What becomes of an upload: functions of its row and of what is wanted. No I/O.

Each returns the row as it is to be (the same one: nothing changes), or raises Refusal.
"""

import re
from typing import Final

from msgspec import Struct, structs

from protocols.errors import Refusal
from protocols.files import NAME_BYTES, PREVIEW_BYTES, CreateUpload, FailureReason, SetPreview
from storage.file_uploads import ENDED, LEAST, Upload

DAY_MS: Final = 86_400_000
MIB: Final = 1024 * 1024
KEPT_MS: Final = 30 * DAY_MS
"""How long it stays known that an upload has ended."""
PIXELS: Final = 100_000
TYPE_BYTES: Final = 127

_ID: Final = re.compile(r"[A-Za-z0-9_-]{16,64}")

_MAGIC: Final = {
    "image/jpeg": (b"\xff\xd8\xff", b""),
    "image/png": (b"\x89PNG\r\n\x1a\n", b""),
    "image/webp": (b"RIFF", b"WEBP"),
}


class Bounds(Struct, frozen=True):
    """What an installation allows: bytes, and ms after which nobody is expected to go on. `quota` 0 is none."""

    largest: int
    quota: int
    expire: int
    keep_free: int
    transfers: int


class Room(Struct, frozen=True):
    """What there is at the moment: bytes that the person's uploads weigh, and bytes that the disk has left."""

    taken: int
    free: int


def created(owner: str, command: CreateUpload, bounds: Bounds, room: Room, now: int) -> Upload:
    """A new upload; one of 0 bytes has all of them."""
    if wrong := _nonsense(command):
        raise Refusal("invalid", fields=wrong)
    if command.size > bounds.largest:
        raise Refusal("too_large", f"A file may have {bounds.largest // MIB} MiB at most.")
    if bounds.quota and room.taken + max(command.size, LEAST) > bounds.quota:
        raise Refusal("quota_exceeded")
    if room.free - command.size < bounds.keep_free:
        raise Refusal("storage_full")
    return Upload(
        id=command.upload,
        owner=owner,
        recipient=command.recipient,
        name=command.name,
        type=command.type,
        size=command.size,
        offset=0,
        generation=0,
        state="open" if command.size else "verifying",
        created=now,
        expires=now + bounds.expire,
        change=0,
        width=command.width,
        height=command.height,
        promised=command.promised,
    )


def opened(upload: Upload | None, person: str, offset: int, *, others: int, bounds: Bounds, now: int) -> Upload:
    """A request takes it over. `others`: how many other uploads of the person are being sent."""
    mine = _going_on(_owned(upload, person))
    if offset != mine.offset:
        raise _elsewhere(mine.offset)
    if others >= bounds.transfers:
        raise Refusal("rate_limited", f"{bounds.transfers} files at a time.", retry_after=1)
    return structs.replace(mine, generation=mine.generation + 1, active=True, expires=now + bounds.expire)


def appended(upload: Upload | None, person: str, generation: int, offset: int, length: int) -> Upload:
    """So many bytes at `offset` are on disk. Of a copy of a piece that counts already, nothing comes."""
    mine = _held(upload, person, generation)
    end = offset + length
    if end <= mine.offset:
        return mine
    if offset != _going_on(mine).offset:
        raise _elsewhere(mine.offset)
    return _counted(mine, end)


def held(upload: Upload | None, person: str, generation: int, offset: int, length: int) -> Upload:
    """So many bytes at `offset` are on disk, and do not count yet."""
    mine = _going_on(_held(upload, person, generation))
    if offset < mine.offset or offset + length > mine.size:
        raise _elsewhere(mine.offset)
    return mine


def committed(upload: Upload | None, person: str, generation: int, offset: int, written: int) -> Upload:
    """What was held up to `offset` counts. `written`: the end of what is on disk of this request."""
    mine = _held(upload, person, generation)
    if offset == mine.offset:
        return mine
    if not _going_on(mine).offset < offset <= written:
        raise _elsewhere(mine.offset)
    return _counted(mine, offset)


def left(upload: Upload | None, person: str, generation: int) -> Upload | None:
    """The request that holds this generation has ended."""
    if upload is None or (upload.owner, upload.generation, upload.active) != (person, generation, True):
        return upload
    return structs.replace(upload, active=False)


def pictured(upload: Upload | None, person: str, command: SetPreview) -> Upload:
    """It has a small picture."""
    mine = _living(_owned(upload, person))
    start, later = _MAGIC[command.type]
    if len(command.data) > PREVIEW_BYTES:
        raise Refusal("too_large", f"At most {PREVIEW_BYTES} bytes.")
    # Not decoded, only looked at: a picture of another kind would not be shown anyway.
    if not command.data.startswith(start) or command.data[8 : 8 + len(later)] != later:
        raise Refusal("unsupported", f"This is no {command.type}.")
    return structs.replace(mine, preview=command.type)


def declared(upload: Upload | None, person: str, sha256: str) -> Upload:
    """The sender's browser has found this digest."""
    mine = _living(_owned(upload, person))
    if mine.declared:
        if mine.declared != sha256:
            raise Refusal("conflict")
        return mine
    if mine.state != "ready":
        return structs.replace(mine, declared=sha256)
    # Nobody promised one: the file has been fetched, perhaps, and stays what it is.
    if mine.sha256 != sha256:
        raise Refusal("checksum_mismatch")
    return structs.replace(mine, declared=sha256, verified=True)


def settled(upload: Upload, sha256: str, bounds: Bounds, now: int) -> Upload:
    """All bytes are there, and this is their digest."""
    if upload.state != "verifying" or (upload.promised and not upload.declared):
        return upload
    if upload.declared and upload.declared != sha256:
        return failed(upload, "checksum_mismatch", now)
    return structs.replace(
        upload,
        state="ready",
        sha256=sha256,
        verified=bool(upload.declared),
        active=False,
        expires=now + bounds.expire,
    )


def mismatched(upload: Upload, sha256: str) -> bool:
    """Whether the sender's browser has found another digest than this one."""
    return bool(upload.declared) and upload.declared != sha256


def failed(upload: Upload, reason: FailureReason, now: int) -> Upload:
    """Its bytes are not what they were to be."""
    if upload.state not in {"open", "verifying"}:
        return upload
    return _ended(structs.replace(upload, state="failed", reason=reason), now)


def cancelled(upload: Upload | None, person: str, now: int) -> Upload:
    """By its sender at any time, by its recipient while bytes are missing."""
    if upload is None or person not in {upload.owner, upload.recipient}:
        raise Refusal("not_found")
    mine = _living(upload)
    if person != mine.owner and mine.state != "open":
        raise Refusal("forbidden")
    return _ended(structs.replace(mine, state="cancelled"), now)


def expired(upload: Upload, now: int) -> Upload:
    """Nobody goes on with it, or no message refers to it, and its time is over."""
    if upload.state in ENDED or upload.expires >= now:
        return upload
    return _ended(structs.replace(upload, state="expired"), now)


def _ended(upload: Upload, now: int) -> Upload:
    return structs.replace(upload, active=False, preview="", expires=now + KEPT_MS)


def _counted(upload: Upload, offset: int) -> Upload:
    if offset > upload.size:
        raise _elsewhere(upload.offset)
    if offset < upload.size:
        return structs.replace(upload, offset=offset)
    return structs.replace(upload, offset=offset, state="verifying", active=False)


def _owned(upload: Upload | None, person: str) -> Upload:
    # The recipient's are not found either: who may not send learns nothing that he does not see anyway.
    if upload is None or upload.owner != person:
        raise Refusal("not_found")
    return upload


def _living(upload: Upload) -> Upload:
    if upload.state in ENDED:
        raise Refusal("gone")
    return upload


def _going_on(upload: Upload) -> Upload:
    if _living(upload).state != "open":
        raise _elsewhere(upload.offset)
    return upload


def _held(upload: Upload | None, person: str, generation: int) -> Upload:
    mine = _living(_owned(upload, person))
    # Before the first request there is none that could send anything.
    if generation < 1 or mine.generation != generation:
        raise Refusal("locked")
    return mine


def _elsewhere(offset: int) -> Refusal:
    return Refusal("conflict", fields={"offset": str(offset)})


def _nonsense(command: CreateUpload) -> dict[str, str]:
    wrong: dict[str, str] = {}
    name = command.name
    if not _ID.fullmatch(command.upload):
        wrong["upload"] = "16 to 64 characters of an id."
    if not name or len(name.encode(errors="replace")) > NAME_BYTES or any(_unprintable(one) for one in name):
        wrong["name"] = f"1 to {NAME_BYTES} bytes without control characters."
    if len(command.type) > TYPE_BYTES or any(_unprintable(one) for one in command.type):
        wrong["type"] = f"At most {TYPE_BYTES} characters."
    if command.size < 0:
        wrong["size"] = "At least 0."
    for field in ("width", "height"):
        if not 0 <= getattr(command, field) <= PIXELS:
            wrong[field] = f"0 to {PIXELS} pixels."
    return wrong


def _unprintable(character: str) -> bool:
    # Half of a surrogate pair cannot be written as UTF-8.
    return ord(character) < 0x20 or ord(character) == 0x7F or 0xD800 <= ord(character) <= 0xDFFF  # noqa: PLR2004
