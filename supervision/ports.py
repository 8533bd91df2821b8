"""Ports of 127.0.0.1 for somebody who will listen there soon."""

import contextlib
import random
import socket
from collections.abc import Collection
from pathlib import Path
from typing import Final

_BY_ITSELF: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
_FIRST: Final = 12_000
_TRIES: Final = 50


def bind(wanted: int = 0, without: Collection[int] = ()) -> socket.socket | None:
    """A socket that holds that port and does not listen; another port where that is taken, any for 0.

    None when none is free. Others are those that the kernel gives to nobody by itself. Of the rest any socket that is
    opened before somebody listens could get it, and whoever tries again and again to connect to it meanwhile would once
    meet itself. Two may hold the same one as long as neither listens: whoever needs several says which it has.
    """
    for port in (*([wanted] if wanted else []), *_unassigned(), 0):
        one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        # As those who listen later: what lingers in TIME_WAIT of an earlier one's connections is no obstacle.
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            one.bind(("127.0.0.1", port))
            if one.getsockname()[1] not in without:
                return one
        one.close()
    return None


def _unassigned() -> list[int]:
    last = int(_BY_ITSELF.read_text().split()[0]) if _BY_ITSELF.exists() else _FIRST
    # Not in turn: several that look at the same time would find the same.
    return random.sample(range(_FIRST, last), k=min(_TRIES, max(last - _FIRST, 0)))
