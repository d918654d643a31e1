"""The parts of an open project: cache, worktree, remotes, put together from its settings.

Each is imported where it is opened: `status` with nothing tracked needs none of them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from dvtool.errors import ConfigError
from dvtool.errors import UsageError
from dvtool.model.digest import is_adopted
from dvtool.model.paths import LOCK_JOURNAL
from dvtool.model.paths import show
from dvtool.model.ports import SILENT
from dvtool.model.ports import Remote
from dvtool.model.ports import Reporter
from dvtool.project.config import Config
from dvtool.project.config import Level
from dvtool.project.config import RemoteSettings
from dvtool.project.config import in_words
from dvtool.project.open import Project
from dvtool.workspace.pointers import OwnFiles
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.pointers import TrackedPaths
from dvtool.workspace.pointers import find_own_files
from dvtool.workspace.pointers import load_tracked

if TYPE_CHECKING:
    from dvtool.pipeline.lockfile import LockReader
    from dvtool.project.adoptlinks import AdoptedLinks
    from dvtool.remote.address import Address
    from dvtool.state.aliases import Aliases
    from dvtool.store.cache import Cache
    from dvtool.workspace.worktree import Worktree

DEFAULT_LINKS = ("reflink", "copy")
_MOST_JOBS = 8
"""One process lists and looks while others read: it cannot keep more than so many busy."""


def is_durable(project: Project) -> bool:
    """True unless ``core.durability`` is none."""
    return project.config.text("core.durability") != "none"


def link_types(project: Project) -> tuple[str, ...]:
    """How large files are brought into the worktree, in order of preference."""
    return project.config.choices("cache.type") or DEFAULT_LINKS


def open_cache(project: Project) -> Cache:
    """The cache. Touches no file."""
    from dvtool.store.cache import Cache
    from dvtool.store.cache import Settings

    settings = Settings(
        durable=is_durable(project),
        loose_all=bool({"hardlink", "symlink"} & set(link_types(project))),
        group_shared=project.config.text("cache.shared") == "group",
    )
    return Cache(project.layout.cache_dir, settings, project.environment.waiting)


def open_worktree(project: Project, cache: Cache | None = None) -> Worktree:
    """The worktree with its memo: a context manager."""
    from dvtool.disk.space import is_network_fs
    from dvtool.state.memo import Memo
    from dvtool.workspace.ignore import IgnoreRules
    from dvtool.workspace.worktree import Worktree

    layout = project.layout
    memo = Memo(os.path.join(layout.state_dir, b"memo.sqlite"), network=is_network_fs(layout.state_dir))
    ignore = IgnoreRules.load(project.root, project.ignore_file)
    cache = cache or open_cache(project)
    worktree = Worktree(project.root, layout.state_dir, cache, memo, ignore, jobs=_jobs(project))

    @lru_cache(1)
    def adopted_links() -> AdoptedLinks:
        from dvtool.project.adoptlinks import AdoptedLinks

        return AdoptedLinks(project)

    # Also after DVC's project was taken over: its links into its cache stand there until `checkout` has been.
    worktree.linked = lambda target: cache.linked_object(target) or adopted_links()(target)
    return worktree


def _jobs(project: Project) -> int:
    from dvtool.disk.processors import usable_processors

    return project.config.count("core.checksum_jobs") or min(usable_processors(), _MOST_JOBS)


def find_files(project: Project) -> OwnFiles:
    """The project's pointers, locks and definitions. One of DVC's has none: `open_tracked` finds what it has."""
    if project.foreign:
        return OwnFiles((), (), ())
    return find_own_files(project.root, project.git, project.layout.prefix.rstrip(b"/"))


def open_tracked(project: Project, *, data_in: tuple[bytes, ...] = (), found: OwnFiles | None = None) -> TrackedPaths:
    """All tracked paths of the worktree: what was added, and outputs of stages as their locks say.

    *data_in*: directories that are about to be tracked. *found*: from `find_files`.
    """
    if project.foreign:
        from dvtool.project.foreign import tracked_here

        return settled(project, tracked_here(project))
    state_dir = project.layout.state_dir
    readers: list[LockReader] = []

    def reader() -> LockReader:
        if not readers:
            from dvtool.pipeline.lockfile import LockReader

            readers.append(LockReader(project.root, state_dir))
        return readers[0]

    tracked = load_tracked(
        project.root,
        project.git,
        project.layout.prefix.rstrip(b"/"),
        data_in=data_in,
        read_lock=lambda path: reader().read_lock(path),
        unwritten=reader().unwritten() if os.path.lexists(os.path.join(state_dir, LOCK_JOURNAL)) else (),
        found=found,
    )
    return settled(project, tracked)


def settled(project: Project, tracked: TrackedPaths) -> TrackedPaths:
    """The same paths; of adopted data, what is known of it: `dvtool.project.adoption`."""
    if not any(is_adopted(item.pointer.digest.oid) for item in tracked):
        return tracked
    from dvtool.project.adoption import settle

    return settle(project, tracked)


def learned(
    project: Project, tracked: TrackedPaths, reporter: Reporter = SILENT, cache: Cache | None = None
) -> TrackedPaths:
    """The same after a look at files of the worktree that may be adopted data which is not known yet."""
    if all(item.stated is None for item in tracked):
        return tracked
    from dvtool.project.adoption import learn

    return learn(project, tracked, reporter, cache=cache)


def settled_items(project: Project, items: Sequence[Tracked]) -> Sequence[Tracked]:
    """The same of items, which may be of different commits."""
    if not any(is_adopted(item.pointer.digest.oid) for item in items):
        return items
    from dvtool.project.adoption import Adoption

    with Adoption(project) as adoption:
        return adoption.settle(items)


def open_pointers(project: Project, found: OwnFiles | None = None) -> TrackedPaths:
    """What was added alone: outputs of stages are not in it. *found*: from `find_files`."""
    return settled(project, load_tracked(project.root, project.git, project.layout.prefix.rstrip(b"/"), found=found))


def open_seen(project: Project) -> Aliases:
    """What this clone has seen at URLs. A context manager."""
    from dvtool.disk.space import is_network_fs
    from dvtool.state.aliases import Aliases

    folder = project.layout.clone_dir
    return Aliases(os.path.join(folder, b"urls.sqlite"), network=is_network_fs(folder))


def open_remote_of(project: Project, name: str | None = None) -> Remote:
    """The remote of that name, or the default one. Nothing is contacted yet.

    Raises `UnsafeInput` where the committed file decides more about it than it may: `dvtool.project.trust`.
    """
    from dvtool.remote.table import open_remote

    return open_remote(address_of(project, name))


def address_of(project: Project, name: str | None = None) -> Address:
    """Where that remote is, with its settings; raises as `open_remote_of`."""
    from dvtool.project.trust import require
    from dvtool.project.trust import standing_of
    from dvtool.remote.address import Address

    settings = project.config.remote(name)
    if settings.name in project.versioned:
        raise ConfigError(
            f"remote {settings.name}: its objects lie there by the server's own versions (`version_aware` or "
            "`worktree` in DVC's settings), which dvtool does not read",
            hint="bring the data with `dvc pull`: dvtool takes what stands in the worktree or in DVC's cache",
        )
    environ = project.environment.environ
    require(standing_of(project.config, environ, settings.name))
    if project.is_elsewhere:
        from dvtool.project.reach import require_remote

        require_remote(project, settings)
    origins = {key: in_words(origin) for key, origin in settings.origins.items()}
    options = {**settings.options, **_limits(project.config, settings)}
    elsewhere = project.is_elsewhere
    return Address(settings.name, settings.url, options, settings.base_dir, environ, origins, elsewhere)


def _limits(config: Config, settings: RemoteSettings) -> dict[str, str]:
    """What holds for every remote that does not say otherwise; a flag holds for all."""
    found = {key: config.find(f"core.{key}") for key in ("bandwidth", "jobs")}
    return {
        key: each.text
        for key, each in found.items()
        if each is not None and (each.origin.level is Level.FLAG or key not in settings.options)
    }


def relative_path(project: Project, path: bytes) -> bytes:
    """A path as the user typed it, relative to the root. The last component is never resolved.

    Raises `UsageError` for a path outside the project.
    """
    full = os.path.normpath(os.path.join(project.environment.cwd, path))
    for candidate in (full, os.path.join(os.path.realpath(os.path.dirname(full)), os.path.basename(full))):
        for root in (project.root, os.path.realpath(project.root)):
            if candidate == root:
                return b""
            if candidate.startswith(root + b"/"):
                return candidate[len(root) + 1 :]
    raise UsageError(
        f"{show(path)} is outside the project at {show(project.root)}",
        path=path,
        hint="track it from inside its own project, or copy it in with `dvtool add -o NAME PATH`",
    )


def relative_paths(project: Project, paths: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """`relative_path` of each, in order, without repeats."""
    return tuple(dict.fromkeys(relative_path(project, path) for path in paths))
