"""Linked worktrees, submodules, sparse checkouts and several projects in one repository."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.cli import CommandLine
from tests.support.hookrepo import HookRepo
from tests.support.hookrepo import copy_of
from tests.support.hookrepo import make

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> HookRepo:
    return make(tmp_path_factory.mktemp("hooks") / "made")


@pytest.fixture
def repo(template: HookRepo, tmp_path: Path) -> HookRepo:
    return copy_of(template, tmp_path / "here")


def test_a_linked_worktree_has_its_data_at_once(repo: HookRepo) -> None:
    ran = repo.run("worktree", "add", "-q", "../linked", "other")
    assert "dvtool: 3 created" in ran.err
    linked = HookRepo(repo.at.parent / "linked")
    assert linked.read("d/c") == "c2\n"
    assert linked.is_clean()
    linked.git("switch", "-q", "-c", "third", "main")
    assert linked.read("d/b") == "b1\n"
    linked.git("add", "-f", "m.bin")
    assert linked.run("commit", "-q", "-m", "data").code == 1
    linked.git("rm", "-q", "--cached", "m.bin")
    linked.write({"d": {"a": "a3\n"}})
    linked.cli.done("add", "-q", "d")
    linked.git("commit", "-q", "-a", "-m", "three")
    linked.git("push", "-q", "origin", "third")
    assert repo.is_clean(), "the main worktree saw nothing of it"
    assert repo.read("d/a") == "a1\n"


def test_install_from_a_linked_worktree_is_for_all(repo: HookRepo) -> None:
    repo.cli.done("install", "--uninstall")
    repo.git("worktree", "add", "-q", "../linked", "other")
    linked = HookRepo(repo.at.parent / "linked")
    linked.cli.done("install", "-q")
    repo.git("add", "-f", "m.bin")
    assert repo.run("commit", "-q", "-m", "data").code == 1


def test_a_submodule_brings_its_data_along(repo: HookRepo, tmp_path: Path) -> None:
    top = HookRepo(tmp_path / "top")
    top.at.mkdir()
    local = ("-c", "protocol.file.allow=always")
    top.git("init", "-q")
    top.git(*local, "submodule", "add", "-q", str(repo.at.parent / "up.git"), "sub")
    sub = HookRepo(top.at / "sub")
    sub.cli.done("config", "--local", "remote.store.url", str(repo.store))
    sub.cli.done("pull", "-q")
    sub.cli.done("install", "-q")
    top.git("commit", "-q", "-m", "at main")
    assert "not in the cache: d" in sub.run("checkout", "-q", "-b", "other", "origin/other").err
    sub.cli.done("pull", "-q")
    top.git("commit", "-q", "-a", "-m", "at other")
    assert sub.read("d/c") == "c2\n"
    top.git("checkout", "-q", "HEAD~1")
    top.git(*local, "submodule", "update", "-q")
    assert sub.read("d/c") is None
    assert sub.read("d/b") == "b1\n"
    assert sub.is_clean()
    sub.git("add", "-f", "m.bin")
    assert sub.run("commit", "-q", "-m", "data").code == 1


def test_a_sparse_checkout_is_what_counts(tmp_path: Path) -> None:
    repo = make(tmp_path / "here")
    repo.save("parts", {"east": {"data": {"x": "e\n"}}, "west": {"data": {"x": "w\n"}}}, "east/data", "west/data")
    repo.git("push", "-q")
    other = HookRepo(repo.at.parent / "sparse")
    url = str(repo.at.parent / "up.git")
    subprocess.run(["git", "clone", "-q", "--sparse", url, str(other.at)], check=True)
    other.git("sparse-checkout", "set", "east")
    refused = other.cli("status")
    assert refused.code == 10
    assert "git sparse-checkout add .dvtool" in refused.err
    other.git("sparse-checkout", "add", ".dvtool")
    other.cli.done("pull", "-q")
    assert other.read("east/data/x") == "e\n"
    assert not (other.at / "west").exists()
    assert other.is_clean()
    other.cli.done("install", "-q")
    other.save("new", {"east": {"data": {"x": "e2\n"}}}, "east/data")
    other.git("push", "-q")
    assert other.is_clean(), "what is left out is not taken for deleted"
    other.git("sparse-checkout", "add", "west")
    other.cli.done("pull", "-q")
    assert other.read("west/data/x") == "w\n"
    assert other.is_clean()


@pytest.fixture
def several(tmp_path: Path) -> HookRepo:
    """A project at the top and two below, each with data of its own on two branches."""
    repo = make(tmp_path / "here")
    for name in ("east", "west"):
        below = repo.cli.below(name)
        below.done("init", "-q", "--subdir")
        below.done("remote", "add", "-q", "-d", "store", f"../../store-{name}")
        repo.write({name: {"data": {"x": f"{name} 1\n"}}})
        below.done("add", "-q", "data")
    repo.save("several")
    repo.git("switch", "-q", "-c", "later")
    repo.write({"east": {"data": {"x": "east 2\n"}}})
    repo.cli.below("east").done("add", "-q", "data")
    repo.save("east")
    return repo


def test_the_status_of_one_project_reads_that_project_alone(several: HookRepo) -> None:
    (several.at / "west/data.dvt").write_text("whoever reads this fails\n")
    (several.at / "west/dvtool.yaml").write_text("stages: 1\n")
    (several.at / "west/.dvtool/config").write_text("no config\n")
    for place in (several.cli, several.cli.below("east")):
        assert place("status", "--exit-code", "-q").code == 0
    assert several.cli.below("west")("status").code == 9


def test_a_switch_touches_only_projects_that_changed(several: HookRepo) -> None:
    (several.at / "west/.dvtool/config").write_text("whoever opens this fails\n")
    ran = several.run("switch", "-q", "-")
    assert ran.err.splitlines() == ["dvtool in east: 1 replaced (7 B)"]
    assert several.read("east/data/x") == "east 1\n"


def test_each_project_pushes_to_its_own_remote(several: HookRepo) -> None:
    several.git("push", "-q", "origin", "later")
    for name in ("east", "west"):
        store = several.at.parent / f"store-{name}"
        assert any(store.rglob("*")), name
    other = several.clone("fresh")
    other.git("switch", "-q", "later")
    CommandLine(other.at / "east").done("pull", "-q")
    assert other.read("east/data/x") == "east 2\n"
    assert other.read("west/data/x") is None


def test_each_project_has_its_own_limit(several: HookRepo) -> None:
    several.cli.below("east").done("config", "core.git_file_limit", "1k")
    several.write({"east": {"large": "x" * 2000}, "west": {"large": "x" * 2000}})
    several.git("add", "-A")
    ran = several.run("commit", "-q", "-m", "large")
    assert ran.code == 1
    assert "east/large" in ran.err
    assert "west/large" not in ran.err


def test_git_finds_it_as_a_command_of_its_own(repo: HookRepo) -> None:
    (repo.at / "below").mkdir()
    ran = HookRepo(repo.at / "below").run("dvtool", "status")
    assert ran.code == 0
    assert "Up to date" in ran.out
