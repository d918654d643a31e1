"""du: the size of tracked data against what is stored for it, in the cache and on a remote."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from dvtool.remote.drivers.local import LocalRemote
from tests.support.cli import CommandLine
from tests.support.cli import git_project
from tests.support.datasets import content
from tests.support.trees import create_tree

MIB = 1 << 20
LARGE = content("large", 6 * MIB)


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    """``data`` compresses and holds what ``copy`` is too; ``large`` does not compress. All of it is on a remote."""
    cli = git_project(tmp_path / "repo")
    create_tree(cli.at, {"data": {"rows": "row\n" * 5_000, "noise": content("noise", 50_000)}, "large": LARGE})
    (cli.at / "copy").write_bytes(content("noise", 50_000))
    cli.done("add", "-q", "data", "large", "copy")
    cli.done("remote", "add", "-q", "-d", "origin", str(tmp_path / "origin"))
    commit(cli, "v1")
    cli.done("push", "-q")
    return cli


def commit(cli: CommandLine, tag: str) -> None:
    for words in (["add", "-A"], ["commit", "-qm", tag], ["tag", tag]):
        subprocess.run(["git", *words], cwd=cli.at, check=True)


def du(cli: CommandLine, *words: str) -> dict[str, Any]:
    return {each["path"]: each for each in cli("du", "--json", *words).document["paths"]}


@pytest.mark.parametrize("where", [(), ("-r", "origin")], ids=["cache", "remote"])
def test_size_and_what_is_stored_for_it(cli: CommandLine, where: tuple[str, ...]) -> None:
    document = cli("du", "--json", *where).document
    paths = {each["path"]: each for each in document["paths"]}
    assert (paths["data"]["bytes"], paths["data"]["files"]) == (70_000, 2)
    assert 50_000 < paths["data"]["stored_bytes"] < 52_000
    assert paths["large"]["bytes"] == 6 * MIB <= paths["large"]["stored_bytes"] < 6.01 * MIB
    # What two paths need is stored once: each says so, and the sum counts it once.
    shared = paths["copy"]["stored_bytes"]
    assert paths["copy"]["shared_bytes"] == paths["data"]["shared_bytes"] == shared >= 50_000
    assert document["stored_bytes"] == sum(each["stored_bytes"] for each in paths.values()) - shared
    assert not any(each["absent_bytes"] for each in paths.values())


def test_the_parts_add_up_to_the_packs_of_the_remote(cli: CommandLine, tmp_path: Path) -> None:
    document = cli("du", "--json", "-r", "origin").document
    remote = LocalRemote("origin", bytes(tmp_path / "origin"))
    packs = [item.size for folder in ("data/", "meta/") for item in remote.list(folder)]
    assert document["remote_bytes"] == sum(packs)
    # Heads and tables of packs belong to no object.
    assert 0 <= sum(packs) - document["stored_bytes"] < 2_000


def test_versions_share_pieces_of_a_large_file(cli: CommandLine) -> None:
    (cli.at / "large").write_bytes(LARGE + content("more", 1000))
    cli.done("add", "-q", "large")
    commit(cli, "v2")
    cli.done("push", "-q")
    before = du(cli, "--rev", "v1", "-r", "origin", "large")["large"]
    now = du(cli, "-r", "origin", "large")["large"]
    assert now["bytes"] == before["bytes"] + 1000
    document = cli("du", "--json", "-r", "origin").document
    assert document["remote_bytes"] < before["stored_bytes"] + now["stored_bytes"]


def test_a_fresh_clone_knows_sizes_and_that_nothing_is_here(cli: CommandLine, tmp_path: Path) -> None:
    subprocess.run(["git", "clone", "-q", cli.at, tmp_path / "clone"], check=True)
    clone = CommandLine(tmp_path / "clone")
    clone.done("config", "--local", "remote.origin.url", str(tmp_path / "origin"))
    document = clone("du", "--json", "--rev", "v1").document
    paths = {each["path"]: each for each in document["paths"]}
    assert (paths["large"]["bytes"], paths["large"]["absent_bytes"]) == (6 * MIB, 6 * MIB)
    assert document["stored_bytes"] == 0
    assert [each["path"] for each in document["unread"]] == ["data"]
    assert "a listing is not in the cache" in clone.done("du")
    # Against the remote listings are fetched, and no data.
    assert du(clone, "-r", "origin") == du(cli, "-r", "origin")
    assert clone("du", "--json").document["unread"] == []
    assert not list((clone.at / ".git/dvtool/cache/objects").rglob("*/*"))


def test_a_part_of_a_directory(cli: CommandLine) -> None:
    assert du(cli, "data/rows")["data/rows"]["bytes"] == 20_000
    ran = cli("du", "data/none")
    assert ran.code == 2
    assert "data/none is not in data.dvt" in ran.err


def test_a_remote_without_a_store_has_nothing(cli: CommandLine, tmp_path: Path) -> None:
    cli.done("remote", "add", "-q", "new", str(tmp_path / "new"))
    (tmp_path / "new").mkdir()
    found = du(cli, "-r", "new")
    assert found["data"]["stored_bytes"] == 0
    assert found["data"]["absent_bytes"] == 70_000


def test_in_words(cli: CommandLine) -> None:
    lines = cli.done("du").splitlines()
    assert lines[0].split() == ["FILES", "SIZE", "STORED", "SHARED", "ABSENT", "PATH"]
    assert [line.split()[-1] for line in lines[1:5]] == ["copy", "data/", "large", "total"]
    assert any(line.startswith("SHARED: stored once") for line in lines)
    assert "origin holds" in cli.done("du", "-r", "origin")
