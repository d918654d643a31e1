"""Other repositories: opened at a commit, from a clone of our own without data, or where they stand on this disk."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace
from functools import cached_property
from types import TracebackType

from dvtool.disk.beneath import open_root
from dvtool.disk.durable import make_dirs
from dvtool.disk.durable import part_name
from dvtool.disk.durable import write_file
from dvtool.disk.lock import FileLock
from dvtool.errors import StorageError
from dvtool.errors import UsageError
from dvtool.errors import storage_error
from dvtool.git.blobs import read_file_at
from dvtool.git.clone import DEFAULT
from dvtool.git.clone import bare_repository
from dvtool.git.clone import elsewhere
from dvtool.git.clone import fetch_blobs
from dvtool.git.clone import is_repository
from dvtool.git.clone import make_clone
from dvtool.git.clone import refresh
from dvtool.git.clone import shown_url
from dvtool.git.discover import find_git
from dvtool.git.listing import blobs_at
from dvtool.git.revisions import resolve
from dvtool.git.run import GitRepo
from dvtool.model.paths import LOCK_NAME
from dvtool.model.paths import POINTER_SUFFIX
from dvtool.model.paths import check_name
from dvtool.model.paths import join
from dvtool.model.paths import show
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.project.config import load_config
from dvtool.project.environment import Environment
from dvtool.project.history import tracked_at
from dvtool.project.layout import plan_layout
from dvtool.project.layout import subdirectory_name
from dvtool.project.open import Project
from dvtool.project.open import open_project
from dvtool.project.place import Place
from dvtool.project.place import place_of
from dvtool.workspace.copying import remove_tree
from dvtool.workspace.pointers import TrackedPaths

PLAIN_BYTES = 1 << 30
"""What `Source.read` takes of a file in Git."""

_CONFIGS = (b".dvtool/config", b".dvc/config")
_READ_FIRST = (POINTER_SUFFIX, b"/" + LOCK_NAME, b".dvc", b"/dvc.lock", *(b"/" + path for path in _CONFIGS))
_FULL = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)
_OF_OTHERS = re.compile(r"DVTOOL_(CACHE_\w+|CORE_(?!SOURCES|JOBS|BANDWIDTH|DURABILITY)\w+|REMOTE_\w+_URL)", re.ASCII)
"""Variables that the user set for the project at hand, not for this one."""


@dataclass(frozen=True)
class Source:
    """Another repository at a commit. A context manager.

    ``url``: as it may be written down. ``rev``: what was asked for; None is the default branch. ``project``: the one at
    or above the path that was asked for, with the settings of that commit; of a repository without dvtool, one without
    settings. Its root is no worktree, unless ``is_local``: then it stands on this disk, with a cache that may have the
    data. ``tracked`` and `read` take paths relative to that root; `inside` makes such of what is relative to the top
    of the repository, or to the directory in it (``offset``) that the user named as the repository.
    """

    url: str
    rev: str | None
    commit: str
    project: Project
    is_local: bool
    repo: GitRepo
    offset: bytes = b""

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    @property
    def prefix(self) -> bytes:
        """The root relative to the top of the repository: empty, or ending in ``/``."""
        return self.project.layout.prefix

    @cached_property
    def tracked(self) -> TrackedPaths:
        """All tracked paths of the commit. Raises `FormatError`, `UnsafeInput`."""
        return tracked_at(self.project, self.commit)

    def read(self, path: bytes, *, limit: int = PLAIN_BYTES) -> bytes | None:
        """A file that Git has; None where it has none."""
        return read_file_at(self.repo, self.commit, self.project.layout.to_git(path), limit=limit)

    def inside(self, path: bytes) -> bytes:
        """A path as the user gives it, relative to the root."""
        path = join(self.offset, path) if path else self.offset
        return self.project.layout.from_git(path) if path and path + b"/" != self.prefix else b""


def open_source(
    url: str,
    rev: str | None,
    environment: Environment,
    *,
    path: bytes = b"",
    overrides: Mapping[str, str] | None = None,
    reporter: Reporter = SILENT,
) -> Source:
    """The repository at *url*, which the user wrote, at *rev*: a branch, a tag, a commit; None is the default branch.

    *path*: what it is opened for, relative to its top; of several projects in it, the one around that counts.
    *overrides*: settings from flags. A commit by its full name that was seen before needs no network.

    Raises `UsageError`, `UnsafeInput`, `StorageError`, `AccessDenied`.
    """
    place = place_of(url, environment)
    if place.directory:
        return _local(place, rev, environment, path, overrides or {})
    folder = source_folder(url=place.url, environment=environment)
    try:
        make_dirs(folder, 0o700)
        with FileLock(os.path.join(folder, b"lock"), waiting=environment.waiting).acquire(shared=False) as lock:
            lock.leave_note(f"reading {shown_url(place.url)}")
            repo, commit = _cloned(folder, place, rev, environment, reporter)
            return _at(folder, repo, commit, rev, place, environment, path, overrides or {}, reporter)
    except OSError as error:
        raise storage_error(error, "write", error.filename or folder) from error


def source_path(path: bytes) -> bytes:
    """A path of another repository as the user wrote it, relative to its top. Raises `UsageError`, `UnsafeInput`."""
    parts = [part for part in path.split(b"/") if part not in (b"", b".")]
    if path.startswith(b"/"):
        raise UsageError(f"{show(path)}: paths of another repository begin at its top", hint="leave the first / out")
    for part in parts:
        check_name(part, f"the path {show(path)}")
    return b"/".join(parts)


def sources_folder(environment: Environment) -> bytes:
    """Where clones of other repositories are kept: deleting it costs only time."""
    stated = os.fsencode(environment.environ.get("XDG_CACHE_HOME", ""))
    base = stated if os.path.isabs(stated) else os.path.join(environment.home, b".cache")
    return os.path.join(base, b"dvtool", b"sources")


def source_folder(url: str, environment: Environment) -> bytes:
    """The folder of one of them."""
    return os.path.join(sources_folder(environment), subdirectory_name(os.fsencode(url.rstrip("/"))))


def _cloned(
    folder: bytes, place: Place, rev: str | None, environment: Environment, reporter: Reporter
) -> tuple[GitRepo, str]:
    """The clone, which has that commit now. The lock is held."""
    directory = os.path.join(folder, b"repo.git")
    repo = bare_repository(directory, {**environment.environ, **_credentials(place, environment)}, is_own=True)
    if is_repository(directory):
        if rev is not None and _FULL.fullmatch(rev) and (known := _known(repo, rev)) is not None:
            return repo, known
        refresh(repo, place.url)
    else:
        _clone(folder, directory, place, environment, reporter)
    try:
        return repo, resolve(repo, DEFAULT if rev is None else rev)
    except UsageError as error:
        if rev is None:
            where = shown_url(place.url)
            raise UsageError(f"{where} has no commits on a default branch", hint="name a revision: --rev") from error
        raise


def _clone(folder: bytes, directory: bytes, place: Place, environment: Environment, reporter: Reporter) -> None:
    fd = open_root(folder)
    try:
        for name in os.listdir(fd):
            # What a killed command left: nobody else works here, as we hold the lock.
            if os.fsencode(name) not in (b"lock", b"at"):
                remove_tree(fd, os.fsencode(name))
    finally:
        os.close(fd)
    part = os.path.join(folder, part_name())
    os.mkdir(part, 0o700)
    repo = bare_repository(part, {**environment.environ, **_credentials(place, environment)}, is_own=True)
    reporter.begin(f"reading {shown_url(place.url)}")
    make_clone(repo, place.url)
    refresh(repo, place.url)
    reporter.end()
    os.rename(part, directory)


def _known(repo: GitRepo, commit: str) -> str | None:
    try:
        return resolve(repo, commit)
    except (UsageError, StorageError):
        return None


def _credentials(place: Place, environment: Environment) -> dict[str, str]:
    """A password in the URL reaches Git by the environment, and no file."""
    if not place.secret:
        return {}
    stated = environment.environ.get("GIT_CONFIG_COUNT", "0")
    count = int(stated) if stated.isdigit() else 0
    return {
        "GIT_CONFIG_COUNT": str(count + 1),
        f"GIT_CONFIG_KEY_{count}": f"url.{place.secret}.insteadOf",
        f"GIT_CONFIG_VALUE_{count}": place.url,
    }


def _at(
    folder: bytes,
    repo: GitRepo,
    commit: str,
    rev: str | None,
    place: Place,
    environment: Environment,
    path: bytes,
    overrides: Mapping[str, str],
    reporter: Reporter,
    *,
    is_local: bool = False,
) -> Source:
    """The project of a commit without a worktree: its settings are written to a folder that is the root."""
    top = os.path.join(folder, b"at", commit.encode("ascii"))
    marker = os.path.join(top, b".git-blobs")
    make_dirs(top, 0o700)
    if not is_local and not os.path.exists(marker):
        reporter.begin("reading pointers")
        wanted = {sha for each, sha in blobs_at(repo, commit).items() if (b"/" + each).endswith(_READ_FIRST)}
        fetch_blobs(repo, commit, wanted, place.url)
        write_file(marker, b"", durable=False)
        reporter.end()
    root = root_around(repo, commit, path)
    if root is not None:
        _write_settings(repo, commit, root, top)
    own = {"GIT_DIR": os.fsdecode(repo.git_dir), "GIT_WORK_TREE": os.fsdecode(top)}
    around = _environment(environment, {**repo.environ, **own})
    seen = GitRepo(top, repo.git_dir, repo.common_dir, around.environ)
    if root is not None:
        project = open_project(os.path.join(top, root), around, overrides)
        newest = None if is_local or project.config.remotes() else _known(repo, DEFAULT)
        if newest is not None and root_around(repo, newest, path) == root:
            # An old commit, from before there was a remote: the data may have been pushed since.
            _write_settings(repo, newest, root, top)
            project = open_project(os.path.join(top, root), around, overrides)
    else:
        layout = plan_layout(top, seen, around)
        project = Project(top, layout, load_config(layout, around, overrides), seen, around)
    return Source(place.url, rev, commit, replace(project, is_elsewhere=not is_local), is_local, seen)


def _write_settings(repo: GitRepo, commit: str, root: bytes, top: bytes) -> None:
    for name in _CONFIGS:
        text = read_file_at(repo, commit, join(root, name))
        if text is not None:
            make_dirs(os.path.dirname(os.path.join(top, root, name)), 0o700)
            write_file(os.path.join(top, root, name), text, durable=False)


def _local(
    place: Place, rev: str | None, environment: Environment, path: bytes, overrides: Mapping[str, str]
) -> Source:
    """A repository on this disk: its own cache, settings and worktree count; what is not committed does not."""
    around = _environment(environment, elsewhere(environment.environ))
    if not os.path.isdir(place.directory):
        raise UsageError(
            f"there is no directory {show(place.directory)}",
            path=place.directory,
            hint="was it moved, or is it not mounted? A URL names a repository elsewhere",
        )
    repo = find_git(place.directory, around.environ)
    offset = b""
    if repo is None:
        if not is_repository(place.directory):
            raise UsageError(f"{show(place.directory)} is no Git repository", path=place.directory)
        # Asked in its own folder, Git refuses what belongs to another user.
        commit = _resolved(bare_repository(place.directory, environment.environ, is_own=False), rev, place)
        repo = bare_repository(place.directory, environment.environ, is_own=True)
    else:
        offset = os.path.realpath(place.directory)[len(repo.worktree) + 1 :]
        path = join(offset, path) if path else offset
        commit = _resolved(repo, rev, place)
    root = root_around(repo, commit, path)
    full = os.path.join(repo.worktree, root or b"").rstrip(b"/")
    if root is not None and any(os.path.lexists(os.path.join(full, name)) for name in _CONFIGS):
        return Source(place.url, rev, commit, open_project(full, around, overrides), True, repo, offset)
    folder = source_folder(os.fsdecode(repo.common_dir), environment)
    found = _at(folder, repo, commit, rev, place, environment, path, overrides, SILENT, is_local=True)
    return replace(found, offset=offset)


def _resolved(repo: GitRepo, rev: str | None, place: Place) -> str:
    try:
        return resolve(repo, rev or "HEAD")
    except UsageError as error:
        if rev is None:
            raise UsageError(f"{show(place.directory)} has no commits", path=place.directory) from error
        raise


def root_around(repo: GitRepo, commit: str, path: bytes) -> bytes | None:
    """The project at or above a path of a commit, relative to the top; None where no project begins there."""
    folders = [b""]
    for part in path.split(b"/") if path else ():
        folders.append(join(folders[-1], part))
    for folder in reversed(folders):
        if any(join(folder, name) in blobs_at(repo, commit, join(folder, name)) for name in _CONFIGS):
            return folder
    return None


def _environment(environment: Environment, environ: Mapping[str, str]) -> Environment:
    kept = {name: value for name, value in environ.items() if not _OF_OTHERS.fullmatch(name)}
    return replace(environment, environ=kept)
