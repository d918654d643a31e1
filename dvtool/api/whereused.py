"""Which paths, commits, branches and tags hold the bytes with a given digest."""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from typing import NamedTuple

from dvtool.errors import FormatError
from dvtool.errors import UnsafeInput
from dvtool.errors import UsageError
from dvtool.formats.lock import MAX_BYTES as LOCK_BYTES
from dvtool.model.digest import Algorithm
from dvtool.model.digest import Digest
from dvtool.model.digest import algorithm_of_code
from dvtool.model.paths import join
from dvtool.model.paths import show
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import FILE
from dvtool.project.listings import Listings
from dvtool.project.listings import Unread
from dvtool.project.listings import unread_error
from dvtool.project.open import Project
from dvtool.project.parts import open_tracked
from dvtool.store.treesearch import PAGE
from dvtool.store.treesearch import Hit
from dvtool.store.treesearch import TreeSearch
from dvtool.store.treesearch import Wanted
from dvtool.store.treesearch import require_few_hits
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.pointers import tracked_in

SHORTEST = 8
_TEXT = re.compile(r"(?:([a-z0-9]+):)?([0-9a-f]+)", re.ASCII)
_KINDS = {FILE: "file", DIRECTORY: "directory", PAGE: "listing"}


@dataclass(frozen=True, slots=True)
class WhereUsedRequest:
    """``digest``: ``blake3:<hex>`` or hex digits alone, all of them or at least 8."""

    digest: str


class Use(NamedTuple):
    """One path that holds, or held, the bytes.

    ``kind``: "file", "directory", or "listing" for a part of a wide directory's listing.
    ``commits``: full names of those that brought it to this path, in no order. ``refs``: branches
    and tags that hold it there now. ``in_worktree``: a pointer in the worktree says so.
    """

    path: bytes
    kind: str
    size: int
    commits: tuple[str, ...]
    refs: tuple[str, ...]
    in_worktree: bool


@dataclass(frozen=True, slots=True)
class WhereUsedResult:
    """``digest`` in full, None where nothing was found. ``unread``: directories that could not be searched."""

    digest: Digest | None
    uses: tuple[Use, ...]
    pointers: int
    unread: tuple[Unread, ...] = ()


@dataclass(slots=True)
class _Use:
    hit: Hit
    commits: dict[str, None] = field(default_factory=dict)
    refs: dict[str, None] = field(default_factory=dict)
    in_worktree: bool = False


class _PointerVersion(NamedTuple):
    """What a pointer or lock said of a path, in versions of its file, with the commits that brought it there; without
    any version, in the worktree."""

    item: Tracked
    blobs: tuple[str, ...] = ()
    commits: tuple[str, ...] = ()


def whereused(project: Project, request: WhereUsedRequest, reporter: Reporter = SILENT) -> WhereUsedResult:
    """Search all refs, stashes and the worktree. Listings that are not in the cache are fetched.

    `raise_for` makes an error of a search that found nothing but could not read everything.
    Raises `UsageError` for what is no digest, or the beginning of several.
    """
    wanted = _parse(request.digest)
    unread: list[Unread] = []
    found: dict[bytes, _Use] = {}
    holders: dict[tuple[bytes, str], list[_Use]] = {}
    pointers = 0
    reporter.begin("searching", unit="objects")
    with Listings(project, reporter) as listings:
        search = TreeSearch(listings.get, wanted)
        for version in (*_worktree(project), *_history(project, unread)):
            pointers += 1
            reporter.advance(1)
            for hit in _hits(version.item, search, wanted):
                use = found.setdefault(hit.path, _Use(hit))
                require_few_hits(len(found), b"")
                if use.hit.raw != hit.raw:
                    raise _ambiguous(request.digest, use.hit, hit)
                use.commits.update(dict.fromkeys(version.commits))
                use.in_worktree = use.in_worktree or not version.blobs
                for blob in version.blobs:
                    holders.setdefault((project.layout.to_git(version.item.pointer_path), blob), []).append(use)
        unread += (Unread(path, error) for path, error in search.unread)
    reporter.end()
    hits = [use.hit for use in found.values()]
    for hit in hits[1:]:
        if hit.raw != hits[0].raw:
            raise _ambiguous(request.digest, hits[0], hit)
    _add_refs(project, holders)
    digest = Digest(algorithm_of_code(hits[0].algorithm), hits[0].raw) if hits else None
    return WhereUsedResult(digest, tuple(_uses(found)), pointers, tuple(unread))


def raise_for(result: WhereUsedResult) -> None:
    """Raise an error if nothing was found and something could not be read."""
    if result.unread and not result.uses:
        raise unread_error(result.unread, "could not be searched")


def _parse(text: str) -> Wanted:
    match = _TEXT.fullmatch(text.lower())
    if match is None:
        raise UsageError(f"{text!r} is not a digest", hint="`dvtool list --show-hash PATH` shows some")
    algorithms = {algorithm.label: algorithm for algorithm in Algorithm}
    name, digits = match[1], match[2]
    if name is not None and name not in algorithms:
        raise UsageError(f"{name!r} is not a kind of digest: {', '.join(algorithms)}")
    longest = 2 * max(algorithm.size for algorithm in Algorithm)
    if not SHORTEST <= len(digits) <= longest:
        raise UsageError(f"{text!r} has {len(digits)} hexadecimal digits: give {SHORTEST} to {longest}")
    return Wanted(digits, None if name is None else algorithms[name].code)


def _ambiguous(text: str, one: Hit, other: Hit) -> UsageError:
    names = [str(Digest(algorithm_of_code(hit.algorithm), hit.raw)) for hit in (one, other)]
    return UsageError(f"{text!r} is the beginning of several digests: {names[0]}, {names[1]}", hint="give more digits")


def _worktree(project: Project) -> Iterator[_PointerVersion]:
    for item in open_tracked(project):
        yield _PointerVersion(item)


def _history(project: Project, unread: list[Unread]) -> Iterator[_PointerVersion]:
    from dvtool.git.blobs import read_blobs
    from dvtool.git.history import all_pointer_blobs

    if project.git is None:
        return
    prefix = project.layout.prefix
    commits: dict[str, dict[bytes, dict[str, None]]] = {}
    for commit, path, blob in all_pointer_blobs(project.git, subdir=prefix.rstrip(b"/"), locks=True):
        commits.setdefault(blob, {}).setdefault(path, {})[commit] = None
    made: dict[Tracked, _PointerVersion] = {}
    for blob, data in read_blobs(project.git, commits, limit=LOCK_BYTES):
        for path, at in commits[blob].items():
            pointer_path = project.layout.from_git(path)
            try:
                items = tracked_in(pointer_path, data, f"{show(pointer_path)} at {next(iter(at))[:10]}")
            except (FormatError, UnsafeInput) as error:
                unread.append(Unread(pointer_path, error))
            else:
                for item in items:
                    if not item.stage:
                        yield _PointerVersion(item, (blob,), tuple(at))
                        continue
                    # Newest first: of all the versions of a lock that say the same, the last one brought it.
                    newer = made.get(item)
                    blobs = () if newer is None else newer.blobs
                    made[item] = _PointerVersion(item, (*blobs, blob), (list(at)[-1],))
    yield from made.values()


def _hits(item: Tracked, search: TreeSearch, wanted: Wanted) -> Iterator[Hit]:
    pointer = item.pointer
    algorithm, raw = pointer.digest.algorithm.code, pointer.digest.raw
    if wanted.is_met_by(algorithm, raw):
        yield Hit(item.path, DIRECTORY if item.is_directory else FILE, algorithm, raw, pointer.size)
    if item.is_directory:
        for hit in search.hits(item.tree, item.path):
            yield hit._replace(path=join(item.path, hit.path) if hit.path else item.path)


def _add_refs(project: Project, holders: dict[tuple[bytes, str], list[_Use]]) -> None:
    from dvtool.git.tips import refs_holding

    if project.git is None or not holders:
        return
    for file, names in refs_holding(project.git, list(holders)).items():
        for use in holders[file]:
            use.refs.update(dict.fromkeys(names))


def _uses(found: dict[bytes, _Use]) -> Iterable[Use]:
    for path in sorted(found):
        use = found[path]
        kind = _KINDS[use.hit.kind]
        yield Use(path, kind, use.hit.size, tuple(use.commits), tuple(sorted(use.refs)), use.in_worktree)
