"""auth as a process of its own, asked over a real RabbitMQ by the command line and by a front."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

from actors.runtime import Environment
from actors.runtime.client import open_post
from protocols.auth import AddUser, EndSession, LogIn, Refresh, SignedIn
from protocols.errors import Refusal
from protocols.mail import Command
from storage import Reader
from storage.auth import AUTH
from tests.support.auth_desk import OTHER_PASSWORD, PASSWORD
from tests.support.waiting import SCALE, eventually
from web.tokens import Verifier

pytestmark = pytest.mark.integration


def variables(environment: Environment) -> dict[str, str]:
    """What makes another process part of this installation."""
    return {
        **os.environ,
        "PARLEY_DATA__DIR": str(environment.paths.data),
        "PARLEY_BROKER__NAMESPACE": environment.settings.broker.namespace,
        "PARLEY_AUTH__BCRYPT_COST": "4",
    }


@contextlib.asynccontextmanager
async def running_auth(environment: Environment) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m actors auth`, ended by its pid in any case."""
    with (environment.paths.logs / "auth.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "actors", "auth", env=variables(environment), stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(20 * SCALE):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise


async def parley(environment: Environment, *arguments: str, typed: str = "") -> tuple[int, str]:
    """The exit code, and all that it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "supervisor", *arguments),
        env=variables(environment),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(30 * SCALE):
        output, _ = await process.communicate(typed.encode())
    assert process.returncode is not None
    return process.returncode, output.decode()


async def ask(environment: Environment, command: Command[SignedIn]) -> SignedIn:
    async with open_post(environment, "front") as post:
        return await post.ask("auth", command, within=10 * SCALE)


async def ended(environment: Environment, session: str) -> bool:
    reader = Reader(AUTH, environment.paths.databases)
    try:
        row = await reader.read(lambda tx: tx.sessions.get(session))
        return row is not None and row.ended
    finally:
        await reader.close()


async def test_the_operator_adds_somebody_who_stays_signed_in_when_auth_is_killed(environment: Environment) -> None:
    async with running_auth(environment) as auth:
        code, output = await parley(environment, "user", "add", "ann", typed=f"{PASSWORD}\n")
        assert (code, output) == (0, "ann (ann) can sign in now\n")
        code, output = await parley(environment, "user", "add", "ann", typed=f"{PASSWORD}\n")
        assert (code, output) == (1, "parley: This username is taken.\n")
        signed_in = await ask(environment, LogIn(username="ann", password=PASSWORD))
        auth.kill()
        await auth.wait()
    reader = Reader(AUTH, environment.paths.databases)
    try:
        verifier = Verifier(await reader.read(lambda tx: tx.keys.public()))
    finally:
        await reader.close()
    assert verifier.verify(signed_in.access_token, environment.now()).session == signed_in.session
    async with running_auth(environment):
        again = await ask(environment, Refresh(token=signed_in.refresh_token))
        assert again.session == signed_in.session
        assert verifier.verify(again.access_token, environment.now()).user == signed_in.user.id
        code, output = await parley(environment, "user", "disable", "ann")
        assert code == 0, output
        assert await ended(environment, signed_in.session)
        with pytest.raises(Refusal) as refused:
            await ask(environment, LogIn(username="ann", password=PASSWORD))
        assert refused.value.code == "wrong_credentials"
    log = (environment.paths.logs / "auth.log").read_text()
    assert "login_ok" in log
    for canary in (PASSWORD, signed_in.access_token, signed_in.refresh_token, again.refresh_token):
        assert canary not in log
    code, output = await parley(environment, "user", "list")
    assert (code, output.split()[:2]) == (0, ["ann", "disabled"])


async def test_a_log_out_that_was_told_while_auth_was_away_is_done_when_it_is_back(environment: Environment) -> None:
    async with running_auth(environment):
        async with open_post(environment, "cli") as post:
            await post.ask("auth", AddUser(username="ann", password=OTHER_PASSWORD), within=10 * SCALE)
        signed_in = await ask(environment, LogIn(username="ann", password=OTHER_PASSWORD))
    async with open_post(environment, "front") as post:
        command = EndSession(session=signed_in.session)
        with pytest.raises(Refusal) as refused:
            await post.ask("auth", command, within=0.5, id="end-1", person=signed_in.user.id)
        assert refused.value.code == "unavailable"
    async with running_auth(environment):

        async def over() -> Any:
            return await ended(environment, signed_in.session)

        await eventually(over, within=15.0)
