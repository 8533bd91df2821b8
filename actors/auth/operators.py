"""What the operator of an installation does with accounts, from the command line."""

from base64 import urlsafe_b64encode
from collections.abc import Iterable
from typing import Any, Final

from actors.auth import passwords
from actors.auth.entrance import Entrance, Newcomer, invitation_digest, username_taken
from actors.auth.events import event
from actors.auth.foundation import DAY
from actors.runtime import Effect, Mail, handles
from protocols.auth import AddUser, DisableUser, Invitation, Invite, ResetPassword, SetOperator
from protocols.errors import Refusal
from protocols.values import User
from storage.auth import Account, AuthUnit, Credential

INVITATION_DAYS: Final = 365


def _operator_only(mail: Mail[Any]) -> None:
    """The operator's tools act for nobody; a front always acts for somebody, so it cannot pass for them."""
    if mail.person:
        raise Refusal("forbidden")


class Operators(Entrance):
    async def prepare_add(self, mail: Mail[AddUser]) -> Newcomer | None:
        """None when this very command has been done before."""
        _operator_only(mail)
        command = mail.command

        def look(tx: AuthUnit) -> tuple[Credential | None, bool]:
            return tx.accounts.credential(command.username), tx.accounts.taken(command.username)

        credential, taken = await self.read(look)
        if credential is not None and credential.command == mail.id:
            return None
        if taken:
            raise username_taken()
        name, display = self.checked(command.username, command.display_name, command.password)
        return Newcomer(name, display, await self.hash(command.password))

    @handles(AddUser, prepare=prepare_add)
    def add_user(self, tx: AuthUnit, mail: Mail[AddUser]) -> User:
        if mail.prepared is None:
            return self._named(tx, mail.command.username).user
        account = self.add(tx, mail, mail.prepared)
        event("user_added", user=account.id, username=account.username)
        return account.user

    def tell_operator(self, tx: AuthUnit, mail: Mail[Any], reply: User) -> Iterable[Effect]:
        return self.over(tx, reply.id, mail.now)

    async def prepare_reset(self, mail: Mail[ResetPassword]) -> str:
        _operator_only(mail)
        command = mail.command
        account = await self.read(lambda tx: self._named(tx, command.username))
        least = self.settings.auth.password_min
        if wrong := passwords.check(command.password, least=least, username=account.username):
            raise Refusal("invalid", fields={"password": wrong})
        return await self.hash(command.password)

    @handles(ResetPassword, prepare=prepare_reset, tells=tell_operator)
    def reset_password(self, tx: AuthUnit, mail: Mail[ResetPassword]) -> User:
        account = self._named(tx, mail.command.username)
        tx.accounts.set_password(account.id, mail.prepared, mail.id)
        tx.sessions.end_of(account.id, mail.now)
        event("password_reset", warning=True, user=account.id)
        return account.user

    @handles(DisableUser, tells=tell_operator)
    def disable_user(self, tx: AuthUnit, mail: Mail[DisableUser]) -> User:
        _operator_only(mail)
        account = self._named(tx, mail.command.username)
        tx.accounts.set_disabled(account.id, mail.command.disabled)
        if mail.command.disabled:
            tx.sessions.end_of(account.id, mail.now)
        event("user_disabled" if mail.command.disabled else "user_enabled", warning=True, user=account.id)
        return account.user

    @handles(SetOperator)
    def set_operator(self, tx: AuthUnit, mail: Mail[SetOperator]) -> User:
        _operator_only(mail)
        account = self._named(tx, mail.command.username)
        tx.accounts.set_operator(account.id, mail.command.on)
        event("operator_granted" if mail.command.on else "operator_revoked", warning=True, user=account.id)
        return account.user

    @handles(Invite)
    def invite(self, tx: AuthUnit, mail: Mail[Invite]) -> Invitation:
        _operator_only(mail)
        if not 1 <= mail.command.days <= INVITATION_DAYS:
            raise Refusal("invalid", fields={"days": f"An invitation is good for 1 to {INVITATION_DAYS} days."})
        code = urlsafe_b64encode(self.environment.random_bytes(18)).decode("ascii")
        expires = mail.now + mail.command.days * DAY
        tx.invitations.add(invitation_digest(code), expires)
        event("invited")
        return Invitation(code, expires)

    def _named(self, tx: AuthUnit, username: str) -> Account:
        account = tx.accounts.by_username(username)
        if account is None:
            raise Refusal("not_found", "There is no such user.")
        return account
