"""The tracked paths of a workspace: finding, reading and writing pointers."""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING
from typing import NamedTuple

from dvtool.disk.beneath import open_dir
from dvtool.disk.beneath import open_root
from dvtool.disk.beneath import read_beneath
from dvtool.disk.durable import fsync_dir
from dvtool.disk.durable import write_file
from dvtool.errors import DvtoolError
from dvtool.errors import FormatError
from dvtool.errors import UnsafeInput
from dvtool.errors import storage_error
from dvtool.formats.pointer import MAX_BYTES
from dvtool.formats.pointer import decode_pointer
from dvtool.formats.pointer import encode_pointer
from dvtool.git.run import GitRepo
from dvtool.git.worktree import own_files
from dvtool.git.worktree import pointers_in_worktree
from dvtool.model.digest import Digest
from dvtool.model.paths import DEFINITION_NAME
from dvtool.model.paths import LOCK_NAME
from dvtool.model.paths import POINTER_SUFFIX
from dvtool.model.paths import is_below
from dvtool.model.paths import join
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.model.pointer import Kind
from dvtool.model.pointer import Pointer
from dvtool.model.tree import FILE
from dvtool.model.tree import Entry
from dvtool.model.tree import TreeRef
from dvtool.model.tree import directory_entry

if TYPE_CHECKING:
    from dvtool.formats.lock import LockedStage


class Tracked(NamedTuple):
    """A pointer and where it lies, relative to the root.

    An output of a stage has its lock in place of a pointer file: ``output`` is its path then, ``stage`` whose it is.
    ``may_push``: whether it allows remotes to have it. ``stated``: of adopted data, what the file says; the pointer has
    BLAKE3 in its place as soon as that is known. ``lacking``: of how many files of a directory it is not.
    ``totals``: of what is stated, bytes and files as the file has them.
    """

    pointer_path: bytes
    pointer: Pointer
    output: bytes = b""
    stage: str = ""
    may_push: bool = True
    stated: Digest | None = None
    lacking: int = 0
    totals: tuple[int, int] = (0, 0)

    @property
    def path(self) -> bytes:
        """The file or directory that it stands for."""
        return self.output or join(split(self.pointer_path)[0], self.pointer.name)

    @property
    def source(self) -> str:
        """What says so, for messages."""
        return f"stage {self.stage} in {show(self.pointer_path)}" if self.stage else show(self.pointer_path)

    @property
    def as_stated(self) -> Pointer:
        """The pointer as its file has it."""
        if self.stated is None:
            return self.pointer
        size, files = self.totals
        return self.pointer._replace(digest=self.stated, size=size, files=files)

    @property
    def is_directory(self) -> bool:
        return self.pointer.kind is Kind.DIRECTORY

    @property
    def is_imported(self) -> bool:
        """Whether it stands as another repository has it: then that has the bytes, too."""
        source = self.pointer.source
        return source is not None and bool(source.repo) and source.digest in (self.pointer.digest, self.stated)

    @property
    def pushed(self) -> bool:
        """Whether our remotes are to have it."""
        return self.may_push and not self.is_imported

    @property
    def can_come(self) -> bool:
        """Whether a fetch may bring it: from our remotes, or from where it was imported."""
        return self.pushed or self.is_imported

    @property
    def tree(self) -> TreeRef:
        """The directory; only where `is_directory`."""
        return TreeRef(self.pointer.digest.oid, self.pointer.size, self.pointer.files)

    @property
    def as_entry(self) -> Entry:
        """What stands at the path, as an entry of the directory above."""
        pointer = self.pointer
        if self.is_directory:
            return directory_entry(pointer.name, self.tree)
        digest = pointer.digest
        return Entry(pointer.name, FILE, pointer.executable, digest.algorithm.code, digest.raw, pointer.size)


def tracked_in(path: bytes, data: bytes, where: str, uncached: set[bytes] | None = None) -> list[Tracked]:
    """What a pointer or a lock at *path* says is stored, also one of DVC's; *where* names it in errors.

    Outputs that stay out of the cache go to *uncached*. Their paths are relative to the root of the lock's project.
    Raises `FormatError`, `UnsafeInput`.
    """
    if split(path)[1] != LOCK_NAME:
        if not path.endswith((b".dvc", b"dvc.lock", b"Dvcfile")):
            return [Tracked(path, decode_pointer(data, where))]
        from dvtool.workspace.dvcpointers import dvc_items

        return dvc_items(path, data, where, uncached)
    from dvtool.formats.lock import decode_lock

    return _outputs_in(path, decode_lock(data, where), uncached)


def _outputs_in(lock: bytes, stages: Mapping[str, LockedStage], uncached: set[bytes] | None) -> list[Tracked]:
    if uncached is not None:
        uncached.update(path for stage in stages.values() for path, how in stage.storing.items() if not how.cache)
    return [item for name, stage in stages.items() for item in outputs_of(lock, name, stage)]


def outputs_of(lock: bytes, name: str, stage: LockedStage) -> Iterator[Tracked]:
    """The outputs of one stage that are kept in the cache."""
    for path, content in stage.outs.items():
        storing = stage.storing.get(path)
        if storing is None or storing.cache:
            pointer = Pointer(
                split(path)[1],
                content.kind,
                content.digest,
                content.size,
                content.files,
                content.executable,
                remote=storing.remote if storing is not None else "",
            )
            yield Tracked(lock, pointer, path, name, storing is None or storing.push)


def pointer_path_of(path: bytes) -> bytes:
    """Where the pointer of a tracked path lies unless it was renamed."""
    return path + POINTER_SUFFIX


_PIPELINE_FILES = (b"dvtool.yaml", LOCK_NAME)
_NO_OUTPUTS = (*_PIPELINE_FILES, b".dvtoolignore")

ReadLock = Callable[[bytes], Mapping[str, "LockedStage"]]
"""The stages of the lock at a path."""


class TrackedPaths:
    """All tracked paths of one workspace, by path. None lies inside another.

    *uncached*: paths of outputs that stay out of the cache, so that they are none of these.
    """

    def __init__(self, items: Iterable[Tracked], uncached: Collection[bytes] = ()) -> None:
        self._by_path: dict[bytes, Tracked] = {}
        self._uncached = uncached
        problems: list[DvtoolError] = []
        for item in sorted(items, key=lambda item: (item.pointer_path, item.path)):
            other = self._by_path.setdefault(item.path, item)
            if other is not item:
                problems.append(_clash(item, other, "is also the path in"))
        for item in self._by_path.values():
            problems += self._overlaps(item)
        if problems:
            raise (
                problems[0]
                if len(problems) == 1
                else UnsafeInput(f"{len(problems)} tracked paths overlap", causes=tuple(problems))
            )

    def _overlaps(self, item: Tracked) -> Iterable[DvtoolError]:
        if item.path.endswith(POINTER_SUFFIX) or (item.stage and item.pointer.name in _NO_OUTPUTS):
            what = "of a pointer" if item.path.endswith(POINTER_SUFFIX) else "that belongs to dvtool"
            yield UnsafeInput(
                f"{item.source}: its path {show(item.pointer.name)} is the name {what}", path=item.pointer_path
            )
        outer = self.owner(split(item.path)[0])
        if outer is not None:
            yield _clash(item, outer, "lies inside the path in")

    def replaced(self, items: Iterable[Tracked]) -> TrackedPaths:
        """The same paths with what *items* say of them now."""
        other = TrackedPaths((), self._uncached)
        other._by_path = {item.path: item for item in items}
        return other

    def __iter__(self) -> Iterator[Tracked]:
        return iter(self._by_path.values())

    def __len__(self) -> int:
        return len(self._by_path)

    def get(self, path: bytes) -> Tracked | None:
        """The pointer of exactly this path."""
        return self._by_path.get(path)

    def owner(self, path: bytes) -> Tracked | None:
        """The pointer of this path or of a directory above it."""
        while path:
            found = self._by_path.get(path)
            if found is not None:
                return found
            path = split(path)[0]
        return None

    def below(self, directory: bytes) -> list[Tracked]:
        """The pointers of paths at or below a directory; the empty path is everything."""
        prefix = directory + b"/"
        return [
            item
            for path, item in self._by_path.items()
            if not directory or path == directory or path.startswith(prefix)
        ]

    def is_uncached(self, path: bytes) -> bool:
        """Whether an output that stays out of the cache is there, around it or in it: no business of ours."""
        return any(output == path or is_below(output, path) or is_below(path, output) for output in self._uncached)

    def outputs_named(self, target: bytes) -> list[Tracked]:
        """The outputs of what a target calls: a stage, all of its group, or a pipeline's file."""
        directory, name = split(target)
        file, colon, stage = name.partition(b":")
        if name in _PIPELINE_FILES:
            wanted = ""
        elif colon and file in _PIPELINE_FILES:
            wanted = os.fsdecode(stage)
        else:
            wanted = os.fsdecode(name)
        lock = join(directory, LOCK_NAME)
        return [
            item
            for item in self._by_path.values()
            if item.pointer_path == lock and (not wanted or wanted in (item.stage, item.stage.partition("@")[0]))
        ]

    def by_pointer(self) -> Mapping[bytes, Tracked]:
        """The same by pointer path; outputs of stages have none."""
        return {item.pointer_path: item for item in self._by_path.values() if not item.stage}


def _clash(item: Tracked, other: Tracked, how: str) -> UnsafeInput:
    return UnsafeInput(
        f"{item.source}: its path {show(item.path)} {how} {other.source}",
        path=item.pointer_path,
        hint="`dvtool repro` brings the locks to what dvtool.yaml says; there, too, a path has one owner"
        if item.stage or other.stage
        else "remove one of the two pointers",
    )


def find_pointers(root: bytes, git: GitRepo | None, subdir: bytes, *, locks: bool = False) -> list[bytes]:
    """Paths of all pointer files below *root*, relative to it; *locks*: of those too.

    *subdir* is *root* within Git's work tree.
    """
    if git is not None:
        prefix = subdir + b"/" if subdir else b""
        return [path[len(prefix) :] for path in pointers_in_worktree(git, subdir, locks=locks)]
    from dvtool.workspace.walked import walked

    return [path for path in walked(root) if locks or split(path)[1] != LOCK_NAME]


class OwnFiles(NamedTuple):
    """Files that say what the data and the stages of a project are. ``unmerged``: left in conflict by a merge."""

    pointers: tuple[bytes, ...]
    locks: tuple[bytes, ...]
    definitions: tuple[bytes, ...]
    unmerged: tuple[bytes, ...] = ()


def find_own_files(root: bytes, git: GitRepo | None, subdir: bytes) -> OwnFiles:
    """As `find_pointers`, of all three kinds at once."""
    if git is None:
        from dvtool.workspace.walked import walked

        paths = walked(root, definitions=True)
    else:
        skip = len(subdir) + 1 if subdir else 0
        paths = [path[skip:] for path in own_files(git, subdir)]
    kinds: dict[bytes, list[bytes]] = {POINTER_SUFFIX: [], LOCK_NAME: [], DEFINITION_NAME: []}
    for path in dict.fromkeys(paths):
        kinds.get(split(path)[1], kinds[POINTER_SUFFIX]).append(path)
    unmerged = dict.fromkeys(path for path, following in pairwise(paths) if path == following)
    pointers, locks, definitions = map(tuple, kinds.values())
    return OwnFiles(pointers, locks, definitions, tuple(unmerged))


def read_pointer(root: bytes, path: bytes) -> Pointer:
    """Read one pointer file, never through a link. Raises `FormatError`, `UnsafeInput`, `StorageError`."""
    return decode_pointer(_read(root, path, MAX_BYTES), show(path))


def read_tracked(root: bytes, path: bytes) -> list[Tracked]:
    """`tracked_in` a file of the worktree, never through a link. Raises as `read_pointer`."""
    from dvtool.formats.lock import MAX_BYTES as MAX_LOCK

    limit = MAX_LOCK if split(path)[1] == LOCK_NAME else MAX_BYTES
    return tracked_in(path, _read(root, path, limit), show(path))


def _read(root: bytes, path: bytes, limit: int) -> bytes:
    try:
        return read_beneath(root, path, limit)
    except OSError as error:
        raise storage_error(error, "read", path) from error


def load_tracked(
    root: bytes,
    git: GitRepo | None,
    subdir: bytes,
    *,
    data_in: tuple[bytes, ...] = (),
    read_lock: ReadLock | None = None,
    unwritten: Iterable[bytes] = (),
    found: OwnFiles | None = None,
) -> TrackedPaths:
    """All tracked paths: of pointers, and with *read_lock* the outputs of stages.

    *unwritten*: locks that may not stand on disk yet. *found*: the files, where they were looked for already.

    One unreadable pointer or lock fails the whole, naming each: none is passed over. Except below the directories
    *data_in*, which are about to be tracked: there it is a file like any other that happens to be called `*.dvt`.
    """
    inside = tuple(directory + b"/" for directory in data_in if directory)
    items: list[Tracked] = []
    uncached: set[bytes] = set()
    problems: list[DvtoolError] = []
    if found is None:
        paths = find_pointers(root, git, subdir, locks=read_lock is not None)
    else:
        paths = [*found.pointers, *(found.locks if read_lock is not None else ())]
    for path in dict.fromkeys([*paths, *unwritten]):
        try:
            if read_lock is not None and split(path)[1] == LOCK_NAME:
                items += _outputs_in(path, read_lock(path), uncached)
            else:
                items.append(Tracked(path, read_pointer(root, path)))
        except (FormatError, UnsafeInput) as error:
            if not (isinstance(error, FormatError) and path.startswith(inside)):
                problems.append(error)
    if problems:
        raise (
            problems[0]
            if len(problems) == 1
            else FormatError(f"{len(problems)} pointers cannot be read", causes=tuple(problems))
        )
    return TrackedPaths(items, uncached)


def pointer_bytes(pointer: Pointer) -> bytes:
    """What `write_pointer` writes."""
    return encode_pointer(pointer)


def write_pointer(root: bytes, path: bytes, pointer: Pointer, *, durable: bool) -> bool:
    """Write a pointer whole or not at all; False when it stood there already, byte for byte."""
    data = encode_pointer(pointer)
    full = os.path.join(root, path)
    try:
        with open(full, "rb") as stream:
            if stream.read(len(data) + 1) == data:
                return False
    except FileNotFoundError:
        pass
    except OSError as error:
        raise storage_error(error, "read", path) from error
    try:
        write_file(full, data, durable=durable)
    except OSError as error:
        raise storage_error(error, "write", path) from error
    return True


def remove_pointer(root: bytes, path: bytes, *, durable: bool) -> bool:
    """Take a pointer file away, never through a link; False when it is not there."""
    directory, name = split(path)
    try:
        root_fd = open_root(root)
        try:
            fd = open_dir(root_fd, directory)
        finally:
            os.close(root_fd)
        try:
            os.unlink(name, dir_fd=fd)
            if durable:
                fsync_dir(fd)
        finally:
            os.close(fd)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise storage_error(error, "remove", path) from error
    return True
