"""What is left lying about by a whole installation: in its processes, its files and its logs."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from drill.installation import Installation
from tests.support.stranger import call, register

pytestmark = pytest.mark.e2e

CANARY = "canary of the north tower"


def secrets_of(installation: Installation) -> dict[str, bytes]:
    """What stands in each secret's file, private parts of keys included."""
    return {path.name: path.read_bytes().strip() for path in installation.paths.secrets.iterdir() if path.is_file()}


async def processes(installation: Installation) -> Iterator[tuple[str, Path]]:
    rows = await installation.actors()
    pids = {name: int(row["pid"]) for name, row in rows.items()}
    return iter(
        [(name, Path(f"/proc/{pid}")) for name, pid in {**pids, "supervisor": installation.supervisor_pid}.items()]
    )


async def test_no_process_bears_a_secret_where_others_look(installation: Installation) -> None:
    secrets = secrets_of(installation)
    assert len(secrets) > 5
    for name, process in await processes(installation):
        for place in ("environ", "cmdline"):
            seen = (process / place).read_bytes()
            assert seen, (name, place)
            assert [kind for kind, value in secrets.items() if value in seen] == [], (name, place)


async def test_the_data_is_its_owners_alone(installation: Installation) -> None:
    for path in installation.paths.secrets.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
    for part in (installation.paths.databases, installation.paths.logs, installation.paths.broker):
        assert part.stat().st_mode & 0o077 == 0, part
        for path in part.iterdir():
            assert path.is_symlink() or path.stat().st_mode & 0o022 == 0, path
    values = secrets_of(installation).values()
    assert len(set(values)) == len(values), "no two secrets are the same"


async def test_nobody_has_an_account_before_they_register(installation: Installation) -> None:
    _, listed = await installation.parley("user", "list")
    assert not {"admin", "root", "guest", "parley", "test"} & set(listed.split())


async def test_no_password_and_no_token_gets_into_a_log(installation: Installation) -> None:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client:
        ann = await register(installation.base, client, "canary")
        changed = {"current_password": "seven herons over the weir", "new_password": CANARY}
        assert (await ann.call("PUT", "/auth/password", changed))[0] == 204
        credentials = {"username": ann.username, "password": CANARY}
        login = f"{installation.base}/api/v1/auth/login"
        status, signed = await call(client, "POST", login, credentials)
        assert status == 200
        await call(client, "POST", login, {**credentials, "password": f"{CANARY}\r\nforged line"})
        await call(client, "POST", login, {**credentials, "username": f"{CANARY}\r\nforged line"})
        await call(client, "GET", f"{installation.base}/api/v1/me?token={signed['access_token']}")
        async with ann.socket() as line:
            await line.connection.send(f'{{"type":"send","id":"1","body":"{CANARY}"}}')
            await line.next("error")
        refresh = {"refresh_token": signed["refresh_token"]}
        await call(client, "POST", f"{installation.base}/api/v1/auth/refresh", refresh)
        await call(client, "POST", f"{installation.base}/api/v1/auth/logout", refresh)
    canaries = (CANARY, ann.token, ann.refresh_token, *(signed[name] for name in ("access_token", "refresh_token")))
    for log in await asyncio.to_thread(lambda: sorted(installation.folder.rglob("*.log"))):
        text = log.read_text(errors="replace")
        assert [canary for canary in canaries if canary in text] == [], log.name
        assert not [line for line in text.splitlines() if line.startswith("forged line")], log.name
