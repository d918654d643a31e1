"""Options that push, fetch and pull share."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING
from typing import Any
from typing import TypeVar

import click

from dvtool.cli.frame import BYTE_SIZE
from dvtool.errors import UsageError

if TYPE_CHECKING:
    from dvtool.transfer.types import Only

Function = TypeVar("Function", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "-r",
        "--remote",
        "remotes",
        multiple=True,
        metavar="NAME",
        help="The remote, instead of the default one; may be repeated.",
    ),
    click.option("-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="Requests at once."),
    click.option("--limit-rate", type=BYTE_SIZE, metavar="SIZE", help="Bytes a second at most, such as 500k or 2M."),
    click.option("-a", "--all-branches", is_flag=True, help="Also the data of all branches."),
    click.option("-T", "--all-tags", is_flag=True, help="Also the data of all tags."),
    click.option("-A", "--all-commits", is_flag=True, help="Also the data of every commit."),
    click.option("--dry-run", "--dry", is_flag=True, help="Only show what would be transferred."),
    click.option(
        "--run-cache/--no-run-cache",
        default=None,
        help="Also what earlier runs of stages made; or nothing of runs at all.",
    ),
)


_CHOICE = (
    click.option("--max-size", type=BYTE_SIZE, metavar="SIZE", help="Leave out files that are larger, such as 10M."),
    click.option(
        "--type",
        "types",
        multiple=True,
        metavar="EXT",
        help="Only files whose names end in .EXT, whatever the case; may be repeated, or jpg,png.",
    ),
)


def choice_options(function: Function) -> Function:
    """``--max-size --type``: the function gets ``max_size`` (bytes or None) and ``types``."""
    for option in reversed(_CHOICE):
        function = option(function)
    return function


def only(max_size: int | None, types: tuple[str, ...]) -> Only:
    """What these options mean. Raises `UsageError`."""
    from dvtool.transfer.types import Only

    suffixes = [part.strip().lstrip(".").lower() for text in types for part in text.split(",")]
    if any(not suffix or "/" in suffix for suffix in suffixes):
        raise UsageError(f"--type {' '.join(types)} is no file name extension", hint="write --type jpg, or jpg,png")
    return Only(max_size, tuple(b"." + os.fsencode(suffix) for suffix in suffixes))


def limits(jobs: int | None, limit_rate: int | None) -> dict[str, str]:
    """The options as settings, which are stronger than those of a remote."""
    found = {"core.jobs": jobs, "core.bandwidth": limit_rate}
    return {key: str(value) for key, value in found.items() if value is not None}


def transfer_options(function: Function) -> Function:
    """``-r -j --limit-rate -a -T -A --dry-run --run-cache``"""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function
