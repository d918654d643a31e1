"""`git checkout`, `merge`, `pull`, `rebase` and `stash` in a clone with hooks: the data comes along, or stays safe."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.hookrepo import HookRepo
from tests.support.hookrepo import copy_of
from tests.support.hookrepo import make
from tests.support.trees import tree_of

pytestmark = pytest.mark.e2e

ONE = {b"a": b"a1\n", b"b": b"b1\n"}
TWO = {b"a": b"a2\n", b"c": b"c2\n"}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> HookRepo:
    return make(tmp_path_factory.mktemp("hooks") / "made")


@pytest.fixture
def repo(template: HookRepo, tmp_path: Path) -> HookRepo:
    return copy_of(template, tmp_path / "here")


def data(repo: HookRepo) -> dict[bytes, bytes]:
    return {path.name.encode(): path.read_bytes() for path in (repo.at / "d").iterdir()}


def test_the_data_comes_along_and_back(repo: HookRepo) -> None:
    ran = repo.run("switch", "other")
    assert ran.code == 0
    assert "dvtool: 1 created, 1 replaced, 1 removed" in ran.err
    assert data(repo) == TWO
    repo.git("checkout", "-q", "main")
    assert data(repo) == ONE
    assert repo.is_clean()
    quiet = repo.run("switch", "-c", "third")
    assert "dvtool" not in quiet.err, "nothing changed, nothing said"


def test_edits_of_the_users_own_stay_and_are_told_of(repo: HookRepo) -> None:
    repo.write({"d": {"a": "mine\n"}})
    ran = repo.run("switch", "-q", "other")
    assert ran.code == 1
    assert "hold" in ran.err
    assert "d/a" in ran.err
    assert repo.git("branch", "--show-current") == "other"
    assert repo.read("d/a") == "mine\n"
    assert repo.run("switch", "-q", "main").code == 0
    assert data(repo) == {**ONE, b"a": b"mine\n"}


def test_single_files_that_git_brings_back_move_no_data(repo: HookRepo) -> None:
    """Tools that put changes aside for a moment do that, and say nothing when they put them back."""
    repo.git("checkout", "-q", "other", "--", "d.dvt")
    assert data(repo) == ONE
    repo.cli.done("checkout", "-q")
    assert data(repo) == TWO


def test_old_data_under_a_new_pointer_is_a_failure(repo: HookRepo) -> None:
    other = repo.clone("fresh")
    other.cli.done("install", "-q")
    other.cli.done("pull", "-q")
    ran = other.run("switch", "-q", "other")
    assert ran.code == 1
    assert "not in the cache: d" in ran.err
    assert "dvtool pull" in ran.err
    other.cli.done("pull", "-q")
    assert data(other) == TWO


def test_data_that_never_was_here_is_no_failure(repo: HookRepo) -> None:
    other = repo.clone("fresh")
    other.cli.done("install", "-q")
    ran = other.run("switch", "-q", "other")
    assert ran.code == 0
    assert "1 path not in the cache; `dvtool pull`" in ran.err


def test_a_reset_that_no_hook_saw_is_made_up_for(repo: HookRepo) -> None:
    repo.git("switch", "-q", "other")
    repo.git("branch", "copy", "main")
    repo.git("reset", "-q", "--hard", "main")
    assert data(repo) == TWO, "no hook runs at a reset"
    repo.git("switch", "-q", "copy")
    assert data(repo) == ONE


@pytest.mark.parametrize("how", [["--ff-only"], ["--no-ff"], ["--squash"]], ids=" ".join)
def test_a_merge_brings_the_data_along(repo: HookRepo, how: list[str]) -> None:
    repo.git("merge", "-q", *how, "other")
    assert data(repo) == TWO


def test_a_pull_brings_what_the_cache_has(repo: HookRepo) -> None:
    other = repo.clone("fresh")
    other.cli.done("pull", "-q")
    other.save("three", {"d": {"a": "a3\n"}}, "d")
    other.cli.done("push", "-q")
    other.git("push", "-q", "origin", "main")
    ran = repo.run("pull", "-q")
    assert ran.code == 0, "a hook after a merge is asked too late"
    assert "dvtool pull" in ran.err
    repo.cli.done("pull", "-q")
    assert repo.read("d/a") == "a3\n"


@pytest.mark.parametrize("backend", ["merge", "apply"])
def test_a_rebase_brings_the_data_along(repo: HookRepo, backend: str) -> None:
    repo.save("mine", {"m.bin": "mine\n"}, "m.bin")
    ran = repo.run("rebase", f"--{backend}", "other")
    assert ran.code == 0, ran
    assert ran.err.count("dvtool: ") == (1 if backend == "merge" else 2), "moved once, where git says what is to come"
    assert data(repo) == TWO
    assert repo.read("m.bin") == "mine\n"
    assert repo.is_clean()


def test_a_rebase_without_commits_of_its_own(repo: HookRepo) -> None:
    repo.git("rebase", "-q", "other")
    assert data(repo) == TWO


def test_a_rebase_that_stops_is_followed_when_it_goes_on(repo: HookRepo) -> None:
    repo.save("mine", {"m.bin": "mine\n", "code.py": "mine\n"}, "m.bin")
    repo.git("switch", "-q", "other")
    repo.save("theirs", {"code.py": "theirs\n"})
    repo.git("switch", "-q", "main")
    assert repo.run("rebase", "-q", "other").code == 1
    repo.git("checkout", "--theirs", "code.py")
    repo.git("add", "code.py")
    repo.git("rebase", "--continue")
    assert data(repo) == TWO
    assert repo.read("m.bin") == "mine\n"
    assert repo.is_clean()


def test_a_rebase_that_is_given_up(repo: HookRepo) -> None:
    repo.save("mine", {"code.py": "mine\n"})
    repo.git("switch", "-q", "other")
    repo.save("theirs", {"code.py": "theirs\n"})
    repo.git("switch", "-q", "main")
    assert repo.run("rebase", "-q", "other").code == 1
    repo.git("rebase", "--abort")
    assert data(repo) == ONE
    assert repo.is_clean()
    repo.git("switch", "-q", "other")
    assert data(repo) == TWO


def test_a_cherry_pick_and_its_revert(repo: HookRepo) -> None:
    repo.git("cherry-pick", "other")
    assert data(repo) == TWO
    ran = repo.run("revert", "--no-edit", "HEAD")
    assert "dvtool: 1 created, 1 replaced, 1 removed" in ran.err
    assert data(repo) == ONE


def test_a_merge_that_is_concluded_by_hand(repo: HookRepo) -> None:
    repo.git("switch", "-q", "other")
    repo.save("theirs", {"code.py": "theirs\n"})
    repo.git("switch", "-q", "main")
    repo.save("mine", {"code.py": "mine\n"})
    assert repo.run("merge", "-q", "other").code == 1
    repo.write({"code.py": "both\n"})
    ran = repo.run("commit", "-q", "-a", "--no-edit")
    assert "warning" not in ran.err
    assert data(repo) == TWO
    assert repo.is_clean()


def test_commits_of_ones_own_touch_no_data(repo: HookRepo) -> None:
    repo.write({"d": {"a": "mine\n"}})
    repo.cli.done("add", "-q", "d")
    repo.write({"d": {"a": "mine and more\n"}})
    ran = repo.run("commit", "-q", "-a", "-m", "mine")
    assert "error" not in ran.err
    assert repo.read("d/a") == "mine and more\n"


def test_a_stash_loses_nothing(repo: HookRepo) -> None:
    repo.write({"d": {"a": "stashed\n"}})
    repo.cli.done("add", "-q", "d")
    repo.git("stash", "-q")
    repo.git("switch", "-q", "other")
    assert data(repo) == TWO
    repo.git("switch", "-q", "main")
    assert data(repo) == ONE
    repo.git("stash", "pop", "-q")
    repo.cli.done("checkout", "-q")
    assert data(repo) == {**ONE, b"a": b"stashed\n"}


def test_an_amended_commit_changes_no_data(repo: HookRepo) -> None:
    before = tree_of(repo.at / "d")
    repo.write({"code.py": "2\n"})
    ran = repo.run("commit", "-q", "-a", "--amend", "--no-edit")
    assert (ran.code, ran.err) == (0, "")
    assert tree_of(repo.at / "d") == before


def test_a_branch_without_a_project_and_back(repo: HookRepo) -> None:
    repo.git("checkout", "-q", "--orphan", "pages")
    repo.git("rm", "-r", "-q", "--cached", ".")
    repo.git("clean", "-q", "-f", "-d")
    assert repo.run("commit", "-q", "--allow-empty", "-m", "pages").code == 0
    assert repo.run("switch", "-q", "other").code == 0
    assert data(repo) == TWO
