"""HTTP routes of files besides the tus protocol: downloads, previews, digests, and how files are."""

import hashlib
from typing import Annotated, Final, Literal

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from protocols.errors import Refusal
from protocols.files import (
    PREVIEW_BYTES,
    DeclareDigest,
    Digest,
    FailureReason,
    PreviewType,
    SetPreview,
    UploadState,
    UploadStateName,
)
from protocols.values import PAGE_MOST, Id, rfc3339
from web import files_answers as answers
from web.api_tus import FILE, FILES
from web.dispatch import read_body
from web.files_download import send
from web.files_finding import ask_owner, concerns, found, living, own, read_upload
from web.files_types import PICTURES, inline_type
from web.routing import Call, Route, Strict

_Ids = Annotated[list[Id], Meta(max_length=PAGE_MOST)]


class Which(Strict, frozen=True):
    """`ids`: parted by commas, at most 200."""

    ids: Annotated[str, Meta(min_length=1, max_length=PAGE_MOST * 65)]


class FileState(Struct, frozen=True, kw_only=True):
    """A file as it is now. `offset` of `size` bytes are there, and `active` tells whether somebody is sending more.

    `verified`: the sender's browser came to the same digest. `reason` is that of `failed`. Once `ready`, `sha256` is
    the digest in hexadecimal. `width` and `height` are pixels, 0 for unknown; `preview` tells of a small picture.
    `expires`: when it is given up, if nobody goes on with it or no message refers to it.
    """

    id: str
    owner: str
    recipient: str
    name: str
    type: str
    size: int
    offset: int
    state: UploadStateName
    active: bool
    verified: bool
    reason: FailureReason
    sha256: str
    width: int
    height: int
    preview: bool
    at: str
    expires: str


class FileStates(Struct, frozen=True):
    files: list[FileState]


class OwnDigest(Strict, frozen=True):
    """What the sender found the whole file to be."""

    sha256: Digest


class How(Strict, frozen=True):
    """`download` 1: to be saved, also what could be shown."""

    download: Literal["0", "1"] = "0"


async def _states(call: Call[None, Which]) -> FileStates:
    try:
        ids = msgspec.convert(call.query.ids.split(","), _Ids)
    except msgspec.ValidationError as error:
        raise Refusal("invalid", fields={"ids": str(error)}) from error
    uploads = await call.services.files.read(lambda tx: tx.uploads.states(ids))
    return FileStates([_shown(upload) for upload in uploads if concerns(upload, call.me.user)])


async def _download(call: Call[None, How]) -> web.StreamResponse:
    upload = living(await found(call))
    return await send(call, upload, lambda: read_upload(call, upload.id), attachment=call.query.download == "1")


async def _set_preview(call: Call[None, None]) -> None:
    upload = living(await own(call))
    kind = call.request.content_type
    if kind not in PICTURES or "Content-Encoding" in call.request.headers:
        raise Refusal("unsupported", f"The body must be one of {', '.join(sorted(PICTURES))}.")
    data = await read_body(call.request)
    if len(data) > PREVIEW_BYTES:
        raise Refusal("too_large", f"A preview has at most {PREVIEW_BYTES} bytes.")
    if inline_type(data) != kind:
        raise Refusal("unsupported", f"This is not {kind}.")
    await ask_owner(call, SetPreview(upload=upload.id, type=msgspec.convert(kind, PreviewType), data=data))


async def _preview(call: Call[None, None]) -> web.Response:
    upload = living(await found(call))
    picture = await call.services.files.read(lambda tx: tx.uploads.preview(upload.id))
    if picture is None:
        raise Refusal("not_found")
    kind, data = picture
    tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": answers.CACHE, "Content-Security-Policy": answers.CSP}
    if answers.matches(call.request.headers.get("If-None-Match"), tag):
        return web.Response(status=304, headers=headers)
    headers["Content-Disposition"] = answers.disposition("preview", inline=True)
    return web.Response(body=data, content_type=kind, headers=headers)


async def _declare(call: Call[OwnDigest, None]) -> FileState:
    upload = living(await own(call))
    return _shown(await ask_owner(call, DeclareDigest(upload=upload.id, sha256=call.body.sha256)))


def _shown(upload: UploadState) -> FileState:
    return FileState(
        id=upload.id,
        owner=upload.owner,
        recipient=upload.recipient,
        name=upload.name,
        type=upload.type,
        size=upload.size,
        offset=upload.offset,
        state=upload.state,
        active=upload.active,
        verified=upload.verified,
        reason=upload.reason,
        sha256=upload.sha256,
        width=upload.width,
        height=upload.height,
        preview=bool(upload.preview),
        at=rfc3339(upload.created),
        expires=rfc3339(upload.expires),
    )


ROUTES: Final = (
    Route(
        "GET",
        FILES,
        _states,
        FileStates,
        query=Which,
        summary="How files are that you send or receive; others are left out.",
        tag="files",
    ),
    Route(
        "GET",
        FILE,
        _download,
        query=How,
        gives=("application/octet-stream",),
        also={206: None, 304: None},
        asks={
            "Range": "One part of it, in bytes.",
            "If-Range": "The ETag for which Range is meant.",
            "If-None-Match": "ETags of what is there already.",
        },
        tells={
            "ETag": "Of these bytes.",
            "Content-Range": "Which part it is.",
            "Content-Disposition": "Its name, and whether it may be shown.",
            "Repr-Digest": "SHA-256 of the whole file, once it is ready (RFC 9530).",
        },
        errors=("gone", "range_unsatisfiable", "rate_limited"),
        summary="Download a file, also while it is still sent: then this waits for its bytes.",
        tag="files",
    ),
    Route(
        "PUT",
        f"{FILE}/preview",
        _set_preview,
        takes=tuple(sorted(PICTURES)),
        errors=("gone", "rate_limited", "client_id_reused"),
        summary=f"A small picture of it, at most {PREVIEW_BYTES} bytes, by its sender.",
        tag="files",
    ),
    Route(
        "GET",
        f"{FILE}/preview",
        _preview,
        gives=tuple(sorted(PICTURES)),
        also={304: None},
        asks={"If-None-Match": "ETags of what is there already."},
        tells={"ETag": "Of this picture."},
        errors=("gone",),
        summary="The small picture of it.",
        tag="files",
    ),
    Route(
        "PUT",
        f"{FILE}/digest",
        _declare,
        FileState,
        body=OwnDigest,
        errors=("gone", "conflict", "checksum_mismatch", "rate_limited", "client_id_reused"),
        summary="What its sender found the whole file to be; another digest than ours makes it fail.",
        tag="files",
    ),
)
