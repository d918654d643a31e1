"""Run the rows and write the page."""

from __future__ import annotations

import argparse
import os
import pstats
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from benchmarks import places
from benchmarks import report
from benchmarks import rows
from benchmarks import rows_large
from benchmarks import rows_line
from benchmarks import rows_pipeline
from benchmarks import rows_python
from benchmarks import rows_sources
from benchmarks import s3
from benchmarks import tools
from benchmarks.measure import CommandFailed
from benchmarks.model import Contender
from benchmarks.model import Result
from benchmarks.model import Row
from benchmarks.scenes import Bench

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "explanation" / "benchmarks.md"

ROWS: dict[str, Callable[[Bench], Row]] = {
    "add100k": rows.add,
    "status": rows.status,
    "add1": rows.add_again,
    "checkout": rows.checkout,
    "push": rows.push,
    "pull": rows.pull,
    "s3push": rows.s3_push,
    "s3pull": rows.s3_pull,
    "nothing": rows.push_nothing,
    "onefolder": rows.one_folder_add,
    "onefolderpush": rows.one_folder_push,
    "large": rows_large.large_add,
    "insert": rows_large.large_insert,
    "version": rows_large.version,
    "empty": rows_large.empty_status,
    "million": rows_large.million,
    "s3up": rows_line.s3_up,
    "s3down": rows_line.s3_down,
    "dirup": rows_line.directory_up,
    "dirdown": rows_line.directory_down,
    "smallup": rows_line.small_up,
    "smalldown": rows_line.small_down,
    "slowup": rows_line.slow_up,
    "slowdown": rows_line.slow_down,
    "onechange": rows_line.one_changed,
    "stages": rows_pipeline.first_run,
    "stagesagain": rows_pipeline.nothing_changed,
    "stagesstatus": rows_pipeline.status,
    "stagesdag": rows_pipeline.dag,
    "atonce": rows_pipeline.at_once,
    "plan": rows_pipeline.plan,
    "firstcsv": rows_python.first_rows_csv,
    "firstparquet": rows_python.first_rows_parquet,
    "names": rows_python.names,
    "urlimport": rows_sources.import_prefix,
    "urlupdate": rows_sources.update_prefix,
    "dvcremote": rows_sources.pull_dvc,
}


def main() -> int:
    options = _arguments()
    bench_directory = ROOT / ".bench"
    bench_directory.mkdir(exist_ok=True)
    home = bench_directory / "home"
    results: list[Result] = []
    failed: list[str] = []
    with ExitStack() as stack:
        place = stack.enter_context(places.chosen(bench_directory, options.place, options.scale))
        taking_part = [] if options.only_peer else [tools.dvtool(home)]
        if not options.no_peer:
            taking_part.append(tools.dvc(bench_directory, home))
        for tool in taking_part:
            tool.environment = {**tool.environment, **s3.ENVIRONMENT}
        restic = None if options.no_peer else tools.restic()
        servers = stack.enter_context(ExitStack())
        bench = Bench(place.path, options.scale, taking_part, restic, servers)
        versions = tools.versions(taking_part)
        print(f"on {place.what}; " + "; ".join(f"{name}: {text}" for name, text in versions.items()), flush=True)
        for key in options.rows:
            print(f"{key}", flush=True)
            try:
                results.append(measure(key, ROWS[key](bench), options.runs, bench, options.profile))
            except CommandFailed as error:
                failed.append(key)
                print(f"  FAILED: {error}", flush=True)
            bench.clear()
    whole = options.scale == 1 and not options.no_peer and not options.only_peer
    suffix = "" if whole else "-trial"
    everything = report.save(results, bench_directory / f"results{suffix}.json")
    if not whole:
        everything = results
    text = report.page(everything, versions=versions, place=place.what, scale=options.scale, runs=options.runs)
    target = PAGE if whole else bench_directory / "benchmarks.md"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    print(f"\n{text}\nwritten to {target}")
    missed = [f"{result.key}: {words} ({got})" for result in results for words, got, ok in result.marks if ok is False]
    for line in missed:
        print(f"mark not reached: {line}")
    for key in failed:
        print(f"row failed: {key}")
    return 1 if failed else 0


def measure(key: str, row: Row, runs: int, bench: Bench, profile: bool) -> Result:
    """Run the contenders in turn, *runs* times, then count, then judge."""
    result = Result(key, row.title)
    for run in range(runs * row.repeat):
        for contender in row.contenders:
            contender.prepare(run)
            os.sync()
            sample = contender.run(run)
            result.add(contender.name, sample)
            print(f"  {contender.name}: {sample.seconds:.3f} s, {sample.peak_mb:.0f} MB", flush=True)
    for contender in row.contenders:
        if contender.check is not None:
            contender.check()
    if row.count is not None and bench.dvtool.name == "dvtool":
        try:
            result.counts.update(row.count())
            print(f"  {result.counts}", flush=True)
        except CommandFailed as error:
            print(f"  NOT COUNTED: {error}", flush=True)
    if profile:
        _profile(key, row.contenders[0], runs * row.repeat, bench)
    result.marks.extend(mark.judge(result) for mark in row.marks)
    for words, measured, reached in result.marks:
        print(f"  {words}: {measured} {'' if reached is None else 'reached' if reached else 'NOT REACHED'}", flush=True)
    return result


def _profile(key: str, contender: Contender, run: int, bench: Bench) -> None:
    """One more run under cProfile; the file stays in ``.bench`` for other viewers."""
    target = ROOT / ".bench" / f"{key}.prof"
    contender.prepare(run)
    bench.dvtool.wrapper = (sys.executable, "-m", "cProfile", "-o", str(target))
    try:
        contender.run(run)
    finally:
        bench.dvtool.wrapper = ()
    print(f"  profile: {target}")
    pstats.Stats(str(target)).sort_stats("cumulative").print_stats(30)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rows", type=_row_names, default=list(ROWS), help=f"some of {','.join(ROWS)}")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="0.1: a tenth of the files, for a try")
    parser.add_argument("--no-peer", action="store_true", help="dvtool only (git, tar, cp and find take part)")
    parser.add_argument("--only-peer", action="store_true", help="the peers only, to try this program")
    parser.add_argument("--place", type=Path, help="work in this directory instead of an XFS loop mount or memory")
    parser.add_argument("--profile", action="store_true", help="one more run of each row under cProfile")
    return parser.parse_args()


def _row_names(text: str) -> list[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in ROWS]
    if unknown:
        raise argparse.ArgumentTypeError(f"no row called {', '.join(unknown)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
