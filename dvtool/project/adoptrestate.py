"""What came from elsewhere under our digests, compared with what a pointer states by another one."""

from __future__ import annotations

from dvtool.disk.clone import read_blocks
from dvtool.errors import storage_error
from dvtool.formats.dvcentry import ManifestFile
from dvtool.formats.dvcmanifest import encode_manifest
from dvtool.formats.pack import TREE
from dvtool.hashing.digests import digest_of
from dvtool.hashing.digests import new_hasher
from dvtool.model.digest import Algorithm
from dvtool.model.digest import ObjectId
from dvtool.model.digest import algorithm_of_code
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import FILE
from dvtool.model.tree import Entry
from dvtool.model.tree import TreeRef
from dvtool.project.adoption import Adoption
from dvtool.project.open import Project
from dvtool.state.aliases import KnownTree
from dvtool.store.cache import Cache
from dvtool.store.trees import walk


def is_as_stated(project: Project, cache: Cache, stated: ObjectId, entry: Entry) -> bool:
    """Whether *entry*, whose bytes are in the cache, is what *stated* names; that it is is remembered then.

    Each byte is read once. Raises `MissingData`, `IntegrityError`.
    """
    algorithm = algorithm_of_code(stated[0])
    with Adoption(project, cache) as adoption:
        if entry.kind != DIRECTORY:
            raw = _hashed(cache, entry.oid, algorithm)
            if raw == stated[1:]:
                adoption.aliases.put(stated, entry.oid, entry.size)
            return raw == stated[1:]
        tree = TreeRef(entry.oid, entry.size, entry.files)
        files = []
        for path, each in walk(lambda oid: cache.read_meta(oid, TREE), tree, b""):
            if each.kind == FILE:
                raw = _hashed(cache, each.oid, algorithm)
                adoption.aliases.put(ObjectId(stated[:1] + raw), each.oid, each.size)
                files.append(ManifestFile(path, raw))
        if digest_of(encode_manifest(files), Algorithm.MD5).raw != stated[1:]:
            return False
        adoption.aliases.put_tree(stated, KnownTree(tree, 0, adoption.aliases.count))
        return True


def _hashed(cache: Cache, oid: ObjectId, algorithm: Algorithm) -> bytes:
    if not cache.has_loose(oid):
        return digest_of(cache.read_blob(oid), algorithm).raw
    hasher = new_hasher(algorithm)
    try:
        with open(cache.loose_path(oid), "rb") as file:
            read_blocks(file.fileno(), hasher.update)
    except OSError as error:
        raise storage_error(error, "read", cache.loose_path(oid)) from error
    return hasher.digest()
