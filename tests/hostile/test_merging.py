"""The merge driver on what somebody else's branch brings: refused, ours stays, nothing else is touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dvtool.formats.lock import encode_lock
from dvtool.formats.pointer import decode_pointer
from dvtool.formats.pointer import encode_pointer
from dvtool.formats.tree import encode_leaf
from dvtool.model.digest import as_digest
from dvtool.model.tree import MAX_DEPTH
from dvtool.model.tree import TreeRef
from dvtool.model.tree import directory_entry
from dvtool.model.tree import file_entry
from dvtool.project.environment import Environment
from dvtool.project.open import open_project
from dvtool.project.parts import open_cache
from dvtool.store.cachewriter import CacheWriter
from tests.support.mergerepo import MergeRepo
from tests.support.mergerepo import new_repo
from tests.support.trees import tree_of

ZERO = "0" * 64
TEXTS = {
    "climbs": "path: ../outside\nkind: directory\ndigest: blake3:{oid}\nsize: 4\nfiles: 2\n",
    "git": "path: .git\nkind: directory\ndigest: blake3:{oid}\nsize: 4\nfiles: 2\n",
    "digest": "path: d\nkind: directory\ndigest: blake3:../../{oid}\nsize: 4\nfiles: 2\n",
    "absent": f"path: d\nkind: directory\ndigest: blake3:{ZERO}\nsize: 4\nfiles: 2\n",
    "markers": "<<<<<<< HEAD\npath: d\n",
    "alias": "path: d\nkind: directory\ndigest: blake3:{oid}\nsize: 4\nfiles: 2\nx: &a [*a, *a]\n",
}


@pytest.fixture
def repo(tmp_path: Path) -> MergeRepo:
    repo = new_repo(tmp_path / "repo", install=False)
    repo.data({"d": {"a": "1\n"}})
    (repo.at / "base").write_bytes((repo.at / "d.dvt").read_bytes())
    repo.data({"d": {"a": "1\n", "b": "2\n"}})
    (repo.at / "ours").write_bytes((repo.at / "d.dvt").read_bytes())
    return repo


def refused(repo: MergeRepo, theirs: bytes, path: str = "d.dvt") -> str:
    """What the driver says; everything in the work tree is as before."""
    (repo.at / "theirs").write_bytes(theirs)
    before = tree_of(repo.at.parent, without=())
    ran = repo.cli("git-hook", "merge-driver", "base", "ours", "theirs", path)
    assert ran.code == 1
    assert "this is a bug" not in ran.err
    after = tree_of(repo.at.parent, without=())
    inside, now = before[b"repo"], after[b"repo"]
    assert isinstance(inside, dict)
    assert isinstance(now, dict)
    inside.pop(b".git")
    now.pop(b".git")
    assert after == before
    return ran.err


@pytest.mark.parametrize("name", TEXTS)
def test_a_pointer_that_no_dvtool_writes(repo: MergeRepo, name: str) -> None:
    oid = decode_pointer((repo.at / "base").read_bytes(), "base").digest.raw.hex()
    said = refused(repo, ("dvtool: 1\n" + TEXTS[name].format(oid=oid)).encode())
    assert "d.dvt was not merged, ours stays" in said


def point_at_towers(repo: MergeRepo, levels: int, names: tuple[bytes, ...]) -> bytes:
    """Three directories of so many levels, each holding the one below under every name. Theirs is returned."""
    cache = open_cache(open_project(os.fsencode(repo.at), Environment({}, b"/none", os.fsencode(repo.at))))
    texts = []
    with CacheWriter(cache, what="a test") as writer:
        for number in (1, 2, 3):
            rows = [file_entry(b"f", bytes([number]) * 32, 1, False)]
            tree = TreeRef(writer.put_tree(encode_leaf(rows)), 1, 1)
            for _ in range(levels):
                rows = [directory_entry(name, tree) for name in names]
                size, files = sum(row.size for row in rows), sum(row.files for row in rows)
                tree = TreeRef(writer.put_tree(encode_leaf(rows)), size, files)
            texts.append(pointing(repo, tree))
        writer.commit()
    for side, text in zip(("base", "ours"), texts):
        (repo.at / side).write_bytes(text)
    return texts[2]


def pointing(repo: MergeRepo, tree: TreeRef) -> bytes:
    pointer = decode_pointer((repo.at / "d.dvt").read_bytes(), "ours")
    return encode_pointer(pointer._replace(digest=as_digest(tree.oid), size=tree.size, files=tree.files))


def test_directories_without_end(repo: MergeRepo) -> None:
    theirs = point_at_towers(repo, MAX_DEPTH + 3, (b"d",))
    assert "lies deeper than" in refused(repo, theirs)


def test_a_few_pages_that_stand_for_a_million_conflicts(repo: MergeRepo) -> None:
    """Twenty levels of two equal directories."""
    theirs = point_at_towers(repo, 21, (b"a", b"b"))
    assert "changes that are the same in directory after directory" in refused(repo, theirs)


@pytest.mark.parametrize(
    "text",
    [
        b'{"dvtool": "lock", "version": 1, "stages": {"s": {"outs": {"../x": {"digest": "blake3:%s", "size": 1}}}}}',
        b'{"dvtool": "lock", "version": 1, "stages": {"s": {"outs": {".git/x": {"digest": "md5:%s", "size": 1}}}}}',
        b'{"dvtool": "lock", "version": 2, "stages": {}}',
        b"[" * 100_000,
    ],
)
def test_a_lock_that_no_dvtool_writes(repo: MergeRepo, text: bytes) -> None:
    for side in ("base", "ours"):
        (repo.at / side).write_bytes(encode_lock({}))
    said = refused(repo, text.replace(b"%s", ZERO.encode()), "dvtool.lock")
    assert "dvtool.lock was not merged, ours stays" in said


def test_an_ignore_file_of_a_hundred_thousand_lines_on_each_side(repo: MergeRepo) -> None:
    (repo.at / "base").write_bytes(b"")
    (repo.at / "ours").write_bytes(b"".join(b"/o%d\n" % number for number in range(100_000)))
    (repo.at / "theirs").write_bytes(b"".join(b"/t%d\n" % number for number in range(100_000)))
    assert repo.cli("git-hook", "merge-driver", "base", "ours", "theirs", ".gitignore").code == 0
    assert (repo.at / "ours").read_bytes().count(b"\n") == 200_000
