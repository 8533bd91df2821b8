"""What every part of auth stands on: keys, hashing, throttling, and how a session begins."""

from collections.abc import Iterable
from functools import partial
from typing import Any, ClassVar, Final

from msgspec import Struct

from actors.auth import passwords, refresh, signing
from actors.auth.addresses import subject_of
from actors.auth.events import clipped, event
from actors.auth.hashing import Hashing
from actors.auth.throttle import Rule, Throttle
from actors.runtime import Actor, Effect, Environment, Mail, every
from protocols.auth import SignedIn
from protocols.errors import Refusal
from protocols.mail import Command, SessionsOver
from settings.secret_files import secret
from storage import Schema
from storage.auth import AUTH, Account, AuthUnit, Credential, Session

MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

SESSIONS_MOST: Final = 100
"""Live sessions of a person; a further one ends the one that was used least lately."""
TOLD_AGAIN: Final = MINUTE
"""How long an ended session is named again to the fronts when something else of that person changes."""
KNOWN_FOR: Final = 30 * DAY
"""How long an ended session is still known: as its owner's browser, and to recognise its refresh tokens."""
SWEPT: Final = 500
"""Sessions that one run of a timer ends or forgets at most."""


class Verified(Struct, frozen=True):
    """A password was right for this credential. `rehash` is a hash of today's kind, or "" if the old one will do."""

    credential: Credential
    rehash: str = ""


class Foundation(Actor[AuthUnit]):
    """Slow steps run before a transaction and see a snapshot; what they saw is checked again inside it."""

    name: ClassVar[str] = "auth"
    schema: ClassVar[Schema[AuthUnit]] = AUTH
    hints = ("notifier",)

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        limits = self.settings.limits
        self.throttle = Throttle()
        self.failures = Rule("failure", limits.login_failures, 15 * MINUTE)
        self.logins = Rule("login", limits.logins_per_minute, MINUTE, kept=False)
        self.registrations = Rule("registration", limits.registrations_per_hour, HOUR)

    async def started(self) -> None:
        """Raises SettingsError when a secret cannot be used."""
        paths = self.environment.paths
        self._pepper = secret(paths, "password-pepper").encode()
        self._refresh_key = secret(paths, "refresh-key").encode()
        self._signer = signing.newest(paths.secrets, self.environment.now())
        self._hashing = Hashing(self.settings.limits.logins_waiting)
        self.throttle.restore(await self.read(lambda tx: tx.tallies.all()))
        # Checked for who does not exist, so that it takes as long as for who does.
        self._decoy = await self.hash(self.environment.random_bytes(16).hex())

    async def stopped(self) -> None:
        self._hashing.close()

    # Passwords.

    async def hash(self, password: str) -> str:
        """Raises Refusal("rate_limited") when too many wait for this already."""
        return await self._hashing.run(
            partial(passwords.hashed, self._pepper, password, self.settings.auth.bcrypt_cost)
        )

    async def matches(self, credential: Credential | None, password: str) -> bool:
        """Takes as long for nobody, and for a deleted account, as for everybody."""
        stored = credential.hash if credential and credential.hash else ""
        matched = await self._hashing.run(partial(passwords.matches, self._pepper, password, stored or self._decoy))
        return matched and bool(stored)

    async def verified(self, credential: Credential | None, password: str, subject: str) -> Verified | None:
        """The proof that the password is an active account's, or None. `subject` is whose wrong tries these are.

        Raises Refusal("rate_limited") after too many of them.
        """
        with self.throttle.guessing(self.failures, subject, self.environment.now()) as guess:
            matched = await self.matches(credential, password)
            guess.right = matched and credential is not None and credential.account.active
        if credential is None or not guess.right:
            return None
        if passwords.outdated(credential.hash, self.settings.auth.bcrypt_cost):
            return Verified(credential, await self.hash(password))
        return Verified(credential)

    def fresh(self, tx: AuthUnit, verified: Verified) -> Account | None:
        """The account as it is now, or None if it is not as it was when its password was checked."""
        seen = verified.credential
        credential = tx.accounts.credential_of(seen.account.id)
        if credential is None or not credential.account.active:
            return None
        # The command, not the hash: another log-in may have replaced the hash by one of the same password.
        if credential.command != seen.command:
            return None
        if verified.rehash:
            tx.accounts.rehash(credential.account.id, seen.hash, verified.rehash)
        return credential.account

    # Who tries.

    def admit(self, rule: Rule, address: str) -> None:
        """Count a try from an address. Raises Refusal("rate_limited"); this machine's own are not counted."""
        subject = subject_of(address)
        if not subject:
            return
        try:
            self.throttle.take(rule, subject, self.environment.now())
        except Refusal:
            event(f"{rule.kind}_limited", warning=True, address=address)
            raise

    def person(self, tx: AuthUnit, mail: Mail[Any]) -> Account:
        """The acting person's account. Raises Refusal("unauthenticated") when there is none any more."""
        account = tx.accounts.get(mail.person)
        if account is None or not account.active:
            raise Refusal("unauthenticated")
        return account

    # Sessions.

    def begin(self, tx: AuthUnit, account: Account, mail: Mail[Any], *, familiar: bool) -> SignedIn:
        """A new session: never one that existed before, so that nobody can have planted it.

        The command names the device. `familiar`: the person was signed in there before, or has just registered.
        """
        now, auth = mail.now, self.settings.auth
        live = tx.sessions.of(account.id, now)
        tx.sessions.end([session.id for session in live[SESSIONS_MOST - 1 :]], now)
        token = refresh.first(self.environment.random_bytes)
        session = Session(
            id=self.environment.new_id(),
            user=account.id,
            agent=clipped(mail.command.agent),
            address=clipped(mail.command.address),
            created_at=now,
            last_used_at=now,
            ends_at=now + round(min(auth.session_idle_days, auth.session_absolute_days) * DAY),
        )
        tx.sessions.begin(session, refresh.digest(token.family), refresh.begun(token, now), familiar=familiar)
        return self.signed_in(tx, account, session, token, now)

    def signed_in(self, tx: AuthUnit, account: Account, session: Session, token: refresh.Token, now: int) -> SignedIn:
        """A session's tokens, for the person and nobody else."""
        tx.keys.ensure(self._signer.public, now)
        access, seconds = self._signer.sign(
            session, self.environment.random_bytes(12).hex(), now, self.settings.auth.access_ttl
        )
        return SignedIn(
            user=account.user,
            session=session.id,
            access_token=access,
            refresh_token=token.text,
            expires_in=seconds,
        )

    def successor(self, token: refresh.Token) -> refresh.Token:
        return refresh.successor(token, self._refresh_key)

    def over(self, tx: AuthUnit, user_id: str, now: int) -> Iterable[Effect]:
        """What the fronts are told at once of a person's sessions that have just ended; later they read it."""
        ended = tx.sessions.ended_of(user_id, now - TOLD_AGAIN)
        if ended:
            yield SessionsOver(ended)

    def tell_over(self, tx: AuthUnit, mail: Mail[Command[Any]], _reply: object) -> Iterable[Effect]:
        """For commands about the acting person's own sessions."""
        return self.over(tx, mail.person, mail.now)

    # Timers.

    @every(2.0)
    def write_down_tries(self, tx: AuthUnit, _now: int) -> None:
        tx.tallies.put(self.throttle.drain())

    @every(15.0)
    def end_overdue(self, tx: AuthUnit, now: int) -> Iterable[Effect]:
        """Sessions that ran out are dead already; this closes their sockets."""
        overdue = tx.sessions.overdue(now, SWEPT)
        tx.sessions.end(overdue, now)
        return [SessionsOver(overdue)] if overdue else []

    @every(600.0)
    def sweep(self, tx: AuthUnit, now: int) -> None:
        tx.sessions.forget(now - KNOWN_FOR, SWEPT)
        tx.invitations.forget(now - DAY)
        tx.tallies.forget(now - HOUR)
