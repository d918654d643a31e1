"""Which addresses are nobody's business but this machine's and its network's."""

from __future__ import annotations

import ipaddress
import socket
from contextlib import suppress


def is_inside(host: str) -> bool:
    """Whether a name or address leads to this machine or into a private network, as far as can be told from here.

    A name that is not known here leads nowhere.
    """
    with suppress(ValueError):
        return _is_inside(host.strip("[]"))
    if host.lower().rstrip(".").endswith(("localhost", ".local", ".internal")):
        return True
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return any(_is_inside(str(address[4][0])) for address in found)


def _is_inside(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return not address.is_global or address.is_multicast
