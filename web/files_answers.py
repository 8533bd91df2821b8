"""What a download is answered with: which part, under which name, type and conditions. Pure."""

import base64
import re
from typing import Final
from urllib.parse import quote

from msgspec import Struct

from protocols.errors import Refusal
from protocols.files import UploadState

CSP: Final = "default-src 'none'; sandbox"
ATTACHMENT_TYPE: Final = "application/octet-stream"
CACHE: Final = "private, no-cache"
"""A browser may keep it, and asks each time whether it still may show it."""

_RANGE: Final = re.compile(r"bytes=\s*([0-9]{0,18})-([0-9]{0,18})\s*")
_PLAIN: Final = re.compile(r"[^A-Za-z0-9 ._()+-]")
_JOINERS: Final = "\u200c\u200d"
"""Invisible, and needed to write Persian and some emoji."""

_ETAG: Final = re.compile(r'(?:W/)?"([^"]*)"')


class Part(Struct, frozen=True):
    """Bytes `first` up to, and without, `end`. `whole`: no part was asked for."""

    first: int
    end: int
    whole: bool


def part_asked(text: str | None, size: int) -> Part:
    """The part that a Range header asks for, of `size` bytes.

    One that is not understood, or asks for several parts, is ignored, as RFC 9110 has it. Raises Refusal
    ("range_unsatisfiable") for one that lies behind the end.
    """
    whole = Part(0, size, whole=True)
    match = _RANGE.fullmatch(text.strip()) if text is not None else None
    if match is None:
        return whole
    first, last = match.groups()
    if not first:
        if not last:
            return whole
        # The last so many bytes.
        part = Part(max(0, size - int(last)), size, whole=False)
    else:
        if last and int(last) < int(first):
            return whole
        part = Part(int(first), min(size, int(last) + 1) if last else size, whole=False)
    if part.first >= part.end:
        raise Refusal("range_unsatisfiable")
    return part


def etag(upload: UploadState) -> str:
    """Of the bytes: those behind an id never change, they only come to be there."""
    return f'"{upload.id}"'


def matches(text: str | None, tag: str) -> bool:
    """Whether an If-None-Match header names what is there."""
    return text is not None and (text.strip() == "*" or tag.strip('"') in _ETAG.findall(text))


def range_counts(if_range: str | None, tag: str) -> bool:
    """Whether the Range header of a request with this If-Range is to be looked at."""
    return if_range is None or if_range.strip() == tag


def disposition(name: str, *, inline: bool) -> str:
    """Content-Disposition (RFC 6266): the name as it is, and for old programs one in plain ASCII.

    A name is a person's word: whatever could end the header, a quotation or a folder's name is left out of the plain
    one and escaped in the other.
    """
    plain = _PLAIN.sub("_", name).strip(". ") or "file"
    kind = "inline" if inline else "attachment"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(shown(name), safe='', errors='replace')}"


def shown(name: str) -> str:
    """A name without what is no part of any: control characters, marks that turn the direction, and folders."""
    kept = "".join(sign if sign.isprintable() or sign in _JOINERS else "_" for sign in name)
    return kept.replace("/", "_").replace("\\", "_").strip(". ") or "file"


def digests(sha256: str) -> dict[str, str]:
    """The whole file's digest, as RFC 9530 says it and as the one before did."""
    if not sha256:
        return {}
    encoded = base64.b64encode(bytes.fromhex(sha256)).decode()
    return {"Repr-Digest": f"sha-256=:{encoded}:", "Digest": f"sha-256={encoded}"}


def headers(upload: UploadState, part: Part, kind: str | None, *, attachment: bool) -> dict[str, str]:
    """Of the answer that brings `part`. `kind`: the media type that the content shows, None for any other."""
    inline = kind is not None and not attachment
    told = {
        "Accept-Ranges": "bytes",
        "ETag": etag(upload),
        "Cache-Control": CACHE,
        "Content-Length": str(part.end - part.first),
        "Content-Type": kind or ATTACHMENT_TYPE,
        "Content-Disposition": disposition(upload.name, inline=inline),
        "Content-Security-Policy": CSP,
        **(digests(upload.sha256) if upload.state == "ready" else {}),
    }
    if not part.whole:
        told["Content-Range"] = f"bytes {part.first}-{part.end - 1}/{upload.size}"
    return told
