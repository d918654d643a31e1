"""The answer to PROPFIND: which resources there are, read without trust in who wrote it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote
from urllib.parse import urlsplit
from xml.parsers import expat

from dvtool.remote.drivers.http.driver import http_time

QUESTION = (
    b'<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop><resourcetype/><getcontentlength/>'
    b"<getlastmodified/><getetag/></prop></propfind>"
)
_TEXTS = frozenset({"href", "status", "getcontentlength", "getlastmodified", "getetag"})
_MOST_TEXT = 4_096


class Resource(NamedTuple):
    """``path`` is decoded and absolute on the server. ``size`` is None where the server does not state it."""

    path: str
    is_collection: bool
    size: int | None
    modified: float | None
    etag: str | None


class NotMultistatus(Exception):
    """The text is no answer to PROPFIND, or not a whole one."""


def resources(text: bytes) -> Iterator[Resource]:
    """Every resource in the answer. Raises `NotMultistatus`."""
    reader = _Reader()
    try:
        reader.parser.Parse(text, True)
    except (expat.ExpatError, ValueError) as error:
        raise NotMultistatus(str(error)) from error
    if not reader.is_multistatus:
        raise NotMultistatus("the answer is about something else")
    return iter(reader.found)


class _Reader:
    def __init__(self) -> None:
        self.found: list[Resource] = []
        self.is_multistatus = False
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = _refuse
        self._heard: list[str] = []
        self._depth = 0
        self._response: dict[str, str] = {}
        self._properties: dict[str, str] = {}

    def _start(self, name: str, attributes: dict[str, str]) -> None:  # noqa: ARG002 - expat's
        tag = _dav(name)
        if self._depth == 0:
            self.is_multistatus = tag == "multistatus"
        self._depth += 1
        self._heard = []
        if tag == "response":
            self._response = {}
        elif tag == "propstat":
            self._properties = {}
        elif tag == "collection":
            self._properties["collection"] = ""

    def _text(self, data: str) -> None:
        self._heard.append(data)

    def _end(self, name: str) -> None:
        tag = _dav(name)
        self._depth -= 1
        if tag in _TEXTS:
            text = "".join(self._heard).strip()
            if len(text) > _MOST_TEXT:
                raise ValueError("a name of several thousand characters")
            (self._response if tag == "href" else self._properties)[tag] = text
        elif tag == "propstat" and _is_success(self._properties.get("status", "")):
            self._response.update(self._properties)
        elif tag == "response" and "href" in self._response:
            self.found.append(_resource(self._response))
        self._heard = []


def _resource(said: dict[str, str]) -> Resource:
    size = said.get("getcontentlength", "")
    return Resource(
        unquote(urlsplit(said["href"]).path),
        "collection" in said,
        int(size) if size.isascii() and size.isdigit() else None,
        http_time({"Last-Modified": said.get("getlastmodified", "")}),
        said.get("getetag") or None,
    )


def _dav(name: str) -> str:
    namespace, _, local = name.rpartition(" ")
    return local if namespace == "DAV:" else ""


def _is_success(status: str) -> bool:
    return status.split()[1:2] == ["200"]


def _refuse(*_: object) -> None:
    raise ValueError("a document type is declared")
