"""The workspace memo: what was last seen at each path. Deleting it costs only time."""
