"""Helper processes: every job is answered, errors come back typed, nobody waits for the dead."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from contextlib import contextmanager
from pathlib import Path

import pytest

from dvtool.disk.crew import Crew
from dvtool.errors import IntegrityError
from dvtool.errors import StorageError


@contextmanager
def crew(directory: Path, count: int = 2) -> Iterator[Crew]:
    with closing(Crew("tests.support.crewwork:doubling", os.fsencode(directory), count)) as made:
        yield made


def endings(directory: Path) -> list[str]:
    return sorted(path.read_text() for path in directory.iterdir())


def test_every_job_is_answered_in_any_order(tmp_path: Path) -> None:
    with crew(tmp_path) as helpers:
        tickets = [helpers.submit(number) for number in range(200)]
        assert [helpers.result(ticket) for ticket in reversed(tickets)] == [2 * n for n in reversed(range(200))]
        helpers.finish()
    assert endings(tmp_path) == ["finished", "finished"]


def test_both_helpers_work_and_large_answers_do_not_block(tmp_path: Path) -> None:
    with crew(tmp_path) as helpers:
        large = b"x" * (1 << 20)
        tickets = [helpers.submit(large) for _ in range(12)]
        pids = {helpers.result(ticket) for ticket in [helpers.submit("pid") for _ in range(8)]}
        assert all(len(helpers.result(ticket)) == 2 << 20 for ticket in tickets)
    assert len(pids) == 2
    assert os.getpid() not in pids


def test_a_result_says_when_it_is_ready(tmp_path: Path) -> None:
    with crew(tmp_path, 1) as helpers:
        first, second = helpers.submit(1), helpers.submit(2)
        helpers.result(second)
        assert helpers.is_ready(first)
        assert not helpers.is_ready(second)  # taken


def test_an_error_comes_back_as_it_was_and_the_helper_goes_on(tmp_path: Path) -> None:
    with crew(tmp_path, 1) as helpers:
        ticket = helpers.submit("wrong")
        with pytest.raises(IntegrityError) as told:
            helpers.result(ticket)
        assert (told.value.message, told.value.path, told.value.hint) == ("it is wrong", "a/b", "look")
        assert [str(cause) for cause in told.value.causes] == ["inner"]
        assert helpers.result(helpers.submit(4)) == 8


def test_what_a_helper_prints_is_no_answer(tmp_path: Path) -> None:
    with crew(tmp_path, 1) as helpers:
        assert helpers.result(helpers.submit("print")) == "printprint"


@pytest.mark.parametrize("how", ["itself", "killed"])
def test_nobody_waits_for_a_helper_that_is_gone(tmp_path: Path, how: str) -> None:
    with crew(tmp_path, 1) as helpers:
        if how == "itself":
            tickets = [helpers.submit("die"), helpers.submit(1)]
        else:
            os.kill(helpers.result(helpers.submit("pid")), signal.SIGKILL)
            tickets = [helpers.submit(1), helpers.submit(2)]
        for ticket in tickets:
            with pytest.raises(StorageError, match="helper process ended"):
                helpers.result(ticket)
        with pytest.raises(StorageError, match="helper process ended"):
            helpers.result(helpers.submit(3))
        with pytest.raises(StorageError, match="helper process ended"):
            helpers.finish()


def test_work_that_is_not_finished_is_given_up(tmp_path: Path) -> None:
    with crew(tmp_path) as helpers:
        helpers.result(helpers.submit(1))
        helpers.result(helpers.submit(1))
    assert set(endings(tmp_path)) == {"given up"}


def test_what_fails_at_the_end_is_told(tmp_path: Path) -> None:
    (tmp_path / "fail").write_text("")
    with crew(tmp_path) as helpers, pytest.raises(IntegrityError, match="failed at the end"):
        helpers.finish()


def test_work_that_cannot_begin_is_an_error_not_a_wait(tmp_path: Path) -> None:
    with closing(Crew("tests.support.crewwork:nothing", b"", 1)) as helpers:
        ticket = helpers.submit(1)
        with pytest.raises(StorageError):
            helpers.result(ticket)
        with pytest.raises(StorageError, match="nothing"):
            helpers.finish()


def test_a_descriptor_is_inherited_under_its_number(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    fd = os.open(tmp_path / "file", os.O_RDONLY)
    with closing(Crew("tests.support.crewwork:fd_reader", fd, 1, inherited=(fd,))) as helpers:
        assert helpers.result(helpers.submit(4)) == b"cont"
    os.close(fd)


def test_a_file_in_the_working_directory_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('taken from the working directory')\n")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "said").mkdir()
    with crew(tmp_path / "said", 1) as helpers:
        assert helpers.result(helpers.submit(1)) == 2
