"""Reading back what a push has sent: every byte of the new packs, the tables of those that it relies on."""

from __future__ import annotations

from dvtool.errors import DvtoolError
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.model.ports import SILENT
from dvtool.model.ports import Remote
from dvtool.model.ports import Reporter
from dvtool.store.cache import Cache
from dvtool.transfer.fsck.whole import LookJob
from dvtool.transfer.fsck.whole import PackLook
from dvtool.transfer.fsck.whole import look_at
from dvtool.transfer.fsck.whole import temporaries
from dvtool.transfer.parallel import Workers
from dvtool.transfer.parallel import threads_for
from dvtool.transfer.presence import key_of
from dvtool.transfer.types import PushResult

_AT_ONCE = 256 << 20


def verify_push(cache: Cache, remote: Remote, result: PushResult, *, jobs: int = 0, reporter: Reporter = SILENT) -> int:
    """The bytes that were read back. Raises `IntegrityError` with a cause for each damaged pack, `MissingData`
    for one that is gone, `StorageError`.
    """
    sent = set(result.sent)
    total = sum(pack.size for pack in sent)
    causes: list[DvtoolError] = []
    reporter.begin("reading back", total=total or None, unit="bytes")
    with temporaries(cache, reporter) as tmp, Workers(threads_for([remote], jobs)) as workers:
        packs = dict.fromkeys((*result.sent, *result.relied))
        looks = [LookJob(remote, pack, tmp if pack in sent else b"") for pack in packs]
        for look in workers.map(look_at, looks, cost=lambda job: job.pack.size if job.tmp else 0, budget=_AT_ONCE):
            reporter.advance(look.pack.size if look.whole else 0)
            causes += _problem(remote, look)
    reporter.end()
    if not causes:
        return total
    what = f"remote {remote.name} does not give back what was pushed"
    hint = f"dvtool fsck --remote {remote.name} --repair"
    is_damage = any(isinstance(cause, IntegrityError) for cause in causes)
    raise (IntegrityError if is_damage else MissingData)(what, hint=hint, causes=tuple(causes))


def _problem(remote: Remote, look: PackLook) -> list[DvtoolError]:
    if look.why:
        return [IntegrityError(look.why, path=key_of(look.pack))]
    if not look.table:
        return [MissingData(f"remote {remote.name}: {key_of(look.pack)} is gone", path=key_of(look.pack))]
    return []
