"""Data of a project for Python: `open`, `read`, `read_table`.

*path* is relative to the root of the project, and *repo*, *rev*, *remote* are those of `DvtoolFileSystem`.
"""

from __future__ import annotations

import os
from typing import IO
from typing import TYPE_CHECKING
from typing import Any
from typing import Literal
from typing import overload

from dvtool.api.filesystem import DvtoolFileSystem

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from dvtool.api.tables import TableFormat

Path = str | os.PathLike[str]


def open(  # noqa: A001  # as DVC's users know it
    path: Path,
    mode: str = "r",
    *,
    repo: str | None = None,
    rev: str | None = None,
    remote: str | None = None,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
) -> IO[Any]:
    """Open a file for reading: ``r`` as text (UTF-8 unless *encoding* says otherwise), ``rb`` as bytes.

    Only what is read is fetched. Raises `FileNotFoundError`, `dvtool.errors`.
    """
    fs = DvtoolFileSystem(repo=repo, rev=rev, remote=remote)
    text = {} if "b" in mode else {"encoding": encoding or "utf-8", "errors": errors, "newline": newline}
    file: IO[Any] = fs.open(os.fspath(path), mode, **text)
    return file


@overload
def read(
    path: Path,
    mode: Literal["r"] = "r",
    *,
    repo: str | None = None,
    rev: str | None = None,
    remote: str | None = None,
    encoding: str | None = None,
) -> str: ...


@overload
def read(
    path: Path,
    mode: Literal["rb"],
    *,
    repo: str | None = None,
    rev: str | None = None,
    remote: str | None = None,
    encoding: str | None = None,
) -> bytes: ...


def read(
    path: Path,
    mode: Literal["r", "rb"] = "r",
    *,
    repo: str | None = None,
    rev: str | None = None,
    remote: str | None = None,
    encoding: str | None = None,
) -> str | bytes:
    """All of a file, as text or (``rb``) as bytes. Raises as `open`."""
    with open(path, mode, repo=repo, rev=rev, remote=remote, encoding=encoding) as file:
        data: str | bytes = file.read()
        return data


def read_table(
    path: Path,
    *,
    columns: Sequence[str] | None = None,
    rows: int | None = None,
    format: TableFormat | None = None,  # noqa: A002  # the word that pandas and pyarrow use
    repo: str | None = None,
    rev: str | None = None,
    remote: str | None = None,
) -> pa.Table:
    """A table from Parquet, Feather, CSV, TSV or JSON lines, told by the file's name unless *format* says it.

    *rows*: the first so many, for which only the beginning of the file is fetched; *columns*: only those.
    Needs pyarrow (``pip install 'dvtool[tables]'``). Raises as `open`, `UsageError` for a name that tells no format.
    """
    from dvtool.api.tables import read_from

    fs = DvtoolFileSystem(repo=repo, rev=rev, remote=remote)
    name = fs._strip_protocol(os.fspath(path))  # noqa: SLF001  # fsspec's own word for it
    with fs.open(name, "rb") as file:
        return read_from(file, name, columns, rows, format)
