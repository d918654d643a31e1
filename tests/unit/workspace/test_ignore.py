"""`.dvtoolignore` means what `.gitignore` means: Git itself is the judge."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from dvtool.errors import FormatError
from dvtool.errors import UnsafeInput
from dvtool.workspace.ignore import IGNORE_FILE
from dvtool.workspace.ignore import IgnoreRules
from dvtool.workspace.ignore import Rule


def rules(root: Path, text: str | bytes, directory: str = "") -> IgnoreRules:
    data = text if isinstance(text, bytes) else text.encode()
    (root / directory).mkdir(parents=True, exist_ok=True)
    (root / directory / ".dvtoolignore").write_bytes(data)
    return IgnoreRules.load(os.fsencode(root))


@pytest.mark.parametrize("text", ["", "\n\n", "# a comment\n#another\n", "   \n", "\ufeff# with a mark\n"])
def test_nothing_but_comments_is_empty(tmp_path: Path, text: str) -> None:
    found = rules(tmp_path, text)
    assert found.is_empty
    assert not found.is_ignored(b"a", False)


def test_without_patterns_pathspec_is_not_imported(tmp_path: Path) -> None:
    (tmp_path / ".dvtoolignore").write_text("# nothing\n")
    program = (
        "import sys\nfrom dvtool.workspace.ignore import IgnoreRules\n"
        "found = IgnoreRules.load(sys.argv[1].encode())\nfound.is_ignored(b'a/b', False)\n"
        "print('pathspec' in sys.modules)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert run.stdout == "False\n"


def test_a_rule_names_file_line_and_pattern(tmp_path: Path) -> None:
    rules(tmp_path, "!keep.tmp\n", "data/deep")
    found = rules(tmp_path, "# first\n*.tmp\r\nbuild/\n")
    assert found.explain(b"a.tmp", False) == Rule(b".dvtoolignore", 2, b"*.tmp")
    assert found.explain(b"build/x/y", False) == Rule(b".dvtoolignore", 3, b"build/")
    kept = found.explain(b"data/deep/keep.tmp", False)
    assert kept == Rule(b"data/deep/.dvtoolignore", 1, b"!keep.tmp")
    assert kept.negated
    assert found.explain(b"other", False) is None


def test_files_below_are_found_when_their_directory_is_asked_about(tmp_path: Path) -> None:
    rules(tmp_path, "*.bin\n", "data")
    (tmp_path / ".dvtoolignore").unlink(missing_ok=True)
    found = IgnoreRules.load(os.fsencode(tmp_path))
    assert found.is_empty
    assert not found.for_directory(b"data").is_empty
    assert found.is_ignored(b"data/x.bin", False)
    assert not found.is_ignored(b"x.bin", False)


def test_a_file_below_an_ignored_directory_is_not_read(tmp_path: Path) -> None:
    rules(tmp_path, "!*\n", "out")
    found = rules(tmp_path, "out/\n")
    assert found.is_ignored(b"out/x", False)


def test_names_that_are_no_text(tmp_path: Path) -> None:
    found = rules(tmp_path, b"\xff*\na?b\n[\xc3]*\n")
    assert found.is_ignored(b"\xff\xfe", False)
    assert found.is_ignored(b"a\nb", False)
    assert found.is_ignored(b"d/a\nb", False)
    assert found.is_ignored("\u00e9".encode(), False)
    assert not found.is_ignored(b"a.\xff", False)


def test_a_final_line_feed_belongs_to_the_name(tmp_path: Path) -> None:
    assert not rules(tmp_path, "*.tmp\n").is_ignored(b"a.tmp\n", False)


def test_a_wrong_pattern_is_named(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"\.dvtoolignore:2: a\\ is not a pattern"):
        rules(tmp_path, "ok\na\\\n")


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("*\n")
    (tmp_path / ".dvtoolignore").symlink_to("elsewhere")
    with pytest.raises(UnsafeInput, match="symbolic link"):
        IgnoreRules.load(os.fsencode(tmp_path))


ROOT = Path(__file__).resolve().parents[3]
NAMES = ["a", "b", "a.tmp", "b.txt", "ab", "A", ".x", "a b", "[a]", "#a", "!a"]
PIECES = ["a", "b", "*", "?", "**", "*.tmp", "a*", "[ab]", "[!a]", "\\#a", "\\!a", "a b", ".x", "*b*", "[[]a]", "A"]


def random_pattern(rng: random.Random) -> str:
    pattern = "/".join(rng.choice(PIECES) for _ in range(rng.choice([1, 1, 1, 2, 2, 3])))
    return rng.choice(["", "", "!"]) + rng.choice(["", "", "/"]) + pattern + rng.choice(["", "", "/", "/**", " "])


@pytest.mark.parametrize("seed", range(40))
def test_git_agrees(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    entries: dict[str, bool] = {}
    for _ in range(40):
        parts = [rng.choice(NAMES) for _ in range(rng.randint(1, 4))]
        if any(entries.get("/".join(parts[:n])) is False for n in range(1, len(parts))):
            continue
        for n in range(1, len(parts)):
            entries["/".join(parts[:n])] = True
        entries.setdefault("/".join(parts), False)
    for path, is_dir in entries.items():
        (tmp_path / path).mkdir() if is_dir else (tmp_path / path).touch()
    for directory in ["", *[path for path, is_dir in entries.items() if is_dir][:2]]:
        text = "".join(random_pattern(rng) + "\n" for _ in range(rng.randint(1, 4)))
        (tmp_path / directory / ".gitignore").write_text(text)
        (tmp_path / directory / os.fsdecode(IGNORE_FILE)).write_text(text)
    answer = subprocess.run(
        ["git", "check-ignore", "--no-index", "-v", "-n", "-z", "--stdin"],
        cwd=tmp_path,
        input="".join(f"./{path}\0" for path in entries).encode(),
        capture_output=True,
        check=False,
    )
    fields = iter(answer.stdout.decode().split("\0"))
    judged = {
        path.removeprefix("./"): (file.replace(".gitignore", ".dvtoolignore"), line, pattern)
        for file, line, pattern, path in zip(fields, fields, fields, fields, strict=False)
    }
    found = IgnoreRules.load(os.fsencode(tmp_path))
    ours = {}
    for path, is_dir in entries.items():
        rule = found.explain(path.encode(), is_dir)
        ours[path] = ("", "", "") if rule is None else (rule.file.decode(), str(rule.line), rule.pattern.decode())
    assert ours == judged


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        (b"*" * 60 + b"!", b"a" * 255),
        (b"*a" * 30 + b"*b", b"a" * 255),
        (b"*[a-z]?" * 30 + b"!", b"a" * 255),
        (b"**/a/**/a/**/*a*a*a*a*b", b"a/" * 100 + b"a" * 200),
    ],
)
def test_no_pattern_is_tried_for_ever(tmp_path: Path, pattern: bytes, name: bytes) -> None:
    (tmp_path / ".dvtoolignore").write_bytes(pattern + b"\n")
    rules = IgnoreRules.load(os.fsencode(tmp_path))
    assert not rules.is_ignored(name, False)


@pytest.mark.parametrize("pattern", [b"a/**/a/**/a/**/a/**/b", b"a" * 2_000, b"[z-\\]"])
def test_a_pattern_with_too_much_in_it_is_named(tmp_path: Path, pattern: bytes) -> None:
    (tmp_path / ".dvtoolignore").write_bytes(pattern + b"\n")
    with pytest.raises(FormatError, match=r"^\.dvtoolignore:1: "):
        IgnoreRules.load(os.fsencode(tmp_path))


@pytest.mark.parametrize(
    ("pattern", "name", "is_ignored"),
    [
        (b"*a*b*c", b"xaaxbbabc", True),
        (b"*a*b*c", b"xbac", False),
        (b"a?*b/*c*d", b"axxb/ccdd", True),
        (b"a?*b/*c*d", b"ab/cd", False),
        (b"***.txt", b"x.txt", True),
    ],
)
def test_several_stars(tmp_path: Path, pattern: bytes, name: bytes, *, is_ignored: bool) -> None:
    (tmp_path / ".dvtoolignore").write_bytes(pattern + b"\n")
    assert IgnoreRules.load(os.fsencode(tmp_path)).is_ignored(name, False) is is_ignored
