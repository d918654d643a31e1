"""Checks and repairs of remotes, and of a cache against what needs it."""
