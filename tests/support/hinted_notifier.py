"""Run a notifier that looks when it is told and never by itself: `python -m tests.support.hinted_notifier FOLDER`."""

from collections.abc import Iterable

from actors.runtime import Effect
from storage.notifier import NotifierUnit
from tests.support.eager_notifier import Eager
from tests.support.served import serve


class Hinted(Eager):
    """The timer is gone, because this `look` is not marked as one."""

    def look(self, tx: NotifierUnit, now: int) -> Iterable[Effect]:
        return super().look(tx, now)


if __name__ == "__main__":
    serve(Hinted)
