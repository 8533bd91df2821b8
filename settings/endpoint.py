"""Where the broker is. Read anew at each connection attempt, because a private node may move to another port."""

from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import msgspec

from settings.errors import SettingsError
from settings.model import Settings
from settings.paths import Paths
from settings.secret_files import read, secret


class Endpoint(msgspec.Struct, frozen=True):
    """What the supervisor writes into data/broker/endpoint.json before it starts the private node."""

    port: int
    virtual_host: str = "parley"


def endpoint_file(paths: Paths) -> Path:
    """The file that says where the private node is."""
    return paths.broker / "endpoint.json"


def broker_url(settings: Settings, paths: Paths, user: str) -> str:
    """The AMQP address for one broker user, password included: never log it.

    With a broker that somebody else runs, all actors share the user of `broker.url`. Raises SettingsError when the
    private node was never started or the password file cannot be used.
    """
    if settings.broker.managed:
        path = endpoint_file(paths)
        try:
            endpoint = msgspec.json.decode(path.read_bytes(), type=Endpoint)
        except OSError as error:
            raise SettingsError("broker.url", f"the private broker was never started ({path} is missing)") from error
        except msgspec.DecodeError as error:
            raise SettingsError("broker.url", f"{path} is damaged: {error}") from error
        password = secret(paths, f"broker-{user}")
        return f"amqp://{user}:{password}@127.0.0.1:{endpoint.port}/{endpoint.virtual_host}"
    parts = urlsplit(settings.broker.url)
    if not settings.broker.password_file:
        return settings.broker.url
    password = read(Path(settings.base, settings.broker.password_file).expanduser())
    host = parts.netloc.rpartition("@")[2]
    credentials = f"{quote(unquote(parts.username or 'guest'), safe='')}:{quote(password, safe='')}"
    return urlunsplit(parts._replace(netloc=f"{credentials}@{host}"))


def broker_user(settings: Settings, actor: str) -> str:
    """The broker user under which an actor's mail arrives: its own, or the one that all share elsewhere."""
    if settings.broker.managed:
        return actor
    return unquote(urlsplit(settings.broker.url).username or "guest")
