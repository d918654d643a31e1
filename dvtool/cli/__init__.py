"""The command line: argv to request, call, render, exit code. Only this package knows environment, terminal, clock."""

from __future__ import annotations
