"""Pointer files, version 1: see ``docs/formats/pointer.md``."""

from __future__ import annotations

import base64
import re
from typing import NoReturn

from dvtool.errors import FormatError
from dvtool.errors import UnsafeInput
from dvtool.errors import UsageError
from dvtool.formats.config import check_name
from dvtool.formats.yamltext import check_yaml_mapping
from dvtool.model.digest import Algorithm
from dvtool.model.digest import Digest
from dvtool.model.digest import parse_digest
from dvtool.model.paths import check_path
from dvtool.model.pointer import Kind
from dvtool.model.pointer import Pointer
from dvtool.model.pointer import Source

VERSION = 1
MAX_BYTES = 64 << 10
MAX_SIZE = (1 << 63) - 1

_BARE = re.compile(r"[A-Za-z0-9_/][A-Za-z0-9_./@+-]*", re.ASCII)
_YAML_WORDS = frozenset("y n yes no true false on off null none nan inf".split())
_NUMBER_LIKE = re.compile(r"[0-9][0-9_.:eExXoO+-]*[a-fA-F0-9_.:]*", re.ASCII)
_QUOTED = re.compile(r'"((?:[^"\\\x00-\x1f\x7f]|\\["\\]|\\u[0-9a-f]{4})*)"')
_COUNT = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_NO_DIGEST = Digest(Algorithm.BLAKE3, bytes(32))
_ESCAPE = re.compile(r'\\(["\\]|u[0-9a-f]{4})')
_MAX_TEXT = 6 * 4096 + 2
_NOT_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""What YAML readers take for a line end, skip or refuse."""
_CONFLICT = re.compile(r"^(<<<<<<<|=======|>>>>>>>)", re.MULTILINE)


def encode_pointer(pointer: Pointer) -> bytes:
    """The one valid text of a pointer."""
    lines = [f"dvtool: {VERSION}", _name_line(pointer.name), f"kind: {pointer.kind.value}"]
    if pointer.executable:
        lines.append("executable: true")
    lines.append(f"digest: {pointer.digest}")
    lines.append(f"size: {pointer.size}")
    if pointer.kind is Kind.DIRECTORY:
        lines.append(f"files: {pointer.files}")
    if pointer.remote:
        lines.append(f"remote: {_remote(pointer.remote)}")
    if pointer.source is not None:
        lines += _source_lines(pointer.source)
    return ("\n".join(lines) + "\n" + pointer.extra).encode("utf-8")


def decode_pointer(data: bytes, where: str) -> Pointer:
    """Read a pointer file. *where* names it in errors.

    Raises `FormatError` for anything but the one valid text (the lines after it may hold any
    further YAML keys and comments), `UnsafeInput` for a path that reaches outside.
    """
    try:
        return _decode(data, where)
    except FormatError as error:
        error.hint = error.hint or _RESTORE
        raise
    except UnsafeInput as error:
        error.hint = error.hint or _UNTRUSTED
        raise


def _decode(data: bytes, where: str) -> Pointer:
    if len(data) > MAX_BYTES:
        raise FormatError(f"{where}: a pointer is not larger than {MAX_BYTES} bytes", path=where)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise FormatError(f"{where}: not UTF-8 text", path=where) from None
    if _CONFLICT.search(text):
        raise FormatError(
            f"{where}: a Git merge left conflict markers in it",
            path=where,
            hint="`dvtool resolve` merges both sides; once committed like that: `git checkout HEAD~ -- FILE`",
        )
    if "\r\n" in text:
        raise FormatError(
            f"{where}: has Windows line ends",
            path=where,
            hint="put `*.dvt text eol=lf` into .gitattributes, then `git checkout -- FILE`",
        )
    if (odd := _NOT_TEXT.search(text)) is not None:
        line = text.count("\n", 0, odd.start()) + 1
        raise FormatError(f"{where}:{line}: holds the character {odd[0]!a}, which is no text", path=where)
    return _Reader(text, where).pointer()


class _Reader:
    """Takes the head of a pointer line by line."""

    def __init__(self, text: str, where: str) -> None:
        self._lines = text.split("\n")
        self._where = where
        self._at = 0

    def pointer(self) -> Pointer:
        version = self._value("dvtool")
        if version != str(VERSION):
            if _COUNT.fullmatch(version):
                raise FormatError(
                    f"{self._where}: pointer version {version} is newer than this dvtool reads ({VERSION})",
                    path=self._where,
                    hint="upgrade dvtool",
                )
            self._refuse("the first line must be `dvtool: 1`", back=1)
        name = self._name()
        kind_text = self._value("kind")
        if kind_text not in ("file", "directory"):
            self._refuse(f"unknown kind {kind_text[:40]!r}: it is file or directory", back=1)
        kind = Kind(kind_text)
        executable = kind is Kind.FILE and self._optional("executable") == "true"
        digest = self._digest("digest")
        size = self._count("size")
        files = self._count("files") if kind is Kind.DIRECTORY else 1
        remote = self._remote()
        source = self._source()
        extra = "\n".join(self._lines[self._at :])
        if extra:
            check_yaml_mapping(extra, self._where, first_line=self._at + 1, reserved=_RESERVED)
        pointer = Pointer(name, kind, digest, size, files, executable, extra, remote, source)
        if encode_pointer(pointer) != "\n".join(self._lines).encode("utf-8"):
            raise FormatError(f"{self._where}: not in the one valid form", path=self._where, hint=_RESTORE)
        return pointer

    def _value(self, key: str) -> str:
        line = self._lines[self._at] if self._at < len(self._lines) else ""
        prefix = key + ": "
        if not line.startswith(prefix):
            self._refuse(f"expected `{key}: ...` here" if line else f"ends before its `{key}:` line")
        self._at += 1
        return line[len(prefix) :]

    def _optional(self, key: str) -> str | None:
        line = self._lines[self._at] if self._at < len(self._lines) else ""
        return self._value(key) if line.startswith(key + ": ") else None

    def _digest(self, key: str) -> Digest:
        text = self._value(key)
        try:
            return parse_digest(text)
        except FormatError as error:
            raise UnsafeInput(f"{self._place(back=1)}: {error.message}", path=self._where) from None

    def _source(self) -> Source | None:
        if self._at >= len(self._lines) or self._lines[self._at] != "source:":
            return None
        self._at += 1
        url = self._text("url")
        if url:
            source = Source(_NO_DIGEST, url=url, etag=self._text("etag"))
        else:
            repo = self._text("repo")
            if not repo:
                self._refuse("expected `  repo: ...` or `  url: ...` here")
            rev = self._text("rev")
            commit = self._value("  commit")
            if not _COMMIT.fullmatch(commit):
                raise UnsafeInput(f"{self._place(back=1)}: this is no full name of a commit", path=self._where)
            path = self._path("  path") if self._at_key("  path") or self._at_key("  path64") else b""
            remote = self._optional("  remote")
            source = Source(_NO_DIGEST, repo, rev, commit, path, "" if remote is None else self._remote_name(remote))
        return source._replace(digest=self._digest("  digest"))

    def _text(self, key: str) -> str:
        text = self._optional("  " + key)
        if text is None:
            return ""
        found = _decode_scalar(text) if len(text) <= _MAX_TEXT else None
        if not found or found.startswith(b"-") or _CONTROL.search(found.decode("utf-8")):
            self._refuse(f"the {key} is not written in the one valid form", back=1)
        return found.decode("utf-8")

    def _at_key(self, key: str) -> bool:
        return self._at < len(self._lines) and self._lines[self._at].startswith(key + ": ")

    def _name(self) -> bytes:
        name = self._path("path")
        if b"/" in name:
            raise UnsafeInput(
                f"{self._place(back=1)}: a pointer's path is a name in its own directory", path=self._where
            )
        return name

    def _path(self, key: str) -> bytes:
        encoded = self._optional(key + "64")
        text = encoded if encoded is not None else self._value(key)
        name = None
        # Long texts are left alone: the pattern of number-like words takes time by the square.
        if len(text) <= _MAX_TEXT:
            name = _decode_scalar(text) if encoded is None else _decode_base64(text)
        if name is None:
            if encoded is None and 0 < len(text) <= _MAX_TEXT and text[0] != '"':
                # Unsafe is the graver of the two.
                check_path(text.encode("utf-8"), self._place(back=1))
            self._refuse("the path is not written in the one valid form", back=1)
        check_path(name, self._place(back=1))
        return name

    def _remote(self) -> str:
        text = self._optional("remote")
        return "" if text is None else self._remote_name(text)

    def _remote_name(self, text: str) -> str:
        name = text[1:-1] if text.startswith('"') else text
        try:
            check_name(name)
        except UsageError:
            self._refuse("the remote's name is not written in the one valid form", back=1)
        return name

    def _count(self, key: str) -> int:
        text = self._value(key)
        if not _COUNT.fullmatch(text) or int(text) > MAX_SIZE:
            self._refuse(f"{key} is not a plain number", back=1)
        return int(text)

    def _place(self, back: int = 0) -> str:
        return f"{self._where}:{self._at + 1 - back}"

    def _refuse(self, why: str, back: int = 0) -> NoReturn:
        raise FormatError(f"{self._place(back)}: {why}", path=self._where, hint=_RESTORE)


_RESTORE = "restore it with `git checkout -- FILE`, or delete it and run `dvtool add` again"
_UNTRUSTED = "dvtool writes no such pointer: see who changed it (`git log -p -- FILE`) before you trust it"
_RESERVED = frozenset(("dvtool", "path", "path64", "kind", "executable", "digest", "size", "files", "remote", "source"))


def _source_lines(source: Source) -> list[str]:
    if source.url:
        texts = {"url": source.url, "etag": source.etag}
        lines = [f"  {key}: {_scalar(text)}" for key, text in texts.items() if text]
    else:
        texts = {"repo": source.repo, "rev": source.rev}
        lines = [f"  {key}: {_scalar(text)}" for key, text in texts.items() if text]
        lines.append(f"  commit: {source.commit}")
        if source.path:
            lines.append("  " + _name_line(source.path))
        if source.remote:
            lines.append(f"  remote: {_remote(source.remote)}")
    return ["source:", *lines, f"  digest: {source.digest}"]


def _scalar(text: str) -> str:
    return text if _is_bare(text) else _quote(text)


def _name_line(name: bytes) -> str:
    try:
        text = name.decode("utf-8")
    except UnicodeDecodeError:
        return "path64: " + base64.b64encode(name).decode("ascii")
    return "path: " + _scalar(text)


def _remote(name: str) -> str:
    # A name that YAML would read as a number or a truth value; the names of remotes need no escapes.
    return name if _is_bare(name) else f'"{name}"'


def _is_bare(text: str) -> bool:
    return bool(_BARE.fullmatch(text)) and text.lower() not in _YAML_WORDS and not _NUMBER_LIKE.fullmatch(text)


def _quote(text: str) -> str:
    def escape(match: re.Match[str]) -> str:
        char = match[0]
        return "\\" + char if char in '"\\' else f"\\u{ord(char):04x}"

    return '"' + re.sub(r'["\\\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]', escape, text) + '"'


def _decode_scalar(text: str) -> bytes | None:
    quoted = _QUOTED.fullmatch(text)
    if quoted is None:
        return text.encode("utf-8") if _is_bare(text) else None
    try:
        return _ESCAPE.sub(lambda m: m[1] if len(m[1]) == 1 else chr(int(m[1][1:], 16)), quoted[1]).encode("utf-8")
    except UnicodeEncodeError:
        return None


def _decode_base64(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return None
