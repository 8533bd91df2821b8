"""Whether a long history, or many contacts, make the chat slower."""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.chat import many_pairs
from bench.fleet import running_fleet
from bench.guests import GuestBook
from bench.history import Told, fill
from bench.house import empty, running_house
from bench.orders import Guest
from drill.installation import Installation
from storage.migrate import scripts
from storage.router import ROUTER

CONVERSATIONS = 2_000
"""The history lies in so many, those of the pairs that chat among them."""
OTHERS = 1_000
"""People of the other conversations."""
LAYOUT = "1"
"""Counted up when a filled file would look otherwise."""


async def grown(
    *, history: int, contacts: int, pairs: int, outstanding: int, seconds: float, workers: int
) -> dict[str, Any]:
    """As many_pairs, over an installation with so many messages, whose pairs have so many contacts each."""
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
        installation = empty(Path(folder, "data"))
        book = GuestBook()
        people = book.invite(installation, 2 * pairs, "pair")
        crowd = list(zip(people[::2], people[1::2], strict=True))
        others = book.invite(installation, contacts, "contact")
        book.introduce([(one.id, other.id) for one, other in crowd])
        book.introduce([(one.id, other.id) for one in people for other in others[1:]])
        began = time.monotonic()
        before = await _fill(installation, crowd, history)
        filled = time.monotonic() - began
        async with running_house(installation, book) as house, running_fleet(workers) as fleet:
            figures = await many_pairs(fleet, house.place(fleet, before), crowd, outstanding, seconds)
            memory = await house.memory()
        size = installation.paths.database("router").stat().st_size
    return {
        **figures,
        "stored_before": before * CONVERSATIONS,
        "file_mb": round(size / 1e6),
        "filled_in_seconds": round(filled, 1),
        "router_mib": memory["router_mib"],
    }


async def _fill(installation: Installation, crowd: Sequence[tuple[Guest, Guest]], history: int) -> int:
    """Put a filled file in place; returns how many messages each conversation has.

    Filling takes minutes, so files are kept, by what they hold and by the schema, in the folder for temporary files.
    """
    each = history // CONVERSATIONS
    talk = [Told(one.id, other.id, each) for one, other in crowd]
    talk += [
        Told(f"other{at % OTHERS:04d}", f"other{(at % OTHERS + 1 + at // OTHERS) % OTHERS:04d}", each)
        for at in range(CONVERSATIONS - len(talk))
    ]
    kept = Path(tempfile.gettempdir(), f"parley-bench-cache-{_mark(len(crowd))}-{history}")
    name = f"{ROUTER.name}.db"
    if not _is_there(kept):
        with tempfile.TemporaryDirectory(prefix="parley-bench-cache-", ignore_cleanup_errors=True) as draft:
            await fill(Path(draft), talk)
            _keep(Path(draft), kept)
    _place(kept / name, installation.paths.databases / name)
    return each


def _is_there(kept: Path) -> bool:
    return kept.exists()


def _keep(draft: Path, kept: Path) -> None:
    """In one step: another run may be looking."""
    draft.rename(kept)


def _place(kept: Path, file: Path) -> None:
    """Copied, and on the disk: what is still on its way there would slow every fsync that is measured."""
    shutil.copyfile(kept, file)
    descriptor = os.open(file, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _mark(pairs: int) -> str:
    texts = [path.read_text(encoding="utf-8") for path in scripts(ROUTER.name).values()]
    return hashlib.sha256("\n".join([LAYOUT, str(pairs), *texts]).encode()).hexdigest()[:12]
