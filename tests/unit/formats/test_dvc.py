"""What DVC wrote is read as it was meant; what dvtool does not know is refused by name."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from dvtool.errors import ConfigError
from dvtool.errors import FormatError
from dvtool.errors import UnsafeInput
from dvtool.formats.dvcconfig import decode_dvcconfig
from dvtool.formats.dvcentry import MD5
from dvtool.formats.dvcentry import MD5_TEXT
from dvtool.formats.dvcfile import decode_dvcfile
from dvtool.formats.dvclock import decode_dvc_run
from dvtool.formats.dvclock import decode_dvclock
from dvtool.formats.dvcmanifest import decode_manifest
from dvtool.formats.dvcmanifest import encode_manifest
from dvtool.formats.dvcsettings import translate

GOLDEN = Path(__file__).parents[2] / "golden/dvc"
HASH = "0cc175b9c0f1b6a831c399e269772661"


def golden(name: str) -> bytes:
    return (GOLDEN / name).read_bytes()


def out(lines: str) -> bytes:
    return f"outs:\n- path: a\n  md5: {HASH}\n{lines}".encode()


def test_a_directory_as_dvc_3_writes_it() -> None:
    (found,) = decode_dvcfile(golden("directory.dvc"), "x").outs
    assert found[:6] == (b"data", MD5, bytes.fromhex("65ec1bebf9ef3dd4785253e1ad2bb718"), True, 74, 3)


def test_notes_of_people_are_kept() -> None:
    (found,) = decode_dvcfile(golden("noted.dvc"), "sub/two.txt.dvc", b"sub").outs
    assert (found.path, found.notes) == (b"sub/two.txt", {"desc": "second one"})


def test_an_import_says_where_from() -> None:
    file = decode_dvcfile(golden("import.dvc"), "x")
    source = file.deps[0].source
    assert file.frozen
    assert source is not None
    assert (source.url, source.commit[:7]) == ("https://example.com/data.git", "7472a7f")
    assert file.deps[0].entry.path == "sub/one.txt"


def test_an_import_from_a_url() -> None:
    file = decode_dvcfile(golden("import-url.dvc"), "x")
    assert file.deps[0].entry.etag == '"5d41402abc4b2a76b9719d911017c592"'
    assert file.outs[0].path == b"rows.csv"


def test_before_version_3_text_was_hashed_in_another_way() -> None:
    file = decode_dvcfile(golden("version-2.dvc"), "sub/v.dvc", b"sub")
    folder, program = file.outs
    assert (folder.path, folder.algorithm, folder.is_directory, folder.persist) == (b"data", MD5_TEXT, True, True)
    assert (program.path, program.executable, program.remote, program.push) == (b"sub/run", True, "store", False)
    assert program.digest.hex() == "12345678901234567890123456789012"
    assert file.notes == {"meta": {"by": ["someone", 1]}}


def test_a_lock() -> None:
    stages = decode_dvclock(golden("dvc.lock"), "x")
    assert list(stages) == ["prep", "eval"]
    assert [entry.path for entry in stages["eval"].outs] == ["ev", "m.json"]
    assert stages["eval"].deps[0].is_directory
    assert stages["prep"].params == {"params.yaml": {"lr": 0.1, "n.a": 1}}
    assert decode_dvclock(b"", "x") == {}


def test_a_lock_of_version_1() -> None:
    text = f"s:\n  cmd: x\n  outs:\n  - path: a\n    md5: {HASH}\n"
    assert decode_dvclock(text.encode(), "x")["s"].outs[0].size is None


def test_a_run() -> None:
    run = decode_dvc_run(golden("run"), "x")
    assert run.commands
    assert run.outs


def test_a_manifest_is_written_as_dvc_writes_it() -> None:
    files = decode_manifest(golden("manifest.dir"))
    assert [file.path for file in files] == [b"a.csv", b"b.csv", b"n/c"]
    assert encode_manifest(reversed(files)) == golden("manifest.dir")
    assert hashlib.md5(encode_manifest(files)).hexdigest() == "65ec1bebf9ef3dd4785253e1ad2bb718"


def test_settings_in_our_words() -> None:
    found = translate(decode_dvcconfig(golden("config").decode(), "x"), "x")
    assert {str(each.key): each.value for each in found.settings} == {
        "core.remote": "store",
        "remote.store.url": "s3://bucket/pre",
        "remote.store.endpointurl": "https://example.com",
        "remote.near.url": "../store",
        "remote.near.keyfile": ".dvc/a # b",
        "cache.type": "reflink,copy",
    }
    assert (found.cache_dir, found.unknown, found.versioned) == ("/shared/cache", (), ())


def test_a_remote_that_stands_on_another() -> None:
    text = "['remote \"a\"']\nurl = s3://b\nregion = eu\n['remote \"c\"']\nurl = remote://a/d\n"
    found = {str(each.key): each.value for each in translate(decode_dvcconfig(text, "x"), "x").settings}
    assert found["remote.c.url"] == "s3://b/d"
    assert found["remote.c.region"] == "eu"


def test_what_has_no_counterpart_is_told() -> None:
    text = "[exp]\nauto_push = true\n['remote \"a\"']\nurl = s3://b\nversion_aware = true\nzig = 1\n"
    found = translate(decode_dvcconfig(text, "x"), "x")
    assert found.unknown == ("exp.auto_push", "remote.a.zig")
    assert found.versioned == ("a",)


def test_a_remote_whose_name_is_none_of_ours() -> None:
    with pytest.raises(ConfigError, match="x:2"):
        translate(decode_dvcconfig("['remote \"a b\"']\nurl = s3://b\n", "x"), "x")


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (b"", FormatError, "empty"),
        (b"outs: 1\n", FormatError, "no list"),
        (b"nuts: []\n", FormatError, "'nuts'"),
        (out("  color: red\n"), FormatError, "'color'"),
        (out("  hash: sha1\n"), FormatError, "'sha1'"),
        (out("  size: -1\n"), FormatError, "no count"),
        (b"outs:\n- path: ../x\n", UnsafeInput, "leads out"),
        (b"outs:\n- path: a/.git/hooks/x\n", UnsafeInput, "belongs to Git"),
        (b"outs:\n- path: /etc/passwd\n", FormatError, "outside"),
        (b"outs:\n- path: s3://b/x\n", FormatError, "outside"),
        (b"outs:\n- path: a\n  md5: ../../x\n", UnsafeInput, "no MD5"),
        (b"outs:\n- path: a\n  files:\n  - relpath: ../x\n    md5: " + HASH.encode(), UnsafeInput, "climbs"),
        (b"deps:\n- db: {}\n  path: a\n", FormatError, "a db"),
        (b"wdir: ../..\nouts: []\n", UnsafeInput, "leads out"),
        (b"outs:\n- !!python/object:os.system {path: a}\n", FormatError, "tag"),
    ],
)
def test_dvc_files_that_are_refused(data: bytes, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        decode_dvcfile(data, "sub/x.dvc", b"sub" if b"wdir" in data else b"")


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"{}", FormatError),
        (b"[1]", FormatError),
        (b"[" * 100_000, FormatError),
        (b'[{"md5": "x", "relpath": "a"}]', UnsafeInput),
        (f'[{{"md5": "{HASH}", "relpath": "../a"}}]'.encode(), UnsafeInput),
        (f'[{{"md5": "{HASH}", "relpath": "a/.git"}}]'.encode(), UnsafeInput),
        (f'[{{"md5": "{HASH}", "relpath": "a"}}, {{"md5": "{HASH}", "relpath": "a"}}]'.encode(), FormatError),
        (f'[{{"md5": "{HASH}", "relpath": "a"}}, {{"md5": "{HASH}", "relpath": "a/b"}}]'.encode(), FormatError),
        (f'[{{"md5": "{HASH}", "relpath": "\\ud800"}}]'.encode(), UnsafeInput),
    ],
)
def test_manifests_that_are_refused(data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        decode_manifest(data)


@pytest.mark.parametrize(
    "text", ["[a\n", "x\n", "[a]\nx = '''\n", "[a]\nx = %(y)s\n", "[a]\nx = 1\nx = 2\n", '[a]\nx = "a" b\n']
)
def test_settings_that_are_refused(text: str) -> None:
    with pytest.raises(FormatError):
        decode_dvcconfig(text, "x")


@pytest.mark.parametrize("data", [b"schema: '3.0'\n", b"schema: '2.0'\ndatasets: [1]\n", b"s: 1\n", b"s: {cmd: [1]}\n"])
def test_locks_that_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        decode_dvclock(data, "x")
