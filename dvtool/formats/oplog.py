"""The record of one operation: what a command changed and what was there before.

See ``docs/formats/oplog.md``. Of files that are small the bytes themselves, of data the digests.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from collections.abc import Iterable
from typing import Any
from typing import Literal
from typing import NamedTuple

from dvtool.errors import FormatError
from dvtool.formats.sealed import check_form
from dvtool.formats.sealed import seal
from dvtool.formats.sealed import unseal
from dvtool.model.digest import parse_digest
from dvtool.model.paths import name_problem
from dvtool.model.paths import split
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import FILE
from dvtool.model.tree import LINK
from dvtool.model.tree import Entry
from dvtool.model.tree import link_entry

VERSION = 1
_BYTES_PER_VALUE = 8
_OWN_FILES = {
    "project": re.compile(rb"\.dvtool/(config|config\.local|\.gitignore|dvtool\.schema\.json)"),
    "git": re.compile(rb"dvtool/(at/[^/]+/)?config|info/exclude"),
}
_WORDS = re.compile(r"(file|executable|directory|link) (\S+)(?: (0|[1-9][0-9]*))?(?: (0|[1-9][0-9]*))?", re.ASCII)

Where = Literal["project", "git"]
"""What a path is relative to: the project's root, or the directory that all worktrees of the repository share."""


class FileChange(NamedTuple):
    """A pointer, an ignore file or a config file. None: it is not there. ``mode``: permission bits before, else 0."""

    where: Where
    path: bytes
    before: bytes | None
    after: bytes | None
    mode: int


class Row(NamedTuple):
    """What a path of the worktree held, and what it was given. None is nothing."""

    path: bytes
    before: Entry | None
    after: Entry | None


class Place(NamedTuple):
    """Data that was placed or removed. ``rows`` are paths at or below it for which the entries do not speak."""

    path: bytes
    before: Entry | None
    after: Entry | None
    rows: tuple[Row, ...] = ()


class Move(NamedTuple):
    """Data that was renamed. ``made``: the topmost directory that was made for it; empty for none."""

    source: bytes
    target: bytes
    made: bytes = b""


class Collection(NamedTuple):
    """What a collection on a remote doomed: the key of its list."""

    remote: str
    key: str


class Operation(NamedTuple):
    """One command. ``command``: its words, without secrets. ``when``: Unix seconds.

    ``bases``: what dvtool held for placed by itself at tracked paths. ``trash``: runs in the
    cache's trash. ``dropped``: data whose bytes left the cache. ``lasting``: why this, or a part of
    it, is not undone; empty for most. ``undoes``: the operations that this one took back.
    ``is_staged``: Git's index was told.
    """

    verb: str
    command: tuple[str, ...] = ()
    when: int = 0
    summary: str = ""
    files: tuple[FileChange, ...] = ()
    bases: tuple[Row, ...] = ()
    places: tuple[Place, ...] = ()
    moves: tuple[Move, ...] = ()
    trash: tuple[str, ...] = ()
    collections: tuple[Collection, ...] = ()
    dropped: tuple[Row, ...] = ()
    lasting: str = ""
    undoes: tuple[int, ...] = ()
    is_staged: bool = False


def encode_operation(operation: Operation) -> bytes:
    return seal(
        "operation",
        VERSION,
        {
            "bases": [_row(row) for row in operation.bases],
            "collections": [list(collection) for collection in operation.collections],
            "command": list(operation.command),
            "dropped": [_row(row) for row in operation.dropped],
            "files": [
                {
                    "after": _maybe(_base64, change.after),
                    "before": _maybe(_base64, change.before),
                    "mode": change.mode,
                    "path": _base64(change.path),
                    "where": change.where,
                }
                for change in operation.files
            ],
            "is_staged": operation.is_staged,
            "lasting": operation.lasting,
            "moves": [[_base64(move.source), _base64(move.target), _base64(move.made)] for move in operation.moves],
            "places": [
                [*_row(Row(place.path, place.before, place.after)), [_row(row) for row in place.rows]]
                for place in operation.places
            ],
            "summary": operation.summary,
            "trash": list(operation.trash),
            "undoes": list(operation.undoes),
            "verb": operation.verb,
            "when": operation.when,
        },
    )


def decode_operation(data: bytes, where: str) -> Operation:
    """Raises `FormatError`, also for a newer version, and `IntegrityError`."""
    body = unseal("operation", VERSION, data, where, bytes_per_value=_BYTES_PER_VALUE)
    try:
        operation = Operation(
            verb=_text(body["verb"]),
            command=tuple(map(_text, body["command"])),
            when=_number(body["when"]),
            summary=_text(body["summary"]),
            files=tuple(map(_file_change, body["files"])),
            bases=_rows(body["bases"]),
            places=tuple(Place(*_parse_row(fields[:3]), rows=_rows(fields[3])) for fields in body["places"]),
            moves=tuple(
                Move(_path(source), _path(target), _path(made) if made else b"")
                for source, target, made in body["moves"]
            ),
            trash=tuple(map(_text, body["trash"])),
            collections=tuple(Collection(_text(remote), _text(key)) for remote, key in body["collections"]),
            dropped=_rows(body["dropped"]),
            lasting=_text(body["lasting"]),
            undoes=tuple(map(_number, body["undoes"])),
            is_staged=body["is_staged"] is True,
        )
    except (KeyError, TypeError, ValueError, IndexError, FormatError):
        raise FormatError(f"{where}: not a valid record of an operation") from None
    check_form(encode_operation(operation), data, where)
    return operation


def entry_text(entry: Entry) -> str:
    """An entry without its name: ``file`` or ``executable``, digest, size; ``directory`` with its files; ``link``.

    The target of a link is in base64.
    """
    if entry.kind == LINK:
        return f"link {_base64(entry.target)}"
    if entry.kind == DIRECTORY:
        return f"directory {entry.digest} {entry.size} {entry.files}"
    return f"{'executable' if entry.executable else 'file'} {entry.digest} {entry.size}"


def parse_entry(text: str, name: bytes) -> Entry:
    """The entry called *name*; raises `FormatError` or ``ValueError``."""
    match = _WORDS.fullmatch(text)
    if match is None:
        raise FormatError(f"{text[:40]!r} is not an entry")
    kind, value, size, files = match.groups()
    if kind == "link":
        return link_entry(name, _bytes(value))
    digest = parse_digest(value)
    code = digest.algorithm.code
    if kind == "directory":
        return Entry(name, DIRECTORY, False, code, digest.raw, int(size or ""), int(files or ""))
    return Entry(name, FILE, kind == "executable", code, digest.raw, int(size or ""))


def _row(row: Row) -> list[Any]:
    return [_base64(row.path), _maybe(entry_text, row.before), _maybe(entry_text, row.after)]


def _parse_row(fields: list[Any]) -> Row:
    coded, before, after = fields
    path = _path(coded)
    name = split(path)[1]
    return Row(
        path,
        None if before is None else parse_entry(_text(before), name),
        None if after is None else parse_entry(_text(after), name),
    )


def _rows(fields: Iterable[list[Any]]) -> tuple[Row, ...]:
    return tuple(map(_parse_row, fields))


def _file_change(fields: dict[str, Any]) -> FileChange:
    where = fields["where"]
    if where not in ("project", "git"):
        raise FormatError(f"{where!r} is no place")
    mode = _number(fields["mode"])
    if mode > 0o7777:
        raise FormatError(f"{mode:o} is no mode")
    path = _bytes(fields["path"])
    if not (_OWN_FILES[where].fullmatch(path) or (where == "project" and _is_plain(path))):
        raise FormatError("not a file that dvtool writes")
    return FileChange(where, path, _maybe(_bytes, fields["before"]), _maybe(_bytes, fields["after"]), mode)


def _path(coded: object) -> bytes:
    path = _bytes(coded)
    if not _is_plain(path):
        raise FormatError("a path that leads elsewhere")
    return path


def _is_plain(path: bytes) -> bool:
    """Inside the project, and nothing of Git's or dvtool's own: somebody else may have put the log there."""
    return not any(map(name_problem, path.split(b"/")))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _bytes(coded: object) -> bytes:
    return base64.b64decode(_text(coded), validate=True)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _number(value: object) -> int:
    if type(value) is not int or value < 0:
        raise TypeError(value)
    return value


def _maybe(function: Callable[[Any], Any], value: object) -> Any:
    return None if value is None else function(value)
