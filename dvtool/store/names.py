"""Names in a store: where packs, loose objects and records lie. One rule for cache and remotes."""

from __future__ import annotations

from dvtool.formats.pack import DATA
from dvtool.formats.pack import META
from dvtool.model.digest import ObjectId

STORE_FILE = "dvtool-store.json"
CLASS_FOLDER = {DATA: "data", META: "meta"}
FOLDER_CLASS = {folder: pack_class for pack_class, folder in CLASS_FOLDER.items()}
INDEX = "index/"
DEAD = "dead/"
CATALOG = "index/catalog"
ROOTS = "roots/"
CLOCK = "clock/"
OBJECTS = "objects/"
RUNS = "runs/"


def pack_name(pack_class: int, pack_id: bytes, suffix: bytes = b"") -> str:
    """``data/ab/ID`` in a cache, ``data/ab/ID-SUFFIX`` on a remote."""
    digits = pack_id.hex()
    tail = f"-{suffix.hex()}" if suffix else ""
    return f"{CLASS_FOLDER[pack_class]}/{digits[:2]}/{digits}{tail}"


def parse_pack_name(name: str) -> tuple[int, bytes, bytes] | None:
    """Class, id and suffix of a pack's name; None for any other name."""
    folder, _, rest = name.partition("/")
    shard, _, digits = rest.partition("/")
    digits, dash, suffix = digits.partition("-")
    if folder not in FOLDER_CLASS or not digits.startswith(shard) or len(shard) != 2:
        return None
    if not _is_hex(digits, 64) or (dash and not _is_hex(suffix, 8)):
        return None
    return FOLDER_CLASS[folder], bytes.fromhex(digits), bytes.fromhex(suffix)


def _is_hex(text: str, length: int) -> bool:
    return len(text) == length and all(c in "0123456789abcdef" for c in text)


def loose_name(oid: bytes) -> str:
    """``objects/ab/DIGEST``: a loose blob in a cache."""
    digits = oid.hex()
    return f"{OBJECTS}{digits[:2]}/{digits}"


def parse_loose_name(name: str) -> ObjectId | None:
    """The digest in the name of a loose blob; None for any other name."""
    folder, _, rest = name.partition("/")
    shard, _, digits = rest.partition("/")
    if folder + "/" != OBJECTS or not digits.startswith(shard) or len(shard) != 2 or not _is_hex(digits, 64):
        return None
    return ObjectId(bytes.fromhex(digits))
