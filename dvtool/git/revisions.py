"""Names of commits: from what the user types to object names, and back."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from collections.abc import Iterator
from typing import NamedTuple

from dvtool.errors import UsageError
from dvtool.errors import storage_error
from dvtool.git.run import GitRepo
from dvtool.git.run import checked_revision

_OBJECT_NAME = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)
_PER_WORKTREE = (b"refs/bisect/", b"refs/worktree/", b"refs/rewritten/")
_MOST_SYMREFS = 5


class Ref(NamedTuple):
    """A ref and the commit it leads to, through annotated tags."""

    name: str
    commit: str

    @property
    def short(self) -> str:
        for prefix in ("refs/heads/", "refs/tags/", "refs/remotes/", "refs/"):
            if self.name.startswith(prefix):
                return self.name[len(prefix) :]
        return self.name


def resolve(repo: GitRepo, rev: str) -> str:
    """The commit that *rev* names. Raises `UsageError` with similar names if there is none."""
    checked_revision(rev)
    # ":/text^{commit}" would search for "text^{commit}"; what ":/text" finds is a commit anyway.
    wanted = rev if rev.startswith(":/") else f"{rev}^{{commit}}"
    output = repo.run("rev-parse", "--verify", "--quiet", "--end-of-options", wanted, expect=(0, 1, 128))
    name = output.stdout.decode("ascii", "replace").strip()
    if output.code != 0 or not _OBJECT_NAME.fullmatch(name):
        raise UsageError(f"there is no revision {rev!r} in this Git repository", hint=_similar(repo, rev))
    return name


def head(repo: GitRepo) -> str | None:
    """The commit that is checked out; None on a branch without commits. Usually costs no process."""
    if os.path.lexists(os.path.join(repo.common_dir, b"reftable")):
        return _asked_head(repo)
    name = b"HEAD"
    for _ in range(_MOST_SYMREFS):
        value = _loose(repo, name) or _packed(repo, name)
        if value is None:
            return None
        if not value.startswith(b"ref: "):
            text = value.decode("ascii", "replace")
            return text if _OBJECT_NAME.fullmatch(text) else _asked_head(repo)
        name = value[5:].strip()
    return _asked_head(repo)


def branches(repo: GitRepo) -> dict[str, str]:
    """Local branches (as for DVC's ``-a``; remote-tracking ones are not in it): short name to commit."""
    return {ref.short: ref.commit for ref in refs(repo, "refs/heads")}


def tags(repo: GitRepo) -> dict[str, str]:
    """Tags that lead to a commit: short name to commit."""
    return {ref.short: ref.commit for ref in refs(repo, "refs/tags")}


def all_commits(repo: GitRepo) -> list[str]:
    """Every commit that a ref or the HEAD of any linked work tree reaches, newest first.

    Stash and remote-tracking branches are refs; what only a reflog knows is not in it.
    """
    return repo.run("rev-list", "--all").stdout.decode("ascii").split()


def last_commits(repo: GitRepo, rev: str, count: int) -> list[str]:
    """The last *count* commits of a line of history, first parents only; all of them if negative."""
    limit = [f"--max-count={count}"] if count >= 0 else []
    args = ["rev-list", "--first-parent", *limit, "--end-of-options", checked_revision(rev), "--"]
    return repo.run(*args).stdout.decode("ascii").split()


def commits_since(repo: GitRepo, when: float) -> list[str]:
    """Those of `all_commits` that were committed at or after *when*, Unix seconds."""
    found = []
    for line in repo.run("log", "--all", "--format=%ct %H").stdout.decode("ascii").splitlines():
        time, _, commit = line.partition(" ")
        if int(time) >= when:
            found.append(commit)
    return found


def parents(repo: GitRepo, commits: Iterable[str]) -> dict[str, list[str]]:
    """The parents of each commit."""
    names = "".join(f"{checked_revision(commit)}\n" for commit in commits)
    if not names:
        return {}
    listed = repo.run("rev-list", "--no-walk=unsorted", "--parents", "--stdin", stdin=names.encode("ascii")).stdout
    lines = (line.split() for line in listed.decode("ascii").splitlines())
    return {line[0]: line[1:] for line in lines}


def stashes(repo: GitRepo) -> list[str]:
    """The commits of all stash entries, newest first; only the first is reached by a ref."""
    newest = [ref.commit for ref in refs(repo, "refs/stash")]
    if not newest:
        return []
    logged = repo.run("rev-list", "--walk-reflogs", "refs/stash", "--").stdout.decode("ascii").split()
    return list(dict.fromkeys([*newest, *logged]))


def refs(repo: GitRepo, *prefixes: str) -> Iterator[Ref]:
    """The refs under *prefixes* (``refs/heads``), all if none is given, that lead to commits."""
    form = "%(refname)%00%(objecttype)%00%(objectname)%00%(*objecttype)%00%(*objectname)"
    output = repo.run("for-each-ref", f"--format={form}", "--", *prefixes)
    for line in output.stdout.decode("utf-8", "surrogateescape").splitlines():
        name, kind, target, peeled_kind, peeled = line.split("\0")
        if kind == "commit":
            yield Ref(name, target)
        elif peeled_kind == "commit":
            yield Ref(name, peeled)
        elif peeled_kind == "tag":
            answer = repo.run("rev-parse", "--verify", "--quiet", f"{target}^{{commit}}", expect=(0, 1, 128))
            if answer.code == 0:
                yield Ref(name, answer.stdout.decode("ascii").strip())


def refs_by_commit(repo: GitRepo) -> dict[str, list[str]]:
    """For each commit that a branch or tag stands on, their short names."""
    named: dict[str, list[str]] = {}
    for ref in refs(repo, "refs/heads", "refs/remotes", "refs/tags"):
        named.setdefault(ref.commit, []).append(ref.short)
    return named


def short(repo: GitRepo, sha: str) -> str:
    """The shortest unique abbreviation of a commit, 7 digits or more."""
    return repo.run("rev-parse", "--short", checked_revision(sha)).stdout.decode("ascii").strip()


def _loose(repo: GitRepo, name: bytes) -> bytes | None:
    own = name == b"HEAD" or name.startswith(_PER_WORKTREE)
    try:
        with open(os.path.join(repo.git_dir if own else repo.common_dir, name), "rb") as file:
            return file.read(4096).strip()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except OSError as error:
        raise storage_error(error, "read the Git ref", name) from error


def _packed(repo: GitRepo, name: bytes) -> bytes | None:
    try:
        with open(os.path.join(repo.common_dir, b"packed-refs"), "rb") as file:
            text = file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise storage_error(error, "read", b"packed-refs") from error
    end = text.find(b" " + name + b"\n")
    return text[text.rfind(b"\n", 0, end) + 1 : end] if end >= 0 else None


def _asked_head(repo: GitRepo) -> str | None:
    output = repo.run("rev-parse", "--verify", "--quiet", "HEAD^{commit}", expect=(0, 1, 128))
    return output.stdout.decode("ascii").strip() if output.code == 0 else None


def _similar(repo: GitRepo, rev: str) -> str:
    import difflib

    names = sorted({ref.short for ref in refs(repo, "refs/heads", "refs/tags", "refs/remotes")})
    near = difflib.get_close_matches(rev, names, n=3)
    if near:
        return "did you mean " + " or ".join(f"`{name}`" for name in near) + "?"
    return "list them with `git branch -a` and `git tag`; `git fetch --tags` gets new ones"
