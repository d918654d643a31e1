"""``dvtool.lock``: the golden file, round trips, what is refused, and that Git merges it."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvtool.errors import FormatError
from dvtool.errors import UnsafeInput
from dvtool.formats.lock import Content
from dvtool.formats.lock import LockedStage
from dvtool.formats.lock import Storing
from dvtool.formats.lock import decode_lock
from dvtool.formats.lock import encode_lock
from dvtool.formats.lock import value_text
from dvtool.model.digest import ObjectId
from dvtool.model.digest import as_digest
from dvtool.model.pointer import Kind

GOLDEN = Path(__file__).parents[2] / "golden/lock/all.lock"
PIN = os.environ.get("DVTOOL_PIN") == "1"


def content(number: int, *, size: int = 7, files: int | None = None, executable: bool = False) -> Content:
    kind = Kind.FILE if files is None else Kind.DIRECTORY
    return Content(kind, as_digest(ObjectId(bytes([number]) * 32)), size, 1 if files is None else files, executable)


EVERYTHING = {
    "prepare": LockedStage(
        commands=("python prepare.py", 'echo "done: é"'),
        deps={
            "prepare.py": content(1, executable=True),
            "raw": content(2, files=3),
            "glob:src/**/*.py": content(3),
            "config.json#key:a.b": content(4, size=0),
            "env:LANG": content(5),
        },
        outs={b"clean": content(6, size=30, files=4), "daten/größe.csv".encode(): content(7)},
        params={b"params.yaml": {"lr": 1e-3, "on": True, "none": None, "list": [1, "two", {"b": 1, "a": math.inf}]}},
    ),
    "train@a-1": LockedStage(argv=("python", "train.py", "a b\u2028\n"), params={b"p.json": {}}),
    "Z": LockedStage(commands=("true",)),
    "stored": LockedStage(
        commands=("true",),
        outs={
            b"here": content(8, files=2),
            b"elsewhere": content(9, executable=True),
            b"nowhere": content(10, size=0),
            b"gits": content(11),
            b"as all": content(12),
        },
        storing={
            b"here": Storing(push=False),
            b"elsewhere": Storing(remote="other"),
            b"nowhere": Storing(cache=False, push=False, remote="other"),
            b"gits": Storing(cache=False),
        },
    ),
}


def test_the_golden_file() -> None:
    if PIN:
        GOLDEN.write_bytes(encode_lock(EVERYTHING))
    assert encode_lock(EVERYTHING) == GOLDEN.read_bytes()
    assert decode_lock(GOLDEN.read_bytes(), "x") == EVERYTHING


names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
contents = st.builds(
    content, st.integers(0, 255), size=st.integers(0, (1 << 63) - 1), files=st.none() | st.integers(0, 99)
)
paths = st.from_regex(r"[a-z]{1,5}(/[a-z]{1,5}){0,2}", fullmatch=True)
stages = st.builds(
    LockedStage,
    commands=st.lists(names, max_size=2).map(tuple),
    deps=st.dictionaries(names, contents, max_size=3),
    params=st.dictionaries(paths.map(str.encode), st.dictionaries(names, values, max_size=3), max_size=2),
    outs=st.dictionaries(paths.map(str.encode), contents, max_size=3),
    storing=st.just({}),
)


@given(st.dictionaries(names, stages, max_size=4))
def test_what_is_written_is_read_again(lock: dict[str, LockedStage]) -> None:
    text = encode_lock(lock)
    assert decode_lock(text, "x") == lock
    assert encode_lock(decode_lock(text, "x")) == text


def test_how_an_output_is_stored_stands_beside_it() -> None:
    stage = LockedStage(
        outs={b"a": content(1), b"b": content(2, files=2), b"c": content(3)},
        storing={b"a": Storing(cache=False), b"b": Storing(push=False, remote="nas")},
    )
    text = encode_lock({"s": stage})
    assert b'"a": {"cache": false, "digest": ' in text
    assert b'"files": 2, "push": false, "remote": "nas", "size": 7}' in text
    assert decode_lock(text, "x") == {"s": stage}
    for good, bad in ((b'"cache": false', b'"cache": 1'), (b'"nas"', b'"../x y"'), (b'"nas"', b"7")):
        with pytest.raises(FormatError, match="output"):
            decode_lock(text.replace(good, bad), "x")


def test_a_dependency_is_not_stored() -> None:
    text = encode_lock({"s": LockedStage(deps={"d": content(1)})})
    with pytest.raises(FormatError, match="not what a lock holds"):
        decode_lock(text.replace(b'{"digest"', b'{"cache": false, "digest"'), "x")


def test_not_a_number_is_kept() -> None:
    lock = {"s": LockedStage(params={b"p": {"x": math.nan, "y": [-math.inf]}})}
    again = decode_lock(encode_lock(lock), "x")["s"].params[b"p"]
    assert isinstance(again["x"], float) and math.isnan(again["x"])
    assert again["y"] == [-math.inf]


def test_values_compare_as_text() -> None:
    assert value_text({"b": 1, "a": [True, None]}) == '{"a": [true, null], "b": 1}'
    assert len({value_text(1), value_text(1.0), value_text(True), value_text("1")}) == 4


BLOCK = b'{"dvtool": "lock", "version": 1, "stages": {"s": {%s}}}'
ENTRY = b'{"digest": "blake3:%s", "size": 1}' % (b"0" * 64)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"\xff",
        b"{" * 100_000,
        b'{"dvtool": "lock", "version": 1}',
        b'{"dvtool": "lock", "version": true, "stages": {}}',
        b'{"dvtool": "roots", "version": 1, "stages": {}}',
        b'{"dvtool": "lock", "version": 1, "stages": {"": {"cmd": ["x"]}}}',
        b'{"dvtool": "lock", "version": 1, "stages": {"s": {}, "s": {}}}',
        b'{"dvtool": "lock", "version": 1, "stages": {"s" : {}, "s":{}}}',
        BLOCK % b'"cmd": "one"',
        BLOCK % b'"command": ["one"]',
        BLOCK % b'"cmd": [1]',
        BLOCK % b'"deps": []',
        BLOCK % b'"deps": {"a": {"digest": 1, "size": 1}}',
        BLOCK % (b'"params": {"p": {"x": %s%s}}' % (b"[" * 200, b"]" * 200)),
        BLOCK % (b'"deps": {"a": %s}' % ENTRY.replace(b"1}", b"-1}")),
        BLOCK % (b'"deps": {"a": %s}' % ENTRY.replace(b"1}", b"true}")),
        BLOCK % (b'"deps": {"a": %s}' % ENTRY.replace(b"1}", b'1, "executable": true, "files": 2}')),
        BLOCK % (b'"deps": {"a": %s, "a": %s}' % (ENTRY, ENTRY)),
        BLOCK % b'"params": {"p": {"x": NaN}}',
    ],
)
def test_what_is_no_lock_is_refused(text: bytes) -> None:
    with pytest.raises(FormatError, match=r"dvtool\.lock"):
        decode_lock(text, "dvtool.lock")


def test_a_newer_version_is_named() -> None:
    with pytest.raises(FormatError, match="version 2 is newer"):
        decode_lock(b'{"dvtool": "lock", "version": 2, "stages": {}}', "x")


@pytest.mark.parametrize("path", [b"../x", b"/x", b"a/../x", b".git/x", b"a\\\\b", b"C:x"])
def test_paths_that_reach_outside_are_refused(path: bytes) -> None:
    for key, value in ((b"outs", ENTRY), (b"params", b"{}")):
        with pytest.raises(UnsafeInput):
            decode_lock(BLOCK % (b'"%s": {"%s": %s}' % (key, path, value)), "x")


@pytest.mark.parametrize("digest", ["blake3:0", "../../x", "BLAKE3:" + "0" * 64, "blake3:" + "A" * 64])
def test_digests_that_are_none_are_refused(digest: str) -> None:
    with pytest.raises(UnsafeInput, match="is not a digest"):
        decode_lock(BLOCK % (b'"outs": {"a": {"digest": "%s", "size": 1}}' % digest.encode()), "x")


def test_git_merges_what_two_branches_add(tmp_path: Path) -> None:
    def stage(command: str) -> LockedStage:
        return LockedStage(commands=(command,), outs={command.encode(): content(1)})

    def merged(ours: dict[str, LockedStage], theirs: dict[str, LockedStage]) -> dict[str, LockedStage]:
        files = [tmp_path / name for name in ("ours", "base", "theirs")]
        for path, lock in zip(files, (base | ours, base, base | theirs), strict=True):
            path.write_bytes(encode_lock(lock))
        done = subprocess.run(["git", "merge-file", "-p", *files], capture_output=True, check=False)
        return decode_lock(done.stdout, "x")

    base = {"b": stage("b"), "m": stage("m"), "y": stage("y")}
    more, other = {"a": stage("a"), "m": stage("m2")}, {"z": stage("z"), "n": stage("n")}
    assert merged(more, other) == base | more | other
    with pytest.raises(FormatError, match="conflict markers"):
        merged({"m": stage("m2")}, {"m": stage("m3")})


def test_a_lock_is_read_in_few_steps_a_stage() -> None:
    """3,000 stages in under 50 ms: that leaves 90 calls of functions, C's too, for each."""

    def calls(stages: int) -> int:
        many = {f"s{n}": LockedStage(("c",), (), {"d": content(1)}, {b"p": {"k": n}}, _two(n)) for n in range(stages)}
        text = encode_lock(many)
        found = 0

        def count(_frame: object, event: str, _arg: object) -> None:
            nonlocal found
            found += event in ("call", "c_call")

        sys.setprofile(count)
        try:
            decode_lock(text, "x")
        finally:
            sys.setprofile(None)
        return found

    few, many = calls(100), calls(200)
    assert many - few < 100 * 90


def _two(number: int) -> dict[bytes, Content]:
    return {b"o/%d" % number: content(number % 256), b"q/%d" % number: content((number + 1) % 256, files=2)}


@pytest.mark.parametrize(
    "params",
    [
        '"p": {"k": 1, "k": 2}',
        '"p": {"k": 1}, "p": {}',
        '"p": {"a": {"b": [{"k": 1, "k": 2}]}}',
        '"p": {"k" : 1, "k": 2}',
        '"p": {"k"\n\t: 1, "k": 2}',
        '"p": {"k"\r:1,"k"\n:2}',
        '"p": {"k": 1, "k": 2, "x": "\\":"}',
        '"p": {"k" : 1, "k" : 2, "x": "\\": \\":"}',
        '"p": {"n": {"$number": "nan"}, "k": 1, "k": 2}',
    ],
)
def test_repeated_keys_are_refused_in_any_layout(params: str) -> None:
    text = '{"dvtool": "lock", "version": 1, "stages": {"s": {"params": {%s}}, "": {}}}'
    with pytest.raises(FormatError, match="stands there twice"):
        decode_lock((text % params).encode(), "x")
    # What looks like a key and is none costs time only.
    assert decode_lock((text % '"p": {"k" : "\\":", "x": "\\" : "}').encode(), "x")["s"].params[b"p"]["x"] == '" : '


def test_repeated_keys_of_outputs_are_refused() -> None:
    digest = "blake3:" + "0" * 64
    for entry in ('"o": {"digest": "%s", "size": 1, "size": 2}', '"o": {"digest": "%s", "size": 1}, "o": {}'):
        text = '{"dvtool": "lock", "version": 1, "stages": {"s": {"outs": {%s}}, "": {}}}' % (entry % digest)
        with pytest.raises(FormatError):
            decode_lock(text.encode(), "x")
