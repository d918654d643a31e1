"""Objects between stores: push, fetch, and what a remote has."""
