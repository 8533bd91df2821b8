"""Mail to auth, the owner of accounts, sessions and signing keys."""

from typing import ClassVar

from msgspec import Struct

from protocols.mail import Command, Done
from protocols.values import User


class SignedIn(Struct, frozen=True, kw_only=True):
    """A session just begun or refreshed. `expires_in` is in seconds, of the access token."""

    user: User
    session: str
    access_token: str
    refresh_token: str
    expires_in: int


class Register(Command[SignedIn], frozen=True, kw_only=True, tag="register"):
    """A new account and its first session. `agent` and `address` describe the device in the list of sessions."""

    durable: ClassVar[bool] = False
    secret: ClassVar[bool] = True
    username: str
    password: str
    display_name: str = ""
    invitation: str = ""
    agent: str = ""
    address: str = ""


class LogIn(Command[SignedIn], frozen=True, kw_only=True, tag="log_in"):
    """`known_session` is a session of the same browser that was valid once: its owner is not locked out by others."""

    durable: ClassVar[bool] = False
    secret: ClassVar[bool] = True
    username: str
    password: str
    known_session: str = ""
    agent: str = ""
    address: str = ""


class Refresh(Command[SignedIn], frozen=True, kw_only=True, tag="refresh"):
    durable: ClassVar[bool] = False
    secret: ClassVar[bool] = True
    token: str


class EndSession(Command[Done], frozen=True, kw_only=True, tag="end_session"):
    """Log out here (`session` is the person's own present one) or on another device of the same person."""

    session: str


class LogOut(Command[Done], frozen=True, kw_only=True, tag="log_out"):
    """End the session to which a refresh token belongs, whoever holds it. Answers alike when there is none."""

    durable: ClassVar[bool] = False
    secret: ClassVar[bool] = True
    token: str


class ChangePassword(Command[Done], frozen=True, kw_only=True, tag="change_password"):
    """Ends every other session; `session` is the one that stays."""

    durable: ClassVar[bool] = False
    secret: ClassVar[bool] = True
    session: str
    current: str
    new: str


class ChangeProfile(Command[User], frozen=True, kw_only=True, tag="change_profile"):
    display_name: str


class DeleteAccount(Command[Done], frozen=True, kw_only=True, tag="delete_account"):
    durable: ClassVar[bool] = False
    secret: ClassVar[bool] = True
    password: str


class AddUser(Command[User], frozen=True, kw_only=True, tag="add_user"):
    """The operator's: works whatever `auth.registration` says."""

    durable: ClassVar[bool] = False
    secret: ClassVar[bool] = True
    operator: ClassVar[bool] = True
    username: str
    password: str
    display_name: str = ""


class ResetPassword(Command[User], frozen=True, kw_only=True, tag="reset_password"):
    """The operator's: a new password, and every session of that person ended."""

    durable: ClassVar[bool] = False
    secret: ClassVar[bool] = True
    operator: ClassVar[bool] = True
    username: str
    password: str


class DisableUser(Command[User], frozen=True, kw_only=True, tag="disable_user"):
    """The operator's: `disabled` true ends every session and refuses log-ins, false allows them again.

    Not durable: what an operator was told has failed must not happen later.
    """

    durable: ClassVar[bool] = False
    operator: ClassVar[bool] = True
    username: str
    disabled: bool = True


class SetOperator(Command[User], frozen=True, kw_only=True, tag="set_operator"):
    """The operator's: whether an account may open the operator's page. It holds from the next request on."""

    durable: ClassVar[bool] = False
    operator: ClassVar[bool] = True
    username: str
    on: bool = True


class Invitation(Struct, frozen=True):
    """A code to register with once. `expires` is Unix milliseconds."""

    code: str
    expires: int


class Invite(Command[Invitation], frozen=True, kw_only=True, tag="invite"):
    """The operator's."""

    durable: ClassVar[bool] = False
    secret: ClassVar[bool] = True
    operator: ClassVar[bool] = True
    days: int = 7
