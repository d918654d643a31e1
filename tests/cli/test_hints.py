"""What the user may have meant, and lists that nobody would read to their end."""

from __future__ import annotations

import re
import shutil

import pytest

from dvtool.cli.table import ALIASES
from dvtool.cli.table import ELSEWHERE
from dvtool.cli.table import VERBS
from tests.support.datarepo import DataRepo


@pytest.mark.parametrize("verb", ["push", "pull", "fetch"])
def test_a_remote_given_as_a_path(repo: DataRepo, verb: str) -> None:
    repo.cli.done("remote", "add", "-q", "-d", "origin", str(repo.at.parent / "origin"))
    ran = repo.cli(verb, "origin")
    assert ran.code == 2
    assert ran.err.endswith("hint: a remote is named by an option: -r origin\n")


@pytest.mark.parametrize(("verb", "then"), [("checkout", "checkout"), ("pull", "pull")])
def test_a_revision_given_as_a_path(repo: DataRepo, verb: str, then: str) -> None:
    repo.cli.done("remote", "add", "-q", "-d", "origin", str(repo.at.parent / "origin"))
    ran = repo.cli(verb, "v1")
    assert ran.code == 2
    assert ran.err.endswith(f"hint: v1 is a revision: git checkout v1 && dvtool {then}\n")
    assert "dvtool add nowhere" in repo.cli(verb, "nowhere").err


def test_many_deleted_files_are_one_line(repo: DataRepo) -> None:
    repo.write({"many": {f"{number // 50:02}": {} for number in range(200)}})
    for number in range(200):
        (repo.at / "many" / f"{number // 50:02}" / f"{number:03}").write_bytes(b"%03d" % number)
    repo.add("many")
    shutil.rmtree(repo.at / "many" / "01")
    (repo.at / "many" / "00" / "000").unlink()
    lines = repo.cli.done("status").splitlines()
    assert "  deleted   many/00/000  3 B" in lines
    assert "  deleted   many/01/  50 files, 150 B" in lines
    assert "  51 in all: `dvtool status -v` shows each" in lines
    assert len(lines) < 10
    assert len(repo.cli.done("status", "-v").splitlines()) > 51
    assert len(repo.cli("status", "--json").document["workspace"]) == 51


def test_checkout_says_what_was_dropped_and_where_it_is(repo: DataRepo) -> None:
    (repo.at.parent / "origin").mkdir()
    repo.cli.done("remote", "add", "-q", "-d", "origin", str(repo.at.parent / "origin"))
    repo.cli.done("push", "-q")
    repo.cli.done("drop", "-q", "data")
    ran = repo.cli("checkout", "--allow-missing")
    assert "(dropped, on origin)" in ran.out
    assert "(its bytes are not in the cache)" not in ran.out
    (repo.at / ".git/dvtool/dropped").unlink()
    assert "(its bytes are not in the cache)" in repo.cli("checkout", "--allow-missing").out


@pytest.mark.parametrize("verb", sorted(ELSEWHERE))
def test_verbs_of_other_tools_are_answered_with_ours(repo: DataRepo, verb: str) -> None:
    assert verb not in VERBS
    assert verb not in ALIASES
    ran = repo.cli(verb)
    assert ran.code == 2
    assert f"hint: {ELSEWHERE[verb]}\n" in ran.err
    for named in re.findall(r"`dvtool ([a-z-]+)", ELSEWHERE[verb]):
        assert named in VERBS
