"""Pointers of Git LFS, version 1, and its lines in ``.gitattributes``. See ``docs/formats/lfs.md``."""

from __future__ import annotations

import re
from typing import NamedTuple

VERSION = b"version https://git-lfs.github.com/spec/v1"
MAX_BYTES = 1_024
MAX_SIZE = (1 << 63) - 1

_POINTER = re.compile(
    re.escape(VERSION) + rb"\n(?:ext-[0-9]-[^\n]+\n)*oid sha256:([0-9a-f]{64})\nsize (0|[1-9][0-9]{0,18})\n?", re.ASCII
)
_EXTENDED = re.compile(rb"\next-[0-9]-")
_FILTER = re.compile(rb"(?:^|[ \t])filter=lfs(?:[ \t]|$)")


class LfsPointer(NamedTuple):
    """``extended``: its bytes went through another program on their way in, so that what is stored is not the file."""

    digest: bytes
    size: int
    extended: bool = False


def decode_lfs_pointer(data: bytes) -> LfsPointer | None:
    """None for anything that is no pointer: then the file is what it is."""
    match = _POINTER.fullmatch(data) if len(data) < MAX_BYTES else None
    if match is None or int(match[2]) > MAX_SIZE:
        return None
    return LfsPointer(bytes.fromhex(match[1].decode("ascii")), int(match[2]), bool(_EXTENDED.search(data)))


def without_lfs(attributes: bytes) -> bytes:
    """The text of a ``.gitattributes`` without the lines that send files to Git LFS; all else stays as it is."""
    return b"".join(line for line in attributes.splitlines(keepends=True) if not is_lfs_line(line))


def is_lfs_line(line: bytes) -> bool:
    """Whether a line of ``.gitattributes`` sends files to Git LFS."""
    text = line.strip()
    return not text.startswith((b"#", b"[attr]")) and _FILTER.search(text) is not None
