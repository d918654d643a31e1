"""``dvtool remote``"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb_group
from dvtool.cli.options import complete_remote
from dvtool.cli.options import level_options
from dvtool.cli.remote_catalog import catalog
from dvtool.cli.remote_cleanup import cleanup
from dvtool.cli.remote_login import login
from dvtool.cli.remote_test import test
from dvtool.cli.session import Session
from dvtool.errors import UsageError

if TYPE_CHECKING:
    from dvtool.project.config import Level

NAME = click.argument("name", shell_complete=complete_remote)


@verb_group("remote", examples=("dvtool remote add -d origin s3://bucket/data", "dvtool remote list"))
def remote() -> None:
    """Say where data is pushed to and fetched from.

    A remote is a directory, a bucket or a server, under a name. Its settings stand in the committed
    .dvtool/config, so that a clone can pull at once; credentials belong elsewhere:
    `dvtool remote modify --local NAME OPTION VALUE`.
    """


remote.add_command(catalog)
remote.add_command(cleanup)
remote.add_command(login)
remote.add_command(test)


@remote.command(
    "add",
    examples=(
        "dvtool remote add -d origin s3://bucket/data",
        "dvtool remote add nas /mnt/nas/datasets/project",
        "dvtool remote add mirror ../mirror     # stored relative to the top of the project",
    ),
)
@click.argument("name")
@click.argument("url")
@click.option("-d", "--default", is_flag=True, help="Make it the default remote.")
@click.option("-f", "--force", is_flag=True, help="Replace a remote of that name.")
@level_options
@json_option
@click.pass_obj
def add(session: Session, name: str, url: str, default: bool, force: bool, level: Level | None, as_json: bool) -> None:
    """Add a remote.

    URL is a directory, or begins with s3://, azure://, gs://, oss://, ssh://, smb://, https://, webdavs://, hdfs://,
    webhdfs://, gdrive://, hf://, or a protocol that fsspec knows. Nothing is contacted.
    """
    from dvtool.api.remote import RemoteAddRequest
    from dvtool.api.remote import remote_add
    from dvtool.project.config import Level

    request = RemoteAddRequest(name, url, level or Level.PROJECT, default=default, force=force)
    stored = remote_add(session.environment, request)
    if as_json:
        session.json("remote-add/1", {"name": name, "url": stored, "default": default})
    else:
        session.summary(f"remote {name}: {stored}{' (default)' if default else ''}")
        if request.level is Level.PROJECT:
            session.summary("next: git add .dvtool/config")


@remote.command("list", examples=("dvtool remote list", "dvtool remote list --json"))
@level_options
@json_option
@click.pass_obj
def list_(session: Session, level: Level | None, as_json: bool) -> None:
    """List the remotes."""
    from dvtool.api.remote import remote_list
    from dvtool.ui.settings import remote_lines

    remotes = remote_list(session.environment, level)
    if as_json:
        session.json("remote-list/1", {"remotes": remotes})
        return
    if not remotes:
        session.note("no remote is configured; `dvtool remote add -d NAME URL` adds one")
    for line in remote_lines(remotes):
        session.line(line)


@remote.command(
    "modify",
    examples=(
        "dvtool remote modify origin endpointurl https://s3.example.org",
        "dvtool remote modify --local origin profile me",
        "dvtool remote modify -u origin region",
    ),
)
@NAME
@click.argument("option")
@click.argument("value", required=False)
@click.option("-u", "--unset", is_flag=True, help="Remove OPTION.")
@level_options
@json_option
@click.pass_obj
def modify(
    session: Session, name: str, option: str, value: str | None, unset: bool, level: Level | None, as_json: bool
) -> None:
    """Change an option of a remote.

    OPTION is url, jobs, endpointurl, region, profile and so on; a wrong one is answered with those
    that come near. A secret is bound to the server that the remote has now: should the committed
    settings name another one later, it is not sent there before `dvtool remote trust`.
    """
    from dvtool.api.remote import remote_modify
    from dvtool.project.config import Level

    if unset == (value is not None):
        raise UsageError(
            "--unset takes no VALUE" if unset else f"which value for {option}?",
            hint=f"`dvtool remote modify {name} {option} VALUE`, or `-u {name} {option}` to remove it",
        )
    where = level or Level.PROJECT
    path = remote_modify(session.environment, name, option, value, where, with_trust=level is Level.PROJECT)
    if as_json:
        session.json("remote-modify/1", {"name": name, "option": option, "path": path})


@remote.command("remove", examples=("dvtool remote remove old", "dvtool remote remove --local old"))
@NAME
@level_options
@json_option
@click.pass_obj
def remove(session: Session, name: str, level: Level | None, as_json: bool) -> None:
    """Forget a remote.

    What it stores stays there. Without a place, it is removed from this clone's own settings and
    from the committed ones.
    """
    from dvtool.api.remote import remote_remove

    changed = remote_remove(session.environment, name, level)
    if as_json:
        session.json("remote-remove/1", {"name": name, "changed": [{"path": path} for path in changed]})
    else:
        session.summary(f"remote {name} removed; what it stores was not touched")


@remote.command("rename", examples=("dvtool remote rename origin archive",))
@NAME
@click.argument("new")
@level_options
@json_option
@click.pass_obj
def rename(session: Session, name: str, new: str, level: Level | None, as_json: bool) -> None:
    """Give a remote another name.

    If it is the default, it stays so under the new name.
    """
    from dvtool.api.remote import remote_rename

    changed = remote_rename(session.environment, name, new, level)
    if as_json:
        session.json("remote-rename/1", {"name": name, "new": new, "changed": [{"path": path} for path in changed]})
    else:
        session.summary(f"remote {name} is called {new} now")


@remote.command("default", examples=("dvtool remote default", "dvtool remote default nas", "dvtool remote default -u"))
@click.argument("name", required=False, shell_complete=complete_remote)
@click.option("-u", "--unset", is_flag=True, help="Have no default.")
@level_options
@json_option
@click.pass_obj
def default(session: Session, name: str | None, unset: bool, level: Level | None, as_json: bool) -> None:
    """Print or choose the default remote."""
    from dvtool.api.remote import remote_default
    from dvtool.api.remote import remote_set_default
    from dvtool.project.config import Level

    if unset and name is not None:
        raise UsageError("--unset takes no NAME", hint="dvtool remote default -u")
    if unset or name is not None:
        remote_set_default(session.environment, name, level or Level.PROJECT)
        if as_json:
            session.json("remote-default/1", {"name": name})
        return
    found = remote_default(session.environment)
    if as_json:
        session.json("remote-default/1", {"name": found})
    else:
        session.line(found)


@remote.command(
    "trust",
    examples=(
        "dvtool remote trust origin",
        "dvtool remote trust origin --json    # the digest, for DVTOOL_TRUST in CI",
        "dvtool remote trust --revoke origin",
    ),
)
@NAME
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--revoke", is_flag=True, help="Trust it no longer.")
@json_option
@click.pass_obj
def trust(session: Session, name: str, yes: bool, revoke: bool, as_json: bool) -> None:
    """Confirm what the committed file says of a remote.

    Needed where it sets what a repository must not decide alone (key files, TLS off), and where
    your secrets would go to a server that you did not set them for. Shows the values and asks;
    this clone then remembers their digest, so any other value has to be confirmed anew.
    `--json` alone only shows them. In CI the variable DVTOOL_TRUST holds the digest.
    """
    from dvtool.api.remote import remote_standing
    from dvtool.api.remote import remote_trust
    from dvtool.ui.settings import trust_lines

    view = remote_standing(session.environment, name)
    if revoke:
        remote_trust(session.environment, name, None)
    elif not as_json or yes:
        _confirm(session, trust_lines(view), name, yes=yes)
        remote_trust(session.environment, name, view.digest)
    if as_json:
        session.json("remote-trust/1", remote_standing(session.environment, name))
    elif revoke:
        session.summary(f"remote {name} is not trusted any more")
    else:
        session.summary(f"remote {name} is trusted as it stands: {view.digest}")


def _confirm(session: Session, about: list[str], name: str, *, yes: bool) -> None:
    if yes:
        for line in about:
            session.note(line)
        return
    if not session.stdin.isatty():
        raise UsageError("nobody is there to answer", hint=f"dvtool remote trust --yes {name}")
    if not session.ask(f"trust the remote {name} as it stands?", about):
        raise UsageError(
            "nothing was changed", hint=f"`dvtool config --list --show-origin` shows who says what of {name}"
        )
