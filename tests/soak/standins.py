"""What is about the supervisor alone, shown with stand-ins for the actors: a thousand restarts, crash loops, floods."""

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from drill.report import spread
from settings import Settings
from supervision.policy import History, Limits, Restart, after_exit
from tests.soak.figures import Figure, seconds
from tests.soak.installation import Running, running, started
from tests.support.fake_installation import Installation
from tests.support.waiting import eventually_sync

MOST_STARTS = 20
LOOP = 300.0
ANSWERED = 1.0
MEMORY_GROWTH = 1 << 20
_LOOKS = 5
_BETWEEN_LOOKS = 0.01
_TICKS = os.sysconf("SC_CLK_TCK")

Tell = Callable[[str], None]


class Sample(Struct, frozen=True):
    """What the supervisor's process holds. `memory` is its resident set in bytes."""

    descriptors: int
    threads: int
    memory: int
    zombies: int


def restarts(home: Installation, count: int, tell: Tell) -> Figure:
    """Kill all children together, until there have been so many restarts; watch what the supervisor holds."""
    quick = {
        # So that it is the supervisor that is measured, and not its patience.
        "PARLEY_SUPERVISION__WINDOW": "0.05",
        "PARLEY_SUPERVISION__BACKOFF_BASE": "0.001",
        "PARLEY_SUPERVISION__BACKOFF_CAP": "0.01",
    }
    with running(home, **quick) as one:
        names = list(one.rows())
        rounds = -(-count // len(names))
        # The first rounds fill caches; from then on nothing may grow.
        samples: list[Sample] = []
        for number in range(rounds):
            _kill_all(one)
            if number >= rounds // 10 and (number % max(rounds // 20, 1) == 0 or number == rounds - 1):
                samples.append(between_requests(one.process.pid))
                tell(f"{(number + 1) * len(names)} of {count} restarts, {samples[-1]}")
        done = sum(row["restarts"] for row in one.rows().values())
    growth = max(one.memory for one in samples) - samples[0].memory
    flat = len({(one.descriptors, one.threads) for one in samples}) == 1
    zombies = max(one.zombies for one in samples)
    return Figure(
        name=f"{done} restarts of stand-ins",
        goal="no zombie; descriptors, threads and memory of the supervisor flat",
        measured=f"{zombies} zombies, {samples[-1].descriptors} descriptors, {samples[-1].threads} threads"
        f"{'' if flat else ' (not flat)'}, {samples[0].memory >> 10} KiB of memory and {growth >> 10} more in the end",
        kept=done >= count and flat and not zombies and growth <= MEMORY_GROWTH,
    )


def _kill_all(one: Running) -> None:
    before = {name: row["pid"] for name, row in one.rows().items()}
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)

    def back() -> bool:
        rows = one.rows()
        return all(row["state"] == "running" and row["pid"] != before[name] for name, row in rows.items())

    eventually_sync(back, 20.0)


def between_requests(pid: int) -> Sample:
    """The least of a few looks: a request of ours that is just ending holds a descriptor for a moment."""
    looks = []
    for _ in range(_LOOKS):
        looks.append(sample(pid))
        time.sleep(_BETWEEN_LOOKS)
    return min(looks, key=lambda one: one.descriptors)


def sample(pid: int) -> Sample:
    """What a process holds now; zombies are its children that nobody has reaped."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return Sample(
        descriptors=sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()),
        threads=int(status["Threads"]),
        memory=int(status["VmRSS"].split()[0]) * 1024,
        zombies=sum(1 for fields in _stats() if fields[0] == "Z" and int(fields[1]) == pid),
    )


def _stats() -> list[list[str]]:
    """State and parent of every process, and what follows them in /proc/PID/stat."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found.append((entry / "stat").read_text().rpartition(")")[2].split())
            except OSError:
                continue
    return found


def crash_loops(settings: Settings, seed: int, count: int) -> Figure:
    """Five minutes of a crash loop under the default limits, on a simulated clock, for so many seeds."""
    wanted = settings.supervision
    limits = Limits(burst=wanted.burst, window=wanted.window, base=wanted.backoff_base, cap=wanted.backoff_cap)
    starts = [_starts(limits, random.Random(seed + number)) for number in range(count)]  # noqa: S311  (reproducible)
    return Figure(
        name=f"{count} crash loops of five minutes, simulated",
        goal=f"at most {MOST_STARTS} starts",
        measured=f"{min(starts)} to {max(starts)} starts",
        kept=max(starts) <= MOST_STARTS,
    )


def _starts(limits: Limits, dice: random.Random) -> int:
    now, history, starts = 0.0, History(), 1
    while True:
        decision = after_exit(
            history, limits, "permanent", code=1, ran_since=None, now=now, random=dice.random
        )  # fmt: skip
        if not isinstance(decision, Restart) or decision.at > LOOP:
            return starts
        now, history = decision.at, decision.history
        starts += 1


def crash_loop(home: Installation, length: float, tell: Tell) -> Figure:
    """A stand-in that ends at once, for so many seconds under the default limits; the others must not feel it."""
    with started(home, FAKE_CONTACTS="exit=1") as one:
        others = [name for name in one.rows() if name != "contacts"]
        eventually_sync(lambda: all(one.rows()[name]["state"] == "running" for name in others), 20.0)
        before = {name: row["pid"] for name, row in one.rows().items() if name in others}
        used, began = _processor(one.process.pid), time.monotonic()
        tell(f"a crash loop of {length:g} s")
        # The loop was under way before the others were ready.
        first = one.journal.wait("contacts", "started", 0.0, 5.0).at
        eventually_sync(lambda: time.time() - first >= length, length + 10.0)
        share = (_processor(one.process.pid) - used) / (time.monotonic() - began)
        rows = one.rows()
        starts = len(one.journal.events("contacts", "started"))
    untouched = all(rows[name]["pid"] == pid and not rows[name]["restarts"] for name, pid in before.items())
    return Figure(
        name=f"a crash loop of {length:g} s",
        goal=f"at most {MOST_STARTS} starts in five minutes, the others untouched",
        measured=f"{starts} starts, {rows['contacts']['state']}, the others {'' if untouched else 'NOT '}untouched, "
        f"{share:.2%} of a core for the supervisor",
        kept=starts <= MOST_STARTS and untouched and (length < LOOP / 5 or rows["contacts"]["state"] == "failing"),
    )


def flood(home: Installation, megabytes: int, tell: Tell) -> Figure:
    """A stand-in prints so much on one line, as fast as it can; the supervisor must answer all the while."""
    answers: list[float] = []
    # It is ready when everything is printed.
    loud = {"FAKE_AUTH": f"loud={megabytes * 1_000_000}"}
    with started(home, **loud, PARLEY_LOGGING__ROTATE_MIB="1", PARLEY_LOGGING__KEEP="1") as one:
        began = time.monotonic()

        def printed() -> bool:
            asked = time.monotonic()
            state = one.rows()["auth"]["state"]
            answers.append(time.monotonic() - asked)
            return bool(state == "running")

        eventually_sync(printed, 120.0)
        took = time.monotonic() - began
        memory = sample(one.process.pid).memory
        kept = sum(path.stat().st_size for path in home.paths.logs.glob("auth.log*"))
    tell(f"{megabytes} MB in {took:.1f} s")
    return Figure(
        name=f"{megabytes} MB on one line",
        goal=f"the supervisor answers within {seconds(ANSWERED)} all the while, and keeps a bounded log",
        measured=f"printed in {took:.1f} s, slowest of {len(answers)} answers {seconds(max(answers))}, "
        f"{memory >> 20} MiB of memory, {kept >> 20} MiB of log",
        kept=max(answers) <= ANSWERED and kept <= 3 << 20,
        spreads={"answers": spread(answers)},
    )


def _processor(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
