"""The calls of the Drive API that dvtool makes, and what they answer."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from dvtool.errors import DvtoolError
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.remote.drivers.gdrive.credentials import Tokens
from dvtool.remote.drivers.gdrive.failures import drive_failure
from dvtool.remote.drivers.gdrive.options import DriveOptions
from dvtool.remote.rest import Answer
from dvtool.remote.rest import Body
from dvtool.remote.rest import Http
from dvtool.remote.restread import Value

FOLDER = "application/vnd.google-apps.folder"
FIELDS = "id,name,mimeType,size,createdTime,modifiedTime,md5Checksum,trashed,parents,driveId"
_PAGE = "1000"
# Without these the API behaves as if shared drives did not exist.
_ALL_DRIVES = {"supportsAllDrives": "true"}
_LIST_ALL_DRIVES = {**_ALL_DRIVES, "includeItemsFromAllDrives": "true"}


class Entry(NamedTuple):
    """A file or folder. ``size`` is None for folders and Google's own documents."""

    id: str
    name: str
    kind: str
    size: int | None
    created: str
    modified: float | None
    md5: str | None
    trashed: bool
    parents: tuple[str, ...]
    drive: str | None

    @property
    def age(self) -> tuple[str, str]:
        """Sorts the oldest of several with one name first, the same for every client."""
        return self.created, self.id


class DriveApi:
    """The API as one user. Each method is one request, or one for each page; one try each."""

    def __init__(self, name: str, options: DriveOptions, http: Http, tokens: Tokens) -> None:
        self._name = name
        self._options = options
        self._http = http
        self._tokens = tokens
        self._files = f"{options.api}/drive/v3/files"
        self._uploads = f"{options.api}/upload/drive/v3/files"

    async def info(self, entry: str) -> Entry | None:
        """One entry as it is now, trashed or not; None when there is none, or none that may be seen."""
        answer = await self.ask("GET", f"{self._files}/{entry}", {**_ALL_DRIVES, "fields": FIELDS})
        if answer.status == 404:
            return None
        return _entry(self._ok(answer, "look"))

    async def children(
        self, folder: str, drive: str | None, *, name: str | None = None, folders: bool = False
    ) -> list[Entry] | None:
        """What lies in *folder* and not in the trash: all of it, or an error. None: there is no such folder.

        With *name*, Google answers from an index that does not know what was made within the last moments.
        """
        terms = [f"'{folder}' in parents", "trashed = false"]
        if name is not None:
            terms.append(f"name = '{name}'")
        if folders:
            terms.append(f"mimeType = '{FOLDER}'")
        asked = {
            **_LIST_ALL_DRIVES,
            "q": " and ".join(terms),
            "pageSize": _PAGE,
            "fields": f"nextPageToken,incompleteSearch,files({FIELDS})",
        }
        if drive is not None:
            asked |= {"corpora": "drive", "driveId": drive}
        found: list[Entry] = []
        while True:
            answer = await self.ask("GET", self._files, asked)
            if answer.status == 404 and "pageToken" not in asked:
                return None
            page = self._ok(answer, "list")
            if page.get("incompleteSearch"):
                raise StorageError(f"remote {self._name}: Google Drive did not list all of {self._options.url}")
            found += [_entry(each) for each in page["files"]]
            token = page.get("nextPageToken")
            if not token:
                return found
            if token == asked.get("pageToken"):
                raise StorageError(f"remote {self._name}: the listing of {self._options.url} ended early")
            asked = {**asked, "pageToken": token}

    async def make_folder(self, name: str, parent: str) -> Entry:
        body = json.dumps({"name": name, "mimeType": FOLDER, "parents": [parent]}).encode()
        answer = await self.ask("POST", self._files, {**_ALL_DRIVES, "fields": FIELDS}, _JSON, body)
        return _entry(self._ok(answer, f"create the folder {name}"))

    async def remove(self, entry: str) -> None:
        """Delete for good, or put into the trash where the settings say so. What is gone already is no error."""
        url = f"{self._files}/{entry}"
        if self._options.trash_only:
            body = json.dumps({"trashed": True}).encode()
            answer = await self.ask("PATCH", url, {**_ALL_DRIVES, "fields": "id"}, _JSON, body)
        else:
            answer = await self.ask("DELETE", url, _ALL_DRIVES)
        if answer.status not in (200, 204, 404):
            raise self.failure(answer, "delete")

    async def upload(self, name: str, parent: str, replaces: str | None, data: bytes, doing: str) -> Entry:
        """Send a small value in one request. *replaces*: the file that gets this content instead of its own."""
        mark = "dvtool-part-8d2f51c07a"
        meta = b"{}" if replaces else json.dumps({"name": name, "parents": [parent]}).encode()
        body = b"".join(
            (
                f"--{mark}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n".encode(),
                meta,
                f"\r\n--{mark}\r\nContent-Type: application/octet-stream\r\n\r\n".encode(),
                data,
                f"\r\n--{mark}--\r\n".encode(),
            )
        )
        method, url = self._target(replaces)
        asked = {**_ALL_DRIVES, "uploadType": "multipart", "fields": FIELDS}
        headers = {"Content-Type": f"multipart/related; boundary={mark}"}
        return _entry(self._ok(await self.ask(method, url, asked, headers, body), doing))

    async def begin_upload(self, name: str, parent: str, replaces: str | None, size: int, doing: str) -> str:
        """The address that takes *size* bytes in several requests; nothing is visible before the last of them."""
        method, url = self._target(replaces)
        asked = {**_ALL_DRIVES, "uploadType": "resumable", "fields": FIELDS}
        headers = {
            **_JSON,
            "X-Upload-Content-Type": "application/octet-stream",
            "X-Upload-Content-Length": str(size),
        }
        meta = b"{}" if replaces else json.dumps({"name": name, "parents": [parent]}).encode()
        answer = await self.ask(method, url, asked, headers, meta)
        self._ok(answer, doing)
        session = answer.headers.get("location", "")
        if not session.startswith(f"{self._options.api}/"):
            raise StorageError(f"remote {self._name}: Google Drive sends an upload to another place: {session[:80]}")
        return session

    async def value(self, key: str, entry: str) -> Value:
        """Where the content of a file is read."""
        asked = {**_ALL_DRIVES, "alt": "media"}
        if self._options.acknowledge_abuse:
            asked["acknowledgeAbuse"] = "true"
        headers = await self._tokens.headers(self._http)

        def failed(answer: Answer) -> DvtoolError:
            if answer.status == 404:
                return MissingData(f"remote {self._name}: {key} is not there", path=key)
            return self.failure(answer, f"read {key}")

        return Value(self._name, key, f"{self._files}/{entry}", failed, asked, headers)

    async def ask(
        self,
        method: str,
        url: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Body = None,
        size: int = 0,
    ) -> Answer:
        """One request with the user's token; a second one with a new token where that was refused."""
        given = await self._tokens.headers(self._http)
        spent = self._tokens.token()
        answer = await self._http.ask(
            method, url, params=params, headers={**(headers or {}), **given}, body=body, size=size
        )
        if answer.status != 401 or not (body is None or isinstance(body, bytes)):
            return answer
        given = await self._tokens.headers(self._http, refused=spent)
        return await self._http.ask(
            method, url, params=params, headers={**(headers or {}), **given}, body=body, size=size
        )

    def failure(self, answer: Answer, doing: str) -> StorageError:
        """What a refused request means."""
        return drive_failure(answer, self._name, self._options.host, doing, self._tokens.words)

    def _ok(self, answer: Answer, doing: str) -> dict[str, Any]:
        if answer.status not in (200, 201):
            raise self.failure(answer, doing)
        return answer.document()

    def _target(self, replaces: str | None) -> tuple[str, str]:
        return ("POST", self._uploads) if replaces is None else ("PATCH", f"{self._uploads}/{replaces}")


def entry_of(answer: Answer) -> Entry:
    """The entry that the last request of an upload answers with."""
    return _entry(answer.document())


_JSON = {"Content-Type": "application/json; charset=UTF-8"}


def _entry(document: dict[str, Any]) -> Entry:
    try:
        size = document.get("size")
        return Entry(
            id=str(document["id"]),
            name=str(document["name"]),
            kind=str(document["mimeType"]),
            size=None if size is None else int(size),
            created=str(document.get("createdTime", "")),
            modified=_seconds(document.get("modifiedTime")),
            md5=document.get("md5Checksum"),
            trashed=bool(document.get("trashed")),
            parents=tuple(document.get("parents") or ()),
            drive=document.get("driveId"),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise StorageError(
            "Google Drive answered with something that is no file", hint="is a proxy in the way?"
        ) from error


def _seconds(text: Any) -> float | None:
    return dt.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() if isinstance(text, str) else None
