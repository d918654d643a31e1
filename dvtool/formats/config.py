"""The text of config files, version 1: see ``docs/formats/config.md``.

Reading, and edits that keep the user's comments and layout.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from typing import NoReturn

from dvtool.errors import FormatError
from dvtool.errors import UsageError

VERSION = 1
MAX_BYTES = 1 << 20
INDENT = "    "

_SECTION = re.compile(
    r"\[\s*(?P<quote>'?)(?P<name>[A-Za-z][A-Za-z0-9-]*)(?:[ \t]+\"(?P<sub>[^\"\\\x00-\x1f\x7f\]]+)\")?(?P=quote)\s*\]"
    r"[ \t]*(?:[#;].*)?"
)
_ENTRY = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9_-]*)(?P<equals>[ \t]*=[ \t]*)(?P<rest>.*)")
_QUOTED = re.compile(r'"(?P<body>(?:[^"\\]|\\.)*)"(?P<after>[ \t]*(?:[#;].*)?)')
_COMMENT = re.compile(r"(?:^|[ \t]+)[#;].*")
_SUBSECTION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\"}


class Key(NamedTuple):
    """``core.remote`` or ``remote.origin.url``: section, perhaps the name in quotes, key.

    Case counts in the name in quotes only.
    """

    section: str
    subsection: str | None
    name: str

    def __str__(self) -> str:
        return ".".join(part for part in self if part is not None)


class Entry(NamedTuple):
    """One setting as it stands in a file, ``line`` counted from 1."""

    key: Key
    value: str
    line: int


class _Line(NamedTuple):
    """A line without its line feed (a carriage return stays). ``section`` is the one it stands in or opens."""

    text: str
    section: tuple[str, str | None] | None
    entry: Entry | None
    header: bool


def parse_key(text: str) -> Key:
    """Read ``section.key`` or ``section.name.key``; the name may hold dots. Raises `UsageError`."""
    section, dot, rest = text.partition(".")
    subsection, inner, name = rest.rpartition(".")
    key = Key(section.lower(), subsection if inner else None, name.lower())
    if not dot or not _ENTRY.fullmatch(f"{key.name}=") or not re.fullmatch(r"[a-z][a-z0-9-]*", key.section):
        raise UsageError(f"{text!r} is not the name of a setting", hint="such as core.remote or remote.NAME.url")
    if key.subsection is not None:
        check_name(key.subsection)
    return key


def check_name(name: str) -> str:
    """The name of a remote, if it can be one; raises `UsageError`."""
    if not _SUBSECTION.fullmatch(name):
        raise UsageError(f"{name!r} cannot be a name", hint="letters, digits, '.', '_' and '-', not '-' or '.' first")
    return name


def parse_config(data: bytes, where: str) -> list[Entry]:
    """All settings of a config file in their order. Raises `FormatError` with file and line."""
    entries = [line.entry for line in _read(data, where) if line.entry is not None]
    first: dict[Key, int] = {}
    for entry in entries:
        before = first.setdefault(entry.key, entry.line)
        if before != entry.line:
            _refuse(where, entry.line, f"{entry.key} stands in line {before} already")
    return entries


def set_value(data: bytes, key: Key, value: str, where: str) -> bytes:
    """The file with one setting changed or added; every other line stays as it is."""
    lines = _read(data, where)
    carriage = "\r" if lines and lines[0].text.endswith("\r") else ""
    texts = [line.text for line in lines]
    section = (key.section, key.subsection)
    for number, line in enumerate(lines):
        if line.entry is not None and line.entry.key == key:
            texts[number] = _with_value(line.text, value)
            return _join(texts)
    new = f"{key.name} = {quote(value)}{carriage}"
    ours = [number for number, line in enumerate(lines) if line.section == section and (line.header or line.entry)]
    if ours:
        last = ours[-1]
        sample = lines[last]
        indent = INDENT if sample.header else sample.text[: len(sample.text) - len(sample.text.lstrip())]
        texts.insert(last + 1, indent + new)
    else:
        name = key.section if key.subsection is None else f'{key.section} "{key.subsection}"'
        texts += [f"[{name}]{carriage}", INDENT + new]
    return _join(texts)


def unset_value(data: bytes, key: Key, where: str) -> bytes:
    """The file without one setting, and without its section's header if nothing else is in there."""
    lines = _read(data, where)
    kept = [line for line in lines if line.entry is None or line.entry.key != key]
    section = (key.section, key.subsection)
    rest = [line for line in kept if line.section == section and line.text.strip() and not line.header]
    if len(kept) < len(lines) and not rest:
        kept = [line for line in kept if line.section != section]
    return _join([line.text for line in kept])


def remove_section(data: bytes, section: str, subsection: str, where: str) -> bytes:
    """The file without any ``[section "subsection"]``, its comments included."""
    kept = [line.text for line in _read(data, where) if line.section != (section, subsection)]
    return _join(kept)


def rename_section(data: bytes, section: str, old: str, new: str, where: str) -> bytes:
    """The file with ``[section "old"]`` called ``[section "new"]``."""
    texts = []
    for line in _read(data, where):
        renamed = line.header and line.section == (section, old)
        texts.append(line.text.replace(f'"{old}"', f'"{check_name(new)}"', 1) if renamed else line.text)
    return _join(texts)


def quote(value: str) -> str:
    """A value as it is written: in double quotes only where it would be read differently without them."""
    if _CONTROL.search(value.replace("\n", "")):
        raise UsageError("a setting cannot hold control characters")
    plain = value and value == value.strip() and not value.startswith('"') and not _COMMENT.search(value)
    if plain and "\n" not in value and "\t" not in value:
        return value
    body = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{body}"'


def _read(data: bytes, where: str) -> list[_Line]:
    if len(data) > MAX_BYTES:
        raise FormatError(f"{where}: a config file is not larger than {MAX_BYTES} bytes", path=where)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise FormatError(f"{where}: not UTF-8 text", path=where) from None
    texts = text.split("\n")
    if texts[-1] == "":
        texts.pop()
    lines = []
    section: tuple[str, str | None] | None = None
    for number, raw in enumerate(texts, 1):
        stripped = raw.strip()
        entry = None
        header = stripped.startswith("[")
        if _CONTROL.search(raw.removesuffix("\r")):
            _refuse(where, number, "a control character")
        if stripped.startswith(("<<<<<<<", "=======", ">>>>>>>")):
            _refuse(where, number, "a Git merge left conflict markers")
        if header:
            section = _section(stripped, where, number)
        elif stripped and stripped[0] not in "#;":
            entry = _entry(stripped, section, where, number)
        lines.append(_Line(raw, section, entry, header))
    return lines


def _section(text: str, where: str, number: int) -> tuple[str, str | None]:
    match = _SECTION.fullmatch(text)
    if match is None:
        _refuse(where, number, f'{text[:60]!r} is no section: expected [core] or [remote "NAME"]')
    if match["sub"] is not None and not _SUBSECTION.fullmatch(match["sub"]):
        _refuse(where, number, f"{match['sub'][:60]!r} cannot be a name")
    return match["name"].lower(), match["sub"]


def _entry(text: str, section: tuple[str, str | None] | None, where: str, number: int) -> Entry:
    match = _ENTRY.fullmatch(text)
    if match is None:
        _refuse(where, number, f"{text[:60]!r}: expected key = value")
    if section is None:
        _refuse(where, number, "a setting before the first [section]")
    value, _ = _value(match["rest"], where, number)
    return Entry(Key(*section, match["name"].lower()), value, number)


def _value(rest: str, where: str, number: int) -> tuple[str, str]:
    """The value and what follows it: white space and a comment."""
    if not rest.startswith('"'):
        comment = _COMMENT.search(rest)
        end = comment.start() if comment else len(rest)
        return rest[:end].rstrip(), rest[end:]
    match = _QUOTED.fullmatch(rest)
    if match is None:
        _refuse(where, number, "the double quotes do not match")
    unknown = set(re.findall(r"\\(.)", match["body"])) - set(_ESCAPES)
    if unknown:
        _refuse(where, number, f"unknown escape \\{min(unknown)}")
    return re.sub(r"\\(.)", lambda escape: _ESCAPES[escape[1]], match["body"]), match["after"]


def _with_value(text: str, value: str) -> str:
    match = _ENTRY.search(text)
    assert match is not None
    rest = match["rest"].rstrip()
    _, after = _value(rest, "", 0)
    return text[: match.start("rest")] + quote(value) + after + ("\r" if text.endswith("\r") else "")


def _join(texts: list[str]) -> bytes:
    return "".join(f"{text}\n" for text in texts).encode("utf-8")


def _refuse(where: str, line: int, why: str) -> NoReturn:
    raise FormatError(f"{where}:{line}: {why}", path=where, hint="see docs/formats/config.md for what may stand there")
