"""Run a notifier that does not wait to hear who is there: `python -m tests.support.eager_notifier FOLDER`."""

from actors.notifier import Notifier
from actors.notifier.following import Following
from actors.runtime import Environment
from tests.support.notices import Seen
from tests.support.served import serve


class Eager(Notifier):
    """Nobody is there, and it knows."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.presence = Seen(environment)
        self.following = Following(self.presence, environment.monotonic)


if __name__ == "__main__":
    serve(Eager)
