"""Many people who are signed in and say nothing: what a socket costs, and how fast they come in."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.fleet import Fleet
from bench.house import House
from bench.orders import Guest, Open, Opened
from bench.processes import cpu, spent
from supervision import proc

WARM = 20
"""Sockets that are open before the first look: what a front allocates once is no socket's."""
AT_ONCE = 16
"""Connections that each worker opens at the same time."""
OPEN_WITHIN = 300.0


async def idle_sockets(fleet: Fleet, house: House, guests: Sequence[Guest], calm: float) -> dict[str, Any]:
    """Each person opens one socket, signing in by token; then all are silent.

    `calm`: seconds without anything before memory is looked at, and over which doing nothing is counted.

    `kb_a_socket` is of the fronts' own memory (proportional set size); `kernel_kb_a_socket` what the kernel's TCP
    buffers grew by, both ends together, because both are on this machine.
    """
    warm, rest = guests[:WARM], guests[WARM:]
    await _open(fleet, house, warm)
    fronts = await house.fronts()
    await asyncio.sleep(calm)
    memory, kernel = _memory(fronts.values()), _kernel_bytes()
    opened = await _open(fleet, house, rest)
    await asyncio.sleep(calm)
    grown, kernel_grown = _memory(fronts.values()) - memory, _kernel_bytes() - kernel
    pids = {name: [pid] for name, pid in fronts.items()}
    before = cpu(pids)
    await asyncio.sleep(calm)
    idling = spent(before, cpu(pids))
    spread = await house.sockets(len(guests))
    began = time.perf_counter()
    await fleet.close(OPEN_WITHIN)
    return {
        "sockets": len(guests),
        "kb_a_socket": round(grown / len(rest) / 1000, 1),
        "kernel_kb_a_socket": round(kernel_grown / len(rest) / 1000, 2),
        "opened_a_second": round(len(rest) / opened),
        "idle_cpu_percent": round(sum(idling.values()) / calm * 100, 1),
        "closing_seconds": round(time.perf_counter() - began, 2),
        "sockets_of": spread,
    }


async def _open(fleet: Fleet, house: House, guests: Sequence[Guest]) -> float:
    """Returns the seconds from the first attempt to the last hello."""
    port = house.installation.port
    orders = [Open(port, list(guests[at :: fleet.size]), AT_ONCE) for at in range(fleet.size)]
    opened = await fleet.all(orders, Opened, OPEN_WITHIN)
    return max(one.ended for one in opened) - min(one.began for one in opened)


def _memory(pids: Any) -> int:
    return sum(proc.own_memory(pid) or 0 for pid in pids)


def _kernel_bytes() -> int:
    """Pages that TCP has in its buffers, on the whole machine."""
    for line in Path("/proc/net/sockstat").read_text(encoding="ascii").splitlines():
        if line.startswith("TCP:"):
            return int(line.split()[-1]) * 4096
    return 0
