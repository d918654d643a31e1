"""What a check found, for people and for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from dvtool.api.fsck import FsckResult
from dvtool.model.digest import as_digest
from dvtool.model.paths import show
from dvtool.store.fsck.values import Counts
from dvtool.store.fsck.values import Finding
from dvtool.store.fsck.values import Severity
from dvtool.store.fsck.values import StoreReport
from dvtool.ui.counts import count
from dvtool.ui.sizes import size

_PATHS_SHOWN = 5
_WORDS = {Severity.DAMAGE: "damaged", Severity.MISSING: "missing", Severity.NOTE: "note"}


def fsck_lines(result: FsckResult, *, verbose: bool) -> Iterator[str]:
    """Each finding: what, which paths, what to run; then one line of summary."""
    report = result.report
    if result.before is not None:
        yield from _repaired(result.before, report)
    for finding in report.findings:
        yield f"{_WORDS[finding.severity]}: {finding.why}"
        yield from _paths(finding, None if verbose else _PATHS_SHOWN)
        if finding.fix:
            yield f"    next: {finding.fix}"
    yield _summary(report)


def _repaired(before: StoreReport, after: StoreReport) -> Iterator[str]:
    left = {(finding.kind, finding.place) for finding in after.findings}
    for finding in before.findings:
        if (finding.kind, finding.place) not in left and finding.severity is not Severity.NOTE:
            yield f"repaired: {finding.why}"


def _paths(finding: Finding, limit: int | None) -> Iterator[str]:
    times = Counter(finding.paths)
    shown = list(times)[:limit]
    for path in shown:
        yield f"    {show(path)}" + (f"  ({times[path]:,} versions)" if times[path] > 1 else "")
    more = finding.affected - sum(times[path] for path in shown)
    if shown and more > 0:
        yield f"    and {count(more, 'more path')}"
    if not finding.affected and finding.severity is Severity.DAMAGE:
        yield "    none of the paths that were checked needs it"


def _summary(report: StoreReport) -> str:
    where = f"remote {report.store}" if report.store else "cache"
    counts = report.counts
    looked = (
        f"{count(counts.packs, 'pack')}, {count(counts.loose, 'large file')}, {count(counts.paths, 'tracked file')}"
    )
    if counts.bytes_hashed:
        looked += f"; {size(counts.bytes_hashed)} read and hashed"
    errors = [finding for finding in report.findings if finding.severity is not Severity.NOTE]
    verdict = count(len(errors), "problem") if errors else "sound"
    return f"{where}: {verdict} ({looked})"


def fsck_json(result: FsckResult) -> dict[str, object]:
    """The same for programs."""
    report = result.report
    return {
        "store": report.store or "cache",
        "findings": [_finding(finding) for finding in report.findings],
        "before": None if result.before is None else [_finding(finding) for finding in result.before.findings],
        "checked": _checked(report.counts),
    }


def _checked(counts: Counts) -> dict[str, int]:
    return {
        "packs": counts.packs,
        "objects": counts.objects,
        "loose": counts.loose,
        "indexes": counts.indexes,
        "files_read": counts.files_read,
        "bytes_hashed": counts.bytes_hashed,
        "tracked_files": counts.paths,
    }


def _finding(finding: Finding) -> dict[str, object]:
    return {
        "kind": finding.kind,
        "severity": finding.severity,
        "store": finding.store or "cache",
        "place": finding.place,
        "why": finding.why,
        "digest": None if finding.digest is None else str(as_digest(finding.digest)),
        "paths": [{"path": path} for path in finding.paths],
        "affected": finding.affected,
        "fix": finding.fix or None,
    }
