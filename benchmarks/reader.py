"""What a Python program does with data: ``reader.py first FILE [KEY ENDPOINT]``, ``reader.py names DIRECTORY HOW``.

``first`` reads 1,000 rows of a table: of the project around it, or of an object on an S3 server with s3fs. ``names``
prints how long it took to find every file below a directory (HOW: find), or to read the trees alone (HOW: trees).
"""

from __future__ import annotations

import sys
import time

ROWS = 1_000


def main(verb: str, path: str, *more: str) -> None:
    if verb == "names":
        _names(path, *more)
    else:
        _first(path, *more)


def _first(path: str, key: str = "", endpoint: str = "") -> None:
    from dvtool.api.datafiles import read_table

    if not key:
        table = read_table(path, rev="HEAD", rows=ROWS)
    else:
        import s3fs

        from dvtool.api.tables import read_from

        files = s3fs.S3FileSystem(client_kwargs={"endpoint_url": endpoint})
        with files.open(key, "rb") as file:
            table = read_from(file, path, None, ROWS, None)
    print(table.num_rows)


def _names(directory: str, how: str) -> None:
    from dvtool.api.filesystem import DvtoolFileSystem
    from dvtool.api.process import environment
    from dvtool.formats.pack import TREE
    from dvtool.project.history import tracked_at
    from dvtool.project.open import open_project
    from dvtool.project.parts import open_cache
    from dvtool.store.trees import walk

    started = time.perf_counter()
    if how == "find":
        count = len(DvtoolFileSystem(rev="HEAD").find(directory))
    else:
        project = open_project(b".", environment())
        cache = open_cache(project)
        (item,) = tracked_at(project, "HEAD")
        count = sum(1 for _ in walk(lambda oid: cache.read_meta(oid, TREE), item.tree))
    print(time.perf_counter() - started, count)


if __name__ == "__main__":
    main(*sys.argv[1:])
