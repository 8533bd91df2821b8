"""What a person does with their own account: password, name, deletion."""

from msgspec import Struct

from actors.auth import passwords
from actors.auth.events import event
from actors.auth.foundation import Foundation, Verified
from actors.auth.names import display_name_of
from actors.runtime import Mail, handles
from protocols.auth import ChangePassword, ChangeProfile, DeleteAccount
from protocols.errors import Refusal
from protocols.mail import Done
from protocols.values import User
from storage.auth import AuthUnit, Credential


class NewPassword(Struct, frozen=True):
    """The old one was right, and this is the new one's hash."""

    verified: Verified
    hash: str


class SelfService(Foundation):
    """Whatever cannot be undone asks for the password again: a session may have fallen into other hands."""

    async def prepare_change_password(self, mail: Mail[ChangePassword]) -> NewPassword | None:
        """None when this very command has been done before."""
        command = mail.command
        credential = await self._own(mail)
        least, name = self.settings.auth.password_min, credential.account.username
        if wrong := passwords.check(command.new, least=least, username=name):
            raise Refusal("invalid", fields={"new": wrong})
        if credential.command == mail.id and await self.verified(credential, command.new, f"{name}/self"):
            return None
        verified = await self._verified(credential, command.current, "current")
        return NewPassword(verified, await self.hash(command.new))

    @handles(ChangePassword, prepare=prepare_change_password, tells=Foundation.tell_over)
    def change_password(self, tx: AuthUnit, mail: Mail[ChangePassword]) -> Done:
        account = self.person(tx, mail)
        session = tx.sessions.get(mail.command.session)
        if session is None or session.user != account.id or not session.live(mail.now):
            raise Refusal("unauthenticated")
        if isinstance(mail.prepared, NewPassword):
            if self.fresh(tx, mail.prepared.verified) is None:
                raise Refusal("conflict", "The password was changed elsewhere meanwhile.")
            tx.accounts.set_password(account.id, mail.prepared.hash, mail.id)
            tx.sessions.end_of(account.id, mail.now, but=session.id)
            event("password_changed", user=account.id, session=session.id)
        return Done()

    @handles(ChangeProfile)
    def change_profile(self, tx: AuthUnit, mail: Mail[ChangeProfile]) -> User:
        account = self.person(tx, mail)
        name, wrong = display_name_of(mail.command.display_name)
        if wrong:
            raise Refusal("invalid", fields={"display_name": wrong})
        tx.accounts.set_display_name(account.id, name)
        return User(account.id, account.username, name)

    async def prepare_delete(self, mail: Mail[DeleteAccount]) -> Verified | None:
        """None when the account is gone already."""
        credential = await self.read(lambda tx: tx.accounts.credential_of(mail.person))
        if credential is not None and credential.account.deleted:
            return None
        return await self._verified(await self._own(mail), mail.command.password, "password")

    @handles(DeleteAccount, prepare=prepare_delete, tells=Foundation.tell_over)
    def delete_account(self, tx: AuthUnit, mail: Mail[DeleteAccount]) -> Done:
        if mail.prepared is None:
            return Done()
        account = self.fresh(tx, mail.prepared)
        if account is None:
            raise Refusal("conflict", "The account was changed elsewhere meanwhile.")
        tx.sessions.end_of(account.id, mail.now)
        tx.sessions.forget_devices(account.id)
        tx.accounts.delete(account.id)
        event("account_deleted", user=account.id)
        return Done()

    async def _own(self, mail: Mail[ChangePassword] | Mail[DeleteAccount]) -> Credential:
        credential: Credential | None = await self.read(lambda tx: tx.accounts.credential_of(mail.person))
        if credential is None or not credential.account.active:
            raise Refusal("unauthenticated")
        return credential

    async def _verified(self, credential: Credential, password: str, field: str) -> Verified:
        account = credential.account
        # Counted apart from log-ins: strangers who guess at the door do not get in the way of whoever is inside.
        verified = await self.verified(credential, password, f"{account.username}/self")
        if verified is None:
            event("reauthentication_failed", warning=True, user=account.id)
            raise Refusal("invalid", fields={field: "This is not your present password."})
        return verified
