"""Who is there, by the leases that fronts send."""

# ruff: noqa: ARG002  (nobody is known to be there yet)

from collections.abc import Iterable, Sequence

from actors.runtime import Effect, Environment, Mail
from protocols.notifier import Device, Lease, Typing
from storage.notifier import NotifierUnit


class Presence:
    """What is known lies in memory and is right again within one round of leases after a start."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    def lease(self, tx: NotifierUnit, mails: Sequence[Mail[Lease]]) -> Iterable[Effect]:
        """Hear leases, in the order in which they came."""
        return ()

    def typing(self, tx: NotifierUnit, mails: Sequence[Mail[Typing]]) -> Iterable[Effect]:
        """Pass on that people are writing."""
        return ()

    def tick(self, tx: NotifierUnit, now: int) -> Iterable[Effect]:
        """Let leases end. Called every second."""
        return ()

    def devices(self, person: str) -> Sequence[Device]:
        """The person's devices now; none when they are offline or nothing was heard yet."""
        return ()

    def settled(self) -> bool:
        """Whether all fronts have had the time to say who is there since this process began."""
        return True

    def forget(self, tx: NotifierUnit, person: str) -> None:
        """The account is gone."""
        tx.presences.forget(person)
