"""Data of other repositories: imported, updated, fetched from where it came, listed and downloaded."""

from __future__ import annotations

import errno
import shutil
import subprocess
from pathlib import Path

import pytest

from dvtool.disk.exchange import NotSupported
from dvtool.project import scratch
from tests.support.cli import CommandLine
from tests.support.cli import git_project
from tests.support.datarepo import DataRepo
from tests.support.datarepo import edit
from tests.support.trees import tree_of

ALLOWED = "DVTOOL_CORE_SOURCES"


@pytest.fixture
def source(repo: DataRepo, tmp_path: Path) -> DataRepo:
    """The repository that is imported from: v1, v2 on the default branch, all of it on a remote."""
    (tmp_path / "store").mkdir()
    repo.git("config", "uploadpack.allowFilter", "true")
    repo.git("config", "uploadpack.allowAnySHA1InWant", "true")
    repo.cli.done("remote", "add", "-q", "-d", "store", str(tmp_path / "store"))
    repo.commit("remote")
    edit(repo)
    repo.add("data")
    repo.commit("second")
    repo.git("tag", "v2")
    repo.cli.done("push", "-q", "--all-tags", "--all-branches")
    return repo


@pytest.fixture
def project(tmp_path: Path) -> DataRepo:
    cli = git_project(tmp_path / "project")
    return DataRepo(tmp_path / "project", CommandLine(cli.at))


def cloned(source: DataRepo) -> str:
    """A URL by which Git clones it, as from a server."""
    return f"file://{source.at}"


def with_allowed(project: DataRepo, tmp_path: Path) -> CommandLine:
    return CommandLine(project.at, {ALLOWED: str(tmp_path)})


def test_an_import_names_its_source_and_comes_from_there(source: DataRepo, project: DataRepo, tmp_path: Path) -> None:
    cli = with_allowed(project, tmp_path)
    found = cli("import", "--json", cloned(source), "data", "--rev", "v1", "-o", "set").document
    assert found["commit"] == source.git("rev-parse", "v1")
    assert tree_of(project.at / "set") != {}
    text = (project.at / "set.dvt").read_text()
    assert f'repo: "{cloned(source)}"' in text
    assert "rev: v1\n" in text
    assert f"commit: {source.git('rev-parse', 'v1')}\n" in text
    project.commit("imported")
    before = tree_of(project.at / "set")
    project.lose_cache()
    shutil.rmtree(project.at / "set")
    cli.done("pull")
    assert tree_of(project.at / "set") == before


def test_directories_of_the_new_pointer_are_made(source: DataRepo, project: DataRepo, tmp_path: Path) -> None:
    project.cli.done("import", str(source.at), "data", "-o", "deep/er/set")
    (tmp_path / "one").write_text("one\n")
    project.cli.done("import-url", str(tmp_path / "one"), "other/one")
    assert (project.at / "other/one").read_text() == "one\n"
    assert tree_of(project.at / "deep/er/set") == tree_of(source.at / "data")
    (project.at / "led").symlink_to(tmp_path)
    ran = project.cli("import", str(source.at), "data", "-o", "led/away/set")
    assert ran.code == 6
    assert not (tmp_path / "away").exists()


def test_sources_that_moved_are_told_by_path(source: DataRepo, project: DataRepo, tmp_path: Path) -> None:
    for name in ("one", "two"):
        project.cli.done("import", str(source.at), "data", "-o", name)
    source.at.rename(tmp_path / "moved")
    ran = project.cli("update")
    assert ran.code != 0
    for name in ("one", "two"):
        assert f"  {name}: there is no directory {source.at}\n" in ran.err


def test_a_clone_of_the_source_has_no_contents_of_files(
    source: DataRepo, project: DataRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    source.write({"big.txt": "x" * 50_000})
    source.commit("a file that nobody asks for")
    with_allowed(project, tmp_path).done("import", cloned(source), "model.bin")
    (clone,) = (tmp_path / "cache/dvtool/sources").glob("*/repo.git")
    blob = source.git("rev-parse", "HEAD:big.txt")
    objects = subprocess.run(
        ["git", "rev-list", "--objects", "--missing=print", "--all"], cwd=clone, capture_output=True, check=True
    )
    assert f"?{blob}" in objects.stdout.decode().splitlines()


def test_what_is_imported_is_not_pushed(source: DataRepo, project: DataRepo, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    project.cli.done("remote", "add", "-q", "-d", "mine", str(tmp_path / "mine"))
    project.cli.done("import", str(source.at), "data")
    project.commit("imported")
    project.cli.done("push")
    assert not list((tmp_path / "mine").rglob("*.pack")) + list((tmp_path / "mine").glob("data/*"))
    assert "imported" in project.cli("push", "data").err
    # Changed here, it is ours.
    (project.at / "data/a.txt").write_text("mine\n")
    project.add("data")
    project.commit("changed")
    assert project.json("push")["sent"]["objects"] > 0
    project.lose_cache()
    shutil.rmtree(project.at / "data")
    project.cli.done("pull")
    assert (project.at / "data/a.txt").read_text() == "mine\n"


def test_update_moves_what_changed_and_nothing_else(source: DataRepo, project: DataRepo) -> None:
    project.cli.done("import", "../repo", "data")
    project.cli.done("import", "../repo", "model.bin")
    project.commit("imported")
    assert [one["changed"] for one in project.json("update")["items"]] == [False, False]
    assert project.git("status", "--porcelain") == ""
    (source.at / "data/a.txt").write_text("three\n")
    source.add("data")
    third = source.commit("third")
    looked = project.json("update", "--dry-run")
    assert {one["path"]: one["changed"] for one in looked["items"]} == {"data": True, "model.bin": False}
    assert project.git("status", "--porcelain") == ""
    project.cli.done("update")
    assert (project.at / "data/a.txt").read_text() == "three\n"
    assert project.git("status", "--porcelain") == "M data.dvt"
    assert third in (project.at / "data.dvt").read_text()
    project.cli.done("undo")
    assert project.git("status", "--porcelain") == ""
    assert (project.at / "data/a.txt").read_text() == "one\ntwo\n"


def test_the_next_update_places_what_was_only_recorded(source: DataRepo, project: DataRepo) -> None:
    project.cli.done("import", "../repo", "data")
    (source.at / "data/a.txt").write_text("three\n")
    source.add("data")
    source.commit("third")
    project.cli.done("update", "--no-download")
    assert (project.at / "data/a.txt").read_text() == "one\ntwo\n"
    project.cli.done("update")
    # Nothing is downloaded for it, so what the cache lacks stays as it was.
    assert (project.at / "data/a.txt").read_text() == "one\ntwo\n"
    project.cli.done("fetch")
    project.cli.done("update")
    assert (project.at / "data/a.txt").read_text() == "three\n"
    # What was placed and then taken away stays away.
    (project.at / "data/a.txt").unlink()
    project.cli.done("update")
    assert not (project.at / "data/a.txt").exists()


def test_another_revision_is_remembered(source: DataRepo, project: DataRepo) -> None:
    project.cli.done("import", "../repo", "data", "--rev", "v1")
    assert "up to date" in project.cli.done("update")
    project.cli.done("update", "--rev", "v2", "data")
    assert (project.at / "data/a.txt").read_text() == "one\ntwo\n"
    assert "rev: v2" in (project.at / "data.dvt").read_text()


def test_update_leaves_changes_of_ones_own(source: DataRepo, project: DataRepo) -> None:
    project.cli.done("import", "../repo", "data", "--rev", "v1")
    project.commit("imported")
    (project.at / "data/a.txt").write_text("mine\n")
    ran = project.cli("update", "--rev", "v2")
    assert ran.code == 1
    assert "changes of your own" in ran.err
    assert (project.at / "data/a.txt").read_text() == "mine\n"
    assert project.git("status", "--porcelain") == ""
    project.cli.done("update", "--rev", "v2", "--force")
    assert (project.at / "data/a.txt").read_text() == "one\ntwo\n"
    assert "data/a.txt" in project.cli.done("recover")


def test_a_pointer_alone(source: DataRepo, project: DataRepo, tmp_path: Path) -> None:
    project.cli.done("import", "--no-download", "../repo", "data/img", "--rev", "v1", "-o", "sub/pictures")
    assert not (project.at / "sub/pictures").exists()
    project.cli.done("pull")
    assert tree_of(project.at / "sub/pictures") == first_version(source, tmp_path)


def first_version(source: DataRepo, tmp_path: Path) -> object:
    subprocess.run(["git", "worktree", "add", "-q", str(tmp_path / "v1"), "v1"], cwd=source.at, check=True)
    cli = CommandLine(tmp_path / "v1")
    cli.done("checkout")
    return tree_of(tmp_path / "v1/data/img")


def test_files_of_git_come_too(source: DataRepo, project: DataRepo, tmp_path: Path) -> None:
    source.write({"mixed": {"notes.txt": "hello\n", "raw": {"x": "1"}}})
    source.add("mixed/raw")
    source.commit("mixed")
    source.cli.done("push", "-q")
    cli = with_allowed(project, tmp_path)
    cli.done("import", cloned(source), "src/main.py")
    cli.done("import", cloned(source), "mixed")
    wanted = {"mixed/notes.txt": "hello\n", "mixed/raw/x": "1", "main.py": "print()\n"}
    project.commit("imported")
    for again in (False, True):
        if again:
            project.lose_cache()
            shutil.rmtree(project.at / "mixed")
            (project.at / "main.py").unlink()
            cli.done("pull")
        assert {path: (project.at / path).read_text() for path in wanted} == wanted
        assert not (project.at / "mixed/raw.dvt").exists()


def test_the_same_import_again_is_no_error(source: DataRepo, project: DataRepo) -> None:
    project.cli.done("import", "../repo", "data")
    shutil.rmtree(project.at / "data")
    project.cli.done("import", "../repo", "data")
    assert (project.at / "data/a.txt").exists()
    assert project.cli("import", "../repo", "model.bin", "-o", "data.dvt").code == 2
    (project.at / "mine").write_text("x")
    ran = project.cli("import", "../repo", "model.bin", "-o", "mine")
    assert ran.code == 2
    assert (project.at / "mine").read_text() == "x"


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (("../repo", "nope"), 2),
        (("../repo", "data", "--rev", "nope"), 2),
        (("../repo", "../data"), 6),
        (("../nowhere", "data"), 2),
        (("ext::sh -c touch% P", "data"), 6),
        (("--", "--upload-pack=touch P", "data"), 6),
        (("https://me:secret@git.example.org/x.git", "data"), 6),
        (("s3://bucket/x", "data"), 6),
    ],
)
def test_what_cannot_be_had_writes_nothing(
    source: DataRepo, project: DataRepo, argv: tuple[str, ...], code: int
) -> None:
    before = project.git("status", "--porcelain")
    ran = project.cli("import", *argv)
    assert ran.code == code, ran
    assert "secret" not in ran.err.replace("what is secret", "")
    assert project.git("status", "--porcelain") == before
    assert not (project.at / "P").exists()


def test_a_source_that_lost_its_data_writes_nothing(source: DataRepo, project: DataRepo, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "store")
    ran = with_allowed(project, tmp_path)("import", cloned(source), "data")
    assert ran.code == 7, ran
    assert project.git("status", "--porcelain", "--", ":!.dvtool", ":!.dvtoolignore") == ""


def test_a_pointer_may_not_lead_to_this_machine(source: DataRepo, project: DataRepo, tmp_path: Path) -> None:
    project.cli.done("import", "../repo", "data")
    project.commit("imported")
    project.git("clone", "-q", str(project.at), str(tmp_path / "theirs"))
    theirs = CommandLine(tmp_path / "theirs")
    ran = theirs("pull")
    assert ran.code == 6, ran
    assert "core.sources" in ran.err
    assert not (tmp_path / "theirs/data").exists()
    theirs.done("config", "--local", "core.sources", str(source.at))
    theirs.done("pull")
    assert (tmp_path / "theirs/data/a.txt").exists()


def test_remotes_of_another_repository_may_not_either(source: DataRepo, project: DataRepo) -> None:
    ran = project.cli("import", cloned(source), "data")
    assert ran.code == 6, ran
    assert "core.sources" in ran.err
    assert not (project.at / "data.dvt").exists()


def test_get_needs_no_project_and_leaves_nothing(source: DataRepo, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    cli = CommandLine(tmp_path / "plain", {ALLOWED: str(tmp_path)})
    found = cli("get", "--json", cloned(source), "data", "--rev", "v1", "-o", "out").document
    assert found["commit"] == source.git("rev-parse", "v1")
    assert (tmp_path / "plain/out/a.txt").read_text() == "one\n"
    cli.done("get", "../repo", "data/a.txt")
    assert sorted(each.name for each in (tmp_path / "plain").iterdir()) == ["a.txt", "out"]
    assert cli("get", "../repo", "data/a.txt").code == 2
    cli.done("get", "-f", "../repo", "data/a.txt", "--rev", "v1")
    assert (tmp_path / "plain/a.txt").read_text() == "one\n"
    assert sorted(each.name for each in (tmp_path / "plain").iterdir()) == ["a.txt", "out"]


@pytest.mark.parametrize("has_exchange", [True, False])
def test_get_in_place_of_what_stands_there(
    source: DataRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_exchange: bool
) -> None:
    def lacking(*_: object) -> None:
        raise NotSupported("renameat2")

    if not has_exchange:
        monkeypatch.setattr(scratch, "exchange", lacking)
    cli = CommandLine(tmp_path, {ALLOWED: str(tmp_path)})
    wanted = tree_of(source.at / "data")
    (tmp_path / "got").write_text("a file\n")
    cli.done("get", cloned(source), "data", "-o", "got", "--force")
    assert tree_of(tmp_path / "got") == wanted
    (tmp_path / "got" / "mine").write_text("mine\n")
    cli.done("get", cloned(source), "data", "-o", "got", "--force")
    assert tree_of(tmp_path / "got") == wanted
    assert not [*tmp_path.glob(".dvtool-part-*")]


def test_get_that_fails_between_two_renames_puts_the_old_one_back(
    source: DataRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(*_: object) -> None:
        raise NotSupported("renameat2")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(scratch, "exchange", lacking)
    monkeypatch.setattr(scratch, "rename_new", full)
    (tmp_path / "got").mkdir()
    (tmp_path / "got" / "mine").write_text("mine\n")
    cli = CommandLine(tmp_path, {ALLOWED: str(tmp_path)})
    ran = cli("get", cloned(source), "data", "-o", "got", "--force")
    assert ran.code == 7
    assert (tmp_path / "got" / "mine").read_text() == "mine\n"


def test_another_repository_is_listed(source: DataRepo, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    cli = CommandLine(tmp_path / "plain", {ALLOWED: str(tmp_path)})
    listed = cli.done("list", cloned(source), "-R", "--rev", "v1").splitlines()
    assert {"data/img/1.png", "model.bin", "src/main.py"} <= set(listed)
    assert cli.done("list", "../repo", "data").splitlines() == cli.done("list", cloned(source), "data").splitlines()
    assert cli("list", "../repo", "nope").code == 2


def test_a_project_further_down_counts_for_its_own_paths(repo: DataRepo, tmp_path: Path) -> None:
    inner = repo.cli.below("pkg")
    inner.done("init", "-q", "--subdir")
    (inner.at / "d").write_text("inner")
    inner.done("add", "-q", "d")
    repo.commit("two projects")
    (tmp_path / "plain").mkdir()
    cli = CommandLine(tmp_path / "plain")
    cli.done("get", "../repo", "pkg/d")
    cli.done("get", "../repo/pkg", "d", "-o", "again")
    assert (tmp_path / "plain/d").read_text() == (tmp_path / "plain/again").read_text() == "inner"


def test_a_moved_import_keeps_its_source(source: DataRepo, project: DataRepo) -> None:
    project.cli.done("import", "../repo", "data", "--rev", "v1")
    project.cli.done("move", "data", "moved")
    project.cli.done("update", "--rev", "v2", "moved")
    assert (project.at / "moved/a.txt").read_text() == "one\ntwo\n"


def test_a_source_that_is_gone_keeps_nothing_else_from_coming(
    source: DataRepo, project: DataRepo, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    project.cli.done("remote", "add", "-q", "-d", "mine", str(tmp_path / "mine"))
    project.write({"own.txt": "own\n"})
    project.add("own.txt")
    project.cli.done("import", "../repo", "data")
    project.commit("imported")
    project.cli.done("push", "-q")
    project.lose_cache()
    (project.at / "own.txt").unlink()
    shutil.rmtree(project.at / "data")
    source.at.rename(tmp_path / "elsewhere")
    ran = project.cli("pull")
    assert ran.code == 2, ran
    assert "there is no directory" in ran.err
    assert (project.at / "own.txt").read_text() == "own\n"
