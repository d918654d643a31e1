"""Every marked command of the README, the tutorial and the how-to pages does what the page says.

A block marked with ``<!-- run -->`` in the line before is a terminal: lines that begin with ``$ ``
are commands, the others are lines of their output, in order; ``...`` stands for what is left out. Lines up to
``END`` belong to a command that ends in ``<<'END'``. A comment
``exits with N`` behind a command is its exit code, else it is 0. ``<!-- run`` with commands up to
``-->`` is run too and not shown. A page starts in an empty directory with an empty home.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["README.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("[th]*/*.md"))]

_BLOCK = re.compile(
    r"^<!-- run\n(?P<hidden>.*?)^-->$|^<!-- run -->\n```console\n(?P<shown>.*?)^```$", re.MULTILINE | re.DOTALL
)
_HERE = re.compile(r"<<'(\w+)'$")
_EXIT = re.compile(r"#.*\bexits with (\d+)")
# What differs from run to run, or with the last byte of a format.
_VARIABLE = (
    (re.compile(r"\b[0-9a-f]{7,64}\b"), "HASH"),
    (re.compile(r"\b\d{4}-\d\d-\d\d( \d\d:\d\dZ)?\b"), "DATE"),
    (re.compile(r"\b(sent|fetched) .*? \([\d.]+ [kMGT]?B\)"), r"\1 SOME"),
)


@dataclass(frozen=True)
class Step:
    """A command and what the page says about it; ``output`` None: nothing is said."""

    command: str
    code: int
    output: tuple[str, ...]


def steps(text: str) -> Iterator[Step]:
    for block in _BLOCK.finditer(text):
        if block["hidden"] is not None:
            yield Step("set -e\n" + block["hidden"], 0, ())
            continue
        for chunk in re.split(r"^\$ ", block["shown"], flags=re.MULTILINE)[1:]:
            command, *output = chunk.rstrip("\n").split("\n")
            if here := _HERE.search(command):
                end = output.index(here[1]) + 1
                command, output = "\n".join([command, *output[:end]]), output[end:]
            found = _EXIT.search(command)
            yield Step(command, int(found[1]) if found else 0, tuple(line for line in output if line))


def normal(text: str) -> str:
    for pattern, word in _VARIABLE:
        text = pattern.sub(word, text)
    return text


def shows(wanted: tuple[str, ...], output: str) -> str | None:
    """The first line of *wanted* that *output* does not have where it should."""
    at = 0
    lines = [normal(line).strip() for line in output.split("\n")]
    for line in wanted:
        if line.strip() == "...":
            continue
        pattern = ".*".join(re.escape(part) for part in normal(line).strip().split("..."))
        while at < len(lines) and not re.fullmatch(pattern, lines[at]):
            at += 1
        if at == len(lines):
            return line
        at += 1
    return None


class Terminal:
    """A shell that keeps its directory from command to command."""

    def __init__(self, place: Path, home: Path) -> None:
        self.at = str(place)
        self._memory = home / "at"
        who = {f"GIT_{role}_NAME": "Ada" for role in ("AUTHOR", "COMMITTER")}
        self._environment = {**os.environ, **who, "HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config")}

    def run(self, command: str) -> tuple[int, str]:
        script = f"trap 'pwd > \"{self._memory}\"' EXIT\n{command}\n"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.at,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            text=True,
        )
        self.at = self._memory.read_text().rstrip("\n")
        return done.returncode, done.stdout


def marked(page: str) -> list[Step]:
    return list(steps((ROOT / page).read_text(encoding="utf-8")))


def first_difference(page: str, place: Path) -> str | None:
    """What the first command printed that does not do what *page* says."""
    work, home = place / "work", place / "home"
    work.mkdir()
    home.mkdir()
    terminal = Terminal(work, home)
    for step in marked(page):
        code, output = terminal.run(step.command)
        said = f"$ {step.command}\n{output}"
        if code != step.code:
            return f"exit code {code} instead of {step.code}:\n{said}"
        if (line := shows(step.output, output)) is not None:
            return f"{line!r} is not in:\n{said}"
    return None


RUN = [page for page in PAGES if marked(page)]


@pytest.fixture(scope="module")
def readings(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[str | None]]]:
    """All chosen pages at once: they wait for processes most of the time. The longest begin."""
    chosen = {item.callspec.params.get("page") for item in request.session.items if hasattr(item, "callspec")}
    pages = sorted(chosen.intersection(RUN), key=lambda page: -len(marked(page)))
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        yield {page: pool.submit(first_difference, page, tmp_path_factory.mktemp("page")) for page in pages}


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.parametrize("page", RUN)
def test_the_page_does_what_it_says(readings: dict[str, Future[str | None]], page: str) -> None:
    difference = readings[page].result()
    assert difference is None, difference


def test_readme_and_tutorial_are_run() -> None:
    assert set(RUN) >= {"README.md", "docs/tutorial/getting-started.md", "docs/tutorial/pipelines.md"}


def test_a_line_that_is_not_there_is_found() -> None:
    assert shows(("one", "...", "three ... 3"), "zero\none\ntwo\nthree of 3\n") is None
    assert shows(("one", "two"), "two\none\n") == "two"
    assert shows(("at 1234567 there",), "at 89abcdef there") is None
    assert list(steps("<!-- run -->\n```console\n$ ls nope   # exits with 2\nls: no\n```\n")) == [
        Step("ls nope   # exits with 2", 2, ("ls: no",))
    ]
    assert list(steps("<!-- run -->\n```console\n$ cat <<'END'\na\n\nb\nEND\na\n```\n")) == [
        Step("cat <<'END'\na\n\nb\nEND", 0, ("a",))
    ]
