"""Where what a repository says may lead: not to this machine or its network, unless the user said so.

What the user types is the user's word. A pointer's ``source``, and the remotes of another repository, are not: they
could name a directory or a server that only this user can read. ``core.sources``, which is never committed, lists what
may be read all the same: directories, hosts, beginnings of URLs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import replace

from dvtool.errors import UnsafeInput
from dvtool.formats.settings import directs
from dvtool.model.paths import is_below
from dvtool.project.config import Level
from dvtool.project.config import RemoteSettings
from dvtool.project.open import Project
from dvtool.project.place import host_of
from dvtool.project.place import is_url
from dvtool.project.place import place_of
from dvtool.project.trust import named_server
from dvtool.remote.reach import is_inside
from dvtool.remote.redact import redact

KEY = "core.sources"


def allowed_sources(project: Project) -> tuple[str, ...]:
    """What the user lets repositories lead to: what is set, and the hosts that the project itself was cloned from."""
    hosts: list[str] = []
    if project.git is not None:
        from dvtool.git.origins import remote_urls

        hosts = [host for url in remote_urls(project.git) if (host := host_of(url))]
    return tuple(dict.fromkeys((*project.config.choices(KEY), *hosts)))


def require_source(project: Project, url: str, where: str) -> None:
    """Raise `UnsafeInput` unless *url*, which *where* states, may be read."""
    environment = replace(project.environment, cwd=project.root)
    if not is_url(url) and "://" not in url:
        directory = place_of(url, environment).directory
        host = ""
    else:
        directory = os.fsencode(url[len("file://") :]) if url.startswith("file://") else b""
        host = "" if directory else host_of(url)
    if _leads_inside(directory, host) and not is_allowed(allowed_sources(project), url, directory, host):
        raise _refused(project, f"{where}: its data is to come from {redact(url)}", url, directory, host)


def require_remote(project: Project, settings: RemoteSettings) -> None:
    """The same for a remote of another repository, as far as its committed file says where it is."""
    for key, origin in settings.origins.items():
        text = settings.url if key == "url" else settings.options[key]
        if origin.level is not Level.PROJECT or not directs_requests(settings.name, key):
            continue
        is_path = key == "url" and "://" not in text
        directory = b""
        if is_path or text.startswith("file://"):
            directory = os.path.normpath(os.path.join(settings.base_dir, os.fsencode(text.removeprefix("file://"))))
        named = text if key != "url" else named_server(text)
        host = "" if directory else host_of(named)
        if _leads_inside(directory, host) and not is_allowed(project.config.choices(KEY), text, directory, host):
            what = f"the remote {settings.name} of that repository is {redact(text)}"
            raise _refused(project, what, text, directory, host)


def directs_requests(name: str, key: str) -> bool:
    """Whether a setting of a remote says which server is asked."""
    from dvtool.formats.config import Key

    return directs(Key("remote", name, key))


def is_allowed(allowed: Iterable[str], url: str, directory: bytes, host: str) -> bool:
    """Whether the list names the directory or one above it, the host, or a beginning of the URL."""
    for entry in allowed:
        if directory:
            base = os.path.normpath(os.fsencode(entry.removeprefix("file://")))
            if os.path.isabs(base) and is_below(os.path.realpath(directory), os.path.realpath(base)):
                return True
        elif entry in (host, url) or url.startswith(entry.rstrip("/") + "/"):
            return True
    return False


def with_allowed(known: Sequence[str], directory: bytes, host: str) -> str:
    """The value of the setting with one more in it."""
    return ", ".join(dict.fromkeys((*known, os.fsdecode(directory) if directory else host)))


def _leads_inside(directory: bytes, host: str) -> bool:
    return bool(directory) or (bool(host) and is_inside(host))


def _refused(project: Project, what: str, url: str, directory: bytes, host: str) -> UnsafeInput:
    where = "a directory on this machine" if directory else "in this machine's own network"
    value = with_allowed(project.config.choices(KEY), directory, host)
    level = "--user" if project.is_elsewhere else "--local"
    return UnsafeInput(
        f"{what}, {where}; nothing was read there",
        path=url,
        hint=f"if that is right: dvtool config {level} {KEY} '{value}'",
    )
