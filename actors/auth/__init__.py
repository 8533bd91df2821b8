"""auth: owner of accounts, sessions and signing keys."""

from actors.auth.actor import Auth

__all__ = ["Auth"]
