"""Many small reads from S3: who makes them, that they are the same, and what happens when they go wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dvtool.errors import AccessDenied
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.model.ports import Gathering
from dvtool.model.ports import Remote
from dvtool.remote.address import Address
from dvtool.remote.drivers.s3 import light
from dvtool.remote.keys import ANY
from dvtool.remote.keys import Keyed
from dvtool.remote.table import open_bare
from dvtool.remote.table import open_remote
from dvtool.testing.remote_suite import RemoteSuite
from tests.faults.proxy import KINDS
from tests.faults.proxy import Kind
from tests.faults.proxy import Proxy
from tests.faults.proxy import Request
from tests.support.seaweed import Seaweed

pytestmark = pytest.mark.s3

AGENT = re.compile(rb"(?im)^user-agent: *([^\r\n]*)")


class Heard(Proxy):
    """Knows who asked."""

    def __init__(self, upstream: str) -> None:
        super().__init__(upstream)
        self.agents: list[str] = []

    def _enter(self, request: Request) -> Kind:
        found = AGENT.search(request.head)
        self.agents.append("botocore" if found and b"otocore" in found[1] else "light")
        return super()._enter(request)


@pytest.fixture
def heard(seaweed: Seaweed) -> Iterator[Heard]:
    proxy = Heard(seaweed.endpoint)
    with proxy:
        yield proxy


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the second read on."""
    monkeypatch.setattr(light, "_AFTER", 0)


def address(seaweed: Seaweed, endpoint: str | None = None, **settings: str) -> Address:
    found = {**seaweed.settings, "endpointurl": endpoint or seaweed.endpoint, **settings}
    return Address("origin", seaweed.new_url(), found, b"/", {})


def filled(remote: Remote, number: int) -> dict[str, bytes]:
    values = {f"data/{each}": b"%d " % each * 50 for each in range(number)}
    for key, data in values.items():
        remote.put(key, data)
    return values


@pytest.mark.usefixtures("at_once")
class TestLightReads(RemoteSuite):
    many = 60

    @pytest.fixture
    def address(self, seaweed: Seaweed) -> Address:
        # Every request brings the key with it: the headers of botocore's are needed.
        return address(seaweed, sse_customer_key="k" * 32)

    @pytest.fixture
    def open_absent(self, seaweed: Seaweed) -> object:
        return lambda: open_bare(Address("origin", "s3://no-such-bucket/x", seaweed.settings, b"/", {}))


def test_a_few_reads_are_left_to_botocore(seaweed: Seaweed, heard: Heard) -> None:
    with closing(open_bare(address(seaweed, heard.endpoint))) as remote:
        values = filled(remote, 40)
        heard.agents.clear()
        for key, data in values.items():
            assert remote.get(key, 0, len(data)) == data
        assert heard.agents == ["botocore"] * 33 + ["light"] * 7


@pytest.mark.usefixtures("at_once")
def test_any_name_is_signed_as_the_server_reads_it(seaweed: Seaweed, heard: Heard) -> None:
    names = ["größe 1", "a+b&c%20(1)'~.txt", "#x@y=1,2;3$!.bin", "a/b?c", 'quo"te', "日本/語", "*[]{}|^`<>:"]
    with closing(open_bare(address(seaweed, heard.endpoint))) as remote:
        assert isinstance(remote, Keyed)
        remote.keys = ANY
        for name in names:
            remote.put(name, name.encode())
        heard.agents.clear()
        for name in 2 * names:
            assert remote.get(name, 0, len(name.encode())) == name.encode()
        assert heard.agents == ["botocore"] + ["light"] * (2 * len(names) - 1)


@pytest.mark.usefixtures("at_once")
def test_what_is_no_plain_answer_is_botocores_to_explain(seaweed: Seaweed, heard: Heard) -> None:
    with closing(open_bare(address(seaweed, heard.endpoint))) as remote:
        filled(remote, 3)
        remote.get("data/0", 0, 2)
        heard.agents.clear()
        with pytest.raises(MissingData, match="data/nope is not there"):
            remote.get("data/nope", 0, 5)
        with pytest.raises(StorageError, match="ends before"):
            remote.get("data/1", 5_000, 5)
        assert heard.agents[:2] == ["light", "botocore"]
        heard.agents.clear()
        assert remote.get("data/1", 0, 2) == b"1 "
        assert heard.agents == ["light"]


@pytest.mark.usefixtures("at_once")
def test_who_is_refused_asks_no_more(seaweed: Seaweed, heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(open_bare(address(seaweed, heard.endpoint))) as remote:
        values = filled(remote, 2)
        monkeypatch.setattr(light.LightReads, "_signature", _wrong_signature)
        heard.agents.clear()
        for _ in range(8):
            assert remote.get("data/1", 0, 100) == values["data/1"]
        assert heard.agents.count("light") == 3
        assert heard.agents[-4:] == ["botocore"] * 4


async def _wrong_signature(*_: object) -> dict[str, str]:
    return {"Authorization": "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/s3/aws4_request, Signature=0"}


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("flip", "short")])
def test_a_line_that_goes_wrong_is_tried_again(seaweed: Seaweed, heard: Heard, kind: Kind) -> None:
    settings = {"read_timeout": "1"} if kind == "stall" else {}
    with closing(open_remote(address(seaweed, heard.endpoint, **settings))) as remote:
        values = filled(remote, 12)
        remote.get("data/0", 0, 2)
        remote.get("data/0", 0, 2)
        heard.agents.clear()
        heard.arm(kind, at=3)
        for key, data in values.items():
            assert remote.get(key, 0, len(data)) == data
        assert heard.fired
        assert heard.agents.count("light") >= 11


@pytest.mark.usefixtures("at_once")
def test_many_values_come_in_one_call(seaweed: Seaweed, heard: Heard) -> None:
    with closing(open_remote(address(seaweed, heard.endpoint))) as remote:
        assert isinstance(remote, Gathering)
        values = filled(remote, 8)
        wanted = [(key, len(data)) for key, data in values.items()]
        assert remote.get_each(wanted) == [None] * 8
        remote.get("data/0", 0, 2)
        heard.agents.clear()
        assert remote.get_each(wanted) == list(values.values())
        assert remote.get_each([("data/1", 2), ("data/nope", 5), ("data/2", 0), ("data/3", 2)]) == [
            b"1 ",
            None,
            None,
            b"3 ",
        ]
        assert set(heard.agents) == {"light"}
        heard.agents.clear()
        heard.arm("cut", at=5)
        assert remote.get_each(wanted) == list(values.values())
        assert heard.agents == ["light"] * 13


def test_what_a_remote_does_not_gather_is_asked_for_alone(tmp_path: Path) -> None:
    with closing(open_remote(Address("o", str(tmp_path), {}, b"/", {}))) as remote:
        assert isinstance(remote, Gathering)
        remote.put("k", b"value")
        assert remote.get_each([("k", 5), ("k", 2)]) == [None, None]


@pytest.mark.usefixtures("at_once")
def test_wrong_keys_are_told_as_before(seaweed: Seaweed) -> None:
    with closing(open_bare(address(seaweed, secret_access_key="wrong"))) as remote:
        for _ in range(3):
            with pytest.raises(AccessDenied):
                remote.get("data/k", 0, 5)
