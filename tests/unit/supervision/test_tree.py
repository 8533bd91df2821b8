"""The tree over small real processes, without signals from outside: order, types, faults of the start itself."""

import asyncio
import dataclasses
import errno
import logging
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest

from settings import SettingsError
from supervision.child import Around
from supervision.policy import Limits
from supervision.spec import ChildSpec
from supervision.tree import RefusedError, Tree
from tests.support.waiting import SCALE, eventually

LIMITS = Limits(burst=3, window=60.0, base=0.01, cap=30.0)
Maker = Callable[..., "Told"]


class Told(Tree):
    """A tree, and whom it was told of as started again."""

    told: list[str]


def sh(name: str, script: str, **changes: object) -> ChildSpec:
    plain = ChildSpec(name=name, argv=("/bin/sh", "-c", script), env={"PATH": "/usr/bin:/bin"}, notify=False)
    return msgspec.structs.replace(plain, **{"stop_timeout": 2.0, **changes})


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Maker]:
    loop = asyncio.get_running_loop()
    trees: list[Told] = []
    told: list[str] = []
    quiet = logging.getLogger("tests.quiet")
    quiet.propagate = False
    around = Around(
        limits=LIMITS, run=tmp_path, logs=tmp_path, log_limit=1 << 20, log_keep=1, journal=quiet, random=lambda: 1.0,
        restarted=told.append,
    )  # fmt: skip

    def plant(*specs: ChildSpec, renew: dict[str, Callable[[], ChildSpec]] | None = None, cap: float = 30.0) -> Told:
        limited = dataclasses.replace(around, limits=msgspec.structs.replace(LIMITS, cap=cap))
        tree = Told(specs, limited, start_wait=0.3, stop_timeout=5.0, renew=renew or {})
        loop.add_signal_handler(signal.SIGCHLD, tree.reap)
        tree.told = told
        trees.append(tree)
        return tree

    yield plant
    for tree in trees:
        await tree.stop_all()
        tree.close()
    loop.remove_signal_handler(signal.SIGCHLD)


def states(tree: Tree) -> dict[str, str]:
    return {child.name: child.state for child in tree.children}


async def test_one_that_is_never_ready_is_waited_for_and_then_passed(make: Maker) -> None:
    tree = make(sh("mute", "sleep 60", notify=True, order=1), sh("next", "sleep 60", order=2))
    await asyncio.wait_for(tree.start_all(), 2)
    assert states(tree) == {"mute": "starting", "next": "running"}


async def test_one_that_nobody_waits_for_holds_nothing_up(make: Maker) -> None:
    tree = make(sh("slow", "sleep 60", notify=True, waited_for=False), sh("next", "sleep 60", order=2))
    began = asyncio.get_running_loop().time()
    await tree.start_all()
    assert asyncio.get_running_loop().time() - began < 0.3
    assert states(tree)["next"] == "running"


@pytest.mark.parametrize(
    ("kind", "code", "state"),
    [
        ("transient", 0, "stopped"),
        ("temporary", 1, "stopped"),
        ("transient", 1, "failing"),
        ("permanent", 0, "failing"),
        ("permanent", 78, "failing"),
    ],
)
async def test_what_becomes_of_each_type(make: Maker, kind: str, code: int, state: str) -> None:
    tree = make(sh("one", f"exit {code}", restart=kind))
    await tree.start_all()
    child = tree.children[0]
    assert await child.until(lambda: child.state == state, 5 * SCALE)
    assert child.last_exit == f"exit {code}"
    assert child.restarts == (LIMITS.burst if state == "failing" and code != 78 else 0)


async def test_a_program_that_is_missing_is_a_failure_like_others(make: Maker) -> None:
    tree = make(sh("one", "", argv=("/no/such/program",)))
    await tree.start_all()
    child = tree.children[0]
    assert await child.until(lambda: child.state == "failing", 5 * SCALE)
    assert child.last_exit == "could not start: No such file or directory"


async def test_a_spec_that_cannot_be_renewed_waits_for_somebody(make: Maker) -> None:
    faults = [SettingsError("broker.url", "RabbitMQ is not installed")]

    def renew() -> ChildSpec:
        if faults:
            raise faults.pop()
        return sh("broker", "sleep 60")

    tree = make(sh("broker", "exit 1"), renew={"broker": renew})
    await tree.start_all()
    assert states(tree) == {"broker": "failing"}
    assert tree.children[0].last_exit == "could not start: broker.url: RabbitMQ is not installed"
    await tree.start("broker")
    assert states(tree) == {"broker": "running"}


async def test_a_spec_that_finds_no_room_is_tried_again(make: Maker) -> None:
    faults = [OSError(errno.ENOSPC, "No space left on device")]

    def renew() -> ChildSpec:
        if faults:
            raise faults.pop()
        return sh("broker", "sleep 60")

    tree = make(sh("broker", "exit 1"), renew={"broker": renew})
    await tree.start_all()
    assert await tree.children[0].until(lambda: states(tree) == {"broker": "running"}, 2 * SCALE)
    assert tree.children[0].last_exit == "could not start: No space left on device"


async def test_the_start_by_hand_tells_of_failure(make: Maker) -> None:
    tree = make(sh("one", "exit 3", notify=True))
    with pytest.raises(RefusedError, match=r"one does not start \(exit 3\)") as caught:
        await tree.start("one")
    assert caught.value.code == "not_ready"


async def test_a_failing_one_that_is_tried_just_now_is_waited_for_by_who_starts_it(make: Maker, tmp_path: Path) -> None:
    mended = tmp_path / "mended"
    specs = [sh("one", "exit 3")]
    tree = make(specs[0], renew={"one": lambda: specs[-1]}, cap=0.01)
    await tree.start_all()
    child = tree.children[0]
    assert await child.until(lambda: child.state == "failing", 5 * SCALE)
    say = "import os, socket; socket.socket(socket.AF_UNIX, 2).sendto(b'READY=1', os.environ['NOTIFY_SOCKET'])"
    script = f'until [ -e {mended} ]; do sleep 0.01; done; {sys.executable} -S -c "{say}"; sleep 60'
    specs.append(sh("one", script, notify=True, waited_for=False))
    assert await child.until(lambda: child.spec is specs[-1] and child.pid is not None, 5 * SCALE)
    assert states(tree) == {"one": "failing"}
    starting = asyncio.create_task(tree.start("one"))
    asyncio.get_running_loop().call_soon(mended.touch)
    await starting
    assert states(tree) == {"one": "running"}


async def test_a_copy_that_does_not_come_back_ends_the_roll(make: Maker) -> None:
    good, bad = sh("front.1", "sleep 60"), sh("front.1", "exit 78", notify=True)
    specs = [good]
    tree = make(good, sh("front.2", "sleep 60"), renew={"front.1": lambda: specs[-1]})
    await tree.start_all()
    other = tree.children[1].pid
    specs.append(bad)
    with pytest.raises(RefusedError, match=r"front\.1 does not start \(exit 78\)"):
        await tree.restart("front")
    # The other one still runs what worked.
    assert states(tree) == {"front.1": "failing", "front.2": "running"}
    assert tree.children[1].pid == other


async def test_restarts_are_told_and_stops_are_not(make: Maker) -> None:
    tree = make(sh("one", "sleep 60"), sh("two", "sleep 60"))
    await tree.start_all()
    for _ in range(2):
        child = tree.children[0]
        pid = child.pid
        tree.kill("one")
        await eventually(lambda: child.pid not in {pid, None})  # noqa: B023  (used at once)
    await tree.restart("two")
    await tree.stop("two")
    assert tree.told == ["one", "one"]


async def test_nothing_starts_while_all_stops(make: Maker, tmp_path: Path) -> None:
    deaf = tmp_path / "deaf"
    tree = make(sh("one", f"trap '' TERM; touch {deaf}; sleep 60"))
    await tree.start_all()
    await eventually(deaf.exists)
    restart = asyncio.create_task(tree.restart("one"))
    await eventually(lambda: states(tree)["one"] == "stopping")
    await tree.stop_all()
    with pytest.raises(RefusedError, match="shutting down"):
        await restart
    assert states(tree) == {"one": "stopped"}


async def test_a_copy_that_is_taken_away_is_not_brought_back_by_who_waits_for_it(make: Maker, tmp_path: Path) -> None:
    deaf = tmp_path / "deaf"
    tree = make(sh("front.1", "sleep 60"), sh("front.2", f"trap '' TERM; touch {deaf}; sleep 60"))
    await tree.start_all()
    removed = tree.children[1]
    await eventually(deaf.exists)
    removing = asyncio.create_task(tree.scale("front", 1))
    assert await removed.until(lambda: removed.state == "stopping", 2 * SCALE)
    waiting = [asyncio.create_task(one) for one in (tree.start("front.2"), tree.restart("front.2"))]
    asyncio.get_running_loop().call_soon(removed.kill)
    refused = await asyncio.gather(*waiting, return_exceptions=True)
    await removing
    assert [getattr(one, "code", None) for one in refused] == ["unknown_actor", "unknown_actor"]
    assert removed.pid is None
    assert states(tree) == {"front.1": "running"}


async def test_a_copy_that_two_take_away_goes_once(make: Maker) -> None:
    tree = make(sh("front.1", "sleep 60"), sh("front.2", "sleep 60"))
    await tree.start_all()
    done = await asyncio.gather(tree.scale("front", 1), tree.scale("front", 1), return_exceptions=True)
    assert not any(done)
    assert states(tree) == {"front.1": "running"}


async def test_what_a_child_leaves_behind_ends_with_it(make: Maker, tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    # A process of its own group, as a shell with job control makes them: still of the child's session.
    tree = make(sh("one", f"set -m; sleep 60 & echo $! > {mark}; wait"))
    await tree.start_all()
    pid = int(await eventually(lambda: mark.exists() and mark.read_text()))
    tree.kill("one")
    await eventually(lambda: not Path(f"/proc/{pid}/environ").exists() or not _alive(pid))


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes() != b""
    except OSError:
        return False
