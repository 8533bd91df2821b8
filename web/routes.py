"""Every declared route of a front, in the order in which they are tried."""

from typing import Final

from web import (
    api_auth,
    api_contacts,
    api_conversations,
    api_files,
    api_notices,
    api_preferences,
    api_presence,
    api_tus,
    health,
)
from web.ops import api as api_ops
from web.routing import Route

ROUTES: Final[tuple[Route, ...]] = (
    *health.ROUTES,
    *api_auth.ROUTES,
    *api_contacts.ROUTES,
    *api_conversations.ROUTES,
    *api_notices.ROUTES,
    *api_preferences.ROUTES,
    *api_presence.ROUTES,
    *api_tus.ROUTES,
    *api_files.ROUTES,
    *api_ops.ROUTES,
)
