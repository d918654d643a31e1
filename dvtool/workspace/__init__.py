"""The worktree and its pointers: snapshots, status, checkout."""
