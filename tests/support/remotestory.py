"""What a user does with any remote, through the command line: push, a fresh clone, pull, a second version, fsck.

And what goes wrong first: credentials that are refused, a server that is not there.
"""

from __future__ import annotations

import hashlib
import shutil
import socket
import subprocess
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.support.cli import CommandLine
from tests.support.cli import Ran
from tests.support.cli import git_project
from tests.support.trees import Executable
from tests.support.trees import Link
from tests.support.trees import Tree
from tests.support.trees import create_tree
from tests.support.trees import normal
from tests.support.trees import tree_of

Texts = Mapping[str, str]


class Where(NamedTuple):
    """A remote as its user sets it up: URL, settings in the local config, variables."""

    url: str
    settings: Texts
    environ: Texts


def run_story(
    tmp_path: Path,
    url: str,
    settings: Texts | None = None,
    environ: Texts | None = None,
    *,
    pushed_to: Where | None = None,
    prepare: Sequence[str] = (),
) -> None:
    """Everything arrives as it was, twice, and the remote is sound.

    *pushed_to*: where a remote that can only be read (*url*) is written, the same place otherwise named.
    *prepare*: a command of the one who pushes, after the first time.
    """
    reading = Where(url, settings or {}, environ or {})
    ann = project(tmp_path / "ann", pushed_to or reading, _FIRST)
    ann.done("push")
    if prepare:
        ann.done(*prepare)
    bob = clone_of(ann, tmp_path / "bob", reading)
    bob.done("pull")
    _assert_same(ann, bob)
    assert tree_of(bob.at / "data") == normal(_FIRST)

    shutil.rmtree(ann.at / "data")
    create_tree(ann.at / "data", _SECOND)
    ann.done("add", "data")
    git(ann, "commit", "-q", "-a", "-m", "second version")
    ann.done("push")
    git(bob, "pull", "-q")
    bob.done("pull")
    _assert_same(ann, bob)
    assert tree_of(bob.at / "data") == normal(_SECOND)

    for cli in (ann, bob):
        assert git(cli, "status", "--porcelain") == ""
        cli.done("fsck", "--remote", "origin")
    again = ann("push", "--json")
    assert again.code == 0 and again.document["up_to_date"], again


def refuses_credentials(
    tmp_path: Path,
    url: str,
    settings: Texts | None = None,
    environ: Texts | None = None,
    *,
    words: Sequence[str] = (),
    hint: Sequence[str] = (),
    hidden: Sequence[str] = (),
) -> None:
    """With those (wrong) credentials push and pull say so in one line; *hidden* texts are not shown.

    *words* stand in the error, *hint* in what to do next: at least which credential was tried.
    """
    _refused(tmp_path, Where(url, settings or {}, environ or {}), words, hint, hidden)


def refuses_absent_server(
    tmp_path: Path, url: str, settings: Texts | None = None, environ: Texts | None = None, *, words: Sequence[str] = ()
) -> None:
    """Where nobody listens (see `nobody_listens`), push and pull say so in one line with *words*."""
    _refused(tmp_path, Where(url, settings or {}, environ or {}), words, (), ())


def refuses_push(tmp_path: Path, url: str, settings: Texts | None = None, environ: Texts | None = None) -> None:
    """A remote that can only be read says so in one line."""
    ann = project(tmp_path / "writer", Where(url, settings or {}, environ or {}), {"a": "a\n"})
    assert_one_line(ann("push"))


@contextmanager
def nobody_listens() -> Iterator[int]:
    """A port of 127.0.0.1 that refuses connections until the end of the block."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield unused.getsockname()[1]


def assert_one_line(ran: Ran, words: Sequence[str] = (), hint: Sequence[str] = (), code: int = 7) -> None:
    """The command failed as it should: exit code, one error with *words*, one hint, nothing for programmers."""
    assert ran.code == code, ran
    assert ran.out == "", ran
    lines = ran.err.splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    hints = [line for line in lines if line.startswith("hint: ")]
    assert len(errors) == 1 and len(hints) == 1, ran
    assert len(lines) <= 4, ran
    assert not any(word in ran.err for word in ("Traceback", "bug in dvtool", "errno", "Exception(")), ran
    assert all(word in errors[0] for word in words), (words, ran)
    assert all(word in hints[0] for word in hint), (hint, ran)


def project(place: Path, where: Where, data: Tree) -> CommandLine:
    """A repository that tracks the directory ``data``, with the remote ``origin``; nothing is pushed yet."""
    cli = git_project(place)
    cli.environ.update(where.environ)
    cli.done("remote", "add", "-d", "origin", where.url)
    _settle(cli, where)
    create_tree(place / "data", data)
    (place / "code.py").write_text("print('not tracked by dvtool')\n")
    cli.done("add", "data")
    git(cli, "add", "-A")
    git(cli, "commit", "-q", "-m", "first version")
    return cli


def clone_of(cli: CommandLine, place: Path, where: Where) -> CommandLine:
    """A fresh `git clone`, without data, whose user has the settings of *where*."""
    subprocess.run(["git", "clone", "-q", cli.at, place], check=True)
    clone = CommandLine(place, dict(where.environ))
    clone.done("config", "--local", "remote.origin.url", where.url)
    _settle(clone, where)
    return clone


def git(cli: CommandLine, *argv: str) -> str:
    done = subprocess.run(["git", *argv], cwd=cli.at, check=True, capture_output=True, text=True)
    return done.stdout


def noise(name: str, size: int) -> bytes:
    """Bytes that no compression makes shorter."""
    return hashlib.shake_128(name.encode()).digest(size)


def _settle(cli: CommandLine, where: Where) -> None:
    for key, value in where.settings.items():
        cli.done("config", "--local", f"remote.origin.{key}", value)


def _refused(tmp_path: Path, where: Where, words: Sequence[str], hint: Sequence[str], hidden: Sequence[str]) -> None:
    ann = project(tmp_path / "ann", where, {"a": "a\n", "sub": {"b": "b\n"}})
    bob = clone_of(ann, tmp_path / "bob", where)
    for ran in (ann("push"), bob("pull")):
        assert_one_line(ran, words, hint)
        assert not any(text in ran.err for text in hidden), ran
    assert not (bob.at / "data").exists()


def _assert_same(one: CommandLine, other: CommandLine) -> None:
    assert tree_of(one.at) == tree_of(other.at)


_LARGE = noise("large", (4 << 20) + 12_345)
_FIRST: Tree = {
    "a.csv": "x,y\n1,2\n" * 500,
    "empty": b"",
    "loose.bin": noise("loose", 300_000),
    "large.bin": _LARGE,
    "run.sh": Executable("#!/bin/sh\necho one\n"),
    "link": Link("a.csv"),
    "sub": {"sub": {"sub": {"leaf": "leaf\n"}}, "up": Link("../a.csv")},
    "no files": {},
    "many": {f"{number:03}.txt": f"file {number}\n" for number in range(200)},
    "odd \u00e9 \u65e5\u672c name; $(touch x) #1?": "odd\n",
    b"latin1-\xe9": "not UTF-8\n",
}
_SECOND: Tree = {
    **_FIRST,
    "a.csv": "x,y\n1,2\n" * 500 + "3,4\n",
    "large.bin": _LARGE[: 2 << 20] + b"inserted" + _LARGE[2 << 20 :],
    "link": "a file now\n",
    "sub": {"sub": {"sub": {"leaf": "another leaf\n", "new": "new\n"}}},
    "many": {f"{number:03}.txt": f"file {number}\n" for number in range(3, 203)},
}
