"""What the stories look at: files with their bytes, the packs of stores, and whether a cache is sound."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.clones import Clone
from tests.e2e.clones import run_in


def packs(store: Path) -> list[Path]:
    """The packs of a remote or a cache."""
    return sorted(path for folder in ("data", "meta") for path in (store / folder).rglob("*") if path.is_file())


def contents(place: Path) -> dict[str, bytes]:
    """Every file below, with its bytes."""
    return {str(path.relative_to(place)): path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()}


def assert_sound(clone: Clone, *, whole: bool = False) -> None:
    """Every object in the clone's cache is what its name says; with *whole* none is missing."""
    done = run_in(clone.root, ["dvtool", "fsck", "--deep", "--json"], b"", clone.environ)
    kinds = {found["kind"] for found in json.loads(done.out)["findings"]}
    assert kinds <= ({"leftover"} if whole else {"leftover", "missing"}), done
