"""``index/catalog``: what a reader that cannot list must know. See ``docs/formats/remote.md``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict
from dataclasses import dataclass

from dvtool.errors import FormatError
from dvtool.formats.sealed import check_form
from dvtool.formats.sealed import seal
from dvtool.formats.sealed import unseal

_VERSION = 1
_INDEX = re.compile(r"[0-9a-f]{64}", re.ASCII)
_DEAD = re.compile(r"[0-9a-f]{16}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Catalog:
    """Names below ``index/`` and below ``dead/``, sorted."""

    index: tuple[str, ...] = ()
    dead: tuple[str, ...] = ()


def catalog_of(index: Iterable[str], dead: Iterable[str]) -> Catalog:
    """The catalog of what was listed; names that belong to something else are left out."""
    return Catalog(
        tuple(sorted(name for name in index if _INDEX.fullmatch(name))),
        tuple(sorted(name for name in dead if _DEAD.fullmatch(name))),
    )


def encode_catalog(catalog: Catalog) -> bytes:
    return seal("catalog", _VERSION, asdict(catalog))


def decode_catalog(data: bytes, where: str) -> Catalog:
    """Raises `FormatError`, also for a newer version, and `IntegrityError`."""
    body = unseal("catalog", _VERSION, data, where, bytes_per_value=16)
    try:
        catalog = catalog_of(map(str, body["index"]), map(str, body["dead"]))
    except (KeyError, TypeError):
        raise FormatError(f"{where}: not a valid catalog") from None
    check_form(encode_catalog(catalog), data, where)
    return catalog
