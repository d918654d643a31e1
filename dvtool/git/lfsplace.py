"""Where the server of Git LFS is, by the rules of ``git lfs``."""

from __future__ import annotations

import os
import re

from dvtool.git.run import GitRepo

_SSH = re.compile(r"(?:ssh://)?(?:[^@/]+@)?([^:/]+)(?::[0-9]+/|[:/])(.+)")
_WEB = re.compile(r"https?://", re.IGNORECASE)


def lfs_url(repo: GitRepo) -> str | None:
    """The URL of a remote of ours that reads it: ``lfs+https://...``, or a directory; None where there is none.

    ``lfs.url`` and ``remote.NAME.lfsurl`` of Git's settings or of ``.lfsconfig`` say it, else it follows from the URL
    of ``origin``, or of the one remote. A login in it is left out.
    """
    settings = _settings(repo)
    remotes = sorted({key.split(".")[1] for key in settings if key.startswith("remote.") and key.endswith(".url")})
    name = "origin" if "origin" in remotes or not remotes else remotes[0]
    stated = settings.get("lfs.url") or settings.get(f"remote.{name}.lfsurl")
    if stated is not None:
        return _read_by(stated)
    url = settings.get(f"remote.{name}.url")
    if url is None:
        return None
    if _WEB.match(url):
        clean = url.rstrip("/")
        return _read_by((clean if clean.endswith(".git") else clean + ".git") + "/info/lfs")
    directory = url.removeprefix("file://")
    if os.path.isdir(directory):
        for folder in (f"{directory}/.git/lfs/objects", f"{directory}/lfs/objects"):
            if os.path.isdir(folder):
                return folder
        return f"{directory}/lfs/objects"
    match = _SSH.fullmatch(url)
    if match is None:
        return None
    path = match[2].rstrip("/")
    return f"lfs+https://{match[1]}/{path if path.endswith('.git') else path + '.git'}/info/lfs"


def _read_by(url: str) -> str | None:
    scheme, _, rest = url.partition("://")
    if scheme.lower() not in ("http", "https"):
        return rest if scheme == "file" else None
    host, slash, path = rest.partition("/")
    return f"lfs+{scheme.lower()}://{host.rpartition('@')[2]}{slash}{path}".rstrip("/")


def _settings(repo: GitRepo) -> dict[str, str]:
    found: dict[str, str] = {}
    shared = os.path.join(repo.worktree, b".lfsconfig")
    sources: list[list[str | bytes]] = [[]]
    if os.path.isfile(shared) and not os.path.islink(shared):
        sources.insert(0, ["-f", shared])
    for source in sources:
        output = repo.run("config", *source, "-z", "--get-regexp", r"^(lfs\.url|remote\..*\.(lfs)?url)$", expect=(0, 1))
        for item in output.stdout.decode("utf-8", "surrogateescape").split("\0"):
            key, newline, value = item.partition("\n")
            if newline:
                found[key] = value
    return found
