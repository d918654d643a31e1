from __future__ import annotations

from tests.support.nginx import nginx
from tests.support.seaweed import seaweed
from tests.support.sshd import sshd

__all__ = ["nginx", "seaweed", "sshd"]
