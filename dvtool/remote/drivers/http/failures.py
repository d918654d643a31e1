"""What an answer of a web server means that is no success."""

from __future__ import annotations

from dvtool.errors import AccessDenied
from dvtool.errors import StorageError
from dvtool.remote.drivers.http.options import WebOptions
from dvtool.remote.failures import OVERLOADED
from dvtool.remote.failures import TransientError
from dvtool.remote.failures import retry_after
from dvtool.remote.redact import redact
from dvtool.remote.rest import Answer

ABSENT = frozenset({404, 410})
_AGAIN = frozenset({408, 423, 425, 429})
_NEVER = frozenset({501, 505, 507, 508, 511})
_MEANINGS = {
    400: "it does not understand the request",
    401: "it wants a login, or refused this one",
    403: "it forbids that",
    405: "it does not allow that here",
    407: "the proxy wants a login, or refused this one",
    409: "the directory above is not there",
    413: "the file is larger than it takes",
    501: "it cannot do that",
    507: "its disk is full",
}
_HINTS = {
    405: "is it a WebDAV server, and is this its URL?",
    407: "put the login into the URL of the proxy",
    413: "raise its limit (nginx: `client_max_body_size 0;`)",
    507: "free some space there, then run the same command again",
}


def web_failure(options: WebOptions, answer: Answer, doing: str) -> StorageError:
    """The error for *answer*, met while *doing* something ("read data/ab/...")."""
    status = answer.status
    meaning = _MEANINGS.get(status, "")
    said = f"HTTP {status}" + (f", {meaning}" if meaning else "")
    about = f"remote {options.name}: cannot {doing} on {options.place.host}: {said}"
    if status in (401, 403):
        return AccessDenied(about, hint=f"tried {options.tried}; {options.advice}")
    if status in _AGAIN or (status >= 500 and status not in _NEVER):
        return TransientError(
            about,
            hint="try again later; if it stays so, ask whoever runs that server",
            retry_after=retry_after(answer.headers),
            overloaded=status in OVERLOADED,
        )
    if 300 <= status < 400:
        target = redact(answer.headers.get("location", "somewhere else"))
        return StorageError(
            f"{about}: it redirects to {target}", hint=f"`dvtool remote modify {options.name} url ...` with that host"
        )
    return StorageError(about, hint=_HINTS.get(status, f"check `dvtool config remote.{options.name}.url`"))
