"""What every remote must do, as a class to inherit from; see docs/how-to/write-a-remote.md.

class TestMine(RemoteSuite):
    @pytest.fixture
    def address(self, my_server: MyServer) -> Address:
        return Address("origin", my_server.new_url(), my_server.settings, b"/", {})

    @pytest.fixture
    def open_absent(self, my_server: MyServer) -> OpenClient:
        return lambda: open_remote(Address("origin", "mine://no-such-bucket/x", my_server.settings, b"/", {}))
"""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from dvtool.model.ports import Remote
from dvtool.remote.address import Address
from dvtool.remote.conformance.bench import MIB
from dvtool.remote.conformance.bench import Bench
from dvtool.remote.conformance.checks import CHECKS
from dvtool.remote.conformance.checks import Check
from dvtool.remote.table import open_bare

__all__ = ["CHECKS", "Check", "OpenClient", "RemoteSuite", "Wrap"]

OpenClient = Callable[[], Remote]
Wrap = Callable[[Remote], Remote]


class RemoteSuite:
    """A subclass gives the fixtures ``address`` (an empty place, new for each test) and ``open_absent``.

    Clients come from the table of drivers; ``open_client`` can be given instead, and then clients
    in other processes are not tried. ``wrap`` is applied to each client.
    """

    large: ClassVar[int] = 20 * MIB
    """Bytes of a large value: more than a driver sends in one part."""
    many: ClassVar[int] = 3_000
    """Keys in the long listing: more than a page of the server."""

    @pytest.fixture
    def address(self) -> Address | None:
        """An empty place on the server."""
        return None

    @pytest.fixture
    def open_client(self, address: Address | None) -> OpenClient:
        """Opens a new client of one and the same empty place at each call."""
        assert address is not None, "give the fixture `address`, or `open_client`"
        return lambda: open_bare(address)

    @pytest.fixture
    def open_writer(self) -> OpenClient | None:
        """For a remote that can only be read: opens a client of another kind that writes to the same place."""
        return None

    @pytest.fixture
    def open_absent(self) -> OpenClient | None:
        """Opens a client of a place that does not exist: another bucket, another directory."""
        pytest.fail("give the fixture `open_absent`: a client of a place that does not exist")

    @pytest.fixture
    def wrap(self) -> Wrap:
        """Applied to each client."""
        return lambda remote: remote

    @pytest.fixture
    def bench(
        self,
        address: Address | None,
        open_client: OpenClient,
        open_writer: OpenClient | None,
        open_absent: OpenClient | None,
        wrap: Wrap,
        tmp_path: Path,
    ) -> Iterator[Bench]:
        (tmp_path / "bench").mkdir()
        bench = Bench(
            open_client=lambda: wrap(open_client()),
            open_bare=open_client,
            open_writer=open_writer,
            open_absent=None if open_absent is None else lambda: wrap(open_absent()),
            address=address,
            folder=os.fsencode(tmp_path / "bench"),
            large=self.large,
            many=self.many,
        )
        yield bench
        bench.close()

    @pytest.mark.parametrize("check", CHECKS, ids=[check.name for check in CHECKS])
    def test_remote(self, bench: Bench, check: Check) -> None:
        if lacking := check.lacks(bench):
            pytest.skip(f"without {lacking}")
        check.run(bench)
