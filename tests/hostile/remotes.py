"""Remotes that lie: what they list, what they hold, what they never end."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable

import zstandard
from xxhash import xxh3_64_hexdigest
from xxhash import xxh3_64_intdigest

from dvtool.formats.index import IndexedPack
from dvtool.formats.index import encode_index
from dvtool.formats.pack import BYTES
from dvtool.formats.pack import DATA
from dvtool.formats.pack import footer
from dvtool.formats.pack import header
from dvtool.formats.pack import pack_table_entry
from dvtool.formats.recipe import FASTCDC
from dvtool.formats.recipe import PIECE
from dvtool.formats.recipe import Piece
from dvtool.formats.recipe import Recipe
from dvtool.hashing.digests import object_id
from dvtool.store.names import pack_name
from tests.golden.cases import Packed
from tests.golden.cases import encode_pack
from tests.hostile.case import Hostile
from tests.hostile.case import Step
from tests.hostile.scene import HELLO
from tests.hostile.scene import SUFFIX
from tests.hostile.scene import Scene
from tests.hostile.scene import blake
from tests.hostile.scene import pointer
from tests.hostile.scene import table_of
from tests.hostile.settings import ASK_A_REMOTE

ASK = frozenset({"fetch", "pull", "pull --force"})
FSCK = {"fsck --remote": 3}
"""It says of a remote what is damaged."""
LARGE = b"large" * (1 << 20)


def _put(key: str, data: bytes) -> Step:
    return lambda scene: scene.put(key, data)


def _sealed(text: str) -> bytes:
    return f"{xxh3_64_hexdigest(text.encode())} {text}\n".encode()


def _link(key: str, target: str) -> Step:
    def build(scene: Scene) -> None:
        path = scene.remote / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(target)

    return build


def _fifo(key: str) -> Step:
    def build(scene: Scene) -> None:
        path = scene.remote / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        os.mkfifo(path)

    return build


def _every(folder: str, change: Callable[[bytes], bytes]) -> Step:
    def build(scene: Scene) -> None:
        for path in [*(scene.remote / folder).rglob("*")]:
            if path.is_file():
                path.write_bytes(change(path.read_bytes()))

    return build


def _flip(data: bytes) -> bytes:
    return data[:50] + bytes([data[50] ^ 1]) + data[51:]


def _wanting(step: Step, text: str) -> Step:
    """A pointer that needs what *step* puts there."""

    def build(scene: Scene) -> None:
        step(scene)
        scene.write("x.dvt", text)

    return build


def _pack(record: bytes, size: int) -> bytes:
    """A data pack with one record as it is, whose object is called HELLO."""
    table = pack_table_entry(object_id(HELLO), 16, size, BYTES)
    return header(DATA) + record + table + footer(16 + len(record), table)


def _record(stored: bytes, plain: int, lengths: tuple[int, ...]) -> bytes:
    head = struct.pack("<4sB3xIIII", b"DVR1", 1, len(lengths), len(stored), plain, 0)
    body = struct.pack(f"<{len(lengths)}I", *lengths) + stored
    return head + struct.pack("<Q", xxh3_64_intdigest(head + body)) + body


def _zstd_bomb() -> bytes:
    """Gigabytes of zeros, said to be three MiB. The frame states no size of its own."""
    compressor = zstandard.ZstdCompressor(level=1, write_content_size=False).compressobj()
    block = compressor.compress(bytes(4 << 20)) + compressor.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    return _pack(_record((block * 2_000)[: 3 << 20], 3 << 20, (3 << 20,)), 3 << 20)


def _other_bytes(scene: Scene) -> None:
    """A pack in which the bytes are not what the table calls them; every checksum is right."""
    data = encode_pack(Packed(DATA, (((BYTES, bytes(object_id(HELLO)), b"other\n"),),)))
    scene.plant_packs(data)


def _index_without_pack(scene: Scene) -> None:
    """An index that lists a pack which was never there."""
    data = encode_pack(Packed(DATA, (((BYTES, bytes(object_id(HELLO)), HELLO),),)))
    table = table_of(data)
    index = encode_index([(IndexedPack(object_id(b"no pack"), SUFFIX, DATA, len(data)), table)])
    scene.put(f"index/{object_id(index).hex()}", index)


def _index_of_another(scene: Scene) -> None:
    """An index that says of an honest pack what is not in it."""
    honest = encode_pack(Packed(DATA, (((BYTES, bytes(object_id(b"x")), b"x"),),)))
    lying = table_of(encode_pack(Packed(DATA, (((BYTES, bytes(object_id(HELLO)), HELLO),),))))
    pack_id = object_id(bytes((DATA,)) + table_of(honest))
    scene.put(pack_name(DATA, pack_id, SUFFIX), honest)
    index = encode_index([(IndexedPack(pack_id, SUFFIX, DATA, len(honest)), lying)])
    scene.put(f"index/{object_id(index).hex()}", index)


def _huge_pack(scene: Scene) -> None:
    """A pack of a terabyte, which is a hole."""
    scene.plant()
    for path in (scene.remote / "data").rglob("*-*"):
        os.truncate(path, 1 << 40)
    for path in (scene.remote / "index").iterdir():
        path.unlink()


def _recipe(size: int, *lengths: int) -> Step:
    def build(scene: Scene) -> None:
        piece = LARGE[: 1 << 20]
        pieces = tuple(Piece(object_id(piece), length, PIECE) for length in lengths)
        scene.plant_recipe(Recipe(object_id(LARGE), size, FASTCDC, pieces), [piece])
        scene.write("x.dvt", pointer(digest=blake(LARGE), size=len(LARGE)))

    return build


_MIB = 1 << 20
_NEWER = _sealed('{"chunker":{},"dvtool":"store","store_id":"' + "0" * 32 + '","version":2}')


def cases() -> list[Hostile]:
    wants_hello = pointer()
    store = r"dvtool-store\.json"
    return [
        Hostile("remote-newer-store", _put("dvtool-store.json", _NEWER), 9, ASK_A_REMOTE, store),
        Hostile("remote-store-garbage", _put("dvtool-store.json", b"\x80\x04" * 99), 9, ASK_A_REMOTE, store, ends=FSCK),
        Hostile(
            "remote-store-flipped", _put("dvtool-store.json", _flip(_NEWER)), 3, ASK_A_REMOTE - {"fsck --remote"}, store
        ),
        Hostile(
            "remote-store-values",
            _put("dvtool-store.json", _sealed("{" + "[]," * 99_999 + "}")),
            9,
            ASK_A_REMOTE,
            store,
            ends=FSCK,
        ),
        Hostile("remote-store-is-a-fifo", _fifo("dvtool-store.json"), 7, ASK_A_REMOTE, store),
        Hostile("remote-store-is-endless", _link("dvtool-store.json", "/dev/zero"), 7, ASK_A_REMOTE, store),
        Hostile("remote-index-is-a-fifo", _fifo("index/" + "0" * 64), 0, ASK),
        Hostile("remote-index-is-endless", _link("index/" + "0" * 64, "/dev/zero"), 0, ASK),
        Hostile("remote-record-is-a-fifo", _fifo("roots/" + "0" * 32 + "/" + "0" * 40 + "-00000000"), 0, ASK),
        Hostile("remote-records-garbage", _every("roots", lambda data: b"\x80\x04" + data), 0, ASK),
        Hostile("remote-records-flipped", _every("roots", _flip), 0, ASK),
        Hostile("remote-index-garbage", _every("index", lambda data: b"DVTINDX1" + b"\xff" * 200), 0, ASK),
        Hostile("remote-index-flipped", _every("index", _flip), 0, ASK),
        Hostile("remote-index-without-pack", _wanting(_index_without_pack, wants_hello), 4, ASK, "x"),
        Hostile("remote-index-of-another", _wanting(_index_of_another, wants_hello), 4, ASK, "x"),
        Hostile("remote-packs-flipped", _every("data", _flip), 3, ASK, "data/"),
        Hostile("remote-pages-flipped", _every("meta", _flip), 3, ASK, "meta/"),
        Hostile("remote-other-bytes", _wanting(_other_bytes, wants_hello), 3, ASK, "data/"),
        Hostile(
            "remote-decompression-bomb",
            _wanting(lambda scene: scene.plant_packs(_zstd_bomb()), pointer(size=3 << 20)),
            3,
            ASK,
            "x",
        ),
        Hostile(
            "remote-lengths-of-a-record",
            _wanting(
                lambda scene: scene.plant_packs(_pack(_record(zstandard.compress(HELLO), 6, (6, 6)), 6)), wants_hello
            ),
            3,
            ASK,
            "x",
        ),
        Hostile("remote-huge-pack", _wanting(_huge_pack, wants_hello), 4, ASK, "x"),
        Hostile("remote-dead-garbage", _put("dead/" + "0" * 32, b"garbage"), 0, frozenset({"fetch"})),
        Hostile("recipe-too-short", _recipe(4 * _MIB, _MIB, _MIB, _MIB, _MIB), 4, ASK, "x"),
        Hostile("recipe-does-not-add-up", _recipe(5 * _MIB, _MIB), 3, ASK, "x"),
        Hostile("recipe-of-other-pieces", _recipe(5 * _MIB, *[_MIB] * 5), 3, ASK, "x"),
        Hostile("recipe-of-huge-pieces", _recipe(5 * _MIB, 5 * _MIB), 4, ASK, "x"),
    ]
