"""Many small reads: requests that are signed by botocore's signer and sent without the rest of botocore.

botocore takes 1.7 ms of processor time for the GET of 2 KB: events, endpoint rules, every header parsed. One process
then reads 500 objects a second, however many it asks for at once; this way it is 1,400, and 2,200
where many are asked for in one call. How the server is asked (address, region, headers) is copied from a request that
botocore made, and whatever is not a plain answer is left to botocore again, which knows what it means.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Coroutine
from collections.abc import Mapping
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from typing import NamedTuple
from typing import TypeVar
from urllib.parse import quote

from dvtool.errors import DvtoolError
from dvtool.errors import StorageError
from dvtool.remote.drivers.s3.options import S3Options
from dvtool.remote.failures import TransientError
from dvtool.remote.fsspec_failures import Place
from dvtool.remote.meter import Meter
from dvtool.remote.network import Network
from dvtool.remote.rest import Answer
from dvtool.remote.rest import Http
from dvtool.remote.rest import RestClient
from dvtool.remote.restread import Value
from dvtool.remote.restread import read_range

T = TypeVar("T")

MOST_BYTES = 1 << 20
"""Longer parts are read by botocore, whose cost does not count there."""
_AFTER = 32
"""So many reads are left to botocore before another pool of connections pays."""
_MOST_FAILURES = 3
# Not S3 Express, Outposts or Object Lambda, whose requests carry more that does not stay the same.
_SCOPE = re.compile(r"AWS4-HMAC-SHA256 Credential=[^/]+/\d{8}/([^/]+)/([^/]+)/aws4_request,")
_SIGNED_ANEW = frozenset({"x-amz-content-sha256", "x-amz-date", "x-amz-security-token"})
_asking: ContextVar[str] = ContextVar("asking")


class Part(NamedTuple):
    """``length`` bytes of an object, from ``start``."""

    key: str
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class _Way:
    """``base``: what stands before a key in its URL. ``scope``: region and service; None: nothing is signed."""

    base: str
    headers: Mapping[str, str]
    scope: tuple[str, str] | None


class _NotPlain(StorageError):
    """An answer that botocore is to explain."""


class LightReads:
    """*session*: of botocore, which has the credentials. Used from ordinary threads."""

    def __init__(self, name: str, options: S3Options, client: Any, session: Any, connections: int) -> None:
        self._name = name
        self._options = options
        self._session = session
        self._signer: tuple[Any, Any] | None = None
        self._way: _Way | None = None
        self._reads = itertools.count(1)
        self._works = False
        self._failures = 0
        network = Network(options.verify, options.proxy)
        self._client = RestClient(
            Place(name, options.host),
            network,
            connections,
            options.read_timeout,
            connect_seconds=options.connect_timeout,
        )
        client.meta.events.register("before-send.s3.GetObject", self._learn)

    def close(self) -> None:
        self._client.close()

    async def watched(self, key: str, call: Coroutine[Any, Any, T]) -> T:
        """The result of *call*, in which botocore asks for *key*."""
        _asking.set(key)
        return await call

    def read(self, parts: Sequence[Part], meter: Meter) -> Sequence[bytes | None]:
        """The bytes of each, asked for one after the other; None for those that botocore is to read.

        Raises `TransientError` where the line is cut that worked before.
        """
        way = self._way
        if way is None or next(self._reads) <= _AFTER:
            return [None] * len(parts)
        return self._client.run(lambda http: self._read_all(http, way, parts, meter))

    async def _read_all(self, http: Http, way: _Way, parts: Sequence[Part], meter: Meter) -> Sequence[bytes | None]:
        found: list[bytes | None] = []
        for part in parts:
            data = await self._read(http, way, part)
            if data is not None and (seconds := meter.passed(len(data))) > 0:
                await asyncio.sleep(seconds)
            found.append(data)
        return found

    async def _read(self, http: Http, way: _Way, part: Part) -> bytes | None:
        if not 0 < part.length <= MOST_BYTES or self._failures >= _MOST_FAILURES:
            return None
        url = way.base + quote(part.key, safe="/~")
        headers = dict(way.headers)
        try:
            if way.scope is not None:
                headers.update(await self._signature(way.scope, url, headers))
            value = Value(self._name, part.key, url, _not_plain, headers=headers)
            data = await read_range(http, value, part.start, part.length)
        except TransientError:
            if self._works:
                raise
        except StorageError:
            pass
        else:
            self._works, self._failures = True, 0
            return data
        self._failures += 1
        return None

    async def _signature(self, scope: tuple[str, str], url: str, headers: Mapping[str, str]) -> Mapping[str, str]:
        from botocore.auth import S3SigV4Auth
        from botocore.awsrequest import AWSRequest

        credentials = await self._session.get_credentials()
        frozen = await credentials.get_frozen_credentials()
        if self._signer is None or self._signer[0] != frozen:
            region, service = scope
            self._signer = frozen, S3SigV4Auth(frozen, service, region)
        request = AWSRequest("GET", url, headers=headers)
        self._signer[1].add_auth(request)
        return dict(request.headers)

    def _learn(self, request: Any, **_: Any) -> None:
        """How a request of botocore's, ready to be sent, is made."""
        if self._way is not None:
            return
        key = quote(_asking.get(""), safe="/~")
        if not key or not request.url.endswith(f"/{key}"):
            return
        said = {name.lower(): _text(value) for name, value in request.headers.items()}
        authorization = said.get("authorization")
        found = None if authorization is None else _SCOPE.match(authorization)
        if authorization is not None and (found is None or found[2] != "s3"):
            return
        headers = {
            name: value for name, value in said.items() if name.startswith("x-amz-") and name not in _SIGNED_ANEW
        }
        scope = None if found is None else (found[1], found[2])
        self._way = _Way(request.url[: -len(key)], headers, scope)


def _not_plain(answer: Answer) -> DvtoolError:
    return _NotPlain(f"status {answer.status}")


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
