"""The supervisor as it is, over stand-ins for the actors: what its end-to-end tests run as a real process."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from cli.main import main
from settings import Paths, Settings, load
from supervision import children
from supervision import main as supervision_main
from supervision.children import Plan, plan
from supervision.spec import ChildSpec

FAKE = Path(__file__).with_name("fake_actor.py")


def fake_plan(settings: Settings, paths: Paths) -> Plan:
    """The product's own plan with each actor's argv replaced; the broker, where there is one, is real."""
    real = plan(settings, paths)
    return Plan(tuple(_faked(spec) for spec in real.specs), real.renew)


def _faked(spec: ChildSpec) -> ChildSpec:
    if spec.name == "broker":
        return spec
    # Isolated from site-packages: a stand-in starts in a few hundredths of a second.
    argv = (sys.executable, "-I", "-S", str(FAKE), spec.actor)
    return msgspec.structs.replace(spec, argv=argv, stop_timeout=1.0)


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
            "PARLEY_DATA__DIR": str(self.folder),
            "PARLEY_WEB__PORT": str(self.port),
            "PARLEY_BROKER__URL": "amqp://nobody@127.0.0.1:1/none",
            **self.env,
        }

    @property
    def paths(self) -> Paths:
        return Paths.of(load(environ=self.environment))

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "tests.support.fake_installation", *arguments]

    def run(self, *arguments: str, within: float = 60.0) -> "subprocess.CompletedProcess[str]":
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

    def status(self) -> dict[str, Any]:
        done = self.run("status", "--json")
        return dict(msgspec.json.decode(done.stdout)) if done.returncode == 0 else {}

    def actors(self) -> dict[str, dict[str, Any]]:
        return {actor["name"]: actor for actor in self.status().get("actors", [])}


if __name__ == "__main__":
    children.plan = fake_plan
    supervision_main.run.__kwdefaults__["make_plan"] = fake_plan
    sys.exit(main())
