from __future__ import annotations

import pytest
from hypothesis import example
from hypothesis import given
from hypothesis import strategies as st

from dvtool.errors import DvtoolError
from dvtool.errors import FormatError
from dvtool.errors import UsageError
from dvtool.formats import config
from dvtool.formats.config import Key

WHERE = ".dvtool/config"
TEXT = b"""# shared
[dvtool]
    version = 1
[core]
\tremote = origin  ; the bucket

[remote "origin"]
    url = s3://bucket/path#1   # a comment
    region = "eu # west"
"""


def values(data: bytes) -> dict[str, str]:
    return {str(entry.key): entry.value for entry in config.parse_config(data, WHERE)}


def test_reads_sections_comments_and_quotes() -> None:
    assert values(TEXT) == {
        "dvtool.version": "1",
        "core.remote": "origin",
        "remote.origin.url": "s3://bucket/path#1",
        "remote.origin.region": "eu # west",
    }
    assert [entry.line for entry in config.parse_config(TEXT, WHERE)] == [3, 5, 8, 9]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"['remote \"my.r\"']\nurl = /a", {"remote.my.r.url": "/a"}),
        (b'[Remote "R"]\r\nURL=x\r\n', {"remote.R.url": "x"}),
        (b"[a]\nk =\n", {"a.k": ""}),
        (b"[a]\nk = # none\n", {"a.k": ""}),
        (b'[a]\nk = "x\\ty\\\\\\"" ; c\n', {"a.k": 'x\ty\\"'}),
        (b"[a]\nk = a;b=c\n[b]\nk=1\n[a]\nl = 2", {"a.k": "a;b=c", "b.k": "1", "a.l": "2"}),
        (b"[a] # note\n", {}),
        (b"", {}),
    ],
)
def test_spellings_that_are_read(text: bytes, expected: dict[str, str]) -> None:
    assert values(text) == expected


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"key = 1\n", 1),
        (b"[a]\nno equals\n", 2),
        (b"[a\n", 1),
        (b'[\'remote "a"]\n', 1),
        (b'[remote "../x"]\n', 1),
        (b'[remote "-x"]\n', 1),
        (b"[a]\nk = 1\n\nk = 2\n", 4),
        (b"[a]\nk = 1\n[b]\n[A]\nK = 2\n", 5),
        (b'[a]\nk = "open\n', 2),
        (b'[a]\nk = "x" y\n', 2),
        (b'[a]\nk = "\\q"\n', 2),
        (b"[a]\nk = x\x00\n", 2),
        (b"[a]\nk = \x1b[31m\n", 2),
        (b"[a]\nk = x\ry\n", 2),
        (b"<<<<<<< HEAD\n[a]\n", 1),
        (b"[a]\nk = 1\n=======\n", 3),
    ],
)
def test_what_is_not_in_the_format_is_refused_with_its_line(text: bytes, line: int) -> None:
    with pytest.raises(FormatError, match=rf"^\.dvtool/config:{line}: "):
        config.parse_config(text, WHERE)


@pytest.mark.parametrize("text", [b"[a]\nk = \xff\n", b"#" * (config.MAX_BYTES + 1)])
def test_not_text_or_too_long_is_refused(text: bytes) -> None:
    with pytest.raises(FormatError):
        config.parse_config(text, WHERE)


@given(st.binary(max_size=200) | st.text("[]\"'\\=#; \r\n\tabR.-", max_size=60).map(str.encode))
def test_any_bytes_give_settings_or_a_format_error(data: bytes) -> None:
    try:
        config.parse_config(data, WHERE)
    except FormatError:
        return


def test_changing_keeps_comments_and_layout() -> None:
    new = config.set_value(TEXT, Key("core", None, "remote"), "backup", WHERE)
    assert new == TEXT.replace(b"= origin  ; the", b"= backup  ; the")
    new = config.set_value(TEXT, Key("remote", "origin", "url"), "/nas/data", WHERE)
    assert new == TEXT.replace(b"s3://bucket/path#1", b"/nas/data")


def test_adding_goes_behind_the_section_and_a_new_section_to_the_end() -> None:
    new = config.set_value(TEXT, Key("core", None, "autostage"), "true", WHERE)
    assert new == TEXT.replace(b"the bucket\n", b"the bucket\n\tautostage = true\n")
    new = config.set_value(TEXT, Key("remote", "b2", "url"), "/x", WHERE)
    assert new == TEXT + b'[remote "b2"]\n    url = /x\n'
    assert config.set_value(b"[core]", Key("core", None, "remote"), "a", WHERE) == b"[core]\n    remote = a\n"


def test_carriage_returns_stay_where_they_are() -> None:
    old = b"[core]\r\n    remote = a\r\n"
    assert config.set_value(old, Key("core", None, "remote"), "b", WHERE) == b"[core]\r\n    remote = b\r\n"
    new = config.set_value(old, Key("cache", None, "dir"), "/c", WHERE)
    assert new == old + b"[cache]\r\n    dir = /c\r\n"
    assert config.unset_value(new, Key("cache", None, "dir"), WHERE) == old


def test_unset_takes_an_empty_section_along_but_no_comment() -> None:
    one = b"[a]\n# note\nk = 1\n[b]\nk = 1\n"
    assert config.unset_value(one, Key("a", None, "k"), WHERE) == b"[a]\n# note\n[b]\nk = 1\n"
    assert config.unset_value(one, Key("b", None, "k"), WHERE) == b"[a]\n# note\nk = 1\n"
    assert config.unset_value(one, Key("c", None, "k"), WHERE) == one


def test_sections_are_removed_and_renamed() -> None:
    assert config.remove_section(TEXT, "remote", "origin", WHERE) == TEXT[: TEXT.index(b"[remote")]
    assert config.remove_section(TEXT, "remote", "other", WHERE) == TEXT
    renamed = config.rename_section(TEXT, "remote", "origin", "new", WHERE)
    assert renamed == TEXT.replace(b'"origin"', b'"new"')
    with pytest.raises(UsageError):
        config.rename_section(TEXT, "remote", "origin", "-x", WHERE)


@given(st.text(st.characters(blacklist_categories=["Cs"]), max_size=30))
@example(" # ")
@example('"')
@example("a\u2028b\x85")
def test_every_value_that_can_be_written_is_read_back(value: str) -> None:
    key = Key("core", None, "remote")
    for old in (b"", TEXT, b"[core]\r\nremote = x # c\r\n"):
        try:
            new = config.set_value(old, key, value, WHERE)
        except DvtoolError:
            continue
        assert values(new)["core.remote"] == value
        assert values(config.unset_value(new, key, WHERE)) == {k: v for k, v in values(old).items() if k != str(key)}


@pytest.mark.parametrize("text", ["core", "", ".", "core.", ".x", "a.b.", "remote.-x.url", "core.a b", "remote..url"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        config.parse_key(text)


def test_keys_are_read() -> None:
    assert config.parse_key("Core.Remote") == Key("core", None, "remote")
    assert config.parse_key("remote.My.Name.url") == Key("remote", "My.Name", "url")
    assert str(Key("remote", "My.Name", "url")) == "remote.My.Name.url"
