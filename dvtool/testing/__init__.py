"""For authors of remotes: the suite that every driver must pass. Needs pytest."""
