"""Uploads as their owner's ledger holds them, written without the owner."""

from pathlib import Path
from typing import Any

from msgspec import structs

from protocols.files import UploadState
from storage import Database
from storage.file_uploads import Upload
from storage.files import FILES
from tests.support.people import ANN, BOB


def upload(id: str = "u1", **fields: Any) -> Upload:  # noqa: A002  (as the field)
    """Ann's upload of 100 bytes for Bob, of which none has arrived, but for `fields`."""
    first = Upload(
        id=id,
        owner=ANN,
        recipient=BOB,
        name="a.txt",
        type="text/plain",
        size=100,
        offset=0,
        generation=0,
        state="open",
        created=1,
        expires=10**15,
        change=0,
    )
    return structs.replace(first, **fields)


async def keep(databases: Path, *uploads: Upload) -> list[UploadState]:
    """Write these into the ledger, and close it again; returns them as kept."""
    database = await Database.open(FILES, databases)
    try:
        return await database.run(lambda tx: [tx.uploads.put(one) for one in uploads])
    finally:
        await database.close()
