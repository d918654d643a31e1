"""What smbprotocol's exceptions mean."""

from __future__ import annotations

from dvtool.errors import AccessDenied
from dvtool.errors import DvtoolError
from dvtool.errors import StorageError
from dvtool.errors import storage_error
from dvtool.remote.failures import TransientError
from dvtool.remote.failures import one_line
from dvtool.remote.redact import redact

_AGAIN = "check the network, then run the same command again"
_NAMES = {"[Errno 111]": "connection refused", "[Errno 113]": "no route to it", "[Errno -2]": "its name is not known"}
_LOGIN = frozenset(
    {
        0xC000006A,  # wrong password
        0xC000006D,  # logon failure
        0xC000006E,  # account restriction
        0xC0000070,  # workstation
        0xC0000071,  # password expired
        0xC0000072,  # account disabled
        0xC0000193,  # account expired
        0xC0000224,  # password must change
        0xC0000234,  # locked out
    }
)
_DENIED = frozenset({0xC0000022, 0xC00000CA, 0xC0000061})
_NO_SHARE = frozenset({0xC00000CC, 0xC0000225})  # the latter where a path of DFS is looked for, too
_FULL = frozenset({0xC000007F, 0xC0000044})
_PASSING = frozenset(
    {
        0xC0000043,  # sharing violation
        0xC0000056,  # delete pending
        0xC000009A,  # too few resources
        0xC00000B5,  # the server's own time-out
        0xC00000C9,  # the share went away for a moment
        0xC0000203,  # session deleted
        0xC0000205,  # too few server resources
        0xC000020C,  # disconnected
        0xC000035C,  # session expired
    }
)


def status_of(error: BaseException) -> int:
    """The NT status that an exception carries, else 0."""
    for field in ("ntstatus", "status"):
        value = getattr(error, field, None)
        if isinstance(value, int):
            return value & 0xFFFFFFFF
    return 0


def is_absent(error: BaseException) -> bool:
    """Whether it says that a path is not there. (A share that is not there has a number of its own.)"""
    return status_of(error) in {0xC000000F, 0xC0000034, 0xC000003A, 0xC0000103}


def exists(error: BaseException) -> bool:
    """Whether it says that a name is taken."""
    return status_of(error) == 0xC0000035


def is_folder(error: BaseException) -> bool:
    """Whether it says that a folder stands where a file was wanted."""
    return status_of(error) == 0xC00000BA


def is_denied(error: BaseException) -> bool:
    """Whether it says that this is not permitted, now or at all."""
    return status_of(error) in {*_DENIED, 0xC0000043}


def smb_failure(error: Exception, remote: str, server: str, doing: str, tried: str, login: str) -> Exception:
    """The `dvtool.errors` form of *error*, itself where there is none. *login*: how to set credentials."""
    from smbprotocol.exceptions import SMBAuthenticationError
    from smbprotocol.exceptions import SMBException
    from spnego.exceptions import SpnegoError

    if isinstance(error, DvtoolError):
        return error
    about = f"remote {remote}: cannot {doing} on {server}"
    said = redact(one_line(error))
    status = status_of(error)
    if status in _LOGIN or isinstance(error, (SMBAuthenticationError, SpnegoError)):
        why = "the login is refused" if status in _LOGIN else "there is no login that it takes"
        return AccessDenied(f"{about}: {why}", hint=f"tried {tried}; {login}")
    if status in _DENIED:
        return AccessDenied(f"{about}: no permission", hint=f"tried {tried}; check that user's rights on the share")
    if status in _NO_SHARE:
        return StorageError(f"{about}: there is no such share", hint=f"check `dvtool config remote.{remote}.url`")
    if status in _FULL:
        return StorageError(f"{about}: its disk is full", hint="free some space there, then run the same command again")
    if isinstance(error, ValueError) and said.startswith("Failed to connect"):
        why = next((words for number, words in _NAMES.items() if number in said), said)
        return TransientError(f"{about}: {why}", hint="check the URL, its port and the network", unreachable=True)
    if status in _PASSING or (isinstance(error, SMBException) and not status) or isinstance(error, ConnectionError):
        return TransientError(f"{about}: the connection broke: {said}", hint=_AGAIN)
    if isinstance(error, SMBException):
        return StorageError(f"{about}: {said}", hint=f"check `dvtool config remote.{remote}.url`")
    if isinstance(error, OSError):
        return storage_error(error, doing)
    return error
