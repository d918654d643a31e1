"""What an answer of Google Drive means to the user."""

from __future__ import annotations

from typing import Any

from dvtool.errors import AccessDenied
from dvtool.errors import StorageError
from dvtool.remote.failures import TransientError
from dvtool.remote.redact import redact
from dvtool.remote.rest import Answer

_RATE = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "sharingRateLimitExceeded", "backendError"})
_FULL = frozenset({"storageQuotaExceeded", "quotaExceeded"})
_FULL_FOLDER = frozenset(
    {"teamDriveFileLimitExceeded", "numChildrenInNonRootLimitExceeded", "activeItemCreationLimitExceeded"}
)
_SPENT = frozenset({"dailyLimitExceeded", "downloadQuotaExceeded"})
_NOT_ENABLED = frozenset({"accessNotConfigured", "SERVICE_DISABLED"})


def reason_of(answer: Answer) -> str:
    """The machine-readable reason in an error, or an empty text."""
    error = answer.document().get("error")
    if not isinstance(error, dict):
        return ""
    for each in (*_dicts(error.get("errors")), *_dicts(error.get("details"))):
        if isinstance(each.get("reason"), str):
            return str(each["reason"])
    return ""


def drive_failure(answer: Answer, remote: str, host: str, doing: str, identity: str) -> StorageError:
    """The error for *answer*, met while *doing* something as *identity* (the credential, in words)."""
    reason, status = reason_of(answer), answer.status
    about = f"remote {remote}: cannot {doing} on {host}: "
    if reason in _RATE or status == 429:
        return TransientError(
            f"{about}too many requests ({status} {reason})".replace(" )", ")"),
            hint="Google limits requests a minute and 750 GB a day: try again later, with fewer `-j`",
            retry_after=answer.retry_after,
            overloaded=True,
        )
    if status in (408, 500, 502, 503, 504):
        return TransientError(f"{about}{_said(answer, reason)}", hint="run the same command again later")
    if reason in _FULL:
        return StorageError(
            f"{about}there is no space left ({_said(answer, reason)})",
            hint="free space in that Drive; a service account has none of its own: let it write into a shared drive",
        )
    if reason in _FULL_FOLDER:
        return StorageError(f"{about}the folder or drive is full ({_said(answer, reason)})", hint="take another folder")
    if reason in _SPENT:
        return StorageError(f"{about}a daily limit of Google is used up ({reason})", hint="try again tomorrow")
    if reason in _NOT_ENABLED:
        return AccessDenied(
            f"{about}the Drive API is not enabled for this project",
            hint=f"tried {identity}; enable the Google Drive API in the Cloud console of the project it belongs to",
        )
    if reason == "cannotDownloadAbusiveFile":
        return StorageError(
            f"{about}Google took it for malware",
            hint=f"if that is wrong: `dvtool remote modify --local {remote} gdrive_acknowledge_abuse true`",
        )
    if status in (401, 403):
        return AccessDenied(f"{about}{_said(answer, reason)}", hint=f"tried {identity}; {_access_help(reason, remote)}")
    return StorageError(f"{about}{_said(answer, reason)}", hint=f"check `dvtool config remote.{remote}.url`")


def _access_help(reason: str, remote: str) -> str:
    if reason in ("insufficientFilePermissions", "teamDriveMembershipRequired"):
        return "give it the role of an editor there (of a manager, to delete; or set gdrive_trash_only)"
    if reason in ("insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT", "insufficientScopes"):
        return f"it may not use Drive: sign in again with `dvtool remote login {remote}`"
    return f"`dvtool remote login {remote}` signs in again; for a service account, share the folder with it"


def _said(answer: Answer, reason: str) -> str:
    error = answer.document().get("error")
    message = error.get("message") if isinstance(error, dict) else None
    text = " ".join(str(message or "").split())[:300].rstrip(".")
    return redact(" ".join(part for part in (str(answer.status), reason, text) if part))


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
