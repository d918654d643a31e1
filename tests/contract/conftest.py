from __future__ import annotations

from tests.support.nginx import nginx
from tests.support.samba import samba
from tests.support.seaweed import seaweed
from tests.support.sshd import sshd

__all__ = ["nginx", "samba", "seaweed", "sshd"]
