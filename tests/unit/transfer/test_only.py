from __future__ import annotations

import pytest

from dvtool.model.ports import Remote
from dvtool.transfer.fetch import fetch
from dvtool.transfer.push import push
from dvtool.transfer.types import Only
from dvtool.transfer.types import PushContext
from tests.support.datasets import content
from tests.support.datasets import store_directory
from tests.unit.transfer.conftest import NewCache

FILES = {
    "a.jpg": content("a", 1000),
    "B.JPG": content("b", 2000),
    "c.tar.gz": content("c", 3000),
    "jpg": content("d", 4000),
    "deep": {"e.jpg": content("e", 200_000), "f.csv": content("f", 5 << 20)},
}


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        (Only(), 6),
        (Only(max_size=3000), 3),
        (Only(suffixes=(b".jpg",)), 3),
        (Only(suffixes=(b".jpg", b".tar.gz")), 4),
        (Only(suffixes=(b".gz",)), 1),
        (Only(max_size=100_000, suffixes=(b".jpg",)), 2),
        (Only(max_size=1), 0),
    ],
)
@pytest.mark.parametrize("dry_run", [False, True])
def test_only_what_was_asked_for_comes(
    new_cache: NewCache, remote: Remote, context: PushContext, only: Only, expected: int, dry_run: bool
) -> None:
    here, there = new_cache(), new_cache("other")
    wanted = store_directory(here, FILES)
    push(here, remote, [wanted], context)
    got = fetch(there, [remote], [wanted], only=only, dry_run=dry_run)
    assert (got.objects, got.left_out) == (expected, 6 - expected)
    assert (got.missing, got.damaged) == ((), ())
    assert (got.left_out_bytes == 0) == (expected == 6)
