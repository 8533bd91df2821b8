"""rabbitmqctl for a private node, whoever started it."""

import asyncio
import os
from pathlib import Path

import msgspec

from settings import Paths
from supervision import broker
from tests.support.waiting import SCALE

PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmqctl")
WITHIN = 20.0


async def rabbitmqctl(paths: Paths, *arguments: str) -> str:
    """What it printed. Raises AssertionError when it fails, TimeoutError after 20 s; nothing of it is left then."""
    known = msgspec.json.decode((paths.broker / "node.json").read_bytes(), type=broker.Node)
    process = await asyncio.create_subprocess_exec(
        PROGRAM,
        "--quiet",
        "--node",
        known.name,
        *arguments,
        env={
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(paths.broker),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(known.epmd_port),
        },
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(WITHIN * SCALE):
            printed, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    text = printed.decode(errors="replace")
    assert process.returncode == 0, f"rabbitmqctl {arguments}: {text}"
    return text
