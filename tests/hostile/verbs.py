"""Every verb that a careful user may run on a repository that is not trusted, and what each of them reads."""

from __future__ import annotations

from dvtool.cli.table import VERBS as KNOWN
from tests.hostile.scene import HELLO
from tests.hostile.scene import blake

COMMANDS: dict[str, tuple[str, ...]] = {
    "status": ("status",),
    "status --json": ("status", "--json"),
    "status --cloud": ("status", "--cloud"),
    "diff": ("diff",),
    "diff A B": ("diff", "HEAD~1", "HEAD"),
    "list": ("list", "-R"),
    "list --rev": ("list", "-R", "--rev", "HEAD"),
    "log": ("log", "data"),
    "whereused": ("whereused", blake(HELLO)),
    "fetch": ("fetch",),
    "pull": ("pull",),
    "pull --force": ("pull", "--force"),
    "checkout": ("checkout",),
    "checkout --force": ("checkout", "--force"),
    "push": ("push",),
    "push --all": ("push", "-A"),
    "unprotect": ("unprotect", "data"),
    "recover": ("recover",),
    "check-ignore": ("check-ignore", "data/a"),
    "config": ("config", "--list"),
    "remote": ("remote", "list"),
    "cache": ("cache", "dir"),
    "doctor": ("doctor",),
    "root": ("root",),
    "fsck": ("fsck",),
    "fsck --deep": ("fsck", "--deep"),
    "fsck --remote": ("fsck", "--remote", "origin"),
    "gc": ("gc", "-w", "--dry-run"),
    "gc --force": ("gc", "-w", "--force", "--grace", "0"),
    "drop": ("drop", "--dry-run", "data"),
    "op log": ("op", "log"),
    "undo": ("undo", "--dry-run"),
    "plan": ("plan",),
    "dag": ("dag",),
    "why": ("why", "data"),
    "stage list": ("stage", "list", "--all"),
    "metrics": ("metrics", "show"),
    "params": ("params", "diff"),
    "du": ("du",),
    "whereis": ("whereis", "data"),
    "lint": ("lint",),
    "verify": ("verify",),
    "report": ("report", "HEAD~1", "HEAD", "--md"),
    "cache key": ("cache", "key"),
    "update": ("update",),
}
VERBS = {name: argv for name, argv in COMMANDS.items() if argv[0] in KNOWN}
"""Those of them that this version has, in the order in which they run."""

EVERY = frozenset(VERBS)
_NEVER_OPEN_A_POINTER = {
    "log",
    "recover",
    "check-ignore",
    "config",
    "remote",
    "cache",
    "doctor",
    "root",
    "op log",
    "undo",
}
_ABOUT_STAGES = {"plan", "dag", "why", "stage list", "metrics", "params"}
"""They open pointers and locks where there are definitions."""
_REPORT_IT = {"lint"}
"""What they find is their result."""
READ_CONFIG = EVERY - {"root"}
READ_POINTERS = EVERY - _NEVER_OPEN_A_POINTER - _ABOUT_STAGES - _REPORT_IT
