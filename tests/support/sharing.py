"""Who of several pytest workers gets which file: long ones first, and the page's to the same few."""

from collections.abc import Callable
from typing import Any, Final

from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]  # (xdist has no types)

PAGE: Final = "tests/e2e/page/"
"""Its files share a browser and an installation; every worker that gets one of them has to start both."""

SECONDS: Final = {
    "tests/e2e/test_chaos.py": 75,
    "tests/e2e/test_demo.py": 70,
    "tests/e2e/test_demo_tour.py": 50,
    "tests/e2e/test_overload.py": 50,
    "tests/e2e/test_clock.py": 45,
    "tests/e2e/test_bench.py": 45,
    "tests/e2e/test_chat.py": 45,
    "tests/e2e/test_supervisor.py": 40,
    "tests/e2e/test_bad_input.py": 40,
    "tests/e2e/test_deletions.py": 35,
    "tests/e2e/test_midwrite.py": 35,
    "tests/e2e/test_side_by_side.py": 35,
    "tests/integration/test_faults.py": 35,
    "tests/integration/test_fault_matrix.py": 35,
    "tests/e2e/test_soak.py": 30,
    "tests/e2e/test_rolling.py": 30,
    "tests/e2e/test_supervisor_broker.py": 30,
    "tests/e2e/test_full_disk.py": 25,
    "tests/e2e/test_presence.py": 25,
    "tests/integration/test_faults_node.py": 25,
    "tests/integration/test_broker_node.py": 30,
    "tests/integration/test_file_chunker.py": 30,
    "tests/integration/web/test_tus.py": 30,
    "tests/e2e/test_file_faults.py": 25,
    "tests/e2e/test_durability.py": 20,
    "tests/e2e/test_file_durability.py": 20,
    "tests/integration/web/test_downloads.py": 20,
    "tests/integration/web/test_tus_client.py": 20,
    "tests/integration/test_presence.py": 20,
    "tests/integration/test_notifier.py": 20,
    "tests/e2e/page/test_files_sending.py": 90,
    "tests/e2e/page/test_desktop.py": 55,
    "tests/e2e/page/test_notifications.py": 30,
    "tests/e2e/page/test_overload.py": 60,
    "tests/e2e/page/test_ops.py": 55,
    "tests/e2e/page/test_sending.py": 50,
    "tests/e2e/page/test_faults.py": 50,
    "tests/e2e/page/test_meeting.py": 45,
    "tests/e2e/page/test_reading.py": 40,
    "tests/e2e/page/test_files_showing.py": 40,
    "tests/e2e/page/test_layout.py": 35,
    "tests/e2e/page/test_presence.py": 30,
    "tests/e2e/page/test_crossing.py": 30,
    "tests/e2e/page/test_security_markup.py": 25,
    "tests/e2e/page/test_files_cards.py": 20,
}
"""How long a file takes, about, on two processors that others share. Of those that are not here none takes long; one
that is out of date costs nothing but a worker's idling at the end."""


class Sharing(LoadFileScheduling):  # type: ignore[misc]  # (xdist has no types)
    """A whole file goes to one worker. `begins` is told of each before that."""

    def __init__(self, config: Any, log: Any, begins: Callable[[str], None]) -> None:
        super().__init__(config, log)
        self._begins = begins

    def _assign_work_unit(self, node: Any) -> None:
        worker = int(node.gateway.id.removeprefix("gw"))
        # The superclass takes the first one.
        file = min(self.workqueue, key=lambda file: rank(worker, file))
        self.workqueue.move_to_end(file, last=False)
        self._begins(file)
        super()._assign_work_unit(node)


def rank(worker: int, file: str) -> tuple[bool, int]:
    """The lower, the sooner that worker should begin with that file. Every second worker begins with the page."""
    return file.startswith(PAGE) != (worker % 2 == 0), -SECONDS.get(file, 0)
