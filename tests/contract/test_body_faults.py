"""Values that are not what was pushed, on every kind of remote; HDFS, whose server starts slowly: `test_hdfs`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import remotekinds
from tests.support.bodyfaults import find_every_fault
from tests.support.remotekinds import KINDS

azurite, drive, fakegcs, ftpd, nginx, robot_key, samba, seaweed, sshd = remotekinds.FIXTURES


@pytest.mark.parametrize("kind", KINDS)
def test_every_fault_is_found(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> None:
    find_every_fault(tmp_path, KINDS[kind](request, tmp_path))
