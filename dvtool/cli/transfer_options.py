"""Options that push, fetch and pull share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from typing import TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])

_OPTIONS = (
    click.option("-r", "--remote", metavar="NAME", help="The remote, instead of the default one."),
    click.option("-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="Requests at once."),
    click.option("-a", "--all-branches", is_flag=True, help="Also the data of all branches."),
    click.option("-T", "--all-tags", is_flag=True, help="Also the data of all tags."),
    click.option("-A", "--all-commits", is_flag=True, help="Also the data of every commit."),
    click.option("--dry-run", "--dry", is_flag=True, help="Only show what would be transferred."),
)


def transfer_options(function: Function) -> Function:
    """``-r -j -a -T -A --dry-run``"""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function
