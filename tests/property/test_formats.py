"""Every format: one encoding, damage is seen, and parsers raise nothing but dvtool's own errors."""

from __future__ import annotations

import base64
import contextlib

import pytest
import yaml
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.errors import UnsafeInput
from dvtool.formats.pointer import decode_pointer
from dvtool.formats.pointer import encode_pointer
from dvtool.formats.tree import encode_leaf
from dvtool.formats.tree import file_digests
from dvtool.model.digest import Algorithm
from dvtool.model.digest import Digest
from dvtool.model.pointer import Kind
from dvtool.model.pointer import Pointer
from dvtool.model.tree import FILE
from dvtool.model.tree import Entry
from tests.property.formats import FORMATS
from tests.property.formats import LEAVES
from tests.property.formats import POINTERS
from tests.property.formats import WHERE
from tests.property.formats import Format

REFUSED = (FormatError, IntegrityError, UnsafeInput)
COMPRESSED = ("record",)
"""A record may be compressed in more than one way; what it holds is what counts."""

every_format = pytest.mark.parametrize("form", FORMATS, ids=str)
quick = settings(max_examples=60, derandomize=True, database=None)


@every_format
@given(data=st.data())
@quick
def test_what_is_written_is_read(form: Format, data: st.DataObject) -> None:
    value = data.draw(form.values)
    encoded = form.encode(value)
    assert form.decode(encoded) == value
    assert form.encode(form.decode(encoded)) == encoded


@every_format
@given(data=st.data())
@quick
def test_one_changed_byte_is_seen(form: Format, data: st.DataObject) -> None:
    value = data.draw(form.values)
    encoded = bytearray(form.encode(value))
    at = data.draw(st.integers(0, len(encoded) - 1))
    encoded[at] ^= data.draw(st.integers(1, 255))
    if form.sees_all:
        with pytest.raises(REFUSED):
            form.decode(bytes(encoded))
    else:
        try:
            assert form.decode(bytes(encoded)) != value
        except REFUSED:
            return


@every_format
@given(data=st.data())
@quick
def test_every_shorter_and_longer_text_is_refused(form: Format, data: st.DataObject) -> None:
    value = data.draw(form.values)
    encoded = form.encode(value)
    cut = encoded[: data.draw(st.integers(0, len(encoded) - 1))]
    for damaged in (cut, form.seal(cut) if form.seal is not None and len(cut) > 40 else cut):
        try:
            assert form.decode(damaged) != value
        except REFUSED:
            pass
    if form.name not in {"pointer", "record"}:
        with pytest.raises(REFUSED):
            form.decode(encoded + b"\0")


@st.composite
def _mutations(draw: st.DrawFn, encoded: bytes) -> bytes:
    data = bytearray(encoded)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        end = min(len(data), at + draw(st.integers(0, 8)))
        new = draw(
            st.one_of(
                st.binary(max_size=8),
                st.sampled_from((b"\xff" * 8, bytes(8), b"\xff" * 4, b"\x7f", b"\x80", b"[", b'"', b"\n", b": ", b"1")),
                st.just(bytes(data[at : at + 50])),
            )
        )
        data[at:end] = new
    return bytes(data)


@every_format
@given(data=st.data())
@settings(quick, max_examples=150)
def test_damaged_bytes_raise_only_errors_of_dvtool(form: Format, data: st.DataObject) -> None:
    damaged = data.draw(_mutations(form.encode(data.draw(form.values))))
    for candidate in (damaged, form.seal(damaged)) if form.seal is not None and len(damaged) > 40 else (damaged,):
        try:
            value = form.decode(candidate)
        except REFUSED:
            continue
        if form.name not in COMPRESSED:
            assert form.encode(value) == candidate


@every_format
@given(data=st.binary(max_size=200))
@quick
def test_random_bytes_raise_only_errors_of_dvtool(form: Format, data: bytes) -> None:
    with pytest.raises(REFUSED):
        form.decode(data)


@given(value=POINTERS)
@quick
def test_any_yaml_reader_reads_the_same_pointer(value: Pointer) -> None:
    found = yaml.safe_load(encode_pointer(value))
    name = found["path"].encode("utf-8") if "path" in found else base64.b64decode(found["path64"])
    assert (name, found["kind"], found["digest"]) == (value.name, value.kind.value, str(value.digest))
    assert (found["dvtool"], found["size"], found.get("files", 1)) == (1, value.size, value.files)
    assert found.get("executable", False) is value.executable


@given(extra=st.text(alphabet="a1:#-?[]{}&*!|>'\"%@`, \n\t~<", max_size=30))
@settings(quick, max_examples=300)
def test_lines_behind_a_pointer_never_change_what_yaml_readers_see(extra: str) -> None:
    head = Pointer(b"a", Kind.FILE, Digest(Algorithm.MD5, bytes(16)), 5)
    try:
        decode_pointer(encode_pointer(head) + extra.encode("utf-8"), WHERE)
    except FormatError:
        return
    found = yaml.safe_load(encode_pointer(head) + extra.encode("utf-8"))
    assert {key: found[key] for key in ("dvtool", "path", "kind", "digest", "size")} == yaml.safe_load(
        encode_pointer(head)
    )


@given(LEAVES)
def test_file_digests_are_those_that_decoding_finds(entries: list[Entry]) -> None:
    leaf = encode_leaf(entries)
    assert file_digests(leaf) == [entry.raw for entry in entries if entry.kind == FILE]


@given(LEAVES, st.integers(0, 4096))
def test_file_digests_of_a_torn_leaf_end_in_an_error_or_not_at_all(entries: list[Entry], length: int) -> None:
    with contextlib.suppress(FormatError):
        file_digests(encode_leaf(entries)[:length])
