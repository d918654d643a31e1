"""Pointers of two branches brought together."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from dvtool.hashing.digests import object_id
from dvtool.model.digest import Algorithm
from dvtool.model.digest import Digest
from dvtool.model.digest import ObjectId
from dvtool.model.digest import as_digest
from dvtool.model.pointer import Kind
from dvtool.model.pointer import Pointer
from dvtool.model.pointer import Source
from dvtool.model.tree import TreeRef
from dvtool.workspace.pointermerge import PointerMerge
from dvtool.workspace.pointermerge import entry_of
from dvtool.workspace.pointermerge import merge_pointers
from dvtool.workspace.pointermerge import with_content
from tests.unit.store.test_treediff import Node
from tests.unit.store.test_treediff import Pages

PAGES = Pages()


def file(text: str, **more: object) -> Pointer:
    pointer = Pointer(b"f", Kind.FILE, as_digest(object_id(text.encode())), len(text))
    return pointer._replace(**more)  # type: ignore[arg-type]


def directory(node: Mapping[bytes, Node], **more: object) -> Pointer:
    tree: TreeRef = PAGES.tree({**node})
    pointer = Pointer(b"d", Kind.DIRECTORY, as_digest(tree.oid), tree.size, tree.files)
    return pointer._replace(**more)  # type: ignore[arg-type]


def imported(text: str, commit: str) -> Pointer:
    return file(text, source=Source(as_digest(object_id(text.encode())), repo="../up", commit=commit * 40))


def merged(base: Pointer | None, ours: Pointer, theirs: Pointer) -> PointerMerge:
    return merge_pointers(PAGES.load, PAGES.put, base, ours, theirs)


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "expected"),
    [
        (file("1"), file("1"), file("2"), file("2")),
        (file("1"), file("2"), file("1", executable=True), file("2", executable=True)),
        (file("1"), file("2", remote="eu"), file("1", extra="# note\n"), file("2", remote="eu", extra="# note\n")),
        (file("1", remote="eu"), file("1"), file("2", remote="eu"), file("2")),
        (None, file("1"), file("1", extra="x: 1\n"), file("1", extra="x: 1\n")),
        (file("1"), file("1", name=b"moved"), file("2"), file("2", name=b"moved")),
        (
            directory({b"a": 2}),
            directory({b"a": 2, b"b": 3}, remote="eu"),
            directory({b"a": 4}),
            directory({b"a": 4, b"b": 3}, remote="eu"),
        ),
        (file("1", name=b"d"), directory({b"a": 2}), file("1", name=b"d"), directory({b"a": 2})),
        (imported("1", "a"), imported("1", "a"), imported("2", "b"), imported("2", "b")),
    ],
)
def test_each_line_by_itself(base: Pointer | None, ours: Pointer, theirs: Pointer, expected: Pointer) -> None:
    for one, other in ((ours, theirs), (theirs, ours)):
        assert merged(base, one, other) == PointerMerge(expected, (), ())


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "paths", "settings"),
    [
        (file("1"), file("2"), file("3"), [b""], ()),
        (None, file("2"), file("3"), [b""], ()),
        (file("1"), file("1", remote="eu"), file("1", remote="us"), [], ("remote",)),
        (file("1"), file("1", extra="a: 1\n"), file("1", extra="b: 1\n"), [], ("extra",)),
        (directory({b"a": 2}), directory({b"a": 3}), directory({b"a": 4}), [b"a"], ()),
        (directory({b"a": 2}), file("2", name=b"d"), directory({b"a": 4}), [b""], ()),
        (imported("1", "a"), imported("2", "b"), imported("3", "c"), [b""], ()),
        (imported("1", "a"), imported("2", "b"), imported("2", "c"), [], ("source",)),
    ],
)
def test_what_both_changed_is_ours_and_named(
    base: Pointer | None, ours: Pointer, theirs: Pointer, paths: list[bytes], settings: tuple[str, ...]
) -> None:
    found = merged(base, ours, theirs)
    assert [one.path for one in found.conflicts] == paths
    assert found.settings == settings
    assert found.pointer == ours


def test_two_imports_of_a_directory_make_none_of_a_third() -> None:
    """Each file of the union is somebody's, but no commit of the source has them all."""
    source = Source(Digest(Algorithm.BLAKE3, bytes(32)), repo="../up", commit="a" * 40)
    base, ours, theirs = (
        directory(node, source=source._replace(commit=commit * 40))
        for node, commit in (({b"a": 2}, "a"), ({b"a": 2, b"b": 3}, "b"), ({b"a": 2, b"c": 3}, "c"))
    )
    found = merged(base, ours, theirs)
    assert [one.path for one in found.conflicts] == [b""]
    assert found.pointer == ours
    assert with_content(ours, theirs) == theirs


def test_listings_in_another_format_are_one_conflict() -> None:
    base, ours, theirs = (
        Pointer(b"d", Kind.DIRECTORY, Digest(Algorithm.MD5, bytes([number]) * 16), 3, 1) for number in (1, 2, 3)
    )
    assert merged(base, base, theirs).pointer == theirs
    found = merged(base, ours, theirs)
    assert [(one.path, one.ours, one.theirs) for one in found.conflicts] == [(b"", entry_of(ours), entry_of(theirs))]
    assert ObjectId(found.pointer.digest.raw) == ours.digest.raw
