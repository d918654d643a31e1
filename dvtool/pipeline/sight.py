"""What a stage names, worked out from what stands at paths: in the worktree, or in a commit."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping

from dvtool.errors import ConfigError
from dvtool.formats.lock import Content
from dvtool.formats.lock import Json
from dvtool.formats.lock import value_text
from dvtool.hashing.digests import object_id
from dvtool.model.digest import as_digest
from dvtool.model.paths import show
from dvtool.model.pointer import Kind
from dvtool.pipeline.globs import matches
from dvtool.pipeline.globs import static_prefix
from dvtool.pipeline.types import Dep
from dvtool.pipeline.types import DepKind
from dvtool.pipeline.types import Observation
from dvtool.pipeline.types import ParamsDep
from dvtool.pipeline.types import Stage
from dvtool.pipeline.values import value_at


class Sight:
    """One state of the project's files; heirs say what stands at a path.

    *read_values* turns the text and path of a parameter file into values. *environ*: of variables that stages depend
    on; None where they are not looked at.
    """

    def __init__(self, read_values: Callable[[bytes, bytes], Json], environ: Mapping[str, str] | None) -> None:
        self._read_values = read_values
        self._environ = environ
        self._values: dict[bytes, Json] = {}

    def content(self, path: bytes) -> Content | None:
        """The file or directory at *path*; None where there is none. Raises `StorageError`, `UnsafeInput`."""
        raise NotImplementedError

    def text(self, path: bytes) -> bytes | None:
        """The bytes of the file at *path*; None where there is none."""
        raise NotImplementedError

    def files_below(self, top: bytes) -> Iterable[bytes]:
        """Every file below a directory that is not ignored, in any order."""
        raise NotImplementedError

    def is_checked(self, dep: Dep) -> bool:
        """Whether it can be told here what the dependency comes to."""
        raise NotImplementedError

    def evaluated(self, dep: Dep) -> Content | None:
        """What a `URL` or `COMMAND` dependency comes to, of those that `is_checked`."""
        raise NotImplementedError

    def observe(self, stage: Stage) -> Observation:
        """Everything that the stage names, as it is now."""
        deps = {dep.name: self.dependency(dep) for dep in stage.deps if self.is_checked(dep)}
        params: dict[bytes, Mapping[str, Json]] = {}
        for each in stage.params:
            params[each.file] = {**params.get(each.file, {}), **self.parameters(each)}
        return Observation(deps, params, {out.path: self.content(out.path) for out in stage.outs})

    def dependency(self, dep: Dep) -> Content | None:
        """What the dependency comes to; None where it is not there."""
        if dep.kind is DepKind.PATH:
            return self.content(dep.path)
        if dep.kind is DepKind.GLOB:
            return self._glob(dep.path)
        if dep.kind is DepKind.ENV:
            value = (self._environ or {}).get(dep.detail)
            return _of_text(b"" if value is None else b"=" + os.fsencode(value))
        if dep.kind in (DepKind.URL, DepKind.COMMAND):
            return self.evaluated(dep)
        return self._part(dep)

    def parameters(self, params: ParamsDep) -> dict[str, Json]:
        """Values by dotted key; a key that the file does not hold is left out, all of them where there is no file."""
        values = self._file_values(params.file)
        if not params.keys:
            return dict(values) if isinstance(values, dict) else {}
        found = {key: value_at(values, key) for key in params.keys}
        return {key: value[0] for key, value in found.items() if value is not None}

    def _glob(self, pattern: bytes) -> Content | None:
        lines = []
        for path in sorted(self.files_below(static_prefix(pattern))):
            if matches(pattern, path):
                found = self.content(path)
                if found is not None:
                    lines.append(b"%s %s\n" % (str(found.digest).encode("ascii"), path))
        return _of_text(b"".join(lines)) if lines else None

    def _part(self, dep: Dep) -> Content | None:
        if dep.kind is DepKind.KEY:
            if self.text(dep.path) is None:
                return None
            found = value_at(self._file_values(dep.path), dep.detail)
            return _of_text(b"" if found is None else value_text(found[0]).encode("utf-8"))
        text = self.text(dep.path)
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
            text = self.text(file)
            self._values[file] = {} if text is None else self._read_values(text, file)
        return self._values[file]


def _of_text(text: bytes) -> Content:
    return Content(Kind.FILE, as_digest(object_id(text)), len(text))
