"""Symbolic links in the worktree into another tool's cache, as DVC places large files where it is set so."""

from __future__ import annotations

import os
import re

from dvtool.model.digest import Algorithm
from dvtool.model.digest import ObjectId
from dvtool.project.adoption import local_stores
from dvtool.project.dvckeeping import ALIASES
from dvtool.project.open import Project
from dvtool.state.aliases import Aliases
from dvtool.transfer.adopt import LocalStore
from dvtool.transfer.adopt import hash_stored

_NAME = re.compile(rb"(files/md5/)?([0-9a-f]{2})/([0-9a-f]{30})")


class AdoptedLinks:
    """What a link stands for. A file of the cache is hashed the first time, and has to be what its name says."""

    def __init__(self, project: Project) -> None:
        self._roots = tuple(os.path.realpath(path) for path in local_stores(project))
        self._path = os.path.join(project.layout.clone_dir, ALIASES)

    def __call__(self, target: bytes) -> tuple[ObjectId, int] | None:
        """Address and size of the file; None for any other link."""
        root = next((root for root in self._roots if target.startswith(root + b"/")), None)
        match = _NAME.fullmatch(target[len(root) + 1 :]) if root is not None else None
        if root is None or match is None:
            return None
        algorithm = Algorithm.MD5 if match[1] else Algorithm.MD5TEXT
        stated = ObjectId(bytes((algorithm.code,)) + bytes.fromhex((match[2] + match[3]).decode("ascii")))
        store = LocalStore(root)
        with Aliases(self._path) as aliases:
            known = aliases.files([stated]).get(stated)
            if known is not None and known.size == store.size(stated):
                return known.oid, known.size
            found = hash_stored(store, stated)
            if found is not None:
                aliases.put(stated, *found)
            return found
