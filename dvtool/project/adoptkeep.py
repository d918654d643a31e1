"""Bytes in the worktree that another tool's cache has: a checkout may put others in their place."""

from __future__ import annotations

import os

from dvtool.errors import StorageError
from dvtool.model.digest import ObjectId
from dvtool.model.ports import Reporter
from dvtool.project.adoption import Adoption
from dvtool.project.dvckeeping import ALIASES
from dvtool.project.open import Project
from dvtool.store.cache import Cache
from dvtool.transfer.adopt import Need
from dvtool.transfer.adopt import bring_local


class Keeper:
    """Says which bytes can be had again: those in the cache, and those that `bring` is going to copy into it."""

    def __init__(self, project: Project, cache: Cache, reporter: Reporter) -> None:
        self._project = project
        self._cache = cache
        self._reporter = reporter
        self._adoption = Adoption(project, cache)
        self._wanted: dict[bytes, Need] = {}

    def __call__(self, oid: bytes) -> bool:
        if self._cache.has_sound_blob(oid) or oid in self._wanted:
            return True
        for stated in self._adoption.aliases.stated(ObjectId(oid)):
            if any(store.size(stated) is not None for store in self._adoption.stores):
                self._wanted[oid] = Need(stated, b"what stands in the worktree")
                return True
        return False

    def bring(self) -> None:
        """Copy what was relied on into the cache. Raises `IntegrityError` for a file there that is damaged: then
        nothing may be replaced; `StorageError`, `Locked`."""
        needs, self._wanted = list(self._wanted.values()), {}
        if needs:
            adoption = self._adoption
            left, damaged = bring_local(self._cache, adoption.aliases, needs, adoption.stores, self._reporter)
            self._cache.forget()
            if damaged:
                raise damaged[0]
            if left:
                raise StorageError("the other tool's cache changed meanwhile", hint="run the same command again")


def keeper_of(project: Project, cache: Cache, reporter: Reporter) -> Keeper | None:
    """None where no data was ever adopted."""
    if not os.path.exists(os.path.join(project.layout.clone_dir, ALIASES)):
        return None
    return Keeper(project, cache, reporter)
