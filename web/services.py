"""What every route and socket of one front has at hand."""

from dataclasses import dataclass

from actors.runtime import Environment, Post
from storage import Reader
from storage.auth import AuthUnit
from storage.blobs import Blobs
from storage.contacts import ContactsUnit
from storage.files import FilesUnit
from storage.notifier import NotifierUnit
from storage.router import RouterUnit
from web.authentication import Authenticator
from web.cookies import Cookies
from web.counters import Counters
from web.files_news import FileNews
from web.files_room import Room, Seats
from web.hub import Hub
from web.limits import Limits
from web.ops.desk import Desk
from web.presence import Presence
from web.privacy import Privacy
from web.security import Security


@dataclass(frozen=True)
class Services:
    """`auth` to `files` read the owners' databases, and `blobs` is only read from; what changes data goes by `post`.

    `news` tells of files that come in; `pieces` bounds how many pieces of them are on their way at a time, `downloads`
    how many files are on their way out.
    """

    environment: Environment
    post: Post
    auth: Reader[AuthUnit]
    contacts: Reader[ContactsUnit]
    router: Reader[RouterUnit]
    notifier: Reader[NotifierUnit]
    files: Reader[FilesUnit]
    blobs: Blobs
    news: FileNews
    pieces: Room
    downloads: Seats
    hub: Hub
    limits: Limits
    cookies: Cookies
    security: Security
    counters: Counters
    authenticator: Authenticator
    ops: Desk
    presence: Presence
    privacy: Privacy

    def admit(self, person: str) -> float:
        """0.0 when a person may send one more frame now, else the seconds until then."""
        return self.limits.message(person, self.environment.monotonic())

    def gone(self, actor: str) -> bool:
        """Whether it is known that an owner will not answer now, so that nobody need wait for it.

        A front that cannot reach the broker knows nothing of the kind: nobody can be heard by it.
        """
        return self.post.connected and self.hub.state(actor) == "down"
