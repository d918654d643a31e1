"""Collection on a remote: what nobody needs is doomed, looked at again, deleted."""
