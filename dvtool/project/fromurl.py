"""Single files on servers, and on this disk, that a URL names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import replace

from dvtool.disk.beneath import open_root
from dvtool.disk.durable import discard
from dvtool.disk.durable import part_name
from dvtool.disk.space import require_space
from dvtool.errors import ConfigError
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.errors import UnsafeInput
from dvtool.errors import UsageError
from dvtool.errors import storage_error
from dvtool.formats.settings import carries_secret
from dvtool.model.digest import as_digest
from dvtool.model.paths import show
from dvtool.model.pointer import Source as Origin
from dvtool.model.ports import Remote
from dvtool.model.ports import RemoteItem
from dvtool.model.ports import Reporter
from dvtool.model.tree import Entry
from dvtool.model.tree import file_entry
from dvtool.project.environment import Environment
from dvtool.project.open import Project
from dvtool.project.parts import address_of
from dvtool.project.place import host_of
from dvtool.project.reach import require_source
from dvtool.remote.address import Address
from dvtool.remote.redact import redact
from dvtool.store.cache import Cache
from dvtool.store.cachewriter import CacheWriter

REMOTE = "remote://"


@dataclass(frozen=True, slots=True)
class UrlFile:
    """A file at a URL: ``item`` is what the server says of it now."""

    url: str
    remote: Remote
    key: str
    item: RemoteItem

    @property
    def etag(self) -> str:
        """What tells this version from others: the server's entity tag, else size and time; never empty."""
        stated = self.item.etag
        if stated and not any(ord(char) < 32 or ord(char) == 127 for char in stated) and len(stated) < 500:
            return stated
        return f"{self.item.size} {self.item.modified or 0:.6f}"

    @property
    def name(self) -> bytes:
        """What it is called."""
        return os.fsencode(self.url.partition("?")[0].rpartition("/")[2])


@contextmanager
def open_url(
    url: str, environment: Environment, project: Project | None, reporter: Reporter, *, stated_by: str = ""
) -> Iterator[UrlFile]:
    """The file at *url*; ``remote://NAME/path`` lies below a configured remote. *stated_by*: the file that says so,
    where it is not the user.

    Raises `UsageError` where there is none, `UnsafeInput`, `StorageError`, `AccessDenied`, `ConfigError`.
    """
    from dvtool.remote.onefile import open_one

    address = _address(url, environment, project, stated_by)
    try:
        remote, key = open_one(address)
    except (ConfigError, UnsafeInput) as error:
        if not stated_by:
            raise
        raise UnsafeInput(f"{stated_by}: {error.message}", path=stated_by, hint=error.hint) from error
    with closing(remote):
        reporter.begin(f"looking at {redact(url)}")
        item = remote.stat(key)
        reporter.end()
        if item is None:
            raise MissingData(f"{redact(url)} is not there", path=url, hint="check the spelling")
        yield UrlFile(url, remote, key, item)


def check_committable(url: str) -> None:
    """Raise `UnsafeInput` for a URL with a password or a signature: it would stand in the pointer."""
    from dvtool.formats.config import Key

    if carries_secret(Key("remote", "x", "url"), url):
        raise UnsafeInput(
            f"{redact(url)}: what is secret in this URL would be committed with the pointer",
            hint="leave it out: ~/.netrc, the keyring and the cloud's own logins are read (docs/how-to/credentials.md)",
        )


def bring_url(found: UrlFile, cache: Cache, reporter: Reporter) -> Entry:
    """Bring the file into *cache*; what its bytes are is known then. Raises `StorageError`."""
    size = found.item.size
    with CacheWriter(cache, what=f"reading {redact(found.url)}", on_wait=reporter.note) as writer:
        require_space(cache.root, size, f"read {redact(found.url)}")
        name = part_name()
        path = os.path.join(cache.tmp, name)
        try:
            reporter.begin(f"reading {redact(found.url)}", total=size, unit="bytes")
            found.remote.get_file(found.key, path, size)
            reporter.advance(size)
            reporter.end()
            again = found.remote.stat(found.key)
            if again is None or replace(found, item=again).etag != found.etag:
                raise StorageError(f"{redact(found.url)} changed while it was read", hint="run the command again")
            folder = open_root(cache.tmp)
            try:
                if writer.is_small(size):
                    with open(path, "rb") as file:
                        oid = writer.put_small(file.read())
                else:
                    oid, _ = writer.put_file(folder, name, path)
            finally:
                os.close(folder)
        except OSError as error:
            raise storage_error(error, "read", error.filename or path) from error
        finally:
            discard(None, path)
        writer.commit()
    cache.forget()
    return file_entry(found.name, oid, size, executable=False)


def fetch_url(project: Project, cache: Cache, origin: Origin, where: str, reporter: Reporter) -> None:
    """Bring what a pointer was imported as from its URL, if that still has it. Raises as `open_url`."""
    with open_url(origin.url, project.environment, project, reporter, stated_by=where) as found:
        if origin.etag and found.etag != origin.etag:
            raise MissingData(
                f"{redact(origin.url)} has another version now than {where} states",
                path=where,
                hint="`dvtool update` takes the new one; who has the old one can `dvtool push` it",
            )
        entry = bring_url(found, cache, reporter)
    if entry.digest != origin.digest:
        raise IntegrityError(
            f"{redact(origin.url)} gives {as_digest(entry.oid)}, and {where} states {origin.digest}", path=where
        )


def _address(url: str, environment: Environment, project: Project | None, stated_by: str) -> Address:
    base = environment.cwd if project is None or not stated_by else project.root
    if not url.startswith(REMOTE):
        if stated_by and project is not None:
            require_source(project, url, stated_by)
        name = host_of(url) or show(os.path.basename(os.fsencode(url))) or "url"
        return Address(name, url, {}, base, environment.environ, outside_only=bool(stated_by))
    if project is None:
        raise UsageError(f"{url}: there is no project here whose remotes could be meant")
    name, _, path = url[len(REMOTE) :].partition("/")
    address = address_of(project, name)
    parts = path.split("/")
    if not path or "::" in path or any(part in ("", ".", "..") for part in parts):
        raise UsageError(f"{url} names no file below the remote {name}")
    return replace(address, url=f"{address.url.rstrip('/')}/{path}")
