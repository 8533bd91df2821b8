"""Run the tally as a process of its own: `python -m tests.support.tally FOLDER` with the settings in FOLDER."""

import sys
from pathlib import Path

import msgspec
import uvloop

from actors.runtime import Environment
from actors.runtime.process import begin_logging
from actors.runtime.serving import serve_owner
from settings import Paths, Settings
from storage import Database
from tests.support.tally import SCHEMA, Tally

if __name__ == "__main__":
    settings = msgspec.json.decode(Path(sys.argv[1], "settings.json").read_bytes(), type=Settings)
    paths = Paths.of(settings)
    begin_logging(settings.logging, "tally")
    environment = Environment(settings, paths)
    uvloop.run(serve_owner(Tally(environment), lambda: Database.open(SCHEMA, paths.databases), environment))
