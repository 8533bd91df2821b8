"""The main of an owner as a test's own process: `python -m tests.support.X FOLDER`, with the settings in FOLDER."""

import sys
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from actors.runtime import Actor, Environment
from actors.runtime.process import begin_logging
from actors.runtime.serving import serve_owner
from settings import Paths, Settings
from storage import Database


def serve(kind: type[Actor[Any]]) -> None:
    """Serve until SIGTERM."""
    settings = msgspec.json.decode(Path(sys.argv[1], "settings.json").read_bytes(), type=Settings)
    paths = Paths.of(settings)
    begin_logging(settings.logging, kind.name)
    environment = Environment(settings, paths)
    uvloop.run(serve_owner(kind(environment), lambda: Database.open(kind.schema, paths.databases), environment))
