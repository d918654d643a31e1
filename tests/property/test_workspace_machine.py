"""A workspace under random work: what was committed can be restored, and status says what is true."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import initialize
from hypothesis.stateful import invariant
from hypothesis.stateful import precondition
from hypothesis.stateful import rule

from dvtool.api.add import AddRequest
from dvtool.api.add import add
from dvtool.formats.pack import TREE
from dvtool.formats.pointer import decode_pointer
from dvtool.model.digest import ObjectId
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import LINK
from dvtool.model.tree import TreeRef
from dvtool.store.cache import LOOSE_FROM
from dvtool.store.cache import Cache
from dvtool.store.trees import entries
from dvtool.store.trees import subtree
from dvtool.workspace.kept import Kept
from tests.support.trees import Executable
from tests.support.trees import Link
from tests.support.trees import NormalNode
from tests.support.trees import NormalTree
from tests.support.trees import tree_of
from tests.support.workbench import Workbench

PATHS = ("a", "b", "d", "d/x", "d/e/y", "d/e/z", "w/1", "w/2")
CONTENTS: tuple[NormalNode, ...] = (
    b"",
    b"one",
    b"two",
    b"large" * (LOOSE_FROM // 5 + 1),
    Executable(b"one"),
    Link(b"a"),
    Link(b"b"),
    {},
)


class Workspace(RuleBasedStateMachine):
    """``pointer``: what the pointer must say. ``versions``: what each tag must give back."""

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp())
        self.bench = Workbench(self.place / "repo", {"core.durability": "none"})
        self.data = self.bench.root / "data"
        self.pointer: NormalTree = {}
        self.versions: dict[str, NormalTree] = {}
        self.pointers: dict[str, bytes] = {}
        self.has_memo = True

    def teardown(self) -> None:
        shutil.rmtree(self.place)

    @property
    def disk(self) -> NormalTree:
        return tree_of(self.data, without=()) if self.data.exists() else {}

    @initialize(node=st.sampled_from(CONTENTS))
    def begin(self, node: NormalNode) -> None:
        self.write("a", node)
        self.add()
        self.commit()

    @rule(path=st.sampled_from(PATHS), node=st.sampled_from(CONTENTS))
    def write(self, path: str, node: NormalNode) -> None:
        target = self.data / path
        for parent in reversed(target.relative_to(self.bench.root).parents):
            if (self.bench.root / parent).is_symlink() or (self.bench.root / parent).is_file():
                (self.bench.root / parent).unlink()
        self.delete(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        match node:
            case Link(text):
                os.symlink(text, target)
            case Executable(content):
                target.write_bytes(os.fsencode(content))
                target.chmod(0o755)
            case bytes():
                target.write_bytes(node)
            case _:
                target.mkdir()

    @rule(path=st.sampled_from(PATHS), text=st.sampled_from([b"ONE", b"TWO"]), keeps_time=st.booleans())
    def edit_in_place(self, path: str, text: bytes, *, keeps_time: bool) -> None:
        target = self.data / path
        if target.is_file() and not target.is_symlink():
            before = target.stat()
            with open(target, "r+b") as file:
                file.write(text)
            if keeps_time:
                os.utime(target, ns=(before.st_atime_ns, before.st_mtime_ns))

    @rule(path=st.sampled_from(PATHS))
    def touch(self, path: str) -> None:
        if os.path.lexists(self.data / path):
            os.utime(self.data / path, follow_symlinks=False)

    @rule(path=st.sampled_from(PATHS))
    def delete(self, path: str) -> None:
        target = self.data / path
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        elif os.path.lexists(target):
            target.unlink()

    @rule()
    def lose_memo(self) -> None:
        self.has_memo = False
        for path in (self.bench.root / ".git/dvtool").glob("memo*"):
            path.unlink()

    @precondition(lambda self: self.data.exists())
    @rule()
    def add(self) -> None:
        self.record("data")
        self.pointer = self.disk
        self.has_memo = True

    def record(self, path: str) -> None:
        # Without the memo a file that is gone counts as never placed, and stays recorded.
        add(self.bench.project, AddRequest((path.encode(),), force=not self.has_memo))

    @rule(path=st.sampled_from(PATHS))
    def add_part(self, path: str) -> None:
        standing = find(self.disk, path)
        above = find(self.pointer, str(Path(path).parent))
        if standing is not None and (above is None or isinstance(above, dict)) and fits(self.pointer, path):
            self.record(f"data/{path}")
            put(self.pointer, path, standing)

    @rule()
    def commit(self) -> None:
        tag = f"v{len(self.versions)}"
        self.bench.git("add", "-A")
        self.bench.git("commit", "-q", "--allow-empty", "-m", tag)
        self.bench.git("tag", tag)
        self.versions[tag] = copy(self.pointer)
        self.pointers[tag] = (self.bench.root / "data.dvt").read_bytes()

    @rule(choice=st.integers(0, 99))
    def switch(self, choice: int) -> None:
        tag = sorted(self.versions)[choice % len(self.versions)]
        self.bench.git("checkout", "-q", "-f", tag)
        self.pointer = copy(self.versions[tag])
        before = self.disk
        result = self.bench.checkout()
        if result.conflicts:
            assert self.disk == before
            self.check_kept(before, self.bench.checkout(force=True).replaced_kept)
        left = self.disk
        for path in (*result.kept, *self.bench.checkout().kept):
            remove(left, os.fsdecode(path).removeprefix("data/"), self.pointer)
        assert left == self.pointer
        self.has_memo = True

    @rule(path=st.sampled_from(PATHS))
    def checkout_part(self, path: str) -> None:
        wanted = find(self.pointer, path)
        parent = self.data / Path(path).parent
        if wanted is None or parent.is_symlink() or (parent.exists() and not parent.is_dir()):
            return
        before = self.disk
        result = self.bench.checkout(f"data/{path}", force=True)
        assert not (result.problems or result.missing)
        self.check_kept(before, result.replaced_kept)
        there = find(self.disk, path)
        assert there == wanted or (isinstance(there, dict) and result.kept)

    def check_kept(self, before: NormalTree, paths: tuple[bytes, ...]) -> None:
        """What force replaced is in the cache and listed."""
        state = os.fsencode(self.bench.root / ".git/dvtool")
        listed = {(one.path, self.cache.read_blob(one.oid)) for one in Kept(state).read()}
        for path in paths:
            node = find(before, os.fsdecode(path).removeprefix("data/"))
            content = node.content if isinstance(node, Executable) else node
            assert isinstance(node, Link) or (path, content) in listed

    @property
    def cache(self) -> Cache:
        return self.bench.cache

    @invariant()
    def every_version_is_whole(self) -> None:
        for tag, tree in self.versions.items():
            pointer = decode_pointer(self.pointers[tag], tag)
            top = TreeRef(pointer.digest.oid, pointer.size, pointer.files)
            assert stored(self.cache, top) == tree

    @precondition(lambda self: self.versions)
    @invariant()
    def status_is_true(self) -> None:
        assert (self.bench.changes() == set()) == (self.data.exists() and self.disk == self.pointer)


def stored(cache: Cache, tree: TreeRef) -> NormalTree:
    found: NormalTree = {}

    def get(oid: ObjectId) -> bytes:
        return cache.read_meta(oid, TREE)

    for entry in entries(get, tree):
        if entry.kind == DIRECTORY:
            found[entry.name] = stored(cache, subtree(entry))
        elif entry.kind == LINK:
            found[entry.name] = Link(entry.target)
        else:
            content = cache.read_blob(entry.oid)
            found[entry.name] = Executable(content) if entry.executable else content
    return found


def copy(tree: NormalTree) -> NormalTree:
    return {name: copy(node) if isinstance(node, dict) else node for name, node in tree.items()}


def find(tree: NormalTree, path: str) -> NormalNode | None:
    node: NormalNode | None = tree
    for name in Path(path).parts:
        node = node.get(os.fsencode(name)) if isinstance(node, dict) else None
    return node


def fits(tree: NormalTree, path: str) -> bool:
    """False where a file stands above *path*."""
    return all(isinstance(find(tree, str(parent)), dict | None) for parent in Path(path).parents)


def put(tree: NormalTree, path: str, node: NormalNode) -> None:
    *above, name = Path(path).parts
    for part in above:
        below = tree.setdefault(os.fsencode(part), {})
        assert isinstance(below, dict)
        tree = below
    tree[os.fsencode(name)] = copy(node) if isinstance(node, dict) else node


def remove(tree: NormalTree, path: str, wanted: NormalTree) -> None:
    """Take an untracked file away, and the directories that are only there for it."""
    node = find(tree, str(Path(path).parent))
    if isinstance(node, dict):
        node.pop(os.fsencode(Path(path).name), None)
        parent = str(Path(path).parent)
        if not node and parent != "." and find(wanted, parent) is None:
            remove(tree, parent, wanted)


TestWorkspace = Workspace.TestCase
TestWorkspace.settings = settings(
    max_examples=int(os.environ.get("DVTOOL_MACHINE_EXAMPLES", "12")),
    stateful_step_count=14,
    deadline=None,
    database=None,
    derandomize="DVTOOL_MACHINE_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
