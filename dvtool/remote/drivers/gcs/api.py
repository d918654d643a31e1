"""The calls of Google's JSON API for one bucket, and what its answers mean."""

from __future__ import annotations

import datetime as dt
import json
import re
import secrets
from collections.abc import AsyncIterator
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from dvtool.errors import AccessDenied
from dvtool.errors import DvtoolError
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.model.ports import RemoteItem
from dvtool.remote.drivers.gcs.credentials import Credentials
from dvtool.remote.drivers.gcs.options import GcsOptions
from dvtool.remote.failures import OVERLOADED
from dvtool.remote.failures import TransientError
from dvtool.remote.failures import retry_after
from dvtool.remote.redact import redact
from dvtool.remote.rest import Answer
from dvtool.remote.rest import Body
from dvtool.remote.rest import Http
from dvtool.remote.restread import Value

_BLOCK = 1 << 20
_JSON = "Content-Type: application/json"
_BYTES = "Content-Type: application/octet-stream"
_FIELDS = "name,size,timeCreated,etag"
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)


class Bucket:
    """Runs in the loop. Every failure is one of `dvtool.errors`; `MissingData` may mean the bucket: see `require`."""

    def __init__(self, http: Http, options: GcsOptions, credentials: Credentials) -> None:
        self._http = http
        self._options = options
        self._credentials = credentials
        self._objects = f"{options.endpoint}/storage/v1/b/{quote(options.bucket, safe='')}/o"
        self._uploads = f"{options.endpoint}/upload/storage/v1/b/{quote(options.bucket, safe='')}/o"

    async def page(self, prefix: str, token: str | None, most: int) -> tuple[list[RemoteItem], str | None]:
        """One page of objects, each with its whole name for a key, and the token of the next."""
        params = {"prefix": prefix, "maxResults": str(most), "fields": f"items({_FIELDS}),nextPageToken"}
        if token is not None:
            params["pageToken"] = token
        answer = await self._ask("GET", self._objects, params=params)
        if answer.status == 404:
            raise self._no_bucket()
        document = self._document(answer, "list")
        following = document.get("nextPageToken")
        return [self._item(each) for each in document.get("items", ())], str(following) if following else None

    async def stat(self, name: str, key: str) -> RemoteItem:
        doing = f"look at {key}"
        answer = await self._ask("GET", self._object(name), params={"fields": _FIELDS})
        return self._item(self._document(answer, doing, key))

    async def value(self, name: str, key: str) -> Value:
        """Where the bytes of an object are read."""
        return Value(
            self._options.place.name,
            key,
            self._object(name),
            lambda answer: self.failure(answer, f"read {key}", key),
            {"alt": "media", **self._billing()},
            await self._credentials.headers(),
        )

    async def write(self, name: str, key: str, data: bytes, *, create_only: bool) -> bool:
        """One request with all bytes. False: *create_only* and the object exists."""
        params = {"uploadType": "multipart", "fields": "size"}
        if create_only:
            params["ifGenerationMatch"] = "0"
        boundary = secrets.token_hex(16)
        head = (
            f"--{boundary}\r\n{_JSON}\r\n\r\n{json.dumps({'name': name})}\r\n--{boundary}\r\n{_BYTES}\r\n\r\n".encode()
        )
        tail = f"\r\n--{boundary}--\r\n".encode()
        length = len(head) + len(data) + len(tail)
        headers = {"Content-Type": f"multipart/related; boundary={boundary}", "Content-Length": str(length)}
        answer = await self._ask(
            "POST", self._uploads, params=params, headers=headers, body=_blocks(head, data, tail), size=length
        )
        if create_only and answer.status == 412:
            return False
        self.check_size(answer, key, len(data))
        return True

    async def begin(self, name: str, key: str, size: int) -> str:
        """The address of a session that takes *size* bytes in any number of requests."""
        doing = f"write {key}"
        headers = {"X-Upload-Content-Type": "application/octet-stream", "X-Upload-Content-Length": str(size)}
        params = {"uploadType": "resumable", "name": name}
        answer = await self._ask("POST", self._uploads, params=params, headers=headers, body=b"")
        if answer.status not in (200, 201) or not answer.headers.get("location"):
            raise self._written_failure(answer, doing)
        return answer.headers["location"]

    async def send(self, session: str, content_range: str, body: Body, size: int) -> Answer:
        """To a session. Its address is all the right that it takes: no token goes along."""
        headers = {"Content-Range": content_range, "Content-Length": str(size)}
        return await self._http.ask("PUT", session, headers=headers, body=body, size=size)

    async def delete(self, name: str, key: str) -> None:
        answer = await self._ask("DELETE", self._object(name))
        if answer.status not in (200, 204):
            raise self.failure(answer, f"delete {key}", key)

    async def require(self) -> None:
        """Raises `StorageError` unless the bucket is there; asks for no right that a remote does not need."""
        await self.page(self._options.prefix, None, 1)

    def check_size(self, answer: Answer, key: str, size: int) -> None:
        """Raise unless *answer* says that an object of *size* bytes was made."""
        doing = f"write {key}"
        if answer.status not in (200, 201):
            raise self._written_failure(answer, doing)
        made = answer.document().get("size")
        if str(made) != str(size):
            raise TransientError(
                f"remote {self._options.place.name}: cannot {doing}: the server received {made} of {size} bytes"
            )

    def failure(self, answer: Answer, doing: str, key: str = "") -> DvtoolError:
        """What an answer that is no success means."""
        place = self._options.place
        about = f"remote {place.name}: cannot {doing} on {place.host}"
        said = _said(answer)
        if answer.status in (401, 403):
            return AccessDenied(f"{about}: {said}", hint=f"tried {place.tried}; {self._advice()}")
        if answer.status == 404 and key:
            return MissingData(f"remote {place.name}: {key} is not there", path=key)
        if answer.status in OVERLOADED or answer.status >= 500:
            return TransientError(
                f"{about}: {said}",
                hint="the server is overloaded or in trouble: run the same command again later",
                retry_after=retry_after(answer.headers),
                overloaded=answer.status in OVERLOADED,
            )
        if "requester pays" in said.lower():
            return AccessDenied(
                f"{about}: {said}", hint=f"`dvtool config remote.{place.name}.projectname PROJECT` says who pays"
            )
        return StorageError(f"{about}: {said}", hint=f"check `dvtool config remote.{place.name}.url`")

    async def _ask(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Body = None,
        size: int = 0,
    ) -> Answer:
        own = await self._credentials.headers()
        return await self._http.ask(
            method,
            url,
            params={**(params or {}), **self._billing()},
            headers={**(headers or {}), **own},
            body=body,
            size=size,
        )

    def _document(self, answer: Answer, doing: str, key: str = "") -> dict[str, Any]:
        if answer.status != 200:
            raise self.failure(answer, doing, key)
        document = answer.document()
        if not document and answer.body.strip() != b"{}":
            raise StorageError(
                f"remote {self._options.place.name}: {self._options.place.host} does not answer as Google does",
                hint=f"check `dvtool config remote.{self._options.place.name}.endpointurl`",
            )
        return document

    def _item(self, found: Mapping[str, Any]) -> RemoteItem:
        name, size = found.get("name"), found.get("size")
        if not isinstance(name, str) or not str(size).isdigit():
            raise StorageError(f"remote {self._options.place.name}: the server does not state the size of {name}")
        tag = found.get("etag")
        return RemoteItem(name, int(str(size)), _seconds(str(found.get("timeCreated", ""))), tag and str(tag))

    def _object(self, name: str) -> str:
        return f"{self._objects}/{quote(name, safe='')}"

    def _billing(self) -> dict[str, str]:
        return {"userProject": self._options.project} if self._options.project else {}

    def _written_failure(self, answer: Answer, doing: str) -> DvtoolError:
        return self._no_bucket() if answer.status == 404 else self.failure(answer, doing)

    def _no_bucket(self) -> StorageError:
        place, bucket = self._options.place, self._options.bucket
        return StorageError(
            f"remote {place.name}: bucket {bucket} does not exist on {place.host}",
            hint=f"`gcloud storage buckets create gs://{bucket}`, or check `dvtool config remote.{place.name}.url`",
        )

    def _advice(self) -> str:
        name = self._options.place.name
        return (
            f"`gcloud auth application-default login`, or `dvtool remote modify --local {name} credentialpath KEY.json`"
        )


async def _blocks(*parts: bytes) -> AsyncIterator[bytes]:
    # More at once would hold up the loop, and aiohttp says so.
    for part in parts:
        for start in range(0, len(part), _BLOCK):
            yield part[start : start + _BLOCK]


def _said(answer: Answer) -> str:
    error = answer.document().get("error")
    message = error.get("message") if isinstance(error, dict) else error
    text = str(message or answer.body[:200].decode("utf-8", "replace"))
    return redact(f"{answer.status} {' '.join(text.split())[:300]}".rstrip())


def _seconds(text: str) -> float | None:
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    whole = dt.datetime.fromisoformat(found[1] + ("+00:00" if found[3] == "Z" else found[3]))
    return whole.timestamp() + float(found[2] or 0)
