from __future__ import annotations

import subprocess
from typing import Any

import pytest

from dvtool.errors import DvtoolError
from dvtool.errors import FormatError
from dvtool.errors import MissingData
from dvtool.git.blobs import read_blobs
from dvtool.git.blobs import read_file_at
from dvtool.git.worktree import pointers_at
from tests.unit.git.conftest import Sandbox


def test_many_blobs_come_through_one_process(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {b"%d.dvt" % number: b"%d\n" % number * number for number in range(700)}
    sandbox.commit(texts)
    repo = sandbox.repo
    blobs = pointers_at(repo, "HEAD")
    started = []
    popen = subprocess.Popen

    def counting(*args: Any, **options: Any) -> Any:
        started.append(args)
        return popen(*args, **options)

    monkeypatch.setattr(subprocess, "Popen", counting)
    contents = dict(read_blobs(repo, blobs.values()))
    assert {path: contents[sha] for path, sha in blobs.items()} == texts
    assert len(started) == 1


def test_no_blobs_no_process(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = sandbox.repo
    monkeypatch.setattr(subprocess, "Popen", None)
    assert list(read_blobs(repo, [])) == []


def test_absent_wrong_and_oversized_objects_are_refused(sandbox: Sandbox) -> None:
    commit = sandbox.commit({b"a.dvt": b"12345"})
    repo = sandbox.repo
    [sha] = pointers_at(repo, "HEAD").values()
    with pytest.raises(MissingData):
        list(read_blobs(repo, [sha, "1" * len(sha)]))
    with pytest.raises(FormatError):
        list(read_blobs(repo, [commit]))
    with pytest.raises(FormatError):
        list(read_blobs(repo, [sha], limit=4))
    assert list(read_blobs(repo, [sha], limit=5)) == [(sha, b"12345")]


def test_leaving_early_ends_the_process(sandbox: Sandbox) -> None:
    sandbox.commit({b"a.dvt": b"1", b"b.dvt": b"2"})
    blobs = read_blobs(sandbox.repo, pointers_at(sandbox.repo, "HEAD").values())
    next(blobs)
    blobs.close()  # type: ignore[attr-defined]


def test_file_at_a_revision(sandbox: Sandbox) -> None:
    first = sandbox.commit({b".dvtool/config": b"1", b"od\nd [x]*": b"odd", b"dir/f": b"x"})
    sandbox.commit({b".dvtool/config": b"2"})
    repo = sandbox.repo
    assert read_file_at(repo, first, b".dvtool/config") == b"1"
    assert read_file_at(repo, "HEAD", b".dvtool/config") == b"2"
    assert read_file_at(repo, "HEAD", b"od\nd [x]*") == b"odd"
    assert read_file_at(repo, "HEAD", b"dir") is None
    assert read_file_at(repo, "HEAD", b"absent") is None
    with pytest.raises(DvtoolError):
        read_file_at(repo, "no-such", b"dir/f")
