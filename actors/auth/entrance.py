"""The ways in and out: register, log in, refresh, log out."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct, structs

from actors.auth import passwords, refresh
from actors.auth.events import event
from actors.auth.foundation import DAY, Foundation, Verified
from actors.auth.names import display_name_of, username_of
from actors.runtime import Answer, Effect, Mail, handles, handles_batch
from protocols.auth import EndSession, LogIn, LogOut, Refresh, Register, SignedIn
from protocols.errors import Refusal
from protocols.mail import Done, SessionsOver
from storage.auth import Account, AuthUnit, Credential, Session


class Newcomer(Struct, frozen=True):
    """A registration in order; only its name may be snatched away before it is written."""

    username: str
    display_name: str
    hash: str


def invitation_digest(code: str) -> bytes:
    """What is kept of an invitation's code."""
    return hashlib.sha256(code.strip().encode("utf-8", "surrogatepass")).digest()


class Entrance(Foundation):
    """Nobody is signed in yet when these arrive, so they are believed only as far as what they hold proves it."""

    # Register.

    def checked(self, username: str, display_name: str, password: str) -> tuple[str, str]:
        """The username and the display name as they will be kept. Raises Refusal("invalid") naming each bad field."""
        name, bad_name = username_of(username)
        display, bad_display = display_name_of(display_name or name)
        bad_password = passwords.check(password, least=self.settings.auth.password_min, username=name)
        wrong = {"username": bad_name, "display_name": "" if bad_name else bad_display, "password": bad_password}
        if any(wrong.values()):
            raise Refusal("invalid", fields={field: reason for field, reason in wrong.items() if reason})
        return name, display

    async def prepare_register(self, mail: Mail[Register]) -> Verified | Newcomer:
        """Whoever repeats a registration whose answer was lost, under the same id, is signed in by their password."""
        command, mode = mail.command, self.settings.auth.registration
        if mode == "closed":
            raise Refusal("registration_closed")
        name, display = self.checked(command.username, command.display_name, command.password)
        self.admit(self.registrations, command.address)
        digest = invitation_digest(command.invitation)

        def look(tx: AuthUnit) -> tuple[Credential | None, bool, bool]:
            return tx.accounts.credential(name), tx.accounts.taken(name), tx.invitations.good(digest, mail.now)

        credential, taken, invited = await self.read(look)
        if credential is not None and credential.command == mail.id:
            verified = await self.verified(credential, command.password, name)
            if verified is not None:
                return verified
        if mode == "invitation" and not invited:
            raise Refusal("invitation_required")
        if taken:
            raise username_taken()
        return Newcomer(name, display, await self.hash(command.password))

    @handles(Register, prepare=prepare_register)
    def register(self, tx: AuthUnit, mail: Mail[Register]) -> SignedIn:
        command = mail.command
        if isinstance(mail.prepared, Verified):
            account = self.fresh(tx, mail.prepared)
            if account is None:
                raise username_taken()
        else:
            account = self.add(tx, mail, mail.prepared)
            digest = invitation_digest(command.invitation)
            if self.settings.auth.registration == "invitation" and not tx.invitations.use(digest, account.id, mail.now):
                raise Refusal("invitation_required")
            event("registered", user=account.id, username=account.username, address=command.address)
        return self.begin(tx, account, mail, familiar=True)

    def add(self, tx: AuthUnit, mail: Mail[Any], newcomer: Newcomer) -> Account:
        """Raises Refusal("username_taken") when somebody was quicker."""
        account = Account(
            id=self.environment.new_id(),
            username=newcomer.username,
            display_name=newcomer.display_name,
            created_at=mail.now,
        )
        if not tx.accounts.add(account, newcomer.hash, mail.id):
            raise username_taken()
        return account

    # Log in.

    async def prepare_log_in(self, mail: Mail[LogIn]) -> Verified:
        """One refusal for the unknown, the disabled and the wrong password, after the same work."""
        command = mail.command
        self.admit(self.logins, command.address)

        def look(tx: AuthUnit) -> tuple[Credential | None, Session | None]:
            return tx.accounts.credential(command.username), tx.sessions.get(command.known_session)

        credential, known = await self.read(look)
        name, bad = username_of(command.username)
        # A name that nobody can have is counted like others, but may be anything, of any length.
        subject = f"?{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}" if bad else name
        if credential is not None and known is not None and known.user == credential.account.id:
            # Others who guess do not lock out the owner's own browser, which has tries of its own.
            subject = f"{name}/{known.id}"
        try:
            verified = await self.verified(credential, command.password, subject)
        except Refusal:
            event("login_limited", warning=True, username=subject, address=command.address)
            raise
        if verified is None:
            event("login_failed", warning=True, username=subject, address=command.address)
            raise Refusal("wrong_credentials")
        return verified

    def tell_log_in(self, tx: AuthUnit, mail: Mail[LogIn], reply: SignedIn) -> Iterable[Effect]:
        return self.over(tx, reply.user.id, mail.now)

    @handles(LogIn, prepare=prepare_log_in, tells=tell_log_in)
    def log_in(self, tx: AuthUnit, mail: Mail[LogIn]) -> SignedIn:
        command = mail.command
        account = self.fresh(tx, mail.prepared)
        if account is None:
            raise Refusal("wrong_credentials")
        before = tx.sessions.get(command.known_session)
        familiar = before is not None and before.user == account.id
        if before is not None and familiar:
            # The same person again in the same browser: the new session replaces the old one.
            tx.sessions.end([before.id], mail.now)
        signed_in = self.begin(tx, account, mail, familiar=familiar)
        event("login_ok", user=account.id, session=signed_in.session, address=command.address)
        return signed_in

    # Refresh.

    @handles_batch(Refresh)
    def refresh(self, tx: AuthUnit, mails: Sequence[Mail[Refresh]]) -> list[Answer[SignedIn]]:
        """As a batch, because a refusal undoes what a single handler wrote, and a reused token must end its session."""
        return [self._refresh(tx, mail) for mail in mails]

    def _refresh(self, tx: AuthUnit, mail: Mail[Refresh]) -> Answer[SignedIn]:
        no: Answer[SignedIn] = Answer(refusal=Refusal("unauthenticated"))
        token = refresh.parse(mail.command.token)
        found = token and tx.sessions.by_family(refresh.digest(token.family))
        if not token or not found or not found[0].live(mail.now):
            return no
        session, chain = found
        account = tx.accounts.get(session.user)
        if account is None or not account.active:
            return no
        following = self.successor(token)
        verdict = refresh.present(chain, token, mail.now, round(self.settings.auth.refresh_grace * 1000))
        if verdict is refresh.Verdict.REUSE:
            tx.sessions.end([session.id], mail.now)
            event("refresh_reused", warning=True, user=session.user, session=session.id)
            return Answer(refusal=no.refusal, effects=[SessionsOver([session.id])])
        if verdict is refresh.Verdict.ROTATE:
            auth = self.settings.auth
            oldest = session.created_at + round(auth.session_absolute_days * DAY)
            ends_at = min(oldest, mail.now + round(auth.session_idle_days * DAY))
            chain = refresh.rotated(token, following, mail.now)
            session = structs.replace(session, last_used_at=mail.now, ends_at=ends_at)
            tx.sessions.rotate(session, chain)
        return Answer(self.signed_in(tx, account, session, following, mail.now))

    # Log out.

    def tell_log_out(self, tx: AuthUnit, mail: Mail[LogOut], _reply: Done) -> Iterable[Effect]:
        session = self._session_of(tx, mail.command.token)
        return [SessionsOver([session.id])] if session is not None and session.ended else []

    @handles(LogOut, tells=tell_log_out)
    def log_out(self, tx: AuthUnit, mail: Mail[LogOut]) -> Done:
        session = self._session_of(tx, mail.command.token)
        if session is not None:
            tx.sessions.end([session.id], mail.now)
            event("session_ended", user=session.user, session=session.id)
        return Done()

    @handles(EndSession, tells=Foundation.tell_over)
    def end_session(self, tx: AuthUnit, mail: Mail[EndSession]) -> Done:
        """Anybody else's session is as unknown as one that never was."""
        session = tx.sessions.get(mail.command.session)
        if session is None or session.user != mail.person:
            raise Refusal("not_found")
        tx.sessions.end([session.id], mail.now)
        event("session_ended", user=session.user, session=session.id)
        return Done()

    def _session_of(self, tx: AuthUnit, token: str) -> Session | None:
        parsed = refresh.parse(token)
        found = parsed and tx.sessions.by_family(refresh.digest(parsed.family))
        return found[0] if found else None


def username_taken() -> Refusal:
    """One of the two answers that tell whether a name is somebody's; search is the other."""
    return Refusal("username_taken", fields={"username": "This username is taken."})
