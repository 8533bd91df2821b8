"""Router as it is, run by the entry of every actor, but that some messages kill it each time they are handled.

`python -m tests.support.mortal_router router`, in the place of `python -m actors router`.
"""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import actors.router
from actors.__main__ import main
from actors.router import Router
from actors.router.sending import recall, send
from actors.runtime import Answer, Mail, handles_batch
from protocols.router import SendMessage, Stored
from storage.router import RouterUnit

DEADLY: Final = "deadly:"
"""How the body of such a message begins."""


def cure(databases: Path) -> None:
    """From now on, as after an upgrade, such a message harms nobody."""
    (databases / "cured").touch()


class MortalRouter(Router):
    @handles_batch(SendMessage, recalls=recall)
    def send(self, tx: RouterUnit, mails: Sequence[Mail[SendMessage]]) -> Sequence[Answer[Stored]]:
        answers = send(tx, mails)
        # In the middle of the transaction, where whatever its neighbours did is not committed yet. One that was set
        # aside is not handled any more, only refused again.
        deadly = any(
            mail.command.body.startswith(DEADLY) and answer.refusal is None
            for mail, answer in zip(mails, answers, strict=True)
        )
        if deadly and not (tx.databases / "cured").exists():
            os.kill(os.getpid(), signal.SIGKILL)
        return answers


if __name__ == "__main__":
    actors.router.Router = MortalRouter  # type: ignore[misc]  # (where the entry looks for the actor)
    sys.exit(main(sys.argv[1:]))
