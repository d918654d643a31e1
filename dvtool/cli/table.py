"""Every verb of the command line, with the module that carries it out; modules are imported when asked for."""

from __future__ import annotations

from typing import NamedTuple


class Verb(NamedTuple):
    """``target`` is ``module:attribute`` below `dvtool.cli.verbs`; ``summary`` is the first line of its help page."""

    target: str
    summary: str


SECTIONS: dict[str, dict[str, Verb]] = {
    "Start": {
        "init": Verb("init:init", "Set up dvtool in a Git repository."),
        "migrate": Verb("migrate:migrate", "Turn a repository of DVC or Git LFS into one of dvtool."),
        "install": Verb("install:install", "Make Git call dvtool at commit, push, checkout, merge and rebase."),
    },
    "Data": {
        "add": Verb("add:add", "Track files or directories: store their bytes, write pointers for Git."),
        "status": Verb("status:status", "Show what differs: worktree, pointers, last commit."),
        "diff": Verb("diff:diff", "Show which files were added, deleted, modified or renamed."),
        "report": Verb("report:report", "Show what a change brings: data, metrics and parameters in one."),
        "log": Verb("log:log", "List the versions of a tracked path, newest first."),
        "whereused": Verb("whereused:whereused", "Find the paths, commits, branches and tags that hold a digest."),
        "list": Verb("list:list_", "List tracked files, also inside tracked directories."),
        "du": Verb("du:du", "Show how much room tracked data takes: its size, and what is stored for it."),
        "checkout": Verb("checkout:checkout", "Bring the worktree to what the pointers say, from the cache."),
        "commit": Verb("commit:commit", "Record the present state of what is tracked already."),
        "resolve": Verb("resolve:resolve", "Decide what both sides of a merge changed."),
        "move": Verb("move:move", "Move or rename tracked data with its pointer."),
        "recover": Verb("recover:recover", "List or restore what the cache holds without a name."),
        "remove": Verb("remove:remove", "Stop tracking files or directories."),
        "drop": Verb("drop:drop", "Free the local space of tracked data, once a remote proves to have it."),
        "undo": Verb("undo:undo", "Take the last operation back."),
        "op": Verb("op:op", "Show what dvtool changed here; `dvtool undo` takes it back."),
        "unprotect": Verb("unprotect:unprotect", "Make files that are linked to the cache private and writable."),
    },
    "Pipelines": {
        "repro": Verb("repro:repro", "Run the stages of `dvtool.yaml` that are out of date, in order."),
        "stage": Verb("stage:stage", "List or add stages of pipelines."),
        "dag": Verb("dag:dag", "Show the graph of the pipelines."),
        "why": Verb("why:why", "Show why stages would run, down to what was changed and by whom."),
        "plan": Verb("plan:plan", "Show what `dvtool repro` would do, and why."),
        "apply": Verb("apply:apply", "Run a plan that `dvtool plan -o` saved."),
        "resume": Verb("resume:resume", "Go on with a run that failed or was interrupted."),
        "runs": Verb("runs:runs", "Show what runs of stages did: why each ran, how it ended, what it printed."),
        "metrics": Verb("metrics:metrics", "Show and compare metrics."),
        "params": Verb("params:params", "Compare parameters."),
        "freeze": Verb("freeze:freeze", "Keep stages from running, whatever they depend on."),
        "unfreeze": Verb("freeze:unfreeze", "Let stages run again that were frozen."),
    },
    "Sharing": {
        "push": Verb("push:push", "Upload to a remote what it does not hold."),
        "pull": Verb("pull:pull", "Download what the pointers name and put it into the worktree."),
        "fetch": Verb("fetch:fetch", "Download into the cache what it lacks; the worktree stays as it is."),
        "import": Verb("import_:import_", "Track data of another repository, and where it came from."),
        "import-url": Verb("import_url:import_url", "Track a file or directory of a server, and where it came from."),
        "update": Verb("update:update", "Bring imported data to what its source has now."),
        "get": Verb("get:get", "Download a file or directory from another repository."),
        "get-url": Verb("get_url:get_url", "Download a file or directory of a server."),
        "whereis": Verb("whereis:whereis", "Say which remotes, and the cache, hold tracked data."),
    },
    "Care": {
        "gc": Verb("gc:gc", "Free the cache of what nothing that you keep needs."),
        "lint": Verb("lint:lint", "Check pointers, locks and pipelines, and what Git has of the data."),
        "verify": Verb("verify:verify", "Check that a commit is whole: locks, and data on remotes."),
        "fsck": Verb("fsck:fsck", "Check that the cache or a remote is sound and complete, and heal it."),
    },
    "Settings": {
        "cache": Verb("cache:cache", "Show or choose the cache, where the bytes of tracked data lie."),
        "config": Verb("config:config", "Print or change settings."),
        "remote": Verb("remote:remote", "Say where data is pushed to and fetched from."),
    },
    "Help": {
        "check-ignore": Verb("check_ignore:check_ignore", "Say which paths `.dvtoolignore` makes dvtool pass over."),
        "completion": Verb("completion:completion", "Print a completion script for a shell."),
        "doctor": Verb("doctor:doctor", "Look for what may stand in the way."),
        "root": Verb("root:root", "Print the top directory of the dvtool project."),
        "version": Verb("version:version", "Print the versions of dvtool and of what it stands on."),
    },
}

VERBS: dict[str, Verb] = {name: verb for section in SECTIONS.values() for name, verb in section.items()}

HIDDEN: dict[str, Verb] = {
    "git-hook": Verb("git_hook:git_hook", "What Git calls: hooks, the merge driver, text for `git diff`."),
}
"""What programs call and people do not: in no list."""

ALIASES: dict[str, str] = {"ls": "list", "mv": "move", "rm": "remove"}

ELSEWHERE: dict[str, str] = {
    "clone": "`git clone URL`, then `dvtool pull` in it",
    "data": "`dvtool status` answers for data, pointers and Git at once",
    "destroy": "`dvtool remove --outs PATH` for each path; then delete .dvtool and .git/dvtool",
    "exp": "a branch is an experiment: change, `dvtool repro`, commit, compare with `dvtool metrics diff`",
    "merge": "`git merge` calls dvtool once `dvtool install` has been run",
    "plots": "metrics are compared as tables: `dvtool metrics diff`",
    "reset": "`dvtool checkout --force PATH`, or `dvtool undo`",
    "restore": "`dvtool checkout PATH`, or `dvtool undo`",
    "run": "`dvtool stage add`, then `dvtool repro`",
    "switch": "`git switch BRANCH`, then `dvtool checkout`",
}
ELSEWHERE["experiments"] = ELSEWHERE["queue"] = ELSEWHERE["exp"]
"""Verbs of DVC or Git that people type: how the same is done here."""
