"""What a push to another Git repository brings there."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence

from dvtool.git.history import PointerBlob
from dvtool.git.history import all_pointer_blobs
from dvtool.git.revisions import refs
from dvtool.git.run import GitRepo
from dvtool.git.run import checked_revision
from dvtool.git.worktree import names_data


def tips_of(repo: GitRepo, names: Iterable[str]) -> list[str]:
    """The commits that these names or objects lead to, each once; what leads to none, or is all zeros, is left out."""
    wanted = [checked_revision(name) for name in names if name.strip("0")]
    if not wanted:
        return []
    lines = "".join(f"{name}^{{commit}}\n" for name in wanted).encode("utf-8", "surrogateescape")
    answers = repo.run("cat-file", "--batch-check=%(objectname)", stdin=lines).stdout.decode("utf-8", "replace")
    return list(dict.fromkeys(line for line in answers.splitlines() if " " not in line))


def range_for(repo: GitRepo, tips: Sequence[str], there: Iterable[str]) -> tuple[str, ...]:
    """The new commits, as arguments of ``git log``: those of *tips* that no remote is known to have.

    No remote of Git's at all: whichever they came from, their data is where the settings of dvtool say.
    """
    known = {ref.commit for ref in refs(repo, "refs/remotes/")}
    known.update(tips_of(repo, there))
    return (*tips, *(f"^{commit}" for commit in sorted(known)))


def pointers_brought(repo: GitRepo, brought: Sequence[str]) -> list[PointerBlob]:
    """The versions of pointers and locks that those commits brought in, whatever project they belong to."""
    return [blob for blob in all_pointer_blobs(repo, brought, locks=True) if names_data(blob.path, locks=True)]
