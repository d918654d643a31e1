"""Requests to services that speak HTTP and JSON, made from ordinary threads. One try each.

The retries are those of `dvtool.remote.retry`; every wait has an end, and `RestClient.close` ends all of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import threading
from collections.abc import AsyncIterable
from collections.abc import AsyncIterator
from collections.abc import Callable
from collections.abc import Coroutine
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import TypeVar

from dvtool.errors import DvtoolError
from dvtool.errors import StorageError
from dvtool.errors import UnsafeInput
from dvtool.remote.calls import Calls
from dvtool.remote.failures import TransientError
from dvtool.remote.failures import one_line
from dvtool.remote.failures import retry_after
from dvtool.remote.fsspec_failures import Place
from dvtool.remote.network import Network
from dvtool.remote.reach import is_inside
from dvtool.remote.redact import redact

if TYPE_CHECKING:
    from aiohttp import ClientResponse
    from aiohttp import ClientSession
    from yarl import URL

T = TypeVar("T")

Body = bytes | AsyncIterable[bytes] | None

CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
_SLOWEST = 64 << 10
_MOST_ANSWER = 64 << 20
_MOST_ERROR = 64 << 10
_REDIRECTS = 5
_MOVED = frozenset({301, 302, 303, 307, 308})
_OPEN_HEADERS = frozenset({"Range", "Cache-Control"})


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. Header names are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def document(self) -> dict[str, Any]:
        """The body as a JSON object; empty when it is none."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def retry_after(self) -> float | None:
        """Seconds the server asks to wait."""
        return retry_after(self.headers)


class Http:
    """Requests, inside the loop. Failures of the network are raised as `TransientError` or `StorageError`."""

    def __init__(self, session: ClientSession, place: Place, network: Network, read_seconds: float) -> None:
        self._session = session
        self._place = place
        self._network = network
        self._read_seconds = read_seconds

    async def ask(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Body = None,
        size: int = 0,
    ) -> Answer:
        """Send and take the whole answer, whatever its status. *size*: the length of *body*, which bounds the wait."""
        sending = self._ask(method, url, params, headers, body)
        return await asyncio.wait_for(sending, CONNECT_SECONDS + 2 * self._read_seconds + size / _SLOWEST)

    @contextlib.asynccontextmanager
    async def reading(
        self,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
    ) -> AsyncIterator[ClientResponse]:
        """GET (or HEAD) whose body the caller reads bit by bit. Redirects are followed; credentials stay with their
        host."""
        with self._failures():
            for _ in range(_REDIRECTS):
                async with self._session.request(
                    method, url, params=params, headers=headers, proxy=self._network.proxy, allow_redirects=False
                ) as response:
                    target = response.headers.get("Location")
                    if response.status not in _MOVED or not target:
                        yield response
                        return
                    here, there = response.url, _joined(response.url, target, self._place)
                if self._network.outside_only and there.host != here.host and is_inside(there.host or ""):
                    raise UnsafeInput(
                        f"{self._place.host} redirects into this machine's own network, which was not followed"
                    )
                if there.origin() != here.origin():
                    # Not aiohttp's own redirects: those take every header along but one.
                    headers = {name: value for name, value in (headers or {}).items() if name in _OPEN_HEADERS}
                url, params = str(there), None
            raise StorageError(f"remote {self._place.name}: {self._place.host} redirects more than {_REDIRECTS} times")

    async def _ask(
        self,
        method: str,
        url: str,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        body: Body,
    ) -> Answer:
        data = io.BytesIO(body) if isinstance(body, bytes) else body
        with self._failures():
            async with self._session.request(
                method, url, params=params, headers=headers, data=data, proxy=self._network.proxy, allow_redirects=False
            ) as response:
                return await whole_answer(response, _MOST_ANSWER)

    @contextlib.contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except (DvtoolError, asyncio.CancelledError):
            raise
        except Exception as error:
            raise network_failure(error, self._place) from error


class RestClient:
    """One connection pool to one service, opened at the first `run`."""

    def __init__(
        self,
        place: Place,
        network: Network,
        connections: int,
        read_seconds: float = READ_SECONDS,
        *,
        connect_seconds: float = CONNECT_SECONDS,
        middlewares: Callable[[], Sequence[Any]] = tuple,
    ) -> None:
        """*middlewares* makes those of the aiohttp session, when it is opened."""
        self._place = place
        self._network = network
        self._connections = connections
        self._read_seconds = read_seconds
        self._connect_seconds = connect_seconds
        self._middlewares = middlewares
        self._guard = threading.Lock()
        self._opened: tuple[Calls, Http, ClientSession] | None = None
        self._closed = False

    def run(self, work: Callable[[Http], Coroutine[Any, Any, T]]) -> T:
        """The result of *work*, in the calling thread. Raises what *work* raises, `StorageError` after `close`."""
        calls, http, _ = self._open()
        try:
            return calls.run(work(http))
        except asyncio.TimeoutError as error:
            raise network_failure(error, self._place) from error

    def close(self) -> None:
        """End every request and all connections."""
        with self._guard:
            self._closed = True
            opened, self._opened = self._opened, None
        if opened is not None:
            calls, _, session = opened
            calls.stop(session.close())

    def _open(self) -> tuple[Calls, Http, ClientSession]:
        from fsspec.asyn import get_loop

        with self._guard:
            if self._closed:
                raise StorageError(f"remote {self._place.name} is closed")
            if self._opened is None:
                loop: asyncio.AbstractEventLoop = get_loop()
                session = asyncio.run_coroutine_threadsafe(self._session(), loop).result()
                http = Http(session, self._place, self._network, self._read_seconds)
                self._opened = (Calls(self._place.name, loop), http, session)
            return self._opened

    async def _session(self) -> ClientSession:
        from aiohttp import ClientSession
        from aiohttp import ClientTimeout
        from aiohttp import TCPConnector

        return ClientSession(
            connector=TCPConnector(limit=self._connections, ssl=self._tls()),
            timeout=ClientTimeout(total=None, sock_connect=self._connect_seconds, sock_read=self._read_seconds),
            headers={"Accept-Encoding": "identity"},
            auto_decompress=False,
            middlewares=self._middlewares(),
        )

    def _tls(self) -> Any:
        import ssl

        verify, certificate = self._network.verify, self._network.certificate
        if isinstance(verify, bool) and certificate is None:
            return verify
        context = ssl.create_default_context(cafile=verify if isinstance(verify, str) else None)
        if verify is False:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if certificate is not None:
            context.load_cert_chain(*certificate)
        return context


def _joined(here: URL, target: str, place: Place) -> URL:
    """Where a redirect leads: to another web server, never from TLS to none."""
    from yarl import URL

    there = here.join(URL(target))
    if not there.host or there.scheme not in ("http", "https") or (here.scheme, there.scheme) == ("https", "http"):
        raise StorageError(f"remote {place.name}: {place.host} redirects to {redact(str(there))}, which is refused")
    return there


async def whole_answer(response: ClientResponse, most: int = _MOST_ERROR) -> Answer:
    """The answer with at most *most* bytes of its body; a longer one is cut."""
    parts: list[bytes] = []
    left = most
    while left > 0 and (part := await response.content.read(min(left, 1 << 20))):
        parts.append(part)
        left -= len(part)
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status, headers, b"".join(parts))


def network_failure(error: Exception, place: Place) -> StorageError:
    """No answer came: what that means."""
    from aiohttp import ClientConnectorDNSError
    from aiohttp import ClientConnectorError
    from aiohttp import ClientSSLError
    from aiohttp import InvalidURL

    about = f"remote {place.name}: "
    if isinstance(error, ClientSSLError):
        return StorageError(
            f"{about}TLS with {place.host} failed: {redact(one_line(error))}",
            hint=f"for a private authority: `dvtool config --local remote.{place.name}.ssl_verify /path/to/ca.pem`",
        )
    if isinstance(error, InvalidURL):
        return StorageError(f"{about}{place.host} answered with an address that is none: {redact(one_line(error))}")
    hint = "check the network, then run the same command again"
    if isinstance(error, ClientConnectorDNSError):
        return TransientError(f"{about}the name of {place.host} cannot be resolved", hint=hint, unreachable=True)
    if isinstance(error, ClientConnectorError):
        return TransientError(f"{about}{place.host} cannot be reached", hint=hint, unreachable=True)
    if isinstance(error, (TimeoutError, asyncio.TimeoutError)):
        return TransientError(f"{about}{place.host} does not answer in time", hint=hint)
    said = f"{type(error).__name__}: {redact(one_line(error))}"
    return TransientError(f"{about}the connection to {place.host} broke ({said})", hint=hint)
