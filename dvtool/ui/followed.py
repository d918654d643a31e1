"""What hooks did after Git had done its part, in a few lines."""

from __future__ import annotations

from collections.abc import Iterator

from dvtool.api.follow import Followed
from dvtool.api.follow import FollowResult
from dvtool.model.paths import show
from dvtool.ui.counts import count
from dvtool.ui.sizes import size


def followed_lines(result: FollowResult) -> Iterator[str]:
    """Nothing where nothing changed; errors are told by themselves."""
    for one in result.projects:
        place = f" in {show(one.root)}" if one.root else ""
        done = ", ".join(_done(one))
        if done:
            written = f" ({size(one.result.bytes_written)})" if one.result.bytes_written else ""
            yield f"dvtool{place}: {done}{written}"
        if one.result.missing and one.request.allow_missing:
            paths = count(len(one.result.missing), "path")
            yield f"dvtool{place}: {paths} not in the cache; `dvtool pull` fetches what is missing"


def _done(one: Followed) -> Iterator[str]:
    result = one.result
    for amount, word in ((result.created, "created"), (result.replaced, "replaced"), (result.removed, "removed")):
        if amount:
            yield f"{amount:,} {word}"
