"""Files and directories on servers, and on this disk, that a URL names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from contextlib import closing
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import replace

from dvtool.disk.beneath import open_root
from dvtool.disk.durable import discard
from dvtool.disk.durable import part_name
from dvtool.disk.space import require_space
from dvtool.errors import AccessDenied
from dvtool.errors import ConfigError
from dvtool.errors import DvtoolError
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.errors import UnsafeInput
from dvtool.errors import UsageError
from dvtool.errors import storage_error
from dvtool.formats.settings import carries_secret
from dvtool.model.paths import is_below
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
from dvtool.project.parts import open_seen
from dvtool.project.place import host_of
from dvtool.project.reach import require_source
from dvtool.project.urldirectory import UrlDirectory
from dvtool.project.urldirectory import changed_meanwhile
from dvtool.project.urldirectory import name_of
from dvtool.project.urldirectory import tag_of
from dvtool.remote.address import Address
from dvtool.remote.redact import redact
from dvtool.state.aliases import Aliases
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
        """What tells this version from others; never empty."""
        return tag_of(self.item)

    @property
    def name(self) -> bytes:
        """What it is called."""
        return name_of(self.url)

    @property
    def size(self) -> int:
        return self.item.size

    def bring(self, cache: Cache, aliases: Aliases, jobs: int, reporter: Reporter) -> tuple[Entry, int]:  # noqa: ARG002
        """Bring it into *cache*: what its bytes are is known then, and how many came. Raises `StorageError`."""
        return _bring_file(self, cache, reporter), self.item.size


@dataclass(frozen=True, slots=True)
class Looking:
    """``jobs``: requests at once; 0 is what the settings say. ``now``: Unix seconds by the caller's clock.
    ``stated_by``: the file that states the URL, where it is not the user who does."""

    jobs: int = 0
    now: float = 0.0
    stated_by: str = ""


@contextmanager
def open_url(
    url: str, environment: Environment, project: Project | None, reporter: Reporter, how: Looking
) -> Iterator[UrlFile | UrlDirectory]:
    """What is at *url*; ``remote://NAME/path`` lies below a configured remote. With ``/`` at the end it is a directory,
    without one a file if there is such.

    Raises `UsageError` where there is none, `UnsafeInput`, `StorageError`, `AccessDenied`, `ConfigError`.
    """
    address = _address(url, environment, project, how.stated_by)
    if how.jobs:
        address = replace(address, settings={**address.settings, "jobs": str(how.jobs)})
    reporter.begin(f"looking at {redact(url)}")
    with ExitStack() as stack:
        try:
            found = _look(url, address, project, how, stack)
        except (ConfigError, UnsafeInput) as error:
            if not how.stated_by:
                raise
            raise UnsafeInput(f"{how.stated_by}: {error.message}", path=how.stated_by, hint=error.hint) from error
        finally:
            reporter.end()
        if found is None:
            raise MissingData(f"{redact(url)} is not there", path=url, hint="check the spelling")
        yield found


def _look(
    url: str, address: Address, project: Project | None, how: Looking, stack: ExitStack
) -> UrlFile | UrlDirectory | None:
    from dvtool.remote.aturl import is_local
    from dvtool.remote.aturl import local_path
    from dvtool.remote.aturl import open_directory
    from dvtool.remote.aturl import open_file
    from dvtool.remote.failures import TransientError

    no_file: DvtoolError | None = None
    if not url.endswith("/"):
        try:
            remote, key = open_file(address)
            stack.enter_context(closing(remote))
            item = remote.stat(key)
        except (AccessDenied, TransientError, UnsafeInput):
            raise
        except (UsageError, ConfigError, StorageError) as error:
            if how.stated_by:
                raise
            no_file = error
        else:
            if item is not None:
                return UrlFile(url, remote, key, item)
            if how.stated_by or not remote.capabilities.listing:
                return None
    if is_local(address) and not os.path.isdir(local_path(address)):
        if no_file is not None:
            raise no_file
        return None
    try:
        _refuse_around(url, address, project)
        remote = open_directory(address)
        stack.enter_context(closing(remote))
        found = UrlDirectory.look(url.rstrip("/") + "/", remote, how.now)
    except UsageError as error:
        raise no_file or error from None
    except StorageError as error:
        if type(error) is StorageError and not url.startswith(REMOTE):
            raise StorageError(error.message, path=error.path, hint="check the spelling of the URL") from error
        raise
    if found is None and no_file is not None:
        raise no_file
    return found


def _refuse_around(url: str, address: Address, project: Project | None) -> None:
    """Raise `UsageError` for a directory of this disk that holds the project: there would be no end of it."""
    from dvtool.remote.aturl import is_local
    from dvtool.remote.aturl import local_path

    if project is not None and is_local(address):
        folder = local_path(address)
        if is_below(project.root, folder):
            raise UsageError(f"{url} holds this project", hint="name a directory in it, or beside it")


def check_committable(url: str) -> None:
    """Raise `UnsafeInput` for a URL with a password or a signature: it would stand in the pointer."""
    from dvtool.formats.config import Key

    if carries_secret(Key("remote", "x", "url"), url):
        raise UnsafeInput(
            f"{redact(url)}: what is secret in this URL would be committed with the pointer",
            hint="leave it out: ~/.netrc, the keyring and the cloud's own logins are read (docs/how-to/credentials.md)",
        )


def _bring_file(found: UrlFile, cache: Cache, reporter: Reporter) -> Entry:
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
            if again is None or tag_of(again) != found.etag:
                raise changed_meanwhile(found.url)
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
    with open_url(origin.url, project.environment, project, reporter, Looking(stated_by=where)) as found:
        if origin.etag and found.etag != origin.etag:
            raise MissingData(
                f"{redact(origin.url)} has another version now than {where} states",
                path=where,
                hint="`dvtool update` takes the new one; who has the old one can `dvtool push` it",
            )
        with open_seen(project) as aliases:
            entry, _ = found.bring(cache, aliases, 0, reporter)
    if entry.digest != origin.digest:
        raise IntegrityError(
            f"{redact(origin.url)} gives {entry.digest}, and {where} states {origin.digest}", path=where
        )


def _address(url: str, environment: Environment, project: Project | None, stated_by: str) -> Address:
    base = environment.cwd if project is None or not stated_by else project.root
    if not url.startswith(REMOTE):
        if stated_by and project is not None:
            require_source(project, url, stated_by)
        name = host_of(url) or show(os.path.basename(os.fsencode(url.rstrip("/")))) or "url"
        return Address(name, url, {}, base, environment.environ, outside_only=bool(stated_by))
    if project is None:
        raise UsageError(f"{url}: there is no project here whose remotes could be meant")
    name, _, path = url[len(REMOTE) :].partition("/")
    address = address_of(project, name)
    parts = path.removesuffix("/").split("/")
    if not path or "::" in path or any(part in ("", ".", "..") for part in parts):
        raise UsageError(f"{url} names no file or directory below the remote {name}")
    return replace(address, url=f"{address.url.rstrip('/')}/{path}")
