"""What earlier runs made: found again by all that decides what a stage makes. See ``docs/formats/run-cache.md``."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator

from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.errors import StorageError
from dvtool.errors import UnsafeInput
from dvtool.formats.lock import Content
from dvtool.formats.lock import Json
from dvtool.formats.lock import LockedStage
from dvtool.formats.lock import value_text
from dvtool.formats.runentry import decode_entry
from dvtool.formats.runentry import encode_entry
from dvtool.hashing.digests import object_id
from dvtool.model.pointer import Kind
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.pipeline.outputs import storing_of
from dvtool.pipeline.types import Observation
from dvtool.pipeline.types import Stage
from dvtool.store.cache import Cache
from dvtool.store.runfiles import RunFiles
from dvtool.store.runfiles import fits
from dvtool.transfer.runcopies import RunCopies

VERSION = 1


def key_of(stage: Stage, seen: Observation) -> str | None:
    """The key of a run of *stage* with these inputs; None where the same inputs need not make the same again.

    That is: an input is missing or was not evaluated, there are no inputs or no outputs at all, the stage always runs
    or is frozen, or its command finds an old output (``persist``).
    """
    if stage.always_changed or stage.frozen or not stage.outs or any(out.persist for out in stage.outs):
        return None
    deps: dict[str, Json] = {}
    for dep in stage.deps:
        content = seen.deps.get(dep.name)
        if content is None:
            return None
        deps[dep.name] = _identity(content)
    params: dict[str, Json] = {}
    for each in stage.params:
        values = seen.params.get(each.file, {})
        if not values or not values.keys() >= set(each.keys):
            return None
        params[_text(each.file)] = dict(values)
    if not (deps or params):
        return None
    body: dict[str, Json] = {
        "argv": list(stage.argv),
        "cmd": list(stage.commands),
        "deps": deps,
        "env": dict(stage.environment),
        "outs": {_text(out.path): out.kind.value for out in stage.outs},
        "params": params,
        "version": VERSION,
        "wdir": _text(stage.wdir),
    }
    return object_id(value_text(body).encode("utf-8", "surrogateescape")).hex()


class RunCache:
    """Entries of one cache, then those of *copies* of remotes. One that is damaged counts as absent and is told of."""

    def __init__(self, cache: Cache, reporter: Reporter = SILENT, copies: Iterable[RunCopies] = ()) -> None:
        self._files = RunFiles(cache)
        self._copies = tuple(copies)
        self._reporter = reporter

    def lookup(self, key: str) -> LockedStage | None:
        """What the newest run of *key* read and wrote; whether the bytes are still there is not looked at."""
        try:
            for line in self._lines(key):
                found = self._decoded(line, key)
                if found is not None:
                    return found
        except StorageError as error:
            self._reporter.note(f"the run cache is passed over: {error.message}")
        return None

    def remember(self, key: str, locked: LockedStage) -> None:
        """Write down a finished run, whose outputs are in the cache. A failure costs a later run and is told of."""
        line = encode_entry(key, locked)
        try:
            if fits(line) and line not in self._files.lines_of(key):
                self._files.append(key, line)
        except StorageError as error:
            self._reporter.note(f"this run is not remembered: {error.message}")

    def _lines(self, key: str) -> Iterator[bytes]:
        yield from self._files.lines_of(key)
        for copies in self._copies:
            for bundle in copies.bundles().values():
                line = bundle.find(key)
                if line is not None:
                    yield line

    def _decoded(self, line: bytes, key: str) -> LockedStage | None:
        try:
            return decode_entry(line, f"the run cache's entry {key[:12]}")[1]
        except (FormatError, IntegrityError, UnsafeInput) as error:
            self._reporter.note(f"{error.message}; it is passed over (`dvtool fsck` tells more)")
            return None


class KnownRuns:
    """The run cache as `execute` asks it. *can_be_had*: whether the bytes of all outputs of a record are in reach.

    *adopted*: asked where it has nothing, for what another tool's run made of the same.
    """

    def __init__(
        self,
        entries: RunCache,
        can_be_had: Callable[[LockedStage], bool],
        adopted: Callable[[Stage, Observation], LockedStage | None] | None = None,
    ) -> None:
        self._entries = entries
        self._can_be_had = can_be_had
        self._adopted = adopted

    def find(self, stage: Stage, seen: Observation) -> LockedStage | None:
        """A run with exactly these inputs whose outputs can be had, as the stage would be recorded now."""
        key = key_of(stage, seen)
        earlier = None if key is None else self._entries.lookup(key)
        if earlier is None and key is not None and self._adopted is not None:
            earlier = self._adopted(stage, seen)
        if earlier is None or earlier.outs.keys() != {out.path for out in stage.outs}:
            return None
        deps = {name: content for name, content in seen.deps.items() if content is not None}
        record = LockedStage(stage.commands, stage.argv, deps, seen.params, earlier.outs, storing_of(stage.outs))
        return record if self._can_be_had(record) else None

    def save(self, stage: Stage, seen: Observation, record: LockedStage) -> None:
        """Write down a finished run, where the same inputs make the same again."""
        key = key_of(stage, seen)
        if key is not None:
            self._entries.remember(key, record)


def lookup(cache: Cache, key: str, *, reporter: Reporter = SILENT) -> LockedStage | None:
    """`RunCache.lookup` in the cache alone."""
    return RunCache(cache, reporter).lookup(key)


def save(cache: Cache, key: str, locked: LockedStage, *, reporter: Reporter = SILENT) -> None:
    """`RunCache.remember`."""
    RunCache(cache, reporter).remember(key, locked)


def _identity(content: Content) -> Json:
    """What a command can see of an input. A directory's digest covers the modes of the files in it."""
    kind = "directory" if content.kind is Kind.DIRECTORY else "executable" if content.executable else "file"
    return [str(content.digest), kind]


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")
