"""`parley files`: the report of a folder and two databases, without anybody running."""

import asyncio
import json
from pathlib import Path

import pytest

from cli.files import Kind, reported
from cli.main import main
from settings import Paths, load
from storage import Database
from storage.blobs import DirectoryBlobs
from storage.file_uploads import Total
from storage.router import ROUTER
from tests.support.people import ANN
from tests.support.uploads import keep, upload


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setenv("PARLEY_DATA__DIR", str(tmp_path / "data"))
    paths = Paths.of(load())
    for folder in (paths.databases, paths.blobs):
        folder.mkdir(parents=True)
    return paths


def store(paths: Paths, name: str, size: int) -> None:
    blobs = DirectoryBlobs(paths.blobs)
    blobs.cut(name, 0)
    blobs.write(name, 0, [b"x" * size])


async def test_it_counts_by_state_and_person_and_finds_what_nobody_needs(paths: Paths) -> None:
    await keep(
        paths.databases,
        upload("u1", state="ready", offset=100),
        upload("u2", offset=40),
        upload("u3", state="cancelled", offset=7),
    )
    store(paths, "u1", 100)
    store(paths, "u2", 40)
    store(paths, "u3", 7)
    store(paths, "nobodys", 5)
    report = await reported(paths)
    assert report.unreferenced is None
    assert report.by_state == [Total("cancelled", 1, 7), Total("open", 1, 40), Total("ready", 1, 100)]
    assert report.by_person == [Total(ANN, 2, 140)]
    assert report.strays == Kind(2, 12)
    assert report.free > 0
    await (await Database.open(ROUTER, paths.databases)).close()
    assert (await reported(paths)).unreferenced == Kind(1, 100)


def test_before_there_are_any_it_says_so(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["files", "report"]) == 1
    assert "no files yet" in capsys.readouterr().err
    assert not paths.database("file_chunker").exists()


async def _make(paths: Paths) -> None:
    await keep(paths.databases, upload("u1", state="ready", offset=100))
    await (await Database.open(ROUTER, paths.databases)).close()


def test_it_prints_for_people_and_for_programs(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    # The command runs a loop of its own.
    asyncio.run(_make(paths))
    assert main(["files", "report", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["by_state"] == {"ready": {"files": 1, "bytes": 100}}
    assert printed["unreferenced"] == {"files": 1, "bytes": 100}
    assert printed["by_person"] == [{"person": ANN, "files": 1, "bytes": 100}]
    assert main(["files", "report"]) == 0
    assert "ready" in capsys.readouterr().out
