"""What Git is told about dvtool's files: lines of attributes, and the settings that they name.

All of it lies in the Git directory, is written by ``dvtool install`` from the texts here alone, and a clone without
it works as before: Git shows pointers as plain text and merges them line by line.
"""

from __future__ import annotations

import os
import shlex
from typing import NamedTuple

from dvtool.disk.durable import discard_parts
from dvtool.disk.durable import make_dirs
from dvtool.disk.durable import write_file
from dvtool.errors import storage_error
from dvtool.git.ignore import with_lines
from dvtool.git.ignore import without_lines
from dvtool.git.run import GitRepo

MERGE_ATTRIBUTES: tuple[str, ...] = (
    "*.dvt merge=dvtool",
    "dvtool.lock merge=dvtool",
    ".gitignore merge=dvtool",
)
DIFF_ATTRIBUTES: tuple[str, ...] = ("*.dvt diff=dvtool",)

MERGE_COMMAND = "git-hook merge-driver %O %A %B %P"
"""Behind the name of the program."""
DIFF_COMMAND = "git-hook textconv"

_LINES = tuple(line.encode("ascii") for line in (*MERGE_ATTRIBUTES, *DIFF_ATTRIBUTES))
_NAME = b"info/attributes"


class Wiring(NamedTuple):
    """What is to be written: the text of ``info/attributes`` (None: it stays), settings by key (None: it goes)."""

    attributes: bytes | None
    settings: dict[str, str | None]

    @property
    def is_empty(self) -> bool:
        return self.attributes is None and not self.settings


def plan_wiring(repo: GitRepo, program: str) -> Wiring:
    """What is missing for diffs and merges that go through *program*. Raises `StorageError`."""
    old = _read(attributes_path(repo))
    new = with_lines(old, _LINES)
    wanted = settings_for(program)
    known = _settings(repo)
    missing: dict[str, str | None] = {key: value for key, value in wanted.items() if known.get(key) != value}
    return Wiring(None if new == old else new, missing)


def plan_unwiring(repo: GitRepo) -> Wiring:
    """What `plan_wiring` brought in, to be taken out. Raises `StorageError`."""
    old = _read(attributes_path(repo))
    new = without_lines(old, _LINES)
    return Wiring(None if new == old else new, dict.fromkeys(_settings(repo)))


def is_wired(repo: GitRepo) -> bool:
    """Whether any of it is in place. Raises `StorageError`."""
    return bool(_settings(repo))


def carry_out(repo: GitRepo, wiring: Wiring) -> None:
    """Write it: the settings first, for an attribute that names none of them does nothing. Raises `StorageError`."""
    for key, value in wiring.settings.items():
        if value is not None:
            repo.write("config", "--local", "--replace-all", key, value)
        else:
            repo.write("config", "--local", "--unset-all", key)
    if wiring.attributes is not None:
        path = attributes_path(repo)
        try:
            make_dirs(os.path.dirname(path))
            discard_parts(os.path.dirname(path))
            write_file(path, wiring.attributes)
        except OSError as error:
            raise storage_error(error, "write", path) from error


def settings_for(program: str) -> dict[str, str]:
    """Git's settings, by key. Where *program* has gone since, Git's own ways take over: plain text, lines merged."""
    word = shlex.quote(program)
    show = f'{word} {DIFF_COMMAND} "$1" 2>/dev/null || cat "$1"'
    return {
        # Git appends the file's name; a function gives it a place in the text.
        "diff.dvtool.textconv": f"f() {{ {show}; }}; f",
        "merge.dvtool.name": "data by path, not pointers by line (dvtool)",
        "merge.dvtool.driver": f"{word} {MERGE_COMMAND}",
    }


def attributes_path(repo: GitRepo) -> bytes:
    """Where the lines stand: for all work trees of the repository, and nowhere else."""
    return os.path.join(repo.common_dir, _NAME)


def _settings(repo: GitRepo) -> dict[str, str]:
    pattern = r"^(diff|merge)\.dvtool\."
    output = repo.run("config", "--local", "-z", "--get-regexp", pattern, expect=(0, 1))
    found = {}
    for item in output.stdout.decode("utf-8", "surrogateescape").split("\0"):
        key, _, value = item.partition("\n")
        if key:
            found[key] = value
    return found


def _read(path: bytes) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise storage_error(error, "read", path) from error
