"""Store file, root records and lists of dead packs: strict JSON, whatever the checksum says."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from xxhash import xxh3_64_hexdigest

from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.formats.records import MAX_PACK_KEYS
from dvtool.formats.records import DeadList
from dvtool.formats.records import Root
from dvtool.formats.records import RootRecord
from dvtool.formats.records import StoreFile
from dvtool.formats.records import decode_dead_list
from dvtool.formats.records import decode_root_record
from dvtool.formats.records import decode_store_file
from dvtool.formats.records import encode_dead_list
from dvtool.formats.records import encode_root_record
from dvtool.formats.records import encode_store_file
from dvtool.formats.records import is_record_key
from dvtool.formats.sealed import MAX_BYTES
from dvtool.hashing.digests import object_id

DIGITS = "ab" + "0" * 62
KEY = f"data/ab/{DIGITS}-01234567"
STORE = StoreFile("0" * 32)
ROOTS = RootRecord("repository", ("a" * 40,), (Root(directory=True, oid=object_id(b"x")),), (KEY,), "A <a@b>")
DEAD = DeadList((KEY,))


def sealed(text: str | bytes) -> bytes:
    data = text.encode("ascii") if isinstance(text, str) else text
    return xxh3_64_hexdigest(data).encode() + b" " + data + b"\n"


def changed(encoded: bytes, **changes: Any) -> bytes:
    """The document with other values, otherwise in the one valid form."""
    body = {**json.loads(encoded[17:]), **changes}
    kept = {key: value for key, value in body.items() if value is not ...}
    return sealed(json.dumps(kept, sort_keys=True, separators=(",", ":")))


def chunker(**changes: Any) -> bytes:
    encoded = encode_store_file(STORE)
    return changed(encoded, chunker={**json.loads(encoded[17:])["chunker"], **changes})


@pytest.mark.parametrize(
    "data",
    [
        changed(encode_store_file(STORE), store_id="0" * 31),
        changed(encode_store_file(STORE), store_id="A" * 32),
        changed(encode_store_file(STORE), store_id=5),
        changed(encode_store_file(STORE), store_id=...),
        changed(encode_store_file(STORE), chunker=...),
        changed(encode_store_file(STORE), chunker=[]),
        changed(encode_store_file(STORE), more=1),
        changed(encode_store_file(STORE), version=0),
        changed(encode_store_file(STORE), version="1"),
        changed(encode_store_file(STORE), version=True),
        changed(encode_store_file(STORE), version=1.0),
        changed(encode_store_file(STORE), version=...),
        changed(encode_store_file(STORE), dvtool="roots"),
        chunker(name="buzhash"),
        chunker(name=[]),
        chunker(more=1),
        chunker(minimum=True),
        chunker(minimum="x"),
        chunker(minimum=4_095),
        chunker(minimum=float("nan")),
        chunker(average=1),
        chunker(maximum=(8 << 20) + 1),
    ],
)
def test_other_store_files_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError, match=r"^store: "):
        decode_store_file(data, "store")


def roots(**changes: Any) -> bytes:
    return changed(encode_root_record(ROOTS), **changes)


@pytest.mark.parametrize(
    "data",
    [
        roots(repository="../../x"),
        roots(repository="short"),
        roots(repository=None),
        roots(commits="a" * 40),
        roots(commits=""),
        roots(commits={}),
        roots(commits=["a" * 41]),
        roots(commits=["a" * 40] * 2),
        roots(commits=["b" * 40, "a" * 40]),
        roots(packs=[KEY, KEY]),
        roots(packs=["../" + KEY]),
        roots(packs=[KEY + "\n"]),
        roots(packs=["data/cd/" + DIGITS]),
        roots(packs=["objects/ab/" + DIGITS]),
        roots(packs=[5]),
        roots(packs=[f"data/00/00{number:062x}" for number in range(MAX_PACK_KEYS + 1)]),
        roots(roots=[[2, "blake3:" + DIGITS]]),
        roots(roots=[[True, "blake3:" + DIGITS]]),
        roots(roots=[[0, "md5:" + "0" * 32]]),
        roots(roots=[[0, "blake3:x"]]),
        roots(roots=[[0]]),
        roots(roots=[[0, 5]]),
        roots(roots=["ab"]),
        roots(roots=5),
        roots(author=5),
        roots(author=None),
        roots(author="\ud800"),
        roots(author=...),
        roots(more=1),
    ],
    ids=range(29),
)
def test_other_root_records_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError, match=r"^roots: "):
        decode_root_record(data, "roots")


@pytest.mark.parametrize("packs", [..., None, "", [KEY, KEY], [KEY.upper()], ["/" + KEY], [["x"]], 5])
def test_other_lists_of_dead_packs_are_refused(packs: Any) -> None:
    with pytest.raises(FormatError, match=r"^dead: "):
        decode_dead_list(changed(encode_dead_list(DEAD), packs=packs), "dead")


RECORD = f"roots/0123456789abcdef/{'c0' * 20}-{'1' * 16}"


def test_a_list_of_dead_packs_may_name_records() -> None:
    dead = DeadList((KEY,), (RECORD,))
    assert decode_dead_list(encode_dead_list(dead), "dead") == dead
    assert b"records" not in encode_dead_list(DeadList((KEY,)))
    assert is_record_key(RECORD)
    assert not is_record_key(KEY)


@pytest.mark.parametrize("wrong", [[], None, "", 5, [RECORD, RECORD], [KEY], [RECORD[:-1]], ["/" + RECORD], [["x"]]])
def test_other_lists_of_released_records_are_refused(wrong: Any) -> None:
    with pytest.raises(FormatError, match=r"^dead: "):
        decode_dead_list(changed(encode_dead_list(DeadList((KEY,), (RECORD,))), records=wrong), "dead")


TEXT = encode_dead_list(DEAD)[17:-1].decode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b" \n",
        sealed(""),
        sealed("{}"),
        sealed("[]"),
        sealed("5"),
        sealed("{"),
        sealed("{" * 100_000),
        sealed('{"a":' + "[" * 100_000),
        sealed('{"a":' * 100_000),
        sealed('{"a":' + "9" * 10_000 + "}"),
        sealed('{"a":NaN}'),
        sealed(b'{"a":"\xff"}'),
        sealed(TEXT + " "),
        sealed(" " + TEXT),
        sealed(TEXT.replace(":", ": ", 1)),
        sealed(TEXT.replace("data", "\\u0064ata", 1)),
        sealed(TEXT.replace('"version":1', '"version":1,"version":1')),
        sealed(TEXT)[:-1],
        sealed(TEXT) + b"\n",
        sealed(TEXT).replace(b" ", b"  ", 1),
        b"x" * (MAX_BYTES + 1),
    ],
    ids=range(23),
)
def test_everything_else_is_refused(data: bytes) -> None:
    with pytest.raises((FormatError, IntegrityError), match=r"^dead: "):
        decode_dead_list(data, "dead")


def test_a_wrong_checksum_is_an_integrity_error() -> None:
    with pytest.raises(IntegrityError):
        decode_dead_list(b"0" * 16 + encode_dead_list(DEAD)[16:], "dead")


def test_a_newer_version_says_so() -> None:
    with pytest.raises(FormatError, match="version 2 is newer") as caught:
        decode_store_file(changed(encode_store_file(STORE), version=2, chunker={"name": "better"}), "store")
    assert caught.value.hint == "upgrade dvtool"


@pytest.mark.parametrize("item", ["[]", "{}", '"a"', "1234567"])
def test_many_small_values_take_no_memory(item: str) -> None:
    data = sealed('{"packs":[' + ",".join([item] * (4 << 20)) + "]}")
    tracemalloc.start()
    try:
        with pytest.raises(FormatError):
            decode_dead_list(data, "dead")
        assert tracemalloc.get_traced_memory()[1] < 2 * len(data)
    finally:
        tracemalloc.stop()


def test_an_author_who_is_not_utf8_can_push() -> None:
    encoded = encode_root_record(RootRecord("repository", (), (), (), "Andr\udce9"))
    assert decode_root_record(encoded, "roots").author == "Andr?"


def test_lists_are_sorted_and_unique_whatever_the_caller_does() -> None:
    other = f"meta/ab/{DIGITS}"
    assert encode_dead_list(DeadList((other, KEY, other))) == encode_dead_list(DeadList((KEY, other)))
