from __future__ import annotations

from tests.support.hadoop import hadoop
from tests.support.nginx import nginx
from tests.support.samba import samba
from tests.support.seaweed import seaweed
from tests.support.sshd import sshd

__all__ = ["hadoop", "nginx", "samba", "seaweed", "sshd"]
