"""What every implementation of the ledger of uploads must do; storage.file_uploads on SQLite is the one there is."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from protocols.files import UploadState
from storage.file_uploads import LEAST, Total, Uploads
from storage.journal import Journal
from storage.migrate import migrate
from tests.support.people import ANN, BOB
from tests.support.uploads import upload


class UploadsContract:
    """Subclasses provide `uploads`, empty."""

    def test_an_unknown_one_is_nothing(self, uploads: Uploads) -> None:
        assert uploads.get("u1") is None
        assert uploads.row("u1") is None
        assert uploads.states(["u1"]) == []
        assert uploads.preview("u1") is None
        assert uploads.taken(ANN) == 0

    def test_what_is_put_is_got_and_its_change_moves(self, uploads: Uploads) -> None:
        first = uploads.put(upload(promised=True))
        assert uploads.row("u1") == first
        second = uploads.put(structs.replace(first, state="failed", reason="damaged", verified=True, active=True))
        assert second.change > first.change
        assert uploads.row("u1") == second
        told = uploads.get("u1")
        assert type(told) is UploadState
        assert told == second.told()

    def test_an_offset_moves_without_a_change(self, uploads: Uploads) -> None:
        kept = uploads.put(upload())
        uploads.advance("u1", 40, 70)
        assert uploads.row("u1") == structs.replace(kept, offset=40, expires=70)
        assert uploads.changes(kept.change, 10) == []

    def test_changes_are_read_in_order_and_in_pages(self, uploads: Uploads) -> None:
        one, two = uploads.put(upload("u1")), uploads.put(upload("u2"))
        one = uploads.put(one)
        assert [state.id for state in uploads.changes(0, 10)] == ["u2", "u1"]
        assert [state.id for state in uploads.changes(0, 1)] == ["u2"]
        assert [state.change for state in uploads.changes(two.change, 10)] == [one.change]

    def test_states_are_of_those_asked_for(self, uploads: Uploads) -> None:
        for name in ("u1", "u2", "u3"):
            uploads.put(upload(name))
        assert [state.id for state in uploads.states(["u3", "u9", "u1"])] == ["u1", "u3"]
        assert uploads.states([]) == []

    def test_a_picture_is_kept_beside_its_type(self, uploads: Uploads) -> None:
        uploads.put(upload(preview="image/png"))
        uploads.picture("u1", b"one")
        uploads.picture("u1", b"two")
        assert uploads.preview("u1") == ("image/png", b"two")
        uploads.forget_picture("u1")
        assert uploads.preview("u1") is None

    def test_what_ended_takes_no_room(self, uploads: Uploads) -> None:
        for number, state in enumerate(("open", "verifying", "ready", "failed", "cancelled", "expired")):
            uploads.put(upload(f"u{number}", state=state, offset=10))
        uploads.put(upload("other", owner=BOB, offset=10))
        uploads.put(upload("large", state="ready", owner=BOB, size=5 * LEAST))
        assert (uploads.taken(ANN), uploads.taken(BOB)) == (3 * LEAST, 6 * LEAST)
        uploads.forget(["large"])
        assert uploads.verifying() == ["u1"]
        assert uploads.living(["u0", "u2", "u3", "no"]) == {"u0", "u2"}
        assert uploads.by_person(5) == [Total(ANN, 3, 30), Total(BOB, 1, 10)]
        assert uploads.by_person(1) == [Total(ANN, 3, 30)]
        uploads.put(upload("u9", state="ready"))
        assert [state.id for state in uploads.ready("", 9)] == ["u2", "u9"]
        assert [state.id for state in uploads.ready("", 1)] == ["u2"]
        assert [state.id for state in uploads.ready("u2", 9)] == ["u9"]
        assert Total("open", 2, 20) in uploads.by_state()

    def test_those_being_sent_are_known_by_person(self, uploads: Uploads) -> None:
        uploads.put(upload("u1", active=True))
        uploads.put(upload("u2", active=True, owner=BOB))
        uploads.put(upload("u3"))
        assert [one.id for one in uploads.active(ANN)] == ["u1"]
        assert [one.id for one in uploads.active()] == ["u1", "u2"]

    def test_what_is_due_comes_oldest_first_and_can_be_put_off_or_dropped(self, uploads: Uploads) -> None:
        for name, expires in (("u1", 30), ("u2", 10), ("u3", 20), ("u4", 90)):
            uploads.put(upload(name, expires=expires))
        assert [one.id for one in uploads.due(50, 10)] == ["u2", "u3", "u1"]
        assert [one.id for one in uploads.due(50, 1)] == ["u2"]
        uploads.postpone(["u2"], 60)
        uploads.forget(["u3"])
        assert [one.id for one in uploads.due(50, 10)] == ["u1"]
        assert uploads.get("u3") is None

    def test_nothing_counts_beyond_the_size(self, uploads: Uploads) -> None:
        uploads.put(upload())
        with pytest.raises(sqlite3.IntegrityError):
            uploads.advance("u1", 101, 50)


class TestSqliteUploads(UploadsContract):
    @pytest.fixture
    def uploads(self, tmp_path: Path) -> Iterator[Uploads]:
        file = tmp_path / "file_chunker.db"
        connection = sqlite3.connect(file, isolation_level=None)
        migrate(connection, "file_chunker", file)
        yield Uploads(connection, Journal(connection))
        connection.close()
