"""What stands for one file or directory in DVC's files: an output, or an entry of ``dvc.lock``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple
from typing import NoReturn

from dvtool.errors import FormatError
from dvtool.errors import UnsafeInput
from dvtool.formats.yamlmarked import Value
from dvtool.formats.yamlmarked import to_plain
from dvtool.model.paths import check_path
from dvtool.model.paths import show

MD5 = "md5"
MD5_TEXT = "md5-dos2unix"
"""DVC before 3.0: of a file that looks like text, the MD5 with each CR LF read as LF; of others that of the bytes."""

_MD5 = re.compile(r"([0-9a-fA-F]{32})(\.dir)?", re.ASCII)
_MAX_SIZE = (1 << 63) - 1
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class ManifestFile(NamedTuple):
    """One file of a directory: its path in there, and the raw MD5."""

    path: bytes
    digest: bytes


class DvcEntry(NamedTuple):
    """``path`` as it was written. ``algorithm`` is `MD5` or `MD5_TEXT`; empty, as ``digest`` is, where DVC knew no
    bytes (a URL whose version is ``etag``, a stage that never ran). ``files``: of a directory that lists them here."""

    path: str
    algorithm: str = ""
    digest: bytes = b""
    is_directory: bool = False
    size: int | None = None
    nfiles: int | None = None
    executable: bool = False
    etag: str = ""
    is_versioned: bool = False
    files: tuple[ManifestFile, ...] = ()


class Fields:
    """A mapping of the YAML text, taken key by key; what is left at the end is refused by name."""

    def __init__(self, value: Value, where: str, what: str) -> None:
        self.where = where
        self._what = what
        self._mark = value.mark
        if type(value.data) is not dict:
            self.refuse(f"{what} is not written as `key: value` lines")
        self._left: dict[Any, Value] = dict(value.data)

    def take(self, key: str) -> Value | None:
        """The value, None where there is none or it is null."""
        value = self._left.pop(key, None)
        return None if value is None or value.data is None else value

    def text(self, key: str) -> str:
        """Empty where it is absent. A number is taken as it was written: digests can look like one."""
        value = self.take(key)
        if value is None:
            return ""
        found = value.data if type(value.data) is str else value.text
        if found is None or type(value.data) is bool:
            self.refuse(f"{key} of {self._what} is no text")
        return found

    def flag(self, key: str, default: bool) -> bool:  # noqa: FBT001
        value = self.take(key)
        if value is None:
            return default
        if type(value.data) is not bool:
            self.refuse(f"{key} of {self._what} is not true or false")
        return value.data

    def number(self, key: str) -> int | None:
        value = self.take(key)
        if value is None:
            return None
        if type(value.data) is not int or not 0 <= value.data <= _MAX_SIZE:
            self.refuse(f"{key} of {self._what} is no count")
        return value.data

    def items(self, key: str) -> list[Value]:
        value = self.take(key)
        if value is None:
            return []
        if type(value.data) is not list:
            self.refuse(f"{key} of {self._what} is no list")
        return value.data

    def plain(self, *keys: str) -> dict[str, Any]:
        """Of those keys that are there, what stands behind them."""
        return {key: to_plain(value) for key in keys if (value := self.take(key)) is not None}

    def end(self) -> None:
        if self._left:
            key = next(iter(self._left))
            self.refuse(f"dvtool does not know {str(key)[:40]!r} of {self._what}")

    def refuse(self, why: str) -> NoReturn:
        raise FormatError(f"{self.where}:{self._mark.line + 1}: {why}", path=self.where)


def read_entry(fields: Fields) -> DvcEntry:
    """Takes the keys that say which file it is and what its bytes are. Raises `FormatError`."""
    path = fields.text("path")
    if not path:
        fields.refuse("an entry has no path")
    label = fields.text("hash") or MD5_TEXT
    if label not in (MD5, MD5_TEXT):
        fields.refuse(f"dvtool does not know DVC's hash {label[:40]!r}")
    md5, etag = fields.text("md5"), fields.text("etag") or fields.text("checksum")
    is_versioned = fields.take("cloud") is not None
    is_versioned |= bool(fields.text("version_id"))
    listed = fields.items("files")
    size, count, executable = fields.number("size"), fields.number("nfiles"), fields.flag("isexec", False)
    digest, is_directory = b"", bool(listed)
    if md5:
        match = _MD5.fullmatch(md5)
        if match is None:
            raise UnsafeInput(f"{fields.where}: {md5[:80]!r} is no MD5", path=fields.where)
        digest, is_directory = bytes.fromhex(match[1]), match[2] is not None
    files: list[ManifestFile] = []
    for value in listed:
        file = Fields(value, fields.where, "a file of a directory")
        found = read_listed(file)
        is_versioned |= found.is_versioned
        files.append(ManifestFile(as_path(found.path, fields.where), found.digest))
    algorithm = label if digest or files else ""
    return DvcEntry(
        path, algorithm, digest, is_directory, size, count, executable, etag, is_versioned, tuple(sorted(files))
    )


def read_listed(fields: Fields) -> DvcEntry:
    """One file of a directory that lists its files in the .dvc file itself."""
    path, md5, etag = fields.text("relpath"), fields.text("md5"), fields.text("etag") or fields.text("checksum")
    is_versioned = fields.take("cloud") is not None
    is_versioned |= bool(fields.text("version_id"))
    fields.text("remote")
    size, executable = fields.number("size"), fields.flag("isexec", False)
    fields.end()
    match = _MD5.fullmatch(md5)
    if md5 and (match is None or match[2]):
        raise UnsafeInput(f"{fields.where}: {md5[:80]!r} is no MD5 of a file", path=fields.where)
    digest = bytes.fromhex(match[1]) if match else b""
    return DvcEntry(path, MD5, digest, False, size, None, executable, etag, is_versioned)


def is_url(path: str) -> bool:
    """True for what is no path in a file system: ``s3://bucket/key``, ``remote://name/path``."""
    return _URL.match(path) is not None


def as_path(text: str, where: str) -> bytes:
    """Path of a file in a directory as bytes. Raises `UnsafeInput` where it leads elsewhere."""
    try:
        path = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise UnsafeInput(f"{where}: {text[:80]!r} is no path", path=where) from None
    check_path(path, where)
    return path


def resolve(folder: bytes, text: str, where: str) -> bytes:
    """Path from the project's root of what is written relative to *folder*. Raises `UnsafeInput` for one that leads
    out of the project, `FormatError` for a URL or an absolute path."""
    if is_url(text) or text.startswith("/"):
        raise FormatError(f"{where}: {text[:200]!r} lies outside the project", path=where)
    try:
        written = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise UnsafeInput(f"{where}: {text[:80]!r} is no path", path=where) from None
    parts = [part for part in folder.split(b"/") if part]
    for part in written.split(b"/"):
        if part == b"..":
            if not parts:
                raise UnsafeInput(f"{where}: {show(written)} leads out of the project", path=where)
            parts.pop()
        elif part not in (b"", b"."):
            parts.append(part)
    path = b"/".join(parts)
    check_path(path, where)
    return path


def scalar_map(value: Value | None) -> Mapping[str, Any]:
    """The plain mapping, empty for none."""
    plain = to_plain(value) if value is not None else {}
    return plain if isinstance(plain, dict) else {}
