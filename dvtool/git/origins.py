"""Where a repository was cloned from."""

from __future__ import annotations

from dvtool.git.run import GitRepo


def remote_urls(repo: GitRepo) -> list[str]:
    """The URLs of its remotes, as its user has set them."""
    output = repo.run("config", "--null", "--get-regexp", r"^remote\..*\.url$", expect=(0, 1))
    lines = output.stdout.decode("utf-8", "surrogateescape").split("\0")
    return [line.partition("\n")[2] for line in lines if line]
