"""What a test does when a server that it needs cannot be had."""

from __future__ import annotations

import ipaddress
import os
from typing import NoReturn

import pytest

# Read at import: the hermetic world removes every DVTOOL_ variable before the first test.
REQUIRED = os.environ.get("DVTOOL_REQUIRE_SERVERS") == "1"


def unavailable(reason: str) -> NoReturn:
    """Skip the test, or fail it where ``DVTOOL_REQUIRE_SERVERS=1``."""
    if REQUIRED:
        pytest.fail(f"DVTOOL_REQUIRE_SERVERS=1, but {reason}", pytrace=False)
    pytest.skip(reason)


def is_loopback(host: str) -> bool:
    """Whether *host* (a name or an address) is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
