"""The hooks of a repository as files: ours, and what stood there before, which stays and comes first."""

from __future__ import annotations

import os
import shlex
import stat
from typing import NamedTuple

from dvtool.disk.durable import discard_parts
from dvtool.disk.durable import fsync_dir
from dvtool.disk.durable import make_dirs
from dvtool.disk.durable import write_file
from dvtool.errors import ConfigError
from dvtool.errors import UnsafeInput
from dvtool.errors import storage_error
from dvtool.git.run import GitRepo
from dvtool.model.paths import is_below
from dvtool.model.paths import show

HOOKS = ("pre-commit", "pre-push", "post-checkout", "post-merge", "post-rewrite", "post-commit")
KEPT_SUFFIX = ".before-dvtool"
_MARK = b"# dvtool hook "
_VERSION = 1
_READS_STDIN = frozenset({"pre-push", "post-rewrite"})
_MAX_BYTES = 1 << 20


class HookEdit(NamedTuple):
    """One hook that is to change. ``text``: what it is to be, None for gone. ``kept``: the file that what stood there
    before is in, or comes back from when ``text`` is None."""

    name: str
    path: bytes
    text: bytes | None
    kept: bytes | None = None
    is_new: bool = True


def hooks_directory(repo: GitRepo, *, anywhere: bool = False) -> bytes:
    """Where Git looks for hooks: ``core.hooksPath``, else the one directory that all work trees share.

    Raises `ConfigError` for a directory outside of the repository unless *anywhere*, `UnsafeInput` where a link in
    the work tree leads to it.
    """
    answer = repo.run("rev-parse", "--git-path", "hooks").stdout.removesuffix(b"\n")
    path = os.path.normpath(os.path.join(repo.worktree, answer))
    if is_below(path, repo.common_dir):
        return path
    if is_below(path, repo.worktree):
        _refuse_links(repo.worktree, path)
    elif not anywhere:
        raise ConfigError(
            f"core.hooksPath leads out of this repository, to {show(path)}: hooks there may run for others too",
            path=path,
            hint="`dvtool install --force` writes them there all the same; where nothing is tracked they do nothing",
        )
    return path


def plan_hooks(directory: bytes, program: str) -> list[HookEdit]:
    """The hooks that are not yet what they should be. Raises `StorageError`."""
    edits = []
    for name in HOOKS:
        path = os.path.join(directory, os.fsencode(name))
        text = hook_text(name, program)
        there = _read(path)
        if there == text and os.access(path, os.X_OK):
            continue
        if there is None or is_ours(there):
            edits.append(HookEdit(name, path, text, is_new=there is None))
        else:
            kept = path + os.fsencode(KEPT_SUFFIX)
            if os.path.lexists(kept) and not _is_copy(path, kept):
                raise ConfigError(
                    f"somebody has put another hook over dvtool's at {show(path)}, and {show(kept)} is still there",
                    path=path,
                    hint="decide which of the two is to run, take the other one away, then `dvtool install` again",
                )
            edits.append(HookEdit(name, path, text, kept))
    return edits


def plan_removal(directory: bytes) -> list[HookEdit]:
    """Our hooks, to go; what stood there before comes back. Raises `StorageError`."""
    edits = []
    for name in HOOKS:
        path = os.path.join(directory, os.fsencode(name))
        there = _read(path)
        if there is not None and is_ours(there):
            kept = path + os.fsencode(KEPT_SUFFIX)
            edits.append(HookEdit(name, path, None, kept if os.path.lexists(kept) else None))
    return edits


def programs_called(repo: GitRepo) -> list[str] | None:
    """What our hooks in this repository call, as paths or the bare name; None where there is no hook of ours."""
    directory = hooks_directory(repo, anywhere=True)
    found = []
    for name in HOOKS:
        text = _read(os.path.join(directory, os.fsencode(name)))
        if text is not None and is_ours(text):
            lines = [line[8:] for line in text.splitlines() if line.startswith(b"program=")]
            found += [word for line in lines[:1] for word in shlex.split(os.fsdecode(line))]
    return found or None


def carry_out(directory: bytes, edits: list[HookEdit]) -> None:
    """Make the changes, each hook whole at every moment. Raises `StorageError`."""
    path = directory
    try:
        make_dirs(directory)
        discard_parts(directory)
        for edit in edits:
            path = edit.path
            if edit.text is not None:
                if edit.kept is not None and not os.path.lexists(edit.kept):
                    _copy(edit.path, edit.kept)
                write_file(edit.path, edit.text, mode=0o755)
            elif edit.kept is not None:
                os.replace(edit.kept, edit.path)
            else:
                os.unlink(edit.path)
        fsync_dir(directory)
    except OSError as error:
        raise storage_error(error, "write", path) from error


def is_ours(text: bytes) -> bool:
    """Whether `hook_text` made it."""
    return _MARK in text[:200]


def hook_text(name: str, program: str) -> bytes:
    """The script: first what was there before, then dvtool. For the shell that comes with every Git."""
    before = name.startswith("pre-")
    lines = [
        "#!/bin/sh",
        f"{_MARK.decode()}{_VERSION}: written by `dvtool install`; `dvtool install --uninstall` takes it away",
        f"program={shlex.quote(program)}",
        f'before="$(dirname "$0")/{name}{KEPT_SUFFIX}"',
        'if [ -n "${PRE_COMMIT_RUNNING_LEGACY-}" ] && grep -q "generated by pre-commit" "$before" 2>/dev/null; then',
        "    before=  # pre-commit is what called this",
        "fi",
    ]
    run = '"$before" "$@"'
    if name in _READS_STDIN:
        lines += ["input=$(cat; echo .)", "input=${input%.}"]
        run = f'printf %s "$input" | {run}'
    lines += ["status=0", 'if [ -n "$before" ] && [ -x "$before" ]; then', f"    {run} || status=$?", "fi"]
    if before:
        # What was there before has said no: nothing is uploaded then.
        lines.append('[ "$status" = 0 ] || exit "$status"')
    if name == "post-commit":
        # Nearly all commits change no pointer: git says so in a tenth of the time.
        lines += [
            "if git diff --quiet HEAD~1 HEAD -- ':(top,glob)**/*.dvt' ':(top,glob)**/dvtool.lock' 2>/dev/null; then",
            '    exit "$status"',
            "fi",
        ]
    lines += ['command -v "$program" >/dev/null 2>&1 || program=dvtool']
    lines += ['if ! command -v "$program" >/dev/null 2>&1; then']
    if before:
        way = f"git {name.removeprefix('pre-')} --no-verify"
        lines.append(
            f'    echo "dvtool is not on the PATH, so its {name} hook cannot run; \\`{way}\\` goes past it" >&2'
        )
        lines.append("    exit 1")
    else:
        lines.append('    echo "dvtool is not on the PATH: data was not brought to what the pointers say" >&2')
        lines.append('    exit "$status"')
    lines.append("fi")
    call = f'"$program" git-hook {name} "$@"'
    if name in _READS_STDIN:
        call = f'printf %s "$input" | {call}'
    lines += [f"{call} || status=$?", 'exit "$status"', ""]
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def _copy(path: bytes, kept: bytes) -> None:
    if os.path.islink(path):
        os.symlink(os.readlink(path), kept)
        return
    with open(path, "rb") as file:
        write_file(kept, file.read(), mode=stat.S_IMODE(os.stat(path).st_mode))


def _is_copy(path: bytes, kept: bytes) -> bool:
    """Whether *kept* is what `_copy` made of *path* before it was killed."""
    if os.path.islink(path) or os.path.islink(kept):
        return os.path.islink(path) and os.path.islink(kept) and os.readlink(path) == os.readlink(kept)
    return _read(path) == _read(kept)


def _read(path: bytes) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read(_MAX_BYTES)
    except FileNotFoundError:
        # A link that leads nowhere is somebody's hook, too.
        return b"" if os.path.islink(path) else None
    except OSError as error:
        raise storage_error(error, "read", path) from error


def _refuse_links(worktree: bytes, path: bytes) -> None:
    part = worktree
    for name in path[len(worktree) :].strip(b"/").split(b"/"):
        part = os.path.join(part, name)
        if os.path.islink(part):
            raise UnsafeInput(
                f"core.hooksPath leads through {show(part)}, a symbolic link in the work tree",
                path=part,
                hint="nothing is written through it: put a directory in its place",
            )
