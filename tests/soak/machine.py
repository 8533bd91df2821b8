"""What a report says of the machine it was made on."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from supervision import broker
from tests.soak.figures import Burden


def burden() -> Callable[[], Burden]:
    """Begin to watch how busy the machine is; what is returned tells how it was since then."""
    before, waited, at = os.getloadavg()[0], _waited(), time.monotonic()

    def so_far() -> Burden:
        share = (_waited() - waited) / (time.monotonic() - at)
        return Burden(round(before, 2), round(os.getloadavg()[0], 2), round(share, 3))

    return so_far


def rabbitmq() -> str:
    """The version of the installed node, by the name of its folder; "" where there is none."""
    program = broker.program()
    folders = sorted(program.parents[1].glob("lib/rabbitmq_server-*")) if program else []
    return folders[-1].name.rpartition("-")[2] if folders else ""


def _waited() -> float:
    """Seconds since the start in which something waited for a processor; 0 where the kernel does not count."""
    try:
        some = Path("/proc/pressure/cpu").read_text().splitlines()[0]
    except OSError:
        return 0.0
    return int(some.rpartition("total=")[2]) / 1e6
