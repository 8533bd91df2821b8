"""HTTP routes of the tus protocol: files come in here."""

import hashlib
from typing import Any, Final

import msgspec
from aiohttp import web

from protocols.errors import Refusal
from protocols.files import CancelUpload, CreateUpload
from web import files_tus as tus
from web.dispatch import failure
from web.files_finding import ask_owner, found, living, own
from web.files_upload import receive
from web.routing import API, Call, Handler, Route

FILES: Final = f"{API}/files"
FILE: Final = f"{FILES}/{{id}}"
TUS: Final = frozenset({FILES, FILE})
"""Addresses of the tus protocol, with every method but GET."""

MIB: Final = 1024 * 1024
HOUR: Final = 3_600_000


async def stamp(request: web.Request, response: web.StreamResponse) -> None:
    """Put the headers on an answer that each of the tus protocol bears, whoever gives it."""
    resource = request.match_info.route.resource
    if resource is None or resource.canonical not in TUS or request.method == "GET":
        return
    response.headers.setdefault("Tus-Resumable", tus.VERSION)
    if response.status == Refusal("wrong_version").status:
        response.headers["Tus-Version"] = tus.VERSION


async def _discover(call: Call[None, None]) -> web.Response:
    return web.Response(status=204, headers=tus.discovered(_largest(call)))


async def _create(call: Call[None, None]) -> web.Response:
    new = tus.creation(call.request.headers, _largest(call))
    command = CreateUpload(
        upload=_new_id(call),
        recipient=new.recipient,
        name=new.name,
        type=new.type,
        size=new.size,
        promised=new.promised,
        width=new.width,
        height=new.height,
    )
    created = await ask_owner(call, command)
    headers = {"Location": f"{FILES}/{created.id}", "Upload-Offset": "0", **tus.expires(created)}
    if "Idempotency-Key" in call.request.headers:
        # Of one that was made before, some may be there.
        created = await found(call, created.id)
        headers["Upload-Offset"] = str(created.offset)
    if new.portion is not None and created.state == "open" and not created.offset:
        try:
            appended = await receive(call, created, new.portion)
        except Refusal as refusal:
            response = failure(refusal)
            response.headers.update(headers)
            return response
        headers["Upload-Offset"] = str(appended.offset)
    return web.Response(status=201, headers=headers)


async def _look(call: Call[None, None]) -> web.Response:
    upload = living(await found(call))
    tus.check_version(call.request.headers)
    return web.Response(headers=tus.described(upload))


async def _append(call: Call[None, None]) -> web.Response:
    upload = await own(call)
    part = tus.portion(call.request.headers)
    living(upload)
    if part.offset != upload.offset:
        raise Refusal("conflict", f"The next byte is that at {upload.offset}.")
    tus.check_fits(part, upload.size)
    appended = await receive(call, upload, part)
    now = call.services.environment.now()
    later = int(call.services.environment.settings.files.expire_hours * HOUR)
    moved = msgspec.structs.replace(upload, offset=appended.offset, state=appended.state, expires=now + later)
    return web.Response(status=204, headers={"Upload-Offset": str(appended.offset), **tus.expires(moved)})


async def _cancel(call: Call[None, None]) -> None:
    upload = await found(call)
    # Not asked of a page, which only means to take the file away.
    if "Tus-Resumable" in call.request.headers:
        tus.check_version(call.request.headers)
    living(upload)
    await ask_owner(call, CancelUpload(upload=upload.id))


async def _overridden(call: Call[None, None]) -> web.Response | None:
    """POST for clients that cannot send another method."""
    meant = _METHODS.get(tus.overridden(call.request.headers))
    if meant is None:
        raise Refusal("method_not_allowed")
    answer = await meant(call)
    return answer if isinstance(answer, web.Response) else None


_METHODS: Final[dict[str, Handler]] = {"PATCH": _append, "HEAD": _look, "DELETE": _cancel}


def _new_id(call: Call[Any, Any]) -> str:
    """Fresh; for a command that is repeated the same as before, so that it is the same command."""
    if "Idempotency-Key" not in call.request.headers:
        return call.services.environment.new_id()
    return hashlib.sha256(f"{call.me.user}\n{call.command_id}".encode()).hexdigest()[:32]


def _largest(call: Call[Any, Any]) -> int:
    return call.services.environment.settings.files.largest_mib * MIB


_RESUMABLE: Final = {"Tus-Resumable!": f"The version of tus: {tus.VERSION}."}
_TELLS: Final = {"Tus-Resumable": "The version of tus."}
_OFFSET: Final = {"Upload-Offset": "Bytes that are on the server's disk."}
_EXPIRES: Final = {"Upload-Expires": "When it is given up unless somebody goes on with it."}
_CHECKSUM: Final = {"Upload-Checksum": f"Of this body: {' or '.join(tus.CHECKSUMS)}, a space, the digest in base64."}
_FROM: Final = {"Upload-Offset!": "The first byte of this body; must be what the server has."}
_SENDING: Final = (
    *("conflict", "locked", "gone", "checksum_mismatch", "wrong_version", "rate_limited", "storage_full"),
    *("too_large", "unsupported"),
)

ROUTES: Final = (
    Route(
        "OPTIONS",
        FILES,
        _discover,
        who="anyone",
        tells={
            **_TELLS,
            "Tus-Version": "Versions of tus that are spoken.",
            "Tus-Extension": "Its extensions that are offered.",
            "Tus-Max-Size": "Bytes of the largest file.",
            "Tus-Checksum-Algorithm": "Algorithms for Upload-Checksum.",
        },
        summary="What is spoken of the tus protocol.",
        tag="files",
    ),
    Route(
        "POST",
        FILES,
        _create,
        status=201,
        takes=(tus.BYTES,),
        body_optional=True,
        asks={
            **_RESUMABLE,
            "Upload-Length!": "Bytes of the whole file.",
            "Upload-Metadata!": (
                "Pairs of a key and a value in base64: filename, filetype, recipient (a contact's id); and, if there "
                "are any, promised (1: its digest will be told), width and height in pixels."
            ),
            **_CHECKSUM,
        },
        tells={**_TELLS, "Location": "The file's address.", **_OFFSET, **_EXPIRES},
        errors=("not_a_contact", "quota_exceeded", "client_id_reused", *_SENDING),
        summary="A new file for a contact (tus creation), with its first bytes if the body brings some.",
        tag="files",
    ),
    Route(
        "HEAD",
        FILE,
        _look,
        status=200,
        asks=_RESUMABLE,
        tells={**_TELLS, **_OFFSET, **_EXPIRES, "Upload-Length": "Bytes of it.", "Upload-Metadata": "As it was made."},
        errors=("gone", "wrong_version"),
        summary="How far an upload is (tus).",
        tag="files",
    ),
    Route(
        "PATCH",
        FILE,
        _append,
        takes=(tus.BYTES,),
        asks={**_RESUMABLE, **_FROM, **_CHECKSUM},
        tells={**_TELLS, **_OFFSET, **_EXPIRES},
        errors=_SENDING,
        summary="More bytes of a file, by its sender (tus). What is on disk counts, however this ends.",
        tag="files",
    ),
    Route(
        "DELETE",
        FILE,
        _cancel,
        tells=_TELLS,
        errors=("gone", "wrong_version", "rate_limited", "client_id_reused"),
        summary="Cancel a file: by its sender at any time, by its recipient while bytes are missing (tus termination).",
        tag="files",
    ),
    Route(
        "POST",
        FILE,
        _overridden,
        takes=(tus.BYTES,),
        body_optional=True,
        also={200: None},
        asks={**_RESUMABLE, "X-HTTP-Method-Override!": "PATCH, HEAD or DELETE.", **_CHECKSUM},
        tells={**_TELLS, **_OFFSET},
        errors=("method_not_allowed", *_SENDING),
        summary="PATCH, HEAD or DELETE, for clients that cannot send these (tus).",
        tag="files",
    ),
)
