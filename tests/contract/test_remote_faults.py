"""What a user sees when the remote is not as the configuration says: errors, never emptiness."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import ClassVar

import pytest

from dvtool.errors import AccessDenied
from dvtool.errors import ConfigError
from dvtool.errors import StorageError
from dvtool.model.ports import Remote
from dvtool.remote.address import Address
from dvtool.remote.conformance.bench import content
from dvtool.remote.drivers.s3.driver import S3Remote
from dvtool.remote.drivers.s3.options import parse_s3
from dvtool.remote.failures import TransientError
from dvtool.remote.table import open_remote
from tests.support.seaweed import Seaweed

ROOT = Path(__file__).parents[2]

Use = Callable[[Remote, bytes], object]

USES: dict[str, Use] = {
    "list": lambda remote, _: list(remote.list("data/")),
    "stat": lambda remote, _: remote.stat("data/k"),
    "get": lambda remote, _: remote.get("data/k"),
    "get_file": lambda remote, path: remote.get_file("data/k", path + b".back", 5),
    "put": lambda remote, _: remote.put("data/k", b"x"),
    "put once": lambda remote, _: remote.put("data/k", b"x", create_only=True),
    "put_file": lambda remote, path: remote.put_file("data/k", path),
    "delete": lambda remote, _: remote.delete("data/k"),
}


@pytest.fixture
def source(tmp_path: Path) -> bytes:
    (tmp_path / "file").write_bytes(b"12345")
    return bytes(tmp_path / "file")


@pytest.fixture
def opened() -> Iterator[Callable[..., Remote]]:
    remotes: list[Remote] = []

    def make(url: str, **settings: str) -> Remote:
        remotes.append(S3Remote("origin", parse_s3(Address("origin", url, settings, b"/", {}))))
        return remotes[-1]

    yield make
    for remote in remotes:
        remote.close()


@pytest.mark.s3
@pytest.mark.parametrize("use", USES.values(), ids=USES)
class TestAnswers:
    def test_wrong_bucket(self, seaweed: Seaweed, opened: Callable[..., Remote], source: bytes, use: Use) -> None:
        remote = opened("s3://no-such-bucket/x", **seaweed.settings)
        with pytest.raises(StorageError, match="bucket no-such-bucket does not exist") as caught:
            use(remote, source)
        assert "remote.origin.url" in str(caught.value.hint)

    @pytest.mark.parametrize("wrong", [{"access_key_id": "nobody"}, {"secret_access_key": "hush"}])
    def test_wrong_key(
        self, seaweed: Seaweed, opened: Callable[..., Remote], source: bytes, use: Use, wrong: dict[str, str]
    ) -> None:
        remote = opened(seaweed.new_url(), **{**seaweed.settings, **wrong})
        with pytest.raises(AccessDenied) as caught:
            use(remote, source)
        assert "AWS_ACCESS_KEY_ID" in str(caught.value.hint)
        assert "hush" not in f"{caught.value} {caught.value.hint}"

    def test_no_s3_server_at_that_address(
        self, seaweed: Seaweed, opened: Callable[..., Remote], source: bytes, use: Use
    ) -> None:
        remote = opened("s3://bucket/x", **{**seaweed.settings, "endpointurl": seaweed.other_service})
        with pytest.raises(StorageError):
            use(remote, source)


@pytest.mark.parametrize("use", USES.values(), ids=USES)
class TestSilence:
    keys: ClassVar[dict[str, str]] = {"access_key_id": "a", "secret_access_key": "b", "region": "us-east-1"}

    def test_nobody_listens(self, opened: Callable[..., Remote], source: bytes, use: Use) -> None:
        with closing(socket.socket()) as unused:
            unused.bind(("127.0.0.1", 0))
            remote = opened("s3://bucket/x", endpointurl=f"http://127.0.0.1:{unused.getsockname()[1]}", **self.keys)
            with pytest.raises(TransientError, match=r"127\.0\.0\.1.*cannot be reached") as caught:
                use(remote, source)
            assert caught.value.unreachable

    def test_no_such_host(self, opened: Callable[..., Remote], source: bytes, use: Use) -> None:
        remote = opened("s3://bucket/x", endpointurl="http://no-such-host.invalid", **self.keys)
        with pytest.raises(TransientError, match=r"no-such-host\.invalid"):
            use(remote, source)

    def test_a_server_that_says_nothing(self, opened: Callable[..., Remote], source: bytes, use: Use) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as server:
            endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
            remote = opened(
                "s3://bucket/x", endpointurl=endpoint, connect_timeout="0.2", read_timeout="0.2", **self.keys
            )
            with pytest.raises(TransientError, match="does not answer in time"):
                use(remote, source)

    def test_no_such_profile(self, opened: Callable[..., Remote], source: bytes, use: Use) -> None:
        remote = opened("s3://bucket/x", endpointurl="http://127.0.0.1:1", profile="nobody")
        with pytest.raises(ConfigError, match="nobody"):
            use(remote, source)

    def test_no_credentials(
        self, opened: Callable[..., Remote], source: bytes, use: Use, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        remote = opened("s3://bucket/x", endpointurl="http://127.0.0.1:1", region="us-east-1")
        with pytest.raises(AccessDenied, match="no usable credentials"):
            use(remote, source)


@pytest.mark.s3
def test_credentials_come_from_a_profile(seaweed: Seaweed, opened: Callable[..., Remote], tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text(
        "[team]\naws_access_key_id = dvkey\naws_secret_access_key = dvsecret\n", encoding="ascii"
    )
    remote = opened(
        seaweed.new_url(),
        endpointurl=seaweed.endpoint,
        region="us-east-1",
        profile="team",
        credentialpath=str(tmp_path / "credentials"),
    )
    assert remote.put("k", b"x")


@pytest.mark.s3
def test_credentials_come_from_the_environment(seaweed: Seaweed) -> None:
    settings = {"endpointurl": seaweed.endpoint}
    remote = open_remote(Address("origin", seaweed.new_url(), settings, b"/", seaweed.environment))
    with closing(remote):
        assert remote.put("k", b"x")


@pytest.mark.s3
def test_a_value_shorter_than_expected_leaves_nothing_behind(
    seaweed: Seaweed, opened: Callable[..., Remote], tmp_path: Path
) -> None:
    remote = opened(seaweed.new_url(), **seaweed.settings)
    remote.put("k", content(1000))
    with pytest.raises(StorageError):
        remote.get_file("k", bytes(tmp_path / "back"), 20 << 20)
    assert (tmp_path / "back").read_bytes() == b""


@pytest.mark.s3
def test_a_full_disk_is_not_taken_for_the_network(seaweed: Seaweed, opened: Callable[..., Remote]) -> None:
    remote = opened(seaweed.new_url(), **seaweed.settings)
    remote.put("k", b"12345")
    with pytest.raises(StorageError, match="No space left") as caught:
        remote.get_file("k", b"/dev/full", 5)
    assert not isinstance(caught.value, TransientError)


@pytest.mark.s3
def test_closing_from_another_thread_ends_a_transfer(
    seaweed: Seaweed, opened: Callable[..., Remote], tmp_path: Path
) -> None:
    (tmp_path / "big").write_bytes(bytes(200 << 20))
    remote = opened(seaweed.new_url(), **seaweed.settings)
    remote.put("warm", b"x")
    told: list[Exception] = []

    def send() -> None:
        try:
            remote.put_file("big", bytes(tmp_path / "big"))
        except StorageError as error:
            told.append(error)

    sender = threading.Thread(target=send)
    sender.start()
    remote.put("meanwhile", b"x")
    remote.close()
    sender.join()
    assert len(told) == 1
    assert opened(remote.url, **seaweed.settings).stat("big") is None


INTERRUPTED = """
import sys
from dvtool.remote.address import Address
from dvtool.remote.table import open_remote
settings = {"endpointurl": sys.argv[1], "access_key_id": "a", "secret_access_key": "b"}
remote = open_remote(Address("o", "s3://b/x", settings, b"/", {}))
try:
    remote.get("k")
except KeyboardInterrupt:
    remote.close()
    sys.exit(130)
"""


def test_an_interrupt_gets_through_to_a_silent_server() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        child = subprocess.Popen(
            [sys.executable, "-c", INTERRUPTED, f"http://127.0.0.1:{server.getsockname()[1]}"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        connection, _ = server.accept()  # the request is under way; nobody will answer it
        with connection:
            os.kill(child.pid, signal.SIGINT)
            _, errors = child.communicate(timeout=60)
        assert child.returncode == 130, errors.decode()
