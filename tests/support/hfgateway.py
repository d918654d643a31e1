"""The S3 gateway of Hugging Face as its documentation describes it, in front of SeaweedFS.

Nobody who wrote these tests could reach the real one. From the page "S3 Compatibility" of the Hub's documentation:
the owner is the first part of the path, the region is us-east-1, listings are of version 2 only, trailing checksums
are not understood, keys are restricted, GetObject redirects clients that are not known to stay.
"""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl
from urllib.parse import unquote
from urllib.parse import urlsplit

from tests.support.seaweed import ACCESS_KEY
from tests.support.seaweed import SECRET_KEY
from tests.support.seaweed import Seaweed

KEY_ID = "HFAKexample"
SECRET = "hf-secret-of-the-token"
OWNER = "birds-org"

_KNOWN_CLIENTS = ("aws-cli", "botocore", "aws-sdk-rust")
_PASSED_ON = ("content-length", "range", "if-none-match", "if-match", "content-type", "content-md5", "expect")
_ERROR = "<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"


@dataclass
class Gateway:
    """Where it is. ``settings``: those of a remote that uses it; ``refused``: what broke the documented rules."""

    url: str
    seaweed: Seaweed
    refused: list[str] = field(default_factory=list)

    @property
    def settings(self) -> dict[str, str]:
        return {
            "endpointurl": f"{self.url}/{OWNER}",
            "access_key_id": KEY_ID,
            "secret_access_key": SECRET,
        }

    def new_url(self) -> str:
        """The URL of an empty place."""
        return self.seaweed.new_url().replace("s3://", f"hf://buckets/{OWNER}/")


@contextlib.contextmanager
def gateway(seaweed: Seaweed) -> Iterator[Gateway]:
    """Until the end of the block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    found = Gateway(f"http://127.0.0.1:{server.server_port}", seaweed)
    server.gateway = found  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Refused(Exception):
    """Status, code and message of an error answer."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        """Nothing on the terminal."""

    def handle_expect_100(self) -> bool:
        return True if self.command not in ("PUT", "POST") else super().handle_expect_100()

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        gate: Gateway = self.server.gateway  # type: ignore[attr-defined]
        try:
            self._check(body)
            self._pass_on(gate, body)
        except _Refused as error:
            status, code, message = error.args
            gate.refused.append(code)
            text = b"" if self.command == "HEAD" else _ERROR.format(code=code, message=message).encode()
            self._answer(status, text, {"Content-Type": "application/xml"})

    def _check(self, body: bytes) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        owner, _, rest = unquote(urlsplit(self.path).path).strip("/").partition("/")
        key = rest.partition("/")[2]
        query = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        self._check_signature(headers)
        if owner != OWNER:
            raise _Refused(404, "NoSuchBucket", "The specified bucket does not exist")
        if "aws-chunked" in headers.get("content-encoding", "") or "x-amz-trailer" in headers:
            raise _Refused(400, "InvalidRequest", "trailing checksums are not parsed")
        if self.command == "GET" and not key and query.get("list-type") != "2":
            raise _Refused(501, "NotImplemented", "only ListObjectsV2")
        if key.startswith(("/", "./")) or key.endswith(("/", "..")) or "//" in key or "../" in key or "\\" in key:
            raise _Refused(400, "InvalidArgument", "that is no key")
        client = headers.get("user-agent", "").lower()
        if self.command == "GET" and key and not any(name in client for name in _KNOWN_CLIENTS):
            raise _Refused(302, "Found", "go to the CDN")

    def _check_signature(self, headers: dict[str, str]) -> None:
        """What botocore would have signed with the right secret, from the request as it came."""
        from botocore.auth import S3SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        given = headers.get("authorization", "")
        if f"Credential={KEY_ID}/" not in given:
            raise _Refused(
                403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."
            )
        if "/us-east-1/s3/aws4_request" not in given:
            raise _Refused(400, "AuthorizationHeaderMalformed", "the region must be us-east-1")
        names = given.partition("SignedHeaders=")[2].partition(",")[0].split(";")
        request = AWSRequest(
            method=self.command,
            url=f"http://{headers['host']}{self.path}",
            headers={name: headers[name] for name in names if name in headers},
        )
        request.context["timestamp"] = headers["x-amz-date"]
        signer = S3SigV4Auth(Credentials(KEY_ID, SECRET), "s3", "us-east-1")
        canonical = signer.canonical_request(request)
        if signer.signature(signer.string_to_sign(request, canonical), request) != given.rpartition("Signature=")[2]:
            raise _Refused(403, "SignatureDoesNotMatch", "The request signature does not match.")

    def _pass_on(self, gate: Gateway, body: bytes) -> None:
        from botocore.auth import S3SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        path = self.path.removeprefix(f"/{OWNER}")
        headers = {name: value for name, value in self.headers.items() if name.lower() in _PASSED_ON[1:-1]}
        request: Any = AWSRequest(method=self.command, url=gate.seaweed.endpoint + path, data=body, headers=headers)
        S3SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "s3", "us-east-1").add_auth(request)
        connection = http.client.HTTPConnection(urlsplit(gate.seaweed.endpoint).netloc)
        with contextlib.closing(connection):
            connection.request(self.command, path, body, dict(request.headers.items()))
            answer = connection.getresponse()
            data = answer.read()
            kept = {
                name: value
                for name, value in answer.getheaders()
                if name.lower() not in ("transfer-encoding", "connection", "content-length", "date", "server")
            }
            length = answer.getheader("Content-Length") if self.command == "HEAD" else None
            self._answer(answer.status, data, kept, length)

    def _answer(self, status: int, body: bytes, headers: dict[str, str], length: str | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", length or str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
