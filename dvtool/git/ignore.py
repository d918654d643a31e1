"""What git ignores, and the lines that dvtool keeps in ignore files.

A managed line names one path exactly (``/name``). It is appended at most once, the user's own
lines are never touched, and where a later ``!pattern`` of the user undoes it, the answer is a
warning instead of another line.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Literal
from typing import NamedTuple

from dvtool.disk.durable import make_dirs
from dvtool.disk.durable import write_file
from dvtool.errors import UnsafeInput
from dvtool.errors import storage_error
from dvtool.git.run import GitRepo

Where = Literal["gitignore", "exclude"]


class Rule(NamedTuple):
    """The pattern that decides about a path: the file it stands in (as git names it), its line number, its text."""

    source: bytes
    line: int
    pattern: bytes

    @property
    def negated(self) -> bool:
        return self.pattern.startswith(b"!")


class IgnoreResult(NamedTuple):
    """Ignore files that were written or deleted (relative to the top; the exclude file absolute),
    and the paths that the user's own rules keep visible to git, with the rule."""

    changed: list[bytes]
    visible: dict[bytes, Rule]


def ignored(repo: GitRepo, paths: Iterable[bytes], *, no_index: bool = False) -> set[bytes]:
    """Those of *paths* that git ignores. Tracked paths never are, unless *no_index* looks at patterns alone."""
    return {path for path, rule in deciding_rules(repo, paths, no_index=no_index).items() if not rule.negated}


def deciding_rules(repo: GitRepo, paths: Iterable[bytes], *, no_index: bool = False) -> dict[bytes, Rule]:
    """The last matching pattern for each path that has one; it may be a negation."""
    # "./" keeps a leading ":" from being read as pathspec magic.
    listed = b"".join(b"./" + path + b"\0" for path in paths)
    if not listed:
        return {}
    options = ["--no-index"] if no_index else []
    output = repo.run("check-ignore", "--verbose", "-z", "--stdin", *options, stdin=listed, expect=(0, 1))
    fields = iter(output.stdout.split(b"\0"))
    rules = {}
    for source, line, pattern, path in zip(fields, fields, fields, fields, strict=False):
        if pattern:
            rules[path.removeprefix(b"./")] = Rule(source, int(line), pattern)
    return rules


AboutTo = Callable[[Mapping[bytes, bytes | None]], None]
"""Told which files are about to get which bytes (None: to go), before the first one changes; always called."""


def ensure_ignored(
    repo: GitRepo,
    paths: Sequence[bytes],
    *,
    where: Where = "gitignore",
    about_to: AboutTo = lambda _edits: None,
) -> IgnoreResult:
    """Make git ignore these paths: a line in the ``.gitignore`` beside each, or in ``info/exclude``.

    Nothing is written for a path that the repository's own patterns ignore already. Raises
    `UnsafeInput` where the ignore file or a directory above it is a symbolic link.
    """
    for path in paths:
        _refuse_links(repo, os.path.dirname(path))
    rules = deciding_rules(repo, paths, no_index=True)
    todo = [path for path in paths if not _settled(rules.get(path), where)]
    edits: dict[bytes, bytes | None] = {}
    for file, lines in _grouped(repo, todo, where).items():
        old = _read(repo, file)
        new = with_lines(old, lines)
        if new != old:
            edits[file] = new
    about_to(edits)
    _write_all(repo, edits)
    after = deciding_rules(repo, todo, no_index=True)
    return IgnoreResult(list(edits), {path: rule for path, rule in after.items() if rule.negated})


def remove_ignored(repo: GitRepo, paths: Sequence[bytes], *, about_to: AboutTo = lambda _edits: None) -> IgnoreResult:
    """Take the managed lines of these paths out of both places; a ``.gitignore`` left empty is deleted."""
    edits: dict[bytes, bytes | None] = {}
    for where in ("gitignore", "exclude"):
        for file, lines in _grouped(repo, paths, where).items():
            old = _read(repo, file)
            new = without_lines(old, lines)
            if new != old:
                edits[file] = new if new or where == "exclude" else None
    about_to(edits)
    _write_all(repo, edits)
    return IgnoreResult(list(edits), {})


def managed_line(path: bytes) -> bytes:
    """The pattern that matches exactly *path*, relative to the ignore file's directory.

    A name with a line feed cannot be written in an ignore file: ``?`` stands for it.
    """
    body = b"".join(b"\\" + bytes((byte,)) if byte in b"\\*?[]" else bytes((byte,)) for byte in path)
    if body.endswith((b" ", b"\t")):
        body = body[:-1] + b"\\" + body[-1:]
    # "?" also for a final carriage return: git takes it for half of a line ending.
    body = body.replace(b"\n", b"?")
    return b"/" + (body[:-1] + b"?" if body.endswith(b"\r") else body)


def with_lines(text: bytes, lines: Iterable[bytes]) -> bytes:
    """The text of an ignore file with each line in it, in the text's own line ending; known lines change nothing."""
    present = set(lines_of(text))
    missing = [line for line in dict.fromkeys(lines) if line not in present]
    if not missing:
        return text
    ending = _ending(text)
    if text and not text.endswith(b"\n"):
        text += ending
    return text + b"".join(line + ending for line in missing)


def without_lines(text: bytes, lines: Iterable[bytes]) -> bytes:
    """The text of an ignore file without these lines; every other byte stays."""
    unwanted = set(lines)
    return b"".join(line for line in _raw_lines(text) if _stripped(line) not in unwanted)


def _settled(rule: Rule | None, where: Where) -> bool:
    if rule is None or rule.negated:
        return False
    # The user's global excludes and info/exclude do not travel with a clone; only a .gitignore inside the tree does.
    return where == "exclude" or (os.path.basename(rule.source) == b".gitignore" and not os.path.isabs(rule.source))


def _grouped(repo: GitRepo, paths: Iterable[bytes], where: str) -> dict[bytes, list[bytes]]:
    files: dict[bytes, list[bytes]] = {}
    for path in paths:
        if where == "exclude":
            files.setdefault(os.path.join(repo.common_dir, b"info", b"exclude"), []).append(managed_line(path))
        else:
            directory, name = os.path.split(path)
            files.setdefault(os.path.join(directory, b".gitignore"), []).append(managed_line(name))
    return files


def _read(repo: GitRepo, file: bytes) -> bytes:
    _refuse_links(repo, file)
    try:
        with open(os.path.join(repo.worktree, file), "rb") as stream:
            return stream.read()
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except OSError as error:
        raise storage_error(error, "read", file) from error


def _write_all(repo: GitRepo, edits: Mapping[bytes, bytes | None]) -> None:
    for file, text in edits.items():
        full = os.path.join(repo.worktree, file)
        try:
            if text is None:
                os.unlink(full)
                continue
            if os.path.isabs(file):
                make_dirs(os.path.dirname(full))
            mode = stat.S_IMODE(os.stat(full).st_mode) if os.path.exists(full) else 0o644
            write_file(full, text, mode=mode)
        except OSError as error:
            raise storage_error(error, "write", file) from error


def _refuse_links(repo: GitRepo, file: bytes) -> None:
    if os.path.isabs(file) or not file:
        return
    parts = file.split(b"/")
    for count in range(1, len(parts) + 1):
        part = b"/".join(parts[:count])
        if os.path.islink(os.path.join(repo.worktree, part)):
            raise UnsafeInput(
                f"{os.fsdecode(part)} is a symbolic link: nothing is written through it",
                path=part,
                hint="replace the link, or choose `dvtool config core.ignore exclude`",
            )


def _ending(text: bytes) -> bytes:
    first, newline, _ = text.partition(b"\n")
    return b"\r\n" if newline and first.endswith(b"\r") else b"\n"


def _raw_lines(text: bytes) -> list[bytes]:
    parts = text.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def _stripped(line: bytes) -> bytes:
    return line.removesuffix(b"\n").removesuffix(b"\r")


def lines_of(text: bytes) -> list[bytes]:
    """The lines of an ignore file without their ends."""
    return [_stripped(line) for line in _raw_lines(text)]
