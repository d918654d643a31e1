"""A pointer as lines that Git can compare: what stands in a line depends on its own file alone."""

from __future__ import annotations

from collections.abc import Iterator

from dvtool.api.pointertext import Listed
from dvtool.api.pointertext import PointerText
from dvtool.model.paths import show
from dvtool.model.pointer import Kind
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import LINK
from dvtool.ui.counts import count
from dvtool.ui.sizes import size

_DIGITS = 12


def pointer_lines(view: PointerText) -> Iterator[str]:
    """First the whole, then file by file: size, digest, path."""
    pointer = view.pointer
    digest = f"{pointer.digest.algorithm.label}:{pointer.digest.raw.hex()[:_DIGITS]}"
    if pointer.kind is Kind.DIRECTORY:
        yield f"directory {show(pointer.name)}: {count(pointer.files, 'file')}, {size(pointer.size)}, {digest}"
    else:
        executable = ", executable" if pointer.executable else ""
        yield f"file {show(pointer.name)}: {size(pointer.size)}, {digest}{executable}"
    if pointer.remote:
        yield f"remote: {show(pointer.remote.encode())}"
    yield from (show(line.encode("utf-8")) for line in pointer.extra.splitlines())
    if view.problem:
        yield f"({view.problem})"
    yield from map(_line, view.files)


def _line(one: Listed) -> str:
    entry, path = one.entry, show(one.path)
    if entry.kind == LINK:
        return f"{'link':>9}  {'':{_DIGITS}}  {path} -> {show(entry.target)}"
    what = f"{size(entry.size):>9}  {entry.raw.hex()[:_DIGITS]}  {path}"
    if entry.kind == DIRECTORY:
        return f"{what}/  {count(entry.files, 'file')}"
    return f"{what}  (executable)" if entry.executable else what
