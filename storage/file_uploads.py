"""The ledger of uploads: what each is, how far it has come, and what it counts against."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Final

from msgspec import Struct, json, structs

from protocols.files import PreviewType, UploadState
from storage.journal import Journal

ENDED: Final = frozenset({"failed", "cancelled", "expired"})
"""States in which an upload has no bytes any more."""

LEAST: Final = 128 * 1024
"""Bytes that a file weighs at the least: its row and its picture take room too, and so a quota bounds their number."""


class Upload(UploadState, frozen=True, kw_only=True):
    """An upload with what only its owner needs to know.

    `promised`: the sender will tell its own digest; `declared`: that digest, or "".
    """

    promised: bool = False
    declared: str = ""

    def told(self) -> UploadState:
        """As others see it."""
        return UploadState(**{name: getattr(self, name) for name in UploadState.__struct_fields__})


class Total(Struct, frozen=True):
    """How many uploads there are of a kind, and how many bytes they have so far."""

    kind: str
    uploads: int
    bytes: int


_FIELDS: Final = Upload.__struct_fields__
_COLUMNS: Final = ", ".join(_FIELDS)
_PLACES: Final = ", ".join("?" * len(_FIELDS))
_FLAGS: Final = [_FIELDS.index(name) for name in ("verified", "active", "promised")]
_IDS: Final = "(SELECT value FROM json_each(?))"
_LIVING: Final = "state IN ('open', 'verifying', 'ready')"


class Uploads:
    """Each row's `change` moves with everything but its offset, so whoever keeps a cursor misses nothing."""

    def __init__(self, connection: sqlite3.Connection, journal: Journal) -> None:
        self._connection = connection
        self._journal = journal

    # Writing.

    def put(self, upload: Upload) -> Upload:
        """Keep a new upload, or what became of one, whole, under a change of its own; returns it as kept."""
        kept = structs.replace(upload, change=self._journal.next_change())
        self._connection.execute(
            f"INSERT OR REPLACE INTO upload ({_COLUMNS}) VALUES ({_PLACES})", structs.astuple(kept)
        )
        return kept

    def advance(self, id: str, offset: int, expires: int) -> None:  # noqa: A002
        """Count bytes that are on disk. No change of its own: pages are told offsets, nobody follows them."""
        self._connection.execute("UPDATE upload SET offset = ?, expires = ? WHERE id = ?", (offset, expires, id))

    def postpone(self, ids: Iterable[str], expires: int) -> None:
        """Let the sweep look at these again, later."""
        self._connection.executemany("UPDATE upload SET expires = ? WHERE id = ?", [(expires, one) for one in ids])

    def picture(self, id: str, data: bytes) -> None:  # noqa: A002
        """Keep the picture of an upload; its type stands in the upload's row."""
        self._connection.execute("INSERT OR REPLACE INTO picture VALUES (?, ?)", (id, data))

    def forget_picture(self, id: str) -> None:  # noqa: A002
        self._connection.execute("DELETE FROM picture WHERE upload = ?", (id,))

    def forget(self, ids: Iterable[str]) -> None:
        """Drop rows. Their ids are unknown from now on."""
        self._connection.executemany("DELETE FROM upload WHERE id = ?", [(one,) for one in ids])

    # Reading.

    def get(self, id: str) -> UploadState | None:  # noqa: A002
        upload = self.row(id)
        return None if upload is None else upload.told()

    def row(self, id: str) -> Upload | None:  # noqa: A002
        return next(iter(self._rows("id = ?", id)), None)

    def states(self, ids: Sequence[str]) -> list[UploadState]:
        """Those of `ids` that there are, in order of id."""
        return [upload.told() for upload in self._rows(f"id IN {_IDS} ORDER BY id", json.encode(ids).decode())]

    def changes(self, after: int, limit: int) -> list[UploadState]:
        """What changed after `after`, in order of change."""
        return [upload.told() for upload in self._rows("change > ? ORDER BY change LIMIT ?", after, limit)]

    def preview(self, id: str) -> tuple[PreviewType, bytes] | None:  # noqa: A002
        """(type, bytes) of the small picture, if there is one."""
        row = self._connection.execute(
            "SELECT preview, data FROM upload JOIN picture ON upload = id WHERE id = ?", (id,)
        ).fetchone()
        return None if row is None else (row[0], row[1])

    def taken(self, owner: str) -> int:
        """Bytes that a person's uploads weigh, those that are still to come included, and none less than LEAST."""
        row = self._connection.execute(
            f"SELECT coalesce(sum(max(size, ?)), 0) FROM upload WHERE owner = ? AND {_LIVING}", (LEAST, owner)
        ).fetchone()
        return int(row[0])

    def active(self, owner: str = "") -> list[Upload]:
        """Uploads that somebody is sending now, of one person or of all."""
        return self._rows("active AND owner = ? ORDER BY id", owner) if owner else self._rows("active ORDER BY id")

    def verifying(self) -> list[str]:
        """Ids of the uploads that have all their bytes and no end yet."""
        rows = self._connection.execute("SELECT id FROM upload WHERE state = 'verifying' ORDER BY id")
        return [one for (one,) in rows]

    def due(self, now: int, limit: int) -> list[Upload]:
        """What the sweep is to look at, the oldest first."""
        return self._rows("expires < ? ORDER BY expires LIMIT ?", now, limit)

    def living(self, ids: Sequence[str]) -> set[str]:
        """Those of `ids` whose bytes are wanted."""
        rows = self._connection.execute(
            f"SELECT id FROM upload WHERE id IN {_IDS} AND {_LIVING}", (json.encode(ids).decode(),)
        )
        return {one for (one,) in rows}

    def ready(self, after: str, limit: int) -> list[UploadState]:
        """Finished files, in order of id, from behind `after` on."""
        return [upload.told() for upload in self._rows("state = 'ready' AND id > ? ORDER BY id LIMIT ?", after, limit)]

    def by_state(self) -> list[Total]:
        rows = self._connection.execute("SELECT state, count(*), sum(offset) FROM upload GROUP BY state ORDER BY state")
        return [Total(*row) for row in rows]

    def by_person(self, most: int) -> list[Total]:
        """Of those who have files here: the `most` who take most room."""
        rows = self._connection.execute(
            f"SELECT owner, count(*), sum(offset) AS bytes FROM upload WHERE {_LIVING} GROUP BY owner "
            "ORDER BY bytes DESC, owner LIMIT ?",
            (most,),
        )
        return [Total(*row) for row in rows]

    def _rows(self, condition: str, *values: str | int) -> list[Upload]:
        rows = self._connection.execute(f"SELECT {_COLUMNS} FROM upload WHERE {condition}", values)
        return [_upload(row) for row in rows]


def _upload(row: Sequence[Any]) -> Upload:
    values = list(row)
    for place in _FLAGS:
        values[place] = bool(values[place])
    return Upload(**dict(zip(_FIELDS, values, strict=True)))
