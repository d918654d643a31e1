"""Signing in to a remote in the browser: Google Drive."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dvtool.errors import UsageError
from dvtool.errors import storage_error
from dvtool.project.config import Level
from dvtool.project.edit import set_setting
from dvtool.project.open import Project
from dvtool.project.parts import address_of
from dvtool.remote.table import scheme_of

if TYPE_CHECKING:
    from dvtool.remote.drivers.gdrive.signin import SignIn

__all__ = ["remote_sign_in", "remote_signed_in"]

_CLIENT_ID = "gdrive_client_id"
_MOST_BYTES = 1 << 16


def remote_sign_in(project: Project, name: str | None = None, client_file: bytes | None = None) -> SignIn:
    """An attempt to sign in to a remote (None: the default one): a context manager with the page to open.

    *client_file*: the JSON file of the user's OAuth client, where it is not configured. Nothing is contacted before
    `remote_signed_in`. Raises `UsageError` where there is nothing to sign in to, `ConfigError`, `StorageError`.
    """
    address = address_of(project, name)
    if scheme_of(address.name, address.url) != "gdrive":
        raise UsageError(
            f"remote {address.name}: only Google Drive asks for a sign-in in the browser",
            hint="docs/how-to/credentials.md says where each kind of remote finds its credentials",
        )
    from dvtool.remote.drivers.gdrive.signin import SignIn
    from dvtool.remote.drivers.gdrive.signin import read_client

    if client_file is None:
        return SignIn(address)
    path = os.path.join(project.environment.cwd, client_file)
    try:
        with open(path, "rb") as file:
            return SignIn(address, read_client(file.read(_MOST_BYTES), os.fsdecode(path)))
    except OSError as error:
        raise storage_error(error, "read", path) from error


def remote_signed_in(project: Project, attempt: SignIn, answer: str) -> str:
    """Finish *attempt* with the address that the browser was sent to; the file in which the sign-in is kept."""
    path = attempt.finish(answer)
    configured = address_of(project, attempt.remote).settings.get(_CLIENT_ID)
    if configured != attempt.client_id:
        set_setting(project.layout, Level.LOCAL, f"remote.{attempt.remote}.{_CLIENT_ID}", attempt.client_id)
    return path
