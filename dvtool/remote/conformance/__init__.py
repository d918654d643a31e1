"""What every remote must do, as functions that try it on a real one: `CHECKS` of `dvtool.remote.conformance.checks`."""
