"""`git push` in a clone with hooks: the data is there before the commits are, or nothing is pushed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

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


def break_store(repo: HookRepo) -> None:
    shutil.rmtree(repo.store)
    repo.store.write_text("not a directory")


def pushed(repo: HookRepo, ref: str = "main") -> str:
    return HookRepo(repo.at.parent / "up.git").git("rev-parse", ref)


def test_a_clone_gets_what_was_pushed(repo: HookRepo) -> None:
    tip = repo.save("three", {"d": {"a": "a3\n"}}, "d")
    ran = repo.run("push", "-q")
    assert ran.code == 0
    assert "sent" in ran.err
    assert pushed(repo) == tip
    other = repo.clone("fresh")
    other.cli.done("pull", "-q")
    assert other.read("d/a") == "a3\n"


def test_nothing_is_pushed_when_the_data_cannot_go(repo: HookRepo) -> None:
    before = pushed(repo)
    repo.save("three", {"d": {"a": "a3\n"}}, "d")
    break_store(repo)
    ran = repo.run("push", "-q")
    assert ran.code == 1
    assert "error: " in ran.err
    assert pushed(repo) == before
    assert repo.run("push", "-q", "--no-verify").code == 0


def test_commits_that_touch_no_data_ask_no_remote(repo: HookRepo) -> None:
    break_store(repo)
    tip = repo.save("code", {"code.py": "2\n"})
    assert repo.run("push", "-q").code == 0
    assert pushed(repo) == tip
    assert repo.run("push", "-q", "origin", ":other").code == 0, "a branch that goes takes no data along"


def test_what_one_remote_of_git_has_needs_no_look_for_another(repo: HookRepo) -> None:
    """A fork: its commits are new there, their data is where it was."""
    repo.git("init", "-q", "--bare", "../fork.git")
    repo.git("remote", "add", "fork", "../fork.git")
    break_store(repo)
    assert repo.run("push", "-q", "fork", "main", "other").code == 0


def test_every_version_on_the_way_goes_too(repo: HookRepo) -> None:
    between = repo.save("three", {"d": {"a": "a3\n"}}, "d")
    repo.save("four", {"d": {"a": "a4\n"}}, "d")
    repo.git("push", "-q")
    other = repo.clone("fresh")
    other.git("checkout", "-q", between)
    other.cli.done("pull", "-q")
    assert other.read("d/a") == "a3\n"


def test_a_version_on_the_way_that_is_lost_is_told_of(repo: HookRepo) -> None:
    repo.save("three", {"d": {"a": "a3\n"}}, "d")
    cache = repo.at / ".git/dvtool/cache"
    shutil.rmtree(cache)
    repo.cli.done("fetch", "-q", "m.bin")
    (repo.at / "d.dvt").unlink()
    repo.save("four", {"d": {"a": "a4\n"}}, "d")
    ran = repo.run("push", "-q")
    assert ran.code == 0, ran
    assert "of an older commit is neither here nor on the remote" in ran.err


def test_what_the_tip_needs_must_be_had(repo: HookRepo) -> None:
    before = pushed(repo)
    repo.save("three", {"d": {"a": "a3\n"}}, "d")
    shutil.rmtree(repo.at / ".git/dvtool/cache")
    ran = repo.run("push", "-q")
    assert ran.code == 1
    assert "neither" in ran.err
    assert "--no-verify" in ran.err
    assert pushed(repo) == before


def test_data_that_somebody_else_lost_stops_nobody(repo: HookRepo) -> None:
    """What the new commits did not bring in is not theirs to answer for."""
    other = repo.clone("careless")
    other.save("theirs", {"m.bin": "never pushed\n"}, "m.bin")
    other.git("push", "-q")
    repo.git("pull", "-q")
    tip = repo.save("mine", {"d": {"a": "a3\n"}}, "d")
    ran = repo.run("push", "-q")
    assert ran.code == 0, ran
    assert "m.bin of an older commit" in ran.err
    assert pushed(repo) == tip


def test_another_branch_and_a_tag_than_those_checked_out(repo: HookRepo) -> None:
    repo.git("switch", "-q", "-c", "third")
    repo.save("three", {"d": {"a": "a3\n"}}, "d")
    repo.git("tag", "-a", "-m", "three", "v3")
    repo.git("switch", "-q", "main")
    repo.git("push", "-q", "origin", "v3")
    other = repo.clone("fresh")
    other.git("checkout", "-q", "v3")
    other.cli.done("pull", "-q")
    assert other.read("d/a") == "a3\n"


def test_a_project_that_is_not_checked_out_cannot_be_pushed(repo: HookRepo) -> None:
    repo.git("switch", "-q", "-c", "third")
    repo.save("three", {"d": {"a": "a3\n"}}, "d")
    repo.git("checkout", "-q", "--orphan", "pages")
    repo.git("rm", "-r", "-q", "--cached", ".")
    repo.git("clean", "-q", "-f", "-d")
    repo.git("commit", "-q", "--allow-empty", "-m", "pages")
    ran = repo.run("push", "-q", "origin", "third")
    assert ran.code == 1
    assert "a dvtool project that is not in this work tree" in ran.err
    assert repo.run("push", "-q", "origin", "pages").code == 0


def test_without_a_remote_nothing_is_pushed(tmp_path: Path) -> None:
    repo = make(tmp_path / "here")
    repo.cli.done("remote", "remove", "store")
    repo.save("three", {"d": {"a": "a3\n"}}, "d")
    ran = repo.run("push", "-q")
    assert ran.code == 1
    assert "no remote is configured" in ran.err
    assert "dvtool remote add -d NAME URL" in ran.err
