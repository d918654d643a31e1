"""``dvtool config``"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.options import complete_setting
from dvtool.cli.options import level_options
from dvtool.cli.session import Session
from dvtool.errors import UsageError
from dvtool.model.paths import show

if TYPE_CHECKING:
    from dvtool.api.config import SettingView
    from dvtool.project.config import Level


@verb(
    "config",
    examples=(
        "dvtool config core.remote                        # print it",
        "dvtool config core.autostage true                # for everyone, to be committed",
        "dvtool config --local remote.origin.profile me   # for this clone",
        "dvtool config --unset core.autostage",
        "dvtool config --list --show-origin",
    ),
)
@click.argument("key", required=False, shell_complete=complete_setting)
@click.argument("value", required=False)
@click.option("-u", "--unset", is_flag=True, help="Remove KEY.")
@click.option("-l", "--list", "as_list", is_flag=True, help="Print all settings, weakest place first.")
@click.option("--show-origin", is_flag=True, help="Print where each setting stands.")
@level_options
@json_option
@click.pass_obj
def config(
    session: Session,
    key: str | None,
    value: str | None,
    unset: bool,
    as_list: bool,
    show_origin: bool,
    level: Level | None,
    as_json: bool,
) -> None:
    """Print or change settings.

    With KEY: prints its value. With KEY and VALUE: sets it, in the committed .dvtool/config unless
    another place is chosen. A stronger place wins: flags, then DVTOOL_* variables, then --local,
    --project, --global, --system. Secrets are refused in the committed file and never printed.
    """
    from dvtool.api import config as api
    from dvtool.project.config import Level

    if as_list:
        if key is not None or unset:
            raise UsageError("--list takes no KEY", hint="dvtool config --list")
        _show(session, api.config_list(session.environment, level), as_json, show_origin, with_keys=True)
    elif key is None:
        raise UsageError("which setting?", hint="`dvtool config KEY`, or `dvtool config --list` for all")
    elif unset or value is not None:
        if unset and value is not None:
            raise UsageError("--unset takes no VALUE", hint=f"dvtool config --unset {key}")
        where = level or Level.PROJECT
        if value is None:
            path = api.config_unset(session.environment, key, where)
        else:
            path = api.config_set(session.environment, key, value, where)
        if as_json:
            session.json("config-change/1", {"key": key, "path": path})
        elif session.verbose:
            session.summary(f"written: {show(path)}")
    else:
        _show(session, (api.config_get(session.environment, key, level),), as_json, show_origin, with_keys=False)


def _show(
    session: Session, settings: tuple[SettingView, ...], as_json: bool, show_origin: bool, *, with_keys: bool
) -> None:
    if as_json:
        session.json("config/1", {"settings": settings})
        return
    from dvtool.ui.settings import setting_lines

    for line in setting_lines(settings, with_keys=with_keys, with_origin=show_origin):
        session.line(line)
