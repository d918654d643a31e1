"""The small JSON documents of a store: store file, root records, dead lists.

See ``docs/formats/remote.md``. One line of canonical JSON each (sorted keys, no spaces),
with an xxh3_64 over the text in front of it, so that a flipped bit is seen.
"""

from __future__ import annotations

import re
from dataclasses import asdict
from dataclasses import dataclass

from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.formats.sealed import check_form
from dvtool.formats.sealed import seal
from dvtool.formats.sealed import unseal
from dvtool.model.digest import ObjectId
from dvtool.model.digest import as_digest
from dvtool.model.digest import is_adopted
from dvtool.model.digest import parse_digest

STORE_VERSION = 1
MAX_PACK_KEYS = 4_096

_STORE_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_PACK_KEY = re.compile(r"(data|meta)/([0-9a-f]{2})/\2[0-9a-f]{62}(-[0-9a-f]{8})?", re.ASCII)
_RECORD_KEY = re.compile(r"roots/[0-9a-z][0-9a-z-]{7,63}/[0-9a-f]{40}([0-9a-f]{24})?-[0-9a-f]{16}", re.ASCII)
_REPOSITORY = re.compile(r"[0-9a-z][0-9a-z-]{7,63}", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class ChunkerSettings:
    """How large blobs are cut; sizes in bytes. ``name`` is "fastcdc" or "fixed"."""

    name: str = "fastcdc"
    minimum: int = 256 << 10
    average: int = 1 << 20
    maximum: int = 4 << 20


@dataclass(frozen=True, slots=True)
class StoreFile:
    """``dvtool-store.json``: what a store is. Written once."""

    store_id: str
    chunker: ChunkerSettings = ChunkerSettings()


@dataclass(frozen=True, slots=True)
class Root:
    """Something a root record keeps: a directory's top page, or one file's bytes."""

    directory: bool
    oid: ObjectId


@dataclass(frozen=True, slots=True)
class RootRecord:
    """What one push promises to keep.

    ``packs``: keys of packs it relies on. ``author``: who pushed, as in a commit.
    """

    repository: str
    commits: tuple[str, ...]
    roots: tuple[Root, ...]
    packs: tuple[str, ...]
    author: str = ""


@dataclass(frozen=True, slots=True)
class DeadList:
    """``dead/*``: keys of packs, and of root records that a collection has released, which count as absent."""

    packs: tuple[str, ...]
    records: tuple[str, ...] = ()


def encode_store_file(store: StoreFile) -> bytes:
    return seal("store", STORE_VERSION, {"chunker": asdict(store.chunker), "store_id": store.store_id})


def decode_store_file(data: bytes, where: str) -> StoreFile:
    """Raises `FormatError`, also for a newer version, and `IntegrityError`."""
    try:
        return _store_file(data, where)
    except (FormatError, IntegrityError) as error:
        error.hint = error.hint or "move that file away and push or add again: a new one is written"
        raise


def _store_file(data: bytes, where: str) -> StoreFile:
    body = unseal("store", STORE_VERSION, data, where)
    try:
        chunker = ChunkerSettings(**body["chunker"])
        store = StoreFile(_matching(_STORE_ID, body["store_id"]), chunker)
    except (KeyError, TypeError, ValueError):
        raise FormatError(f"{where}: not a valid store file") from None
    sizes = (chunker.minimum, chunker.average, chunker.maximum)
    if chunker.name not in ("fastcdc", "fixed") or not all(isinstance(size, int) for size in sizes):
        raise FormatError(f"{where}: unknown chunker", hint="upgrade dvtool")
    if not 4_096 <= sizes[0] <= sizes[1] <= sizes[2] <= 8 << 20:
        raise FormatError(f"{where}: impossible chunk sizes")
    check_form(encode_store_file(store), data, where)
    return store


def encode_root_record(record: RootRecord) -> bytes:
    return seal(
        "roots",
        STORE_VERSION,
        {
            # A name in a Git commit need not be UTF-8.
            "author": record.author.encode("utf-8", "replace").decode("utf-8"),
            "commits": sorted(set(record.commits)),
            "packs": sorted(set(record.packs)),
            "repository": record.repository,
            "roots": sorted([int(root.directory), str(as_digest(root.oid))] for root in set(record.roots)),
        },
    )


def _stored(text: object) -> ObjectId:
    """What has an address of its own: adopted digests have none, so no store promises to keep them."""
    oid = parse_digest(str(text)).oid
    if is_adopted(oid):
        raise ValueError(text)
    return oid


def decode_root_record(data: bytes, where: str) -> RootRecord:
    """Raises `FormatError` and `IntegrityError`."""
    body = unseal("roots", STORE_VERSION, data, where)
    try:
        record = RootRecord(
            repository=_matching(_REPOSITORY, body["repository"]),
            commits=tuple(_matching(_COMMIT, commit) for commit in body["commits"]),
            roots=tuple(Root(directory == 1, _stored(text)) for directory, text in body["roots"]),
            packs=tuple(_matching(_PACK_KEY, key) for key in body["packs"]),
            author=str(body["author"]),
        )
    except (KeyError, TypeError, ValueError, FormatError):
        raise FormatError(f"{where}: not a valid root record") from None
    if len(record.packs) > MAX_PACK_KEYS:
        raise FormatError(f"{where}: more than {MAX_PACK_KEYS} packs in one root record")
    check_form(encode_root_record(record), data, where)
    return record


def encode_dead_list(dead: DeadList) -> bytes:
    body = {"packs": sorted(set(dead.packs))}
    if dead.records:
        body["records"] = sorted(set(dead.records))
    return seal("dead", STORE_VERSION, body)


def decode_dead_list(data: bytes, where: str) -> DeadList:
    """Raises `FormatError` and `IntegrityError`."""
    body = unseal("dead", STORE_VERSION, data, where)
    try:
        dead = DeadList(
            tuple(_matching(_PACK_KEY, key) for key in body["packs"]),
            tuple(_matching(_RECORD_KEY, key) for key in body.get("records", ())),
        )
    except (KeyError, TypeError, ValueError):
        raise FormatError(f"{where}: not a valid list of dead packs") from None
    check_form(encode_dead_list(dead), data, where)
    return dead


def is_record_key(key: str) -> bool:
    """Whether *key* is one that a root record lies under."""
    return _RECORD_KEY.fullmatch(key) is not None


def _matching(pattern: re.Pattern[str], text: object) -> str:
    if not isinstance(text, str) or not pattern.fullmatch(text):
        raise ValueError(text)
    return text
