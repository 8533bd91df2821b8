"""The product's own command line, with two things bent.

Actors find the broker behind the harness's proxy, and single children may get an environment of their own. Everything
else, the private broker included, is as it is delivered.

`python -m tests.chaos.house up` is what the harness starts.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from unittest import mock

import msgspec

from cli.main import main
from settings import Paths, Settings
from supervision import children
from supervision.children import Plan
from supervision.spec import ChildSpec

CHILDREN = "CHAOS_CHILDREN"
"""What single children get besides: JSON, {child: {variable: value}}."""


def behind(paths: Paths) -> Path:
    """Where the supervisor writes the node's true address; what actors read beside it names the proxy."""
    return paths.broker / "behind.json"


_real_plan = children.plan


def plan(settings: Settings, paths: Paths) -> Plan:
    """The product's own, with the additions of CHAOS_CHILDREN."""
    more = msgspec.json.decode(os.environ.get(CHILDREN, "{}"), type=dict[str, dict[str, str]])
    real = _real_plan(settings, paths)
    return Plan(tuple(_with(spec, more.get(spec.name, {})) for spec in real.specs), real.renew)


def _with(spec: ChildSpec, more: Mapping[str, str]) -> ChildSpec:
    return msgspec.structs.replace(spec, env={**spec.env, **more}) if more else spec


if __name__ == "__main__":
    with mock.patch("supervision.broker.endpoint_file", behind), mock.patch.object(children, "plan", plan):
        sys.exit(main())
