"""Google Drive as its documentation describes it, as far as dvtool calls it: files, folders, trash, shared drives.

Nobody who wrote these tests could reach the real service. What is imitated are the pages "Files", "Search for files
and folders", "Upload file data", "Download files", "Shared drives", "Resolve errors" of Drive API v3 and "OAuth 2.0
for installed applications", "... for service accounts" of Google Identity. HTTP is in `drivehttp`.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import itertools
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from typing import Any

FOLDER = "application/vnd.google-apps.folder"
SCOPE = "https://www.googleapis.com/auth/drive"
UNIT = 256 << 10
_DEFAULT_FIELDS = ("kind", "id", "name", "mimeType")


class Refused(Exception):
    """An error answer."""

    def __init__(self, status: int, reason: str, message: str = "", headers: dict[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.headers = headers or {}
        each = {"domain": "global", "reason": reason, "message": message or reason}
        self.document = {"error": {"code": status, "message": message or reason, "errors": [each]}}


@dataclass
class File:
    id: str
    name: str
    kind: str
    parents: tuple[str, ...]
    content: bytes | None
    created: dt.datetime
    modified: dt.datetime
    drive: str | None = None
    trashed: bool = False
    indexed: bool = True

    def document(self, *, trashed: bool) -> dict[str, Any]:
        full: dict[str, Any] = {
            "kind": "drive#file",
            "id": self.id,
            "name": self.name,
            "mimeType": self.kind,
            "parents": list(self.parents),
            "createdTime": _time(self.created),
            "modifiedTime": _time(self.modified),
            "trashed": trashed,
        }
        if self.content is not None:
            full |= {"size": str(len(self.content)), "md5Checksum": hashlib.md5(self.content).hexdigest()}
        if self.drive is not None:
            full["driveId"] = self.drive
        return full


@dataclass(frozen=True)
class Account:
    """Who asks. ``role``: what they may do with everything; a service account owns no space of its own."""

    email: str = "ann@example.org"
    role: str = "organizer"
    is_service: bool = False


@dataclass
class Session:
    """An upload under way."""

    account: Account
    size: int
    finish: Callable[[bytes], File]
    received: bytearray = field(default_factory=bytearray)
    made: File | None = None


class Drive:
    """The service's state. ``root`` is a folder of My Drive, ``shared`` a shared drive."""

    def __init__(self) -> None:
        self.guard = threading.RLock()
        self.files: dict[str, File] = {}
        self.accounts: dict[str, Account] = {}
        self.sessions: dict[str, Session] = {}
        self.page = 1000
        """The most files of one page; the real service may send fewer than were asked for, too."""
        self.indexing = True
        """False: new files are not yet found by their names, only by their folders."""
        self.incomplete = False
        self._numbers = itertools.count(1)
        now = dt.datetime.now(dt.timezone.utc)
        self._clock = (now + dt.timedelta(milliseconds=each) for each in itertools.count())
        self.root = self.make("dvtool", FOLDER, (), None).id
        shared = self.make("Shared", FOLDER, (), None)
        shared.drive = shared.id
        self.shared = shared.id

    def make(self, name: str, kind: str, parents: tuple[str, ...], content: bytes | None) -> File:
        """A new file, whether or not there is one of that name already."""
        with self.guard:
            now = next(self._clock)
            drive = self.files[parents[0]].drive if parents else None
            number = next(self._numbers)
            ident = base64.urlsafe_b64encode(hashlib.sha256(b"%d" % number).digest()[:24]).decode()
            made = File(ident, name, kind, parents, content, now, now, drive, indexed=self.indexing)
            self.files[ident] = made
            return made

    def named(self, name: str) -> list[File]:
        """Every file of that name, in the trash too."""
        return [each for each in self.files.values() if each.name == name]

    # What the API offers.

    def get(self, account: Account, ident: str, query: dict[str, str]) -> dict[str, Any]:
        found = self.visible(ident, query)
        return _fields(found.document(trashed=self.in_trash(found)), query.get("fields"))

    def media(self, account: Account, ident: str, query: dict[str, str]) -> bytes:
        found = self.visible(ident, query)
        if found.content is None:
            raise Refused(403, "fileNotDownloadable", "Only files with binary content can be downloaded.")
        return found.content

    def list(self, account: Account, query: dict[str, str]) -> dict[str, Any]:
        wanted = _search(query.get("q", ""))
        parent = wanted.get("parent")
        if parent is not None and (parent not in self.files or not self._is_offered(self.files[parent], query)):
            raise Refused(404, "notFound", "File not found: .")
        if query.get("corpora") == "drive" and (query.get("driveId") not in self.files or not _with_shared(query)):
            raise Refused(400, "badRequest", "The driveId, includeItemsFromAllDrives and supportsAllDrives are needed.")
        size = min(int(query.get("pageSize", "100")), 1000, self.page)
        about = hashlib.sha256(json.dumps([query.get("q"), query.get("driveId")]).encode()).hexdigest()[:8]
        start = 0
        if token := query.get("pageToken"):
            stated, _, offset = token.partition(".")
            if stated != about:
                raise Refused(400, "invalid", "Invalid Value")
            start = int(offset)
        matching = [each for each in self.files.values() if self._matches(each, wanted, query)]
        document = {
            "kind": "drive#fileList",
            "incompleteSearch": self.incomplete,
            "files": [each.document(trashed=self.in_trash(each)) for each in matching[start : start + size]],
        }
        if start + size < len(matching):
            document["nextPageToken"] = f"{about}.{start + size}"
        return _fields(document, query.get("fields"))

    def create(self, account: Account, meta: dict[str, Any], query: dict[str, str], content: bytes | None) -> File:
        parents = tuple(meta.get("parents") or ("root",))
        if len(parents) != 1:
            raise Refused(400, "badRequest", "A shared drive item must have exactly one parent")
        parent = self.visible(parents[0], query)
        self._may_write(account, parent)
        return self.make(
            meta.get("name", "Untitled"), meta.get("mimeType", "application/octet-stream"), parents, content
        )

    def update(self, account: Account, ident: str, query: dict[str, str], content: bytes) -> File:
        found = self.visible(ident, query)
        self._may_write(account, found)
        found.content, found.modified = content, next(self._clock)
        return found

    def trash(self, account: Account, ident: str, query: dict[str, str]) -> File:
        found = self.visible(ident, query)
        self._may_write(account, found)
        found.trashed = True
        return found

    def delete(self, account: Account, ident: str, query: dict[str, str]) -> None:
        found = self.visible(ident, query)
        if account.role != "organizer":
            raise Refused(
                403, "insufficientFilePermissions", "The user does not have sufficient permissions for this file."
            )
        del self.files[found.id]

    def visible(self, ident: str, query: dict[str, str]) -> File:
        found = self.files.get(ident)
        if found is None or not self._is_offered(found, query):
            raise Refused(404, "notFound", f"File not found: {ident}.")
        return found

    def in_trash(self, file: File) -> bool:
        """A file counts as trashed with its folder."""
        return file.trashed or any(self.in_trash(self.files[each]) for each in file.parents if each in self.files)

    def _may_write(self, account: Account, place: File) -> None:
        if account.role == "reader":
            raise Refused(
                403, "insufficientFilePermissions", "The user does not have sufficient permissions for this file."
            )
        if account.is_service and place.drive is None:
            raise Refused(
                403,
                "storageQuotaExceeded",
                "Service Accounts do not have storage quota. Leverage shared drives or use OAuth delegation.",
            )

    def _is_offered(self, file: File, query: dict[str, str]) -> bool:
        return file.drive is None or query.get("supportsAllDrives") == "true"

    def _matches(self, file: File, wanted: dict[str, str], query: dict[str, str]) -> bool:
        if file.drive is not None and not _with_shared(query):
            return False
        if query.get("corpora") == "drive" and file.drive != query["driveId"]:
            return False
        return (
            ("parent" not in wanted or wanted["parent"] in file.parents)
            # The index of names folds case and is not up to date.
            and ("name" not in wanted or (file.indexed and file.name.lower() == wanted["name"].lower()))
            and ("kind" not in wanted or file.kind == wanted["kind"])
            and ("trashed" not in wanted or self.in_trash(file) == (wanted["trashed"] == "true"))
        )


_TERMS = (
    (re.compile(r"'([^']+)' in parents"), "parent"),
    (re.compile(r"name = '((?:[^'\\]|\\.)*)'"), "name"),
    (re.compile(r"mimeType = '([^']+)'"), "kind"),
    (re.compile(r"trashed = (true|false)"), "trashed"),
)


def _search(text: str) -> dict[str, str]:
    wanted: dict[str, str] = {}
    for term in text.split(" and "):
        for pattern, name in _TERMS:
            if match := pattern.fullmatch(term):
                wanted[name] = match[1].replace("\\'", "'").replace("\\\\", "\\")
                break
        else:
            raise Refused(400, "invalid", f"Invalid Value: {term}")
    return wanted


def _with_shared(query: dict[str, str]) -> bool:
    return query.get("supportsAllDrives") == query.get("includeItemsFromAllDrives") == "true"


def _fields(document: dict[str, Any], mask: str | None) -> dict[str, Any]:
    """Only what was asked for, as the real service does."""
    if mask is None:
        inner = (
            [{key: each[key] for key in _DEFAULT_FIELDS} for each in document["files"]] if "files" in document else None
        )
        if inner is None:
            return {key: document[key] for key in _DEFAULT_FIELDS}
        return {**document, "files": inner}
    chosen: dict[str, Any] = {}
    for name, below in re.findall(r"(\w+)(?:\(([^)]*)\))?", mask):
        if name not in document:
            continue
        value = document[name]
        if below:
            value = [{key: each[key] for key in below.split(",") if key in each} for each in value]
        chosen[name] = value
    return chosen


def _time(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"
