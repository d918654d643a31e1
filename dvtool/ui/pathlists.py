"""Lists of paths, for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator

SHOWN = 20


def limited(heading: str, lines: Iterable[str]) -> Iterator[str]:
    """The first lines below a heading, and how many more there are; nothing without lines."""
    every = list(lines)
    if every:
        yield heading
        yield from (f"  {line}" for line in every[:SHOWN])
        if len(every) > SHOWN:
            yield f"  ... and {len(every) - SHOWN:,} more"


def path_list(paths: Iterable[bytes]) -> list[dict[str, bytes]]:
    """Each path under a name, as `dvtool.ui.jsonout` needs it."""
    return [{"path": path} for path in paths]
