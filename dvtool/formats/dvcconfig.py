"""``.dvc/config``: sections with keys and values, as the package configobj writes them. Read only."""

from __future__ import annotations

import re
from typing import NamedTuple
from typing import NoReturn

from dvtool.errors import FormatError

MAX_BYTES = 1 << 20
_LONGEST_LINE = 4_096

_SECTION = re.compile(r"\[\s*(?P<quote>['\"]?)(?P<name>[^\[\]]*?)(?P=quote)\s*\]\s*(?:#.*)?")
_NAMED = re.compile(r"(?P<section>[A-Za-z]+)\s*\"(?P<name>[^\"]*)\"")
_KEY = re.compile(r"(?P<quote>['\"]?)(?P<name>[^=\"']+?)(?P=quote)\s*=\s*(?P<rest>.*)")
_WORD = re.compile(
    r"""\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>[^'",\#\s][^,\#]*?)?)\s*(?P<end>,|\#.*|$)"""
)


class DvcSetting(NamedTuple):
    """``section`` and ``key`` in lower case; ``name``: that of a remote, else empty. A list is joined by commas."""

    section: str
    name: str
    key: str
    value: str
    line: int = 0


def decode_dvcconfig(text: str, where: str) -> list[DvcSetting]:
    """All settings in the order of the file. Raises `FormatError` for what the writer of such files does not write."""
    if len(text) > MAX_BYTES:
        raise FormatError(f"{where}: larger than {MAX_BYTES >> 20} MiB", path=where)
    found: list[DvcSetting] = []
    seen: set[tuple[str, str, str]] = set()
    section, name = "", ""
    for number, raw in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if len(line) > _LONGEST_LINE:
            _refuse(where, number, f"longer than {_LONGEST_LINE} characters")
        if line.startswith("["):
            match = _SECTION.fullmatch(line)
            if match is None:
                _refuse(where, number, "not a section")
            named = _NAMED.fullmatch(match["name"])
            section, name = (named["section"], named["name"]) if named else (match["name"], "")
            section = section.lower()
            continue
        entry = _KEY.fullmatch(line)
        if entry is None:
            _refuse(where, number, "neither a section nor `key = value`")
        key, value = entry["name"].strip().lower(), _value(entry["rest"], where, number)
        if (section, name, key) in seen:
            _refuse(where, number, f"{key!r} stands there twice")
        seen.add((section, name, key))
        found.append(DvcSetting(section, name, key, value, number))
    return found


def _value(rest: str, where: str, number: int) -> str:
    if rest.startswith(("'''", '"""')):
        _refuse(where, number, "a value of several lines")
    if "%(" in rest:
        _refuse(where, number, "dvtool does not work out %(...) in settings")
    words: list[str] = []
    at = 0
    while True:
        match = _WORD.match(rest, at)
        if match is None:
            _refuse(where, number, "a value with quotes in its middle")
        word = next((match[kind] for kind in ("double", "single", "bare") if match[kind] is not None), None)
        if word is not None:
            words.append(word)
        at = match.end()
        if match["end"] != ",":
            return ",".join(words)


def _refuse(where: str, number: int, why: str) -> NoReturn:
    raise FormatError(f"{where}:{number}: {why}", path=where)
