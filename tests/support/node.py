"""A private RabbitMQ node for tests: the same configuration as the product's, in a directory of its own."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from settings import Paths, Settings, load
from supervision import broker
from tests.support.waiting import SCALE


class NodeError(Exception):
    """The node did not start; the text holds what it printed."""


class Node:
    """One RabbitMQ node. `kill` is kill -9; `start` after it comes back on the same data, perhaps on another port."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.paths = Paths.of(settings)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, "the node was not started"
        return self._process.pid

    def start(self, within: float = 60.0) -> None:
        """Return when the node is ready for connections."""
        spec = broker.spec(self.settings, self.paths, os.getpid())
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        address = self.paths.run / "test-node"
        address.unlink(missing_ok=True)
        log = self.paths.logs / "broker.log"
        with listener, log.open("ab") as output:
            listener.bind(str(address))
            self._process = subprocess.Popen(  # noqa: S603  (argv is the product's own)
                spec.argv,
                env={**spec.env, "NOTIFY_SOCKET": str(address)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            if not self._ready(listener, within * SCALE):
                self.kill()
                raise NodeError(f"the broker was not ready within {within} s:\n{log.read_text()[-4000:]}")

    def _ready(self, listener: socket.socket, within: float) -> bool:
        assert self._process is not None
        deadline = time.monotonic() + within
        listener.settimeout(0.5)
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(TimeoutError):
                if b"READY=1" in listener.recv(4096).split(b"\n"):
                    return True
        return False

    def kill(self) -> None:
        """End the node as a crash would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End the node in an orderly way."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(number)
        try:
            self._process.wait(15 * SCALE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(15)
        # epmd and the node's helpers are in its session; epmd's own death signal may take a moment.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process = None


def installation(folder: Path, **sections: dict[str, object]) -> Settings:
    """Settings of an installation in `folder`, with sections overridden: `installation(tmp, limits={"in_flight": 2})`.

    The environment's PARLEY_* overrides do not apply, so a developer's own cannot bend a test.
    """
    tree: dict[str, Any] = msgspec.to_builtins(load(environ={}))
    sections["data"] = {"dir": str(folder), **sections.get("data", {})}
    for section, keys in sections.items():
        tree[section] = {**tree[section], **keys}
    return msgspec.convert(tree, Settings)


@contextlib.contextmanager
def running_node(folder: Path, **sections: dict[str, object]) -> Iterator[Node]:
    """A started node in `folder`, ended by its pid in any case."""
    node = Node(installation(folder, **sections))
    try:
        node.start()
        yield node
    finally:
        node.stop()
        with contextlib.suppress(OSError):
            (node.paths.run / "test-node").unlink()
            node.paths.run.rmdir()
