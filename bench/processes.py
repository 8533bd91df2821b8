"""What the processes of an installation, its broker included, and the load generator cost."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from drill.installation import Installation
from supervision import proc

TICK = os.sysconf("SC_CLK_TCK")
GENERATOR = "load generator"


async def members(installation: Installation, generator: Sequence[int]) -> dict[str, list[int]]:
    """The pids of each process by name; a child is counted with all of its session, as the broker with its helpers."""
    rows = await installation.actors()
    pids = {name: proc.session_members(row["pid"]) for name, row in rows.items() if row["pid"]}
    return {"supervisor": [installation.supervisor_pid], **pids, GENERATOR: list(generator)}


def cpu(pids: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """Seconds of processor time that each has used so far, in user and kernel mode."""
    return {name: sum(map(_seconds, members)) for name, members in pids.items()}


def spent(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """The difference, of what was there before."""
    return {name: after[name] - before[name] for name in before}


def _seconds(pid: int) -> float:
    # The program's name may hold spaces and parentheses itself.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK
