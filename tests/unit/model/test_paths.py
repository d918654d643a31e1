"""The path grammar: every spelling of Git's and dvtool's own folders is refused, ordinary odd names pass."""

from __future__ import annotations

import pytest

from dvtool.errors import UnsafeInput
from dvtool.model.paths import check_name
from dvtool.model.paths import check_path
from dvtool.model.paths import is_below
from dvtool.model.paths import join
from dvtool.model.paths import name_problem
from dvtool.model.paths import show
from dvtool.model.paths import split

RESERVED = [
    b".git",
    b".GIT",
    b".Git ",
    b".git.",
    b".git . .",
    b".git::$INDEX_ALLOCATION",
    b".git :x",
    b".git\\hooks",
    b"x\\.git",
    b"git~1",
    b"GIT~1",
    b"git~1 .",
    b"git~1::$INDEX_ALLOCATION",
    b"git~1\\config",
    b"git~23",
    ".g\u200cit".encode(),
    "\u200e.git".encode(),
    "\ufeff.git".encode(),
    ".git\u206f".encode(),
    ".g\u00adit".encode(),
    "\u034f.git".encode(),
    "\u3164.git".encode(),
    "\ufe0f.git".encode(),
    "\U000e0001.git".encode(),
    ".git\u200d.".encode(),
    b".dvtool",
    b".DVTool",
    b".dvtool.",
    b".dvtool:x",
    b"dvtool~1",
    b"DVTOO~1",
    ".dvt\u200bool".encode(),
]
IMPOSSIBLE = [b"", b".", b"..", b"a/b", b"/", b"a\0", b"\0", b"x" * 256, b"~" * 256, b"../x"]
ORDINARY = [
    b"a",
    b"-rf",
    b"two words",
    b" leading",
    b"trailing ",
    b"trailing.",
    b"...",
    b"line\nbreak",
    b"\x1b[31mred",
    b"\xff\xfe",
    b"caf\xe9",
    "caf\u00e9".encode(),
    "cafe\u0301".encode(),
    "\u65e5\u672c\u8a9e".encode(),
    "\u200fright to left".encode(),
    "\U0001f600".encode(),
    b"CON",
    b"a:b",
    b"a\\b",
    b"x" * 255,
    b".gitignore",
    b".gitmodules",
    b".github",
    b".dvtoolignore",
    b"git",
    b"git~",
    b"git~x",
    b"my~1",
    b"backup~",
    b".git-old",
    b"x.git",
    b".g",
    b"*?[]",
    b"$(touch x)",
    b"\x7f",
    b"\\",
]


@pytest.mark.parametrize("name", RESERVED + IMPOSSIBLE)
def test_refuses(name: bytes) -> None:
    assert name_problem(name) is not None
    with pytest.raises(UnsafeInput, match=r"^data\.dvt:2: "):
        check_name(name, "data.dvt:2")


@pytest.mark.parametrize("name", ORDINARY)
def test_lets_pass(name: bytes) -> None:
    assert name_problem(name) is None


@pytest.mark.parametrize("code", range(256))
def test_single_bytes_are_names_but_for_three(code: int) -> None:
    assert (name_problem(bytes((code,))) is not None) == (code in b"\0/.")


@pytest.mark.parametrize(
    "path",
    [
        b"",
        b"/etc/passwd",
        b"//host/share",
        b"\\\\host\\share",
        b"C:\\x",
        b"c:x",
        b"../x",
        b"a/../../x",
        b"a/..",
        b"./a",
        b"a//b",
        b"a/",
        b"a\\b",
        b"a\nb",
        b"a\tb",
        b"a\x7f",
        b"\x1b[0m",
        b"a/.git/config",
        b"a/.GIT/config",
        b".dvtool/config",
        b"a/" + b"x" * 256,
    ],
)
def test_paths_in_text_files_stay_inside_and_on_one_line(path: bytes) -> None:
    with pytest.raises(UnsafeInput):
        check_path(path, "dvtool.yaml:7")


@pytest.mark.parametrize("path", [b"a", b"a/b/c", b"-rf", b"a b/\xff", b"ab:c", "d\u00e9/\u65e5".encode(), b"..."])
def test_ordinary_paths_pass(path: bytes) -> None:
    check_path(path, "here")


def test_show_escapes_what_a_terminal_obeys() -> None:
    shown = show(b"a\x1b[31m\n\xff\xc2\x9b" + "\u202e\u00e9".encode())
    assert shown == "a\\x1b[31m\\n\\xff\\x9b\\u202e\u00e9"
    assert shown.isprintable()


def test_join_and_split() -> None:
    assert join(b"", b"a") == b"a"
    assert join(b"a/b", b"c") == b"a/b/c"
    assert split(b"a/b/c") == (b"a/b", b"c")
    assert split(b"a") == (b"", b"a")


def test_is_below() -> None:
    assert is_below(b"a/b", b"a")
    assert is_below(b"a", b"a")
    assert is_below(b"a", b"")
    assert not is_below(b"ab", b"a")
    assert not is_below(b"a", b"a/b")
