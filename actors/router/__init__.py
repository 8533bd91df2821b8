"""router: the owner of conversations, messages, reactions and receipts."""

from actors.router.actor import Router

__all__ = ["Router"]
