"""One RabbitMQ node for all workers of a run: each of its own would cost five seconds of a processor to start."""

import contextlib
import shutil
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

from settings import Paths, Settings
from supervision import broker
from tests.support.node import NodeError, installation, running_node
from tests.support.waiting import eventually_sync

NEEDS_IT: Final = "tests/integration/"
"""Its files are given a node; a run of others starts none."""

_READY: Final = "ready"
_FAILED: Final = "failed"


class CommonNode:
    """The controller's side. `want` starts the node in the background; `close` ends it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="parley-node-"))
        self._running = contextlib.ExitStack()
        # The node's processes die with the thread that started them, so that one lives until the end.
        self._thread = ThreadPoolExecutor(1)
        self._start: Future[None] | None = None

    def want(self, file: str) -> None:
        """A worker is about to run that file."""
        if self._start is None and file.startswith(NEEDS_IT) and broker.program() is not None:
            self._start = self._thread.submit(self._begin)

    def close(self) -> None:
        if self._start is not None:
            self._thread.submit(self._running.close).result()
        self._thread.shutdown()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _begin(self) -> None:
        try:
            self._running.enter_context(running_node(self.folder / "data"))
        except NodeError as error:
            (self.folder / _FAILED).write_text(str(error))
        else:
            (self.folder / _READY).touch()


def common_node(folder: str) -> tuple[Settings, Paths]:
    """The worker's side: the node of the controller that told of that folder, once it is ready. Raises NodeError."""
    place = Path(folder)

    def begun() -> bool:
        if (place / _FAILED).exists():
            raise NodeError((place / _FAILED).read_text())
        return (place / _READY).exists()

    eventually_sync(begun, within=70)
    settings = installation(place / "data")
    return settings, Paths.of(settings)
