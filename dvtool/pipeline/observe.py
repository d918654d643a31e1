"""What a stage's inputs and outputs are now. Nothing is hashed that the memo knows, and nothing is started."""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping

from dvtool.disk.beneath import open_dir
from dvtool.disk.beneath import open_file
from dvtool.errors import storage_error
from dvtool.formats.lock import Content
from dvtool.formats.lock import Json
from dvtool.hashing.digests import object_id
from dvtool.model.digest import ObjectId
from dvtool.model.digest import as_digest
from dvtool.model.paths import split
from dvtool.model.pointer import Kind
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import FILE
from dvtool.pipeline.sight import Sight
from dvtool.pipeline.types import Dep
from dvtool.pipeline.types import DepKind
from dvtool.workspace.sinks import HashSink
from dvtool.workspace.sinks import hash_large
from dvtool.workspace.snapshot import Snapshot
from dvtool.workspace.worktree import Worktree

_NEVER = frozenset({b".git", b".dvtool"})


class _DigestSink(HashSink):
    """Keeps no listing: nobody asks for the parts of what is looked at here."""

    def page(self, data: bytes) -> ObjectId:
        return object_id(data)


class Observer(Sight):
    """Looks at one worktree; what it saw once it does not look at again until `forget`.

    *read_values* turns the text and path of a parameter file into values. *evaluate* tells what a `URL` or `COMMAND`
    dependency comes to, and is given by commands that may start what a repository says; without it those are left out.
    *absent* says what should stand at a path where nothing does, for a look without the data.
    """

    def __init__(
        self,
        worktree: Worktree,
        read_values: Callable[[bytes, bytes], Json],
        *,
        environ: Mapping[str, str],
        evaluate: Callable[[Dep], Content | None] | None = None,
        absent: Callable[[bytes], Content | None] | None = None,
        reporter: Reporter = SILENT,
    ) -> None:
        super().__init__(read_values, environ)
        self._worktree = worktree
        self._evaluate = evaluate
        self._absent = absent
        self._reporter = reporter
        self._snapshot: Snapshot | None = None
        self.leftovers: list[bytes] = []
        """Temporaries of killed commands that were met, for who holds the lock to sweep."""
        self._contents: dict[bytes, Content | None] = {}
        self._texts: dict[bytes, bytes | None] = {}
        self._below: dict[bytes, set[bytes]] = {}

    def forget(self, paths: Iterable[bytes]) -> None:
        """These may have changed, with all above and below them."""
        self._snapshot = None
        for changed in paths:
            doomed = {changed, *self._below.pop(changed, ())}
            above = split(changed)[0]
            while above:
                doomed.add(above)
                above = split(above)[0]
            for path in doomed:
                for seen in (self._contents, self._texts, self._values):
                    seen.pop(path, None)

    def learn(self, contents: Mapping[bytes, Content]) -> None:
        """What stands at these paths, from who has just looked."""
        for path, content in contents.items():
            self._remember(path)
            self._contents[path] = content

    def content(self, path: bytes) -> Content | None:
        """The file or directory at *path*; None where there is none. Raises `StorageError`, `UnsafeInput`."""
        if path not in self._contents:
            self._remember(path)
            self._contents[path] = self._look(path)
        return self._contents[path]

    def is_checked(self, dep: Dep) -> bool:
        return self._evaluate is not None or dep.kind not in (DepKind.URL, DepKind.COMMAND)

    def evaluated(self, dep: Dep) -> Content | None:
        return None if self._evaluate is None else self._evaluate(dep)

    def _remember(self, path: bytes) -> None:
        """Let `forget` find it by any directory above it."""
        above = split(path)[0]
        while above:
            self._below.setdefault(above, set()).add(path)
            above = split(above)[0]

    def _look(self, path: bytes) -> Content | None:
        if self._snapshot is None:
            self._snapshot = self._worktree.snapshot(_DigestSink(), self._reporter)
        entry = self._worktree.current(self._snapshot, path, is_top=True)
        self.leftovers += self._snapshot.leftovers
        self._snapshot.leftovers.clear()
        if entry is None:
            return None if self._absent is None else self._absent(path)
        if entry.kind == DIRECTORY:
            return Content(Kind.DIRECTORY, entry.digest, entry.size, entry.files)
        if entry.kind == FILE:
            return Content(Kind.FILE, entry.digest, entry.size, 1, entry.executable)
        return self._behind_link(path)

    def _behind_link(self, path: bytes) -> Content | None:
        """What a command reads that opens the link: a file or directory of the project, or a file elsewhere."""
        root = os.path.realpath(self._worktree.root)
        target = os.path.realpath(os.path.join(root, path))
        if target.startswith(root + b"/"):
            inside = target[len(root) + 1 :]
            return None if inside == path else self.content(inside)
        parent, name = os.path.split(target)
        try:
            fd = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                oid, status = hash_large(fd, name, path)
            finally:
                os.close(fd)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise storage_error(error, "read", path) from error
        return Content(Kind.FILE, as_digest(oid), status.st_size, 1, bool(status.st_mode & 0o100))

    def files_below(self, top: bytes) -> Iterable[bytes]:
        root, ignore = self._worktree.root, self._worktree.ignore
        pending = [top]
        while pending:
            directory = pending.pop()
            try:
                scan = os.scandir(os.path.join(root, directory))
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise storage_error(error, "read", directory) from error
            with scan:
                for entry in scan:
                    path = directory + b"/" + entry.name if directory else entry.name
                    is_dir = entry.is_dir(follow_symlinks=False)
                    if entry.name in _NEVER or ignore.is_ignored(path, is_dir):
                        continue
                    if is_dir:
                        pending.append(path)
                    else:
                        yield path

    def text(self, path: bytes) -> bytes | None:
        if path not in self._texts:
            self._remember(path)
            try:
                parent, name = split(path)
                fd = open_dir(self._worktree.root_fd, parent)
                try:
                    with os.fdopen(open_file(fd, name, shown=path), "rb") as file:
                        self._texts[path] = file.read()
                finally:
                    os.close(fd)
            except (FileNotFoundError, NotADirectoryError):
                self._texts[path] = None
            except OSError as error:
                raise storage_error(error, "read", path) from error
        return self._texts[path]
