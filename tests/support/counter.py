"""Run the example of docs/writing-an-actor.md: `python -m tests.support.counter FOLDER`, the settings in FOLDER."""

import sys
from pathlib import Path

import msgspec
import uvloop

from actors.runtime import Environment
from actors.runtime.process import begin_logging
from actors.runtime.serving import serve_owner
from examples.counter import Counter
from settings import Paths, Settings
from storage import Database


class BorrowedName(Counter):
    """The tests' node has the product's users only; the example's own name would have none."""

    name = "router"


if __name__ == "__main__":
    settings = msgspec.json.decode(Path(sys.argv[1], "settings.json").read_bytes(), type=Settings)
    paths = Paths.of(settings)
    begin_logging(settings.logging, "counter")
    environment = Environment(settings, paths)
    actor = BorrowedName(environment)
    uvloop.run(serve_owner(actor, lambda: Database.open(actor.schema, paths.databases), environment))
