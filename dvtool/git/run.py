"""Running git: argument lists, a fixed environment, errors with a next step."""

from __future__ import annotations

import subprocess
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from typing import IO
from typing import NamedTuple

from dvtool.errors import ConfigError
from dvtool.errors import DvtoolError
from dvtool.errors import Locked
from dvtool.errors import NotInRepository
from dvtool.errors import UnsafeInput
from dvtool.errors import storage_error

Argument = str | bytes

# A partial clone may fetch a missing object during a read: by these transports only (ext:: and fd:: run commands).
ALLOWED_PROTOCOLS = "file:git:http:https:ssh"

_DROPPED = frozenset(
    {
        "GIT_EXTERNAL_DIFF",
        "GIT_GLOB_PATHSPECS",
        "GIT_ICASE_PATHSPECS",
        "GIT_LITERAL_PATHSPECS",
        "GIT_NOGLOB_PATHSPECS",
        "GIT_PREFIX",
        "LANGUAGE",
    }
)
_READ_ONLY: tuple[Argument, ...] = ("-c", "core.fsmonitor=false", "-c", "log.showSignature=false")


class Output(NamedTuple):
    """What a finished git process left."""

    code: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True, slots=True)
class GitRepo:
    """One work tree of a Git repository. All three paths are absolute.

    ``git_dir`` belongs to this work tree, ``common_dir`` to the whole repository; they differ
    in a linked work tree. ``environ`` is what git processes inherit.
    """

    worktree: bytes
    git_dir: bytes
    common_dir: bytes
    environ: Mapping[str, str] = field(repr=False)

    def run(self, *args: Argument, stdin: bytes | None = None, expect: Collection[int] = (0,)) -> Output:
        """Run a reading command at the top of the work tree.

        An exit code outside *expect* raises an error of `dvtool.errors`.
        """
        return run_git(self.worktree, self._env(writing=False), _READ_ONLY + args, stdin, expect)

    def write(self, *args: Argument, stdin: bytes | None = None) -> Output:
        """Run a command that changes the index or refs. GitPython carries it out.

        Such commands are rare, so its 45 ms of import do not matter here; reading goes past it.
        """
        return _run_by_gitpython(self.worktree, self._env(writing=True), args, stdin)

    @contextmanager
    def stream(self, *args: Argument, stdin: bytes = b"") -> Iterator[IO[bytes]]:
        """Standard output of a reading command that takes its whole input before it answers.

        Leaving early ends the process; reading to the end checks its exit code.
        """
        import tempfile

        with tempfile.TemporaryFile() as errors, self.start(*_READ_ONLY, *args, stderr=errors) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            done = False
            try:
                _feed(process.stdin, stdin)
                yield process.stdout
                done = not process.stdout.read(1)
            finally:
                if not done:
                    process.kill()
                process.stdout.close()
                code = process.wait()
            errors.seek(0)
            if done and code:
                raise git_failed(args, Output(code, b"", errors.read()))

    def start(self, *args: Argument, stderr: IO[bytes] | int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        """A running reading command with pipes at both ends, for a dialogue."""
        try:
            return subprocess.Popen(
                ["git", *args],
                cwd=self.worktree,
                env=self._env(writing=False),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
            )
        except OSError as error:
            raise _not_started(error, self.worktree) from error

    def _env(self, *, writing: bool) -> dict[str, str]:
        env = git_environment(self.environ, writing=writing)
        # An explicit GIT_DIR switches git's check of the owner off, so it is set only where the user (or a hook) did.
        if "GIT_DIR" in env:
            env["GIT_DIR"] = _text(self.git_dir)
            env["GIT_WORK_TREE"] = _text(self.worktree)
            env.pop("GIT_COMMON_DIR", None)
            if self.common_dir != self.git_dir:
                env["GIT_COMMON_DIR"] = _text(self.common_dir)
        return env


def git_environment(environ: Mapping[str, str], *, writing: bool = False) -> dict[str, str]:
    """The environment of every git process: C locale, safe transports, no optional locks for readers."""
    env = {name: value for name, value in environ.items() if name not in _DROPPED}
    env["LC_ALL"] = "C"
    env.setdefault("GIT_ALLOW_PROTOCOL", ALLOWED_PROTOCOLS)
    if not writing:
        env["GIT_OPTIONAL_LOCKS"] = "0"
    return env


def run_git(
    cwd: bytes, env: Mapping[str, str], args: tuple[Argument, ...], stdin: bytes | None, expect: Collection[int]
) -> Output:
    """Run git to its end in *cwd* with exactly the environment *env*."""
    source: dict[str, int | bytes] = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
    try:
        done = subprocess.run(["git", *args], cwd=cwd, env=env, capture_output=True, check=False, **source)  # type: ignore[call-overload]
    except OSError as error:
        raise _not_started(error, cwd) from error
    output = Output(done.returncode, done.stdout, done.stderr)
    if output.code not in expect:
        raise git_failed(args, output)
    return output


def _run_by_gitpython(cwd: bytes, env: Mapping[str, str], args: tuple[Argument, ...], stdin: bytes | None) -> Output:
    import tempfile

    from git import Git
    from git.exc import GitCommandNotFound

    with tempfile.TemporaryFile() as source:
        source.write(stdin or b"")
        source.seek(0)
        try:
            code, out, err = Git(_text(cwd)).execute(
                ["git", *map(str, args)],
                istream=source,
                with_extended_output=True,
                with_exceptions=False,
                stdout_as_string=False,
                strip_newline_in_stdout=False,
                env=dict(env),
            )
        except (GitCommandNotFound, OSError) as error:
            raise _not_started(OSError(str(error)), cwd) from error
    output = Output(code, out, err.encode())
    if code:
        raise git_failed(args, output)
    return output


def checked_revision(rev: str) -> str:
    """The revision as it may stand in an argument list; raises `UnsafeInput` if it could be read as an option."""
    if not rev or rev.startswith("-") or any(character in rev for character in "\0\n\r"):
        raise UnsafeInput(f"{rev!r} is not the name of a revision", hint="see `git branch -a` and `git tag`")
    return rev


def git_failed(args: tuple[Argument, ...], output: Output) -> DvtoolError:
    """The error for a git process that ended badly, with git's own last word in it."""
    text = output.stderr.decode("utf-8", "replace")
    if "dubious ownership" in text:
        where = text.partition("repository at '")[2].partition("'")[0]
        return UnsafeInput(
            f"Git does not trust the repository at {where}: it belongs to another user",
            hint=f"if you trust it: git config --global --add safe.directory '{where}'",
        )
    if "not a git repository" in text:
        return NotInRepository("this is not a Git repository any more", hint="check with `git status`")
    if ".lock': File exists" in text:
        return Locked("another git process is using the index", hint="wait until it is done, then run this again")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith(("hint:", "warning:"))]
    reason = lines[0].removeprefix("fatal: ").removeprefix("error: ") if lines else f"exit code {output.code}"
    hint = "check the repository with `git status` and `git fsck`"
    return DvtoolError(f"git {_verb(args)} failed: {reason}", hint=hint)


def _verb(args: tuple[Argument, ...]) -> str:
    words = [arg if isinstance(arg, str) else arg.decode("utf-8", "replace") for arg in args]
    while words and words[0].startswith("-"):
        words = words[2:] if words[0] == "-c" else words[1:]
    return words[0] if words else ""


def _feed(pipe: IO[bytes], data: bytes) -> None:
    try:
        pipe.write(data)
        pipe.close()
    except BrokenPipeError:
        # git ended before it read everything: its exit code and message say why.
        pass


def _not_started(error: OSError, cwd: bytes) -> DvtoolError:
    if isinstance(error, FileNotFoundError) and error.filename in ("git", b"git"):
        return ConfigError("the program `git` is not on the PATH", hint="install Git 2.31 or newer")
    return storage_error(error, "run git in", cwd)


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")
