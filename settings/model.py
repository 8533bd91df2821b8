"""The shape of config.toml. Keys are explained there; here stand types and bounds."""

import ipaddress
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta, Struct

Port = Annotated[int, Meta(ge=1, le=65535)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Count = Annotated[int, Meta(ge=1, le=10_000_000)]
Limit = Annotated[int, Meta(ge=0, le=1_000_000)]
Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9.-]{0,63}$")]


class _Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class Data(_Section, frozen=True):
    dir: Annotated[str, Meta(min_length=1)] = "data"


class Broker(_Section, frozen=True):
    url: str = "managed"
    password_file: str = ""
    namespace: Name = "parley"
    heartbeat: Annotated[int, Meta(ge=1, le=60)] = 10
    mailbox_type: Literal["classic", "quorum"] = "classic"
    mailbox_bound: Count = 100_000
    memory_mib: Annotated[int, Meta(ge=64, le=65_536)] = 384

    @property
    def managed(self) -> bool:
        return self.url == "managed"

    def __post_init__(self) -> None:
        if self.managed:
            return
        parts = urlsplit(self.url)
        if parts.scheme not in {"amqp", "amqps"} or not parts.hostname:
            raise ValueError('url must be "managed" or an amqp:// or amqps:// address')
        if parts.password:
            raise ValueError("url must not hold a password; put it into the file that password_file names")


class Web(_Section, frozen=True):
    host: Annotated[str, Meta(min_length=1)] = "127.0.0.1"
    port: Port = 8080
    public_url: str = ""
    allowed_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    tls_certificate: str = ""
    tls_key: str = ""
    fronts: Annotated[int, Meta(ge=1, le=32)] = 2

    @property
    def tls(self) -> bool:
        return bool(self.tls_certificate)

    @property
    def origin(self) -> str:
        """scheme://host:port of the page, as a browser's Origin header writes it."""
        if self.public_url:
            parts = urlsplit(self.public_url)
            return f"{parts.scheme}://{parts.netloc}"
        host = "localhost" if self.host in {"0.0.0.0", "::"} else self.host  # noqa: S104  (compared, not bound)
        host = f"[{host}]" if ":" in host else host
        scheme = "https" if self.tls else "http"
        default = 443 if self.tls else 80
        return f"{scheme}://{host}" + ("" if self.port == default else f":{self.port}")

    @property
    def secure(self) -> bool:
        """Whether browsers reach the page by TLS, directly or through a proxy: decides about Secure cookies."""
        return self.origin.startswith("https://")

    @property
    def local(self) -> bool:
        """Whether this machine alone can reach the page: it listens on loopback, and nothing tells of a proxy."""
        names = [self.host, *(urlsplit(origin).hostname or "" for origin in (self.origin, *self.allowed_origins))]
        return all(map(_loopback, names)) and not self.trusted_proxies

    def __post_init__(self) -> None:
        for origin in (*([self.public_url] if self.public_url else []), *self.allowed_origins):
            parts = urlsplit(origin)
            if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path not in {"", "/"}:
                raise ValueError(f"{origin!r} is not an origin such as https://chat.example")
        for network in self.trusted_proxies:
            ipaddress.ip_network(network)
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise ValueError("tls_certificate and tls_key go together")


class Ops(_Section, frozen=True):
    actions: Literal["loopback", "always", "never"] = "loopback"


class Auth(_Section, frozen=True):
    registration: Literal["open", "invitation", "closed"] = "open"
    access_ttl: Annotated[int, Meta(ge=5, le=86_400)] = 600
    session_idle_days: Annotated[float, Meta(gt=0, le=366)] = 7
    session_absolute_days: Annotated[float, Meta(gt=0, le=3_660)] = 30
    refresh_grace: Seconds = 30
    bcrypt_cost: Annotated[int, Meta(ge=4, le=16)] = 12
    password_min: Annotated[int, Meta(ge=8, le=64)] = 12


class Limits(_Section, frozen=True):
    messages_per_second: Limit = 50
    messages_burst: Limit = 500
    requests_per_hour: Limit = 30
    sockets_per_person: Limit = 20
    sockets_per_address: Limit = 200
    registrations_per_hour: Limit = 20
    logins_per_minute: Limit = 20
    login_failures: Limit = 5
    logins_waiting: Limit = 50
    in_flight: Annotated[int, Meta(ge=1, le=10_000)] = 64


class Files(_Section, frozen=True):
    largest_mib: Annotated[int, Meta(ge=1, le=1_048_576)] = 2_048
    quota_mib: Annotated[int, Meta(ge=0, le=1_073_741_824)] = 10_240
    rate_mib: Annotated[int, Meta(ge=0, le=100_000)] = 16
    transfers: Annotated[int, Meta(ge=1, le=100)] = 4
    expire_hours: Annotated[float, Meta(gt=0, le=8_760)] = 24
    keep_free_mib: Annotated[int, Meta(ge=0, le=1_048_576)] = 256


class Runtime(_Section, frozen=True):
    batch_commands: Count = 256
    batch_bytes: Count = 1_048_576
    beat: Seconds = 2.0
    outcomes_days: Annotated[float, Meta(gt=0, le=366)] = 7


class Supervision(_Section, frozen=True):
    start_wait: Seconds = 10.0
    watchdog: Seconds = 10.0
    stop_timeout: Seconds = 30.0
    burst: Count = 5
    tree_burst: Count = 10
    window: Seconds = 60.0
    backoff_base: Seconds = 0.2
    backoff_cap: Seconds = 30.0


class Logging(_Section, frozen=True):
    format: Literal["human", "json"] = "human"
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    rotate_mib: Annotated[int, Meta(ge=1, le=1024)] = 10
    keep: Annotated[int, Meta(ge=0, le=100)] = 3


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Settings(_Section, frozen=True):
    """Everything that config.toml and the environment say. `base` is the folder relative paths start at."""

    base: str
    data: Data = Data()
    broker: Broker = Broker()
    web: Web = Web()
    ops: Ops = Ops()
    auth: Auth = Auth()
    limits: Limits = Limits()
    files: Files = Files()
    runtime: Runtime = Runtime()
    supervision: Supervision = Supervision()
    logging: Logging = Logging()
