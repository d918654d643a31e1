"""The pipelines of a project: definitions, graph, locks and the look at the worktree, in one place for every verb.

Each part is made when it is asked for first, so that `dag` opens no worktree and `stage list` reads no lock.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import ExitStack
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING

from dvtool.errors import ConfigError
from dvtool.errors import DvtoolError
from dvtool.errors import FormatError
from dvtool.errors import MissingData
from dvtool.formats.lock import Content
from dvtool.formats.lock import Json
from dvtool.formats.lock import LockedStage
from dvtool.formats.lock import Storing
from dvtool.formats.pack import TREE
from dvtool.model.digest import Algorithm
from dvtool.model.digest import ObjectId
from dvtool.model.paths import join
from dvtool.model.paths import split
from dvtool.model.pointer import Kind
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.model.tree import TreeRef
from dvtool.pipeline.graph import Graph
from dvtool.pipeline.graph import build
from dvtool.pipeline.lockfile import LockReader
from dvtool.pipeline.observe import Observer
from dvtool.pipeline.types import Definition
from dvtool.pipeline.types import Dep
from dvtool.pipeline.types import Stage
from dvtool.project.open import Project
from dvtool.project.parts import find_files
from dvtool.project.parts import open_cache
from dvtool.project.parts import open_pointers
from dvtool.project.parts import open_worktree
from dvtool.project.parts import relative_path
from dvtool.store.cache import Cache
from dvtool.store.gaps import Gap
from dvtool.store.gaps import directory_gap
from dvtool.store.gaps import file_gap
from dvtool.store.trees import lookup
from dvtool.workspace.pointers import OwnFiles
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.worktree import Worktree

if TYPE_CHECKING:
    from dvtool.project.pages import PageSource

Evaluate = Callable[[Dep], Content | None]
_AS_ALL = Storing()


class Locks:
    """What each stage's last recorded run read and wrote. A lock is read once, until `forget`."""

    def __init__(
        self, reader: LockReader, settle: Callable[[Mapping[str, LockedStage]], Mapping[str, LockedStage]]
    ) -> None:
        self._reader = reader
        self._settle = settle
        self._found: dict[bytes, Mapping[str, LockedStage]] = {}

    def beside(self, definition: bytes) -> Mapping[str, LockedStage]:
        """The lock beside that definition. Raises `FormatError`, `UnsafeInput`, `StorageError`."""
        if definition not in self._found:
            self._found[definition] = self._settle(self._reader.read(definition))
        return self._found[definition]

    def of(self, stage: Stage) -> LockedStage | None:
        """None for a stage that never ran."""
        return self.beside(stage.file).get(stage.name)

    def forget(self) -> None:
        """They were written meanwhile."""
        self._found.clear()
        self._reader.forget()


class Pipeline:
    """One project's stages and what is known of them; a context manager, see `open_pipeline`."""

    def __init__(
        self,
        project: Project,
        *,
        reporter: Reporter = SILENT,
        evaluate: Evaluate | None = None,
        overrides: Mapping[str, Json] | None = None,
        files: OwnFiles | None = None,
        worktree: Worktree | None = None,
        allow_missing: bool = False,
        pull: bool = False,
    ) -> None:
        self.project = project
        self._reporter = reporter
        self._evaluate = evaluate
        self._overrides = overrides or {}
        if files is not None:
            self.__dict__["files"] = files
        self._worktree = worktree
        self._allow_missing = allow_missing
        self._pull = pull
        self._opened = ExitStack()
        self._gaps: dict[tuple[Kind, bytes], Gap] = {}
        self._pages: PageSource | None = None

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.__exit__(kind, error, trace)

    def anew(self) -> Pipeline:
        """The same stages and records with a fresh look at the worktree, which starts nothing. For as long as this one
        is open."""
        again = Pipeline(
            self.project,
            reporter=self._reporter,
            worktree=self.worktree,
            allow_missing=self._allow_missing,
            pull=self._pull,
        )
        for part in ("definitions", "pointers", "tracked", "graph", "locks", "cache"):
            again.__dict__[part] = getattr(self, part)
        return again

    @cached_property
    def files(self) -> OwnFiles:
        """Its pointers, locks and definitions."""
        return find_files(self.project)

    @cached_property
    def definitions(self) -> tuple[Definition, ...]:
        """Every ``dvtool.yaml`` of the project, in the order of their paths. Raises `ConfigError`, `UnsafeInput`."""
        from dvtool.pipeline.definition import load

        project = self.project
        found: list[Definition] = []
        problems: list[DvtoolError] = []
        for file in self.files.definitions:
            try:
                found.append(load(project.root, file, overrides=self._overrides))
            except (ConfigError, FormatError) as error:
                problems.append(error)
        if len(problems) > 1:
            raise ConfigError(f"{len(problems)} definitions cannot be used", causes=tuple(problems))
        if problems:
            raise problems[0]
        return tuple(found)

    @cached_property
    def pointers(self) -> tuple[Tracked, ...]:
        """What was tracked by `add`."""
        return tuple(open_pointers(self.project, self.files))

    @cached_property
    def tracked(self) -> Mapping[bytes, bytes]:
        """Each path that a pointer stands for, and the pointer."""
        return {item.path: item.pointer_path for item in self.pointers}

    @cached_property
    def graph(self) -> Graph:
        """All stages. Raises `ConfigError` where a path has two owners or stages need each other in a circle."""
        return build(self.definitions, self.tracked)

    @cached_property
    def directory(self) -> bytes:
        """Where the user stands, relative to the root: targets are meant from there."""
        return relative_path(self.project, b".")

    @cached_property
    def locks(self) -> Locks:
        return Locks(LockReader(self.project.root, self.project.layout.state_dir), self._settled)

    def _settled(self, records: Mapping[str, LockedStage]) -> Mapping[str, LockedStage]:
        """Entries that a lock of DVC stated, by BLAKE3 as far as that is known."""
        if all(_is_ours(content) for record in records.values() for content in _contents(record)):
            return records
        from dvtool.project.adoptedlocks import settle_records

        return settle_records(self.project, self.worktree, records, self._reporter)

    @cached_property
    def cache(self) -> Cache:
        return open_cache(self.project) if self._worktree is None else self._worktree.cache

    @cached_property
    def worktree(self) -> Worktree:
        """Open until the end of the pipeline, unless it was passed in."""
        if self._worktree is not None:
            return self._worktree
        return self._opened.enter_context(open_worktree(self.project, self.cache))

    @cached_property
    def observer(self) -> Observer:
        """Looks at the worktree. It starts nothing, but for what *evaluate* was given for."""
        return Observer(
            self.worktree,
            _read_values,
            environ=self.project.environment.environ,
            evaluate=self._evaluate,
            absent=self.recorded if self._allow_missing else self.tracked_content if self._pull else None,
            reporter=self._reporter,
        )

    def recorded(self, path: bytes) -> Content | None:
        """What a pointer or a lock says of *path*, or of a directory that it lies in; None where none does."""
        return self._recorded_at(path, self._recorded)

    def tracked_content(self, path: bytes) -> Content | None:
        """The same of pointers alone."""
        return self._recorded_at(path, self._pointed)

    def _recorded_at(self, path: bytes, known: Mapping[bytes, Content]) -> Content | None:
        above, below = path, b""
        while above not in known:
            above, name = split(above)
            if not above:
                return None
            below = join(name, below) if below else name
        content = known[above]
        if not below:
            return content
        if content.kind is not Kind.DIRECTORY:
            return None
        # All that a run needs hangs together with it.
        from dvtool.pipeline.outputs import content_of

        tree = TreeRef(content.digest.oid, content.size, content.files)
        try:
            entry = lookup(self._page, tree, below)
        except MissingData:
            return None
        return None if entry is None else content_of(entry)

    def _page(self, oid: ObjectId) -> bytes:
        if not self._pull:
            return self.cache.read_meta(oid, TREE)
        if self._pages is None:
            from dvtool.project.pages import PageSource

            self._pages = self._opened.enter_context(PageSource(self.project, reporter=self._reporter))
        return self._pages.get(oid)

    def in_cache(self, record: LockedStage) -> bool:
        """Whether every output of *record* is in the cache, or stands in the worktree where it is kept nowhere else."""
        for path, content in record.outs.items():
            if record.storing.get(path, _AS_ALL).cache:
                if self.gap(content) != Gap():
                    return False
            elif self.observer.content(path) != content:
                return False
        return True

    def in_reach(self, record: LockedStage) -> bool:
        """The same of what a remote may have: every output is kept in the cache or stands in the worktree."""
        return all(
            record.storing.get(path, _AS_ALL).cache or self.observer.content(path) == content
            for path, content in record.outs.items()
        )

    def gap(self, content: Content) -> Gap:
        """What of *content* the cache does not hold."""
        key = (content.kind, content.digest.raw)
        if key not in self._gaps:
            oid = content.digest.oid
            if content.kind is Kind.DIRECTORY:
                self._gaps[key] = directory_gap(self.cache, TreeRef(oid, content.size, content.files))
            else:
                self._gaps[key] = file_gap(self.cache, oid, content.size)
        return self._gaps[key]

    def forget_gaps(self) -> None:
        """The cache has been filled since."""
        self.cache.forget()
        self._gaps.clear()

    @cached_property
    def _recorded(self) -> Mapping[bytes, Content]:
        found = {
            path: content
            for stage in self.graph.stages.values()
            if (record := self.locks.of(stage)) is not None
            for path, content in record.outs.items()
            if self.graph.producers.get(path) == stage.address
        }
        return {**found, **self._pointed}

    @cached_property
    def _pointed(self) -> Mapping[bytes, Content]:
        items = ((item.path, item.pointer) for item in self.pointers)
        return {path: Content(each.kind, each.digest, each.size, each.files, each.executable) for path, each in items}


def _contents(record: LockedStage) -> Iterator[Content]:
    yield from record.deps.values()
    yield from record.outs.values()


def _is_ours(content: Content) -> bool:
    return content.digest.algorithm is Algorithm.BLAKE3


def _read_values(text: bytes, file: bytes) -> Json:
    # The readers of four formats, for who has parameters.
    from dvtool.pipeline.params import read_values

    return read_values(text, file)


def open_pipeline(
    project: Project,
    *,
    reporter: Reporter = SILENT,
    evaluate: Evaluate | None = None,
    overrides: Mapping[str, Json] | None = None,
    files: OwnFiles | None = None,
    worktree: Worktree | None = None,
    allow_missing: bool = False,
    pull: bool = False,
) -> Pipeline:
    """The world of a pipeline verb. Nothing is read before it is asked for.

    *evaluate*: what a URL or command dependency comes to, from verbs that may start what a repository says.
    *overrides*: values that stand in for those of the definitions' variables. *files*: where they were found
    already. *worktree*: one that is open already. *allow_missing*: what is absent counts as recorded;
    *pull*: so does what has a pointer, and listings that are not here are fetched.
    """
    return Pipeline(
        project,
        reporter=reporter,
        evaluate=evaluate,
        overrides=overrides,
        files=files,
        worktree=worktree,
        allow_missing=allow_missing,
        pull=pull,
    )
