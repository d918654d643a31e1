"""What an exception of Azure's SDK means to the user."""

from __future__ import annotations

import asyncio

from dvtool.errors import AccessDenied
from dvtool.errors import ConfigError
from dvtool.errors import DvtoolError
from dvtool.errors import StorageError
from dvtool.remote.drivers.azure.options import AzureOptions
from dvtool.remote.failures import OVERLOADED
from dvtool.remote.failures import TransientError
from dvtool.remote.failures import one_line
from dvtool.remote.failures import retry_after
from dvtool.remote.fsspec_failures import fsspec_failure
from dvtool.remote.fsspec_failures import http_status
from dvtool.remote.redact import redact

_NO_CONTAINER = frozenset({"ContainerNotFound", "ContainerBeingDeleted", "ContainerDisabled"})
_DENIED = {
    "AuthenticationFailed": "the server refuses the key, the token or this machine's clock",
    "AuthorizationFailure": "this network or these credentials may not",
    "AuthorizationPermissionMismatch": "these credentials lack the right",
    "InsufficientAccountPermissions": "these credentials lack the right",
    "NoAuthenticationInformation": "it takes no requests without credentials",
    "PublicAccessNotPermitted": "it takes no requests without credentials",
    "AccountIsDisabled": "the storage account is disabled",
}
_NO_CREDENTIALS = ("CredentialUnavailableError", "ClientAuthenticationError")


def azure_code(error: BaseException) -> str:
    """The code in the service's answer ("BlobNotFound"); empty when it did not say one."""
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code) or "")


def is_absent(error: BaseException) -> bool:
    """Whether the server says that a blob, and not its container, is not there."""
    return http_status(error) == 404 and azure_code(error) not in _NO_CONTAINER


def azure_failure(error: Exception, options: AzureOptions, doing: str) -> DvtoolError:
    """The `dvtool.errors` form of *error*, met while *doing* something."""
    if isinstance(error, DvtoolError):
        return error
    status, code = http_status(error), azure_code(error)
    name, host = options.place.name, options.place.host
    about = f"remote {name}: cannot {doing} on {host}"
    if code in _NO_CONTAINER:
        return no_container(options)
    if status in (401, 403) or (status == 409 and code in _DENIED) or type(error).__name__ in _NO_CREDENTIALS:
        why = f"{status} {code}: {_DENIED[code]}" if code in _DENIED else _said(error, status, code)
        return AccessDenied(f"{about}: {why}", hint=f"tried {options.place.tried}; {_advice(options)}")
    if status in OVERLOADED or status >= 500:
        headers = getattr(getattr(error, "response", None), "headers", None) or {}
        return TransientError(
            f"{about}: {_said(error, status, code)}",
            hint="the server is overloaded or in trouble: run the same command again later",
            retry_after=retry_after(headers),
            overloaded=status in OVERLOADED,
        )
    if status:
        return StorageError(
            f"{about}: {_said(error, status, code)}",
            hint=f"check `dvtool config remote.{name}.url` and account_name",
        )
    if isinstance(error, ValueError):
        return ConfigError(
            f"remote {name}: {redact(one_line(error))}", hint=f"tried {options.place.tried}; {_advice(options)}"
        )
    if isinstance(error, (asyncio.TimeoutError, TimeoutError)) or "Timeout" in one_line(error):
        return TransientError(
            f"{about}: it does not answer in time",
            hint="check the network, then run the same command again",
            overloaded=True,
        )
    return fsspec_failure(error, options.place, doing)


def no_container(options: AzureOptions) -> StorageError:
    """The container itself is not there: that is never an empty remote."""
    name = options.place.name
    return StorageError(
        f"remote {name}: container {options.container} does not exist on {options.place.host}",
        hint=f"`az storage container create --name {options.container}`, or check `dvtool config remote.{name}.url`",
    )


def _said(error: Exception, status: int, code: str) -> str:
    first = str(error).strip().split("\n", maxsplit=1)[0]
    return redact(" ".join(part for part in (str(status or ""), code, first[:200]) if part))


def _advice(options: AzureOptions) -> str:
    return f"`az login`, or `dvtool remote modify --local {options.place.name} account_key ...`"
