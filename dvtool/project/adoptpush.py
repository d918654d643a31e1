"""What a push does about adopted data: nothing is sent, and what nobody could bring back is an error."""

from __future__ import annotations

from collections.abc import Sequence

from dvtool.errors import DvtoolError
from dvtool.errors import MissingData
from dvtool.model.digest import as_digest
from dvtool.model.paths import show
from dvtool.model.ports import SILENT
from dvtool.model.ports import Remote
from dvtool.model.ports import Reporter
from dvtool.project.config import Config
from dvtool.project.remotes import Remotes
from dvtool.project.routes import Route
from dvtool.store.cache import Cache
from dvtool.transfer.adoptcheck import absent_adopted
from dvtool.transfer.cloudstatus import remote_status
from dvtool.transfer.types import MissingItem
from dvtool.transfer.types import Wanted

ADOPTS = "adopts"


def split_adopted(wanted: Sequence[Wanted]) -> tuple[list[Wanted], list[Wanted]]:
    """What is ours, and what other tools' digests state."""
    return [one for one in wanted if not one.stated], [one for one in wanted if one.stated]


def lacking_on(
    cache: Cache, remote: Remote, wanted: Sequence[Wanted], *, jobs: int = 0, reporter: Reporter = SILENT
) -> tuple[MissingItem, ...]:
    """As `remote_status`, also of adopted data, which is looked for where the other tool put it."""
    ours, adopted = split_adopted(wanted)
    found = remote_status(cache, remote, ours, jobs=jobs, reporter=reporter) if ours else ()
    absent = absent_adopted(remote, adopted, jobs=jobs)
    return (*found, *(MissingItem(one.path, one.oid, one.size) for one in absent))


def require_adopted(config: Config, remotes: Remotes, going: Sequence[Route], reporter: Reporter) -> None:
    """Say that adopted data stays where it is. Raises `MissingData` where the remote does not have it there."""
    lacking: list[tuple[str, Wanted]] = []
    for (name,), some in going:
        if ADOPTS in config.remote(name).options:
            lacking += [(name, one) for one in absent_adopted(remotes.get(name), some)]
        else:
            lacking += [(name, one) for one in some]
        here = len(some) - sum(remote == name for remote, _ in lacking)
        if here:
            what = f"{show(some[0].path)} is" if len(some) == 1 else f"{here:,} paths are"
            reporter.note(f"left out: {what} on {name} as DVC stored it" + ("" if len(some) == 1 else " there"))
    if not lacking:
        return
    causes = [
        MissingData(f"{show(one.path)} ({as_digest(one.stated)}) is not on {name} as DVC stores it", path=one.path)
        for name, one in lacking
    ]
    hint = f"`dvc push` brings it there; or state it anew, and push that: dvtool add {show(lacking[0][1].path)}"
    if len(causes) == 1:
        causes[0].hint = hint
        raise causes[0]
    names = " or ".join(dict.fromkeys(name for name, _ in lacking))
    everything: tuple[DvtoolError, ...] = tuple(causes)
    raise MissingData(f"{len(causes):,} paths that DVC stated are not on {names}", hint=hint, causes=everything)
