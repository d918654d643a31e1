"""`drivestub` behind HTTP on 127.0.0.1, with tokens, faults on demand and a list of what was asked."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs
from urllib.parse import parse_qsl
from urllib.parse import urlencode
from urllib.parse import urlsplit

from tests.support.drivestub import SCOPE
from tests.support.drivestub import UNIT
from tests.support.drivestub import Account
from tests.support.drivestub import Drive
from tests.support.drivestub import File
from tests.support.drivestub import Refused
from tests.support.drivestub import Session

CLIENT_ID = "1234-abc.apps.googleusercontent.com"
CLIENT_SECRET = "GOCSPX-secret-of-the-client"
REFRESH_TOKEN = "1//refresh-token-of-ann"
AUDIENCE = "https://oauth2.googleapis.com/token"
ROBOT = "robot@project.iam.gserviceaccount.com"


@dataclass
class Fault:
    """What happens to the next *times* requests of *method* whose path holds *path*, instead of an answer.

    ``status`` and ``reason`` refuse it; ``cut`` takes or sends so many bytes of the content and breaks the
    connection; ``flip`` damages one byte; ``drop_answer`` does the work and then breaks the connection.
    """

    method: str
    path: str
    times: int = 1
    status: int = 0
    reason: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    flip: bool = False
    drop_answer: bool = False


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]


class DriveServer:
    """A running service. ``settings`` are those of a remote that uses it as a service account."""

    def __init__(self, url: str, public_key: Any, key_file: str) -> None:
        self.url = url
        self.drive = Drive()
        self.faults: list[Fault] = []
        self.asked: list[Asked] = []
        self.robot = Account(ROBOT, is_service=True)
        self.ann = Account()
        self.key_file = key_file
        self.public_key = public_key
        self.codes: dict[str, dict[str, str]] = {}

    @property
    def settings(self) -> dict[str, str]:
        return {"gdrive_endpointurl": self.url, "gdrive_service_account_json_file_path": self.key_file}

    def folder_url(self, path: str = "") -> str:
        """The URL of the empty shared drive, which is where a service account can write."""
        return f"gdrive://{self.drive.shared}{path}"

    def forget_tokens(self) -> None:
        """Every access token is refused from now on."""
        self.drive.accounts.clear()

    def methods(self) -> list[str]:
        """What the API was asked for, without the tokens: "GET files", "PUT upload"."""
        return [
            f"{each.method} {each.path.rpartition('v3/')[2].partition('/')[0]}"
            for each in self.asked
            if "v3" in each.path
        ]


@contextlib.contextmanager
def serving(private_key: Any, key_file: str) -> Iterator[DriveServer]:
    """A fresh service until the end of the block. *private_key*: of the robot, kept in *key_file*."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    state = DriveServer(f"http://127.0.0.1:{server.server_port}", private_key.public_key(), key_file)
    server.state = state  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Broken(Exception):
    """The connection ends here."""


class _NoToken(Exception):
    """Status, error and description of an answer without a token."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        """Nothing on the terminal."""

    @property
    def state(self) -> DriveServer:
        found: DriveServer = self.server.state  # type: ignore[attr-defined]
        return found

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def do_PUT(self) -> None:
        self._serve("PUT")

    def do_PATCH(self) -> None:
        self._serve("PATCH")

    def do_DELETE(self) -> None:
        self._serve("DELETE")

    def _serve(self, method: str) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        headers = {name.lower(): value for name, value in self.headers.items()}
        with self.state.drive.guard:
            self.state.asked.append(Asked(method, parts.path, query, headers))
            fault = self._fault(method, parts.path)
        self._left = int(headers.get("content-length", "0"))
        try:
            try:
                if fault is not None and fault.status:
                    self._read()
                    raise Refused(fault.status, fault.reason, headers=fault.headers)
                self._route(method, parts.path, query, headers, fault)
            except Refused as error:
                self._read()
                self._answer(error.status, json.dumps(error.document).encode(), error.headers)
        except (_Broken, ConnectionError):
            self.close_connection = True

    def _fault(self, method: str, path: str) -> Fault | None:
        for fault in self.state.faults:
            if fault.times and fault.method == method and fault.path in path:
                fault.times -= 1
                return fault
        return None

    def _route(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str], fault: Fault | None
    ) -> None:
        if path == "/token":
            self._token(parse_qs(self._read().decode()))
        elif path == "/o/oauth2/v2/auth":
            self._consent(query)
        elif path == "/upload/session":
            self._continue_upload(query, headers, fault)
        elif path.startswith("/upload/drive/v3/files"):
            self._upload(method, path, query, headers, fault)
        elif path.startswith("/drive/v3/files"):
            self._files(method, path.removeprefix("/drive/v3/files").strip("/"), query, headers, fault)
        else:
            raise Refused(404, "notFound")

    def _files(
        self, method: str, ident: str, query: dict[str, str], headers: dict[str, str], fault: Fault | None
    ) -> None:
        account = self._account(headers)
        drive = self.state.drive
        with drive.guard:
            if method == "GET" and not ident:
                self._document(drive.list(account, query))
            elif method == "GET" and query.get("alt") == "media":
                self._media(drive.media(account, ident, query), headers, fault)
            elif method == "GET":
                self._document(drive.get(account, ident, query))
            elif method == "POST" and not ident:
                self._file(drive.create(account, json.loads(self._read()), query, None), query)
            elif method == "PATCH":
                assert json.loads(self._read()) == {"trashed": True}
                self._file(drive.trash(account, ident, query), query)
            elif method == "DELETE":
                drive.delete(account, ident, query)
                self._answer(204, b"")
            else:
                raise Refused(404, "notFound")

    def _media(self, content: bytes, headers: dict[str, str], fault: Fault | None) -> None:
        start, end, more = 0, len(content), {}
        asked = headers.get("range", "")
        if asked.startswith("bytes="):
            first, _, last = asked[6:].partition("-")
            start, end = int(first), min(int(last) + 1 if last else end, end)
            if start >= len(content):
                raise Refused(416, "requestedRangeNotSatisfiable")
            more = {"Content-Range": f"bytes {start}-{end - 1}/{len(content)}"}
        part = content[start:end]
        if fault is not None and fault.flip and part:
            part = part[:-1] + bytes([part[-1] ^ 1])
        self._answer(206 if more else 200, part, more, cut=fault.cut if fault else None)

    def _upload(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str], fault: Fault | None
    ) -> None:
        account = self._account(headers)
        drive = self.state.drive
        ident = path.removeprefix("/upload/drive/v3/files").strip("/")
        if (method, bool(ident)) not in (("POST", False), ("PATCH", True)):
            raise Refused(404, "notFound")
        if query.get("uploadType") == "multipart":
            kind = headers["content-type"]
            assert kind.startswith("multipart/related; boundary="), kind
            mark = kind.partition("boundary=")[2]
            empty, first, second, end = self._read().split(f"--{mark}".encode())
            assert (empty, end) == (b"", b"--\r\n")
            meta = json.loads(first.partition(b"\r\n\r\n")[2])
            content = second.partition(b"\r\n\r\n")[2][:-2]
            if len(content) > 5 << 20:
                raise Refused(413, "uploadTooLarge")
            with drive.guard:
                made = (
                    drive.update(account, ident, query, content)
                    if ident
                    else drive.create(account, meta, query, content)
                )
            if fault is not None and fault.flip:
                assert made.content is not None
                made.content = made.content[:-1] + b"!"
            self._file(made, query, drop=bool(fault and fault.drop_answer))
        elif query.get("uploadType") == "resumable":
            self._begin_upload(account, ident, query, headers)
        else:
            raise Refused(400, "badRequest", "Unsupported uploadType")

    def _begin_upload(self, account: Account, ident: str, query: dict[str, str], headers: dict[str, str]) -> None:
        drive = self.state.drive
        meta = json.loads(self._read())
        with drive.guard:
            place = drive.visible(ident or meta["parents"][0], query)
            drive._may_write(account, place)

        def finish(content: bytes) -> File:
            return (
                drive.update(account, ident, query, content) if ident else drive.create(account, meta, query, content)
            )

        name = secrets.token_hex(8)
        size = int(headers["x-upload-content-length"])
        drive.sessions[name] = Session(account, size, finish)
        where = urlencode({"upload_id": name, "fields": query.get("fields", "")})
        self._answer(200, b"", {"Location": f"{self.state.url}/upload/session?{where}"})

    def _continue_upload(self, query: dict[str, str], headers: dict[str, str], fault: Fault | None) -> None:
        session = self.state.drive.sessions.get(query["upload_id"])
        if session is None:
            raise Refused(404, "notFound")
        span, _, total = headers["content-range"].removeprefix("bytes ").partition("/")
        if int(total) != session.size:
            raise Refused(400, "badRequest")
        if span != "*" and session.made is None:
            start, _, last = span.partition("-")
            if int(start) != len(session.received) or int(last) + 1 - int(start) != self._left:
                raise Refused(400, "badRequest", "Failed to parse Content-Range header.")
            if (self._left % UNIT and int(last) + 1 != session.size) or session.account.role == "reader":
                raise Refused(400, "badRequest")
            if fault is not None and fault.cut is not None:
                # What arrived before a cut is kept in whole units.
                got = self._read(fault.cut)
                session.received += got[: len(got) // UNIT * UNIT]
                raise _Broken
            session.received += self._read()
            if len(session.received) == session.size:
                with self.state.drive.guard:
                    session.made = session.finish(bytes(session.received))
        if fault is not None and fault.drop_answer:
            raise _Broken
        if session.made is not None:
            self._file(session.made, query)
            return
        held = {"Range": f"bytes=0-{len(session.received) - 1}"} if session.received else {}
        self._answer(308, b"", held)

    def _token(self, form: dict[str, list[str]]) -> None:
        asked = {name: values[0] for name, values in form.items()}
        more: dict[str, str] = {}
        try:
            match asked.get("grant_type"):
                case "urn:ietf:params:oauth:grant-type:jwt-bearer":
                    account = self._robot(asked["assertion"])
                case "refresh_token":
                    account = self._ann(asked, asked.get("refresh_token") == REFRESH_TOKEN)
                case "authorization_code":
                    account = self._ann(asked, self._is_code(asked))
                    more = {"refresh_token": REFRESH_TOKEN, "scope": SCOPE}
                case kind:
                    raise _NoToken(400, "unsupported_grant_type", f"Invalid grant_type: {kind}")
        except _NoToken as error:
            self._answer(
                error.args[0], json.dumps({"error": error.args[1], "error_description": error.args[2]}).encode()
            )
            return
        token = f"ya29.{secrets.token_hex(16)}"
        self.state.drive.accounts[token] = account
        self._document({"access_token": token, "expires_in": 3599, "token_type": "Bearer", **more})

    def _ann(self, asked: dict[str, str], is_granted: bool) -> Account:
        if (asked.get("client_id"), asked.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            raise _NoToken(401, "invalid_client", "The OAuth client was not found.")
        if not is_granted:
            raise _NoToken(400, "invalid_grant", "Token has been expired or revoked.")
        return self.state.ann

    def _is_code(self, asked: dict[str, str]) -> bool:
        digest = hashlib.sha256(asked.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        given = self.state.codes.pop(asked["code"], None)
        return given == {"challenge": challenge, "redirect": asked.get("redirect_uri")}

    def _robot(self, assertion: str) -> Account:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        signed, _, signature = assertion.rpartition(".")
        claims = json.loads(_unpadded(signed.partition(".")[2]))
        try:
            self.state.public_key.verify(_unpadded(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            raise _NoToken(400, "invalid_grant", "Invalid JWT Signature.") from None
        is_fresh = claims["iat"] - 60 < time.time() < claims["exp"] <= claims["iat"] + 3600
        if claims["iss"] != ROBOT or claims["aud"] != AUDIENCE or not is_fresh:
            raise _NoToken(400, "invalid_grant", "Invalid JWT.")
        assert claims["scope"] == SCOPE
        return self.state.ann if claims.get("sub") == self.state.ann.email else self.state.robot

    def _consent(self, query: dict[str, str]) -> None:
        """The page where the user says yes, and at once the answer of their browser."""
        assert query["response_type"] == "code" and query["scope"] == SCOPE and query["client_id"] == CLIENT_ID
        assert query["code_challenge_method"] == "S256" and query["redirect_uri"].startswith("http://127.0.0.1:")
        code = f"4/{secrets.token_hex(8)}"
        self.state.codes[code] = {"challenge": query["code_challenge"], "redirect": query["redirect_uri"]}
        back = urlencode({"state": query["state"], "code": code, "scope": SCOPE})
        self._answer(302, b"", {"Location": f"{query['redirect_uri']}?{back}"})

    def _account(self, headers: dict[str, str]) -> Account:
        token = headers.get("authorization", "").removeprefix("Bearer ")
        account = self.state.drive.accounts.get(token)
        if account is None:
            raise Refused(401, "authError", "Invalid Credentials")
        return account

    def _read(self, most: int | None = None) -> bytes:
        data = self.rfile.read(self._left if most is None else min(most, self._left))
        self._left -= len(data)
        return data

    def _file(self, file: File, query: dict[str, str], *, drop: bool = False) -> None:
        if drop:
            raise _Broken
        full = file.document(trashed=file.trashed)
        wanted = query.get("fields", "kind,id,name,mimeType").split(",")
        self._document({key: full[key] for key in wanted if key in full})

    def _document(self, document: dict[str, Any]) -> None:
        self._answer(200, json.dumps(document).encode(), {"Content-Type": "application/json; charset=UTF-8"})

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None, cut: int | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if cut is None else body[:cut])
        if cut is not None:
            raise _Broken


def _unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
