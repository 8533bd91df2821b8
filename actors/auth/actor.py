"""The actor that owns accounts, sessions and signing keys: its parts, put together."""

from actors.auth.operators import Operators
from actors.auth.self_service import SelfService


class Auth(SelfService, Operators):
    """Everything that auth does. The parts share a foundation and know nothing of each other."""
