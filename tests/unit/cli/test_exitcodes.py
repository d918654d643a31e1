"""One number for each kind of error, the strongest where several failed."""

from __future__ import annotations

import pytest

from dvtool import errors
from dvtool.cli.exitcodes import exit_code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.DvtoolError("x"), 1),
        (errors.UsageError("x"), 2),
        (errors.IntegrityError("x"), 3),
        (errors.MissingData("x"), 4),
        (errors.Locked("x"), 5),
        (errors.UnsafeInput("x"), 6),
        (errors.StorageError("x"), 7),
        (errors.AccessDenied("x"), 7),
        (errors.FormatError("x"), 9),
        (errors.ConfigError("x"), 9),
        (errors.NotInRepository("x"), 10),
        (OSError("x"), 7),
        (ValueError("x"), 1),
    ],
)
def test_the_code_of_one_error(error: BaseException, code: int) -> None:
    assert exit_code(error) == code


ORDER = (
    errors.IntegrityError("x"),
    errors.UnsafeInput("x"),
    errors.MissingData("x"),
    errors.StorageError("x"),
    errors.ConfigError("x"),
    errors.Locked("x"),
    errors.NotInRepository("x"),
    errors.UsageError("x"),
)


@pytest.mark.parametrize("first", range(len(ORDER)))
def test_of_several_the_strongest(first: int) -> None:
    gathered = errors.DvtoolError("several", causes=tuple(reversed(ORDER[first:])))
    assert exit_code(gathered) == exit_code(ORDER[first])


def test_its_own_kind_counts_among_the_causes() -> None:
    assert exit_code(errors.MissingData("x", causes=(errors.StorageError("y"),))) == 4
    assert exit_code(errors.MissingData("x", causes=(errors.IntegrityError("y"),))) == 3


def test_causes_of_causes_count() -> None:
    deep = errors.DvtoolError("z", causes=(errors.DvtoolError("y", causes=(errors.UnsafeInput("x"),)), OSError()))
    assert exit_code(deep) == 6
