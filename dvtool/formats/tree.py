"""Tree pages, format "DVTTREE1": see ``docs/formats/tree.md``."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from collections.abc import Sequence
from typing import NamedTuple

from dvtool.errors import FormatError
from dvtool.errors import UnsafeInput
from dvtool.model.digest import Algorithm
from dvtool.model.paths import name_problem
from dvtool.model.paths import show
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import FILE
from dvtool.model.tree import LEVELS
from dvtool.model.tree import LINK
from dvtool.model.tree import PAGE_LIMIT
from dvtool.model.tree import Entry
from dvtool.model.tree import PageRef
from dvtool.model.tree import ends_page

MAGIC = b"DVTTREE1"
_FAMILY = b"DVTTREE"
_HEAD = struct.Struct("<8sBI")
_ENTRY = struct.Struct("<BBBB")
_U64 = struct.Struct("<Q")
_TOTALS = struct.Struct("<QQ")
_MAX_U63 = (1 << 63) - 1
_MAX_TARGET = 4_095
_DIGEST_BYTES = {algorithm.code: algorithm.size for algorithm in Algorithm}


class Leaf(NamedTuple):
    """A page of level 0."""

    entries: list[Entry]


class Upper(NamedTuple):
    """A page of a higher level: references to pages of the level below."""

    level: int
    pages: list[PageRef]


def encode_entry(entry: Entry) -> bytes:
    """One entry of a leaf page."""
    head = _ENTRY.pack(entry.kind, entry.executable, entry.algorithm, len(entry.name))
    if entry.kind == FILE:
        return b"".join((head, entry.name, entry.raw, _U64.pack(entry.size)))
    if entry.kind == DIRECTORY:
        return b"".join((head, entry.name, entry.raw, _TOTALS.pack(entry.size, entry.files)))
    return b"".join((head, entry.name, _U64.pack(entry.size), entry.target))


def join_leaf(encoded: Sequence[bytes]) -> bytes:
    """A leaf page from encoded entries, which must be in rising order of their names."""
    return b"".join((_HEAD.pack(MAGIC, 0, len(encoded)), *encoded))


def encode_leaf(entries: Iterable[Entry]) -> bytes:
    """A leaf page; the entries must be in rising order of their names."""
    return join_leaf([encode_entry(entry) for entry in entries])


def encode_upper(level: int, pages: Sequence[PageRef]) -> bytes:
    """An upper page; the references must be in rising order of their last names."""
    parts = [_HEAD.pack(MAGIC, level, len(pages))]
    for page in pages:
        parts += (bytes((len(page.last_name),)), page.last_name, page.raw, _TOTALS.pack(page.size, page.files))
    return b"".join(parts)


def page_level(data: bytes, where: str = "tree page") -> int:
    """The level of a page, 0 for a leaf, without reading its entries. Raises `FormatError`."""
    if len(data) < _HEAD.size or data[:7] != _FAMILY:
        raise FormatError(f"{where}: not a tree page")
    if data[:8] != MAGIC:
        raise FormatError(f"{where}: written in a newer tree format", hint="upgrade dvtool")
    return data[8]


def decode_page(data: bytes, where: str = "tree page") -> Leaf | Upper:
    """Read a page. Raises `FormatError`, and `UnsafeInput` for names that reach outside."""
    page_level(data, where)
    _, level, count = _HEAD.unpack_from(data)
    if count > PAGE_LIMIT or level >= LEVELS:
        raise FormatError(f"{where}: {count} entries at level {level} are more than a page holds")
    try:
        page = Leaf(_entries(data, count, where)) if level == 0 else Upper(level, _page_refs(data, level, count, where))
    except (struct.error, IndexError):
        raise FormatError(f"{where}: ends too early") from None
    return page


def file_digests(leaf: bytes) -> list[bytes]:
    """The digests of the files on a leaf page that was valid once: a third of the time of `decode_page`.

    Raises `FormatError` for what is none.
    """
    if page_level(leaf):
        raise FormatError("tree page: not a leaf")
    found: list[bytes] = []
    at = _HEAD.size
    end = len(leaf)
    try:
        while at < end:
            kind, algorithm = leaf[at], leaf[at + 2]
            at += 4 + leaf[at + 3]
            length = 32 if algorithm == 1 else _DIGEST_BYTES.get(algorithm, 0)
            if kind == FILE:
                found.append(leaf[at : at + length])
                at += length + 8
            elif kind == DIRECTORY:
                at += length + 16
            else:
                at += 8 + _U64.unpack_from(leaf, at)[0]
    except (struct.error, IndexError):
        raise FormatError("tree page: ends too early") from None
    return found


def _entries(data: bytes, count: int, where: str) -> list[Entry]:
    entries: list[Entry] = []
    append = entries.append
    unpack_head = _ENTRY.unpack_from
    unpack_u64 = _U64.unpack_from
    at = _HEAD.size
    previous = b""
    for _ in range(count):
        kind, executable, algorithm, name_length = unpack_head(data, at)
        at += 4
        name = data[at : at + name_length]
        at += name_length
        if name <= previous:
            raise FormatError(f"{where}: entries are not in order at {show(name)}")
        if (problem := name_problem(name)) is not None:
            raise UnsafeInput(f"{where}: the name {show(name)} {problem}")
        previous = name
        if kind == LINK:
            if executable or algorithm:
                raise FormatError(f"{where}: {show(name)} is a link with a digest")
            (size,) = unpack_u64(data, at)
            at += 8
            target = data[at : at + size]
            if not 0 < size <= _MAX_TARGET or b"\0" in target:
                raise FormatError(f"{where}: {show(name)} has an impossible link target")
            at += size
            append(Entry(name, LINK, False, 0, b"", size, 1, target))
            continue
        length = 32 if algorithm == 1 else _DIGEST_BYTES.get(algorithm, 0)
        if not length:
            raise FormatError(f"{where}: {show(name)} has an unknown digest algorithm", hint="upgrade dvtool")
        raw = data[at : at + length]
        at += length
        (size,) = unpack_u64(data, at)
        at += 8
        if kind == FILE and executable <= 1:
            append(Entry(name, FILE, executable == 1, algorithm, raw, size))
        elif kind == DIRECTORY and not executable and algorithm == 1:
            (files,) = unpack_u64(data, at)
            at += 8
            if files > _MAX_U63:
                raise FormatError(f"{where}: {show(name)} has an impossible number of files")
            append(Entry(name, DIRECTORY, False, algorithm, raw, size, files))
        else:
            raise FormatError(f"{where}: {show(name)} has an unknown kind or flag")
        if size > _MAX_U63:
            raise FormatError(f"{where}: {show(name)} has an impossible size")
    if at != len(data):
        raise FormatError(f"{where}: {len(data) - at} bytes too many or too few")
    return entries


def _page_refs(data: bytes, level: int, count: int, where: str) -> list[PageRef]:
    if count < 1:
        raise FormatError(f"{where}: an upper page without pages below it")
    pages: list[PageRef] = []
    at = _HEAD.size
    previous = b""
    for _ in range(count):
        name_length = data[at]
        name = data[at + 1 : at + 1 + name_length]
        at += 1 + name_length
        raw = data[at : at + 32]
        size, files = _TOTALS.unpack_from(data, at + 32)
        at += 48
        if name <= previous or len(raw) != 32 or size > _MAX_U63 or files > _MAX_U63:
            raise FormatError(f"{where}: pages are not in order or impossible at {show(name)}")
        if (problem := name_problem(name)) is not None:
            raise UnsafeInput(f"{where}: the name {show(name)} {problem}")
        if previous and ends_page(previous, level):
            raise FormatError(f"{where}: the page should have ended at {show(previous)}")
        previous = name
        pages.append(PageRef(name, raw, size, files))
    if at != len(data):
        raise FormatError(f"{where}: {len(data) - at} bytes too many or too few")
    return pages
