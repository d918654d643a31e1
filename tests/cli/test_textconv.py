"""`git diff` and `git log -p` on pointers: files and sizes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dvtool.api.pointertext import MOST_FILES
from tests.support.datarepo import DataRepo
from tests.support.datarepo import edit
from tests.support.datarepo import pushed_clone
from tests.support.hookrepo import HookRepo
from tests.support.trees import Executable

DIGEST = re.compile("[0-9a-f]{12}")


def changed(text: str) -> list[str]:
    """The lines of a diff that differ, without digests."""
    lines = [line for line in text.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    return [" ".join(word for word in line.split() if not DIGEST.fullmatch(word)) for line in lines]


@pytest.fixture
def git(repo: DataRepo) -> HookRepo:
    """The same repository with `install` in it."""
    repo.cli.done("install", "-q")
    return HookRepo(repo.at)


def test_files_and_sizes_stand_in_a_diff(repo: DataRepo, git: HookRepo) -> None:
    edit(repo)
    repo.add("data")
    lines = changed(git.git("diff", "-U0", "data.dvt"))
    assert lines[0].startswith("-directory data: 6 files, ")
    assert {line for line in lines if "directory" not in line} == {
        "- 4 B a.txt",
        "- 2 B img/1.png",
        "- 2 B img/2.png",
        "- 2 B img/deep/3.png",
        "- link lnk -> img",
        "- 10 B run",
        "+ 8 B a.txt",
        "+ 1 B new",
        "+ 2 B one.png",
        "+ 2 B pictures/2.png",
        "+ 2 B pictures/deep/3.png",
        "+ 10 B run (executable)",
    }
    repo.commit("two")
    assert "+ 8 B a.txt" in changed(git.git("log", "-p", "-1", "--", "data.dvt"))


def test_a_file_is_one_line(repo: DataRepo, git: HookRepo) -> None:
    repo.write({"model.bin": Executable("m2 and more\n")})
    repo.add("model.bin")
    before, after = changed(git.git("diff", "model.bin.dvt"))
    assert before.startswith("-file model.bin: 2 B, blake3:")
    assert after.startswith("+file model.bin: 12 B, blake3:")
    assert after.endswith(", executable")


def test_only_what_changed_stands_there(repo: DataRepo, git: HookRepo) -> None:
    repo.write({"many": {f"{n:03}": f"{n}\n" for n in range(300)}})
    repo.add("many")
    repo.commit("many")
    repo.write({"many": {"150": "other\n"}})
    repo.add("many")
    lines = changed(git.git("diff", "-U0", "many.dvt"))
    assert [line for line in lines if "directory" not in line] == ["- 4 B 150", "+ 6 B 150"]


def test_listings_that_are_not_here(repo: DataRepo, tmp_path: Path) -> None:
    clone = pushed_clone(repo, tmp_path)
    clone.cli.done("install", "-q")
    text = HookRepo(clone.at).git("log", "-p", "--", "data.dvt")
    assert "+(its listing is not in the cache: `dvtool fetch --all-commits` brings it)" in text
    assert "+directory data: 6 files" in text


def test_a_directory_with_more_files_than_anybody_reads(repo: DataRepo) -> None:
    files = MOST_FILES // 2 + 1
    repo.write({"wide": {name: {f"{n:05}": "" for n in range(files)} for name in ("x", "y")}, "flat": {"a": "1"}})
    repo.add("wide")
    lines = repo.cli.done("git-hook", "textconv", "wide.dvt").splitlines()
    assert [line.split()[-3:] for line in lines[1:]] == [["x/", f"{files:,}", "files"], ["y/", f"{files:,}", "files"]]


@pytest.mark.parametrize(
    "text",
    [b"", b"<<<<<<< ours\n", b"\xff\x00raw\x1b[31m", b"x" * 200_000],
    ids=["empty", "markers", "bytes", "long"],
)
def test_what_is_no_pointer_comes_out_as_it_is(repo: DataRepo, git: HookRepo, text: bytes) -> None:
    (repo.at / "odd.dvt").write_bytes(text)
    (repo.at / "expected").write_bytes(text)
    assert git.git("hash-object", "odd.dvt") == git.git("hash-object", "expected")
    shown = HookRepo(repo.at).run("dvtool", "git-hook", "textconv", "odd.dvt")
    assert shown.code == 0
    if text.isascii():
        assert shown.out == text.decode().strip()


def test_names_cannot_speak_to_the_terminal(repo: DataRepo) -> None:
    repo.write({"data": {"\x1b[31mred\nline": "x"}})
    repo.add("data")
    out = repo.cli.done("git-hook", "textconv", "data.dvt")
    assert "\x1b" not in out
    assert "\\x1b[31mred\\nline" in out


def test_without_dvtool_the_text_itself_is_compared(repo: DataRepo, git: HookRepo) -> None:
    command = git.git("config", "diff.dvtool.textconv")
    program = command.split("{ ")[1].split(" git-hook")[0]
    git.git("config", "diff.dvtool.textconv", command.replace(program, "/gone/dvtool"))
    repo.write({"model.bin": "m2 and more\n"})
    repo.add("model.bin")
    assert "+size: 12" in git.git("diff", "model.bin.dvt").splitlines()
