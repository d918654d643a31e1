"""Directory listings whose digests are right and whose content is not to be trusted."""

from __future__ import annotations

import struct

from dvtool.formats.tree import encode_leaf
from dvtool.formats.tree import encode_upper
from dvtool.model.tree import Entry
from dvtool.model.tree import PageRef
from dvtool.model.tree import TreeRef
from dvtool.model.tree import directory_entry
from dvtool.model.tree import file_entry
from dvtool.model.tree import link_entry
from tests.hostile.case import Hostile
from tests.hostile.case import Step
from tests.hostile.case import nothing
from tests.hostile.scene import HELLO
from tests.hostile.scene import Scene
from tests.hostile.scene import object_name
from tests.hostile.scene import tracked_tree

EMPTY = encode_leaf(())
HERE = frozenset({"list", "list --rev", "diff A B", "checkout", "checkout --force", "pull", "pull --force", "push"})
"""Verbs that read a listing which is in the cache."""
GET = frozenset({"fetch", "pull", "pull --force"})
"""Verbs that read a listing which is on the remote only."""
MOVED = {"fetch": 0, "push": 0}
"""Every object is moved under its own digest. How directories hang together is for those who read them."""
LISTING = frozenset({"list", "list --rev", "whereused"})


def hello(name: bytes) -> Entry:
    """An honest file with a name of any kind."""
    return file_entry(name, object_name(HELLO), len(HELLO), executable=False)


NAMES = {
    "parent": b"..",
    "own-directory": b".",
    "slash": b"a/b",
    "parent-slash": b"../outside/x",
    "absolute": b"/tmp/x",
    "nul": b"a\0b",
    "git": b".git",
    "git-upper": b".GIT",
    "git-dots-and-spaces": b".git. .",
    "git-invisible": ".g\u200dit".encode(),
    "git-short-name": b"GIT~1",
    "git-stream": b".git:x",
    "git-backslash": b"a\\.git",
    "dvtool": b".dvtool",
    "dvtool-short-name": b"DVTOOL~12",
}

_DIGEST = bytes(object_name(HELLO))


def _raw(*entries: bytes, count: int | None = None, magic: bytes = b"DVTTREE1", level: int = 0) -> bytes:
    return struct.pack("<8sBI", magic, level, len(entries) if count is None else count) + b"".join(entries)


def _file(name: bytes, *, kind: int = 1, flags: int = 0, algorithm: int = 1, size: int = len(HELLO)) -> bytes:
    return struct.pack("<BBBB", kind, flags, algorithm, len(name)) + name + _DIGEST + struct.pack("<Q", size)


SHAPES = {
    "twice-the-same": _raw(_file(b"a"), _file(b"a")),
    "file-and-directory": _raw(_file(b"a"), struct.pack("<BBBB", 2, 0, 1, 1) + b"a" + bytes(48)),
    "not-in-order": _raw(_file(b"b"), _file(b"a")),
    "empty-name": _raw(_file(b"")),
    "unknown-kind": _raw(_file(b"a", kind=7)),
    "unknown-flag": _raw(_file(b"a", flags=2)),
    "unknown-algorithm": _raw(_file(b"a", algorithm=9)),
    "count-too-high": _raw(_file(b"a"), count=2),
    "count-of-billions": _raw(_file(b"a"), count=0xFFFF_FFFF),
    "bytes-behind": _raw(_file(b"a")) + b"x",
    "size-over-63-bits": _raw(_file(b"a", size=1 << 63)),
    "newer": _raw(_file(b"a"), magic=b"DVTTREE2"),
    "link-with-nul": _raw(struct.pack("<BBBB", 3, 0, 0, 1) + b"a" + struct.pack("<Q", 3) + b"x\0y"),
    "link-of-megabytes": _raw(struct.pack("<BBBB", 3, 0, 0, 1) + b"a" + struct.pack("<Q", 1 << 20) + b"x" * (1 << 20)),
    "link-without-target": _raw(struct.pack("<BBBB", 3, 0, 0, 1) + b"a" + struct.pack("<Q", 0)),
}
"""Pages that no writer writes."""


def _tracked(page: bytes, *pages: bytes, size: int = len(HELLO), files: int = 1) -> Step:
    def build(scene: Scene) -> None:
        scene.plant((page, *pages))
        scene.write("d.dvt", tracked_tree(page, size, files))

    return build


def _both(
    name: str, build: Step, code: int, names: str = r"blake3:\w{64}", ends: dict[str, int] | None = None
) -> list[Hostile]:
    """On the remote only, and in the cache too."""
    return [
        Hostile(f"{name}-remote", build, code, GET, names, nothing, ends or {}),
        Hostile(
            f"{name}-cache",
            build,
            code,
            HERE,
            names,
            Scene.give_to_cache,
            ends or {},
        ),
    ]


def _name_cases() -> list[Hostile]:
    found: list[Hostile] = []
    for label, name in NAMES.items():
        found += _both(f"tree-name-{label}", _tracked(encode_leaf([hello(name)])), 6)
    below = encode_leaf([hello(b"..")])
    page = encode_leaf([directory_entry(b"sub", TreeRef(object_name(below), len(HELLO), 1))])
    found += _both("tree-name-below", _tracked(page, below), 6)
    upper = encode_upper(1, [PageRef(b"..", object_name(below), 6, 1), PageRef(b"a", object_name(below), 6, 1)])
    found += _both("tree-name-upper", _tracked(upper, below, size=12, files=2), 6)
    return found


def _shape_cases() -> list[Hostile]:
    found: list[Hostile] = []
    for label, page in SHAPES.items():
        found += _both(f"tree-{label}", _tracked(page), 9)
    return found


def _other_cases() -> list[Hostile]:
    one = encode_leaf([hello(b"a")])
    lying = encode_leaf([directory_entry(b"sub", TreeRef(object_name(one), 1 << 40, 7))])
    upper = encode_upper(1, [PageRef(b"a", object_name(one), 6, 1)])
    again = encode_leaf([hello(b"a"), hello(b"b")])
    doubled = encode_upper(1, [PageRef(b"a", object_name(one), 6, 1), PageRef(b"b", object_name(again), 12, 2)])
    split = encode_upper(1, [PageRef(b"a", object_name(one), 6, 1), PageRef(b"b", object_name(one), 6, 1)])
    return [
        *_both("tree-totals-of-the-pointer", _tracked(one, size=1 << 40, files=7), 3),
        *_both("tree-totals-below", _tracked(lying, one, size=1 << 40, files=7), 3),
        *_both("tree-page-with-one-page", _tracked(upper, one), 3, ends=MOVED),
        *_both("tree-same-page-twice", _tracked(split, one, size=12, files=2), 3, ends=MOVED),
        *_both("tree-name-in-two-pages", _tracked(doubled, one, again, size=18, files=3), 3, ends=MOVED),
        Hostile("tree-deep-remote", _tracked(*_chain(1_000)), 9, LISTING, "deeper than"),
        Hostile("tree-deep-cache", _tracked(*_chain(1_000)), 9, LISTING, "deeper than", Scene.give_to_cache),
    ]


def _chain(depth: int) -> list[bytes]:
    """Directories inside each other, the top one first."""
    pages = [encode_leaf([hello(b"a")])]
    for _ in range(depth):
        pages.append(encode_leaf([directory_entry(b"d", TreeRef(object_name(pages[-1]), len(HELLO), 1))]))
    return pages[::-1]


def bomb(depth: int, width: int, entry: Entry | None) -> tuple[list[bytes], int, int]:
    """Each directory holds the one below it *width* times; the pages, top first, and the totals."""
    pages = [encode_leaf([entry] if entry is not None else [])]
    size, files = (entry.size, 1) if entry is not None else (0, 0)
    for _ in range(depth):
        ref = TreeRef(object_name(pages[-1]), size, files)
        pages.append(encode_leaf([directory_entry(b"%03d" % number, ref) for number in range(width)]))
        size, files = size * width, files * width
    return pages[::-1], size, files


def links() -> bytes:
    """Links that lead out of the directory: honest, and never followed."""
    targets = [b"../../outside", b"../.git/hooks", b"/etc/passwd", b"../../../../../../../../dev/zero"]
    return encode_leaf([link_entry(b"%d" % number, target) for number, target in enumerate(targets)])


def cases() -> list[Hostile]:
    return [*_name_cases(), *_shape_cases(), *_other_cases()]
