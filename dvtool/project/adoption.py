"""Adopted data: what stands in pointers by another tool's digests. One door turns it into what the rest knows.

What such a digest is in BLAKE3 is learned whenever its bytes are read: from the worktree, from the other tool's cache
on this disk, from its remotes. A path of which that is known looks like any other; of the rest, the data is missing.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

from dvtool.disk.beneath import open_dir
from dvtool.disk.space import is_network_fs
from dvtool.errors import DvtoolError
from dvtool.errors import FormatError
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.errors import UnsafeInput
from dvtool.formats.dvcmanifest import decode_manifest
from dvtool.formats.pack import TREE
from dvtool.model.digest import Algorithm
from dvtool.model.digest import ObjectId
from dvtool.model.digest import as_digest
from dvtool.model.digest import is_adopted
from dvtool.model.paths import join
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import FILE
from dvtool.model.tree import TreeRef
from dvtool.project.dvckeeping import ALIASES
from dvtool.project.open import Project
from dvtool.project.parts import open_cache
from dvtool.project.parts import open_worktree
from dvtool.state.aliases import Aliases
from dvtool.state.aliases import KnownFile
from dvtool.state.aliases import KnownTree
from dvtool.store.adopted import StatedFile
from dvtool.store.adopted import build_tree
from dvtool.store.adopted import stated_entry
from dvtool.store.cache import Cache
from dvtool.store.cachewriter import CacheWriter
from dvtool.store.trees import walk
from dvtool.transfer.adopt import LocalStore
from dvtool.transfer.adopt import Need
from dvtool.workspace.learning import Learned
from dvtool.workspace.learning import LearningSink
from dvtool.workspace.learning import hash_under
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.pointers import TrackedPaths
from dvtool.workspace.worktree import Worktree

_CACHES = (b".dvc/cache",)


@dataclass(frozen=True, slots=True)
class _Directory:
    """A directory as its manifest states it."""

    stated: ObjectId
    files: Sequence[StatedFile]


class Adoption:
    """What is known in this clone of adopted data. A context manager."""

    def __init__(self, project: Project, cache: Cache | None = None) -> None:
        self.project = project
        self.cache = cache or open_cache(project)
        folder = project.layout.clone_dir
        self.aliases = Aliases(os.path.join(folder, ALIASES), network=is_network_fs(folder))
        self.stores = tuple(LocalStore(path) for path in local_stores(project) if os.path.isdir(path))
        self._directories: dict[ObjectId, _Directory | None] = {}

    def __enter__(self) -> Adoption:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.aliases.close()

    def settle(self, items: Iterable[Tracked]) -> list[Tracked]:
        """The same items, each by BLAKE3 as far as that is known; ``stated`` says what the file has.

        A directory of which something is known has the rest of its files as its manifest states them.
        """
        found = [_as_stated(item) for item in items]
        adopted = [item for item in found if item.stated is not None]
        if not adopted:
            return found
        files = self.aliases.files(item.pointer.digest.oid for item in adopted if not item.is_directory)
        trees = self._trees({item.pointer.digest.oid: item.path for item in adopted if item.is_directory})
        return [self._settled(item, files, trees) for item in found]

    @staticmethod
    def _settled(item: Tracked, files: Mapping[ObjectId, KnownFile], trees: Mapping[ObjectId, KnownTree]) -> Tracked:
        oid = item.pointer.digest.oid
        if item.stated is None:
            return item
        if item.is_directory:
            if (known := trees.get(oid)) is None:
                return item
            tree = known.tree
            pointer = item.pointer._replace(digest=as_digest(tree.oid), size=tree.size, files=tree.files)
            return item._replace(pointer=pointer, lacking=known.lacking)
        if (file := files.get(oid)) is None:
            return item
        return item._replace(pointer=item.pointer._replace(digest=as_digest(file.oid), size=file.size), lacking=0)

    def _trees(self, wanted: dict[ObjectId, bytes]) -> dict[ObjectId, KnownTree]:
        found: dict[ObjectId, KnownTree] = {}
        stale: list[_Directory] = []
        count = self.aliases.count if wanted else 0
        for stated, path in wanted.items():
            known = self.aliases.tree(stated)
            if known is not None and self.has_listing(known) and (not known.lacking or known.after == count):
                found[stated] = known
            elif (directory := self.directory(stated, path)) is not None:
                stale.append(directory)
        if stale:
            # The cache may be mounted read-only: then it stays unknown what these directories are.
            with suppress(StorageError):
                found.update(self._build(stale, count))
        return found

    def has_listing(self, known: KnownTree) -> bool:
        """Whether the directory's top page is in the cache."""
        return self.cache.has_meta(known.tree.oid, TREE)

    def _build(self, directories: Iterable[_Directory], count: int) -> dict[ObjectId, KnownTree]:
        found: dict[ObjectId, KnownTree] = {}
        with CacheWriter(self.cache, what="dvtool") as writer:
            for directory in directories:
                known = self.aliases.files(file.stated for file in directory.files)
                entries = ((file.path, stated_entry(b"", file.stated, known)) for file in directory.files)
                tree = build_tree(entries, writer.put_tree)
                lacking = sum(file.stated not in known for file in directory.files)
                found[directory.stated] = KnownTree(tree, lacking, count)
            writer.commit()
        for stated, tree_known in found.items():
            self.aliases.put_tree(stated, tree_known)
        return found

    def directory(self, stated: ObjectId, path: bytes) -> _Directory | None:
        """A directory by its manifest; None where that is not on this disk. Raises `FormatError`, `UnsafeInput`."""
        if stated not in self._directories:
            data = self.aliases.manifest(stated)
            if data is None:
                data = next((found for each in self.stores if (found := each.manifest(stated)) is not None), None)
                if data is not None:
                    self.aliases.put_manifest(stated, data)
            self._directories[stated] = None if data is None else _directory(stated, data, path)
        return self._directories[stated]

    def forget(self) -> None:
        """Manifests have come meanwhile."""
        self._directories.clear()

    def needs(self, stated: ObjectId, path: bytes, below: Sequence[bytes] = ()) -> Iterator[Need]:
        """The files of a directory, or of parts of it. Raises `MissingData` where its manifest is not here."""
        directory = self.directory(stated, path)
        if directory is None:
            raise MissingData(f"the listing of {show(path)} is not here", path=path)
        for file in directory.files:
            if not below or any(file.path == part or file.path.startswith(part + b"/") for part in below):
                yield Need(file.stated, join(path, file.path))

    def lacking(self, needs: Iterable[Need]) -> list[Need]:
        """Those whose bytes are not in the cache."""
        some = list(needs)
        known = self.aliases.files(need.stated for need in some)
        has = self.cache.has_blob
        return [need for need in some if need.stated not in known or not has(known[need.stated].oid)]


def settle(project: Project, tracked: TrackedPaths) -> TrackedPaths:
    """The same paths, each by BLAKE3 as far as that is known."""
    with Adoption(project) as adoption:
        return tracked.replaced(adoption.settle(tracked))


def learn(
    project: Project, tracked: TrackedPaths, reporter: Reporter = SILENT, *, cache: Cache | None = None
) -> TrackedPaths:
    """After a look at files of the worktree whose path has an adopted digest that is not known: it may be theirs.

    What is read is remembered, so that nobody reads it again.
    """
    unknown = [item for item in tracked if item.stated is not None and (item.lacking or _is_unknown(item))]
    unknown = [item for item in unknown if os.path.lexists(os.path.join(project.root, item.path))]
    if not unknown:
        return tracked
    with Adoption(project, cache) as adoption:
        with open_worktree(project, adoption.cache) as worktree:
            # Helper processes would hash without us.
            worktree.jobs = 1
            reporter.begin("looking")
            for item in unknown:
                with suppress(DvtoolError, OSError):
                    _learn_item(adoption, worktree, item, reporter)
            reporter.end()
        adoption.aliases.save()
        return tracked.replaced(adoption.settle(tracked))


def _learn_item(adoption: Adoption, worktree: Worktree, item: Tracked, reporter: Reporter) -> None:
    assert item.stated is not None
    algorithm = item.stated.algorithm
    sink = LearningSink({algorithm})
    snapshot = worktree.snapshot(sink, reporter)
    current = worktree.current(snapshot, item.path, is_top=True)
    if current is None:
        return
    if current.kind == DIRECTORY:
        tree = TreeRef(current.oid, current.size, current.files)
        below = walk(worktree.current_pages(sink), tree, item.path + b"/")
        found = [(path, entry) for path, entry in below if entry.kind == FILE]
    else:
        found = [(item.path, current)] if current.kind == FILE else []
    runs = {entry.oid for _, entry in found if entry.executable}
    learned = list(sink.learned)
    read = {each.oid for each in learned}
    known = adoption.aliases.hashed((entry.oid for _, entry in found if entry.oid not in read), algorithm.code)
    for path, entry in found:
        # Seen before by a verb that had no use for the other digest.
        if entry.oid not in known and entry.oid not in read:
            learned += _read_again(worktree, path, algorithm)
    for each in learned:
        adoption.aliases.put(*each, executable=each.oid in runs)


def _read_again(worktree: Worktree, path: bytes, algorithm: Algorithm) -> list[Learned]:
    folder, name = split(path)
    status = worktree.stat(path)
    if status is None or not stat.S_ISREG(status.st_mode):
        return []
    fd = open_dir(worktree.root_fd, folder)
    try:
        return hash_under(fd, name, path, (algorithm,))[1]
    finally:
        os.close(fd)


def _is_unknown(item: Tracked) -> bool:
    return is_adopted(item.pointer.digest.oid)


def _as_stated(item: Tracked) -> Tracked:
    """The item as its file has it."""
    pointer = item.pointer
    if item.stated is not None:
        return item._replace(pointer=item.as_stated)
    if pointer.digest.algorithm is Algorithm.BLAKE3:
        return item
    return item._replace(stated=pointer.digest, totals=(pointer.size, pointer.files))


def _directory(stated: ObjectId, data: bytes, path: bytes) -> _Directory:
    code = stated[0]
    try:
        files = decode_manifest(data, f"DVC's manifest of {show(path)}")
    except (FormatError, UnsafeInput) as error:
        error.hint = error.hint or "see where its pointer comes from (`git log -p -- FILE`)"
        raise
    return _Directory(stated, [StatedFile(file.path, ObjectId(bytes((code,)) + file.digest)) for file in files])


def local_stores(project: Project) -> tuple[bytes, ...]:
    """Caches of other tools on this disk that are read.

    Not one in the project that lies behind a link: the link may be in Git, and lead to somebody's other files.
    """
    found = [project.adopts] if project.adopts else [os.path.join(project.root, path) for path in _CACHES]
    if project.git is not None:
        found.append(os.path.join(project.git.common_dir, b"lfs", b"objects"))
    return tuple(path for path in found if not _is_led_astray(project.root, path))


def _is_led_astray(root: bytes, path: bytes) -> bool:
    top = os.path.realpath(root)
    if not path.startswith(root + b"/"):
        return False
    return os.path.realpath(path) != os.path.join(top, path[len(root) + 1 :])
