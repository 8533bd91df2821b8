"""How the files of messages are at the moment, put into pages of them: one look a page, and none without files."""

import logging
from collections.abc import Sequence
from typing import Final, TypeVar

from msgspec import structs

from protocols.errors import Refusal
from protocols.files import UploadState
from protocols.frames import Change, Message
from protocols.rendering import file_now
from web.services import Services

log: Final = logging.getLogger(__name__)

C = TypeVar("C", bound=Change)


async def with_states(services: Services, page: Sequence[C]) -> list[C]:
    """The same frames, files with their states; without them while files cannot be read, which is no fault of text."""
    ids = [one.file.id for one in page if isinstance(one, Message) and one.file is not None]
    if not ids:
        return list(page)
    try:
        uploads = await services.files.read(lambda tx: tx.uploads.states(ids))
    except Refusal as refusal:
        log.debug("a page goes out without the states of its files: %s", refusal)
        return list(page)
    known = {upload.id: upload for upload in uploads}
    return [_with_state(one, known) for one in page]


def _with_state(frame: C, known: dict[str, UploadState]) -> C:
    file = frame.file if isinstance(frame, Message) else None
    if file is None or file.id not in known:
        return frame
    return structs.replace(frame, file=file_now(file, known[file.id]))
