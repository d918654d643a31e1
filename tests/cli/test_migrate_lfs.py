"""Files that Git LFS keeps become data of dvtool. Most repositories here are made without it: pointers are text."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dvtool.formats.lfspointer import decode_lfs_pointer
from dvtool.formats.lfspointer import without_lfs
from tests.support.cli import CommandLine
from tests.support.lfsserver import LfsServer
from tests.support.lfsserver import lfs_server
from tests.support.lfsserver import pointer_text

LARGE = bytes(range(256)) * 2_000
FILES = {"a.bin": LARGE, "img/1.png": b"one", "img/t wo.png": b"two"}
ATTRIBUTES = "*.txt text\n*.bin filter=lfs diff=lfs merge=lfs -text\nimg/** filter=lfs diff=lfs merge=lfs -text\n"


@pytest.fixture
def server() -> Iterator[LfsServer]:
    with lfs_server() as found:
        yield found


def git(at: Path, *args: str) -> str:
    return subprocess.run(["git", *args], cwd=at, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repo(tmp_path: Path, server: LfsServer) -> CommandLine:
    """A clone without the data: pointers as text, as they are where nothing was fetched."""
    place = tmp_path / "repo"
    (place / "img").mkdir(parents=True)
    git(place, "init", "-q", "-b", "main")
    for name in ("clean", "smudge"):
        git(place, "config", f"filter.lfs.{name}", "cat")
    (place / ".gitattributes").write_text(ATTRIBUTES)
    (place / "plain.bin").write_bytes(b"never was in Git LFS")
    for name, data in FILES.items():
        (place / name).write_text(server.add(data))
    (place / "img/1.png").chmod(0o755)
    git(place, "add", "-A")
    git(place, "commit", "-qm", "one")
    git(place, "tag", "v1")
    git(place, "config", "lfs.url", server.url.removeprefix("lfs+"))
    return CommandLine(place)


def test_all_is_listed_first(repo: CommandLine) -> None:
    found = repo("migrate", "--from", "lfs", "-n", "--json").document
    assert {each["source"] for each in found["converted"] if each["what"] == "pointer"} == set(FILES)
    assert git(repo.at, "status", "--porcelain") == ""


def test_the_data_comes_from_the_server(repo: CommandLine, server: LfsServer) -> None:
    repo.done("migrate", "--from", "lfs")
    assert not (repo.at / "a.bin").exists()
    assert (repo.at / "plain.bin").exists()
    assert (repo.at / ".gitattributes").read_text() == "*.txt text\n"
    assert [each["path"] for each in repo("status", "--json").document["missing"]] == list(FILES)
    repo.done("pull")
    assert {name: (repo.at / name).read_bytes() for name in FILES} == FILES
    assert os.access(repo.at / "img/1.png", os.X_OK)
    # All at once: a question for each file would take a server's patience.
    assert len(server.batches) <= 3
    assert repo("status", "--cloud", "--json").document["cloud"] == []


def test_git_has_pointers_of_ours_then(repo: CommandLine, tmp_path: Path) -> None:
    repo.done("migrate", "--from", "lfs")
    git(repo.at, "commit", "-qm", "moved")
    assert git(repo.at, "status", "--porcelain") == ""
    assert git(repo.at, "show", "HEAD:img/1.png.dvt").startswith("dvtool: 1")
    git(tmp_path, "clone", "-q", os.fspath(repo.at), "clone")
    clone = CommandLine(tmp_path / "clone")
    clone.done("pull")
    assert (clone.at / "a.bin").read_bytes() == LARGE
    git(clone.at, "checkout", "-q", "v1")
    assert decode_lfs_pointer((clone.at / "a.bin").read_bytes()) is not None


def test_what_is_here_is_not_read(repo: CommandLine) -> None:
    for name, data in FILES.items():
        (repo.at / name).write_bytes(data)
    before = {name: (repo.at / name).stat() for name in FILES}
    repo.done("migrate", "--from", "lfs")
    assert {name: (repo.at / name).stat().st_atime_ns for name in FILES} == {
        name: status.st_atime_ns for name, status in before.items()
    }
    found = repo("status", "--json").document
    assert not (found["workspace"] or found["missing"])


def test_then_the_data_goes_to_a_remote_of_ours(repo: CommandLine, server: LfsServer, tmp_path: Path) -> None:
    repo.done("migrate", "--from", "lfs")
    repo.done("pull")
    (tmp_path / "store").mkdir()
    repo.done("remote", "add", "-d", "store", os.fspath(tmp_path / "store"))
    repo.done("commit")
    repo.done("push")
    shutil.rmtree(repo.at / ".git/dvtool/cache")
    for name in FILES:
        (repo.at / name).unlink()
    server.objects.clear()
    repo.done("pull")
    assert (repo.at / "a.bin").read_bytes() == LARGE


def test_the_cache_of_git_lfs_on_this_disk_is_enough(repo: CommandLine, server: LfsServer) -> None:
    for data in FILES.values():
        oid = hashlib.sha256(data).hexdigest()
        place = repo.at / ".git/lfs/objects" / oid[:2] / oid[2:4]
        place.mkdir(parents=True)
        (place / oid).write_bytes(data)
    repo.done("migrate", "--from", "lfs")
    repo.done("checkout")
    assert (repo.at / "a.bin").read_bytes() == LARGE
    assert server.batches == []


def test_damaged_bytes_are_nobodys_data(repo: CommandLine, server: LfsServer) -> None:
    server.damaged.add(hashlib.sha256(LARGE).hexdigest())
    repo.done("migrate", "--from", "lfs")
    ran = repo("pull")
    assert ran.code == 3, ran
    assert not (repo.at / "a.bin").exists()
    assert (repo.at / "img/1.png").read_bytes() == b"one"


def test_what_the_server_lacks_is_told_by_path(repo: CommandLine, server: LfsServer) -> None:
    del server.objects[hashlib.sha256(LARGE).hexdigest()]
    repo.done("migrate", "--from", "lfs")
    ran = repo("pull")
    assert ran.code == 4, ran
    assert "a.bin" in ran.err


def test_a_login_stays_with_its_server(repo: CommandLine, server: LfsServer) -> None:
    with lfs_server() as other:
        other.objects = server.objects
        oid = hashlib.sha256(LARGE).hexdigest()
        host = other.url.removeprefix("lfs+").partition("/o/")[0].replace("127.0.0.1", "localhost")
        server.links[oid] = f"{host}/objects/{oid}"
        repo.done("migrate", "--from", "lfs")
        repo.done("remote", "modify", "--local", "lfs", "user", "me")
        repo.done("remote", "modify", "--local", "lfs", "password", "secret")
        repo.done("pull")
        assert all(login is not None for _, login in server.logins)
        assert other.logins
        assert all(login is None for _, login in other.logins)


@pytest.mark.parametrize("link", ["file:///etc/passwd", "ftp://127.0.0.1/x", "//[", "javascript:1"])
def test_links_that_lead_elsewhere_are_refused(repo: CommandLine, server: LfsServer, link: str) -> None:
    server.links[hashlib.sha256(LARGE).hexdigest()] = link
    repo.done("migrate", "--from", "lfs")
    ran = repo("pull")
    assert ran.code == 7, ran
    assert "Traceback" not in ran.err
    assert not (repo.at / "a.bin").exists()


def test_it_cannot_be_kept_beside(repo: CommandLine) -> None:
    ran = repo("migrate", "--from", "lfs", "--keep")
    assert ran.code == 2
    assert "clone" in ran.err


def test_pushing_to_it_says_that_it_is_only_read(repo: CommandLine) -> None:
    repo.done("migrate", "--from", "lfs")
    repo.done("pull")
    (repo.at / "new").write_bytes(b"new")
    repo.done("add", "new")
    ran = repo("push")
    assert ran.code != 0
    assert "Traceback" not in ran.err


def test_a_repository_without_it(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    ran = CommandLine(tmp_path)("migrate", "--from", "lfs")
    assert ran.code == 2
    assert "no file here is in Git LFS" in ran.err


def test_pointers() -> None:
    found = decode_lfs_pointer(pointer_text(b"x").encode())
    assert found is not None
    assert (found.size, found.extended) == (1, False)
    for text in ("", "version https://git-lfs.github.com/spec/v1\noid sha256:x\nsize 1\n", pointer_text(b"x") + "more"):
        assert decode_lfs_pointer(text.encode()) is None


def test_lines_of_attributes() -> None:
    assert without_lfs(ATTRIBUTES.encode()) == b"*.txt text\n"
    assert without_lfs(b"# filter=lfs\n[attr]l filter=lfs\na filter=lfsx\n") != b""


@pytest.mark.skipif(shutil.which("git-lfs") is None, reason="git-lfs is not installed")
def test_a_repository_made_by_git_lfs_itself(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "server")
    git(tmp_path, "init", "-q", "-b", "main", "repo")
    place = tmp_path / "repo"
    git(place, "lfs", "install", "--local")
    (place / ".gitattributes").write_text(ATTRIBUTES)
    (place / "img").mkdir()
    for name, data in FILES.items():
        (place / name).write_bytes(data)
    git(place, "add", "-A")
    git(place, "commit", "-qm", "one")
    git(place, "tag", "v1")
    git(place, "remote", "add", "origin", os.fspath(tmp_path / "server"))
    git(place, "push", "-q", "origin", "main", "v1")
    repo = CommandLine(place)
    repo.done("migrate", "--from", "lfs")
    found = repo("status", "--json").document
    assert not (found["workspace"] or found["missing"])
    git(place, "commit", "-qm", "moved")
    git(place, "push", "-q", "origin", "main")
    git(tmp_path, "clone", "-q", "-b", "main", os.fspath(tmp_path / "server"), "clone")
    clone = CommandLine(tmp_path / "clone")
    clone.done("pull")
    assert {name: (clone.at / name).read_bytes() for name in FILES} == FILES
    git(place, "checkout", "-q", "v1")
    assert (place / "a.bin").read_bytes() == LARGE
