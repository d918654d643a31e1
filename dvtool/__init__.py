"""dvtool: versions of data, next to Git."""

from __future__ import annotations

__version__ = "0.1.0"
