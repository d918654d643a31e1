"""The settings of a Google Drive remote, read once and checked."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from dataclasses import field

from dvtool.errors import ConfigError
from dvtool.remote.address import Address
from dvtool.remote.address import SettingsReader
from dvtool.remote.network import Network
from dvtool.remote.network import network_of
from dvtool.remote.redact import redact

API = "https://www.googleapis.com"
AUTH_PAGE = "https://accounts.google.com/o/oauth2/v2/auth"
TOKENS = "https://oauth2.googleapis.com/token"
SCOPE = "https://www.googleapis.com/auth/drive"

_FOLDER_ID = re.compile(r"[A-Za-z0-9_-]{3,128}", re.ASCII)
_NAME = re.compile(r"[^\x00-\x1f\x7f'\\/?#]{1,200}")


@dataclass(frozen=True, slots=True)
class DriveOptions:
    """Where the folder is and whose credentials open it. ``path``: names of folders below it."""

    folder: str
    path: tuple[str, ...]
    api: str
    network: Network
    read_seconds: float
    use_service_account: bool
    service_account_file: str | None
    acts_for: str | None
    client_id: str | None
    client_secret: str | None = field(repr=False)
    token_file: str | None
    trash_only: bool
    acknowledge_abuse: bool

    @property
    def url(self) -> str:
        return "/".join(("gdrive:/", self.folder, *self.path))

    @property
    def host(self) -> str:
        return "Google Drive" if self.api == API else redact(self.api)


def parse_drive(address: Address) -> DriveOptions:
    """Check URL and settings; raises `ConfigError`, `UnsafeInput`."""
    name = address.name
    folder, path = _folder_and_path(address)
    read = SettingsReader(address)
    api = (read.endpoint("gdrive_endpointurl") or API).rstrip("/")
    client_id, client_secret = read.text("gdrive_client_id"), read.text("gdrive_client_secret")
    if client_secret is not None and client_id is None:
        raise ConfigError(
            f"remote {name}: gdrive_client_secret without gdrive_client_id",
            hint=f"`dvtool remote modify {name} gdrive_client_id ...`",
        )
    return DriveOptions(
        folder=folder,
        path=path,
        api=api,
        network=network_of(address, api),
        read_seconds=read.seconds("read_timeout", 60.0),
        use_service_account=read.flag("gdrive_use_service_account", default=False),
        service_account_file=read.path("gdrive_service_account_json_file_path"),
        acts_for=read.text("gdrive_service_account_user_email"),
        client_id=client_id,
        client_secret=client_secret,
        token_file=read.path("gdrive_user_credentials_file") or token_file_of(address, client_id),
        trash_only=read.flag("gdrive_trash_only", default=False),
        acknowledge_abuse=read.flag("gdrive_acknowledge_abuse", default=False),
    )


def _folder_and_path(address: Address) -> tuple[str, tuple[str, ...]]:
    folder, *rest = address.rest.split("/")
    path = tuple(part for part in rest if part)
    if not _FOLDER_ID.fullmatch(folder) or not all(_NAME.fullmatch(part) and part not in (".", "..") for part in path):
        raise ConfigError(
            f"remote {address.name}: {redact(address.url)} is not gdrive://FOLDER_ID/PATH",
            hint="FOLDER_ID is the last part of the folder's address in the browser: drive.google.com/.../folders/...",
        )
    return folder, path


def token_file_of(address: Address, client_id: str | None) -> str | None:
    """Where the sign-in with that client is kept: below the user's own configuration."""
    if client_id is None:
        return None
    stated = address.environ.get("XDG_CONFIG_HOME", "")
    home = address.environ.get("HOME")
    if not os.path.isabs(stated):
        if not home:
            return None
        stated = os.path.join(home, ".config")
    readable = re.sub(r"[^A-Za-z0-9.-]", "-", client_id)[:80]
    return os.path.join(stated, "dvtool", "gdrive", f"{readable}.json")
