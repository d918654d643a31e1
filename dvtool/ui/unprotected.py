"""What `unprotect` did, in words and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from dvtool.api.unprotect import UnprotectResult
from dvtool.ui.counts import count
from dvtool.ui.sizes import size

_WORDS = {"hardlink": "hard link", "symlink": "symbolic link", "read-only": "read-only file"}


def unprotected_lines(result: UnprotectResult) -> Iterator[str]:
    """How many files of which kind are private and writable now."""
    kinds = Counter(file.was for file in result.files)
    for was, word in _WORDS.items():
        if kinds[was]:
            yield f"{count(kinds[was], word)} made writable"
    if result.bytes_copied:
        yield f"{size(result.bytes_copied)} copied"
    if not result.files and not result.errors:
        yield "nothing to do: the files are private and writable"


def unprotected_json(result: UnprotectResult) -> dict[str, object]:
    """The result without what only Python callers need."""
    return {
        "files": [{"path": file.path, "was": file.was} for file in result.files],
        "bytes_copied": result.bytes_copied,
        "problems": [error.message for error in result.errors],
    }
