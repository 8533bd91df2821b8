"""notifier's handlers and timers. What it follows, and how it decides, stands in the modules beside this one."""

from collections.abc import Iterable, Sequence

from actors.notifier.presence import Presence
from actors.runtime import Actor, Answer, Effect, Environment, Mail, every, handles_batch
from protocols.mail import Done
from protocols.notifier import Lease, Typing
from storage.notifier import NOTIFIER, NotifierUnit


class Notifier(Actor[NotifierUnit]):
    """Whatever it tells stands in its log first, so that a page which missed a push finds it there."""

    name = "notifier"
    schema = NOTIFIER

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.presence = Presence(environment)

    # Heard, and worth nothing later: as batches, because single commands are remembered.

    @handles_batch(Lease)
    def lease(self, tx: NotifierUnit, mails: Sequence[Mail[Lease]]) -> list[Answer[Done]]:
        return _heard(mails, self.presence.lease(tx, mails))

    @handles_batch(Typing)
    def typing(self, tx: NotifierUnit, mails: Sequence[Mail[Typing]]) -> list[Answer[Done]]:
        return _heard(mails, self.presence.typing(tx, mails))

    @every(1.0)
    def look(self, tx: NotifierUnit, now: int) -> Iterable[Effect]:
        return self.presence.tick(tx, now)


def _heard(mails: Sequence[object], effects: Iterable[Effect]) -> list[Answer[Done]]:
    return [Answer(Done())] * (len(mails) - 1) + [Answer(Done(), effects=tuple(effects))]
