"""`git commit` in a clone with hooks: what must not get into Git does not."""

from __future__ import annotations

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


def test_code_and_pointers_are_committed(repo: HookRepo) -> None:
    repo.write({"code.py": "2\n", "d": {"new": "n\n"}})
    repo.cli.done("add", "-q", "d")
    assert repo.run("commit", "-q", "-a", "-m", "both").code == 0
    assert repo.git("status", "--porcelain") == ""


def test_tracked_data_stays_out(repo: HookRepo) -> None:
    repo.git("add", "-f", "m.bin", "d/a")
    ran = repo.run("commit", "-q", "-m", "data")
    assert ran.code == 1
    assert "m.bin: m.bin.dvt stands for it" in ran.err
    assert "d/a: d.dvt stands for it" in ran.err
    assert "git rm --cached d/a m.bin" in ran.err
    repo.git("rm", "-q", "--cached", "d/a", "m.bin")
    repo.write({"code.py": "2\n"})
    assert repo.run("commit", "-q", "-a", "-m", "code").code == 0


def test_the_next_step_is_for_the_shell(repo: HookRepo) -> None:
    repo.write({"d": {"two words": "x\n"}, "-rf": "x\n"})
    repo.cli.done("add", "-q", "d", "./-rf")
    repo.git("add", "-f", "d/two words", "./-rf")
    ran = repo.run("commit", "-q", "-m", "data")
    assert "hint: git rm --cached ./-rf 'd/two words'; to commit" in ran.err


def test_a_renamed_pointer_still_stands_for_its_data(repo: HookRepo) -> None:
    repo.git("mv", "m.bin.dvt", "model.dvt")
    repo.git("add", "-f", "m.bin")
    ran = repo.run("commit", "-q", "-m", "renamed")
    assert ran.code == 1
    assert "m.bin: model.dvt stands for it" in ran.err


def test_outputs_of_stages_stay_out(repo: HookRepo) -> None:
    made = "    outs: [out]\n    metrics: [{m.json: {cache: false}}]\n"
    repo.write({"dvtool.yaml": f"stages:\n  make:\n    cmd: echo x > out; echo 1 > m.json\n{made}"})
    repo.cli.done("repro", "-q")
    repo.git("add", "-A")
    assert repo.run("commit", "-q", "-m", "stage").code == 0, "its metrics file belongs to Git"
    repo.git("add", "-f", "out")
    ran = repo.run("commit", "-q", "-m", "output")
    assert ran.code == 1
    assert "out: stage make in dvtool.lock stands for it" in ran.err


def test_large_files_stay_out_by_the_limit_of_the_project(repo: HookRepo) -> None:
    repo.cli.done("config", "core.git_file_limit", "2k")
    repo.write({"large.txt": "x" * 3000, "small.txt": "x" * 2000})
    repo.git("add", "-A")
    ran = repo.run("commit", "-q", "-m", "large")
    assert ran.code == 1
    assert "large.txt: 3,000 bytes, and core.git_file_limit is 2k" in ran.err
    assert "small.txt" not in ran.err
    assert repo.run("commit", "-q", "--no-verify", "-m", "my word").code == 0
    repo.write({"large.txt": "x" * 4000})
    assert repo.run("commit", "-q", "-a", "-m", "large already").code == 0


def test_what_another_branch_has_in_git_does_not_stop_a_merge(repo: HookRepo) -> None:
    repo.cli.done("config", "core.git_file_limit", "2k")
    repo.git("commit", "-q", "-a", "-m", "limit")
    repo.git("switch", "-q", "-c", "theirs")
    repo.save("their large file", {"large.txt": "x" * 3000, "code.py": "theirs\n"})
    repo.git("switch", "-q", "main")
    repo.save("mine", {"code.py": "mine\n"})
    assert repo.run("merge", "-q", "theirs").code == 1
    repo.write({"code.py": "both\n"})
    repo.git("add", "code.py")
    assert repo.run("commit", "-q", "--no-edit").code == 0


def test_conflict_markers_in_a_pointer_are_not_committed(repo: HookRepo) -> None:
    (repo.at / "m.bin.dvt").write_text("<<<<<<< ours\n=======\n>>>>>>> theirs\n")
    ran = repo.run("commit", "-q", "-a", "-m", "markers")
    assert ran.code == 1
    assert "conflict markers" in ran.err


def test_single_files_and_the_index_as_it_is_count(repo: HookRepo) -> None:
    """With paths, Git makes a commit from an index of its own."""
    repo.git("add", "-f", "m.bin")
    repo.write({"code.py": "2\n"})
    assert repo.run("commit", "-q", "-m", "only code", "code.py").code == 0
    repo.write({"code.py": "3\n"})
    assert repo.run("commit", "-q", "-a", "-m", "all").code == 1


def test_files_that_are_not_what_the_pointer_says_are_told_of(repo: HookRepo) -> None:
    repo.write({"d": {"a": "x\n"}})
    repo.cli.done("add", "-q", "d")
    repo.write({"d": {"a": "longer\n"}})
    ran = repo.run("commit", "-q", "-a", "-m", "behind")
    assert ran.code == 0
    assert "d is not what its pointer in this commit says" in ran.err
    assert "dvtool add d" in ran.err


def test_the_first_commit_of_all(tmp_path: Path) -> None:
    repo = HookRepo(tmp_path / "repo")
    repo.at.mkdir()
    repo.git("init", "-q")
    repo.cli.done("init", "-q")
    repo.cli.done("install", "-q")
    repo.write({"m.bin": "m\n"})
    repo.cli.done("add", "-q", "m.bin")
    repo.git("add", "-f", "m.bin", ".")
    assert repo.run("commit", "-q", "-m", "first").code == 1
    repo.git("rm", "-q", "--cached", "m.bin")
    assert repo.run("commit", "-q", "-m", "first").code == 0
