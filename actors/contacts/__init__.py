"""contacts: owner of requests, contacts and blocks."""

from actors.contacts.actor import Contacts

__all__ = ["Contacts"]
