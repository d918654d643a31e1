"""What an exception of botocore or aiohttp means to the user."""

from __future__ import annotations

from typing import Any

from dvtool.errors import AccessDenied
from dvtool.errors import ConfigError
from dvtool.errors import DvtoolError
from dvtool.errors import StorageError
from dvtool.remote.drivers.s3.options import S3Options
from dvtool.remote.failures import OVERLOADED
from dvtool.remote.failures import TransientError
from dvtool.remote.failures import one_line
from dvtool.remote.failures import retry_after
from dvtool.remote.redact import redact

_CREDENTIALS = frozenset(
    {
        "NoCredentialsError",
        "PartialCredentialsError",
        "CredentialRetrievalError",
        "NoAuthTokenError",
        "TokenRetrievalError",
        "MetadataRetrievalError",
        "SSOError",
        "SSOTokenLoadError",
        "UnauthorizedSSOTokenError",
        "LoginError",
        "LoginRefreshRequired",
        "LoginTokenLoadError",
        "LoginInsufficientPermissions",
        "RefreshWithMFAUnsupportedError",
    }
)
_DENIED_CODES = {
    "InvalidAccessKeyId": "the server does not know this access key",
    "SignatureDoesNotMatch": "the secret key is wrong",
    "ExpiredToken": "the session token has expired",
    "ExpiredTokenException": "the session token has expired",
    "TokenRefreshRequired": "the session token has expired",
    "InvalidToken": "the session token is wrong",
    "RequestTimeTooSkewed": "the clock of this machine is wrong",
}
_BUSY_CODES = frozenset(
    {
        "SlowDown",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",
        "RequestLimitExceeded",
    }
)
_TRANSIENT_CODES = _BUSY_CODES | frozenset(
    {
        "InternalError",
        "OperationAborted",
        "ConditionalRequestConflict",
        "BadDigest",
        "XAmzContentSHA256Mismatch",
        "IncompleteBody",
    }
)
_REGION_CODES = frozenset({"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"})


def response_code(error: BaseException) -> str:
    """The error code in an S3 server's answer; empty when the server did not answer."""
    response: dict[str, Any] = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def response_status(error: BaseException) -> int:
    """The HTTP status of that answer, else 0."""
    response: dict[str, Any] = getattr(error, "response", None) or {}
    return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) or 0)


def is_absent(error: BaseException) -> bool:
    """Whether the server says 404 for a key, or without saying for what."""
    return response_status(error) == 404 and response_code(error) != "NoSuchBucket"


def s3_failure(error: Exception, name: str, options: S3Options, doing: str) -> DvtoolError:
    """The `dvtool.errors` form of *error*, met while *doing* something on remote *name*."""
    if isinstance(error, DvtoolError):
        return error
    if getattr(error, "response", None):
        return _answered(error, name, options, doing)
    return _unanswered(error, name, options, doing)


def no_bucket(name: str, options: S3Options) -> StorageError:
    """The bucket itself is not there: that is never an empty remote."""
    return StorageError(
        f"remote {name}: bucket {options.bucket} does not exist on {options.host}",
        hint=f"create it, or check `dvtool config remote.{name}.url`",
    )


def _answered(error: Exception, name: str, options: S3Options, doing: str) -> DvtoolError:
    code, status = response_code(error), response_status(error)
    said = _said(error, code, status)
    if code == "NoSuchBucket":
        return no_bucket(name, options)
    if code in _DENIED_CODES or status in (401, 403) or code == "AccessDenied":
        reason = _DENIED_CODES.get(code, f"no permission ({said})")
        return AccessDenied(
            f"remote {name}: cannot {doing} on {options.host}: {reason}",
            hint=f"tried {_identity(options)}; {options.service.keys_help.format(name=name)}",
        )
    if code in _TRANSIENT_CODES or status in OVERLOADED or (status >= 500 and status != 501):
        return TransientError(
            f"remote {name}: cannot {doing} on {options.host}: {said}",
            hint="the server is overloaded or in trouble: run the same command again later",
            retry_after=retry_after(_headers(error)),
            overloaded=code in _BUSY_CODES or status in OVERLOADED,
        )
    if code in _REGION_CODES:
        return StorageError(
            f"remote {name}: bucket {options.bucket} is in another region: {said}",
            hint=f"`dvtool config remote.{name}.region REGION`",
        )
    return StorageError(
        f"remote {name}: cannot {doing} on {options.host}: {said}",
        hint=f"check that `dvtool config remote.{name}.{options.service.endpoint_key}` is the address of an S3 server",
    )


def _unanswered(error: Exception, name: str, options: S3Options, doing: str) -> DvtoolError:
    kind = type(error).__name__
    if kind in _CREDENTIALS:
        return AccessDenied(
            f"remote {name}: no usable credentials for {options.host}: {redact(str(error))}",
            hint=f"tried {_identity(options)}; {options.service.keys_help.format(name=name)}",
        )
    if kind in ("ProfileNotFound", "ConfigNotFound", "ConfigParseError"):
        return ConfigError(
            f"remote {name}: {redact(str(error))}", hint=f"check ~/.aws and `dvtool config remote.{name}.profile`"
        )
    if kind in ("ParamValidationError", "InvalidRegionError", "InvalidDNSNameError", "NoRegionError", "ValueError"):
        return ConfigError(
            f"remote {name}: {redact(one_line(error))}",
            hint=f"check `dvtool config remote.{name}.url` and its region",
        )
    if "SSL" in kind or "Certificate" in kind or "CERTIFICATE_VERIFY_FAILED" in str(error):
        return StorageError(
            f"remote {name}: TLS with {options.host} failed: {redact(one_line(error))}",
            hint=f"for a private authority: `dvtool config --local remote.{name}.ssl_verify /path/to/ca.pem`",
        )
    if isinstance(error, MemoryError):
        raise error
    return TransientError(
        f"remote {name}: cannot {doing}: {_connection_trouble(error, options)}",
        hint=f"check the network and `dvtool config remote.{name}.{options.service.endpoint_key}`",
        unreachable=_never_connected(error),
        overloaded=_is_timeout(error) and not _never_connected(error),
    )


def _never_connected(error: Exception) -> bool:
    return type(error).__name__ in ("EndpointConnectionError", "ConnectTimeoutError", "ProxyConnectionError")


def _is_timeout(error: Exception) -> bool:
    return isinstance(error, TimeoutError) or "Timeout" in type(error).__name__


def _connection_trouble(error: Exception, options: S3Options) -> str:
    text = redact(one_line(error))
    if _is_timeout(error):
        return f"{options.host} does not answer in time"
    cause = error.__context__
    if (cause is not None and "DNS" in type(cause).__name__) or "Name or service not known" in text:
        return f"the name of {options.host} cannot be resolved"
    if _never_connected(error):
        return f"{options.host} cannot be reached"
    return f"the connection to {options.host} broke ({type(error).__name__}: {text})"


def _identity(options: S3Options) -> str:
    if options.anonymous:
        return "no credentials (allow_anonymous_login)"
    if options.access_key:
        return f"access key {options.access_key[:4]}***"
    if options.profile:
        return f"profile {options.profile}"
    return "the environment, ~/.aws and the machine's role"


def _said(error: Exception, code: str, status: int) -> str:
    response: dict[str, Any] = getattr(error, "response", None) or {}
    message = str(response.get("Error", {}).get("Message", "")).strip().rstrip(".")
    return redact(" ".join(part for part in (str(status or ""), code if code != str(status) else "", message) if part))


def _headers(error: Exception) -> dict[str, str]:
    response: dict[str, Any] = getattr(error, "response", None) or {}
    headers: dict[str, str] = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return headers
