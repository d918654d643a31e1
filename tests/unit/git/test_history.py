from __future__ import annotations

import os

from dvtool.git.history import all_pointer_blobs
from dvtool.git.history import commits_touching_pointers
from dvtool.git.history import log_path
from dvtool.git.worktree import pointers_at
from tests.unit.git.conftest import Sandbox


def blob(sandbox: Sandbox, text: bytes) -> str:
    sandbox.write(b"../scratch", text)
    return sandbox.git("hash-object", "../scratch")


def seen(sandbox: Sandbox, *revs: str, reflog: bool = False) -> set[tuple[bytes, str]]:
    return {(path, sha) for _, path, sha in all_pointer_blobs(sandbox.repo, list(revs) or None, reflog=reflog)}


def test_every_version_on_every_branch_is_found(sandbox: Sandbox) -> None:
    sandbox.commit({b"a.dvt": b"1\n", b"other": b"x"})
    sandbox.git("checkout", "-q", "-b", "side")
    sandbox.commit({b"a.dvt": b"2\n", b"new\nline/b.dvt": b"3\n"})
    sandbox.git("checkout", "-q", "main")
    sandbox.commit({b"a.dvt": b"4\n"})
    expected = {(b"a.dvt", blob(sandbox, b"%d\n" % n)) for n in (1, 2, 4)}
    assert seen(sandbox) == expected | {(b"new\nline/b.dvt", blob(sandbox, b"3\n"))}
    assert seen(sandbox, "main") == expected - {(b"a.dvt", blob(sandbox, b"2\n"))}


def test_side_branch_that_a_merge_threw_away_is_found(sandbox: Sandbox) -> None:
    sandbox.commit({b"a.dvt": b"1\n"})
    sandbox.git("checkout", "-q", "-b", "side")
    sandbox.commit({b"a.dvt": b"thrown away\n"})
    sandbox.git("checkout", "-q", "main")
    sandbox.git("merge", "-q", "-s", "ours", "-m", "keep ours", "side", "--no-ff")
    sandbox.git("branch", "-q", "-D", "side")
    assert (b"a.dvt", blob(sandbox, b"thrown away\n")) in seen(sandbox)


def test_version_that_only_a_merge_made_is_found(sandbox: Sandbox) -> None:
    sandbox.commit({b"a.dvt": b"1\n"})
    sandbox.git("checkout", "-q", "-b", "side")
    sandbox.commit({b"s": b"x"})
    sandbox.git("checkout", "-q", "main")
    sandbox.commit({b"m": b"x"})
    sandbox.git("merge", "-q", "--no-commit", "--no-ff", "side")
    merge = sandbox.commit({b"a.dvt": b"made by the merge\n"})
    assert len(sandbox.git("rev-list", "--parents", "-1", merge).split()) == 3
    assert (b"a.dvt", blob(sandbox, b"made by the merge\n")) in seen(sandbox)


def test_stash_entries_are_roots_and_reflogs_by_word(sandbox: Sandbox) -> None:
    sandbox.commit({b"a.dvt": b"1\n"})
    for text in (b"first\n", b"second\n"):
        sandbox.write(b"a.dvt", text)
        sandbox.write(b"untracked.dvt", text)
        sandbox.git("stash", "push", "-q", "--include-untracked")
    sandbox.commit({b"a.dvt": b"amended away\n"})
    sandbox.git("reset", "-q", "--hard", "HEAD~1")
    expected = {
        (path, blob(sandbox, text)) for path in (b"a.dvt", b"untracked.dvt") for text in (b"first\n", b"second\n")
    }
    assert seen(sandbox) == expected | {(b"a.dvt", blob(sandbox, b"1\n"))}
    assert seen(sandbox, reflog=True) - seen(sandbox) == {(b"a.dvt", blob(sandbox, b"amended away\n"))}


def test_links_named_like_pointers_are_left_out(sandbox: Sandbox) -> None:
    os.symlink(b"x", sandbox.top + b"/link.dvt")
    sandbox.commit({b"a.dvt": b"1\n"})
    assert seen(sandbox) == {(b"a.dvt", blob(sandbox, b"1\n"))}


def test_nothing_asked_and_nothing_there(sandbox: Sandbox) -> None:
    assert seen(sandbox) == set()
    sandbox.commit({b"a.dvt": b"1\n"})
    assert list(all_pointer_blobs(sandbox.repo, [])) == []
    assert list(commits_touching_pointers(sandbox.repo, [])) == []


def test_leaving_early_is_no_error(sandbox: Sandbox) -> None:
    for number in range(3):
        sandbox.commit({b"a.dvt": b"%d" % number})
    versions = all_pointer_blobs(sandbox.repo)
    next(versions)
    versions.close()  # type: ignore[attr-defined]


def test_commits_touching_pointers(sandbox: Sandbox) -> None:
    first = sandbox.commit({b"a.dvt": b"1"})
    sandbox.commit({b"code.py": b"1"})
    third = sandbox.commit({b"deep/b.dvt": b"1"})
    repo = sandbox.repo
    assert set(commits_touching_pointers(repo, ["main"])) == {first, third}
    assert list(commits_touching_pointers(repo, ["main"], subdir=b"deep")) == [third]


def test_log_follows_renames(sandbox: Sandbox) -> None:
    text = b"version: 1\npath: data\ndigest: abc\n"
    first = sandbox.commit({b"old\nname.dvt": text}, "add data\n\nbody")
    sandbox.git("mv", b"old\nname.dvt", b":new.dvt")
    second = sandbox.commit(message="move")
    third = sandbox.commit({b":new.dvt": text + b"size: 3\n"}, "change")
    repo = sandbox.repo
    log = log_path(repo, b":new.dvt")
    assert [(each.commit, each.path) for each in log] == [
        (third, b":new.dvt"),
        (second, b":new.dvt"),
        (first, b"old\nname.dvt"),
    ]
    assert log[0].blob == pointers_at(repo, "HEAD")[b":new.dvt"]
    assert (log[2].author, log[2].email, log[2].subject) == ("Ada Ågren", "ada@example.org", "add data")
    assert log[2].time == "2024-02-29T12:00:00+01:00"
    assert [each.commit for each in log_path(repo, b":new.dvt", follow=False)] == [third, second]


def test_log_shows_the_deletion(sandbox: Sandbox) -> None:
    sandbox.commit({b"a.dvt": b"1"})
    os.unlink(sandbox.top + b"/a.dvt")
    gone = sandbox.commit()
    assert log_path(sandbox.repo, b"a.dvt")[0][:1] == (gone,)
    assert log_path(sandbox.repo, b"a.dvt")[0].blob is None


def test_user_settings_do_not_change_the_answers(sandbox: Sandbox) -> None:
    sandbox.commit({b"sub/a.dvt": b"1\n"})
    before = (seen(sandbox), log_path(sandbox.repo, b"sub/a.dvt"))
    for setting in (
        "log.showSignature=true",
        "log.showRoot=false",
        "diff.relative=true",
        "color.ui=always",
        "diff.external=false",
        "format.pretty=oneline",
        "log.follow=true",
        "core.abbrev=4",
        "core.quotePath=true",
        "diff.noprefix=true",
    ):
        sandbox.git("config", *setting.split("="))
    assert (seen(sandbox), log_path(sandbox.repo, b"sub/a.dvt")) == before
