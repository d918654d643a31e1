from __future__ import annotations

import os
import sys

import pytest

from dvtool.errors import UnsafeInput
from dvtool.git import ignore
from tests.unit.git.conftest import Sandbox

ODD = [
    b"plain",
    b"!bang",
    b"#hash",
    b"trailing space ",
    b"trailing tab\t",
    b" leading",
    b"star*",
    b"what?",
    b"[set]",
    b"back\\slash",
    b"back\\",
    b"line\nfeed",
    b"carriage\r",
    b"mid\rdle",
    b":(top)magic",
    b"-rf",
    b"sub/d [e]ep*/name",
]
if sys.platform != "darwin":
    ODD.append(b"latin\xe9")


@pytest.mark.parametrize("where", ["gitignore", "exclude"])
def test_odd_names_are_ignored_exactly_and_once(sandbox: Sandbox, where: ignore.Where) -> None:
    for path in ODD:
        sandbox.write(path)
    neighbours = [b"starX", b"whatX", b"s", b"sub/plain", b"backXslash", b"bang", b"hash", b"trailing space"]
    for path in neighbours:
        sandbox.write(path)
    repo = sandbox.repo
    assert ignore.ensure_ignored(repo, ODD, where=where).visible == {}
    assert ignore.ignored(repo, [*ODD, *neighbours]) == set(ODD)
    assert ignore.ensure_ignored(repo, ODD, where=where) == ignore.IgnoreResult([], {})
    ignore.remove_ignored(repo, ODD)
    assert ignore.ignored(repo, ODD) == set()
    assert not os.path.exists(sandbox.top + b"/.gitignore")


def test_exclude_leaves_the_worktree_alone(sandbox: Sandbox) -> None:
    sandbox.write(b"a/data")
    [changed] = ignore.ensure_ignored(sandbox.repo, [b"a/data"], where="exclude").changed
    assert changed == sandbox.top + b"/.git/info/exclude"
    assert sandbox.git("status", "--porcelain") == ""


def test_exclude_of_a_linked_worktree_is_the_shared_one(sandbox: Sandbox) -> None:
    sandbox.commit()
    linked = Sandbox(os.path.dirname(sandbox.top) + b"/linked")
    sandbox.git("worktree", "add", "-q", "--detach", linked.top)
    linked.write(b"data")
    ignore.ensure_ignored(linked.repo, [b"data"], where="exclude")
    assert ignore.ignored(linked.repo, [b"data"]) == {b"data"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b"/data\n"),
        (b"*.pyc\n", b"*.pyc\n/data\n"),
        (b"*.pyc", b"*.pyc\n/data\n"),
        (b"*.pyc\r\n# note\r\n", b"*.pyc\r\n# note\r\n/data\r\n"),
        (b"*.pyc\r\nlast", b"*.pyc\r\nlast\r\n/data\r\n"),
        (b"\n\n  odd  \n", b"\n\n  odd  \n/data\n"),
    ],
)
def test_the_users_text_stays_byte_for_byte(sandbox: Sandbox, before: bytes, after: bytes) -> None:
    sandbox.write(b".gitignore", before)
    sandbox.write(b"data")
    assert ignore.ensure_ignored(sandbox.repo, [b"data"]).changed == [b".gitignore"]
    assert sandbox.read(b".gitignore") == after
    ignore.remove_ignored(sandbox.repo, [b"data"])
    if before:
        restored = sandbox.read(b".gitignore")
        assert restored.rstrip(b"\r\n") == before.rstrip(b"\r\n")


def test_mode_of_the_users_file_is_kept(sandbox: Sandbox) -> None:
    sandbox.write(b".gitignore", b"x\n")
    os.chmod(sandbox.top + b"/.gitignore", 0o664)
    ignore.ensure_ignored(sandbox.repo, [b"data"])
    assert os.stat(sandbox.top + b"/.gitignore").st_mode & 0o777 == 0o664


def test_nothing_is_added_where_the_repository_ignores_already(sandbox: Sandbox) -> None:
    sandbox.write(b".gitignore", b"*.csv\n")
    assert ignore.ensure_ignored(sandbox.repo, [b"a.csv", b"sub/b.csv"]).changed == []


def test_rules_that_do_not_travel_with_a_clone_do_not_count(sandbox: Sandbox) -> None:
    sandbox.write(b".git/info/exclude", b"data\n")
    assert ignore.ensure_ignored(sandbox.repo, [b"data"]).changed == [b".gitignore"]


def test_a_line_after_an_older_negation_wins(sandbox: Sandbox) -> None:
    sandbox.write(b".gitignore", b"/*\n!*.csv\n")
    result = ignore.ensure_ignored(sandbox.repo, [b"a.csv"])
    assert (result.changed, result.visible) == ([b".gitignore"], {})
    assert ignore.ignored(sandbox.repo, [b"a.csv"]) == {b"a.csv"}


def test_a_later_negation_is_reported_and_never_fought(sandbox: Sandbox) -> None:
    sandbox.write(b"data")
    ignore.ensure_ignored(sandbox.repo, [b"data"])
    sandbox.write(b".gitignore", sandbox.read(b".gitignore") + b"!data\n")
    text = sandbox.read(b".gitignore")
    for _ in range(2):
        result = ignore.ensure_ignored(sandbox.repo, [b"data"])
        assert result == ignore.IgnoreResult([], {b"data": ignore.Rule(b".gitignore", 2, b"!data")})
    assert sandbox.read(b".gitignore") == text


def test_a_negation_in_a_gitignore_beats_the_exclude_file_and_is_reported(sandbox: Sandbox) -> None:
    sandbox.write(b".gitignore", b"!data\n")
    for _ in range(2):
        assert set(ignore.ensure_ignored(sandbox.repo, [b"data"], where="exclude").visible) == {b"data"}
    assert sandbox.read(b".git/info/exclude").count(b"/data\n") == 1


def test_tracked_paths_are_ignored_only_by_pattern(sandbox: Sandbox) -> None:
    sandbox.commit({b"a.csv": b"1"})
    sandbox.write(b".gitignore", b"*.csv\n")
    assert ignore.ignored(sandbox.repo, [b"a.csv"]) == set()
    assert ignore.ignored(sandbox.repo, [b"a.csv"], no_index=True) == {b"a.csv"}


def test_removing_keeps_the_users_other_lines(sandbox: Sandbox) -> None:
    sandbox.write(b".gitignore", b"/a\r\n# /a\r\n/ab\r\n")
    assert ignore.remove_ignored(sandbox.repo, [b"a", b"nested/none"]).changed == [b".gitignore"]
    assert sandbox.read(b".gitignore") == b"# /a\r\n/ab\r\n"


def test_nothing_is_written_through_a_symbolic_link(sandbox: Sandbox, tmp_path: os.PathLike[str]) -> None:
    outside = os.fsencode(tmp_path) + b"/outside"
    os.mkdir(outside)
    os.symlink(outside, sandbox.top + b"/dir")
    sandbox.write(b"real/x")
    os.symlink(outside + b"/target", sandbox.top + b"/real/.gitignore")
    for path in (b"real/data", b"dir/data"):
        with pytest.raises(UnsafeInput):
            ignore.ensure_ignored(sandbox.repo, [path])
    with pytest.raises(UnsafeInput):
        ignore.remove_ignored(sandbox.repo, [b"dir/data"])
    assert os.listdir(outside) == []
