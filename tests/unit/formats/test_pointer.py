"""Pointers: one valid text, hostile ones refused quickly, with file and line."""

from __future__ import annotations

import pytest

from dvtool.errors import DvtoolError
from dvtool.errors import FormatError
from dvtool.errors import UnsafeInput
from dvtool.formats.pointer import MAX_BYTES
from dvtool.formats.pointer import decode_pointer
from dvtool.formats.pointer import encode_pointer
from dvtool.model.digest import Algorithm
from dvtool.model.digest import Digest
from dvtool.model.pointer import Kind
from dvtool.model.pointer import Pointer

WHERE = "data.dvt"
ZERO = Digest(Algorithm.BLAKE3, bytes(32))
FILE = Pointer(b"a.csv", Kind.FILE, ZERO, 5)
HEAD = encode_pointer(FILE)


def refusal(data: bytes) -> DvtoolError:
    with pytest.raises(DvtoolError) as caught:
        decode_pointer(data, WHERE)
    assert isinstance(caught.value, (FormatError, UnsafeInput))
    assert caught.value.message.startswith(WHERE + ":")
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 2_000
    return caught.value


@pytest.mark.parametrize(
    ("name", "line"),
    [
        (b"a.csv", "path: a.csv"),
        (b"-rf", 'path: "-rf"'),
        (b"two words", 'path: "two words"'),
        (b"yes", 'path: "yes"'),
        (b"NULL", 'path: "NULL"'),
        (b"2024-01-01", 'path: "2024-01-01"'),
        (b"1e5", 'path: "1e5"'),
        (b"0x1F", 'path: "0x1F"'),
        (b"1.csv", "path: 1.csv"),
        (b".5", 'path: ".5"'),
        (b'say "hi"', 'path: "say \\"hi\\""'),
        (b"#5", 'path: "#5"'),
        ("\u00e9".encode(), 'path: "\u00e9"'),
        ("\u0085\u2028\uffff".encode(), 'path: "\\u0085\\u2028\\uffff"'),
        (b"\xff", "path64: /w=="),
    ],
)
def test_each_name_has_one_spelling(name: bytes, line: str) -> None:
    pointer = FILE._replace(name=name)
    assert encode_pointer(pointer).decode().split("\n")[1] == line
    assert decode_pointer(encode_pointer(pointer), WHERE) == pointer


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"path: a.csv", b'path: "a.csv"'),
        (b"path: a.csv", b"path: 'a.csv'"),
        (b"path: a.csv", b"path64: YS5jc3Y="),
        (b"path: a.csv", b"path64: /w="),
        (b"path: a.csv", b"path64: /x=="),
        (b"path: a.csv", b'path: "\\u0061b c"'),
        (b"path: a.csv", b'path: "\\ud800"'),
        (b"path: a.csv", b'path: "\\u00E9"'),
        (b"path: a.csv", b"path: a.csv "),
        (b"path: a.csv", b"path:  a.csv"),
        (b"path: a.csv", b"path:\ta.csv"),
        (b"path: a.csv", b"path: a.csv # note"),
        (b"path: a.csv", b"path: "),
        (b"size: 5", b"size: 05"),
        (b"size: 5", b"size: -5"),
        (b"size: 5", b"size: +5"),
        (b"size: 5", b"size: 5.0"),
        (b"size: 5", b"size: 5 "),
        (b"size: 5", b"size: \xd9\xa5"),
        (b"size: 5", b"size: 9223372036854775808"),
        (b"size: 5", b"size: " + b"9" * 5_000),
        (b"size: 5\n", b"size: 5"),
        (b"size: 5\n", b"size: 5\nfiles: 1\n"),
        (b"kind: file", b"kind: link"),
        (b"kind: file", b"kind: File"),
        (b"kind: file", b"kind: directory"),
        (b"kind: file\n", b"kind: file\nexecutable: false\n"),
        (b"kind: file\n", b"kind: directory\nexecutable: true\n"),
        (b"kind: file\n", b""),
        (b"dvtool: 1", b"dvtool: 01"),
        (b"dvtool: 1", b"dvtool: one"),
        (b"dvtool: 1", b"\xef\xbb\xbfdvtool: 1"),
        (b"dvtool: 1\n", b"# note\ndvtool: 1\n"),
        (b"\n", b"\r\n"),
        (b"\n", b"\r"),
        (b"csv", b"csv\xff"),
        (b"csv", b"csv\x00"),
        (HEAD, b""),
        (HEAD, b"\n"),
        (HEAD, b"x" * (MAX_BYTES + 1)),
    ],
)
def test_any_other_text_is_a_format_error(old: bytes, new: bytes) -> None:
    assert old in HEAD
    assert isinstance(refusal(HEAD.replace(old, new)), FormatError)


@pytest.mark.parametrize(
    "name",
    [
        b"../x",
        b"/etc/passwd",
        b"a/b",
        b"C:x",
        b".",
        b"..",
        b".git",
        b".GIT.",
        b"git~1",
        b".git::$INDEX_ALLOCATION",
        b".dvtool",
        "\u200c.git".encode(),
        b"a\nb",
        b"a\x1b",
        b"a\\b",
        b"a\0",
        b"x" * 256,
        b"\xff" * 256,
        b"/\xff",
    ],
)
def test_names_that_reach_outside_are_unsafe(name: bytes) -> None:
    error = refusal(encode_pointer(FILE._replace(name=name)))
    assert isinstance(error, UnsafeInput)
    assert error.message.startswith("data.dvt:2: ")


@pytest.mark.parametrize(
    "digest", [b"blake3:" + b"A" * 64, b"0" * 64, b"blake3:../../x", b"blake3:" + b"0" * 63, b"sha1:" + b"0" * 40]
)
def test_digests_that_are_none_are_unsafe(digest: bytes) -> None:
    error = refusal(HEAD.replace(str(ZERO).encode(), digest))
    assert isinstance(error, UnsafeInput)
    assert error.message.startswith("data.dvt:4: ")


@pytest.mark.parametrize(
    ("name", "line"),
    [("eu", "remote: eu"), ("eu-west.1_b", "remote: eu-west.1_b"), ("2024", 'remote: "2024"'), ("no", 'remote: "no"')],
)
@pytest.mark.parametrize("pointer", [FILE, Pointer(b"d", Kind.DIRECTORY, ZERO, 5, 1)])
def test_the_remote_it_belongs_to_is_its_last_line(name: str, line: str, pointer: Pointer) -> None:
    bound = pointer._replace(remote=name, extra="# mine\nowner: ann\n")
    assert encode_pointer(bound).decode().endswith(f"\n{line}\n# mine\nowner: ann\n")
    assert decode_pointer(encode_pointer(bound), WHERE) == bound


@pytest.mark.parametrize(
    "lines",
    [
        b"remote: \n",
        b"remote: ../eu\n",
        b"remote: -eu\n",
        b'remote: "eu"\n',
        b"remote: 2024\n",
        b"remote: eu # note\n",
        b"remote: eu\nremote: us\n",
        b"# note\nremote: eu\n",
        b"remote: [eu, us]\n",
    ],
)
def test_a_remote_has_one_spelling_and_one_place(lines: bytes) -> None:
    assert isinstance(refusal(HEAD + lines), FormatError)


SOURCE = (
    b"source:\n"
    b'  repo: "https://git.example.org/r.git"\n'
    b"  rev: main\n"
    b"  commit: 0b7d1c1f1f2f6f58e7a5e2b3b0f3a0d6a3c1d9e4\n"
    b"  path: data/images\n"
    b"  digest: " + str(ZERO).encode() + b"\n"
)
OF_URL = b'source:\n  url: "s3://b/rows.csv"\n  etag: "\\"1\\""\n  digest: ' + str(ZERO).encode() + b"\n"


@pytest.mark.parametrize("lines", [SOURCE, OF_URL])
def test_where_it_came_from(lines: bytes) -> None:
    text = encode_pointer(FILE) + lines + b"note: kept\n"
    pointer = decode_pointer(text, "a.csv.dvt")
    assert pointer.source is not None
    assert pointer.source.digest == ZERO
    assert (pointer.source.repo != "") != (pointer.source.url != "")
    assert pointer.extra == "note: kept\n"
    assert encode_pointer(pointer) == text


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        (b"  commit: 0b", b"  commit: 0B", UnsafeInput),
        (b"  commit: 0b", b"  commit: -", UnsafeInput),
        (b"  rev: main", b"  rev: -main", FormatError),
        (b"  rev: main", b'  rev: "main"', FormatError),
        (b"  rev: main", b'  rev: "a\\u000ab"', FormatError),
        (b"  rev: main\n", b"", None),
        (b"  path: data/images", b"  path: data/../../x", UnsafeInput),
        (b"  path: data/images", b"  path: /etc", UnsafeInput),
        (b"  path: data/images\n", b"", None),
        (b"  path: data/images", b"  path: data/images\n  remote: eu", None),
        (b"  repo: ", b"  url: ", FormatError),
        (b"  digest: blake3", b"  digest: crc", UnsafeInput),
        (b"  rev: main\n", b"  rev: main\n  more: x\n", FormatError),
        (b"source:\n", b"source:\n\n", FormatError),
    ],
)
def test_sources_have_one_spelling(old: bytes, new: bytes, kind: type[DvtoolError] | None) -> None:
    text = encode_pointer(FILE) + SOURCE.replace(old, new)
    if kind is None:
        assert decode_pointer(text, "a.csv.dvt").source is not None
    else:
        assert type(refusal(text)) is kind


def test_a_newer_version_says_so() -> None:
    error = refusal(HEAD.replace(b"dvtool: 1", b"dvtool: 2"))
    assert "version 2 is newer" in error.message
    assert error.hint == "upgrade dvtool"


def test_conflict_markers_and_windows_line_ends_come_with_advice() -> None:
    conflict = refusal(b"<<<<<<< HEAD\n" + HEAD + b"=======\n" + HEAD + b">>>>>>> other\n")
    assert "conflict" in conflict.message
    assert conflict.hint is not None and "git checkout" in conflict.hint
    windows = refusal(HEAD.replace(b"\n", b"\r\n"))
    assert windows.hint is not None and ".gitattributes" in windows.hint


@pytest.mark.parametrize(
    "extra",
    [
        "# a comment without an end",
        "\n\n# one\n  # two\n",
        "owner: somebody\ntags: [a, {b: c}]\n",
        'note: "two\\nlines"\ntext: |\n  a\n  b\n',
        "when: 2024-13-45\nhuge: " + "9" * 5_000 + "\n",
        "times: " + "1:" * 300 + "1.5\n",
        "nested:\n" + "".join("  " * depth + "a:\n" for depth in range(1, 50)),
    ],
)
def test_further_lines_are_kept_as_they_are(extra: str) -> None:
    pointer = decode_pointer(HEAD + extra.encode(), WHERE)
    assert pointer == FILE._replace(extra=extra)
    assert encode_pointer(pointer) == HEAD + extra.encode()


LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join(['*' + old] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi")
)


@pytest.mark.parametrize(
    "extra",
    [
        LAUGHS,
        "a: &x 1\n",
        "a: *x\n",
        "a: !!python/object/apply:os.system [id]\n",
        "a: !!str 5\n",
        "a: !x 5\n",
        "<<: {b: c}\n",
        "a: {<<: {b: c}}\n",
        "a: 1\na: 2\n",
        "a: {b: 1, b: 2}\n",
        "a: 1\n'a': 2\n",
        "digest: x\n",
        "'size': 5\n",
        '"\\u0073ize": 5\n',
        "files: 3\n",
        "path64: x\n",
        "? [a]\n: b\n",
        "? {a: b}\n: c\n",
        "1: x\n",
        "yes: x\n",
        "~: x\n",
        "- a\n",
        "text\n",
        "  6\n",
        " a: b\n",
        "{a: b}\n",
        "---\na: b\n",
        "a: b\n...\n",
        "a: b\n--- \nc: d\n",
        "%YAML 1.1\n---\na: b\n",
        "%TAG ! tag:x,2000:\n---\na: b\n",
        "a: " + "[" * 100 + "]" * 100 + "\n",
        "a: " + "[" * 60_000 + "\n",
        "a: " + "{a: " * 15_000 + "\n",
        "- " * 30_000 + "\n",
        "? " * 30_000 + "\n",
        "a: [\n",
        "a: 'x\n",
        "a: b: c\n",
        "\t# tab\n",
        "a:\tb\n\tc: d\n",
        "# hidden\rdigest: x\n",
        "# hidden\u2028digest: x\n",
        "# hidden\u0085digest: x\n",
        "# \x1b[31m\n",
        "# \ufeff\n",
        "a: \x00\n",
        "@\n",
        "a: " + "x" * MAX_BYTES + "\n",
    ],
    ids=lambda extra: extra[:20].encode("unicode_escape").decode(),
)
def test_hostile_further_lines_are_refused(extra: str) -> None:
    assert isinstance(refusal(HEAD + extra.encode()), FormatError)


def test_a_long_word_like_a_number_is_refused_without_trying_every_split() -> None:
    error = refusal(HEAD.replace(b"a.csv", b"1" + b"0" * 60_000 + b"z"))
    assert "data.dvt:2" in error.message


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (b"dvtool: 1", b"dvtool: x", 1),
        (b"path: a.csv", b"path: 'a'", 2),
        (b"kind: file", b"kind: x", 3),
        (b"digest: ", b"digest ", 4),
        (b"size: 5", b"size: x", 5),
    ],
)
def test_errors_name_the_line(old: bytes, new: bytes, line: int) -> None:
    error = refusal(HEAD.replace(old, new))
    assert error.message.startswith(f"data.dvt:{line}: ")
    assert error.message.count("data.dvt") == 1


def test_errors_behind_the_head_name_the_line_in_the_file() -> None:
    assert refusal(HEAD + b"a: 1\nb: 2\na: 3\n").message.startswith("data.dvt:8: ")
