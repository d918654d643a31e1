"""Where other tools keep the bytes of a digest, in their caches and on their remotes: ``docs/formats/dvc.md``."""

from __future__ import annotations

from dvtool.model.digest import Algorithm
from dvtool.model.digest import ObjectId
from dvtool.model.digest import algorithm_of_code


def object_key(stated: ObjectId, *, is_manifest: bool = False) -> str:
    """The key of adopted data: DVC's since 3.0, DVC's before that, Git LFS's."""
    algorithm, name = algorithm_of_code(stated[0]), stated[1:].hex()
    if algorithm is Algorithm.SHA256:
        return f"{name[:2]}/{name[2:4]}/{name}"
    ending = ".dir" if is_manifest else ""
    return f"{'files/md5/' if algorithm is Algorithm.MD5 else ''}{name[:2]}/{name[2:]}{ending}"


def shard_of(key: str) -> str:
    """The prefix that keys of one folder share, with its slash."""
    return key.rpartition("/")[0] + "/"
