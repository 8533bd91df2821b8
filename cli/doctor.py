"""`parley doctor`: what is wrong with this machine, the configuration or the installation, and how to mend it."""

import argparse
import asyncio
import contextlib
import os
import resource
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from cli.exits import DONE, FAILED
from settings import Paths, Settings, SettingsError, load
from settings.endpoint import Endpoint, broker_url, endpoint_file
from supervision import broker, listener, lock
from supervision.client import NothingRunningError, ask
from supervision.control import Request

_LEAST_DISK = 500 << 20
_LEAST_FILES = 4096
_PATIENCE = 3.0

_AMQP_PORTS = {"amqp": 5672, "amqps": 5671}


class Finding(NamedTuple):
    """`mend` says what to do; empty when all is well."""

    what: str
    mend: str = ""


class Case(NamedTuple):
    """What the checks look at.

    `status` is the running supervisor's answer, None when none runs, or when it hangs: `hangs` then says so.
    """

    settings: Settings
    paths: Paths
    status: dict[str, Any] | None
    hangs: bool = False


def add_parser(subparsers: Any) -> None:
    """Add doctor."""
    parser = subparsers.add_parser("doctor", help="find out what is wrong here, and how to mend it")
    parser.set_defaults(run=run)


def run(_args: argparse.Namespace) -> int:
    """Exit codes: 0 all is well, 1 something is not, 78 the configuration cannot even be read."""
    settings = load()
    paths = Paths.of(settings)
    found = list(examine(asked(settings, paths)))
    for finding in found:
        print(f"{'wrong' if finding.mend else 'ok':<6} {finding.what}" + (f": {finding.mend}" * bool(finding.mend)))
    return FAILED if any(finding.mend for finding in found) else DONE


def asked(settings: Settings, paths: Paths) -> Case:
    """What the supervisor says, if it does. Raises ControlError."""
    try:
        return Case(settings, paths, ask(paths, Request("status"), _PATIENCE))
    except NothingRunningError:
        return Case(settings, paths, None)
    except TimeoutError:
        return Case(settings, paths, None, hangs=True)


def examine(case: Case) -> Iterator[Finding]:
    """Every check's findings. Nothing is changed."""
    for check in CHECKS:
        yield from check(case)


def _machine(_case: Case) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding(f"Python {version}", "" if sys.version_info >= (3, 11) else "install Python 3.11 or newer")
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    mend = "" if files >= _LEAST_FILES else f"raise it to {_LEAST_FILES} or more (ulimit -Hn, LimitNOFILE=)"
    yield Finding(f"{files} open files a process", mend)


def _data(case: Case) -> Iterator[Finding]:
    folder = case.paths.data
    while not folder.exists():
        folder = folder.parent
    right = os.access(folder, os.W_OK | os.X_OK)
    yield Finding(f"data in {case.paths.data}", "" if right else f"this user may not write {folder}")
    free = shutil.disk_usage(folder).free
    mend = "" if free >= _LEAST_DISK else "make room, or set PARLEY_DATA__DIR to another disk"
    yield Finding(f"{free >> 20} MiB free there", mend)
    yield Finding(f"sockets in {case.paths.run}")
    for secret in case.paths.secrets.glob("*") if case.paths.secrets.is_dir() else ():
        if secret.stat().st_mode & 0o077:
            yield Finding(f"{secret} is open to others", f"chmod 600 {secret}")


def _port(case: Case) -> Iterator[Finding]:
    web = case.settings.web
    if case.status is not None or case.hangs:
        yield Finding(f"port {web.port} is ours")
        return
    try:
        listener.listen(case.settings).close()
    except listener.ListenError as error:
        yield Finding(f"port {web.port}", str(error))
    else:
        yield Finding(f"port {web.port} on {web.host} is free")


def _certificates(case: Case) -> Iterator[Finding]:
    for key in ("tls_certificate", "tls_key"):
        if name := getattr(case.settings.web, key):
            path = Path(case.settings.base, name).expanduser()
            mend = "" if os.access(path, os.R_OK) else f"it cannot be read; correct web.{key}"
            yield Finding(f"web.{key} is {path}", mend)


def _broker(case: Case) -> Iterator[Finding]:
    if not case.settings.broker.managed:
        parts = urlsplit(case.settings.broker.url)
        mend = "correct broker.url or start it"
        yield from _try_out(case, parts.hostname or "", parts.port or _AMQP_PORTS[parts.scheme], mend)
        return
    program = broker.program()
    yield Finding(f"RabbitMQ: {program or 'missing'}", "" if program else broker.MISSING)
    for tool, package in (("setpriv", "util-linux"), ("epmd", "erlang-base")):
        if shutil.which(tool) is None:
            yield Finding(f"{tool} is missing", f"install {package}")
    if case.status is not None:
        with contextlib.suppress(OSError, msgspec.DecodeError):
            endpoint = msgspec.json.decode(endpoint_file(case.paths).read_bytes(), type=Endpoint)
            mend = "`parley logs broker` may say why; `parley restart broker`"
            yield from _try_out(case, "127.0.0.1", endpoint.port, mend)


def _try_out(case: Case, host: str, port: int, mend: str) -> Iterator[Finding]:
    """Whether somebody answers there, and whether it is a broker that lets us in."""
    where = f"broker at {host} port {port}"
    try:
        socket.create_connection((host, port), timeout=_PATIENCE).close()
    except OSError as error:
        yield Finding(f"{where} ({error.strerror or error})", mend)
        return
    # Here, because AMQP takes a quarter of a second that a broker which is not there should not cost.
    from actors.runtime.amqp.greeting import greet  # noqa: PLC0415
    from actors.runtime.broker import Unreachable  # noqa: PLC0415

    try:
        url = broker_url(case.settings, case.paths, "cli")
        yield Finding(f"{where} is {asyncio.run(greet(url, _PATIENCE))} and lets us in")
    except SettingsError as error:
        yield Finding(f"{where}: {error}", "correct broker.password_file")
    except Unreachable as error:
        mend = "`parley restart broker`" if case.settings.broker.managed else "correct broker.url and its password"
        yield Finding(f"{where} does not let us in ({error})", mend)


def _actors(case: Case) -> Iterator[Finding]:
    if case.hangs:
        mend = "if that lasts, end it with `kill -9`, and all that it started ends too; then `parley up -d`"
        yield Finding(f"the supervisor ({lock.holder(case.paths.data)}) does not answer", mend)
        return
    if case.status is None:
        yield Finding("nothing is running now")
        return
    if alarm := case.status["supervisor"].get("alarm"):
        yield Finding(alarm, "`parley logs` may say what they have in common: a full disk, too little memory")
    for actor in case.status["actors"]:
        name, state = actor["name"], actor["state"]
        why = f" ({actor['last_exit']})" if actor["last_exit"] else ""
        match state:
            case "failing" | "backoff":
                yield Finding(f"{name} is {state}{why}", f"`parley logs {name}` says why; then `parley start {name}`")
            case "stopped":
                yield Finding(f"{name} is stopped{why}", f"`parley start {name}`")
            case _:
                yield Finding(f"{name} is {state}")


CHECKS: tuple[Callable[[Case], Iterator[Finding]], ...] = (_machine, _data, _port, _certificates, _broker, _actors)
