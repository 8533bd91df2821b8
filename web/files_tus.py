"""The tus protocol, version 1.0.0 (https://tus.io/protocols/resumable-upload): what requests say, and answers bear.

Pure: headers in, decisions out. Whatever is wrong with a request is raised as a Refusal.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping
from email.utils import formatdate
from typing import Any, Final

import msgspec
from msgspec import Struct
from multidict import CIMultiDict, CIMultiDictProxy

from protocols.errors import Refusal
from protocols.files import NAME_BYTES, UploadState
from protocols.values import Id

VERSION: Final = "1.0.0"
EXTENSIONS: Final = "creation,creation-with-upload,termination,checksum,expiration"
BYTES: Final = "application/offset+octet-stream"
"""The media type of a body that is a part of a file."""

UNKNOWN_TYPE: Final = "application/octet-stream"
CHECKSUMS: Final[Mapping[str, Callable[[], Any]]] = {"sha1": hashlib.sha1, "sha256": hashlib.sha256}

METADATA_BYTES: Final = 4_096
"""Of the whole header: most servers in between take no more of one anyway."""

SIDE_MOST: Final = 65_535
"""Pixels."""

Headers = CIMultiDict[str] | CIMultiDictProxy[str]

_NUMBER: Final = re.compile(r"[0-9]{1,30}")
_KEY: Final = re.compile(r"[!-+\--~]+")
"""Printable ASCII without spaces and commas."""

_TYPE: Final = re.compile(r"[a-z0-9!#$&^_.+-]{1,63}/[a-z0-9!#$&^_.+-]{1,63}")


class Checksum(Struct, frozen=True):
    """What a body's digest must be. `algorithm` is one of CHECKSUMS."""

    algorithm: str
    digest: bytes

    def begin(self) -> Any:
        """A hash to be fed with the body."""
        return CHECKSUMS[self.algorithm]()


class Portion(Struct, frozen=True):
    """A body that is a part of a file, from `offset` on. `length` is None where it is not known before its end."""

    offset: int
    length: int | None
    checksum: Checksum | None


class Creation(Struct, frozen=True, kw_only=True):
    """A file to be. `portion`: the same request brings the first bytes of it."""

    size: int
    name: str
    type: str
    recipient: str
    promised: bool
    width: int
    height: int
    portion: Portion | None


def check_version(headers: Headers) -> None:
    """Raise Refusal("wrong_version") for a client that speaks another version, or none."""
    if _one(headers, "Tus-Resumable") != VERSION:
        raise Refusal("wrong_version", f"Tus-Resumable must be {VERSION}.")


def discovered(largest: int) -> dict[str, str]:
    """What OPTIONS answers; `largest` file in bytes."""
    return {
        "Tus-Resumable": VERSION,
        "Tus-Version": VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Max-Size": str(largest),
        "Tus-Checksum-Algorithm": ",".join(CHECKSUMS),
    }


def creation(headers: Headers, largest: int) -> Creation:
    """What a POST asks for. `largest` file in bytes."""
    check_version(headers)
    for name in ("Upload-Defer-Length", "Upload-Concat"):
        if name in headers:
            raise Refusal("invalid", fields={name: "This extension of tus is not offered."})
    size = _number(headers, "Upload-Length")
    if size > largest:
        raise Refusal("too_large", f"A file has at most {largest} bytes here.")
    told = metadata(_one(headers, "Upload-Metadata") or "")
    try:
        recipient = msgspec.convert(_text(told, "recipient"), Id)
    except msgspec.ValidationError as error:
        raise _metadata_error(f"recipient: {error}") from error
    return Creation(
        size=size,
        name=_name(_text(told, "filename")),
        type=_type(_text(told, "filetype")),
        recipient=recipient,
        promised=_text(told, "promised") == "1",
        width=_side(told, "width"),
        height=_side(told, "height"),
        portion=_first_portion(headers, size),
    )


def portion(headers: Headers) -> Portion:
    """What a PATCH brings."""
    check_version(headers)
    if not _brings_bytes(headers):
        raise Refusal("unsupported", f"The body must be {BYTES}.")
    return _portion(headers, _number(headers, "Upload-Offset"))


def check_fits(part: Portion, size: int) -> None:
    """Raise a Refusal for a portion that is known to begin or end beyond the file's `size` in bytes."""
    if part.offset > size:
        raise Refusal("conflict", f"The file was declared to have {size} bytes.")
    if part.offset + (part.length or 0) > size:
        raise beyond(size)


def beyond(size: int) -> Refusal:
    """The refusal of a body that goes on behind the file's end."""
    return Refusal("too_large", f"The file was declared to have {size} bytes.")


def metadata(text: str) -> dict[str, bytes]:
    """Upload-Metadata decoded: pairs of a key and a value in base64, parted by commas."""
    if len(text) > METADATA_BYTES:
        raise _metadata_error(f"This has more than {METADATA_BYTES} bytes.")
    told: dict[str, bytes] = {}
    for pair in text.split(",") if text.strip() else ():
        key, _, encoded = pair.strip().partition(" ")
        if not _KEY.fullmatch(key):
            raise _metadata_error("A key is one or more printable ASCII characters, without spaces and commas.")
        if key in told:
            raise _metadata_error(f"{key} is given twice.")
        told[key] = _decoded(encoded, "Upload-Metadata")
    return told


def metadata_text(told: Mapping[str, str]) -> str:
    """Upload-Metadata of those values."""
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}".rstrip() for key, value in told.items())


def described(upload: UploadState) -> dict[str, str]:
    """What HEAD answers of an upload."""
    told = {"filename": upload.name, "filetype": upload.type, "recipient": upload.recipient}
    return {
        "Upload-Offset": str(upload.offset),
        "Upload-Length": str(upload.size),
        "Upload-Metadata": metadata_text(told),
        **expires(upload),
    }


def expires(upload: UploadState) -> dict[str, str]:
    """When an unfinished upload will be given up; nothing once it is whole."""
    if upload.state != "open":
        return {}
    return {"Upload-Expires": formatdate(upload.expires / 1000, usegmt=True)}


def overridden(headers: Headers) -> str:
    """The method that a POST stands for, for clients that can send no other."""
    return (_one(headers, "X-HTTP-Method-Override") or "").upper()


def _first_portion(headers: Headers, size: int) -> Portion | None:
    """What a creation brings besides. A body of any other kind is refused; none has none."""
    if not _brings_bytes(headers):
        if "Transfer-Encoding" in headers or _one(headers, "Content-Length") not in {None, "0"}:
            raise Refusal("unsupported", f"The body must be {BYTES}.")
        return None
    if "Upload-Offset" in headers and _number(headers, "Upload-Offset") != 0:
        raise Refusal("conflict", "A new file begins at 0.")
    first = _portion(headers, 0)
    check_fits(first, size)
    return first


def _portion(headers: Headers, offset: int) -> Portion:
    if "Content-Encoding" in headers:
        raise Refusal("unsupported", "The bytes of a file are taken as they are, without Content-Encoding.")
    length = None if "Content-Length" not in headers else _number(headers, "Content-Length")
    return Portion(offset, length, _checksum(_one(headers, "Upload-Checksum")))


def _checksum(text: str | None) -> Checksum | None:
    if text is None:
        return None
    algorithm, _, encoded = text.strip().partition(" ")
    if algorithm not in CHECKSUMS:
        raise Refusal("invalid", fields={"Upload-Checksum": f"The algorithm must be one of {', '.join(CHECKSUMS)}."})
    digest = _decoded(encoded, "Upload-Checksum")
    if len(digest) != CHECKSUMS[algorithm]().digest_size:
        raise Refusal("invalid", fields={"Upload-Checksum": f"This is not as long as a digest of {algorithm}."})
    return Checksum(algorithm, digest)


def _brings_bytes(headers: Headers) -> bool:
    return (_one(headers, "Content-Type") or "").partition(";")[0].strip().lower() == BYTES


def _one(headers: Headers, name: str) -> str | None:
    found = headers.getall(name, [])
    if len(found) > 1:
        raise Refusal("invalid", fields={name: "This is given twice."})
    return found[0] if found else None


def _number(headers: Headers, name: str) -> int:
    text = _one(headers, name)
    if text is None:
        raise Refusal("invalid", fields={name: "This is missing."})
    # Not int() alone, which takes signs, underscores, spaces and the digits of every script.
    if not _NUMBER.fullmatch(text):
        raise Refusal("invalid", fields={name: "This must be a number of bytes, of at most 30 digits."})
    return int(text)


def _decoded(encoded: str, header: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refusal("invalid", fields={header: "A value is not in base64."}) from error


def _text(told: Mapping[str, bytes], key: str) -> str:
    try:
        return told.get(key, b"").decode()
    except UnicodeDecodeError as error:
        raise _metadata_error(f"{key} is not in UTF-8.") from error


def _name(name: str) -> str:
    if not 0 < len(name.encode()) <= NAME_BYTES:
        raise _metadata_error(f"filename must have 1 to {NAME_BYTES} bytes in UTF-8.")
    return name


def _type(text: str) -> str:
    """For display only; what a browser shows is decided by the content."""
    kind = text.partition(";")[0].strip().lower()
    return kind if _TYPE.fullmatch(kind) else UNKNOWN_TYPE


def _side(told: Mapping[str, bytes], key: str) -> int:
    text = _text(told, key) or "0"
    if not _NUMBER.fullmatch(text) or int(text) > SIDE_MOST:
        raise _metadata_error(f"{key} must be a number of pixels, at most {SIDE_MOST}.")
    return int(text)


def _metadata_error(sentence: str) -> Refusal:
    return Refusal("invalid", fields={"Upload-Metadata": sentence})
