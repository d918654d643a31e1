from __future__ import annotations

import pytest

from dvtool.errors import AccessDenied
from dvtool.errors import ConfigError
from dvtool.errors import StorageError
from dvtool.errors import UnsafeInput
from dvtool.remote.address import Address
from dvtool.remote.drivers.azure.failures import azure_failure
from dvtool.remote.drivers.azure.options import AzureOptions
from dvtool.remote.drivers.azure.options import parse_azure
from dvtool.remote.failures import TransientError

STRING = "DefaultEndpointsProtocol=https;AccountName=fromvars;AccountKey=a2V5;EndpointSuffix=core.windows.net"


def parsed(url: str, settings: dict[str, str] | None = None, environ: dict[str, str] | None = None) -> AzureOptions:
    return parse_azure(Address("origin", url, settings or {}, b"/", environ or {}))


@pytest.mark.parametrize("scheme", ["azure", "az", "abfs", "abfss"])
def test_account_and_path(scheme: str) -> None:
    options = parsed(f"{scheme}://cont/some//path/", {"account_name": "acc"})
    assert (options.container, options.prefix) == ("cont", "some/path/")
    assert options.account_url == "https://acc.blob.core.windows.net"
    assert options.shown == "azure://cont/some/path"


def test_the_url_can_name_the_account() -> None:
    options = parsed("abfss://cont@acc.dfs.core.chinacloudapi.cn/path")
    assert (options.account, options.account_url) == ("acc", "https://acc.blob.core.chinacloudapi.cn")


@pytest.mark.parametrize(
    ("settings", "environ", "used"),
    [
        ({"account_name": "acc", "account_key": "k"}, {"AZURE_STORAGE_CONNECTION_STRING": STRING}, "account_key"),
        ({"account_name": "acc", "sas_token": "s"}, {"AZURE_STORAGE_KEY": "k"}, "sas_token"),
        ({"account_name": "fromvars"}, {"AZURE_STORAGE_CONNECTION_STRING": STRING}, "connection_string"),
        ({}, {"AZURE_STORAGE_CONNECTION_STRING": STRING}, "connection_string"),
        ({"account_name": "acc"}, {"AZURE_STORAGE_CONNECTION_STRING": STRING}, ""),
        ({"account_name": "acc"}, {"AZURE_STORAGE_KEY": "k"}, "account_key"),
        ({}, {"AZURE_STORAGE_ACCOUNT": "acc", "AZURE_STORAGE_SAS_TOKEN": "s"}, "sas_token"),
        ({"account_name": "acc", "account_key": "k", "allow_anonymous_login": "true"}, {}, ""),
    ],
)
def test_one_credential_counts(settings: dict[str, str], environ: dict[str, str], used: str) -> None:
    options = parsed("azure://cont", settings, environ)
    kinds = ("connection_string", "account_key", "sas_token", "client_secret")
    assert [kind for kind in kinds if getattr(options, kind)] == ([used] if used else [])


@pytest.mark.parametrize(
    ("url", "settings"),
    [
        ("azure://", {"account_name": "acc"}),
        ("azure://UPPER/x", {"account_name": "acc"}),
        ("azure://cont/../x", {"account_name": "acc"}),
        ("azure://cont/x?versionid=1", {"account_name": "acc"}),
        ("azure://cont@evil.example/x", {}),
        ("azure://cont/x", {}),
        ("azure://cont/x", {"account_name": "evil.example/"}),
        ("azure://cont/x", {"account_name": "acc", "client_secret": "s"}),
        ("azure://cont/x", {"connection_string": "AccountKey=abc"}),
    ],
)
def test_what_makes_no_sense(url: str, settings: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        parsed(url, settings)


def test_no_password_in_the_url() -> None:
    with pytest.raises(UnsafeInput):
        parsed("azure://user:secret@cont/x", {"account_name": "acc"})


class CredentialUnavailableError(Exception):
    """Called like the SDK's."""


class Answered(Exception):
    """An answer of the service, as the SDK raises it."""

    def __init__(self, status: int, code: str = "") -> None:
        super().__init__("Words.\nRequestId:1")
        self.status_code = status
        self.error_code = code


@pytest.mark.parametrize(
    ("error", "expected", "words"),
    [
        (Answered(403, "AuthorizationPermissionMismatch"), AccessDenied, "lack the right"),
        (Answered(401), AccessDenied, "401 Words."),
        (CredentialUnavailableError("no az"), AccessDenied, "no az"),
        (Answered(404, "ContainerNotFound"), StorageError, "container cont does not exist"),
        (Answered(503, "ServerBusy"), TransientError, "503 ServerBusy"),
        (Answered(400, "InvalidUri"), StorageError, "400 InvalidUri"),
        (TimeoutError(), TransientError, "in time"),
    ],
)
def test_failures(error: Exception, expected: type[Exception], words: str) -> None:
    options = parsed("azure://cont/x", {"account_name": "acc", "account_key": "very-secret"})
    failure = azure_failure(error, options, "list")
    assert isinstance(failure, expected)
    assert words in failure.message
    assert "RequestId" not in failure.message
    if expected is AccessDenied:
        assert failure.hint is not None
        assert failure.hint.startswith("tried account_key ***")
