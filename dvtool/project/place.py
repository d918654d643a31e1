"""What a user may write for another repository: a URL that Git can clone, or a directory on this machine."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from dvtool.errors import UnsafeInput
from dvtool.errors import UsageError
from dvtool.git.clone import is_repository
from dvtool.git.clone import shown_url
from dvtool.model.paths import is_below
from dvtool.project.environment import Environment

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://", re.ASCII)
_SCP = re.compile(r"(?:[A-Za-z0-9._-]+@)?(?P<host>[A-Za-z0-9_][A-Za-z0-9._-]*):(?!/?/)(?P<path>[^:].*)", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x20\x7f-\x9f]")
_CLONED = ("git", "http", "https", "ssh", "git+ssh")
_SECRET = re.compile(r"(https?://)([^/@\s:]*):([^/@\s]*)@", re.IGNORECASE)


class Place(NamedTuple):
    """``url``: as it is written down, without a secret. ``directory``: absolute, of one on this machine; else empty.

    ``host``: of the others, in small letters. ``secret``: what Git is to read in place of the URL, with a password.
    """

    url: str
    directory: bytes = b""
    host: str = ""
    secret: str = ""


def place_of(url: str, environment: Environment) -> Place:
    """Raises `UnsafeInput` for what could start a program, `UsageError` for what is no repository's URL."""
    shown = shown_url(url)
    if url.startswith("-"):
        raise UnsafeInput(f"{shown!r} begins with '-'", hint="write ./ before a directory")
    scheme = _SCHEME.match(url)
    if "::" in re.sub(r"//(?:[^/@]*@)?\[[0-9A-Fa-f:.]+\]", "//host", url):
        raise UnsafeInput(
            f"{shown!r} is refused: Git would run a program for it", hint="use https://, ssh:// or a path"
        )
    if scheme is None:
        raw = os.fsencode(url)
        base = environment.home if raw.startswith(b"~/") else environment.cwd
        directory = os.path.normpath(os.path.join(base, raw.removeprefix(b"~/")))
        scp = _SCP.fullmatch(url)
        if url and (scp is None or os.path.isdir(directory)):
            return Place(url, directory)
        if scp is None or _CONTROL.search(url) or scp["path"].startswith("-"):
            raise UsageError(f"{shown!r} is no URL of a repository")
        return Place(url, host=scp["host"].lower())
    name = scheme[1].lower()
    if name == "file":
        path = url[len("file://") :]
        if not path.startswith("/"):
            raise UsageError(
                f"{shown!r}: a file:// URL has three slashes", hint="file:///srv/git/data.git, or the path"
            )
        # As for Git, that is cloned, and a plain path is read where it is.
        return Place(url, host="localhost")
    if name not in _CLONED:
        raise UnsafeInput(
            f"{shown!r}: {name}:// is no URL that Git may read here",
            hint="use https://, ssh:// or a path; a file on a server: dvtool import-url, dvtool get-url",
        )
    if _CONTROL.search(url):
        raise UnsafeInput(f"{shown!r} holds a space or a control character")
    host = host_of(url)
    if not host or host.startswith("-"):
        raise UnsafeInput(f"{shown!r} names no host")
    secret = _SECRET.match(url)
    if secret is None:
        return Place(url, host=host)
    return Place(url.replace(secret[0], secret[1], 1), host=host, secret=url)


def is_url(text: str) -> bool:
    """Whether it names another repository by the look of it: ``scheme://...``, or ``user@host:path``."""
    scp = _SCP.fullmatch(text)
    return _SCHEME.match(text) is not None or (scp is not None and "@" in text and not os.path.lexists(text))


def is_other_repository(text: str, cwd: bytes) -> bool:
    """Whether it is a directory where another repository begins than the one around *cwd*."""
    place = os.path.realpath(os.path.join(cwd, os.fsencode(text)))
    begins = os.path.lexists(os.path.join(place, b".git")) or is_repository(place)
    return begins and not is_below(os.path.realpath(cwd), place)


def host_of(url: str) -> str:
    """The host that a URL with a scheme, or ``user@host:path``, names, in small letters; empty where none."""
    scheme = _SCHEME.match(url)
    if scheme is None:
        scp = _SCP.fullmatch(url)
        return scp["host"].lower() if scp else ""
    authority = re.split(r"[/?#]", url[scheme.end() :], maxsplit=1)[0].rpartition("@")[2].lower()
    bracketed = re.match(r"\[([0-9a-f:.]+)\]", authority)
    return bracketed[1] if bracketed else authority.partition(":")[0]
