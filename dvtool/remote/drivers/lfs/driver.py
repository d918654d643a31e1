"""The Batch API of Git LFS: many objects are asked for at once, and the server says where each can be read."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple
from urllib.parse import urlsplit

from dvtool.errors import DvtoolError
from dvtool.errors import StorageError
from dvtool.model.ports import RemoteItem
from dvtool.remote.drivers.http.driver import HttpRemote
from dvtool.remote.drivers.http.failures import ABSENT
from dvtool.remote.drivers.http.failures import web_failure
from dvtool.remote.drivers.http.options import WebOptions
from dvtool.remote.failures import TransientError
from dvtool.remote.keys import check_key
from dvtool.remote.redact import redact
from dvtool.remote.rest import Answer
from dvtool.remote.rest import Http
from dvtool.remote.restread import Value
from dvtool.remote.restread import fetch
from dvtool.remote.restread import read_range

MEDIA_TYPE = "application/vnd.git-lfs+json"
AT_ONCE = 100
"""Objects in one question: what servers take, the largest included."""
_FRESH_SECONDS = 240.0
"""Servers let a link live for ten minutes and more."""
_KEY = re.compile(r"[0-9a-f]{2}/[0-9a-f]{2}/([0-9a-f]{64})", re.ASCII)


class _Link(NamedTuple):
    """Where an object is read; None for one that the server does not have. ``at``: when it said so."""

    url: str | None
    headers: Mapping[str, str]
    size: int
    at: float


class LfsRemote(HttpRemote):
    """`dvtool.model.ports.Remote` whose keys are ``ab/cd/abcd...``; every other key is absent."""

    def __init__(self, options: WebOptions) -> None:
        super().__init__(options)
        self._sizes: dict[str, int] = {}
        self._links: dict[str, _Link] = {}

    def expect(self, sizes: Mapping[str, int]) -> None:
        """The sizes of keys that will be asked for: the server wants to hear them, many at once."""
        self._sizes.update((check_key(key), size) for key, size in sizes.items() if _KEY.fullmatch(key))

    def get_file(self, key: str, path: bytes, size: int) -> None:
        check_key(key)
        self._client.run(lambda http: self._fetch(http, key, path, size))

    async def _fetch(self, http: Http, key: str, path: bytes, size: int) -> None:
        await fetch(http, self._linked(key, await self._existing(http, key)), path, size)

    async def _get(self, http: Http, key: str, start: int, length: int | None) -> bytes:
        link = await self._existing(http, key)
        if length == 0:
            return b""
        if length is None and start:
            length = max(link.size - start, 0)
        return await read_range(http, self._linked(key, link), start, length)

    async def _stat(self, http: Http, key: str) -> RemoteItem | None:
        link = await self._link(http, key)
        return None if link is None or link.url is None else RemoteItem(key, link.size)

    async def _existing(self, http: Http, key: str) -> _Link:
        link = await self._link(http, key)
        if link is None or link.url is None:
            raise self._missing(key)
        return link

    async def _link(self, http: Http, key: str) -> _Link | None:
        if not _KEY.fullmatch(key):
            return None
        known = self._links.get(key)
        if known is None or time.monotonic() - known.at > _FRESH_SECONDS:
            others = [each for each in self._sizes if each not in self._links and each != key]
            await self._ask(http, [key, *others[: AT_ONCE - 1]])
        return self._links.get(key)

    async def _ask(self, http: Http, keys: list[str]) -> None:
        wanted = {key.rpartition("/")[2]: key for key in keys}
        objects = [{"oid": oid, "size": self._sizes.get(key, 0)} for oid, key in wanted.items()]
        body = json.dumps({"operation": "download", "transfers": ["basic"], "objects": objects}).encode("ascii")
        headers = self._headers({"Accept": MEDIA_TYPE, "Content-Type": MEDIA_TYPE})
        answer = await http.ask("POST", f"{self._options.base}/objects/batch", headers=headers, body=body)
        if answer.status != 200:
            raise web_failure(self._options, answer, "ask for objects")
        found = answer.document().get("objects")
        if not isinstance(found, list):
            raise self._nonsense("an answer that is none of the Batch API")
        for each in found:
            oid = each.get("oid") if isinstance(each, dict) else None
            if oid in wanted:
                self._links[wanted[oid]] = self._read(each)
        for key in keys:
            self._links.setdefault(key, _Link(None, {}, 0, time.monotonic()))

    def _read(self, found: dict[str, Any]) -> _Link:
        now = time.monotonic()
        if isinstance(error := found.get("error"), dict):
            if error.get("code") in (404, 410):
                return _Link(None, {}, 0, now)
            said = f"{error.get('code')} {redact(str(error.get('message', '')))[:200]}"
            raise StorageError(f"remote {self.name}: {self._options.place.host} refuses an object: {said}")
        size = found.get("size")
        actions = found.get("actions")
        action = actions.get("download") if isinstance(actions, dict) else None
        if not isinstance(action, dict):
            return _Link(None, {}, 0, now)
        url, headers = action.get("href"), action.get("header") or {}
        if type(size) is not int or size < 0 or not isinstance(url, str) or not isinstance(headers, dict):
            raise self._nonsense("a link that is none")
        return _Link(self._checked(url), self._with_login(url, headers), size, now)

    def _checked(self, url: str) -> str:
        """A link is followed as a redirect would be: to a web server, never from TLS to none."""
        try:
            scheme = urlsplit(url).scheme if urlsplit(url).hostname else ""
        except ValueError:
            scheme = ""
        is_secure = self._options.base.startswith("https:")
        if scheme not in ("http", "https") or (is_secure and scheme == "http"):
            raise StorageError(
                f"remote {self.name}: {self._options.place.host} gives a link to {redact(url)[:200]}, which is refused"
            )
        return url

    def _with_login(self, url: str, headers: Mapping[str, object]) -> dict[str, str]:
        """The link's own headers; where it has none, our login for links to the same server alone."""
        own = {str(name): str(value) for name, value in headers.items()}
        here, there = urlsplit(self._options.base), urlsplit(url)
        if (here.scheme, here.netloc) != (there.scheme, there.netloc):
            return own
        named = {name.lower() for name in own}
        return {**{name: value for name, value in self._options.headers.items() if name.lower() not in named}, **own}

    def _linked(self, key: str, link: _Link) -> Value:
        assert link.url is not None
        return Value(
            self.name,
            key,
            link.url,
            lambda answer: self._link_failed(key, answer),
            headers=link.headers,
            no_ranges=self._no_ranges,
        )

    def _link_failed(self, key: str, answer: Answer) -> DvtoolError:
        self._links.pop(key, None)
        if answer.status in ABSENT:
            return self._missing(key)
        failure = web_failure(self._options, answer, f"read {key}")
        if answer.status in (401, 403):
            # A link that is too old is refused like that: the next try gets a new one.
            return TransientError(failure.message, hint=failure.hint)
        return failure

    def _nonsense(self, what: str) -> StorageError:
        return StorageError(
            f"remote {self.name}: {self._options.place.host} gives {what}",
            hint=f"is remote.{self.name}.url the address of a Git LFS server (.../info/lfs)?",
        )
