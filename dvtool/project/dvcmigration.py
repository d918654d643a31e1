"""What `migrate` writes for a project of DVC. Reads DVC's small files alone: no data, no cache, no remote."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator

from dvtool.errors import DvtoolError
from dvtool.errors import FormatError
from dvtool.errors import UnsafeInput
from dvtool.errors import UsageError
from dvtool.formats.config import Key
from dvtool.formats.config import parse_key
from dvtool.formats.config import set_value
from dvtool.formats.dvcconfig import decode_dvcconfig
from dvtool.formats.dvcfile import DvcFile
from dvtool.formats.dvcfile import DvcOut
from dvtool.formats.dvcfile import decode_dvcfile
from dvtool.formats.dvclock import decode_dvclock
from dvtool.formats.dvcsettings import Translation
from dvtool.formats.dvcsettings import translate
from dvtool.formats.lock import Json
from dvtool.formats.lock import encode_lock
from dvtool.formats.pointer import encode_pointer
from dvtool.formats.settings import check_in_project
from dvtool.git.worktree import tracked
from dvtool.model.digest import Digest
from dvtool.model.paths import DEFINITION_NAME
from dvtool.model.paths import LOCK_NAME
from dvtool.model.paths import POINTER_SUFFIX
from dvtool.model.paths import join
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.model.pointer import Kind
from dvtool.model.pointer import Pointer
from dvtool.model.pointer import Source
from dvtool.pipeline.definition import parse
from dvtool.pipeline.edittext import block
from dvtool.pipeline.types import Definition
from dvtool.pipeline.types import Stage
from dvtool.project import dvcfiles
from dvtool.project.dvclocks import convert_lock
from dvtool.project.dvclocks import digest_of_entry
from dvtool.project.init import IGNORE_FILE
from dvtool.project.init import first_files
from dvtool.project.layout import Layout
from dvtool.project.migration import CONFIG
from dvtool.project.migration import Converted
from dvtool.project.migration import Migration
from dvtool.workspace.dvcpointers import source_of
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.pointers import TrackedPaths

_ADOPTS = "adopts"


def plan_dvc_migration(layout: Layout, *, keep: bool) -> Migration:
    """Everything that is to be written. *keep*: DVC's files stay beside ours.

    Raises `UsageError` where there is nothing of DVC, and one error that names everything that dvtool could not take
    over: then nothing is to be changed. `FormatError`, `UnsafeInput` as the files of DVC are read.
    """
    return _Planner(layout, keep=keep).plan()


class _Planner:
    def __init__(self, layout: Layout, *, keep: bool) -> None:
        self._layout = layout
        self._keep = keep
        self._files: dict[bytes, bytes | None] = {}
        self._converted: list[Converted] = []
        self._notes: list[str] = []
        self._problems: list[DvtoolError] = []
        self._tracked: list[Tracked] = []
        self._stages: list[Stage] = []

    def plan(self) -> Migration:
        git = self._layout.git
        if git is None:
            raise UsageError(
                "migrate works in a Git repository", hint="`git init`, commit what DVC wrote, then run it again"
            )
        found = dvcfiles.find_dvc_files(self._layout.root, git, self._layout.prefix.rstrip(b"/"))
        has_settings = self._read(dvcfiles.CONFIG) is not None
        if not has_settings and not any(found):
            raise UsageError("there is nothing of DVC here", path=self._layout.root)
        for path in found.pointers:
            self._guarded(self._pointer, path)
        for path in found.definitions:
            self._guarded(self._pipeline, path)
        for path in found.locks:
            if join(split(path)[0], dvcfiles.DEFINITION) not in found.definitions:
                self._notes.append(f"{show(path)} stays: there is no dvc.yaml beside it")
        for path in found.ignores:
            self._replace("ignore", path, join(split(path)[0], IGNORE_FILE), self._read(path) or b"")
        settings = self._settings()
        if self._problems:
            raise _cannot(self._problems)
        TrackedPaths(self._tracked)
        if not self._keep:
            self._files |= dict.fromkeys([dvcfiles.CONFIG] if has_settings else [])
        return Migration(
            "DVC",
            self._files,
            tuple(self._converted),
            settings,
            tuple(self._notes),
            stages=tuple(self._stages),
            tracked=tuple(item.path for item in self._tracked),
        )

    def _guarded(self, convert: Callable[[bytes], None], path: bytes) -> None:
        try:
            convert(path)
        except UnsafeInput:
            raise
        except DvtoolError as error:
            self._problems.append(error)

    def _read(self, path: bytes) -> bytes | None:
        return dvcfiles.read_dvc_file(self._layout.root, path)

    def _replace(self, what: str, source: bytes, target: bytes, data: bytes) -> None:
        """*data* at *target* in place of *source*. What stands at the target already stays."""
        there = self._read(target)
        if there is None:
            self._files[target] = data
        elif there != data:
            self._notes.append(f"{show(target)} stays as it is: it was there already, and says otherwise")
        self._converted.append(Converted(what, source, target))
        if not self._keep:
            self._files[source] = None

    def _pointer(self, path: bytes) -> None:
        where = show(path)
        file = decode_dvcfile(self._read(path) or b"", where, split(path)[0])
        if file.commands:
            raise FormatError(
                f"{where}: a stage in a file of its own, as DVC 1 wrote them",
                path=path,
                hint="put it into dvc.yaml (`dvc stage add`), remove the file, then run `dvtool migrate` again",
            )
        for out in file.outs:
            if not out.cached:
                self._notes.append(f"{show(out.path)} ({where}) is in Git and not in DVC's cache: Git keeps it")
                continue
            pointer = self._pointer_of(out, file, where)
            target = out.path + POINTER_SUFFIX
            self._tracked.append(Tracked(target, pointer))
            self._replace("pointer", path, target, encode_pointer(pointer))
        if not file.outs:
            raise FormatError(f"{where}: a .dvc file without outs", path=path)
        if not self._keep:
            self._files[path] = None

    def _pointer_of(self, out: DvcOut, file: DvcFile, where: str) -> Pointer:
        if not out.digest:
            why = "is stated by the versions of a cloud" if out.is_versioned else "has no digest yet"
            hint = (
                "push it with DVC to a remote that is not version-aware, without `files:` in the .dvc file"
                if out.is_versioned
                else "`dvc commit` or `dvc pull` it first"
            )
            raise FormatError(f"{where}: {show(out.path)} {why}", path=where, hint=hint)
        if out.size is None or (out.is_directory and out.nfiles is None):
            raise FormatError(
                f"{where}: says no size of {show(out.path)}, as DVC did before 1.11",
                path=where,
                hint=f"`dvc commit -f {where}` writes it anew",
            )
        if not out.push:
            self._notes.append(f"{show(out.path)}: `push: false` has no counterpart; its pointer says so in a note")
        digest = digest_of_entry(out.algorithm, out.digest)
        return Pointer(
            split(out.path)[1],
            Kind.DIRECTORY if out.is_directory else Kind.FILE,
            digest,
            out.size,
            (out.nfiles or 0) if out.is_directory else 1,
            out.executable and not out.is_directory,
            _extra(out, file),
            out.remote,
            self._source(file, digest, where),
        )

    def _source(self, file: DvcFile, digest: Digest, where: str) -> Source | None:
        found = source_of(file, digest, where)
        if found is None and file.deps:
            self._notes.append(f"{where}: where it came from ({file.deps[0].entry.path}) has no counterpart here")
        return found

    def _pipeline(self, path: bytes) -> None:
        folder = split(path)[0]
        data, target = self._read(path) or b"", join(folder, DEFINITION_NAME)
        definition = parse(data, target, self._read)
        self._stages += definition.stages
        self._replace("pipeline", path, target, data)
        lock = join(folder, dvcfiles.LOCK)
        text = self._read(lock)
        if text is None:
            return
        converted = convert_lock(definition.stages, decode_dvclock(text, show(lock)), show(lock))
        if converted.unsized:
            names = ", ".join(map(show, converted.unsized[:3]))
            raise FormatError(
                f"{show(lock)}: says no size of {names}, as DVC did before 1.11",
                path=lock,
                hint="`dvc commit -f` writes it anew",
            )
        if converted.gone:
            names = ", ".join(converted.gone[:3])
            self._notes.append(f"{show(lock)}: no definition has {names} any more, so the record of it goes")
        self._tracked += _outputs(definition, join(folder, LOCK_NAME))
        self._replace("lock", lock, join(folder, LOCK_NAME), encode_lock(converted.stages))

    def _settings(self) -> tuple[tuple[Key, str], ...]:
        """The committed file into the plan; what goes into the user's own."""
        shared, own = self._translated(dvcfiles.CONFIG), self._translated(dvcfiles.LOCAL_CONFIG)
        git = self._layout.git
        if git is not None and own.settings and tracked(git, [self._layout.to_git(dvcfiles.LOCAL_CONFIG)]):
            raise UnsafeInput(
                f"{show(dvcfiles.LOCAL_CONFIG)} is committed in Git, and settings of this kind must be your own",
                path=dvcfiles.LOCAL_CONFIG,
                hint=f"git rm -r --cached {show(dvcfiles.LOCAL_CONFIG)}",
            )
        self._settings_file(shared)
        for translation, file in ((shared, dvcfiles.CONFIG), (own, dvcfiles.LOCAL_CONFIG)):
            if translation.unknown:
                self._notes.append(f"{show(file)}: not taken over: {', '.join(translation.unknown)}")
            for name in translation.versioned:
                self._problems.append(
                    UsageError(
                        f"the remote {name!r} is version-aware or a worktree remote, which dvtool does not read",
                        hint="push the data with DVC to a plain remote, take this one out, then run it again",
                    )
                )
        if shared.cache_dir and not own.cache_dir and not self._keep:
            own_file = show(dvcfiles.LOCAL_CONFIG)
            self._notes.append(
                f"DVC's cache at {shared.cache_dir} is only looked at where `[cache] dir` in {own_file} says so"
            )
        return tuple((each.key, each.value) for each in own.settings)

    def _translated(self, path: bytes) -> Translation:
        data = self._read(path)
        if data is None:
            return Translation(())
        try:
            return translate(decode_dvcconfig(data.decode("utf-8"), show(path)), show(path))
        except UnicodeDecodeError:
            raise FormatError(f"{show(path)}: not UTF-8 text", path=path) from None

    def _settings_file(self, shared: Translation) -> None:
        first = first_files(has_git=self._layout.git is not None)
        there = self._read(CONFIG)
        text = first[CONFIG] if there is None else there
        where, left = show(CONFIG), list[str]()
        for key, value in self._wanted(shared, left):
            if there is None:
                text = set_value(text, key, value, where)
        if left:
            names = ", ".join(left)
            self._notes.append(
                f"not in the committed settings, for each user to set (`dvtool config --local`): {names}"
            )
        if there is None:
            self._files[CONFIG] = text
        self._converted.append(Converted("settings", dvcfiles.CONFIG, CONFIG))
        if self._read(IGNORE_FILE) is None and IGNORE_FILE not in self._files:
            self._files[IGNORE_FILE] = first[IGNORE_FILE]

    def _wanted(self, shared: Translation, left: list[str]) -> Iterator[tuple[Key, str]]:
        for each in shared.settings:
            try:
                check_in_project(each.key, each.value)
            except UnsafeInput:
                left.append(str(each.key))
                continue
            yield each.key, each.value
        names = {each.key.subsection: None for each in shared.settings if each.key.name == "url"}
        for name in names:
            yield parse_key(f"remote.{name}.{_ADOPTS}"), "dvc"


def _outputs(definition: Definition, lock: bytes) -> Iterator[Tracked]:
    """The paths that stages own, for a look at whether two things claim one."""
    for stage in definition.stages:
        for out in stage.outs:
            if out.cache:
                pointer = Pointer(split(out.path)[1], Kind.FILE, digest_of_entry("md5", bytes(16)), 0)
                yield Tracked(lock, pointer, out.path, stage.name)


def _extra(out: DvcOut, file: DvcFile) -> str:
    """Lines behind those of the pointer: what people wrote about the data, and where an import came from."""
    notes: dict[str, Json] = {**file.notes, **out.notes}
    if not out.push:
        notes["push"] = False
    lines = [line for key, value in notes.items() for line in block(key, value, 0)]
    return "".join(f"{line}\n" for line in lines)


def _cannot(problems: list[DvtoolError]) -> DvtoolError:
    if len(problems) == 1:
        return problems[0]
    return FormatError(f"{len(problems)} things cannot be taken over, so nothing was changed", causes=tuple(problems))
