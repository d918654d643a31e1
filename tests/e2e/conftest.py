from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e import clones
from tests.e2e.warm import warm_process
from tests.support.nginx import nginx
from tests.support.samba import samba
from tests.support.seaweed import seaweed
from tests.support.sshd import sshd

__all__ = ["nginx", "samba", "seaweed", "sshd"]


@pytest.fixture(scope="session", autouse=True)
def warm(tmp_path_factory: pytest.TempPathFactory, world: object) -> Iterator[None]:
    """Commands start in forks of one process that has imported dvtool. The story alone starts them anew."""
    with warm_process(tmp_path_factory.mktemp("warm")) as process:
        clones.warm = process
        yield
        clones.warm = None
