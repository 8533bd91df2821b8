"""An installation as it is, but for its router: some messages kill that one each time they are handled."""

import sys

import msgspec

from cli import up
from cli.main import main
from drill.installation import ROOT, Installation
from settings import Paths, Settings
from supervision import children
from supervision.children import Plan
from supervision.spec import ChildSpec

_real_plan = children.plan


class MortalInstallation(Installation):
    """To be started and told as any other."""

    def _argv(self, *arguments: str) -> list[str]:
        self.environment["PYTHONPATH"] = str(ROOT)
        return [sys.executable, "-m", "tests.support.mortal_installation", *arguments]


def mortal_plan(settings: Settings, paths: Paths) -> Plan:
    """The product's own plan, with one argv replaced."""
    real = _real_plan(settings, paths)
    return Plan(tuple(_mortal(spec) for spec in real.specs), real.renew)


def _mortal(spec: ChildSpec) -> ChildSpec:
    if spec.name != "router":
        return spec
    return msgspec.structs.replace(spec, argv=(sys.executable, "-P", "-m", "tests.support.mortal_router", spec.name))


if __name__ == "__main__":
    children.plan = mortal_plan
    up.PROGRAM = (sys.executable, __file__)
    sys.exit(main())
