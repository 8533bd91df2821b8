"""A client of the tus protocol that says what it likes, right or wrong."""

import base64
from collections.abc import AsyncIterable, Mapping
from typing import Any

import aiohttp

from tests.support.house import Person
from tests.support.waiting import eventually

BYTES = "application/offset+octet-stream"
FILES = "/api/v1/files"


def metadata(**told: str) -> str:
    """Upload-Metadata of those values."""
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in told.items())


class Answer:
    """Status, headers and body of an answer that was read whole."""

    def __init__(self, answer: aiohttp.ClientResponse, body: bytes) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self.body = body

    @property
    def offset(self) -> int:
        return int(self.headers["Upload-Offset"])


class Tus:
    """A person's tus client. Headers given as None are left out."""

    def __init__(self, person: Person) -> None:
        self._person = person

    async def request(
        self,
        method: str,
        path: str,
        body: bytes | AsyncIterable[bytes] | None = None,
        **headers: Any,
    ) -> Answer:
        """`headers` with underscores for hyphens."""
        told = {"Tus-Resumable": "1.0.0", **{name.replace("_", "-"): value for name, value in headers.items()}}
        sent: Mapping[str, str] = {name: value for name, value in told.items() if value is not None}
        house = self._person.house
        async with house.http.request(
            method,
            path if path.startswith("http") else f"{house.url}{path}",
            data=body,
            headers={**self._person.bearer, **sent},
            skip_auto_headers=("Content-Type",),
        ) as answer:
            return Answer(answer, await answer.read())

    async def create(self, to: Person, size: int, *, name: str = "a.bin", **headers: Any) -> Answer:
        told: dict[str, Any] = {
            "Upload_Length": str(size),
            "Upload_Metadata": metadata(filename=name, recipient=to.id),
            **headers,
        }
        return await self.request("POST", FILES, **told)

    async def created(self, to: Person, size: int, **headers: Any) -> str:
        """The address of a new upload."""
        answer = await self.create(to, size, **headers)
        assert answer.status == 201, answer.body
        return answer.headers["Location"]

    async def head(self, path: str, **headers: Any) -> Answer:
        return await self.request("HEAD", path, **headers)

    async def patch(self, path: str, offset: int, body: bytes | AsyncIterable[bytes], **headers: Any) -> Answer:
        told: dict[str, Any] = {"Upload_Offset": str(offset), "Content_Type": BYTES, **headers}
        return await self.request("PATCH", path, body, **told)

    async def sent(self, to: Person, content: bytes, *, name: str = "a.bin") -> str:
        """The address of a file that was sent whole, and may not be ready yet."""
        path = await self.created(to, len(content), name=name)
        if content:
            answer = await self.patch(path, 0, content)
            assert answer.status == 204, answer.body
        return path

    async def ready(self, path: str) -> str:
        """The same address, once the file is whole."""

        async def whole() -> bool:
            return bool((await self.state(path))["state"] == "ready")

        await eventually(whole)
        return path

    async def content(self, path: str) -> bytes:
        """What is downloaded, once the file is whole."""
        return (await self.request("GET", await self.ready(path))).body

    async def state(self, path: str) -> dict[str, Any]:
        """What the page asks for."""
        _, answer = await self._person.call("GET", f"{FILES}?ids={path.rpartition('/')[2]}")
        (found,) = answer["files"]
        return dict(found)
