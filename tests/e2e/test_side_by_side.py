"""Two installations on one machine, told apart by their environment alone, and one that goes down and comes up."""

import json
from pathlib import Path

import aiohttp
import pytest

from drill.installation import Installation, running_installation
from tests.support.stranger import register

pytestmark = pytest.mark.e2e


async def test_a_second_installation_beside_the_first(installation: Installation, tmp_path: Path) -> None:
    async with (
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client,
        running_installation(tmp_path / "second") as second,
    ):
        ann = await register(installation.base, client, "ann")
        eve = await register(second.base, client, "eve")
        # Neither knows the other's people, or believes the other's keys.
        for host, guest in ((eve, ann), (ann, eve)):
            status, answer = await host.call("GET", "/me", Authorization=f"Bearer {guest.token}")
            assert (status, answer["error"]["code"]) == (401, "unauthenticated")
            assert (await host.call("GET", f"/users?q={guest.username}"))[1] == {"users": []}

        third = Installation(tmp_path / "third", {"PARLEY_WEB__PORT": str(second.port)})
        exit_code, printed = await third.parley("up")
        assert (exit_code, f"port {second.port}" in printed) == (1, True)
        exit_code, printed = await second.parley("up")
        assert (exit_code, "runs already" in printed) == (1, True)

        assert (await second.parley("down"))[0] == 0
        for words in (("down",), ("status", "--json"), ("stop", "router")):
            assert (await second.parley(*words))[0] == 3, words
        assert json.loads((await installation.parley("status", "--json"))[1])["supervisor"]["state"] == "running"
        await second.start()
        # Accounts, keys and sessions are where they were.
        assert (await eve.call("GET", "/me"))[1]["user"]["id"] == eve.id


async def test_a_setting_that_is_wrong_is_named(tmp_path: Path) -> None:
    for name in ("PARLEY_WEB__PORT", "PARLEY_WEB__PROT"):
        exit_code, printed = await Installation(tmp_path / "bad", {name: "many"}).parley("up")
        assert (exit_code, name in printed) == (78, True)
