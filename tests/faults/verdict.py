"""What must hold after a fault."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dvtool.formats.lock import decode_lock
from dvtool.formats.lock import encode_block
from dvtool.model.paths import show
from tests.faults.checker import Contents
from tests.faults.injector import Fault
from tests.faults.injector import Outcome
from tests.faults.world import Files
from tests.faults.world import Node
from tests.faults.world import State
from tests.faults.world import World
from tests.faults.world import digests
from tests.faults.world import is_metadata
from tests.faults.world import is_temporary
from tests.faults.world import names_data

_STORAGE = 7
_TEMPORARY_STATUS = ("files_seen", "files_hashed", "bytes_hashed")


@dataclass(frozen=True)
class Case:
    """A command and the world that it starts in.

    ``stores``: it writes into the cache, so every pointer is complete there afterwards. ``pushes``: it writes to the
    remote. ``stages``: it changes Git's index. ``warm``: the memo knows every file. ``once``: where its work is done,
    it does something else or is refused. ``renames``: files get another name, so an old one may be gone. ``refused``:
    with these words the next run may be refused, where the killed one left a beginning under a name of the user's.
    ``ends``: the exit codes of a run without a fault. ``damaged``: it begins with a damaged cache. ``drops``: what the
    remote holds is not lost. ``aside``: it lays what it replaces aside, so that its place may be empty for a while.
    ``starts``: it starts other programs, whose writes a recording of its own does not hold. ``wires``: it writes hooks,
    attributes and settings of Git. ``conflicts``: what it cannot do is a conflict to Git: a warning, and exit code 1.
    ``plain``: it places no tracked file, so how files are linked does not matter.
    """

    name: str
    argv: tuple[str, ...]
    prepare: Callable[[World], None]
    stores: bool = False
    pushes: bool = False
    stages: bool = False
    warm: bool = False
    once: bool = False
    renames: bool = False
    refused: str = ""
    ends: tuple[int, ...] = (0,)
    damaged: bool = False
    drops: bool = False
    aside: bool = False
    starts: bool = False
    wires: bool = False
    conflicts: bool = False
    plain: bool = False


def unlawful(case: Case, met: Outcome) -> bool:
    """Whether an object was written to. A pack whose record was damaged may give way to the whole pack of that name:
    the old file is in quarantine by then."""
    return bool(met.rewritten) and not (case.damaged and met.rewritten.startswith("rename "))


def status_of(world: World) -> dict[str, Any]:
    """What `status --json` says, but for what it cost."""
    shown: dict[str, Any] = json.loads(world.dvtool("status", "--json"))
    return {key: value for key, value in shown.items() if key not in _TEMPORARY_STATUS}


class Judge:
    """What must hold for *case*, which leads from *before* to *after*, where `status` says *status*."""

    def __init__(self, case: Case, before: State, after: State, status: dict[str, Any]) -> None:
        self._case = case
        self._before = before
        self._after = after
        self._status = status
        self._users = {path: node for path, node in before.tree.items() if not is_metadata(path)}
        self._needed = digests(self._users)
        self.strays: list[str] = []

    def is_done(self, now: State) -> bool:
        """Whether all that can be seen is as after the command."""
        return (
            now.tree == self._after.tree
            and (not self._case.wires or now.git == self._after.git)
            and now.cache.blobs.keys() >= self._after.cache.blobs.keys()
            and now.remote.blobs.keys() == self._after.remote.blobs.keys()
        )

    def ending(self, fault: Fault, met: Outcome) -> Iterator[str]:
        """How the command ended."""
        if unlawful(self._case, met):
            yield f"an object was opened for writing or replaced: {met.rewritten}"
        if fault.kills:
            if met.code != -9:
                yield f"ended with {met.code} instead of being killed: {met.err}"
            return
        if self._case.conflicts and met.code == 1 and "warning: " in met.err and "Traceback" not in met.err:
            return
        if met.code not in (*self._case.ends, _STORAGE):
            yield f"exit code {met.code}: {met.err}"
        if met.code and "error: " not in met.err:
            yield f"no error shown: {met.err}"
        if "Traceback" in met.err or "bug in dvtool" in met.err:
            yield f"not meant for the user: {met.err}"

    def state(self, now: State, *, done: bool, memo_lost: bool) -> Iterator[str]:
        """What stands there right after the fault. *done*: the command said that it succeeded."""
        yield from self._stores(now)
        yield from self._untouched(now)
        yield from self._lost(now)
        yield from self._paths(now.tree)
        yield from self._pointers(now)
        yield from self._wiring(now)
        if done:
            # What could not be deleted at the end is no reason to fail; the next run is judged again.
            tree = {path: node for path, node in now.tree.items() if path in self._after.tree or not is_temporary(path)}
            yield from self._same_tree(tree, "said that it succeeded, but ", memo_lost=memo_lost)
            yield from self._promised(now)

    def retry(self, world: World, again: Outcome, *, look_at_status: bool, memo_lost: bool) -> Iterator[str]:
        """The same command again."""
        if again.code not in self._case.ends:
            yield f"the next run ended with {again.code}: {again.err}"
            return
        now = world.look()
        yield from self._stores(now)
        yield from self._untouched(now)
        yield from self._same_tree(now.tree, "after the next run ", memo_lost=memo_lost)
        yield from self._promised(now)
        if self._case.wires and now.git != self._after.git:
            yield f"after the next run .git differs: {_difference(self._after.git, now.git)}"
        if look_at_status and now.tree == self._after.tree:
            status = status_of(world)
            if status != self._status:
                yield f"after the next run status says {status}"
        self.strays = [*now.strays, *now.remote.leftovers]
        if now.cache.leftovers:
            yield from self._swept(world)

    def after_power_loss(self, now: State, *, done: bool) -> Iterator[str]:
        """What stands there when the power is back. *done*: the command had said that it succeeded."""
        yield from self._stores(now)
        yield from self._lost(now)
        for path, node in now.tree.items():
            was, will = self._before.tree.get(path), self._after.tree.get(path)
            if self._case.aside and path == b"dvtool.lock":
                if not self._is_lock_between(was, will, node):
                    yield f"{path!r} holds stages that are neither old nor new"
                continue
            if is_metadata(path) and not is_temporary(path) and node not in (was, will) and not self._case.renames:
                yield f"{path!r} is neither old nor new: {node.data!r}"
        yield from self._pointers(now)
        if done:
            yield from self._promised(now)
            for path, will in self._after.tree.items():
                if names_data(path) and now.tree.get(path) != will and (self._case.stores or self._case.renames):
                    yield f"{path!r} is not what it was when the command ended"

    def after_power_came_back(self, world: World, again: Outcome) -> Iterator[str]:
        """The same command once more."""
        if (self._case.argv == ("update",) or self._case.argv[0] == "git-hook") and again.code == 0:
            # It has nothing newer to bring, or no hook may fail Git; files without their bytes look like the user's.
            again = world.injector.run(("checkout", "--force"), world.place, below=world.path)
        elif again.code == 1 and "changes of your own" in again.err and not self._case.pushes:
            # Files that a checkout places are not synced one by one: without their bytes they look like the user's.
            again = world.injector.run(("checkout", "--force"), world.place, below=world.path)
        elif again.code == 1 and "changed since" in again.err and self._case.argv == ("undo",):
            again = world.injector.run(("undo", "--force"), world.place, below=world.path)
        if again.code not in self._case.ends:
            yield f"the next run ended with {again.code}: {again.err}"
            return
        now = world.look()
        yield from self._stores(now)
        # What was deleted and never synced is back.
        came_back = self._before.tree.items() - self._after.tree.items()
        tree = {path: node for path, node in now.tree.items() if (path, node) not in came_back or is_metadata(path)}
        tree |= {
            path: node
            for path, node in self._after.tree.items()
            if path in now.tree and now.tree[path] != node and path not in tree
        }
        # A temporary whose bytes were lost can no longer be proved to be anybody's copy: it stays, and is named.
        tree = {path: node for path, node in tree.items() if not (is_temporary(path) and show(path) in again.err)}
        yield from self._same_tree(tree, "after the next run ", memo_lost=False)
        yield from self._promised(now)

    @staticmethod
    def _swept(world: World) -> Iterator[str]:
        """Whoever writes into the cache next deletes what the killed command left there."""
        (world.place / "another").write_text("a file that makes the cache be written to")
        world.dvtool("add", "another")
        leftovers = world.look().cache.leftovers
        if leftovers:
            yield f"left in the cache after the next write: {leftovers}"

    def _lost(self, now: State) -> Iterator[str]:
        lost = self._needed - digests(now.tree) - now.cache.blobs.keys() - now.cache.trash
        if self._case.drops:
            lost -= now.remote.blobs.keys()
        if lost:
            names = [path for path, node in self._users.items() if digests({path: node}) & lost]
            yield f"bytes lost: {names}"

    def _stores(self, now: State) -> Iterator[str]:
        for name, was, will, store in (
            ("cache", self._before.cache, self._after.cache, now.cache),
            ("remote", self._before.remote, self._after.remote, now.remote),
        ):
            known = was.problems if self._case.damaged else []
            yield from (f"{name}: {problem}" for problem in store.problems if problem not in known)
            if not self._case.drops and (destroyed := was.blobs.keys() - store.blobs.keys() - store.trash):
                yield f"{name}: {len(destroyed)} blobs are destroyed"
            for kind in ("blobs", "trees", "recipes"):
                gone = (getattr(was, kind).keys() & getattr(will, kind).keys()) - getattr(store, kind).keys()
                if gone:
                    yield f"{name}: {len(gone)} {kind} are gone"

    def _untouched(self, now: State) -> Iterator[str]:
        if now.other != self._before.other:
            yield f"changed outside: {_difference(self._before.other, now.other)}"
        if not self._case.pushes and now.remote != self._before.remote:
            yield "the remote was changed"
        ours = {path: node for path, node in now.git.items() if not self._may_write(path)}
        was = {path: node for path, node in self._before.git.items() if not self._may_write(path)}
        if ours != was:
            yield f"changed in .git: {_difference(was, ours)}"

    def _may_write(self, path: bytes) -> bool:
        if self._case.wires and (path == b"config" or path.startswith((b"hooks", b"info"))):
            return True
        return self._case.stages and (path == b"index" or path.startswith(b"objects"))

    def _wiring(self, now: State) -> Iterator[str]:
        """Each hook is as before or as afterwards. Git's settings are written by Git, one by one."""
        before, after = self._before.git, self._after.git
        for path in before.keys() | after.keys():
            if self._case.wires and path != b"config" and now.git.get(path) not in (before.get(path), after.get(path)):
                yield f".git/{os.fsdecode(path)} is neither old nor new"

    def _is_lock_between(self, was: Node | None, will: Node | None, now: Node) -> bool:
        """Each stage is recorded as soon as it has ended: some may be old, some new."""
        return _stages(now).items() <= {*_stages(was).items(), *_stages(will).items()}

    def _paths(self, tree: Files) -> Iterator[str]:
        before, after = self._before.tree, self._after.tree
        for path in before.keys() | after.keys() | tree.keys():
            was, will, now = before.get(path), after.get(path), tree.get(path)
            if self._case.renames and path == b".gitignore":
                # A line for the new name, then none for the old one.
                if now is None or not set(now.data.split()) <= {
                    line for n in (was, will) if n for line in n.data.split()
                }:
                    yield f"{path!r} holds lines that are neither old nor new"
                continue
            if now in (was, will) and (now is not None or was is None or will is None):
                continue
            if self._case.aside and path == b"dvtool.lock" and now is not None:
                if not self._is_lock_between(was, will, now):
                    yield f"{path!r} holds stages that are neither old nor new"
                continue
            if now is None and was is not None and will is not None:
                # What is aside is found by its bytes, as `_lost` looks for them, and returns with the next run.
                is_aside = self._case.aside and not is_metadata(path)
                if was.is_file and will.is_file and not (self._case.renames or is_aside):
                    yield f"{path!r} is missing"
            elif was is None and will is None:
                if not is_temporary(path):
                    yield f"{path!r} appeared"
            elif now is not None:
                is_new = was is None or was.kind == "d" or self._case.aside
                is_torn = is_new and will is not None and now.is_file and will.data.startswith(now.data)
                if not is_torn or is_metadata(path):
                    yield f"{path!r} is neither old nor new"

    def _pointers(self, now: State) -> Iterator[str]:
        if not self._case.stores:
            return
        for path, node in now.tree.items():
            if names_data(path) and node != self._before.tree.get(path):
                lacks = now.cache.lacks(node.data, path)
                if lacks:
                    yield f"{path!r} names what is not in the cache: {lacks}"

    def _same_tree(self, tree: Files, when: str, *, memo_lost: bool) -> Iterator[str]:
        if memo_lost:
            # Without the memo nobody knows which files the user changed: what would be removed by force may stay.
            stayed = self._users.items() - self._after.tree.items()
            tree = {path: node for path, node in tree.items() if (path, node) not in stayed or path in self._after.tree}
        if tree != self._after.tree:
            yield f"{when}the tree differs: {_difference(self._after.tree, tree)}"

    def _promised(self, now: State) -> Iterator[str]:
        store = "remote" if self._case.pushes else "cache" if self._case.stores else ""
        contents: Contents | None = getattr(now, store) if store else None
        if contents is None:
            return
        for path, node in now.tree.items():
            if names_data(path) and (lacks := contents.lacks(node.data, path)):
                yield f"{path!r} is not whole in the {store}: {lacks}"


def _difference(wanted: Files, found: Files) -> list[str]:
    return [
        f"{path!r} is {'absent' if path not in found else 'new' if path not in wanted else 'different'}"
        for path in sorted(wanted.keys() | found.keys())
        if wanted.get(path) != found.get(path)
    ]


def _stages(lock: Node | None) -> dict[str, str]:
    """The text of each stage in a lock, by name."""
    if lock is None:
        return {}
    return {name: encode_block(name, stage) for name, stage in decode_lock(lock.data, "a lock").items()}
