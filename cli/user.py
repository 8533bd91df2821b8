"""`parley user add|reset|disable|enable|operator|list|invite`: the operator's hand on accounts.

What changes an account is asked of auth by mail, so Parley must be running; `list` reads the database and needs no
more than that. Passwords come from a prompt or from standard input, never from the arguments, which others can see.
"""

import argparse
import asyncio
import getpass
import json
import sys
from collections.abc import Callable
from typing import Any, Final, TypeVar

from cli.asking import ask
from cli.exits import FAILED, CommandError
from protocols.auth import AddUser, DisableUser, Invite, ResetPassword, SetOperator
from protocols.errors import Refusal
from protocols.mail import Command
from protocols.values import rfc3339
from settings import Paths, load
from storage import Reader
from storage.auth import AUTH, Account, AuthUnit

WITHIN: Final = 15.0
"""Seconds that auth has for an answer."""
PAGE: Final = 200

R = TypeVar("R")


def add_parser(subparsers: Any) -> None:
    """Add `user` and what it does."""
    user = subparsers.add_parser("user", help="accounts: add, reset, disable, enable, operator, list, invite")
    actions = user.add_subparsers(title="actions", metavar="ACTION", required=True)
    add = _action(actions, "add", _add, "make an account; reads its password from a prompt or from standard input")
    add.add_argument(
        "--display-name", default="", metavar="TEXT", help="the name that others see; the username if none"
    )
    _action(actions, "reset", _reset, "give an account a new password, and end all its sessions")
    _action(actions, "disable", _disable, "refuse an account's log-ins, and end all its sessions")
    _action(actions, "enable", _enable, "let a disabled account log in again")
    operator = _action(actions, "operator", _operator, "let an account open the operator's page, /ops")
    operator.add_argument("--off", action="store_true", help="take that right away again")
    listing = actions.add_parser("list", help="show all accounts but the deleted ones")
    listing.add_argument("--json", action="store_true", help="as JSON")
    listing.set_defaults(run=run, act=_list)
    invite = actions.add_parser("invite", help="print a code with which one person can register")
    invite.add_argument("--days", type=int, default=7, metavar="N", help="days it is good for; 7 if not given")
    invite.set_defaults(run=run, act=_invite)


def run(args: argparse.Namespace) -> int:
    """Exit codes: 0 done, 1 refused or nobody there to do it."""
    act: Callable[[argparse.Namespace], str] = args.act
    try:
        print(act(args))
    except Refusal as refusal:
        raise CommandError(_sentence(refusal), FAILED) from refusal
    return 0


def _action(actions: Any, name: str, act: Callable[[argparse.Namespace], str], text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=text)
    parser.add_argument("username", metavar="NAME")
    parser.set_defaults(run=run, act=act)
    return parser


def _add(args: argparse.Namespace) -> str:
    command = AddUser(username=args.username, password=read_password(), display_name=args.display_name)
    user = _ask(command)
    return f"{user.username} ({user.display_name}) can sign in now"


def _reset(args: argparse.Namespace) -> str:
    user = _ask(ResetPassword(username=args.username, password=read_password()))
    return f"{user.username} has a new password and is signed out everywhere"


def _disable(args: argparse.Namespace) -> str:
    user = _ask(DisableUser(username=args.username, disabled=True))
    return f"{user.username} is signed out everywhere and cannot sign in"


def _enable(args: argparse.Namespace) -> str:
    return f"{_ask(DisableUser(username=args.username, disabled=False)).username} can sign in again"


def _operator(args: argparse.Namespace) -> str:
    user = _ask(SetOperator(username=args.username, on=not args.off))
    return f"{user.username} is no operator any more" if args.off else f"{user.username} can open /ops now"


def _invite(args: argparse.Namespace) -> str:
    invitation = _ask(Invite(days=args.days))
    return f"{invitation.code} (good once, until {rfc3339(invitation.expires)})"


def _list(args: argparse.Namespace) -> str:
    paths = Paths.of(load())
    if not paths.database(AUTH.name).exists():
        raise CommandError("there are no accounts yet: auth makes its database when it first runs, by `parley up`")
    accounts = asyncio.run(_accounts(paths))
    rows = [
        {
            "username": account.username,
            "display_name": account.display_name,
            "id": account.id,
            "state": "disabled" if account.disabled else "active",
            "operator": account.operator,
            "created_at": rfc3339(account.created_at),
        }
        for account in accounts
    ]
    if args.json:
        return json.dumps({"users": rows}, ensure_ascii=False)
    lines = [
        f"{row['username']:<32} {row['state']:<8} {'operator' if row['operator'] else '':<8} "
        f"{row['created_at']}  {row['display_name']}"
        for row in rows
    ]
    return "\n".join(lines) if lines else "nobody has an account yet"


def read_password() -> str:
    """The password: asked for twice where somebody types it, else the first line of standard input."""
    if not sys.stdin.isatty():
        password = sys.stdin.readline().rstrip("\r\n")
        if not password:
            raise CommandError("standard input holds no password: write it there as one line")
        return password
    password = getpass.getpass("Password: ")
    if getpass.getpass("The same again: ") != password:
        raise CommandError("the two passwords differ; nothing was changed")
    return password


async def _accounts(paths: Paths) -> list[Account]:
    reader = Reader(AUTH, paths.databases)
    found: list[Account] = []
    try:
        while True:
            after = found[-1].username if found else ""

            def page(tx: AuthUnit, after: str = after) -> list[Account]:
                return tx.accounts.page(after, PAGE)

            accounts = await reader.read(page)
            found += accounts
            if len(accounts) < PAGE:
                return found
    finally:
        await reader.close()


def _ask(command: Command[R]) -> R:
    return ask("auth", command, WITHIN)


def _sentence(refusal: Refusal) -> str:
    if refusal.code == "unavailable":
        return f"{refusal.body.message} `parley status` shows whether Parley and its auth actor run."
    reasons = " ".join((refusal.body.fields or {}).values())
    return reasons or refusal.body.message
