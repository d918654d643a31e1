"""Checks and repairs of the files of a cache."""
