"""``dvtool list``"""

from __future__ import annotations

import click

from dvtool.cli.frame import PATH
from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.session import Session
from dvtool.errors import UsageError


@verb(
    "list",
    examples=(
        "dvtool list",
        "dvtool list -R --size data/",
        "dvtool list --rev v1 data/images",
        "dvtool list --tree -L 2 --tracked",
        "dvtool list https://git.example.org/data/registry.git images -R --rev v1",
    ),
)
@click.argument("places", nargs=-1, type=PATH, metavar="[URL] [PATH]")
@click.option("-R", "--recursive", is_flag=True, help="Every file below, with its path.")
@click.option("-T", "--tree", "as_tree", is_flag=True, help="Everything below, indented.")
@click.option("-L", "--level", type=click.IntRange(min=1), metavar="N", help="Go so many levels deep.")
@click.option("--rev", metavar="REV", help="At this revision instead of in the worktree.")
@click.option("--tracked", "only_tracked", is_flag=True, help="Only what dvtool tracks, not the files of Git.")
@click.option("--dvc-only", "only_tracked", is_flag=True, hidden=True, help="The same, for fingers used to DVC.")
@click.option("--size", "sizes", is_flag=True, help="Show sizes.")
@click.option("--show-hash", "hashes", is_flag=True, help="Show digests.")
@json_option
@click.pass_obj
def list_(
    session: Session,
    places: tuple[bytes, ...],
    recursive: bool,
    as_tree: bool,
    level: int | None,
    rev: str | None,
    only_tracked: bool,
    sizes: bool,
    hashes: bool,
    as_json: bool,
) -> None:
    """List tracked files, also inside tracked directories.

    Shows what Git and dvtool track in a directory, with paths relative to it. No data is needed,
    only listings, which are fetched when absent. JSON has sizes, digests and paths from the
    project's top directory.

    With a URL, or a directory before the path, it is about that repository, of which nothing but the listings is
    fetched.
    """
    import os

    from dvtool.api.list import ListRequest
    from dvtool.api.list import list_paths
    from dvtool.api.list import list_source
    from dvtool.api.list import raise_for
    from dvtool.project.place import is_other_repository
    from dvtool.project.place import is_url
    from dvtool.ui.listing import json_lines
    from dvtool.ui.listing import list_lines

    levels = level or (None if recursive or as_tree else 1)
    if len(places) > 2:
        raise UsageError("list takes a path, or a repository and a path in it")
    first = os.fsdecode(places[0]) if places else ""
    is_other = len(places) == 2 or is_url(first) or (bool(first) and is_other_repository(first, session.cwd))
    path = places[1] if len(places) == 2 else places[0] if places and not is_other else b"."
    request = ListRequest(
        path,
        rev,
        levels,
        files_only=recursive and not as_tree,
        only_tracked=only_tracked,
        sizes=sizes or as_json,
        digests=hashes or as_json,
    )
    if is_other:
        from dvtool.project.source import open_source
        from dvtool.project.source import source_path

        place, inside = os.fsdecode(places[0]), source_path(path)
        source = open_source(place, rev, session.environment, path=inside, reporter=session.reporter)
        result = list_source(source, request, session.reporter)
    else:
        result = list_paths(session.project(), request, session.reporter)
    if as_json:
        session.answered_json = True
        session.lines(json_lines(result))
    else:
        session.lines(list_lines(result, session.paint, sizes=sizes, hashes=hashes, tree=as_tree))
    raise_for(result)
