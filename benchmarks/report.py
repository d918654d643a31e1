"""The results as a Markdown page."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median

from benchmarks.model import Result

HEAD = """# Benchmarks

Written by `make bench`: dvtool beside other tools on the same data, on the same machine, in turn (A B A B). Times
are medians in seconds of whole commands, with the smallest and the largest in parentheses; page cache warm; durable
writes as each tool has them by default. The ratio is the other tool's median by dvtool's, and in parentheses the median
of the ratios of neighbouring runs. Peak memory is that of the largest process; about 27 MB of it can be the benchmark's
own, because a new process starts as its copy.
"""


def save(results: Sequence[Result], path: Path) -> list[Result]:
    """Merge *results* into the file *path* (newest of each row) and return all, in the order of the file, then new."""
    kept: dict[str, Result] = {}
    if path.exists():
        for raw in json.loads(path.read_text()):
            raw["marks"] = [tuple(mark) for mark in raw["marks"]]
            kept[raw["key"]] = Result(**raw)
    for result in results:
        kept[result.key] = result
    path.write_text(json.dumps([asdict(result) for result in kept.values()], indent=1))
    return list(kept.values())


def page(results: Sequence[Result], *, versions: Mapping[str, str], place: str, scale: float, runs: int) -> str:
    """The whole page."""
    lines = [HEAD, "## Where", ""]
    lines += [f"- {line}" for line in _where(versions, place, scale, runs)]
    lines += ["", "## Times", "", "| work | dvtool | DVC | ratio | others |", "|---|---|---|---|---|"]
    lines += [_times(result) for result in results]
    lines += ["", "## Marks", "", "| work | mark | measured | reached |", "|---|---|---|---|"]
    for result in results:
        for words, measured, reached in result.marks:
            answer = {True: "yes", False: "**no**", None: "not measured"}[reached]
            lines.append(f"| {result.title} | {words} | {measured} | {answer} |")
    lines += [
        "",
        "## Counts, processor time and memory",
        "",
        "| work | who | processor s | peak MB |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {result.title} | {name} | {median(result.cpu[name]):.2f} | {result.peak_mb[name]:.0f} |"
        for result in results
        for name in result.seconds
    ]
    counted = [(result.title, name, value) for result in results for name, value in result.counts.items()]
    if counted:
        lines += ["", "| work | count (dvtool) | |", "|---|---|---|"]
        lines += [f"| {title} | {name} | {value:,g} |" for title, name, value in counted]
    return "\n".join(lines) + "\n"


def _where(versions: Mapping[str, str], place: str, scale: float, runs: int) -> list[str]:
    scaled = "" if scale == 1 else f"; **sizes scaled by {scale:g}, so these are no results**"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    system = f"{platform.system()} {platform.release()}, {platform.machine()}"
    return [
        f"{system}, {os.cpu_count()} processors, {memory:.0f} GiB of memory",
        f"file system: {place}",
        f"Python {platform.python_version()}; " + "; ".join(f"{name}: {text}" for name, text in versions.items()),
        f"{runs} runs of each{scaled}",
    ]


def _times(result: Result) -> str:
    others = [name for name in result.seconds if name not in {"dvtool", "DVC"}]
    ratio, pairs = result.ratio("DVC", "dvtool"), result.pair_ratio("DVC", "dvtool")
    compared = "" if ratio is None or pairs is None else f"{ratio:.1f} ({pairs:.1f})"
    rest = "; ".join(f"{name} {_span(result.seconds[name])}" for name in others)
    cells = [_span(result.seconds.get(name)) for name in ("dvtool", "DVC")]
    return f"| {result.title} | {cells[0]} | {cells[1]} | {compared} | {rest} |"


def _span(seconds: Sequence[float] | None) -> str:
    if not seconds:
        return ""
    digits = 3 if median(seconds) < 1 else 2 if median(seconds) < 10 else 1
    return f"{median(seconds):.{digits}f} ({min(seconds):.{digits}f}-{max(seconds):.{digits}f})"
