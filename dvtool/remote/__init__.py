"""Remotes: stores that are reached by URL. `dvtool.remote.table.open_remote` is the way in."""
