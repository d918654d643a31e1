from __future__ import annotations

from tests.support.seaweed import seaweed

__all__ = ["seaweed"]
