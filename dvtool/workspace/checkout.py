"""Carrying a checkout plan out: remove, replace, create; verified bytes only."""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from typing import NamedTuple

from dvtool.disk.replace import ChangedMeanwhile
from dvtool.disk.replace import remove_file
from dvtool.disk.signature import StatSignature
from dvtool.errors import DvtoolError
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.errors import storage_error
from dvtool.model.digest import ObjectId
from dvtool.model.paths import join
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.model.ports import Reporter
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import LINK
from dvtool.model.tree import Entry
from dvtool.model.tree import PageRef
from dvtool.model.tree import TreeRef
from dvtool.store.cache import Cache
from dvtool.store.localpacks import Place
from dvtool.store.treediff import EntryChange
from dvtool.store.trees import EmptyDirectories
from dvtool.store.trees import GetPage
from dvtool.store.trees import check_depth
from dvtool.store.trees import leaf_entries
from dvtool.store.trees import leaf_refs
from dvtool.store.trees import lookup
from dvtool.store.trees import subtree
from dvtool.workspace.checkoutplan import CheckoutPlan
from dvtool.workspace.placers import JOB_FILES
from dvtool.workspace.placers import Bytes
from dvtool.workspace.placers import Placers
from dvtool.workspace.placers import flat
from dvtool.workspace.placers import start_placers
from dvtool.workspace.placing import Directories
from dvtool.workspace.placing import Placer
from dvtool.workspace.room import require_room

_STAYS = frozenset({errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT, errno.ENOTDIR, errno.EBUSY})
"""Why a directory is not removed: something is in it, it is gone or none, something is mounted there."""

_BATCH_FILES = 32_768
"""So many files are placed at a time, in the order of their packs: 100 bytes of plan each."""

HELPERS_FROM = 6_000
"""Helpers are started for a batch of so many new files, a MiB counting as 16 more: 0.4 s of work."""
_WEIGHT_BYTES = 1 << 16
_JOBS_AHEAD = 64
"""So many jobs wait at most to be taken in, 32,768 files."""

Expect = Callable[[bytes, Entry], StatSignature]
"""The signature of the file at a path, proved to hold the entry's bytes. Raises `ChangedMeanwhile`."""


class Problem(NamedTuple):
    """A path that could not be brought to the wanted state, and why."""

    path: bytes
    error: DvtoolError


@dataclass(slots=True)
class Placed:
    """What an execution did."""

    created: int = 0
    replaced: int = 0
    removed: int = 0
    bytes_written: int = 0
    missing: list[tuple[bytes, ObjectId]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    link_types: set[str] = field(default_factory=set)

    @property
    def is_complete(self) -> bool:
        return not self.missing and not self.problems


class NewPage(NamedTuple):
    """A leaf page of a directory that was made from nothing: all of it was placed."""

    directory: bytes
    ref: PageRef
    entries: list[Entry]
    signatures: list[StatSignature | None]


class _Item(NamedTuple):
    path: bytes
    entry: Entry
    expected: Entry | None
    page: int
    slot: int


class Checkout:
    """Executes plans in one worktree.

    ``placed`` is called for each file that now stands there by dvtool's doing, ``page_done``
    for each whole directory page: both feed the memo.
    """

    def __init__(
        self,
        root_fd: int,
        cache: Cache,
        get_page: GetPage,
        *,
        links: tuple[str, ...],
        began_ns: int,
        expect: Expect,
        placed: Callable[[bytes, Entry, StatSignature], None],
        page_done: Callable[[NewPage], None],
        reporter: Reporter,
        jobs: int = 1,
    ) -> None:
        self._root_fd = root_fd
        self._directories = Directories(root_fd)
        self._cache = cache
        self._get_page = get_page
        self._placer = Placer(self._directories, cache, links, began_ns)
        self._start_helpers: Callable[[], Placers | None] | None = None
        if jobs > 1:
            self._start_helpers = lambda: start_placers(cache, root_fd, links, began_ns, jobs)
        self._shares_blocks = "reflink" in links
        self._helpers: Placers | None = None
        self._given: deque[tuple[int, list[_Item]]] = deque()
        self._expect = expect
        self._placed = placed
        self._page_done = page_done
        self._reporter = reporter
        self._result = Placed(link_types=self._placer.used)
        self._pages: dict[int, NewPage] = {}
        self._page_count = 0
        self._empty = EmptyDirectories(get_page)

    def execute(self, plan: CheckoutPlan) -> Placed:
        """Carry *plan* out as far as possible. Raises only for what stops everything (a full disk)."""
        try:
            require_room(plan, self._root_fd)
            for change in reversed(plan.remove):
                self._remove(change)
            self._prune(plan)
            for batch in _batches(self._items(plan)):
                self._place(batch)
            self._collect(to_the_end=True)
        except OSError as error:
            raise storage_error(error, "write", error.filename or plan.path) from error
        finally:
            if self._helpers is not None:
                self._helpers.close()
            self._directories.close()
        return self._result

    def _remove(self, change: EntryChange) -> None:
        entry = change.old
        parent, name = split(change.path)
        if entry is None or entry.kind == DIRECTORY:
            return
        try:
            expected = self._expect(change.path, entry)
            if remove_file(self._directories.get(parent), name, expected, shown=change.path):
                self._result.removed += 1
        except ChangedMeanwhile as error:
            self._result.problems.append(Problem(change.path, error))
        except FileNotFoundError:
            pass

    def _prune(self, plan: CheckoutPlan) -> None:
        """Remove directories that are not wanted and that nothing is left in, deepest first."""
        candidates: set[bytes] = set()
        for change in plan.remove:
            path = change.path if change.old is not None and change.old.kind == DIRECTORY else split(change.path)[0]
            while len(path) >= len(plan.path) and path not in candidates:
                candidates.add(path)
                path = split(path)[0]
        for path in sorted(candidates, reverse=True):
            if not self._is_wanted_directory(plan, path):
                self._directories.forget(path)
                parent, name = split(path)
                try:
                    os.rmdir(name, dir_fd=self._directories.get(parent))
                except OSError as error:
                    if error.errno not in _STAYS:
                        raise

    def _is_wanted_directory(self, plan: CheckoutPlan, path: bytes) -> bool:
        entry = plan.wanted
        if entry is not None and path != plan.path:
            is_tree = entry.kind == DIRECTORY
            entry = lookup(self._get_page, subtree(entry), path[len(plan.path) + 1 :]) if is_tree else None
        return entry is not None and entry.kind == DIRECTORY

    def _items(self, plan: CheckoutPlan) -> Iterator[_Item]:
        for change in plan.replace:
            if change.new is not None:
                yield _Item(change.path, change.new, change.old, -1, 0)
        for change in plan.create:
            entry = change.new
            if entry is None:
                continue
            if entry.kind == DIRECTORY:
                yield from self._directory(change.path, subtree(entry))
            else:
                yield _Item(change.path, entry, None, -1, 0)

    def _directory(self, path: bytes, tree: TreeRef, *, is_counted: bool = False) -> Iterator[_Item]:
        check_depth(path + b"/")
        try:
            refs = leaf_refs(self._get_page, tree)
            if not tree.files and not is_counted:
                self._empty.require_few(path, tree)
            self._directories.get(path, create=True)
        except MissingData:
            self._result.missing.append((path, tree.oid))
            return
        except IntegrityError as error:
            self._result.problems.append(Problem(path, error))
            return
        except NotADirectoryError as error:
            self._result.problems.append(Problem(path, _in_the_way(path, error)))
            return
        for before, ref in zip((PageRef(b"", b"", 0, 0), *refs), refs):
            try:
                entries = leaf_entries(self._get_page, ref, before.last_name)
            except MissingData:
                self._result.missing.append((path, ObjectId(ref.raw)))
                continue
            except IntegrityError as error:
                self._result.problems.append(Problem(path, error))
                continue
            number = self._page_count
            self._page_count += 1
            self._pages[number] = NewPage(path, ref, entries, [None] * len(entries))
            for slot, entry in enumerate(entries):
                below = join(path, entry.name)
                if entry.kind == DIRECTORY:
                    yield from self._directory(below, subtree(entry), is_counted=not tree.files)
                else:
                    yield _Item(below, entry, None, number, slot)

    def _place(self, items: list[_Item]) -> None:
        wanted: dict[ObjectId, list[_Item]] = {}
        for item in items:
            if item.entry.kind == LINK:
                self._one(item, None)
            else:
                wanted.setdefault(item.entry.oid, []).append(item)
        packed, other = self._cache.in_pack_order(wanted)
        if self._is_shared(items):
            packed, other = self._give(packed, other, wanted)
            self._collect()
        for oid, data in self._cache.read_packed(packed):
            for item in wanted[oid]:
                if isinstance(data, IntegrityError):
                    self._fail(item, data)
                elif len(data) != item.entry.size:
                    self._fail(item, _wrong_size(item, len(data)))
                else:
                    self._one(item, data)
        for oid in other:
            is_loose = self._cache.has_loose(oid)
            for item in wanted[oid]:
                if is_loose:
                    self._one(item, None)
                else:
                    self._result.missing.append((item.path, oid))
        self._finish_pages()

    def _is_shared(self, items: list[_Item]) -> bool:
        """Whether helpers are to do their part; starts them for the first batch that is large enough."""
        if self._helpers is None and self._start_helpers is not None:
            new = [item.entry for item in items if item.expected is None and not self._is_at_hand(item.entry.raw)]
            work = sum(1 + entry.size // _WEIGHT_BYTES for entry in new)
            if work >= HELPERS_FROM and len(new) > 1:
                self._helpers, self._start_helpers = self._start_helpers(), None
        return self._helpers is not None

    def _is_at_hand(self, oid: bytes) -> bool:
        """Whether a file of it shares blocks with the cache unread, which a helper, a stranger to it, would read."""
        return self._shares_blocks and self._cache.was_written(oid)

    def _give(
        self, packed: list[tuple[Place, ObjectId]], other: list[ObjectId], wanted: dict[ObjectId, list[_Item]]
    ) -> tuple[list[tuple[Place, ObjectId]], list[ObjectId]]:
        """Give new files to the helpers; what stays to be done here."""
        new = {oid for oid, items in wanted.items() if all(item.expected is None for item in items)}
        loose = [oid for oid in other if oid in new and self._cache.has_loose(oid) and not self._is_at_hand(oid)]
        job: list[Bytes] = []
        items: list[_Item] = []
        record: tuple[object, int] | None = None
        for place, oid in packed:
            if oid in new:
                if len(items) >= JOB_FILES and (place.pack, place.offset) != record:
                    self._submit(job, items)
                    job, items = [], []
                record = (place.pack, place.offset)
                files = wanted[oid]
                job.append((oid, flat(place), [(path, entry.executable, entry.size) for path, entry, _, _, _ in files]))
                items += files
        for oid in loose:
            if len(items) >= JOB_FILES:
                self._submit(job, items)
                job, items = [], []
            files = wanted[oid]
            job.append((oid, None, [(path, entry.executable, entry.size) for path, entry, _, _, _ in files]))
            items += files
        self._submit(job, items)
        given = set(loose)
        return [pair for pair in packed if pair[1] not in new], [oid for oid in other if oid not in given]

    def _submit(self, job: list[Bytes], items: list[_Item]) -> None:
        if self._helpers is not None and items:
            self._given.append((self._helpers.submit(job), items))

    def _collect(self, *, to_the_end: bool = False) -> None:
        """Take in what helpers have placed; what they could not, is tried here."""
        given, helpers = self._given, self._helpers
        if helpers is None:
            return
        while given and (to_the_end or len(given) > _JOBS_AHEAD or helpers.is_ready(given[0][0])):
            ticket, items = given.popleft()
            signatures, used = helpers.result(ticket)
            self._placer.used |= used
            left = []
            for item, signature in zip(items, signatures, strict=True):
                if signature is None:
                    left.append(item)
                else:
                    self._stands(item, signature)
            if left:
                self._helpers = None
                self._place(left)
                self._helpers = helpers
        self._finish_pages()

    def _one(self, item: _Item, data: bytes | None) -> None:
        if item.entry == item.expected and data is None and self._placer.is_linked(item.path, item.entry):
            return
        try:
            signature = self._put(item, data)
        except FileExistsError as error:
            self._fail(item, _in_the_way(item.path, error))
        except (ChangedMeanwhile, IntegrityError) as error:
            self._fail(item, error)
        except FileNotFoundError:
            if data is not None or item.entry.kind == LINK or os.path.lexists(self._cache.loose_path(item.entry.raw)):
                raise
            # Another command has set the object aside since the cache was listed.
            self._result.missing.append((item.path, item.entry.oid))
        else:
            self._stands(item, signature)

    def _stands(self, item: _Item, signature: StatSignature) -> None:
        self._result.bytes_written += item.entry.size
        if item.expected is None:
            self._result.created += 1
        else:
            self._result.replaced += 1
        if item.page >= 0:
            self._pages[item.page].signatures[item.slot] = signature
        else:
            self._placed(item.path, item.entry, signature)
        self._reporter.advance(1)

    def _put(self, item: _Item, data: bytes | None) -> StatSignature:
        path, entry = item.path, item.entry
        if item.expected is None:
            if entry.kind == LINK:
                return self._placer.create_link(path, entry.target)
            if data is not None:
                return self._placer.create(path, entry, data)
            return self._placer.put(path, entry, None, None)
        expected = self._expect(path, item.expected)
        if entry.kind == LINK:
            return self._placer.put_link(path, entry.target, expected)
        return self._placer.put(path, entry, data, expected)

    def _fail(self, item: _Item, error: DvtoolError) -> None:
        self._result.problems.append(Problem(item.path, error))

    def _finish_pages(self) -> None:
        """Hand over the pages whose files are all placed; the last one may go on in the next batch."""
        done = [number for number, page in self._pages.items() if _is_placed(page)]
        for number in done:
            self._page_done(self._pages.pop(number))


def _wrong_size(item: _Item, size: int) -> IntegrityError:
    return IntegrityError(
        f"{show(item.path)}: {item.entry.digest} has {size} bytes, but {item.entry.size} were stated",
        path=item.path,
        hint="dvtool writes no such pointer or listing: see where it comes from (`git log -p -- FILE`)",
    )


def _in_the_way(path: bytes, error: OSError) -> DvtoolError:
    """An ignored file, or one that came after the plan was made."""
    problem = DvtoolError(
        f"{show(path)} is in the way and was left as it is",
        path=path,
        hint="move away what stands there, then run the same command again",
    )
    problem.__cause__ = error
    return problem


def _is_placed(page: NewPage) -> bool:
    return all(
        signature is not None or entry.kind == DIRECTORY
        for entry, signature in zip(page.entries, page.signatures, strict=True)
    )


def _batches(items: Iterable[_Item]) -> Iterator[list[_Item]]:
    batch: list[_Item] = []
    for item in items:
        batch.append(item)
        if len(batch) >= _BATCH_FILES:
            yield batch
            batch = []
    yield batch
