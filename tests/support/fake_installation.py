"""The supervisor as it is, over stand-ins for the actors: what its end-to-end tests run as a real process."""

import contextlib
import functools
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from cli import up
from cli.main import main
from cli.status import snapshot
from settings import Paths, Settings, load
from supervision import children
from supervision.children import Plan
from supervision.client import NothingRunningError
from supervision.spec import ChildSpec
from tests.support.waiting import SCALE, eventually_sync

FAKE = Path(__file__).with_name("fake_actor.py")


_real_plan = children.plan


def fake_plan(settings: Settings, paths: Paths) -> Plan:
    """The product's own plan with each actor's argv replaced; the broker, where there is one, is real."""
    real = _real_plan(settings, paths)
    return Plan(tuple(_faked(spec) for spec in real.specs), real.renew)


def _faked(spec: ChildSpec) -> ChildSpec:
    if spec.name == "broker":
        return spec
    # Without site-packages a stand-in starts in a few hundredths of a second.
    argv = (sys.executable, "-P", "-S", str(FAKE), spec.name)
    return msgspec.structs.replace(spec, argv=argv, stop_timeout=float(os.environ.get("FAKE_STOP_TIMEOUT", "1")))


@contextlib.contextmanager
def interrupted(supervisor: "subprocess.Popen[str]") -> Iterator["subprocess.Popen[str]"]:
    """Afterwards it has ended, by Ctrl-C or, when that took longer than it may, by SIGKILL to it alone."""
    try:
        yield supervisor
    finally:
        if supervisor.poll() is None:
            supervisor.send_signal(signal.SIGINT)
        try:
            supervisor.communicate(timeout=40 * SCALE)
        except subprocess.TimeoutExpired:
            supervisor.kill()
            supervisor.communicate(timeout=5 * SCALE)


@dataclass
class Installation:
    """A data directory with a port of its own, on which commands are run as a person would."""

    folder: Path
    port: int
    env: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("PARLEY_", "FAKE_"))}
        return {
            **clean,
            "PYTHONPATH": str(children.ROOT),
            "PARLEY_DATA__DIR": str(self.folder),
            "PARLEY_WEB__PORT": str(self.port),
            "PARLEY_BROKER__URL": "amqp://nobody@127.0.0.1:1/none",
            **self.env,
        }

    @functools.cached_property
    def paths(self) -> Paths:
        return Paths.of(load(environ={"PARLEY_DATA__DIR": str(self.folder)}))

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "tests.support.fake_installation", *arguments]

    def run(self, *arguments: str, within: float = 60.0 * SCALE) -> "subprocess.CompletedProcess[str]":
        """One command, to its end."""
        return subprocess.run(  # noqa: S603  (our own program)
            self.command(*arguments), env=self.environment, capture_output=True, text=True, timeout=within, check=False
        )

    def popen(self, *arguments: str) -> "subprocess.Popen[str]":
        """One command that goes on."""
        return subprocess.Popen(  # noqa: S603  (our own program)
            self.command(*arguments),
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
        )

    @contextlib.contextmanager
    def running(self, **env: str) -> Iterator["subprocess.Popen[str]"]:
        """A supervisor in the foreground that has reported itself ready, ended by its pid in any case."""
        self.env.update(env)
        with interrupted(self.popen("up")) as process:
            eventually_sync(lambda: self.said("Parley is at") or process.poll() is not None, 60.0)
            assert process.poll() is None, process.communicate()[0]
            yield process

    def said(self, words: str) -> bool:
        """Whether the supervisor's log holds these words."""
        log = self.paths.logs / "supervisor.log"
        return log.exists() and words in log.read_text()

    def clear(self) -> None:
        """Remove the run directory, which lies outside of what pytest clears."""
        shutil.rmtree(self.paths.run, ignore_errors=True)

    def status(self) -> dict[str, Any]:
        """What `parley status --json` prints, without a process for it; nothing while no supervisor answers."""
        try:
            return snapshot(self.paths)
        except NothingRunningError:
            return {}

    def actors(self) -> dict[str, dict[str, Any]]:
        return {actor["name"]: actor for actor in self.status().get("actors", [])}


if __name__ == "__main__":
    children.plan = fake_plan
    up.PROGRAM = (sys.executable, __file__)
    sys.exit(main())
