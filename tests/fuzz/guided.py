"""One parser under atheris, which looks for inputs that reach new branches.

``python -m tests.fuzz.guided NAME FOLDER`` fuzzes the parser of that name.

The process ends with the parser's first uncaught error, or after `RUNS` inputs.
"""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

RUNS = 100_000
LONGEST = 4_096
SECONDS_FOR_ONE = 20
"""An input that takes longer is a failure too: no parser may be made to think."""
MEMORY_MB = 2_048


class Guided(NamedTuple):
    """How many inputs a parser took, and what was wrong with the last one; empty for nothing."""

    runs: int
    problem: str


def why_not() -> str:
    """The reason why atheris cannot run here; empty where it can."""
    return "" if find_spec("atheris") is not None else "atheris is not installed: it has no wheel for this Python"


def run(name: str, folder: Path) -> Guided:
    """Fuzz one parser in a process of its own, with its seeds and its findings in *folder*."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.guided", name, folder],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        check=False,
    )
    text = done.stderr.decode("utf-8", "backslashreplace") + done.stdout.decode("utf-8", "backslashreplace")
    counted = re.search(r"stat::number_of_executed_units: +(\d+)", text)
    runs = int(counted[1]) if counted is not None else 0
    if done.returncode == 0 and runs >= RUNS:
        return Guided(runs, "")
    what = text[max(0, text.find("=== Uncaught")) :][-2_000:]
    return Guided(runs, f"{name}: exit {done.returncode} after {runs} inputs: {what}")


def main() -> None:
    """Does not return: libFuzzer ends the process."""
    import atheris

    name, folder = sys.argv[1], Path(sys.argv[2])
    with atheris.instrument_imports(include=["dvtool"]):
        from tests.fuzz.targets import by_name
        from tests.fuzz.targets import harmless
        from tests.fuzz.targets import sealed
    target = by_name([name])[0]
    seeds = folder / "seeds"
    seeds.mkdir()
    for number, seed in enumerate(target.seeds):
        (seeds / str(number)).write_bytes(seed)

    def once(data: bytes) -> None:
        harmless(target, data)
        harmless(target, sealed(target, data))

    options: dict[str, object] = {
        "runs": RUNS,
        "seed": 1,
        "max_len": max(LONGEST, *map(len, target.seeds)),
        "timeout": SECONDS_FOR_ONE,
        "rss_limit_mb": MEMORY_MB,
        "artifact_prefix": f"{folder}/",
        "print_final_stats": 1,
    }
    if target.words:
        options["dict"] = folder / "words"
        (folder / "words").write_text("".join(f'"{_escaped(word)}"\n' for word in target.words))
    atheris.Setup([sys.argv[0], *(f"-{key}={value}" for key, value in options.items()), str(seeds)], once)
    atheris.Fuzz()


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    main()
