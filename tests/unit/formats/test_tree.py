"""Tree pages made by hand: what no writer would write is refused."""

from __future__ import annotations

import struct

import pytest

from dvtool.errors import FormatError
from dvtool.errors import UnsafeInput
from dvtool.formats.tree import Leaf
from dvtool.formats.tree import Upper
from dvtool.formats.tree import decode_page
from dvtool.formats.tree import encode_leaf
from dvtool.formats.tree import encode_upper
from dvtool.model.tree import PAGE_LIMIT
from dvtool.model.tree import PageRef
from dvtool.model.tree import ends_page
from dvtool.model.tree import file_entry
from dvtool.model.tree import link_entry

OID = bytes(range(32))
NUMBER = struct.Struct("<Q")
HUGE = 2**64 - 1


def page(*entries: bytes, level: int = 0, count: int | None = None, magic: bytes = b"DVTTREE1") -> bytes:
    return struct.pack("<8sBI", magic, level, len(entries) if count is None else count) + b"".join(entries)


def entry(name: bytes, kind: int = 1, flags: int = 0, algorithm: int = 1, raw: bytes = OID, *numbers: int) -> bytes:
    head = bytes((kind, flags, algorithm, len(name))) + name + raw
    return head + b"".join(map(NUMBER.pack, numbers or (5,)))


def ref(name: bytes, size: int = 1, files: int = 1) -> bytes:
    return bytes((len(name),)) + name + OID + NUMBER.pack(size) + NUMBER.pack(files)


def link(target: bytes, size: int | None = None) -> bytes:
    return entry(b"l", 3, 0, 0, b"", len(target) if size is None else size) + target


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"DVTTREE1",
        page(magic=b"DVTPACK1"),
        page(level=0) + b"\0",
        page(entry(b"b"), entry(b"a")),
        page(entry(b"a"), entry(b"a")),
        page(entry(b"")),
        page(entry(b"a"), count=2),
        page(entry(b"a"), entry(b"b"), count=1),
        page(entry(b"a"))[:-1],
        page(entry(b"a", kind=0)),
        page(entry(b"a", kind=4)),
        page(entry(b"a", flags=2)),
        page(entry(b"a", flags=0x80)),
        page(entry(b"a", 2, 1, 1, OID, 5, 1)),
        page(entry(b"a", 2, 0, 2, OID[:16], 5, 1)),
        page(entry(b"a", algorithm=0, raw=b"")),
        page(entry(b"a", algorithm=4)),
        page(entry(b"a", 1, 0, 1, OID, 2**63)),
        page(entry(b"a", 2, 0, 1, OID, 2**63, 1)),
        page(entry(b"a", 2, 0, 1, OID, 5, 2**63)),
        page(entry(b"l", 3, 1, 0, b"", 1) + b"x"),
        page(entry(b"l", 3, 0, 1, b"", 1) + b"x"),
        page(link(b"")),
        page(link(b"a\0b")),
        page(link(b"x" * 4_096)),
        page(link(b"x", HUGE)),
        page(link(b"x", 2)),
        page(count=PAGE_LIMIT + 1),
        page(count=2**32 - 1),
        page(level=1),
        page(ref(b"a"), level=8),
        page(ref(b"b"), ref(b"a"), level=1),
        page(ref(b"a"), ref(b"a"), level=1),
        page(ref(b""), level=1),
        page(ref(b"a", size=2**63), level=1),
        page(ref(b"a", files=2**63), level=1),
        page(ref(b"a"), level=1)[:-1],
        page(ref(b"a"), level=1) + b"\0",
        page(ref(b"a"), level=1, count=2),
        page(ref(b"a")[:20], level=1),
    ],
)
def test_malformed_pages_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError, match=r"^top: "):
        decode_page(data, "top")


@pytest.mark.parametrize("name", [b"..", b".", b"a/b", b"a\0", b".git", b".GIT ", b"git~1", b".dvtool"])
def test_names_that_reach_outside_are_unsafe_on_every_level(name: bytes) -> None:
    for data in (page(entry(name)), page(ref(name), level=1)):
        with pytest.raises(UnsafeInput, match=r"^top: "):
            decode_page(data, "top")


def test_a_newer_format_says_so() -> None:
    with pytest.raises(FormatError, match="newer") as caught:
        decode_page(page(magic=b"DVTTREE2"), "top")
    assert caught.value.hint == "upgrade dvtool"


def test_odd_names_come_back_byte_for_byte() -> None:
    names = [b"\n", b"\x1b[31m", b"a\\b", b"-rf", b"\xff\xfe", b"x" * 255, "\u65e5".encode(), b" ", b"~"]
    entries = [file_entry(name, OID, 1, True) for name in sorted(names)]
    assert decode_page(encode_leaf(entries)) == Leaf(entries)


def test_a_link_keeps_its_target() -> None:
    entries = [link_entry(b"l", b"../\xff outside"), link_entry(b"m", b"x" * 4_095)]
    assert decode_page(encode_leaf(entries)) == Leaf(entries)


def test_a_page_that_should_have_ended_is_refused() -> None:
    ending = next(name for name in (b"%d" % number for number in range(10**6)) if ends_page(name, 1))
    inside = page(ref(ending), ref(b"zz"), level=1)
    with pytest.raises(FormatError, match="should have ended"):
        decode_page(inside)
    last = [PageRef(b"!", OID, 1, 1), PageRef(ending, OID, 1, 1)]
    assert decode_page(encode_upper(1, last)) == Upper(1, last)
