"""Whose tries are counted together, by network address."""

import ipaddress
import socket
from typing import Final

_NETWORK_V6: Final = 64


def subject_of(address: str) -> str:
    """The address, or for IPv6 the /64 that a household has. "" for this machine and for no address: not counted."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(parsed, ipaddress.IPv6Address):
        parsed = parsed.ipv4_mapped or parsed
    if parsed.is_loopback or _ours(str(parsed), parsed.version):
        return ""
    if parsed.version == 4:  # noqa: PLR2004  (IPv4)
        return str(parsed)
    return str(ipaddress.ip_network((parsed, _NETWORK_V6), strict=False))


def _ours(address: str, version: int) -> bool:
    """Whether an interface of this machine has the address: only then can a socket be bound to it."""
    family = socket.AF_INET if version == 4 else socket.AF_INET6  # noqa: PLR2004  (IPv4)
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True
