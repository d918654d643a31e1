"""Reading and writing the text of definitions, on the operation log."""

from __future__ import annotations

import os
from collections.abc import Mapping
from collections.abc import Sequence

from dvtool.disk.beneath import open_dir
from dvtool.disk.beneath import open_file
from dvtool.disk.beneath import open_root
from dvtool.disk.durable import write_file
from dvtool.errors import FormatError
from dvtool.errors import storage_error
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.pipeline.definition.schema import SCHEMA_PATH
from dvtool.pipeline.definition.schema import schema_text
from dvtool.project.open import Project
from dvtool.project.parts import is_durable
from dvtool.project.recording import ignore_data

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
    parent, name = split(path)
    try:
        root_fd = open_root(project.root)
        try:
            directory = open_dir(root_fd, parent)
        finally:
            os.close(root_fd)
        try:
            opened = open_file(directory, name, shown=path)
        finally:
            os.close(directory)
        with open(opened, "rb") as stream:
            return stream.read(_MOST_BYTES + 1)
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


def write_definitions(project: Project, texts: Mapping[bytes, str], outputs: Sequence[bytes] = ()) -> tuple[bytes, ...]:
    """Write definitions whole or not at all, and make Git ignore *outputs* before.

    Within an operation. Returns what belongs into the next commit. Raises `StorageError`.
    """
    written = {file: text.encode("utf-8") for file, text in texts.items()}
    ignored = ignore_data(project, outputs, {os.path.join(project.root, file): data for file, data in written.items()})
    for file, data in written.items():
        path = os.path.join(project.root, file)
        try:
            mode = os.stat(path).st_mode & 0o777 if os.path.exists(path) else 0o644
            write_file(path, data, mode=mode, durable=is_durable(project))
        except OSError as error:
            raise storage_error(error, "write", file) from error
    if project.git is None:
        return ()
    git_files = tuple(sorted({*written, *(path for path in ignored.files if not path.startswith(b"/"))}))
    if project.config.flag("core.autostage"):
        from dvtool.git.worktree import stage

        stage(project.git, [project.layout.to_git(path) for path in git_files])
    return git_files
