"""What Git is told about dvtool's files: lines of attributes, and the settings that they name.

All of it lies in the Git directory, is written by ``dvtool install`` from the texts here alone, and a clone without
it works as before: Git shows pointers as plain text and merges them line by line.
"""

from __future__ import annotations

MERGE_ATTRIBUTES: tuple[str, ...] = ("*.dvt merge=dvtool", "dvtool.lock merge=dvtool")
DIFF_ATTRIBUTES: tuple[str, ...] = ("*.dvt diff=dvtool",)

MERGE_COMMAND = "git-hook merge-driver %O %A %B %P"
"""Behind the name of the program."""
DIFF_COMMAND = "git-hook textconv"
