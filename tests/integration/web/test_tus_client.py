"""A tus client that others wrote (tuspy), which knows nothing of Parley but the protocol."""

import asyncio
import io
import os
from collections.abc import Callable
from typing import TypeVar

import pytest
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError, TusUploadFailed
from tusclient.uploader.uploader import Uploader

from tests.support.house import House, Person
from tests.support.tus import FILES, Tus
from tests.support.waiting import eventually

T = TypeVar("T")

CONTENT = os.urandom(1_500_000)
CHUNK = 400_000


@pytest.fixture(autouse=True)
def _directly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that the environment names is not for this machine."""
    monkeypatch.setenv("NO_PROXY", "*")


class Sender:
    """Ann's program, sending to Bob."""

    def __init__(self, ann: Person, bob: Person) -> None:
        self._client = TusClient(f"{ann.house.url}{FILES}", headers=ann.bearer)
        self._metadata = {"filename": "größe.bin", "filetype": "text/x-other", "recipient": bob.id}

    def uploader(self, content: bytes, *, url: str | None = None, checksum: bool = False, retries: int = 0) -> Uploader:
        made: Uploader = self._client.uploader(
            file_stream=io.BytesIO(content),
            url=url,
            chunk_size=CHUNK,
            metadata=self._metadata,
            upload_checksum=checksum,
            retries=retries,
            retry_delay=0.05,
        )
        return made


@pytest.fixture
def sender(ann: Person, bob: Person) -> Sender:
    return Sender(ann, bob)


async def aside(work: Callable[[], T]) -> T:
    """Tuspy waits; the house goes on meanwhile."""
    return await asyncio.to_thread(work)


async def arrived(bob: Person, uploader: Uploader) -> bytes:
    """What Bob gets of a file, once it is whole."""
    return await Tus(bob).content(str(uploader.url))


async def test_it_sends_files(sender: Sender, bob: Person) -> None:
    for checksum in (False, True):
        uploader = sender.uploader(CONTENT, checksum=checksum)
        await aside(uploader.upload)
        assert uploader.offset == len(CONTENT)
        assert await arrived(bob, uploader) == CONTENT
        assert (await Tus(bob).state(str(uploader.url)))["name"] == "größe.bin"


async def test_an_empty_file_is_one_too(sender: Sender, bob: Person) -> None:
    uploader = sender.uploader(b"")
    await aside(uploader.upload)
    assert await arrived(bob, uploader) == b""


async def test_it_goes_on_where_another_run_of_it_ended(sender: Sender, bob: Person) -> None:
    first = sender.uploader(CONTENT)
    await aside(lambda: first.upload(stop_at=CHUNK))
    second = await aside(lambda: sender.uploader(CONTENT, url=first.url))
    assert second.offset == CHUNK
    await aside(second.upload)
    assert await arrived(bob, first) == CONTENT


async def test_several_at_a_time(sender: Sender, bob: Person) -> None:
    contents = [os.urandom(700_000) for _ in range(3)]
    uploaders = [sender.uploader(content) for content in contents]
    await asyncio.gather(*(aside(uploader.upload) for uploader in uploaders))
    for uploader, content in zip(uploaders, contents, strict=True):
        assert await arrived(bob, uploader) == content


async def test_it_waits_for_the_owner_and_goes_on(sender: Sender, bob: Person, house: House) -> None:
    owner = house.owners["file_chunker"]
    uploader = sender.uploader(CONTENT, retries=200)
    await aside(lambda: uploader.upload(stop_at=CHUNK))
    owner.running.clear()
    owner.beat("stopping")
    going_on = asyncio.create_task(aside(uploader.upload))
    refused = ("PATCH", f"{FILES}/{{id}}", 503)
    await eventually(lambda: house.front._server.services.counters.requests[refused] > 1)
    owner.running.set()
    owner.beat()
    await going_on
    assert await arrived(bob, uploader) == CONTENT


async def test_it_is_told_what_is_wrong(sender: Sender, bob: Person, house: House) -> None:
    uploader = sender.uploader(CONTENT)
    await aside(lambda: uploader.upload(stop_at=CHUNK))
    assert (await Tus(bob).request("DELETE", str(uploader.url))).status == 204
    with pytest.raises(TusUploadFailed) as failed:
        await aside(uploader.upload)
    assert failed.value.status_code == 410
    with pytest.raises(TusCommunicationError) as unknown:
        await aside(lambda: sender.uploader(CONTENT, url=f"{house.url}{FILES}/nothing"))
    assert unknown.value.status_code == 404
