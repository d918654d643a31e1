"""What a stage's inputs and outputs are now. Nothing is hashed that the memo knows, and nothing is started."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping

from dvtool.disk.beneath import open_dir
from dvtool.disk.beneath import open_file
from dvtool.errors import ConfigError
from dvtool.errors import storage_error
from dvtool.formats.lock import Content
from dvtool.formats.lock import Json
from dvtool.formats.lock import value_text
from dvtool.hashing.digests import object_id
from dvtool.model.digest import ObjectId
from dvtool.model.digest import blake3_digest
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.model.pointer import Kind
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import FILE
from dvtool.pipeline.globs import matches
from dvtool.pipeline.globs import static_prefix
from dvtool.pipeline.types import Dep
from dvtool.pipeline.types import DepKind
from dvtool.pipeline.types import Observation
from dvtool.pipeline.types import ParamsDep
from dvtool.pipeline.types import Stage
from dvtool.workspace.sinks import HashSink
from dvtool.workspace.sinks import hash_large
from dvtool.workspace.snapshot import Snapshot
from dvtool.workspace.worktree import Worktree

_NEVER = frozenset({b".git", b".dvtool"})


class _DigestSink(HashSink):
    """Keeps no listing: nobody asks for the parts of what is looked at here."""

    def page(self, data: bytes) -> ObjectId:
        return object_id(data)


class Observer:
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
        self._worktree = worktree
        self._read_values = read_values
        self._environ = environ
        self._evaluate = evaluate
        self._absent = absent
        self._reporter = reporter
        self._snapshot: Snapshot | None = None
        self.leftovers: list[bytes] = []
        """Temporaries of killed commands that were met, for who holds the lock to sweep."""
        self._contents: dict[bytes, Content | None] = {}
        self._texts: dict[bytes, bytes | None] = {}
        self._values: dict[bytes, Json] = {}
        self._below: dict[bytes, set[bytes]] = {}

    def observe(self, stage: Stage) -> Observation:
        """Everything that the stage names, as it is now."""
        deps = {dep.name: self.dependency(dep) for dep in stage.deps if self._is_checked(dep)}
        params: dict[bytes, Mapping[str, Json]] = {}
        for each in stage.params:
            params[each.file] = {**params.get(each.file, {}), **self.parameters(each)}
        return Observation(deps, params, {out.path: self.content(out.path) for out in stage.outs})

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

    def dependency(self, dep: Dep) -> Content | None:
        """What the dependency comes to; None where it is not there."""
        if dep.kind is DepKind.PATH:
            return self.content(dep.path)
        if dep.kind is DepKind.GLOB:
            return self._glob(dep.path)
        if dep.kind is DepKind.ENV:
            value = self._environ.get(dep.detail)
            return _of_text(b"" if value is None else b"=" + os.fsencode(value))
        if dep.kind in (DepKind.URL, DepKind.COMMAND):
            return None if self._evaluate is None else self._evaluate(dep)
        return self._part(dep)

    def parameters(self, params: ParamsDep) -> dict[str, Json]:
        """Values by dotted key; a key that the file does not hold is left out, all of them where there is no file."""
        values = self._file_values(params.file)
        if not params.keys:
            return dict(values) if isinstance(values, dict) else {}
        found = {key: value_at(values, key) for key in params.keys}
        return {key: value[0] for key, value in found.items() if value is not None}

    def _remember(self, path: bytes) -> None:
        """Let `forget` find it by any directory above it."""
        above = split(path)[0]
        while above:
            self._below.setdefault(above, set()).add(path)
            above = split(above)[0]

    def _is_checked(self, dep: Dep) -> bool:
        return self._evaluate is not None or dep.kind not in (DepKind.URL, DepKind.COMMAND)

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
        return Content(Kind.FILE, blake3_digest(oid), status.st_size, 1, bool(status.st_mode & 0o100))

    def _glob(self, pattern: bytes) -> Content | None:
        lines = []
        for path in sorted(self._files_below(static_prefix(pattern))):
            if matches(pattern, path):
                found = self.content(path)
                if found is not None:
                    lines.append(b"%s %s\n" % (str(found.digest).encode("ascii"), path))
        return _of_text(b"".join(lines)) if lines else None

    def _files_below(self, top: bytes) -> Iterable[bytes]:
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

    def _part(self, dep: Dep) -> Content | None:
        if dep.kind is DepKind.KEY:
            if self._text(dep.path) is None:
                return None
            found = value_at(self._file_values(dep.path), dep.detail)
            return _of_text(b"" if found is None else value_text(found[0]).encode("utf-8"))
        text = self._text(dep.path)
        if text is None:
            return None
        lines = text.splitlines(keepends=True)
        if dep.kind is DepKind.LINES:
            first, _, last = dep.detail.partition("-")
            return _of_text(b"".join(lines[int(first) - 1 : int(last) if last else None]))
        try:
            wanted = re.compile(dep.detail.encode("utf-8"))
        except re.error as error:
            raise ConfigError(
                f"{show(dep.at.file)}:{dep.at.line}: {dep.detail!r} is no regular expression: {error}", path=dep.at.file
            ) from None
        return _of_text(b"".join(line for line in lines if wanted.search(line)))

    def _file_values(self, file: bytes) -> Json:
        if file not in self._values:
            text = self._text(file)
            self._values[file] = {} if text is None else self._read_values(text, file)
        return self._values[file]

    def _text(self, path: bytes) -> bytes | None:
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


def value_at(values: Json, key: str) -> tuple[Json] | None:
    """The value under a dotted key, in a tuple; None where there is none. A key that holds dots itself goes first."""
    if isinstance(values, dict):
        if key in values:
            return (values[key],)
        head, dot, rest = key.partition(".")
        while dot:
            if head in values and (found := value_at(values[head], rest)) is not None:
                return found
            more, dot, rest = rest.partition(".")
            head = f"{head}.{more}"
    elif isinstance(values, list):
        head, dot, rest = key.partition(".")
        if head.isascii() and head.isdigit() and int(head) < len(values):
            return value_at(values[int(head)], rest) if dot else (values[int(head)],)
    return None


def _of_text(text: bytes) -> Content:
    return Content(Kind.FILE, blake3_digest(object_id(text)), len(text))
