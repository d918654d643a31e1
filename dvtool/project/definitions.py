"""Reading and writing the text of definitions, on the operation log."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence

from dvtool.disk.beneath import read_beneath
from dvtool.disk.durable import discard_parts
from dvtool.disk.durable import write_file
from dvtool.errors import FormatError
from dvtool.errors import storage_error
from dvtool.formats.lock import encode_lock
from dvtool.model.paths import DEFINITION_NAME
from dvtool.model.paths import join
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.pipeline.definition import parse
from dvtool.pipeline.definition.schema import SCHEMA_PATH
from dvtool.pipeline.definition.schema import schema_text
from dvtool.pipeline.edit import remove_stage
from dvtool.pipeline.lockfile import LockReader
from dvtool.pipeline.lockfile import LockWriter
from dvtool.pipeline.lockfile import lock_path
from dvtool.project.open import Project
from dvtool.project.parts import is_durable
from dvtool.project.parts import relative_path
from dvtool.project.recording import ignore_data
from dvtool.project.recording import unignore_data

_MOST_BYTES = 32 << 20


def read_definition(project: Project, file: bytes) -> str | None:
    """The text of a definition; None where there is none. Raises `FormatError`, `UnsafeInput`, `StorageError`."""
    data = read_input(project, file)
    try:
        return None if data is None else data.decode("utf-8")
    except UnicodeDecodeError:
        raise FormatError(f"{show(file)}: not UTF-8 text", path=file) from None


def read_input(project: Project, path: bytes) -> bytes | None:
    """A definition, or a file that its templates name; None where there is none. Never through a link."""
    try:
        return read_beneath(project.root, path, _MOST_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise storage_error(error, "read", path) from error


def schema_copy(project: Project, *, wanted: bool) -> dict[bytes, str]:
    """The schema that editors read, and where the project keeps its copy, if it is to be written.

    That is where the copy is older than this dvtool, or *wanted* and there is none.
    """
    path = os.path.join(project.root, SCHEMA_PATH)
    if os.path.islink(os.path.dirname(path)) or os.path.islink(path):
        return {}
    text = schema_text().decode("utf-8")
    before = read_input(project, SCHEMA_PATH)
    return {} if before == text.encode("utf-8") or (before is None and not wanted) else {SCHEMA_PATH: text}


def place_of_stage(project: Project, target: str) -> tuple[bytes, str]:
    """The definition and the name that a target means: ``NAME``, or ``DIR/dvtool.yaml:NAME``."""
    before, colon, name = target.rpartition(":")
    if not colon or not before:
        return join(relative_path(project, b"."), DEFINITION_NAME), name
    path = relative_path(project, os.fsencode(before))
    return (path if split(path)[1] == DEFINITION_NAME else join(path, DEFINITION_NAME)), name


def remove_stages(project: Project, stages: Sequence[tuple[bytes, str]]) -> tuple[bytes, ...]:
    """Take stages, as `remove_stage` names them, out of their definitions and locks, and their ignore lines away.

    Within an operation, with the workspace locked. Returns what belongs into the next commit. Raises `UsageError`,
    `FormatError`, `ConfigError`, `StorageError`.
    """
    texts: dict[bytes, str] = {}
    outputs: list[bytes] = []
    gone: dict[bytes, list[str]] = {}
    locks = LockReader(project.root, project.layout.state_dir)
    writing: dict[bytes, bytes | None] = {}
    for file, name in stages:
        before = texts.get(file) or read_definition(project, file) or ""
        definition = parse(before.encode("utf-8"), file, lambda path: read_input(project, path))
        made = [stage for stage in definition.stages if name in (stage.name, stage.group)]
        outputs += [out.path for stage in made for out in stage.outs if out.cache]
        texts[file] = remove_stage(before, name, show(file))
        gone.setdefault(file, []).extend(stage.name for stage in made)
        writing[os.path.join(project.root, file)] = texts[file].encode("utf-8")
    for file, names in gone.items():
        record = locks.read(file)
        if not record.keys().isdisjoint(names):
            left = {name: stage for name, stage in record.items() if name not in names}
            writing[os.path.join(project.root, lock_path(file))] = encode_lock(left)
    ignore_files = unignore_data(project, outputs, writing)
    for file, text in texts.items():
        _write(project, file, text.encode("utf-8"))
    with LockWriter(project.root, project.layout.state_dir, durable=is_durable(project)) as writer:
        for file, names in gone.items():
            writer.remove(file, names)
    return _staged(project, {*texts, *writer.written, *ignore_files})


def write_definitions(project: Project, texts: Mapping[bytes, str], outputs: Sequence[bytes] = ()) -> tuple[bytes, ...]:
    """Write definitions whole or not at all, and make Git ignore *outputs* before.

    Within an operation, with the workspace locked. Returns what belongs into the next commit. Raises `StorageError`.
    """
    for folder in {split(path)[0] for path in (*texts, *outputs)}:
        with contextlib.suppress(OSError):
            discard_parts(os.path.join(project.root, folder))
    written = {file: text.encode("utf-8") for file, text in texts.items()}
    ignored = ignore_data(project, outputs, {os.path.join(project.root, file): data for file, data in written.items()})
    for file, data in written.items():
        _write(project, file, data)
    return _staged(project, {*written, *(path for path in ignored.files if not path.startswith(b"/"))})


def _write(project: Project, file: bytes, data: bytes) -> None:
    path = os.path.join(project.root, file)
    try:
        mode = os.stat(path).st_mode & 0o777 if os.path.exists(path) else 0o644
        write_file(path, data, mode=mode, durable=is_durable(project))
    except OSError as error:
        raise storage_error(error, "write", file) from error


def _staged(project: Project, paths: Collection[bytes]) -> tuple[bytes, ...]:
    """*paths*, in Git's index where the settings say so."""
    if project.git is None:
        return ()
    if project.config.flag("core.autostage"):
        from dvtool.git.worktree import stage

        stage(project.git, [project.layout.to_git(path) for path in sorted(paths)])
    return tuple(sorted(paths))
