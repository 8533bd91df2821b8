"""How much somebody may do: a generic cell rate algorithm over a bounded table of keys. Pure: `now` is handed in."""

import ipaddress
from collections import OrderedDict
from collections.abc import Hashable

from settings.model import Limits as LimitSettings

KEYS_MOST = 100_000


class Gcra:
    """At most `burst` at once and `per_second` on average, for each key.

    A key costs one float. Beyond `most` keys the one that was used longest ago is forgotten, which favours it.
    """

    def __init__(self, per_second: float, burst: int, most: int = KEYS_MOST) -> None:
        self._interval = 1 / per_second
        self._tolerance = self._interval * max(burst, 1)
        self._most = most
        self._arrivals: OrderedDict[Hashable, float] = OrderedDict()

    def take(self, key: Hashable, now: float) -> float:
        """0.0 when it may happen at `now` (seconds), and counts it; else the seconds until it may."""
        arrival = max(self._arrivals.get(key, now), now) + self._interval
        wait = arrival - self._tolerance - now
        # Sums of floats may miss the bound by a rounding error, and a wait of 1e-16 s is none.
        if wait > 1e-9:  # noqa: PLR2004  (seconds)
            return wait
        self._arrivals[key] = arrival
        self._arrivals.move_to_end(key)
        if len(self._arrivals) > self._most:
            self._arrivals.popitem(last=False)
        return 0.0


class Limits:
    """The limits that a front holds by itself; those on log-ins and requests are their owners'."""

    def __init__(self, settings: LimitSettings) -> None:
        self.sockets_per_person = settings.sockets_per_person
        self.sockets_per_address = settings.sockets_per_address
        self._messages = (
            Gcra(settings.messages_per_second, settings.messages_burst) if settings.messages_per_second else None
        )

    def message(self, person: str, now: float) -> float:
        """0.0 when a person may send one more frame or message at `now`, else the seconds until then."""
        return self._messages.take(person, now) if self._messages else 0.0

    def upload(self, person: str, now: float) -> float:
        """The same for requests that bring bytes of files. Counted apart: files take nothing away from text."""
        return self._messages.take(("upload", person), now) if self._messages else 0.0


def address_key(address: str) -> str | None:
    """What an address is counted under: IPv6 by its /64. None: this machine, which is exempt, or no address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return address_key(str(parsed.ipv4_mapped))
        if not parsed.is_loopback:
            return str(ipaddress.ip_network((parsed, 64), strict=False))
    return None if parsed.is_loopback else str(parsed)
