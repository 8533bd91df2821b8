"""Where processes spend their processor time while they are measured: py-spy looks into them from outside."""

import asyncio
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from bench.processes import GENERATOR
from drill.installation import ROOT

PROGRAM = ROOT / ".venv" / "bin" / "py-spy"
RATE = 250
"""Looks a second."""
SLACK = 30.0
SHOWN = 25

_LINE = re.compile(r":\d+\)$")

NOT_OURS = {"supervisor", "broker", GENERATOR}


class ProfileError(Exception):
    """py-spy is missing, or may not look."""


async def profile(folder: Path, pids: Mapping[str, Sequence[int]], seconds: float) -> None:
    """Look into each actor for so many seconds from now on; leaves NAME.stacks (collapsed) and NAME.txt in `folder`.

    The processes are not stopped for a look, so now and then a stack is torn; over thousands that does not matter.
    Raises ProfileError.
    """
    _make(folder)
    looking = [
        (folder / name, await _look(folder / f"{name}.stacks", members[0], seconds))
        for name, members in pids.items()
        if name not in NOT_OURS
    ]
    async with asyncio.timeout(seconds + SLACK):
        for path, process in looking:
            _, errors = await process.communicate()
            if process.returncode:
                raise ProfileError(errors.decode(errors="replace")[-500:])
            _summarise(path)


async def _look(stacks: Path, pid: int, seconds: float) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *(PROGRAM, "record", "--nonblocking", "--rate", str(RATE), "--duration", str(max(1, round(seconds)))),
            *("--format", "raw", "--output", stacks, "--pid", str(pid)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except FileNotFoundError as error:
        raise ProfileError("py-spy is not installed: `make setup-dev`") from error


def _make(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)


def _summarise(path: Path) -> None:
    collapsed = path.with_name(f"{path.name}.stacks").read_text(encoding="utf-8").splitlines()
    path.with_name(f"{path.name}.txt").write_text("\n".join(summary(collapsed)) + "\n", encoding="utf-8")


def summary(collapsed: Iterable[str]) -> Iterator[str]:
    """The functions with most time of their own, and with most time in all, in percent. Pure."""
    own: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    for line in collapsed:
        stack, _, count = line.rpartition(" ")
        # Without line numbers, and a function that calls itself once.
        frames = [_LINE.sub(")", frame) for frame in stack.split(";")]
        own[frames[-1]] += int(count)
        whole.update(dict.fromkeys(frames, int(count)))
    total = own.total()
    for title, counted in (("own time", own), ("with all that it calls", whole)):
        yield f"{title}, of {total} looks"
        for frame, looks in counted.most_common(SHOWN):
            yield f"    {100 * looks / max(1, total):5.1f} %  {frame}"
