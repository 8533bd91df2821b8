"""What a drill has shown: numbers for machines, sentences for people. Pure."""

import math
import platform
import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from importlib import metadata

import msgspec
from msgspec import Struct

from drill.ledger import Account, Sent

MOST_NAMED = 20
"""How many messages of a kind are named in a report; the number tells of the others."""


class Blow(Struct, frozen=True, kw_only=True):
    """Something that was done. `at` in seconds of the drill's clock; in the report, since the beginning.

    ready: seconds until the actor was ready again, None when that was not to be, or did not happen. felt: seconds
    that the slowest of the people waited, from typing the next message to its being shown to the other.
    """

    verb: str
    name: str
    at: float
    ready: float | None = None
    felt: float | None = None


class Spread(Struct, frozen=True):
    """Seconds, over `count` recoveries."""

    count: int
    p50: float
    p95: float
    max: float


class Report(Struct, frozen=True, kw_only=True):
    """One drill. `broken` says in sentences what was promised and not kept; nothing in it means that the drill passed.

    `began` is RFC 3339 in UTC, times are in seconds. Lists of messages name the first ones.
    """

    demo: str
    command: str
    seed: int
    began: str
    seconds: float
    interrupted: bool
    pairs: int
    rate: float
    versions: Mapping[str, str]
    sent: int
    stored: int
    shown: int
    lost: int
    duplicated: int
    reordered: int
    gap: int
    unexpected: int
    unlogged: int
    refused: int
    unanswered: int
    reconnects: int
    kills: Mapping[str, int]
    ready: Mapping[str, Spread]
    felt: Mapping[str, Spread]
    blows: Sequence[Blow]
    examples: Mapping[str, Sequence[str]]
    broken: Sequence[str]

    @property
    def passed(self) -> bool:
        return not self.broken


INVARIANTS = ("lost", "duplicated", "reordered", "gap", "unexpected", "unlogged", "refused", "unanswered")
"""Lists of the account that must be empty in the end."""

_MEANINGS = {
    "lost": "had a tick and never reached the other's screen",
    "duplicated": "were shown twice",
    "reordered": "were shown or stored in another order than typed",
    "gap": "left holes in a conversation's sequence",
    "unexpected": "were shown and never typed so",
    "unlogged": "had a tick and are not in the log as typed",
    "refused": "were refused",
    "unanswered": "never had their tick",
}


def felt(blows: Sequence[Blow], sent: Sequence[Sent], shown_at: Mapping[str, float]) -> list[Blow]:
    """Each blow with how long the slowest conversation waited for what was typed next after it."""
    directions: dict[tuple[str, str], list[Sent]] = defaultdict(list)
    for one in sorted(sent, key=lambda one: one.at):
        directions[one.sender, one.to].append(one)
    found = []
    for blow in blows:
        following = [next((one for one in each if one.at >= blow.at), None) for each in directions.values()]
        waits = [shown_at[one.client_id] - one.at for one in following if one is not None and one.client_id in shown_at]
        found.append(msgspec.structs.replace(blow, felt=max(waits, default=None)))
    return found


def spread(values: Sequence[float]) -> Spread:
    """Percentiles by the nearest rank. Raises ValueError without values."""
    if not values:
        raise ValueError("there is no spread of nothing")
    ordered = sorted(values)

    def rank(share: float) -> float:
        return round(ordered[math.ceil(share * len(ordered)) - 1], 3)

    return Spread(len(ordered), rank(0.5), rank(0.95), round(ordered[-1], 3))


def spreads(pairs: Sequence[tuple[str, float | None]]) -> dict[str, Spread]:
    """A spread for each key, without what has no value."""
    values: dict[str, list[float]] = defaultdict(list)
    for key, value in pairs:
        if value is not None:
            values[key].append(value)
    return {key: spread(each) for key, each in sorted(values.items())}


def label(blow: Blow) -> str:
    """Recoveries are told apart by who and how: a frozen process must first be found out."""
    return blow.name if blow.verb == "kill" else f"{blow.name} ({blow.verb})"


def judged(account: Account, seconds: float) -> list[str]:
    """A sentence for each list of the account that is not empty, and one when there was nothing to judge."""
    broken = [
        f"{len(messages)} messages {_MEANINGS[kind]}: {', '.join(messages[:3])}{', ...' if len(messages) > 3 else ''}"  # noqa: PLR2004  (a few are enough to look for)
        for kind in INVARIANTS
        if (messages := getattr(account, kind))
    ]
    if not account.stored:
        broken.append(f"no message was stored in {seconds:.0f} s")
    return broken


def versions(broker: str = "") -> dict[str, str]:
    """What ran: whoever reads a report later wants to know."""
    found = {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version, "kernel": platform.release()}
    for package in ("aiohttp", "aiormq", "websockets"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = ""
    return {**found, "rabbitmq": broker}


def to_json(report: Report) -> bytes:
    """Indented, for files that people look into too."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"


def to_text(report: Report) -> str:
    """The account at the end, as people read it."""
    zeros = ("lost", "duplicated", "reordered")
    lines = [
        f"{report.demo}: {report.seconds:.0f} s, {report.pairs} pairs, {report.rate:g} messages/s, seed {report.seed}"
        + (" (interrupted)" if report.interrupted else ""),
        f"  {report.sent} typed, {report.stored} stored, {report.shown} shown to the other",
        "  " + ", ".join(f"{getattr(report, kind)} {_WORDS[kind]}" for kind in zeros)
        + f"; {report.reconnects} reconnects",
    ]  # fmt: skip
    if report.kills:
        lines.append(f"  killed: {', '.join(f'{name} {count}x' for name, count in report.kills.items())}")
    lines += _table("ready again after", report.ready) + _table("next message shown after", report.felt)
    if report.passed:
        lines.append("  The promise was kept.")
    else:
        lines += ["  BROKEN:", *(f"    {sentence}" for sentence in report.broken)]
    return "\n".join(lines)


_WORDS = {"lost": "lost", "duplicated": "doubled", "reordered": "out of order"}


def _table(title: str, rows: Mapping[str, Spread]) -> list[str]:
    if not rows:
        return []
    return [
        f"  {title:<26}{'p50':>8}{'p95':>8}{'max':>8}{'times':>7}",
        *(
            f"    {name:<24}{row.p50:>7.2f}s{row.p95:>7.2f}s{row.max:>7.2f}s{row.count:>7}"
            for name, row in rows.items()
        ),
    ]
