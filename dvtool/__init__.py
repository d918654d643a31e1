"""dvtool: versions of data, models and pipelines, next to Git."""

from __future__ import annotations

__version__ = "0.1.0"
