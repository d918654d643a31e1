"""Directories in a store: joining pages bottom up, walking them top down."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence

from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.errors import UnsafeInput
from dvtool.formats.tree import Leaf
from dvtool.formats.tree import decode_page
from dvtool.formats.tree import encode_upper
from dvtool.formats.tree import page_level
from dvtool.model.digest import ObjectId
from dvtool.model.paths import show
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import LEVELS
from dvtool.model.tree import LINK
from dvtool.model.tree import MAX_DEPTH
from dvtool.model.tree import PAGE_LIMIT
from dvtool.model.tree import Entry
from dvtool.model.tree import PageRef
from dvtool.model.tree import TreeRef
from dvtool.model.tree import ends_page

PutPage = Callable[[bytes], ObjectId]
"""Stores or only hashes a page and gives its address."""
MAX_EMPTY_DIRECTORIES = 1_000_000
MOST_FILES = 100_000_000
"""No walk from file to file begins in a directory that states more: one page, shared a few times, makes any number."""
GetPage = Callable[[ObjectId], bytes]
"""The bytes of a page. Raises `MissingData`, `IntegrityError`."""


def join_pages(pages: Sequence[PageRef], put: PutPage) -> TreeRef:
    """Put pages on top of the leaf pages of one directory, all of them in order, until one is left."""
    level = 0
    while len(pages) > 1:
        level += 1
        above: list[PageRef] = []
        start = 0
        for index, page in enumerate(pages, 1):
            if index - start == PAGE_LIMIT or index == len(pages) or ends_page(page.last_name, level):
                above.append(_upper(level, pages[start:index], put))
                start = index
        pages = above
    return tree_of(pages[0])


def _upper(level: int, refs: Sequence[PageRef], put: PutPage) -> PageRef:
    oid = put(encode_upper(level, refs))
    return PageRef(refs[-1].last_name, oid, sum(ref.size for ref in refs), sum(ref.files for ref in refs))


def tree_of(page: PageRef) -> TreeRef:
    """The directory whose only or top page this is."""
    return TreeRef(ObjectId(page.raw), page.size, page.files)


def totals(entries: Sequence[Entry]) -> tuple[int, int]:
    """Bytes of all files and number of files and links below *entries*."""
    size = sum(entry.size for entry in entries if entry.kind != LINK)
    return size, sum(entry.files for entry in entries)


def leaf_refs(get: GetPage, tree: TreeRef) -> list[PageRef]:
    """The leaf pages of one directory in order. A directory of one page has a single one without a last name.

    Leaf pages themselves are not read here: `leaf_entries` checks each.
    """
    top = PageRef(b"", tree.oid, tree.size, tree.files)
    data = get(tree.oid)
    if page_level(data, _where(top)) == 0:
        return [top]
    page = decode_page(data, _where(top))
    if isinstance(page, Leaf) or len(page.pages) < 2:
        raise IntegrityError(f"{_where(top)}: a top page with a single page below it")
    refs = list(_expand(get, top, page.level, page.pages))
    in_order = all(before.last_name < after.last_name for before, after in zip(refs, refs[1:]))
    if not in_order or len({ref.raw for ref in refs}) < len(refs):
        raise IntegrityError(f"{_where(top)}: its pages are not in order, or one stands twice")
    return refs


def _expand(get: GetPage, parent: PageRef, level: int, refs: Sequence[PageRef]) -> Iterator[PageRef]:
    _check_totals(parent, sum(ref.size for ref in refs), sum(ref.files for ref in refs))
    if level == 1:
        yield from refs
        return
    for ref in refs:
        page = decode_page(get(ObjectId(ref.raw)), _where(ref))
        if isinstance(page, Leaf) or page.level != level - 1 or page.pages[-1].last_name != ref.last_name:
            raise IntegrityError(f"{_where(ref)}: not the page that the page above says")
        yield from _expand(get, ref, page.level, page.pages)


def leaf_entries(get: GetPage, ref: PageRef, after: bytes = b"") -> list[Entry]:
    """The entries of one leaf page, totals checked. *after*: the last name of the page before it."""
    page = decode_page(get(ObjectId(ref.raw)), _where(ref))
    if not isinstance(page, Leaf) or (ref.last_name and (not page.entries or page.entries[-1].name != ref.last_name)):
        raise IntegrityError(f"{_where(ref)}: not the page that the page above says")
    if after and page.entries[0].name <= after:
        raise IntegrityError(f"{_where(ref)}: holds {show(page.entries[0].name)}, which belongs before it")
    _check_totals(ref, *totals(page.entries))
    return page.entries


def _check_totals(ref: PageRef, size: int, files: int) -> None:
    if (ref.size, ref.files) != (size, files):
        raise IntegrityError(
            f"{_where(ref)}: {files} files of {size} bytes, but {ref.files} of {ref.size} bytes were stated"
        )


def _where(ref: PageRef) -> str:
    return f"blake3:{ref.raw.hex()}"


def entries(get: GetPage, tree: TreeRef) -> Iterator[Entry]:
    """The entries of one directory in rising order of their names."""
    after = b""
    for ref in leaf_refs(get, tree):
        yield from leaf_entries(get, ref, after)
        after = ref.last_name


def subtree(entry: Entry) -> TreeRef:
    """What a directory entry refers to."""
    return TreeRef(entry.oid, entry.size, entry.files)


class EmptyDirectories:
    """Counts the directories on a walk that hold no file at any depth: no total has them in it."""

    def __init__(self, get_page: GetPage) -> None:
        self._get_page = get_page
        self._known: dict[ObjectId, int] = {}
        self._total = 0

    def require_few(self, path: bytes, tree: TreeRef) -> None:
        """Before an empty directory is entered: raise `UnsafeInput` if with all that it holds there are too many."""
        self._total += self._count(path + b"/" if path else b"", tree)
        if self._total > MAX_EMPTY_DIRECTORIES:
            raise UnsafeInput(
                f"{show(path)}: more than {MAX_EMPTY_DIRECTORIES:,} directories without any file in them",
                path=path,
                hint="dvtool writes no such directory: see where its pointer comes from (`git log -p -- FILE`)",
            )

    def _count(self, prefix: bytes, tree: TreeRef) -> int:
        check_depth(prefix)
        if tree.oid not in self._known:
            below = (entry for entry in entries(self._get_page, tree) if entry.kind == DIRECTORY)
            # Each distinct directory is counted once: a bomb has few of them.
            self._known[tree.oid] = 1 + sum(self._count(prefix + one.name + b"/", subtree(one)) for one in below)
        return self._known[tree.oid]


def require_few_files(path: bytes, tree: TreeRef) -> None:
    """Before a directory is walked whole: raise `UnsafeInput` if it states more files than anybody waits for."""
    if tree.files > MOST_FILES:
        raise UnsafeInput(
            f"{show(path) or 'this directory'}: {tree.files:,} files, more than the {MOST_FILES:,} that are looked at "
            "one by one",
            path=path,
            hint="see where its pointer comes from (`git log -p -- FILE`); `dvtool list` shows one directory of it",
        )


def walk(get: GetPage, tree: TreeRef, prefix: bytes = b"") -> Iterator[tuple[bytes, Entry]]:
    """Every entry below a directory with its path, directories before what they hold.

    Raises `FormatError` and `UnsafeInput` for directories too deep, or too many, or with too many files, to be walked.
    """
    require_few_files(prefix[:-1], tree)
    empty = EmptyDirectories(get)
    if not tree.files:
        empty.require_few(prefix[:-1], tree)
    yield from _walk(get, tree, prefix, empty)


def _walk(get: GetPage, tree: TreeRef, prefix: bytes, empty: EmptyDirectories) -> Iterator[tuple[bytes, Entry]]:
    check_depth(prefix)
    for entry in entries(get, tree):
        path = prefix + entry.name
        yield path, entry
        if entry.kind == DIRECTORY:
            if tree.files and not entry.files:
                empty.require_few(path, subtree(entry))
            yield from _walk(get, subtree(entry), path + b"/", empty)


def page_oids(get: GetPage, tree: TreeRef, *, below: int = LEVELS) -> Iterator[ObjectId]:
    """The address of every page of one directory, without the directories below it.

    *below*: the level that the top page must be under.
    """
    page = decode_page(get(tree.oid), f"blake3:{tree.oid.hex()}")
    if not isinstance(page, Leaf):
        if page.level >= below:
            raise IntegrityError(f"blake3:{tree.oid.hex()}: not the page that the page above says")
        for ref in page.pages:
            if page.level == 1:
                yield ObjectId(ref.raw)
            else:
                yield from page_oids(get, tree_of(ref), below=page.level)
    yield tree.oid


def check_depth(path: bytes) -> None:
    """Raise `FormatError` for a directory too deep to be walked. *path*: with a slash after each directory."""
    if path.count(b"/") > MAX_DEPTH:
        raise FormatError(f"{show(path[:40])}... lies deeper than {MAX_DEPTH} directories", path=path)


def lookup(get: GetPage, tree: TreeRef, path: bytes) -> Entry | None:
    """The entry at a relative path, reading only the pages on the way to it."""
    first, *rest = path.split(b"/")
    entry = _find(get, tree, first)
    for name in rest:
        if entry is None or entry.kind != DIRECTORY:
            return None
        entry = _find(get, subtree(entry), name)
    return entry


def _find(get: GetPage, tree: TreeRef, name: bytes) -> Entry | None:
    page = decode_page(get(tree.oid), f"blake3:{tree.oid.hex()}")
    while not isinstance(page, Leaf):
        at = bisect_left([ref.last_name for ref in page.pages], name)
        if at == len(page.pages):
            return None
        page = decode_page(get(ObjectId(page.pages[at].raw)), _where(page.pages[at]))
    return next((entry for entry in page.entries if entry.name == name), None)
