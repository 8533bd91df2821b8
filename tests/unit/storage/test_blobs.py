"""Blobs in a folder: what is written stays, what is read stays open, and no name leads out of the folder."""

import errno
import os
import stat
from pathlib import Path

import pytest

from storage.blobs import PIECES_MOST, Damaged, DirectoryBlobs

ID = "0191a1b2c3d4aabbccddeeff00112233"


@pytest.fixture
def blobs(tmp_path: Path) -> DirectoryBlobs:
    return DirectoryBlobs(tmp_path)


def content(blobs: DirectoryBlobs) -> bytes:
    with blobs.open(ID) as reader:
        return reader.read(0, reader.size())


def test_pieces_become_a_blob(blobs: DirectoryBlobs, tmp_path: Path) -> None:
    blobs.cut(ID, 0)
    blobs.write(ID, 0, [b"one", b"", b"two"])
    blobs.write(ID, 6, [b"three"])
    assert content(blobs) == b"onetwothree"
    assert blobs.path(ID) is None
    blobs.finish(ID)
    assert content(blobs) == b"onetwothree"
    path = blobs.path(ID)
    assert path is not None
    assert path.read_bytes() == b"onetwothree"
    assert not list((tmp_path / "uploading").iterdir())


def test_a_write_of_very_many_pieces_is_whole(blobs: DirectoryBlobs) -> None:
    pieces = [number.to_bytes(2, "big") for number in range(2 * PIECES_MOST + 1)]
    blobs.cut(ID, 0)
    blobs.write(ID, 0, pieces)
    assert content(blobs) == b"".join(pieces)


def test_a_write_that_the_disk_takes_in_parts_is_whole(blobs: DirectoryBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.pwritev

    def stingy(descriptor: int, views: list[memoryview], offset: int) -> int:
        return whole(descriptor, [views[0][:2]], offset)

    monkeypatch.setattr(os, "pwritev", stingy)
    blobs.cut(ID, 0)
    blobs.write(ID, 0, [b"abcde", b"f", b"ghi"])
    assert content(blobs) == b"abcdefghi"


def test_a_full_disk_is_an_error_of_the_system(blobs: DirectoryBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "full")

    blobs.cut(ID, 0)
    monkeypatch.setattr(os, "pwritev", full)
    with pytest.raises(OSError, match="full"):
        blobs.write(ID, 0, [b"a"])


def test_cutting_keeps_what_counts_and_no_more(blobs: DirectoryBlobs) -> None:
    blobs.cut(ID, 0)
    blobs.write(ID, 0, [b"abcdef"])
    blobs.cut(ID, 4)
    assert content(blobs) == b"abcd"
    blobs.cut(ID, 4)
    with pytest.raises(Damaged):
        blobs.cut(ID, 5)
    assert content(blobs) == b"abcd"


def test_names_survive_the_loss_of_power_as_bytes_do(
    blobs: DirectoryBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []

    def noted(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())

    monkeypatch.setattr(os, "fsync", noted)
    uploading = tmp_path / "uploading"
    for _ in range(2):
        # The second time as after a kill between the making of the file and the syncing of its name.
        synced.clear()
        blobs.cut(ID, 0)
        assert synced[-1] == uploading
    synced.clear()
    blobs.finish(ID)
    final = blobs.path(ID)
    assert final is not None
    assert synced[-3:] == [uploading / f"{ID}.part", final.parent, uploading]
    # The folders' own, too, once a process: whoever made them may have been killed before that.
    again = DirectoryBlobs(tmp_path)
    for times in (2, 0):
        synced.clear()
        again.cut(ID, 0)
        again.finish(ID)
        assert synced.count(tmp_path) == times


def test_an_open_reader_survives_the_rename_and_the_removal(blobs: DirectoryBlobs) -> None:
    blobs.cut(ID, 0)
    blobs.write(ID, 0, [b"abc"])
    with blobs.open(ID) as reader:
        blobs.write(ID, 3, [b"def"])
        assert reader.read(2, 10) == b"cdef"
        blobs.finish(ID)
        assert reader.read(0, 3) == b"abc"
        assert os.fstat(reader.fileno()).st_size == reader.size() == 6
        assert blobs.remove(ID) == 6
        assert reader.read(6, 1) == b""
        assert reader.read(5, 1) == b"f"


def test_finishing_once_more_does_nothing_and_without_a_blob_it_fails(blobs: DirectoryBlobs) -> None:
    blobs.cut(ID, 0)
    blobs.finish(ID)
    blobs.finish(ID)
    assert content(blobs) == b""
    with pytest.raises(FileNotFoundError):
        blobs.finish("another")


def test_what_is_not_there_is_said_so(blobs: DirectoryBlobs) -> None:
    with pytest.raises(FileNotFoundError):
        blobs.open(ID)
    with pytest.raises(FileNotFoundError):
        blobs.write(ID, 0, [b"a"])
    assert blobs.remove(ID) == 0
    assert blobs.path(ID) is None
    assert list(blobs.stored()) == []


def test_all_that_lies_there_is_listed(blobs: DirectoryBlobs, tmp_path: Path) -> None:
    for name, bytes_ in ((ID, b"abc"), ("second", b"de")):
        blobs.cut(name, 0)
        blobs.write(name, 0, [bytes_])
    blobs.finish("second")
    (tmp_path / "uploading" / "not one of ours.part").write_bytes(b"x")
    (tmp_path / "loose").write_bytes(b"x")
    assert {(one.id, one.bytes) for one in blobs.stored()} == {(ID, 3), ("second", 2)}
    assert blobs.remove(ID) == 3
    assert [one.id for one in blobs.stored()] == ["second"]
    assert blobs.free() > 0


def test_files_are_their_owners_alone(blobs: DirectoryBlobs, tmp_path: Path) -> None:
    blobs.cut(ID, 0)
    blobs.cut("second", 0)
    blobs.finish("second")
    for path in tmp_path.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "/etc/passwd", "a\0b", "a" * 65, "ID.part", "é"])
def test_no_name_leads_out_of_the_folder(blobs: DirectoryBlobs, name: str) -> None:
    for step in (
        lambda: blobs.cut(name, 0),
        lambda: blobs.write(name, 0, [b"a"]),
        lambda: blobs.finish(name),
        lambda: blobs.remove(name),
        lambda: blobs.open(name),
    ):
        with pytest.raises(ValueError, match="no id"):
            step()


def test_nothing_is_written_through_a_link(blobs: DirectoryBlobs, tmp_path: Path) -> None:
    blobs.cut("second", 0)
    target = tmp_path / "target"
    target.write_bytes(b"precious")
    (tmp_path / "uploading" / f"{ID}.part").symlink_to(target)
    with pytest.raises(OSError, match="symbolic links"):
        blobs.cut(ID, 0)
    assert target.read_bytes() == b"precious"
