"""Questions about commits and the refs that stand on them, each answered by one process."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence

from dvtool.errors import UsageError
from dvtool.git.revisions import refs
from dvtool.git.run import GitRepo
from dvtool.git.run import checked_revision


def merge_base(repo: GitRepo, one: str, other: str) -> str:
    """The commit where two lines of history parted. Raises `UsageError` where they never met."""
    args = ["merge-base", "--end-of-options", checked_revision(one), checked_revision(other)]
    output = repo.run(*args, expect=(0, 1))
    if output.code:
        raise UsageError(
            f"{one} and {other} have no commit in common",
            hint=f"compare them as they are: {one}..{other}; in a shallow clone: git fetch --unshallow",
        )
    return output.stdout.decode("ascii").split()[0]


def abbreviated(repo: GitRepo, commits: Iterable[str]) -> dict[str, str]:
    """Each commit with its shortest unique abbreviation, 7 digits or more."""
    wanted = list(dict.fromkeys(checked_revision(commit) for commit in commits))
    if not wanted:
        return {}
    names = "".join(f"{commit}\n" for commit in wanted).encode("ascii")
    output = repo.run("rev-list", "--no-walk=unsorted", "--abbrev-commit", "--stdin", stdin=names)
    return dict(zip(wanted, output.stdout.decode("ascii").split(), strict=True))


def refs_holding(repo: GitRepo, files: Sequence[tuple[bytes, str]]) -> dict[tuple[bytes, str], list[str]]:
    """For each path and blob, the branches and tags whose commit has this blob at this path: short names."""
    tips = list(refs(repo, "refs/heads", "refs/remotes", "refs/tags"))
    found: dict[tuple[bytes, str], list[str]] = {file: [] for file in files}
    paths = [path for path in dict.fromkeys(path for path, _ in files) if b"\n" not in path]
    asked = [(ref, path) for ref in tips for path in paths]
    if not asked:
        return found
    lines = b"".join(ref.commit.encode("ascii") + b":" + path + b"\n" for ref, path in asked)
    answers = repo.run("cat-file", "--batch-check=%(objectname)", stdin=lines).stdout.split(b"\n")
    for (ref, path), answer in zip(asked, answers):
        holders = found.get((path, answer.decode("ascii", "replace")))
        if holders is not None:
            holders.append(ref.short)
    return found


def commits_there(repo: GitRepo, commits: Iterable[str]) -> set[str]:
    """Those of *commits* (full names) that this clone has."""
    wanted = sorted({checked_revision(commit) for commit in commits})
    if not wanted:
        return set()
    lines = "".join(f"{commit}\n" for commit in wanted).encode("ascii")
    answers = repo.run("cat-file", "--batch-check=%(objecttype)", stdin=lines).stdout.split(b"\n")
    return {commit for commit, answer in zip(wanted, answers) if answer == b"commit"}
