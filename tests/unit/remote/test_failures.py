from __future__ import annotations

import errno
import os
from typing import Any

import pytest

from dvtool.errors import AccessDenied
from dvtool.errors import ConfigError
from dvtool.errors import DvtoolError
from dvtool.errors import StorageError
from dvtool.remote.drivers.s3.failures import s3_failure
from dvtool.remote.drivers.s3.options import S3Options
from dvtool.remote.failures import TransientError
from dvtool.remote.failures import file_failure
from dvtool.remote.fsspec_failures import Place
from dvtool.remote.fsspec_failures import fsspec_failure

OPTIONS = S3Options(
    bucket="bucket", prefix="", endpoint="https://s3.example.org", access_key="AKIA1234", secret_key="hush"
)


def answer(status: int, code: str, message: str = "", **headers: str) -> Exception:
    from botocore.exceptions import ClientError

    response: dict[str, Any] = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers},
    }
    error: Exception = ClientError(response, "GetObject")
    return error


@pytest.mark.parametrize(
    ("number", "kind", "transient"),
    [
        (errno.EACCES, AccessDenied, False),
        (errno.EPERM, AccessDenied, False),
        (errno.EROFS, StorageError, False),
        (errno.ENOSPC, StorageError, False),
        (errno.EIO, StorageError, False),
        (errno.ESTALE, StorageError, True),
        (errno.ETIMEDOUT, StorageError, True),
    ],
)
def test_failures_of_a_directory(number: int, kind: type[DvtoolError], transient: bool) -> None:
    failure = file_failure(OSError(number, os.strerror(number)), "nas", "write", b"/mnt/nas/k")
    assert isinstance(failure, kind)
    assert isinstance(failure, TransientError) == transient
    assert "remote nas" in failure.message
    assert "/mnt/nas/k" in failure.message


@pytest.mark.parametrize(
    ("status", "code", "kind", "transient", "says"),
    [
        (404, "NoSuchBucket", StorageError, False, "bucket bucket does not exist"),
        (403, "AccessDenied", AccessDenied, False, "no permission"),
        (403, "InvalidAccessKeyId", AccessDenied, False, "does not know this access key"),
        (403, "SignatureDoesNotMatch", AccessDenied, False, "secret key is wrong"),
        (400, "ExpiredToken", AccessDenied, False, "expired"),
        (401, "401", AccessDenied, False, "no permission"),
        (403, "RequestTimeTooSkewed", AccessDenied, False, "clock"),
        (400, "RequestTimeout", StorageError, True, "RequestTimeout"),
        (429, "429", StorageError, True, "429"),
        (500, "InternalError", StorageError, True, "InternalError"),
        (503, "SlowDown", StorageError, True, "SlowDown"),
        (501, "NotImplemented", StorageError, False, "NotImplemented"),
        (400, "InvalidArgument", StorageError, False, "InvalidArgument"),
        (301, "PermanentRedirect", StorageError, False, "another region"),
        (507, "InsufficientStorage", StorageError, True, "507"),
    ],
)
def test_answers_of_an_s3_server(status: int, code: str, kind: type[DvtoolError], transient: bool, says: str) -> None:
    failure = s3_failure(answer(status, code), "origin", OPTIONS, "read k")
    assert isinstance(failure, kind)
    assert isinstance(failure, TransientError) == transient
    assert says in failure.message
    assert "origin" in failure.message
    assert failure.hint
    assert "hush" not in f"{failure.message}{failure.hint}"
    assert "AKIA1234" not in f"{failure.message}{failure.hint}"


def test_retry_after_is_taken_over() -> None:
    failure = s3_failure(answer(503, "SlowDown", **{"retry-after": "17"}), "origin", OPTIONS, "read k")
    assert isinstance(failure, TransientError)
    assert failure.retry_after == 17


def test_failures_before_any_answer() -> None:
    from botocore import exceptions

    cases: list[tuple[Exception, type[DvtoolError], str]] = [
        (exceptions.NoCredentialsError(), AccessDenied, "no usable credentials"),
        (exceptions.PartialCredentialsError(provider="env", cred_var="x"), AccessDenied, "no usable credentials"),
        (exceptions.ProfileNotFound(profile="x"), ConfigError, "profile"),
        (exceptions.ParamValidationError(report="Invalid bucket name"), ConfigError, "Invalid bucket name"),
        (exceptions.EndpointConnectionError(endpoint_url="https://x"), TransientError, "cannot be reached"),
        (exceptions.ReadTimeoutError(endpoint_url="https://x"), TransientError, "does not answer in time"),
        (exceptions.ConnectionClosedError(endpoint_url="https://x"), TransientError, "broke"),
        (exceptions.SSLError(endpoint_url="https://x", error="bad"), StorageError, "TLS"),
    ]
    for error, kind, says in cases:
        failure = s3_failure(error, "origin", OPTIONS, "read k")
        assert type(failure) is kind, error
        assert says in failure.message
        assert failure.hint


class Answered(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(f"answered {status} for https://user:hush@host/")
        self.status = status


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (PermissionError("no"), AccessDenied),
        (Answered(401), AccessDenied),
        (Answered(403), AccessDenied),
        (Answered(429), TransientError),
        (Answered(503), TransientError),
        (Answered(400), StorageError),
        (ConnectionResetError("reset"), TransientError),
        (ConnectionRefusedError("refused"), TransientError),
        (TimeoutError("late"), TransientError),
        (OSError(errno.EINVAL, "bad"), StorageError),
        (RuntimeError("odd"), StorageError),
    ],
)
def test_families_of_fsspec(error: Exception, kind: type[DvtoolError]) -> None:
    failure = fsspec_failure(error, Place("origin", "host"), "read k")
    assert type(failure) is kind
    assert "hush" not in failure.message
    assert "origin" in failure.message
