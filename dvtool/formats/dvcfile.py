"""``.dvc`` files, as DVC 1 to 3 write them. Read only: see ``docs/formats/dvc.md``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from dvtool.errors import FormatError
from dvtool.formats.dvcentry import DvcEntry
from dvtool.formats.dvcentry import Fields
from dvtool.formats.dvcentry import ManifestFile
from dvtool.formats.dvcentry import is_url
from dvtool.formats.dvcentry import read_entry
from dvtool.formats.dvcentry import resolve
from dvtool.formats.dvcentry import scalar_map
from dvtool.formats.yamlmarked import Value
from dvtool.formats.yamlmarked import read_yaml

MAX_BYTES = 64 << 20
_NOTES = ("desc", "type", "labels", "meta")


class DvcOut(NamedTuple):
    """One tracked path. ``path``: from the root of the project; ``algorithm`` and ``digest`` (raw): see
    `dvcentry.DvcEntry`, both empty for what was never stored. ``nfiles``: files in a directory. ``cached`` is False
    for what Git keeps. ``remote``: the name of the one that it belongs to. ``is_versioned``: its bytes are stated by
    the version that a cloud gave them; a directory of that kind lists its ``files`` here. ``notes``: what people
    wrote about it (desc, type, labels, meta)."""

    path: bytes
    algorithm: str
    digest: bytes
    is_directory: bool
    size: int | None
    nfiles: int | None
    executable: bool
    cached: bool = True
    persist: bool = False
    push: bool = True
    remote: str = ""
    is_versioned: bool = False
    files: tuple[ManifestFile, ...] = ()
    notes: Mapping[str, Any] = {}


class DvcSource(NamedTuple):
    """The repository that an import came from. ``commit``: what it was at; ``remote`` and ``config`` as written."""

    url: str
    rev: str = ""
    commit: str = ""
    remote: Any = None
    config: Any = None


class DvcDep(NamedTuple):
    """What an import came from, or what a command in a .dvc file reads. ``entry.path`` is a URL, a path of the file
    system or one in the ``source`` repository."""

    entry: DvcEntry
    source: DvcSource | None = None


class DvcFile(NamedTuple):
    """``commands``: of a stage that DVC 1 kept in a file of its own. ``notes``: desc and meta of the whole file."""

    outs: tuple[DvcOut, ...]
    deps: tuple[DvcDep, ...] = ()
    frozen: bool = False
    always_changed: bool = False
    commands: tuple[str, ...] = ()
    notes: Mapping[str, Any] = {}


def decode_dvcfile(data: bytes, where: str, folder: bytes = b"") -> DvcFile:
    """Read a .dvc file that lies in *folder*. *where* names it in errors.

    Raises `FormatError` for what dvtool does not know (nothing is passed over), `UnsafeInput` for a path that leads
    out of the project.
    """
    if len(data) > MAX_BYTES:
        raise FormatError(f"{where}: larger than {MAX_BYTES >> 20} MiB", path=where)
    document = read_yaml(data, where)
    if document is None:
        raise FormatError(f"{where}: empty; a .dvc file lists its outs", path=where)
    fields = Fields(document, where, "a .dvc file")
    fields.text("md5")
    wdir = fields.text("wdir")
    base = resolve_folder(folder, wdir, where)
    commands = _commands(fields, fields.take("cmd"))
    frozen = fields.flag("frozen", False) | fields.flag("locked", False)
    always_changed = fields.flag("always_changed", False)
    deps = tuple(_dep(value, where) for value in fields.items("deps"))
    outs = tuple(_out(value, base, where) for value in fields.items("outs"))
    notes = fields.plain("desc", "meta")
    fields.end()
    return DvcFile(outs, deps, frozen, always_changed, commands, notes)


def resolve_folder(folder: bytes, wdir: str, where: str) -> bytes:
    """*wdir*, written in a file of *folder*, from the root; the root itself is empty."""
    if wdir in ("", "."):
        return folder
    inner = resolve(folder, wdir + "/x", where)
    return inner.rpartition(b"/")[0]


def _commands(fields: Fields, value: Value | None) -> tuple[str, ...]:
    if value is None:
        return ()
    found = value.data if type(value.data) is list else [value]
    if not all(type(each.data) is str for each in found):
        fields.refuse("cmd is no text")
    return tuple(each.data for each in found)


def _out(value: Value, base: bytes, where: str) -> DvcOut:
    fields = Fields(value, where, "an output")
    entry = read_entry(fields)
    fields.take("metric")
    fields.take("plot")
    fields.take("fs_config")
    cached, persist, push = fields.flag("cache", True), fields.flag("persist", False), fields.flag("push", True)
    remote, notes = fields.text("remote"), fields.plain(*_NOTES)
    if is_url(entry.path) or entry.path.startswith("/"):
        fields.refuse(f"the output {entry.path[:200]!r} lies outside the project, which dvtool does not do")
    fields.end()
    path = resolve(base, entry.path, where)
    return DvcOut(
        path,
        entry.algorithm,
        entry.digest,
        entry.is_directory,
        entry.size,
        entry.nfiles,
        entry.executable,
        cached,
        persist,
        push,
        remote,
        entry.is_versioned,
        entry.files,
        notes,
    )


def _dep(value: Value, where: str) -> DvcDep:
    fields = Fields(value, where, "a dependency")
    if (kind := next((key for key in ("db", "dataset") if fields.take(key) is not None), None)) is not None:
        fields.refuse(f"dvtool does not read DVC's imports from a {kind}")
    entry = read_entry(fields)
    fields.take("fs_config")
    fields.text("remote")
    fields.take("params")
    repo = fields.take("repo")
    fields.end()
    return DvcDep(entry, _source(repo, where) if repo is not None else None)


def _source(value: Value, where: str) -> DvcSource:
    fields = Fields(value, where, "the repository of an import")
    url, rev, commit = fields.text("url"), fields.text("rev"), fields.text("rev_lock")
    more = scalar_map(value)
    fields.take("remote")
    fields.take("config")
    fields.end()
    if not url:
        fields.refuse("the repository of an import has no url")
    return DvcSource(url, rev, commit, more.get("remote"), more.get("config"))
