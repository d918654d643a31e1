"""What libraries log is for who sets up logging. Where nobody does, Python writes their warnings to the screen."""

from __future__ import annotations

import logging

# A line that was cut gave 24 times "socket.send() raised exception." beside the one error that says what to do.
_LIBRARIES = (
    "adlfs",
    "aiobotocore",
    "aiohttp",
    "asyncio",
    "asyncssh",
    "azure",
    "fsspec",
    "google",
    "msal",
    "smbclient",
    "smbprotocol",
)


def quiet_libraries() -> None:
    """Keep them off standard error, unless the process has set up logging: what matters comes as an exception."""
    for name in _LIBRARIES:
        logger = logging.getLogger(name)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
