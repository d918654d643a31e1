"""The operations whose records are pinned."""

from __future__ import annotations

from dvtool.formats.oplog import Collection
from dvtool.formats.oplog import FileChange
from dvtool.formats.oplog import Move
from dvtool.formats.oplog import Operation
from dvtool.formats.oplog import Place
from dvtool.formats.oplog import Row
from dvtool.hashing.digests import object_id
from dvtool.model.tree import TreeRef
from dvtool.model.tree import directory_entry
from dvtool.model.tree import file_entry
from dvtool.model.tree import link_entry

OLD = file_entry(b"rows.csv", object_id(b"old\n"), 4, executable=False)
NEW = file_entry(b"rows.csv", object_id(b"new\n"), 4, executable=True)
BEFORE = directory_entry(b"data", TreeRef(object_id(b"before"), 30, 4))
AFTER = directory_entry(b"data", TreeRef(object_id(b"after"), 31, 5))

ADD = Operation(
    "add",
    ("add", "rows.csv"),
    1_769_860_800,
    "rows.csv",
    files=(
        FileChange("project", b".gitignore", None, b"/rows.csv\n", 0),
        FileChange("project", b"rows.csv.dvt", b"dvtool: 1\n", b"dvtool: 1\n# new\n", 0o644),
    ),
    bases=(Row(b"rows.csv", OLD, NEW),),
    is_staged=True,
)
EVERYTHING = Operation(
    "pull",
    ("pull", "caf\udce9"),
    1_769_860_801,
    "data",
    files=(FileChange("git", b"dvtool/config", b"[core]\n", None, 0o600),),
    bases=(Row(b"data", None, AFTER),),
    places=(Place(b"data", BEFORE, AFTER, (Row(b"data/l", link_entry(b"l", b"../x"), None),)),),
    moves=(Move(b"data/a", b"b/c\xff", b"b"),),
    trash=("20260131T120000Z-0badcafe",),
    collections=(Collection("origin", "dead/00112233"),),
    dropped=(Row(b"rows.csv", OLD, None),),
    lasting="a part stays",
    undoes=(3, 2),
)
