"""Checking a remote for adopted data: it lies where the other tool put it, beside our store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dvtool.formats.dvcplaces import object_key
from dvtool.model.paths import show
from dvtool.model.ports import Remote
from dvtool.store.fsck.values import Finding
from dvtool.store.fsck.values import Kind
from dvtool.store.fsck.values import StoreReport
from dvtool.transfer.adoptcheck import absent_adopted
from dvtool.transfer.types import Wanted

_FIX = "dvc push"


def with_adopted(report: StoreReport, remote: Remote, wanted: Sequence[Wanted]) -> StoreReport:
    """The report with what *remote* lacks of adopted data; of a directory its manifest is looked for.

    Raises `StorageError`.
    """
    absent = absent_adopted(remote, wanted)
    return replace(report, findings=(*(_finding(remote, one) for one in absent), *report.findings))


def _finding(remote: Remote, one: Wanted) -> Finding:
    key = object_key(one.stated, is_manifest=one.directory)
    why = f"{show(one.path)}: {key} is not on {remote.name}"
    return Finding(Kind.MISSING, remote.name, one.path, why, one.oid, (one.path,), 1, _FIX)
