"""A whole pack is taken as it is only if every byte of it is accounted for."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.formats.pack import BYTES
from dvtool.formats.pack import DATA
from dvtool.formats.pack import META
from dvtool.formats.pack import RECIPE
from dvtool.formats.pack import TREE
from dvtool.formats.pack import RecordEncoder
from dvtool.formats.pack import footer
from dvtool.formats.pack import header
from dvtool.formats.pack import pack_table_entry
from dvtool.formats.recipe import FIXED
from dvtool.formats.recipe import PIECE
from dvtool.formats.recipe import Piece
from dvtool.formats.recipe import Recipe
from dvtool.formats.recipe import encode_recipe
from dvtool.hashing.digests import object_id
from dvtool.hashing.digests import pack_id
from dvtool.store.packcheck import check_arrived
from dvtool.store.packcheck import check_leaving
from dvtool.store.packwriter import FinishedPack
from dvtool.store.packwriter import PackWriter
from tests.support.datasets import content
from tests.support.datasets import damage


def write_pack(folder: Path, pack_class: int) -> FinishedPack:
    made: list[FinishedPack] = []
    writer = PackWriter(pack_class, os.fsencode(folder), made.append, sync=False)
    kind = BYTES if pack_class == DATA else TREE
    for number in range(30):
        data = content(number, 5_000)
        writer.add(object_id(data), kind, data)
    large = bytes(6 << 20)
    if pack_class == DATA:
        writer.add(object_id(large), kind, large)
    else:
        blob = object_id(b"blob")
        writer.add_alone(blob, RECIPE, encode_recipe(Recipe(blob, 4, FIXED, (Piece(blob, 4, PIECE),))))
    writer.finish()
    [pack] = made
    return pack


@pytest.mark.parametrize("pack_class", [DATA, META])
def test_a_right_pack_passes(tmp_path: Path, pack_class: int) -> None:
    pack = write_pack(tmp_path, pack_class)
    assert check_leaving(pack.path, pack_class, pack.id, pack.size) == pack.table
    assert check_arrived(pack.path, pack_class, pack.id, pack.size, sync=True) == pack
    assert stat.S_IMODE(os.stat(pack.path).st_mode) == 0o444


@pytest.mark.parametrize("pack_class", [DATA, META])
def test_every_flipped_bit_is_seen(tmp_path: Path, pack_class: int) -> None:
    pack = write_pack(tmp_path, pack_class)
    steps = [*range(60), *range(60, pack.size - 60, pack.size // 150), *range(pack.size - 60, pack.size)]
    for at in steps:
        damage(os.fsdecode(pack.path), at)
        for check in (check_leaving, lambda *args: check_arrived(*args, sync=False)):
            with pytest.raises((IntegrityError, FormatError)):
                check(pack.path, pack_class, pack.id, pack.size)
        damage(os.fsdecode(pack.path), at)
    check_leaving(pack.path, pack_class, pack.id, pack.size)


def test_a_cut_or_longer_pack_is_seen(tmp_path: Path) -> None:
    pack = write_pack(tmp_path, DATA)
    whole = Path(os.fsdecode(pack.path)).read_bytes()
    other = tmp_path / "other"
    for data in (whole[:-1], whole[:1000], b"", whole + b"x", whole[:16] + whole[17:]):
        other.write_bytes(data)
        for size in (len(data), pack.size):
            with pytest.raises((IntegrityError, FormatError)):
                check_arrived(os.fsencode(other), DATA, pack.id, size, sync=False)


def forged(path: Path, records: bytes, entries: list[bytes], pack_class: int = DATA) -> tuple[bytes, int, bytes, int]:
    """A pack whose checksums and id are right whatever it holds: what a hostile writer would make."""
    table = b"".join(sorted(entries))
    data = header(pack_class) + records + table + footer(16 + len(records), table)
    path.write_bytes(data)
    return os.fsencode(path), pack_class, pack_id(pack_class, table), len(data)


def test_what_a_hostile_writer_could_make_is_refused(tmp_path: Path) -> None:
    encode = RecordEncoder().encode
    good, evil = b"good" * 30, b"evil" * 30
    entry = pack_table_entry(object_id(good), 16, len(good), BYTES)
    path = tmp_path / "pack"
    assert check_arrived(*forged(path, encode([good]), [entry]), sync=False)
    os.chmod(path, 0o600)
    swapped = forged(path, encode([evil]), [entry])
    with pytest.raises(IntegrityError):
        check_arrived(*swapped, sync=False)
    for records in (encode([good]) + b"gap", encode([good]) + encode([evil]), b"gap" + encode([good]), b""):
        with pytest.raises((IntegrityError, FormatError)):
            check_arrived(*forged(path, records, [entry]), sync=False)
    blob = object_id(b"blob")
    recipe = encode_recipe(Recipe(object_id(b"other"), 4, FIXED, (Piece(blob, 4, PIECE),)))
    keyed = pack_table_entry(blob, 16, len(recipe), RECIPE)
    with pytest.raises((IntegrityError, FormatError)):
        check_arrived(*forged(path, encode([recipe]), [keyed], META), sync=False)
